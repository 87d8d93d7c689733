/* bars_lone.c - single statistics against B5, B8, B9 and B10.
 * Thread: own.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/mem.h"
#include "sim/bars_int.h"
#include "sim/lone.h"
#include "stat/ratio.h"

struct lone_work {
  enum { LONE_ROW, LONE_RATIO, LONE_AGREE } what;
  struct lone_row row;
  double p_true, p;
  uint64_t most;
  double alpha;
  uint64_t seed;
  double *out; /* infinite: never */
};

static void lone_one(void *arg, uint32_t i, void *scratch)
{
  const struct lone_work *work = arg;
  struct rand rand;
  uint64_t got = LONE_NEVER;
  (void)scratch;
  draw_seed(&rand, work->seed, i);
  switch (work->what) {
    case LONE_ROW: got = lone_restarted(&rand, &work->row); break;
    case LONE_RATIO: got = lone_ratio(&rand, work->p_true, work->p, work->most, work->alpha); break;
    case LONE_AGREE: got = lone_agree(&rand, work->p_true, work->p, work->most, work->alpha); break;
  }
  work->out[i] = got == LONE_NEVER ? M_INF : (double)got;
}

/* Runs it; `out` of the result is the caller's to ungrab. */
static double *measure(struct bars *bars, struct lone_work work, uint32_t runs, const char *what)
{
  if (bars->began) bars->began(bars->arg, what);
  work.seed = bars->seed;
  work.out = grab(sizeof *work.out * runs);
  crew_run(&bars->crew, runs, lone_one, &work, 0);
  return work.out;
}

static uint32_t within(const double *out, uint32_t runs, double most)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < runs; i++) n += out[i] <= most;
  return n;
}

/* At least `part` of the runs within `most`. */
static void found(struct bars *bars, const char *id, struct lone_work work, uint32_t runs,
                  double part, double most, const char *what, const char *unit)
{
  char want[BAR_TEXT_MAX], got[BAR_TEXT_MAX];
  double *out = measure(bars, work, runs, what);
  double share = within(out, runs, most) / (double)runs;
  snprintf(want, sizeof want, "within %g %s in %g %% of runs", most, unit, part * 100);
  snprintf(got, sizeof got, "%.1f %% of %u (p50 %g, p90 %g, p99 %g)", share * 100, runs,
           percentile(out, runs, 0.5), percentile(out, runs, 0.9), percentile(out, runs, 0.99));
  bar_tell(bars, id, share >= part ? BAR_HOLDS : BAR_FAILS, what, want, got);
  ungrab(out);
}

static void quiet(struct bars *bars, const char *id, struct lone_work work, uint32_t runs,
                  double part, const char *what)
{
  char want[BAR_TEXT_MAX], got[BAR_TEXT_MAX];
  double *out = measure(bars, work, runs, what);
  uint32_t alarms = within(out, runs, (double)work.most);
  snprintf(want, sizeof want, "at most %g %% of runs", part * 100);
  snprintf(got, sizeof got, "%u of %u", alarms, runs);
  bar_tell(bars, id, alarms <= part * runs ? BAR_HOLDS : BAR_FAILS, what, want, got);
  ungrab(out);
}

void bars_lone_late(struct bars *bars)
{
  struct lone_row row = {.p0 = 0.01,
                         .ratio = 2,
                         .rps = 1000,
                         .share = 0.05,
                         .onset_s = 1800,
                         .seconds_max = 1800,
                         .alpha = 0.005};
  uint32_t runs = bars->quick ? 200 : 1000;
  struct lone_work work = {.what = LONE_ROW, .row = row};
  found(bars, "B5", work, runs, 0.5, 90, "p99 exceedance x2 after 30 min, one row", "s");
  work.row.ratio = 5;
  found(bars, "B5", work, runs, 0.5, 15, "p99 exceedance x5 after 30 min, one row", "s");
}

static void ramp(struct bars *bars)
{
  char got[BAR_TEXT_MAX];
  if (bars->began) bars->began(bars->arg, "ramp of 100,000 users");
  struct lone_ramp ramp = lone_ramp(100000, 1000);
  snprintf(got, sizeof got, "%llu moved, %llu weights off by more than chance, finest step %g",
           (unsigned long long)ramp.moved, (unsigned long long)ramp.steps_off, ramp.finest);
  bool holds = ramp.moved == 0 && ramp.steps_off == 0 && ramp.finest < 1e-6;
  bar_tell(bars, "B10", holds ? BAR_HOLDS : BAR_FAILS,
           "100,000 users, 0 to 100 % by 1/1000: moved out of the candidate", "nobody", got);
  bar_tell(bars, "B10", BAR_ELSEWHERE, "same assignment in all clients", "golden vectors",
           "test/unit/assign_test.c");
}

void bars_lone(struct bars *bars)
{
  bool quick = bars->quick;
  struct lone_work ratio = {
      .what = LONE_RATIO, .p_true = 0.05, .p = 0.05, .most = 1000000, .alpha = 0.001};
  quiet(bars, "B8", ratio, quick ? 500 : 10000, 0.001, "sample ratio as planned, 1 M units");
  ratio.p_true = 0.055;
  found(bars, "B8", ratio, quick ? 2000 : 10000, 0.90, 60000, "sample ratio 5.5 % instead of 5.0 %",
        "units");
  struct lone_work agree = {
      .what = LONE_AGREE, .p_true = 0.04, .p = 0.02, .most = 100000, .alpha = 0.01};
  found(bars, "B9", agree, quick ? 1000 : 10000, 0.95, 2000, "4 % disagree, limit 2 %", "pairs");
  agree.p_true = 0.10;
  found(bars, "B9", agree, quick ? 1000 : 10000, 0.95, 250, "10 % disagree, limit 2 %", "pairs");
  agree.p_true = 0.02;
  quiet(bars, "B9", agree, quick ? 500 : 10000, 0.01, "2 % disagree, limit 2 %, 100,000 pairs");
  ramp(bars);
}
