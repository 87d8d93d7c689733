/* quota.c - `slipway quota`, and what `slipway tenant` says of limits.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/tenant/quota.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/out.h"

enum { FLAG_MAX = 40, HELP_MAX = 160, BAR = 20 };

/* ---- flags ---- */

static const char *flag_name(enum quota_id id)
{
  static char names[QUOTAS][FLAG_MAX];
  const char *name = quota_row(id)->name;
  size_t len = strlen(name);
  must(len < FLAG_MAX);
  for (size_t i = 0; i <= len; i++) names[id][i] = name[i] == '_' ? '-' : name[i];
  return names[id];
}

/* Of a tenant they go with two verbs, and help says with which. */
static const char *flag_help(enum quota_id id, enum quota_scope scope)
{
  static char helps[QUOTAS][HELP_MAX];
  if (scope != QUOTA_TENANT) return quota_row(id)->help;
  int len = snprintf(helps[id], HELP_MAX, "add, set: %s", quota_row(id)->help);
  must(len > 0 && len < HELP_MAX);
  return helps[id];
}

void quota_opts(enum quota_scope scope, struct opt *to)
{
  for (int id = 0; id < QUOTAS; id++) {
    const struct quota_row *row = quota_row((enum quota_id)id);
    if (!(row->scope & scope)) continue;
    bool bytes = strcmp(row->unit, "bytes") == 0;
    *to++ = (struct opt){flag_name((enum quota_id)id), 0, OPT_TEXT, bytes ? "BYTES" : "N",
                         flag_help((enum quota_id)id, scope)};
  }
  *to = (struct opt){NULL, 0, OPT_SWITCH, NULL, NULL};
}

bool quota_body(const struct args *args, enum quota_scope scope, json_t **body, struct err *err)
{
  *body = NULL;
  for (int i = 0; i < QUOTAS; i++) {
    enum quota_id id = (enum quota_id)i;
    uint64_t value;
    if (!(quota_row(id)->scope & scope)) continue;
    const char *text = args_text(args, flag_name(id));
    if (!text) continue;
    if (quota_read(id, slice_str(text), &value, err)) {
      json_decref(*body);
      *body = NULL;
      return false;
    }
    if (!*body) *body = json_object();
    json_object_set_new(*body, quota_row(id)->name, json_string(text));
  }
  return true;
}

/* ---- a bar for each ---- */

static const char *amount(const json_t *value, bool bytes, char to[OUT_NUMBER_MAX])
{
  if (!json_is_integer(value)) return "-";
  if (bytes) return out_bytes((uint64_t)json_integer_value(value), to);
  snprintf(to, OUT_NUMBER_MAX, "%lld", (long long)json_integer_value(value));
  return to;
}

static const char *bar(const json_t *used, const json_t *limit, char to[BAR + 16])
{
  int64_t value = json_integer_value(used), most = json_integer_value(limit);
  if (!json_is_integer(used) || !json_is_integer(limit) || most <= 0) return "-";
  double share = (double)value / (double)most;
  int full = share >= 1 ? BAR : (int)(share * BAR + 0.5);
  if (value > 0 && full == 0) full = 1;
  to[0] = '[';
  for (int i = 0; i < BAR; i++) to[1 + i] = i < full ? '#' : '.';
  snprintf(to + 1 + BAR, 15, "] %.0f %%", share > 9.99 ? 999 : share * 100);
  return to;
}

/* A burst of which nothing is said is what its rate gives in a second. */
static const json_t *burst_of(const json_t *quotas, const char *name)
{
  char rate[FLAG_MAX];
  size_t len = strlen(name);
  size_t word = len > 6 && strcmp(name + len - 6, "_burst") == 0 ? len - 6 : 0;
  if (word) snprintf(rate, sizeof rate, "%.*s_per_second", (int)word, name);
  const json_t *limit = word ? json_object_get(json_object_get(quotas, rate), "limit") : NULL;
  return limit ? limit : json_null();
}

void quotas_print(const json_t *quotas)
{
  static const char *const heads[] = {"LIMIT", ">MAY", ">USED", "USE", ">REFUSED", NULL};
  struct table table;
  char may[OUT_NUMBER_MAX], used[OUT_NUMBER_MAX], picture[BAR + 16];
  table_init(&table, heads);
  for (int id = 0; id < QUOTAS; id++) {
    const char *name = quota_row((enum quota_id)id)->name;
    const json_t *one = json_object_get(quotas, name);
    const json_t *limit = json_object_get(one, "limit"), *is = json_object_get(one, "used");
    bool bytes = strcmp(get_str(one, "unit"), "bytes") == 0;
    if (!one) continue;
    if (json_is_null(limit)) limit = burst_of(quotas, name);
    table_add(&table, "%s", name);
    table_add(&table, "%s%s", json_is_null(limit) ? "unlimited" : amount(limit, bytes, may),
              json_is_true(json_object_get(one, "said")) ? "" : " *");
    table_add(&table, "%s", amount(is, bytes, used));
    table_add(&table, "%s", bar(is, limit, picture));
    table_add(&table, "%llu", (unsigned long long)get_u64(one, "refused"));
  }
  table_print(&table);
  table_deinit(&table);
  puts("* nobody said anything else; rates: of the last second, refused: since the server started");
}

/* ---- the command ---- */

static void models_print(const json_t *models)
{
  const char *name;
  json_t *quotas;
  json_object_foreach((json_t *)(uintptr_t)models, name, quotas)
  {
    printf("\nmodel %s:\n", name);
    quotas_print(quotas);
  }
}

int command_quota(struct cli *cli)
{
  struct opt opts[QUOTAS + 1];
  struct answer answer;
  struct err err;
  json_t *body;
  char path[CLIENT_PATH_MAX] = "/api/v1/quotas";
  int rc;
  quota_opts(QUOTA_MODEL, opts);
  if (!cli_args(cli, opts, 0, 1, &rc)) return rc;
  const char *model = cli->args.n_words ? cli->args.words[0] : NULL;
  if (!quota_body(&cli->args, QUOTA_MODEL, &body, &err)) return cli_fail(cli, &err);
  if (body && !model) {
    json_decref(body);
    fail(&err, E_INVALID_ARGUMENT,
         "say of which model; limits of a tenant are set with slipway tenant set NAME");
    return cli_fail(cli, &err);
  }
  if (model && client_path(path, &err, "/api/v1/models/%s/quotas", model)) {
    json_decref(body);
    return cli_fail(cli, &err);
  }
  const char *method = body ? "PATCH" : "GET";
  if (body) body = json_pack("{so}", "quotas", body);
  rc = client_once(cli, method, path, body, &answer);
  if (!rc && cli->args.json) {
    out_json(answer.json);
  } else if (!rc) {
    quotas_print(json_object_get(answer.json, "quotas"));
    models_print(json_object_get(answer.json, "models"));
  }
  answer_free(&answer);
  return rc;
}
