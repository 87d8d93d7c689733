/* plan_fuzz.c - any text as a plan: it is refused with a place, or it is a plan that is written as
 * one text and reads back as that plan.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "judge/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct plan plan, again;
  struct arena arena;
  struct err err = {0};
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  if (plan_read(&plan, slice_of((const char *)data, size), &arena, &err) != OK) {
    must(err.code != OK && err.text[0]);
  } else {
    must(plan_check(&plan, &err) == OK);
    struct slice text = plan_write(&plan, &arena);
    must(text.at && text.len < PLAN_TEXT_MAX);
    must(plan_read(&again, text, &arena, &err) == OK);
    must(slice_eq(plan_write(&again, &arena), text));
  }
  arena_deinit(&arena);
  return 0;
}
