/* job.h - the thread for chores that take their time: today, models into memory and out of it.
 *
 *   LOAD:    read and verify the files -> slipway.yaml -> look through -> open -> golden examples
 *            -> warm up -> home with a loaded model and its contract, or with the reason why not
 *   UNLOAD:  close -> give the memory back to the system -> home
 *
 * A load that fails leaves nothing behind. One that takes longer than LOAD_US_MAX is stopped.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_JOB_H
#define JOBS_JOB_H

#include "base/limit.h"
#include "world/letters.h"

#define LOAD_US_MAX INT64_C(120000000)

struct job;

struct job *job_new(void);
/* From now on versions that were not looked at by the rules of today are, before they are loaded.
 * Before job_main. */
struct inspector_opts;
void job_inspects(struct job *job, const struct inspector_opts *opts);
void job_free(struct job *job); /* its thread has returned */
struct mailbox *job_mailbox(struct job *job);
/* The thread's main: handles letters until LETTER_STOP. */
void job_main(void *job);
/* What n_jobs may cost. */
void job_limits_list(struct limits *to, uint32_t n_jobs);

#endif
