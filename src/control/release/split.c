/* split.c - a run as a request sees it.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "control/release/run.h"

_Static_assert((int)PLAN_WHOLE == (int)WEIGHT_WHOLE, "plans and worlds share one scale of weights");
_Static_assert((int)PLAN_SEGMENTS_MAX == (int)SEGMENTS_MAX, "so are segments");
_Static_assert((int)PLAN_FIELDS_MAX == (int)SEGMENT_FIELDS_MAX, "and their fields");
_Static_assert((int)LOOK_BINS_MAX == (int)SHIFT_BINS, "and bins");

static struct slice key_text(const struct plan_key *key, struct arena *scratch)
{
  switch (key->kind) {
    case BY_HEADER: return slice_str(arena_print(scratch, "header:%s", key->name));
    case BY_PARAMETER: return slice_str(arena_print(scratch, "parameter:%s", key->name));
    case BY_TENANT: return SLICE("tenant");
    default: return SLICE_NONE;
  }
}

static enum sticky sticky_of(const struct plan_key *key)
{
  switch (key->kind) {
    case BY_HEADER: return STICKY_HEADER;
    case BY_PARAMETER: return STICKY_PARAMETER;
    case BY_TENANT: return STICKY_TENANT;
    default: return STICKY_REQUEST;
  }
}

/* What the outputs are like decides where the plan does not, as answers are read
 * (serve/reading.h): words and whole numbers are labels, of several floats the largest is the
 * label, one is a score. */
static enum compare compare_of(const struct plan *plan, const struct contract *contract)
{
  switch (plan->compare.by) {
    case ALIKE_LABEL: return COMPARE_LABEL;
    case ALIKE_SCORE: return COMPARE_SCORE;
    case ALIKE_OVERLAP: return COMPARE_OVERLAP;
    default: break;
  }
  for (uint32_t i = 0; i < contract->n_outputs; i++) {
    const struct tensor_spec *spec = &contract->outputs[i];
    bool floats = spec->dtype == DT_FP32 || spec->dtype == DT_FP64 || spec->dtype == DT_FP16 ||
                  spec->dtype == DT_BF16;
    uint32_t rank = spec->rank_free ? 0 : spec->shape.rank;
    if (!floats || (rank > 0 && spec->shape.dims[rank - 1] > 1)) return COMPARE_LABEL;
  }
  return COMPARE_SCORE;
}

static void thresholds_set(const struct run *run, struct split *split)
{
  const struct slow *slow = trial_slow(&run->trial);
  for (int row = 0; row < SLOW_ROWS; row++)
    split->slow_us[row] = slow->used[row] ? slow->us[row] : 0;
  split->n_edges = run->n_edges;
  memcpy(split->edges, run->edges, run->n_edges * sizeof *split->edges);
}

static struct split *split_make(const struct run *run, uint32_t n_loops, struct arena *scratch)
{
  const struct plan *plan = &run->plan;
  struct split *split = arena_zero(scratch, 1, sizeof *split);
  must(split);
  uint64_t unjudged = plan->unjudged_max / (n_loops ? n_loops : 1);
  bool whole = run->now.state == ROLLOUT_COMPLETED;
  *split = (struct split){
      .number = run->number,
      .slot = run->slot,
      .step = run->now.step,
      .seed = run->model->release->seed,
      .sticky = sticky_of(&plan->sticky_by),
      .sticky_name = slice_str(plan->sticky_by.name),
      .remember = run_remembers(run),
      .selector = key_text(&plan->choose_by, scratch),
      .covariate = key_text(&plan->metric.covariate, scratch),
      .shadow_weight = rollout_copied(&run->now, plan),
      .unjudged_max = whole || unjudged > UINT32_MAX ? UINT32_MAX : (uint32_t)unjudged,
      .compare = compare_of(plan, &run->arms[ARM_STABLE]->load.contract),
      .distance = plan->compare.distance_e6 / (double)PLAN_MILLION,
      .overlap_k = plan->compare.k,
  };
  if (!split->unjudged_max) split->unjudged_max = 1;
  for (uint32_t arm = 0; arm < run->n_arms; arm++)
    split->remember =
        split->remember || (run->arms[arm] && run->arms[arm]->load.feedback_ms);
  for (uint32_t i = 0; i < plan->n_segments && i < SEGMENT_FIELDS_MAX; i++)
    split->segments[split->n_segments++] = key_text(&plan->segments[i], scratch);
  if (run->stepped) thresholds_set(run, split);
  return split;
}

/* NULL: the arm is out. */
static const struct version *version_of(const struct run *run, uint32_t arm, const struct model *to)
{
  const struct placed *placed = run->arms[arm];
  if (!placed) return NULL;
  return placed->copy_of ? to->copy : model_version(to, placed->number);
}

void run_split(const struct run *run, uint32_t n_loops, struct arena *scratch, struct model *to)
{
  const struct version *versions[ARMS_MAX];
  if (run->now.state == ROLLOUT_PENDING || !run->now.loaded) return;
  for (uint32_t arm = 0; arm < run->n_arms; arm++) {
    versions[arm] = version_of(run, arm, to);
    if (run->arms[arm] && (!versions[arm] || versions[arm]->state != VERSION_READY)) return;
  }
  struct split *split = split_make(run, n_loops, scratch);
  if (split->shadow_weight) split->shadow = versions[ARM_CANDIDATE];
  for (uint32_t arm = 0; arm < run->n_arms; arm++) {
    to->arms[arm] = (struct arm){versions[arm], rollout_share(&run->now, &run->plan, arm)};
    if (!versions[arm]) split->closed |= ARM_BIT(arm);
  }
  to->n_arms = run->n_arms;
  to->release = split;
}
