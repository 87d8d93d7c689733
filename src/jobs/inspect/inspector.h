/* inspector.h - the thread that has models looked at before they are versions.
 *
 *   desk --INSPECT--> inspector --INSPECT_HOME--> desk      what was found, or why not
 *
 * It waits for processes (inspect/spawn.h) and never blocks on one: a few at a time, in half of
 * the machine's memory, one of a tenant, so that who pushes what takes two minutes to refuse keeps
 * nobody else waiting. What was found good is remembered, per tenant: the same files again are
 * answered at once. (Over all tenants the time of an answer would tell what others have.)
 * DRAIN ends what runs and refuses what comes; it goes home when nothing is left.
 * Thread: job; one of its own. new, free, walls: main. inspect_now: the job thread.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_INSPECT_INSPECTOR_H
#define JOBS_INSPECT_INSPECTOR_H

#include "base/limit.h"
#include "world/letters.h"

enum {
  INSPECT_AT_ONCE = 4,
  INSPECT_WAITING_MAX = 256,   /* letters that wait; more are refused at once */
  INSPECT_TENANT_WAITING = 32, /* of one tenant */
  INSPECT_KNOWN = 1024,        /* verdicts remembered */
};

struct inspector_opts {
  int objects_fd;        /* directory of artifacts by digest */
  int64_t time_us;       /* one look; 0: RULES_TIME_US */
  uint64_t memory_spare; /* beside three times the files; 0: RULES_MEMORY_SPARE */
};

struct inspector;

struct inspector *inspector_new(const struct inspector_opts *opts);
void inspector_free(struct inspector *inspector); /* its thread has returned */
struct mailbox *inspector_mailbox(struct inspector *inspector);
void inspector_main(void *inspector); /* until LETTER_STOP */
void inspector_limits_list(struct limits *to, const struct inspector_opts *opts);

/* Waits for a process that puts up its walls and leans on them. E_UNAVAILABLE: one that has to be
 * there is not. main, before any thread. */
CHECKED enum code inspector_walls(struct err *err);
/* Waits for a look at a version that is about to be loaded: one that was made before there were
 * looks, or looked at with another engine. */
CHECKED enum code inspect_now(const struct inspector_opts *opts, const struct letter_load *letter,
                              struct inspected *found, struct err *err);

#endif
