/* plan_write.c - the one text of a plan: what the ledger keeps and what the spec hash is of.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "judge/plan_int.h"
#include "wire/json.h"

/* value / 10^places, without zeros at the end. */
static size_t decimal_print(char *to, size_t cap, uint64_t value, int places)
{
  uint64_t unit = 1;
  for (int i = 0; i < places; i++) unit *= 10;
  int n = snprintf(to, cap, "%" PRIu64 ".%0*" PRIu64, value / unit, places, value % unit);
  while (to[n - 1] == '0') n--;
  if (to[n - 1] == '.') n--;
  to[n] = '\0';
  return (size_t)n;
}

static void put_decimal(struct json_out *out, const char *key, uint64_t value, int places)
{
  char text[40];
  size_t len = decimal_print(text, sizeof text, value, places);
  json_out_key(out, key);
  json_out_value(out, slice_of(text, len));
}

static void put_share(struct json_out *out, const char *key, uint64_t value)
{
  char text[40];
  size_t len = decimal_print(text, sizeof text - 1, value, 6);
  text[len] = '%';
  json_out_key(out, key);
  json_out_str(out, slice_of(text, len + 1));
}

static void put_us(struct json_out *out, const char *key, uint32_t us)
{
  char text[24];
  int n = snprintf(text, sizeof text, "%" PRIu32 "us", us);
  json_out_key(out, key);
  json_out_str(out, slice_of(text, (size_t)n));
}

static void put_time(struct json_out *out, const char *key, uint64_t ms)
{
  static const struct {
    uint64_t ms;
    const char *name;
  } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
  int i = 0;
  while (ms % units[i].ms) i++;
  if (ms == 0) i = 3;
  char text[40];
  int n = snprintf(text, sizeof text, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
  json_out_key(out, key);
  json_out_str(out, slice_of(text, (size_t)n));
}

static void put_str(struct json_out *out, const char *key, const char *text)
{
  json_out_key(out, key);
  json_out_str(out, slice_str(text));
}

static void put_bool(struct json_out *out, const char *key, bool value)
{
  json_out_key(out, key);
  json_out_bool(out, value);
}

static void key_value(struct json_out *out, const struct plan_key *key)
{
  char text[PLAN_KEY_MAX + 16];
  int n;
  switch (key->kind) {
    case BY_HEADER: n = snprintf(text, sizeof text, "header:%s", key->name); break;
    case BY_PARAMETER: n = snprintf(text, sizeof text, "parameter:%s", key->name); break;
    case BY_TENANT: n = snprintf(text, sizeof text, "tenant"); break;
    default: n = snprintf(text, sizeof text, "request"); break;
  }
  json_out_str(out, slice_of(text, (size_t)n));
}

static void put_key(struct json_out *out, const char *name, const struct plan_key *key)
{
  json_out_key(out, name);
  key_value(out, key);
}

static void step_write(const struct plan *plan, const struct plan_step *step, struct json_out *out)
{
  (void)plan;
  json_out_open(out, '{');
  json_out_key(out, step_kind_name(step->kind));
  json_out_open(out, '{');
  if (step->kind == STEP_SWITCH)
    put_share(out, "holdback", PLAN_WHOLE - step->weight);
  else if (step->kind != STEP_AB)
    put_share(out, "traffic", step->weight);
  put_time(out, "for", step->for_ms);
  json_out_key_u64(out, "requests_min", step->requests_min);
  if (step->kind != STEP_SHADOW) json_out_key_u64(out, "users_min", step->users_min);
  put_time(out, "deadline", step->deadline_ms);
  json_out_key(out, "approve");
  json_out_open(out, '{');
  json_out_key_u64(out, "count", step->approve_count);
  put_str(out, "role", plan_role_name(step->approve_role));
  json_out_close(out, '}');
  json_out_close(out, '}');
  json_out_close(out, '}');
}

static void gate_write(const struct gate_spec *gate, const struct plan_gate_words *words,
                       struct json_out *out)
{
  json_out_open(out, '{');
  if (words->sets & SET_MARGIN) put_decimal(out, "margin", gate->margin_e6, 6);
  if (words->sets & SET_FLOOR) put_share(out, "floor", gate->floor_e8);
  if (words->max_is_number)
    put_decimal(out, words->max_key, gate->max_e8, 8);
  else if (words->sets & SET_MAX)
    put_share(out, words->max_key, gate->max_e8);
  if (words->sets & SET_LANES) put_str(out, "lanes", plan_lanes_words[gate->lanes]);
  if (words->sets & SET_QUANTILES) {
    json_out_key(out, "quantiles");
    json_out_open(out, '[');
    for (uint32_t i = 0; plan_quantile_words[i]; i++)
      if (gate->quantiles & 1u << i) json_out_value(out, slice_str(plan_quantile_words[i]));
    json_out_close(out, ']');
    put_us(out, "slack", gate->slack_us);
  }
  if (words->sets & SET_ALPHA) put_decimal(out, "alpha", gate->alpha_e9, 9);
  if (words->sets & SET_ACT) {
    put_str(out, "on_harm", plan_act_words[gate->on_harm]);
    put_bool(out, "dry_run", gate->dry_run);
  }
  json_out_close(out, '}');
}

/* A gate that is off has no settings: they would change the hash and nothing else. */
static void gates_write(const struct plan *plan, struct json_out *out)
{
  json_out_key(out, "gates");
  json_out_open(out, '{');
  for (int i = 0; i < GATE_COUNT; i++) {
    json_out_key(out, gate_name((enum gate_id)i));
    if (plan->gates[i].off)
      json_out_str(out, SLICE("off"));
    else
      gate_write(&plan->gates[i], &plan_gate_words[i], out);
  }
  json_out_close(out, '}');
}

static void about_write(const struct plan *plan, struct json_out *out)
{
  if (plan->metric.name[0]) {
    json_out_key(out, "metric");
    json_out_open(out, '{');
    put_str(out, "name", plan->metric.name);
    put_decimal(out, "cap", plan->metric.cap_e6, 6);
    put_str(out, "better", plan->metric.less ? "less" : "more");
    json_out_key_u64(out, "users_expected", plan->metric.users_expected);
    put_time(out, "maturity", plan->metric.maturity_ms);
    if (plan->metric.covariate.kind != BY_REQUEST) {
      put_key(out, "covariate", &plan->metric.covariate);
      put_decimal(out, "covariate_cap", plan->metric.covariate_cap_e6, 6);
    }
    json_out_close(out, '}');
  }
  json_out_key(out, "segments");
  json_out_open(out, '[');
  for (uint32_t i = 0; i < plan->n_segments; i++) key_value(out, &plan->segments[i]);
  json_out_close(out, ']');
  if (plan->strategy == STRATEGY_AB) {
    json_out_key(out, "ab");
    json_out_open(out, '{');
    json_out_key(out, "arms");
    json_out_open(out, '[');
    for (uint32_t i = 0; i < plan->ab.n_arms; i++) {
      json_out_open(out, '{');
      put_str(out, "name", plan->ab.names[i]);
      if (plan->ab.versions[i]) json_out_key_u64(out, "version", plan->ab.versions[i]);
      put_share(out, "traffic", plan->ab.weights[i]);
      json_out_close(out, '}');
    }
    json_out_close(out, ']');
    json_out_key_u64(out, "users_min", plan->ab.users_min);
    json_out_key_u64(out, "weeks_min", plan->ab.weeks_min);
    json_out_close(out, '}');
  }
  json_out_key(out, "compare");
  json_out_open(out, '{');
  put_str(out, "by", plan_alike_words[plan->compare.by]);
  put_decimal(out, "distance", plan->compare.distance_e6, 6);
  json_out_key_u64(out, "k", plan->compare.k);
  json_out_close(out, '}');
  json_out_key(out, "contract");
  json_out_open(out, '{');
  put_bool(out, "changed", plan->contract_changed);
  json_out_close(out, '}');
}

static void policies_write(const struct plan *plan, struct json_out *out)
{
  json_out_key_u64(out, "harm_budget", plan->harm_budget);
  json_out_key_u64(out, "unjudged_max", plan->unjudged_max);
  put_decimal(out, "alpha_total", plan->alpha_total_e9, 9);
  put_key(out, "sticky_by", &plan->sticky_by);
  put_key(out, "choose_by", &plan->choose_by);
  put_str(out, "on_inconclusive", plan_inconclusive_words[plan->on_inconclusive]);
  put_time(out, "no_data_deadline", plan->no_data_deadline_ms);
  put_time(out, "pause_deadline", plan->pause_deadline_ms);
  put_str(out, "on_pause_deadline", plan->pause_aborts ? "abort" : "stay");
  put_time(out, "approval_expiry", plan->approval_expiry_ms);
  put_time(out, "keep_previous_warm", plan->keep_previous_warm_ms);
  put_time(out, "warm_up", plan->warm_up_ms);
  put_str(out, "pause", plan->pause_drains ? "drain" : "keep");
  put_str(out, "rollback", plan->gradual ? "gradual" : "instant");
  put_bool(out, "two_person", plan->two_person);
  put_str(out, "override_freeze", plan->override_freeze);
  put_bool(out, "final_step_needs_labels", plan->final_step_needs_labels);
  json_out_key(out, "notify");
  json_out_open(out, '[');
  for (uint32_t i = 0; i < plan->n_notify; i++) json_out_str(out, slice_str(plan->notify[i]));
  json_out_close(out, ']');
}

struct slice plan_write(const struct plan *plan, struct arena *arena)
{
  struct json_out out;
  json_out_init(&out, arena, 4096);
  json_out_open(&out, '{');
  put_str(&out, "strategy", strategy_name(plan->strategy));
  json_out_key(&out, "steps");
  json_out_open(&out, '[');
  for (uint32_t i = 0; i < plan->n_steps; i++) step_write(plan, &plan->steps[i], &out);
  json_out_close(&out, ']');
  gates_write(plan, &out);
  about_write(plan, &out);
  policies_write(plan, &out);
  json_out_close(&out, '}');
  return out.full ? SLICE_NONE : json_out_lend(&out);
}
