/* delay.h - how long a lane waits for more before it runs what is there. Pure: times are given.
 * Thread: the lane's owner, a worker or a loop.
 *
 * Waiting pays in one case only: the lane is busy, and a larger batch costs less per row. A lane
 * that is idle half of the time would have run the first request by the time the second comes, and
 * one with a backlog finds its batches full without waiting. So the delay starts at 0 and has to
 * earn its keep:
 *   - every DELAY_BATCHES batches or second it is looked at. More than one request in a hundred
 *     over 0.8 x SLO, from its sending to its answer: half of it. Else, was the lane busy for half
 *     of the time, and did the last step lower the cost of a row by 2 %: DELAY_STEP_US more. Else
 *     back by as much, and DELAY_REST looks without a trial.
 *   - nobody waits while fewer than 0.5 requests come in one delay, by the rate they come at; nor
 *     while fewer than 0.5 did come in the last waits (who waits for an answer before asking again
 *     looks busy, but sends nothing meanwhile), one wait in DELAY_PROBE aside;
 *   - a wait ends when nobody came for four times the mean gap: those that could are in.
 * With a number in slipway.yaml the first point and the rate do not count: that is how long it is.
 * Source: overload rules, section 3; the busy half is ours (ADR 0035).
 * SPDX-License-Identifier: MIT */
#ifndef INFER_BATCH_DELAY_H
#define INFER_BATCH_DELAY_H

#include <stdbool.h>
#include <stdint.h>

enum {
  DELAY_STEP_US = 50,
  DELAY_US_MAX = 5000,
  DELAY_BATCHES = 200,
  DELAY_LOOK_US = 1000000,
  DELAY_REST = 8,
  DELAY_PROBE = 32,
};

struct delay {
  bool fixed;
  uint32_t us, us_max; /* now; at most */
  uint32_t us_said;    /* at most, by slipway.yaml; 0: nothing was said */
  int64_t slo_us;
  /* who comes */
  uint64_t came;     /* since ever */
  int64_t last_us;   /* when the last one did */
  double gap_us;     /* between two of them, lately; 0: not known */
  double joined;     /* during one wait, lately */
  uint64_t gap_came; /* as of the last close */
  int64_t gap_since_us;
  uint32_t unwaited; /* batches since the last wait that could have been one */
  /* since the last look */
  int64_t looked_us;
  uint32_t batches, tasks, slow;
  uint64_t rows, run_ns;
  /* the trial */
  double cost_ns; /* of a row, before the last step; 0: none was made */
  uint32_t rest;  /* looks without a trial yet to come */
};

/* fixed: us_max is the delay. slo_us: what a request may take, with its wait. */
void delay_init(struct delay *delay, bool fixed, uint32_t us_max, int64_t slo_us, int64_t now_us);
/* What a request may take from now on: a delay that is not fixed is a quarter of it at most. */
void delay_slo(struct delay *delay, int64_t slo_us);
/* A request joined the lane. */
void delay_came(struct delay *delay, int64_t now_us);
/* Until when a batch whose eldest came at eldest_us may wait for others; not after now_us: it is to
 * be closed. */
int64_t delay_until(const struct delay *delay, int64_t eldest_us, int64_t now_us);
/* A batch was closed; waited: it was made to wait, and `joined` came meanwhile. */
void delay_closed(struct delay *delay, int64_t now_us, bool waited, uint32_t joined);

struct delay_run {
  int64_t now_us, run_ns;
  uint32_t rows, tasks, slow; /* slow: how many of the tasks took more than 0.8 x SLO */
};
void delay_ran(struct delay *delay, const struct delay_run *run);
/* Whether one that was sent and answered so is slow. */
static inline bool delay_is_slow(const struct delay *delay, int64_t took_us)
{
  return took_us > delay->slo_us / 10 * 8;
}
/* What is waited for company now, as people are told: 0 while nobody would come. */
uint32_t delay_shown(const struct delay *delay);

#endif
