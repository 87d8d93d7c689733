/* status.c - a run as clients see it (world/letters.h, letter_release).
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/mem.h"
#include "base/role.h"
#include "control/control_int.h"
#include "judge/explain.h"

enum { JSON_BYTES_MAX = 4 << 20, JSON_LIKELY = 16 << 10 };

/* --- parts ------------------------------------------------------------------------------------ */

static void str_or_null(struct json_out *out, const char *key, const char *text)
{
  json_out_key(out, key);
  if (text && text[0])
    json_out_str(out, slice_str(text));
  else
    json_out_null(out);
}

static void verdict_put(const struct run *run, struct json_out *out)
{
  struct slice samples[RUN_SAMPLES], segments[PLAN_SEGMENTS_MAX];
  uint32_t n = run->n_samples < RUN_SAMPLES ? run->n_samples : RUN_SAMPLES;
  for (uint32_t i = 0; i < n; i++) samples[i] = slice_of(run->samples[i], run->sample_lens[i]);
  for (uint32_t i = 0; i < PLAN_SEGMENTS_MAX; i++) segments[i] = slice_str(run->segments[i]);
  struct explain_input input = {.trial = &run->trial,
                                .verdict = &run->verdict,
                                .spec = &run->now.spec,
                                .segments = segments,
                                .n_samples = n,
                                .samples = samples};
  verdict_json(&input, out);
}

struct slice run_verdict_json(const struct run *run, struct arena *arena)
{
  struct json_out out;
  json_out_init(&out, arena, JSON_LIKELY);
  verdict_put(run, &out);
  return out.full ? SLICE_NONE : json_out_lend(&out);
}

static void approvals_put(const struct run *run, struct json_out *out)
{
  const struct rollout *now = &run->now;
  bool step = now->step < run->plan.n_steps;
  json_out_key(out, "approvals");
  json_out_open(out, '{');
  json_out_key_u64(out, "want", rollout_approvals_wanted(now, &run->plan));
  str_or_null(out, "role", step ? plan_role_name(run->plan.steps[now->step].approve_role) : NULL);
  json_out_key(out, "have");
  json_out_open(out, '[');
  for (uint32_t i = 0; i < now->n_approvals; i++) json_out_str(out, slice_str(now->approvals[i]));
  json_out_close(out, ']');
  json_out_close(out, '}');
}

static void flip_label_put(const struct flips *flips, const char *key, int i, struct json_out *out)
{
  bool other = i == LABELS_KEPT - 1;
  json_out_key(out, key);
  if (other)
    json_out_null(out);
  else
    json_out_str(out, slice_of(flips->labels[i].at, flips->labels[i].len));
}

/* null: one of the labels that found no row. */
static void flips_put(const struct flips *flips, struct json_out *out)
{
  json_out_key(out, "flips");
  json_out_open(out, '[');
  for (int i = 0; i < LABELS_KEPT; i++)
    for (int k = 0; k < LABELS_KEPT; k++) {
      if (i == k || !flips->at[i][k]) continue;
      json_out_open(out, '{');
      flip_label_put(flips, "stable", i, out);
      flip_label_put(flips, "candidate", k, out);
      json_out_key_u64(out, "pairs", flips->at[i][k]);
      json_out_close(out, '}');
    }
  json_out_close(out, ']');
}

static void shadow_put(const struct run *run, struct json_out *out)
{
  const struct run_totals *totals = &run->totals;
  json_out_key(out, "shadow");
  if (!totals->pairs && !totals->repeats && !totals->dropped && !totals->errors) {
    json_out_null(out);
    return;
  }
  json_out_open(out, '{');
  json_out_key_u64(out, "pairs", totals->pairs);
  json_out_key_u64(out, "repeats", totals->repeats);
  json_out_key_u64(out, "disagreements", totals->disagreements);
  json_out_key_u64(out, "dropped", totals->dropped);
  json_out_key_u64(out, "errors", totals->errors);
  flips_put(&totals->flips, out);
  json_out_key(out, "worst");
  json_out_open(out, '[');
  for (uint32_t i = 0; i < totals->n_worst; i++) {
    const struct pair_sample *pair = &totals->worst[i];
    json_out_open(out, '{');
    json_out_key(out, "apart");
    json_out_f64(out, pair->apart / (double)AGREE_PARTS);
    json_out_key(out, "request_id");
    json_out_str(out, slice_of(pair->id, pair->id_len));
    json_out_key(out, "answers");
    json_out_str(out, slice_of(pair->text, pair->text_len));
    json_out_close(out, '}');
  }
  json_out_close(out, ']');
  json_out_close(out, '}');
}

static void warnings_put(const struct run *run, struct json_out *out)
{
  uint64_t requests = 0;
  for (uint32_t arm = 0; arm < run->trial.n_arms; arm++) requests += run->trial.arm_requests[arm];
  json_out_key(out, "warnings");
  json_out_open(out, '[');
  if (run->reason[0]) json_out_str(out, slice_str(run->reason));
  if (run->totals.keyless * 100 > requests + run->totals.keyless)
    json_out_str(out, SLICE("more than 1% of requests lack the key of sticky_by: they go to stable "
                            "and are no evidence"));
  if (run->totals.unjudged)
    json_out_str(out,
                 SLICE("requests went to stable because the candidate had unjudged_max answers "
                       "or was stopped by a loop"));
  if (outcomes_differ(run))
    json_out_str(out, SLICE("outcomes come for another share of the candidate's answers than of "
                            "stable's: what is missing may be what differs"));
  if (run->owed) json_out_str(out, SLICE("its last move is on its way to the ledger"));
  json_out_close(out, ']');
}

/* --- the whole -------------------------------------------------------------------------------- */

static void state_put(const struct run *run, struct json_out *out)
{
  const struct rollout *now = &run->now;
  /* Held off or drained: where there is nothing to go back to it answers all the same. */
  bool alone = run->arms[ARM_STABLE] && !way_back_is_there(run);
  uint32_t stable = alone ? 0 : rollout_weight(now, &run->plan, ARM_STABLE);
  double weight = (PLAN_WHOLE - stable) / (double)PLAN_WHOLE;
  str_or_null(out, "strategy", strategy_name(run->plan.strategy));
  str_or_null(out, "state", rollout_state_name(now->state));
  str_or_null(out, "why", rollout_why_name(now->why));
  json_out_key_u64(out, "step", now->step);
  json_out_key_u64(out, "steps", run->plan.n_steps);
  json_out_key(out, "weight");
  json_out_f64(out, weight);
  json_out_key(out, "copied");
  json_out_f64(out, rollout_copied(now, &run->plan) / (double)PLAN_WHOLE);
  json_out_key(out, "frozen");
  json_out_bool(out, now->frozen && !now->freeze_overridden);
  json_out_key(out, "held_off");
  json_out_bool(out, now->holdoff && !alone);
  json_out_key(out, "rehearsal");
  json_out_bool(out, run->rehearsal);
  json_out_key(out, "state_s");
  json_out_f64(out, (double)now->state_ms / 1000);
  str_or_null(out, "submitter", now->submitter);
  str_or_null(out, "person", now->person);
  approvals_put(run, out);
  str_or_null(out, "proposal",
              now->proposal < ROLLOUT_WHENS ? rollout_when_name(now->proposal) : NULL);
}

/* Each arm as it stands now: who it is, what it answers, and whether it is out. */
static void arms_put(const struct run *run, struct json_out *out)
{
  const struct rollout *now = &run->now;
  const struct plan *plan = &run->plan;
  json_out_key(out, "arms");
  json_out_open(out, '[');
  for (uint32_t arm = 0; arm < run->n_arms; arm++) {
    bool named = plan->strategy == STRATEGY_AB && arm < plan->ab.n_arms;
    json_out_open(out, '{');
    str_or_null(out, "arm", arm_name(arm));
    str_or_null(out, "name", named ? plan->ab.names[arm] : arm_name(arm));
    json_out_key_u64(out, "version", run->model->release->versions[arm]);
    json_out_key(out, "weight");
    json_out_f64(out, rollout_weight(now, plan, arm) / (double)PLAN_WHOLE);
    json_out_key_u64(out, "requests", run->trial.arm_requests[arm]);
    json_out_key(out, "closed");
    json_out_bool(out, now->closed & ARM_BIT(arm));
    json_out_close(out, '}');
  }
  json_out_close(out, ']');
  bool chosen = now->chosen != ARM_STABLE && (run->n_arms == ARM_MORE || now->n_approvals ||
                                              now->step >= plan->n_steps);
  str_or_null(out, "chosen", chosen ? arm_name(now->chosen) : NULL);
}

static void run_put(const struct run *run, struct json_out *out)
{
  char spec[SHA256_HEX_LEN + 1];
  digest_hex(&run->now.spec, spec);
  json_out_open(out, '{');
  json_out_key(out, "model");
  json_out_str(out, run->model->name);
  json_out_key_u64(out, "release", run->number);
  json_out_key_u64(out, "version", run_version(run));
  json_out_key_u64(out, "stable", run->against);
  state_put(run, out);
  arms_put(run, out);
  str_or_null(out, "spec_hash", spec);
  json_out_key(out, "plan");
  json_out_value(out, run->plan_text);
  json_out_key(out, "verdict");
  if (run->looked)
    verdict_put(run, out);
  else
    json_out_null(out);
  shadow_put(run, out);
  outcomes_put(run, out);
  json_out_key_u64(out, "keyless", run->totals.keyless);
  json_out_key_u64(out, "unjudged", run->totals.unjudged);
  warnings_put(run, out);
  json_out_close(out, '}');
}

struct blob *run_json(const struct run *run)
{
  struct arena arena;
  struct json_out out;
  arena_init(&arena, JSON_BYTES_MAX, NULL);
  json_out_init(&out, &arena, JSON_LIKELY);
  run_put(run, &out);
  struct blob *blob = out.full ? NULL : blob_copy(json_out_lend(&out));
  arena_deinit(&arena);
  return blob;
}

void release_answer(struct control *control, struct letter_release *letter)
{
  const struct catalog_tenant *tenant = catalog_tenant(control->catalog, letter->tenant);
  struct catalog_model *model = tenant ? catalog_model(tenant, letter->model) : NULL;
  struct runs *runs = &control->runs;
  const struct run *run = model ? run_of(runs, model) : NULL;
  letter->json = NULL;
  letter->err = (struct err){0};
  if (run)
    letter->json = run_json(run);
  else if (model && model->slot < runs->cap && runs->last[model->slot])
    letter->json = blob_share(runs->last[model->slot]);
  else if (model && model->release)
    letter->json = run_past_json(model);
  if (!letter->json)
    fail(&letter->err, E_NOT_FOUND, "model '%.*s' has had no release", SLICE_ARG(letter->model));
  letter->mail.kind = LETTER_RELEASE_HOME;
  mail_send(letter->home, &letter->mail);
}
