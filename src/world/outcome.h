/* outcome.h - what was predicted, and how it turned out in the end: the rows that loops and desks
 * hand to the store, and the sums that come back.
 * Thread: any; plain data whose pointers live where the sender says.
 *
 *   a prediction   one answered request of a model that is judged by outcomes: its arm, and the
 *                  weight that arm had, so that off-policy estimates can be made later
 *   feedback       an outcome, told by request id, minutes or weeks later
 *   a measure      sums over all pairs of both that have the same age at least
 *
 * Only pairs older than the maturity enter, of every arm: an outcome that comes quickly for one arm
 * and slowly for another cannot look like a difference.
 * Source: release features, section 8 (delayed feedback).
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_OUTCOME_H
#define WORLD_OUTCOME_H

#include "world/release.h"

enum {
  PREDICTION_ID_MAX = 64,
  OUTCOME_TEXT_MAX = 4096, /* an outcome, as JSON */
  FEEDBACK_MAX = 1000,     /* items of one batch */
  PENDING_MS = 86400000,   /* how long an outcome waits for its prediction */
  AGES = 16,               /* points of the curve: share of requests with an outcome, by age */
};

struct prediction {
  char id[PREDICTION_ID_MAX]; /* the request's */
  uint8_t id_len;
  uint8_t arm;      /* its place in the split */
  uint32_t slot;    /* of the release, in this world: control knows which that is */
  uint32_t version;
  uint32_t weight;  /* of WEIGHT_WHOLE: the propensity */
  int64_t wall_ms;
  uint64_t unit;    /* hash of the unit of assignment */
  int64_t label;    /* or INT64_MIN: none */
  float score;      /* or NaN */
};

struct feedback {
  struct slice id;
  struct slice outcome; /* JSON: number, text or object */
  double value;         /* the number it stands for; NaN: none. Finite otherwise */
  double weight;        /* 1 unless said */
  int64_t at_ms;        /* when it happened */
  /* Filled: */
  enum feedback_state {
    FEEDBACK_JOINED,   /* its prediction is there */
    FEEDBACK_PENDING,  /* outcome first: kept PENDING_MS */
    FEEDBACK_UNKNOWN,  /* no such prediction, and too old for one to come */
    FEEDBACK_SAME,     /* told before: nothing changed */
    FEEDBACK_REPLACED, /* another outcome than before; that one is kept as history */
  } state;
};

/* One arm's sums; the values are capped by the asker. */
struct outcome_sums {
  uint64_t requests;  /* mature, with an outcome or without */
  uint64_t labelled;  /* of them with an outcome */
  uint64_t units;     /* distinct, among the labelled */
  double sum, squares; /* over units, of each unit's mean value */
  uint64_t right;     /* label equals the outcome; only where both are there */
  double brier;       /* sum of (score - value)^2 */
  uint64_t scored;
  uint32_t ages[AGES]; /* labelled within 2^i seconds of the prediction, i = 0, 1, ... */
};

const char *feedback_state_name(enum feedback_state state); /* "joined" */

#endif
