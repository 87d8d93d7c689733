/* knee.c - a search by halving.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "cli/bench/knee.h"

void knee_init(struct knee *knee, double capacity)
{
  *knee = (struct knee){.bad = 1.2 * capacity, .next = capacity / 10};
}

void knee_tell(struct knee *knee, bool met)
{
  if (!met && !knee->again) {
    knee->again = true;
    return;
  }
  knee->again = false;
  if (met)
    knee->good = knee->next;
  else
    knee->bad = knee->next;
  bool none = knee->good == 0, done = knee->halvings++ == KNEE_HALVINGS;
  knee->next = none || done ? 0 : (knee->good + knee->bad) / 2;
}
