/* inspection.h - the inspector and its thread, as the options want them.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef INSPECTION_H
#define INSPECTION_H

#include "base/thread.h"
#include "jobs/inspect/inspector.h"
#include "jobs/job.h"
#include "options.h"

struct inspection {
  struct inspector_opts opts;
  struct inspector *inspector;
  struct thread thread;
};

/* --require-sandbox: E_UNAVAILABLE where there are no walls. */
CHECKED enum code inspection_walls(const struct options *options, struct err *err);
/* Makes the inspector, and the job look at what nobody has. Nothing runs yet. */
void inspection_open(struct inspection *inspection, const struct options *options, int objects_fd,
                     struct job *job, struct post *post);
void inspection_start(struct inspection *inspection);

#endif
