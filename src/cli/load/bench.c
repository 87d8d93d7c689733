/* bench.c - `slipway bench`: load on a model, open or closed loop, and what each version answered.
 * Thread: main (own). Answers are counted on the load's thread; main reads the two atomics while it
 * runs, the rest once it is joined.
 * SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/file.h"
#include "cli/load/load.h"
#include "cli/out.h"
#include "stat/sketch.h"

enum { BENCH_VERSIONS_MAX = 8, BENCH_FOR_S = 10, BENCH_ELEMENTS_MAX = 1 << 20 };
enum { BENCH_STATUSES = 600 };

struct bench_row { /* what one version answered, as candidate or as stable */
  uint32_t version;
  bool candidate;
  uint64_t failed;
  int64_t first_us, last_us; /* clock_us: when its first and last requests were due */
  struct sketch us;
};

struct bench {
  struct bench_row rows[BENCH_VERSIONS_MAX];
  uint32_t n_rows;
  uint64_t failed_by[BENCH_STATUSES]; /* by HTTP status; 0: the connection was lost */
  _Atomic uint64_t answers, failed;
  int64_t worst_us;
};

static void bench_seen(void *arg, const struct load_answer *answer)
{
  struct bench *bench = arg;
  uint32_t at = 0;
  while (at < bench->n_rows && (bench->rows[at].version != answer->version ||
                                bench->rows[at].candidate != answer->candidate))
    at++;
  if (at < BENCH_VERSIONS_MAX) {
    struct bench_row *row = &bench->rows[at];
    if (at == bench->n_rows) bench->n_rows++;
    row->version = answer->version;
    row->candidate = answer->candidate;
    row->failed += answer->status != 200;
    if (!row->first_us) row->first_us = answer->due_us;
    if (answer->due_us > row->last_us) row->last_us = answer->due_us;
    sketch_add(&row->us, (uint64_t)answer->took_us);
  }
  bench->answers++;
  bench->failed += answer->status != 200;
  bool named = answer->status > 0 && answer->status < BENCH_STATUSES;
  if (answer->status != 200) bench->failed_by[named ? answer->status : 0]++;
  if (answer->took_us > bench->worst_us) bench->worst_us = answer->took_us;
}

/* --- what is sent ----------------------------------------------------------------------------- */

static uint64_t shape_fixed(json_t *shape, json_t *to)
{
  uint64_t count = 1;
  size_t i;
  json_t *dim;
  json_array_foreach(shape, i, dim)
  {
    json_int_t n = json_integer_value(dim) < 0 ? 1 : json_integer_value(dim);
    json_array_append_new(to, json_integer(n));
    count *= n < BENCH_ELEMENTS_MAX ? (uint64_t)n : BENCH_ELEMENTS_MAX;
    if (count > BENCH_ELEMENTS_MAX) count = BENCH_ELEMENTS_MAX + 1;
  }
  return count;
}

static json_t *element_made(const char *datatype)
{
  if (strcmp(datatype, "BYTES") == 0) return json_string("slipway");
  if (strcmp(datatype, "BOOL") == 0) return json_true();
  return strncmp(datatype, "FP", 2) == 0 || strcmp(datatype, "BF16") == 0 ? json_real(0.5)
                                                                          : json_integer(1);
}

/* One row for each input, every free dimension 1. NULL with err: too large to make up. */
static char *body_made(const json_t *metadata, struct err *err)
{
  json_t *body = json_object(), *inputs = json_array(), *input;
  size_t i;
  bool large = false;
  json_object_set_new(body, "inputs", inputs);
  json_array_foreach(json_object_get(metadata, "inputs"), i, input)
  {
    json_t *shape = json_array(), *data = json_array();
    uint64_t count = shape_fixed(json_object_get(input, "shape"), shape);
    large = large || count > BENCH_ELEMENTS_MAX;
    for (uint64_t k = 0; k < count && !large; k++)
      json_array_append_new(data, element_made(get_str(input, "datatype")));
    json_array_append_new(inputs,
                          json_pack("{ss,ss,so,so}", "name", get_str(input, "name"), "datatype",
                                    get_str(input, "datatype"), "shape", shape, "data", data));
  }
  char *text = large ? NULL : json_dumps(body, JSON_COMPACT);
  json_decref(body);
  if (!text)
    fail(err, E_LIMIT_EXCEEDED, "the model's inputs are too large to make up; say --input FILE");
  return text;
}

/* A request body a line. */
static enum code bodies_read(const char *path, struct buf *text, struct slice *bodies, uint32_t *n,
                             struct err *err)
{
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  if (!file || !file_drain(file, text))
    return fail(err, E_NOT_FOUND, "'%s' cannot be read", path);
  if (text->full) return fail(err, E_LIMIT_EXCEEDED, "'%s' is larger than 64 MiB", path);
  struct slice rest = buf_lend(text);
  while (rest.len && *n < LOAD_BODIES_MAX) {
    const char *end = memchr(rest.at, '\n', rest.len);
    size_t len = end ? (size_t)(end - rest.at) : rest.len;
    if (len > 1) bodies[(*n)++] = slice_of(rest.at, len);
    rest = slice_from(rest, end ? len + 1 : len);
  }
  return *n ? OK : fail(err, E_INVALID_ARGUMENT, "'%s' has no request in it, one a line", path);
}

/* --- what is told ----------------------------------------------------------------------------- */

static void row_print(const struct bench_row *row, struct table *table)
{
  static const double qs[] = {0.5, 0.9, 0.99, 0.999};
  char text[OUT_NUMBER_MAX];
  if (row->version)
    table_add(table, "%u", row->version);
  else
    table_add(table, "none");
  table_add(table, "%s", row->candidate ? "candidate" : row->version ? "stable" : "-");
  table_add(table, "%llu", (unsigned long long)row->us.count);
  table_add(table, "%llu", (unsigned long long)row->failed);
  for (int i = 0; i < 4; i++)
    table_add(table, "%s", out_us(sketch_quantile(&row->us, qs[i]), text));
}

static json_t *row_json(const struct bench_row *row)
{
  int64_t wall_ms = clock_wall_ms() - clock_us() / 1000;
  return json_pack("{sI,sb,sI,sI,sI,sI,sI,sI,sI,sI}", "version", (json_int_t)row->version,
                   "candidate", (int)row->candidate, "answers", (json_int_t)row->us.count, "failed",
                   (json_int_t)row->failed, "p50_us", (json_int_t)sketch_quantile(&row->us, 0.5),
                   "p90_us", (json_int_t)sketch_quantile(&row->us, 0.9), "p99_us",
                   (json_int_t)sketch_quantile(&row->us, 0.99), "p999_us",
                   (json_int_t)sketch_quantile(&row->us, 0.999), "first_ms",
                   (json_int_t)(wall_ms + row->first_us / 1000), "last_ms",
                   (json_int_t)(wall_ms + row->last_us / 1000));
}

static json_t *failed_json(const struct bench *bench)
{
  json_t *by = json_object();
  char status[16];
  for (int i = 0; i < BENCH_STATUSES; i++) {
    if (!bench->failed_by[i]) continue;
    snprintf(status, sizeof status, "%d", i);
    json_object_set_new(by, i ? status : "lost", json_integer((json_int_t)bench->failed_by[i]));
  }
  return by;
}

static void failed_print(const struct bench *bench)
{
  const char *between = "failed: ";
  for (int i = 0; i < BENCH_STATUSES; i++) {
    if (!bench->failed_by[i]) continue;
    printf("%s%llu ", between, (unsigned long long)bench->failed_by[i]);
    if (i) printf("with status %d", i);
    else printf("lost their connection");
    between = ", ";
  }
  if (bench->failed) putchar('\n');
}

static void bench_print(const struct bench *bench, double seconds, bool json)
{
  static const char *const heads[] = {"version", "arm",  ">answers", ">failed", ">p50",
                                      ">p90",    ">p99", ">p99.9",   NULL};
  char worst[OUT_NUMBER_MAX];
  if (json) {
    json_t *rows = json_array();
    for (uint32_t i = 0; i < bench->n_rows; i++)
      json_array_append_new(rows, row_json(&bench->rows[i]));
    json_t *all = json_pack("{sI,sI,so,sf,sI,so}", "answers", (json_int_t)bench->answers, "failed",
                            (json_int_t)bench->failed, "failed_by_status", failed_json(bench),
                            "rate", (double)bench->answers / seconds, "max_us",
                            (json_int_t)bench->worst_us, "versions", rows);
    out_json(all);
    json_decref(all);
    return;
  }
  struct table table;
  table_init(&table, heads);
  for (uint32_t i = 0; i < bench->n_rows; i++) row_print(&bench->rows[i], &table);
  table_print(&table);
  table_deinit(&table);
  printf("%.0f requests/s over %.1f s, %llu failed, slowest %s\n", (double)bench->answers / seconds,
         seconds, (unsigned long long)bench->failed, out_us((uint64_t)bench->worst_us, worst));
  failed_print(bench);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
  (void)signal;
  interrupted = 1;
}

/* Ctrl-C ends the load, not the telling. */
static void interrupt_catch(void)
{
  struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

static enum code bench_run(struct bench *bench, const struct load_opts *opts, double *seconds,
                           struct err *err)
{
  struct load *load;
  int64_t began_us = clock_us();
  if (load_start(&load, opts, bench_seen, bench, err) != OK) return err->code;
  interrupt_catch();
  for (int64_t told_us = began_us; !load_ended(load) && !interrupted;) {
    poll(NULL, 0, 50);
    if (!out_is_terminal() || clock_us() < told_us + 1000000) continue;
    told_us = clock_us();
    printf("\r%3.0f s: %llu answers, %llu failed ", (double)(told_us - began_us) / 1e6,
           (unsigned long long)atomic_load(&bench->answers),
           (unsigned long long)atomic_load(&bench->failed));
    fflush(stdout);
  }
  if (out_is_terminal()) printf("\r");
  int64_t took_us = clock_us() - began_us;
  load_stop(load);
  *seconds = (double)(took_us < opts->for_us ? took_us : opts->for_us) / 1e6;
  return OK;
}

static enum code bench_model(struct cli *cli, const struct args *args, struct bench *bench,
                             struct load_opts *opts, double *seconds, struct err *err)
{
  static struct slice bodies[LOAD_BODIES_MAX];
  char model[MODEL_WORD_MAX], ref[REF_WORD_MAX], path[CLIENT_PATH_MAX], infer[CLIENT_PATH_MAX + 48];
  int64_t version = 0;
  struct client *client;
  struct answer answer = {0};
  struct buf text;
  char *made = NULL;
  if (model_word_read(args->words[0], model, ref, err) != OK) return err->code;
  version = ref_number(ref);
  const char *name = ref[0] && !version ? args->words[0] : model; /* the server follows an alias */
  if (client_path(path, err, "/v2/models/%s", name) != OK || client_new(&client, cli, err) != OK)
    return err->code;
  buf_init(&text, 64 << 20);
  if (client_call(client, "GET", path, SLICE_NONE, 0, &answer, err) == OK) {
    const char *input = args_text(args, "input");
    if (input) {
      (void)!bodies_read(input, &text, bodies, &opts->n_bodies, err);
    } else if ((made = body_made(answer.json, err))) {
      bodies[opts->n_bodies++] = slice_str(made);
    }
  }
  snprintf(infer, sizeof infer, version ? "%s/versions/%lld/infer" : "%s/infer", path,
           (long long)version);
  opts->url = client_url(client);
  opts->path = infer;
  opts->bearer = client_key(client);
  opts->tenant = client_tenant(client);
  opts->bodies = bodies;
  if (err->code == OK) (void)!bench_run(bench, opts, seconds, err);
  answer_free(&answer);
  client_free(client);
  buf_deinit(&text);
  ungrab(made);
  return err->code;
}

int command_bench(struct cli *cli)
{
  static const struct opt opts[] = {
      {"rate", 'r', OPT_COUNT, "R", "requests a second, whatever the answers do (open loop)"},
      {"concurrency", 'c', OPT_COUNT, "C", "connections; without --rate as fast as they can [16]"},
      {"for", 0, OPT_COUNT, "SECONDS", "how long [10]"},
      {"input", 'i', OPT_TEXT, "FILE", "request bodies, one a line; else one row made up"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err = {.code = OK};
  int rc;
  double seconds = 0;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  uint64_t most = args_count(&cli->args, "concurrency"), span = args_count(&cli->args, "for");
  if (most > LOAD_CONNECTIONS_MAX) {
    fail(&err, E_INVALID_ARGUMENT, "--concurrency is at most %d", LOAD_CONNECTIONS_MAX);
    return cli_fail(cli, &err);
  }
  struct load_opts load = {.rate = (double)args_count(&cli->args, "rate"),
                           .connections = (uint32_t)most,
                           .for_us = (int64_t)(span ? span : BENCH_FOR_S) * 1000000};
  struct bench *bench = grab_zero(1, sizeof *bench);
  if (bench_model(cli, &cli->args, bench, &load, &seconds, &err) == OK)
    bench_print(bench, seconds, cli->args.json);
  rc = err.code ? cli_fail(cli, &err) : bench->failed ? code_exit(E_UNAVAILABLE) : 0;
  ungrab(bench);
  return rc;
}
