/* simulate_out.c - what `slipway simulate` prints.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/file.h"
#include "cli/simulate/simulate_int.h"

enum { NOTES_MAX = 1 << 20 };

enum code simulate_file(const char *path, struct buf *to, struct err *err)
{
  FILE *file = fopen(path, "rbe");
  if (!file) return fail(err, E_NOT_FOUND, "'%s': %s", path, strerror(errno));
  if (!file_drain(file, to))
    return fail(err, E_UNAVAILABLE, "'%s' cannot be read: %s", path, strerror(errno));
  if (to->full) return fail(err, E_BODY_TOO_LARGE, "'%s' is over %zu MiB", path, to->max >> 20);
  return OK;
}

/* ---- scenarios ---- */

void simulate_out_init(struct simulate_out *out, bool json)
{
  static const char *const heads[] = {"SCENARIO", "RULE", ">FALSE",      ">CAUGHT",     ">P50",
                                      ">P90",     ">P99", ">HARMED P50", ">HARMED P99", NULL};
  memset(out, 0, sizeof *out);
  out->json = json;
  out->cases = json_array();
  table_init(&out->table, heads);
  buf_init(&out->notes, NOTES_MAX);
}

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *three(const double value[3])
{
  return json_pack("{s:o,s:o,s:o}", "p50", number(value[0]), "p90", number(value[1]), "p99",
                   number(value[2]));
}

static void delay_cell(struct simulate_out *out, bool is_null, double seconds)
{
  if (is_null)
    table_add(&out->table, "-");
  else if (!isfinite(seconds))
    table_add(&out->table, "never");
  else
    table_add(&out->table, "%.0f s", seconds);
}

static void count_cell(struct simulate_out *out, bool is_null, double count)
{
  if (is_null || !isfinite(count))
    table_add(&out->table, "-");
  else
    table_add(&out->table, "%.0f", count);
}

static void rows_add(struct simulate_out *out, const struct sim_case *of,
                     const struct sim_summary *got)
{
  bool is_null = scenario_is_null(&of->scenario);
  double runs = got->runs, rate = of->rps * plan_weight(&of->plan, 0, ARM_CANDIDATE) / PLAN_WHOLE;
  table_add(&out->table, "%s", of->scenario.name);
  table_add(&out->table, "slipway");
  table_add(&out->table, "%.1f %%", 100 * got->early / runs);
  if (is_null)
    table_add(&out->table, "-");
  else
    table_add(&out->table, "%.1f %%", 100 * got->caught / runs);
  for (int i = 0; i < 3; i++) delay_cell(out, is_null, got->delay_s[i]);
  count_cell(out, is_null, got->harmed[0]);
  count_cell(out, is_null, got->harmed[2]);
  for (int rival = 0; of->rivals && rival < RIVALS; rival++) {
    table_add(&out->table, "%s", "");
    table_add(&out->table, "%s", rival_name((enum rival)rival));
    table_add(&out->table, "%.1f %%", 100 * got->rival_early[rival]);
    if (is_null)
      table_add(&out->table, "-");
    else
      table_add(&out->table, "%.1f %%", 100 * got->rival_caught[rival]);
    for (int i = 0; i < 3; i++) delay_cell(out, is_null, got->rival_delay_s[rival][i]);
    count_cell(out, is_null, got->rival_delay_s[rival][0] * rate);
    count_cell(out, is_null, got->rival_delay_s[rival][2] * rate);
  }
}

static json_t *by_lane(const struct sim_summary *got)
{
  json_t *list = json_array();
  for (int gate = 0; gate < GATE_COUNT; gate++)
    for (int lane = 0; lane < LANES; lane++)
      if (got->by[gate][lane])
        json_array_append_new(
            list,
            json_pack("{s:s,s:s,s:i}", "gate", gate_name((enum gate_id)gate), "lane",
                      lane_name((enum judge_lane)lane), "rollbacks", (int)got->by[gate][lane]));
  return list;
}

static json_t *by_pause(const struct sim_summary *got)
{
  json_t *list = json_array();
  for (int gate = 0; gate < GATE_COUNT; gate++)
    if (got->paused_by[gate])
      json_array_append_new(list, json_pack("{s:s,s:i}", "gate", gate_name((enum gate_id)gate),
                                            "pauses", (int)got->paused_by[gate]));
  return list;
}

/* By name, where there is any. */
static json_t *by_arm(const uint32_t counts[ARMS_MAX])
{
  json_t *tree = json_object();
  for (uint32_t arm = 0; arm < ARMS_MAX; arm++)
    if (counts[arm]) json_object_set_new(tree, arm_name(arm), json_integer(counts[arm]));
  return tree;
}

static void case_json(struct simulate_out *out, const struct sim_case *of,
                      const struct sim_summary *got)
{
  json_t *rivals = json_array();
  for (int rival = 0; of->rivals && rival < RIVALS; rival++)
    json_array_append_new(
        rivals, json_pack("{s:s,s:f,s:f,s:o}", "rule", rival_name((enum rival)rival), "false",
                          got->rival_early[rival], "caught", got->rival_caught[rival], "delay_s",
                          three(got->rival_delay_s[rival])));
  json_array_append_new(
      out->cases,
      json_pack("{s:s,s:f,s:i,s:i,s:I,s:i,s:i,s:i,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "scenario",
                of->scenario.name, "rps", of->rps, "runs", (int)got->runs, "seconds",
                (int)of->seconds, "seed", (json_int_t)of->seed, "false_rollbacks", (int)got->early,
                "caught", (int)got->caught, "completed", (int)got->completed, "paused",
                (int)got->paused, "delay_s", three(got->delay_s), "harmed", three(got->harmed),
                "rollbacks_by", by_lane(got), "pauses_by", by_pause(got), "rivals", rivals,
                "winners", by_arm(got->won), "closed", by_arm(got->closed)));
}

static void notes_add(struct simulate_out *out, const struct sim_case *of,
                      const struct sim_summary *got)
{
  bool any = false;
  for (int gate = 0; gate < GATE_COUNT; gate++)
    for (int lane = 0; lane < LANES; lane++) {
      if (!got->by[gate][lane]) continue;
      buf_print(&out->notes, "%s%s by %s %u", any ? ", " : "", gate_name((enum gate_id)gate),
                lane_name((enum judge_lane)lane), got->by[gate][lane]);
      any = true;
    }
  for (int gate = 0; gate < GATE_COUNT; gate++) {
    if (!got->paused_by[gate]) continue;
    buf_print(&out->notes, "%spaused by %s %u", any ? ", " : "", gate_name((enum gate_id)gate),
              got->paused_by[gate]);
    any = true;
  }
  for (uint32_t arm = 0; arm < ARMS_MAX; arm++) {
    if (got->won[arm])
      buf_print(&out->notes, "%s%s won %u", any ? ", " : "", arm_name(arm), got->won[arm]);
    any = any || got->won[arm];
    if (got->closed[arm])
      buf_print(&out->notes, "%s%s closed %u", any ? ", " : "", arm_name(arm), got->closed[arm]);
    any = any || got->closed[arm];
  }
  if (got->completed) buf_print(&out->notes, "%scompleted %u", any ? ", " : "", got->completed);
  if (any || got->completed)
    buf_print(&out->notes, " (%s, %u runs)\n", of->scenario.name, got->runs);
}

void simulate_out_case(struct simulate_out *out, const struct sim_case *of,
                       const struct sim_summary *summary)
{
  if (out->json) {
    case_json(out, of, summary);
    return;
  }
  rows_add(out, of, summary);
  notes_add(out, of, summary);
}

void simulate_out_print(struct simulate_out *out, double seconds)
{
  if (out->json) {
    json_t *tree = json_pack("{s:O,s:f}", "cases", out->cases, "took_s", seconds);
    out_json(tree);
    json_decref(tree);
  } else {
    table_print(&out->table);
    if (out->notes.len) printf("\n%.*s", (int)out->notes.len, out->notes.at);
    printf(
        "\ndelays run from the change; harmed: candidate answers until it was stopped; took "
        "%.1f s\n",
        seconds);
  }
  json_decref(out->cases);
  table_deinit(&out->table);
  buf_deinit(&out->notes);
}

/* ---- bars ---- */

struct simulate_bars {
  bool json;
  json_t *list;
};

struct simulate_bars *simulate_bars_new(bool json)
{
  struct simulate_bars *bars = grab_zero(1, sizeof *bars);
  bars->json = json;
  bars->list = json_array();
  return bars;
}

void simulate_bars_add(struct simulate_bars *bars, const struct bar *bar)
{
  const char *says = bar_says_name(bar->says);
  if (bars->json) {
    json_array_append_new(
        bars->list, json_pack("{s:s,s:s,s:s,s:s,s:s}", "bar", bar->id, "what", bar->what, "want",
                              bar->want, "got", bar->got, "says", says));
    return;
  }
  printf("%-4s %-9s %s: %s; %s %s\n", bar->id, says, bar->what, bar->got,
         bar->says == BAR_ELSEWHERE ? "bar" : "bar:", bar->want);
  fflush(stdout);
}

void simulate_bars_end(struct simulate_bars *bars, uint32_t failed, double seconds)
{
  if (bars->json) {
    json_t *tree =
        json_pack("{s:O,s:i,s:f}", "bars", bars->list, "failed", (int)failed, "took_s", seconds);
    out_json(tree);
    json_decref(tree);
  } else {
    if (failed)
      printf("%u FAILED", failed);
    else
      printf("all bars hold");
    printf("; took %.0f s\n", seconds);
  }
  json_decref(bars->list);
  ungrab(bars);
}
