/* worker.h - a lane owner: it opens and closes lanes, runs their tasks and sends them home.
 * Thread: worker (a thread of its own, worker_main), or a loop that has one living on it (a
 * resident: the loop calls worker_turn once per turn; for models so small that a hop costs more
 * than a run).
 * A lane belongs to one owner, so a queue needs no lock. See docs/essays/why-one-owner.md.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_WORKER_H
#define INFER_WORKER_H

#include "world/letters.h"

struct worker;

/* watch: shared by all workers; ends runs past their deadline (infer/watch.h). */
struct watch;
struct worker *worker_new(uint32_t number, struct watch *watch);
/* A resident: its mailbox has no bell. wake (may be NULL) is called when a letter finds the box
 * empty, from the sender's thread, the loop's own included: skip the wake there. */
struct worker *worker_new_resident(uint32_t number, struct watch *watch, void (*wake)(void *),
                                   void *wake_arg);
void worker_free(struct worker *worker); /* all lanes closed */
struct mailbox *worker_mailbox(struct worker *worker);
/* Whose task it runs at this moment (infer/loaded.h, who); NULL: none. Any thread, while nothing is
 * unloaded: once control has stopped. */
const char *worker_runs(const struct worker *worker);
/* Handles all letters that are there, runs what is due for at most about a millisecond, never
 * waits. True when it did anything: tasks may be left, turn again before you sleep. */
bool worker_turn(struct worker *worker);
/* The thread's main: turns until LETTER_STOP. */
void worker_main(void *worker);

#endif
