/* batch_test.c - tasks that share a run: who is in it, what each gets, who is guilty.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <unistd.h>

#include "base/mem.h"
#include "base/rand.h"
#include "infer_rig.h"

enum { TASKS = 64 };

static struct mailbox home;
static struct rig_task rigs[TASKS];

/* ---- a fake engine: doubles each row of x, [rows, columns]; what it does else it is told */

static struct {
  int runs, mixed, poisoned;
  uint32_t rows[256]; /* of each run */
  uint32_t rows_max;  /* larger batches are refused; 0: none is */
  bool one_row, slow, keeps_rows;
  _Atomic bool stop;
} fake_does;

static enum code fake_sit(void *model, void **seat, struct err *err)
{
  (void)err;
  *seat = model;
  atomic_store(&fake_does.stop, false);
  return OK;
}

static void fake_leave(void *seat) { (void)seat; }

static enum code fake_run(void *seat, struct task *task, struct err *err)
{
  (void)seat;
  const struct tensor *x = &task->inputs[0];
  const float *from = x->data;
  uint64_t columns = (uint64_t)x->shape.dims[1];
  fake_does.rows[fake_does.runs++ % 256] = task->rows;
  if (x->count != task->rows * columns || x->bytes != 4 * x->count) fake_does.mixed++;
  int64_t until_us = clock_us() + 2000000;
  while (fake_does.slow && clock_us() < until_us)
    if (atomic_load(&fake_does.stop)) return fail(err, E_MODEL_FAILED, "stopped");
  if (fake_does.rows_max && task->rows > fake_does.rows_max)
    return fail(err, E_OUT_OF_MEMORY, "too much at once");
  float *y = arena_get(task->scratch, x->bytes + 4);
  for (uint64_t i = 0; i < x->count; i++) {
    if (from[i] < 0) {
      fake_does.poisoned++;
      return fail(err, E_MODEL_FAILED, "a row is poisoned");
    }
    /* The first column says how many columns the row has: mixed shapes would show. */
    if (i % columns == 0 && from[i] != (float)columns) fake_does.mixed++;
    y[i] = 2 * from[i];
  }
  task->outputs[0] = *x;
  task->outputs[0].data = y;
  if (fake_does.one_row) {
    task->outputs[0].shape.dims[0] = 1;
    task->outputs[0].count = columns;
    task->outputs[0].bytes = 4 * columns;
  }
  return OK;
}

static void fake_cancel(void *seat)
{
  (void)seat;
  atomic_store(&fake_does.stop, true);
}

static const struct engine fake = {
    .name = "fake", .sit = fake_sit, .leave = fake_leave, .run = fake_run, .cancel = fake_cancel};
static const struct tensor_spec fake_spec = {
    .name = {"x", 1}, .dtype = DT_FP32, .shape = {2, {-1, -1}}};

static struct loaded fake_loaded(struct batch_spec spec)
{
  memset(&fake_does, 0, sizeof fake_does);
  return (struct loaded){
      .engine = &fake, .contract = {&fake_spec, &fake_spec, 1, 1, true}, .batch = spec};
}

/* ---- a lane without a worker */

static float data[TASKS][64];

static struct lane *lane_of(struct loaded *loaded, struct watch *watch)
{
  struct err err;
  struct lane *lane = lane_new(loaded, watch, NULL, &err);
  must(lane);
  lane->batch.waits = true;
  return lane;
}

/* Rows of so many columns: the first says how many, the others what task it is. */
static struct task *make(struct loaded *loaded, struct lane *lane, int i, uint32_t rows,
                         uint32_t columns, int64_t now_us)
{
  struct rig_task *rig = &rigs[i];
  rig_task_init(rig, loaded, lane, &home);
  for (uint32_t k = 0; k < rows * columns; k++)
    data[i][k] = k % columns ? (float)(i + 1) : (float)columns;
  rig_input(rig, 0, DT_FP32, (struct shape){2, {rows, columns}}, data[i], 0);
  rig->task.rows = rows;
  rig->task.signature = columns;
  rig->task.queued_ns = now_us * 1000;
  return &rig->task;
}

static struct task *ask(struct loaded *loaded, struct lane *lane, int i, uint32_t rows,
                        uint32_t columns, int64_t now_us)
{
  struct task *task = make(loaded, lane, i, rows, columns, now_us);
  lane_push(lane, task);
  return task;
}

static bool answered(int i)
{
  const struct tensor *y = &rigs[i].outputs[0], *x = &rigs[i].inputs[0];
  if (rigs[i].task.err.code || y->count != x->count || y->shape.dims[0] != x->shape.dims[0])
    return false;
  for (uint64_t k = 0; k < y->count; k++)
    if (((float *)y->data)[k] != 2 * data[i][k]) return false;
  return true;
}

static void rigs_end(int n)
{
  for (int i = 0; i < n; i++) rig_task_deinit(&rigs[i]);
}

static uint32_t close_now(struct lane *lane, int64_t now_us, int64_t *until_us)
{
  static struct task *members[BATCH_TASKS_MAX];
  uint32_t rows = 0, n = batch_close(lane, now_us, members, until_us);
  for (uint32_t i = 0; i < n; i++) rows += members[i]->rows;
  return rows;
}

TEST(a_batch_closes_at_rows_max_and_takes_whole_requests)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 8});
  struct lane *lane = lane_of(&loaded, NULL);
  int64_t until_us;
  for (int i = 0; i < 3; i++) ask(&loaded, lane, i, 3, 4, 100);
  EXPECT_INT(close_now(lane, 100, &until_us), 3); /* of what nothing is known yet goes alone */
  rig_pace(lane);
  ask(&loaded, lane, 3, 3, 4, 100);
  ask(&loaded, lane, 4, 2, 4, 100);
  EXPECT_INT(close_now(lane, 100, &until_us), 8); /* 3 + 3 + 2, the third 3 does not fit */
  EXPECT_INT(close_now(lane, 100, &until_us), 3);
  EXPECT_INT(close_now(lane, 100, &until_us), 0);
  EXPECT(until_us == INT64_MAX);
  lane_free(lane);
}

static void ask_as(struct loaded *loaded, struct lane *lane, int i, enum task_class class)
{
  make(loaded, lane, i, 1, 4, 100)->class = (uint8_t)class;
  lane_push(lane, &rigs[i].task);
}

/* A row takes 0.4 ms, and in twice as many 7 % less. */
TEST(class_batch_makes_no_long_runs_before_its_betters)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 32});
  struct lane *lane = lane_of(&loaded, NULL);
  struct turns turns;
  int64_t until_us;
  int n = 0;
  turns_init(&turns);
  lane->queue.turns = &turns;
  for (double rows = 1, ns = 400000; rows <= 32; rows *= 2, ns *= 0.93)
    for (int i = 0; i < 3; i++) pace_add(&lane->batch.pace, (uint32_t)rows, (int64_t)(rows * ns));
  /* Alone it has all it can get. */
  for (int i = 0; i < 16; i++) ask_as(&loaded, lane, n++, CLASS_BATCH);
  EXPECT(queue_next(&turns, 100) == &lane->queue);
  EXPECT_INT(close_now(lane, 100, &until_us), 16);
  /* Beside its betters it may go along as far as a run is short. */
  for (int i = 0; i < 8; i++) ask_as(&loaded, lane, n++, CLASS_BATCH);
  ask_as(&loaded, lane, n++, CLASS_INTERACTIVE);
  EXPECT(queue_next(&turns, 200) == &lane->queue);
  EXPECT_INT(close_now(lane, 200, &until_us), 2);
  for (int i = 0; i < 5; i++) ask_as(&loaded, lane, n++, CLASS_INTERACTIVE);
  EXPECT(queue_next(&turns, 300) == &lane->queue);
  EXPECT_INT(close_now(lane, 300, &until_us), 5);
  EXPECT(queue_next(&turns, 400) == &lane->queue); /* none is there, but may come */
  EXPECT_INT(close_now(lane, 400, &until_us), 2);
  EXPECT(queue_next(&turns, 1000300) == &lane->queue);
  EXPECT_INT(close_now(lane, 1000300, &until_us), 5);
  lane_free(lane);
  turns_deinit(&turns);
  rigs_end(n);
}

TEST(rows_of_one_request_are_never_split)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 4});
  struct lane *lane = lane_of(&loaded, NULL);
  int64_t until_us;
  rig_pace(lane);
  ask(&loaded, lane, 0, 9, 2, 100); /* the loop refuses it; a lane would run it alone */
  ask(&loaded, lane, 1, 1, 2, 100);
  EXPECT_INT(close_now(lane, 100, &until_us), 9);
  EXPECT_INT(close_now(lane, 100, &until_us), 1);
  lane_free(lane);
}

TEST(a_preferred_size_closes_a_batch_before_its_time)
{
  struct loaded loaded = fake_loaded((struct batch_spec){
      16, .delay_fixed = true, .delay_us_max = 500, .preferred = {4, 8}, .n_preferred = 2});
  struct lane *lane = lane_of(&loaded, NULL);
  int64_t until_us;
  rig_pace(lane);
  for (int i = 0; i < 3; i++) ask(&loaded, lane, i, 1, 2, 100);
  EXPECT_INT(close_now(lane, 110, &until_us), 0);
  EXPECT_INT(until_us, 600);
  for (int i = 3; i < 11; i++) ask(&loaded, lane, i, 1, 2, 120);
  EXPECT_INT(close_now(lane, 120, &until_us), 8); /* of 11 */
  EXPECT_INT(close_now(lane, 599, &until_us), 0);
  EXPECT_INT(close_now(lane, 620, &until_us), 3); /* time is up */
  for (int i = 0; i < 20; i++) ask(&loaded, lane, i, 1, 2, 700);
  EXPECT_INT(close_now(lane, 700, &until_us), 16);
  EXPECT_INT(close_now(lane, 700, &until_us), 4);
  lane_free(lane);
}

TEST(deadlines_close_a_batch_and_bound_it)
{
  struct loaded loaded =
      fake_loaded((struct batch_spec){.rows_max = 32, .delay_fixed = true, .delay_us_max = 50000});
  struct lane *lane = lane_of(&loaded, NULL);
  int64_t until_us;
  rig_pace(lane);
  ask(&loaded, lane, 0, 1, 2, 1000)->deadline_us = 21000;
  lane->queue.soonest_us = 21000; /* it was said after the push */
  EXPECT_INT(close_now(lane, 1000, &until_us), 0);
  EXPECT_INT(until_us, 21000 - 1000 - 1000); /* a run and a millisecond before */
  EXPECT_INT(close_now(lane, 19000, &until_us), 1);
  for (int i = 0; i < 32; i++) ask(&loaded, lane, i, 1, 2, 1000)->deadline_us = 60000;
  rigs[0].task.deadline_us = lane->queue.soonest_us = 10500;
  EXPECT_INT(close_now(lane, 1000, &until_us), 8); /* 1 ms each, as far as is known: 8.5 ms left */
  rigs[20].task.deadline_us = 5000; /* not the first: others' batches are not its affair */
  EXPECT_INT(close_now(lane, 1000, &until_us), 24);
  while (close_now(lane, 60000, &until_us)) continue;
  while (lane_dead(lane, 60000000)) continue;
  lane_free(lane);
}

TEST(those_whose_cost_is_measured_run_alone)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 8});
  struct lane *lane = lane_of(&loaded, NULL);
  int64_t until_us;
  rig_pace(lane);
  make(&loaded, lane, 0, 1, 2, 100)->costs = true;
  lane_push(lane, &rigs[0].task);
  for (int i = 1; i < 4; i++) ask(&loaded, lane, i, 1, 2, 100);
  EXPECT_INT(close_now(lane, 100, &until_us), 1);
  EXPECT_INT(close_now(lane, 100, &until_us), 3);
  lane_free(lane);
}

TEST(the_dead_have_no_seat_and_others_take_theirs)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 4});
  struct lane *lane = lane_of(&loaded, NULL);
  int64_t until_us;
  rig_pace(lane);
  for (int i = 0; i < 8; i++) ask(&loaded, lane, i, 1, 2, 100);
  atomic_store(&rigs[0].task.gone, true);
  atomic_store(&rigs[2].task.gone, true);
  EXPECT_INT(close_now(lane, 100, &until_us), 4);
  EXPECT_INT(close_now(lane, 100, &until_us), 2);
  int dead = 0;
  for (struct task *task; (task = lane_dead(lane, 100000)); dead++)
    EXPECT_INT(task->err.code, E_CANCELLED);
  EXPECT_INT(dead, 2);
  lane_free(lane);
}

/* The objective is half of what requests have: to a lane a server's deadline, or theirs, is what a
 * model's is. */
TEST(a_delay_is_bounded_by_the_deadlines_that_come)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 8});
  struct lane *lane = lane_of(&loaded, NULL);
  EXPECT_INT(lane->batch.delay.us_max, DELAY_US_MAX);
  make(&loaded, lane, 0, 1, 2, 1000)->deadline_us = 1000 + 8000;
  lane_push(lane, &rigs[0].task);
  EXPECT_INT(lane->batch.delay.slo_us, 4000);
  EXPECT_INT(lane->batch.delay.us_max, 1000);
  int64_t now_ns = 1000000;
  while (lane->queue.waiting) (void)lane_run(lane, &now_ns);
  lane_free(lane);
  loaded.deadline_us = 100000; /* its own word holds */
  lane = lane_of(&loaded, NULL);
  make(&loaded, lane, 1, 1, 2, 1000)->deadline_us = 1000 + 8000;
  lane_push(lane, &rigs[1].task);
  EXPECT_INT(lane->batch.delay.slo_us, 50000);
  now_ns = 1000000;
  while (lane->queue.waiting) (void)lane_run(lane, &now_ns);
  lane_free(lane);
  rigs_end(2);
}

TEST(a_resident_never_waits)
{
  struct loaded loaded =
      fake_loaded((struct batch_spec){.rows_max = 8, .delay_fixed = true, .delay_us_max = 5000});
  struct lane *lane = lane_of(&loaded, NULL);
  int64_t until_us;
  rig_pace(lane);
  lane->batch.waits = false;
  ask(&loaded, lane, 0, 1, 2, 100);
  EXPECT_INT(close_now(lane, 100, &until_us), 1);
  lane_free(lane);
}

/* ---- runs */

TEST(each_member_gets_its_rows)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 32});
  struct lane *lane = lane_of(&loaded, NULL);
  rig_pace(lane);
  for (int i = 0; i < 9; i++) ask(&loaded, lane, i, 1 + (uint32_t)i % 3, 5, 1);
  EXPECT_INT(rig_run_all(lane, clock_ns()), 1);
  EXPECT_INT(fake_does.runs, 1);
  for (int i = 0; i < 9; i++) {
    struct task *task = &rigs[i].task;
    EXPECT(answered(i));
    EXPECT_INT(task->batch_rows, 18);
    EXPECT_INT(task->leads, i == 0);
    EXPECT(task->began_ns <= task->input_ns && task->input_ns <= task->infer_ns);
    EXPECT(task->infer_ns <= task->output_ns);
    EXPECT_STR(task->outputs[0].name.at, "x");
  }
  EXPECT_INT(fake_does.mixed, 0);
  rigs_end(9);
  lane_free(lane);
}

/* Each call reads the contract of the world that it holds; another's may be freed before its own
 * answer is written. */
TEST(a_member_names_its_outputs_as_its_own_world_does)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 32});
  struct lane *lane = lane_of(&loaded, NULL);
  struct tensor_spec specs[3] = {fake_spec, fake_spec, fake_spec};
  struct contract contracts[3];
  char names[3] = {'x', 'x', 'x'};
  rig_pace(lane);
  for (int i = 0; i < 3; i++) {
    specs[i].name = (struct slice){&names[i], 1};
    contracts[i] = (struct contract){&specs[i], &specs[i], 1, 1, true};
    make(&loaded, lane, i, 1, 3, 1)->contract = &contracts[i];
    lane_push(lane, &rigs[i].task);
  }
  EXPECT_INT(rig_run_all(lane, clock_ns()), 1);
  for (int i = 0; i < 3; i++) EXPECT(rigs[i].outputs[0].name.at == &names[i]);
  rigs_end(3);
  lane_free(lane);
}

TEST(a_batch_of_one_is_the_task_itself)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 32});
  struct lane *lane = lane_of(&loaded, NULL);
  ask(&loaded, lane, 0, 2, 4, 1);
  EXPECT_INT(rig_run_all(lane, clock_ns()), 1);
  EXPECT(answered(0));
  EXPECT_INT(rigs[0].task.batch_rows, 2);
  EXPECT(rigs[0].task.leads);
  EXPECT(lane->batch.joint == NULL);
  rigs_end(1);
  lane_free(lane);
}

TEST(one_bad_row_fails_alone)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 32});
  struct lane *lane = lane_of(&loaded, NULL);
  rig_pace(lane);
  for (int i = 0; i < 8; i++) ask(&loaded, lane, i, 2, 3, 1);
  data[3][4] = data[6][1] = -1;
  EXPECT_INT(rig_run_all(lane, clock_ns()), 1);
  EXPECT_INT(fake_does.runs, 1 + 8);
  for (int i = 0; i < 8; i++) {
    if (i == 3 || i == 6)
      EXPECT_INT(rigs[i].task.err.code, E_MODEL_FAILED);
    else
      EXPECT(answered(i));
    EXPECT(rigs[i].task.leads);
    EXPECT_INT(rigs[i].task.batch_rows, 2);
  }
  EXPECT_INT(lane->batch.rows_max, 32); /* nobody's fault but theirs */
  rigs_end(8);
  lane_free(lane);
}

TEST(batches_that_are_refused_without_a_guilty_member_shrink)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 32});
  struct lane *lane = lane_of(&loaded, NULL);
  rig_pace(lane);
  fake_does.rows_max = 5;
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 32; i++) ask(&loaded, lane, i, 1, 3, 1);
    rig_run_all(lane, clock_ns());
    for (int i = 0; i < 32; i++) EXPECT(answered(i));
    rigs_end(32);
  }
  EXPECT_INT(lane->batch.rows_max, 4);
  fake_does.rows_max = 1;
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 8; i++) ask(&loaded, lane, i, 1, 3, 1);
    rig_run_all(lane, clock_ns());
    rigs_end(8);
  }
  EXPECT_INT(lane->batch.rows_max, 1);
  lane_free(lane);
}

TEST(a_model_whose_answer_has_other_rows_is_not_batched)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 32});
  struct lane *lane = lane_of(&loaded, NULL);
  rig_pace(lane);
  fake_does.one_row = true;
  for (int i = 0; i < 4; i++) ask(&loaded, lane, i, 1, 3, 1);
  rig_run_all(lane, clock_ns());
  EXPECT_INT(lane->batch.rows_max, 1);
  EXPECT_INT(fake_does.runs, 1 + 4);
  for (int i = 0; i < 4; i++) EXPECT(answered(i));
  rigs_end(4);
  lane_free(lane);
}

TEST(two_shapes_never_share_a_batch)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 16});
  struct lane *lane = lane_of(&loaded, NULL);
  struct rand rand;
  int batches = 0, asked = 0, shared = 0;
  rand_seed(&rand, 19);
  rig_pace(lane);
  while (asked < 10000) {
    int n = 1 + (int)(rand_u64(&rand) % 24);
    for (int i = 0; i < n; i++) {
      uint32_t columns = 2 + (uint32_t)(rand_u64(&rand) & 1);
      make(&loaded, lane, i, 1 + (uint32_t)(rand_u64(&rand) % 3), columns, 1);
      if (rand_u64(&rand) & 1) rigs[i].task.signature = 7; /* a collision is no likeness */
      rigs[i].task.tenant = (uint32_t)(rand_u64(&rand) % 3);
      lane_push(lane, &rigs[i].task);
    }
    batches += rig_run_all(lane, clock_ns());
    for (int i = 0; i < n; i++) {
      EXPECT(answered(i));
      shared += rigs[i].task.batch_rows > rigs[i].task.rows;
    }
    rigs_end(n);
    asked += n;
    if (test_failures) break;
  }
  EXPECT_INT(fake_does.mixed, 0);
  EXPECT(batches < asked / 2);
  EXPECT(shared > asked / 2);
  lane_free(lane);
}

TEST(a_run_nobody_waits_for_any_more_is_ended_and_counts_once)
{
  struct watch *watch = watch_new();
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 8});
  struct lane *lane = lane_of(&loaded, watch);
  rig_pace(lane);
  fake_does.slow = true;
  int64_t now_us = clock_us();
  for (int i = 0; i < 4; i++) {
    make(&loaded, lane, i, 1, 3, now_us)->deadline_us = now_us + 20000 * (i + 1);
    lane_push(lane, &rigs[i].task);
  }
  EXPECT_INT(rig_run_all(lane, now_us * 1000), 1);
  int leads = 0;
  for (int i = 0; i < 4; i++) {
    EXPECT_INT(rigs[i].task.err.code, E_DEADLINE_EXCEEDED);
    EXPECT(rigs[i].task.infer_ns / 1000 >= now_us + 80000); /* the last one's deadline */
    leads += rigs[i].task.leads;
  }
  EXPECT_INT(leads, 1);
  EXPECT_INT(fake_does.runs, 1);
  rigs_end(4);
  lane_free(lane);
  watch_free(watch);
}

TEST(the_memory_of_batches_is_kept_warm_and_told)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 64});
  struct engine engine = fake;
  loaded.engine = &engine;
  struct lane *lane = lane_of(&loaded, NULL);
  uint64_t grabs = 0;
  rig_pace(lane);
  for (int round = 0; round < 6; round++) {
    for (int i = 0; i < 16; i++) {
      ask(&loaded, lane, i, 2, 20, 1);
      must(arena_room(&rigs[i].scratch, 4096));
    }
    uint64_t before = grab_count();
    EXPECT_INT(rig_run_all(lane, clock_ns()), 1);
    grabs = grab_count() - before;
    EXPECT(rigs[3].task.model_bytes >= 2 * 16 * 2 * 20 * 4);
    rigs_end(16);
  }
  EXPECT_INT(grabs, 0);
  lane_free(lane);
}

TEST(a_member_without_room_for_its_answer_fails_alone)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 64});
  struct lane *lane = lane_of(&loaded, NULL);
  rig_pace(lane);
  for (int i = 0; i < 4; i++) ask(&loaded, lane, i, 2, 20, 1);
  arena_init(&rigs[2].scratch, 16, NULL);
  EXPECT_INT(rig_run_all(lane, clock_ns()), 1);
  for (int i = 0; i < 4; i++)
    if (i == 2)
      EXPECT_INT(rigs[i].task.err.code, E_OUT_OF_MEMORY);
    else
      EXPECT(answered(i));
  rigs_end(4);
  lane_free(lane);
}

static enum code spin_run(void *seat, struct task *task, struct err *err)
{
  int64_t until_ns = clock_thread_ns() + 4000000;
  while (clock_thread_ns() < until_ns) {
  }
  return fake_run(seat, task, err);
}

TEST(the_cost_of_a_run_is_shared_by_rows)
{
  struct loaded loaded = fake_loaded((struct batch_spec){.rows_max = 64});
  struct engine engine = fake;
  engine.run = spin_run;
  engine.cancel = NULL;
  loaded.engine = &engine;
  struct lane *lane = lane_of(&loaded, NULL);
  struct task *members[2];
  int64_t now_ns = clock_ns(), until_us;
  rig_pace(lane);
  ask(&loaded, lane, 0, 1, 2, 1);
  ask(&loaded, lane, 1, 3, 2, 1);
  EXPECT_INT(batch_close(lane, now_ns / 1000, members, &until_us), 2);
  rigs[0].task.costs = rigs[1].task.costs = true;
  batch_run(lane, members, 2, &now_ns);
  EXPECT(rigs[0].task.cpu_ns >= 1000000);
  EXPECT(rigs[1].task.cpu_ns >= 3 * rigs[0].task.cpu_ns - 3 && rigs[1].task.cpu_ns > 0);
  rigs_end(2);
  lane_free(lane);
}

/* ---- on a thread */

TEST(a_worker_waits_for_company_and_no_longer)
{
  struct rig_worker worker;
  struct loaded loaded =
      fake_loaded((struct batch_spec){.rows_max = 8, .delay_fixed = true, .delay_us_max = 700000});
  rig_worker_init(&worker, &home, &loaded);
  struct mailbox *to = worker_mailbox(worker.worker);
  int got;
  mail_send(to, &make(&loaded, worker.lane, 0, 1, 3, clock_us())->mail);
  EXPECT(mailbox_wait(&home, INT64_MAX) == &rigs[0].task.mail); /* the first: nothing is known */
  for (int i = 1; i < 4; i++) {
    mail_send(to, &make(&loaded, worker.lane, i, 1, 3, clock_us())->mail);
    usleep(100);
  }
  for (got = 0; got < 3;)
    for (struct mail *m = mailbox_wait(&home, INT64_MAX); m; m = m->next) got++;
  for (int i = 1; i < 4; i++) {
    EXPECT(answered(i));
    EXPECT_INT(rigs[i].task.batch_rows, 3);
    EXPECT(rigs[i].task.infer_ns > rigs[i].task.queued_ns);
  }
  rig_worker_deinit(&worker);
  rigs_end(4);
}
