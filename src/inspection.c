/* inspection.c - the inspector's settings.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "inspection.h"

enum code inspection_walls(const struct options *options, struct err *err)
{
  if (option_number(options, OPTION_require_sandbox)) return inspector_walls(err);
  return OK;
}

void inspection_open(struct inspection *inspection, const struct options *options, int objects_fd,
                     struct job *job, struct post *post)
{
  inspection->opts = (struct inspector_opts){
      .objects_fd = objects_fd,
      .time_us = option_number(options, OPTION_inspect_timeout),
      .memory_spare = (uint64_t)option_number(options, OPTION_inspect_memory)};
  inspection->inspector = inspector_new(&inspection->opts);
  post->inspector = inspector_mailbox(inspection->inspector);
  job_inspects(job, &inspection->opts);
}

void inspection_start(struct inspection *inspection)
{
  thread_start(&inspection->thread, "inspector", THREAD_STACK_ENGINE, inspector_main,
               inspection->inspector);
}
