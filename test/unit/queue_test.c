/* queue_test.c - which waiting task is next: order, kinship, the dead, queues that stand; what is
 * put in comes out once.
 * SPDX-License-Identifier: MIT */
#include "infer/queue.h"

#include "base/rand.h"
#include "test.h"

enum { N = 512 };

static const struct tensor_spec spec = {.name = {"x", 1}, .dtype = DT_FP32, .rank_free = true};
static const struct contract contract = {&spec, &spec, 1, 1, .batches = true};
static struct tensor inputs[N];
static struct task tasks[N];

static struct task *made(int i, enum task_class class, uint32_t tenant, int64_t width,
                         int64_t deadline_us)
{
  struct task *task = &tasks[i];
  memset(task, 0, sizeof *task);
  inputs[i] = (struct tensor){.dtype = DT_FP32, .shape = {2, {1, width}}};
  task->contract = &contract;
  task->inputs = &inputs[i];
  task->rows = 1;
  task->class = (uint8_t)class;
  task->tenant = tenant;
  task->signature = (uint64_t)width;
  task->deadline_us = deadline_us;
  return task;
}

static int number(const struct task *task) { return task ? (int)(task - tasks) : -1; }

static int take_one(struct queue *queue, int64_t now_us)
{
  struct task *head = queue_head(queue, now_us), *out;
  if (!head) return -1;
  EXPECT_INT(queue_take(queue, head, now_us, 1, &out, 1), 1);
  EXPECT(out == head);
  return number(out);
}

TEST(class_then_deadline_then_age)
{
  struct queue queue;
  queue_init(&queue, NULL);
  queue_push(&queue, made(0, CLASS_SHADOW, 1, 4, 100));
  queue_push(&queue, made(1, CLASS_BATCH, 1, 4, 100));
  queue_push(&queue, made(2, CLASS_INTERACTIVE, 1, 4, 900));
  queue_push(&queue, made(3, CLASS_INTERACTIVE, 1, 4, 300));
  queue_push(&queue, made(4, CLASS_INTERACTIVE, 1, 4, 300));
  queue_push(&queue, made(5, CLASS_INTERACTIVE, 1, 8, 200));
  queue_push(&queue, made(6, CLASS_CONTROL, 1, 4, 5000));
  static const int want[] = {6, 5, 3, 4, 2, 1, 0, -1};
  for (int i = 0; i < 8; i++) EXPECT_INT(take_one(&queue, 50), want[i]);
  EXPECT_INT(queue.waiting, 0);
  queue_deinit(&queue);
}

TEST(a_batch_is_of_tasks_alike_that_fit)
{
  struct queue queue;
  struct task *out[8];
  queue_init(&queue, NULL);
  for (int i = 0; i < 6; i++)
    queue_push(&queue, made(i, CLASS_INTERACTIVE, 1, i % 2 ? 8 : 4, 100 + i));
  struct task *large = made(6, CLASS_INTERACTIVE, 1, 4, 50);
  large->rows = 3;
  queue_push(&queue, large);
  queue_push(&queue, made(7, CLASS_BATCH, 2, 4, 20));
  EXPECT(queue_head(&queue, 0) == large);
  EXPECT_INT(queue_rows_like(&queue, large, CLASS_SHADOW), 7);
  EXPECT_INT(queue_rows_like(&queue, large, CLASS_INTERACTIVE), 6);
  EXPECT_INT(queue_rows_like(&queue, &tasks[1], CLASS_SHADOW), 3);
  /* Two rows have room beside it; the batch class goes behind its betters. */
  EXPECT_INT(queue_take(&queue, large, 0, 5, out, 8), 3);
  EXPECT_INT(number(out[0]), 6);
  EXPECT_INT(number(out[1]), 0);
  EXPECT_INT(number(out[2]), 2);
  EXPECT_INT(queue_take(&queue, queue_head(&queue, 0), 0, 64, out, 2), 2);
  EXPECT_INT(number(out[0]), 1);
  EXPECT_INT(number(out[1]), 3);
  EXPECT_INT(queue_take(&queue, &tasks[4], 0, 64, out, 8), 2);
  EXPECT_INT(number(out[1]), 7);
  EXPECT_INT(take_one(&queue, 0), 5);
  /* More rows than a batch may have still go alone. */
  large->rows = 100;
  queue_push(&queue, large);
  EXPECT_INT(queue_take(&queue, large, 0, 64, out, 8), 1);
  EXPECT_INT(queue.rows, 0);
  queue_deinit(&queue);
}

TEST(an_equal_hash_is_not_yet_an_equal_shape)
{
  struct queue queue;
  struct task *out[4];
  queue_init(&queue, NULL);
  struct task *a = made(0, CLASS_INTERACTIVE, 1, 4, 100);
  struct task *b = made(1, CLASS_INTERACTIVE, 1, 8, 100);
  struct task *c = made(2, CLASS_INTERACTIVE, 1, 4, 100);
  b->signature = a->signature;
  c->wanted = 1;
  EXPECT(!task_alike(a, b) && !task_alike(a, c) && task_alike(a, a));
  queue_push(&queue, a);
  queue_push(&queue, b);
  queue_push(&queue, c);
  for (int i = 0; i < 3; i++)
    EXPECT_INT(queue_take(&queue, queue_head(&queue, 0), 0, 64, out, 4), 1);
  queue_deinit(&queue);
}

TEST(the_dead_are_no_heads_and_go_home_with_a_reason)
{
  struct queue queue;
  struct task *out[8];
  queue_init(&queue, NULL);
  for (int i = 0; i < 5; i++) queue_push(&queue, made(i, CLASS_INTERACTIVE, 1, 4, 100 + i * 100));
  EXPECT(queue_dead(&queue, 100) == NULL);
  struct task *late = queue_dead(&queue, 101);
  EXPECT_INT(number(late), 0);
  EXPECT_INT(late->err.code, E_DEADLINE_EXCEEDED);
  atomic_store(&tasks[1].gone, true);
  atomic_store(&tasks[3].gone, true);
  EXPECT_INT(number(queue_head(&queue, 150)), 2);
  EXPECT_INT(queue_take(&queue, &tasks[2], 150, 64, out, 8), 2);
  EXPECT_INT(number(out[1]), 4);
  EXPECT_INT(queue.waiting, 2);
  EXPECT_INT(number(queue_dead(&queue, 150)), 1);
  EXPECT_INT(tasks[1].err.code, E_CANCELLED);
  EXPECT_INT(number(queue_dead(&queue, 150)), 3);
  EXPECT(queue_dead(&queue, 150) == NULL);
  EXPECT_INT(queue.waiting, 0);
  queue_deinit(&queue);
}

/* ---- queues that stand */

TEST(a_burst_is_no_standing_queue)
{
  struct codel codel = {0};
  codel_came(&codel, 200000); /* target: 20 ms */
  EXPECT_INT(codel_target_us(&codel), 20000);
  for (int64_t now = 0; now < 1000000; now += 5000) {
    codel_look(&codel, now % 100000 == 95000 ? 1000 : 80000, now); /* young once in each window */
    EXPECT(!codel.stands);
  }
  for (int64_t now = 1000000; now < 1250000; now += 5000) codel_look(&codel, 21000, now);
  EXPECT(codel.stands);
  EXPECT_INT(codel_shed_us(&codel), 40000);
  codel_look(&codel, 100, 1260000);
  EXPECT(codel.stands); /* until the window is over */
  codel_look(&codel, 100, 1360000);
  codel_look(&codel, 100, 1460000);
  EXPECT(!codel.stands);
}

/* As many are let in as leave, and all that wait come to their turn before they would be shed: the
 * order stays that of their deadlines, and nobody is. */
TEST(a_standing_queue_that_serves_all_of_its_tasks_overtakes_nobody)
{
  struct queue queue;
  int64_t longest_us = 0;
  int shed = 0, next = 0;
  queue_init(&queue, NULL);
  for (int64_t now = 0; now < 2000000; now += 1000) {
    while (queue.waiting < 18) {
      struct task *task = made(next, CLASS_INTERACTIVE, 1, 4, now + 100000);
      task->queued_ns = now * 1000;
      queue_push(&queue, task);
      next = (next + 1) % N;
    }
    while (queue_dead(&queue, now)) shed++;
    struct task *head = queue_head(&queue, now), *out;
    int64_t waited_us = now - head->queued_ns / 1000;
    if (waited_us > longest_us) longest_us = waited_us;
    EXPECT_INT(queue_take(&queue, head, now, 1, &out, 1), 1);
    queue_charge(&queue, &out, 1, 1000000);
  }
  EXPECT(queue.codel[CLASS_INTERACTIVE].stands);
  EXPECT_INT(shed, 0);
  EXPECT_INT(longest_us, 17000);
  while (take_one(&queue, 2000000) >= 0) {}
  while (queue_dead(&queue, 2000000)) {}
  queue_deinit(&queue);
}

/* Four times as many come as are served: whoever is answered waited little, whoever is not heard so
 * within twice the target, and the eldest never waits long. */
TEST(a_standing_queue_sheds_the_eldest_and_serves_the_newest)
{
  struct queue queue;
  int64_t longest_us = 0, span_us = 100000, last_queued_ns = 0;
  int served = 0, shed = 0, in_time = 0, newest = 0, next = 0;
  queue_init(&queue, NULL);
  for (int64_t now = 0; now < 2000000; now += 1000) {
    for (int k = 0; k < 4; k++, next = (next + 1) % N) {
      struct task *task = made(next, CLASS_INTERACTIVE, 1, 4, now + span_us);
      task->queued_ns = last_queued_ns = now * 1000;
      queue_push(&queue, task);
    }
    for (struct task *dead; (dead = queue_dead(&queue, now));) {
      if (now < 500000) continue; /* it takes a window or two to be sure */
      EXPECT_INT(dead->err.code, E_OVERLOADED);
      EXPECT(now - dead->queued_ns / 1000 <= span_us);
      shed++;
    }
    struct task *head = queue_head(&queue, now), *out;
    if (!head) continue;
    int64_t waited_us = now - head->queued_ns / 1000;
    EXPECT_INT(queue_take(&queue, head, now, 1, &out, 1), 1);
    queue_charge(&queue, &out, 1, 1000000);
    if (now < 500000) continue;
    served++;
    in_time += waited_us <= span_us;
    newest += head->queued_ns == last_queued_ns;
    int64_t eldest_us = queue_eldest_ns(&queue, CLASS_INTERACTIVE) == INT64_MAX
                            ? 0 : now - queue_eldest_ns(&queue, CLASS_INTERACTIVE) / 1000;
    if (eldest_us > longest_us) longest_us = eldest_us;
  }
  EXPECT_INT(served, 1500);
  EXPECT_INT(in_time, served);
  EXPECT(newest > served * 9 / 10);
  EXPECT(shed > 4000);
  EXPECT(longest_us <= 22000); /* twice 10 ms and a step */
  while (take_one(&queue, 2000000) >= 0) {}
  while (queue_dead(&queue, 2000000)) {}
  queue_deinit(&queue);
}

/* ---- all of it at once, against a list of what is inside */

struct ledger {
  struct rand rand;
  struct turns turns;
  struct queue queues[3];
  int in[N]; /* the queue's number plus one */
  int n_in, outs, pushed;
  uint64_t rows[3];
  int64_t now;
};

static int dice(struct ledger *l, int sides) { return (int)(rand_u64(&l->rand) % (uint64_t)sides); }

static void one_in(struct ledger *l)
{
  int i = dice(l, N), q = dice(l, 3);
  if (!l->in[i] && dice(l, 3)) {
    struct task *task = made(i, (enum task_class)dice(l, CLASSES), (uint32_t)dice(l, 20),
                             dice(l, 3), l->now + dice(l, 40000));
    task->rows = 1 + (uint32_t)dice(l, 5);
    task->weight = (uint32_t)dice(l, 4);
    task->queued_ns = l->now * 1000;
    queue_push(&l->queues[q], task);
    l->in[i] = q + 1;
    l->n_in++;
    l->pushed++;
    l->rows[q] += task->rows;
  } else if (l->in[i] && dice(l, 8) == 0) {
    atomic_store(&tasks[i].gone, true);
  }
}

static void one_out(struct ledger *l, const struct queue *queue, const struct task *task)
{
  int at = (int)(queue - l->queues);
  EXPECT_INT(l->in[number(task)], at + 1);
  l->in[number(task)] = 0;
  l->n_in--;
  l->outs++;
  l->rows[at] -= task->rows;
}

static void dead_out(struct ledger *l, struct queue *queue)
{
  for (struct task *dead; (dead = queue_dead(queue, l->now));) {
    EXPECT(dead->err.code != OK);
    one_out(l, queue, dead);
  }
}

static void some_out(struct ledger *l)
{
  struct queue *queue = queue_next(&l->turns, l->now);
  struct task *out[8], *head;
  if (!queue) return;
  if (dice(l, 16) == 0) {
    queue_rest(queue, l->now + 50);
    EXPECT(queue_next(&l->turns, l->now) != queue);
    return;
  }
  dead_out(l, queue);
  if ((head = queue_head(queue, l->now))) {
    uint32_t like = queue_rows_like(queue, head, CLASS_SHADOW), sum = 0;
    uint32_t n = queue_take(queue, head, l->now, 8, out, 8);
    EXPECT(out[0] == head);
    for (uint32_t k = 0; k < n; k++) {
      EXPECT(task_alike(out[0], out[k]));
      EXPECT(!atomic_load(&out[k]->gone) && out[k]->deadline_us >= l->now);
      one_out(l, queue, out[k]);
      sum += out[k]->rows;
    }
    EXPECT(sum <= 8 && sum <= like);
    queue_charge(queue, out, n, dice(l, 100000));
  }
  dead_out(l, queue);
}

TEST(what_is_put_in_comes_out_once)
{
  for (uint64_t seed = 1; seed <= 40; seed++) {
    struct ledger l = {.now = 1000};
    rand_seed(&l.rand, seed);
    turns_init(&l.turns);
    for (int q = 0; q < 3; q++) queue_init(&l.queues[q], &l.turns);
    for (int step = 0; step < 4000; step++, l.now += dice(&l, 300)) {
      one_in(&l);
      if (dice(&l, 3) == 0) some_out(&l);
      for (int k = 0; k < 3; k++) EXPECT(l.queues[k].rows == l.rows[k]);
      EXPECT_INT(l.queues[0].waiting + l.queues[1].waiting + l.queues[2].waiting, l.n_in);
    }
    for (l.now += 100000; turns_wait(&l.turns);) {
      struct queue *queue = queue_next(&l.turns, l.now);
      EXPECT(queue != NULL);
      EXPECT(queue_head(queue, l.now) == NULL); /* all are late */
      dead_out(&l, queue);
    }
    EXPECT_INT(l.outs, l.pushed);
    for (int c = 0; c < CLASSES; c++) EXPECT_INT(l.turns.backlog_ns[c], 0);
    for (int q = 0; q < 3; q++) EXPECT_INT(l.queues[q].rows, 0);
    for (int q = 0; q < 3; q++) queue_deinit(&l.queues[q]);
    turns_deinit(&l.turns);
  }
}
