/* rejudge.c - a trial in the command's own process, fed with what was recorded.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/release/rejudge.h"

#include "base/mem.h"
#include "judge/evidence.h"
#include "judge/explain.h"

struct rejudge {
  struct trial trial;
  struct look look;
  struct verdict verdict;
  struct replay replay;
  struct arena arena;
};

struct rejudge *rejudge_new(void)
{
  struct rejudge *rejudge = grab_zero(1, sizeof *rejudge);
  arena_init(&rejudge->arena, 2 * PLAN_ARENA_BYTES, NULL);
  replay_init(&rejudge->replay, &rejudge->trial, &rejudge->look, &rejudge->arena);
  return rejudge;
}

void rejudge_free(struct rejudge *rejudge)
{
  if (!rejudge) return;
  arena_deinit(&rejudge->arena);
  ungrab(rejudge);
}

enum code rejudge_next(struct rejudge *rejudge, struct slice *bytes, bool *judged, uint64_t *look,
                       struct err *err)
{
  *judged = false;
  if (replay_next(&rejudge->replay, bytes, &rejudge->verdict, judged, err) != OK) return err->code;
  if (*judged) *look = rejudge->look.number;
  return OK;
}

struct slice rejudge_verdict(const struct rejudge *rejudge, struct arena *arena)
{
  struct json_out out;
  json_out_init(&out, arena, 16 << 10);
  verdict_json(&(struct explain_input){.trial = &rejudge->trial, .verdict = &rejudge->verdict},
               &out);
  must(!out.full);
  return json_out_lend(&out);
}

uint32_t rejudge_version(void) { return EVIDENCE_VERSION; }
