/* schedule.c - due times by counting, or by drawn distances.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "cli/load/schedule.h"

#include <math.h>

#include "base/err.h"

/* Exponential by inversion; 1 - u is never 0. */
static double distance_us(struct schedule *schedule)
{
  return -log(1.0 - rand_unit(&schedule->rand)) * 1e6 / schedule->rate;
}

void schedule_init(struct schedule *schedule, double rate, bool poisson, uint64_t seed)
{
  must(rate > 0);
  *schedule = (struct schedule){.rate = rate, .poisson = poisson};
  rand_seed(&schedule->rand, seed);
  if (poisson) schedule->at_us = distance_us(schedule);
}

void schedule_next(struct schedule *schedule)
{
  schedule->n++;
  if (schedule->poisson)
    schedule->at_us += distance_us(schedule);
  else
    schedule->at_us = (double)schedule->n * 1e6 / schedule->rate; /* no error adds up */
}
