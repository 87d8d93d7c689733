/* close.c - when a batch closes, and with how many rows.
 * Thread: the lane's owner, a worker or a loop.
 * SPDX-License-Identifier: MIT */
#include "infer/lane.h"

enum { TRY_AGAIN = 64 }; /* batches; what was dear once may have been so for another reason */

/* What the deadline of the one whose turn it is and the lane's memory leave of rows_max. Who has
 * less time and is not the first is no worse off in a long run that begins now than behind it; a
 * queue in which everybody's batches were as short as one tenant's deadlines would be. */
static uint32_t rows_most(const struct lane *lane, const struct task *head, int64_t now_us)
{
  const struct batch *batch = &lane->batch;
  uint64_t bytes = 0, rows = batch->rows_max;
  int64_t last_us = head->deadline_us;
  for (uint32_t i = 0; i < head->contract->n_inputs; i++)
    if (head->inputs[i].dtype != DT_NONE) bytes += head->inputs[i].bytes;
  uint64_t each = bytes / head->rows;
  if (each && rows > BATCH_BYTES_MAX / each) rows = BATCH_BYTES_MAX / each;
  int64_t within_us = last_us == INT64_MAX ? INT64_MAX : last_us - now_us - BATCH_SPARE_US;
  return pace_rows(&batch->pace, rows ? (uint32_t)rows : 1, within_us);
}

/* Until when those there may wait for others; not after now_us: they do not. */
static int64_t wait_until(const struct lane *lane, const struct task *head, uint32_t rows,
                          int64_t now_us)
{
  const struct batch *batch = &lane->batch;
  if (!batch->waits || !batch->delay.us) return now_us;
  int64_t eldest_us = queue_eldest_ns(&lane->queue, (enum task_class)head->class) / 1000;
  int64_t until_us = delay_until(&batch->delay, eldest_us, now_us);
  if (lane->queue.soonest_us == INT64_MAX) return until_us;
  int64_t last_us = lane->queue.soonest_us - pace_us(&batch->pace, rows) - BATCH_SPARE_US;
  return until_us < last_us ? until_us : last_us;
}

/* Of rows that could all go now: fewer, where a run of fewer has proved cheaper a row. The others
 * are next, and sooner home than in one run with all. */
static uint32_t rows_cheap(const struct batch *batch, uint32_t rows)
{
  bool again = batch->closed % TRY_AGAIN == 0;
  if (batch->spec->n_preferred) return rows;
  return again ? pace_again(&batch->pace, rows) : pace_cheapest(&batch->pace, rows);
}

/* A run for which others may be made to wait: not much longer than what they would wait for if
 * nothing were shared. */
static int64_t brief_us(const struct batch *batch)
{
  int64_t one_us = pace_usual_us(&batch->pace, 1);
  return 2 * one_us > BATCH_BRIEF_US ? 2 * one_us : BATCH_BRIEF_US;
}

/* Of rows that could go: as many as make a brief run, where one who goes before them may come while
 * it runs and would wait for all of it; so, too, the rows of class BATCH and below that go along
 * with their betters. */
static uint32_t rows_brief(const struct lane *lane, const struct task *head, uint32_t rows,
                           int64_t now_us)
{
  const struct queue *queue = &lane->queue;
  enum task_class class = (enum task_class)head->class;
  uint32_t better = 0;
  bool expect = queue_expect(queue, head, now_us);
  if (class >= CLASS_BATCH && !expect) return rows;
  if (class < CLASS_BATCH && !expect) better = queue_rows_like(queue, head, CLASS_INTERACTIVE);
  if (better >= rows) return rows;
  uint32_t brief = pace_rows_usual(&lane->batch.pace, rows, brief_us(&lane->batch));
  return brief > better ? brief : better;
}

/* How many rows go now; 0: they wait, until *until_us. */
static uint32_t rows_now(const struct lane *lane, const struct task *head, int64_t now_us,
                         int64_t *until_us)
{
  const struct batch_spec *spec = lane->batch.spec;
  uint32_t most = rows_most(lane, head, now_us);
  uint32_t like = queue_rows_like(&lane->queue, head, CLASS_SHADOW), preferred = 0;
  uint32_t rows = rows_brief(lane, head, like, now_us);
  if (rows >= most) return rows_cheap(&lane->batch, most);
  for (uint32_t i = 0; i < spec->n_preferred; i++)
    if (spec->preferred[i] <= rows) preferred = spec->preferred[i];
  if (preferred) return preferred;
  if (rows < like) return rows_cheap(&lane->batch, rows);
  int64_t wait_us = wait_until(lane, head, rows, now_us);
  if (wait_us <= now_us) return rows_cheap(&lane->batch, rows);
  *until_us = wait_us;
  return 0;
}

uint32_t batch_close(struct lane *lane, int64_t now_us, struct task **members, int64_t *until_us)
{
  struct batch *batch = &lane->batch;
  struct task *head = queue_head(&lane->queue, now_us);
  *until_us = INT64_MAX;
  if (!head) return 0;
  if (batch->rows_max <= 1) return queue_take(&lane->queue, head, now_us, 1, members, 1);
  bool alone = head->costs || !head->rows || head->rows >= batch->rows_max;
  uint32_t rows = alone ? head->rows : rows_now(lane, head, now_us, until_us);
  if (!rows && !alone) {
    if (!batch->waiting) batch->wait_came = batch->delay.came;
    batch->waiting = true;
    return 0;
  }
  delay_closed(&batch->delay, now_us, batch->waiting,
               (uint32_t)(batch->delay.came - batch->wait_came));
  batch->waiting = false;
  batch->closed++;
  return queue_take(&lane->queue, head, now_us, rows, members, alone ? 1 : BATCH_TASKS_MAX);
}
