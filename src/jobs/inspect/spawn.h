/* spawn.h - one look at one model in a process of its own, seen from the daemon.
 *
 *   spawn_begin --> spawn_step each time its descriptor can be read, until true --> spawn_end
 *
 * The process is this program itself (child.h), by a descriptor opened at start: an installation
 * that is replaced under a running daemon does not change what it starts. It gets a request, a pipe
 * to answer by, one read-only descriptor per file, /dev/null, a few words of environment, and
 * nothing else. It dies with the daemon, and at its deadline, by SIGKILL; it is always reaped.
 * Thread: job: whoever began one goes on with it. spawn_ready: main, before any thread.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_INSPECT_SPAWN_H
#define JOBS_INSPECT_SPAWN_H

#include <sys/types.h>

#include "jobs/inspect/report.h"

/* Opens this program and keeps what its children get of the environment. Once; a second call does
 * nothing. */
void spawn_ready(void);

struct spawn_wish {
  int objects_fd;
  struct slice engine;
  const struct event_file *files;
  uint32_t n_files;
  int64_t time_us;       /* 0: RULES_TIME_US */
  uint64_t memory_spare; /* beside three times the files; 0: RULES_MEMORY_SPARE */
};

struct spawn {
  pid_t pid;
  int fd; /* to poll for reading */
  int64_t began_us, deadline_us, time_us;
  uint64_t memory_bytes;
  bool late, over;
  struct report_in in;
};

/* E_ARTIFACT_CORRUPT, E_UNAVAILABLE: the files; E_UNAVAILABLE: no process could be had. */
CHECKED enum code spawn_begin(struct spawn *spawn, const struct spawn_wish *wish, struct err *err);
/* Reads what is there. True: it is over, or late. */
bool spawn_step(struct spawn *spawn, int64_t now_us);
/* Ends the process where it has not ended, and says what it found (report.h's report_read), or, by
 * E_MODEL_LOAD_FAILED, what became of it. *spent_us: processor time it took. */
void spawn_end(struct spawn *spawn, struct inspected *found, uint32_t *walls,
               uint32_t *landlock_abi, int64_t *spent_us, struct err *err);
/* All of the above, waiting. */
void spawn_wait(const struct spawn_wish *wish, struct inspected *found, uint32_t *walls,
                uint32_t *landlock_abi, struct err *err);

#endif
