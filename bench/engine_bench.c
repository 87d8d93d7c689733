/* engine_bench.c - what one task costs in a lane: echo, and the MLP 16-64-64-4 through ONNX
 * Runtime; wall time per task on one thread, letters to and from a resident worker included.
 *   make build/release/engine_bench && build/release/engine_bench [MODEL.onnx]
 * Prints the least and the median of 61 rounds each, nanoseconds: on a busy machine believe the
 * least.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "../test/infer_rig.h"

enum { ROUNDS = 61, LATER_US = 10000000 };

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* One task at a time, sent, run and back: the way of a resident lane. */
static void task_time(struct worker *worker, struct mailbox *home, struct rig_task *rig, int n,
                      double rounds[ROUNDS])
{
  for (int r = 0; r < ROUNDS; r++) {
    int64_t began_ns = clock_ns(), deadline_us = clock_us() + LATER_US;
    for (int i = 0; i < n; i++) {
      rig->task.mail.kind = LETTER_TASK;
      rig->task.deadline_us = deadline_us;
      arena_reset(&rig->scratch);
      mail_send(worker_mailbox(worker), &rig->task.mail);
      must(worker_turn(worker));
      must(mailbox_take(home) == &rig->task.mail && rig->task.err.code == OK);
    }
    rounds[r] = (double)(clock_ns() - began_ns) / n;
  }
  qsort(rounds, ROUNDS, sizeof *rounds, by_size);
}

static void measure(const char *what, const char *engine, const char *name, struct slice bytes,
                    int64_t rows, int64_t columns, bool watched)
{
  struct loaded loaded;
  struct err err;
  if (rig_open(engine, name, bytes, &loaded, &err) != OK) {
    printf("%-36s skipped: %s\n", what, err.text);
    return;
  }
  struct mailbox home;
  mailbox_init(&home, NULL, NULL);
  struct watch *watch = watched ? watch_new() : NULL;
  struct worker *worker = worker_new_resident(0, watch, NULL, NULL);
  struct letter_lane letter = {.mail.kind = LETTER_LANE_OPEN, .home = &home, .loaded = &loaded};
  mail_send(worker_mailbox(worker), &letter.mail);
  must(worker_turn(worker) && mailbox_take(&home) && letter.lane);
  float *x = calloc((size_t)(rows * columns), sizeof *x);
  for (int64_t i = 0; i < rows * columns; i++) x[i] = (float)(i % 7) * 0.25f;
  struct rig_task rig;
  rig_task_init(&rig, &loaded, letter.lane, &home);
  rig_input(&rig, 0, DT_FP32, (struct shape){2, {rows, columns}}, x, 0);
  rig.task.wanted = 1;
  double rounds[ROUNDS];
  task_time(worker, &home, &rig, rows > 1000 ? 5 : 500, rounds);
  printf("%-36s %8.0f %8.0f\n", what, rounds[0], rounds[ROUNDS / 2]);
  letter.mail.kind = LETTER_LANE_CLOSE;
  mail_send(worker_mailbox(worker), &letter.mail);
  must(worker_turn(worker) && mailbox_take(&home));
  worker_free(worker);
  watch_free(watch);
  rig_task_deinit(&rig);
  rig_close(&loaded);
  free(x);
}

static struct slice file_read(const char *path)
{
  static char bytes[8 << 20];
  FILE *file = fopen(path, "rb");
  if (!file) return SLICE_NONE;
  size_t len = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  return slice_of(bytes, len);
}

int main(int argc, char **argv)
{
  struct slice echo = SLICE(
      "{\"engine\":\"echo\",\"inputs\":"
      "[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,16]}]}");
  struct slice mlp = file_read(argc > 1 ? argv[1] : "bench/models/mlp.onnx");
  printf("%-36s %8s %8s\n", "ns per task", "least", "median");
  measure("echo, 1 row", "echo", "model.json", echo, 1, 16, false);
  measure("echo, 1 row, watched", "echo", "model.json", echo, 1, 16, true);
  measure("onnx MLP 16-64-64-4, 1 row", "onnx", "model.onnx", mlp, 1, 16, false);
  measure("onnx MLP 16-64-64-4, 1 row, watched", "onnx", "model.onnx", mlp, 1, 16, true);
  measure("onnx MLP 16-64-64-4, 32 rows", "onnx", "model.onnx", mlp, 32, 16, true);
  measure("onnx MLP 16-64-64-4, 4096 rows", "onnx", "model.onnx", mlp, 4096, 16, true);
  return 0;
}
