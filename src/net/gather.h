/* gather.h - whether a loop that mostly refuses looks at its sockets at once, or lets arrivals
 * gather and refuses them together.
 * Thread: its loop. Pure: times are given.
 *
 * Where a loop and a worker share a core, each arrival that wakes the loop interrupts a run: two
 * switches and a wake-up of the client for one refusal, more than the refusal itself. So while
 * more than half of the answers of the last moments were refusals for want of room or time (503),
 * and so many that it pays, the loop waits GATHER_US before it looks. What a worker has for it
 * still wakes it at once (bell.h), and then it looks at its sockets as well: a request that would
 * be let in comes in with the end of the run before it, or a millisecond late. While little is
 * refused nothing changes; nor where one tenant is over limits of its own (429): its neighbours
 * have room and need not wait.
 *
 *   gather_count     each answer, refused or not
 *   gather_wait_us   how long to wait before the next poll; 0: not at all
 *
 * The last moments are the window of GATHER_WINDOW_US that goes on and the one before it.
 * SPDX-License-Identifier: MIT */
#ifndef NET_GATHER_H
#define NET_GATHER_H

#include <stdbool.h>
#include <stdint.h>

enum {
  GATHER_US = 1000,
  GATHER_WINDOW_US = 10000,
  GATHER_MIN = 16, /* refusals of the last moments; fewer are cheaper than waits */
};

struct gather {
  int64_t since_us; /* when this window began */
  uint32_t answers, refused, answers_before, refused_before;
};

void gather_count(struct gather *gather, int64_t now_us, bool refused);
int64_t gather_wait_us(struct gather *gather, int64_t now_us);

#endif
