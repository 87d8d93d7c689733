/* sandbox.h - the walls around a process that is about to look at a stranger's file.
 *
 *   no new privileges, no capabilities, no core file, no descriptor beside those that are open
 *   Landlock: no file can be opened, made or looked up; no TCP; no signal to anybody outside
 *   seccomp: memory, reading and writing what is open, time, threads' waiting; nothing else.
 *            No process, no thread, no socket, no executable memory
 *   rlimits: address space, processor time, file size
 *
 * What the kernel has not is left out and said in the result; the caller decides what that is
 * worth.
 * Before: open all that will be needed, load libraries, start threads (they come under the same
 * walls). After: what is open can be read and written, and memory had, no more.
 * Thread: job; of a process of its own, whose other threads were started by `threads`.
 * Source: landlock(7), seccomp(2); robustness rules, section 6.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_INSPECT_SANDBOX_H
#define JOBS_INSPECT_SANDBOX_H

#include "world/letters.h"

struct sandbox {
  uint64_t memory_bytes;     /* address space beside what is there already; 0: no limit */
  uint64_t memory_bytes_max; /* what sandbox_memory may raise it to */
  uint64_t cpu_s;
  int statm_fd;               /* /proc/self/statm; -1: there is none */
  void (*threads)(void *arg); /* starts what threads there will be; NULL: none */
  void *arg;
  /* Filled: */
  uint32_t walls, landlock_abi;
  uint64_t base_bytes; /* address space when it was entered */
};

void sandbox_enter(struct sandbox *sandbox);
/* Another limit of address space beside base_bytes, from inside: up to memory_bytes_max. */
void sandbox_memory(struct sandbox *sandbox, uint64_t bytes);
/* Tries a few doors that should be shut, from inside. True: none opened. */
bool sandbox_holds(void);

#endif
