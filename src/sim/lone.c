/* lone.c - single statistics on chance of their own.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "sim/lone.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "stat/agree.h"
#include "stat/assign.h"
#include "stat/detector.h"
#include "stat/ratio.h"

enum { RATIO_EVERY = 1000 };

uint64_t lone_restarted(struct rand *rand, const struct lone_row *row)
{
  struct detector detector;
  struct count_step step;
  const struct detector_limits limits = {.phi = 1};
  double mean_c = row->rps * row->share * row->p0, mean_b = row->rps * (1 - row->share) * row->p0;
  double bar = -m_ln(row->alpha);
  uint32_t end = row->onset_s + row->seconds_max;
  detector_init(&detector, detector_restarts(end));
  count_step_set(&step, COUNT_HARM, row->share, 0);
  for (uint32_t second = 0; second < end; second++) {
    bool changed = second >= row->onset_s;
    uint64_t n_c = draw_poisson(rand, mean_c * (changed ? row->ratio : 1));
    detector_step(&detector, &limits, &step, n_c, draw_poisson(rand, mean_b));
    if (detector_log_restarted(&detector) >= bar) return changed ? second + 1 - row->onset_s : 0;
  }
  return LONE_NEVER;
}

uint64_t lone_ratio(struct rand *rand, double p_true, double p, uint64_t units_max, double alpha)
{
  double bar = -m_ln(alpha);
  uint64_t n_c = 0;
  for (uint64_t n = RATIO_EVERY; n <= units_max; n += RATIO_EVERY) {
    n_c += draw_binomial(rand, RATIO_EVERY, p_true);
    if (ratio_drift(n_c, n, p) >= RATIO_FLOOR && ratio_log_e(n_c, n, p, RATIO_K) >= bar) return n;
  }
  return LONE_NEVER;
}

uint64_t lone_agree(struct rand *rand, double p_true, double limit, uint64_t pairs_max,
                    double alpha)
{
  struct agree agree = {0};
  double bar = -m_ln(alpha);
  for (uint64_t pairs = 0;;) {
    uint64_t alike = draw_geometric(rand, p_true);
    if (alike >= pairs_max - pairs) return LONE_NEVER;
    agree.at[0] += alike;
    agree.at[AGREE_PARTS]++;
    pairs += alike + 1;
    if (agree_log_e(&agree, limit, COUNT_HARM) >= bar) return pairs;
  }
}

struct lone_ramp lone_ramp(uint32_t users, uint32_t steps)
{
  struct lone_ramp ramp = {.finest = 1.0 / ASSIGN_TOTAL};
  uint32_t *hash = grab(sizeof *hash * users);
  bool *in = grab_zero(users, sizeof *in);
  for (uint32_t i = 0; i < users; i++) {
    char key[24];
    int len = snprintf(key, sizeof key, "user-%u", i);
    hash[i] = assign_hash(SLICE("fraud/17"), slice_of(key, (size_t)len));
  }
  for (uint32_t step = 0; step <= steps; step++) {
    uint32_t weight = (uint32_t)((uint64_t)ASSIGN_TOTAL * step / steps);
    uint64_t inside = 0;
    for (uint32_t i = 0; i < users; i++) {
      bool is = assign_is_candidate(hash[i], weight);
      ramp.moved += in[i] && !is;
      in[i] = is;
      inside += is;
    }
    double p = (double)weight / ASSIGN_TOTAL, off = (double)inside - p * users;
    ramp.steps_off += fabs(off) > 4 * sqrt(users * p * (1 - p)) + 0.5;
  }
  ungrab(in);
  ungrab(hash);
  return ramp;
}
