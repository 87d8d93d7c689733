/* evidence.c - the journal of a release, its replay, and the numbers beside a verdict.
 * Thread: any, pure.
 * A record is its kind, its length and its bytes, the first two as varints.
 * SPDX-License-Identifier: MIT */
#include "judge/evidence.h"

#include <inttypes.h>
#include <stdio.h>

#include "judge/judge_int.h"

/* --- records ---------------------------------------------------------------------------------- */

static void record_bytes(enum evidence_kind kind, struct slice bytes, struct varint_out *out)
{
  varint_put(out, kind);
  varint_put(out, bytes.len);
  if (out->full || out->cap - out->len < bytes.len) {
    out->full = true;
    return;
  }
  if (bytes.len) memcpy(out->at + out->len, bytes.at, bytes.len);
  out->len += bytes.len;
}

void evidence_plan(struct slice text, struct varint_out *out)
{
  record_bytes(EVIDENCE_PLAN, text, out);
}

void evidence_step(uint32_t step, const struct baseline *baseline, struct varint_out *out)
{
  unsigned char bytes[BASELINE_BYTES_MAX];
  struct varint_out body = {bytes, 0, sizeof bytes, false};
  varint_put(&body, step);
  baseline_write(baseline, &body);
  must(!body.full);
  record_bytes(EVIDENCE_STEP, (struct slice){(const char *)bytes, body.len}, out);
}

/* Written in place, then moved by the few bytes that its head takes. */
void evidence_look(const struct look *look, struct varint_out *out)
{
  unsigned char head[2 * VARINT_BYTES_MAX];
  struct varint_out body = *out, front = {head, 0, sizeof head, false};
  look_write(look, &body);
  size_t len = body.len - out->len;
  varint_put(&front, EVIDENCE_LOOK);
  varint_put(&front, len);
  if (body.full || body.cap - body.len < front.len) {
    out->full = true;
    return;
  }
  memmove(out->at + out->len + front.len, out->at + out->len, len);
  memcpy(out->at + out->len, head, front.len);
  out->len += front.len + len;
}

/* --- replay ----------------------------------------------------------------------------------- */

void replay_init(struct replay *replay, struct trial *trial, struct look *look, struct arena *arena)
{
  *replay = (struct replay){.trial = trial, .look = look, .arena = arena};
}

static enum code plan_take(struct replay *replay, struct slice body, struct err *err)
{
  struct plan plan;
  if (replay->begun) return fail(err, E_INVALID_ARGUMENT, "the journal holds a second plan");
  if (plan_read(&plan, body, replay->arena, err) != OK) return err->code;
  trial_begin(replay->trial, &plan);
  replay->begun = true;
  return OK;
}

static enum code step_take(struct replay *replay, struct slice body, struct err *err)
{
  uint64_t step;
  struct baseline baseline;
  if (!replay->begun || !varint_get(&body, &step) || step >= replay->trial->plan.n_steps ||
      step < replay->trial->step)
    return fail(err, E_INVALID_ARGUMENT, "the journal begins a step out of order");
  if (baseline_read(&baseline, &body, err) != OK) return err->code;
  if (body.len) return fail(err, E_INVALID_ARGUMENT, "a step's record is longer than it says");
  trial_step_begin(replay->trial, (uint32_t)step, &baseline);
  replay->stepped = true;
  return OK;
}

static enum code look_take(struct replay *replay, struct slice body, struct verdict *verdict,
                           struct err *err)
{
  if (!replay->stepped)
    return fail(err, E_INVALID_ARGUMENT, "the journal has a look before its step");
  if (look_read(replay->look, &body, err) != OK) return err->code;
  if (body.len) return fail(err, E_INVALID_ARGUMENT, "a look's record is longer than it says");
  trial_look(replay->trial, replay->look, verdict);
  return OK;
}

enum code replay_next(struct replay *replay, struct slice *bytes, struct verdict *verdict,
                      bool *judged, struct err *err)
{
  struct err own;
  struct slice at = *bytes;
  uint64_t kind, len;
  enum code code;
  if (!err) err = &own;
  *judged = false;
  if (!varint_get(&at, &kind) || !varint_get(&at, &len) || len > at.len)
    return fail(err, E_INVALID_ARGUMENT, "these bytes are no journal, or it was cut short");
  struct slice body = {at.at, (size_t)len};
  switch (kind) {
    case EVIDENCE_PLAN: code = plan_take(replay, body, err); break;
    case EVIDENCE_STEP: code = step_take(replay, body, err); break;
    case EVIDENCE_LOOK: code = look_take(replay, body, verdict, err); break;
    default: return fail(err, E_INVALID_ARGUMENT, "the journal has a record of an unknown kind");
  }
  if (code != OK) return code;
  *judged = kind == EVIDENCE_LOOK;
  *bytes = slice_of(at.at + len, at.len - (size_t)len);
  return OK;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void put_hex(struct json_out *out, double value)
{
  char text[40];
  int n = snprintf(text, sizeof text, "%a", value);
  json_out_str(out, slice_of(text, (size_t)n));
}

static void put_hexes(struct json_out *out, const char *key, const double *values, uint32_t n)
{
  json_out_key(out, key);
  json_out_open(out, '[');
  for (uint32_t i = 0; i < n; i++) put_hex(out, values[i]);
  json_out_close(out, ']');
}

static void detector_json(const struct detector *detector, struct json_out *out)
{
  json_out_open(out, '{');
  put_hexes(out, "p", detector->p, COUNT_GRID);
  put_hexes(out, "s", detector->s, COUNT_GRID);
  json_out_key(out, "log_e");
  put_hex(out, detector_log_e(detector));
  json_out_key_u64(out, "episodes", detector->episodes);
  json_out_close(out, '}');
}

static void put_total(struct json_out *out, const char *key, const struct look_arm *arm,
                      uint32_t row)
{
  json_out_key(out, key);
  json_out_open(out, '[');
  json_out_u64(out, row == BASELINE_ERRORS ? arm->errors : arm->slow[row]);
  json_out_u64(out, row == BASELINE_ERRORS ? arm->requests : arm->timed);
  json_out_close(out, ']');
}

static void row_json(const struct trial *trial, uint32_t arm, uint32_t row, struct json_out *out)
{
  static const char *const names[] = {"p50", "p90", "p99", "p99.9", "errors"};
  const struct trial_arm *at = &trial->arms[arm];
  json_out_open(out, '{');
  json_out_key_u64(out, "arm", arm);
  json_out_key(out, "row");
  json_out_str(out, slice_str(names[row]));
  json_out_key(out, "threshold_us");
  if (row < SLOW_ROWS)
    json_out_u64(out, trial->baseline.slow.us[row]);
  else
    json_out_null(out);
  json_out_key(out, "phi");
  put_hex(out, trial->limits[arm][row].phi);
  put_total(out, "candidate", &trial->totals[arm], row);
  put_total(out, "stable", &trial->totals[ARM_STABLE], row);
  json_out_key(out, "restarted");
  detector_json(&at->ordinary[row], out);
  json_out_key(out, "fast");
  detector_json(&at->fast[row], out);
  put_hexes(out, "pass", at->pass[row].p, COUNT_GRID);
  json_out_key_u64(out, "blocks", at->blocks[row].n);
  json_out_key_u64(out, "skipped", at->blocks[row].skipped);
  json_out_close(out, '}');
}

/* Oldest first: [look, weight, [requests], [timed], [errors], [p50], [p90], [p99], [p99.9]]. */
static void put_two(struct json_out *out, const uint64_t of[2])
{
  json_out_open(out, '[');
  json_out_u64(out, of[0]);
  json_out_u64(out, of[1]);
  json_out_close(out, ']');
}

static void looks_json(const struct trial *trial, struct json_out *out)
{
  uint64_t n = trial->looks_counted < TRIAL_LOOKS ? trial->looks_counted : TRIAL_LOOKS;
  json_out_key(out, "last_looks");
  json_out_open(out, '[');
  for (uint64_t i = trial->looks_counted - n; i < trial->looks_counted; i++) {
    const struct trial_counts *at = &trial->last[i % TRIAL_LOOKS];
    json_out_open(out, '[');
    json_out_u64(out, at->look);
    json_out_u64(out, at->weight);
    put_two(out, at->requests);
    put_two(out, at->timed);
    put_two(out, at->errors);
    for (int row = 0; row < SLOW_ROWS; row++) put_two(out, at->slow[row]);
    json_out_close(out, ']');
  }
  json_out_close(out, ']');
}

void evidence_json(const struct trial *trial, struct json_out *out)
{
  json_out_open(out, '{');
  json_out_key_u64(out, "version", EVIDENCE_VERSION);
  json_out_key_u64(out, "step", trial->step);
  json_out_key_u64(out, "looks", trial->looks);
  json_out_key_u64(out, "looks_counted", trial->looks_counted);
  json_out_key_u64(out, "refused", trial->refused);
  json_out_key_u64(out, "restarts_max", trial->restarts_max);
  json_out_key(out, "harmed");
  put_hex(out, trial->harmed);
  json_out_key(out, "rows");
  json_out_open(out, '[');
  for (uint32_t arm = gate_arm(trial, 0); arm < trial->n_arms; arm = gate_arm(trial, arm + 1))
    for (uint32_t row = 0; row < TRIAL_ROWS; row++)
      if (trial->row_used[row]) row_json(trial, arm, row, out);
  json_out_close(out, ']');
  looks_json(trial, out);
  json_out_close(out, '}');
}

/* FNV-1a over numbers, a byte at a time, so that padding and pointers stay out of it. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
  for (int i = 0; i < 8; i++, value >>= 8) hash = (hash ^ (value & 0xff)) * 0x100000001b3ull;
  return hash;
}

static uint64_t mix_double(uint64_t hash, double value)
{
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (m_is_nan(value)) bits = 0x7ff8000000000000ull; /* whatever its payload */
  return mix(hash, bits);
}

uint64_t verdict_print(const struct verdict *verdict)
{
  uint64_t hash = 0xcbf29ce484222325ull;
  const uint64_t whole[] = {
      verdict->kind,       verdict->otherwise,     verdict->pausing,    verdict->decided_by_gate,
      verdict->by,         verdict->step,          verdict->look,       verdict->step_ms,
      verdict->step_looks, verdict->step_requests, verdict->step_users, verdict->no_data_ms,
      verdict->time_met,   verdict->requests_met,  verdict->users_met,  verdict->gates_met,
      verdict->closed,     verdict->winner};
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) hash = mix(hash, whole[i]);
  hash = mix_double(hash, verdict->harmed);
  for (int i = 0; i < GATE_COUNT; i++) {
    const struct gate_result *gate = &verdict->gates[i];
    const uint64_t numbers[] = {gate->gate,
                                gate->state,
                                gate->reason,
                                gate->act,
                                gate->lane,
                                gate->arm,
                                gate->row,
                                gate->x_c,
                                gate->n_c,
                                gate->x_b,
                                gate->n_b,
                                gate->bits,
                                gate->first_bad_look,
                                gate->first_bad_ms,
                                gate->fired_look,
                                gate->fired_ms,
                                gate->fired_step,
                                gate->episodes};
    const double doubles[] = {gate->log_e,    gate->bar,         gate->pass_log_e,
                              gate->pass_bar, gate->block_lower, gate->block_upper,
                              gate->effect};
    for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++) hash = mix(hash, numbers[j]);
    for (size_t j = 0; j < sizeof doubles / sizeof *doubles; j++)
      hash = mix_double(hash, doubles[j]);
  }
  return hash;
}
