/* turns.h - whose turn it is on a worker: classes first, then the tenant that was served least.
 * Thread: its worker's own. Pure: time and costs are given, so tests have a clock of their own.
 *
 * Every (tenant, class) that has work on the worker has an account: what it was served, in measured
 * time over its weight. The next turn goes to the least served account of the first class, and in
 * it to the least served of its lanes (a `turn` is one lane's part of an account). An account that
 * comes back is lifted to where the one that was served last stood, the least of those that waited:
 * idling banks nothing. One that stood further still does: leaving forgives nothing.
 *
 * Since a run is over, and measured, before the next turn is given, nothing is charged by guess:
 * two accounts that both wait differ by at most one run of each, over their weights.
 *
 * Classes are strict but for this: while BATCH waits, 1/20 of the time that CONTROL and INTERACTIVE
 * run is put aside for it, and it goes first once its next run is paid for. SHADOW has leftovers.
 *
 * What does not wait is on no list that a turn looks at: ten thousand idle tenants cost nothing.
 * Source: deficit round robin and virtual-time fair queueing (Shreedhar and Varghese 1996, Goyal et
 * al. 1996), the lift of Sheng et al. 2024 (VTC); overload rules, section 5.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_TURNS_H
#define INFER_TURNS_H

#include "world/task.h"

struct heap_node {
  int64_t key; /* least first */
  uint32_t at; /* its place plus one; 0: in no heap */
};

struct heap {
  struct heap_node **nodes;
  uint32_t n, room;
};

struct account;

struct turn {
  struct heap_node node; /* in its account's heap while it waits */
  struct account *account;
  struct link wakes;     /* resting until wake_us */
  int64_t wake_us;
  int64_t cost_ns;       /* what its turns cost lately */
};

struct seen { /* a turn that was given */
  uint32_t tenant;
  int64_t us; /* 0: none was */
};

struct turns {
  struct heap ready[CLASSES];     /* accounts */
  int64_t floor[CLASSES];         /* where the least served stood when it was served last */
  uint64_t weights[CLASSES];      /* of the ready */
  int64_t backlog_ns[CLASSES];    /* what waits, by what it will cost: the queues' count */
  struct account **buckets;       /* by tenant and class */
  uint32_t n_buckets, n_accounts;
  int64_t owed_ns;                /* to BATCH */
  struct seen last[CLASSES], other[CLASSES]; /* given last, and last to another tenant than that */
  bool owing;                     /* the turn that was given is paid from that */
  struct link resting;            /* turns */
  int64_t alarm_us;               /* when the first of them may go on; INT64_MAX: none rests */
};

void turns_init(struct turns *turns);
void turns_deinit(struct turns *turns); /* every turn has left */

/* A lane's part of a tenant's account in one class; it does not wait yet. */
void turn_join(struct turns *turns, struct turn *turn, enum task_class class, uint32_t tenant);
void turn_leave(struct turns *turns, struct turn *turn);

/* It has work, or no longer. Both may be said twice. weight: of its tenant; 0: as it was, 1 at
 * first. */
void turn_wait(struct turns *turns, struct turn *turn, uint32_t weight);
void turn_idle(struct turns *turns, struct turn *turn);
/* It has work and does not want to go before this moment, or turn_wait. */
void turn_rest(struct turns *turns, struct turn *turn, int64_t until_us);

/* Whose turn it is; it keeps its place until it is charged, idles or rests. NULL: nobody's. */
struct turn *turns_next(struct turns *turns, int64_t now_us);
/* It ran for so long. Before turn_idle, or after. */
void turn_charge(struct turns *turns, struct turn *turn, int64_t cost_ns);

/* Whether one may come any moment who goes before this tenant's tasks of that class, or is there
 * with little, and would wait for whatever runs then: in the last second CONTROL or INTERACTIVE had
 * a turn, or, where the task is of these, another tenant's had, and what others wait with is light:
 * a millisecond, or a quarter of own_ns, which is this tenant's. (Who waits was served more. Among
 * heavy ones that is as it should be; a light one's second request is no flood.) */
bool turns_expect(const struct turns *turns, enum task_class class, uint32_t tenant,
                  int64_t own_ns, int64_t now_us);
/* What its account was served so far, to be compared within a class. */
int64_t turn_served(const struct turn *turn);
/* Something waits, resting or not. */
bool turns_wait(const struct turns *turns);
/* When turns_next should be asked again though nothing came: INT64_MAX: never. */
static inline int64_t turns_alarm(const struct turns *turns) { return turns->alarm_us; }

#endif
