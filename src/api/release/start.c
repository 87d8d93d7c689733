/* start.c - a release begins: its plan is read, checked and forecast, then control is asked.
 * Thread: desk.
 *
 *   body -> plan (given, or the default of its strategy) -> stats -> forecast -> COMMAND_RELEASE
 *
 * What is wrong with a plan is told before anything changes: line, column and key. A step that this
 * model's traffic cannot decide is no error but a warning: traffic may grow.
 * Without strategy and plan it is the default canary, but for a first version: nothing serves that
 * it could be compared with, so it answers at once.
 * SPDX-License-Identifier: MIT */
#include "api/release/power_int.h"
#include "api/release/release_int.h"
#include "base/clock.h"
#include "base/mem.h"
#include "wire/yaml.h"
#include "world/fault.h"

enum { PLAN_BODY_MAX = 256 << 10 };

/* What a deploy asks for, until control has answered. */
struct submission {
  struct plan plan;
  enum strategy strategy;
  bool named;    /* the strategy was said */
  bool plan_own; /* the plan was given, not made */
  bool wait, supersede;
  int64_t version, stable;
  struct slice rehearse, note;
  json_t *forecast, *warnings;
};

static void submission_free(void *state)
{
  struct submission *submission = state;
  json_decref(submission->forecast);
  json_decref(submission->warnings);
  ungrab(submission);
}

/* ---- reading ---- */

static bool strategy_read(struct ask *ask, struct submission *submission)
{
  struct slice word = SLICE_NONE;
  if (!member_str(ask, ask->body, "strategy", 64, &word)) return false;
  if (!word.at) return true;
  for (int s = 0; s < STRATEGY_COUNT; s++)
    if (slice_eq(word, slice_str(strategy_name((enum strategy)s)))) {
      submission->strategy = (enum strategy)s;
      submission->named = true;
      return true;
    }
  fail(&ask->err, E_INVALID_ARGUMENT,
       "'%.*s' is not a strategy; now, shadow, canary, bluegreen and ab are", SLICE_ARG(word));
  fail_at(&ask->err, "strategy");
  return false;
}

/* An error of the plan as one of this request. A place in a text of our own making helps nobody. */
static bool plan_refused(struct ask *ask, bool own_text)
{
  struct err inner = ask->err;
  const char *text = inner.text;
  const char *colon = strstr(text, ": ");
  if (own_text && strncmp(text, "line ", 5) == 0 && colon) text = colon + 2;
  fail(&ask->err, inner.code, "%s", text);
  fail_at(&ask->err, inner.field[0] ? "plan.%s" : "plan%s", inner.field);
  return false;
}

/* The plan says its strategy itself, or the request does; both must agree. */
static bool strategy_agrees(struct ask *ask, const struct submission *submission,
                            struct slice said)
{
  struct slice wanted = slice_str(strategy_name(submission->strategy));
  if (!submission->named || slice_eq(said, wanted)) return true;
  fail(&ask->err, E_INVALID_ARGUMENT, "the request says strategy '%.*s', its plan says '%.*s'",
       SLICE_ARG(wanted), SLICE_ARG(said));
  fail_at(&ask->err, "strategy");
  return false;
}

static bool plan_take(struct ask *ask, struct submission *submission, struct slice text,
                      bool own_text)
{
  struct arena arena;
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  enum code code = plan_read(&submission->plan, text, &arena, &ask->err);
  arena_deinit(&arena);
  if (code != OK) return plan_refused(ask, own_text);
  return strategy_agrees(ask, submission, slice_str(strategy_name(submission->plan.strategy)));
}

static bool plan_of_object(struct ask *ask, struct submission *submission, const json_t *object)
{
  json_t *tree = json_copy((json_t *)(uintptr_t)object);
  if (submission->named && !json_object_get(tree, "strategy"))
    json_object_set_new(tree, "strategy", json_string(strategy_name(submission->strategy)));
  char *text = json_dumps(tree, JSON_COMPACT);
  bool fine = plan_take(ask, submission, slice_str(text), true);
  ungrab(text);
  json_decref(tree);
  return fine;
}

/* Whether a YAML map says its strategy. What is no YAML is plan_read's to complain about. */
static bool strategy_is_said(struct slice text)
{
  struct arena arena;
  const struct yaml *root;
  struct err err;
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  bool said = yaml_parse(text, &arena, &root, &err) != OK || root->kind != YAML_MAP ||
              yaml_get(root, "strategy");
  arena_deinit(&arena);
  return said;
}

static bool plan_of_text(struct ask *ask, struct submission *submission, struct slice text)
{
  struct err err;
  json_t *tree = text.len && text.at[0] == '{' ? json_parse(text, &err) : NULL;
  if (json_is_object(tree)) {
    bool fine = plan_of_object(ask, submission, tree);
    json_decref(tree);
    return fine;
  }
  json_decref(tree);
  if (!submission->named || strategy_is_said(text))
    return plan_take(ask, submission, text, false);
  struct buf buf; /* behind the text, so that its lines keep their numbers */
  buf_init(&buf, PLAN_BODY_MAX + 64);
  buf_add(&buf, text);
  buf_print(&buf, "\nstrategy: %s\n", strategy_name(submission->strategy));
  bool fine = plan_take(ask, submission, buf_lend(&buf), false);
  buf_deinit(&buf);
  return fine;
}

static bool plan_of_ask(struct ask *ask, struct submission *submission)
{
  const json_t *member = json_object_get(ask->body, "plan");
  struct slice text = SLICE_NONE;
  submission->plan_own = member != NULL;
  if (json_is_object(member)) return plan_of_object(ask, submission, member);
  if (!member_str(ask, ask->body, "plan", PLAN_BODY_MAX, &text)) return false;
  if (text.at) return plan_of_text(ask, submission, text);
  plan_default(&submission->plan, submission->strategy);
  return true;
}

static bool rehearse_read(struct ask *ask, struct submission *submission)
{
  struct fault fault;
  if (!member_str(ask, ask->body, "rehearse", FAULT_TEXT_MAX, &submission->rehearse)) return false;
  if (!submission->rehearse.at) return true;
  if (fault_read(submission->rehearse, &fault, &ask->err) == OK) return true;
  fail_at(&ask->err, "rehearse");
  return false;
}

static bool submission_read(struct ask *ask, struct submission *submission)
{
  return ask_body(ask) &&
         ask_members(ask, "version", "strategy", "plan", "supersede", "wait", "rehearse", "note",
                     NULL) &&
         member_version(ask, "version", &submission->version) &&
         member_bool(ask, ask->body, "supersede", &submission->supersede) &&
         member_bool(ask, ask->body, "wait", &submission->wait) &&
         member_str(ask, ask->body, "note", NOTE_MAX, &submission->note) &&
         rehearse_read(ask, submission) && strategy_read(ask, submission) &&
         plan_of_ask(ask, submission);
}

/* ---- at once ---- */

static enum desk_step deployed(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  if (command->err.code != OK) {
    ask->err = command->err;
    return ask_fail(ask);
  }
  const struct submission *submission = ask->state;
  json_t *tree = json_pack("{so,so,ss,so}", "model", json_slice(command->event.model), "version",
                           json_integer(command->version), "state",
                           command->wait ? "READY" : "LOADING", "seq", json_u64(command->seq));
  if (submission->plan.strategy != STRATEGY_NOW && (submission->named || submission->plan_own))
    json_object_set_new(tree, "note",
                        json_string("nothing served before, so there was nothing to compare with: "
                                    "the plan was checked and not followed"));
  return ask_json(ask, command->wait ? 200 : 202, tree);
}

static enum desk_step deploy_now(struct ask *ask, const struct submission *submission)
{
  ask->command.kind = COMMAND_DEPLOY;
  ask->command.wait = submission->wait;
  ask->command.event = (struct event){.kind = EVENT_VERSION_DEPLOYED,
                                      .model = ask->letter->params[0],
                                      .version = (uint32_t)submission->version,
                                      .note = submission->note};
  return ask_command(ask, deployed);
}

/* ---- the forecast ---- */

struct since {
  int64_t wall_ms;
};

static enum code since_met(void *arg, const struct event *event, const struct digest *hash,
                           struct err *err)
{
  struct since *since = arg;
  (void)hash;
  if (!event_serving(event)) return OK;
  since->wall_ms = event->wall_ms;
  return fail(err, E_CANCELLED, "enough");
}

/* For how long the stable version has answered since the server started, in seconds. */
static double serving_s(struct ask *ask, const struct stats *stats, struct slice model)
{
  struct since since = {0};
  double up = (double)stats->uptime_us / 1e6;
  if (ledger_walk(ask, model, since_met, &since) != OK || !since.wall_ms) return up;
  double served = (double)(clock_wall_ms() - since.wall_ms) / 1e3;
  return served > 0 && served < up ? served : up;
}

/* Counters of the stable version since it serves. */
static void traffic_fill(struct ask *ask, const struct stats *stats, const struct model *model,
                         struct power_traffic *traffic)
{
  const struct version_tally *tally = stats_slot(stats, model->stable->slot);
  uint64_t failed = tally->failed[FAIL_BACKEND];
  uint64_t requests = tally->success.count + failed;
  double seconds = serving_s(ask, stats, model->name);
  *traffic = (struct power_traffic){0};
  if (!requests || seconds <= 0) return;
  traffic->rps = (double)requests / seconds;
  traffic->error_rate = (double)failed / (double)requests;
}

static json_t *lines_json(struct slice text)
{
  json_t *list = json_array();
  while (text.len) {
    const char *end = memchr(text.at, '\n', text.len);
    size_t n = end ? (size_t)(end - text.at) : text.len;
    if (n) json_array_append_new(list, json_slice(slice_of(text.at, n)));
    text = slice_from(text, end ? n + 1 : n);
  }
  return list;
}

static void forecast_fill(struct submission *submission, const struct power_traffic *traffic)
{
  struct arena arena;
  struct err err;
  struct slice json, warnings;
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  power_report(&submission->plan, traffic, &arena, &json, &warnings);
  submission->forecast = json_parse(json, &err);
  submission->warnings = lines_json(warnings);
  must(submission->forecast != NULL);
  arena_deinit(&arena);
}

/* ---- control's turn ---- */

static json_t *plan_json(const struct event *event)
{
  json_t *plan = fact_json(event, "plan");
  must(plan != NULL);
  return plan;
}

/* Latency is judged by thresholds of stable's last half hour, in blocks of ten seconds, which are
 * frozen when a step begins; a step that begins without them holds. */
static void past_warn(const struct submission *submission, uint64_t past)
{
  const struct gate_spec *latency = &submission->plan.gates[GATE_LATENCY];
  bool any = latency->off;
  for (int row = 0; row < SLOW_ROWS; row++)
    any = any || (latency->quantiles >> row & 1 && (double)past * (1 - SLOW_Q[row]) >= SLOW_EVENTS);
  if (any) return;
  json_array_append_new(
      submission->warnings,
      json_sprintf("latency has no history (%llu answers of stable in whole blocks of 10 s): the "
                   "first step would hold for want of data; abort, let traffic run for 15 s, then "
                   "%s again",
                   (unsigned long long)past, submission->rehearse.at ? "rehearse" : "deploy"));
}

static enum desk_step released(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  struct submission *submission = ask->state;
  if (command->err.code != OK) {
    ask->err = command->err;
    return ask_fail(ask);
  }
  struct arena arena;
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  struct digest hash = plan_hash(&submission->plan, &arena);
  arena_deinit(&arena);
  json_t *tree = json_object();
  json_object_set_new(tree, "model", json_slice(command->event.model));
  json_object_set_new(tree, "release", json_integer(command->release));
  json_object_set_new(tree, "version", json_integer(command->version));
  json_object_set_new(tree, "stable", json_integer(submission->stable));
  json_object_set_new(tree, "strategy", json_string(strategy_name(submission->plan.strategy)));
  json_object_set_new(tree, "state", json_string("pending"));
  json_object_set_new(tree, "seq", json_u64(command->seq));
  json_object_set_new(tree, "spec_hash", json_digest(&hash));
  json_object_set_new(tree, "plan", plan_json(&command->event));
  past_warn(submission, command->past);
  json_object_set(tree, "forecast", submission->forecast);
  json_object_set(tree, "warnings", submission->warnings);
  return ask_json(ask, 202, tree);
}

static enum desk_step release_begin(struct ask *ask, const struct stats *stats)
{
  struct submission *submission = ask->state;
  const struct model *model = ask_model(ask, 0);
  struct power_traffic traffic;
  struct ask_facts facts;
  if (!model) return ask_fail(ask);
  if (!model->stable) return deploy_now(ask, submission);
  if (!way_back_holds(ask, model->stable)) return ask_fail(ask);
  submission->stable = model->stable->number;
  if (submission->rehearse.at) plan_rehearse(&submission->plan);
  traffic_fill(ask, stats, model, &traffic);
  forecast_fill(submission, &traffic);
  struct slice text = plan_write(&submission->plan, &ask->arena);
  if (!text.at) {
    fail(&ask->err, E_OUT_OF_MEMORY, "the plan is too large");
    return ask_fail(ask);
  }
  ask_facts_begin(ask, &facts);
  ask_fact_add(&facts, "person", ask_person(ask));
  ask_fact_add(&facts, "plan", text);
  ask_fact_add(&facts, "rehearse", submission->rehearse);
  ask_fact_add(&facts, "role", slice_str(role_name(ask->letter->role)));
  if (submission->supersede) ask_fact_add(&facts, "supersede", SLICE("true"));
  ask->command.kind = COMMAND_RELEASE;
  ask->command.event = (struct event){.kind = EVENT_RELEASE_STARTED,
                                      .model = ask->letter->params[0],
                                      .version = (uint32_t)submission->version,
                                      .note = submission->note};
  ask_facts_give(&facts, &ask->command.event);
  return ask_command(ask, released);
}

/* Whether there is anything to compare with and anybody asked for it. At once and in the place of
 * a release that runs is a release of its own: ending the one and beginning the other is one event.
 */
static bool is_release(const struct ask *ask, const struct submission *submission)
{
  const struct model *model =
      ask->tenant ? world_model(ask->world, ask->tenant, ask->letter->params[0]) : NULL;
  if (submission->rehearse.at) return true;
  if (!model || !model->stable) return false;
  return submission->plan.strategy != STRATEGY_NOW || submission->supersede;
}

enum desk_step release_deploy(struct ask *ask)
{
  struct submission *submission = grab_zero(1, sizeof *submission);
  submission->strategy = STRATEGY_CANARY;
  ask->state = submission;
  ask->state_free = submission_free;
  if (!submission_read(ask, submission)) return ask_fail(ask);
  if (!is_release(ask, submission)) return deploy_now(ask, submission);
  return stats_fresh(ask, release_begin);
}
