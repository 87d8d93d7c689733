/* simulate.c - `slipway simulate`: the judge tried on traffic made up or recorded, before a launch.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/out.h"
#include "cli/simulate/simulate_int.h"
#include "sim/bars.h"

enum { EXIT_BAR_FAILED = 8, RUNS = 200, HOUR_S = 3600, SCENARIOS_MAX = 32 };
enum { PROGRESS_AFTER_US = 2000000, PROGRESS_TTY_US = 250000, PROGRESS_LINE_US = 10000000 };

static const struct opt opts[] = {
    {"scenario", 's', OPT_TEXT, "S", "what happens: null, uniform:2, tail:2+b1, ..., or all"},
    {"rps", 0, OPT_COUNT, "N", "requests per second, both arms together (1000)"},
    {"share", 0, OPT_TEXT, "P", "the candidate's part of them (5%)"},
    {"runs", 'n', OPT_COUNT, "N", "releases of each scenario (200)"},
    {"seconds", 0, OPT_COUNT, "N", "length of a release (3600; with --plan the plan's)"},
    {"seed", 0, OPT_COUNT, "N", "another seed, other chance (1)"},
    {"errors", 0, OPT_TEXT, "P", "how often stable's answers fail (0.1%)"},
    {"plan", 0, OPT_TEXT, "FILE", "a release plan instead of one step with all gates on"},
    {"lanes", 0, OPT_TEXT, "L", "all, or blocks: for models known to stall"},
    {"recorded", 0, OPT_TEXT, "FILE", "requests (t,arm,latency_us,error) or a release's looks"},
    {"threads", 0, OPT_COUNT, "N", "one per processor when not given"},
    {"alone", 0, OPT_SWITCH, NULL, "without the rivals' rules, which take a third of the time"},
    {"bars", 0, OPT_SWITCH, NULL, "measure B1 to B12; exit 8 when one fails"},
    {"quick", 0, OPT_SWITCH, NULL, "with --bars: fewer runs"},
    {NULL, 0, OPT_SWITCH, NULL, NULL},
};

/* ---- progress ---- */

struct progress {
  int64_t began_us, told_us;
  const char *what;
  bool tty, shown;
};

static struct progress progress_begin(void)
{
  int64_t now = clock_us();
  return (struct progress){.began_us = now, .told_us = now, .tty = isatty(STDERR_FILENO) == 1};
}

static void progress_clear(struct progress *progress)
{
  if (progress->shown && progress->tty) fprintf(stderr, "\r\033[K");
  progress->shown = false;
}

static void progress_told(void *arg, uint32_t done, uint32_t of)
{
  struct progress *progress = arg;
  int64_t now = clock_us();
  if (now - progress->began_us < PROGRESS_AFTER_US) return;
  if (now - progress->told_us < (progress->tty ? PROGRESS_TTY_US : PROGRESS_LINE_US)) return;
  progress->told_us = now;
  progress->shown = true;
  fprintf(stderr, progress->tty ? "\r\033[K%s: %u of %u" : "%s: %u of %u\n", progress->what, done,
          of);
}

/* ---- cases ---- */

static bool share_read(const char *text, double *share)
{
  struct slice s = slice_str(text);
  bool over, percent = slice_ends(s, SLICE("%"));
  if (percent) s.len--;
  if (!text_read_f64(s.at, s.len, share, &over) || over) return false;
  if (percent) *share /= 100;
  return *share > 0 && *share < 1;
}

static enum code share_of(const struct args *args, const char *name, double otherwise,
                          double *share, struct err *err)
{
  *share = otherwise;
  if (!args_given(args, name) || share_read(args_text(args, name), share)) return OK;
  fail(err, E_INVALID_ARGUMENT, "'%.32s' is no share; write 5%% or 0.05", args_text(args, name));
  return fail_at(err, "--%s", name);
}

static enum code lanes_set(const struct args *args, struct plan *plan, struct err *err)
{
  const char *lanes = args_text(args, "lanes");
  if (!lanes) return OK;
  if (strcmp(lanes, "all") != 0 && strcmp(lanes, "blocks") != 0)
    return fail(err, E_INVALID_ARGUMENT, "--lanes is 'all' or 'blocks', not '%.32s'", lanes);
  for (int gate = 0; gate < GATE_COUNT; gate++)
    plan->gates[gate].lanes = lanes[0] == 'a' ? LANES_ALL : LANES_BLOCKS;
  return OK;
}

static enum code case_plan(struct sim_case *of, const struct args *args, struct err *err)
{
  enum code code = OK;
  if (args_given(args, "plan")) {
    struct buf buf;
    struct arena arena;
    buf_init(&buf, SIMULATE_PLAN_MAX);
    arena_init(&arena, PLAN_ARENA_BYTES, NULL);
    code = simulate_file(args_text(args, "plan"), &buf, err);
    if (code == OK) code = plan_read(&of->plan, buf_lend(&buf), &arena, err);
    arena_deinit(&arena);
    buf_deinit(&buf);
    uint64_t looks = code == OK ? plan_horizon_looks(&of->plan) : 0;
    of->seconds = looks < RUN_SECONDS_MAX ? (uint32_t)looks : RUN_SECONDS_MAX;
    if (args_given(args, "seconds")) of->seconds = (uint32_t)args_count(args, "seconds");
  }
  return code == OK ? lanes_set(args, &of->plan, err) : code;
}

/* What all scenarios of one call have in common. */
static enum code case_base(struct sim_case *of, const struct args *args, struct err *err)
{
  double share, p0;
  if (share_of(args, "share", 0.05, &share, err) != OK) return err->code;
  if (share_of(args, "errors", MODEL_P0, &p0, err) != OK) return err->code;
  uint32_t seconds = (uint32_t)args_count(args, "seconds"), runs;
  if (seconds > RUN_SECONDS_MAX)
    return fail(err, E_INVALID_ARGUMENT, "--seconds is at most %d (90 days)", RUN_SECONDS_MAX);
  runs = (uint32_t)args_count(args, "runs");
  if (runs > 10000000) return fail(err, E_INVALID_ARGUMENT, "--runs is at most 10000000");
  double rps = (double)args_count(args, "rps");
  sim_case_init(of, SLICE("null"), rps > 0 ? rps : 1000, share, seconds ? seconds : HOUR_S,
                runs ? runs : RUNS, args_given(args, "seed") ? args_count(args, "seed") : 1);
  of->p0 = p0;
  of->rivals = !args_given(args, "alone");
  if (case_plan(of, args, err) != OK) return err->code;
  return sim_case_check(of, err);
}

static enum code scenarios_read(const struct args *args, struct scenario *list, uint32_t *n,
                                struct err *err)
{
  static const char every[] =
      "null,b1,b2,b3,b4,b5,uniform:2,tail:2,tail:2+b1,errors:10,errors:10+b1,errors:500,"
      "errors:10+onset:1800,tail:2+onset:1800,uniform:2+onset:1800";
  const char *text = args_text(args, "scenario");
  if (!text) text = "null,uniform:2,tail:2,errors:10";
  if (strcmp(text, "all") == 0) text = every;
  for (*n = 0;; text++) {
    const char *comma = strchr(text, ',');
    struct slice one = slice_of(text, comma ? (size_t)(comma - text) : strlen(text));
    if (*n == SCENARIOS_MAX)
      return fail(err, E_INVALID_ARGUMENT, "more than %d scenarios", SCENARIOS_MAX);
    if (scenario_read(&list[(*n)++], one, err) != OK) return fail_at(err, "--scenario");
    if (!comma) return OK;
    text = comma;
  }
}

/* Recorded requests take the place of drawn ones. */
static enum code tape_use(struct sim_case *of, const struct args *args, struct slice text,
                          struct tape *tape, struct err *err)
{
  if (tape_read(tape, text, err) != OK) return err->code;
  if (args_given(args, "rps") || args_given(args, "errors"))
    return fail(err, E_INVALID_ARGUMENT, "a recording has a rate and errors of its own");
  of->tape = tape;
  uint32_t seconds = tape_release_s(tape);
  if (of->seconds > seconds || !args_given(args, "seconds")) of->seconds = seconds;
  of->rps = (double)tape->rows / tape->seconds;
  if (!tape->has_candidate) return OK;
  of->runs = 1;
  if (!args_given(args, "plan") && !args_given(args, "share"))
    of->plan.steps[0].weight = (uint32_t)(tape->share * PLAN_WHOLE + 0.5);
  return OK;
}

static enum code scenario_fits(const struct scenario *scenario, const struct tape *tape,
                               struct err *err)
{
  if (scenario->burst || scenario->drift)
    return fail(err, E_INVALID_ARGUMENT, "'%s': a recording has bursts and a load of its own",
                scenario->name);
  if (tape->has_candidate && !scenario_is_null(scenario))
    return fail(err, E_INVALID_ARGUMENT, "'%s': the recorded candidate is as it was: say null",
                scenario->name);
  return OK;
}

static enum code recorded_use(struct sim_case *of, const struct args *args, struct slice text,
                              struct tape *tape, struct scenario *list, uint32_t *n,
                              struct err *err)
{
  enum code code = tape_use(of, args, text, tape, err);
  if (code == OK && !args_given(args, "scenario")) *n = 1; /* null, the first of the list */
  for (uint32_t i = 0; code == OK && i < *n; i++) code = scenario_fits(&list[i], tape, err);
  return code == OK ? OK : fail_at(err, "--recorded");
}

/* `recorded` is NULL for traffic that is made up. */
static int cases_run(struct cli *cli, const struct slice *recorded)
{
  struct err err;
  static struct sim_case of;
  static struct scenario list[SCENARIOS_MAX];
  struct tape tape = {0};
  uint32_t n;
  const struct args *args = &cli->args;
  if (case_base(&of, args, &err) != OK) return cli_fail(cli, &err);
  if (scenarios_read(args, list, &n, &err) != OK) return cli_fail(cli, &err);
  if (recorded && recorded_use(&of, args, *recorded, &tape, list, &n, &err) != OK) {
    tape_free(&tape);
    return cli_fail(cli, &err);
  }
  struct progress progress = progress_begin();
  struct crew crew = {
      .threads = (uint32_t)args_count(args, "threads"), .told = progress_told, .arg = &progress};
  struct sim_result *results = grab_zero(of.runs, sizeof *results);
  struct simulate_out out;
  simulate_out_init(&out, args->json);
  for (uint32_t i = 0; i < n; i++) {
    struct sim_summary summary;
    of.scenario = list[i];
    progress.what = list[i].name;
    sim_case_run(&of, &crew, results);
    sim_summarize(&of, results, &summary);
    simulate_out_case(&out, &of, &summary);
  }
  progress_clear(&progress);
  simulate_out_print(&out, (double)(clock_us() - progress.began_us) / 1e6);
  ungrab(results);
  tape_free(&tape);
  return 0;
}

/* ---- what was recorded ---- */

static int looks_judge(struct cli *cli, struct slice text)
{
  struct err err;
  static struct sim_case of;
  const struct args *args = &cli->args;
  if (case_base(&of, args, &err) != OK) return cli_fail(cli, &err);
  enum gate_lanes lanes = of.plan.gates[GATE_LATENCY].lanes;
  const struct plan *plan = args_given(args, "plan") ? &of.plan : NULL;
  const enum gate_lanes *other = args_given(args, "lanes") ? &lanes : NULL;
  return simulate_looks(text, plan, other, args->json, &err) == OK ? 0 : cli_fail(cli, &err);
}

static int recorded_run(struct cli *cli)
{
  struct err err;
  struct buf buf;
  buf_init(&buf, SIMULATE_RECORDED_MAX);
  int rc;
  if (simulate_file(args_text(&cli->args, "recorded"), &buf, &err) != OK) {
    rc = cli_fail(cli, &err);
  } else {
    struct slice text = buf_lend(&buf);
    bool is_json = text.len && (text.at[0] == '{' || text.at[0] == '[');
    rc = is_json ? looks_judge(cli, text) : cases_run(cli, &text);
  }
  buf_deinit(&buf);
  return rc;
}

/* ---- bars ---- */

struct bars_out {
  struct progress progress;
  struct simulate_bars *bars;
  char what[BAR_TEXT_MAX];
};

static void bar_began(void *arg, const char *what)
{
  struct bars_out *out = arg;
  snprintf(out->what, sizeof out->what, "%s", what);
  out->progress.what = out->what;
}

static void bar_told(void *arg, const struct bar *bar)
{
  struct bars_out *out = arg;
  progress_clear(&out->progress);
  simulate_bars_add(out->bars, bar);
}

static int bars_measure(struct cli *cli)
{
  struct bars_out out = {.progress = progress_begin()};
  struct bars bars = {
      .quick = args_given(&cli->args, "quick"),
      .seed = args_given(&cli->args, "seed") ? args_count(&cli->args, "seed") : 1,
      .crew = {(uint32_t)args_count(&cli->args, "threads"), progress_told, &out.progress},
      .began = bar_began,
      .told = bar_told,
      .arg = &out};
  out.bars = simulate_bars_new(cli->args.json);
  bars_run(&bars);
  progress_clear(&out.progress);
  simulate_bars_end(out.bars, bars.failed, (double)(clock_us() - out.progress.began_us) / 1e6);
  return bars.failed ? EXIT_BAR_FAILED : 0;
}

int command_simulate(struct cli *cli)
{
  int rc;
  struct err err;
  if (!cli_args(cli, opts, 0, 0, &rc)) return rc;
  bool is_bars = args_given(&cli->args, "bars");
  if (args_given(&cli->args, "quick") && !is_bars) {
    fail(&err, E_INVALID_ARGUMENT, "--quick goes with --bars; --runs makes other calls shorter");
    return cli_fail(cli, &err);
  }
  if (is_bars) return bars_measure(cli);
  return args_given(&cli->args, "recorded") ? recorded_run(cli) : cases_run(cli, NULL);
}
