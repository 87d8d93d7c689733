/* gather.c - two windows of counts.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "net/gather.h"

static void windows_move(struct gather *gather, int64_t now_us)
{
  int64_t past_us = now_us - gather->since_us;
  if (past_us < GATHER_WINDOW_US) return;
  bool next = past_us < 2 * GATHER_WINDOW_US;
  gather->answers_before = next ? gather->answers : 0;
  gather->refused_before = next ? gather->refused : 0;
  gather->answers = gather->refused = 0;
  gather->since_us = next ? gather->since_us + GATHER_WINDOW_US : now_us;
}

void gather_count(struct gather *gather, int64_t now_us, bool refused)
{
  windows_move(gather, now_us);
  gather->answers++;
  if (refused) gather->refused++;
}

int64_t gather_wait_us(struct gather *gather, int64_t now_us)
{
  windows_move(gather, now_us);
  uint32_t answers = gather->answers + gather->answers_before;
  uint32_t refused = gather->refused + gather->refused_before;
  return refused >= GATHER_MIN && refused > answers / 2 ? GATHER_US : 0;
}
