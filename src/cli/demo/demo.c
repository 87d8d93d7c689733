/* demo.c - `slipway demo`: a daemon of its own, two trained models, held-out rows predicted one by
 * one, accuracy and latency, three releases under load, and what to try next. Every step that is a
 * command is run as that command.
 * Thread: main (own). The daemon is a child process on a folder of its own, gone at the end.
 * SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/demo/demo_int.h"
#include "cli/out.h"
#include "stat/hist.h"

struct demo_model {
  const char *name, *input, *output, *what;
  uint32_t columns;
};

static const struct demo_model models[] = {
    {"digits", "pixels", "probabilities", "handwritten digits, 8 x 8 pixels, an ONNX network", 64},
    {"wine", "measurements", "probabilities", "wine cultivars, 13 measurements, engine 'linear'",
     13},
};

/* ---- the steps */

enum code demo_step(struct demo *demo, struct err *err, const char *name,
                    const char *const *words)
{
  char *argv[ARGS_WORDS_MAX + ARGS_OPTS_MAX];
  int argc = 0;
  printf("\n$ slipway %s", name);
  for (; words[argc]; argc++) {
    argv[argc] = (char *)(uintptr_t)words[argc];
    printf(strchr(words[argc], ' ') ? " '%s'" : " %s", words[argc]);
  }
  argv[argc] = NULL;
  printf("\n");
  fflush(stdout);
  int rc = cli_run(demo->cli->version, name, argc, argv);
  return rc == 0 ? OK : fail(err, E_INTERNAL, "'slipway %s' failed with exit code %d", name, rc);
}

struct score {
  uint32_t rows, right;
  struct hist us;
  int64_t began_us;
};

/* One CSV row: the numbers as they are, the class after the last comma. */
static bool row_body(const struct demo_model *model, char *line, struct buf *body, long *want)
{
  char *comma = strrchr(line, ',');
  if (!comma) return false;
  char *end;
  *want = strtol(comma + 1, &end, 10);
  if (end == comma + 1) return false;
  *comma = '\0';
  buf_reset(body);
  buf_print(body,
            "{\"inputs\":[{\"name\":\"%s\",\"datatype\":\"FP32\",\"shape\":[1,%u],\"data\":[%s]}],"
            "\"outputs\":[{\"name\":\"%s\",\"parameters\":{\"classification\":1}}]}",
            model->input, model->columns, line, model->output);
  return !body->full;
}

/* The class of "0.98:3:three". */
static long answer_class(const json_t *json)
{
  const json_t *output = json_array_get(json_object_get(json, "outputs"), 0);
  const char *text = json_string_value(json_array_get(json_object_get(output, "data"), 0));
  const char *colon = text ? strchr(text, ':') : NULL;
  return colon ? strtol(colon + 1, NULL, 10) : -1;
}

static enum code row_predict(struct client *client, const char *path, struct slice body, long want,
                             struct score *score, struct err *err)
{
  struct answer answer;
  int64_t began_us = clock_us();
  enum code code = client_call(client, "POST", path, body, 10, &answer, err);
  if (code == OK) {
    hist_add(&score->us, (uint64_t)(clock_us() - began_us));
    score->rows++;
    score->right += answer_class(answer.json) == want;
  }
  answer_free(&answer);
  return code;
}

static void score_print(const struct demo_model *model, const struct score *score)
{
  char p50[OUT_NUMBER_MAX], p99[OUT_NUMBER_MAX];
  printf("\n  %s: %s\n", model->name, model->what);
  printf("  %u held-out rows, %u right: accuracy %.4f\n", score->rows, score->right,
         (double)score->right / (double)score->rows);
  printf("  one row a request over HTTP: p50 under %s, p99 under %s\n",
         out_us(hist_quantile(&score->us, 0.5), p50), out_us(hist_quantile(&score->us, 0.99), p99));
}

static enum code model_score(struct demo *demo, struct client *client,
                             const struct demo_model *model, struct err *err)
{
  char file_path[DEMO_PATH_MAX + 64], path[CLIENT_PATH_MAX], line[DEMO_LINE_MAX];
  snprintf(file_path, sizeof file_path, "%s/%s/held-out.csv", demo->examples, model->name);
  FILE *file = fopen(file_path, "re");
  if (!file) return fail(err, E_NOT_FOUND, "the demo's rows '%s' are not there", file_path);
  enum code code = client_path(path, err, "/v2/models/%s/infer", model->name);
  struct score score = {.rows = 0};
  struct buf body;
  buf_init(&body, 64 << 10);
  bool head = true;
  while (code == OK && fgets(line, sizeof line, file)) {
    long want;
    if (head) head = false;
    else if (!row_body(model, line, &body, &want))
      code = fail(err, E_INVALID_ARGUMENT, "row %u of '%s' is no row", score.rows + 1, file_path);
    else code = row_predict(client, path, buf_lend(&body), want, &score, err);
    if (demo->terminal && score.rows % 20 == 0) printf("\r  %u rows", score.rows), fflush(stdout);
  }
  buf_deinit(&body);
  fclose(file);
  if (demo->terminal) printf("\r");
  if (code == OK) score_print(model, &score);
  return code;
}

static enum code step(struct demo *demo, struct err *err, const char *name, const char *a,
                      const char *b)
{
  const char *const words[] = {a, b, NULL};
  return demo_step(demo, err, name, words);
}

static void hints_print(const struct demo *demo)
{
  printf("\nTry it%s:\n\n"
         "  curl -s %s/v2/models/wine/infer -d '{\"inputs\":[{\"name\":\"measurements\","
         "\"datatype\":\"FP32\",\"shape\":[1,13],\n    \"data\":[13.2,1.78,2.14,11.2,100,2.65,2.76,"
         "0.26,1.28,4.38,1.05,3.4,1050]}]}'\n"
         "  curl -s %s/v2/models/digits\n"
         "  curl -s %s/v2/models/digits/stats\n"
         "  curl -s %s/metrics | grep slipway_request\n\n"
         "  from tritonclient.http import InferenceServerClient\n"
         "  print(InferenceServerClient(\"%s\").get_model_metadata(\"digits\"))\n\n",
         demo->terminal ? ", from another terminal" : " (in a terminal the demo goes on serving)",
         demo->url, demo->url, demo->url, demo->url, demo->url + strlen("http://"));
}

static void interrupt_await(const struct demo *demo)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  int signal;
  printf("Serving on %s until Ctrl-C.\n", demo->url);
  fflush(stdout);
  sigwait(&set, &signal);
  printf("\n");
}

/* ---- the story */

static enum code story(struct demo *demo, struct client *client, struct err *err)
{
  printf("slipway %s: a server on %s, its data in %s\n", demo->cli->version, demo->url,
         demo->own.data);
  if (own_await(&demo->own, client, err)) return err->code;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    char path[DEMO_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s/model", demo->examples, models[i].name);
    if (step(demo, err, "push", models[i].name, path)) return err->code;
    if (step(demo, err, "deploy", models[i].name, "--wait")) return err->code;
  }
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    if (model_score(demo, client, &models[i], err)) return err->code;
  demo->first_ms = clock_wall_ms();
  if (demo_releases(demo, client, err)) return err->code;
  if (demo_tenants(demo, client, err)) return err->code;
  if (step(demo, err, "status", models[0].name, NULL)) return err->code;
  if (step(demo, err, "history", models[0].name, NULL)) return err->code;
  hints_print(demo);
  if (demo->terminal) interrupt_await(demo);
  return OK;
}

/* --examples, ./examples, or beside the checkout the program was built in. */
static enum code examples_find(struct demo *demo, struct err *err)
{
  const char *given = args_text(&demo->cli->args, "examples");
  char exe[DEMO_PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  exe[n > 0 ? n : 0] = '\0';
  for (int up = 0; up < 3; up++) {
    char *slash = strrchr(exe, '/');
    if (slash) *slash = '\0';
  }
  char beside[DEMO_PATH_MAX + 16];
  snprintf(beside, sizeof beside, "%s/examples", exe);
  const char *candidates[] = {given ? given : "examples", given ? NULL : beside};
  for (int i = 0; i < 2 && candidates[i]; i++) {
    char probe[DEMO_PATH_MAX + 64];
    snprintf(probe, sizeof probe, "%s/digits/held-out.csv", candidates[i]);
    if (access(probe, R_OK) == 0 &&
        slice_to_str(slice_str(candidates[i]), demo->examples, sizeof demo->examples))
      return OK;
  }
  return fail(err, E_NOT_FOUND,
              "the demo's models are not here; run it from a checkout or say --examples DIR");
}

int command_demo(struct cli *cli)
{
  static const struct opt opts[] = {
      {"listen", 0, OPT_TEXT, "HOST:PORT", "where the server listens [127.0.0.1:8080]"},
      {"examples", 0, OPT_TEXT, "DIR", "where the trained models are [./examples]"},
      {.name = NULL}};
  int rc;
  if (!cli_args(cli, opts, 0, 0, &rc)) return rc;
  struct demo demo = {.cli = cli, .terminal = out_is_terminal()};
  const char *listen = args_text(&cli->args, "listen");
  if (!listen) listen = "127.0.0.1:8080";
  snprintf(demo.url, sizeof demo.url, "http://%s", listen);
  setenv("SLIPWAY_URL", demo.url, 1);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  struct err err = {.code = OK};
  struct client *client = NULL;
  if (examples_find(&demo, &err) == OK && own_start(&demo.own, "demo", listen, &err) == OK) {
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (client_new(&client, cli, &err) == OK && story(&demo, client, &err) == OK) rc = 0;
    client_free(client);
  }
  own_end(&demo.own);
  return err.code ? cli_fail(cli, &err) : 0;
}
