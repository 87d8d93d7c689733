/* plan_read.c - a plan from YAML or JSON: every complaint has line, column and the dotted key.
 * Thread: any, pure.
 * JSON is read as the YAML it is. Only tabs between its tokens are no YAML: they become blanks
 * first, which moves nothing.
 * SPDX-License-Identifier: MIT */
#include "judge/plan.h"

#include "judge/plan_int.h"
#include "wire/yaml.h"

#define TRY(call)                       \
  do {                                  \
    if ((call) != OK) return err->code; \
  } while (0)

#define CAP_MAX_E6 1000000000000000ull
#define YEAR_US    (366ll * 24 * 3600 * 1000000)
#define SLACK_US_MAX 60000000

/* --- values ----------------------------------------------------------------------------------- */

static bool absent(const struct yaml *node) { return !node || node->kind == YAML_NULL; }

static bool is_word(const struct yaml *node, const char *word)
{
  return node->kind == YAML_SCALAR && slice_eq(node->text, slice_str(word));
}

/* sum * 10 + digit; false when it would not fit. */
static bool digit_add(uint64_t *sum, char digit)
{
  return !__builtin_mul_overflow(*sum, 10, sum) &&
         !__builtin_add_overflow(*sum, (uint64_t)(digit - '0'), sum);
}

static bool is_digit(struct slice text, size_t i)
{
  return i < text.len && text.at[i] >= '0' && text.at[i] <= '9';
}

/* "1.25" with at most so many places after the point, as the whole number 1.25 * 10^places. */
static bool decimal_read(struct slice text, unsigned places, uint64_t max, uint64_t *value)
{
  uint64_t sum = 0;
  size_t i = 0;
  if (!is_digit(text, 0)) return false;
  for (; is_digit(text, i); i++)
    if (!digit_add(&sum, text.at[i])) return false;
  if (i < text.len) {
    if (text.at[i++] != '.' || !is_digit(text, i)) return false;
    for (; is_digit(text, i) && places; i++, places--)
      if (!digit_add(&sum, text.at[i])) return false;
    if (i < text.len) return false;
  }
  for (; places; places--)
    if (!digit_add(&sum, '0')) return false;
  if (sum > max) return false;
  *value = sum;
  return true;
}

/* "5%" in parts of PLAN_WHOLE. */
static enum code share(const struct yaml *node, uint64_t max, uint32_t *to, struct err *err)
{
  if (absent(node)) return OK;
  uint64_t value;
  struct slice text = node->text;
  if (node->kind != YAML_SCALAR || !slice_ends(text, SLICE("%")))
    return yaml_fail(err, node, "should be a share such as 5%%");
  text.len--;
  if (!decimal_read(text, 6, UINT32_MAX, &value))
    return yaml_fail(err, node, "should be a share such as 5%% or 0.25%%, not '%.*s'",
                     SLICE_ARG(node->text));
  if (value > max)
    return yaml_fail(err, node, "should be at most %llu%%, not %.*s",
                     (unsigned long long)(max / PLAN_MILLION), SLICE_ARG(node->text));
  *to = (uint32_t)value;
  return OK;
}

static enum code decimal64(const struct yaml *node, unsigned places, uint64_t max, uint64_t *to,
                           struct err *err)
{
  if (absent(node)) return OK;
  if (node->kind != YAML_SCALAR || node->quoted)
    return yaml_fail(err, node, "should be a number such as 1.25");
  if (!decimal_read(node->text, places, max, to))
    return yaml_fail(err, node, "should be a number from 0, with at most %u places, not '%.*s'",
                     places, SLICE_ARG(node->text));
  return OK;
}

static enum code decimal(const struct yaml *node, unsigned places, uint64_t max, uint32_t *to,
                         struct err *err)
{
  uint64_t value = *to;
  TRY(decimal64(node, places, max, &value, err));
  *to = (uint32_t)value;
  return OK;
}

static enum code count(const struct yaml *node, uint64_t max, uint64_t *to, struct err *err)
{
  int64_t value = (int64_t)*to;
  TRY(yaml_int(node, 0, (int64_t)max, &value, err));
  *to = (uint64_t)value;
  return OK;
}

/* A time in milliseconds; quotes are fine, for JSON has no other way. */
static enum code duration(const struct yaml *node, uint64_t *to_ms, struct err *err)
{
  if (absent(node)) return OK;
  int64_t us = 0;
  if (node->kind != YAML_SCALAR || !yaml_duration_read(node->text, &us))
    return yaml_fail(err, node, "should be a time such as 500ms, 30s, 10m, 24h or 7d, not '%.*s'",
                     SLICE_ARG(node->text));
  if (us > YEAR_US) return yaml_fail(err, node, "should be at most 366d");
  if (us % 1000) return yaml_fail(err, node, "should be whole milliseconds");
  *to_ms = (uint64_t)us / 1000;
  return OK;
}

static enum code word(const struct yaml *node, const char *const *words, int *to, struct err *err)
{
  return yaml_word(node, words, to, err);
}

static enum code name(const struct yaml *node, char *to, size_t cap, struct err *err)
{
  struct slice text = SLICE_NONE;
  if (absent(node)) return OK;
  TRY(yaml_string(node, &text, err));
  for (size_t i = 0; i < text.len; i++)
    if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
      return yaml_fail(err, node, "holds a control byte");
  if (!slice_to_str(text, to, cap))
    return yaml_fail(err, node, "is longer than %zu bytes", cap - 1);
  return OK;
}

static enum code map_check(const struct yaml *node, const char *const *keys, struct err *err)
{
  if (absent(node)) return OK;
  if (node->kind != YAML_MAP) return yaml_fail(err, node, "should be a map");
  return yaml_keys_check(node, keys, err);
}

static enum code list_check(const struct yaml *node, uint32_t max, struct err *err)
{
  if (node->kind != YAML_LIST) return yaml_fail(err, node, "should be a list");
  if (node->n > max) return yaml_fail(err, node, "has more than %u entries", max);
  return OK;
}

/* header:NAME, parameter:NAME, tenant, request. */
static enum code key(const struct yaml *node, struct plan_key *to, struct err *err)
{
  if (absent(node)) return OK;
  struct slice text = SLICE_NONE;
  TRY(yaml_string(node, &text, err));
  struct plan_key got = {BY_REQUEST, ""};
  struct slice rest = SLICE_NONE;
  if (slice_eq(text, SLICE("tenant")))
    got.kind = BY_TENANT;
  else if (slice_starts(text, SLICE("header:")))
    got.kind = BY_HEADER, rest = slice_from(text, 7);
  else if (slice_starts(text, SLICE("parameter:")))
    got.kind = BY_PARAMETER, rest = slice_from(text, 10);
  else if (!slice_eq(text, SLICE("request")))
    return yaml_fail(err, node,
                     "should be header:NAME, parameter:NAME, tenant or request, not '%.*s'",
                     SLICE_ARG(text));
  if (got.kind == BY_HEADER || got.kind == BY_PARAMETER) {
    if (!rest.len)
      return yaml_fail(err, node, "names no %s", got.kind == BY_HEADER ? "header" : "parameter");
    for (size_t i = 0; i < rest.len; i++)
      if ((unsigned char)rest.at[i] <= 0x20 || (unsigned char)rest.at[i] >= 0x7f)
        return yaml_fail(err, node, "should have a name of visible ASCII");
    if (!slice_to_str(rest, got.name, sizeof got.name))
      return yaml_fail(err, node, "has a name longer than %d bytes", PLAN_KEY_MAX - 1);
    for (char *c = got.name; got.kind == BY_HEADER && *c; c++)
      if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
  }
  *to = got;
  return OK;
}

/* --- steps ------------------------------------------------------------------------------------ */

static const char *const step_keys[][9] = {
    [STEP_SHADOW] = {"traffic", "for", "requests_min", "deadline", "approve", NULL},
    [STEP_CANARY] = {"traffic", "for", "requests_min", "users_min", "deadline", "approve", NULL},
    [STEP_SWITCH] = {"holdback", "for", "requests_min", "users_min", "deadline", "approve", NULL},
    [STEP_AB] = {"for", "requests_min", "users_min", "deadline", "approve", NULL},
};

static enum code approve(const struct yaml *node, struct plan_step *step, struct err *err)
{
  static const char *const keys[] = {"count", "role", NULL};
  if (absent(node)) return OK;
  if (node->kind == YAML_SCALAR) {
    bool yes = false;
    TRY(yaml_bool(node, &yes, err));
    step->approve_count = yes;
    return OK;
  }
  TRY(map_check(node, keys, err));
  uint64_t n = 1;
  int role = PLAN_APPROVER;
  TRY(count(yaml_get(node, "count"), 8, &n, err));
  TRY(word(yaml_get(node, "role"), plan_role_words, &role, err));
  step->approve_count = (uint32_t)n;
  step->approve_role = (enum plan_role)role;
  return OK;
}

static enum code step_settings(const struct yaml *node, struct plan_step *step, struct err *err)
{
  uint32_t holdback = PLAN_WHOLE / 100;
  if (step->kind == STEP_SHADOW) {
    step->weight = PLAN_WHOLE;
    step->for_ms = 24 * 3600 * 1000;
    step->requests_min = 1000;
    step->approve_count = 1;
  } else if (step->kind == STEP_SWITCH) {
    step->for_ms = 600 * 1000;
  }
  if (!absent(node)) {
    TRY(map_check(node, step_keys[step->kind], err));
    TRY(share(yaml_get(node, "traffic"), PLAN_WHOLE, &step->weight, err));
    TRY(share(yaml_get(node, "holdback"), PLAN_WHOLE, &holdback, err));
    TRY(duration(yaml_get(node, "for"), &step->for_ms, err));
    TRY(count(yaml_get(node, "requests_min"), UINT32_MAX, &step->requests_min, err));
    TRY(count(yaml_get(node, "users_min"), UINT32_MAX, &step->users_min, err));
    step->deadline_ms = step->for_ms;
    TRY(duration(yaml_get(node, "deadline"), &step->deadline_ms, err));
    TRY(approve(yaml_get(node, "approve"), step, err));
  }
  if (step->kind == STEP_SWITCH) step->weight = PLAN_WHOLE - holdback;
  if (!step->deadline_ms) step->deadline_ms = step->for_ms;
  return OK;
}

static enum code full(const struct yaml *node, struct plan *plan, struct err *err)
{
  static const char *const keys[] = {"keep_previous_warm", NULL};
  TRY(map_check(node, keys, err));
  return duration(yaml_get(node, "keep_previous_warm"), &plan->keep_previous_warm_ms, err);
}

static enum code steps(const struct yaml *node, struct plan *plan, struct err *err)
{
  static const char *const known[] = {"shadow", "canary", "switch", "ab", "full", NULL};
  if (absent(node)) return OK;
  TRY(list_check(node, PLAN_STEPS_MAX + 1, err));
  plan->n_steps = 0;
  memset(plan->steps, 0, sizeof plan->steps);
  for (const struct yaml *at = node->first; at; at = at->next) {
    if (at->kind != YAML_MAP || at->n != 1)
      return yaml_fail(err, at, "should be a map with one key: shadow, canary, switch, ab or full");
    TRY(yaml_keys_check(at, known, err));
    if (slice_eq(at->first->key, SLICE("full"))) {
      if (at->next) return yaml_fail(err, at, "should be the last step");
      TRY(full(at->first, plan, err));
      break;
    }
    if (plan->n_steps == PLAN_STEPS_MAX)
      return yaml_fail(err, at, "is one step more than %d", PLAN_STEPS_MAX);
    struct plan_step *step = &plan->steps[plan->n_steps++];
    for (int i = 0; i < STEP_KINDS; i++)
      if (slice_eq(at->first->key, slice_str(plan_kind_words[i]))) step->kind = (enum step_kind)i;
    TRY(step_settings(at->first, step, err));
    if (step->kind == STEP_AB) step->weight = plan->ab.weights[ARM_CANDIDATE];
  }
  return OK;
}

/* --- gates ------------------------------------------------------------------------------------ */

static enum code quantiles(const struct yaml *node, uint32_t *to, struct err *err)
{
  if (absent(node)) return OK;
  TRY(list_check(node, 4, err));
  uint32_t bits = 0;
  for (const struct yaml *at = node->first; at; at = at->next) {
    uint32_t bit = 0;
    for (uint32_t i = 0; plan_quantile_words[i]; i++)
      if (is_word(at, plan_quantile_words[i])) bit = 1u << i;
    if (!bit) return yaml_fail(err, at, "should be one of 50, 90, 99, 99.9");
    if (bits & bit) return yaml_fail(err, at, "is named twice");
    bits |= bit;
  }
  *to = bits;
  return OK;
}

static enum code slack(const struct yaml *node, uint32_t *to_us, struct err *err)
{
  int64_t us;
  if (absent(node)) return OK;
  if (node->kind != YAML_SCALAR || !yaml_duration_read(node->text, &us) || us > SLACK_US_MAX)
    return yaml_fail(err, node, "should be a time up to 1m, such as 200us or 5ms");
  *to_us = (uint32_t)us;
  return OK;
}

static enum code gate_settings(const struct yaml *node, enum gate_id id, struct gate_spec *gate,
                               struct err *err)
{
  const struct plan_gate_words *words = &plan_gate_words[id];
  const char *keys[10];
  int n = 0;
  if (words->sets & SET_MARGIN) keys[n++] = "margin";
  if (words->sets & SET_FLOOR) keys[n++] = "floor";
  if (words->sets & SET_MAX) keys[n++] = words->max_key;
  if (words->sets & SET_LANES) keys[n++] = "lanes";
  if (words->sets & SET_QUANTILES) keys[n++] = "quantiles", keys[n++] = "slack";
  if (words->sets & SET_ALPHA) keys[n++] = "alpha";
  if (words->sets & SET_ACT) keys[n++] = "on_harm", keys[n++] = "dry_run";
  keys[n] = NULL;
  TRY(map_check(node, keys, err));

  int lanes = (int)gate->lanes, act = (int)gate->on_harm;
  TRY(decimal(yaml_get(node, "margin"), 6, UINT32_MAX, &gate->margin_e6, err));
  TRY(share(yaml_get(node, "floor"), PLAN_WHOLE, &gate->floor_e8, err));
  const struct yaml *max = words->max_key ? yaml_get(node, words->max_key) : NULL;
  if (words->max_is_number)
    TRY(decimal(max, 8, UINT32_MAX, &gate->max_e8, err));
  else
    TRY(share(max, UINT32_MAX, &gate->max_e8, err));
  TRY(word(yaml_get(node, "lanes"), plan_lanes_words, &lanes, err));
  TRY(quantiles(yaml_get(node, "quantiles"), &gate->quantiles, err));
  TRY(slack(yaml_get(node, "slack"), &gate->slack_us, err));
  TRY(decimal(yaml_get(node, "alpha"), 9, PLAN_BILLION, &gate->alpha_e9, err));
  TRY(word(yaml_get(node, "on_harm"), plan_act_words, &act, err));
  TRY(yaml_bool(yaml_get(node, "dry_run"), &gate->dry_run, err));
  gate->lanes = (enum gate_lanes)lanes;
  gate->on_harm = (enum gate_act)act;
  return OK;
}

static enum code gates(const struct yaml *node, struct plan *plan, struct err *err)
{
  if (absent(node)) return OK;
  const char *known[GATE_COUNT + 1] = {0};
  for (int i = 0; i < GATE_COUNT; i++) known[i] = gate_name((enum gate_id)i);
  TRY(map_check(node, known, err));
  for (int i = 0; i < GATE_COUNT; i++) {
    const struct yaml *gate = yaml_get(node, known[i]);
    if (absent(gate)) continue;
    plan->gates[i].off = is_word(gate, "off");
    if (plan->gates[i].off || is_word(gate, "on")) continue;
    if (gate->kind != YAML_MAP)
      return yaml_fail(err, gate, "should be on, off or a map of its settings");
    TRY(gate_settings(gate, (enum gate_id)i, &plan->gates[i], err));
  }
  return OK;
}

/* --- the rest --------------------------------------------------------------------------------- */

static enum code metric(const struct yaml *node, struct plan *plan, struct err *err)
{
  static const char *const keys[] = {"name",     "cap",       "better",        "users_expected",
                                     "maturity", "covariate", "covariate_cap", NULL};
  static const char *const better[] = {"more", "less", NULL};
  if (absent(node)) return OK;
  TRY(map_check(node, keys, err));
  int less = plan->metric.less;
  if (absent(yaml_get(node, "name"))) return yaml_fail(err, node, "has no name");
  TRY(name(yaml_get(node, "name"), plan->metric.name, sizeof plan->metric.name, err));
  TRY(decimal64(yaml_get(node, "cap"), 6, CAP_MAX_E6, &plan->metric.cap_e6, err));
  if (!plan->metric.cap_e6) return yaml_fail(err, yaml_get(node, "cap"), "should be above 0");
  TRY(word(yaml_get(node, "better"), better, &less, err));
  TRY(count(yaml_get(node, "users_expected"), UINT32_MAX, &plan->metric.users_expected, err));
  uint64_t usual_ms = plan->metric.maturity_ms;
  TRY(duration(yaml_get(node, "maturity"), &plan->metric.maturity_ms, err));
  if (!plan->metric.maturity_ms) plan->metric.maturity_ms = usual_ms; /* plans from before had 0 */
  plan->metric.covariate_cap_e6 = plan->metric.cap_e6;
  TRY(key(yaml_get(node, "covariate"), &plan->metric.covariate, err));
  const struct yaml *most = yaml_get(node, "covariate_cap");
  TRY(decimal64(most, 6, CAP_MAX_E6, &plan->metric.covariate_cap_e6, err));
  if (!plan->metric.covariate_cap_e6) return yaml_fail(err, most, "should be above 0");
  plan->metric.less = less != 0;
  return OK;
}

static enum code ab(const struct yaml *node, struct plan *plan, struct err *err)
{
  static const char *const keys[] = {"arms", "users_min", "weeks_min", NULL};
  static const char *const arm_keys[] = {"name", "version", "traffic", NULL};
  if (absent(node)) return OK;
  TRY(map_check(node, keys, err));
  if (plan->strategy != STRATEGY_AB) return yaml_fail(err, node, "needs strategy: ab");
  const struct yaml *arms = yaml_get(node, "arms");
  if (!absent(arms)) {
    TRY(list_check(arms, ARMS_MAX, err));
    memset(plan->ab.names, 0, sizeof plan->ab.names);
    memset(plan->ab.versions, 0, sizeof plan->ab.versions);
    memset(plan->ab.weights, 0, sizeof plan->ab.weights);
    plan->ab.n_arms = 0;
    for (const struct yaml *at = arms->first; at; at = at->next) {
      uint32_t i = plan->ab.n_arms++;
      uint64_t version = 0;
      memcpy(plan->ab.names[i], arm_name(i), strlen(arm_name(i)));
      TRY(map_check(at, arm_keys, err));
      TRY(name(yaml_get(at, "name"), plan->ab.names[i], PLAN_NAME_MAX, err));
      TRY(count(yaml_get(at, "version"), UINT32_MAX, &version, err));
      plan->ab.versions[i] = (uint32_t)version;
      TRY(share(yaml_get(at, "traffic"), PLAN_WHOLE, &plan->ab.weights[i], err));
    }
  }
  uint64_t weeks = plan->ab.weeks_min;
  TRY(count(yaml_get(node, "users_min"), UINT32_MAX, &plan->ab.users_min, err));
  TRY(count(yaml_get(node, "weeks_min"), 52, &weeks, err));
  plan->ab.weeks_min = (uint32_t)weeks;
  if (plan->n_steps) plan->steps[0].weight = plan->ab.weights[ARM_CANDIDATE];
  return OK;
}

static enum code compare(const struct yaml *node, struct plan *plan, struct err *err)
{
  static const char *const keys[] = {"by", "distance", "k", NULL};
  if (absent(node)) return OK;
  TRY(map_check(node, keys, err));
  int by = (int)plan->compare.by;
  uint64_t k = plan->compare.k;
  TRY(word(yaml_get(node, "by"), plan_alike_words, &by, err));
  TRY(decimal(yaml_get(node, "distance"), 6, UINT32_MAX, &plan->compare.distance_e6, err));
  TRY(count(yaml_get(node, "k"), 1000, &k, err));
  plan->compare.by = (enum alike_kind)by;
  plan->compare.k = (uint32_t)k;
  return OK;
}

static enum code lists(const struct yaml *root, struct plan *plan, struct err *err)
{
  const struct yaml *node = yaml_get(root, "segments");
  if (!absent(node)) {
    TRY(list_check(node, PLAN_FIELDS_MAX, err));
    for (const struct yaml *at = node->first; at; at = at->next)
      TRY(key(at, &plan->segments[plan->n_segments++], err));
  }
  node = yaml_get(root, "notify");
  if (absent(node)) return OK;
  TRY(list_check(node, PLAN_NOTIFY_MAX, err));
  for (const struct yaml *at = node->first; at; at = at->next)
    TRY(name(at, plan->notify[plan->n_notify++], PLAN_URL_MAX, err));
  return OK;
}

static enum code policies(const struct yaml *root, struct plan *plan, struct err *err)
{
  static const char *const pauses[] = {"keep", "drain", NULL};
  static const char *const after_pause[] = {"stay", "abort", NULL};
  static const char *const rollbacks[] = {"instant", "gradual", NULL};
  static const char *const contract_keys[] = {"changed", NULL};
  int inconclusive = (int)plan->on_inconclusive, pause = 0, after = 0, rollback = 0;
  const struct yaml *contract = yaml_get(root, "contract");
  TRY(map_check(contract, contract_keys, err));
  if (!absent(contract))
    TRY(yaml_bool(yaml_get(contract, "changed"), &plan->contract_changed, err));
  TRY(word(yaml_get(root, "on_inconclusive"), plan_inconclusive_words, &inconclusive, err));
  TRY(word(yaml_get(root, "pause"), pauses, &pause, err));
  TRY(word(yaml_get(root, "on_pause_deadline"), after_pause, &after, err));
  TRY(word(yaml_get(root, "rollback"), rollbacks, &rollback, err));
  plan->on_inconclusive = (enum inconclusive)inconclusive;
  plan->pause_drains = pause != 0;
  plan->pause_aborts = after != 0;
  plan->gradual = rollback != 0;
  TRY(yaml_bool(yaml_get(root, "two_person"), &plan->two_person, err));
  TRY(yaml_bool(yaml_get(root, "final_step_needs_labels"), &plan->final_step_needs_labels, err));
  TRY(name(yaml_get(root, "override_freeze"), plan->override_freeze, PLAN_REASON_MAX, err));
  TRY(key(yaml_get(root, "sticky_by"), &plan->sticky_by, err));
  TRY(key(yaml_get(root, "choose_by"), &plan->choose_by, err));
  TRY(duration(yaml_get(root, "no_data_deadline"), &plan->no_data_deadline_ms, err));
  TRY(duration(yaml_get(root, "pause_deadline"), &plan->pause_deadline_ms, err));
  TRY(duration(yaml_get(root, "approval_expiry"), &plan->approval_expiry_ms, err));
  TRY(duration(yaml_get(root, "keep_previous_warm"), &plan->keep_previous_warm_ms, err));
  TRY(duration(yaml_get(root, "warm_up"), &plan->warm_up_ms, err));
  TRY(count(yaml_get(root, "harm_budget"), UINT32_MAX, &plan->harm_budget, err));
  TRY(count(yaml_get(root, "unjudged_max"), UINT32_MAX, &plan->unjudged_max, err));
  return decimal(yaml_get(root, "alpha_total"), 9, PLAN_BILLION, &plan->alpha_total_e9, err);
}

static enum code document(const struct yaml *root, struct plan *plan, struct err *err)
{
  static const char *const keys[] = {"strategy",
                                     "steps",
                                     "gates",
                                     "metric",
                                     "segments",
                                     "ab",
                                     "compare",
                                     "contract",
                                     "harm_budget",
                                     "unjudged_max",
                                     "alpha_total",
                                     "sticky_by",
                                     "choose_by",
                                     "on_inconclusive",
                                     "no_data_deadline",
                                     "pause_deadline",
                                     "on_pause_deadline",
                                     "approval_expiry",
                                     "keep_previous_warm",
                                     "warm_up",
                                     "pause",
                                     "rollback",
                                     "two_person",
                                     "override_freeze",
                                     "final_step_needs_labels",
                                     "notify",
                                     NULL};
  if (root->kind != YAML_MAP) return yaml_fail(err, root, "should be a map");
  TRY(yaml_keys_check(root, keys, err));
  int strategy = STRATEGY_CANARY;
  const struct yaml *node = yaml_get(root, "strategy");
  if (absent(node))
    return yaml_fail(err, root, "has no strategy: canary, shadow, bluegreen, ab, now");
  TRY(word(node, plan_strategy_words, &strategy, err));
  plan_default(plan, (enum strategy)strategy);
  TRY(policies(root, plan, err));
  TRY(ab(yaml_get(root, "ab"), plan, err));
  TRY(steps(yaml_get(root, "steps"), plan, err));
  TRY(gates(yaml_get(root, "gates"), plan, err));
  TRY(metric(yaml_get(root, "metric"), plan, err));
  TRY(compare(yaml_get(root, "compare"), plan, err));
  return lists(root, plan, err);
}

/* The node that a dotted field names, or the nearest above it. */
static const struct yaml *node_at(const struct yaml *root, const char *field)
{
  while (*field) {
    const struct yaml *next = NULL;
    if (*field == '[') {
      uint64_t index = 0;
      for (field++; *field >= '0' && *field <= '9'; field++)
        index = index * 10 + (uint64_t)(*field - '0');
      if (*field == ']') field++;
      if (root->kind == YAML_LIST && index < root->n)
        for (next = root->first; index--;) next = next->next;
    } else {
      size_t len = strcspn(field, ".[");
      if (root->kind == YAML_MAP)
        for (next = root->first; next && !slice_eq(next->key, slice_of(field, len));)
          next = next->next;
      field += len;
    }
    if (*field == '.') field++;
    if (!next) return root;
    root = next;
  }
  return root;
}

/* JSON with its tabs as blanks; other text as it is. */
static struct slice tabs_away(struct slice text, struct arena *arena)
{
  size_t i = 0;
  while (i < text.len && memchr(" \t\r\n", text.at[i], 4)) i++;
  if (i == text.len || text.at[i] != '{' || !memchr(text.at, '\t', text.len)) return text;
  char *copy = arena_get(arena, text.len);
  if (!copy) return SLICE_NONE;
  for (i = 0; i < text.len; i++) copy[i] = text.at[i] == '\t' ? ' ' : text.at[i];
  return slice_of(copy, text.len);
}

enum code plan_read(struct plan *plan, struct slice text, struct arena *arena, struct err *err)
{
  struct err own;
  if (!err) err = &own;
  const struct yaml *root;
  struct plan got;
  if (text.len <= YAML_BYTES_MAX) text = tabs_away(text, arena);
  if (!text.at) return fail(err, E_OUT_OF_MEMORY, "the plan needs more memory than it may have");
  TRY(yaml_parse(text, arena, &root, err));
  TRY(document(root, &got, err));
  if (plan_check(&got, err) != OK) {
    struct err why = *err;
    const struct yaml *node = node_at(root, why.field);
    uint32_t line = node->key_line ? node->key_line : node->line;
    uint32_t column = node->key_column ? node->key_column : node->column;
    fail(err, why.code, "line %u, column %u: %s", line, column, why.text);
    return fail_at(err, "%s", why.field);
  }
  *plan = got;
  return OK;
}
