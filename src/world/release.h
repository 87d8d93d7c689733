/* release.h - a release as a request sees it: how to choose an arm, whether to copy the request to
 * a shadow, what to count beside. Part of a world: read-only. What decides about the release
 * (judge's plan, trial and rollout) is kept by control and does not come here.
 * Thread: any, once its world is sealed.
 *
 *   key     = the value of sticky_name, or a random number for each request (not its id, which a
 *             client may choose, and with it its arm)
 *   bucket  = murmur3-32(seed, key) scaled to WEIGHT_WHOLE       stat/assign.h
 *   arm     = the first whose weights so far add up to more, by number (stat/arm.h)
 *
 * The candidate owns [0, w): raising w adds units and moves none out. A missing key in sticky mode
 * goes to the stable arm and is no evidence.
 * Source: release features, section 6 (flagd's fractional, hash version "m3").
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_RELEASE_H
#define WORLD_RELEASE_H

#include "stat/arm.h"
#include "stat/slow.h"
#include "world/version.h"

enum { WEIGHT_WHOLE = 100000000 };

/* A share of the traffic. Weights of a split add up to WEIGHT_WHOLE; 0 owns nothing. */
struct arm {
  const struct version *version; /* READY; NULL: weight is 0, or the arm is closed */
  uint32_t weight;
};

enum sticky { STICKY_REQUEST, STICKY_HEADER, STICKY_PARAMETER, STICKY_TENANT };

/* Whether a unit's arm can be told before its request: a flag `release.MODEL` does. */
static inline bool sticky_is_flag(enum sticky sticky) { return sticky != STICKY_REQUEST; }

/* How the answers of a pair are compared, and how one is read for prediction shift. */
enum compare { COMPARE_LABEL, COMPARE_SCORE, COMPARE_OVERLAP };

enum {
  SHIFT_BINS = 32, /* labels, or between edges of scores */
  SEGMENTS_MAX = 64,
  SEGMENT_FIELDS_MAX = 4,
};

struct split {
  uint32_t number;   /* per model: "fraud/17" */
  uint32_t slot;     /* its place in tallies */
  uint32_t step;     /* from 0 */
  struct slice seed; /* "fraud/17" */
  /* Bit per arm that is out. It keeps its part of the lot, so that no unit of another arm moves:
   * whoever draws it is answered by stable and is no evidence, of neither. */
  uint32_t closed;
  enum sticky sticky;
  struct slice sticky_name; /* header or parameter; empty for the other two */
  /* "header:x-arm" or "parameter:arm": a request whose value there is an arm's name ("stable",
   * "candidate", "candidate-2"...) or its number gets that arm and is no evidence; another value
   * means nothing. Empty: the plan allows no choice. */
  struct slice selector;
  const struct version *shadow; /* gets a copy of requests, answers nobody; NULL: none */
  uint32_t shadow_weight;       /* share of requests copied, of WEIGHT_WHOLE */
  /* A loop sends the candidates no more than this many live requests between two pulses; 0: none.
   * Past it requests go to stable, and no request is evidence, of either side, until the pulse:
   * what is left would be no fair draw. */
  uint32_t unjudged_max;
  bool remember; /* answers that are evidence become predictions (outcome.h): the plan has a metric,
                  * or the model a window for feedback */
  /* Of those predictions: "header:NAME" or "parameter:NAME" of a number known before the lot was
   * drawn; empty: none. */
  struct slice covariate;
  enum compare compare;
  double distance;             /* COMPARE_SCORE: further apart is a disagreement */
  uint32_t overlap_k;          /* COMPARE_OVERLAP */
  uint64_t slow_us[SLOW_ROWS]; /* frozen thresholds; 0: none. SLOW_P99 also judges segments */
  uint32_t n_edges;            /* of scores, ascending; bins are one more. 0: bins are labels */
  float edges[SHIFT_BINS - 1];
  struct slice segments[SEGMENT_FIELDS_MAX]; /* "header:x-country", "parameter:plan",
                                             * "tenant" */
  uint32_t n_segments;
};

#endif
