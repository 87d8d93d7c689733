/* pace.c - the last runs of each size.
 * Thread: the lane's owner, a worker or a loop.
 * SPDX-License-Identifier: MIT */
#include "infer/batch/pace.h"

#include <stdbool.h>

enum { CHEAP_RUNS_MIN = 3 }; /* fewer say nothing about a size */
enum { ENOUGH_US = 1000 };

/* 1, 2, 3-4, 5-8...: the last size holds all that are larger. */
static uint32_t size_of(uint32_t rows)
{
  if (rows <= 1) return 0;
  uint32_t size = 32 - (uint32_t)__builtin_clz(rows - 1);
  return size < PACE_SIZES ? size : PACE_SIZES - 1;
}

void pace_add(struct pace *pace, uint32_t rows, int64_t run_ns)
{
  uint32_t size = size_of(rows), top = 0, second = 0;
  int64_t us = run_ns / 1000 + 1;
  pace->us[size][pace->at[size]] = us > UINT32_MAX ? UINT32_MAX : us < 1 ? 1 : (uint32_t)us;
  pace->at[size] = (uint8_t)((pace->at[size] + 1) % PACE_KEPT);
  float row_us = (float)run_ns / 1e3f / (float)rows;
  float *kept_us = &pace->row_us[size], step = row_us < *kept_us ? 0.2f : 0.05f;
  if (pace->n[size] && row_us > 1.5f * *kept_us) row_us = 1.5f * *kept_us;
  *kept_us = pace->n[size] ? *kept_us + (row_us - *kept_us) * step : row_us;
  if (pace->n[size] < PACE_KEPT) pace->n[size]++;
  for (uint32_t i = 0; i < pace->n[size]; i++) {
    uint32_t one = pace->us[size][i];
    if (one >= top)
      second = top, top = one;
    else if (one > second)
      second = one;
  }
  /* One of two is no percentile. */
  pace->high_us[size] = pace->n[size] < 3 ? top : second;
}

int64_t pace_us(const struct pace *pace, uint32_t rows)
{
  uint32_t size = size_of(rows);
  for (uint32_t at = size + 1; at-- > 0;) {
    if (!pace->n[at]) continue;
    int64_t us = pace->high_us[at];
    return at == size && size < PACE_SIZES - 1 ? us : us * rows / (INT64_C(1) << at) + 1;
  }
  for (uint32_t at = size + 1; at < PACE_SIZES; at++)
    if (pace->n[at]) return pace->high_us[at];
  return 0;
}

int64_t pace_usual_us(const struct pace *pace, uint32_t rows)
{
  uint32_t size = size_of(rows);
  float least_us = 0;
  for (uint32_t at = 0; at <= size; at++)
    if (pace->n[at] && (!least_us || pace->row_us[at] < least_us)) least_us = pace->row_us[at];
  if (least_us > 0) return (int64_t)(least_us * (float)rows) + 1;
  for (uint32_t at = size + 1; at < PACE_SIZES; at++)
    if (pace->n[at]) return (int64_t)(pace->row_us[at] * (float)(UINT32_C(1) << at)) + 1;
  return 0;
}

static uint32_t rows_within(const struct pace *pace, uint32_t rows_max, int64_t within_us,
                            int64_t (*takes_us)(const struct pace *, uint32_t))
{
  uint32_t rows = rows_max;
  if (!takes_us(pace, 1)) return 1;
  while (rows > 1 && takes_us(pace, rows) > within_us)
    rows = rows & (rows - 1) ? UINT32_C(1) << (31 - __builtin_clz(rows)) : rows / 2;
  return rows ? rows : 1;
}

uint32_t pace_rows(const struct pace *pace, uint32_t rows_max, int64_t within_us)
{
  return rows_within(pace, rows_max, within_us, pace_us);
}

uint32_t pace_rows_usual(const struct pace *pace, uint32_t rows_max, int64_t within_us)
{
  return rows_within(pace, rows_max, within_us, pace_usual_us);
}

static bool size_is_long(const struct pace *pace, uint32_t at)
{
  return pace->n[at] && pace->row_us[at] * (float)(UINT32_C(1) << at) >= ENOUGH_US;
}

uint32_t pace_cheapest(const struct pace *pace, uint32_t rows)
{
  uint32_t size = size_of(rows), best = size;
  if (!pace->n[size]) return rows;
  float least_us = pace->row_us[size] * 0.95f;
  for (uint32_t at = 0; at < size; at++) {
    if (pace->n[at] < CHEAP_RUNS_MIN || pace->row_us[at] > least_us) continue;
    least_us = pace->row_us[at];
    best = at;
  }
  for (uint32_t at = 0; at < best; at++)
    if (pace->n[at] >= CHEAP_RUNS_MIN && pace->row_us[at] <= pace->row_us[best] * 1.05f &&
        size_is_long(pace, at))
      return UINT32_C(1) << at;
  return best == size ? rows : UINT32_C(1) << best;
}

uint32_t pace_again(const struct pace *pace, uint32_t rows)
{
  uint32_t cheap = pace_cheapest(pace, rows);
  return size_is_long(pace, size_of(cheap)) && 2 * cheap < rows ? 2 * cheap : rows;
}
