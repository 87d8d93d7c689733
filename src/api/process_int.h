/* process_int.h - what the kernel says about this process and this machine. Room-internal.
 * Thread: any; reads /proc.
 * SPDX-License-Identifier: MIT */
#ifndef API_PROCESS_INT_H
#define API_PROCESS_INT_H

#include <stdint.h>

struct process_facts { /* 0 where /proc does not say */
  uint64_t resident_bytes, threads, fds_open, fds_max;
  double cpu_seconds, start_seconds;       /* of the process; start: Unix time */
  uint64_t memory_total, memory_available; /* of the machine */
  uint64_t cpu_busy, cpu_all;              /* of the machine, in ticks since boot */
};

void process_read(struct process_facts *facts);

#endif
