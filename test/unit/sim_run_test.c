/* sim_run_test.c - whole releases on simulated traffic: found when bad, left alone when not, the
 * same for every number of threads.
 * SPDX-License-Identifier: MIT */
#include "sim/run.h"

#include "test.h"

enum { RUNS_MAX = 40 };
static struct sim_case of;
static struct sim_result results[RUNS_MAX], again[RUNS_MAX];
static struct sim_summary got;
static double p0 = MODEL_P0;

static void measure(const char *scenario, double rps, uint32_t seconds, uint32_t runs,
                    uint32_t threads, struct sim_result *to)
{
  sim_case_init(&of, slice_str(scenario), rps, 0.05, seconds, runs, 3);
  struct err err = {0};
  if (sim_case_check(&of, &err) != OK) printf("%s\n", err.text);
  EXPECT(err.code == OK);
  of.rivals = true;
  of.p0 = p0;
  sim_case_run(&of, &(struct crew){.threads = threads}, to);
  sim_summarize(&of, to, &got);
}

TEST(what_is_slower_is_rolled_back_in_seconds)
{
  measure("uniform:2", 1000, 600, 20, 0, results);
  EXPECT_INT(got.caught, 20);
  EXPECT(got.delay_s[0] >= 1 && got.delay_s[2] <= 10);
  EXPECT(got.harmed[0] >= 50 && got.harmed[2] <= 600);
  for (int i = 0; i < 20; i++) {
    EXPECT(results[i].state == ROLLOUT_ROLLED_BACK && results[i].gate == GATE_LATENCY);
    EXPECT(results[i].said[RIVAL_THRESHOLD] >= 180);
    EXPECT(results[i].said[RIVAL_KAYENTA] >= 300);
  }
  EXPECT(got.rival_delay_s[RIVAL_THRESHOLD][0] >= 10 * got.delay_s[2]);
}

TEST(what_fails_is_rolled_back_for_its_errors)
{
  measure("errors:500", 1000, 600, 20, 0, results);
  EXPECT_INT(got.caught, 20);
  EXPECT(got.delay_s[2] <= 3);
  for (int i = 0; i < 20; i++) EXPECT(results[i].gate == GATE_ERRORS);
}

TEST(a_late_change_is_counted_from_its_beginning)
{
  measure("uniform:3+onset:300", 1000, 600, 10, 0, results);
  EXPECT_INT(got.early, 0);
  EXPECT_INT(got.caught, 10);
  EXPECT(got.delay_s[0] >= 1 && got.delay_s[2] <= 10);
  for (int i = 0; i < 10; i++) EXPECT(results[i].harm_s > 300);
}

static const char four_arms[] =
    "strategy: ab\nsteps: [{ab: {for: 5m}}]\nmetric: {name: clicks, users_expected: 2000}\nab:\n"
    "  arms: [{traffic: 25%}, {traffic: 25%}, {version: 3, traffic: 25%}, {version: 4, traffic: "
    "25%}]\n  users_min: 500\n  weeks_min: 0\non_inconclusive: ask\n";

static void measure_arms(const char *scenario, uint32_t runs, uint32_t threads,
                         struct sim_result *to)
{
  struct arena arena;
  struct err err = {0};
  sim_case_init(&of, slice_str(scenario), 200, 0.05, 400, runs, 3);
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  EXPECT(plan_read(&of.plan, slice_str(four_arms), &arena, &err) == OK);
  arena_deinit(&arena);
  EXPECT(sim_case_check(&of, &err) == OK);
  sim_case_run(&of, &(struct crew){.threads = threads}, to);
  sim_summarize(&of, to, &got);
}

TEST(arms_that_are_alike_are_neither_closed_nor_called_winners)
{
  measure_arms("null", 8, 1, results);
  measure_arms("null", 8, 4, again);
  EXPECT_INT(got.early, 0);
  for (uint32_t arm = 0; arm < ARMS_MAX; arm++) EXPECT_INT(got.won[arm] + got.closed[arm], 0);
  for (int i = 0; i < 8; i++) {
    EXPECT(results[i].end_s == again[i].end_s && results[i].harmed == again[i].harmed);
    EXPECT(results[i].winner == ARM_NONE && results[i].state == ROLLOUT_WAITING);
  }
}

TEST(the_arm_with_more_outcomes_wins_and_one_that_fails_leaves_alone)
{
  measure_arms("outcomes:2", 6, 0, results);
  EXPECT_INT(got.won[ARM_CANDIDATE], 6);
  EXPECT_INT(got.completed, 6);
  measure_arms("errors:300", 6, 0, results);
  EXPECT_INT(got.closed[ARM_CANDIDATE], 6);
  EXPECT_INT(got.closed[2] + got.closed[3], 0);
  EXPECT_INT(got.caught + got.early, 0); /* the release goes on */
  for (int i = 0; i < 6; i++) EXPECT(results[i].state == ROLLOUT_WAITING);
}

/* Errors are rare enough here for the floor to be proven. */
TEST(what_is_alike_is_left_alone_and_completes)
{
  p0 = 1e-4;
  measure("null", 1000, 900, 20, 0, results);
  p0 = MODEL_P0;
  EXPECT_INT(got.early, 0);
  EXPECT_INT(got.paused, 0);
  EXPECT(got.completed >= 18);
}

TEST(threads_and_order_do_not_show)
{
  measure("tail:2+b1+onset:100", 500, 300, RUNS_MAX, 1, results);
  measure("tail:2+b1+onset:100", 500, 300, RUNS_MAX, 5, again);
  for (int i = 0; i < RUNS_MAX; i++) {
    EXPECT(results[i].harm_s == again[i].harm_s && results[i].harmed == again[i].harmed);
    EXPECT(results[i].spent == again[i].spent && results[i].lane == again[i].lane);
    EXPECT(memcmp(results[i].said, again[i].said, sizeof results[i].said) == 0);
  }
}

/* All steps of the default plan, one after the other. */
TEST(a_plan_of_several_steps_is_walked)
{
  struct scenario scenario;
  sim_case_init(&of, SLICE("null"), 1000, 0.05, 3600, 4, 5);
  plan_default(&of.plan, STRATEGY_CANARY);
  EXPECT(of.plan.n_steps > 1);
  of.p0 = 1e-4;
  sim_case_run(&of, &(struct crew){0}, results);
  sim_summarize(&of, results, &got);
  EXPECT_INT(got.early, 0);
  EXPECT_INT(got.completed, 4);
  for (int i = 0; i < 4; i++) EXPECT(results[i].end_s < 3600);
  EXPECT(scenario_read(&scenario, SLICE("uniform:2+onset:700"), NULL) == OK);
  of.scenario = scenario; /* in the second step */
  sim_case_run(&of, &(struct crew){0}, results);
  sim_summarize(&of, results, &got);
  EXPECT_INT(got.caught, 4);
  EXPECT(got.delay_s[2] <= 40);
}

TEST(what_cannot_be_simulated_is_refused)
{
  struct err err;
  sim_case_init(&of, SLICE("null"), 1000, 0.05, 600, 1, 1);
  of.rps = 0;
  EXPECT(sim_case_check(&of, &err) == E_INVALID_ARGUMENT);
  sim_case_init(&of, SLICE("null"), 1000, 0.05, 600, 1, 1);
  plan_default(&of.plan, STRATEGY_NOW);
  EXPECT(sim_case_check(&of, &err) != OK);
}

TEST(percentiles_are_by_nearest_rank)
{
  double values[] = {5, 1, 4, 2, 3, M_INF};
  EXPECT(percentile(values, 6, 0.5) == 3);
  EXPECT(percentile(values, 6, 0.99) == M_INF);
  EXPECT(percentile(values, 1, 0.01) == 1);
  EXPECT(percentile(values, 0, 0.5) != percentile(values, 0, 0.5));
}
