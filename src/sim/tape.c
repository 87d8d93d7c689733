/* tape.c - recorded requests: read, sorted into seconds, dealt to two arms.
 * Thread: any once read.
 * SPDX-License-Identifier: MIT */
#include "sim/tape.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

enum { HISTORY_S = CROWD_HISTORY_S };

/* ---- reading ---- */

struct row {
  double t;
  uint32_t us;
  uint8_t arm, error;
};

static struct slice field_take(struct slice *line)
{
  const char *comma = line->len ? memchr(line->at, ',', line->len) : NULL;
  struct slice field = {line->at, comma ? (size_t)(comma - line->at) : line->len};
  *line = comma ? slice_from(*line, field.len + 1) : SLICE_NONE;
  return field;
}

/* What is wrong with the line; NULL: nothing. */
static const char *row_read(struct slice line, struct row *row)
{
  struct slice t = field_take(&line), arm = field_take(&line), us = field_take(&line);
  struct slice error = field_take(&line);
  uint64_t value;
  bool over;
  if (!text_read_f64(t.at, t.len, &row->t, &over) || over || row->t < 0)
    return "t is no number of seconds";
  if (slice_eq(arm, SLICE("stable")))
    row->arm = ARM_STABLE;
  else if (slice_eq(arm, SLICE("candidate")))
    row->arm = ARM_CANDIDATE;
  else
    return "arm is neither stable nor candidate";
  if (!text_read_u64(us, UINT64_MAX, &value)) return "latency_us is no whole number";
  row->us = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
  if (!text_read_u64(error, 1, &value)) return "error is neither 0 nor 1";
  row->error = (uint8_t)value;
  return line.len ? "there are more than four columns" : NULL;
}

static enum code rows_read(struct slice text, struct row **rows, uint64_t *n, struct err *err)
{
  uint64_t cap = 1 << 16, at_line = 0;
  *rows = grab(cap * sizeof **rows);
  for (*n = 0; text.len;) {
    const char *end = memchr(text.at, '\n', text.len);
    struct slice line = {text.at, end ? (size_t)(end - text.at) : text.len};
    text = slice_from(text, line.len + 1);
    if (line.len && line.at[line.len - 1] == '\r') line.len--;
    at_line++;
    bool head = at_line == 1 && line.len && (line.at[0] < '0' || line.at[0] > '9');
    if (head || line.len == 0 || line.at[0] == '#') continue;
    if (*n == TAPE_ROWS_MAX)
      return fail(err, E_LIMIT_EXCEEDED, "more than %d requests; cut the recording", TAPE_ROWS_MAX);
    if (*n == cap) *rows = grab_more(*rows, (cap *= 2) * sizeof **rows);
    const char *wrong = row_read(line, &(*rows)[*n]);
    if (wrong)
      return fail(err, E_INVALID_ARGUMENT, "line %llu: %s; the form is t,arm,latency_us,error",
                  (unsigned long long)at_line, wrong);
    ++*n;
  }
  return OK;
}

static void seconds_fill(struct tape *tape, const struct row *rows, uint64_t n, double origin)
{
  uint64_t at = 0;
  for (uint64_t i = 0; i < n; i++) {
    struct tape_second *second = &tape->second[(uint32_t)(rows[i].t - origin)];
    if (rows[i].error)
      second->errors[rows[i].arm]++;
    else
      second->timed[rows[i].arm]++;
  }
  for (uint32_t s = 0; s < tape->seconds; s++)
    for (int arm = 0; arm < CROWD_ARMS; arm++) {
      tape->second[s].first[arm] = at;
      at += tape->second[s].timed[arm];
      tape->second[s].timed[arm] = 0;
    }
  for (uint64_t i = 0; i < n; i++) {
    struct tape_second *second = &tape->second[(uint32_t)(rows[i].t - origin)];
    int arm = rows[i].arm;
    if (!rows[i].error) tape->us[second->first[arm] + second->timed[arm]++] = rows[i].us;
  }
}

static void tape_measure(struct tape *tape)
{
  struct sketch *sketch = grab_zero(1, sizeof *sketch);
  uint64_t errors = 0, answers[CROWD_ARMS] = {0};
  uint32_t first = tape->seconds;
  for (uint32_t s = 0; s < tape->seconds; s++) {
    const struct tape_second *second = &tape->second[s];
    const uint32_t *us = tape->us + second->first[ARM_STABLE];
    for (uint32_t i = 0; i < second->timed[ARM_STABLE]; i++) sketch_add(sketch, us[i]);
    errors += second->errors[ARM_STABLE];
    if (second->timed[ARM_CANDIDATE] + second->errors[ARM_CANDIDATE] && first == tape->seconds)
      first = s;
    for (int arm = 0; arm < CROWD_ARMS && s >= first; arm++)
      answers[arm] += second->timed[arm] + second->errors[arm];
  }
  tape->has_candidate = first < tape->seconds;
  uint32_t half = tape->seconds / 2;
  tape->history = tape->has_candidate ? first : half < HISTORY_S ? half : HISTORY_S;
  uint64_t all = sketch->count + errors, release = answers[0] + answers[1];
  tape->error_rate = all ? (double)errors / (double)all : 0;
  tape->share = release ? (double)answers[ARM_CANDIDATE] / (double)release : 0;
  tape->p98_us = sketch_quantile(sketch, 0.98);
  ungrab(sketch);
}

enum code tape_read(struct tape *tape, struct slice text, struct err *err)
{
  struct row *rows;
  *tape = (struct tape){0};
  enum code code = rows_read(text, &rows, &tape->rows, err);
  double from = INFINITY, to = 0;
  for (uint64_t i = 0; code == OK && i < tape->rows; i++) {
    from = fmin(from, floor(rows[i].t));
    to = fmax(to, rows[i].t);
  }
  if (code == OK && (tape->rows == 0 || to - from < TAPE_SECONDS_MIN))
    code = fail(err, E_INVALID_ARGUMENT, "the recording must last at least %d s", TAPE_SECONDS_MIN);
  if (code == OK && to - from >= TAPE_SECONDS_MAX)
    code = fail(err, E_INVALID_ARGUMENT, "the recording lasts longer than 90 days");
  if (code == OK) {
    tape->seconds = (uint32_t)(to - from) + 1;
    tape->second = grab_zero(tape->seconds, sizeof *tape->second);
    tape->us = grab(tape->rows * sizeof *tape->us);
    seconds_fill(tape, rows, tape->rows, from);
    tape_measure(tape);
  }
  ungrab(rows);
  return code;
}

void tape_free(struct tape *tape)
{
  ungrab(tape->second);
  ungrab(tape->us);
  *tape = (struct tape){0};
}

/* ---- playing ---- */

void tape_history(struct crowd *crowd, struct past *past)
{
  const struct tape *tape = crowd->tape;
  struct sketch *sketch = grab_zero(1, sizeof *sketch);
  for (uint32_t s = 0; s < tape->history; s++) {
    const struct tape_second *second = &tape->second[s];
    const uint32_t *us = tape->us + second->first[ARM_STABLE];
    memset(sketch, 0, sizeof *sketch);
    for (uint32_t i = 0; i < second->timed[ARM_STABLE]; i++) sketch_add(sketch, us[i]);
    uint64_t errors = second->errors[ARM_STABLE];
    past_add(past, sketch, sketch->count + errors, errors, 0, PLAN_WHOLE, 1000);
  }
  ungrab(sketch);
  crowd->second = 0;
  crowd->lag =
      1 + (uint32_t)(rand_unit(&crowd->rand[ARM_CANDIDATE][CHANCE_TAPE]) * (tape->seconds - 1));
}

static void success(struct crowd *crowd, uint32_t arm, uint64_t us, struct crowd_seen *seen)
{
  uint32_t bucket = sketch_bucket(us);
  crowd->taped[arm].at[bucket]++;
  crowd->taped[arm].count++;
  seen->timed++;
  for (int j = 0; j < SLOW_ROWS; j++)
    seen->slow[j] += crowd->slow.used[j] && bucket >= crowd->cut[j + 1];
}

static void play_recorded(struct crowd *crowd, const struct tape_second *second,
                          struct crowd_seen seen[CROWD_ARMS])
{
  for (uint32_t arm = 0; arm < CROWD_ARMS; arm++) {
    const uint32_t *us = crowd->tape->us + second->first[arm];
    for (uint32_t i = 0; i < second->timed[arm]; i++) success(crowd, arm, us[i], &seen[arm]);
    seen[arm].errors = second->errors[arm];
  }
}

static uint64_t changed(const struct crowd *crowd, uint64_t us)
{
  const struct scenario *scenario = &crowd->model->scenario;
  if (crowd->second < (int64_t)scenario->onset_s) return us;
  double factor = us >= crowd->tape->p98_us ? scenario->tail : 1;
  return (uint64_t)((double)us * factor * scenario->uniform);
}

/* The first second from `at` on that had a success. */
static const struct tape_second *second_met(const struct tape *tape, uint64_t at)
{
  for (uint32_t i = 0; i < tape->seconds; i++) {
    const struct tape_second *met = &tape->second[(at + i) % tape->seconds];
    if (met->timed[ARM_STABLE]) return met;
  }
  return &tape->second[at % tape->seconds];
}

/* n requests of the candidate, each meeting what a request of that second met. */
static void play_candidate(struct crowd *crowd, uint64_t at, uint64_t n, struct crowd_seen *seen)
{
  const struct tape_second *met = second_met(crowd->tape, at);
  const struct scenario *scenario = &crowd->model->scenario;
  struct rand *rand = &crowd->rand[ARM_CANDIDATE][CHANCE_TAPE];
  uint64_t all = (uint64_t)met->timed[ARM_STABLE] + met->errors[ARM_STABLE];
  bool bad = crowd->second >= (int64_t)scenario->onset_s;
  double rate = all ? met->errors[ARM_STABLE] / (double)all : crowd->tape->error_rate;
  double more = bad && scenario->errors > 1 ? (scenario->errors - 1) * crowd->tape->error_rate : 0;
  seen->errors = draw_binomial(rand, n, fmin(fmax(0.9, rate), rate + more));
  const uint32_t *us = crowd->tape->us + met->first[ARM_STABLE];
  for (uint64_t i = seen->errors; i < n && met->timed[ARM_STABLE]; i++) {
    uint64_t which = (uint64_t)(rand_unit(rand) * met->timed[ARM_STABLE]);
    success(crowd, ARM_CANDIDATE, changed(crowd, us[which]), seen);
  }
}

void tape_play(struct crowd *crowd, const double part[CROWD_ARMS],
               struct crowd_seen seen[CROWD_ARMS])
{
  const struct tape *tape = crowd->tape;
  uint64_t at = (uint64_t)crowd->second + tape->history;
  const struct tape_second *now = &tape->second[at % tape->seconds];
  memset(seen, 0, sizeof *seen * CROWD_ARMS);
  if (tape->has_candidate) {
    play_recorded(crowd, now, seen);
  } else {
    uint64_t here = (uint64_t)now->timed[ARM_STABLE] + now->errors[ARM_STABLE];
    uint64_t n = draw_binomial(&crowd->rand[ARM_CANDIDATE][CHANCE_TAPE], here, part[ARM_CANDIDATE]);
    const uint32_t *us = tape->us + now->first[ARM_STABLE];
    /* Each request stays at stable with probability part: which of them does not matter. */
    for (uint32_t i = 0; i < now->timed[ARM_STABLE]; i++)
      if (rand_unit(&crowd->rand[ARM_STABLE][CHANCE_TAPE]) < part[ARM_STABLE])
        success(crowd, ARM_STABLE, us[i], &seen[ARM_STABLE]);
    seen[ARM_STABLE].errors = draw_binomial(&crowd->rand[ARM_STABLE][CHANCE_TAPE],
                                            now->errors[ARM_STABLE], part[ARM_STABLE]);
    play_candidate(crowd, at + crowd->lag, n, &seen[ARM_CANDIDATE]);
  }
  for (int arm = 0; arm < CROWD_ARMS; arm++)
    seen[arm].requests = seen[arm].timed + seen[arm].errors;
  crowd->second++;
}
