/* reading.c - labels and scores out of tensors.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "serve/shadow/reading.h"

/* --- numbers ---------------------------------------------------------------------------------- */

static struct slice text_at(const struct tensor *tensor, uint64_t index)
{
  struct slice text = SLICE_NONE;
  size_t at = 0;
  for (uint64_t i = 0; i <= index; i++) text = tensor_bytes_next(tensor, &at);
  return text;
}

/* The place of the largest, the first of equals; NaN is never the largest. */
static uint64_t largest(const struct tensor *tensor, uint64_t first, uint64_t n)
{
  uint64_t best = first;
  if (tensor->dtype == DT_FP32) { /* what nearly all models have */
    const float *at = tensor->data;
    for (uint64_t i = first + 1; i < first + n; i++)
      if (at[i] > at[best] || at[best] != at[best]) best = i;
    return best - first;
  }
  for (uint64_t i = first + 1; i < first + n; i++) {
    double top = tensor_float(tensor, best);
    if (tensor_float(tensor, i) > top || top != top) best = i;
  }
  return best - first;
}

/* --- reading ---------------------------------------------------------------------------------- */

void reader_init(struct reader *reader, const struct contract *contract,
                 const struct tensor *outputs, uint64_t wanted, uint64_t rows)
{
  *reader = (struct reader){.rows = rows};
  for (uint32_t i = 0; i < contract->n_outputs; i++) {
    const struct tensor *tensor = &outputs[i];
    if (!(wanted >> i & 1) || !tensor->count || tensor->dtype == DT_NONE) continue;
    bool floats = dtype_is_float(tensor->dtype), text = tensor->dtype == DT_BYTES;
    if (tensor->count == rows) {
      const struct tensor **to = floats ? &reader->score : &reader->label;
      if (!*to) *to = tensor;
    } else if (!text && rows && tensor->count % rows == 0) {
      if (!reader->rank) reader->rank = tensor;
      if (floats && !reader->floats) reader->floats = tensor;
    }
  }
}

void reader_read(const struct reader *reader, uint64_t row, struct reading *reading)
{
  const struct tensor *label = reader->label, *floats = reader->floats;
  reading->has_label = label || floats;
  reading->has_score = reader->score || floats;
  reading->named = label && label->dtype == DT_BYTES;
  if (label && !reading->named) reading->label = tensor_whole(label, row);
  if (reading->named) reading->text = text_at(label, row);
  if (reader->score) reading->score = tensor_float(reader->score, row);
  if (!floats || (label && reader->score)) return;
  uint64_t width = floats->count / reader->rows, top = largest(floats, row * width, width);
  if (!label) reading->label = (int64_t)top;
  if (!reader->score) reading->score = tensor_float(floats, row * width + top);
}

bool reading_labels_equal(const struct reading *a, const struct reading *b)
{
  if (!a->has_label || !b->has_label || a->named != b->named) return false;
  return a->named ? slice_eq(a->text, b->text) : a->label == b->label;
}

/* --- rankings --------------------------------------------------------------------------------- */

/* The first k of a row's ranking: places of floats, or the whole numbers themselves. NaN is
 * last. */
static void ranking(const struct reader *reader, uint64_t row, uint32_t k, int64_t *to)
{
  const struct tensor *tensor = reader->rank;
  uint64_t width = tensor->count / reader->rows, first = row * width;
  double best[RANKS_MAX];
  uint32_t n = 0;
  if (!dtype_is_float(tensor->dtype)) {
    for (; n < k; n++) to[n] = tensor_whole(tensor, first + n);
    return;
  }
  for (uint64_t i = 0; i < width; i++) {
    double value = tensor_float(tensor, first + i);
    if (value != value) value = -__builtin_inf();
    if (n == k && value <= best[n - 1]) continue;
    uint32_t at = n < k ? n++ : n - 1;
    for (; at && value > best[at - 1]; at--) {
      best[at] = best[at - 1];
      to[at] = to[at - 1];
    }
    best[at] = value;
    to[at] = (int64_t)i;
  }
}

static uint32_t ranked(const struct reader *reader)
{
  if (!reader->rank || !reader->rows) return 0;
  uint64_t width = reader->rank->count / reader->rows;
  return width < RANKS_MAX ? (uint32_t)width : RANKS_MAX;
}

double reader_apart(const struct reader *a, const struct reader *b, uint64_t row, uint32_t k)
{
  int64_t first[RANKS_MAX], second[RANKS_MAX];
  uint32_t most = ranked(a) < ranked(b) ? ranked(a) : ranked(b), common = 0;
  if (k > most) k = most;
  if (k == 0 || dtype_is_float(a->rank->dtype) != dtype_is_float(b->rank->dtype)) return 1;
  ranking(a, row, k, first);
  ranking(b, row, k, second);
  for (uint32_t i = 0; i < k; i++) {
    bool there = false;
    for (uint32_t j = 0; j < k && !there; j++) there = first[i] == second[j];
    common += there;
  }
  return 1 - (double)common / k;
}
