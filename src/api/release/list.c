/* list.c - what the ledger knows of releases: all of them, one of them, step by step.
 * Thread: desk; the desk's own read-only handle on the ledger.
 * Events are read newest first, so the first move met of a release is the state it is in.
 * SPDX-License-Identifier: MIT */
#include "api/release/release_int.h"

#include <stdio.h>

#include "api/page.h"
#include "base/clock.h"
#include "judge/step.h"

enum { RELEASES_PAGE = 100, RELEASES_PAGE_MAX = 1000 };

/* ---- walking ---- */

struct walk {
  history_fn fn;
  void *arg;
  uint64_t last;
  uint32_t n;
  bool enough;
};

static enum code walked(void *arg, const struct event *event, const struct digest *hash,
                        struct err *err)
{
  struct walk *walk = arg;
  walk->last = event->seq;
  walk->n++;
  enum code code = walk->fn(walk->arg, event, hash, err);
  if (code == E_CANCELLED) walk->enough = true;
  return code;
}

enum code ledger_walk(struct ask *ask, struct slice model, history_fn fn, void *arg)
{
  struct walk walk = {.fn = fn, .arg = arg};
  struct history_range range = {.tenant = ask->letter->tenant,
                                .model = model,
                                .limit = HISTORY_LIMIT_MAX,
                                .deadline_us = clock_us() + LEDGER_WALK_US};
  struct history *history = ask_history(ask);
  if (!history) return ask->err.code;
  do {
    walk.n = 0;
    range.before = walk.last;
    enum code code = model.len ? history_read(history, &range, walked, &walk, &ask->err)
                               : history_releases(history, &range, walked, &walk, &ask->err);
    if (code != OK) return walk.enough ? OK : code;
  } while (walk.n == HISTORY_LIMIT_MAX && walk.last > 1);
  return OK;
}

json_t *fact_json(const struct event *event, const char *name)
{
  struct slice text = event_fact(event, name);
  struct err err;
  json_t *json = NULL;
  if (!text.at) return NULL;
  if (text.len && (text.at[0] == '{' || text.at[0] == '[')) json = json_parse(text, &err);
  return json ? json : json_slice(text);
}

/* ---- one row per release ---- */

static bool is_release(const struct event *event)
{
  return event->release &&
         (event->kind == EVENT_RELEASE_STARTED || event->kind == EVENT_RELEASE_MOVED ||
          event->kind == EVENT_RELEASE_APPROVED);
}

static void fact_set(json_t *tree, const char *key, const struct event *event, const char *name)
{
  json_t *fact = fact_json(event, name);
  json_object_set_new(tree, key, fact ? fact : json_null());
}

static void fact_set_int(json_t *tree, const char *key, const struct event *event, const char *name)
{
  int64_t value = event_fact_int(event, name, -1);
  json_object_set_new(tree, key, value < 0 ? json_null() : json_integer(value));
}

/* By arm; the start says them where there are more than two. */
static json_t *versions_json(const struct event *event)
{
  struct slice text = event_fact(event, "versions");
  uint64_t number;
  if (!text.len)
    return json_pack("[I,I]", (json_int_t)event->version,
                     (json_int_t)event_fact_int(event, "stable", 0));
  json_t *list = json_array();
  while (text.len) {
    const char *blank = memchr(text.at, ' ', text.len);
    size_t len = blank ? (size_t)(blank - text.at) : text.len;
    if (text_read_u64(slice_of(text.at, len), UINT32_MAX, &number))
      json_array_append_new(list, json_integer((json_int_t)number));
    text = slice_from(text, blank ? len + 1 : len);
  }
  return list;
}

/* The arms with what they are called, and the one that went on. */
static void arms_name(json_t *row, const json_t *plan)
{
  const json_t *said = json_object_get(json_object_get(plan, "ab"), "arms");
  const json_t *chosen = json_object_get(row, "chosen_version"), *version;
  json_t *list = json_array();
  size_t i;
  json_array_foreach(json_object_get(row, "versions"), i, version)
  {
    const char *name = json_string_value(json_object_get(json_array_get(said, i), "name"));
    if (i >= ARMS_MAX) break;
    const char *arm = arm_name((uint32_t)i);
    json_array_append_new(
        list, json_pack("{ss,ss,sO}", "arm", arm, "name", name ? name : arm, "version", version));
    if (json_is_integer(chosen) && json_equal(chosen, version))
      json_object_set_new(row, "chosen", json_string(arm));
  }
  json_object_set_new(row, "arms", list);
}

/* What the start says; the members that moves fill must be there already. */
static void row_start(json_t *row, const struct event *event)
{
  json_t *plan = fact_json(event, "plan");
  json_object_set_new(row, "version", json_integer(event->version));
  fact_set_int(row, "stable", event, "stable");
  json_object_set_new(row, "versions", versions_json(event));
  json_t *strategy = json_object_get(plan, "strategy");
  if (strategy) json_object_set(row, "strategy", strategy);
  json_object_set_new(row, "started_at", json_time(event->wall_ms));
  json_object_set_new(row, "started_by", json_slice(event->actor));
  fact_set(row, "rehearse", event, "rehearse");
  arms_name(row, plan);
  json_decref(plan);
}

/* A move that completed it says who serves from then on. */
static void row_chosen(json_t *row, const struct event *event)
{
  uint32_t serving = event_serving(event);
  if (serving && slice_eq(event_fact(event, "state"), SLICE("completed")))
    json_object_set_new(row, "chosen_version", json_integer(serving));
}

static void row_move(json_t *row, const struct event *event)
{
  json_t *verdict = fact_json(event, "verdict");
  json_t *kind = json_object_get(verdict, "verdict");
  json_t *sentence = json_object_get(verdict, "sentence");
  fact_set(row, "state", event, "state");
  fact_set_int(row, "step", event, "step");
  fact_set(row, "why", event, "why");
  json_object_set(row, "verdict", kind ? kind : json_null());
  json_object_set(row, "sentence", sentence ? sentence : json_null());
  json_object_set_new(row, "moved_at", json_time(event->wall_ms));
  json_object_set_new(row, "moved_by", json_slice(event->actor));
  json_object_set_new(row, "note", event->note.len ? json_slice(event->note) : json_null());
  json_decref(verdict);
}

static json_t *row_new(const struct event *event)
{
  return json_pack("{so,so,ss,sn,sn,sn,sn,sn,sn,sn,sn,sn}", "model", json_slice(event->model),
                   "release", json_integer(event->release), "state", "pending", "step", "why",
                   "verdict", "sentence", "moved_at", "strategy", "stable", "chosen",
                   "chosen_version");
}

/* ---- GET /api/v1/releases ---- */

struct listing {
  json_t *open; /* "model/number" -> row, of releases whose start was not met yet */
  json_t *list;
  struct slice state; /* only these; at NULL: all */
  uint64_t before;    /* only those that started before this event; 0: all */
  uint32_t left;
  uint64_t last; /* start of the last one listed */
};

static json_t *row_of(struct listing *listing, const struct event *event, bool *fresh)
{
  char key[EVENT_TEXT_MAX + 16];
  snprintf(key, sizeof key, "%.*s/%u", (int)event->model.len, event->model.at, event->release);
  json_t *row = json_object_get(listing->open, key);
  *fresh = row == NULL;
  if (row) return row;
  row = row_new(event);
  json_object_set_new(listing->open, key, row);
  return row;
}

static bool row_fits(const struct listing *listing, const json_t *row, const struct event *event)
{
  if (listing->before && event->seq >= listing->before) return false;
  const json_t *state = json_object_get(row, "state");
  return !listing->state.at ||
         (json_is_string(state) && slice_eq(slice_str(json_string_value(state)), listing->state));
}

static enum code release_met(void *arg, const struct event *event, const struct digest *hash,
                             struct err *err)
{
  struct listing *listing = arg;
  bool fresh;
  (void)hash;
  if (!is_release(event)) return OK;
  json_t *row = row_of(listing, event, &fresh);
  if (event->kind == EVENT_RELEASE_MOVED && json_is_null(json_object_get(row, "moved_at")))
    row_move(row, event);
  if (event->kind == EVENT_RELEASE_MOVED) row_chosen(row, event);
  if (event->kind != EVENT_RELEASE_STARTED) return OK;
  row_start(row, event);
  if (row_fits(listing, row, event)) {
    json_array_append(listing->list, row);
    listing->last = event->seq;
    listing->left--;
  }
  char key[EVENT_TEXT_MAX + 16];
  snprintf(key, sizeof key, "%.*s/%u", (int)event->model.len, event->model.at, event->release);
  json_object_del(listing->open, key);
  return listing->left ? OK : fail(err, E_CANCELLED, "enough");
}

static bool state_is_known(struct ask *ask, struct slice state)
{
  char list[256] = "";
  for (int s = 0; s < ROLLOUT_STATES; s++) {
    const char *name = rollout_state_name((enum rollout_state)s);
    size_t len = strlen(list);
    if (!state.at || slice_eq(state, slice_str(name))) return true;
    snprintf(list + len, sizeof list - len, "%s%s", s ? ", " : "", name);
  }
  fail(&ask->err, E_INVALID_ARGUMENT, "'%.*s' is no state of a release: %s", SLICE_ARG(state),
       list);
  fail_at(&ask->err, "state");
  return false;
}

enum desk_step release_list(struct ask *ask)
{
  struct listing listing = {.state = SLICE_NONE};
  struct slice model;
  int64_t limit, before = 0;
  uint64_t place;
  if (!ask_query(ask, "model", &model) || !ask_query(ask, "state", &listing.state) ||
      !page_read_number(ask, RELEASES_PAGE, RELEASES_PAGE_MAX, &limit, &place) ||
      !ask_query_int(ask, "before", 1, INT64_MAX, &before))
    return ask_fail(ask);
  if (!state_is_known(ask, listing.state)) return ask_fail(ask);
  listing.open = json_object();
  listing.list = json_array();
  listing.left = (uint32_t)limit;
  listing.before = place ? place : (uint64_t)before;
  enum code code = ledger_walk(ask, model, release_met, &listing);
  json_decref(listing.open);
  if (code == OK)
    return ask_json(ask, 200,
                    json_pack("{so,so,so}", "releases", listing.list, "before",
                              listing.left ? json_null() : json_u64(listing.last), "next",
                              page_next_number(ask, listing.left ? 0 : listing.last)));
  json_decref(listing.list);
  return ask_fail(ask);
}

/* ---- GET /api/v1/releases/{model}/{number} ---- */

struct telling {
  uint32_t number;
  json_t *tree, *moves, *approvals; /* newest first until they are turned around */
};

static json_t *move_json(const struct event *event)
{
  json_t *move = json_pack("{so,so,so}", "seq", json_u64(event->seq), "at",
                           json_time(event->wall_ms), "who", json_slice(event->actor));
  fact_set(move, "state", event, "state");
  fact_set_int(move, "step", event, "step");
  fact_set_int(move, "elapsed_ms", event, "elapsed_ms");
  fact_set(move, "why", event, "why");
  if (event->note.len) json_object_set_new(move, "note", json_slice(event->note));
  fact_set(move, "verdict", event, "verdict");
  return move;
}

static enum code telling_met(void *arg, const struct event *event, const struct digest *hash,
                             struct err *err)
{
  struct telling *telling = arg;
  (void)hash;
  if (!is_release(event) || event->release != telling->number) return OK;
  if (!telling->tree) telling->tree = row_new(event);
  if (event->kind == EVENT_RELEASE_APPROVED) {
    json_t *approval =
        json_pack("{so,so}", "at", json_time(event->wall_ms), "who", json_slice(event->actor));
    fact_set(approval, "person", event, "person");
    fact_set_int(approval, "step", event, "step");
    json_array_insert_new(telling->approvals, 0, approval);
    return OK;
  }
  if (event->kind == EVENT_RELEASE_MOVED) {
    if (!json_array_size(telling->moves)) row_move(telling->tree, event);
    row_chosen(telling->tree, event);
    json_array_insert_new(telling->moves, 0, move_json(event));
    return OK;
  }
  row_start(telling->tree, event);
  fact_set(telling->tree, "seed", event, "seed");
  fact_set(telling->tree, "plan", event, "plan");
  return fail(err, E_CANCELLED, "enough");
}

bool release_number_read(struct ask *ask, uint32_t *number)
{
  uint64_t value;
  struct slice text = ask->letter->params[1];
  if (text_read_u64(text, UINT32_MAX, &value) && value) {
    *number = (uint32_t)value;
    return true;
  }
  fail(&ask->err, E_INVALID_ARGUMENT, "'%.*s' is not a release; releases are numbers like 17",
       SLICE_ARG(text));
  return false;
}

static enum desk_step release_not_found(struct ask *ask, uint32_t number)
{
  fail(&ask->err, E_NOT_FOUND,
       "model '%.*s' has no release %u; 'slipway release list %.*s' lists them",
       SLICE_ARG(ask->letter->params[0]), number, SLICE_ARG(ask->letter->params[0]));
  return ask_fail(ask);
}

enum desk_step release_tell(struct ask *ask)
{
  struct telling telling = {0};
  if (!ask_model(ask, 0) || !release_number_read(ask, &telling.number)) return ask_fail(ask);
  telling.moves = json_array();
  telling.approvals = json_array();
  enum code code = ledger_walk(ask, ask->letter->params[0], telling_met, &telling);
  if (code == OK && telling.tree) {
    json_object_set_new(telling.tree, "moves", telling.moves);
    json_object_set_new(telling.tree, "approvals", telling.approvals);
    return ask_json(ask, 200, telling.tree);
  }
  json_decref(telling.tree);
  json_decref(telling.moves);
  json_decref(telling.approvals);
  return code == OK ? release_not_found(ask, telling.number) : ask_fail(ask);
}
