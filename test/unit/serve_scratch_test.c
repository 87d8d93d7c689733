/* serve_scratch_test.c - what a lane gets: to write its outputs into, memory that holds nothing of
 * the request before, be it another tenant's; tasks, several at once where the loop bundles them.
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

static uint32_t taken; /* by lanes, and answered */

static void lanes_answer(uint32_t n)
{
  static const float scores[] = {0.25f, 0.75f};
  struct mail *mail = mailbox_take(&lanes[0]);
  for (struct mail *next; n > 0 && mail; mail = next, n--, taken++) {
    next = mail->next;
    task_answer(LETTER_OF(mail, struct task), scores, 2, OK);
  }
  EXPECT(!mail);
}

static void calls_end(uint32_t n)
{
  serve_turn(serve, now_us += 100, 0);
  for (uint32_t i = 0; i < n; i++) {
    EXPECT_INT(path_resume(&calls[i]), STEP_REPLY);
    path_end(&calls[i]);
  }
}

static void calls_lend(uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    call_open(&calls[i], "r", NULL, NULL);
    call_lend(&calls[i], NULL, "1,2");
  }
}

TEST(a_worker_gets_the_tasks_of_a_turn_together)
{
  fake_up();
  publish();
  serve_bundle(serve, true);
  taken = 0;
  calls_lend(3);
  EXPECT(mailbox_empty(&lanes[0])); /* they wait for the turn's end */
  serve_send(serve);
  EXPECT(!mailbox_empty(&lanes[0]));
  lanes_answer(3);
  EXPECT_INT(taken, 3);
  calls_end(3);
  calls_lend(20); /* but not for ever */
  EXPECT(!mailbox_empty(&lanes[0]));
  serve_send(serve);
  lanes_answer(20);
  EXPECT_INT(taken, 23);
  calls_end(20);
  fake_down();
}
