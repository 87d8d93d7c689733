/* run.c - releases begin, are judged every second, and end.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/release/run.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "control/control_int.h"
#include "control/release/freeze.h"

enum { SLOT_ROUNDS = 3 };

uint64_t run_ms(const struct control *control) { return (uint64_t)(control->lived_us / 1000); }

void runs_init(struct runs *runs)
{
  *runs = (struct runs){0};
  list_init(&runs->all);
  round_init(&runs->round);
  journal_init(&runs->journal);
}

struct run *run_of(const struct runs *runs, const struct catalog_model *model)
{
  return model->slot < runs->cap ? runs->of[model->slot] : NULL;
}

/* --- slots in tallies ------------------------------------------------------------------------- */

static uint32_t slot_take(struct control *control)
{
  struct runs *runs = &control->runs;
  uint32_t at = 0;
  while (at < runs->n_slots &&
         (runs->slots[at].used || control->pulse.done < runs->slots[at].free_round))
    at++;
  if (at == runs->slots_cap) {
    runs->slots_cap = runs->slots_cap ? 2 * runs->slots_cap : 8;
    runs->slots = grab_more(runs->slots, runs->slots_cap * sizeof *runs->slots);
  }
  if (at == runs->n_slots) runs->n_slots++;
  runs->slots[at] = (struct release_slot){.used = true};
  return at;
}

static void slot_drop(struct control *control, uint32_t slot)
{
  control->runs.slots[slot] =
      (struct release_slot){.free_round = control->pulse.begun + SLOT_ROUNDS};
}

/* --- beginning -------------------------------------------------------------------------------- */

static void runs_room(struct runs *runs, uint32_t slot)
{
  if (slot < runs->cap) return;
  uint32_t cap = runs->cap ? runs->cap : 16;
  while (cap <= slot) cap *= 2;
  runs->of = grab_more(runs->of, cap * sizeof *runs->of);
  runs->last = grab_more(runs->last, cap * sizeof *runs->last);
  memset(runs->of + runs->cap, 0, (cap - runs->cap) * sizeof *runs->of);
  memset(runs->last + runs->cap, 0, (cap - runs->cap) * sizeof *runs->last);
  runs->cap = cap;
}

static void edges_read(struct run *run, struct slice text)
{
  while (text.len && run->n_edges < SHIFT_BINS - 1) {
    const char *blank = memchr(text.at, ' ', text.len);
    size_t len = blank ? (size_t)(blank - text.at) : text.len;
    bool over;
    if (!text_read_f32(text.at, len, &run->edges[run->n_edges], &over)) return;
    run->n_edges_next = ++run->n_edges;
    text = slice_from(text, len + 1);
  }
}

/* A plan of another slipway's grammar: what it meant is not known, so no client gets the candidate
 * until a person has spoken. What was completed had done all its plan asked for, and stays. */
static void plan_unread(struct run *run, const char *why)
{
  struct rollout *now = &run->now;
  log_event(LOG_ERROR, "release_plan_unread", "tenant", log_slice(run->model->tenant->name),
            "model", log_slice(run->model->name), "reason", why, NULL);
  plan_default(&run->plan, STRATEGY_SHADOW); /* its one step answers nobody */
  run->plan.pause_drains = true;
  now->step = now->state == ROLLOUT_COMPLETED ? run->plan.n_steps : 0;
  if (now->state != ROLLOUT_COMPLETED && now->state != ROLLOUT_ROLLED_BACK)
    now->state = ROLLOUT_PAUSED;
}

/* The judge's state as at the start, of nobody's list. */
static struct run *run_make(struct catalog_model *model)
{
  struct run *run = grab_zero(1, sizeof *run);
  const struct catalog_release *release = model->release;
  struct arena scratch;
  struct err err = {0};
  run->model = model;
  run->number = release->number;
  run->n_arms = release->n_arms;
  run->against = release->versions[ARM_STABLE];
  run->rehearsal = release->rehearse.len != 0;
  run->plan_text = release->plan;
  run->now = release->rollout;
  run->closed_told = run->now.closed;
  run->slot = UINT32_MAX;
  run->row = ROW_PLAN;
  edges_read(run, release->edges);
  arena_init(&scratch, PLAN_ARENA_BYTES, NULL);
  if (plan_read(&run->plan, release->plan, &scratch, &err)) plan_unread(run, err.text);
  arena_deinit(&scratch);
  trial_begin(&run->trial, &run->plan);
  return run;
}

struct blob *run_past_json(struct catalog_model *model)
{
  struct run *run = run_make(model);
  snprintf(run->reason, sizeof run->reason,
           "it ended before the server started; 'slipway release show %.*s/%u' has its evidence",
           (int)model->name.len, model->name.at, run->number);
  struct blob *json = run_json(run);
  ungrab(run);
  return json;
}

struct run *run_start(struct control *control, struct catalog_model *model)
{
  struct run *run = run_make(model);
  runs_room(&control->runs, model->slot);
  must(!control->runs.of[model->slot]);
  control->runs.of[model->slot] = run;
  list_push_back(&control->runs.all, &run->link);
  return run;
}

static struct placed *pinned(struct control *control, struct run *run, uint32_t number)
{
  struct placed *placed = place_of(&control->place, run->model, number);
  placed->released = true;
  place_retry(&control->place, placed);
  return placed;
}

/* Each rehearsal has a copy of its own, under a number that no version gets. */
static struct placed *copy_pinned(struct control *control, struct run *run)
{
  struct placed *placed = place_of(&control->place, run->model, UINT32_MAX - run->number);
  struct err err;
  placed->copy_of = run->model->release->versions[ARM_CANDIDATE];
  must(fault_read(run->model->release->rehearse, &placed->fault, &err) == OK);
  return pinned(control, run, placed->number);
}

/* Who is out of it, or was not chosen, need not be in memory. */
static bool arm_is_wanted(const struct run *run, uint32_t arm)
{
  const struct rollout *now = &run->now;
  bool whole = now->begun && now->step >= run->plan.n_steps;
  if (arm == ARM_STABLE) return true;
  return whole ? arm == now->chosen : !(now->closed & ARM_BIT(arm));
}

uint32_t run_version(const struct run *run)
{
  return release_version(run->model->release, &run->now);
}

/* Every arm that is not out is in memory. */
static bool arms_are_there(const struct run *run)
{
  for (uint32_t arm = 0; arm < run->n_arms; arm++)
    if (run->arms[arm] && run->arms[arm]->state != PLACED_READY) return false;
  return true;
}

static void run_begin(struct control *control, struct run *run)
{
  const uint32_t *versions = run->model->release->versions;
  run->slot = slot_take(control);
  run->look_us = run->loaded_us = control->lived_us;
  for (uint32_t arm = 0; arm < run->n_arms; arm++) {
    bool copy = run->rehearsal && arm == ARM_CANDIDATE;
    if (!arm_is_wanted(run, arm)) continue;
    run->arms[arm] = copy ? copy_pinned(control, run) : pinned(control, run, versions[arm]);
  }
  predictions_want(control);
  control_touch(control, run->model, 0);
  if (arms_are_there(run)) run_placed(control, run->arms[ARM_STABLE]);
}

/* --- ending ----------------------------------------------------------------------------------- */

static void unpin(struct control *control, struct run *run, uint32_t arm)
{
  struct placed *placed = run->arms[arm];
  run->arms[arm] = NULL;
  if (!placed) return;
  placed->released = false;
  place_settle(&control->place, placed);
}

/* Worlds that still name a version keep it until they are home. */
static void arms_leave(struct control *control, struct run *run)
{
  for (uint32_t arm = 0; arm < run->n_arms; arm++)
    if (!arm_is_wanted(run, arm)) unpin(control, run, arm);
}

static void run_free(struct runs *runs, struct run *run)
{
  runs->of[run->model->slot] = NULL;
  runs->n_untold -= run->untold;
  list_remove(&run->link);
  arena_deinit(&run->heard_arena);
  ungrab(run->units.at);
  ungrab(run);
}

void run_end(struct control *control, struct run *run)
{
  struct runs *runs = &control->runs;
  blob_drop(runs->last[run->model->slot]);
  runs->last[run->model->slot] = run_json(run);
  if (run->slot != UINT32_MAX) slot_drop(control, run->slot);
  for (uint32_t arm = 0; arm < run->n_arms; arm++) unpin(control, run, arm);
  control_touch(control, run->model, 0);
  run_free(runs, run);
  predictions_want(control);
}

/* Traffic goes back step by step where a person wanted it so: then the run ends with the last. */
static bool run_is_over(const struct run *run)
{
  return rollout_is_final(&run->now) && !run->owed && !run->out &&
         rollout_weight(&run->now, &run->plan, run->now.chosen) % WEIGHT_WHOLE == 0;
}

void run_sync(struct control *control, struct catalog_model *model)
{
  struct run *run = run_of(&control->runs, model);
  const struct catalog_release *release = model->release;
  if (!release || control->stopping) return;
  if (run && run->number != release->number) {
    run_end(control, run);
    run = NULL;
  }
  if (!run && release_is_on(model)) {
    run = run_start(control, model);
    run->now.clock_ms = run_ms(control); /* the decision, which knows no clock, has begun it at 0 */
    run_begin(control, run);
  } else if (run && !release_is_on(model)) {
    if (!rollout_is_final(&run->now)) run->now = release->rollout;
    run->owed = false; /* the ledger says it is over: that is all there was to say */
    if (run_is_over(run)) run_end(control, run);
  }
}

void runs_stop(struct control *control)
{
  struct link *all = &control->runs.all;
  for (struct link *link = all->next; link != all; link = link->next) {
    struct run *run = LIST_OF(link, struct run, link);
    for (uint32_t arm = 0; arm < run->n_arms; arm++)
      if (run->arms[arm]) run->arms[arm]->released = false;
  }
}

void runs_deinit(struct runs *runs)
{
  while (!list_empty(&runs->all)) run_free(runs, LIST_OF(runs->all.next, struct run, link));
  for (uint32_t i = 0; i < runs->cap; i++) blob_drop(runs->last[i]);
  ungrab(runs->of);
  ungrab(runs->last);
  ungrab(runs->slots);
  round_deinit(&runs->round);
  stable_pasts_deinit(&runs->pasts);
  journal_deinit(&runs->journal);
}

/* --- after a restart -------------------------------------------------------------------------- */

/* The step that is judged: with all traffic it is still the last. */
static uint32_t step_of(const struct run *run)
{
  uint32_t n = run->plan.n_steps;
  return run->now.step < n || !n ? run->now.step : n - 1;
}

void runs_begin(struct control *control)
{
  control->runs.judged_us = control->now_us; /* the first look is a whole second */
  for (uint32_t i = 0; i < control->catalog->n_models; i++) {
    struct catalog_model *model = control->catalog->models[i];
    if (!release_is_on(model)) continue;
    struct run *run = run_of(&control->runs, model);
    if (!run) run = run_start(control, model);
    struct rollout_event event = {.when = WHEN_RESTARTED, .person = ""};
    run->now.clock_ms = run_ms(control);
    run->now = rollout_step(&run->now, &run->plan, &event, run_ms(control)).next;
    /* What the journal lacks begins anew: the step, with what is remembered of stable. */
    if (run->now.state != ROLLOUT_PENDING && (!run->stepped || run->trial.step != step_of(run)))
      run_step_begin(control, run);
    run_begin(control, run);
  }
}

/* --- versions --------------------------------------------------------------------------------- */

static bool specs_equal(const struct tensor_spec *a, uint32_t n, const struct tensor_spec *b,
                        uint32_t m, char *why, size_t cap, const char *what)
{
  for (uint32_t i = 0; i < n || i < m; i++) {
    if (i >= n || i >= m || !slice_eq(a[i].name, b[i].name) || a[i].dtype != b[i].dtype ||
        memcmp(&a[i].shape, &b[i].shape, sizeof a[i].shape) != 0) {
      struct slice name = i < n ? a[i].name : b[i].name;
      snprintf(why, cap,
               "%s '%.*s' differs from the stable version's; say contract: {changed: true} in the "
               "plan if that is meant",
               what, SLICE_ARG(name));
      return false;
    }
  }
  return true;
}

static bool contracts_equal(const struct run *run, uint32_t arm, char *why, size_t cap)
{
  const struct contract *a = &run->arms[arm]->load.contract;
  const struct contract *b = &run->arms[ARM_STABLE]->load.contract;
  return run->plan.contract_changed ||
         (specs_equal(a->inputs, a->n_inputs, b->inputs, b->n_inputs, why, cap, "input") &&
          specs_equal(a->outputs, a->n_outputs, b->outputs, b->n_outputs, why, cap, "output"));
}

static void load_failed(struct control *control, struct run *run, uint32_t arm, enum code code,
                        const char *why)
{
  struct rollout_event event = {.when = WHEN_LOAD_FAILED, .person = "", .closed = ARM_BIT(arm)};
  run->failed = run->model->release->versions[arm];
  if (run->n_arms == ARM_MORE)
    snprintf(run->reason, sizeof run->reason, "%s", why);
  else
    snprintf(run->reason, sizeof run->reason, "%s (version %u): %s", arm_name(arm), run->failed,
             why);
  run->code = code;
  run_event(control, run, &event);
}

void run_placed(struct control *control, struct placed *placed)
{
  struct run *run = run_of(&control->runs, placed->model);
  char why[REASON_MAX];
  uint32_t at = 0;
  while (run && at < run->n_arms && run->arms[at] != placed) at++;
  if (!run || control->stopping || at == run->n_arms) return;
  if (at != ARM_STABLE && placed->state == PLACED_FAILED) {
    load_failed(control, run, at, placed->err.code, placed->err.text);
    return;
  }
  if (at == ARM_STABLE && placed->state == PLACED_FAILED && !rollout_is_final(&run->now)) {
    bool served = run->model->release->served; /* the candidate has everything */
    bool barred = !served && placed->err.code == E_QUARANTINED;
    if (served || barred) way_back_lost(control, run, placed->err.text, barred);
    return;
  }
  if (!arms_are_there(run)) return;
  for (uint32_t arm = 0; arm < run->n_arms; arm++)
    if (arm != ARM_STABLE && run->arms[arm] && !contracts_equal(run, arm, why, sizeof why)) {
      load_failed(control, run, arm, E_MODEL_REJECTED, why);
      return;
    }
  struct rollout_event event = {.when = WHEN_LOADED, .person = ""};
  run->loaded_us = control->lived_us;
  run_event(control, run, &event);
}

/* --- steps and pulses ------------------------------------------------------------------------- */

uint64_t run_past(const struct control *control, const struct letter_command *command)
{
  const struct event *wish = &command->event;
  const struct catalog_model *model =
      catalog_model(catalog_tenant(control->catalog, wish->tenant), wish->model);
  if (!model || !model->release) return 0;
  const struct stable_past *stable =
      stable_past_of(&control->runs.pasts, model->slot, model->release->versions[ARM_STABLE]);
  return stable ? stable_past_requests(stable) : 0;
}

/* What requests looked like: where there are too few of them, or none that stable and the candidate
 * could both be asked, as before the last step. */
static void inputs_make(struct run *run, const struct stable_past *stable,
                        struct baseline *baseline)
{
  const struct baseline *before = &run->trial.baseline;
  const struct placed *placed = run->arms[ARM_STABLE];
  memset(run->features, 0, sizeof run->features);
  if (run->plan.contract_changed) return;
  if (stable && placed) stable_past_features(stable, &placed->load.contract, baseline);
  if (baseline->n_features || !run->stepped) return;
  baseline->n_features = before->n_features;
  memcpy(baseline->features, before->features, sizeof baseline->features);
}

/* Thresholds and dispersion from what stable did until now. Right after a restart that is nothing:
 * then those of the step before, with dispersion at its cautious value, are better than none. */
static void baseline_make(struct control *control, struct run *run, struct baseline *baseline)
{
  const struct catalog_release *release = run->model->release;
  const struct stable_past *stable =
      stable_past_of(&control->runs.pasts, run->model->slot, release->versions[ARM_STABLE]);
  const struct baseline *before = &run->trial.baseline;
  if (stable)
    past_baseline(&stable->past, &run->plan, step_of(run), baseline);
  else
    baseline_init(baseline);
  inputs_make(run, stable, baseline);
  if (!run->stepped || baseline->slow.rows >= before->slow.rows) return;
  baseline->slow = before->slow;
  for (uint32_t arm = 0; arm < ARMS_MAX; arm++)
    for (int row = 0; row < BASELINE_ROWS; row++)
      if (before->phi[arm][row] > baseline->phi[arm][row])
        baseline->phi[arm][row] = before->phi[arm][row];
}

void run_edges(struct control *control, struct run *run)
{
  const struct catalog_release *release = run->model->release;
  const struct stable_past *stable =
      stable_past_of(&control->runs.pasts, run->model->slot, release->versions[ARM_STABLE]);
  if (run->n_edges) return;
  run->n_edges_next = stable_past_edges(stable, run->edges);
}

void run_step_begin(struct control *control, struct run *run)
{
  struct baseline baseline;
  if (!run->plan.n_steps) return;
  baseline_make(control, run, &baseline);
  run->n_edges = run->n_edges_next;
  trial_step_begin(&run->trial, step_of(run), &baseline);
  run->stepped = true;
  run->row |= ROW_STEP;
  run->look_us = control->lived_us;
}

void run_publish(struct control *control, struct run *run)
{
  arms_leave(control, run);
  control_touch(control, run->model, 0);
  run->fresh = true;
  run->fresh_round = 0;
}

void runs_shown(struct control *control)
{
  predictions_want(control);
  struct link *all = &control->runs.all;
  for (struct link *link = all->next; link != all; link = link->next) {
    struct run *run = LIST_OF(link, struct run, link);
    if (run->fresh && !run->fresh_round)
      run->fresh_round = pulse_ask(&control->pulse, control->now_us);
  }
}

/* Loops count under the new weights from here on; what came before is of neither. A loop that is
 * silent may still bring what it counted under others. */
static void fresh_look(struct control *control, struct run *run)
{
  if (!run->fresh || !run->fresh_round || control->pulse.closed < run->fresh_round) return;
  for (uint32_t arm = 0; arm < run->n_arms; arm++)
    if (run->arms[arm]) round_forget_arm(&control->runs.round, run->arms[arm]->slot);
  round_forget_release(&control->runs.round, run->slot);
  run->fresh = false;
  run->mixed = control->pulse.done < run->fresh_round;
  run->look_us = control->lived_us;
}

static void frozen_look(struct control *control, struct run *run)
{
  bool frozen = freeze_of(control->catalog, run->model, control->wall_ms) != NULL;
  if (frozen == run->now.frozen) return;
  struct rollout_event event = {.when = frozen ? WHEN_FROZEN : WHEN_THAWED, .person = ""};
  run_event(control, run, &event);
}

/* That the candidate is there may have come while a record was on its way, which then could not be
 * followed by another: it is said again. */
static void loaded_look(struct control *control, struct run *run)
{
  if (arms_are_there(run) && !run->now.loaded && !run->out && !rollout_is_final(&run->now))
    run_placed(control, run->arms[ARM_STABLE]);
}

/* A second of one release: what the look says, then what time alone says. */
static void run_pulse(struct control *control, struct run *run)
{
  struct look *look = &control->runs.look;
  struct rollout_event tick = {.when = WHEN_TICK, .person = ""};
  if (run->owed) run_record_owed(control, run, NULL);
  run_measure(control, run);
  way_back_ask(control, run);
  frozen_look(control, run);
  loaded_look(control, run);
  if (run->stepped && !run->fresh && !rollout_is_final(&run->now)) {
    look_fill(control, run, look);
    run->look_us += (int64_t)look->elapsed_ms * 1000;
    run->mixed = run->mixed && control->pulse.done < run->fresh_round;
    journal_look(control, run, look);
    trial_look(&run->trial, look, &run->verdict);
    run->looked = true;
    struct rollout_event event = rollout_event_of(&run->verdict, look->stale);
    run_event(control, run, &event);
  }
  run_event(control, run, &tick);
}

static void stable_pasts_feed(struct control *control)
{
  struct runs *runs = &control->runs;
  stable_pasts_pulse(&runs->pasts);
  for (uint32_t i = 0; i < control->catalog->n_models; i++) {
    const struct catalog_model *model = control->catalog->models[i];
    const struct placed *placed =
        model->serving ? place_find(&control->place, model, model->serving) : NULL;
    const struct arm_tally *arm = placed ? round_arm(&runs->round, placed->slot) : NULL;
    const struct run *run = run_of(runs, model);
    bool split = run && run->now.state != ROLLOUT_COMPLETED;
    if (!arm || !arm->requests) continue;
    stable_past_feed(&control->runs.pasts, model->slot, model->serving, arm,
                split ? rollout_share(&run->now, &run->plan, ARM_STABLE) : PLAN_WHOLE,
                control->lived_us);
  }
}

void runs_pulse(struct control *control)
{
  struct runs *runs = &control->runs;
  struct link *all = &runs->all, *link, *next;
  for (link = all->next; link != all; link = link->next)
    fresh_look(control, LIST_OF(link, struct run, link));
  if (control->stopping || control->now_us - runs->judged_us < control->opts.pulse_us * 3 / 4)
    return;
  runs->judged_us = control->now_us;
  stable_pasts_feed(control);
  for (link = all->next; link != all; link = next) {
    struct run *run = LIST_OF(link, struct run, link);
    next = link->next;
    run_pulse(control, run);
    if (run_is_over(run) && !release_is_on(run->model)) run_end(control, run);
  }
  round_reset(&runs->round);
  journal_flush(control);
}
