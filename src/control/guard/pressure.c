/* pressure.c - levels with hysteresis, row by row.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "control/guard/pressure.h"

#define OF(source) (1u << SOURCE_##source)
#define OF_ALL     ((1u << SOURCES) - 1)

static const struct {
  uint8_t percent;
  uint32_t sources;
} rows[ACTIONS] = {
#define ACTION(name, NAME, percent, sources, ...) [ACTION_##NAME] = {percent, sources},
#include "world/guard/pressure.def"
#undef ACTION
};

bool pressure_step(struct pressure *pressure, const struct pressure_readings *readings)
{
  uint32_t was = pressure->actions, actions = 0;
  for (uint32_t i = 0; i < ACTIONS; i++) {
    int from = rows[i].percent - (was & ACTION_BIT(i) ? PRESSURE_CALM : 0);
    for (uint32_t source = 0; source < SOURCES; source++)
      if (rows[i].sources & 1u << source && readings->percent[source] >= from)
        actions |= ACTION_BIT(i);
  }
  pressure->last = *readings;
  pressure->actions = actions;
  return actions != was;
}

uint8_t pressure_used(uint64_t used, uint64_t max)
{
  if (!max) return 0;
  if (used >= max) return 100;
  return (uint8_t)((double)used / (double)max * 100);
}

/* 80 at `first`, five more with each doubling; below it in proportion. */
static uint8_t doubled(double value, double first, int most)
{
  int percent = 80;
  if (!(value > 0)) return 0;
  if (value < first) return (uint8_t)(value / first * percent);
  for (double next = 2 * first; value >= next && percent < most; next *= 2) percent += 5;
  return (uint8_t)percent;
}

uint8_t pressure_stall(double share) { return doubled(share, 5, 95); }
uint8_t pressure_lag(int64_t p99_us) { return doubled((double)p99_us, 20000, 90); }
