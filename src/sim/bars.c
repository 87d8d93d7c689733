/* bars.c - whole releases against B1 to B5, B7 and B12.
 * Thread: own.
 * SPDX-License-Identifier: MIT */
#include "sim/bars.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "sim/bars_int.h"

enum { HOUR = 3600, RPS = 1000 };
#define SHARE 0.05

const char *bar_says_name(enum bar_says says)
{
  static const char *const names[] = {"holds", "FAILS", "shown", "elsewhere"};
  return names[says];
}

void bar_tell(struct bars *bars, const char *id, enum bar_says says, const char *what,
              const char *want, const char *got)
{
  struct bar bar = {.says = says};
  snprintf(bar.id, sizeof bar.id, "%s", id);
  snprintf(bar.what, sizeof bar.what, "%s", what);
  snprintf(bar.want, sizeof bar.want, "%s", want);
  snprintf(bar.got, sizeof bar.got, "%s", got);
  bars->failed += says == BAR_FAILS;
  bars->told(bars->arg, &bar);
}

/* ---- releases ---- */

struct trial_of { /* one case, and what came of it */
  struct sim_case of;
  struct sim_summary got;
  struct sim_result *results;
};

static void case_make(struct bars *bars, struct trial_of *it, const char *scenario, double rps,
                      uint32_t runs, uint32_t quick_runs)
{
  sim_case_init(&it->of, slice_str(scenario), rps, SHARE, HOUR, bars->quick ? quick_runs : runs,
                bars->seed);
}

static void case_measure(struct bars *bars, struct trial_of *it)
{
  char what[BAR_TEXT_MAX];
  snprintf(what, sizeof what, "%s, %g rps, %u runs", it->of.scenario.name, it->of.rps, it->of.runs);
  if (bars->began) bars->began(bars->arg, what);
  it->results = grab_zero(it->of.runs, sizeof *it->results);
  sim_case_run(&it->of, &bars->crew, it->results);
  sim_summarize(&it->of, it->results, &it->got);
}

static void case_end(struct trial_of *it)
{
  ungrab(it->results);
  it->results = NULL;
}

/* Most frequent sources of rollbacks, "latency/restarted 5, errors/fast 1". */
static void sources(const struct sim_summary *got, char *to, size_t cap)
{
  size_t len = 0;
  to[0] = '\0';
  for (uint32_t gate = 0; gate < GATE_COUNT; gate++)
    for (uint32_t lane = 0; lane < LANES; lane++)
      if (got->by[gate][lane] && len < cap)
        len += (size_t)snprintf(to + len, cap - len, "%s%s/%s %u", len ? ", " : "",
                                gate_name((enum gate_id)gate), lane_name((enum judge_lane)lane),
                                got->by[gate][lane]);
}

static void false_alarms(struct bars *bars, const char *id, const struct trial_of *it,
                         const char *lanes, double share_max, bool bar)
{
  char what[BAR_TEXT_MAX], want[BAR_TEXT_MAX], got[BAR_TEXT_MAX], by[64];
  double most = share_max * it->of.runs;
  snprintf(what, sizeof what, "%s, %g rps, %s: false rollbacks in 1 h", it->of.scenario.name,
           it->of.rps, lanes);
  snprintf(want, sizeof want, bar ? "at most %.1f %%" : "no bar", share_max * 100);
  sources(&it->got, by, sizeof by);
  snprintf(got, sizeof got, "%u of %u%s%s%s", it->got.early, it->of.runs, by[0] ? " (" : "", by,
           by[0] ? ")" : "");
  bool holds = it->got.early <= floor(most + 1e-9);
  bar_tell(bars, id, !bar ? BAR_SHOWN : holds ? BAR_HOLDS : BAR_FAILS, what, want, got);
}

static void delay(struct bars *bars, const char *id, const struct trial_of *it, int part,
                  double most)
{
  static const char *const parts[] = {"p50", "p90", "p99"};
  char what[BAR_TEXT_MAX], want[BAR_TEXT_MAX], got[BAR_TEXT_MAX];
  snprintf(what, sizeof what, "%s, 5%% of %g rps: delay %s", it->of.scenario.name, it->of.rps,
           parts[part]);
  snprintf(want, sizeof want, "at most %g s", most);
  snprintf(got, sizeof got, "%g s (%g / %g / %g, %u runs)", it->got.delay_s[part],
           it->got.delay_s[0], it->got.delay_s[1], it->got.delay_s[2], it->of.runs);
  bar_tell(bars, id, it->got.delay_s[part] <= most ? BAR_HOLDS : BAR_FAILS, what, want, got);
}

static void harmed(struct bars *bars, const struct trial_of *it, double most)
{
  char what[BAR_TEXT_MAX], want[BAR_TEXT_MAX], got[BAR_TEXT_MAX];
  snprintf(what, sizeof what, "%s, 5%% of %g rps: candidate answers until rollback, p99",
           it->of.scenario.name, it->of.rps);
  snprintf(want, sizeof want, "at most %g", most);
  snprintf(got, sizeof got, "%g (%g / %g / %g)", it->got.harmed[2], it->got.harmed[0],
           it->got.harmed[1], it->got.harmed[2]);
  bar_tell(bars, "B7", it->got.harmed[2] <= most ? BAR_HOLDS : BAR_FAILS, what, want, got);
}

/* ---- B2: bursts ---- */

static void bursts(struct bars *bars)
{
  static const char *const names[] = {"b1", "b2", "b3", "b4", "b5"};
  struct trial_of it;
  for (int blocks = 0; blocks < 2; blocks++)
    for (int i = 0; i < 5; i++) {
      uint32_t quick = blocks ? 12 : i == 0 ? 60 : 10;
      case_make(bars, &it, names[i], RPS, 1000, quick);
      it.of.plan.gates[GATE_LATENCY].lanes = blocks ? LANES_BLOCKS : LANES_ALL;
      it.of.plan.gates[GATE_ERRORS].lanes = blocks ? LANES_BLOCKS : LANES_ALL;
      case_measure(bars, &it);
      false_alarms(bars, "B2", &it, blocks ? "lanes blocks" : "all lanes", 0.02, blocks || i == 0);
      case_end(&it);
    }
}

/* ---- B3, B4, B5, B7: harm ---- */

static void slow_ones(struct bars *bars)
{
  struct trial_of it;
  case_make(bars, &it, "uniform:2", 100, 1000, 100);
  case_measure(bars, &it);
  delay(bars, "B3", &it, 2, 40);
  case_end(&it);
  case_make(bars, &it, "tail:2", 100, 1000, 100);
  case_measure(bars, &it);
  delay(bars, "B3", &it, 2, 240);
  case_end(&it);
}

static void errors(struct bars *bars)
{
  struct trial_of it;
  case_make(bars, &it, "errors:10", RPS, 1000, 100);
  case_measure(bars, &it);
  delay(bars, "B4", &it, 2, 60);
  delay(bars, "B4", &it, 0, 20);
  case_end(&it);
  case_make(bars, &it, "errors:500", RPS, 1000, 100);
  case_measure(bars, &it);
  delay(bars, "B4", &it, 2, 3);
  case_end(&it);
}

static void late(struct bars *bars)
{
  struct trial_of it;
  case_make(bars, &it, "errors:10+onset:1800", RPS, 1000, 100);
  case_measure(bars, &it);
  delay(bars, "B5", &it, 0, 30);
  case_end(&it);
}

/* Harm that the gates are told to overlook, so that the budget alone is left to stop it. */
static void budget(struct bars *bars)
{
  char what[BAR_TEXT_MAX], got[BAR_TEXT_MAX];
  struct trial_of it;
  double over = 0;
  uint32_t spent = 0, beyond = 0;
  case_make(bars, &it, "errors:50", RPS, 200, 30);
  it.of.plan.gates[GATE_ERRORS].off = it.of.plan.gates[GATE_LATENCY].off = true;
  case_measure(bars, &it);
  for (uint32_t i = 0; i < it.of.runs; i++) {
    const struct sim_result *result = &it.results[i];
    double more = result->spent - (double)it.of.plan.harm_budget;
    spent += result->harm_s != RUN_NEVER && result->gate == GATE_BUDGET;
    beyond += more > (double)result->last_look;
    over = more > over ? more : over;
  }
  snprintf(what, sizeof what, "%s without other gates: harm budget overrun", it.of.scenario.name);
  snprintf(got, sizeof got, "%.1f answers at most; %u of %u stopped by it, %u beyond a look", over,
           spent, it.of.runs, beyond);
  bar_tell(bars, "B7", spent == it.of.runs && beyond == 0 ? BAR_HOLDS : BAR_FAILS, what,
           "one look of traffic", got);
  case_end(&it);
}

/* ---- B12: rivals ---- */

static void rivals(struct bars *bars, const struct trial_of *null, const struct trial_of *bad)
{
  for (int rival = RIVAL_THRESHOLD; rival <= RIVAL_ONCE; rival++) {
    char what[BAR_TEXT_MAX], got[BAR_TEXT_MAX];
    double ours = bad->got.delay_s[2], theirs = bad->got.rival_delay_s[rival][0];
    double ours_false = null->got.early / (double)null->of.runs;
    double theirs_false = null->got.rival_early[rival];
    snprintf(what, sizeof what, "%s: our p99 against the median of %s", bad->of.scenario.name,
             rival_name((enum rival)rival));
    snprintf(got, sizeof got, "%g s against %g s; false alarms %.1f %% against %.1f %%", ours,
             theirs, ours_false * 100, theirs_false * 100);
    bool holds = ours * 10 <= theirs && ours_false <= theirs_false;
    bar_tell(bars, "B12", holds ? BAR_HOLDS : BAR_FAILS, what, "a tenth, no more false alarms",
             got);
  }
}

void bars_run(struct bars *bars)
{
  struct trial_of null, uniform, tail, few;
  bars->failed = 0;
  case_make(bars, &null, "null", RPS, 1000, 80);
  null.of.rivals = true;
  case_measure(bars, &null);
  false_alarms(bars, "B1", &null, "all gates on", 0.004, true);
  case_make(bars, &few, "null", 100, 1000, 40);
  case_measure(bars, &few);
  false_alarms(bars, "B1", &few, "all gates on", 0.004, true);
  case_end(&few);
  bursts(bars);

  case_make(bars, &uniform, "uniform:2", RPS, 1000, 100);
  uniform.of.rivals = true;
  case_measure(bars, &uniform);
  delay(bars, "B3", &uniform, 2, 5);
  case_make(bars, &tail, "tail:2", RPS, 1000, 100);
  case_measure(bars, &tail);
  delay(bars, "B3", &tail, 2, 30);
  slow_ones(bars);
  errors(bars);
  bars_lone_late(bars);
  late(bars);
  bar_tell(bars, "B6", BAR_ELSEWHERE, "verdict to zero traffic in process", "under 100 ms",
           "test/path/rollback_time_test.py");
  harmed(bars, &uniform, 250);
  harmed(bars, &tail, 1500);
  budget(bars);
  bar_tell(bars, "B7", BAR_ELSEWHERE, "candidate answers without a look", "at most unjudged_max",
           "test/unit/serve_release_test.c");
  bars_lone(bars);
  bar_tell(bars, "B11", BAR_ELSEWHERE, "stock OpenFeature OFREP providers", "unchanged",
           "test/client/ofrep_test.py");
  rivals(bars, &null, &uniform);
  case_end(&null);
  case_end(&uniform);
  case_end(&tail);
}
