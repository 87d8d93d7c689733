/* history.c - `slipway history MODEL`: who changed what, newest first.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/out.h"
#include "wire/yaml.h"

/* What a change of a card or an alias was about: "champion", "run=nightly/812 tags.team=fraud". */
static void subject_add(struct buf *to, const json_t *event)
{
  const json_t *card = json_object_get(event, "card");
  const char *name, *tag, *alias = get_str(event, "alias"), *quotas = get_str(event, "quotas");
  json_t *value, *text;
  if (alias[0]) buf_print(to, " %s", alias);
  json_object_foreach((json_t *)(uintptr_t)card, name, value)
  {
    if (json_is_string(value))
      buf_print(to, " %s=%s", name, json_string_value(value));
    else if (json_is_integer(value))
      buf_print(to, " %s=%lld", name, (long long)json_integer_value(value));
    json_object_foreach(value, tag, text)
        buf_print(to, " %s.%s=%s", name, tag, json_is_string(text) ? json_string_value(text) : "");
  }
  if (get_str(event, "hold")[0]) buf_print(to, " hold=%s", get_str(event, "hold"));
  if (quotas[0]) buf_print(to, " %s", quotas);
}

static void events_print(const json_t *events)
{
  static const char *const heads[] = {">SEQ", "WHEN", "WHO", "WHAT", ">VERSION", "WHY", NULL};
  struct table table;
  char text[OUT_NUMBER_MAX];
  size_t i;
  json_t *event;
  struct buf what;
  buf_init(&what, 64 << 10);
  table_init(&table, heads);
  json_array_foreach(events, i, event)
  {
    const char *why = get_str(event, "reason");
    if (!why[0]) why = get_str(event, "note");
    if (!why[0]) why = get_str(event, "why");
    table_add_json(&table, json_object_get(event, "seq"));
    table_add(&table, "%s", out_time(json_object_get(event, "at"), text));
    table_add(&table, "%s", get_who(event));
    if (get_str(event, "state")[0])
      table_add(&table, "release %llu %s", (unsigned long long)get_u64(event, "release"),
                get_str(event, "state"));
    else {
      buf_reset(&what);
      buf_print(&what, "%s", get_str(event, "what"));
      subject_add(&what, event);
      table_add(&table, "%.*s", (int)what.len, what.at);
    }
    table_add_json(&table, json_object_get(event, "version"));
    table_add(&table, "%s", why[0] ? why : "-");
  }
  table_print(&table);
  table_deinit(&table);
  buf_deinit(&what);
}

/* "2026-01-31 18:00:00: digits was answered by version 2; release 17 ran beside it". */
static void then_print(const json_t *then)
{
  const json_t *release = json_object_get(then, "release");
  const char *model = get_str(then, "model"), *traffic = get_str(release, "traffic");
  char text[OUT_NUMBER_MAX];
  printf("%s: ", out_time(json_object_get(then, "at"), text));
  if (!json_is_integer(json_object_get(then, "serving"))) {
    printf("no version of %s answered\n", model);
    return;
  }
  printf("%s was answered by version %llu\n", model,
         (unsigned long long)get_u64(then, "serving"));
  if (release && !json_is_null(release))
    printf("release %llu of version %llu was %s, step %llu%s%s\n",
           (unsigned long long)get_u64(release, "release"),
           (unsigned long long)get_u64(release, "candidate"), get_str(release, "state"),
           (unsigned long long)get_u64(release, "step") + 1, traffic[0] ? ": " : "", traffic);
  printf("since %s by %s: %s\n", out_time(json_object_get(then, "since"), text),
         get_str(then, "who"), get_str(then, "why")[0] ? get_str(then, "why")
                                                      : get_str(then, "what"));
}

/* "digits@champion was version 2 then, since ... by ann". */
static void alias_print(const json_t *then)
{
  char text[OUT_NUMBER_MAX];
  printf("%s: %s@%s ", out_time(json_object_get(then, "at"), text), get_str(then, "model"),
         get_str(then, "alias"));
  if (json_is_integer(json_object_get(then, "version")))
    printf("was version %llu, since %s by %s\n", (unsigned long long)get_u64(then, "version"),
           out_time(json_object_get(then, "since"), text), get_str(then, "who"));
  else
    printf("did not point at a version\n");
}

/* A time as it was said, or how long ago: "2h". */
static enum code at_read(const char *said, char then[25], const char **at, struct err *err)
{
  int64_t wall_ms, us;
  *at = said;
  if (clock_read(slice_str(said), &wall_ms)) return OK;
  if (text_read_u64(slice_str(said), INT64_MAX, &(uint64_t){0})) return OK;
  if (!yaml_duration_read(slice_str(said), &us) || us <= 0)
    return fail(err, E_INVALID_ARGUMENT,
                "--at takes a time like 2026-01-31T18:00 (UTC), or how long ago like 2h, not "
                "'%.40s'",
                said);
  clock_text(clock_wall_ms() - us / 1000, then);
  *at = then;
  return OK;
}

static int history_then(const struct cli *cli, const char *path, const char *at, const char *alias)
{
  struct err err;
  struct answer answer;
  char part[CLIENT_PATH_MAX], more[CLIENT_PATH_MAX] = "", whole[3 * CLIENT_PATH_MAX];
  if (client_path(part, &err, "?at=%s", at) != OK ||
      (alias[0] && client_path(more, &err, "&alias=%s", alias) != OK))
    return cli_fail(cli, &err);
  snprintf(whole, sizeof whole, "%s%s%s", path, part, more);
  int rc = client_once(cli, "GET", whole, NULL, &answer);
  if (rc == 0 && cli->args.json)
    out_json(answer.json);
  else if (rc == 0 && alias[0])
    alias_print(answer.json);
  else if (rc == 0)
    then_print(answer.json);
  answer_free(&answer);
  return rc;
}

int command_history(struct cli *cli)
{
  static const struct opt opts[] = {
      {"limit", 0, OPT_COUNT, "N", "how many events, at most 1000 [100]"},
      {"before", 0, OPT_COUNT, "SEQ", "only events before this one"},
      {"at", 0, OPT_TEXT, "TIME",
       "who answered at a time (UTC unless it says a zone) like 2026-01-31T18:00, or 2h ago: 2h"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct client *client;
  struct answer answer = {0};
  char path[CLIENT_PATH_MAX], model[MODEL_WORD_MAX], ref[REF_WORD_MAX], then[25];
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  uint64_t limit = args_count(&cli->args, "limit"), before = args_count(&cli->args, "before");
  const char *at = args_text(&cli->args, "at");
  if (model_word_read(cli->args.words[0], model, ref, &err) != OK ||
      client_path(path, &err, "/api/v1/models/%s/history", model) != OK)
    return cli_fail(cli, &err);
  if (ref[0] && (!at || ref_number(ref))) {
    fail(&err, E_INVALID_ARGUMENT, "MODEL@ALIAS goes with --at TIME: what it pointed at then");
    return cli_fail(cli, &err);
  }
  if (at && at_read(at, then, &at, &err) != OK) return cli_fail(cli, &err);
  if (at) return history_then(cli, path, at, ref);
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  size_t len = strlen(path);
  len += (size_t)snprintf(path + len, sizeof path - len, "?limit=%llu",
                          (unsigned long long)(limit ? limit : 100));
  if (before && len < sizeof path)
    snprintf(path + len, sizeof path - len, "&before=%llu", (unsigned long long)before);
  rc = 0;
  if (client_call(client, "GET", path, SLICE_NONE, 0, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(answer.json);
  else {
    events_print(json_object_get(answer.json, "events"));
    if (json_is_integer(json_object_get(answer.json, "before")))
      printf("older ones: slipway history %s --before %llu\n", cli->args.words[0],
             (unsigned long long)get_u64(answer.json, "before"));
  }
  answer_free(&answer);
  client_free(client);
  return rc;
}
