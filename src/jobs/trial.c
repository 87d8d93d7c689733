/* trial.c - one task, no loop to send it.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "jobs/trial.h"

#include "base/clock.h"

enum code trial_init(struct trial *trial, struct loaded *loaded, struct watch *watch,
                     int64_t deadline_us, struct err *err)
{
  *trial = (struct trial){.contract = &loaded->contract, .deadline_us = deadline_us};
  trial->lane = lane_new(loaded, watch, trial, err);
  if (!trial->lane) return err->code;
  arena_init(&trial->scratch, TRIAL_BYTES_MAX, NULL);
  return OK;
}

void trial_deinit(struct trial *trial)
{
  lane_free(trial->lane);
  arena_deinit(&trial->scratch);
}

enum code trial_run(struct trial *trial, const struct tensor *inputs, uint64_t wanted,
                    uint32_t rows, struct err *err)
{
  struct task task = {.lane = trial->lane,
                      .contract = trial->contract,
                      .inputs = inputs,
                      .wanted = wanted,
                      .rows = rows,
                      .deadline_us = trial->deadline_us,
                      .outputs = trial->outputs,
                      .scratch = &trial->scratch};
  int64_t now_ns = task.queued_ns = clock_ns();
  lane_push(trial->lane, &task);
  must(lane_run(trial->lane, &now_ns) == &task);
  trial->run_ns = task.infer_ns - task.input_ns;
  if (task.err.code != OK) *err = task.err;
  return task.err.code;
}
