/* arm.c - what an answer says of the version that gave it: counts, time, what it predicted.
 * Thread: its loop.
 * Source: release statistics, section 1, rule 9: errors are the server's failures; what the client
 * caused counts nowhere (nor does a deadline of its own: overload rules, section 2); a timeout is
 * slow at every threshold, other failures are no latency.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/text.h"
#include "serve/shadow/reading.h"
#include "serve/release_int.h"
#include "world/feature.h"

enum { HTTP_FAILURE = 500 };

static void id_keep(struct arm_tally *arm, struct slice id)
{
  if (arm->n_ids == IDS_KEPT) return;
  memcpy(arm->ids[arm->n_ids], id.at, id.len);
  arm->id_lens[arm->n_ids++] = (uint8_t)id.len;
}

/* Where the n-th of a pulse is kept, so that each is as likely as any other to be among `kept`;
 * that or more: nowhere. */
static uint32_t place_drawn(struct rand *rand, uint32_t n, uint32_t kept)
{
  return n <= kept ? n - 1 : (uint32_t)((rand_u64(rand) >> 32) * n >> 32);
}

static void score_keep(struct arm_tally *arm, struct rand *rand, float score)
{
  uint32_t at = place_drawn(rand, ++arm->n_scores, SCORES_KEPT);
  if (at < SCORES_KEPT) arm->scores[at] = score;
}

/* Also of requests that failed: an arm that fails on some kind of them got it all the same. */
static void features_keep(struct arm_tally *arm, const struct call *call)
{
  const struct version *version = call->version;
  if (!version->features || !call->task.inputs) return;
  uint32_t at = place_drawn(&call->serve->rand, ++arm->n_features, FEATURES_KEPT);
  if (at < FEATURES_KEPT)
    features_read(&version->contract, call->task.inputs, arm->features[at]);
}

static uint32_t shift_bin(const struct split *split, const struct reading *reading)
{
  static const unsigned char fixed[16] = "slipway labels1";
  uint32_t bin = 0;
  if (split->n_edges) {
    if (!reading->has_score || reading->score != reading->score) return split->n_edges;
    while (bin < split->n_edges && reading->score >= split->edges[bin]) bin++;
    return bin;
  }
  if (reading->named) return (uint32_t)siphash(fixed, reading->text) % SHIFT_BINS;
  return (uint32_t)((uint64_t)reading->label % SHIFT_BINS);
}

/* One row of each request, its first: rows of one batch are no independent answers. */
static void answer_read(const struct call *call, struct reading *reading)
{
  struct reader reader;
  *reading = (struct reading){.has_label = false};
  reader_init(&reader, &call->version->contract, call->task.outputs, call->task.wanted,
              call->task.rows);
  if (reader.label || reader.floats || reader.score) reader_read(&reader, 0, reading);
}

static void answer_count(struct arm_tally *arm, struct call *call, const struct reading *reading)
{
  if (!reading->has_score && !reading->has_label) return;
  if (reading->has_score) score_keep(arm, &call->serve->rand, (float)reading->score);
  if (!call->split || (!call->split->n_edges && !reading->has_label)) return;
  arm->shift[shift_bin(call->split, reading)]++;
}

_Static_assert((int)PREDICTION_ID_MAX == (int)REQUEST_ID_MAX, "every request id fits");

static int64_t label_of(const struct reading *reading)
{
  if (!reading->has_label) return LABEL_NONE;
  return reading->named ? outcome_label(reading->text) : reading->label;
}

/* What came as JSON is kept as it came, to where there is room. */
static void inputs_note(const struct call *call, struct tally *tally, uint32_t row)
{
  struct slice text = call->plain;
  if (row % INPUT_EVERY || tally->n_inputs == INPUTS_KEPT || !text.len || text.at[0] != '{') return;
  struct input_sample *sample = &tally->inputs[tally->n_inputs++];
  sample->row = row;
  sample->len = (uint16_t)(text.len < INPUT_TEXT_MAX ? text.len : INPUT_TEXT_MAX);
  memcpy(sample->text, text.at, sample->len);
}

static float covariate_of(const struct call *call)
{
  struct slice text = call->split->covariate;
  float value;
  bool over;
  if (text.len) text = release_field(call, text);
  return text.len && text_read_f32(text.at, text.len, &value, &over) ? value : NAN;
}

/* Remembers what was answered, for the day its outcome is told. Only evidence is a release's: what
 * else its arms answered would not be comparable. */
static void prediction_note(struct call *call, const struct reading *reading, bool of_release)
{
  struct serve *serve = call->serve;
  struct tally *tally = serve->tally;
  if (tally->n_predictions == tally->predictions_cap) {
    tally->predictions_missed++;
    return;
  }
  struct prediction *row = &tally->predictions[tally->n_predictions++];
  struct slice id = call_id(call);
  memcpy(row->id, id.at, id.len);
  row->id_len = (uint8_t)id.len;
  row->arm = of_release ? (uint8_t)(call->arm - call->model->arms) : 0;
  row->model = call->model->slot;
  row->release = of_release ? call->split->number : 0;
  row->version = call->version->number;
  row->weight = call->arm ? call->arm->weight : WEIGHT_WHOLE;
  row->score = reading->has_score ? (float)reading->score : NAN;
  row->covariate = of_release ? covariate_of(call) : NAN;
  row->label = label_of(reading);
  row->wall_ms = (serve->now_us + serve->wall_us) / 1000;
  row->unit = of_release ? call->unit : unit_hash(id);
  inputs_note(call, tally, tally->n_predictions - 1);
}

/* An answer that is evidence of nothing. */
static void by_the_way(struct call *call, bool failed)
{
  struct reading reading;
  if (failed || !call->version || !call->version->feedback_ms) return;
  answer_read(call, &reading);
  prediction_note(call, &reading, false);
}

/* The client would not wait as long as the version may take. */
static bool deadline_is_own(const struct call *call)
{
  return call->asked_us && call->asked_us < call_normal_us(call);
}

void arm_answered(struct call *call, int64_t total_us)
{
  const struct task *task = &call->task;
  const struct split *split = call->split;
  enum code code = call->err.code;
  bool failed = code != OK, late = code == E_DEADLINE_EXCEEDED;
  if (failed && code_http(code) < HTTP_FAILURE) return;
  if (late && deadline_is_own(call)) return;
  if (shed_of(code) != SHEDS) return; /* that says how many asked, and nothing of the version */
  if (!call->counts) {
    by_the_way(call, failed);
    return;
  }
  uint64_t us = total_us > 0 ? (uint64_t)total_us : 0;
  uint64_t slow_us = split ? split->slow_us[SLOW_P99] : 0;
  bool ran = call->recall.how == RECALL_NOT; /* the time of an answer that was kept is no model's */
  bool slow = late || (!failed && ran && slow_us && us >= slow_us);
  struct reading reading;
  if (!failed) answer_read(call, &reading);
  if (split) release_answered(call, failed, slow);
  if (!failed && (split ? split->remember : call->version->feedback_ms > 0))
    prediction_note(call, &reading, split != NULL);
  struct arm_tally *arm = tally_arm(call->serve->tally, call->version->slot);
  if (!arm) return;
  arm->requests++;
  features_keep(arm, call);
  arm->errors += failed;
  arm->timeouts += late;
  if (failed || slow) id_keep(arm, call_id(call));
  if (late) us = UINT64_MAX;
  if (late || (!failed && ran)) sketch32_add(&arm->total_us, us);
  if (failed) return;
  if (ran && task->cpu_ns >= 0) arm->costed++, arm->cpu_ns += (uint64_t)task->cpu_ns;
  if (ran) memory_tally_add(&arm->memory, task->model_bytes, task->peak_bytes);
  answer_count(arm, call, &reading);
}
