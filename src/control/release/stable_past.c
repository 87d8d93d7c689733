/* stable_past.c - feeding and forgetting.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/release/stable_past.h"

#include <stdlib.h>

#include "base/mem.h"
#include "world/feature.h"

enum { SCORES_LEAST = 100, DECILES = 9 };

void stable_pasts_pulse(struct stable_pasts *pasts) { pasts->made = 0; }

void stable_pasts_deinit(struct stable_pasts *pasts)
{
  for (uint32_t i = 0; i < pasts->cap; i++) ungrab(pasts->of[i]);
  ungrab(pasts->of);
  *pasts = (struct stable_pasts){0};
}

const struct stable_past *stable_past_of(const struct stable_pasts *pasts, uint32_t model,
                                         uint32_t version)
{
  const struct stable_past *stable = model < pasts->cap ? pasts->of[model] : NULL;
  return stable && stable->version == version ? stable : NULL;
}

/* Room for one more: the first that has been idle for long is forgotten. */
static bool room_make(struct stable_pasts *pasts, int64_t now_us)
{
  if (pasts->n < STABLE_PASTS_MAX) return true;
  for (uint32_t i = 0; i < pasts->cap; i++)
    if (pasts->of[i] && now_us - pasts->of[i]->fed_us > STABLE_PAST_IDLE_US) {
      ungrab(pasts->of[i]);
      pasts->of[i] = NULL;
      pasts->n--;
      return true;
    }
  return false;
}

static struct stable_past *stable_past_make(struct stable_pasts *pasts, uint32_t model,
                                            int64_t now_us)
{
  if (model >= pasts->cap) {
    uint32_t cap = pasts->cap ? pasts->cap : 16;
    while (cap <= model) cap *= 2;
    pasts->of = grab_more(pasts->of, cap * sizeof(struct stable_past *));
    memset(pasts->of + pasts->cap, 0, (cap - pasts->cap) * sizeof(struct stable_past *));
    pasts->cap = cap;
  }
  struct stable_past *stable = pasts->of[model];
  if (stable || pasts->made == STABLE_PASTS_MADE || !room_make(pasts, now_us)) return stable;
  pasts->made++;
  pasts->n++;
  return pasts->of[model] = grab_zero(1, sizeof *stable);
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

static void rows_feed(struct stable_past *stable, const struct arm_tally *arm)
{
  uint32_t n = arm->n_features < FEATURES_KEPT ? arm->n_features : FEATURES_KEPT;
  uint32_t first = 0, take = n;
  if (n && stable->n_rows >= STABLE_PAST_ROWS_SOON) {
    first = (uint32_t)(stable->n_rows % n); /* places are no order of time */
    take = 1;
  }
  for (uint32_t i = first; i < first + take; i++)
    memcpy(stable->rows[stable->n_rows++ % STABLE_PAST_ROWS], arm->features[i],
           sizeof *stable->rows);
}

void stable_past_feed(struct stable_pasts *pasts, uint32_t model, uint32_t version,
                      const struct arm_tally *arm, uint32_t share, int64_t now_us)
{
  struct stable_past *stable = stable_past_make(pasts, model, now_us);
  struct sketch sketch;
  if (!stable) return;
  if (stable->version != version) {
    memset(stable, 0, sizeof *stable);
    stable->version = version;
  }
  int64_t since = stable->fed_us ? now_us - stable->fed_us : 1000000;
  stable->fed_us = now_us;
  sketch_of_answers(&sketch, &arm->total_us, arm->timeouts);
  past_add(&stable->past, &sketch, arm->requests, arm->errors, arm->timeouts, share,
           (uint64_t)(since > 0 ? since / 1000 : 0));
  for (uint32_t i = 0; i < arm->n_scores && i < SCORES_KEPT; i++) {
    if (arm->scores[i] != arm->scores[i]) continue;
    stable->scores[stable->n_scores++ % STABLE_PAST_SCORES] = arm->scores[i];
  }
  rows_feed(stable, arm);
}

static int score_order(const void *a, const void *b)
{
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

uint32_t stable_past_edges(const struct stable_past *stable, float edges[SHIFT_BINS - 1])
{
  float sorted[STABLE_PAST_SCORES];
  uint32_t n = stable && stable->n_scores < STABLE_PAST_SCORES ? (uint32_t)stable->n_scores
                                                               : STABLE_PAST_SCORES;
  uint32_t kept = 0;
  if (!stable || n < SCORES_LEAST) return 0;
  memcpy(sorted, stable->scores, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, score_order);
  for (uint32_t i = 1; i <= DECILES; i++) {
    float edge = sorted[n * i / (DECILES + 1)];
    if (!kept || edge > edges[kept - 1]) edges[kept++] = edge;
  }
  return kept > 1 ? kept : 0; /* one edge would lie on the one value there is */
}

void stable_past_features(const struct stable_past *stable, const struct contract *contract,
                          struct baseline *baseline)
{
  float values[STABLE_PAST_ROWS], scratch[STABLE_PAST_ROWS];
  uint32_t n = stable->n_rows < STABLE_PAST_ROWS ? (uint32_t)stable->n_rows : STABLE_PAST_ROWS;
  baseline->n_features = 0;
  if (n < DRIFT_ROWS_MIN) return;
  baseline->n_features = features_count(contract);
  for (uint32_t f = 0; f < baseline->n_features; f++) {
    for (uint32_t i = 0; i < n; i++)
      values[i] = stable->rows[(stable->n_rows - n + i) % STABLE_PAST_ROWS][f];
    drift_freeze(&baseline->features[f].bins, values, scratch, n);
    feature_name(contract, f, baseline->features[f].name);
  }
}

uint64_t stable_past_requests(const struct stable_past *stable)
{
  const struct past *past = &stable->past;
  uint64_t n = past->closed < PAST_BLOCKS ? past->closed : PAST_BLOCKS, sum = 0;
  for (uint64_t i = 0; i < n; i++) sum += past->ring[i].requests;
  return sum;
}
