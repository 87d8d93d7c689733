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

#include "base/hash.h"
#include "stat/calibration.h"
#include "world/release.h"

enum {
  PREDICTION_ID_MAX = 64,
  OUTCOME_TEXT_MAX = 4096, /* an outcome, as JSON */
  FEEDBACK_MAX = 1000,     /* items of one batch */
  INPUT_TEXT_MAX = 498,
  INPUT_EVERY = 32, /* one prediction in so many */
  INPUTS_KEPT = 64, /* of a loop in a pulse */
  PENDING_MS = 86400000,   /* how long an outcome waits for its prediction */
  AGES = 22,               /* points of the curve: share of requests with an outcome, by age */
};
#define OUTCOME_KEEP_MS INT64_C(2592000000) /* 30 days: how long predictions are kept at least */
#define LABEL_NONE INT64_MIN

struct prediction {
  char id[PREDICTION_ID_MAX]; /* the request's */
  uint8_t id_len;
  uint8_t arm;      /* its place in the split */
  uint32_t model;   /* its slot */
  uint32_t release; /* its number; 0: none ran */
  uint32_t version;
  uint32_t weight; /* of WEIGHT_WHOLE: the propensity */
  float score;     /* or NaN */
  float covariate; /* what the plan's says of this request; or NaN */
  int64_t label;   /* or LABEL_NONE */
  int64_t wall_ms;
  uint64_t unit; /* hash of the unit of assignment */
};

/* What some of them were made of: the beginning of the request's JSON. */
struct input_sample {
  uint32_t row; /* the prediction's place */
  uint16_t len;
  char text[INPUT_TEXT_MAX];
};

struct feedback {
  struct slice model, id;
  struct slice outcome; /* JSON: number, text or object */
  double value;         /* the number it stands for; NaN: none. Finite otherwise */
  int64_t label;        /* the label it stands for, or LABEL_NONE */
  double weight;        /* 1 unless said; not negative */
  int64_t at_ms;        /* when it happened */
  /* Filled: */
  enum feedback_state {
    FEEDBACK_JOINED,   /* its prediction is there */
    FEEDBACK_PENDING,  /* outcome first: kept PENDING_MS */
    FEEDBACK_UNKNOWN,  /* no such prediction, and too old for one to come */
    FEEDBACK_SAME,     /* told before: nothing changed */
    FEEDBACK_REPLACED, /* another outcome than before; that one is kept as history */
    FEEDBACK_STATES,
  } state;
};

/* Whose predictions these are: what control knows and a loop does not. */
struct prediction_owner {
  uint32_t slot; /* of the model */
  struct slice tenant, model;
  int64_t keep_ms; /* 0: OUTCOME_KEEP_MS */
};

/* Of answers with a score p: y is whether the label was right, or without labels the outcome. */
struct calibration_bin {
  uint64_t n;
  double p, y; /* sums */
};

/* One arm's sums. */
struct outcome_sums {
  uint32_t version;       /* that answered last; 0: none */
  uint64_t requests;      /* mature, with an outcome or without */
  uint64_t labelled;      /* of them with an outcome */
  uint64_t late;          /* of them with one that happened after the maturity: it counts nowhere */
  uint64_t judged, right; /* both said a label; the same one */
  struct mean_arm metric; /* of units that matured since: each one's value, in parts of the cap */
  struct calibration calibration; /* of the same units: the first answer of each, if told */
  struct calibration_bin bins[CALIBRATION_BINS];
  double brier;            /* sum of (p - y)^2 over the bins' answers */
  uint64_t ages[AGES];     /* labelled within 2^i seconds of the prediction, i = 0, 1, ... */
};

const char *feedback_state_name(enum feedback_state state); /* "joined" */
/* A label that is a text, as predictions and outcomes hold it. */
int64_t outcome_label(struct slice text);
/* Expected calibration error of an arm; NaN: nothing to tell it by. */
double outcome_ece(const struct outcome_sums *sums);

#endif
