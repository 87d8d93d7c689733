/* look.c - a second of tallies as the judge sees it.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "control/control_int.h"

/* --- units ------------------------------------------------------------------------------------ */

static bool units_put(uint64_t *at, uint32_t cap, uint64_t hash)
{
  uint32_t slot = (uint32_t)(hash ^ hash >> 32) & (cap - 1);
  for (; at[slot]; slot = (slot + 1) & (cap - 1))
    if (at[slot] == hash) return false;
  at[slot] = hash;
  return true;
}

static void units_grow(struct units *units)
{
  uint32_t cap = units->cap ? 2 * units->cap : 1024;
  uint64_t *at = grab_zero(cap, sizeof *at);
  for (uint32_t i = 0; i < units->cap; i++)
    if (units->at[i]) units_put(at, cap, units->at[i]);
  ungrab(units->at);
  units->at = at;
  units->cap = cap;
}

/* Whether this unit is seen for the first time. Past RUN_UNITS_MAX none is: in both arms alike. */
static bool unit_is_new(struct units *units, uint64_t hash)
{
  if (units->n >= RUN_UNITS_MAX) return false;
  if (2 * (units->n + 1) > units->cap) units_grow(units);
  if (!units_put(units->at, units->cap, hash ? hash : 1)) return false;
  units->n++;
  return true;
}

static void units_fill(struct run *run, const struct release_tally *tally, struct look *look)
{
  if (run->plan.sticky_by.kind == BY_REQUEST) {
    for (uint32_t arm = 0; arm < look->n_arms; arm++) look->arms[arm].units = tally->assigned[arm];
    return;
  }
  for (uint32_t i = 0; i < tally->n_units; i++)
    if (tally->unit_arm[i] < look->n_arms && unit_is_new(&run->units, tally->units[i]))
      look->arms[tally->unit_arm[i]].units++;
}

/* --- arms ------------------------------------------------------------------------------------- */

static void samples_keep(struct run *run, const struct arm_tally *tally)
{
  for (uint32_t i = 0; i < tally->n_ids; i++) {
    uint32_t at = run->n_samples % RUN_SAMPLES; /* the newest ones */
    memcpy(run->samples[at], tally->ids[i], tally->id_lens[i]);
    run->sample_lens[at] = tally->id_lens[i];
    run->n_samples++;
  }
}

static void memory_fill(const struct memory_tally *tally, struct look_arm *arm)
{
  arm->steady_bytes = tally->steady_bytes;
  arm->peak_bytes = tally->peak_bytes;
}

static void arm_fill(struct run *run, const struct arm_tally *tally, struct look_arm *arm)
{
  struct sketch sketch;
  arm->requests = tally->requests;
  arm->errors = tally->errors;
  arm->timeouts = tally->timeouts;
  arm->costed = tally->costed;
  arm->cpu_us = tally->cpu_ns / 1000;
  memory_fill(&tally->memory, arm);
  sketch_of_answers(&sketch, &tally->total_us, tally->timeouts);
  look_latency(arm, trial_slow(&run->trial), &sketch);
  for (int i = 0; i < SHIFT_BINS; i++) arm->bins[i] = tally->shift[i];
}

/* A shadow step's arms are pairs: what both answered, or the copy failed on. Time and cost are of
 * repeats, too. */
static void pairs_fill(struct run *run, const struct release_tally *tally, struct look *look)
{
  struct look_arm *candidate = &look->arms[ARM_CANDIDATE], *stable = &look->arms[ARM_STABLE];
  struct sketch sketch = {0};
  candidate->requests = stable->requests = tally->pairs + tally->repeats + tally->shadow_errors;
  candidate->errors = tally->shadow_errors;
  candidate->costed = stable->costed = tally->costed;
  candidate->cpu_us = tally->shadow_cpu_ns / 1000;
  memory_fill(&tally->shadow_memory, candidate);
  stable->cpu_us = tally->stable_cpu_ns / 1000;
  sketch_merge32(&sketch, &tally->shadow_us);
  look_latency(candidate, trial_slow(&run->trial), &sketch);
  sketch = (struct sketch){0};
  sketch_merge32(&sketch, &tally->stable_us);
  look_latency(stable, trial_slow(&run->trial), &sketch);
  for (int i = 0; i < AGREE_COUNTS; i++) look->agree.at[i] = tally->agree[i];
  look->copies_failed = tally->shadow_errors;
  look->copies_shed = tally->shadow_dropped;
}

/* --- requests --------------------------------------------------------------------------------- */

static uint32_t rows_of(const struct arm_tally *seen)
{
  if (!seen) return 0;
  return seen->n_features < FEATURES_KEPT ? seen->n_features : FEATURES_KEPT;
}

/* As many of each arm, so that one hour weighs as much in all of them: an arm's share of the
 * traffic may change, and what is asked with it. */
static void features_add(struct run *run, const struct arm_tally *const *seen, uint32_t n_arms)
{
  const struct baseline *baseline = &run->trial.baseline;
  uint32_t least = UINT32_MAX;
  for (uint32_t arm = 0; arm < n_arms; arm++)
    if (seen[arm] && rows_of(seen[arm]) < least) least = rows_of(seen[arm]);
  for (uint32_t arm = 0; arm < n_arms && least < UINT32_MAX; arm++)
    for (uint32_t i = 0; seen[arm] && i < least; i++) {
      const float *row = seen[arm]->features[i * rows_of(seen[arm]) / least];
      for (uint32_t f = 0; f < baseline->n_features; f++)
        run->features[arm][f][drift_bin(&baseline->features[f].bins, row[f])]++;
    }
}

/* Every tenth look has what the last ten saw. */
static void features_fill(struct run *run, struct look *look)
{
  if ((look->number + 1) % LOOK_FEATURES_EVERY) return;
  for (uint32_t arm = 0; arm < look->n_arms; arm++)
    memcpy(look->arms[arm].features, run->features[arm], sizeof run->features[arm]);
  memset(run->features, 0, sizeof run->features);
}

/* --- segments --------------------------------------------------------------------------------- */

static uint32_t segment_place(struct run *run, const struct segment_tally *tally)
{
  uint32_t at = 0;
  while (at < run->n_segments && run->segment_hash[at] != tally->hash) at++;
  if (at < run->n_segments || at == PLAN_SEGMENTS_MAX) return at;
  run->n_segments++;
  run->segment_hash[at] = tally->hash;
  memcpy(run->segments[at], tally->text, tally->text_len);
  run->segments[at][tally->text_len < SEGMENT_TEXT_MAX ? tally->text_len : SEGMENT_TEXT_MAX - 1] =
      '\0';
  return at;
}

static void segments_fill(struct run *run, const struct release_tally *tally, struct look *look)
{
  for (int i = 0; i < SEGMENTS_MAX && tally->segments[i].hash; i++) {
    const struct segment_tally *from = &tally->segments[i];
    uint32_t at = segment_place(run, from);
    if (at == PLAN_SEGMENTS_MAX) continue;
    for (uint32_t arm = 0; arm < look->n_arms; arm++) {
      look->segments[at].requests[arm] = from->requests[arm];
      look->segments[at].errors[arm] = from->errors[arm];
      look->segments[at].slow[arm] = from->slow[arm];
    }
  }
  look->n_segments = run->n_segments;
}

/* --- sums for people -------------------------------------------------------------------------- */

static void worst_keep(struct run_totals *totals, const struct pair_sample *sample)
{
  uint32_t least = 0;
  if (totals->n_worst < RUN_WORST) {
    totals->worst[totals->n_worst++] = *sample;
    return;
  }
  for (uint32_t i = 1; i < RUN_WORST; i++)
    if (totals->worst[i].apart < totals->worst[least].apart) least = i;
  if (sample->apart > totals->worst[least].apart) totals->worst[least] = *sample;
}

static void totals_add(struct run_totals *totals, const struct release_tally *tally)
{
  totals->pairs += tally->pairs;
  totals->repeats += tally->repeats;
  for (int i = 1; i < AGREE_COUNTS; i++) totals->disagreements += tally->agree[i];
  totals->dropped += tally->shadow_dropped;
  totals->errors += tally->shadow_errors;
  totals->keyless += tally->keyless;
  totals->unjudged += tally->unjudged;
  flips_merge(&totals->flips, &tally->flips);
  for (uint32_t i = 0; i < tally->n_worst; i++) worst_keep(totals, &tally->worst[i]);
}

/* Arms whose breaker is not closed, where stable's is. */
static uint32_t breakers_open(const struct run *run, uint32_t n_arms)
{
  uint32_t open = 0;
  const struct placed *stable = run->arms[ARM_STABLE];
  if (stable && stable->trip.breaker.state != BREAKER_CLOSED) return 0;
  for (uint32_t arm = 0; arm < n_arms; arm++)
    if (arm != ARM_STABLE && run->arms[arm] &&
        run->arms[arm]->trip.breaker.state != BREAKER_CLOSED)
      open |= ARM_BIT(arm);
  return open;
}

void look_fill(struct control *control, struct run *run, struct look *look)
{
  const struct round *round = &control->runs.round;
  const struct release_tally *tally = round_release(round, run->slot);
  look_init(look, run->trial.looks, run->trial.n_arms);
  look->elapsed_ms = (uint64_t)((control->lived_us - run->look_us) / 1000);
  look->loaded_ms = (uint64_t)((control->lived_us - run->loaded_us) / 1000);
  for (uint32_t arm = 0; arm < look->n_arms; arm++) /* what stable does for others is no evidence */
    if (!(run->now.closed & ARM_BIT(arm)))
      look->weights[arm] = rollout_share(&run->now, &run->plan, arm);
  look->copied = rollout_copied(&run->now, &run->plan);
  look->stale = round->missed || control->loops_silent;
  look->uneven = run->mixed;
  outcomes_fill(run, look);
  if (tally) {
    look->killed = tally->killed & (ARM_BIT(look->n_arms) - 1);
    /* the lot's shares are not what came of them */
    look->uneven = look->uneven || tally->unjudged;
    units_fill(run, tally, look);
    segments_fill(run, tally, look);
    totals_add(&run->totals, tally);
  }
  look->killed |= breakers_open(run, look->n_arms);
  if (look->copied) {
    if (tally) pairs_fill(run, tally, look);
    const struct arm_tally *stable = round_arm(round, run->arms[ARM_STABLE]->slot);
    if (stable) memory_fill(&stable->memory, &look->arms[ARM_STABLE]);
    return;
  }
  static const struct arm_tally none;
  const struct arm_tally *weighty[ARMS_MAX] = {NULL};
  for (uint32_t arm = 0; arm < look->n_arms; arm++) {
    const struct placed *placed = run->arms[arm];
    const struct arm_tally *seen = placed ? round_arm(round, placed->slot) : NULL;
    if (look->weights[arm]) weighty[arm] = seen ? seen : &none;
    if (!seen) continue;
    arm_fill(run, seen, &look->arms[arm]);
    if (arm != ARM_STABLE) samples_keep(run, seen);
  }
  features_add(run, weighty, look->n_arms);
  features_fill(run, look);
}
