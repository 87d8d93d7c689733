/* look.c - one walk over a look's numbers, used to write and to read them alike.
 * Thread: any, pure.
 * Journal form: LOOK_VERSION, then the numbers in the order of look_walk, as varints. A stretch of
 * zeros is 0 and its length less one; it is as long as it can be, so equal looks are equal bytes.
 * SPDX-License-Identifier: MIT */
#include "judge/look.h"

#include <stdio.h>

/* Writes to out, or reads from bytes when out is NULL. */
struct coder {
  struct varint_out *out;
  struct slice bytes;
  uint64_t zeros; /* writing: seen and not yet written; reading: still to hand out */
  bool after_zeros, bad;
  uint64_t version; /* LOOK_VERSION, or the one that is read */
};

static void zeros_put(struct coder *coder)
{
  if (!coder->zeros) return;
  varint_put(coder->out, 0);
  varint_put(coder->out, coder->zeros - 1);
  coder->zeros = 0;
}

static void number_read(struct coder *coder, uint64_t *value)
{
  *value = 0;
  if (coder->zeros) {
    coder->zeros--;
    return;
  }
  if (coder->bad || !varint_get(&coder->bytes, value)) {
    coder->bad = true;
    return;
  }
  bool run = *value == 0;
  /* A length over what a look has is caught when the walk ends with zeros left. */
  if (run && (coder->after_zeros || !varint_get(&coder->bytes, &coder->zeros))) coder->bad = true;
  coder->after_zeros = run;
}

static void number(struct coder *coder, uint64_t *value)
{
  if (!coder->out) {
    number_read(coder, value);
  } else if (*value == 0) {
    coder->zeros++;
  } else {
    zeros_put(coder);
    varint_put(coder->out, *value);
  }
}

static void number32(struct coder *coder, uint32_t *value)
{
  uint64_t wide = *value;
  number(coder, &wide);
  if (wide > UINT32_MAX) coder->bad = true;
  *value = (uint32_t)wide;
}

static void flag(struct coder *coder, bool *value)
{
  uint64_t wide = *value;
  number(coder, &wide);
  if (wide > 1) coder->bad = true;
  *value = wide == 1;
}

/* Signed numbers with the sign as the lowest bit. */
static void wide_number(struct coder *coder, mean_wide *value)
{
  unsigned __int128 bits = (unsigned __int128)*value << 1;
  if (*value < 0) bits = ~bits;
  uint64_t low = (uint64_t)bits, high = (uint64_t)(bits >> 64);
  number(coder, &low);
  number(coder, &high);
  bits = (unsigned __int128)high << 64 | low;
  *value = (mean_wide)(bits >> 1);
  if (bits & 1) *value = ~*value;
}

static void signed_number(struct coder *coder, int64_t *value)
{
  uint64_t bits = (uint64_t)*value << 1;
  if (*value < 0) bits = ~bits;
  number(coder, &bits);
  *value = (int64_t)(bits >> 1);
  if (bits & 1) *value = ~*value;
}

static void mean_walk(struct coder *coder, struct mean_arm *mean)
{
  number(coder, &mean->n);
  signed_number(coder, &mean->y);
  signed_number(coder, &mean->x);
  wide_number(coder, &mean->yy);
  wide_number(coder, &mean->xx);
  wide_number(coder, &mean->xy);
}

static void arm_walk(struct coder *coder, struct look_arm *arm, struct calibration *calibration)
{
  uint64_t unused = 0;
  number(coder, &arm->requests);
  number(coder, &arm->errors);
  number(coder, &arm->timeouts);
  number(coder, &arm->timed);
  for (int i = 0; i < SLOW_ROWS; i++) number(coder, &arm->slow[i]);
  number(coder, &arm->units);
  if (coder->version == 1)
    arm->costed = arm->errors < arm->requests ? arm->requests - arm->errors : 0;
  else
    number(coder, &arm->costed);
  number(coder, &arm->cpu_us);
  number(coder, &arm->steady_bytes);
  number(coder, &arm->peak_bytes);
  for (int i = 0; i < LOOK_BINS_MAX; i++) number(coder, &arm->bins[i]);
  for (int i = 0; i < LOOK_BINS_MAX && coder->version < 5; i++) number(coder, &unused);
  mean_walk(coder, &arm->metric);
  for (int i = 0; i < CALIBRATION_BINS && coder->version > 2; i++)
    mean_walk(coder, &calibration->at[i]);
  for (int i = 0; i < DRIFT_FEATURES && coder->version > 4; i++)
    for (int j = 0; j < DRIFT_BINS; j++) number(coder, &arm->features[i][j]);
}

static void look_walk(struct coder *coder, struct look *look)
{
  number(coder, &look->number);
  number(coder, &look->elapsed_ms);
  number(coder, &look->loaded_ms);
  number32(coder, &look->n_arms);
  number32(coder, &look->n_segments);
  if (look->n_arms > ARMS_MAX || look->n_segments > PLAN_SEGMENTS_MAX) coder->bad = true;
  if (coder->bad) return;
  for (uint32_t i = 0; i < look->n_arms; i++) number32(coder, &look->weights[i]);
  number32(coder, &look->copied);
  flag(coder, &look->uneven);
  flag(coder, &look->stale);
  number32(coder, &look->killed);
  if (look->killed >= ARM_BIT(look->n_arms)) coder->bad = true;
  for (uint32_t i = 0; i < look->n_arms; i++)
    arm_walk(coder, &look->arms[i], &look->calibration[i]);
  for (uint32_t i = 0; i < look->n_segments; i++)
    for (uint32_t arm = 0; arm < (coder->version > 3 ? look->n_arms : 2); arm++) {
      number(coder, &look->segments[i].requests[arm]);
      number(coder, &look->segments[i].errors[arm]);
      number(coder, &look->segments[i].slow[arm]);
    }
  /* Before, candidates were one: what several did together says nothing of any. */
  if (coder->version < 4 && look->n_arms > ARM_MORE)
    memset(look->segments, 0, sizeof look->segments);
  for (int i = 0; i < AGREE_COUNTS; i++) number(coder, &look->agree.at[i]);
  number(coder, &look->copies_failed);
  number(coder, &look->copies_shed);
}

void look_init(struct look *look, uint64_t number_, uint32_t n_arms)
{
  memset(look, 0, sizeof *look);
  look->number = number_;
  look->n_arms = n_arms;
}

void look_latency(struct look_arm *arm, const struct slow *slow, const struct sketch *seen)
{
  slow_count(slow, seen, arm->slow);
  for (int i = 0; i < SLOW_ROWS; i++)
    if (slow->used[i]) arm->slow[i] += arm->timeouts;
  arm->timed = seen->count + arm->timeouts;
}

/* --- merging ---------------------------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

void look_arm_add(struct look_arm *into, const struct look_arm *from)
{
  into->requests += from->requests;
  into->errors += from->errors;
  into->timeouts += from->timeouts;
  into->timed += from->timed;
  for (int i = 0; i < SLOW_ROWS; i++) into->slow[i] += from->slow[i];
  into->units += from->units;
  into->costed += from->costed;
  into->cpu_us += from->cpu_us;
  for (int i = 0; i < LOOK_BINS_MAX; i++) into->bins[i] += from->bins[i];
  for (int i = 0; i < DRIFT_FEATURES; i++)
    for (int j = 0; j < DRIFT_BINS; j++) into->features[i][j] += from->features[i][j];
}

static void arm_merge(struct look_arm *into, const struct look_arm *from)
{
  look_arm_add(into, from);
  into->steady_bytes = larger(into->steady_bytes, from->steady_bytes);
  into->peak_bytes = larger(into->peak_bytes, from->peak_bytes);
  mean_merge(&into->metric, &from->metric);
}

void look_merge(struct look *into, const struct look *from)
{
  into->elapsed_ms += from->elapsed_ms;
  if (from->loaded_ms < into->loaded_ms) into->loaded_ms = from->loaded_ms;
  into->uneven = into->uneven || from->uneven;
  into->stale = into->stale || from->stale;
  into->killed |= from->killed;
  into->n_segments = into->n_segments > from->n_segments ? into->n_segments : from->n_segments;
  for (uint32_t i = 0; i < from->n_arms; i++) {
    arm_merge(&into->arms[i], &from->arms[i]);
    calibration_merge(&into->calibration[i], &from->calibration[i]);
  }
  for (uint32_t i = 0; i < from->n_segments; i++)
    for (uint32_t arm = 0; arm < from->n_arms; arm++) {
      into->segments[i].requests[arm] += from->segments[i].requests[arm];
      into->segments[i].errors[arm] += from->segments[i].errors[arm];
      into->segments[i].slow[arm] += from->segments[i].slow[arm];
    }
  agree_merge(&into->agree, &from->agree);
  into->copies_failed += from->copies_failed;
  into->copies_shed += from->copies_shed;
}

/* --- checking --------------------------------------------------------------------------------- */

static enum code refuse(struct err *err, const char *at, const char *what)
{
  fail(err, E_VALUE_OUT_OF_RANGE, "'%s' %s", at, what);
  return fail_at(err, "%s", at);
}

static bool wide_fits(mean_wide value, mean_wide limit)
{
  return value <= limit && -value <= limit;
}

static bool metric_fits(const struct mean_arm *arm)
{
  if (arm->n > UINT32_MAX) return false;
  mean_wide y = (mean_wide)arm->n << MEAN_PARTS_BITS, yy = y << MEAN_PARTS_BITS;
  mean_wide floor = -y - yy; /* the least __int128 has no opposite */
  if (arm->yy < 0 || arm->xx < 0 || arm->xy < floor) return false;
  return wide_fits(arm->y, y) && wide_fits(arm->x, y) && arm->yy <= yy && arm->xx <= yy &&
         wide_fits(arm->xy, yy);
}

static enum code arm_check(const struct look_arm *arm, const struct calibration *calibration,
                           uint32_t i, struct err *err)
{
  char at[48];
  const struct {
    const char *name;
    uint64_t value, most;
  } counts[] = {
      {"requests", arm->requests, M_COUNT_MAX},
      {"errors", arm->errors, arm->requests},
      {"timeouts", arm->timeouts, arm->errors},
      {"timed", arm->timed, arm->requests},
      {"slow[0]", arm->slow[0], arm->timed},
      {"slow[1]", arm->slow[1], arm->timed},
      {"slow[2]", arm->slow[2], arm->timed},
      {"slow[3]", arm->slow[3], arm->timed},
      {"units", arm->units, M_COUNT_MAX},
      {"costed", arm->costed, arm->requests},
      {"cpu_us", arm->cpu_us, arm->costed ? M_COUNT_MAX : 0},
      {"steady_bytes", arm->steady_bytes, M_COUNT_MAX},
      {"peak_bytes", arm->peak_bytes, M_COUNT_MAX},
  };
  for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
    if (counts[j].value <= counts[j].most) continue;
    snprintf(at, sizeof at, "arms[%u].%s", i, counts[j].name);
    return refuse(err, at, "is more than it can be");
  }
  for (int j = 0; j < LOOK_BINS_MAX; j++) {
    if (arm->bins[j] <= M_COUNT_MAX) continue;
    snprintf(at, sizeof at, "arms[%u].bins[%d]", i, j);
    return refuse(err, at, "is more than it can be");
  }
  for (int j = 0; j < DRIFT_FEATURES * DRIFT_BINS; j++) {
    if (arm->features[j / DRIFT_BINS][j % DRIFT_BINS] <= M_COUNT_MAX) continue;
    snprintf(at, sizeof at, "arms[%u].features[%d]", i, j / DRIFT_BINS);
    return refuse(err, at, "is more than it can be");
  }
  bool fits = metric_fits(&arm->metric);
  snprintf(at, sizeof at, "arms[%u].metric", i);
  for (int j = 0; fits && j < CALIBRATION_BINS; j++) {
    fits = metric_fits(&calibration->at[j]);
    if (!fits) snprintf(at, sizeof at, "calibration[%u][%d]", i, j);
  }
  return fits ? OK : refuse(err, at, "has sums that its count cannot have");
}

static enum code segment_check(const struct look_segment *segment, uint32_t i, struct err *err)
{
  char at[48];
  for (int arm = 0; arm < ARMS_MAX; arm++) {
    uint64_t n = segment->requests[arm];
    if (n <= M_COUNT_MAX && segment->errors[arm] <= n && segment->slow[arm] <= n) continue;
    snprintf(at, sizeof at, "segments[%u]", i);
    return refuse(err, at, "counts more than it can");
  }
  return OK;
}

enum code look_check(const struct look *look, struct err *err)
{
  struct err own;
  if (!err) err = &own;
  uint64_t weights = 0;
  if (look->n_arms < 2 || look->n_arms > ARMS_MAX)
    return refuse(err, "n_arms", "should be from 2 to 8");
  if (look->n_segments > PLAN_SEGMENTS_MAX) return refuse(err, "n_segments", "is over 64");
  if (look->number > M_COUNT_MAX) return refuse(err, "number", "is more than it can be");
  if (look->elapsed_ms > UINT32_MAX) return refuse(err, "elapsed_ms", "is more than it can be");
  if (look->copied > PLAN_WHOLE) return refuse(err, "copied", "is over 100%");
  for (uint32_t i = 0; i < look->n_arms; i++) {
    weights += look->weights[i];
    if (arm_check(&look->arms[i], &look->calibration[i], i, err) != OK) return err->code;
  }
  if (weights > PLAN_WHOLE) return refuse(err, "weights", "are over 100% together");
  for (uint32_t i = 0; i < look->n_segments; i++)
    if (segment_check(&look->segments[i], i, err) != OK) return err->code;
  for (int i = 0; i < AGREE_COUNTS; i++)
    if (look->agree.at[i] > M_COUNT_MAX / AGREE_COUNTS)
      return refuse(err, "agree", "counts more than it can");
  if (look->copies_failed > M_COUNT_MAX) return refuse(err, "copies_failed", "is too many");
  return OK;
}

/* --- the journal's form ----------------------------------------------------------------------- */

void look_write(const struct look *look, struct varint_out *out)
{
  struct look copy = *look; /* the walk is one for both ways, so it wants to write */
  struct coder coder = {.out = out, .version = LOOK_VERSION};
  varint_put(out, LOOK_VERSION);
  look_walk(&coder, &copy);
  zeros_put(&coder);
}

enum code look_read(struct look *look, struct slice *bytes, struct err *err)
{
  struct coder coder = {.bytes = *bytes};
  memset(look, 0, sizeof *look);
  if (!varint_get(&coder.bytes, &coder.version) || coder.version < 1 ||
      coder.version > LOOK_VERSION)
    return fail(err, E_INVALID_ARGUMENT, "these bytes are no look of a version up to %d",
                LOOK_VERSION);
  look_walk(&coder, look);
  if (coder.bad || coder.zeros)
    return fail(err, E_INVALID_ARGUMENT, "these bytes are no whole look");
  if (look_check(look, err) != OK) return err ? err->code : E_VALUE_OUT_OF_RANGE;
  *bytes = coder.bytes;
  return OK;
}
