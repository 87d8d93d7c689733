/* journal_fuzz.c - any bytes as the journal of a release: they are refused, or each look in them is
 * judged, written again as it was read, and explained.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "judge/evidence.h"
#include "judge/explain.h"

/* Looks of older versions are read, and would be written as the newest one. */
static bool is_newest(struct slice row)
{
  struct slice in = row;
  uint64_t kind, len, version;
  return varint_get(&in, &kind) && varint_get(&in, &len) && varint_get(&in, &version) &&
         version == LOOK_VERSION;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was judged can be said. */
static void explain(const struct trial *trial, const struct verdict *verdict, struct arena *arena)
{
  struct explain_input input = {.trial = trial, .verdict = verdict};
  struct json_out out;
  struct json json;
  struct err err;
  arena_reset(arena);
  json_out_init(&out, arena, 16 << 10);
  verdict_json(&input, &out);
  must(!out.full);
  json_init(&json, arena, json_out_lend(&out), &err);
  must(json_skip(&json, NULL) == OK && json_end(&json) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct trial trial;
  static struct look look;
  static unsigned char bytes[EVIDENCE_RECORD_MAX];
  struct slice rest = slice_of((const char *)data, size);
  struct arena arena;
  struct replay replay;
  struct verdict verdict;
  struct err err = {0};
  bool judged, any = false;
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  replay_init(&replay, &trial, &look, &arena);
  while (rest.len) {
    struct slice from = rest;
    if (replay_next(&replay, &rest, &verdict, &judged, &err) != OK) {
      must(err.code != OK && err.text[0] && rest.len == from.len);
      break;
    }
    if (!judged) continue;
    any = true;
    struct varint_out out = {bytes, 0, sizeof bytes, false};
    evidence_look(&look, &out);
    must(!out.full);
    if (is_newest(from))
      must(out.len == from.len - rest.len && !memcmp(bytes, from.at, out.len));
    must(verdict.harmed >= 0 && verdict.kind <= VERDICT_HARM);
  }
  if (any) explain(&trial, &verdict, &arena);
  arena_deinit(&arena);
  return 0;
}
