/* memory.c - feeding and forgetting.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/release/memory.h"

#include <stdlib.h>

#include "base/mem.h"

enum { SCORES_LEAST = 100, DECILES = 9 };

void memories_pulse(struct memories *memories) { memories->made = 0; }

void memories_deinit(struct memories *memories)
{
  for (uint32_t i = 0; i < memories->cap; i++) ungrab(memories->of[i]);
  ungrab(memories->of);
  *memories = (struct memories){0};
}

const struct memory *memory_of(const struct memories *memories, uint32_t model, uint32_t version)
{
  const struct memory *memory = model < memories->cap ? memories->of[model] : NULL;
  return memory && memory->version == version ? memory : NULL;
}

/* Room for one more: the first that has been idle for long is forgotten. */
static bool room_make(struct memories *memories, int64_t now_us)
{
  if (memories->n < MEMORIES_MAX) return true;
  for (uint32_t i = 0; i < memories->cap; i++)
    if (memories->of[i] && now_us - memories->of[i]->fed_us > MEMORY_IDLE_US) {
      ungrab(memories->of[i]);
      memories->of[i] = NULL;
      memories->n--;
      return true;
    }
  return false;
}

static struct memory *memory_make(struct memories *memories, uint32_t model, int64_t now_us)
{
  if (model >= memories->cap) {
    uint32_t cap = memories->cap ? memories->cap : 16;
    while (cap <= model) cap *= 2;
    memories->of = grab_more(memories->of, cap * sizeof(struct memory *));
    memset(memories->of + memories->cap, 0, (cap - memories->cap) * sizeof(struct memory *));
    memories->cap = cap;
  }
  struct memory *memory = memories->of[model];
  if (memory || memories->made == MEMORIES_MADE || !room_make(memories, now_us)) return memory;
  memories->made++;
  memories->n++;
  return memories->of[model] = grab_zero(1, sizeof *memory);
}

void sketch_of_answers(struct sketch *into, const struct sketch32 *from, uint64_t timeouts)
{
  *into = (struct sketch){0};
  sketch_merge32(into, from);
  uint64_t *last = &into->at[SKETCH_BUCKETS - 1];
  uint64_t out = timeouts < *last ? timeouts : *last;
  *last -= out;
  into->count -= out;
}

void memory_feed(struct memories *memories, uint32_t model, uint32_t version,
                 const struct arm_tally *arm, uint32_t share, int64_t now_us)
{
  struct memory *memory = memory_make(memories, model, now_us);
  struct sketch sketch;
  if (!memory) return;
  if (memory->version != version) {
    memset(memory, 0, sizeof *memory);
    memory->version = version;
  }
  int64_t since = memory->fed_us ? now_us - memory->fed_us : 1000000;
  memory->fed_us = now_us;
  sketch_of_answers(&sketch, &arm->total_us, arm->timeouts);
  past_add(&memory->past, &sketch, arm->requests, arm->errors, arm->timeouts, share,
           (uint64_t)(since > 0 ? since / 1000 : 0));
  for (uint32_t i = 0; i < arm->n_scores && i < SCORES_KEPT; i++) {
    if (arm->scores[i] != arm->scores[i]) continue;
    memory->scores[memory->n_scores++ % MEMORY_SCORES] = arm->scores[i];
  }
}

static int score_order(const void *a, const void *b)
{
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

uint32_t memory_edges(const struct memory *memory, float edges[SHIFT_BINS - 1])
{
  float sorted[MEMORY_SCORES];
  uint32_t n =
      memory && memory->n_scores < MEMORY_SCORES ? (uint32_t)memory->n_scores : MEMORY_SCORES;
  uint32_t kept = 0;
  if (!memory || n < SCORES_LEAST) return 0;
  memcpy(sorted, memory->scores, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, score_order);
  for (uint32_t i = 1; i <= DECILES; i++) {
    float edge = sorted[n * i / (DECILES + 1)];
    if (!kept || edge > edges[kept - 1]) edges[kept++] = edge;
  }
  return kept > 1 ? kept : 0; /* one edge would lie on the one value there is */
}

uint64_t memory_requests(const struct memory *memory)
{
  const struct past *past = &memory->past;
  uint64_t n = past->closed < PAST_BLOCKS ? past->closed : PAST_BLOCKS, sum = 0;
  for (uint64_t i = 0; i < n; i++) sum += past->ring[i].requests;
  return sum;
}
