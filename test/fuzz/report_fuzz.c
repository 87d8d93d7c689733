/* report_fuzz.c - any bytes as what a process that looks at a model says, in any portions: what is
 * believed is within bounds, and the same in one portion and in many.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "jobs/inspect/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool word_ends(const char *word) { return memchr(word, 0, INSPECT_WORD_MAX) != NULL; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct report_in whole, parts;
  struct inspected found, again;
  struct slice bytes = slice_of((const char *)data, size);
  uint32_t walls = 0, abi = 0;
  struct err err, other;
  report_in_init(&whole);
  report_in_init(&parts);
  report_in_add(&whole, bytes);
  for (size_t at = 0, step = 1; at < size; at += step, step = step % 37 + 1)
    report_in_add(&parts, slice_of(bytes.at + at, step < size - at ? step : size - at));
  bool good = report_read(&whole, &found, &walls, &abi, &err);
  must(good == report_read(&parts, &again, &walls, &abi, &other));
  must(stage_text(whole.stage) != NULL && whole.stage == parts.stage);
  must(whole.len <= sizeof whole.report);
  if (!good) return 0;
  must(err.code < CODE_COUNT && err.code == other.code);
  must(memchr(err.text, 0, sizeof err.text) && memchr(err.field, 0, sizeof err.field));
  must(word_ends(found.engine) && word_ends(found.stamp));
  must((found.engine[0] != 0) == (err.code == OK));
  must(found.load_us >= 0 && found.run_ns >= 0 && walls <= 15);
  return 0;
}
