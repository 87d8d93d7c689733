/* gradient.c - Gradient2, by size of batch.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/limit/gradient.h"

#include <stdbool.h>

enum { FORGET_US = 1000000, FORGET_MOST = 200, SHEDS_BEAR = 10 };

static void seen(struct gradient *gradient, uint32_t in_work)
{
  gradient->answers++;
  if (in_work > gradient->peak) gradient->peak = in_work;
}

void gradient_answer(struct gradient *gradient, uint32_t batch_rows, int64_t took_us,
                     int64_t run_us, uint32_t in_work)
{
  int size = batch_rows > 1 ? 31 - __builtin_clz(batch_rows) : 0;
  if (size >= GRADIENT_SIZES) size = GRADIENT_SIZES - 1;
  gradient->sum_us[size] += (double)(took_us > 0 ? took_us : 0);
  gradient->run_us[size] += (double)(run_us > 0 ? run_us : 0);
  gradient->n[size]++;
  seen(gradient, in_work);
}

void gradient_shed(struct gradient *gradient, uint32_t in_work)
{
  gradient->sheds++;
  seen(gradient, in_work);
}

void gradient_refused(struct gradient *gradient) { gradient->refused++; }

static double more_of(double a, double b) { return a > b ? a : b; }

/* The time that is usual for answers of one size, by what was seen until now. */
static double size_usual(const struct gradient *gradient, int i, double easy_us)
{
  double two_runs = 2 * gradient->run_us[i] / gradient->n[i];
  return more_of(gradient->long_us[i], more_of(easy_us, two_runs / 1.5));
}

static void size_learn(struct gradient *gradient, int i, double mean, bool jam)
{
  double *kept = &gradient->long_us[i];
  uint32_t over = gradient->windows < GRADIENT_LONG ? gradient->windows : GRADIENT_LONG;
  if (jam) over *= 4;
  if (*kept > 0) *kept += (mean - *kept) / over;
  if (*kept > 2 * mean) *kept *= 0.95;
  if (!(*kept > 0) && !jam) *kept = mean;
}

/* How what is usual compares with this window, over all sizes; which is learned from. */
static double window_ratio(struct gradient *gradient, double easy_us)
{
  double longs = 0, shorts = 0;
  gradient->windows++;
  for (int i = 0; i < GRADIENT_SIZES; i++) {
    if (!gradient->n[i]) continue;
    double mean = gradient->sum_us[i] / gradient->n[i];
    size_learn(gradient, i, mean, mean > 1.5 * size_usual(gradient, i, easy_us));
    longs += gradient->n[i] * size_usual(gradient, i, easy_us);
    shorts += gradient->n[i] * more_of(mean, easy_us);
  }
  return shorts > 0 ? longs / shorts : 1;
}

static void window_begin(struct gradient *gradient, int64_t now_us)
{
  for (int i = 0; i < GRADIENT_SIZES; i++) {
    gradient->n[i] = 0;
    gradient->sum_us[i] = gradient->run_us[i] = 0;
  }
  gradient->answers = gradient->peak = gradient->sheds = gradient->refused = 0;
  gradient->ends_us = now_us + GRADIENT_WINDOW_US;
}

/* What g says, which is 1 where nothing was in the way. */
static double limit_next(const struct gradient *gradient, double g)
{
  double limit = gradient->limit, used = 2.0 * gradient->peak;
  double from = g < 1 && used < limit ? used : limit;
  double next = 0.8 * from + 0.2 * (g * from + 4);
  return next < limit || used >= limit ? next : limit;
}

void gradient_turn(struct gradient *gradient, int64_t now_us, int64_t easy_us, uint32_t floor,
                   uint32_t ceiling)
{
  if (!gradient->ends_us) gradient->ends_us = now_us + GRADIENT_WINDOW_US;
  if (now_us < gradient->ends_us) return;
  bool few = gradient->answers < GRADIENT_ANSWERS;
  if (few && now_us < gradient->ends_us + FORGET_US) return;
  double g = few ? 1 : 1.5 * window_ratio(gradient, (double)easy_us), limit = gradient->limit;
  bool stands = gradient->sheds > gradient->answers / SHEDS_BEAR;
  g = g < 0.5 || stands ? 0.5 : g > 1 ? 1 : g;
  if (!few) limit = limit_next(gradient, g);
  int64_t over = 1 + (now_us - gradient->ends_us) / GRADIENT_WINDOW_US;
  if (over > FORGET_MOST) over = FORGET_MOST;
  if (!(g < 1) && !gradient->refused && !gradient->sheds)
    for (; over > 0 && limit < ceiling; over--) limit *= 1.05;
  gradient->limit = limit < floor ? floor : limit > ceiling ? ceiling : limit;
  window_begin(gradient, now_us);
}
