/* plan_set.h - the plan of a test's release, from its text.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef UNIT_PLAN_SET_H
#define UNIT_PLAN_SET_H

#include "judge/plan.h"

static struct plan plan;
static struct digest spec;

static void plan_set(const char *text)
{
  struct arena arena;
  struct err err = {0};
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  EXPECT_INT(plan_read(&plan, slice_str(text), &arena, &err), OK);
  spec = plan_hash(&plan, &arena);
  arena_deinit(&arena);
}

#endif
