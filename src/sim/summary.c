/* summary.c - what became of many runs.
 * Thread: own.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sim/run.h"

static const double PARTS[3] = {0.50, 0.90, 0.99};

static int double_order(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

double percentile(double *values, size_t n, double p)
{
  if (n == 0) return M_NAN;
  qsort(values, n, sizeof *values, double_order);
  double rank = ceil(p * (double)n - 1e-9);
  return values[rank < 1 ? 0 : (size_t)rank - 1];
}

/* Seconds from the change to second s; infinite when it never came or came before the change. */
static double delay_of(const struct sim_case *of, uint32_t s)
{
  return s == RUN_NEVER || s <= of->scenario.onset_s ? M_INF : (double)(s - of->scenario.onset_s);
}

static bool is_early(const struct sim_case *of, uint32_t s)
{
  return s != RUN_NEVER && (scenario_is_null(&of->scenario) || s <= of->scenario.onset_s);
}

static void three(double *values, size_t n, double out[3])
{
  for (int i = 0; i < 3; i++) out[i] = percentile(values, n, PARTS[i]);
}

void sim_summarize(const struct sim_case *of, const struct sim_result *results,
                   struct sim_summary *summary)
{
  double *values = grab(sizeof *values * (of->runs ? of->runs : 1));
  *summary = (struct sim_summary){.runs = of->runs};
  for (uint32_t i = 0; i < of->runs; i++) {
    const struct sim_result *result = &results[i];
    bool early = is_early(of, result->harm_s);
    summary->early += early;
    summary->caught += result->harm_s != RUN_NEVER && !early;
    summary->completed += result->state == ROLLOUT_COMPLETED;
    summary->paused += result->paused != 0;
    for (uint32_t arm = 0; arm < ARMS_MAX; arm++) {
      summary->won[arm] += result->winner == arm;
      summary->closed[arm] += result->closed >> arm & 1;
    }
    for (uint32_t gate = 0; gate < GATE_COUNT; gate++)
      summary->paused_by[gate] += (result->paused >> gate) & 1;
    if (result->harm_s != RUN_NEVER) summary->by[result->gate][result->lane]++;
    values[i] = delay_of(of, result->harm_s);
  }
  three(values, of->runs, summary->delay_s);
  for (uint32_t i = 0; i < of->runs; i++) values[i] = (double)results[i].harmed;
  three(values, of->runs, summary->harmed);
  for (int rival = 0; rival < RIVALS; rival++) {
    uint32_t early = 0, said = 0;
    for (uint32_t i = 0; i < of->runs; i++) {
      early += is_early(of, results[i].said[rival]);
      said += results[i].said[rival] != RIVAL_NEVER;
      values[i] = delay_of(of, results[i].said[rival]);
    }
    summary->rival_early[rival] = of->runs ? early / (double)of->runs : 0;
    summary->rival_caught[rival] = of->runs ? (said - early) / (double)of->runs : 0;
    three(values, of->runs, summary->rival_delay_s[rival]);
  }
  ungrab(values);
}
