/* gates_test.c - each gate through a trial gives the golden numbers of the contract, and says harm,
 * pass or neither where the contract does.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "gates_rig.h"
#include "stat/mean.h"

TEST(errors_by_the_detector_of_the_golden_file)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  const struct detector *row = &trial.arms[ARM_CANDIDATE].ordinary[BASELINE_ERRORS];
  plan.harm_budget = UINT32_MAX;
  begin(&plan);
  EXPECT_INT(trial.restarts_max, 60);
  errors(1, 3, 10, 0.05);
  EXPECT_NEAR(detector_log_e(row), 0.5485438317);
  begin(&plan);
  errors(120, 0, 5, 0.05);
  EXPECT_NEAR(detector_log_e(row), -10.84056945);
  begin(&plan);
  errors(600, 1, 19, 0.05);
  EXPECT(verdict.gates[GATE_ERRORS].state != GATE_HARM);
  errors(60, 3, 19, 0.05);
  EXPECT_NEAR(detector_log_e(row), 39.14937473);
  EXPECT_INT(verdict.gates[GATE_ERRORS].state, GATE_HARM);
  EXPECT_INT(verdict.gates[GATE_ERRORS].first_bad_look, 600);
  begin(&plan);
  errors(5, 60, 40, 0.05);
  EXPECT_NEAR(detector_log_e(row), 19.32338212);
  begin(&plan);
  errors(60, 1, 19, 0.05);
  errors(60, 4, 18, 0.1);
  EXPECT_NEAR(detector_log_e(row), 12.46530879);
}

TEST(errors_tempered_by_phi)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  struct baseline baseline = rig_baseline();
  baseline.phi[ARM_CANDIDATE][BASELINE_ERRORS] = 2.5;
  trial_begin(&trial, &plan);
  trial_step_begin(&trial, 0, &baseline);
  errors(600, 1, 19, 0.05);
  errors(60, 3, 19, 0.05);
  EXPECT_NEAR(detector_log_e(&trial.arms[ARM_CANDIDATE].ordinary[BASELINE_ERRORS]), 11.97266947);
}

/* kayenta#426, #799: a model without failures passes once enough answers show it. */
TEST(errors_without_any_failure_pass_below_the_floor)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  begin(&plan);
  errors(3, 0, 0, 0.05);
  EXPECT_INT(verdict.gates[GATE_ERRORS].state, GATE_INCONCLUSIVE);
  errors(6, 0, 0, 0.05);
  EXPECT_INT(verdict.gates[GATE_ERRORS].state, GATE_NON_INFERIOR);
  EXPECT_INT(verdict.gates[GATE_ERRORS].lane, LANE_FLOOR);
  plan.gates[GATE_ERRORS].floor_e8 = 0;
  begin(&plan);
  errors(300, 0, 0, 0.05);
  EXPECT_INT(verdict.gates[GATE_ERRORS].state, GATE_INCONCLUSIVE);
}

TEST(latency_averages_its_rows)
{
  struct plan plan = half_hour(STEP_CANARY, 50000000);
  begin(&plan);
  look_begin(0.5);
  static const uint64_t c[] = {50, 9, 1, 0}, b[] = {50, 10, 1, 0};
  for (int row = 0; row < SLOW_ROWS; row++) {
    look.arms[0].slow[row] = c[row], look.arms[1].slow[row] = b[row];
    look.arms[0].timed = look.arms[1].timed = 100;
  }
  trial_look(&trial, &look, &verdict);
  double each[SLOW_ROWS];
  for (int row = 0; row < SLOW_ROWS; row++)
    each[row] = detector_log_e(&trial.arms[0].ordinary[row]);
  EXPECT(verdict.gates[GATE_LATENCY].log_e == count_gate(each, SLOW_ROWS) ||
         verdict.gates[GATE_LATENCY].lane == LANE_FAST);
  EXPECT_INT(verdict.gates[GATE_LATENCY].state, GATE_INCONCLUSIVE);
}

/* 27 of 1,539 above stable's p90 and slack, where stable itself has 69 of 28,466: seven times as
 * often, and yet its own p90 is far below the threshold. */
static void late_at_p90(int looks, uint64_t c, uint64_t b)
{
  for (int i = 0; i < looks; i++) {
    look_begin(0.05);
    look.arms[0].timed = 50, look.arms[1].timed = 950;
    look.arms[0].slow[1] = c, look.arms[1].slow[1] = b;
    trial_look(&trial, &look, &verdict);
  }
}

TEST(latency_within_the_slack_is_no_harm_however_seldom_stable_is_slow)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  plan.harm_budget = UINT32_MAX;
  const struct gate_result *gate = &verdict.gates[GATE_LATENCY];
  begin(&plan);
  late_at_p90(300, 4, 2); /* 8 % of answers against 0.2 % */
  EXPECT(detector_log_e(&trial.arms[0].ordinary[1]) > 100);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
  late_at_p90(60, 12, 2); /* then a quarter of them: an old good time does not hide it */
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(gate->row, 1);
  begin(&plan);
  late_at_p90(30, 6, 2); /* 12 %: the p90 itself is above */
  EXPECT_INT(gate->state, GATE_HARM);
  plan.gates[GATE_LATENCY].slack_us = 0; /* as the contract has it: the ratio alone */
  begin(&plan);
  late_at_p90(30, 4, 2);
  EXPECT_INT(gate->state, GATE_HARM);
}

static void pairs(uint64_t same, uint64_t quarter, uint64_t eighth, uint64_t other)
{
  struct plan plan = half_hour(STEP_SHADOW, PLAN_WHOLE);
  begin(&plan);
  look_begin(0);
  look.copied = PLAN_WHOLE;
  look.agree.at[0] = same, look.agree.at[8] = eighth, look.agree.at[16] = quarter;
  look.agree.at[64] = other;
  trial_look(&trial, &look, &verdict);
}

TEST(disagreement_of_the_golden_file)
{
  const struct gate_result *gate = &verdict.gates[GATE_DISAGREEMENT];
  pairs(100, 0, 0, 0);
  EXPECT_NEAR(gate->log_e, -1.849640459);
  EXPECT_NEAR(gate->pass_log_e, 1.391302452);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
  pairs(960, 0, 0, 40);
  EXPECT_NEAR(gate->log_e, 6.207575010);
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(verdict.kind, VERDICT_HARM);
  pairs(1990, 0, 0, 10);
  EXPECT_NEAR(gate->pass_log_e, 14.83359107);
  EXPECT_INT(gate->state, GATE_NON_INFERIOR);
  pairs(200, 20, 50, 3);
  EXPECT_NEAR(gate->log_e, 20.85684286);
}

static void units(uint64_t c, uint64_t n, double share)
{
  struct plan plan = half_hour(STEP_CANARY, (uint32_t)(share * PLAN_WHOLE));
  begin(&plan);
  look_begin(share);
  look.arms[0].units = c, look.arms[1].units = n - c;
  trial_look(&trial, &look, &verdict);
}

TEST(sample_ratio_of_the_golden_file)
{
  const struct gate_result *gate = &verdict.gates[GATE_SAMPLE_RATIO];
  units(550, 10000, 0.05);
  EXPECT_NEAR(gate->log_e, 0.9257809799);
  EXPECT_NEAR(gate->bar, 6.907755279);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
  units(2200, 40000, 0.05);
  EXPECT_NEAR(gate->log_e, 7.375229983);
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(verdict.kind, VERDICT_PAUSE);
  units(25000, 500000, 0.05);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
}

/* Its alpha is split over the steps of a plan. */
TEST(sample_ratio_bar_rises_with_the_steps)
{
  struct plan plan;
  plan_default(&plan, STRATEGY_CANARY);
  begin(&plan);
  errors(1, 0, 0, 0.05);
  EXPECT_NEAR(verdict.gates[GATE_SAMPLE_RATIO].bar, log(3000));
}

TEST(prediction_of_the_golden_file)
{
  static const uint64_t golden[2][10] = {{80, 70, 60, 50, 50, 50, 40, 40, 30, 30},
                                         {20, 25, 35, 45, 50, 50, 55, 65, 75, 80}};
  static const double log_e[] = {9.765890386, 20.41421161}, psi[] = {0.09317088426, 0.1551533450};
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  for (int i = 0; i < 2; i++) {
    begin(&plan);
    errors(9, 0, 0, 0.05);
    look_begin(0.05);
    for (int bin = 0; bin < 10; bin++)
      look.arms[0].bins[bin] = golden[i][bin], look.arms[1].bins[bin] = 950;
    trial_look(&trial, &look, &verdict);
    const struct gate_result *gate = &verdict.gates[GATE_PREDICTION];
    EXPECT_NEAR(gate->log_e, log_e[i]);
    EXPECT_NEAR(gate->effect, psi[i]);
    EXPECT_INT(gate->state, i ? GATE_HARM : GATE_INCONCLUSIVE);
    EXPECT_INT(verdict.kind == VERDICT_PAUSE, i);
  }
}

static void minutes(int n, uint64_t c_from, uint64_t c_by, uint64_t b)
{
  for (int minute = 0; minute < n; minute++)
    for (int second = 0; second < 60; second++) {
      look_begin(0.05);
      look.arms[0].steady_bytes = look.arms[0].peak_bytes = c_from + c_by * (uint64_t)minute;
      look.arms[1].steady_bytes = look.arms[1].peak_bytes = b;
      trial_look(&trial, &look, &verdict);
    }
}

TEST(memory_level_growth_and_health)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  const struct gate_result *gate = &verdict.gates[GATE_MEMORY];
  begin(&plan);
  errors(1, 0, 0, 0.05);
  EXPECT_INT(gate->state, GATE_IDLE); /* not measured */
  begin(&plan);
  minutes(2, 1000, 0, 500);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
  minutes(1, 1000, 0, 500);
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(gate->lane, LANE_LEVEL);
  begin(&plan);
  minutes(9, 500 << 20, 1 << 20, 500 << 20);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE); /* a slope must be surer than chance */
  minutes(1, 510 << 20, 0, 500 << 20);
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(gate->lane, LANE_SLOPE);
  begin(&plan);
  minutes(6, 500 << 20, 0, 500 << 20);
  EXPECT_INT(gate->state, GATE_NON_INFERIOR);
}

static void peaks(int n, uint64_t c, uint64_t b, double share)
{
  for (int i = 0; i < n * 60; i++) {
    look_begin(share);
    look.arms[0].requests = (uint64_t)(2000 * share);
    look.arms[1].requests = 2000 - look.arms[0].requests;
    look.arms[0].steady_bytes = look.arms[1].steady_bytes = 500 << 20;
    look.arms[0].peak_bytes = c;
    look.arms[1].peak_bytes = b;
    trial_look(&trial, &look, &verdict);
  }
}

TEST(memory_inside_of_runs_is_judged_apart_from_what_is_held)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  const struct gate_result *gate = &verdict.gates[GATE_MEMORY];
  begin(&plan);
  peaks(5, 700 << 20, 600 << 20, 0.05);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
  peaks(1, 700 << 20, 600 << 20, 0.05);
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(gate->lane, LANE_PEAK);
  EXPECT(gate->effect > 1.16 && gate->effect < 1.17);
  begin(&plan); /* one minute as good as stable's: it was a matter of what was asked */
  peaks(3, 700 << 20, 600 << 20, 0.05);
  peaks(1, 650 << 20, 600 << 20, 0.05);
  peaks(3, 700 << 20, 600 << 20, 0.05);
  EXPECT_INT(gate->state, GATE_NON_INFERIOR);
  begin(&plan); /* who answers far more sees the larger requests */
  peaks(7, 700 << 20, 600 << 20, 0.9);
  EXPECT_INT(gate->state, GATE_NON_INFERIOR);
}

TEST(cost_pauses_when_answers_take_twice_the_time)
{
  struct plan plan = half_hour(STEP_CANARY, PLAN_WHOLE / 2);
  struct rand rand;
  rand_seed(&rand, 1);
  begin(&plan);
  for (int i = 0; i < 130; i++) {
    look_begin(0.5);
    look.arms[0].costed = look.arms[1].costed = 1000;
    look.arms[0].cpu_us = 2000000 + rand_u64(&rand) % 100000;
    look.arms[1].cpu_us = 1000000 + rand_u64(&rand) % 100000;
    trial_look(&trial, &look, &verdict);
  }
  EXPECT_INT(verdict.kind, VERDICT_PAUSE);
  EXPECT_INT(verdict.by, GATE_COST);
  double lower, upper;
  EXPECT(result_interval(&trial, &verdict.gates[GATE_COST], &lower, &upper));
  EXPECT(lower > 1.25 && lower < 1.96 && upper > 1.9);
}

TEST(cost_is_of_the_answers_that_were_measured)
{
  struct plan plan = half_hour(STEP_CANARY, PLAN_WHOLE / 2);
  struct rand rand;
  rand_seed(&rand, 1);
  begin(&plan);
  for (int i = 0; i < 130; i++) { /* a tenth of stable's answers, all of the candidate's: alike */
    look_begin(0.5);
    look.arms[0].costed = 1000, look.arms[1].costed = 100;
    for (int arm = 0; arm < 2; arm++)
      look.arms[arm].cpu_us = look.arms[arm].costed * (950 + rand_u64(&rand) % 100);
    trial_look(&trial, &look, &verdict);
  }
  EXPECT_INT(verdict.gates[GATE_COST].state, GATE_NON_INFERIOR);
  EXPECT(verdict.gates[GATE_COST].effect > 0.95 && verdict.gates[GATE_COST].effect < 1.05);
  begin(&plan);
  for (int i = 0; i < 130; i++) { /* an engine with threads of its own: nobody knows */
    look_begin(0.5);
    look.arms[1].costed = 1000, look.arms[1].cpu_us = 1000000;
    trial_look(&trial, &look, &verdict);
  }
  EXPECT_INT(verdict.gates[GATE_COST].state, GATE_IDLE);
}

/* Seldom run is dearer: 1.4 times for one and the same model at 5 %. */
TEST(cost_has_no_say_where_the_arms_traffic_is_far_apart)
{
  static const struct {
    double share;
    bool judged;
  } cases[] = {{0.05, false}, {0.19, false}, {0.2, true}, {0.8, true}, {0.81, false}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    struct plan plan = half_hour(STEP_CANARY, (uint32_t)(cases[k].share * PLAN_WHOLE));
    struct rand rand;
    rand_seed(&rand, 1);
    begin(&plan);
    for (int i = 0; i < 130; i++) {
      look_begin(cases[k].share);
      look.arms[0].costed = look.arms[1].costed = 1000;
      look.arms[0].cpu_us = 2000000 + rand_u64(&rand) % 100000;
      look.arms[1].cpu_us = 1000000 + rand_u64(&rand) % 100000;
      trial_look(&trial, &look, &verdict);
    }
    EXPECT_INT(verdict.gates[GATE_COST].state, cases[k].judged ? GATE_HARM : GATE_IDLE);
  }
}

static void outcomes(struct look_arm *arm, int n, int clicks)
{
  int64_t one;
  EXPECT(mean_parts(1, 1, &one));
  for (int i = 0; i < n; i++) mean_add(&arm->metric, i < clicks ? one : 0, 0);
}

static void clicks(int c, int b, int n, bool less)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  memcpy(plan.metric.name, "clicks", 7);
  plan.metric.less = less;
  begin(&plan);
  look_begin(0.05);
  outcomes(&look.arms[0], n, c);
  outcomes(&look.arms[1], n, b);
  trial_look(&trial, &look, &verdict);
}

/* Open Bandit: men 46 and 69, women 46 and 46 clicks of 10,000. */
TEST(metric_of_the_golden_file)
{
  double lower, upper;
  const struct gate_result *gate = &verdict.gates[GATE_METRIC];
  clicks(69, 46, 10000, false);
  EXPECT_NEAR(gate->effect, 0.0023);
  EXPECT(result_interval(&trial, gate, &lower, &upper));
  EXPECT_NEAR(lower, -0.001043581635);
  EXPECT_NEAR(upper, 0.005643581635);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
  clicks(46, 46, 10000, false);
  EXPECT(result_interval(&trial, gate, &lower, &upper));
  EXPECT_NEAR(upper, 0.002992665531);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
  clicks(300, 700, 50000, false);
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(verdict.kind, VERDICT_HARM);
  clicks(300, 700, 50000, true);
  EXPECT_INT(gate->state, GATE_NON_INFERIOR);
}

TEST(immature_outcomes_hold_the_last_step_only_if_asked)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  memcpy(plan.metric.name, "clicks", 7);
  for (int asked = 0; asked < 2; asked++) {
    plan.final_step_needs_labels = asked;
    begin(&plan);
    errors(5, 0, 0, 0.05);
    EXPECT_INT(verdict.gates[GATE_METRIC].reason, WITHOUT_OUTCOMES_IMMATURE);
    EXPECT_INT(verdict.kind == VERDICT_NO_DATA, asked);
    char text[EXPLAIN_TEXT_MAX];
    verdict_sentence(&trial, &verdict, text);
    EXPECT_INT(strstr(text, "outcomes_immature") != NULL, asked);
  }
}

/* RO-107 */
TEST(one_bad_segment_among_many_is_found)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  struct rand rand;
  rand_seed(&rand, 3);
  plan.n_segments = 1;
  plan.segments[0].kind = BY_TENANT;
  begin(&plan);
  for (int i = 0; i < 120; i++) {
    look_begin(0.05);
    look.n_segments = 40;
    for (uint32_t s = 0; s < 40; s++) {
      look.segments[s].requests[0] = 5, look.segments[s].requests[1] = 95;
      for (int r = 0; r < 5; r++)
        look.segments[s].errors[0] += rand_unit(&rand) < (s == 7 ? 0.2 : 0.01);
      for (int r = 0; r < 95; r++) look.segments[s].errors[1] += rand_unit(&rand) < 0.01;
    }
    trial_look(&trial, &look, &verdict);
  }
  EXPECT_INT(verdict.gates[GATE_SEGMENTS].state, GATE_HARM);
  EXPECT_INT(verdict.gates[GATE_SEGMENTS].row, 7);
  EXPECT_INT(verdict.gates[GATE_SEGMENTS].bits, 1 << 7);
  EXPECT_INT(verdict.kind, VERDICT_PAUSE);
}

TEST(a_segment_within_the_slack_is_none)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  plan.n_segments = 1;
  plan.segments[0].kind = BY_TENANT;
  for (int slack = 1; slack >= 0; slack--) {
    plan.gates[GATE_LATENCY].slack_us = slack ? 200 : 0;
    begin(&plan);
    for (int i = 0; i < 300; i++) {
      look_begin(0.05);
      look.n_segments = 1;
      look.segments[0].requests[0] = 50, look.segments[0].requests[1] = 950;
      look.segments[0].slow[0] = i % 3 == 0; /* 0.7 % above stable's p99 and slack: it has none */
      trial_look(&trial, &look, &verdict);
    }
    EXPECT_INT(verdict.gates[GATE_SEGMENTS].state, slack ? GATE_INCONCLUSIVE : GATE_HARM);
  }
}

TEST(of_three_arms_the_worst_is_named_and_the_best_may_win)
{
  struct plan plan;
  plan_default(&plan, STRATEGY_AB);
  memcpy(plan.metric.name, "clicks", 7);
  plan.ab.n_arms = 3;
  plan.ab.weights[0] = plan.ab.weights[2] = 25000000;
  memcpy(plan.ab.names[2], "third", 6);
  plan.ab.users_min = 40000;
  plan.ab.weeks_min = 1;
  plan.gates[GATE_MEMORY].off = true;
  begin(&plan);
  for (int i = 0; i < 40; i++) {
    look_init(&look, trial.looks, 3);
    look.elapsed_ms = 1000;
    memcpy(look.weights, plan.ab.weights, sizeof look.weights);
    for (uint32_t arm = 0; arm < 3; arm++) look.arms[arm].requests = 1000;
    look.arms[2].errors = 40, look.arms[1].errors = 10, look.arms[0].errors = 5;
    trial_look(&trial, &look, &verdict);
  }
  EXPECT_INT(verdict.kind, VERDICT_UNDECIDED); /* the others go on */
  EXPECT_INT(verdict.closed, ARM_BIT(2));
  EXPECT_INT(trial.closed_by[2].gate, GATE_ERRORS);
  EXPECT_INT(trial.closed_by[2].state, GATE_HARM);
  EXPECT_INT(trial.closed_by[2].arm, 2);
  EXPECT_INT(verdict.gates[GATE_ERRORS].arm, ARM_CANDIDATE);
  EXPECT(verdict.gates[GATE_ERRORS].state != GATE_HARM);
  begin(&plan);
  look_init(&look, 0, 3);
  memcpy(look.weights, plan.ab.weights, sizeof look.weights);
  for (uint32_t arm = 0; arm < 3; arm++) look.arms[arm].requests = 1000;
  look.elapsed_ms = 8ull * 24 * 3600 * 1000;
  outcomes(&look.arms[0], 50000, 1000);
  outcomes(&look.arms[1], 50000, 500);
  outcomes(&look.arms[2], 50000, 550);
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(trial_winner(&trial), 0);
  trial.plan.ab.weeks_min = 2;
  EXPECT(trial_winner(&trial) == ARM_NONE);
}

TEST(intervals_hold_what_they_should)
{
  double lower, upper;
  struct gate_result result = {.gate = GATE_ERRORS,
                               .effect_kind = EFFECT_RATIO,
                               .effect = 4,
                               .x_c = 40,
                               .n_c = 1000,
                               .x_b = 190,
                               .n_b = 19000};
  EXPECT(result_interval(&trial, &result, &lower, &upper));
  EXPECT(lower > 2 && lower < 3 && upper > 5.5 && upper < 8);
  result.x_c = 0, result.effect = 0;
  EXPECT(result_interval(&trial, &result, &lower, &upper));
  EXPECT(lower == 0 && upper > 0 && upper < 1);
  result.x_c = 40, result.x_b = 0, result.effect = M_INF;
  EXPECT(result_interval(&trial, &result, &lower, &upper));
  EXPECT(upper == M_INF && lower > 10);
  result.x_c = 0;
  EXPECT(!result_interval(&trial, &result, &lower, &upper));
}
