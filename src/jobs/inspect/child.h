/* child.h - the process that looks at a stranger's model: this same program, started once more with
 * CHILD_WORD as its only argument (inspect/spawn.h), for one model.
 *
 *   read the request -> what libraries its engine needs -> walls (sandbox.h) -> read the files by
 *   the descriptors that were handed in -> the steps of every load (jobs/load.h) -> measure ->
 *   report
 *
 * Its engines run on one thread, whatever the model asks for.
 * Thread: job; main and the watch of a process of its own.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_INSPECT_CHILD_H
#define JOBS_INSPECT_CHILD_H

#define CHILD_WORD "inspect-child"

/* Never returns to anything: the exit code. */
int child_main(void);

#endif
