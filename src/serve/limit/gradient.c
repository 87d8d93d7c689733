/* gradient.c - Gradient2, by size of batch.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/limit/gradient.h"

void gradient_answer(struct gradient *gradient, uint32_t batch_rows, int64_t took_us,
                     uint32_t in_work)
{
  int size = batch_rows > 1 ? 31 - __builtin_clz(batch_rows) : 0;
  if (size >= GRADIENT_SIZES) size = GRADIENT_SIZES - 1;
  gradient->sum_us[size] += (double)(took_us > 0 ? took_us : 0);
  gradient->n[size]++;
  gradient->answers++;
  if (in_work > gradient->peak) gradient->peak = in_work;
}

static double more_of(double a, double b) { return a > b ? a : b; }

/* How the long run compares with this window, over all sizes; which it takes in. */
static double window_ratio(struct gradient *gradient, double easy_us)
{
  double longs = 0, shorts = 0;
  uint32_t over = ++gradient->windows;
  if (over > GRADIENT_LONG) over = GRADIENT_LONG;
  for (int i = 0; i < GRADIENT_SIZES; i++) {
    if (!gradient->n[i]) continue;
    double mean = gradient->sum_us[i] / gradient->n[i], *kept = &gradient->long_us[i];
    *kept = *kept > 0 ? *kept + (mean - *kept) / over : mean;
    if (*kept > 2 * mean) *kept *= 0.95;
    longs += gradient->n[i] * more_of(*kept, easy_us);
    shorts += gradient->n[i] * more_of(mean, easy_us);
    gradient->n[i] = 0;
    gradient->sum_us[i] = 0;
  }
  return shorts > 0 ? longs / shorts : 1;
}

void gradient_turn(struct gradient *gradient, int64_t now_us, int64_t easy_us, uint32_t floor,
                   uint32_t ceiling)
{
  if (!gradient->ends_us) gradient->ends_us = now_us + GRADIENT_WINDOW_US;
  if (now_us < gradient->ends_us || gradient->answers < GRADIENT_ANSWERS) return;
  double g = 1.5 * window_ratio(gradient, (double)easy_us), limit = gradient->limit;
  g = g < 0.5 ? 0.5 : g > 1 ? 1 : g;
  double next = 0.8 * limit + 0.2 * (g * limit + 4);
  if (next < limit || 2.0 * gradient->peak >= limit) limit = next;
  gradient->limit = limit < floor ? floor : limit > ceiling ? ceiling : limit;
  gradient->answers = gradient->peak = 0;
  gradient->ends_us = now_us + GRADIENT_WINDOW_US;
}
