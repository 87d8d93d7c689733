/* doctor.c - every maximum with the memory they add up to, and a few checks of what we stand on.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include <sys/statvfs.h>

#include "api/server/chores_int.h"
#include "api/server/pressure_int.h"
#include "api/server/redis_int.h"
#include "api/process_int.h"
#include "base/clock.h"

enum { DISK_LOW_MIB = 512, CLOCK_EPOCH_S = 1700000000, KEY_SOON_MS = 7 * 86400 * 1000 };

static void check_add(json_t *list, const char *name, bool good, json_t *text)
{
  json_array_append_new(list, json_pack("{ss,sb,so}", "name", name, "ok", (int)good, "text", text));
}

/* left_out: what the sum does not hold. */
static json_t *limits_json(const struct limits *limits, uint64_t *memory, json_t *left_out)
{
  json_t *list = json_array();
  *memory = 0;
  for (uint32_t i = 0; limits && i < limits->n; i++) {
    const struct limit *limit = &limits->rows[i];
    json_t *item = json_object();
    json_object_set_new(item, "name", json_string(limit->name));
    json_object_set_new(item, "value", json_u64(limit->value));
    json_object_set_new(item, "unit", json_string(limit->unit));
    json_object_set_new(item, "memory_bytes", json_u64(limit->memory_bytes));
    json_object_set_new(item, "option", limit->option ? json_string(limit->option) : json_null());
    json_array_append_new(list, item);
    if (limit->left_out) json_array_append_new(left_out, json_string(limit->left_out));
    *memory += limit->memory_bytes;
  }
  return list;
}

static void check_models(const struct ask *ask, json_t *list)
{
  uint32_t failed = 0;
  const struct tenant *tenant = ask->tenant;
  for (uint32_t i = 0; tenant && i < tenant->n_models; i++) {
    const struct version *newest = model_newest(tenant_model(tenant, i));
    failed += newest && newest->state == VERSION_FAILED;
  }
  check_add(list, "models", failed == 0,
            failed ? json_sprintf("the newest version of %u models was refused; see status", failed)
                   : json_string("no newest version was refused"));
}

static void check_disk(const struct ask *ask, json_t *list)
{
  struct statvfs fs;
  const struct datadir *dir = ask->desk->opts->datadir;
  if (!dir || fstatvfs(dir->fd, &fs) != 0) {
    check_add(list, "disk", false, json_string("the data directory cannot be looked at"));
    return;
  }
  uint64_t mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
  check_add(list, "disk", mib >= DISK_LOW_MIB,
            json_sprintf("%llu MiB free in the data directory", (unsigned long long)mib));
}

/* A key that ends without a word stops whoever works with it. */
static void check_keys(const struct ask *ask, json_t *list)
{
  int64_t now_ms = clock_wall_ms();
  uint32_t soon = 0;
  const struct tenant *tenant = ask->tenant;
  for (uint32_t i = 0; tenant && i < tenant->n_keys; i++) {
    int64_t left_ms = tenant->keys[i].expires_ms - now_ms;
    soon += tenant->keys[i].expires_ms && left_ms > 0 && left_ms < KEY_SOON_MS;
  }
  check_add(list, "keys", soon == 0,
            soon ? json_sprintf("%u keys expire within a week; see key list", soon)
                 : json_string("none expires within a week"));
}

/* What stands between a stranger's model and this machine while it is looked at. */
static void check_walls(const struct ask *ask, json_t *list)
{
  const struct letter_inspect *letter = &ask->inspect;
  uint32_t walls = letter->walls;
  if (!ask->desk->post->inspector) return;
  if (letter->err.code != OK) {
    check_add(list, "sandbox", false, json_string(letter->err.text));
    return;
  }
  bool good = (walls & WALLS_LEAST) == WALLS_LEAST;
  check_add(list, "sandbox", good,
            json_sprintf("%s: seccomp %s, Landlock %s (%u), privileges %s, memory %s",
                         good ? "models are looked at behind walls"
                              : "models are looked at in a process of its own, without walls",
                         walls & WALL_SECCOMP ? "yes" : "no", walls & WALL_LANDLOCK ? "yes" : "no",
                         letter->landlock_abi, walls & WALL_PRIVILEGES ? "dropped" : "kept",
                         walls & WALL_MEMORY ? "limited" : "not limited"));
}

/* Stored files: what is known against the caller's own, and when all were read last. */
static void check_stored(const struct ask *ask, const struct letter_chore *letter, json_t *list)
{
  const struct tenant *tenant = ask->tenant;
  uint32_t corrupt = 0;
  for (uint32_t i = 0; tenant && i < tenant->n_models; i++) {
    const struct model *model = tenant_model(tenant, i);
    for (uint32_t k = 0; k < model->n_versions; k++)
      corrupt += model_version_at(model, k)->corrupt;
  }
  check_add(list, "files", corrupt == 0,
            corrupt ? json_sprintf("%u versions have a stored file that is not what was pushed; "
                                   "model show names them, pushing it again mends it",
                                   corrupt)
                    : json_string("no stored file of a version is known to be damaged"));
  if (!letter) return;
  const struct chores *chores = &letter->chores;
  char when[25];
  if (!ask_sees_server(ask)) return;
  if (!chores->scrub_ended_ms) {
    check_add(list, "scrub", true,
              json_string(chores->scrubbing ? "all stored files are being read for the first time"
                                            : "not read yet: all stored files, one after another"));
    return;
  }
  clock_text(chores->scrub_ended_ms, when);
  check_add(list, "scrub", chores->scrub_rotten == 0,
            json_sprintf("all stored files were read last %s: %llu, %llu MiB, %llu damaged%s", when,
                         (unsigned long long)chores->scrub_objects,
                         (unsigned long long)(chores->scrub_bytes >> 20),
                         (unsigned long long)chores->scrub_rotten,
                         chores->scrubbing ? "; they are being read again" : ""));
}

static void check_memory(const struct ask *ask, uint64_t limits, json_t *list)
{
  const struct pressure *pressure = &ask->desk->stats_last.pressure;
  const struct pressure_readings *readings = ask_sees_server(ask) ? &pressure->last : NULL;
  struct process_facts facts;
  uint32_t actions = 0;
  bool good;
  process_read(&facts);
  json_t *text = budget_text(readings, limits, facts.memory_total, &good);
  check_add(list, "memory", good, text);
  for (int i = 0; i < ACTIONS; i++)
    if (world_presses(ask->world, (enum pressure_action)i)) actions |= ACTION_BIT(i);
  text = pressure_text(readings, actions, &good);
  check_add(list, "pressure", good, text);
}

static void check_redis(const struct ask *ask, const struct stats *stats, json_t *list)
{
  bool good;
  if (!ask->desk->opts->asks_redis || !ask_sees_server(ask)) return;
  json_t *text = redis_text(stats, clock_us(), &good);
  check_add(list, "cache_redis", good, text);
}

static enum desk_step doctor_tell(struct ask *ask, const struct letter_chore *letter)
{
  const struct stats *stats = &ask->desk->stats_last;
  struct process_facts facts;
  uint64_t memory;
  json_t *checks = json_array();
  json_t *left_out = json_array();
  json_t *limits = limits_json(ask->desk->limits, &memory, left_out);
  process_read(&facts);
  check_add(checks, "ready", world_ready(ask->world),
            json_string(world_ready(ask->world) ? "every model that should serve does"
                                                : "a model that should serve does not"));
  check_models(ask, checks);
  if (ask_sees_server(ask)) check_disk(ask, checks);
  check_keys(ask, checks);
  check_walls(ask, checks);
  check_stored(ask, letter, checks);
  check_memory(ask, memory, checks);
  if (ask_sees_server(ask))
    check_add(checks, "descriptors", facts.fds_open * 4 < facts.fds_max * 3,
              json_sprintf("%llu open of %llu", (unsigned long long)facts.fds_open,
                           (unsigned long long)facts.fds_max));
  check_redis(ask, stats, checks);
  check_add(checks, "clock", clock_wall_ms() / 1000 > CLOCK_EPOCH_S, json_time(clock_wall_ms()));
  return ask_json(ask, 200,
                  json_pack("{so,so,so,so,so}", "limits", limits, "limits_memory_bytes",
                            json_u64(memory), "limits_leave_out", left_out, "resident_bytes",
                            ask_sees_server(ask) ? json_u64(facts.resident_bytes) : json_null(),
                            "checks", checks));
}

static enum desk_step doctor_files(struct ask *ask, const struct stats *stats)
{
  (void)stats; /* the desk keeps them */
  return chore_ask(ask, CHORE_LOOK, doctor_tell);
}

static enum desk_step doctor_stats(struct ask *ask)
{
  if (world_draining(ask->world) && !world_tenants(ask->world)) return doctor_files(ask, NULL);
  return stats_recent(ask, doctor_files);
}

enum desk_step system_doctor(struct ask *ask)
{
  ask->command.event = (struct event){0}; /* no files: the walls alone are tried */
  return ask_inspect(ask, doctor_stats);
}
