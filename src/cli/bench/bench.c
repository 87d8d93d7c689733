/* bench.c - `slipway bench`: load on models, open or closed loop, and what came of it.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/bench/run.h"
#include "cli/out.h"
#include "wire/yaml.h"

enum { BENCH_FOR_US = 10000000 };

static void versions_print(const struct report *report)
{
  static const char *const heads[] = {"version", "arm",  ">answers", ">failed", ">p50",
                                      ">p90",    ">p99", ">p99.9",   NULL};
  static const double qs[] = {0.5, 0.9, 0.99, 0.999};
  char text[OUT_NUMBER_MAX];
  struct table table;
  table_init(&table, heads);
  for (uint32_t i = 0; i < report->n_versions; i++) {
    const struct report_version *row = &report->versions[i];
    if (row->version)
      table_add(&table, "%u", row->version);
    else
      table_add(&table, "none");
    table_add(&table, "%s", row->candidate ? "candidate" : row->version ? "stable" : "-");
    table_add(&table, "%llu", (unsigned long long)row->us.count);
    table_add(&table, "%llu", (unsigned long long)row->failed);
    for (int q = 0; q < 4; q++)
      table_add(&table, "%s", out_us(sketch_quantile(&row->us, qs[q]), text));
  }
  table_print(&table);
  table_deinit(&table);
}

static void bench_tell(const struct report *report, bool json)
{
  if (json) {
    json_t *all = report_json(report);
    out_json(all);
    json_decref(all);
    return;
  }
  struct buf text;
  buf_init(&text, 1 << 20);
  if (report->n_sources == 1) versions_print(report);
  report_print(report, &text);
  for (struct slice rest = buf_lend(&text); rest.len;) {
    const char *end = memchr(rest.at, '\n', rest.len);
    size_t n = end ? (size_t)(end - rest.at) : rest.len;
    out_text(slice_of(rest.at, n));
    putchar('\n');
    rest = slice_from(rest, end ? n + 1 : n);
  }
  buf_deinit(&text);
}

static void count_put(json_t *row, const struct args *args, const char *flag, const char *member)
{
  if (args_given(args, flag))
    json_object_set_new(row, member, json_integer((json_int_t)args_count(args, flag)));
}

static void switch_put(json_t *row, const struct args *args, const char *flag)
{
  if (args_given(args, flag)) json_object_set_new(row, flag, json_true());
}

/* The flags as a row of a mix. */
static json_t *flags_row(const struct args *args)
{
  json_t *row = json_pack("{ss}", "model", args->words[0]);
  count_put(row, args, "rate", "rate");
  count_put(row, args, "concurrency", "concurrency");
  count_put(row, args, "deadline", "deadline_ms");
  count_put(row, args, "rows", "rows");
  count_put(row, args, "retries", "retries");
  switch_put(row, args, "poisson");
  switch_put(row, args, "binary");
  switch_put(row, args, "unique");
  if (args_given(args, "input"))
    json_object_set_new(row, "input", json_string(args_text(args, "input")));
  return row;
}

static enum code sources_make(struct sources *sources, const struct args *args, struct err *err)
{
  const char *mix = args_text(args, "mix");
  if (mix && args->n_words)
    return fail(err, E_INVALID_ARGUMENT, "say a model or --mix FILE, not both");
  if (mix) return sources_read(sources, mix, err);
  if (!args->n_words)
    return fail(err, E_INVALID_ARGUMENT,
                "say which model, or --mix FILE; see 'slipway help bench'");
  json_t *row = flags_row(args);
  enum code code = source_add(sources, row, err);
  json_decref(row);
  return code;
}

/* A flag that would do nothing is one that was meant to do something. */
static enum code flags_check(const struct args *args, struct err *err)
{
  static const char *const of_one[] = {"rate",   "concurrency", "poisson", "deadline", "rows",
                                       "binary", "unique",      "input",   "retries"};
  bool mix = args_given(args, "mix");
  for (uint32_t i = 0; mix && i < sizeof of_one / sizeof *of_one; i++)
    if (args_given(args, of_one[i]))
      return fail(err, E_INVALID_ARGUMENT, "--%s is of one model: in a mix, say it of a source",
                  of_one[i]);
  if (args_given(args, "poisson") && !args_given(args, "rate"))
    return fail(err, E_INVALID_ARGUMENT, "--poisson is how a rate comes: say --rate R, too");
  if (args_given(args, "each-second") && !args->json)
    return fail(err, E_INVALID_ARGUMENT, "--each-second is told in JSON alone: say --json, too");
  return OK;
}

/* A source that begins when all is over would be a row of zeros. */
static enum code times_check(const struct sources *sources, int64_t for_us, struct err *err)
{
  for (uint32_t i = 0; i < sources->n; i++)
    if (sources->list[i].from_us >= for_us)
      return fail(err, E_INVALID_ARGUMENT,
                  "'%s' begins after %.15g s and the load is over after %.15g: say --for",
                  sources->names[i], (double)sources->list[i].from_us / 1e6, (double)for_us / 1e6);
  return OK;
}

static const struct opt bench_opts[] = {
    {"rate", 'r', OPT_COUNT, "R", "requests a second, whatever the answers do (open loop)"},
    {"concurrency", 'c', OPT_COUNT, "C",
     "connections; without --rate as fast as they can [16; with --rate at most 1024]"},
    {"for", 0, OPT_TEXT, "TIME", "how long: 10, 90s, 5m [10]"},
    {"poisson", 0, OPT_SWITCH, NULL, "as independent people come, not at even distances"},
    {"deadline", 0, OPT_COUNT, "MS", "goes along; goodput counts what was answered within it"},
    {"rows", 0, OPT_COUNT, "N", "rows of a made-up request [1]"},
    {"binary", 0, OPT_SWITCH, NULL, "tensors as bytes, not as JSON"},
    {"unique", 0, OPT_SWITCH, NULL, "no two requests alike, past any cache"},
    {"input", 'i', OPT_TEXT, "FILE", "request bodies, one a line; else one is made up"},
    {"retries", 0, OPT_COUNT, "N", "of what was not answered 200, at once"},
    {"mix", 0, OPT_TEXT, "FILE", "several sources at once, a JSON array: models, keys, rates..."},
    {"each-second", 0, OPT_SWITCH, NULL, "with --json: every second apart"},
    {"seed", 0, OPT_COUNT, "N", "of --poisson [1]"},
    {NULL, 0, OPT_SWITCH, NULL, NULL},
};

static enum code for_read(const struct args *args, int64_t *us, struct err *err)
{
  const char *text = args_text(args, "for");
  char *end;
  *us = BENCH_FOR_US;
  if (!text) return OK;
  double seconds = strtod(text, &end);
  if (*end == '\0' && end != text && seconds >= 0.1 && seconds <= 86400)
    *us = (int64_t)(seconds * 1e6);
  else if (!yaml_duration_read(slice_str(text), us) || *us < 100000 || *us > 86400000000)
    return fail(err, E_INVALID_ARGUMENT, "'--for' is '%s'; it is 100ms to 24h, like 10, 90s or 5m",
                text);
  return OK;
}

int command_bench(struct cli *cli)
{
  struct err err = {.code = OK};
  struct report *report = NULL;
  struct run_opts run = {0};
  const struct args *args = &cli->args;
  int rc;
  if (!cli_args(cli, bench_opts, 0, 1, &rc)) return rc;
  struct sources *sources = grab_zero(1, sizeof *sources);
  run.seed = args_given(args, "seed") ? args_count(args, "seed") : 1;
  run.each_second = args_given(args, "each-second");
  if (args_count(args, "concurrency") > LOAD_CONNECTIONS_MAX)
    (void)!fail(&err, E_INVALID_ARGUMENT, "--concurrency is at most %d", LOAD_CONNECTIONS_MAX);
  else if (flags_check(args, &err) == OK && for_read(args, &run.for_us, &err) == OK &&
           sources_init(sources, cli, &err) == OK && sources_make(sources, args, &err) == OK &&
           times_check(sources, run.for_us, &err) == OK &&
           bench_run(sources, &run, &report, &err) == OK)
    bench_tell(report, args->json);
  bool failed = report && atomic_load(&report->ok) != atomic_load(&report->due);
  rc = err.code ? cli_fail(cli, &err) : failed ? code_exit(E_UNAVAILABLE) : 0;
  report_free(report);
  sources_deinit(sources);
  ungrab(sources);
  return rc;
}
