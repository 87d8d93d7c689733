/* doctor.c - `slipway doctor`: limits, the memory they add up to, checks. Exit 8 when one fails.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/out.h"

enum { EXIT_CHECK_FAILED = 8 };

static void limits_print(const json_t *answer)
{
  static const char *const heads[] = {"LIMIT", ">VALUE", ">MEMORY AT MOST", "OPTION", NULL};
  struct table table;
  char text[OUT_NUMBER_MAX];
  size_t i;
  json_t *limit;
  table_init(&table, heads);
  json_array_foreach(json_object_get(answer, "limits"), i, limit)
  {
    uint64_t value = get_u64(limit, "value"), memory = get_u64(limit, "memory_bytes");
    const char *unit = get_str(limit, "unit");
    table_add_json(&table, json_object_get(limit, "name"));
    if (strcmp(unit, "bytes") == 0)
      table_add(&table, "%s", out_bytes(value, text));
    else
      table_add(&table, "%llu%s%s", (unsigned long long)value, unit[0] ? " " : "", unit);
    table_add(&table, "%s", memory ? out_bytes(memory, text) : "-");
    table_add_json(&table, json_object_get(limit, "option"));
  }
  table_print(&table);
  table_deinit(&table);
  printf("all together at most %s; resident now %s\n",
         out_bytes(get_u64(answer, "limits_memory_bytes"), text),
         out_bytes(get_u64(answer, "resident_bytes"), (char[OUT_NUMBER_MAX]){0}));
  json_array_foreach(json_object_get(answer, "limits_leave_out"), i, limit)
  {
    printf("%s", i ? "; " : "not in that sum: ");
    out_text(slice_str(json_is_string(limit) ? json_string_value(limit) : ""));
  }
  if (json_array_size(json_object_get(answer, "limits_leave_out"))) putchar('\n');
}

static bool checks_print(const json_t *checks, bool silent)
{
  bool good = true;
  size_t i;
  json_t *check;
  json_array_foreach(checks, i, check)
  {
    bool ok = json_is_true(json_object_get(check, "ok"));
    good = good && ok;
    if (silent) continue;
    printf("%-4s %-12s ", ok ? "ok" : "BAD", get_str(check, "name"));
    out_text(slice_str(get_str(check, "text")));
    putchar('\n');
  }
  return good;
}

int command_doctor(struct cli *cli)
{
  static const struct opt opts[] = {{NULL, 0, OPT_SWITCH, NULL, NULL}};
  struct err err;
  struct client *client;
  struct answer answer = {0};
  int rc;
  if (!cli_args(cli, opts, 0, 0, &rc)) return rc;
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  if (client_call(client, "GET", "/api/v1/doctor", SLICE_NONE, 0, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else {
    if (cli->args.json)
      out_json(answer.json);
    else
      limits_print(answer.json), putchar('\n');
    bool good = checks_print(json_object_get(answer.json, "checks"), cli->args.json);
    rc = good ? 0 : EXIT_CHECK_FAILED;
  }
  answer_free(&answer);
  client_free(client);
  return rc;
}
