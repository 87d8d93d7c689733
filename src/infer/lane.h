/* lane.h - the queue of one model version at one owner, and the seat it runs on.
 * Thread: the lane's owner (a worker, or the loop a resident lives on), and nobody else: others
 * send the owner a letter. `watched` is the one part the watch looks at (infer/watch.h).
 * Invariant: tasks leave in the order of the queue, one run at a time, each with an answer.
 *
 * Why one owner: a batch is a promise about who waits for whom. With two consumers the promise
 * needs a lock, a condition and six states; with one it needs a list. The price is head-of-line
 * blocking between lanes of one worker. Control keeps it small: a new lane goes to the worker whose
 * lanes' measured runs add up to the least (control/place.c); it does not move one that is open.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_LANE_H
#define INFER_LANE_H

#include "infer/batch/batch.h"
#include "infer/loaded.h"
#include "infer/queue.h"
#include "infer/watch.h"

struct lane {
  struct link link; /* of its worker's lanes */
  struct queue queue;
  struct batch batch;
  bool spent; /* the seat was cancelled: a new one is needed before the next run */
  const struct engine *engine;
  struct loaded *loaded;
  void *seat;          /* NULL: none could be had again; the next task tries */
  struct watch *watch; /* NULL: nothing to watch */
  const void *owner;   /* a task in the wrong mailbox is a bug we want to see */
  struct watched watched;
  /* Whom the run is for, set before watch_begin: it is stopped when none of them waits any more. */
  struct task *const *running;
  uint32_t n_running;
};

/* NULL with the engine's reason in err when there is no seat to be had. watch may be NULL. */
struct lane *lane_new(struct loaded *loaded, struct watch *watch, const void *owner,
                      struct err *err);
/* No task waits: a bug otherwise. NULL is fine. */
void lane_free(struct lane *lane);

void lane_push(struct lane *lane, struct task *task);
/* Takes the task whose turn it is and runs it, or one that is dead already. The task's outputs, err
 * and times are set; it is the caller's to send home. *now_ns: clock_ns, handed on so that the end
 * of one task is the beginning of the next. At least one task waits. */
struct task *lane_run(struct lane *lane, int64_t *now_ns);
/* The next task that is gone, late or shed (queue_dead), with its times set. */
struct task *lane_dead(struct lane *lane, int64_t now_ns);

/* For infer/batch: what a task says of a run before it, and the run of one that is out of the
 * queue. */
void task_stand(struct task *task, int64_t now_ns);
void lane_run_task(struct lane *lane, struct task *task, int64_t *now_ns);

#endif
