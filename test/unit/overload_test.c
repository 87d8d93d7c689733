/* overload_test.c - a lane's queue, its standing and the limit in front of it, played in
 * given time: one worker, a millisecond a request, a hundred milliseconds to the deadline. What
 * the core does with refusals is left out: that is measured (bench/overload/flood.py).
 * SPDX-License-Identifier: MIT */
#include "base/rand.h"
#include "infer/queue.h"
#include "serve/limit/gradient.h"
#include "test.h"

#include <math.h>

enum { TASKS = 1024, RUN_US = 1000, SPAN_US = 100000, SECOND_US = 1000000 };

struct play {
  struct queue queue;
  struct gradient gradient;
  struct rand rand;
  struct task *free, *running, tasks[TASKS]; /* free ones hang together by mail.next */
  int64_t now_us, ends_us, due_us;
  uint32_t in_work, clients; /* clients: of a closed loop, not answered yet */
  struct {
    uint32_t due, good, refused, shed;
    uint32_t took_ms[200];
  } seen;
};

static void play_init(struct play *p)
{
  memset(p, 0, sizeof *p);
  queue_init(&p->queue, NULL);
  rand_seed(&p->rand, 7);
  p->gradient.limit = TASKS;
  for (int i = 0; i < TASKS; i++) {
    p->tasks[i].mail.next = (struct mail *)p->free;
    p->free = &p->tasks[i];
  }
  p->due_us = INT64_MAX;
}

static void task_back(struct play *p, struct task *task)
{
  p->in_work--;
  task->mail.next = (struct mail *)p->free;
  p->free = task;
}

static void come(struct play *p)
{
  static const struct contract contract = {.batches = true};
  p->seen.due++;
  if (p->in_work >= (uint32_t)p->gradient.limit || !p->free) {
    p->seen.refused++;
    gradient_refused(&p->gradient);
    return;
  }
  struct task *task = p->free;
  p->free = (struct task *)task->mail.next;
  *task = (struct task){.contract = &contract,
                        .rows = 1,
                        .class = CLASS_INTERACTIVE,
                        .weight = 1,
                        .queued_ns = p->now_us * 1000,
                        .deadline_us = p->now_us + SPAN_US};
  p->in_work++;
  p->clients++;
  queue_push(&p->queue, task);
}

static void home(struct play *p, struct task *task)
{
  int64_t took_us = p->now_us - task->queued_ns / 1000;
  gradient_answer(&p->gradient, 1, took_us, RUN_US, p->in_work);
  gradient_turn(&p->gradient, p->now_us, wait_easy_us(SPAN_US), 1, TASKS);
  p->seen.good += took_us <= SPAN_US;
  p->seen.took_ms[took_us / 1000 < 199 ? took_us / 1000 : 199]++;
  p->clients--;
  task_back(p, task);
}

/* The worker's turn: who is dead goes home, the next one runs. */
static void turn(struct play *p)
{
  for (struct task *dead; (dead = queue_dead(&p->queue, p->now_us));) {
    gradient_shed(&p->gradient, p->in_work);
    p->seen.shed++;
    p->clients--;
    task_back(p, dead);
  }
  struct task *head = queue_head(&p->queue, p->now_us);
  if (!head) return;
  EXPECT_INT(queue_take(&p->queue, head, p->now_us, 1, &p->running, 1), 1);
  p->ends_us = p->now_us + RUN_US;
}

/* rate: of an open loop; 0: as many clients as that ask again at once. */
static void play(struct play *p, double rate, uint32_t clients, int64_t for_us)
{
  int64_t until_us = p->now_us + for_us;
  memset(&p->seen, 0, sizeof p->seen);
  p->due_us = p->now_us;
  while (p->now_us < until_us) {
    bool asks = rate > 0 ? p->now_us >= p->due_us : p->clients < clients;
    if (asks) {
      uint32_t before = p->seen.refused;
      come(p);
      if (rate > 0) p->due_us += (int64_t)(-log(1 - rand_unit(&p->rand)) * 1e6 / rate);
      if (rate > 0 || p->seen.refused == before) continue;
    }
    if (p->running && p->now_us >= p->ends_us) {
      queue_charge(&p->queue, &p->running, 1, RUN_US * 1000);
      home(p, p->running);
      p->running = NULL;
      continue;
    }
    if (!p->running && p->queue.waiting) turn(p);
    p->now_us += 10;
  }
}

static int quantile(const struct play *p, double share)
{
  uint64_t all = 0, sum = 0;
  for (int i = 0; i < 200; i++) all += p->seen.took_ms[i];
  for (int i = 0; i < 200; i++)
    if ((double)(sum += p->seen.took_ms[i]) >= share * (double)all) return i;
  return 200;
}

static void play_end(struct play *p)
{
  while (p->running || p->queue.waiting) play(p, 0, 0, 10 * RUN_US);
  EXPECT_INT(p->in_work, 0);
  queue_deinit(&p->queue);
}

static struct play the;

/* Sixteen clients that ask again at once wait for each other, and that is no overload. */
TEST(a_closed_loop_is_refused_nothing)
{
  play_init(&the);
  play(&the, 0, 16, 10 * SECOND_US);
  EXPECT(the.seen.good > 9900);
  EXPECT_INT(the.seen.refused + the.seen.shed, 0);
  play_end(&the);
}

/* OV-01, OV-02 and OV-05, and OV-03: from 80 % of what it can to five and twenty times that. */
static void stepped(double factor)
{
  play_init(&the);
  play(&the, 0, 16, 4 * SECOND_US);
  double peak = the.seen.good / 4.0, limit = the.gradient.limit;
  play(&the, 0.8 * peak, 0, 10 * SECOND_US);
  EXPECT_INT(the.seen.refused + the.seen.shed, 0);
  int calm_ms = quantile(&the, 0.99);
  play(&the, factor * peak, 0, 3 * SECOND_US);
  play(&the, factor * peak, 0, 57 * SECOND_US);
  EXPECT(the.seen.good >= 0.99 * 57 * peak);
  EXPECT(quantile(&the, 0.99) <= 2 * calm_ms);
  EXPECT(quantile(&the, 1) < 100); /* nothing ran in vain */
  EXPECT(the.seen.shed < the.seen.good / 100);
  play(&the, 0.8 * peak, 0, 5 * SECOND_US);
  EXPECT(fabs(the.gradient.limit / limit - 1) <= 0.1);
  play(&the, 0.8 * peak, 0, 10 * SECOND_US);
  EXPECT_INT(the.seen.refused + the.seen.shed, 0);
  EXPECT(quantile(&the, 0.99) <= 1.1 * calm_ms + 1);
  play_end(&the);
}

TEST(five_times_what_it_can) { stepped(5); }
TEST(twenty_times_what_it_can) { stepped(20); }

/* From the third second on, and seen as clients see it, after nothing at all. */
TEST(an_overload_that_nothing_came_before_is_mastered_in_three_seconds)
{
  play_init(&the);
  play(&the, 5000, 0, 3 * SECOND_US);
  for (int i = 0; i < 5; i++) {
    play(&the, 5000, 0, SECOND_US);
    EXPECT(the.seen.good >= 950);
  }
  play_end(&the);
}
