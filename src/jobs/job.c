/* job.c - the job thread's letters.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "jobs/job.h"

#include <sys/resource.h>

#include "base/mem.h"
#include "jobs/folder.h"
#include "jobs/inspect/inspector.h"
#include "jobs/inspect/rules.h"
#include "jobs/load.h"
#include "jobs/trial.h"

/* A load takes a core for a while; predictions and decisions come first. */
enum { NICE = 15 };

struct job {
  struct mailbox box;
  struct watch *watch; /* its own: a load's deadline must not depend on the workers' */
  bool stop;
  const struct inspector_opts *inspect; /* NULL: whatever is pushed is loaded */
  struct digest *looked_at;             /* manifests found good here; a ring */
  uint32_t n_looked_at, next_looked_at;
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
  ungrab(job->looked_at);
  mailbox_deinit(&job->box);
  ungrab(job);
}

void job_inspects(struct job *job, const struct inspector_opts *opts)
{
  job->inspect = opts;
  job->looked_at = grab_zero(INSPECT_KNOWN, sizeof *job->looked_at);
}

struct mailbox *job_mailbox(struct job *job) { return &job->box; }

/* A version from before there were looks, or looked at with another engine. */
static bool look_passed(struct job *job, struct letter_load *letter)
{
  struct inspected found;
  if (!job->inspect || rules_stamp_holds(letter->inspected)) return true;
  struct event event = {.files = letter->files, .n_files = letter->n_files};
  struct digest manifest = event_manifest(&event);
  for (uint32_t i = 0; i < job->n_looked_at; i++)
    if (digest_same(&job->looked_at[i], &manifest)) return true;
  if (inspect_now(job->inspect, letter, &found, &letter->err) != OK) return false;
  job->looked_at[job->next_looked_at] = manifest;
  job->next_looked_at = (job->next_looked_at + 1) % INSPECT_KNOWN;
  if (job->n_looked_at < INSPECT_KNOWN) job->n_looked_at++;
  return true;
}

static void load_answer(struct job *job, struct letter_load *letter)
{
  if (look_passed(job, letter)) load_run(letter, job->watch);
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
  setpriority(PRIO_PROCESS, 0, NICE); /* on Linux: of this thread alone */
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
