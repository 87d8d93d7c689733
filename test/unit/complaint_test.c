/* complaint_test.c - what people asked other tools for, where a pure function can show it; the
 * whole list is docs/release-complaints.md.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <stdio.h>

#include "base/mem.h"
#include "judge/step.h"
#include "judge_rig.h"
#include "plan_set.h"
#include "stat/assign.h"
#include "stat/ratio.h"

static struct trial trial;
static struct look look;

static void news(struct rollout *r, enum rollout_when when)
{
  struct rollout_event event = {
      .when = when, .person = "bob", .role = PLAN_ADMIN, .step = r->step, .spec = spec};
  *r = rollout_step(r, &plan, &event, r->clock_ms + 1000).next;
}

/* A release on its way: loaded, then the news in a row. */
static struct rollout after(enum rollout_when first, enum rollout_when second)
{
  struct rollout r;
  rollout_init(&r, &plan, &spec, "ann", false, 1000);
  if (first == ROLLOUT_WHENS) return r;
  news(&r, WHEN_LOADED);
  news(&r, first);
  if (second != ROLLOUT_WHENS) news(&r, second);
  return r;
}

TEST(argo_rollouts_3015_every_state_has_an_exit)
{
  static const struct {
    enum rollout_when first, second;
    enum rollout_state state, ends;
  } rows[] = {
      {ROLLOUT_WHENS, ROLLOUT_WHENS, ROLLOUT_PENDING, ROLLOUT_ABORTED},
      {WHEN_UNDECIDED, ROLLOUT_WHENS, ROLLOUT_RUNNING, ROLLOUT_ABORTED},
      {WHEN_PAUSE, ROLLOUT_WHENS, ROLLOUT_PAUSED, ROLLOUT_ABORTED},
      {WHEN_PASSED, ROLLOUT_WHENS, ROLLOUT_WAITING, ROLLOUT_ABORTED},
      {WHEN_PASSED, WHEN_APPROVE, ROLLOUT_COMPLETED, ROLLOUT_ROLLED_BACK},
  };
  plan_set("strategy: canary\nsteps:\n  - canary: {traffic: 50%, for: 10s, approve: true}\n");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct rollout r = after(rows[i].first, rows[i].second);
    EXPECT_INT(r.state, rows[i].state);
    EXPECT(!rollout_is_final(&r));
    news(&r, WHEN_ABORT);
    EXPECT_INT(r.state, rows[i].ends);
    EXPECT(rollout_is_final(&r));
    EXPECT_INT(rollout_weight(&r, &plan, ARM_CANDIDATE), 0);
    EXPECT_INT(rollout_weight(&r, &plan, ARM_STABLE), PLAN_WHOLE);
  }
}

TEST(flagger_1694_gradual_is_for_persons_and_harm_is_immediate)
{
  plan_set("strategy: canary\nrollback: gradual\nsteps:\n  - canary: {traffic: 50%, for: 10m}\n");
  struct rollout r = after(WHEN_UNDECIDED, ROLLOUT_WHENS);
  EXPECT_INT(rollout_weight(&r, &plan, ARM_CANDIDATE), PLAN_WHOLE / 2);
  struct rollout harmed = r;
  news(&r, WHEN_ROLLBACK);
  uint32_t ebbing = rollout_weight(&r, &plan, ARM_CANDIDATE);
  EXPECT(ebbing > 0 && ebbing <= PLAN_WHOLE / 2);
  for (int i = 0; i < 3600 && rollout_weight(&r, &plan, ARM_CANDIDATE); i++) news(&r, WHEN_TICK);
  EXPECT_INT(rollout_weight(&r, &plan, ARM_CANDIDATE), 0);
  news(&harmed, WHEN_HARM);
  EXPECT_INT(harmed.state, ROLLOUT_ROLLED_BACK);
  EXPECT_INT(rollout_weight(&harmed, &plan, ARM_CANDIDATE), 0);
}

/* ---- evidence ---- */

/* Looks until a verdict is harm, at most `most`; how many it took, most + 1 for never. */
static uint64_t until_harm(struct rig_arm candidate, struct rig_arm stable, double share,
                           uint64_t most, struct verdict *verdict)
{
  struct rand rand;
  struct baseline baseline = rig_baseline();
  rand_seed(&rand, 7);
  plan_default(&plan, STRATEGY_CANARY);
  plan.n_steps = 1;
  plan.steps[0].weight = (uint32_t)(share * PLAN_WHOLE);
  plan.steps[0].for_ms = plan.steps[0].deadline_ms = 7200000;
  trial_begin(&trial, &plan);
  trial_step_begin(&trial, 0, &baseline);
  struct rig_arm c = rig_share(candidate, share), b = rig_share(stable, 1 - share);
  for (uint64_t i = 0; i < most; i++) {
    rig_look(&rand, &look, i, share, &c, &b);
    trial_look(&trial, &look, verdict);
    if (verdict->kind == VERDICT_HARM) return i + 1;
  }
  return most + 1;
}

TEST(argo_rollouts_1107_a_judge_has_bounded_memory)
{
  struct verdict verdict;
  EXPECT(sizeof(struct trial) <= 192 << 10);
  uint64_t grabs = grab_count();
  EXPECT_INT(until_harm(rig_healthy, rig_healthy, 0.05, 1200, &verdict), 1201);
  EXPECT_INT(grab_count(), grabs);
}

TEST(kayenta_780_a_tail_alone_is_harm)
{
  struct rig_arm tail = rig_healthy;
  struct verdict verdict;
  tail.slow[2] = 0.02; /* p99 and p99.9 are twice as often passed; p50 and p90 as before */
  tail.slow[3] = 0.002;
  EXPECT(until_harm(tail, rig_healthy, 0.05, 120, &verdict) <= 120);
  EXPECT_INT(verdict.by, GATE_LATENCY);
}

TEST(kayenta_426_sparse_errors_are_evidence)
{
  struct rig_arm stable = rig_healthy, sparse = rig_healthy;
  struct verdict verdict;
  stable.rps = sparse.rps = 100;
  stable.errors = 0; /* one error in 20 s against none at all */
  sparse.errors = 0.01;
  EXPECT(until_harm(sparse, stable, 0.05, 3600, &verdict) <= 3600);
  EXPECT_INT(verdict.by, GATE_ERRORS);
  EXPECT_INT(verdict.gates[GATE_ERRORS].x_b, 0);
  EXPECT(verdict.gates[GATE_ERRORS].x_c < 20);
}

TEST(experimenter_16011_sample_ratio_is_sequential_and_has_a_floor)
{
  const double bar = 6.907755278982137; /* ln 1000 */
  EXPECT(ratio_log_e(2200, 40000, 0.05, RATIO_K) > bar);
  EXPECT(ratio_drift(2200, 40000, 0.05) > RATIO_FLOOR);
  /* A drift of half a percent is certain after enough users, and still a trifle. */
  EXPECT(ratio_log_e(50250000, 1000000000, 0.05, RATIO_K) > bar);
  EXPECT(ratio_drift(50250000, 1000000000, 0.05) < RATIO_FLOOR);
  EXPECT(ratio_log_e(3, 5, 0.5, RATIO_K) < bar); /* tiny counts say nothing, validly */
}

/* ---- assignment ---- */

TEST(flagd_1909_the_hash_never_changes)
{
  static const struct {
    const char *seed, *key;
    uint32_t hash, bucket;
  } rows[] = {
      {"fraud/17", "user-1", 3009453331u, 70069295},
      {"fraud/17", "user-2", 208329288u, 4850544},
      {"fraud/18", "user-1", 3675021175u, 85565754},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint32_t hash = assign_hash(slice_str(rows[i].seed), slice_str(rows[i].key));
    EXPECT_INT(hash, rows[i].hash);
    EXPECT_INT(assign_bucket(hash, ASSIGN_TOTAL), rows[i].bucket);
  }
}

TEST(launchdarkly_docs_265_seeds_align_or_are_independent)
{
  enum { USERS = 20000 };
  int both_same = 0, both_other = 0, one = 0;
  for (int user = 0; user < USERS; user++) {
    char key[16];
    snprintf(key, sizeof key, "user-%d", user);
    bool a = assign_is_candidate(assign_hash(SLICE("a/1"), slice_str(key)), ASSIGN_TOTAL / 2);
    bool same = assign_is_candidate(assign_hash(SLICE("a/1"), slice_str(key)), ASSIGN_TOTAL / 2);
    bool other = assign_is_candidate(assign_hash(SLICE("a/2"), slice_str(key)), ASSIGN_TOTAL / 2);
    one += a;
    both_same += a && same;
    both_other += a && other;
  }
  EXPECT_INT(both_same, one);
  EXPECT(both_other > USERS / 4 - 400 && both_other < USERS / 4 + 400); /* 6.5 deviations */
}
