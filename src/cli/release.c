/* release.c - `slipway rollback`, `slipway release list|show|replay`.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/release/picture.h"
#include "cli/release/replay.h"

enum { CANDIDATES_MAX = 128 };

/* ---- rollback ---- */

int command_rollback(struct cli *cli)
{
  static const struct opt opts[] = {
      {"to", 0, OPT_COUNT, "V", "which version; else the one that answered before"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct answer answer;
  char path[CLIENT_PATH_MAX];
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  if (client_path(path, &err, "/api/v1/models/%s/rollback", cli->args.words[0]) != OK)
    return cli_fail(cli, &err);
  json_t *body = json_pack("{sb}", "wait", 1);
  uint64_t to = args_count(&cli->args, "to");
  if (to) json_object_set_new(body, "to", json_integer((json_int_t)to));
  rc = client_once(cli, "POST", path, body, &answer);
  if (rc == 0 && cli->args.json)
    out_json(answer.json);
  else if (rc == 0)
    printf(strcmp(get_str(answer.json, "state"), "READY") == 0
               ? "%s is back on version %llu\n"
               : "%s goes back to version %llu; see: slipway status %s\n",
           get_str(answer.json, "model"), (unsigned long long)get_u64(answer.json, "version"),
           cli->args.words[0]);
  answer_free(&answer);
  return rc;
}

/* ---- list ---- */

/* "2, 3": the candidates' versions, and of several the one that was chosen. */
static const char *candidates(const json_t *release, char to[CANDIDATES_MAX])
{
  const json_t *arms = json_object_get(release, "arms"), *arm;
  const json_t *chosen = json_object_get(release, "chosen_version");
  size_t i, len = 0;
  to[0] = '\0';
  json_array_foreach(arms, i, arm)
  {
    if (strcmp(get_str(arm, "arm"), "stable") == 0) continue;
    len += (size_t)snprintf(to + len, CANDIDATES_MAX - len, "%s%llu", len ? ", " : "",
                            (unsigned long long)get_u64(arm, "version"));
  }
  if (!len) /* a server from before arms were told */
    snprintf(to, CANDIDATES_MAX, "%llu", (unsigned long long)get_u64(release, "version"));
  if (json_array_size(arms) > 2 && json_is_integer(chosen))
    snprintf(to + len, CANDIDATES_MAX - len, ": %llu chosen",
             (unsigned long long)json_integer_value(chosen));
  return to;
}

static void releases_print(const json_t *releases)
{
  static const char *const heads[] = {"RELEASE", ">VERSION", ">AGAINST", "STRATEGY", "STATE",
                                      "STARTED", "VERDICT",  "WHY",      NULL};
  struct table table;
  char text[OUT_NUMBER_MAX], versions[CANDIDATES_MAX];
  size_t i;
  json_t *row;
  table_init(&table, heads);
  json_array_foreach(releases, i, row)
  {
    const char *why = get_str(row, "sentence"), *note = get_str(row, "note");
    bool person = strcmp(get_str(row, "why"), "person") == 0;
    if (!why[0]) why = get_str(row, "why");
    table_add(&table, "%s/%llu", get_str(row, "model"),
              (unsigned long long)get_u64(row, "release"));
    table_add(&table, "%s", candidates(row, versions));
    table_add_json(&table, json_object_get(row, "stable"));
    table_add_json(&table, json_object_get(row, "strategy"));
    table_add_json(&table, json_object_get(row, "state"));
    table_add(&table, "%s", out_time(json_object_get(row, "started_at"), text));
    table_add_json(&table, json_object_get(row, "verdict"));
    if (person)
      table_add(&table, "by %s%s%s", get_str(row, "moved_by"), note[0] ? ": " : "", note);
    else
      table_add(&table, "%s", why[0] ? why : "-");
  }
  table_print(&table);
  table_deinit(&table);
}

static int releases_list(const struct cli *cli, const char *model)
{
  struct err err;
  struct answer answer;
  char path[CLIENT_PATH_MAX] = "/api/v1/releases";
  uint64_t limit = args_count(&cli->args, "limit");
  if (model && client_path(path, &err, "/api/v1/releases?model=%s", model) != OK)
    return cli_fail(cli, &err);
  size_t len = strlen(path);
  snprintf(path + len, sizeof path - len, "%climit=%llu", model ? '&' : '?',
           (unsigned long long)(limit ? limit : 20));
  const char *state = args_text(&cli->args, "state");
  if (state) {
    char part[CLIENT_PATH_MAX];
    if (client_path(part, &err, "&state=%s", state) != OK) return cli_fail(cli, &err);
    len = strlen(path);
    snprintf(path + len, sizeof path - len, "%s", part);
  }
  int rc = client_once(cli, "GET", path, NULL, &answer);
  const json_t *list = json_object_get(answer.json, "releases");
  if (rc == 0 && cli->args.json)
    out_json(answer.json);
  else if (rc == 0 && json_array_size(list))
    releases_print(list);
  else if (rc == 0)
    printf("no release%s yet; begin one with: slipway deploy MODEL@V --strategy canary\n",
           model || state ? " like that" : "");
  answer_free(&answer);
  return rc;
}

/* ---- show ---- */

static void moves_print(const json_t *moves)
{
  static const char *const heads[] = {"WHEN", "WHO", "STATE", ">STEP", "WHY", "SENTENCE", NULL};
  struct table table;
  char text[OUT_NUMBER_MAX];
  size_t i;
  json_t *move;
  table_init(&table, heads);
  json_array_foreach(moves, i, move)
  {
    const char *sentence = get_str(move, "note"); /* a person's own words first */
    bool person = strcmp(get_str(move, "why"), "person") == 0;
    if (!sentence[0] && !person)
      sentence = get_str(json_object_get(move, "verdict"), "sentence");
    table_add(&table, "%s", out_time(json_object_get(move, "at"), text));
    table_add(&table, "%s", get_who(move));
    table_add_json(&table, json_object_get(move, "state"));
    table_add(&table, "%llu", (unsigned long long)get_u64(move, "step") + 1);
    table_add_json(&table, json_object_get(move, "why"));
    table_add(&table, "%s", sentence[0] ? sentence : "-");
  }
  table_print(&table);
  table_deinit(&table);
}

/* Of a test of several: who is who, and who went on. */
static void arms_print(const json_t *release)
{
  static const char *const heads[] = {"ARM", "CALLED", ">VERSION", "", NULL};
  const json_t *arms = json_object_get(release, "arms"), *arm;
  const char *chosen = get_str(release, "chosen");
  struct table table;
  size_t i;
  if (json_array_size(arms) < 3) return;
  table_init(&table, heads);
  json_array_foreach(arms, i, arm)
  {
    table_add_json(&table, json_object_get(arm, "arm"));
    table_add_json(&table, json_object_get(arm, "name"));
    table_add(&table, "%llu", (unsigned long long)get_u64(arm, "version"));
    table_add(&table, "%s", strcmp(chosen, get_str(arm, "arm")) == 0 ? "chosen" : "-");
  }
  putchar('\n');
  table_print(&table);
  table_deinit(&table);
}

static void release_print(const json_t *release)
{
  const json_t *moves = json_object_get(release, "moves"), *approval;
  size_t i, n = json_array_size(moves);
  char text[OUT_NUMBER_MAX], versions[CANDIDATES_MAX];
  bool several = json_array_size(json_object_get(release, "arms")) > 2;
  printf("release %s/%llu: version%s %s against %llu, %s, ", get_str(release, "model"),
         (unsigned long long)get_u64(release, "release"), several ? "s" : "",
         candidates(release, versions),
         (unsigned long long)get_u64(release, "stable"), get_str(release, "strategy"));
  out_state(get_str(release, "state"));
  printf("\nstarted %s by %s\n", out_time(json_object_get(release, "started_at"), text),
         get_str(release, "started_by"));
  json_array_foreach(json_object_get(release, "approvals"), i, approval)
    printf("approved %s by %s\n", out_time(json_object_get(approval, "at"), text),
           get_str(approval, "who"));
  arms_print(release);
  if (n) putchar('\n'), moves_print(moves);
  for (i = n; i-- > 0;) {
    const json_t *verdict = json_object_get(json_array_get(moves, i), "verdict");
    if (!json_array_size(json_object_get(verdict, "gates"))) continue;
    printf("\nthe last verdict:\n");
    picture_gates(verdict, false);
    break;
  }
}

/* "fraud/17" to the path of that release. */
static enum code release_path(char path[CLIENT_PATH_MAX], const char *word, struct err *err)
{
  char model[MODEL_WORD_MAX];
  uint64_t number;
  const char *slash = strrchr(word, '/');
  if (!slash || !slice_to_str(slice_of(word, (size_t)(slash - word)), model, sizeof model) ||
      !text_read_u64(slice_str(slash + 1), UINT32_MAX, &number) || !number)
    return fail(err, E_INVALID_ARGUMENT,
                "'%.64s' is not a release; they are called like fraud/17: slipway release list",
                word);
  if (client_path(path, err, "/api/v1/releases/%s", model) != OK) return err->code;
  size_t len = strlen(path);
  snprintf(path + len, CLIENT_PATH_MAX - len, "/%llu", (unsigned long long)number);
  return OK;
}

static int release_show(const struct cli *cli, const char *path)
{
  struct answer answer;
  int rc = client_once(cli, "GET", path, NULL, &answer);
  if (rc == 0 && cli->args.json)
    out_json(answer.json);
  else if (rc == 0)
    release_print(answer.json);
  answer_free(&answer);
  return rc;
}

/* A line for each look, to a file perhaps: the simulator reads it. */
static int release_looks(const struct cli *cli, const char *path)
{
  struct err err;
  struct client *client;
  uint64_t next = 0;
  int rc = 0;
  bool more = true;
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  while (more && rc == 0) {
    char page[CLIENT_PATH_MAX + 48];
    struct answer answer = {0};
    size_t i;
    json_t *look;
    snprintf(page, sizeof page, "%s/looks?from=%llu", path, (unsigned long long)next);
    if (client_call(client, "GET", page, SLICE_NONE, 0, &answer, &err) != OK)
      rc = cli_fail(cli, &err);
    json_array_foreach(json_object_get(answer.json, "looks"), i, look) out_json(look);
    more = json_is_integer(json_object_get(answer.json, "next"));
    next = get_u64(answer.json, "next");
    answer_free(&answer);
  }
  client_free(client);
  return rc;
}

int command_release(struct cli *cli)
{
  static const struct opt opts[] = {
      {"state", 0, OPT_TEXT, "STATE", "list: only these, like rolled_back"},
      {"limit", 0, OPT_COUNT, "N", "list: how many [20]"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  char path[CLIENT_PATH_MAX];
  int rc;
  if (!cli_args(cli, opts, 1, 2, &rc)) return rc;
  const char *verb = cli->args.words[0], *what = cli->args.n_words > 1 ? cli->args.words[1] : NULL;
  if (strcmp(verb, "list") == 0) return releases_list(cli, what);
  bool show = strcmp(verb, "show") == 0, replay = strcmp(verb, "replay") == 0;
  if (!show && !replay && strcmp(verb, "looks") != 0)
    fail(&err, E_INVALID_ARGUMENT, "'%.32s' is none of list, show, replay, looks", verb);
  else if (!what)
    fail(&err, E_INVALID_ARGUMENT, "which release? like: slipway release %s fraud/17", verb);
  else if (release_path(path, what, &err) == OK)
    return show     ? release_show(cli, path)
           : replay ? replay_release(cli, path, what)
                    : release_looks(cli, path);
  return cli_fail(cli, &err);
}
