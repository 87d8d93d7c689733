/* detector.c - one look at a time.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/detector.h"

#include "base/err.h"

enum { RESTARTS_MIN = 60 }; /* those of 60 minutes */

uint32_t detector_restarts(uint64_t horizon_looks)
{
  uint64_t n = horizon_looks / DETECTOR_LOOKS + (horizon_looks % DETECTOR_LOOKS != 0);
  if (n < RESTARTS_MIN) return RESTARTS_MIN;
  return n < UINT32_MAX / DETECTOR_LOOKS ? (uint32_t)n : UINT32_MAX / DETECTOR_LOOKS;
}

static void episode_begin(struct detector *detector)
{
  for (int i = 0; i < COUNT_GRID; i++) {
    detector->p[i] = 0;
    detector->s[i] = -M_INF;
    detector->run[i] = 0;
  }
  detector->look = 0;
  detector->episodes++;
}

void detector_init(struct detector *detector, uint32_t restarts_max)
{
  must(restarts_max > 0);
  *detector = (struct detector){.restarts_max = restarts_max};
  episode_begin(detector);
}

/* What one look gives to each grid point. A NaN goes through: comparisons with it are false. */
static void increments(const struct detector_limits *limits, const struct count_step *step,
                       uint64_t n_c, uint64_t n_b, double d[COUNT_GRID])
{
  count_logs(step, n_c, n_b, d);
  for (int i = 0; i < COUNT_GRID; i++) {
    if (limits->phi > 1) d[i] /= limits->phi;
    if (limits->cap > 0 && d[i] > limits->cap) d[i] = limits->cap;
  }
}

static void start(struct detector *detector)
{
  for (int i = 0; i < COUNT_GRID; i++) detector->s[i] = m_log_add(detector->s[i], 0);
  detector->x[1] = detector->x[0], detector->n[1] = detector->n[0];
  detector->x[0] = detector->n[0] = 0;
}

void detector_step(struct detector *detector, const struct detector_limits *limits,
                   const struct count_step *step, uint64_t n_c, uint64_t n_b)
{
  double d[COUNT_GRID];
  if (detector->look / DETECTOR_LOOKS >= detector->restarts_max) episode_begin(detector);
  if (detector->look % DETECTOR_LOOKS == 0) start(detector);
  increments(limits, step, n_c, n_b, d);
  for (int i = 0; i < COUNT_GRID; i++) {
    detector->p[i] += d[i];
    detector->s[i] += d[i];
    if (!(detector->run[i] > 0)) {
      detector->run[i] = 0;
      detector->run_look[i] = detector->looks;
      detector->run_at[i] = detector->at;
    }
    detector->run[i] += d[i];
  }
  detector->x[0] += n_c;
  detector->n[0] += detector->asked;
  detector->look++;
  detector->looks++;
}

double detector_log_plain(const struct detector *detector)
{
  return m_log_mean(detector->p, COUNT_GRID);
}

double detector_log_restarted(const struct detector *detector)
{
  return m_log_mean(detector->s, COUNT_GRID) - m_ln(detector->restarts_max);
}

double detector_log_e(const struct detector *detector)
{
  double both[2] = {detector_log_plain(detector), detector_log_restarted(detector)};
  return m_log_mean(both, 2);
}

uint64_t detector_first_bad(const struct detector *detector, uint64_t *at)
{
  int worst = 0;
  for (int i = 1; i < COUNT_GRID; i++)
    if (detector->run[i] > detector->run[worst]) worst = i;
  if (at) *at = detector->run_at[worst];
  return detector->run_look[worst];
}

double detector_share(const struct detector *detector)
{
  uint64_t n = detector->n[0] + detector->n[1];
  return n ? (double)(detector->x[0] + detector->x[1]) / (double)n : M_NAN;
}

void detector_pass_step(struct detector_pass *pass, const struct detector_limits *limits,
                        const struct count_step *step, uint64_t n_c, uint64_t n_b)
{
  double d[COUNT_GRID];
  increments(limits, step, n_c, n_b, d);
  for (int i = 0; i < COUNT_GRID; i++) pass->p[i] += d[i];
}

double detector_pass_log_e(const struct detector_pass *pass)
{
  return m_log_mean(pass->p, COUNT_GRID);
}
