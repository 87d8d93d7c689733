/* arm.c - adding up what loops saw of versions and releases.
 * Thread: any, pure (see arm.h).
 * SPDX-License-Identifier: MIT */
#include "world/arm.h"

#include <string.h>

static void sketch32_merge(struct sketch32 *into, const struct sketch32 *from)
{
  for (int i = 0; i < SKETCH_BUCKETS; i++) into->at[i] += from->at[i];
}

static void ids_merge(struct arm_tally *into, const struct arm_tally *from)
{
  for (uint32_t i = 0; i < from->n_ids && into->n_ids < IDS_KEPT; i++) {
    memcpy(into->ids[into->n_ids], from->ids[i], from->id_lens[i]);
    into->id_lens[into->n_ids++] = from->id_lens[i];
  }
}

void memory_tally_add(struct memory_tally *into, uint64_t steady_bytes, uint64_t peak_bytes)
{
  uint64_t least = into->steady_bytes;
  if (steady_bytes && (!least || steady_bytes < least)) into->steady_bytes = steady_bytes;
  if (peak_bytes > into->peak_bytes) into->peak_bytes = peak_bytes;
}

static uint32_t rows_kept(uint32_t n) { return n < FEATURES_KEPT ? n : FEATURES_KEPT; }

/* Loops are represented as they were asked: else what differs between their clients would look like
 * a difference between arms. */
static void features_merge(struct arm_tally *into, const struct arm_tally *from)
{
  uint32_t has = rows_kept(into->n_features), adds = rows_kept(from->n_features), n = 0;
  uint64_t all = (uint64_t)into->n_features + from->n_features;
  uint32_t keep = has, take = adds;
  if (all > FEATURES_KEPT) {
    take = (uint32_t)((FEATURES_KEPT * (uint64_t)from->n_features + all / 2) / all);
    keep = FEATURES_KEPT - take;
    must(keep <= has && take <= adds);
  }
  for (; n < keep; n++)
    memmove(into->features[n], into->features[n * has / keep], sizeof *into->features);
  for (uint32_t i = 0; i < take; i++)
    memcpy(into->features[n++], from->features[i * adds / take], sizeof *into->features);
  into->n_features = all < UINT32_MAX ? (uint32_t)all : UINT32_MAX;
}

void arm_tally_merge(struct arm_tally *into, const struct arm_tally *from)
{
  uint32_t kept = into->n_scores < SCORES_KEPT ? into->n_scores : SCORES_KEPT;
  into->requests += from->requests;
  into->errors += from->errors;
  into->timeouts += from->timeouts;
  into->costed += from->costed;
  into->cpu_ns += from->cpu_ns;
  memory_tally_add(&into->memory, from->memory.steady_bytes, from->memory.peak_bytes);
  sketch32_merge(&into->total_us, &from->total_us);
  for (int i = 0; i < SHIFT_BINS; i++) into->shift[i] += from->shift[i];
  for (uint32_t i = 0; i < from->n_scores && i < SCORES_KEPT && kept < SCORES_KEPT; i++)
    into->scores[kept++] = from->scores[i];
  into->n_scores += from->n_scores;
  features_merge(into, from);
  ids_merge(into, from);
}

/* The worst ones of both. */
static void worst_merge(struct release_tally *into, const struct release_tally *from)
{
  for (uint32_t i = 0; i < from->n_worst; i++) {
    uint32_t least = 0;
    if (into->n_worst < PAIRS_KEPT) {
      into->worst[into->n_worst++] = from->worst[i];
      continue;
    }
    for (uint32_t k = 1; k < PAIRS_KEPT; k++)
      if (into->worst[k].apart < into->worst[least].apart) least = k;
    if (from->worst[i].apart > into->worst[least].apart) into->worst[least] = from->worst[i];
  }
}

static uint32_t label_place(struct flips *flips, const struct label_text *label)
{
  for (uint32_t i = 0; i < flips->n_labels; i++)
    if (flips->labels[i].len == label->len &&
        memcmp(flips->labels[i].at, label->at, label->len) == 0)
      return i;
  if (flips->n_labels == LABELS_KEPT - 1) return LABELS_KEPT - 1;
  flips->labels[flips->n_labels] = *label;
  return flips->n_labels++;
}

static uint32_t text_place(struct flips *flips, struct slice text)
{
  struct label_text label = {0};
  label.len = (uint8_t)(text.len < LABEL_TEXT_MAX ? text.len : LABEL_TEXT_MAX);
  if (label.len) memcpy(label.at, text.at, label.len);
  return label_place(flips, &label);
}

void flips_count(struct flips *flips, struct slice stable, struct slice shadow)
{
  uint32_t from = text_place(flips, stable), to = text_place(flips, shadow);
  flips->at[from][to]++;
}

void flips_merge(struct flips *into, const struct flips *from)
{
  uint32_t place[LABELS_KEPT];
  for (uint32_t i = 0; i < LABELS_KEPT; i++)
    place[i] = i < from->n_labels ? label_place(into, &from->labels[i]) : LABELS_KEPT - 1;
  for (int i = 0; i < LABELS_KEPT; i++)
    for (int k = 0; k < LABELS_KEPT; k++) into->at[place[i]][place[k]] += from->at[i][k];
}

/* Segments past the table's end are left out: they are declared to be few. */
static void segment_merge(struct release_tally *into, const struct segment_tally *from)
{
  for (int i = 0; i < SEGMENTS_MAX; i++) {
    struct segment_tally *to = &into->segments[i];
    if (to->hash && to->hash != from->hash) continue;
    if (!to->hash) {
      *to = *from;
      return;
    }
    for (int arm = 0; arm < ARMS_MAX; arm++) {
      to->requests[arm] += from->requests[arm];
      to->errors[arm] += from->errors[arm];
      to->slow[arm] += from->slow[arm];
    }
    return;
  }
}

void release_tally_merge(struct release_tally *into, const struct release_tally *from)
{
  if (!from->touched) return;
  into->touched = true;
  for (int i = 0; i < ARMS_MAX; i++) into->assigned[i] += from->assigned[i];
  into->keyless += from->keyless;
  into->unjudged += from->unjudged;
  into->killed |= from->killed;
  for (int i = 0; i < AGREE_COUNTS; i++) into->agree[i] += from->agree[i];
  into->pairs += from->pairs;
  into->repeats += from->repeats;
  memory_tally_add(&into->shadow_memory, from->shadow_memory.steady_bytes,
                   from->shadow_memory.peak_bytes);
  into->shadow_dropped += from->shadow_dropped;
  into->shadow_errors += from->shadow_errors;
  into->costed += from->costed;
  into->shadow_cpu_ns += from->shadow_cpu_ns;
  into->stable_cpu_ns += from->stable_cpu_ns;
  sketch32_merge(&into->shadow_us, &from->shadow_us);
  sketch32_merge(&into->stable_us, &from->stable_us);
  flips_merge(&into->flips, &from->flips);
  worst_merge(into, from);
  for (uint32_t i = 0; i < from->n_units && into->n_units < UNITS_KEPT; i++) {
    into->units[into->n_units] = from->units[i];
    into->unit_arm[into->n_units++] = from->unit_arm[i];
  }
  for (int i = 0; i < SEGMENTS_MAX && from->segments[i].hash; i++)
    segment_merge(into, &from->segments[i]);
}
