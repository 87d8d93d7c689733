/* pressure_test.c - levels up and down, source by source.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/guard/pressure.h"

#define BIT(action) ACTION_BIT(ACTION_##action)

static struct pressure it;

static uint32_t at(enum pressure_source source, uint8_t percent)
{
  struct pressure_readings readings = {.percent = {0}};
  readings.percent[source] = percent;
  pressure_step(&it, &readings);
  return it.actions;
}

TEST(memory_walks_all_levels_up_and_down)
{
  static const struct {
    uint8_t percent;
    uint32_t begins;
  } levels[] = {
      {80, BIT(ALERT) | BIT(NO_LOAD)},
      {85, BIT(NO_SHADOW) | BIT(HALF_CACHE)},
      {90, BIT(NO_BATCH) | BIT(UNLOAD_IDLE)},
      {92, BIT(NO_KEEP_ALIVE)},
      {95, BIT(REFUSE)},
      {97, BIT(RESET)},
  };
  enum { LEVELS = sizeof levels / sizeof *levels };
  uint32_t all = 0;
  it = (struct pressure){0};
  EXPECT_INT(at(SOURCE_MEMORY, 79), 0);
  for (int i = 0; i < LEVELS; i++) {
    EXPECT_INT(at(SOURCE_MEMORY, (uint8_t)(levels[i].percent - 1)), all);
    EXPECT_INT(at(SOURCE_MEMORY, levels[i].percent), all |= levels[i].begins);
  }
  EXPECT_INT(all, (1u << ACTIONS) - 1);
  for (int i = LEVELS; i-- > 0;) { /* each ends five points below, and not before */
    EXPECT_INT(at(SOURCE_MEMORY, (uint8_t)(levels[i].percent - 5)), all);
    EXPECT_INT(at(SOURCE_MEMORY, (uint8_t)(levels[i].percent - 6)), all &= ~levels[i].begins);
  }
  EXPECT_INT(all, 0);
}

TEST(what_does_not_help_a_source_is_not_done_for_it)
{
  it = (struct pressure){0};
  EXPECT_INT(at(SOURCE_LAG, 100), BIT(ALERT) | BIT(NO_SHADOW) | BIT(NO_BATCH));
  EXPECT_INT(at(SOURCE_FILES, 100),
             BIT(ALERT) | BIT(NO_SHADOW) | BIT(NO_BATCH) | BIT(NO_KEEP_ALIVE));
  EXPECT_INT(at(SOURCE_STALL, 100), ((1u << ACTIONS) - 1) & ~BIT(RESET));
  EXPECT_INT(at(SOURCE_STALL, 0), 0);
}

TEST(a_step_says_whether_anything_changed)
{
  struct pressure_readings readings = {.percent = {81, 0, 0, 0}};
  it = (struct pressure){0};
  EXPECT(pressure_step(&it, &readings));
  EXPECT(!pressure_step(&it, &readings));
  readings.percent[SOURCE_MEMORY] = 76; /* within the five points */
  EXPECT(!pressure_step(&it, &readings));
  EXPECT_INT(it.last.percent[SOURCE_MEMORY], 76);
  readings.percent[SOURCE_LAG] = 100;
  EXPECT(pressure_step(&it, &readings));
}

TEST(readings_become_percentages)
{
  EXPECT_INT(pressure_used(50, 0), 0);
  EXPECT_INT(pressure_used(799, 1000), 79);
  EXPECT_INT(pressure_used(1000, 1000), 100);
  EXPECT_INT(pressure_used(UINT64_MAX, 1), 100);
  EXPECT_INT(pressure_used(UINT64_MAX / 2, UINT64_MAX), 50);
  EXPECT_INT(pressure_lag(0), 0);
  EXPECT_INT(pressure_lag(19999), 79);
  EXPECT_INT(pressure_lag(20000), 80);
  EXPECT_INT(pressure_lag(40000), 85);
  EXPECT_INT(pressure_lag(80000), 90);
  EXPECT_INT(pressure_lag(INT64_MAX), 90); /* never so much that predictions are refused */
  EXPECT_INT(pressure_stall(0), 0);
  EXPECT_INT(pressure_stall(5), 80);
  EXPECT_INT(pressure_stall(20), 90);
  EXPECT_INT(pressure_stall(100), 95);
  EXPECT_INT(pressure_stall(-1), 0);
}

TEST(names_are_those_of_the_table)
{
  EXPECT_STR(source_name(SOURCE_FILES), "files");
  EXPECT_STR(action_name(ACTION_NO_KEEP_ALIVE), "no_keep_alive");
  for (int i = 0; i < ACTIONS; i++) EXPECT(*action_text((enum pressure_action)i));
}
