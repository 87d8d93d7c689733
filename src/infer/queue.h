/* queue.h - the tasks that wait for one lane, and which of them goes next.
 * Thread: the lane's owner: a worker, or the loop it lives on.
 *
 *   queue    of a lane
 *    flow    the tasks of one tenant in one class: what a turn is given to (infer/turns.h)
 *     sub    those of them that are alike, earliest deadline first
 *
 * Alike are tasks that may share a batch: equal signatures, and equal in what a signature is the
 * hash of; it is compared, so a client that finds a collision gains nothing.
 *
 * The order is: class, then the tenant that was served least, then of its tasks the earliest
 * deadline, eldest first among equals; the newest while the queue stands and is too long for its
 * last one. A task that is
 * gone, late or shed is never a head and never taken: it is on its way to queue_dead.
 *
 * Memory: the links are in the tasks. A flow or sub is made when more of them wait at once than
 * ever did in this lane, and kept, up to a handful of idle ones.
 * Source: overload rules, sections 3, 5 and 8.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_QUEUE_H
#define INFER_QUEUE_H

#include "infer/codel.h"
#include "infer/turns.h"

struct flow;

struct queue {
  struct turns *turns; /* NULL: the lane has no worker: nobody is charged */
  struct flow *next;   /* whose turn it is; NULL: the best one's */
  struct link flows[CLASSES], ages[CLASSES];
  struct link idle; /* flows in which nothing waits */
  struct link dead; /* tasks, by turn */
  struct sub *spare;
  uint32_t n_idle, n_spare;
  uint32_t waiting; /* tasks; the dead among them until queue_dead gave them back */
  uint64_t rows;    /* of tasks that are not known to be dead */
  uint64_t class_rows[CLASSES]; /* the same by class */
  int64_t soonest_us;           /* no deadline is before that */
  struct codel codel[CLASSES];
  int64_t row_ns;              /* what a row costs lately; 0: none ran yet */
  int64_t counted_ns[CLASSES]; /* of turns->backlog_ns: rows by their cost */
  bool resting;
};

/* turns: outlives the queue. NULL is fine. */
void queue_init(struct queue *queue, struct turns *turns);
void queue_deinit(struct queue *queue); /* nothing waits: a bug otherwise */

/* Why it is not to run any more, in its err: gone, late. OK: it may. */
enum code task_end(struct task *task, int64_t now_us);
/* Whether two tasks of one lane may share a batch. */
bool task_alike(const struct task *a, const struct task *b);

void queue_push(struct queue *queue, struct task *task);
/* Who would run next; it stays. NULL: nobody who may. */
struct task *queue_head(struct queue *queue, int64_t now_us);
/* Takes `like`, which is queue_head's, and then those alike in the order of the queue that fit into
 * rows_max together; at most `max` (at least 1) of them. Returns how many. `like` alone may have
 * more rows than that. */
uint32_t queue_take(struct queue *queue, const struct task *like, int64_t now_us, uint32_t rows_max,
                    struct task **out, uint32_t max);
/* Rows that wait and are alike, its own with them; of classes down to `last`. */
uint32_t queue_rows_like(const struct queue *queue, const struct task *like, enum task_class last);
/* turns_expect of whose turn it is. */
bool queue_expect(const struct queue *queue, const struct task *head, int64_t now_us);
/* When the eldest that waits in this class was sent, clock_ns; INT64_MAX: none waits. */
int64_t queue_eldest_ns(const struct queue *queue, enum task_class class);
/* What tasks have from being sent to their deadline, smoothed, in the class that has least;
 * INT64_MAX: none ever came. */
int64_t queue_span_us(const struct queue *queue);
/* The next task that is not to run: gone, late or shed, which its err says; out of the queue and
 * the caller's to send home. NULL: none that is known. Ask before queue_head and after queue_take:
 * both put aside the dead they meet. */
struct task *queue_dead(struct queue *queue, int64_t now_us);

/* --- its turns, where it has some */

/* How long one more task of this class and tenant would wait: what goes before it on the worker,
 * and its own lane's backlog in its class at its share of the worker, unless the worker is through
 * with all sooner. */
int64_t queue_backlog_ns(const struct queue *queue, const struct task *task);
/* The queue whose turn it is; queue_head is of the flow that the turn is. NULL: none. */
struct queue *queue_next(struct turns *turns, int64_t now_us);
/* Something waits and had better wait longer: no turn until then, or until the next push. */
void queue_rest(struct queue *queue, int64_t until_us);
/* These were run together and took so long: each flow pays for its rows. After queue_take and
 * before the tasks go home. */
void queue_charge(struct queue *queue, struct task *const *tasks, uint32_t n, int64_t cost_ns);

#endif
