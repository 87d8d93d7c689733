/* schedule.h - when the requests of an open loop are due: at even distances, or as independent
 * people come (Poisson).
 * Thread: any, pure.
 *
 * The times are made from the rate alone and never from answers: what the server does cannot move
 * them, so a stall is met by all who were due in it (no coordinated omission).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_LOAD_SCHEDULE_H
#define CLI_LOAD_SCHEDULE_H

#include <stdbool.h>

#include "base/rand.h"

struct schedule {
  struct rand rand;
  double rate; /* a second, above 0 */
  bool poisson;
  uint64_t n;   /* how many were given out */
  double at_us; /* of the next, from the beginning */
};

/* The first is due at once where they are even, else after a drawn while. */
void schedule_init(struct schedule *schedule, double rate, bool poisson, uint64_t seed);
/* When the next is due, in microseconds from the beginning. */
static inline int64_t schedule_due(const struct schedule *schedule)
{
  return (int64_t)schedule->at_us;
}
void schedule_next(struct schedule *schedule);

#endif
