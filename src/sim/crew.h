/* crew.h - the same thing done n times, on all processors.
 * Thread: own; crew_run starts threads and joins them, and its caller works too.
 * Times differ by number alone and write to places of their own, so what comes out does not depend
 * on how many threads there were or which did what.
 * SPDX-License-Identifier: MIT */
#ifndef SIM_CREW_H
#define SIM_CREW_H

#include <stddef.h>
#include <stdint.h>

enum { CREW_THREADS_MAX = 256 };

struct crew {
  uint32_t threads; /* 0: one per processor */
  /* May be NULL; hears on the caller's thread, after each of its own. */
  void (*told)(void *arg, uint32_t done, uint32_t of);
  void *arg;
};

/* run(arg, i, scratch) for i = 0 .. n - 1; scratch is the thread's own, zeroed once. */
void crew_run(const struct crew *crew, uint32_t n, void (*run)(void *, uint32_t, void *), void *arg,
              size_t scratch_bytes);

#endif
