/* push.c - `slipway push MODEL PATH`: streams each file, then makes a version of them; and `slipway
 * check`, which does not.
 * Thread: main (own).
 * The version appears only when all files are there.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/bench/trial.h"
#include "cli/client.h"
#include "cli/load/own.h"
#include "cli/out.h"
#include "cli/registry/card.h"
#include "cli/registry/files.h"

enum { LOOK_SECONDS = 1300 }; /* longer than the daemon's --inspect-timeout can be, twice */

struct push {
  struct model_files files;
  const char *note, *engine;
  json_t *card; /* what else is said of the version; NULL: nothing */
};

static json_t *manifest_json(const struct push *push)
{
  json_t *body = json_object();
  json_object_set_new(body, "files", model_files_json(&push->files));
  if (push->note) json_object_set_new(body, "note", json_string(push->note));
  if (push->engine) json_object_set_new(body, "engine", json_string(push->engine));
  if (push->card) json_object_update(body, push->card);
  return body;
}

/* The files are looked at, by a process of the daemon's, before the answer comes. */
static enum code files_post(struct client *client, const struct push *push, const char *path,
                            struct answer *answer, struct err *err)
{
  json_t *body = manifest_json(push);
  char *text = json_dumps(body, JSON_COMPACT);
  json_decref(body);
  if (!text) return fail(err, E_INVALID_ARGUMENT, "a name or the note is not UTF-8");
  client_waits(client, "the model is loaded and tried");
  enum code code = client_call(client, "POST", path, slice_str(text), LOOK_SECONDS, answer, err);
  client_waits(client, NULL);
  ungrab(text);
  return code;
}

static enum code push_all(struct push *push, struct client *client, const char *path,
                          struct answer *answer, struct err *err)
{
  *answer = (struct answer){0};
  if (model_files_read(&push->files, err) != OK) return err->code;
  for (uint32_t i = 0; i < push->files.n; i++)
    if (model_file_send(client, &push->files, &push->files.at[i], err) != OK) return err->code;
  return files_post(client, push, path, answer, err);
}

int command_push(struct cli *cli)
{
  static const struct opt opts[] = {
      {"note", 0, OPT_TEXT, "TEXT", "what is new, for the history"},
      {"engine", 0, OPT_TEXT, "E", "what runs it: onnx, linear, echo; else guessed from the files"},
      CARD_OPTS,
      LINEAGE_OPTS,
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct client *client;
  struct answer answer;
  char path[CLIENT_PATH_MAX];
  int rc;
  if (!cli_args(cli, opts, 2, 2, &rc)) return rc;
  if (client_path(path, &err, "/api/v1/models/%s/versions", cli->args.words[0]) ||
      client_new(&client, cli, &err))
    return cli_fail(cli, &err);
  struct push push = {.files.path = cli->args.words[1],
                      .note = args_text(&cli->args, "note"),
                      .engine = args_text(&cli->args, "engine"),
                      .card = json_object()};
  rc = 0;
  answer = (struct answer){0};
  if (card_flags(&cli->args, true, push.card, &err) != OK ||
      push_all(&push, client, path, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(answer.json);
  else {
    const char *model = get_str(answer.json, "model");
    unsigned long long version = get_u64(answer.json, "version");
    printf("%s version %llu pushed; deploy it with: slipway deploy %s@%llu\n", model, version,
           model, version);
  }
  answer_free(&answer);
  client_free(client);
  model_files_deinit(&push.files);
  json_decref(push.card);
  return rc;
}

/* ---- check: the look alone ---- */

/* The newest version where none is named. */
static enum code version_check(struct client *client, const char *word, struct answer *answer,
                               struct err *err)
{
  char model[FILE_NAME_MAX], version[FILE_NAME_MAX], path[CLIENT_PATH_MAX];
  const char *at = strchr(word, '@');
  snprintf(model, sizeof model, "%.*s", at ? (int)(at - word) : (int)strlen(word), word);
  snprintf(version, sizeof version, "%s", at ? at + 1 : "");
  *answer = (struct answer){0};
  if (!at) {
    if (client_path(path, err, "/api/v1/models/%s/versions?limit=1", model) ||
        client_call(client, "GET", path, SLICE_NONE, 0, answer, err))
      return err->code;
    const json_t *newest = json_array_get(json_object_get(answer->json, "versions"), 0);
    snprintf(version, sizeof version, "%llu", (unsigned long long)get_u64(newest, "version"));
    answer_free(answer);
    *answer = (struct answer){0};
  }
  char half[CLIENT_PATH_MAX];
  if (client_path(half, err, "/api/v1/models/%s/versions/", model)) return err->code;
  snprintf(path, sizeof path, "%s", half);
  if (client_path(half, err, "%s/check", version)) return err->code;
  size_t len = strlen(path);
  snprintf(path + len, sizeof path - len, "%s", half);
  client_waits(client, "the model is loaded and tried");
  return client_call(client, "POST", path, SLICE("{}"), LOOK_SECONDS, answer, err);
}

static void check_print(const json_t *found)
{
  char memory[OUT_NUMBER_MAX], peak[OUT_NUMBER_MAX], load[OUT_NUMBER_MAX], run[OUT_NUMBER_MAX];
  uint64_t run_ns = get_u64(found, "run_ns"), golden = get_u64(found, "golden");
  printf("good: engine %s, %s of memory (%s at most), loaded in %s, ", get_str(found, "engine"),
         out_bytes(get_u64(found, "memory_bytes"), memory),
         out_bytes(get_u64(found, "memory_peak_bytes"), peak),
         out_us(get_u64(found, "load_us"), load));
  if (run_ns)
    printf("a run takes %s", out_us((run_ns + 999) / 1000, run));
  else
    printf("runs could not be timed with zeros");
  if (golden) printf(", %llu golden examples agree", (unsigned long long)golden);
  putchar('\n');
}

/* ---- check --load: the model under load ---- */

struct check { /* what a check holds on to */
  struct push push;
  struct own own;
  struct client *client;
  struct answer answer, deployed;
  struct trial_found *found; /* NULL: without a load test */
};

/* A server for the check alone, so that nothing else has to do with the files or the load. */
static enum code own_serve(struct cli *cli, struct check *check, struct err *err)
{
  if (own_start(&check->own, "check", NULL, err) != OK) return err->code;
  cli->args.url = check->own.url;
  cli->args.tenant = NULL;
  unsetenv("SLIPWAY_KEY");
  unsetenv("SLIPWAY_KEY_FILE");
  unsetenv("SLIPWAY_TENANT");
  if (client_new(&check->client, cli, err) != OK) return err->code;
  if (own_await(&check->own, check->client, err) != OK) return err->code;
  check->found->idle_bytes = trial_resident(check->client);
  return OK;
}

static enum code own_deploy(struct check *check, struct err *err)
{
  if (files_post(check->client, &check->push, "/api/v1/models/checked/versions", &check->deployed,
                 err) != OK)
    return err->code;
  answer_free(&check->deployed);
  check->deployed = (struct answer){0};
  struct slice body = SLICE("{\"version\":1,\"strategy\":\"now\",\"wait\":true}");
  return client_call(check->client, "POST", "/api/v1/models/checked/deploy", body, LOOK_SECONDS,
                     &check->deployed, err);
}

static enum code check_load(struct cli *cli, struct check *check, bool is_path, struct err *err)
{
  uint64_t objective = args_count(&cli->args, "objective"), span = args_count(&cli->args, "try");
  struct trial_opts opts = {
      .objective_us = 1000 * (int64_t)(objective ? objective : TRIAL_OBJECTIVE_MS),
      .try_us = 1000000 * (int64_t)(span ? span : TRIAL_TRY_S)};
  if (is_path && own_deploy(check, err) != OK) return err->code;
  fprintf(stderr, is_path ? "load test: on a server of its own on this machine, which shares its "
                            "cores with the load\n"
                          : "load test: on the server at %s, beside whatever else it answers\n",
          client_url(check->client));
  return trial_load(cli, is_path ? "checked" : cli->args.words[0], check->client, &opts,
                    check->found, err);
}

static void check_tell(const struct check *check, bool json)
{
  struct buf text;
  if (json) {
    if (check->found)
      json_object_set_new(check->answer.json, "load", trial_json(check->found));
    out_json(check->answer.json);
    return;
  }
  check_print(check->answer.json);
  if (!check->found) return;
  buf_init(&text, 1 << 16);
  trial_print(check->found, &text);
  fwrite(text.at, 1, text.len, stdout);
  buf_deinit(&text);
}

static enum code check_run(struct cli *cli, struct check *check, bool is_path, struct err *err)
{
  const char *word = check->push.files.path;
  enum code code = is_path && check->found ? own_serve(cli, check, err)
                                           : client_new(&check->client, cli, err);
  if (code == OK)
    code = is_path ? push_all(&check->push, check->client, "/api/v1/check", &check->answer, err)
                   : version_check(check->client, word, &check->answer, err);
  if (code == OK && check->found) code = check_load(cli, check, is_path, err);
  return code;
}

int command_check(struct cli *cli)
{
  static const struct opt opts[] = {
      {"engine", 0, OPT_TEXT, "E", "what runs it: onnx, linear, echo; else guessed from the files"},
      {"load", 0, OPT_SWITCH, NULL, "then load: what it can do, and what memory that takes; "
                                    "exit 8 when the objective is out of reach"},
      {"objective", 0, OPT_COUNT, "MS", "--load: what p99 is to keep within [50]"},
      {"try", 0, OPT_COUNT, "SECONDS", "--load: how long a rate is tried [2]"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err = {.code = OK};
  struct stat st;
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  struct check check = {.push = {.files.path = cli->args.words[0],
                                 .engine = args_text(&cli->args, "engine")}};
  static const char *const of_load[] = {"objective", "try"};
  for (int i = 0; i < 2 && !args_given(&cli->args, "load"); i++)
    if (args_given(&cli->args, of_load[i])) {
      (void)!fail(&err, E_INVALID_ARGUMENT, "--%s is of the load test: say --load, too",
                  of_load[i]);
      return cli_fail(cli, &err);
    }
  if (args_given(&cli->args, "load")) check.found = grab_zero(1, sizeof *check.found);
  bool is_path = strchr(check.push.files.path, '/') || stat(check.push.files.path, &st) == 0;
  if (check_run(cli, &check, is_path, &err) == OK) {
    check_tell(&check, cli->args.json);
    rc = check.found && check.found->knee <= 0 ? code_exit(E_MODEL_REJECTED) : 0;
  } else {
    rc = cli_fail(cli, &err);
  }
  answer_free(&check.answer);
  answer_free(&check.deployed);
  if (check.client) client_free(check.client);
  own_end(&check.own);
  model_files_deinit(&check.push.files);
  ungrab(check.found);
  return rc;
}
