/* judge_rig.h - traffic for tests of the judge: looks drawn from rates, histories of quiet hours.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_RIG_H
#define JUDGE_RIG_H

#include "base/rand.h"
#include "judge/judge.h"

/* What one arm does: requests a second, chance of an error, chance of being slow by row. */
struct rig_arm {
  double rps, errors, slow[SLOW_ROWS];
};

/* Knuth's way for small means, a normal approximation for large ones: good enough for a test. */
static inline uint64_t rig_poisson(struct rand *rand, double mean)
{
  if (mean <= 0) return 0;
  if (mean < 30) {
    double limit = exp(-mean), p = 1;
    uint64_t n = 0;
    for (p *= rand_unit(rand); p > limit; p *= rand_unit(rand)) n++;
    return n;
  }
  double u = rand_unit(rand), v = rand_unit(rand);
  double z = sqrt(-2 * log(u > 1e-12 ? u : 1e-12)) * cos(6.283185307179586 * v);
  double x = mean + sqrt(mean) * z + 0.5;
  return x > 0 ? (uint64_t)x : 0;
}

static inline uint64_t rig_binomial(struct rand *rand, uint64_t n, double p)
{
  if (p >= 1) return n;
  uint64_t x = (double)n * p < 20 || n < 60 ? 0 : rig_poisson(rand, (double)n * p);
  if ((double)n * p < 20 || n < 60)
    for (uint64_t i = 0; i < n; i++) x += rand_unit(rand) < p;
  return x < n ? x : n;
}

static inline void rig_fill(struct rand *rand, const struct rig_arm *rig, struct look_arm *arm)
{
  arm->requests = rig_poisson(rand, rig->rps);
  arm->errors = rig_binomial(rand, arm->requests, rig->errors);
  arm->timed = arm->requests - arm->errors;
  uint64_t left = arm->timed;
  double before = 1;
  for (int row = 0; row < SLOW_ROWS; row++) { /* nested: slow at p99 is slow at p90 */
    double p = before > 0 ? rig->slow[row] / before : 0;
    left = arm->slow[row] = rig_binomial(rand, left, p);
    before = rig->slow[row];
  }
  arm->units = arm->requests;
  arm->costed = arm->timed;
  arm->cpu_us = arm->costed * 1000;
}

static inline void rig_look(struct rand *rand, struct look *look, uint64_t number, double share,
                            const struct rig_arm *c, const struct rig_arm *b)
{
  look_init(look, number, 2);
  look->elapsed_ms = 1000;
  look->loaded_ms = 60000;
  look->weights[ARM_CANDIDATE] = (uint32_t)(share * PLAN_WHOLE + 0.5);
  look->weights[ARM_STABLE] = PLAN_WHOLE - look->weights[ARM_CANDIDATE];
  rig_fill(rand, c, &look->arms[ARM_CANDIDATE]);
  rig_fill(rand, b, &look->arms[ARM_STABLE]);
}

static const struct rig_arm rig_healthy = {1000, 0.001, {0.5, 0.1, 0.01, 0.001}};

static inline struct rig_arm rig_share(struct rig_arm of, double share)
{
  of.rps *= share;
  return of;
}

/* A baseline of a quiet half hour: every row used, phi 1. */
static inline struct baseline rig_baseline(void)
{
  struct baseline baseline;
  baseline_init(&baseline);
  for (int arm = 0; arm < ARMS_MAX; arm++)
    for (int row = 0; row < BASELINE_ROWS; row++) baseline.phi[arm][row] = 1;
  for (int row = 0; row < SLOW_ROWS; row++) {
    baseline.slow.used[row] = true;
    baseline.slow.us[row] = sketch_edge(600 + 60 * (uint32_t)row);
  }
  baseline.slow.rows = SLOW_ROWS;
  baseline.blocks = PAST_BLOCKS;
  baseline.requests = 1800000;
  baseline.n_recent = PAST_RECENT;
  for (int i = 0; i < PAST_RECENT; i++) baseline.recent[i] = (struct baseline_recent){10000, 110};
  return baseline;
}

#endif
