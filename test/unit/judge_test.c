/* judge_test.c - a bad version is found in the time the contract names, a good one is not, and the
 * same looks give the same bits.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "judge_rig.h"

static struct trial trial, twin;
static struct look look, copy;

static struct plan one_step(uint32_t percent, uint64_t for_ms)
{
  struct plan plan;
  plan_default(&plan, STRATEGY_CANARY);
  plan.n_steps = 1;
  plan.steps[0].weight = percent * PLAN_MILLION;
  plan.steps[0].for_ms = plan.steps[0].deadline_ms = for_ms;
  return plan;
}

static void begin(struct plan plan)
{
  struct baseline baseline = rig_baseline();
  trial_begin(&trial, &plan);
  trial_step_begin(&trial, 0, &baseline);
}

/* Looks until the release is judged so, or `most`. */
static uint64_t until(enum verdict_kind kind, struct rig_arm candidate, uint64_t seed,
                      uint64_t most, struct verdict *verdict)
{
  struct rand rand;
  rand_seed(&rand, seed);
  double share = (double)trial.plan.steps[0].weight / PLAN_WHOLE;
  struct rig_arm c = rig_share(candidate, share), b = rig_share(rig_healthy, 1 - share);
  for (uint64_t i = 0; i < most; i++) {
    rig_look(&rand, &look, trial.looks, share, &c, &b);
    trial_look(&trial, &look, verdict);
    if (verdict->kind == kind) return i + 1;
  }
  return most + 1;
}

TEST(a_trial_is_small)
{
  EXPECT(sizeof(struct trial) < 192 << 10);
  EXPECT(sizeof(struct look) < 32 << 10);
}

TEST(errors_from_a_thousandth_to_a_hundredth_are_found_in_a_minute)
{
  struct rig_arm bad = rig_healthy;
  struct verdict verdict;
  uint64_t worst = 0;
  bad.errors = 0.01;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    begin(one_step(5, 3600000));
    uint64_t n = until(VERDICT_HARM, bad, seed, 300, &verdict);
    if (n > worst) worst = n;
    EXPECT_INT(verdict.by, GATE_ERRORS);
    EXPECT(verdict.gates[GATE_ERRORS].log_e >= verdict.gates[GATE_ERRORS].bar);
    EXPECT(verdict.gates[GATE_ERRORS].effect > 2);
  }
  EXPECT(worst <= 60);
}

TEST(half_of_the_answers_failing_is_found_in_three_seconds)
{
  struct rig_arm bad = rig_healthy;
  struct verdict verdict;
  bad.errors = 0.5;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    begin(one_step(5, 3600000));
    EXPECT(until(VERDICT_HARM, bad, seed, 300, &verdict) <= 3);
  }
}

TEST(a_doubled_tail_is_found_in_half_a_minute)
{
  struct rig_arm bad = rig_healthy;
  struct verdict verdict;
  bad.slow[2] = 0.02, bad.slow[3] = 0.0184; /* candidate latencies above p98 doubled */
  for (uint64_t seed = 1; seed <= 20; seed++) {
    begin(one_step(5, 3600000));
    EXPECT(until(VERDICT_HARM, bad, seed, 300, &verdict) <= 30);
    EXPECT_INT(verdict.by, GATE_LATENCY);
    EXPECT_INT(verdict.gates[GATE_LATENCY].row, 3);
  }
}

TEST(a_late_onset_is_dated)
{
  struct rig_arm bad = rig_healthy;
  struct verdict verdict;
  bad.errors = 0.02;
  begin(one_step(5, 3600000));
  until(VERDICT_HARM, rig_healthy, 3, 1200, &verdict);
  EXPECT_INT(trial.looks, 1200);
  uint64_t n = until(VERDICT_HARM, bad, 4, 300, &verdict);
  EXPECT(n < 60);
  uint64_t first = verdict.gates[GATE_ERRORS].first_bad_look;
  EXPECT(first >= 1190 && first <= 1200 + n);
  EXPECT_INT(verdict.gates[GATE_ERRORS].first_bad_ms, 1000 * first);
}

TEST(equal_arms_are_not_harmed_in_an_hour)
{
  struct verdict verdict;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    begin(one_step(5, 3600000));
    until(VERDICT_HARM, rig_healthy, seed, 3600, &verdict);
    EXPECT(verdict.kind != VERDICT_HARM && verdict.kind != VERDICT_PAUSE);
    EXPECT(verdict.harmed < 50);
  }
}

TEST(equal_arms_pass_where_there_is_enough_traffic)
{
  struct verdict verdict;
  struct plan plan = one_step(50, 600000);
  plan.gates[GATE_MEMORY].off = true;
  begin(plan);
  EXPECT_INT(until(VERDICT_PASSED, rig_healthy, 1, 6000, &verdict) <= 6000, 1);
  EXPECT(verdict.gates_met && verdict.time_met);
  EXPECT(verdict.step_ms >= 600000);
  EXPECT_INT(verdict.gates[GATE_LATENCY].state, GATE_NON_INFERIOR);
}

/* flagger#1035: a candidate without requests is neither promoted nor reverted. */
TEST(no_requests_is_no_data_and_holds)
{
  struct verdict verdict;
  struct rig_arm idle = {0};
  begin(one_step(5, 1000));
  until(VERDICT_HARM, idle, 1, 30, &verdict);
  EXPECT_INT(verdict.kind, VERDICT_NO_DATA);
  EXPECT_INT(verdict.gates[GATE_ERRORS].reason, WITHOUT_NO_CANDIDATE_REQUESTS);
  EXPECT_INT(verdict.no_data_ms, 30000);
}

TEST(missing_tallies_are_no_data_from_the_fifth_look_on)
{
  struct verdict verdict;
  struct rand rand;
  rand_seed(&rand, 1);
  begin(one_step(5, 600000));
  struct rig_arm c = rig_share(rig_healthy, 0.05), b = rig_share(rig_healthy, 0.95);
  for (int i = 0; i < 20; i++) {
    rig_look(&rand, &look, trial.looks, 0.05, &c, &b);
    look.stale = i >= 10;
    trial_look(&trial, &look, &verdict);
    EXPECT_INT(verdict.kind == VERDICT_NO_DATA, i >= 14);
  }
  EXPECT_INT(verdict.gates[GATE_LATENCY].reason, WITHOUT_STALE_TALLIES);
}

TEST(latency_without_history_is_no_data_and_errors_judge_all_the_same)
{
  struct verdict verdict;
  struct baseline none;
  struct plan plan = one_step(5, 600000);
  struct rig_arm bad = rig_healthy;
  bad.errors = 0.5;
  baseline_init(&none);
  trial_begin(&trial, &plan);
  trial_step_begin(&trial, 0, &none);
  until(VERDICT_HARM, rig_healthy, 1, 5, &verdict);
  EXPECT_INT(verdict.gates[GATE_LATENCY].state, GATE_NO_DATA);
  EXPECT_INT(verdict.gates[GATE_LATENCY].reason, WITHOUT_QUANTILE_WITHOUT_HISTORY);
  EXPECT_INT(verdict.kind, VERDICT_NO_DATA);
  EXPECT(until(VERDICT_HARM, bad, 1, 10, &verdict) <= 4);
}

TEST(looks_at_zero_weight_do_not_count)
{
  struct verdict verdict;
  struct rand rand;
  rand_seed(&rand, 1);
  begin(one_step(5, 600000));
  struct rig_arm bad = rig_healthy, b = rig_healthy;
  bad.errors = 1;
  for (int i = 0; i < 100; i++) {
    rig_look(&rand, &look, trial.looks, 0, &bad, &b);
    trial_look(&trial, &look, &verdict);
  }
  EXPECT_INT(verdict.kind, VERDICT_NO_DATA);
  EXPECT_INT(verdict.step_ms, 0);
  EXPECT_INT(trial.looks, 100);
  EXPECT_INT(trial.looks_counted, 0);
}

TEST(the_first_ten_seconds_after_a_load_do_not_enter_latency)
{
  struct verdict verdict;
  struct rand rand;
  struct rig_arm slow = rig_share(rig_healthy, 0.05), b = rig_share(rig_healthy, 0.95);
  for (int row = 0; row < SLOW_ROWS; row++) slow.slow[row] = 1;
  for (int warm = 0; warm < 2; warm++) {
    rand_seed(&rand, 1);
    begin(one_step(5, 600000));
    for (uint64_t i = 0; i < 9; i++) {
      rig_look(&rand, &look, trial.looks, 0.05, &slow, &b);
      look.loaded_ms = warm ? 60000 : 1000 * (i + 1);
      trial_look(&trial, &look, &verdict);
    }
    EXPECT_INT(verdict.gates[GATE_LATENCY].state == GATE_HARM, warm);
  }
}

TEST(harm_stays)
{
  struct verdict verdict;
  struct rig_arm bad = rig_healthy;
  bad.errors = 0.5;
  begin(one_step(5, 600000));
  until(VERDICT_HARM, bad, 1, 10, &verdict);
  struct gate_result fired = verdict.gates[GATE_ERRORS];
  until(VERDICT_PASSED, rig_healthy, 2, 600, &verdict);
  EXPECT_INT(verdict.kind, VERDICT_HARM);
  EXPECT_INT(verdict.gates[GATE_ERRORS].fired_look, fired.fired_look);
  EXPECT_INT(verdict.gates[GATE_ERRORS].x_c, fired.x_c);
}

/* argo-rollouts#2866: a team that does not trust a gate yet lets it pause, or only watches it. */
TEST(a_gate_may_pause_or_only_watch)
{
  struct verdict verdict;
  struct rig_arm bad = rig_healthy;
  struct plan plan = one_step(5, 600000);
  bad.errors = 0.5;
  plan.harm_budget = 1000000;
  plan.gates[GATE_ERRORS].on_harm = ACT_PAUSE;
  begin(plan);
  EXPECT(until(VERDICT_PAUSE, bad, 1, 10, &verdict) <= 4);
  EXPECT_INT(verdict.pausing, 1 << GATE_ERRORS);
  EXPECT(verdict.otherwise != VERDICT_PAUSE);
  plan.gates[GATE_ERRORS].dry_run = true;
  begin(plan);
  until(VERDICT_HARM, bad, 1, 30, &verdict);
  EXPECT(verdict.kind != VERDICT_HARM && verdict.kind != VERDICT_PAUSE);
  EXPECT_INT(verdict.gates[GATE_ERRORS].state, GATE_HARM);
}

TEST(blocks_alone_need_twelve_blocks)
{
  struct verdict verdict;
  struct rig_arm bad = rig_healthy;
  struct plan plan = one_step(5, 3600000);
  for (int row = 0; row < SLOW_ROWS; row++)
    bad.slow[row] = bad.slow[row] * 2 < 1 ? bad.slow[row] * 2 : 1;
  bad.slow[0] = 0.84;
  plan.gates[GATE_LATENCY].lanes = plan.gates[GATE_ERRORS].lanes = LANES_BLOCKS;
  plan.harm_budget = 1000000;
  begin(plan);
  EXPECT_INT(until(VERDICT_HARM, bad, 1, 300, &verdict), 120);
  EXPECT_INT(verdict.gates[GATE_LATENCY].lane, LANE_BLOCKS);
  EXPECT(verdict.gates[GATE_LATENCY].block_lower > 0);
}

/* B7: never more than the budget and one look of traffic. */
TEST(the_harm_budget_is_spent_and_stops)
{
  struct verdict verdict;
  struct rig_arm bad = rig_healthy;
  struct plan plan = one_step(5, 3600000);
  bad.errors = 0.5;
  plan.gates[GATE_LATENCY].off = plan.gates[GATE_ERRORS].off = true;
  begin(plan);
  EXPECT(until(VERDICT_HARM, bad, 1, 300, &verdict) <= 30);
  EXPECT_INT(verdict.by, GATE_BUDGET);
  EXPECT(verdict.harmed >= 500 && verdict.harmed <= 550);
}

/* After the last step there is no stable arm, so nothing that could say what chance would harm. */
TEST(a_candidate_with_everything_spends_no_budget)
{
  struct verdict verdict;
  struct rand rand;
  struct rig_arm c = rig_healthy, none = {0};
  rand_seed(&rand, 1);
  c.errors = 0.1;
  begin(one_step(5, 600000));
  until(VERDICT_HARM, rig_healthy, 1, 5, &verdict);
  for (int i = 0; i < 2000; i++) {
    rig_look(&rand, &look, trial.looks, 1, &c, &none);
    trial_look(&trial, &look, &verdict);
  }
  EXPECT(verdict.kind != VERDICT_HARM);
  EXPECT(verdict.harmed < 10);
}

TEST(a_switch_without_holdback_ends_by_time)
{
  struct verdict verdict;
  struct rand rand;
  struct plan plan;
  struct baseline baseline;
  struct rig_arm none = {0};
  rand_seed(&rand, 1);
  baseline_init(&baseline);
  plan_default(&plan, STRATEGY_BLUEGREEN);
  plan.steps[0].weight = PLAN_WHOLE;
  trial_begin(&trial, &plan);
  trial_step_begin(&trial, 0, &baseline);
  for (int i = 0; i < 600; i++) {
    EXPECT(i == 0 || verdict.kind == VERDICT_UNDECIDED);
    rig_look(&rand, &look, trial.looks, 1, &rig_healthy, &none);
    trial_look(&trial, &look, &verdict);
  }
  EXPECT_INT(verdict.kind, VERDICT_PASSED);
  look.number++;
  look.killed = true;
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(verdict.kind, VERDICT_HARM);
}

TEST(a_node_that_killed_the_candidate_is_harm)
{
  struct verdict verdict;
  begin(one_step(5, 600000));
  look_init(&look, 0, 2);
  look.elapsed_ms = 1000;
  look.killed = true;
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(verdict.kind, VERDICT_HARM);
  EXPECT_INT(verdict.gates[GATE_ERRORS].lane, LANE_KILLED);
}

TEST(sample_ratio_pauses_when_the_candidate_gets_a_tenth_more)
{
  struct verdict verdict;
  struct rand rand;
  rand_seed(&rand, 5);
  begin(one_step(5, 3600000));
  struct rig_arm c = rig_share(rig_healthy, 0.055), b = rig_share(rig_healthy, 0.945);
  uint64_t n = 0;
  for (; n < 200; n++) {
    rig_look(&rand, &look, trial.looks, 0.05, &c, &b);
    look.uneven = true; /* units of uneven looks are no evidence */
    trial_look(&trial, &look, &verdict);
  }
  EXPECT(verdict.kind != VERDICT_PAUSE);
  for (n = 0; n < 200 && verdict.kind != VERDICT_PAUSE; n++) {
    rig_look(&rand, &look, trial.looks, 0.05, &c, &b);
    trial_look(&trial, &look, &verdict);
  }
  EXPECT(n > 5 && n < 100);
  EXPECT_INT(verdict.by, GATE_SAMPLE_RATIO);
}

TEST(a_look_that_cannot_be_is_refused_and_changes_nothing)
{
  struct verdict verdict;
  begin(one_step(5, 600000));
  until(VERDICT_HARM, rig_healthy, 1, 5, &verdict);
  trial_copy(&twin, &trial);
  look.number = 99;
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(verdict.kind, VERDICT_NO_DATA);
  look.number = 5;
  look.arms[0].errors = look.arms[0].requests + 1;
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(verdict.kind, VERDICT_NO_DATA);
  EXPECT_INT(trial.refused, 2);
  EXPECT_INT(trial.looks, twin.looks);
  EXPECT(memcmp(&trial.arms[0].ordinary, &twin.arms[0].ordinary, sizeof twin.arms[0].ordinary) ==
         0);
}

/* The same requests counted by one loop or by three, sent as they are or through the journal: the
 * same bits in every verdict. */
TEST(any_split_of_the_same_requests_gives_the_same_bits)
{
  struct plan plan = one_step(10, 600000);
  struct baseline baseline = rig_baseline();
  struct rand rand;
  unsigned char bytes[LOOK_BYTES_MAX];
  rand_seed(&rand, 11);
  trial_begin(&trial, &plan);
  trial_begin(&twin, &plan);
  trial_step_begin(&trial, 0, &baseline);
  trial_step_begin(&twin, 0, &baseline);
  struct rig_arm c = rig_share(rig_healthy, 0.1 / 3), b = rig_share(rig_healthy, 0.9 / 3);
  c.errors = 0.0015;
  for (int i = 0; i < 400; i++) {
    static struct look parts[3];
    struct verdict one, two;
    for (int part = 0; part < 3; part++) rig_look(&rand, &parts[part], (uint64_t)i, 0.1, &c, &b);
    look = parts[0];
    look_merge(&look, &parts[1]);
    look_merge(&look, &parts[2]);
    copy = parts[2];
    look_merge(&copy, &parts[0]);
    look_merge(&copy, &parts[1]);
    struct varint_out out = {bytes, 0, sizeof bytes, false};
    look_write(&copy, &out);
    struct slice text = {(const char *)bytes, out.len};
    EXPECT_INT(look_read(&copy, &text, NULL), OK);
    trial_look(&trial, &look, &one);
    trial_look(&twin, &copy, &two);
    EXPECT(memcmp(&one, &two, sizeof one) == 0);
  }
}

TEST(a_copy_lives_its_own_life)
{
  struct verdict one, two;
  begin(one_step(5, 600000));
  until(VERDICT_HARM, rig_healthy, 1, 250, &one);
  trial_copy(&twin, &trial);
  struct rand rand;
  rand_seed(&rand, 9);
  struct rig_arm c = rig_share(rig_healthy, 0.05), b = rig_share(rig_healthy, 0.95);
  for (int i = 0; i < 100; i++) {
    rig_look(&rand, &look, trial.looks, 0.05, &c, &b);
    trial_look(&trial, &look, &one);
    trial_look(&twin, &look, &two);
    EXPECT(memcmp(&one, &two, sizeof one) == 0);
  }
}

/* At ten requests a second most looks have no candidate request; leaving them out would make the
 * candidate look twice as busy as it is. */
TEST(thin_traffic_is_no_harm)
{
  struct rig_arm thin = rig_healthy, c, b;
  struct verdict verdict;
  struct rand rand;
  thin.rps = 10, thin.errors = 0.05;
  c = rig_share(thin, 0.05), b = rig_share(thin, 0.95);
  for (uint64_t seed = 1; seed <= 10; seed++) {
    rand_seed(&rand, seed);
    begin(one_step(5, 3600000));
    for (int i = 0; i < 7200; i++) {
      rig_look(&rand, &look, trial.looks, 0.05, &c, &b);
      trial_look(&trial, &look, &verdict);
    }
    EXPECT(verdict.kind != VERDICT_HARM);
  }
}
