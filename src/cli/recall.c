/* recall.c - a journal of looks, replayed beside itself under another plan.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/recall.h"

#include "base/mem.h"
#include "judge/evidence.h"

struct recall {
  struct replay replay;
  struct trial was, would;
  struct look look;
  struct arena arena;
  struct plan other;
  bool has_other, has_lanes, begun;
  enum gate_lanes lanes;
  struct recall_says was_says, would_says;
};

struct recall *recall_new(const struct plan *other)
{
  struct recall *recall = grab_zero(1, sizeof *recall);
  arena_init(&recall->arena, PLAN_ARENA_BYTES, NULL);
  replay_init(&recall->replay, &recall->was, &recall->look, &recall->arena);
  if (other) recall->other = *other;
  recall->has_other = other != NULL;
  return recall;
}

void recall_free(struct recall *recall)
{
  arena_deinit(&recall->arena);
  ungrab(recall);
}

void recall_lanes(struct recall *recall, enum gate_lanes lanes)
{
  recall->lanes = lanes;
  recall->has_lanes = true;
}

static void begin(struct recall *recall)
{
  if (!recall->has_other) recall->other = recall->was.plan;
  for (int gate = 0; recall->has_lanes && gate < GATE_COUNT; gate++)
    recall->other.gates[gate].lanes = recall->lanes;
  trial_begin(&recall->would, &recall->other);
  recall->begun = true;
}

static void note(struct recall_says *says, const struct trial *trial, const struct verdict *verdict)
{
  says->looks++;
  says->last = verdict->kind;
  if (verdict->kind == VERDICT_PAUSE && !says->paused) {
    says->paused = true;
    says->pause_look = verdict->look;
  }
  if (verdict->kind != VERDICT_HARM || says->harm) return;
  says->harm = true;
  says->harm_look = verdict->look;
  says->harm_ms = trial->release_ms;
  says->by = verdict->by;
  says->lane = verdict->gates[verdict->by].lane;
}

enum code recall_next(struct recall *recall, struct slice *bytes, struct err *err)
{
  struct verdict verdict;
  struct slice head = *bytes;
  uint64_t kind;
  bool judged;
  if (!varint_get(&head, &kind)) kind = 0; /* replay_next says what is wrong */
  if (replay_next(&recall->replay, bytes, &verdict, &judged, err) != OK) return err->code;
  if (!recall->begun && recall->replay.begun) begin(recall);
  if (judged) {
    note(&recall->was_says, &recall->was, &verdict);
    trial_look(&recall->would, &recall->look, &verdict);
    note(&recall->would_says, &recall->would, &verdict);
  } else if (kind == EVIDENCE_STEP && recall->was.step < recall->other.n_steps) {
    trial_step_begin(&recall->would, recall->was.step, &recall->was.baseline);
  }
  return OK;
}

const struct recall_says *recall_was(const struct recall *recall) { return &recall->was_says; }
const struct recall_says *recall_would(const struct recall *recall) { return &recall->would_says; }
