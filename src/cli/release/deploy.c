/* deploy.c - `slipway deploy`: a version is released, by a plan or at once.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/file.h"
#include "cli/out.h"
#include "cli/release/watch.h"

enum { DEPLOY_SECONDS_MAX = 900, PLAN_FILE_MAX = 256 << 10 };

/* ---- the request ---- */

static enum code plan_file_read(const char *path, struct buf *to, struct err *err)
{
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  if (!file)
    return fail(err, E_NOT_FOUND, "cannot read '%.100s': %s", path, strerror(errno));
  buf_init(to, PLAN_FILE_MAX);
  if (!file_drain(file, to)) return fail(err, E_NOT_FOUND, "cannot read '%.100s'", path);
  if (to->full)
    return fail(err, E_BODY_TOO_LARGE, "'%.100s' is over %d KiB, which no plan needs", path,
                PLAN_FILE_MAX >> 10);
  return OK;
}

/* NULL with err. */
static json_t *deploy_body(const struct cli *cli, const char *ref, struct err *err)
{
  const struct args *args = &cli->args;
  const char *file = args_text(args, "plan");
  struct buf plan = {0};
  if (file && plan_file_read(file, &plan, err) != OK) {
    buf_deinit(&plan);
    return NULL;
  }
  json_t *body = json_pack("{s:s*,s:s*,s:s*,s:b}", "strategy", args_text(args, "strategy"),
                           "rehearse", args_text(args, "rehearse"), "note",
                           args_text(args, "note"), "wait", (int)args_given(args, "wait"));
  json_t *text = file ? json_stringn(plan.at ? plan.at : "", plan.len) : NULL;
  bool fits = body && (!file || text);
  if (fits && text) json_object_set(body, "plan", text);
  if (fits && ref[0])
    json_object_set_new(body, "version",
                        ref_number(ref) ? json_integer(ref_number(ref)) : json_string(ref));
  if (fits && args_given(args, "supersede"))
    json_object_set_new(body, "supersede", json_true());
  json_decref(text);
  buf_deinit(&plan);
  if (fits) return body;
  json_decref(body);
  fail(err, E_INVALID_ARGUMENT, "%s is not UTF-8", file && !text ? "the plan" : "something given");
  return NULL;
}

/* ---- the answer ---- */

/* What each step can catch with this model's traffic. */
static void forecast_print(const json_t *forecast)
{
  static const char *const heads[] = {">STEP",          "GATE",     ">FINDS FROM", ">2X FOUND IN",
                                      ">10X FOUND IN", "CAN PASS", NULL};
  struct table table;
  char text[OUT_NUMBER_MAX];
  size_t i, j, n = 0;
  json_t *step, *row;
  table_init(&table, heads);
  json_array_foreach(forecast, i, step)
  {
    json_array_foreach(json_object_get(step, "gates"), j, row)
    {
      static const char *const delays[] = {"delay_2x_s", "delay_10x_s"};
      const json_t *least = json_object_get(row, "smallest_ratio");
      table_add(&table, "%zu", i + 1);
      const char *gate = get_str(row, "gate"), *name = get_str(row, "row");
      if (strcmp(gate, name) == 0)
        table_add(&table, "%s", gate);
      else
        table_add(&table, "%s %s", gate, name);
      if (json_is_number(least))
        table_add(&table, "%.3gx", json_number_value(least));
      else
        table_add(&table, "-");
      for (int d = 0; d < 2; d++) {
        const json_t *delay = json_object_get(row, delays[d]);
        table_add(&table, "%s",
                  json_is_number(delay)
                      ? out_seconds((uint64_t)json_number_value(delay) + 1, text)
                      : "never");
      }
      table_add(&table, "%s", json_is_true(json_object_get(row, "hopeless")) ? "NO" : "yes");
      n++;
    }
  }
  if (n) printf("how soon harm would be found at this model's traffic, and what can pass:\n");
  if (n) table_print(&table);
  table_deinit(&table);
}

static void begun_print(const struct cli *cli, const json_t *answer)
{
  const json_t *warning;
  const char *model = get_str(answer, "model");
  size_t i;
  printf("%s release %llu: version %llu against %llu, %s\n", model,
         (unsigned long long)get_u64(answer, "release"),
         (unsigned long long)get_u64(answer, "version"),
         (unsigned long long)get_u64(answer, "stable"), get_str(answer, "strategy"));
  forecast_print(json_object_get(answer, "forecast"));
  json_array_foreach(json_object_get(answer, "warnings"), i, warning)
  {
    printf("warning: ");
    out_text(slice_str(json_string_value(warning)));
    putchar('\n');
  }
  if (!args_given(&cli->args, "wait"))
    printf("watch it with: slipway status %s; end it with: slipway abort %s\n", model, model);
  fflush(stdout);
}

/* A release has begun, or a version serves or loads. */
static int deploy_told(const struct cli *cli, struct client *client, const char *model,
                       const json_t *answer)
{
  uint64_t release = get_u64(answer, "release");
  bool follow = release && args_given(&cli->args, "wait");
  if (cli->args.json && !follow)
    out_json(answer);
  else if (release && !cli->args.json)
    begun_print(cli, answer);
  else if (!release && strcmp(get_str(answer, "state"), "READY") == 0)
    printf("%s version %llu serves\n", get_str(answer, "model"),
           (unsigned long long)get_u64(answer, "version"));
  else if (!release)
    printf("%s version %llu is loading; see: slipway status %s\n", get_str(answer, "model"),
           (unsigned long long)get_u64(answer, "version"), model);
  if (!release && !cli->args.json && get_str(answer, "note")[0])
    printf("%s\n", get_str(answer, "note"));
  return follow ? watch_release(cli, client, model, release) : 0;
}

int command_deploy(struct cli *cli)
{
  static const struct opt opts[] = {
      {"strategy", 0, OPT_TEXT, "NAME", "now, shadow, canary, bluegreen or ab [canary]"},
      {"plan", 0, OPT_TEXT, "FILE", "a release plan in YAML or JSON; - reads stdin"},
      {"wait", 0, OPT_SWITCH, NULL, "follow it to its end; exit 8 when it was rolled back"},
      {"supersede", 0, OPT_SWITCH, NULL, "end the release that is running"},
      {"rehearse", 0, OPT_TEXT, "FAULT",
       "a sick copy of what serves: 'slow x2', 'errors 10%'; add '@30s' to begin later"},
      {"note", 0, OPT_TEXT, "TEXT", "why, kept in the history"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct client *client;
  struct answer answer = {0};
  char model[MODEL_WORD_MAX], ref[REF_WORD_MAX], path[CLIENT_PATH_MAX];
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  if (model_word_read(cli->args.words[0], model, ref, &err) != OK) return cli_fail(cli, &err);
  const char *strategy = args_text(&cli->args, "strategy");
  if (strategy && strcmp(strategy, "ab") == 0 && !args_given(&cli->args, "plan")) {
    fail(&err, E_INVALID_ARGUMENT, "an A/B test takes a plan that names its metric and its arms: "
                                   "--plan FILE, as examples/digits/ab.yaml");
    return cli_fail(cli, &err);
  }
  json_t *body = deploy_body(cli, ref, &err);
  if (!body) return cli_fail(cli, &err);
  char *text = json_dumps(body, JSON_COMPACT);
  json_decref(body);
  client = NULL;
  if (client_path(path, &err, "/api/v1/models/%s/deploy", model) != OK ||
      client_new(&client, cli, &err) != OK ||
      client_call(client, "POST", path, slice_str(text), DEPLOY_SECONDS_MAX, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else
    rc = deploy_told(cli, client, model, answer.json);
  answer_free(&answer);
  client_free(client);
  ungrab(text);
  return rc;
}
