/* pressure.h - how short this process is of memory and descriptors, read four times a second by the
 * main thread, which may block on /proc and on the cgroup's files, and told to control.
 * Thread: main.
 *
 * Memory is the cgroup's use without its inactive file pages, of its limit less a margin, where
 * that is below the machine's memory and no --memory-budget is said (cgroup.h); else resident bytes
 * of the budget, which without one is the machine's memory. Stalls are the cgroup's memory.pressure
 * (full avg10); the machine's count only where this process has half of its memory: who stalls a
 * machine that others fill cannot help it.
 * SLIPWAY_DEBUG=pressure=FILE, for tests: lines of "SOURCE PERCENT" in FILE are believed instead.
 * SPDX-License-Identifier: MIT */
#ifndef PRESSURE_H
#define PRESSURE_H

#include "cgroup.h"
#include "world/letters.h"

enum { PRESSURE_EVERY_US = 250000 };

struct gauge {
  struct letter_pressure letter;
  struct mailbox home;
  uint64_t budget, machine; /* bytes; budget 0: none was said */
  struct cgroup cgroup;
  bool out;
  int64_t next_us, files_us; /* descriptors are counted once a second: of many that takes long */
  uint8_t files;
};

void gauge_open(struct gauge *gauge, uint64_t budget);
/* Reads and tells, where it is time; when it is next. */
int64_t gauge_turn(struct gauge *gauge, struct mailbox *control, int64_t now_us);

#endif
