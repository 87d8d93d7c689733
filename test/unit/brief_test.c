/* brief_test.c - whose presence keeps the runs of others brief.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mem.h"
#include "infer/batch/batch.h"
#include "infer_rig.h"

enum { ASKS_MAX = 64 };

static struct mailbox home;
static struct rig_task rigs[ASKS_MAX];
static float data[4] = {1, 2, 3, 4};
static int n_asks;

static enum code fake_sit(void *model, void **seat, struct err *err)
{
  (void)model, (void)err;
  *seat = data;
  return OK;
}

static void fake_leave(void *seat) { (void)seat; }

static const struct engine fake = {.name = "fake", .sit = fake_sit, .leave = fake_leave};
static const struct tensor_spec spec = {
    .name = {"x", 1}, .dtype = DT_FP32, .shape = {2, {-1, -1}}};
static struct loaded loaded = {
    .engine = &fake, .contract = {&spec, &spec, 1, 1, true}, .batch = {.rows_max = 32}};

/* A row takes 0.4 ms, and in twice as many 7 % less: two make a brief run. */
static struct lane *lane_of(struct turns *turns)
{
  struct err err;
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  must(lane);
  lane->queue.turns = turns;
  for (double rows = 1, ns = 400000; rows <= 32; rows *= 2, ns *= 0.93)
    for (int i = 0; i < 3; i++) pace_add(&lane->batch.pace, (uint32_t)rows, (int64_t)(rows * ns));
  return lane;
}

static void ask(struct lane *lane, uint32_t tenant, int times)
{
  for (int i = 0; i < times; i++) {
    struct rig_task *rig = &rigs[n_asks++];
    must(n_asks <= ASKS_MAX);
    rig_task_init(rig, &loaded, lane, &home);
    rig_input(rig, 0, DT_FP32, (struct shape){2, {1, 4}}, data, 0);
    rig->task.rows = 1;
    rig->task.class = CLASS_INTERACTIVE;
    rig->task.tenant = tenant;
    rig->task.queued_ns = 100000;
    lane_push(lane, &rig->task);
  }
}

/* How many rows its turn has; the turn costs so much. */
static uint32_t turn_of(struct turns *turns, struct lane *lane, int64_t cost_ns)
{
  static struct task *members[BATCH_TASKS_MAX];
  int64_t until_us;
  EXPECT(queue_next(turns, 100) == &lane->queue);
  uint32_t n = batch_close(lane, 100, members, &until_us);
  queue_charge(&lane->queue, members, n, cost_ns);
  return n;
}

TEST(a_light_tenants_second_request_waits_for_no_long_run)
{
  struct turns turns;
  turns_init(&turns);
  struct lane *loud = lane_of(&turns), *quiet = lane_of(&turns);
  ask(loud, 1, 4);
  EXPECT_INT(turn_of(&turns, loud, 300000), 4);
  ask(quiet, 2, 1);
  EXPECT_INT(turn_of(&turns, quiet, 400000), 1);
  ask(quiet, 2, 1); /* was served more, and has to wait: briefly */
  ask(loud, 1, 16);
  EXPECT_INT(turn_of(&turns, loud, 50000), 2);
  ask(quiet, 2, 8); /* no longer light: long runs are cheaper for both */
  EXPECT_INT(turn_of(&turns, loud, 900000), 14);
  while (quiet->queue.waiting) turn_of(&turns, quiet, 1);
  lane_free(loud);
  lane_free(quiet);
  turns_deinit(&turns);
  for (int i = 0; i < n_asks; i++) rig_task_deinit(&rigs[i]);
}
