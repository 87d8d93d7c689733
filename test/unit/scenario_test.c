/* scenario_test.c - scenarios as text and as probabilities.
 * SPDX-License-Identifier: MIT */
#include "sim/model.h"

#include "test.h"

static struct scenario read_good(const char *text)
{
  struct scenario scenario;
  struct err err;
  EXPECT(scenario_read(&scenario, slice_str(text), &err) == OK);
  return scenario;
}

TEST(scenarios_are_read)
{
  struct scenario s = read_good("tail:2+onset:1800+b1+shared+drift");
  EXPECT(s.tail == 2 && s.uniform == 1 && s.errors == 1);
  EXPECT_INT(s.onset_s, 1800);
  EXPECT_INT(s.burst, 1);
  EXPECT(s.shared && s.drift && !scenario_is_null(&s));
  EXPECT_STR(s.name, "tail:2+onset:1800+b1+shared+drift");
  s = read_good("null");
  EXPECT(scenario_is_null(&s) && s.burst == 0);
  s = read_good("b3");
  EXPECT(scenario_is_null(&s));
  EXPECT_INT(s.burst, 3);
  s = read_good("uniform:x1.5+errors:10");
  EXPECT(s.uniform == 1.5 && s.errors == 10);
}

TEST(what_is_no_scenario_is_named)
{
  static const char *const bad[] = {"",
                                    "x",
                                    "b0",
                                    "b6",
                                    "tail",
                                    "tail:",
                                    "tail:-2",
                                    "tail:0.5",
                                    "onset:1.5",
                                    "uniform:nan",
                                    "null+",
                                    "+null",
                                    "shared",
                                    "errors:1e9",
                                    "uniform:0",
                                    "tail:2+uniform:2",
                                    "onset:99999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct scenario scenario;
    struct err err = {0};
    bool refused = scenario_read(&scenario, slice_str(bad[i]), &err) == E_INVALID_ARGUMENT;
    if (!refused) printf("taken: '%s'\n", bad[i]);
    EXPECT(refused && err.text[0]);
  }
}

static double above(const struct model *model, int who, int mood, double us)
{
  return model->above[who][mood][sketch_bucket((uint64_t)us)];
}

static bool near(double got, double want, double within)
{
  if (fabs(got - want) <= within) return true;
  printf("%g, expected %g\n", got, want);
  return false;
}

/* Edges are up to 1/64 below the value asked for. */
TEST(stable_is_log_normal)
{
  static struct model model;
  struct scenario s = read_good("null");
  model_make(&model, &s, 0.001);
  EXPECT(near(model_survival(MODEL_MEDIAN_US), 0.5, 1e-12));
  EXPECT(near(model_survival(MODEL_P99_US), 0.01, 1e-9));
  EXPECT(near(above(&model, WHO_STABLE, MOOD_CALM, 20000), 0.5, 0.01));
  EXPECT(model.above[WHO_STABLE][MOOD_CALM][0] == 1);
  EXPECT(model.above[WHO_STABLE][MOOD_CALM][SKETCH_BUCKETS] == 0);
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++)
    EXPECT(model.above[WHO_CHANGED][MOOD_CALM][i] == model.above[WHO_STABLE][MOOD_BURST][i]);
}

TEST(what_is_wrong_moves_what_it_should)
{
  static struct model model;
  struct scenario s = read_good("uniform:2");
  model_make(&model, &s, 0.001);
  EXPECT(near(above(&model, WHO_CHANGED, MOOD_CALM, 40960), model_survival(20480), 1e-12));
  s = read_good("tail:2+errors:500");
  model_make(&model, &s, 0.01);
  EXPECT(model.error[WHO_CHANGED][MOOD_CALM] == 0.9 && model.error[WHO_STABLE][MOOD_CALM] == 0.01);
  EXPECT(near(above(&model, WHO_CHANGED, MOOD_CALM, 81920), model_survival(81920), 1e-12));
  EXPECT(near(above(&model, WHO_CHANGED, MOOD_CALM, 131072), 0.02, 1e-4)); /* p98 to twice p98 */
  EXPECT(near(above(&model, WHO_CHANGED, MOOD_CALM, 200704), model_survival(100352), 1e-12));
}

TEST(bursts_multiply_the_tail)
{
  static struct model model;
  struct scenario s = read_good("b1");
  model_make(&model, &s, 0.001);
  EXPECT(near(model.error[WHO_STABLE][MOOD_BURST], 0.01, 1e-12));
  EXPECT(near(above(&model, WHO_STABLE, MOOD_BURST, 98304),
              10 * above(&model, WHO_STABLE, MOOD_CALM, 98304), 1e-12));
  EXPECT(near(above(&model, WHO_STABLE, MOOD_BURST, 20480), 0.9, 1e-12));
  EXPECT(near(above(&model, WHO_STABLE, MOOD_BURST, 0), 1, 1e-12));
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++)
    EXPECT(model.above[WHO_STABLE][MOOD_BURST][i] >= model.above[WHO_STABLE][MOOD_BURST][i + 1]);
}
