/* tally.c - adding up what loops counted.
 * Thread: any, pure (see tally.h). All sums are of integers, so the order of merging never shows.
 * SPDX-License-Identifier: MIT */
#include "world/tally.h"

#include <string.h>

#include "base/mem.h"

enum { KEPT = TALLY_BATCH_SIZES - 1, MARKS = 64 };

struct tally *tally_new(uint32_t n_slots, uint32_t arms, uint32_t releases)
{
  struct tally *tally =
      grab_zero(1, sizeof *tally + (size_t)n_slots * sizeof(struct version_tally));
  tally->n_slots = n_slots;
  tally->marks = grab_zero((n_slots + MARKS - 1) / MARKS, sizeof *tally->marks);
  tally->n_releases = releases;
  tally->pool_cap = arms;
  if (arms) {
    tally->arms = grab_zero(n_slots, sizeof(struct arm_tally *));
    tally->pool = grab_zero(arms, sizeof *tally->pool);
  }
  if (releases) {
    tally->releases = grab_zero(releases, sizeof *tally->releases);
    tally->locals = grab_zero(releases, sizeof *tally->locals);
  }
  return tally;
}

void tally_predictions(struct tally *tally, uint32_t n)
{
  must(!tally->predictions);
  if (n) tally->predictions = grab(n * sizeof *tally->predictions);
  if (n) tally->inputs = grab(INPUTS_KEPT * sizeof *tally->inputs);
  tally->predictions_cap = n;
}

void tally_free(struct tally *tally)
{
  if (!tally) return;
  ungrab(tally->predictions);
  ungrab(tally->inputs);
  ungrab(tally->arms);
  ungrab(tally->pool);
  ungrab(tally->releases);
  ungrab(tally->locals);
  ungrab(tally->marks);
  ungrab(tally);
}

void tally_reset(struct tally *tally)
{
  struct tally was = *tally;
  for (uint32_t i = 0; i < was.n_slots; i += MARKS)
    for (uint64_t left = was.marks[i / MARKS]; left; left &= left - 1)
      memset(&tally->slots[i + (uint32_t)__builtin_ctzll(left)], 0, sizeof *tally->slots);
  memset(was.marks, 0, (was.n_slots + MARKS - 1) / MARKS * sizeof *was.marks);
  if (was.pool_used) {
    memset(was.arms, 0, was.n_slots * sizeof *was.arms);
    memset(was.pool, 0, was.pool_used * sizeof *was.pool);
  }
  if (was.n_releases) {
    memset(was.releases, 0, was.n_releases * sizeof *was.releases);
    memset(was.locals, 0, was.n_releases * sizeof *was.locals);
  }
  ungrab(was.predictions);
  ungrab(was.inputs);
  *tally = (struct tally){.n_slots = was.n_slots,
                          .n_releases = was.n_releases,
                          .arms = was.arms,
                          .pool = was.pool,
                          .pool_cap = was.pool_cap,
                          .releases = was.releases,
                          .locals = was.locals,
                          .marks = was.marks};
}

struct arm_tally *tally_arm(struct tally *tally, uint32_t slot)
{
  must(slot < tally->n_slots);
  if (tally->arms && tally->arms[slot]) return tally->arms[slot];
  if (tally->pool_used == tally->pool_cap) {
    tally->arms_missed++;
    return NULL;
  }
  return tally->arms[slot] = &tally->pool[tally->pool_used++];
}

struct version_tally *tally_slot(struct tally *tally, uint32_t slot)
{
  must(slot < tally->n_slots);
  tally->marks[slot / MARKS] |= UINT64_C(1) << slot % MARKS;
  return &tally->slots[slot];
}

static void span_merge(struct span *into, struct span from)
{
  into->count += from.count;
  into->ns += from.ns;
}

static void batch_merge(struct batch_tally *into, const struct batch_tally *from)
{
  span_merge(&into->input, from->input);
  span_merge(&into->infer, from->infer);
  span_merge(&into->output, from->output);
}

struct batch_tally *version_tally_batch(struct version_tally *into, uint64_t rows)
{
  struct batch_tally *batches = into->batches, *rest = &batches[KEPT];
  int at = 0;
  if (rows == 0 || rows == TALLY_BATCH_REST) at = KEPT;
  while (at < KEPT && batches[at].rows && batches[at].rows < rows) at++;
  if (at == KEPT) {
    rest->rows = TALLY_BATCH_REST;
    return rest;
  }
  if (batches[at].rows == rows) return &batches[at];
  if (batches[KEPT - 1].rows) { /* the largest size kept so far gives way to a smaller one */
    rest->rows = TALLY_BATCH_REST;
    batch_merge(rest, &batches[KEPT - 1]);
  }
  memmove(&batches[at + 1], &batches[at], (size_t)(KEPT - 1 - at) * sizeof *batches);
  batches[at] = (struct batch_tally){.rows = rows};
  return &batches[at];
}

void version_tally_merge(struct version_tally *into, const struct version_tally *from)
{
  span_merge(&into->success, from->success);
  span_merge(&into->fail, from->fail);
  span_merge(&into->queue, from->queue);
  span_merge(&into->input, from->input);
  span_merge(&into->infer, from->infer);
  span_merge(&into->output, from->output);
  span_merge(&into->cache_hit, from->cache_hit);
  span_merge(&into->cache_miss, from->cache_miss);
  into->rows += from->rows;
  into->runs += from->runs;
  into->lent += from->lent;
  into->returned += from->returned;
  for (int i = 0; i < FAIL_REASONS; i++) into->failed[i] += from->failed[i];
  into->stopped += from->stopped;
  into->outgrew += from->outgrew;
  into->good += from->good;
  into->bad += from->bad;
  into->probes_good += from->probes_good;
  into->probes_bad += from->probes_bad;
  for (int i = 0; i < SHEDS; i++) into->shed[i] += from->shed[i];
  for (int i = 0; i < MISSED_STAGES; i++) into->missed[i] += from->missed[i];
  into->limit += from->limit;
  if (from->runs && from->last_wall_ms >= into->last_wall_ms) into->delay_us = from->delay_us;
  if (from->last_wall_ms > into->last_wall_ms) into->last_wall_ms = from->last_wall_ms;
  for (int i = 0; i < TALLY_BATCH_SIZES; i++)
    if (from->batches[i].rows)
      batch_merge(version_tally_batch(into, from->batches[i].rows), &from->batches[i]);
  hist_merge(&into->total_us, &from->total_us);
  hist_merge(&into->queue_us, &from->queue_us);
  hist_merge(&into->infer_us, &from->infer_us);
}

void far_tally_merge(struct far_tally *into, const struct far_tally *from)
{
  into->hits += from->hits;
  into->misses += from->misses;
  into->forged += from->forged;
  into->errors += from->errors;
  into->bypassed += from->bypassed;
  into->fills += from->fills;
  into->fills_left += from->fills_left;
  into->fills_failed += from->fills_failed;
  into->failures += from->failures;
  into->lines += from->lines;
  if (from->failed_us <= into->failed_us) return;
  into->failed_us = from->failed_us;
  into->why = from->why;
  memcpy(into->said, from->said, sizeof into->said);
}

void tally_merge(struct tally *into, const struct tally *from)
{
  must(into->n_slots >= from->n_slots);
  into->requests += from->requests;
  into->connections += from->connections;
  into->bytes_in += from->bytes_in;
  into->bytes_out += from->bytes_out;
  into->slow_turns += from->slow_turns;
  into->turns += from->turns;
  far_tally_merge(&into->far, &from->far);
  for (int i = 0; i < TALLY_TURNS_OVER; i++) into->turns_over[i] += from->turns_over[i];
  into->arms_missed += from->arms_missed;
  into->predictions_missed += from->predictions_missed;
  into->forgotten += from->forgotten;
  for (int i = 0; i < 6; i++) into->by_status[i] += from->by_status[i];
  for (int i = 0; i < CODE_COUNT; i++) into->refused[i] += from->refused[i];
  for (uint32_t i = 0; i < from->n_slots; i += MARKS)
    for (uint64_t left = from->marks[i / MARKS]; left; left &= left - 1) {
      uint32_t slot = i + (uint32_t)__builtin_ctzll(left);
      version_tally_merge(tally_slot(into, slot), &from->slots[slot]);
    }
}
