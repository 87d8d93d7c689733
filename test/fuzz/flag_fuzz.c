/* flag_fuzz.c - any bytes as a flag file and a context: every flag answers within its budget, the
 * same twice, and what is written reads back.
 * Input: the file, a line feed, the context.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "flag/flag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MAX = 16 << 20, STEPS_MAX = 20000 };

static void written_reads_back(const struct value *value, struct arena *arena)
{
  struct json_out one, two;
  struct value again;
  json_out_init(&one, arena, 256);
  value_write(&one, value);
  if (one.full) return;
  must(value_read(json_out_lend(&one), VALUE_AS_WRITTEN, arena, &again, NULL) == OK);
  json_out_init(&two, arena, 256);
  value_write(&two, &again);
  must(two.full || slice_eq(json_out_lend(&one), json_out_lend(&two)));
}

static void flag_try(const struct flag *flag, const struct value *context)
{
  struct flag_result results[2] = {0};
  struct arena arenas[2];
  for (int i = 0; i < 2; i++) {
    uint64_t steps = STEPS_MAX;
    arena_init(&arenas[i], MEMORY_MAX, NULL);
    flag_evaluate(flag, context, 1700000000, &arenas[i], &steps, &results[i]);
    must(steps <= STEPS_MAX);
    must(results[i].error != FLAG_OK || !results[i].variant.at == !results[i].value);
  }
  must(results[0].error == results[1].error && results[0].value == results[1].value);
  must(slice_eq(results[0].variant, results[1].variant));
  for (int i = 0; i < 2; i++) arena_deinit(&arenas[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct arena arena;
  struct err err = {0};
  struct flags flags;
  struct value file, context = VALUE_OF_NULL;
  struct slice text = slice_of((const char *)data, size), rest = SLICE_NONE;
  const char *line = size ? memchr(data, '\n', size) : NULL;
  if (line) {
    rest = slice_of(line + 1, size - (size_t)(line + 1 - text.at));
    text.len = (size_t)(line - text.at);
  }
  arena_init(&arena, MEMORY_MAX, NULL);
  if (value_read(text, VALUE_AS_WRITTEN, &arena, &file, &err) == OK) {
    written_reads_back(&file, &arena);
    if (value_read(rest, VALUE_SORTED, &arena, &context, &err) != OK) context = VALUE_OF_NULL;
    if (flag_context_check(&context, &err) == OK && flags_make(&file, &arena, &flags, &err) == OK) {
      (void)!flags_check(&flags, &err);
      for (uint32_t i = 0; i < flags.n && i < 20; i++) flag_try(&flags.all[i], &context);
    }
  }
  if (value_read_yaml(text, &arena, &file, &err) == OK) written_reads_back(&file, &arena);
  arena_deinit(&arena);
  return 0;
}
