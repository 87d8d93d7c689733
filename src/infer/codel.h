/* codel.h - whether a queue only takes up a burst, or stands.
 * Thread: the lane's owner: a worker, or the loop it lives on. Pure: time is given.
 *
 * A burst drains: within a tenth of a second the eldest that waits is a young one, once at least. A
 * queue that stands does not: then its eldest has waited more than a target at every look. The
 * target is the wait that is no harm (wait_easy_us) where tasks have as long to their deadlines as
 * those of its class lately. A queue that stands sheds whoever has waited more than twice the
 * target; and where it is so long that its last would be, the newest go first, since they can still
 * make it.
 * Source: Nichols and Jacobson 2012 (CoDel), as services use it: Maurer 2015, "Fail at scale".
 * SPDX-License-Identifier: MIT */
#ifndef INFER_CODEL_H
#define INFER_CODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "world/task.h"

enum { CODEL_WINDOW_US = 100000 };

struct codel {
  int64_t span_us;  /* from sent to deadline, smoothed; 0: nothing came yet */
  int64_t ends_us;  /* of this window; 0: none has begun */
  int64_t least_us; /* age of the eldest, the least of this window */
  bool stands;
};

static inline int64_t codel_target_us(const struct codel *codel)
{
  return wait_easy_us(codel->span_us);
}

/* One came, with so long to its deadline. */
static inline void codel_came(struct codel *codel, int64_t span_us)
{
  const int64_t most_us = 300000000; /* no deadline at all, too */
  if (span_us > most_us) span_us = most_us;
  codel->span_us = codel->span_us ? codel->span_us + (span_us - codel->span_us) / 32 : span_us;
}

/* Some are about to leave, and the eldest that waits is so old. */
static inline void codel_look(struct codel *codel, int64_t eldest_us, int64_t now_us)
{
  if (codel->ends_us && now_us >= codel->ends_us)
    codel->stands = codel->least_us > codel_target_us(codel);
  if (!codel->ends_us || now_us >= codel->ends_us) {
    codel->ends_us = now_us + CODEL_WINDOW_US;
    codel->least_us = eldest_us;
  } else if (eldest_us < codel->least_us) {
    codel->least_us = eldest_us;
  }
}

/* Nobody waits any more. */
static inline void codel_empty(struct codel *codel)
{
  codel->ends_us = 0;
  codel->stands = false;
}

/* Who is older is shed. */
static inline int64_t codel_shed_us(const struct codel *codel)
{
  return codel->stands ? 2 * codel_target_us(codel) : INT64_MAX;
}

#endif
