/* explain_json.c - a verdict as one JSON object.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "judge/explain.h"

#include "judge/evidence.h"
#include "judge/explain_int.h"
#include "judge/judge_int.h"

static void put_number(struct json_out *out, const char *key, double value)
{
  json_out_key(out, key);
  if (m_is_nan(value) || value == M_INF || value == -M_INF)
    json_out_null(out);
  else
    json_out_f64(out, value);
}

static void put_text(struct json_out *out, const char *key, const char *text)
{
  json_out_key(out, key);
  if (text && *text)
    json_out_str(out, slice_str(text));
  else
    json_out_null(out);
}

static void put_pair(struct json_out *out, const char *key, uint64_t x, uint64_t n)
{
  json_out_key(out, key);
  json_out_open(out, '[');
  json_out_u64(out, x);
  json_out_u64(out, n);
  json_out_close(out, ']');
}

static const char *act_name(enum gate_act act)
{
  static const char *const names[] = {"nothing", "pause", "rollback"};
  return names[act];
}

static void put_effect(const struct trial *trial, const struct gate_result *result,
                       struct json_out *out)
{
  static const char *const kinds[] = {"",       "ratio",      "share",   "psi",
                                      "growth", "difference", "answers", "gap"};
  double lower = M_NAN, upper = M_NAN;
  json_out_key(out, "effect");
  if (result->effect_kind == EFFECT_NONE || m_is_nan(result->effect)) {
    json_out_null(out);
    return;
  }
  if (!result_interval(trial, result, &lower, &upper)) lower = upper = M_NAN;
  json_out_open(out, '{');
  put_text(out, "kind", kinds[result->effect_kind]);
  put_number(out, "value", result->effect);
  put_number(out, "lower", lower);
  put_number(out, "upper", upper);
  json_out_close(out, '}');
}

static void put_evidence(const struct trial *trial, const struct gate_result *result,
                         struct json_out *out)
{
  put_number(out, "log_e", result->log_e);
  put_number(out, "bar", result->bar);
  put_number(out, "e_value", m_exp(result->log_e));
  put_number(out, "p", m_p_value(result->log_e));
  json_out_key(out, "pass");
  json_out_open(out, '{');
  put_number(out, "log_e", result->pass_log_e);
  put_number(out, "bar", result->pass_bar);
  json_out_close(out, '}');
  json_out_key(out, "blocks");
  uint32_t row = result->gate == GATE_COST      ? TRIAL_ROW_COST
                 : result->gate == GATE_LATENCY ? result->row
                                                : BASELINE_ERRORS;
  if (m_is_nan(result->block_lower) || row >= TRIAL_BLOCK_ROWS) {
    json_out_null(out);
  } else {
    json_out_open(out, '{');
    put_number(out, "lower", result->block_lower);
    put_number(out, "upper", result->block_upper);
    json_out_key_u64(out, "n", trial->arms[result->arm].blocks[row].n);
    json_out_close(out, '}');
  }
  json_out_key(out, "counts");
  json_out_open(out, '{');
  put_pair(out, "candidate", result->x_c, result->n_c);
  put_pair(out, "stable", result->x_b, result->n_b);
  json_out_close(out, '}');
}

static void put_segment(const struct explain_input *input, const struct gate_result *result,
                        struct json_out *out)
{
  json_out_key(out, "segment");
  bool any = result->gate == GATE_SEGMENTS && result->row < input->trial->n_segments &&
             !m_is_nan(result->log_e);
  if (!any)
    json_out_null(out);
  else if (input->segments)
    json_out_str(out, input->segments[result->row]);
  else
    json_out_u64(out, result->row);
}

static void gate_members(const struct explain_input *input, const struct gate_result *result,
                         struct json_out *out)
{
  const struct trial *trial = input->trial;
  bool late = result->gate == GATE_LATENCY && result->row < SLOW_ROWS;
  bool used = late && trial->baseline.slow.used[result->row];
  char text[EXPLAIN_TEXT_MAX];
  put_text(out, "gate", gate_name(result->gate));
  put_text(out, "state", gate_state_name(result->state));
  put_text(out, "act", act_name(result->act));
  put_text(out, "lane", lane_name(result->lane));
  put_text(out, "arm", arm_name(result->arm));
  put_text(out, "row", late ? row_name(result->row) : NULL);
  put_effect(trial, result, out);
  put_evidence(trial, result, out);
  json_out_key(out, "threshold_us");
  if (used)
    json_out_u64(out, trial->baseline.slow.us[result->row]);
  else
    json_out_null(out);
  put_segment(input, result, out);
  put_number(out, "first_bad_s", first_bad_s(result));
  put_number(out, "fired_s",
             result->fired_look == UINT64_MAX ? M_NAN : (double)result->fired_ms / 1000);
  json_out_key_u64(out, "episodes", result->episodes);
  put_text(out, "reason", no_data_reason_name(result->reason));
  gate_missing(trial, result, text);
  put_text(out, "missing", text);
  put_number(out, "decides_in_s", gate_decides_in_s(trial, result));
  gate_sentence(trial, result, text);
  put_text(out, "text", text);
}

static void gate_json(const struct explain_input *input, const struct gate_result *result,
                      struct json_out *out)
{
  const struct trial *trial = input->trial;
  struct gate_result own;
  bool begun = false;
  json_out_open(out, '{');
  gate_members(input, result, out);
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    if (!trial_gate_arm(trial, result->gate, arm, &own)) continue;
    if (!begun) json_out_key(out, "arms"), json_out_open(out, '[');
    begun = true;
    json_out_open(out, '{');
    gate_members(input, &own, out);
    json_out_key(out, "closed");
    json_out_bool(out, trial->closed & ARM_BIT(arm));
    json_out_close(out, '}');
  }
  if (begun) json_out_close(out, ']');
  json_out_close(out, '}');
}

static void put_arm(struct json_out *out, const char *key, uint32_t arm)
{
  put_text(out, key, arm == ARM_NONE ? NULL : arm_name(arm));
}

static void unwon_json(const struct trial *trial, struct json_out *out)
{
  char text[EXPLAIN_TEXT_MAX];
  struct unwon unwon;
  json_out_key(out, "winner_lacks");
  if (!trial_unwon(trial, &unwon)) {
    json_out_null(out);
    return;
  }
  bool counts = unwon.what != UNWON_INTERVAL;
  json_out_open(out, '{');
  put_text(out, "what", unwon_name(unwon.what));
  put_arm(out, "arm", unwon.arm);
  put_arm(out, "beside", unwon.beside);
  put_number(out, "have", counts ? unwon.have : M_NAN);
  put_number(out, "want", counts ? unwon.want : M_NAN);
  put_number(out, "value", unwon.diff);
  put_number(out, "lower", unwon.lower);
  put_number(out, "upper", unwon.upper);
  put_number(out, "in_s", unwon.in_s);
  unwon_sentence(trial, &unwon, text);
  put_text(out, "text", text);
  json_out_close(out, '}');
}

/* Of an A/B test: who has won, who is out, and each candidate's metric beside stable's. */
static void arms_json(const struct explain_input *input, struct json_out *out)
{
  const struct trial *trial = input->trial;
  const struct verdict *verdict = input->verdict;
  char text[EXPLAIN_TEXT_MAX];
  double diff, lower, upper;
  if (trial->plan.strategy != STRATEGY_AB) return;
  put_arm(out, "winner", verdict->winner);
  unwon_json(trial, out);
  json_out_key(out, "closed");
  json_out_open(out, '[');
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    if (!(verdict->closed & ARM_BIT(arm)) || trial->closed_by[arm].state == GATE_IDLE) continue;
    if (trial->closed_by[arm].state == GATE_HARM) {
      gate_json(input, &trial->closed_by[arm], out);
      continue;
    }
    closed_sentence(trial, arm, text);
    json_out_open(out, '{');
    put_text(out, "gate", NULL);
    put_text(out, "arm", arm_name(arm));
    put_text(out, "text", text);
    json_out_close(out, '}');
  }
  json_out_close(out, ']');
  json_out_key(out, "metric_differences");
  json_out_open(out, '[');
  for (uint32_t arm = 0; arm < trial->n_arms; arm++) {
    if (arm == ARM_STABLE || !metric_interval(trial, arm, &diff, &lower, &upper)) continue;
    json_out_open(out, '{');
    put_text(out, "arm", arm_name(arm));
    put_number(out, "value", diff);
    put_number(out, "lower", lower);
    put_number(out, "upper", upper);
    json_out_close(out, '}');
  }
  json_out_close(out, ']');
}

static void put_need(struct json_out *out, const char *what, uint64_t have, uint64_t want, bool met)
{
  json_out_open(out, '{');
  put_text(out, "what", what);
  json_out_key_u64(out, "have", have);
  json_out_key_u64(out, "want", want);
  json_out_key(out, "met");
  json_out_bool(out, met);
  json_out_close(out, '}');
}

static void needs_json(const struct trial *trial, const struct verdict *verdict,
                       struct json_out *out)
{
  json_out_key(out, "needs");
  json_out_open(out, '[');
  if (trial->step < trial->plan.n_steps) {
    const struct plan_step *step = &trial->plan.steps[trial->step];
    uint32_t waits = 0, met = 0;
    for (int i = 0; i < GATE_COUNT; i++) {
      if (!gate_must_pass((enum gate_id)i) || verdict->gates[i].state == GATE_IDLE) continue;
      waits++;
      met += verdict->gates[i].state == GATE_NON_INFERIOR;
    }
    put_need(out, "gates", met, waits, verdict->gates_met);
    put_need(out, "milliseconds", verdict->step_ms, step->for_ms, verdict->time_met);
    put_need(out, "requests", verdict->step_requests, step->requests_min, verdict->requests_met);
    put_need(out, "users", verdict->step_users, step->users_min, verdict->users_met);
    if (trial->plan.final_step_needs_labels && trial->step + 1 == trial->plan.n_steps) {
      uint64_t labels = UINT64_MAX; /* of the open arm that has fewest */
      for (uint32_t arm = 0; arm < trial->n_arms; arm++)
        if (!(trial->closed & ARM_BIT(arm)) && trial->metric[arm].n < labels)
          labels = trial->metric[arm].n;
      put_need(out, "labels", labels, 1, labels > 0);
    }
  }
  json_out_close(out, ']');
}

void verdict_json(const struct explain_input *input, struct json_out *out)
{
  const struct trial *trial = input->trial;
  const struct verdict *verdict = input->verdict;
  char text[EXPLAIN_TEXT_MAX], hex[SHA256_HEX_LEN + 1] = "";
  json_out_open(out, '{');
  put_text(out, "verdict", verdict_kind_name(verdict->kind));
  json_out_key_u64(out, "judge", EVIDENCE_VERSION);
  put_text(out, "rule", verdict_rule(verdict));
  put_text(out, "gate", verdict->decided_by_gate ? gate_name(verdict->by) : NULL);
  json_out_key_u64(out, "step", verdict->step);
  json_out_key_u64(out, "look", verdict->look);
  put_number(out, "step_s", (double)verdict->step_ms / 1000);
  json_out_key_u64(out, "step_requests", verdict->step_requests);
  json_out_key_u64(out, "step_users", verdict->step_users);
  put_number(out, "harmed", verdict->harmed);
  json_out_key_u64(out, "harm_budget", trial->plan.harm_budget);
  if (input->spec) digest_hex(input->spec, hex);
  put_text(out, "spec_hash", hex);
  needs_json(trial, verdict, out);
  verdict_sentence(trial, verdict, text);
  put_text(out, "sentence", text);
  json_out_key(out, "gates");
  json_out_open(out, '[');
  for (int i = 0; i < GATE_COUNT; i++) gate_json(input, &verdict->gates[i], out);
  json_out_close(out, ']');
  arms_json(input, out);
  json_out_key(out, "sample_request_ids");
  json_out_open(out, '[');
  for (uint32_t i = 0; i < input->n_samples && i < EXPLAIN_SAMPLES_MAX; i++)
    json_out_str(out, input->samples[i]);
  json_out_close(out, ']');
  json_out_close(out, '}');
}
