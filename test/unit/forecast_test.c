/* forecast_test.c - a plan that cannot decide with this traffic is said so before its launch.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "judge/forecast.h"
#include "stat/math.h"

static struct forecast forecast;
static struct arena arena;

static struct slice warn(const struct plan *plan, double rps, double errors)
{
  struct traffic traffic = {.rps = rps, .error_rate = errors};
  if (!arena.max) arena_init(&arena, 1 << 20, NULL);
  arena_reset(&arena);
  forecast_make(&forecast, plan, &traffic);
  return forecast_warnings(&forecast, plan, &arena);
}

TEST(much_traffic_without_failures_can_decide)
{
  struct plan plan;
  plan_default(&plan, STRATEGY_CANARY);
  struct slice text = warn(&plan, 5000, 0.00001);
  EXPECT_INT(text.len, 0);
  if (text.len) printf("%.*s\n", (int)text.len, text.at);
  EXPECT_INT(forecast.n_steps, 3);
  EXPECT_INT(forecast.steps[0].n_rows, 5);
  EXPECT(fabs(forecast.steps[0].requests - 150000) < 1);
  EXPECT(!forecast.steps[0].hopeless);
}

TEST(little_traffic_is_hopeless_and_says_where)
{
  struct plan plan;
  plan_default(&plan, STRATEGY_CANARY);
  plan.steps[0].requests_min = 2000;
  struct slice text = warn(&plan, 10, 0.001);
  char *copy = arena_print(&arena, "%.*s", (int)text.len, text.at);
  EXPECT(forecast.steps[0].hopeless);
  EXPECT(strstr(copy, "step 1: requests_min takes about 4000 s") != NULL);
  EXPECT(strstr(copy, "step 1 is too short to prove these no worse") != NULL);
  EXPECT(strstr(copy, ", latency p99 (") != NULL || strstr(copy, ": latency p99 (") != NULL);
  EXPECT(strstr(copy, "errors (") != NULL);
  text = warn(&plan, 0, 0);
  copy = arena_print(&arena, "%.*s", (int)text.len, text.at);
  EXPECT(strstr(copy, "no traffic") != NULL);
  EXPECT(strstr(copy, "too little traffic for any threshold") != NULL);
}

/* What the smallest arm cannot decide, at its part of alpha, the test cannot. */
TEST(more_arms_find_less_with_the_same_traffic)
{
  struct plan plan;
  double before = 0;
  plan_default(&plan, STRATEGY_AB);
  memcpy(plan.metric.name, "m", 2);
  for (uint32_t n = 2; n <= ARMS_MAX; n += 2) {
    plan.ab.n_arms = n;
    for (uint32_t arm = 0; arm < n; arm++) plan.ab.weights[arm] = PLAN_WHOLE / 10;
    warn(&plan, 10, 0.001);
    EXPECT(forecast.steps[0].rows[0].ratio_min > before);
    before = forecast.steps[0].rows[0].ratio_min;
  }
  plan.ab.weights[ARMS_MAX - 1] /= 2;
  double all = forecast.steps[0].requests;
  warn(&plan, 10, 0.001);
  EXPECT(fabs(forecast.steps[0].requests - all / 2) < 1);
  EXPECT(forecast.steps[0].rows[0].ratio_min > before);
}

TEST(more_traffic_catches_smaller_harm_sooner)
{
  struct plan plan;
  double ratio = M_INF, delay = M_INF;
  plan_default(&plan, STRATEGY_CANARY);
  for (double rps = 1000; rps <= 100000; rps *= 10) {
    warn(&plan, rps, 0.001);
    const struct forecast_row *row = NULL;
    for (uint32_t i = 0; i < forecast.steps[0].n_rows; i++)
      if (forecast.steps[0].rows[i].gate == GATE_ERRORS) row = &forecast.steps[0].rows[i];
    EXPECT(row && row->ratio_min < ratio && row->delay_10x_s <= delay);
    ratio = row->ratio_min, delay = row->delay_10x_s;
  }
  EXPECT(ratio > 1.25 && ratio < 1.6);
}

TEST(the_report_is_json)
{
  struct plan plan;
  struct json json;
  struct err err;
  struct json_out out;
  for (int strategy = 0; strategy < STRATEGY_COUNT; strategy++) {
    plan_default(&plan, (enum strategy)strategy);
    warn(&plan, strategy ? 50 : 0, 0.01);
    json_out_init(&out, &arena, 1024);
    forecast_json(&forecast, &plan, &out);
    json_init(&json, &arena, json_out_lend(&out), &err);
    EXPECT_INT(json_skip(&json, NULL), OK);
    EXPECT_INT(json_end(&json), OK);
  }
}
