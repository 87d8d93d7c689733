/* state.c - the tenant itself, what is pruned, lines and events put together.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "control/state/state.h"

#include <inttypes.h>
#include <stdio.h>

#include "control/state/state_int.h"
#include "world/tenant.h"

enum { SCRATCH_MAX = 64 << 20, FIRST = 32 };

/* --- putting together ------------------------------------------------------------------------- */

bool diff_full(struct diff *diff)
{
  fail(diff->err, E_LIMIT_EXCEEDED,
       "the declaration takes more than the %d MiB that one may; split it by models",
       STATE_ARENA_MAX >> 20);
  return false;
}

bool diff_keep(struct diff *diff, struct slice *text)
{
  if (!text->len) return true;
  *text = arena_copy(diff->arena, *text);
  return text->at ? true : diff_full(diff);
}

/* Room for one more; NULL past the limit or the arena's. */
static void *more(struct diff *diff, void *array, uint32_t n, uint32_t *cap, uint32_t limit,
                  size_t each, const char *of)
{
  if (n == limit) {
    fail(diff->err, E_LIMIT_EXCEEDED, "there would be more than %u %s; split the declaration",
         limit, of);
    return NULL;
  }
  if (n < *cap) return array;
  uint32_t next = *cap ? *cap * 2 : FIRST;
  void *moved = array ? arena_grow(diff->arena, array, *cap * each, next * each)
                      : arena_get(diff->arena, next * each);
  if (moved)
    *cap = next;
  else
    diff_full(diff);
  return moved;
}

struct state_edit *diff_edit(struct diff *diff, const char *what, struct slice model,
                             struct slice name, struct slice from, struct slice to)
{
  struct state_edit *edits =
      more(diff, diff->edits, diff->n_edits, &diff->edits_cap, STATE_EDITS_MAX,
           sizeof *diff->edits, "lines in the plan");
  if (!edits) return NULL;
  diff->edits = edits;
  struct state_edit edit = {.op = !from.at ? '+' : !to.at ? '-' : '~', .what = what};
  edit.model = model;
  edit.name = name;
  edit.from = from;
  edit.to = to;
  if (!diff_keep(diff, &edit.model) || !diff_keep(diff, &edit.name) ||
      !diff_keep(diff, &edit.from) || !diff_keep(diff, &edit.to))
    return NULL;
  diff->edits[diff->n_edits] = edit;
  return &diff->edits[diff->n_edits++];
}

struct event *diff_event(struct diff *diff, enum event_kind kind, struct slice model)
{
  const struct event *wish = &diff->command->event;
  struct event *events =
      more(diff, diff->events, diff->n_events, &diff->events_cap, STATE_EVENTS_MAX,
           sizeof *diff->events, "changes in one apply");
  if (!events) return NULL;
  diff->events = events;
  struct event *event = &diff->events[diff->n_events++];
  *event = (struct event){
      .kind = kind, .tenant = wish->tenant, .model = model, .actor = wish->actor};
  return event;
}

bool diff_fact(struct diff *diff, struct event *event, const char *name, struct slice value)
{
  struct event_fact *facts = arena_zero(diff->arena, 1, sizeof *facts);
  if (!facts) return diff_full(diff);
  facts[0] = (struct event_fact){slice_str(name), value};
  event->facts = facts;
  event->n_facts = 1;
  return true;
}

/* --- limits ----------------------------------------------------------------------------------- */

enum { QUOTA_TEXT_MAX = 24 };

static struct slice quota_text(uint64_t said, char to[QUOTA_TEXT_MAX])
{
  if (!said) return SLICE("default");
  if (said == QUOTA_UNLIMITED) return SLICE("unlimited");
  int len = snprintf(to, QUOTA_TEXT_MAX, "%" PRIu64, said);
  return slice_of(to, (size_t)len);
}

bool diff_quotas(struct diff *diff, const struct quotas *said, enum quota_scope scope,
                 struct slice wanted, struct slice model, struct quotas *next, struct slice *fact)
{
  struct quotas now = said ? *said : (struct quotas){{0}};
  char all[QUOTAS_TEXT_MAX], old[QUOTA_TEXT_MAX], new[QUOTA_TEXT_MAX];
  size_t len = 0;
  *next = diff->state->prune ? (struct quotas){{0}} : now;
  *fact = SLICE_NONE;
  if (quotas_read(next, scope, wanted, diff->err)) return false;
  for (int id = 0; id < QUOTAS; id++) {
    if (now.said[id] == next->said[id]) continue;
    struct slice name = slice_str(quota_row((enum quota_id)id)->name);
    struct slice to = quota_text(next->said[id], new);
    if (!diff_edit(diff, "quota", model, name,
                   now.said[id] ? quota_text(now.said[id], old) : SLICE_NONE,
                   next->said[id] ? to : SLICE_NONE))
      return false;
    len += (size_t)snprintf(all + len, sizeof all - len, "%s%.*s=%.*s", len ? " " : "",
                            SLICE_ARG(name), SLICE_ARG(to));
    must(len < sizeof all);
  }
  *fact = slice_of(all, len);
  return diff_keep(diff, fact);
}

/* --- the tenant itself ------------------------------------------------------------------------ */

static bool may_limit(struct diff *diff, const char *field)
{
  if (!diff->state->apply || diff->state->may_limit) return true;
  fail(diff->err, E_DENIED, "tenants are made, described and limited by an operator");
  fail_at(diff->err, "%s", field);
  return false;
}

static bool tenant_made(struct diff *diff)
{
  struct slice name = diff->command->event.tenant;
  const struct catalog_tenant *ever = catalog_tenant_ever(diff->catalog, name);
  struct event *event;
  if (tenant_name_check(name, diff->err)) {
    fail_at(diff->err, "tenant");
    return false;
  }
  if (ever || slice_eq(name, SLICE(TENANT_DEFAULT))) {
    fail(diff->err, E_CONFLICT, "tenant '%.*s' was removed; a name is never given twice",
         SLICE_ARG(name));
    fail_at(diff->err, "tenant");
    return false;
  }
  if (!may_limit(diff, "tenant") ||
      !diff_edit(diff, "tenant", SLICE_NONE, name, SLICE_NONE, SLICE("made")) ||
      !(event = diff_event(diff, EVENT_TENANT_CREATED, SLICE_NONE)))
    return false;
  event->note = diff->state->about;
  return !event->note.len ||
         diff_edit(diff, "about", SLICE_NONE, SLICE_NONE, SLICE_NONE, event->note);
}

/* Empty texts are none. */
static struct slice said(struct slice text) { return text.len ? text : SLICE_NONE; }

static bool tenant_diff(struct diff *diff)
{
  const struct state *state = diff->state;
  const struct catalog_tenant *tenant = diff->tenant;
  struct slice fact = SLICE_NONE;
  bool about = tenant && state->says_about && !slice_eq(tenant->about, state->about);
  if (!tenant && !tenant_made(diff)) return false;
  if (tenant && tenant->quotas) diff->quotas = *tenant->quotas;
  if (about && !diff_edit(diff, "about", SLICE_NONE, SLICE_NONE, said(tenant->about),
                          said(state->about)))
    return false;
  if (state->says_quotas &&
      !diff_quotas(diff, tenant ? tenant->quotas : NULL, QUOTA_TENANT, state->quotas, SLICE_NONE,
                   &diff->quotas, &fact)) {
    if (diff->err->field[0] == '\0') fail_at(diff->err, "quotas");
    return false;
  }
  if (!about && !fact.len) return true;
  struct event *event = diff_event(diff, EVENT_TENANT_SET, SLICE_NONE);
  struct event_fact *facts = arena_zero(diff->arena, 2, sizeof *facts);
  if (!event || !may_limit(diff, about ? "about" : "quotas")) return false;
  if (!facts) return diff_full(diff);
  if (about) facts[event->n_facts++] = (struct event_fact){SLICE("about"), state->about};
  if (fact.len) facts[event->n_facts++] = (struct event_fact){SLICE("quotas"), fact};
  event->facts = facts;
  return true;
}

/* --- models ----------------------------------------------------------------------------------- */

static bool models_prune(struct diff *diff)
{
  const struct state *state = diff->state;
  uint32_t at = 0;
  for (uint32_t i = 0; diff->tenant && i < diff->tenant->n_models; i++) {
    struct catalog_model *model = diff->tenant->models[i];
    while (at < state->n_models && state_name_order(state->models[at].name, model->name) < 0) at++;
    bool named = at < state->n_models && slice_eq(state->models[at].name, model->name);
    if (!model->removed && !named && !diff_model_removed(diff, model)) return false;
  }
  return true;
}

static bool models_diff(struct diff *diff)
{
  const struct state *state = diff->state;
  if (state->says_models && state->prune && !models_prune(diff)) return false;
  for (uint32_t i = 0; i < state->n_models; i++)
    if (!diff_model(diff, &state->models[i])) return false;
  uint64_t waiting = diff->command->waiting;
  struct stock_more more = diff->more;
  if (!more.models && !more.versions) return true;
  more.models -= more.models < diff->gone.models ? more.models : diff->gone.models;
  more.versions -= more.versions < diff->gone.versions ? more.versions : diff->gone.versions;
  more.bytes -= more.bytes < diff->gone.bytes ? more.bytes : diff->gone.bytes;
  more.waiting = waiting < more.bytes ? waiting : more.bytes;
  return quota_tenant_stock(&diff->quotas, diff->tenant, diff->command->event.tenant, more,
                            diff->err) == OK;
}

/* --- all -------------------------------------------------------------------------------------- */

static void text_add(struct sha256 *sha, struct slice text)
{
  uint64_t len = text.len + (text.at != NULL);
  sha256_add(sha, slice_of((const char *)&len, sizeof len));
  if (text.len) sha256_add(sha, text);
}

static struct digest edits_digest(const struct diff *diff)
{
  struct sha256 sha;
  sha256_init(&sha);
  text_add(&sha, diff->command->event.tenant);
  for (uint32_t i = 0; i < diff->n_edits; i++) {
    const struct state_edit *edit = &diff->edits[i];
    sha256_add(&sha, slice_of(&edit->op, 1));
    text_add(&sha, slice_str(edit->what));
    text_add(&sha, edit->model);
    text_add(&sha, edit->name);
    text_add(&sha, edit->from);
    text_add(&sha, edit->to);
  }
  return sha256_end(&sha);
}

static bool state_diff(struct diff *diff)
{
  const struct state *state = diff->state;
  if (!tenant_diff(diff) || !models_diff(diff) || (state->says_flags && !diff_flags(diff)))
    return false;
  diff->digest = edits_digest(diff);
  if (!state->apply || !state->by_plan || digest_same(&diff->digest, &state->plan)) return true;
  fail(diff->err, E_CONFLICT,
       "what is there has changed since the plan was made; plan again, then decide");
  fail_at(diff->err, "plan");
  return false;
}

void state_decide(const struct catalog *catalog, const struct letter_command *command,
                  struct decision *decision)
{
  struct state *state = command->state;
  struct diff diff = {.catalog = catalog,
                      .tenant = catalog_tenant(catalog, command->event.tenant),
                      .command = command,
                      .state = state,
                      .arena = &state->arena,
                      .err = &decision->err};
  arena_init(&diff.scratch, SCRATCH_MAX, NULL);
  decision->kind = DECISION_ANSWER;
  decision->seq = catalog->seq;
  state->decided = true;
  if (!state_diff(&diff)) {
    decision_refuse(decision);
  } else {
    state->edits = diff.edits;
    state->n_edits = diff.n_edits;
    state->digest = diff.digest;
    if (state->apply && diff.n_events) {
      decision->kind = DECISION_APPEND;
      decision->many = diff.events;
      decision->n_events = diff.n_events;
    }
  }
  arena_deinit(&diff.scratch);
}
