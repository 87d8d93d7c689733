/* rules.c - stamps.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "jobs/inspect/rules.h"

#include <stdio.h>

#include "infer/onnx/ort.h"

void rules_stamp(const struct engine *engine, char to[INSPECT_WORD_MAX])
{
  const struct ort *ort;
  struct err err;
  bool onnx = strcmp(engine->name, "onnx") == 0 && ort_get(&ort, &err) == OK;
  snprintf(to, INSPECT_WORD_MAX, "%d %s%s%s", RULES_VERSION, engine->name, onnx ? "/" : "",
           onnx ? ort->version : "");
}

bool rules_stamp_holds(struct slice stamp)
{
  char now[INSPECT_WORD_MAX];
  const char *space = stamp.len ? memchr(stamp.at, ' ', stamp.len) : NULL;
  if (!space) return false;
  struct slice name = slice_from(stamp, (size_t)(space + 1 - stamp.at));
  const char *slash = memchr(name.at, '/', name.len);
  if (slash) name.len = (size_t)(slash - name.at);
  const struct engine *engine = engine_named(name);
  if (!engine) return false;
  rules_stamp(engine, now);
  return slice_eq(stamp, slice_str(now));
}
