/* knee.h - the highest rate whose p99 meets an objective, by halving.
 * Thread: any, pure.
 *
 * Up to the knee a queue is short; past it waits grow without end. So rates are good up to some and
 * bad from there on, and a search halves what lies between. What else the machine does can make one
 * try bad: a rate is bad when two tries were.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_KNEE_H
#define CLI_BENCH_KNEE_H

#include <stdbool.h>
#include <stdint.h>

enum { KNEE_HALVINGS = 6 };

struct knee {
  double good, bad; /* the highest rate that was, the lowest that was; good 0: none was */
  double next;      /* to try; 0: it is found, or there is none */
  uint32_t halvings;
  bool again; /* the next was bad once */
};

/* capacity: what a closed loop reached; tried first is a tenth of it, and nothing above 1.2 times
 * it. */
void knee_init(struct knee *knee, double capacity);
/* How knee->next went. */
void knee_tell(struct knee *knee, bool met);

#endif
