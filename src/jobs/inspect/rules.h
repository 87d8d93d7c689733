/* rules.h - what a model may take while it is looked at, and by which rules it was.
 * Thread: job. rules_stamp opens the engine's library where nobody has yet; the rest is pure.
 * Source: robustness rules, sections 3 and 6.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_INSPECT_RULES_H
#define JOBS_INSPECT_RULES_H

#include "infer/engine.h"
#include "world/letters.h"

/* Counts up when a look finds what it did not find before: then versions are looked at again. */
enum { RULES_VERSION = 1, RULES_ARENA_MAX = 16 << 20 };
#define RULES_TIME_US      INT64_C(120000000)
#define RULES_MEMORY_SPARE (UINT64_C(512) << 20)

/* Three times the files, and what is said beside. */
static inline uint64_t rules_memory(uint64_t files_bytes, uint64_t spare)
{
  return files_bytes < UINT64_MAX / 8 ? 3 * files_bytes + spare : UINT64_MAX / 2;
}

/* "1 onnx/1.28.0": rules, engine, and the library behind it where it has one. */
void rules_stamp(const struct engine *engine, char to[INSPECT_WORD_MAX]);
/* Whether a version with this stamp need not be looked at again here. */
bool rules_stamp_holds(struct slice stamp);

#endif
