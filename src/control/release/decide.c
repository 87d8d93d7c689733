/* decide.c - checking commands about releases and freezes.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "control/release/decide.h"

#include <stdio.h>

#include "base/clock.h"
#include "control/registry/fold.h"
#include "control/release/facts.h"
#include "world/fault.h"

/* --- a release begins ------------------------------------------------------------------------- */

bool release_moved(struct arena *arena, const struct catalog_model *model,
                   const struct rollout *rollout, uint64_t looks, struct slice verdict,
                   struct slice edges, struct event *event)
{
  struct facts facts;
  char spec[SHA256_HEX_LEN + 1];
  digest_hex(&rollout->spec, spec);
  facts_init(&facts, arena);
  facts_add(&facts, "person", arena_copy(arena, slice_str(rollout->person)));
  facts_add(&facts, "spec", arena_copy(arena, slice_of(spec, SHA256_HEX_LEN)));
  facts_add(&facts, "state", slice_str(rollout_state_name(rollout->state)));
  facts_number(&facts, "step", rollout->step);
  facts_number(&facts, "elapsed_ms", (int64_t)rollout->state_ms);
  facts_add(&facts, "why", slice_str(rollout_why_name(rollout->why)));
  facts_number(&facts, "looks", (int64_t)looks);
  facts_add(&facts, "verdict", verdict);
  facts_add(&facts, "edges", edges);
  uint32_t serving = release_serving(model->release, rollout);
  if (serving) facts_number(&facts, "serving", serving);
  bool closes = rollout->closed & ~model->release->rollout.closed;
  if (state_facts(rollout->state)->protects || closes) facts_add(&facts, "protects", SLICE("true"));
  struct slice hex = rollout_hex(arena, rollout);
  facts.full = facts.full || !hex.at;
  facts_add(&facts, "rollout", hex);
  *event = (struct event){.kind = EVENT_RELEASE_MOVED,
                          .tenant = model->tenant->name,
                          .model = model->name,
                          .version = release_version(model->release, rollout),
                          .release = model->release->number,
                          .actor = SLICE("slipway")};
  return facts_give(&facts, event);
}

/* The one that runs gives way, where it may: one that is completed always does. */
static bool overtake(struct catalog_model *model, const struct letter_command *command,
                     struct arena *scratch, struct decision *decision)
{
  struct catalog_release *running = model->release;
  struct err *err = &decision->err;
  struct plan plan;
  if (!release_is_on(model)) return true;
  bool warm = running->rollout.state == ROLLOUT_COMPLETED;
  if (!warm && !slice_eq(event_fact(&command->event, "supersede"), SLICE("true"))) {
    fail(err, E_CONFLICT,
         "release %u of model '%.*s' is %s; wait for it, end it with 'slipway abort', or take its "
         "place with --supersede",
         running->number, SLICE_ARG(model->name), rollout_state_name(running->rollout.state));
    return false;
  }
  if (plan_read(&plan, running->plan, scratch, err)) return false;
  struct rollout_event event = {.when = WHEN_SUPERSEDED, .person = ""};
  struct rollout_move move =
      rollout_step(&running->rollout, &plan, &event, running->rollout.clock_ms);
  /* Paused with all traffic at the candidate: what serves afterwards is for a person to say. */
  bool back = running->served && move.next.state != ROLLOUT_SETTLED;
  if (!rollout_is_final(&move.next) || back) {
    fail(err, E_CONFLICT,
         "release %u of model '%.*s' is %s: end it with 'slipway abort', or keep its version with "
         "'slipway resume', and deploy then",
         running->number, SLICE_ARG(model->name), rollout_state_name(running->rollout.state));
    return false;
  }
  struct event *moved = &decision->events[decision->n_events++];
  if (release_moved(command->arena, model, &move.next, running->looks, SLICE_NONE, SLICE_NONE,
                    moved))
    return true;
  fail(err, E_OUT_OF_MEMORY, "the release takes too much memory");
  return false;
}

/* A switch that was promised comes first, though nothing of it may be under way just now. */
static bool nothing_is_promised(const struct catalog_model *model, struct err *err)
{
  if (!model->asked) return true;
  fail(err, E_CONFLICT, "a switch of model '%.*s' to version %u is under way; wait for it",
       SLICE_ARG(model->name), model->asked);
  return false;
}

/* Candidate and stable, or why not. */
static bool versions_fit(const struct catalog_model *model, uint32_t candidate, bool rehearsal,
                         struct err *err)
{
  if (!catalog_version(model, candidate)) {
    fail(err, E_VERSION_NOT_FOUND,
         "model '%.*s' has no version %u; 'slipway status %.*s' lists them", SLICE_ARG(model->name),
         candidate, SLICE_ARG(model->name));
    fail_at(err, "version");
  } else if (version_may_run(model, candidate, err)) {
    fail_at(err, "version");
  } else if (model->serving && version_may_run(model, model->serving, err)) {
    fail_at(err, "serving/%u", model->serving); /* nothing to compare with */
  } else if (!model->serving) {
    fail(err, E_CONFLICT,
         "model '%.*s' has no version in charge to compare with; deploy it with --strategy now",
         SLICE_ARG(model->name));
  } else if (model->serving == candidate && !rehearsal) {
    fail(err, E_CONFLICT, "version %u of model '%.*s' serves already", candidate,
         SLICE_ARG(model->name));
    fail_at(err, "version");
  } else {
    return true;
  }
  return false;
}

static bool rehearsal_fits(const struct event *wish, struct plan *plan, struct err *err)
{
  struct fault fault;
  if (fault_read(event_fact(wish, "rehearse"), &fault, err)) {
    fail_at(err, "rehearse");
    return false;
  }
  if (plan->strategy != STRATEGY_CANARY && plan->strategy != STRATEGY_SHADOW) {
    fail(err, E_INVALID_ARGUMENT, "a rehearsal is a shadow or a canary, not %s",
         strategy_name(plan->strategy));
    fail_at(err, "strategy");
    return false;
  }
  plan_rehearse(plan);
  return plan_check(plan, err) == OK;
}

static struct slice submitter_of(const struct event *wish)
{
  struct slice person = event_fact(wish, "person");
  return person.len ? person : wish->actor;
}

static uint32_t arm_version(const struct plan *plan, uint32_t arm, uint32_t candidate,
                            uint32_t stable)
{
  return arm == ARM_CANDIDATE ? candidate : arm == ARM_STABLE ? stable : plan->ab.versions[arm];
}

/* By blanks, where there are more than the event names itself. */
static struct slice arms_text(const struct plan *plan, uint32_t candidate, uint32_t stable,
                              struct arena *arena)
{
  char text[ARMS_MAX * TEXT_NUMBER_MAX] = "";
  size_t len = 0;
  if (plan_arms(plan) == ARM_MORE) return SLICE_NONE;
  for (uint32_t arm = 0; arm < plan_arms(plan); arm++) {
    if (arm) text[len++] = ' ';
    len += text_print_u64(text + len, arm_version(plan, arm, candidate, stable));
  }
  return arena_copy(arena, slice_of(text, len));
}

/* The versions that the plan names are there, each is one arm, and the first two are those that are
 * compared anyway. */
static bool arms_fit(const struct catalog_model *model, const struct plan *plan, uint32_t candidate,
                     struct err *err)
{
  uint32_t n = plan->strategy == STRATEGY_AB ? plan->ab.n_arms : 0;
  for (uint32_t arm = 0; arm < n; arm++) {
    uint32_t said = plan->ab.versions[arm];
    uint32_t version = arm_version(plan, arm, candidate, model->serving);
    if (said && said != version)
      fail(err, E_INVALID_ARGUMENT, "the plan says that %s is version %u, but it is version %u",
           arm_name(arm), said, version);
    else if (!catalog_version(model, version))
      fail(err, E_VERSION_NOT_FOUND,
           "model '%.*s' has no version %u; 'slipway status %.*s' lists them",
           SLICE_ARG(model->name), version, SLICE_ARG(model->name));
    else if (arm >= ARM_MORE && (version == candidate || version == model->serving))
      fail(err, E_INVALID_ARGUMENT, "version %u is the %s arm already", version,
           arm_name(version == candidate ? ARM_CANDIDATE : ARM_STABLE));
    else
      continue;
    fail_at(err, "plan.ab.arms[%u].version", arm);
    return false;
  }
  return true;
}

static bool begin(const struct catalog *catalog, struct catalog_model *model,
                  const struct letter_command *command, const struct plan *plan,
                  struct arena *scratch, struct decision *decision)
{
  const struct event *wish = &command->event;
  char person[ROLLOUT_PERSON_MAX], seed[EVENT_TEXT_MAX + 16];
  struct rollout rollout;
  struct facts facts;
  struct digest spec = plan_hash(plan, scratch);
  if (!slice_to_str(submitter_of(wish), person, sizeof person)) {
    fail(&decision->err, E_INVALID_ARGUMENT, "who asks has a name over %d bytes",
         ROLLOUT_PERSON_MAX - 1);
    return false;
  }
  rollout_init(&rollout, plan, &spec, person, freeze_of(catalog, model, wish->wall_ms) != NULL, 0);
  int len = snprintf(seed, sizeof seed, "%.*s/%u", (int)model->name.len, model->name.at,
                     model->n_releases + 1);
  struct slice hex = rollout_hex(command->arena, &rollout);
  facts_init(&facts, command->arena);
  facts.full = !hex.at;
  facts_add(&facts, "person", slice_str(arena_print(command->arena, "%s", person)));
  facts_add(&facts, "plan", plan_write(plan, command->arena));
  facts_add(&facts, "rehearse", event_fact(wish, "rehearse"));
  facts_add(&facts, "rollout", hex);
  facts_add(&facts, "seed", arena_copy(command->arena, slice_of(seed, (size_t)len)));
  facts_number(&facts, "stable", model->serving);
  facts_add(&facts, "versions", arms_text(plan, decision->version, model->serving, command->arena));
  struct event *started = &decision->events[decision->n_events++];
  *started = (struct event){.kind = EVENT_RELEASE_STARTED,
                            .tenant = wish->tenant,
                            .model = model->name,
                            .version = decision->version,
                            .release = decision->release,
                            .actor = wish->actor,
                            .note = wish->note,
                            .idempotency = wish->idempotency};
  if (facts_give(&facts, started) && event_fact(started, "plan").len) return true;
  fail(&decision->err, E_OUT_OF_MEMORY, "the plan takes too much memory");
  return false;
}

void release_decide(const struct catalog *catalog, struct catalog_model *model,
                    const struct letter_command *command, struct decision *decision)
{
  const struct event *wish = &command->event;
  struct err *err = &decision->err;
  struct arena scratch;
  struct plan plan;
  bool rehearsal = event_fact(wish, "rehearse").len != 0;
  decision->version = wish->version ? wish->version : catalog_newest(model);
  if (rehearsal) decision->version = model->serving;
  decision->release = model->n_releases + 1;
  must(command->arena);
  arena_init(&scratch, PLAN_ARENA_BYTES, NULL);
  bool fine = nothing_is_promised(model, err) &&
              plan_read(&plan, event_fact(wish, "plan"), &scratch, err) == OK;
  bool named = fine && plan.strategy == STRATEGY_AB && plan.ab.versions[ARM_CANDIDATE];
  if (named && !wish->version) decision->version = plan.ab.versions[ARM_CANDIDATE];
  fine = fine && versions_fit(model, decision->version, rehearsal, err) &&
         arms_fit(model, &plan, decision->version, err);
  if (fine && rehearsal) fine = rehearsal_fits(wish, &plan, err);
  if (fine) arena_reset(&scratch);
  fine = fine && overtake(model, command, &scratch, decision);
  if (fine) arena_reset(&scratch);
  fine = fine && begin(catalog, model, command, &plan, &scratch, decision);
  arena_deinit(&scratch);
  decision->kind = DECISION_APPEND;
  if (!fine) decision_refuse(decision);
}

/* --- words ------------------------------------------------------------------------------------ */

void say_decide(struct catalog_model *model, const struct letter_command *command,
                struct decision *decision)
{
  const struct event *wish = &command->event;
  const struct catalog_release *release = model->release;
  struct slice word = event_fact(wish, "word");
  decision->kind = DECISION_SAY;
  decision->version = release ? release_version(release, &release->rollout) : 0;
  decision->release = release ? release->number : 0;
  decision->seq = release ? release->seq : 0;
  if (release && wish->release && wish->release != release->number) {
    fail(&decision->err, E_CONFLICT, "release %u of model '%.*s' is over; the newest is %u",
         wish->release, SLICE_ARG(model->name), release->number);
    decision_refuse(decision);
    return;
  }
  if (release_is_on(model)) return;
  decision->kind = DECISION_ANSWER;
  if (release && slice_eq(word, SLICE("abort")) && release->rollout.state != ROLLOUT_SETTLED)
    return; /* stable has everything already */
  fail(&decision->err, E_CONFLICT,
       "no release of model '%.*s' is running; 'slipway release list' has those that ended",
       SLICE_ARG(model->name));
}

/* --- freezes ---------------------------------------------------------------------------------- */

static bool freeze_is_there(const struct catalog *catalog, const struct catalog_tenant *tenant,
                            enum freeze_scope scope, struct slice model)
{
  for (uint32_t i = 0; i < catalog->n_freezes; i++)
    if (freeze_is_of(&catalog->freezes[i], scope, tenant, model)) return true;
  return false;
}

static bool freeze_fits(const struct catalog *catalog, const struct catalog_tenant *tenant,
                        const struct event *wish, bool lift, struct err *err)
{
  enum freeze_scope scope;
  struct weekly weekly;
  struct slice text = event_fact(wish, "weekly");
  if (!freeze_scope_read(event_fact(wish, "scope"), &scope)) {
    fail(err, E_INVALID_ARGUMENT, "'%.*s' is no scope; there are system, tenant and model",
         SLICE_ARG(event_fact(wish, "scope")));
    fail_at(err, "scope");
  } else if ((scope == FREEZE_MODEL) != (wish->model.len != 0)) {
    fail(err, E_INVALID_ARGUMENT, "a freeze of a model names one, and no other does");
    fail_at(err, "model");
  } else if (wish->model.len && !catalog_model(tenant, wish->model)) {
    fail(err, E_MODEL_NOT_FOUND, "there is no model '%.*s'; 'slipway status' lists them",
         SLICE_ARG(wish->model));
  } else if (lift && !freeze_is_there(catalog, tenant, scope, wish->model)) {
    fail(err, E_NOT_FOUND, "there is no freeze of that scope");
  } else if (!lift && text.len && weekly_read(text, &weekly, err)) {
    fail_at(err, "weekly");
  } else if (!lift && catalog->n_freezes == FREEZES_MAX) {
    fail(err, E_LIMIT_EXCEEDED, "there are %d freezes already; lift one", FREEZES_MAX);
  } else {
    return true;
  }
  return false;
}

void freeze_decide(const struct catalog *catalog, const struct catalog_tenant *tenant,
                   const struct letter_command *command, struct decision *decision)
{
  static const char *const kept[] = {"from_ms", "person", "scope", "until_ms", "weekly", "why"};
  const struct event *wish = &command->event;
  bool lift = slice_eq(event_fact(wish, "lift"), SLICE("true"));
  struct facts facts;
  must(command->arena);
  if (!freeze_fits(catalog, tenant, wish, lift, &decision->err)) {
    decision_refuse(decision);
    return;
  }
  facts_init(&facts, command->arena);
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    facts_add(&facts, kept[i], event_fact(wish, kept[i]));
  decision->kind = DECISION_APPEND;
  decision->n_events = 1;
  decision->events[0] = (struct event){.kind = lift ? EVENT_FREEZE_LIFTED : EVENT_FREEZE_SET,
                                       .tenant = wish->tenant,
                                       .model = wish->model,
                                       .actor = wish->actor,
                                       .note = wish->note,
                                       .idempotency = wish->idempotency};
  if (facts_give(&facts, &decision->events[0])) return;
  fail(&decision->err, E_OUT_OF_MEMORY, "the freeze takes too much memory");
  decision_refuse(decision);
}

/* --- switches beside a release ---------------------------------------------------------------- */

bool deploy_frozen(const struct catalog *catalog, const struct catalog_model *model,
                   const struct letter_command *command, struct err *err)
{
  const struct catalog_freeze *freeze = freeze_of(catalog, model, command->event.wall_ms);
  if (command->kind != COMMAND_DEPLOY || !freeze) return false;
  if (command->event.version == model->serving && model->serving) return false;
  char until[32] = "";
  if (freeze->until_ms) {
    char time[25];
    clock_text(freeze->until_ms, time);
    snprintf(until, sizeof until, " until %s", time);
  }
  fail(err, E_CONFLICT, "model '%.*s' is frozen%s (%.*s); lift the freeze, or wait",
       SLICE_ARG(model->name), until, SLICE_ARG(freeze->why.len ? freeze->why : freeze->actor));
  return true;
}

bool switch_decide_held(const struct catalog *catalog, struct catalog_model *model,
                        const struct letter_command *command, struct decision *decision)
{
  const struct catalog_release *release = model->release;
  uint32_t version = command->event.version;
  if (deploy_frozen(catalog, model, command, &decision->err)) {
    decision_refuse(decision);
    return true;
  }
  if (!release_is_on(model)) return false;
  bool warm = release->rollout.state == ROLLOUT_COMPLETED;
  if (command->kind == COMMAND_ROLLBACK && (!version || version == release->versions[ARM_STABLE])) {
    decision->kind = DECISION_SAY; /* the way back is the release's own */
    decision->version = release->versions[ARM_STABLE];
    decision->release = release->number;
    decision->seq = release->seq;
    return true;
  }
  if (warm) return false;
  fail(&decision->err, E_CONFLICT,
       "release %u of model '%.*s' (version %u) is %s; wait for it, or end it with 'slipway abort'",
       release->number, SLICE_ARG(model->name), release_version(release, &release->rollout),
       rollout_state_name(release->rollout.state));
  decision_refuse(decision);
  return true;
}
