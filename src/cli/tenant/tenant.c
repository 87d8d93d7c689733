/* tenant.c - `slipway tenant`.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/tenant/quota.h"

static void row_print(struct table *table, const json_t *tenant)
{
  char text[OUT_NUMBER_MAX];
  const char *about = get_str(tenant, "about");
  table_add_json(table, json_object_get(tenant, "name"));
  table_add(table, "%llu", (unsigned long long)get_u64(tenant, "models"));
  table_add(table, "%llu", (unsigned long long)get_u64(tenant, "serving"));
  table_add(table, "%llu", (unsigned long long)get_u64(tenant, "keys"));
  table_add(table, "%s", out_time(json_object_get(tenant, "added_at"), text));
  table_add_json(table, json_object_get(tenant, "added_by"));
  table_add(table, "%s", about[0] ? about : "-");
}

static void table_begin(struct table *table)
{
  static const char *const heads[] = {"TENANT", ">MODELS",  ">SERVING", ">KEYS",
                                      "ADDED",  "ADDED BY", "ABOUT",    NULL};
  table_init(table, heads);
}

static void tenants_print(const json_t *tenants)
{
  struct table table;
  size_t i;
  json_t *tenant;
  table_begin(&table);
  json_array_foreach(tenants, i, tenant) row_print(&table, tenant);
  table_print(&table);
  table_deinit(&table);
}

static void one_print(const json_t *tenant)
{
  struct table table;
  table_begin(&table);
  row_print(&table, tenant);
  table_print(&table);
  table_deinit(&table);
  if (!json_object_get(tenant, "quotas")) return;
  putchar('\n');
  quotas_print(json_object_get(tenant, "quotas"));
}

/* The key alone on stdout, as `slipway key add` does it. */
static void added_print(const json_t *tenant)
{
  const json_t *key = json_object_get(tenant, "first_key");
  char expires[OUT_NUMBER_MAX];
  puts(get_str(tenant, "key"));
  fflush(stdout);
  out_time(json_object_get(key, "expires_at"), expires);
  fprintf(stderr,
          "tenant %s is there; above is the key of its first admin, %s, expires %s; it is not "
          "shown again\n",
          get_str(tenant, "name"), get_str(key, "person"),
          strcmp(expires, "-") ? expires : "never");
}

/* Takes the limits. The tenant is there by now and its key was told. */
static int limits_set(struct cli *cli, json_t *quotas, struct answer *answer)
{
  struct err err;
  char path[CLIENT_PATH_MAX];
  *answer = (struct answer){0};
  if (client_path(path, &err, "/api/v1/tenants/%s", cli->args.words[1])) {
    json_decref(quotas);
    return cli_fail(cli, &err);
  }
  int rc = client_once(cli, "PATCH", path, json_pack("{so}", "quotas", quotas), answer);
  if (rc && !cli->args.json)
    fprintf(stderr, "the tenant is there, without these limits; set them with: slipway tenant set "
                    "%s\n", cli->args.words[1]);
  return rc;
}

/* Takes the limits: NULL where none was said. */
static int tenant_add(struct cli *cli, json_t *quotas)
{
  struct answer answer, limited = {0};
  struct err err;
  json_t *body = json_pack("{ss,ss*,ss*,ss*}", "name", cli->args.words[1], "about",
                           args_text(&cli->args, "about"), "person",
                           args_text(&cli->args, "person"), "expires",
                           args_text(&cli->args, "expires"));
  if (!body) {
    json_decref(quotas);
    fail(&err, E_INVALID_ARGUMENT, "a word is not UTF-8");
    return cli_fail(cli, &err);
  }
  int rc = client_once(cli, "POST", "/api/v1/tenants", body, &answer);
  bool added = rc == 0;
  if (added && !cli->args.json) added_print(answer.json);
  if (added && quotas) rc = limits_set(cli, quotas, &limited);
  else json_decref(quotas);
  if (added && limited.json && !rc)
    json_object_set(answer.json, "quotas", json_object_get(limited.json, "quotas"));
  if (added && cli->args.json) out_json(answer.json); /* the key is nowhere else */
  if (added) explicit_bzero(answer.body.at, answer.body.len);
  answer_free(&limited);
  answer_free(&answer);
  return rc;
}

/* show, set, remove: one call about one tenant. */
static int tenant_one(struct cli *cli, const char *method, json_t *body)
{
  struct answer answer = {0};
  struct err err;
  char path[CLIENT_PATH_MAX];
  bool remove = strcmp(method, "DELETE") == 0, force = args_given(&cli->args, "force");
  int rc;
  if (client_path(path, &err, remove && force ? "/api/v1/tenants/%s?force=true"
                                              : "/api/v1/tenants/%s",
                  cli->args.words[1])) {
    json_decref(body);
    return cli_fail(cli, &err);
  }
  rc = client_once(cli, method, path, body, &answer);
  if (!rc && cli->args.json) out_json(answer.json);
  else if (!rc && remove) printf("tenant %s is removed\n", cli->args.words[1]);
  else if (!rc) one_print(answer.json);
  answer_free(&answer);
  return rc;
}

/* Takes the limits: NULL where none was said. */
static int tenant_set(struct cli *cli, json_t *quotas)
{
  struct err err;
  const char *about = args_text(&cli->args, "about");
  json_t *body = json_pack("{ss*,so*}", "about", about, "quotas", quotas);
  if (!body || !json_object_size(body)) {
    json_decref(body);
    fail(&err, E_INVALID_ARGUMENT,
         "say what is to be set: --about TEXT, or a limit like --requests-per-second 100");
    return cli_fail(cli, &err);
  }
  return tenant_one(cli, "PATCH", body);
}

int command_tenant(struct cli *cli)
{
  static const struct opt own[] = {
      {"about", 0, OPT_TEXT, "TEXT", "add, set: what it is for"},
      {"person", 0, OPT_TEXT, "NAME", "add: whose its first key is [admin]"},
      {"expires", 0, OPT_TEXT, "TIME", "add: of that key, such as 12h or 30d, or never [90d]"},
      {"force", 0, OPT_SWITCH, NULL, "remove: although models of it serve"},
  };
  enum { OWN = sizeof own / sizeof *own };
  struct opt opts[OWN + QUOTAS + 1]; /* and, of add and set, a flag for each limit */
  memcpy(opts, own, sizeof own);
  quota_opts(QUOTA_TENANT, opts + OWN);
  struct err err;
  int rc;
  if (!cli_args(cli, opts, 1, 2, &rc)) return rc;
  const char *verb = cli->args.words[0];
  bool named = cli->args.n_words == 2;
  bool add = strcmp(verb, "add") == 0, set = strcmp(verb, "set") == 0;
  json_t *quotas;
  if (!quota_body(&cli->args, QUOTA_TENANT, &quotas, &err)) return cli_fail(cli, &err);
  if (named && add) return tenant_add(cli, quotas);
  if (named && set) return tenant_set(cli, quotas);
  if (quotas) {
    json_decref(quotas);
    fail(&err, E_INVALID_ARGUMENT,
         "limits are set by: slipway tenant add NAME, or slipway tenant set NAME");
    return cli_fail(cli, &err);
  }
  if (strcmp(verb, "list") == 0 && !named)
    return client_list(cli, "/api/v1/tenants", "tenants", tenants_print);
  if (strcmp(verb, "show") == 0 && named) return tenant_one(cli, "GET", NULL);
  if (strcmp(verb, "remove") == 0 && named) return tenant_one(cli, "DELETE", NULL);
  fail(&err, E_INVALID_ARGUMENT,
       "it is: slipway tenant list, or slipway tenant add, show, set or remove NAME");
  return cli_fail(cli, &err);
}
