/* tenant.c - tenants: add, list, show, set, remove.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "api/handlers_int.h"
#include "api/page.h"
#include "api/tenant/key_int.h"
#include "api/tenant/quota_int.h"
#include "base/clock.h"
#include "base/mem.h"

enum { TENANT_FACTS_MAX = EVENT_FACTS_MAX, LIST_MAX = 1000 };

static json_t *tenant_json(const struct tenant *tenant)
{
  uint32_t serving = 0;
  for (uint32_t i = 0; i < tenant->n_models; i++)
    serving += tenant_model(tenant, i)->stable != NULL;
  return json_pack("{so,so,so,so,sI,sI,sI}", "name", json_slice(tenant->name), "about",
                   json_slice(tenant->about), "added_at", json_time(tenant->added_ms), "added_by",
                   json_slice(tenant->added_by), "models", (json_int_t)tenant->n_models, "serving",
                   (json_int_t)serving, "keys", (json_int_t)tenant->n_keys);
}

static json_t *tenant_with_quotas(const struct tenant *tenant)
{
  json_t *tree = tenant_json(tenant);
  json_object_set_new(tree, "quotas", quotas_tenant_json(tenant));
  return tree;
}

/* ---- looking ---- */

static int name_compare(const void *a, const void *b)
{
  struct slice x = (*(const struct tenant *const *)a)->name;
  struct slice y = (*(const struct tenant *const *)b)->name;
  int order = memcmp(x.at, y.at, x.len < y.len ? x.len : y.len);
  return order ? order : x.len < y.len ? -1 : x.len > y.len;
}

static bool is_after(const struct tenant *tenant, struct slice after)
{
  const struct tenant key = {.name = after}, *one = tenant, *other = &key;
  return !after.len || name_compare(&one, &other) > 0;
}

/* In order of their names. */
enum desk_step tenant_list(struct ask *ask)
{
  struct page page;
  if (!page_read(ask, 100, LIST_MAX, &page)) return ask_fail(ask);
  uint32_t n = 0, all = world_tenants(ask->world);
  const struct tenant **sorted = grab(((size_t)all + 1) * sizeof(struct tenant *));
  for (uint32_t i = 0; i < all; i++) {
    const struct tenant *tenant = world_tenant_at(ask->world, i);
    if (is_after(tenant, page.place)) sorted[n++] = tenant;
  }
  qsort(sorted, n, sizeof(struct tenant *), name_compare);
  json_t *list = json_array();
  for (uint32_t i = 0; i < n && i < page.limit; i++)
    json_array_append_new(list, tenant_json(sorted[i]));
  json_t *next = page_next(ask, n > page.limit ? sorted[page.limit - 1]->name : SLICE_NONE);
  ungrab(sorted);
  return ask_json(ask, 200, json_pack("{so,so}", "tenants", list, "next", next));
}

enum desk_step tenant_show(struct ask *ask)
{
  const struct tenant *tenant = ask_tenant(ask, 0);
  if (!tenant) return ask_fail(ask);
  return ask_json(ask, 200, tenant_with_quotas(tenant));
}

/* ---- adding ---- */

static enum desk_step added(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  ask->err = command->err;
  if (ask->err.code == E_IDEMPOTENCY_MISMATCH)
    fail(&ask->err, E_IDEMPOTENCY_MISMATCH,
         "this Idempotency-Key was used before; if that added the tenant, its first key was shown "
         "then and is not shown again: add another in its name (x-slipway-tenant)");
  if (ask->err.code != OK) return ask_fail(ask);
  const struct key *key = key_made(ask);
  const struct tenant *tenant = world_tenant(ask->world, command->event.tenant);
  if (!key || !tenant) {
    if (key) fail(&ask->err, E_CONFLICT, "the tenant was added and is removed already");
    return ask_fail(ask);
  }
  json_t *tree = tenant_json(tenant);
  json_object_set_new(tree, "first_key", key_json(key));
  json_object_set_new(tree, "seq", json_u64(command->seq));
  return key_answer(ask, tree);
}

/* Who is not told a person gives the key to somebody by that name: the tenant's admin. */
static bool person_read(struct ask *ask, struct slice *person)
{
  if (json_object_get(ask->body, "person")) return key_person_read(ask, person);
  *person = SLICE("admin");
  return true;
}

enum desk_step tenant_add(struct ask *ask)
{
  struct event *event = &ask->command.event;
  struct event_fact *facts = arena_zero(&ask->arena, 5, sizeof *facts);
  struct slice name = SLICE_NONE, about = SLICE_NONE, person;
  int64_t now_ms = clock_wall_ms(), expires_ms;
  must(facts);
  if (!ask_body(ask) || !ask_members(ask, "name", "about", "person", "expires", NULL) ||
      !member_str(ask, ask->body, "name", ASK_MEMBER_MAX, &name) ||
      !member_str(ask, ask->body, "about", TENANT_ABOUT_MAX, &about) ||
      !person_read(ask, &person) || !key_expires_read(ask, now_ms, &expires_ms))
    return ask_fail(ask);
  if (tenant_name_check(name, &ask->err)) {
    fail_at(&ask->err, "name");
    return ask_fail(ask);
  }
  const char *expires = arena_print(&ask->arena, "%lld", (long long)expires_ms);
  facts[0] = (struct event_fact){SLICE("expires_ms"), slice_str(expires)};
  key_make(ask, &facts[1], &facts[2]);
  facts[3] = (struct event_fact){SLICE("person"), person};
  facts[4] = (struct event_fact){SLICE("role"), slice_str(role_name(ROLE_ADMIN))};
  *event = (struct event){.tenant = arena_copy(&ask->arena, name), .note = about};
  must(event->tenant.at);
  event->facts = facts;
  event->n_facts = 5;
  ask->command.kind = COMMAND_TENANT_ADD;
  return ask_command(ask, added);
}

/* ---- setting ---- */

static enum desk_step was_set(struct ask *ask)
{
  ask->err = ask->command.err;
  const struct tenant *tenant = ask->err.code == OK ? ask_tenant(ask, 0) : NULL;
  if (!tenant) return ask_fail(ask);
  json_t *tree = tenant_with_quotas(tenant);
  json_object_set_new(tree, "seq", json_u64(ask->command.seq));
  return ask_json(ask, 200, tree);
}

/* A fact of EVENT_TENANT_SET for each member that is there, ascending by name. */
static bool facts_read(struct ask *ask, struct event_fact *facts, uint32_t *n)
{
  struct slice about = SLICE_NONE, quotas;
  if (!ask_members(ask, "about", "quotas", NULL) ||
      !member_str(ask, ask->body, "about", TENANT_ABOUT_MAX, &about) ||
      !quotas_fact_read(ask, ask->body, QUOTA_TENANT, &quotas))
    return false;
  if (about.at) facts[(*n)++] = (struct event_fact){SLICE("about"), about};
  if (quotas.at) facts[(*n)++] = (struct event_fact){SLICE("quotas"), quotas};
  return true;
}

enum desk_step tenant_set(struct ask *ask)
{
  struct event *event = &ask->command.event;
  struct event_fact *facts = arena_zero(&ask->arena, TENANT_FACTS_MAX, sizeof *facts);
  uint32_t n = 0;
  must(facts);
  if (!ask_tenant(ask, 0) || !ask_body(ask) || !facts_read(ask, facts, &n)) return ask_fail(ask);
  *event = (struct event){.tenant = ask->letter->params[0], .facts = facts, .n_facts = n};
  ask->command.kind = COMMAND_TENANT_SET;
  return ask_command(ask, was_set);
}

/* ---- removing ---- */

static enum desk_step removed(struct ask *ask)
{
  ask->err = ask->command.err;
  if (ask->err.code != OK) return ask_fail(ask);
  return ask_json(ask, 200, json_pack("{so,ss,so}", "name", json_slice(ask->letter->params[0]),
                                      "state", "REMOVED", "seq", json_u64(ask->command.seq)));
}

/* Whether the key that asks is of this tenant: it would be gone with it. */
static bool is_own(const struct ask *ask, const struct tenant *tenant)
{
  const struct tenant *home = NULL;
  const struct key *key = world_key(ask->world, ask->letter->actor, &home);
  return key && home == tenant;
}

enum desk_step tenant_remove(struct ask *ask)
{
  struct event *event = &ask->command.event;
  struct event_fact *fact = arena_zero(&ask->arena, 1, sizeof *fact);
  struct slice force = SLICE_NONE;
  const struct tenant *tenant = ask_tenant(ask, 0);
  must(fact);
  if (!tenant && ask->letter->role != ROLE_OPERATOR) return ask_fail(ask);
  if (!ask_query(ask, "force", &force)) return ask_fail(ask);
  if (tenant && is_own(ask, tenant)) {
    fail(&ask->err, E_CONFLICT,
         "your key is of this tenant and would go with it; an operator of another removes it");
    return ask_fail(ask);
  }
  *event = (struct event){.tenant = ask->letter->params[0]};
  if (force.at && !slice_eq(force, SLICE("false"))) {
    *fact = (struct event_fact){SLICE("force"), SLICE("true")};
    event->facts = fact;
    event->n_facts = 1;
  }
  ask->command.kind = COMMAND_TENANT_REMOVE;
  return ask_command(ask, removed);
}
