/* probe.h - a process that misbehaves when told to: so tests see what the walls do about it. Off
 * unless whoever runs the daemon says SLIPWAY_DEBUG=probe.
 * Thread: job; main of an inspection's own process, behind the walls.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_INSPECT_PROBE_H
#define JOBS_INSPECT_PROBE_H

#include "base/slice.h"
#include "jobs/load.h"

/* text: a word of probe.c's table, and when, as in "segv opens"; without the latter as soon as the
 * files were read. What is not in the table does nothing. A deed that the walls
 * refuse returns; one that succeeds ends the process with PROBE_DONE: a wall is missing. */
enum { PROBE_DONE = 77 };
void probe_run(struct slice text, enum load_stage stage);

#endif
