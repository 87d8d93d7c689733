/* serve_scratch_test.c - what a lane gets to write its outputs into holds nothing of the request
 * before, be it another tenant's: a model that writes half of it shows nobody's bytes.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "serve_rig.h"

enum { HALF = 3000 };

/* A request whose lane leaves canaries where it may write; how many bytes were not zero before. */
static size_t dirty_ask(const char *id)
{
  static const float scores[] = {0.25f, 0.75f};
  struct call *call = &calls[0];
  size_t dirty = 0;
  call_open(call, id, NULL, NULL);
  call_lend(call, NULL, "1,2");
  struct task *task = lane_take(1);
  unsigned char *out = task ? arena_get(task->scratch, HALF) : NULL;
  EXPECT(out != NULL);
  for (int i = 0; i < HALF; i++) dirty += out[i] != 0;
  memset(out, 'C', HALF);
  task_answer(task, scores, 2, OK);
  serve_turn(serve, now_us += 100, 0);
  EXPECT_INT(path_resume(call), STEP_REPLY);
  path_end(call);
  return dirty;
}

/* robustness row TN-103 */
TEST(TN_103_a_lane_finds_zeroes_where_another_wrote)
{
  fake_up();
  publish();
  size_t dirty = 0;
  for (int i = 0; i < 20; i++) dirty += dirty_ask("r");
  EXPECT_INT(dirty, 0);
  fake_down();
}
