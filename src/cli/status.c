/* status.c - `slipway status [MODEL]`: what serves, what is being released, what was refused.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/out.h"
#include "cli/release/picture.h"

/* The prediction cache's second level, where there is one. */
static void redis_print(const json_t *server)
{
  const json_t *redis = json_object_get(server, "cache_redis");
  if (!redis) return;
  printf("Redis of the cache: %llu of %llu lines are up",
         (unsigned long long)get_u64(redis, "lines"), (unsigned long long)get_u64(redis, "of"));
  if (!json_is_true(json_object_get(redis, "ok"))) {
    printf("; ");
    out_text(slice_str(get_str(redis, "failure")));
    printf("; slipway doctor says what to do");
  }
  putchar('\n');
}

static void server_print(const struct client *client, const json_t *answer)
{
  const json_t *server = json_object_get(answer, "server");
  char up[OUT_NUMBER_MAX], memory[OUT_NUMBER_MAX];
  bool ready = json_is_true(json_object_get(server, "ready"));
  bool draining = json_is_true(json_object_get(server, "draining"));
  printf("slipway %s at %s: %s, up %s, %llu requests, %s resident", get_str(server, "version"),
         client_url(client),
         draining ? "stopping"
         : ready  ? "ready"
                  : "not ready",
         out_seconds(get_u64(server, "uptime_s"), up),
         (unsigned long long)get_u64(server, "requests"),
         out_bytes(get_u64(server, "resident_bytes"), memory));
  const json_t *budget = json_object_get(server, "memory");
  const char *from = get_str(budget, "from");
  if (from[0])
    printf(" of %s (%s)", out_bytes(get_u64(budget, "budget_bytes"), memory),
           strcmp(from, "option") == 0 ? "--memory-budget" : from);
  putchar('\n');
  redis_print(server);
}

/* What a person should know beside the numbers. */
static void note_add(struct table *table, const json_t *model)
{
  const json_t *refused = json_object_get(model, "refused");
  const json_t *loading = json_object_get(model, "loading");
  const json_t *release = json_object_get(model, "release");
  const json_t *load = json_object_get(model, "load");
  const json_t *breaker = json_array_get(json_object_get(model, "breakers"), 0);
  int rc;
  if (breaker)
    table_add(table, "version %llu fails: its circuit breaker is %s",
              (unsigned long long)get_u64(breaker, "version"),
              strcmp(get_str(breaker, "state"), "open") == 0 ? "open" : "half open");
  else if (release && !picture_is_over(release, &rc))
    table_add(table, "release %llu of version %llu, step %llu, %.4g %%%s",
              (unsigned long long)get_u64(release, "release"),
              (unsigned long long)get_u64(release, "version"),
              (unsigned long long)get_u64(release, "step") + 1,
              100 * json_number_value(json_object_get(release, "weight")),
              json_number_value(json_object_get(release, "copied")) > 0 ? ", shadowed" : "");
  else if (refused)
    table_add(table, "version %llu was refused: %s",
              (unsigned long long)get_u64(refused, "version"), get_str(refused, "reason"));
  else if (json_is_integer(loading))
    table_add(table, "version %llu is loading", (unsigned long long)get_u64(model, "loading"));
  else if (get_str(model, "reason")[0])
    table_add(table, "%s", get_str(model, "reason"));
  else if (!json_is_integer(json_object_get(model, "serving")))
    table_add(table, "deploy it with: slipway deploy %s", get_str(model, "name"));
  else if (get_u64(load, "turned_away"))
    table_add(table, "%llu requests were turned away; %llu are in work",
              (unsigned long long)get_u64(load, "turned_away"),
              (unsigned long long)get_u64(load, "in_flight"));
  else
    table_add(table, "-");
}

static void models_print(const json_t *models)
{
  static const char *const heads[] = {"MODEL",     ">SERVES", "STATE", ">MEMORY", ">REQUESTS",
                                      ">FAILURES", ">P50",    ">P99",  "NOTE",    NULL};
  struct table table;
  char text[OUT_NUMBER_MAX];
  size_t i;
  json_t *model;
  table_init(&table, heads);
  json_array_foreach(models, i, model)
  {
    const json_t *latency = json_object_get(model, "latency_us");
    table_add_json(&table, json_object_get(model, "name"));
    table_add_json(&table, json_object_get(model, "serving"));
    table_add_json(&table, json_object_get(model, "state"));
    table_add(&table, "%s", out_bytes(get_u64(model, "memory_bytes"), text));
    table_add_json(&table, json_object_get(model, "requests"));
    table_add_json(&table, json_object_get(model, "failures"));
    table_add(&table, "%s", latency ? out_us(get_u64(latency, "p50"), text) : "-");
    table_add(&table, "%s", latency ? out_us(get_u64(latency, "p99"), text) : "-");
    note_add(&table, model);
  }
  table_print(&table);
  table_deinit(&table);
}

static void versions_print(const json_t *versions)
{
  static const char *const heads[] = {">VERSION", "STATE",  "ENGINE", ">BYTES",
                                      "PUSHED",   "REASON", "NOTE",   NULL};
  struct table table;
  char text[OUT_NUMBER_MAX];
  size_t i;
  json_t *version;
  table_init(&table, heads);
  json_array_foreach(versions, i, version)
  {
    table_add_json(&table, json_object_get(version, "version"));
    table_add_json(&table, json_object_get(version, "state"));
    table_add(&table, "%s", get_str(version, "engine")[0] ? get_str(version, "engine") : "-");
    table_add(&table, "%s", out_bytes(get_u64(version, "bytes"), text));
    table_add(&table, "%s", out_time(json_object_get(version, "pushed_at"), text));
    table_add(&table, "%s", get_str(version, "reason")[0] ? get_str(version, "reason") : "-");
    table_add(&table, "%s", get_str(version, "note")[0] ? get_str(version, "note") : "-");
  }
  table_print(&table);
  table_deinit(&table);
}

/* How the runs of one model are shared. */
static void batch_print(const json_t *model)
{
  const json_t *batch = json_object_get(model, "batch");
  char text[OUT_NUMBER_MAX];
  uint64_t delay_us = get_u64(batch, "delay_us");
  if (!batch) return;
  printf("batches: %.3g rows in each of %llu runs; nobody waits for others%s%s\n",
         json_number_value(json_object_get(batch, "rows_mean")),
         (unsigned long long)get_u64(batch, "runs"), delay_us ? " longer than " : "",
         delay_us ? out_us(delay_us, text) : "");
}

/* What one model keeps of its answers. */
static void cache_print(const json_t *model)
{
  const json_t *cache = json_object_get(model, "cache");
  double hits = (double)get_u64(cache, "hits"), asked = hits + (double)get_u64(cache, "misses");
  char most[OUT_NUMBER_MAX];
  if (!cache) return;
  printf("cache: %.0f of %.0f answers were known already (%.1f %%); each is kept for %.4g s, %s in "
         "all\n",
         hits, asked, asked > 0 ? 100 * hits / asked : 0,
         json_number_value(json_object_get(cache, "ttl_s")),
         out_bytes(get_u64(cache, "bytes_max"), most));
}

static void ways_out_print(const char *model, const json_t *versions)
{
  size_t i;
  json_t *version;
  json_array_foreach(versions, i, version)
  {
    if (strcmp(get_str(version, "state"), "QUARANTINED") != 0) continue;
    printf("version %llu is kept from running; deploy another, or lift it when the cause is gone: "
           "slipway model clear %s@%llu\n",
           (unsigned long long)get_u64(version, "version"), model,
           (unsigned long long)get_u64(version, "version"));
  }
}

/* The status of one model, with its newest versions below; in JSON they are one object. */
static enum code model_fetch(struct client *client, const char *model, struct answer *answer,
                             struct answer *detail, struct err *err)
{
  char path[CLIENT_PATH_MAX];
  if (client_path(path, err, "/api/v1/status?model=%s", model) ||
      client_call(client, "GET", path, SLICE_NONE, 0, answer, err) ||
      client_path(path, err, "/api/v1/models/%s", model) ||
      client_call(client, "GET", path, SLICE_NONE, 0, detail, err))
    return err->code;
  json_object_set(json_array_get(json_object_get(answer->json, "models"), 0), "newest_versions",
                  json_object_get(detail->json, "newest_versions"));
  return OK;
}

int command_status(struct cli *cli)
{
  static const struct opt opts[] = {{NULL, 0, OPT_SWITCH, NULL, NULL}};
  struct err err;
  struct client *client;
  struct answer answer = {0}, detail = {0};
  enum code code;
  int rc;
  if (!cli_args(cli, opts, 0, 1, &rc)) return rc;
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  const char *model = cli->args.n_words ? cli->args.words[0] : NULL;
  if (model)
    code = model_fetch(client, model, &answer, &detail, &err);
  else
    code = client_call(client, "GET", "/api/v1/status", SLICE_NONE, 0, &answer, &err);
  const json_t *models = json_object_get(answer.json, "models");
  rc = 0;
  if (code != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(answer.json);
  else {
    if (!model) server_print(client, answer.json), putchar('\n');
    if (json_array_size(models))
      models_print(models);
    else
      printf("no model yet; push one with: slipway push MODEL PATH\n");
    const json_t *release = json_object_get(json_array_get(models, 0), "release");
    if (model && get_str(release, "state")[0]) putchar('\n'), picture_print(release);
    const json_t *versions = json_object_get(detail.json, "newest_versions");
    if (model) batch_print(json_array_get(models, 0));
    if (model) cache_print(json_array_get(models, 0));
    if (model) putchar('\n'), versions_print(versions), ways_out_print(model, versions);
  }
  answer_free(&answer);
  answer_free(&detail);
  client_free(client);
  return rc;
}
