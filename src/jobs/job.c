/* job.c - the job thread's letters.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "jobs/job.h"

#include "base/mem.h"
#include "jobs/folder.h"
#include "jobs/load.h"
#include "jobs/trial.h"

struct job {
  struct mailbox box;
  struct watch *watch; /* its own: a load's deadline must not depend on the workers' */
  bool stop;
};

struct job *job_new(void)
{
  struct job *job = grab_zero(1, sizeof *job);
  job->watch = watch_new();
  mailbox_init_bell(&job->box);
  return job;
}

void job_free(struct job *job)
{
  if (!job) return;
  must(mailbox_empty(&job->box));
  watch_free(job->watch);
  mailbox_deinit(&job->box);
  ungrab(job);
}

struct mailbox *job_mailbox(struct job *job) { return &job->box; }

static void load_answer(struct job *job, struct letter_load *letter)
{
  load_run(letter, job->watch);
  letter->mail.kind = LETTER_LOAD_HOME;
  mail_send(letter->home, &letter->mail);
}

static void check_answer(struct job *job, struct letter_check *letter)
{
  check_run(letter, job->watch);
  letter->mail.kind = LETTER_CHECK_HOME;
  mail_send(letter->home, &letter->mail);
}

static void unload_answer(struct letter_unload *letter)
{
  unload_run(letter);
  letter->mail.kind = LETTER_UNLOAD_HOME;
  mail_send(letter->home, &letter->mail);
}

void job_main(void *arg)
{
  struct job *job = arg;
  while (!job->stop) {
    struct mail *mail = mailbox_wait(&job->box, INT64_MAX);
    while (mail) {
      struct mail *next = mail->next;
      switch (mail->kind) {
        case LETTER_LOAD: load_answer(job, (struct letter_load *)mail); break;
        case LETTER_CHECK: check_answer(job, (struct letter_check *)mail); break;
        case LETTER_UNLOAD: unload_answer((struct letter_unload *)mail); break;
        case LETTER_STOP: job->stop = true; break;
        default: must(!"a letter jobs do not get");
      }
      mail = next;
    }
  }
}

void job_limits_list(struct limits *to, uint32_t n_jobs)
{
  const uint64_t walk = WALK_ARENA_MAX, trial = TRIAL_BYTES_MAX;
  const uint64_t both = FOLDER_ARENA_MAX + (walk > trial ? walk : trial);
  limit_add(to, (struct limit){"a load looking through files", walk, "bytes", both * n_jobs, NULL,
                               "models, and what engines take to load and run them"});
  limit_add(to, (struct limit){"or its test runs, after that", trial, "bytes", 0, NULL, NULL});
  limit_add(to, (struct limit){"one load", LOAD_US_MAX / 1000, "ms", 0, NULL, NULL});
}
