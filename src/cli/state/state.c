/* state.c - `slipway plan` and `slipway apply`: what tenants are to be like, in files under version
 * control; the difference shown, and made so.
 * Thread: main (own).
 * --export goes the other way (export.c).
 * Exit 0: nothing differs, or it was applied; 8: plan found a difference, or what was applied did
 * not come to serve; 2: the files are wrong. Apply names the plan it showed, so it does that or
 * nothing; releases are begun after it, and are judged as any other.
 * SPDX-License-Identifier: MIT */
#include "cli/state/state.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/file.h"
#include "cli/out.h"

enum { APPLY_SECONDS = 7200, SERVE_SECONDS = 180, POLL_MS = 200, PLAN_FILE_MAX = 256 << 10 };

struct work {
  const struct cli *cli;
  struct client *client;
  struct declaration declaration;
  char own[TENANT_MAX]; /* whom the caller acts for */
  bool prune, wait;
  json_t *told; /* for --json: a plan each */
  struct err err;
};

static enum code post(struct work *work, struct client *client, const char *path, struct slice body,
                      long seconds, json_t **to)
{
  struct answer answer = {0};
  enum code code = client_call(client, "POST", path, body, seconds, &answer, &work->err);
  *to = code ? NULL : json_incref(answer.json);
  answer_free(&answer);
  return code;
}

/* ---- plan ---- */

static enum code wish_plan(struct work *work, const struct wish *wish, json_t **plan)
{
  struct arena arena;
  struct slice body;
  *plan = NULL;
  arena_init(&arena, DECLARATION_BYTES_MAX, NULL);
  if (wish_write(wish, &arena, true, work->prune, NULL, &body, &work->err) == OK &&
      post(work, work->client, "/api/v1/state/plan", body, 0, plan) != OK)
    wish_place(wish, &work->err);
  arena_deinit(&arena);
  return *plan ? OK : work->err.code;
}

/* All of them before anything is changed; the trees are in work->told. */
static enum code all_plan(struct work *work)
{
  for (uint32_t i = 0; i < work->declaration.n_wishes; i++) {
    json_t *plan;
    if (wish_plan(work, &work->declaration.wishes[i], &plan)) return work->err.code;
    json_array_append_new(work->told, plan);
  }
  return OK;
}

static size_t changes_of(const json_t *plan)
{
  return json_array_size(json_object_get(plan, "changes"));
}

static size_t all_show(const struct work *work)
{
  const json_t *plan;
  size_t i, n = 0;
  json_array_foreach(work->told, i, plan)
  {
    if (!work->cli->args.json) changes_print(plan);
    n += changes_of(plan);
  }
  return n;
}

/* ---- apply: one tenant ---- */

static bool says(const json_t *plan, const char *what)
{
  const json_t *change;
  size_t i;
  json_array_foreach(json_object_get(plan, "changes"), i, change)
    if (strcmp(get_str(change, "what"), what) == 0) return true;
  return false;
}

static enum code wish_apply(struct work *work, const struct wish *wish, bool whole,
                            const char *digest, json_t **applied)
{
  struct arena arena;
  struct slice body;
  *applied = NULL;
  arena_init(&arena, DECLARATION_BYTES_MAX, NULL);
  client_waits(work->client, "new versions are loaded and tried");
  if (wish_write(wish, &arena, whole, work->prune, digest, &body, &work->err) == OK &&
      post(work, work->client, "/api/v1/state/apply", body, APPLY_SECONDS, applied) != OK)
    wish_place(wish, &work->err);
  client_waits(work->client, NULL);
  arena_deinit(&arena);
  return *applied ? OK : work->err.code;
}

/* Acts for that tenant. */
static enum code tenant_client(struct work *work, const struct wish *wish, struct client **to)
{
  char name[TENANT_MAX];
  struct settings settings;
  *to = NULL;
  if (!slice_to_str(wish->tenant, name, sizeof name))
    return fail(&work->err, E_BAD_NAME, "'%.*s' is no tenant's name", SLICE_ARG(wish->tenant));
  const char *other = strcmp(name, work->own) == 0 ? work->cli->args.tenant : name;
  if (settings_read(&settings, work->cli->args.url, other, &work->err)) return work->err.code;
  enum code code = client_new_with(to, &settings, &work->err);
  settings_wipe(&settings);
  return code;
}

static bool is_missing(const json_t *plan, const char *sha256)
{
  const json_t *digest;
  size_t i;
  json_array_foreach(json_object_get(plan, "uploads"), i, digest)
    if (strcmp(json_string_value(digest), sha256) == 0) return true;
  return false;
}

static enum code files_send(struct work *work, const struct wish *wish, struct client *client,
                            const json_t *plan)
{
  for (uint32_t i = 0; i < wish->models.n; i++) {
    struct model_files *files = &wish->models.at[i].files;
    for (uint32_t k = 0; k < files->n; k++)
      if (is_missing(plan, files->at[k].sha256) &&
          model_file_send(client, files, &files->at[k], &work->err))
        return work->err.code;
  }
  return OK;
}

/* ---- apply: what comes to serve ---- */

static enum code plan_file_read(struct work *work, const char *path, json_t **to)
{
  struct buf text;
  FILE *file = fopen(path, "rbe");
  if (!file)
    return fail(&work->err, E_NOT_FOUND, "cannot read '%.100s': %s", path, strerror(errno));
  buf_init(&text, PLAN_FILE_MAX);
  bool good = file_drain(file, &text);
  *to = !good || text.full ? NULL : json_stringn(text.at ? text.at : "", text.len);
  buf_deinit(&text);
  if (*to) return OK;
  return fail(&work->err, E_BAD_CONFIG, "'%.100s' is no plan: not UTF-8, or over %d KiB", path,
              PLAN_FILE_MAX >> 10);
}

static enum code release_begin(struct work *work, const struct wish *wish, struct client *client,
                               const json_t *change)
{
  const char *model = get_str(change, "model");
  const struct item *item = wish_model(wish, model);
  struct slice strategy, plan;
  char path[CLIENT_PATH_MAX];
  json_t *text = NULL, *answer = NULL;
  uint64_t version = strtoull(get_str(change, "to"), NULL, 10);
  if (!item || client_path(path, &work->err, "/api/v1/models/%s/deploy", model))
    return work->err.code;
  wish_release(item, &work->declaration.arena, &strategy, &plan);
  if (plan.at && plan_file_read(work, plan.at, &text)) return work->err.code;
  json_t *body = json_pack("{s:s%,s:I,s:o*}", "strategy", strategy.at, strategy.len, "version",
                           (json_int_t)version, "plan", text);
  char *body_text = json_dumps(body, JSON_COMPACT);
  json_decref(body);
  enum code code = post(work, client, path, slice_str(body_text), APPLY_SECONDS, &answer);
  ungrab(body_text);
  if (code == OK && !work->cli->args.json)
    printf("%s release %llu of version %llu has begun; watch it with: slipway status %s\n", model,
           (unsigned long long)get_u64(answer, "release"), (unsigned long long)version, model);
  json_decref(answer);
  return code;
}

/* Until the version serves or was refused. */
static enum code served(struct work *work, struct client *client, const json_t *change)
{
  const char *model = get_str(change, "model");
  const uint64_t version = strtoull(get_str(change, "to"), NULL, 10);
  const int64_t end_us = clock_us() + (int64_t)SERVE_SECONDS * 1000000;
  char path[CLIENT_PATH_MAX], at[CLIENT_PATH_MAX];
  if (client_path(path, &work->err, "/api/v1/models/%s", model)) return work->err.code;
  snprintf(at, sizeof at, "%.900s/versions/%llu", path, (unsigned long long)version);
  for (;;) {
    struct answer answer = {0}, state = {0};
    enum code code = client_call(client, "GET", path, SLICE_NONE, 0, &answer, &work->err);
    if (!code) code = client_call(client, "GET", at, SLICE_NONE, 0, &state, &work->err);
    bool serves = !code && get_u64(answer.json, "serving") == version;
    bool refused = !code && !serves && strcmp(get_str(state.json, "state"), "FAILED") == 0;
    if (refused)
      code = fail(&work->err, E_MODEL_LOAD_FAILED, "%s version %llu was refused: %.150s", model,
                  (unsigned long long)version, get_str(state.json, "reason"));
    answer_free(&answer);
    answer_free(&state);
    if (serves && !work->cli->args.json)
      printf("%s version %llu serves\n", model, (unsigned long long)version);
    if (code || serves) return code;
    if (clock_us() > end_us)
      return fail(&work->err, E_DEADLINE_EXCEEDED,
                  "%s version %llu does not serve after %d s; see: slipway status %s", model,
                  (unsigned long long)version, SERVE_SECONDS, model);
    poll(NULL, 0, POLL_MS);
  }
}

static enum code changes_follow(struct work *work, const struct wish *wish, struct client *client,
                                const json_t *plan)
{
  const json_t *change;
  size_t i;
  json_array_foreach(json_object_get(plan, "changes"), i, change)
  {
    const char *what = get_str(change, "what");
    if (strcmp(what, "release") == 0 && release_begin(work, wish, client, change))
      return work->err.code;
    if (strcmp(what, "deploy") == 0 && work->wait && served(work, client, change))
      return work->err.code;
  }
  return OK;
}

/* A tenant that is to be made is made first: only then can its files be uploaded. */
static enum code tenant_make(struct work *work, const struct wish *wish, json_t **plan)
{
  json_t *applied;
  if (wish_apply(work, wish, false, NULL, &applied)) return work->err.code;
  json_decref(applied);
  json_decref(*plan);
  return wish_plan(work, wish, plan);
}

static enum code wish_do(struct work *work, const struct wish *wish, json_t *shown)
{
  struct client *client;
  json_t *plan = json_incref(shown), *applied = NULL;
  enum code code = tenant_client(work, wish, &client);
  if (!code && says(plan, "tenant")) code = tenant_make(work, wish, &plan);
  if (!code) code = files_send(work, wish, client, plan);
  if (!code) code = wish_apply(work, wish, true, get_str(plan, "plan"), &applied);
  if (!code) {
    json_object_set(shown, "applied", json_true());
    json_object_set(shown, "seq", json_object_get(applied, "seq"));
    if (!work->cli->args.json)
      printf("%s: applied, %zu change%s\n", get_str(shown, "tenant"), changes_of(shown),
             changes_of(shown) == 1 ? "" : "s");
    code = changes_follow(work, wish, client, plan);
  }
  client_free(client);
  json_decref(applied);
  json_decref(plan);
  return code;
}

/* ---- both ---- */

static enum code work_begin(struct work *work)
{
  struct answer answer = {0};
  const struct cli *cli = work->cli;
  enum code code = client_new(&work->client, cli, &work->err);
  if (!code)
    code = client_call(work->client, "GET", "/api/v1/whoami", SLICE_NONE, 0, &answer, &work->err);
  if (!code) snprintf(work->own, sizeof work->own, "%s", get_str(answer.json, "tenant"));
  answer_free(&answer);
  if (!code)
    code = declaration_read(&work->declaration, cli->args.words[0], slice_str(work->own),
                            &work->err);
  if (!code) code = declaration_hash(&work->declaration, &work->err);
  return code ? code : all_plan(work);
}

static int work_end(struct work *work, int rc)
{
  if (work->cli->args.json && work->err.code == OK) {
    json_t *all = json_pack("{sO}", "tenants", work->told);
    out_json(all);
    json_decref(all);
  }
  if (work->err.code != OK) rc = cli_fail(work->cli, &work->err);
  if (work->declaration.docs) declaration_deinit(&work->declaration);
  json_decref(work->told);
  client_free(work->client);
  return rc;
}

#define PRUNE_OPT \
  {"prune", 0, OPT_SWITCH, NULL, "remove what a section of the files does not name"}

/* False: the flags say what is to be done instead, with the exit code. */
static bool work_open(struct work *work, struct cli *cli, const struct opt *opts, uint32_t words,
                      int *rc)
{
  *work = (struct work){.cli = cli};
  if (!cli_args(cli, opts, words, 1, rc)) return false;
  work->prune = args_given(&cli->args, "prune");
  work->told = json_array();
  return true;
}

int command_plan(struct cli *cli)
{
  static const struct opt opts[] = {
      PRUNE_OPT,
      {"export", 0, OPT_SWITCH, NULL, "instead: print what the tenant is like, as such a file"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct work work;
  int rc = 0;
  if (!work_open(&work, cli, opts, 0, &rc)) return rc;
  bool export = args_given(&cli->args, "export");
  if (export == (cli->args.n_words == 1) || (export && work.prune)) {
    fail(&work.err, E_INVALID_ARGUMENT, "it is: slipway plan FILE or slipway plan DIR, with or "
                                        "without --prune; or slipway plan --export");
    return work_end(&work, rc);
  }
  if (export) {
    rc = state_export(cli);
    json_decref(work.told);
    return rc;
  }
  if (work_begin(&work) == OK && all_show(&work)) {
    if (!cli->args.json)
      printf("make it so with: slipway apply %s%s\n", cli->args.words[0],
             work.prune ? " --prune" : "");
    rc = 8;
  }
  return work_end(&work, rc);
}

int command_apply(struct cli *cli)
{
  static const struct opt opts[] = {
      PRUNE_OPT,
      {"no-wait", 0, OPT_SWITCH, NULL, "do not wait until what was deployed serves"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct work work;
  int rc = 0;
  if (!work_open(&work, cli, opts, 1, &rc)) return rc;
  work.wait = !args_given(&cli->args, "no-wait");
  if (work_begin(&work) != OK) return work_end(&work, rc);
  all_show(&work);
  fflush(stdout);
  for (uint32_t i = 0; i < work.declaration.n_wishes && work.err.code == OK; i++) {
    json_t *plan = json_array_get(work.told, i);
    if (changes_of(plan)) (void)!wish_do(&work, &work.declaration.wishes[i], plan);
  }
  return work_end(&work, rc);
}
