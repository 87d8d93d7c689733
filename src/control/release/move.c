/* move.c - what rollout_step says is done: published, recorded, told.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "control/control_int.h"
#include "control/notify.h"
#include "control/release/decide.h"
#include "judge/explain.h"

enum { NAMES_MAX = ARMS_MAX * 16 };
enum { TOLD_MOST = 64 }; /* in one turn: a sentence with its interval takes some 300 us */
enum { EDGES_TEXT_MAX = 24 * SHIFT_BINS, NOTICE_ARENA_MAX = 1 << 20 };

/* --- telling ---------------------------------------------------------------------------------- */

static bool gates_decided(const struct rollout *rollout)
{
  return rollout->why == WHY_ARM_CLOSED || rollout->why == WHY_GATE || rollout->why == WHY_KILLED ||
         rollout->why == WHY_PASSED || rollout->why == WHY_INCONCLUSIVE ||
         rollout->why == WHY_NO_DATA;
}

static void sentence_write(const struct run *run, const struct rollout *rollout,
                           char to[EXPLAIN_TEXT_MAX])
{
  to[0] = '\0';
  if (gates_decided(rollout) && run->looked)
    verdict_sentence(&run->trial, &run->verdict, to);
  else
    snprintf(to, EXPLAIN_TEXT_MAX, "%s", run->reason);
}

/* Tells a note from others of the same state. A release ends once; it may be in another state at a
 * step as often as it likes. An arm is out once, and that is told before the record, and with
 * it. */
static struct slice mark_of(const struct rollout *rollout, struct arena *arena)
{
  if (rollout_is_final(rollout)) return SLICE_NONE;
  if (rollout->why == WHY_ARM_CLOSED)
    return slice_str(arena_print(arena, "closed %u", rollout->closed));
  return rollout_hex(arena, rollout);
}

static void notes_make(struct notes *notes, const struct control *control, const struct run *run,
                       const struct rollout *rollout)
{
  enum rollout_state state = rollout->state;
  char sentence[EXPLAIN_TEXT_MAX];
  struct arena arena;
  arena_init(&arena, NOTICE_ARENA_MAX, NULL);
  sentence_write(run, rollout, sentence);
  struct notice notice = {
      .tenant = run->model->tenant->name,
      .model = run->model->name,
      .mark = mark_of(rollout, &arena),
      .version = release_version(run->model->release, rollout),
      .release = run->number,
      .step = rollout->step,
      .state = rollout_state_name(state),
      .why = rollout_why_name(rollout->why),
      .actor = SLICE("slipway"),
      .person = slice_str(rollout->person),
      .sentence = slice_str(sentence),
      .evidence =
          gates_decided(rollout) && run->looked ? run_verdict_json(run, &arena) : SLICE_NONE,
      .bad = state == ROLLOUT_ROLLED_BACK || state == ROLLOUT_FAILED || state == ROLLOUT_PAUSED,
      .over = rollout_is_final(rollout) || state == ROLLOUT_COMPLETED,
  };
  for (uint32_t i = 0; i < run->plan.n_notify && i < NOTICE_URLS_MAX; i++)
    notice.urls[notice.n_urls++] = slice_str(run->plan.notify[i]);
  notes_add(notes, control, &notice);
  arena_deinit(&arena);
}

void move_notes(struct control *control, struct change *change)
{
  const struct run *run = run_of(&control->runs, change->moves);
  const struct rollout *rollout = run && run->out_owed ? &run->now : run ? &run->next.next : NULL;
  const struct rollout *before = &change->moves->release->rollout;
  if (rollout && (rollout->state != before->state || rollout->step != before->step ||
                  rollout->closed != before->closed))
    notes_make(change->notes, control, run, rollout);
}

/* Names of arms that are out, and were not when it was told last. */
static const char *arms_lost(struct run *run, const struct rollout *rollout, char to[NAMES_MAX])
{
  uint32_t fresh = rollout->closed & ~run->closed_told;
  size_t len = 0;
  run->closed_told |= fresh;
  for (uint32_t arm = 0; arm < ARMS_MAX; arm++)
    if (fresh & ARM_BIT(arm))
      len += (size_t)snprintf(to + len, NAMES_MAX - len, "%s%s", len ? " " : "", arm_name(arm));
  return len ? to : NULL;
}

/* The log's line of a move. */
static void move_log(struct run *run, const struct rollout *rollout, bool first)
{
  char sentence[EXPLAIN_TEXT_MAX], names[NAMES_MAX];
  const char *lost = arms_lost(run, rollout, names);
  const char *what = !first                      ? "release_moved"
                     : rollout_is_final(rollout) ? "release_stopped"
                                                 : "release_arm_closed";
  bool bad = rollout->state == ROLLOUT_ROLLED_BACK || rollout->state == ROLLOUT_FAILED;
  sentence_write(run, rollout, sentence);
  log_event(bad || lost ? LOG_WARN : LOG_INFO, what, "tenant", log_slice(run->model->tenant->name),
            "model", log_slice(run->model->name), "release", log_num(run->number), "version",
            log_num(run_version(run)), "state", rollout_state_name(rollout->state), "step",
            log_num(rollout->step), "weight",
            log_num(PLAN_WHOLE - rollout_weight(rollout, &run->plan, ARM_STABLE)), "arms", lost,
            "why", rollout_why_name(rollout->why), "person",
            rollout->person[0] ? rollout->person : NULL, "evidence", sentence[0] ? sentence : NULL,
            NULL);
}

/* Before its record is written. */
static void stop_announce(struct control *control, struct run *run)
{
  struct notes *notes = notes_new();
  move_log(run, &run->now, true);
  notes_make(notes, control, run, &run->now);
  notes_send_ahead(control, notes);
  notes_free(notes);
}

/* --- writing ---------------------------------------------------------------------------------- */

static struct slice edges_text(const struct run *run, struct arena *arena)
{
  char text[EDGES_TEXT_MAX], number[TEXT_NUMBER_MAX];
  size_t len = 0;
  for (uint32_t i = 0; i < run->n_edges_next; i++) {
    size_t n = text_print_f32(number, run->edges[i]);
    if (len + n + 1 > sizeof text) break;
    if (i) text[len++] = ' ';
    memcpy(text + len, number, n);
    len += n;
  }
  return len ? arena_copy(arena, slice_of(text, len)) : SLICE_NONE;
}

static bool evidence_matters(const struct rollout *rollout)
{
  return gates_decided(rollout) || rollout->why == WHY_PERSON || rollout->why == WHY_APPROVED;
}

/* Neither used nor with the scribe. */
static bool key_is_free(const struct control *control, const struct run *run, struct slice key)
{
  const struct catalog_tenant *tenant = run->model->tenant;
  for (struct link *link = control->changes.next; link != &control->changes; link = link->next) {
    const struct change *change = LIST_OF(link, struct change, link);
    if (change_at_scribe(change) && slice_eq(change->key, key) &&
        slice_eq(change_first(change)->tenant, tenant->name))
      return false;
  }
  return !once_find(control->catalog, tenant, key);
}

/* The same of one that acted before its turn: it is told once. Its command still waits, so another
 * with that key may have been taken. */
static void heard_add(const struct control *control, struct change *change, struct event *event,
                      struct run *run)
{
  struct event said;
  if (!run->heard.actor.len) return;
  must(event_copy(&change->append.arena, &run->heard, &said));
  run->heard = (struct event){.seq = 0};
  event->actor = said.actor;
  event->note = said.note;
  if (!said.idempotency.len || !key_is_free(control, run, said.idempotency)) return;
  event->idempotency = change->key = said.idempotency;
  event->request = change->request = said.request;
}

/* A person's word stands in its event: who, in which words, with whose key. */
static void word_add(struct change *change, struct event *event, const struct run *run,
                     const struct rollout *rollout)
{
  const struct event *wish = &change->command->event;
  const struct catalog_release *release = run->model->release;
  struct arena *arena = &change->append.arena;
  bool approved = slice_eq(event_fact(wish, "word"), SLICE("approve")) &&
                  rollout->state == release->rollout.state &&
                  rollout->step == release->rollout.step;
  event->actor = arena_copy(arena, wish->actor);
  event->note = arena_copy(arena, wish->note);
  event->idempotency = change->key;
  event->request = change->request;
  if (approved) event->kind = EVENT_RELEASE_APPROVED;
  if (change->command->kind == COMMAND_ROLLBACK) event->version = change->version = run->against;
}

/* The change that has the record written; NULL when it cannot go out now. */
static struct change *record_send(struct control *control, struct run *run,
                                  const struct rollout *rollout, struct letter_command *command)
{
  if (run->out || control->stopping || change_writes(control, run->model) ||
      switch_of(control, run->model))
    return NULL;
  struct change *change = change_new(control, CHANGE_PLAIN, command);
  struct arena *arena = &change->append.arena;
  struct event *event = &change->append.events[0];
  struct slice verdict =
      run->looked && evidence_matters(rollout) ? run_verdict_json(run, arena) : SLICE_NONE;
  must(release_moved(arena, run->model, rollout, run->trial.looks, verdict, edges_text(run, arena),
                     event));
  change->version = run_version(run);
  if (command)
    word_add(change, event, run, rollout);
  else
    heard_add(control, change, event, run);
  if (rollout->state == ROLLOUT_FAILED) {
    event->version = run->failed;
    event->reason = arena_copy(arena, slice_str(run->reason));
    event->code = run->code;
  }
  change->append.n_events = 1;
  change->moves = run->model;
  change->release = run->number;
  run->out = true;
  journal_now(control); /* the looks that led to it go with it */
  change_news(control, change, NEWS_BEGUN, NULL);
  return change;
}

struct change *run_record_owed(struct control *control, struct run *run,
                               struct letter_command *command)
{
  must(run->owed);
  bool out = run->out_owed;
  run->out_owed = true;
  struct change *change = record_send(control, run, &run->now, command);
  if (!change) run->out_owed = out;
  return change;
}

/* --- moving ----------------------------------------------------------------------------------- */

static void first_publish(struct control *control, struct run *run, const struct rollout *next)
{
  run->now = *next;
  control->runs.n_untold += !run->untold;
  run->owed = run->untold = true;
  run->late = run->out;
  run_publish(control, run);
}

/* Out of what was decided and is durable, where it had to be. */
static void move_done(struct control *control, struct run *run, const struct rollout_move *move)
{
  bool moved = move->next.state != run->now.state || move->next.step != run->now.step;
  run->now = move->next;
  if (move->deeds & THEN_STEP) run_step_begin(control, run);
  if (move->deeds & (THEN_PUBLISH | THEN_STEP)) run_publish(control, run);
  if (moved) move_log(run, &run->now, false);
}

struct change *run_move(struct control *control, struct run *run, const struct rollout_move *move,
                        struct letter_command *command)
{
  if (move->deeds & THEN_PUBLISH_FIRST) {
    first_publish(control, run, &move->next);
    return command ? run_record_owed(control, run, command) : NULL; /* runs_told: after the world */
  }
  if (!(move->deeds & THEN_RECORD)) {
    move_done(control, run, move);
    return NULL;
  }
  if (run->out || run->owed) return NULL; /* it will be said again with the next look */
  run->next = *move;
  if (move->deeds & THEN_STEP) run_edges(control, run);
  return record_send(control, run, &run->next.next, command);
}

/* Back to a version that is not in memory would be to nothing at all. */
bool way_back_is_there(const struct run *run)
{
  return !run->model->release->served || run->arms[ARM_STABLE]->state == PLACED_READY;
}

static bool goes_back(const struct run *run, const struct rollout *next)
{
  return rollout_is_final(next) && !rollout_is_final(&run->now) && next->state != ROLLOUT_SETTLED;
}

void run_event(struct control *control, struct run *run, const struct rollout_event *event)
{
  if (rollout_is_final(&run->now) && run->owed) return;
  struct rollout_move move = rollout_step(&run->now, &run->plan, event, run_ms(control));
  if (goes_back(run, &move.next) && event->when != WHEN_LOAD_FAILED && !way_back_is_there(run))
    return;
  if (run->rehearsal && move.next.state == ROLLOUT_COMPLETED) { /* it never gets everything */
    struct rollout_event over = {.when = WHEN_ABORT, .person = "rehearsal"};
    move = rollout_step(&run->now, &run->plan, &over, run_ms(control));
  }
  run_move(control, run, &move, NULL);
}

bool runs_told(struct control *control)
{
  struct runs *runs = &control->runs;
  uint32_t told = 0;
  if (!runs->n_untold) return true;
  for (struct link *link = runs->all.next; link != &runs->all && told < TOLD_MOST;
       link = link->next) {
    struct run *run = LIST_OF(link, struct run, link);
    if (!run->untold) continue;
    run->untold = false;
    runs->n_untold--;
    told++;
    stop_announce(control, run);
    if (run->owed && !run->out) run_record_owed(control, run, NULL);
  }
  return runs->n_untold == 0;
}

/* What was learned while the record was on its way: it was decided without. */
static void next_learn(struct run *run)
{
  struct rollout *next = &run->next.next;
  uint32_t closed = run->now.closed & ~next->closed, chosen = ARM_BIT(next->chosen);
  bool full = next->step == run->plan.n_steps;
  next->closed |= full ? closed & ~chosen : closed;
  if (closed & chosen && !full) {
    next->chosen = ARM_STABLE;
    next->n_approvals = 0;
  }
  next->loaded = next->loaded || run->now.loaded;
  next->holdoff &= run->now.holdoff;
}

/* A person chose it just when harm closed it. */
static void chosen_is_harmed(struct control *control, struct run *run)
{
  struct rollout_event harm = {.when = WHEN_HARM,
                               .person = "",
                               .decided_by_gate = true,
                               .gate = run->trial.closed_by[run->now.chosen].gate};
  run_event(control, run, &harm);
}

void run_told(struct control *control, struct catalog_model *model, bool written)
{
  struct run *run = run_of(&control->runs, model);
  if (!run || !run->out) return; /* it ended with this record */
  bool owed = run->out_owed;
  run->out = run->out_owed = false;
  if (written && control->runs.journal.unwritten) journal_now(control); /* there is room again */
  if (written && owed && !run->late) run->owed = false;
  run->late = false;
  /* Harm was published over it, or an arm was closed: that goes with what was written, and is
   * owed. */
  if (written && !owed && (!run->owed || !rollout_is_final(&run->now))) {
    uint32_t closed = run->now.closed;
    next_learn(run);
    move_done(control, run, &run->next);
    if (closed & ARM_BIT(run->now.chosen)) chosen_is_harmed(control, run);
  }
  /* What found no room is said again with the next pulse. */
  if (run->owed && (written || !owed)) run_record_owed(control, run, NULL);
  if (!release_is_on(model)) run_sync(control, model);
}
