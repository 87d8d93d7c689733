/* judge_add.c - a look into a trial: counts into totals, detectors, blocks, windows. In a fixed
 * order: arms by number, rows by quantile with errors last, segments by place.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"
#include "stat/ratio.h"
#include "stat/shift.h"

enum { SHIFT_EVERY = 10, RECENT_LOOKS = 10 };
#define DAY_MS           86400000.0
#define PEAKS_COMPARABLE 1.1 /* candidate's requests over stable's: halves differ by chance */

/* The candidate's part of what both had: as drawn, where requests were drawn one by one with these
 * weights; else as counted. */
static double share_of(const struct trial *trial, bool uneven, const uint32_t *weights,
                       const struct look_arm *arms, uint32_t arm)
{
  double own = weights[arm], stable = weights[ARM_STABLE];
  if (trial->plan.sticky_by.kind != BY_REQUEST || uneven)
    return count_share(arms[arm].requests, arms[ARM_STABLE].requests);
  return own > 0 && stable > 0 ? own / (own + stable) : 0;
}

double trial_share(const struct trial *trial, const struct look *look, uint32_t arm)
{
  const struct look_arm *c = &look->arms[arm], *b = &look->arms[ARM_STABLE];
  if (trial_in_shadow(trial)) return c->requests && b->requests ? 0.5 : 0;
  return share_of(trial, look->uneven, look->weights, look->arms, arm);
}

uint64_t arm_bad(const struct trial *trial, const struct look_arm *arm)
{
  uint64_t slow = trial->baseline.slow.used[SLOW_P99] ? arm->slow[SLOW_P99] - arm->timeouts : 0;
  return arm->errors + (slow <= arm->timed ? slow : 0);
}

/* --- detectors and blocks --------------------------------------------------------------------- */

/* The three likelihoods of one gate in this look. */
struct steps {
  struct count_step harm, fast, pass;
  uint64_t from_ms; /* when the look began, into the release */
  uint64_t asked;   /* of the candidate: what could be an event */
};

static void steps_set(const struct trial *trial, enum gate_id gate, double s, struct steps *steps)
{
  double m = gate_margin(trial, gate);
  count_step_set(&steps->harm, COUNT_HARM, s, m);
  count_step_set(&steps->fast, COUNT_HARM, s, m > TRIAL_FAST_MARGIN ? m : TRIAL_FAST_MARGIN);
  count_step_set(&steps->pass, COUNT_PASS, s, m);
}

static void row_step(struct trial *trial, uint32_t arm, uint32_t row, const struct steps *steps,
                     uint64_t x_c, uint64_t x_b)
{
  static const struct detector_limits fast = {1, TRIAL_FAST_CAP};
  struct trial_arm *at = &trial->arms[arm];
  const struct detector_limits *limits = &trial->limits[arm][row];
  at->ordinary[row].at = at->fast[row].at = steps->from_ms;
  at->ordinary[row].asked = at->fast[row].asked = steps->asked;
  detector_step(&at->ordinary[row], limits, &steps->harm, x_c, x_b);
  detector_step(&at->fast[row], &fast, &steps->fast, x_c, x_b);
  detector_pass_step(&at->pass[row], limits, &steps->pass, x_c, x_b);
}

static bool is_warming(const struct trial *trial, const struct look *look)
{
  return look->loaded_ms < trial->plan.warm_up_ms;
}

static void detectors_step(struct trial *trial, const struct look *look, uint32_t arm)
{
  const struct look_arm *c = &look->arms[arm], *b = &look->arms[ARM_STABLE];
  struct steps steps = {.from_ms = trial->release_ms - look->elapsed_ms};
  double s = trial_share(trial, look, arm);
  steps_set(trial, GATE_ERRORS, s, &steps);
  steps.asked = c->requests;
  row_step(trial, arm, BASELINE_ERRORS, &steps, c->errors, b->errors);
  steps_set(trial, GATE_LATENCY, is_warming(trial, look) ? 0 : s, &steps);
  steps.asked = c->timed;
  for (uint32_t row = 0; row < SLOW_ROWS; row++) {
    bool used = trial->baseline.slow.used[row];
    row_step(trial, arm, row, &steps, used ? c->slow[row] : 0, used ? b->slow[row] : 0);
  }
}

static void block_add(struct trial *trial, uint32_t arm, uint32_t row,
                      const struct block_sums *sums)
{
  struct trial_arm *at = &trial->arms[arm];
  struct block_sums *pending = &at->pending[row];
  pending->x_c += sums->x_c;
  pending->n_c += sums->n_c;
  pending->x_b += sums->x_b;
  pending->n_b += sums->n_b;
  if ((trial->step_looks + 1) % trial->block_every) return;
  bool closed = block_look(&at->blocks[row], pending);
  *pending = (struct block_sums){0};
  if (!closed) return;
  enum gate_id gate = row == TRIAL_ROW_COST    ? GATE_COST
                      : row == BASELINE_ERRORS ? GATE_ERRORS
                                               : GATE_LATENCY;
  uint32_t used = 0;
  for (uint32_t i = 0; i < SLOW_ROWS; i++) used += trial->row_used[i];
  double alpha = gate_alpha(trial, gate, row == TRIAL_ROW_COST ? 1 : 2, true);
  if (gate == GATE_LATENCY && used) alpha /= used;
  at->bounds[row] = block_judge(&at->blocks[row], alpha, TRIAL_PASS_ALPHA);
}

bool cost_is_alike(const struct trial *trial, const uint32_t *weights, uint32_t copied,
                   uint32_t arm)
{
  uint64_t c = weights[arm], b = weights[ARM_STABLE];
  if (trial_in_shadow(trial)) c = copied, b = PLAN_WHOLE;
  return c * TRIAL_COST_APART >= b && b * TRIAL_COST_APART >= c;
}

static void blocks_step(struct trial *trial, const struct look *look, uint32_t arm)
{
  const struct look_arm *c = &look->arms[arm], *b = &look->arms[ARM_STABLE];
  bool warming = is_warming(trial, look);
  for (uint32_t row = 0; row < SLOW_ROWS; row++) {
    struct block_sums sums = {c->slow[row], c->timed, b->slow[row], b->timed};
    if (warming || !trial->baseline.slow.used[row]) sums = (struct block_sums){0};
    block_add(trial, arm, row, &sums);
  }
  block_add(trial, arm, BASELINE_ERRORS,
            &(struct block_sums){c->errors, c->requests, b->errors, b->requests});
  struct block_sums cost = {c->cpu_us, c->costed, b->cpu_us, b->costed};
  if (!cost_is_alike(trial, look->weights, look->copied, arm)) cost = (struct block_sums){0};
  block_add(trial, arm, TRIAL_ROW_COST, &cost);
}

/* --- the rest --------------------------------------------------------------------------------- */

/* Units of uneven looks were not drawn with the weights, so they are no evidence about the draw. */
static void ratio_count(struct trial *trial, const struct look *look)
{
  if (memcmp(trial->last_weights, look->weights, sizeof look->weights) != 0) {
    memcpy(trial->last_weights, look->weights, sizeof look->weights);
    memset(trial->ratio_units, 0, sizeof trial->ratio_units);
  }
  trial->last_copied = look->copied;
  for (uint32_t arm = 0; arm < trial->n_arms && !look->uneven; arm++)
    trial->ratio_units[arm] += look->arms[arm].units;
}

/* One candidate in one segment, against stable there. */
static void segment_step(struct trial *trial, const struct look *look, uint32_t i, uint32_t arm,
                         const struct count_step *shared)
{
  struct trial_segment *segment = &trial->segments[i];
  const struct look_segment *seen = &look->segments[i];
  const struct detector_limits *limits = trial->limits[arm];
  struct detector_pass *rows = segment->rows[arm];
  struct count_step own;
  if (!seen->requests[arm] && !seen->requests[ARM_STABLE]) return;
  if (trial->plan.sticky_by.kind != BY_REQUEST || look->uneven) {
    count_step_set(&own, COUNT_HARM, count_share(seen->requests[arm], seen->requests[ARM_STABLE]),
                   gate_margin(trial, GATE_SEGMENTS));
    shared = &own;
  }
  detector_pass_step(&rows[SEGMENT_ERRORS], &limits[BASELINE_ERRORS], shared, seen->errors[arm],
                     seen->errors[ARM_STABLE]);
  if (trial->baseline.slow.used[SLOW_P99] && !is_warming(trial, look))
    detector_pass_step(&rows[SEGMENT_SLOW], &limits[SLOW_P99], shared, seen->slow[arm],
                       seen->slow[ARM_STABLE]);
  double both[SEGMENT_ROWS] = {detector_pass_log_e(&rows[SEGMENT_ERRORS]),
                               detector_pass_log_e(&rows[SEGMENT_SLOW])};
  double slow = (double)(segment->slow[arm] + seen->slow[arm]) /
                (double)(segment->requests[arm] + seen->requests[arm]);
  if (both[SEGMENT_SLOW] > 0 && within_slack(trial, SLOW_P99, slow)) both[SEGMENT_SLOW] = 0;
  segment->log_e[arm] = m_log_mean(both, SEGMENT_ROWS);
}

static void segments_count(struct trial *trial, const struct look *look)
{
  struct count_step shared;
  if (!look->n_segments || !plan_gate_acts(&trial->plan, GATE_SEGMENTS, STEP_CANARY)) return;
  if (look->n_segments > trial->n_segments) trial->n_segments = look->n_segments;
  for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1)) {
    count_step_set(&shared, COUNT_HARM, trial_share(trial, look, arm),
                   gate_margin(trial, GATE_SEGMENTS));
    for (uint32_t i = 0; i < look->n_segments; i++) segment_step(trial, look, i, arm, &shared);
  }
  for (uint32_t i = 0; i < look->n_segments; i++)
    for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
      trial->segments[i].requests[arm] += look->segments[i].requests[arm];
      trial->segments[i].errors[arm] += look->segments[i].errors[arm];
      trial->segments[i].slow[arm] += look->segments[i].slow[arm];
    }
}

/* Slopes are medians of all pairs of windows: asked for once a window, not once a look. */
static void memory_judge(struct trial *trial)
{
  const struct slope *b = &trial->slope[ARM_STABLE];
  double requests = 0, ms = (double)(trial->release_ms);
  if (!b->windows) return;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) requests += (double)trial->arm_requests[arm];
  struct slope_spec spec = {
      .max_growth = gate_max(trial, GATE_MEMORY),
      .stable_level = slope_level(b),
      .stable_slope = slope_of(b),
      .kilo_requests_day = ms > 0 ? requests / ms * DAY_MS / 1000 : 0,
  };
  for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1)) {
    double more = (double)trial->arm_requests[arm] / (double)trial->arm_requests[ARM_STABLE];
    spec.stable_peak = more <= PEAKS_COMPARABLE ? b->peak : 0;
    if (trial->slope[arm].windows) trial->memory[arm] = slope_judge(&trial->slope[arm], &spec);
  }
}

/* A minute's median and peak; one with few requests of the arm says nothing. */
static void memory_count(struct trial *trial, const struct look *look)
{
  bool added = false;
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    const struct look_arm *seen = &look->arms[arm];
    struct trial_window *window = &trial->windows[arm];
    trial->arm_requests[arm] += seen->requests;
    window->requests += seen->requests;
    if (seen->steady_bytes) {
      window->steady[window->n % TRIAL_WINDOW_LOOKS] = seen->steady_bytes;
      window->n++;
      if (seen->peak_bytes > window->peak) window->peak = seen->peak_bytes;
    }
    if (++window->looks < TRIAL_WINDOW_LOOKS) continue;
    double steady[TRIAL_WINDOW_LOOKS];
    uint32_t n = window->n < TRIAL_WINDOW_LOOKS ? window->n : TRIAL_WINDOW_LOOKS;
    for (uint32_t i = 0; i < n; i++) steady[i] = (double)window->steady[i];
    if (n && window->requests >= SLOPE_REQUESTS_MIN) {
      slope_add(&trial->slope[arm], (double)trial->arm_requests[arm] / 1000, m_median(steady, n),
                (double)window->peak);
      added = true;
    }
    *window = (struct trial_window){0};
  }
  if (added) memory_judge(trial);
}

/* Up to the last bin that anything fell into. */
static size_t bins_used(const uint64_t *c, const uint64_t *b)
{
  size_t n = LOOK_BINS_MAX;
  while (n && !c[n - 1] && !b[n - 1]) n--;
  return n;
}

static void shift_count_all(struct trial *trial)
{
  const struct look_arm *b = &trial->totals[ARM_STABLE];
  if (trial_in_shadow(trial) || (trial->step_looks + 1) % SHIFT_EVERY) return;
  for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1)) {
    const struct look_arm *c = &trial->totals[arm];
    double s = share_of(trial, trial->step_uneven, trial->last_weights, trial->totals, arm);
    if (!(s > 0)) continue;
    size_t bins = bins_used(c->bins, b->bins);
    trial->shift_log_e[arm] = shift_log_e(c->bins, b->bins, bins, s);
    trial->shift_psi[arm] = shift_psi(c->bins, b->bins, bins);
  }
}

/* Arms have as many requests each, so s is a half; one without any says nothing. */
static void inputs_compare(struct trial *trial, uint32_t feature)
{
  const struct drift_bins *bins = &trial->baseline.features[feature].bins;
  const uint64_t *b = trial->totals[ARM_STABLE].features[feature];
  uint64_t all[DRIFT_BINS] = {0}, stable = 0, rows = 0;
  size_t n = drift_used(bins);
  for (uint32_t arm = 0; arm < trial->n_arms; arm++)
    for (size_t j = 0; j < n; j++) all[j] += trial->totals[arm].features[feature][j];
  for (size_t j = 0; j < n; j++) stable += b[j], rows += all[j];
  if (!rows) return;
  trial->inputs_log_e[ARM_STABLE][feature] = drift_log_e(bins, all);
  trial->inputs_psi[ARM_STABLE][feature] = drift_psi(bins, all);
  for (uint32_t arm = gate_arm(trial, 0); stable && arm < trial->n_arms;
       arm = gate_arm(trial, arm + 1)) {
    const uint64_t *c = trial->totals[arm].features[feature];
    trial->inputs_log_e[arm][feature] = shift_log_e(c, b, n, 0.5);
    trial->inputs_psi[arm][feature] = shift_psi(c, b, n);
  }
}

static void inputs_count(struct trial *trial)
{
  uint32_t feature = (uint32_t)(trial->step_looks % LOOK_FEATURES_EVERY);
  if (feature >= trial->baseline.n_features || trial_in_shadow(trial)) return;
  if (trial->baseline.features[feature].bins.n_edges) inputs_compare(trial, feature);
}
_Static_assert((int)DRIFT_FEATURES <= (int)LOOK_FEATURES_EVERY, "each feature has its look");

/* Stable's rate is that of the ten minutes up to and with this look; without any answer of stable
 * nothing is excused. Once the candidate has everything there is nothing to spend against. */
static void budget_count(struct trial *trial, const struct look *look)
{
  uint64_t requests = 0, bad = 0;
  if (trial->plan.steps[trial->step].kind != STEP_CANARY || !look->weights[ARM_STABLE]) return;
  for (int i = 0; i <= PAST_RECENT; i++) {
    requests += trial->recent_requests[i];
    bad += trial->recent_bad[i];
  }
  double rate = requests ? (double)bad / (double)requests : 0;
  const struct look_arm *c = &look->arms[ARM_CANDIDATE];
  trial->harmed += (double)arm_bad(trial, c) - 1.25 * (double)c->requests * rate;
}

void trial_recent(struct trial *trial, const struct look *look)
{
  const struct look_arm *b = &look->arms[ARM_STABLE];
  trial->recent_requests[trial->recent_at] += b->requests;
  trial->recent_bad[trial->recent_at] += arm_bad(trial, b);
  if (++trial->recent_looks < RECENT_LOOKS) return;
  trial->recent_looks = 0;
  trial->recent_at = (trial->recent_at + 1) % (PAST_RECENT + 1);
  trial->recent_requests[trial->recent_at] = trial->recent_bad[trial->recent_at] = 0;
}

static void counts_keep(struct trial *trial, const struct look *look)
{
  struct trial_counts *at = &trial->last[trial->looks_counted % TRIAL_LOOKS];
  *at = (struct trial_counts){.look = look->number, .weight = look->weights[ARM_CANDIDATE]};
  for (int arm = 0; arm < 2; arm++) {
    at->requests[arm] = look->arms[arm].requests;
    at->timed[arm] = look->arms[arm].timed;
    at->errors[arm] = look->arms[arm].errors;
    for (int row = 0; row < SLOW_ROWS; row++) at->slow[row][arm] = look->arms[arm].slow[row];
  }
}

void trial_count(struct trial *trial, const struct look *look)
{
  trial->step_uneven = trial->step_uneven || look->uneven;
  ratio_count(trial, look);
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    look_arm_add(&trial->totals[arm], &look->arms[arm]);
    mean_merge(&trial->metric[arm], &look->arms[arm].metric);
    calibration_merge(&trial->calibration[arm], &look->calibration[arm]);
  }
  for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1)) {
    detectors_step(trial, look, arm);
    blocks_step(trial, look, arm);
  }
  segments_count(trial, look);
  memory_count(trial, look);
  agree_merge(&trial->agree, &look->agree);
  trial->copies_failed += look->copies_failed;
  shift_count_all(trial);
  inputs_count(trial);
  budget_count(trial, look);
  counts_keep(trial, look);
  trial->looks_counted++;
  trial->step_looks++;
  trial->step_ms += look->elapsed_ms;
}
