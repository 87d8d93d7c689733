/* gates_said_test.c - gates about what was asked and what came of it: inputs, scores, the
 * metric with a covariate.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "gates_rig.h"
#include "stat/mean.h"

/* Ten looks of requests whose second number is so often below and above its middle, by arm; the
 * first is as it was. */
static void asked(const uint64_t c[2], const uint64_t b[2])
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  struct baseline baseline = rig_baseline();
  baseline.n_features = 2;
  for (int f = 0; f < 2; f++)
    baseline.features[f].bins = (struct drift_bins){1, {0}, {500, 500, 0}};
  memcpy(baseline.features[1].name, "amount", 6);
  trial_begin(&trial, &plan);
  trial_step_begin(&trial, 0, &baseline);
  for (int i = 0; i < 12; i++) {
    look_begin(0.05);
    for (int j = 0; j < 2 && i == 9; j++) {
      look.arms[0].features[0][j] = look.arms[1].features[0][j] = 500;
      look.arms[0].features[1][j] = c[j], look.arms[1].features[1][j] = b[j];
    }
    trial_look(&trial, &look, &verdict);
  }
}

TEST(inputs_that_differ_are_blamed_on_the_draw)
{
  const struct gate_result *gate = &verdict.gates[GATE_PREDICTION];
  char text[EXPLAIN_TEXT_MAX];
  asked((const uint64_t[2]){900, 100}, (const uint64_t[2]){100, 900});
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(gate->lane, LANE_INPUTS);
  EXPECT_INT(gate->row, 1);
  EXPECT_NEAR(gate->bar, log(2 * 2 / 0.001));
  EXPECT_INT(verdict.gates[GATE_INPUT_DRIFT].state, GATE_INCONCLUSIVE); /* together: as before */
  verdict_sentence(&trial, &verdict, text);
  EXPECT(strstr(text, "inputs differ between the arms, amount by psi") != NULL);
  asked((const uint64_t[2]){530, 470}, (const uint64_t[2]){470, 530});
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
  EXPECT_INT(gate->lane, LANE_COUNT_ALL);
}

TEST(inputs_that_drift_in_all_arms_are_nobodys_fault)
{
  const struct gate_result *gate = &verdict.gates[GATE_INPUT_DRIFT];
  char text[EXPLAIN_TEXT_MAX];
  asked((const uint64_t[2]){850, 150}, (const uint64_t[2]){850, 150});
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(gate->lane, LANE_BEFORE);
  EXPECT_INT(gate->act, ACT_PAUSE);
  EXPECT_INT(gate->n_c, 2000);
  EXPECT_INT(gate->n_b, 1000);
  EXPECT(gate->whole);
  EXPECT_INT(verdict.kind, VERDICT_PAUSE);
  EXPECT_INT(verdict.gates[GATE_PREDICTION].state, GATE_INCONCLUSIVE);
  verdict_sentence(&trial, &verdict, text);
  EXPECT(strstr(text, "pause: input drift, in all arms alike: amount is psi 0.6") != NULL);
  asked((const uint64_t[2]){530, 470}, (const uint64_t[2]){530, 470});
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
}

/* Spending follows what was spent before; the candidate's users spend a tenth of the cap less. */
static void spending(bool relieved)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  struct rand rand;
  rand_seed(&rand, 21);
  memcpy(plan.metric.name, "spent", 6);
  plan.metric.covariate_cap_e6 = plan.metric.cap_e6;
  if (relieved) plan.metric.covariate = (struct plan_key){BY_PARAMETER, "before"};
  begin(&plan);
  look_begin(0.05);
  for (int i = 0; i < 600; i++) {
    int64_t x, y;
    double before = rand_unit(&rand), noise = rand_unit(&rand) / 10;
    EXPECT(mean_parts(before, 1, &x));
    EXPECT(mean_parts(0.1 + 0.8 * before + noise - (i % 2 ? 0.1 : 0), 1, &y));
    mean_add(&look.arms[i % 2 ? ARM_CANDIDATE : ARM_STABLE].metric, y, x);
  }
  trial_look(&trial, &look, &verdict);
}

TEST(a_covariate_decides_sooner_and_the_same_way)
{
  const struct gate_result *gate = &verdict.gates[GATE_METRIC];
  char text[EXPLAIN_TEXT_MAX];
  double share, theta, lower, upper, plain;
  spending(false);
  EXPECT_INT(gate->state, GATE_INCONCLUSIVE);
  EXPECT(result_interval(&trial, gate, &lower, &upper));
  EXPECT(!metric_relief(&trial, ARM_CANDIDATE, &share, &theta));
  plain = upper - lower;
  spending(true);
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT(result_interval(&trial, gate, &lower, &upper));
  EXPECT(lower < -0.1 && -0.1 < upper && upper - lower < plain / 3);
  EXPECT(metric_relief(&trial, ARM_CANDIDATE, &share, &theta));
  EXPECT(share > 0.9 && share < 1 && fabs(theta - 0.8) < 0.05);
  gate_sentence(&trial, gate, text);
  EXPECT(strstr(text, "% less variance by before") != NULL);
}

static void scores(uint32_t arm, double score, int n, int came_true)
{
  for (int i = 0; i < n; i++)
    EXPECT(calibration_add(&look.calibration[arm], score, i < came_true));
}

/* The candidate says 75 % and stable 25 %, of as many answers; so many came true. */
static void calibrated(int c, int b, bool off)
{
  struct plan plan = half_hour(STEP_CANARY, 5000000);
  memcpy(plan.metric.name, "clicks", 7);
  plan.gates[GATE_CALIBRATION].off = off;
  begin(&plan);
  look_begin(0.05);
  scores(0, 0.75, 2000, c);
  scores(1, 0.25, 2000, b);
  trial_look(&trial, &look, &verdict);
}

TEST(scores_are_judged_by_what_they_say_and_not_by_stable)
{
  const struct gate_result *gate = &verdict.gates[GATE_CALIBRATION];
  char text[EXPLAIN_TEXT_MAX];
  double lower, upper;
  calibrated(1500, 500, false);
  EXPECT_INT(gate->state, GATE_NON_INFERIOR);
  calibrated(1500, 1500, false); /* stable's own gap is no harm of the candidate's */
  EXPECT_INT(gate->state, GATE_NON_INFERIOR);
  calibrated(1000, 500, false);
  EXPECT_INT(gate->state, GATE_HARM);
  EXPECT_INT(gate->act, ACT_PAUSE);
  EXPECT_INT(gate->row, 7);
  EXPECT_INT(gate->x_c, 1000);
  EXPECT_INT(gate->n_c, 2000);
  EXPECT_NEAR(gate->effect, -0.25);
  EXPECT_NEAR(gate->bar, log(10 / 0.001));
  EXPECT(result_interval(&trial, gate, &lower, &upper));
  EXPECT(lower < -0.25 && -0.25 < upper && upper < -0.15);
  EXPECT_INT(verdict.kind, VERDICT_PAUSE);
  gate_sentence(&trial, gate, text);
  EXPECT_STR(text, "scores from 0.7 to 0.8: 50% of 2000 came true, gap -0.25 [-0.3, -0.2], "
                   "limit 0.05");
  calibrated(1000, 500, true);
  EXPECT_INT(gate->state, GATE_IDLE);
}
