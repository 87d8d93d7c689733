/* crowd.c - counts drawn from a model, and latencies given counts.
 * Thread: own; one per crowd.
 * SPDX-License-Identifier: MIT */
#include "sim/crowd.h"

#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "sim/tape.h"

enum { CROWD_CPU_US = 5000, CROWD_BINS = 10, CROWD_BIN_S = 10 };
enum { CROWD_ROWS_S = 16, CROWD_REFERENCE = 1024 }; /* requests sampled: a second, before a step */
#define CROWD_STEADY_BYTES (UINT64_C(500) << 20)
/* Buckets are drawn one by one while this many requests are expected at or beyond them. */
#define CROWD_TAIL 1e-3

/* By names, so that neither an order here nor the numbers of arms mean anything. */
static uint64_t chance_name(uint32_t arm, enum crowd_chance of)
{
  static const char *const names[] = {"past",      "mood",     "errors", "counts",
                                      "latencies", "answers",  "inputs", "cpu",
                                      "memory",    "outcomes", "pairs",  "tape"};
  static const unsigned char key[16] = "slipway simulate";
  char text[48];
  int len = snprintf(text, sizeof text, "%s/%s", arm_name(arm), names[of]);
  return siphash(key, slice_of(text, (size_t)len));
}

void crowd_init(struct crowd *crowd, const struct model *model, double rps, uint64_t seed,
                uint64_t run)
{
  must(rps > 0 && rps <= 1e6);
  *crowd =
      (struct crowd){.model = model, .rps = rps, .second = -CROWD_HISTORY_S, .n_arms = CROWD_ARMS};
  for (uint32_t arm = 0; arm < ARMS_MAX; arm++)
    for (int of = 0; of < CHANCES; of++)
      draw_seed(&crowd->rand[arm][of], seed ^ chance_name(arm, (enum crowd_chance)of), run);
  crowd_cut(crowd, &crowd->slow);
}

void crowd_play(struct crowd *crowd, const struct tape *tape) { crowd->tape = tape; }

/* ---- bursts and load ---- */

static enum model_mood arm_mood(struct crowd *crowd, uint32_t which)
{
  struct crowd_arm *arm = &crowd->arms[which];
  struct rand *rand = &crowd->rand[which][CHANCE_MOOD];
  const struct burst *burst = &BURST[crowd->model->scenario.burst];
  if (!burst->seconds) return MOOD_CALM;
  if (!arm->burst_left && rand_unit(rand) < burst->start) arm->burst_left = burst->seconds;
  if (!arm->burst_left) return MOOD_CALM;
  arm->burst_left--;
  return MOOD_BURST;
}

static double rate_now(const struct crowd *crowd)
{
  if (!crowd->model->scenario.drift) return crowd->rps;
  return crowd->rps * (1 + 0.8 * sin((double)crowd->second / 300));
}

/* ---- latencies ---- */

/* Puts n requests into buckets lo .. hi - 1 by their probabilities. */
static void spread(struct rand *rand, const double *above, uint32_t lo, uint32_t hi, uint64_t n,
                   struct sketch *into)
{
  into->count += n;
  if (n > hi - lo) {
    for (uint32_t i = lo; n && i < hi; i++) {
      double rest = above[i] - above[hi], here = above[i] - above[i + 1];
      uint64_t k = i + 1 == hi ? n : draw_binomial(rand, n, rest > 0 ? here / rest : 1);
      into->at[i] += k;
      n -= k;
    }
    return;
  }
  for (; n; n--) { /* the last bucket whose first value is survived with at least u */
    double u = above[hi] + (1 - rand_unit(rand)) * (above[lo] - above[hi]);
    uint32_t a = lo, b = hi;
    while (b - a > 1) {
      uint32_t mid = a + (b - a) / 2;
      if (above[mid] >= u)
        a = mid;
      else
        b = mid;
    }
    into->at[a]++;
  }
}

/* Stable's successes of calm and bursting seconds together: mean[mood] requests expected. */
static void block_draw(struct crowd *crowd, const double mean[MOODS], struct sketch *into)
{
  const double *calm = crowd->model->above[WHO_STABLE][MOOD_CALM];
  const double *burst = crowd->model->above[WHO_STABLE][MOOD_BURST];
  double all = mean[MOOD_CALM] + mean[MOOD_BURST];
  struct rand *rand = &crowd->rand[ARM_STABLE][CHANCE_PAST];
  for (uint32_t i = 0; i < SKETCH_BUCKETS && all > 0; i++) {
    double here =
        mean[MOOD_CALM] * (calm[i] - calm[i + 1]) + mean[MOOD_BURST] * (burst[i] - burst[i + 1]);
    uint64_t k = here > 0 ? draw_poisson(rand, here) : 0;
    into->at[i] += k;
    into->count += k;
    double rest = mean[MOOD_CALM] * calm[i + 1] + mean[MOOD_BURST] * burst[i + 1];
    if (rest >= CROWD_TAIL) continue;
    for (int mood = 0; mood < MOODS; mood++) {
      const double *above = crowd->model->above[WHO_STABLE][mood];
      uint64_t beyond = draw_poisson(rand, mean[mood] * above[i + 1]);
      spread(rand, above, i + 1, SKETCH_BUCKETS, beyond, into);
    }
    return;
  }
}

void crowd_history(struct crowd *crowd, struct past *past)
{
  const struct model *model = crowd->model;
  struct sketch sketch;
  if (crowd->tape) {
    tape_history(crowd, past);
    return;
  }
  while (crowd->second < 0) {
    double mean[MOODS] = {0}, failing = 0;
    for (int i = 0; i < PAST_BLOCK_MS / 1000; i++, crowd->second++) {
      enum model_mood mood = arm_mood(crowd, ARM_STABLE);
      double rate = rate_now(crowd), error = model->error[WHO_STABLE][mood];
      mean[mood] += rate * (1 - error);
      failing += rate * error;
    }
    memset(&sketch, 0, sizeof sketch);
    block_draw(crowd, mean, &sketch);
    uint64_t errors = draw_poisson(&crowd->rand[ARM_STABLE][CHANCE_PAST], failing);
    past_add(past, &sketch, sketch.count + errors, errors, 0, PLAN_WHOLE, PAST_BLOCK_MS);
  }
  if (model->scenario.shared)
    crowd->arms[ARM_CANDIDATE].burst_left = crowd->arms[ARM_STABLE].burst_left;
}

void crowd_cut(struct crowd *crowd, const struct slow *slow)
{
  crowd->slow = *slow;
  for (int arm = 0; arm < ARMS_MAX; arm++)
    memset(crowd->arms[arm].pending, 0, sizeof crowd->arms[arm].pending);
  crowd->cut[0] = 0;
  for (int j = 0; j < SLOW_ROWS; j++) { /* an unused row is a class without a bucket */
    uint32_t cut = !slow->used[j]              ? crowd->cut[j]
                   : slow->us[j] == UINT64_MAX ? SKETCH_BUCKETS
                                               : sketch_bucket(slow->us[j]);
    must(cut >= crowd->cut[j]);
    crowd->cut[j + 1] = cut;
  }
  crowd->cut[CROWD_CLASSES] = SKETCH_BUCKETS;
}

/* ---- seconds ---- */

void crowd_second(struct crowd *crowd, const double *part, struct crowd_seen *seen)
{
  if (crowd->tape) {
    tape_play(crowd, part, seen);
    return;
  }
  const struct model *model = crowd->model;
  bool changed = crowd->second >= (int64_t)model->scenario.onset_s;
  double rate = rate_now(crowd);
  enum model_mood mood[ARMS_MAX];
  mood[ARM_STABLE] = arm_mood(crowd, ARM_STABLE);
  mood[ARM_CANDIDATE] = model->scenario.shared ? mood[ARM_STABLE] : arm_mood(crowd, ARM_CANDIDATE);
  for (uint32_t arm = ARM_MORE; arm < crowd->n_arms; arm++)
    mood[arm] = model->scenario.shared ? mood[ARM_STABLE] : arm_mood(crowd, arm);
  for (uint32_t arm = 0; arm < crowd->n_arms; arm++) {
    enum model_who who = arm == ARM_CANDIDATE && changed ? WHO_CHANGED : WHO_STABLE;
    const double *above = model->above[who][mood[arm]];
    double mean = rate * part[arm];
    double error = model->error[who][mood[arm]];
    struct crowd_seen *to = &seen[arm];
    struct rand *rand = crowd->rand[arm];
    *to = (struct crowd_seen){.errors = draw_poisson(&rand[CHANCE_ERRORS], mean * error)};
    for (uint32_t k = CROWD_CLASSES; k-- > 0;) {
      double p = above[crowd->cut[k]] - above[crowd->cut[k + 1]];
      uint64_t n = p > 0 ? draw_poisson(&rand[CHANCE_COUNTS], mean * (1 - error) * p) : 0;
      crowd->arms[arm].pending[who][mood[arm]][k] += n;
      to->timed += n;
      if (k > 0 && crowd->slow.used[k - 1]) to->slow[k - 1] = to->timed;
    }
    to->requests = to->timed + to->errors;
  }
  crowd->second++;
}

void crowd_drain(struct crowd *crowd, uint32_t arm, struct sketch *into)
{
  if (crowd->tape) {
    sketch_merge(into, &crowd->taped[arm]);
    memset(&crowd->taped[arm], 0, sizeof crowd->taped[arm]);
    return;
  }
  for (int who = 0; who < WHOS; who++)
    for (int mood = 0; mood < MOODS; mood++)
      for (uint32_t k = 0; k < CROWD_CLASSES; k++) {
        uint64_t *pending = &crowd->arms[arm].pending[who][mood][k];
        if (*pending)
          spread(&crowd->rand[arm][CHANCE_LATENCIES], crowd->model->above[who][mood], crowd->cut[k],
                 crowd->cut[k + 1], *pending, into);
        *pending = 0;
      }
}

static void deciles(struct rand *rand, uint64_t n, uint64_t *bins)
{
  for (uint32_t i = 0; i < CROWD_BINS; i++) {
    bins[i] = draw_binomial(rand, n, 1.0 / (CROWD_BINS - i));
    n -= bins[i];
  }
}

/* Values are uniform in [0, 1), so that a bin's chance is its width. */
void crowd_reference(struct crowd *crowd, struct baseline *baseline)
{
  struct rand *rand = &crowd->rand[ARM_STABLE][CHANCE_INPUTS];
  float values[CROWD_REFERENCE], scratch[CROWD_REFERENCE];
  crowd->rows = 0;
  baseline->n_features = DRIFT_FEATURES;
  for (uint32_t f = 0; f < DRIFT_FEATURES; f++) {
    struct drift_bins *bins = &baseline->features[f].bins;
    double below = 0;
    for (int i = 0; i < CROWD_REFERENCE; i++) values[i] = (float)rand_unit(rand);
    drift_freeze(bins, values, scratch, CROWD_REFERENCE);
    for (uint32_t j = 0; j < DRIFT_BINS; j++) {
      double edge = j < bins->n_edges ? (double)bins->edges[j] : 1;
      crowd->chance[f][j] = j <= bins->n_edges ? edge - below : 0;
      below = edge;
    }
  }
}

static void bins_draw(struct rand *rand, const double *chance, uint64_t n, uint64_t *bins)
{
  double left = 1;
  for (uint32_t j = 0; j < DRIFT_BINS && n; j++) {
    double part = left > 0 ? chance[j] / left : 1;
    bins[j] = draw_binomial(rand, n, part < 1 ? part : 1);
    left -= chance[j];
    n -= bins[j];
  }
}

void crowd_inputs(struct crowd *crowd, struct look *look)
{
  uint64_t least = CROWD_ROWS_S;
  for (uint32_t arm = 0; arm < look->n_arms; arm++)
    if (look->weights[arm] && look->arms[arm].requests < least) least = look->arms[arm].requests;
  crowd->rows += least;
  if ((look->number + 1) % LOOK_FEATURES_EVERY) return;
  for (uint32_t arm = 0; arm < look->n_arms; arm++)
    for (uint32_t f = 0; f < DRIFT_FEATURES && look->weights[arm]; f++)
      bins_draw(&crowd->rand[arm][CHANCE_INPUTS], crowd->chance[f], crowd->rows,
                look->arms[arm].features[f]);
  crowd->rows = 0;
}

void crowd_fill(struct crowd *crowd, uint32_t which, const struct crowd_seen *seen,
                struct look_arm *arm)
{
  struct rand *rand = crowd->rand[which];
  struct crowd_arm *own = &crowd->arms[which];
  arm->requests = seen->requests;
  arm->errors = seen->errors;
  arm->timed = seen->timed;
  memcpy(arm->slow, seen->slow, sizeof arm->slow);
  arm->units = seen->requests;
  own->answers += seen->timed;
  if (++own->unbinned_s == CROWD_BIN_S) {
    deciles(&rand[CHANCE_ANSWERS], own->answers, arm->bins);
    own->answers = own->unbinned_s = 0;
  }
  /* Times of single answers are exponential; their sum is near enough to normal. */
  double n = (double)seen->requests;
  double cpu = CROWD_CPU_US * (n + sqrt(n) * draw_normal(&rand[CHANCE_CPU]));
  arm->costed = seen->requests - seen->errors;
  arm->cpu_us = cpu > 0 && arm->costed ? (uint64_t)cpu : 0;
  arm->steady_bytes = CROWD_STEADY_BYTES + (rand_u64(&rand[CHANCE_MEMORY]) >> 44);
  arm->peak_bytes = arm->steady_bytes + (UINT64_C(8) << 20);
}

void crowd_outcomes(struct crowd *crowd, uint32_t which, struct look_arm *arm)
{
  bool changed = crowd->second > (int64_t)crowd->model->scenario.onset_s;
  enum model_who who = which == ARM_CANDIDATE && changed ? WHO_CHANGED : WHO_STABLE;
  uint64_t k =
      draw_binomial(&crowd->rand[which][CHANCE_OUTCOMES], arm->units, crowd->model->outcome[who]);
  arm->metric.n = arm->units;
  arm->metric.y = (int64_t)k << MEAN_PARTS_BITS;
  arm->metric.yy = (mean_wide)k << 2 * MEAN_PARTS_BITS;
}
