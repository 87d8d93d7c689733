/* pair.c - stable's answer and a shadow's to the same request: how far apart, how fast, at what
 * cost.
 * Thread: its loop.
 * A pair counts once whatever its rows: its disagreement is their mean. The same inputs again
 * within a minute (one client's retries, a probe) say nothing new about agreement: they are
 * repeats.
 * Source: release statistics, section 8.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/hash.h"
#include "serve/shadow/reading.h"
#include "serve/release_int.h"
#include "wire/json.h"

enum {
  REPEAT_US = 60000000,
  HASHED_MAX = 64 << 10, /* of each input: its beginning and its size */
  ROWS_MAX = 256,        /* compared, the first ones */
  VALUES_MAX = 64 << 10, /* of them all, for wide rankings */
  SAMPLE_NAME_MAX = 24
};

/* --- repeats ---------------------------------------------------------------------------------- */

static uint64_t inputs_hash(const struct shadow *shadow, uint64_t of)
{
  static const unsigned char fixed[16] = "slipway inputs1";
  const struct contract *contract = &shadow->stable->contract;
  uint64_t hash = of;
  for (uint32_t i = 0; i < contract->n_inputs; i++) {
    const struct tensor *input = &shadow->inputs[i];
    size_t n = input->dtype == DT_NONE ? 0 : input->bytes;
    hash = hash * 0x9e3779b97f4a7c15u + n;
    if (n) hash ^= siphash(fixed, slice_of(input->data, n < HASHED_MAX ? n : HASHED_MAX));
  }
  return hash | 1;
}

static bool is_repeat(const struct shadow *shadow, uint64_t of)
{
  struct serve *serve = shadow->serve;
  uint64_t hash = inputs_hash(shadow, of);
  struct input_mark *mark = &serve->shadows.inputs_seen[hash >> 1 & (INPUTS_SEEN - 1)];
  if (mark->hash == hash && serve->now_us - mark->at_us < REPEAT_US) return true;
  *mark = (struct input_mark){hash, serve->now_us};
  return false;
}

/* --- comparing -------------------------------------------------------------------------------- */

struct pair {
  const struct split *split;
  struct reader stable, shadow;
  struct reading stable_row, shadow_row; /* of the row read last */
  uint64_t rows, worst;
  double apart; /* the mean over rows, in [0, 1] */
};

static bool scores_agree(const struct pair *pair)
{
  const struct reading *a = &pair->stable_row, *b = &pair->shadow_row;
  if (!a->has_score || !b->has_score) return false;
  return a->score == b->score || fabs(a->score - b->score) <= pair->split->distance;
}

/* A version without labels is compared by score, and the other way round. */
static double row_apart(struct pair *pair, uint64_t row)
{
  struct reading *a = &pair->stable_row, *b = &pair->shadow_row;
  reader_read(&pair->stable, row, a);
  reader_read(&pair->shadow, row, b);
  enum compare compare = pair->split->compare;
  if (compare == COMPARE_OVERLAP)
    return reader_apart(&pair->stable, &pair->shadow, row, pair->split->overlap_k);
  bool label = a->has_label && b->has_label, score = a->has_score && b->has_score;
  if (compare == COMPARE_LABEL ? label : !score) return !reading_labels_equal(a, b);
  return !scores_agree(pair);
}

static uint64_t rows_compared(const struct reader *reader)
{
  uint64_t width = reader->rank && reader->rows ? reader->rank->count / reader->rows : 1;
  uint64_t rows = width < VALUES_MAX ? VALUES_MAX / width : 1;
  if (rows > ROWS_MAX) rows = ROWS_MAX;
  return rows < reader->rows ? rows : reader->rows;
}

static struct slice label_text(const struct reading *reading, char *digits)
{
  if (reading->named) return reading->text;
  return slice_of(digits, text_print_i64(digits, reading->label));
}

static void flip_count(struct release_tally *tally, const struct pair *pair)
{
  char from[TEXT_NUMBER_MAX], to[TEXT_NUMBER_MAX];
  if (!pair->stable_row.has_label || !pair->shadow_row.has_label) return;
  flips_count(&tally->flips, label_text(&pair->stable_row, from),
              label_text(&pair->shadow_row, to));
}

static void pair_compare(struct pair *pair, const struct shadow *shadow,
                         struct release_tally *tally)
{
  const struct version *version = shadow->ref.split->shadow;
  *pair = (struct pair){.split = shadow->ref.split};
  reader_init(&pair->stable, &shadow->stable->contract, shadow->outputs, shadow->wanted,
              shadow->rows);
  reader_init(&pair->shadow, &version->contract, shadow->task.outputs, shadow->task.wanted,
              shadow->task.rows);
  pair->rows = rows_compared(&pair->stable);
  double sum = 0, most = -1;
  for (uint64_t row = 0; row < pair->rows; row++) {
    double apart = row_apart(pair, row);
    sum += apart;
    if (apart > most) {
      most = apart;
      pair->worst = row;
    }
    flip_count(tally, pair);
  }
  if (pair->rows) pair->apart = sum / (double)pair->rows;
}

/* --- samples for people ----------------------------------------------------------------------- */

static void reading_put(struct json_out *out, const char *key, const struct reading *reading)
{
  char digits[TEXT_NUMBER_MAX];
  json_out_key(out, key);
  json_out_open(out, '{');
  if (reading->has_label) {
    struct slice text = label_text(reading, digits);
    json_out_key(out, "label");
    if (reading->named)
      json_out_str(out, slice_of(text.at, text.len < LABEL_TEXT_MAX ? text.len : LABEL_TEXT_MAX));
    else
      json_out_i64(out, reading->label);
  }
  if (reading->has_score) {
    json_out_key(out, "score");
    json_out_f64(out, reading->score);
  }
  json_out_close(out, '}');
}

static void value_put(struct json_out *out, const struct tensor *tensor, uint64_t index, size_t *at)
{
  struct contract alone = {.n_outputs = 1};
  struct reader reader;
  struct reading reading;
  if (tensor->dtype == DT_BYTES) {
    struct slice text = tensor_bytes_next(tensor, at);
    json_out_str(out, slice_of(text.at, text.len < LABEL_TEXT_MAX ? text.len : LABEL_TEXT_MAX));
    return;
  }
  reader_init(&reader, &alone, tensor, 1, tensor->count);
  reader_read(&reader, index, &reading);
  if (reading.has_label)
    json_out_i64(out, reading.label);
  else
    json_out_f64(out, reading.score);
}

/* As many of the row's first values as there is room for: of each input in turn. */
static void inputs_put(struct json_out *out, const struct shadow *shadow, uint64_t row)
{
  const struct contract *contract = &shadow->stable->contract;
  json_out_key(out, "inputs");
  json_out_open(out, '{');
  for (uint32_t i = 0; i < contract->n_inputs; i++) {
    const struct tensor *input = &shadow->inputs[i];
    struct slice name = contract->inputs[i].name;
    if (input->dtype == DT_NONE || !input->count || name.len > SAMPLE_NAME_MAX) continue;
    size_t before = out->len, at = 0;
    uint64_t width = input->count % shadow->rows ? input->count : input->count / shadow->rows;
    uint64_t first = input->count % shadow->rows ? 0 : row * width;
    if (input->dtype == DT_BYTES)
      for (uint64_t skip = 0; skip < first; skip++) tensor_bytes_next(input, &at);
    json_out_key_of(out, name);
    json_out_open(out, '[');
    uint64_t n = 0;
    for (; n < width; n++) {
      size_t value = out->len;
      value_put(out, input, first + n, &at);
      if (out->len + 4 <= PAIR_TEXT_MAX) continue; /* "]}}" must fit, too */
      out->len = value;
      break;
    }
    json_out_close(out, ']');
    if (n == 0) out->len = before;
    if (n < width) break;
  }
  json_out_close(out, '}');
}

static void sample_write(struct pair_sample *sample, struct shadow *shadow, struct pair *pair,
                         uint32_t part)
{
  struct json_out out;
  *sample = (struct pair_sample){.apart = (uint8_t)part, .id_len = shadow->id_len};
  memcpy(sample->id, shadow->id, shadow->id_len);
  row_apart(pair, pair->worst);
  json_out_init(&out, &shadow->own, 2 * PAIR_TEXT_MAX);
  json_out_open(&out, '{');
  json_out_key_u64(&out, "row", pair->worst);
  reading_put(&out, "stable", &pair->stable_row);
  reading_put(&out, "candidate", &pair->shadow_row);
  size_t answers = out.len;
  inputs_put(&out, shadow, pair->worst);
  json_out_close(&out, '}');
  if (out.len > PAIR_TEXT_MAX) { /* labels that need much escaping */
    out.len = answers;
    json_out_close(&out, '}');
  }
  if (out.full || out.len > PAIR_TEXT_MAX) return;
  sample->text_len = (uint16_t)out.len;
  memcpy(sample->text, out.at, out.len);
}

static void sample_keep(struct release_tally *tally, struct shadow *shadow, struct pair *pair,
                        uint32_t part)
{
  if (tally->n_worst < PAIRS_KEPT) {
    sample_write(&tally->worst[tally->n_worst++], shadow, pair, part);
    return;
  }
  struct pair_sample *least = &tally->worst[0];
  for (uint32_t i = 1; i < PAIRS_KEPT; i++)
    if (tally->worst[i].apart < least->apart) least = &tally->worst[i];
  if (part > least->apart) sample_write(least, shadow, pair, part);
}

/* --- counting --------------------------------------------------------------------------------- */

static uint64_t positive(int64_t n) { return n > 0 ? (uint64_t)n : 0; }

void pair_count(struct shadow *shadow)
{
  const struct task *task = &shadow->task;
  struct release_place place;
  struct pair pair;
  if (!release_here(shadow->serve, &shadow->ref, &place)) return;
  struct release_tally *tally = place.tally;
  if (task->err.code != OK) {
    tally->shadow_errors++;
    return;
  }
  sketch32_add(&tally->stable_us, positive(shadow->stable_us));
  sketch32_add(&tally->shadow_us, positive((task->infer_ns - task->queued_ns) / 1000));
  memory_tally_add(&tally->shadow_memory, task->model_bytes, task->peak_bytes);
  if (shadow->stable_cpu_ns >= 0 && task->cpu_ns >= 0) {
    tally->costed++;
    tally->stable_cpu_ns += positive(shadow->stable_cpu_ns);
    tally->shadow_cpu_ns += positive(task->cpu_ns);
  }
  if (is_repeat(shadow, place.local->of)) {
    tally->repeats++;
    return;
  }
  pair_compare(&pair, shadow, tally);
  uint32_t part = agree_part(pair.apart);
  tally->pairs++;
  tally->agree[part]++;
  if (part) sample_keep(tally, shadow, &pair, part);
}
