/* outcome_rig.h - predictions of one model, and what is told of them, in a store of their own.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef OUTCOME_RIG_H
#define OUTCOME_RIG_H

#include "test.h"

#include <math.h>
#include <stdio.h>

#include "store.h"
#include "store/outcome.h"

enum { NOW = 1700000000, DAY_MS = 86400000 };
static const int64_t now_ms = (int64_t)NOW * 1000;
static const struct prediction_owner owner = {
    .slot = 1, .tenant = SLICE("default"), .model = SLICE("fraud")};

static inline struct prediction predicted(int number, int arm, int64_t wall_ms)
{
  struct prediction row = {.arm = (uint8_t)arm,
                           .model = 1,
                           .release = 3,
                           .version = 1 + (uint32_t)arm,
                           .weight = arm ? 95000000 : 5000000,
                           .wall_ms = wall_ms,
                           .unit = (uint64_t)number,
                           .label = number % 2,
                           .score = 0.25f};
  row.id_len = (uint8_t)snprintf(row.id, sizeof row.id, "r-%d", number);
  return row;
}

static inline struct feedback told(const char *id, double value, int64_t at_ms)
{
  static char texts[64][32];
  static int n;
  char *text = texts[n++ % 64];
  snprintf(text, sizeof texts[0], "%g", value);
  return (struct feedback){.model = owner.model,
                           .id = slice_str(id),
                           .outcome = slice_str(text),
                           .value = value,
                           .label = (int64_t)value,
                           .weight = 1,
                           .at_ms = at_ms};
}

static const char *temp;

static inline struct outcomes *opened(struct datadir *dir, const char *vfs)
{
  struct outcomes *outcomes;
  struct err err = {0};
  temp = temp_dir();
  EXPECT_INT(datadir_open(dir, temp, &err), OK);
  EXPECT_INT(outcomes_open(&outcomes, dir, vfs, true, &err), OK);
  return outcomes;
}

static inline void closed(struct outcomes *outcomes, struct datadir *dir)
{
  outcomes_close(outcomes);
  datadir_close(dir);
  temp_remove(temp);
}

static inline uint32_t predict(struct outcomes *outcomes, const struct prediction *rows, uint32_t n)
{
  struct err err = {0};
  uint32_t dropped;
  EXPECT_INT(outcomes_predicted(outcomes, &owner, rows, n, &dropped, &err), OK);
  return dropped;
}

static inline enum feedback_state tell(struct outcomes *outcomes, struct feedback item)
{
  struct err err = {0};
  uint32_t bad;
  EXPECT_INT(outcomes_told(outcomes, owner.tenant, &item, 1, now_ms, &bad, &err), OK);
  return item.state;
}

static inline void measure(struct outcomes *outcomes, int64_t mature_ms, int64_t maturity_ms,
                           double cap, struct outcome_sums arms[ARMS_MAX])
{
  struct err err = {0};
  struct outcome_question of = {.tenant = owner.tenant,
                                .model = owner.model,
                                .release = 3,
                                .mature_ms = mature_ms,
                                .maturity_ms = maturity_ms,
                                .cap = cap};
  EXPECT_INT(outcomes_measured(outcomes, &of, arms, &err), OK);
}

static inline int64_t parts(double value, double cap)
{
  int64_t to = -1;
  EXPECT(mean_parts(value, cap, &to));
  return to;
}

#endif
