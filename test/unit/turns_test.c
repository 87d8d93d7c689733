/* turns_test.c - who is served how much, with costs and a clock of the test's own.
 * SPDX-License-Identifier: MIT */
#include "infer/turns.h"

#include <sys/mman.h>

#include "base/rand.h"
#include "infer/queue.h"
#include "test.h"

enum { MANY = 100 };
#define MS INT64_C(1000000)

struct crowd {
  struct turns turns;
  struct turn of[MANY];
  int64_t served[MANY];
};

static void crowd_init(struct crowd *crowd, int n, enum task_class class)
{
  memset(crowd, 0, sizeof *crowd);
  turns_init(&crowd->turns);
  for (int i = 0; i < n; i++) turn_join(&crowd->turns, &crowd->of[i], class, (uint32_t)i);
}

static void crowd_deinit(struct crowd *crowd, int n)
{
  for (int i = 0; i < n; i++) turn_leave(&crowd->turns, &crowd->of[i]);
  turns_deinit(&crowd->turns);
}

/* One turn of this cost; whose it was. */
static int crowd_turn(struct crowd *crowd, int64_t cost_ns)
{
  struct turn *turn = turns_next(&crowd->turns, 0);
  if (!turn) return -1;
  int i = (int)(turn - crowd->of);
  turn_charge(&crowd->turns, turn, cost_ns);
  crowd->served[i] += cost_ns;
  return i;
}

/* The bound of the specification is two quanta and two maximal batches; without quanta, since costs
 * are known before the next turn, it is one batch of each. */
TEST(equals_that_wait_differ_by_a_batch_of_each_at_any_time)
{
  for (uint64_t seed = 1; seed <= 50; seed++) {
    static struct crowd crowd;
    struct rand rand;
    rand_seed(&rand, seed);
    crowd_init(&crowd, 5, CLASS_INTERACTIVE);
    for (int i = 0; i < 5; i++) turn_wait(&crowd.turns, &crowd.of[i], 1);
    int64_t dear_ns = 20 * MS;
    for (int step = 0; step < 2000; step++) {
      struct turn *turn = turns_next(&crowd.turns, 0);
      int i = (int)(turn - crowd.of);
      /* Each has costs of its own kind: the first long ones, the last short ones. */
      int64_t cost_ns = 1000 + (int64_t)(rand_u64(&rand) % (uint64_t)(dear_ns >> 2 * i));
      turn_charge(&crowd.turns, turn, cost_ns);
      crowd.served[i] += cost_ns;
      for (int a = 0; a < 5; a++)
        for (int b = a + 1; b < 5; b++)
          EXPECT(llabs(crowd.served[a] - crowd.served[b]) <= 2 * dear_ns + 2 * MS);
    }
    crowd_deinit(&crowd, 5);
  }
}

/* OV-08, with the worker's part alone. */
TEST(a_hundred_tenants_get_what_they_weigh)
{
  static struct crowd crowd;
  struct rand rand;
  double sum = 0, squares = 0, total = 0, weights = 0;
  rand_seed(&rand, 8);
  crowd_init(&crowd, MANY, CLASS_INTERACTIVE);
  for (int i = 0; i < MANY; i++) {
    turn_wait(&crowd.turns, &crowd.of[i], 1u << i % 3);
    weights += 1 << i % 3;
  }
  for (int64_t now = 0; now < 10000 * MS;) {
    int64_t cost_ns = 50000 + (int64_t)(rand_u64(&rand) % 1000000);
    crowd_turn(&crowd, cost_ns);
    now += cost_ns;
    total += (double)cost_ns;
  }
  for (int i = 0; i < MANY; i++) {
    double each = (double)crowd.served[i] / (1 << i % 3);
    EXPECT(fabs(each / (total / weights) - 1) < 0.05);
    sum += each;
    squares += each * each;
  }
  EXPECT(sum * sum / (MANY * squares) >= 0.99); /* Jain */
  crowd_deinit(&crowd, MANY);
}

TEST(who_idled_has_saved_nothing_and_who_owes_still_owes)
{
  static struct crowd crowd;
  crowd_init(&crowd, 3, CLASS_INTERACTIVE);
  turn_wait(&crowd.turns, &crowd.of[0], 1);
  for (int i = 0; i < 1000; i++) EXPECT_INT(crowd_turn(&crowd, MS), 0);
  /* One that comes now shares from now on. */
  turn_wait(&crowd.turns, &crowd.of[1], 1);
  int turns[2] = {0};
  for (int i = 0; i < 100; i++) turns[crowd_turn(&crowd, MS)]++;
  EXPECT(abs(turns[0] - turns[1]) <= 2);
  /* One with a single long task after the other: it leaves each time, and is not forgiven. */
  int64_t long_ns = 0, short_ns = 0;
  turn_idle(&crowd.turns, &crowd.of[0]);
  turn_wait(&crowd.turns, &crowd.of[2], 1);
  for (int i = 0; i < 10000; i++) {
    struct turn *turn = turns_next(&crowd.turns, 0);
    int64_t cost_ns = turn == &crowd.of[2] ? 50 * MS : MS;
    turn_idle(&crowd.turns, turn);
    turn_charge(&crowd.turns, turn, cost_ns);
    *(turn == &crowd.of[2] ? &long_ns : &short_ns) += cost_ns;
    turn_wait(&crowd.turns, turn, 1);
  }
  EXPECT(llabs(long_ns - short_ns) <= 102 * MS);
  crowd_deinit(&crowd, 3);
}

/* Those that idle lie on pages that nobody may read while two others take turns: to look at one of
 * them would end the test. */
TEST(ten_thousand_idle_tenants_are_not_looked_at)
{
  enum { IDLE = 10000, TURNS = 20000 };
  struct turns turns;
  struct turn of[2];
  size_t bytes = IDLE * sizeof(struct turn);
  struct turn *idle = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(idle != MAP_FAILED);
  turns_init(&turns);
  for (uint32_t i = 0; i < IDLE; i++) {
    turn_join(&turns, &idle[i], CLASS_INTERACTIVE, i + 2);
    turn_wait(&turns, &idle[i], 1); /* each had work once */
    turn_charge(&turns, turns_next(&turns, 0), MS);
    turn_idle(&turns, &idle[i]);
  }
  EXPECT(turns_next(&turns, 0) == NULL && !turns_wait(&turns));
  EXPECT_INT(mprotect(idle, bytes, PROT_NONE), 0);
  for (uint32_t i = 0; i < 2; i++) turn_join(&turns, &of[i], CLASS_INTERACTIVE, i);
  int64_t served[2] = {0};
  for (int i = 0; i < TURNS; i++) {
    for (int k = 0; k < 2; k++) turn_wait(&turns, &of[k], 1);
    EXPECT_INT(turns.ready[CLASS_INTERACTIVE].n, 2); /* a turn's heap has those that wait alone */
    struct turn *turn = turns_next(&turns, i);
    turn_charge(&turns, turn, MS);
    served[turn - of] += MS;
    if (i % 7 == 0) turn_idle(&turns, turn);
    if (i % 11 == 0) turn_rest(&turns, turn, i + 1);
  }
  EXPECT(served[0] && served[1] && llabs(served[0] - served[1]) <= 2 * MS);
  EXPECT_INT(mprotect(idle, bytes, PROT_READ | PROT_WRITE), 0);
  for (int i = 0; i < IDLE; i++) turn_leave(&turns, &idle[i]);
  for (int i = 0; i < 2; i++) turn_leave(&turns, &of[i]);
  turns_deinit(&turns);
  EXPECT_INT(munmap(idle, bytes), 0);
}

/* Two lanes of one tenant share what is its, beside a tenant with one. */
TEST(lanes_share_inside_their_tenant)
{
  struct turns turns;
  struct turn of[3];
  int64_t served[3] = {0};
  turns_init(&turns);
  turn_join(&turns, &of[0], CLASS_INTERACTIVE, 1);
  turn_join(&turns, &of[1], CLASS_INTERACTIVE, 1);
  turn_join(&turns, &of[2], CLASS_INTERACTIVE, 2);
  for (int i = 0; i < 3; i++) turn_wait(&turns, &of[i], 1);
  for (int i = 0; i < 20000; i++) {
    struct turn *turn = turns_next(&turns, 0);
    int64_t cost_ns = turn == &of[0] ? 10 * MS : MS; /* heavy beside light */
    turn_charge(&turns, turn, cost_ns);
    served[turn - of] += cost_ns;
  }
  EXPECT(fabs((double)served[0] / (double)served[1] - 1) < 0.02);
  EXPECT(fabs((double)(served[0] + served[1]) / (double)served[2] - 1) < 0.02);
  for (int i = 0; i < 3; i++) turn_leave(&turns, &of[i]);
  turns_deinit(&turns);
}

TEST(classes_are_strict_but_batch_keeps_a_twentieth)
{
  struct turns turns;
  struct turn of[CLASSES];
  int64_t served[CLASSES] = {0};
  turns_init(&turns);
  for (int c = 0; c < CLASSES; c++) turn_join(&turns, &of[c], (enum task_class)c, 1);
  turn_wait(&turns, &of[CLASS_SHADOW], 1);
  turn_wait(&turns, &of[CLASS_INTERACTIVE], 1);
  for (int i = 0; i < 1000; i++) {
    EXPECT(turns_next(&turns, 0) == &of[CLASS_INTERACTIVE]);
    turn_charge(&turns, &of[CLASS_INTERACTIVE], MS);
  }
  turn_wait(&turns, &of[CLASS_BATCH], 1);
  for (int i = 0; i < 100000; i++) {
    struct turn *turn = turns_next(&turns, 0);
    int64_t cost_ns = turn == &of[CLASS_BATCH] ? 3 * MS : MS;
    turn_charge(&turns, turn, cost_ns);
    served[turn - of] += cost_ns;
  }
  double share = (double)served[CLASS_BATCH] /
                 (double)(served[CLASS_BATCH] + served[CLASS_INTERACTIVE]);
  EXPECT(share > 0.0495 && share < 0.0505);
  EXPECT_INT(served[CLASS_SHADOW], 0);
  turn_wait(&turns, &of[CLASS_CONTROL], 1);
  EXPECT(turns_next(&turns, 0) == &of[CLASS_CONTROL]);
  turn_idle(&turns, &of[CLASS_CONTROL]);
  turn_idle(&turns, &of[CLASS_INTERACTIVE]);
  EXPECT(turns_next(&turns, 0) == &of[CLASS_BATCH]);
  turn_charge(&turns, &of[CLASS_BATCH], 100 * MS);
  turn_idle(&turns, &of[CLASS_BATCH]);
  EXPECT(turns_next(&turns, 0) == &of[CLASS_SHADOW]);
  /* What was kept for a batch class that left is not kept. */
  turn_wait(&turns, &of[CLASS_INTERACTIVE], 1);
  EXPECT(turns_next(&turns, 0) == &of[CLASS_INTERACTIVE]);
  turn_wait(&turns, &of[CLASS_BATCH], 1);
  EXPECT(turns_next(&turns, 0) == &of[CLASS_INTERACTIVE]);
  for (int c = 0; c < CLASSES; c++) turn_leave(&turns, &of[c]);
  turns_deinit(&turns);
}

TEST(who_rests_is_not_next_until_then_or_until_it_waits)
{
  static struct crowd crowd;
  crowd_init(&crowd, 2, CLASS_INTERACTIVE);
  turn_wait(&crowd.turns, &crowd.of[0], 1);
  turn_rest(&crowd.turns, &crowd.of[0], 500);
  EXPECT_INT(turns_alarm(&crowd.turns), 500);
  EXPECT(turns_next(&crowd.turns, 499) == NULL && turns_wait(&crowd.turns));
  EXPECT(turns_next(&crowd.turns, 500) == &crowd.of[0]);
  EXPECT_INT(turns_alarm(&crowd.turns), INT64_MAX);
  turn_rest(&crowd.turns, &crowd.of[0], 900);
  turn_wait(&crowd.turns, &crowd.of[0], 1);
  EXPECT(turns_next(&crowd.turns, 600) == &crowd.of[0]);
  turn_idle(&crowd.turns, &crowd.of[0]);
  EXPECT(turns_next(&crowd.turns, 1000) == NULL && !turns_wait(&crowd.turns));
  crowd_deinit(&crowd, 2);
}

static bool expects(const struct turns *turns, enum task_class class, int64_t now_us)
{
  return turns_expect(turns, class, 1, 0, now_us);
}

TEST(betters_are_expected_for_a_second_after_their_turn)
{
  struct turns turns;
  struct turn of[CLASSES];
  turns_init(&turns);
  for (int c = 0; c < CLASSES; c++) turn_join(&turns, &of[c], (enum task_class)c, 1);
  EXPECT(!expects(&turns, CLASS_BATCH, 100));
  turn_wait(&turns, &of[CLASS_BATCH], 1);
  EXPECT(turns_next(&turns, 100) == &of[CLASS_BATCH] && !expects(&turns, CLASS_BATCH, 100));
  turn_wait(&turns, &of[CLASS_INTERACTIVE], 1);
  EXPECT(!expects(&turns, CLASS_BATCH, 100)); /* it waits, and is next: nothing runs before it */
  EXPECT(turns_next(&turns, 200) == &of[CLASS_INTERACTIVE]);
  turn_idle(&turns, &of[CLASS_INTERACTIVE]);
  EXPECT(expects(&turns, CLASS_BATCH, 200) && expects(&turns, CLASS_BATCH, 200 + 999999));
  EXPECT(!expects(&turns, CLASS_BATCH, 200 + 1000000));
  for (int c = 0; c < CLASSES; c++) turn_leave(&turns, &of[c]);
  turns_deinit(&turns);
}

/* Tenant 1 is served much, tenant 2 now and then. */
TEST(another_tenant_is_expected_where_none_waits_with_much)
{
  const enum task_class class = CLASS_INTERACTIVE;
  struct turns turns;
  struct turn of[2];
  turns_init(&turns);
  for (uint32_t t = 0; t < 2; t++) turn_join(&turns, &of[t], class, t + 1);
  turn_wait(&turns, &of[0], 1);
  EXPECT(turns_next(&turns, 100) == &of[0]);
  EXPECT(!expects(&turns, class, 100)); /* oneself is not another */
  turn_charge(&turns, &of[0], 1000);
  turn_wait(&turns, &of[1], 1);
  EXPECT(turns_next(&turns, 200) == &of[1]);
  turns.backlog_ns[class] = 4000000;
  EXPECT(!turns_expect(&turns, class, 2, 2900000, 200)); /* the other waits, and is served next */
  EXPECT(turns_expect(&turns, class, 2, 3000000, 200));  /* but it is light: a millisecond */
  turns.backlog_ns[class] = 15000000;
  EXPECT(turns_expect(&turns, class, 2, 12000000, 200)); /* a quarter of one's own */
  EXPECT(!turns_expect(&turns, class, 2, 11900000, 200));
  turns.backlog_ns[class] = 0;
  turn_idle(&turns, &of[1]);
  for (int64_t now_us = 300; now_us < 1000200; now_us += 100000) {
    EXPECT(turns_next(&turns, now_us) == &of[0]);
    EXPECT(expects(&turns, class, now_us));
  }
  EXPECT(turns_next(&turns, 1000200) == &of[0] && !expects(&turns, class, 1000200));
  for (int t = 0; t < 2; t++) turn_leave(&turns, &of[t]);
  turns_deinit(&turns);
}

/* ---- the wait that a loop is told */

static const struct tensor_spec spec = {.name = {"x", 1}, .dtype = DT_FP32, .rank_free = true};
static const struct contract contract = {&spec, &spec, 1, 1, .batches = true};
static const struct tensor input = {.dtype = DT_FP32, .shape = {1, {1}}};

static void push(struct queue *queue, struct task *task, uint32_t tenant, enum task_class class)
{
  *task = (struct task){.contract = &contract, .inputs = &input, .rows = 1, .tenant = tenant,
                        .class = (uint8_t)class, .weight = 1, .deadline_us = 1000000};
  queue_push(queue, task);
}

TEST(a_backlog_is_what_goes_before_at_ones_share)
{
  enum { TASKS = 40 };
  static struct task tasks[TASKS];
  struct turns turns;
  struct queue a, b;
  struct task *out[TASKS], probe = {.class = CLASS_INTERACTIVE, .weight = 1};
  turns_init(&turns);
  queue_init(&a, &turns);
  queue_init(&b, &turns);
  push(&a, &tasks[0], 1, CLASS_INTERACTIVE);
  EXPECT_INT(queue_backlog_ns(&a, &probe), 0); /* nothing ran: nothing is known */
  EXPECT_INT(queue_take(&a, &tasks[0], 0, 1, out, 1), 1);
  queue_charge(&a, out, 1, 2 * MS);
  push(&b, &tasks[1], 2, CLASS_INTERACTIVE);
  EXPECT_INT(queue_take(&b, &tasks[1], 0, 1, out, 1), 1);
  queue_charge(&b, out, 1, 10 * MS);
  for (int i = 0; i < 10; i++) push(&a, &tasks[i], 1, CLASS_INTERACTIVE);
  EXPECT_INT(queue_backlog_ns(&a, &probe), 20 * MS);
  for (int i = 10; i < 30; i++) push(&b, &tasks[i], 2, CLASS_INTERACTIVE);
  EXPECT_INT(queue_backlog_ns(&a, &probe), 40 * MS);  /* half of the worker is the other's */
  EXPECT_INT(queue_backlog_ns(&b, &probe), 220 * MS); /* but not for longer than it waits */
  probe.class = CLASS_BATCH;
  EXPECT_INT(queue_backlog_ns(&b, &probe), 220 * MS);
  probe.class = CLASS_CONTROL;
  EXPECT_INT(queue_backlog_ns(&b, &probe), 0);
  struct task *head;
  while ((head = queue_head(&a, 0))) queue_take(&a, head, 0, 64, out, TASKS);
  while ((head = queue_head(&b, 0))) queue_take(&b, head, 0, 64, out, TASKS);
  EXPECT_INT(turns.backlog_ns[CLASS_INTERACTIVE], 0);
  queue_deinit(&a);
  queue_deinit(&b);
  turns_deinit(&turns);
}
