/* freeze.c - `slipway freeze`: times in which no release advances or starts.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/out.h"
#include "wire/yaml.h"

/* A time, or how long from now: "2026-01-31T18:00", "2h". */
static enum code until_read(const char *text, int64_t *wall_ms, struct err *err)
{
  int64_t us;
  if (clock_read(slice_str(text), wall_ms)) return OK;
  if (yaml_duration_read(slice_str(text), &us) && us > 0) {
    *wall_ms = clock_wall_ms() + us / 1000;
    return OK;
  }
  return fail(err, E_INVALID_ARGUMENT,
              "'%.40s' is not a time like 2026-01-31T18:00Z, nor a while like 2h", text);
}

static void freezes_print(const json_t *freezes)
{
  static const char *const heads[] = {"SCOPE",  "MODEL", "FROM", "UNTIL", "WEEKLY",
                                      "SET BY", "WHY",   NULL};
  struct table table;
  char text[OUT_NUMBER_MAX];
  size_t i;
  json_t *freeze;
  if (!json_array_size(freezes)) {
    printf("nothing is frozen; stop the line with: slipway freeze --now --why TEXT\n");
    return;
  }
  table_init(&table, heads);
  json_array_foreach(freezes, i, freeze)
  {
    table_add_json(&table, json_object_get(freeze, "scope"));
    table_add_json(&table, json_object_get(freeze, "model"));
    table_add(&table, "%s", out_time(json_object_get(freeze, "from"), text));
    table_add(&table, "%s", out_time(json_object_get(freeze, "until"), text));
    table_add_json(&table, json_object_get(freeze, "weekly"));
    table_add_json(&table, json_object_get(freeze, "who"));
    table_add(&table, "%s", get_str(freeze, "why")[0] ? get_str(freeze, "why") : "-");
  }
  table_print(&table);
  table_deinit(&table);
}

static int freezes_list(struct cli *cli)
{
  struct answer answer;
  int rc = client_once(cli, "GET", "/api/v1/freezes", NULL, &answer);
  if (rc == 0 && cli->args.json)
    out_json(answer.json);
  else if (rc == 0)
    freezes_print(json_object_get(answer.json, "freezes"));
  answer_free(&answer);
  return rc;
}

static void frozen_print(const json_t *answer)
{
  const char *model = json_string_value(json_object_get(answer, "model"));
  char text[OUT_NUMBER_MAX];
  if (json_is_true(json_object_get(answer, "lifted"))) {
    printf("%s may go on\n", model ? model : "releases");
    return;
  }
  if (model)
    printf("%s is frozen", model);
  else
    printf("every release of the %s is frozen", get_str(answer, "scope"));
  if (json_is_string(json_object_get(answer, "until")))
    printf(" until %s UTC", out_time(json_object_get(answer, "until"), text));
  printf("; judging and rollback go on. Lift it with: slipway freeze%s%s --lift\n",
         model ? " " : "", model ? model : "");
}

static enum code query_add(char path[CLIENT_PATH_MAX], const char *key, const char *value,
                           struct err *err)
{
  char part[CLIENT_PATH_MAX], fmt[64];
  size_t len = strlen(path);
  if (!value) return OK;
  snprintf(fmt, sizeof fmt, "%c%s=%%s", strchr(path, '?') ? '&' : '?', key);
  if (client_path(part, err, fmt, value) != OK) return err->code;
  if (len + strlen(part) >= CLIENT_PATH_MAX)
    return fail(err, E_INVALID_ARGUMENT, "the reason is too long");
  memcpy(path + len, part, strlen(part) + 1);
  return OK;
}

static int freeze_send(struct cli *cli, const char *model, const char *scope, int64_t until_ms)
{
  struct err err;
  struct answer answer;
  char path[CLIENT_PATH_MAX] = "/api/v1/freezes";
  const char *why = args_text(&cli->args, "why"), *weekly = args_text(&cli->args, "weekly");
  bool lift = args_given(&cli->args, "lift");
  json_t *body = NULL;
  if (lift) {
    if (query_add(path, "model", model, &err) || query_add(path, "scope", scope, &err) ||
        query_add(path, "why", why, &err))
      return cli_fail(cli, &err);
  } else {
    body = json_pack("{s:s*,s:s*,s:s*,s:s*,s:b}", "model", model, "scope", scope, "why", why,
                     "weekly", weekly, "now", (int)args_given(&cli->args, "now"));
    if (!body) {
      fail(&err, E_INVALID_ARGUMENT, "something given is not UTF-8");
      return cli_fail(cli, &err);
    }
    if (until_ms) json_object_set_new(body, "until", json_integer(until_ms));
  }
  int rc = client_once(cli, lift ? "DELETE" : "POST", path, body, &answer);
  if (rc == 0 && cli->args.json)
    out_json(answer.json);
  else if (rc == 0)
    frozen_print(answer.json);
  answer_free(&answer);
  return rc;
}

int command_freeze(struct cli *cli)
{
  static const struct opt opts[] = {
      {"until", 0, OPT_TEXT, "TIME", "a time (UTC unless it says a zone), or a while like 2h"},
      {"weekly", 0, OPT_TEXT, "SPAN", "each week, like 'fri 16:00-mon 08:00 +01:00'"},
      {"now", 0, OPT_SWITCH, NULL, "stop the line: from now until it is lifted"},
      {"lift", 0, OPT_SWITCH, NULL, "end the freeze"},
      {"system", 0, OPT_SWITCH, NULL, "of all tenants, not of this one"},
      {"why", 0, OPT_TEXT, "TEXT", "a reason, kept in the history"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  int64_t until_ms = 0;
  int rc;
  if (!cli_args(cli, opts, 0, 1, &rc)) return rc;
  const struct args *args = &cli->args;
  const char *until = args_text(args, "until"), *model = args->n_words ? args->words[0] : NULL;
  bool sets = until || args_given(args, "weekly") || args_given(args, "now");
  const char *scope = args_given(args, "system") ? "system" : NULL;
  if (!sets && !args_given(args, "lift") && !model && !scope) return freezes_list(cli);
  if (sets == args_given(args, "lift") || (model && scope)) {
    fail(&err, E_INVALID_ARGUMENT,
         "say --until TIME, --weekly SPAN or --now, or else --lift; a model or --system");
    return cli_fail(cli, &err);
  }
  if (until && until_read(until, &until_ms, &err) != OK) return cli_fail(cli, &err);
  return freeze_send(cli, model, scope, until_ms);
}
