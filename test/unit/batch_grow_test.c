/* batch_grow_test.c - batches that shrank grow back, later each time; who pays for a shared run.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "infer_rig.h"

enum { TASKS = 8 };

static struct mailbox home;
static struct rig_task rigs[TASKS];
static float zeros[TASKS];
static uint32_t refused_above; /* rows; what is refused is nobody's fault */

static enum code fake_sit(void *model, void **seat, struct err *err)
{
  (void)err;
  *seat = model;
  return OK;
}

static void fake_leave(void *seat) { (void)seat; }

static enum code fake_run(void *seat, struct task *task, struct err *err)
{
  (void)seat;
  if (task->rows > refused_above) return fail(err, E_OUT_OF_MEMORY, "too much at once");
  task->outputs[0] = task->inputs[0];
  return OK;
}

static const struct engine fake = {
    .name = "fake", .sit = fake_sit, .leave = fake_leave, .run = fake_run};
static const struct tensor_spec fake_spec = {
    .name = {"x", 1}, .dtype = DT_FP32, .shape = {2, {-1, 1}}};

/* Eight rows that wait at once, so many times. */
static void rounds(struct loaded *loaded, struct lane *lane, int n)
{
  for (int round = 0; round < n; round++) {
    for (int i = 0; i < TASKS; i++) {
      rig_task_init(&rigs[i], loaded, lane, &home);
      rig_input(&rigs[i], 0, DT_FP32, (struct shape){2, {1, 1}}, &zeros[i], 0);
      rigs[i].task.queued_ns = clock_ns();
      lane_push(lane, &rigs[i].task);
    }
    rig_run_all(lane, clock_ns());
    for (int i = 0; i < TASKS; i++) {
      EXPECT_INT(rigs[i].task.err.code, OK);
      rig_task_deinit(&rigs[i]);
    }
  }
}

TEST(batches_grow_back_after_many_that_were_good)
{
  struct loaded loaded = {.engine = &fake,
                          .contract = {&fake_spec, &fake_spec, 1, 1, true},
                          .batch = {.rows_max = TASKS}};
  struct err err;
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  must(lane != NULL);
  refused_above = 7; /* by one odd input */
  rounds(&loaded, lane, 1);
  EXPECT_INT(lane->batch.rows_max, 4);
  refused_above = 8;
  rounds(&loaded, lane, GROW_AFTER / 2 - 1); /* two batches each */
  EXPECT_INT(lane->batch.rows_max, 4);
  rounds(&loaded, lane, 1);
  EXPECT_INT(lane->batch.rows_max, 8);
  refused_above = 4; /* it was none */
  rounds(&loaded, lane, 1);
  EXPECT_INT(lane->batch.rows_max, 4);
  rounds(&loaded, lane, GROW_AFTER - 1); /* twice as many */
  EXPECT_INT(lane->batch.rows_max, 4);
  rounds(&loaded, lane, 1);
  EXPECT_INT(lane->batch.rows_max, 8);
  rounds(&loaded, lane, 1);
  EXPECT_INT(lane->batch.rows_max, 4);
  EXPECT_INT(lane->batch.grow_after, 4 * GROW_AFTER);
  lane_free(lane);
}

TEST(who_sent_no_rows_pays_for_none_of_the_others)
{
  struct task task = {.input_ns = 1000, .infer_ns = 2000, .batch_rows = 10, .rows = 5};
  EXPECT_INT(task_cost_ns(&task), 500);
  task.rows = 0;
  EXPECT_INT(task_cost_ns(&task), 0);
  task.batch_rows = 0; /* it ran alone */
  EXPECT_INT(task_cost_ns(&task), 1000);
}
