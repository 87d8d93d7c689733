/* at.c - who answered for a model at a time in the past, and what made it so.
 * Thread: desk.
 * The ledger is read backwards from that time: the first event met that says who answers is the
 * answer; inside a release its start says who stable and candidate were.
 * SPDX-License-Identifier: MIT */
#include "api/release/release_int.h"
#include "judge/step.h"

struct looking {
  int64_t at_ms;
  struct slice alias;  /* not empty: what this name pointed at is asked for */
  json_t *aliased;     /* the answer to that; NULL: not met yet */
  json_t *tree;     /* NULL: nothing met yet */
  uint32_t serving; /* what the newest event that says so put in charge; 0: none met yet */
  uint32_t release; /* not 0: its start is still to be met */
};

static bool is_switch(enum event_kind kind)
{
  return kind == EVENT_VERSION_DEPLOYED || kind == EVENT_ROLLED_BACK ||
         kind == EVENT_VERSION_RETIRED;
}

static json_t *met_json(const struct looking *looking, const struct event *event)
{
  json_t *tree = json_object();
  json_t *verdict = fact_json(event, "verdict"), *why = json_object_get(verdict, "sentence");
  struct slice text = event->reason.len ? event->reason : event->note;
  json_object_set_new(tree, "model", json_slice(event->model));
  json_object_set_new(tree, "at", json_time(looking->at_ms));
  json_object_set_new(tree, "serving", json_null());
  json_object_set_new(tree, "since", json_time(event->wall_ms));
  json_object_set_new(tree, "what", json_string(event_name(event->kind)));
  json_object_set_new(tree, "who", json_slice(event->actor));
  json_object_set_new(tree, "why", why ? json_incref(why) : json_slice(text));
  json_object_set_new(tree, "seq", json_u64(event->seq));
  json_object_set_new(tree, "release", json_null());
  json_decref(verdict);
  return tree;
}

/* The traffic a step of the canonical plan gives, as the plan says it: "5%". */
static json_t *traffic_of(const struct event *start, int64_t step)
{
  json_t *plan = fact_json(start, "plan"), *share = NULL;
  json_t *body = json_array_get(json_object_get(plan, "steps"), step < 0 ? SIZE_MAX : (size_t)step);
  void *at = json_object_iter(body);
  if (at && strcmp(json_object_iter_key(at), "shadow") != 0)
    share = json_object_get(json_object_iter_value(at), "traffic");
  json_t *traffic = share ? json_incref(share) : json_null();
  json_decref(plan);
  return traffic;
}

/* What a release was doing then. Its first event met is the state it was in. */
static void release_meet(struct looking *looking, const struct event *event)
{
  if (!looking->tree) {
    struct slice state = event_fact(event, "state");
    looking->tree = met_json(looking, event);
    looking->release = event->release;
    json_object_set_new(
        looking->tree, "release",
        json_pack("{so,so,so}", "release", json_integer(event->release), "state",
                  state.len ? json_slice(state) : json_string("pending"), "step",
                  json_integer(event_fact_int(event, "step", 0))));
  }
  if (!looking->serving) looking->serving = event_serving(event);
  if (event->kind != EVENT_RELEASE_STARTED) return;
  json_t *release = json_object_get(looking->tree, "release");
  const struct state_facts *facts =
      state_facts_named(slice_str(json_string_value(json_object_get(release, "state"))));
  int64_t stable = event_fact_int(event, "stable", 0);
  int64_t step = json_integer_value(json_object_get(release, "step"));
  bool won = facts && facts->charge == CHARGE_CANDIDATE;
  uint32_t candidate = looking->serving ? looking->serving : event->version;
  json_object_set_new(looking->tree, "serving", json_integer(won ? candidate : stable));
  json_object_set_new(release, "candidate", json_integer(event->version));
  json_object_set_new(release, "stable", json_integer(stable));
  json_object_set_new(release, "traffic",
                      facts && facts->splits ? traffic_of(event, step) : json_null());
}

/* The newest word on an alias before that time: where it was set, or that it was removed. A model
 * that was removed took its aliases along. */
static enum code alias_met(void *arg, const struct event *event, const struct digest *hash,
                           struct err *err)
{
  struct looking *looking = arg;
  bool of_alias = event->kind == EVENT_ALIAS_SET || event->kind == EVENT_ALIAS_REMOVED;
  (void)hash;
  if (event->wall_ms > looking->at_ms) return OK;
  if (of_alias && !slice_eq(event_fact(event, "alias"), looking->alias)) return OK;
  if (!of_alias && event->kind != EVENT_MODEL_REMOVED) return OK;
  looking->aliased = json_pack(
      "{so,so,so,so,so,so,so}", "model", json_slice(event->model), "alias",
      json_slice(looking->alias), "at", json_time(looking->at_ms), "version",
      event->kind == EVENT_ALIAS_SET ? json_integer(event->version) : json_null(), "since",
      json_time(event->wall_ms), "who", json_slice(event->actor), "seq", json_u64(event->seq));
  return fail(err, E_CANCELLED, "enough");
}

static enum desk_step alias_at(struct ask *ask, struct looking *looking)
{
  if (ledger_walk(ask, ask->letter->params[0], alias_met, looking) != OK) {
    json_decref(looking->aliased);
    return ask_fail(ask);
  }
  if (looking->aliased) return ask_json(ask, 200, looking->aliased);
  return ask_json(ask, 200,
                  json_pack("{so,so,so,sn,sn}", "model", json_slice(ask->letter->params[0]),
                            "alias", json_slice(looking->alias), "at", json_time(looking->at_ms),
                            "version", "since"));
}

static enum code at_met(void *arg, const struct event *event, const struct digest *hash,
                        struct err *err)
{
  struct looking *looking = arg;
  (void)hash;
  if (event->wall_ms > looking->at_ms) return OK;
  if (looking->release) {
    if (event->release != looking->release) return OK;
    release_meet(looking, event);
  } else if (event->kind == EVENT_RELEASE_STARTED || event->kind == EVENT_RELEASE_MOVED) {
    release_meet(looking, event);
  } else if (is_switch(event->kind)) {
    looking->tree = met_json(looking, event);
    if (event->kind != EVENT_VERSION_RETIRED)
      json_object_set_new(looking->tree, "serving", json_integer(event->version));
  } else {
    return OK;
  }
  bool done = is_switch(event->kind) || event->kind == EVENT_RELEASE_STARTED;
  return done ? fail(err, E_CANCELLED, "enough") : OK;
}

enum desk_step history_at(struct ask *ask, struct slice time)
{
  struct looking looking = {0};
  uint64_t ms; /* a query has no numbers but as text */
  bool number = text_read_u64(time, INT64_MAX, &ms);
  json_t *text = number ? json_u64(ms) : json_slice(time);
  bool read = time_read(ask, "at", text, &looking.at_ms);
  json_decref(text);
  if (!read || !ask_query(ask, "alias", &looking.alias)) return ask_fail(ask);
  if (looking.alias.len) return alias_at(ask, &looking);
  if (ledger_walk(ask, ask->letter->params[0], at_met, &looking) != OK) {
    json_decref(looking.tree);
    return ask_fail(ask);
  }
  if (looking.tree) return ask_json(ask, 200, looking.tree);
  return ask_json(ask, 200,
                  json_pack("{so,so,sn,sn}", "model", json_slice(ask->letter->params[0]), "at",
                            json_time(looking.at_ms), "serving", "release"));
}
