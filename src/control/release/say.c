/* say.c - a person's word on the running release.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/log.h"
#include "base/role.h"
#include "base/text.h"
#include "control/control_int.h"
#include "control/release/decide.h"

enum { HEARD_BYTES_MAX = 64 << 10 };

static const struct {
  const char *word;
  enum rollout_when when;
} words[] = {
    {"promote", WHEN_PROMOTE},   {"pause", WHEN_PAUSE},
    {"resume", WHEN_RESUME},     {"approve", WHEN_APPROVE},
    {"reject", WHEN_REJECT},     {"abort", WHEN_ABORT},
    {"rollback", WHEN_ROLLBACK}, {"override_freeze", WHEN_OVERRIDE_FREEZE},
};

static enum rollout_when when_of(const struct letter_command *command)
{
  struct slice word = event_fact(&command->event, "word");
  if (command->kind == COMMAND_ROLLBACK) return WHEN_ROLLBACK;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (slice_eq(word, slice_str(words[i].word))) return words[i].when;
  return ROLLOUT_WHENS;
}

/* The desk names a role in every word. One that is missing, or that this slipway does not know,
 * approves nothing. */
static enum plan_role role_of(const struct event *wish)
{
  enum role role;
  if (!role_named(event_fact(wish, "role"), &role)) return PLAN_DEPLOYER;
  if (role_may(role, ROLE_ADMIN)) return PLAN_ADMIN;
  return role_may(role, ROLE_APPROVER) ? PLAN_APPROVER : PLAN_DEPLOYER;
}

static void way_back_missing(const struct run *run, struct err *err)
{
  const struct placed *back = run->arms[ARM_STABLE];
  uint32_t stable = back->number;
  if (back->state != PLACED_FAILED)
    fail(err, E_CONFLICT, "version %u, which it would go back to, is still being loaded; try again",
         stable);
  else
    fail(err, E_CONFLICT,
         "version %u cannot be loaded, so there is no way back to it: 'slipway resume %.*s' keeps "
         "version %u, and then any version can be deployed",
         stable, SLICE_ARG(run->model->name), run_version(run));
}

/* By name, by number, or by what the plan calls it. */
static bool arm_read(const struct run *run, struct slice text, uint32_t *says)
{
  uint64_t number;
  uint32_t arm;
  bool named = arm_named(text, &arm);
  for (uint32_t i = 0; i < run->plan.ab.n_arms && !named; i++)
    if (slice_eq(text, slice_str(run->plan.ab.names[i]))) arm = i, named = true;
  if (!named) {
    if (!text_read_u64(text, ARMS_MAX - 1, &number)) return false;
    arm = (uint32_t)number;
  }
  *says = 1 + arm;
  return true;
}

static void arm_missing(const struct run *run, struct slice text, struct err *err)
{
  char list[ARMS_MAX * (PLAN_NAME_MAX + 32)] = "";
  for (uint32_t arm = 0; arm < run->n_arms; arm++) {
    size_t len = strlen(list);
    bool called = arm < run->plan.ab.n_arms && run->plan.ab.names[arm][0] &&
                  strcmp(run->plan.ab.names[arm], arm_name(arm));
    snprintf(list + len, sizeof list - len, "%s%s%s%s%s", arm ? ", " : "", arm_name(arm),
             called ? " (" : "", called ? run->plan.ab.names[arm] : "", called ? ")" : "");
  }
  fail(err, E_INVALID_ARGUMENT, "'%.*s' is no arm of release %u, which has %s", SLICE_ARG(text),
       run->number, list);
  fail_at(err, "arm");
}

/* False when a name is longer than any can be, or the step, hash or arm is none. */
static bool event_read(const struct letter_command *command, const struct run *run, char *person,
                       struct rollout_event *event)
{
  const struct event *wish = &command->event;
  struct slice who = event_fact(wish, "person"), spec = event_fact(wish, "spec");
  struct slice arm = event_fact(wish, "arm");
  *event = (struct rollout_event){.when = when_of(command),
                                  .person = person,
                                  .role = role_of(wish),
                                  .step = run->now.step,
                                  .spec = run->now.spec};
  int64_t step = event_fact_int(wish, "step", run->now.step);
  if (step < 0 || step > UINT32_MAX) return false;
  event->step = (uint32_t)step;
  if (spec.len && !digest_from_hex(spec, &event->spec)) return false;
  if (run->looked && run->verdict.winner != ARM_NONE) event->winner = 1 + run->verdict.winner;
  if (arm.len && !arm_read(run, arm, &event->says_arm)) return false;
  return event->when != ROLLOUT_WHENS &&
         slice_to_str(who.len ? who : wish->actor, person, ROLLOUT_PERSON_MAX);
}

static struct change *answered(struct letter_command *command, const struct err *err,
                               const struct run *run)
{
  command->release = run->number;
  command_answer(command, err, run_version(run), run->model->release->seq);
  return NULL;
}

struct change *run_say(struct control *control, struct letter_command *command,
                       const struct decision *decision)
{
  struct run *run = run_of(&control->runs, decision->model);
  struct rollout_event event;
  struct err err = {0};
  char person[ROLLOUT_PERSON_MAX];
  must(run);
  struct slice arm = event_fact(&command->event, "arm");
  bool read = event_read(command, run, person, &event);
  if (!read && arm.len && !arm_read(run, arm, &event.says_arm)) {
    arm_missing(run, arm, &err);
    return answered(command, &err, run);
  }
  if (!read) {
    fail(&err, E_INVALID_ARGUMENT,
         "the words are promote, pause, resume, approve, reject, abort, rollback and "
         "override_freeze; '%.*s' is none, or who says it, the step, the spec or the arm is not "
         "readable",
         SLICE_ARG(event_fact(&command->event, "word")));
    return answered(command, &err, run);
  }
  if (run->owed && (event.when == WHEN_ABORT || event.when == WHEN_ROLLBACK)) {
    struct change *change = run_record_owed(control, run, command);
    if (change) return change;
    fail(&err, E_UNAVAILABLE, "all traffic is at the stable version; the record waits");
    return answered(command, &err, run);
  }
  if (run->owed || run->out) {
    fail(&err, E_CONFLICT, "release %u is changing its state; look again", run->number);
    return answered(command, &err, run);
  }
  struct rollout_move move = rollout_step(&run->now, &run->plan, &event, run_ms(control));
  if (!move.refused && run->rehearsal && move.next.state == ROLLOUT_COMPLETED) {
    fail(&err, E_CONFLICT, "a rehearsal is never completed; end it with 'slipway abort'");
    return answered(command, &err, run);
  }
  if (!move.refused && rollout_is_final(&move.next) && !way_back_is_there(run)) {
    way_back_missing(run, &err);
    return answered(command, &err, run);
  }
  if (move.refused) {
    fail(&err, move.refused, "%s", move.text);
    return answered(command, &err, run);
  }
  struct change *change = run_move(control, run, &move, command);
  if (change) return change;
  if (move.deeds & (THEN_RECORD | THEN_PUBLISH_FIRST))
    fail(&err, E_UNAVAILABLE, "the ledger is being written; try again");
  return answered(command, &err, run);
}

void run_hear(struct control *control, const struct letter_command *command)
{
  const struct event *wish = &command->event;
  const struct catalog_tenant *tenant = catalog_tenant(control->catalog, wish->tenant);
  const struct catalog_model *model = tenant ? catalog_model(tenant, wish->model) : NULL;
  struct run *run = model ? run_of(&control->runs, model) : NULL;
  struct rollout_event event;
  char person[ROLLOUT_PERSON_MAX];
  if (!run || run->owed || command->kind != COMMAND_SAY) return;
  if (wish->release && wish->release != run->number) return;
  if (once_find(control->catalog, tenant, wish->idempotency)) return;
  if (!event_read(command, run, person, &event) || event.when != WHEN_ABORT) return;
  if (!run->out && !change_writes(control, model)) return; /* its turn is now */
  if (!way_back_is_there(run)) return;
  struct rollout_move move = rollout_step(&run->now, &run->plan, &event, run_ms(control));
  if (move.refused || !(move.deeds & THEN_PUBLISH_FIRST)) return;
  arena_deinit(&run->heard_arena);
  arena_init(&run->heard_arena, HEARD_BYTES_MAX, NULL);
  const struct event said = {.actor = wish->actor,
                             .note = wish->note,
                             .idempotency = wish->idempotency,
                             .request = wish->request};
  must(event_copy(&run->heard_arena, &said, &run->heard));
  run_move(control, run, &move, NULL);
}
