/* arm.h - what one loop saw in one pulse of a version that answers, and of a release: integers
 * only, so any split of the same requests over loops adds up to the same.
 * Thread: its loop until the pulse, then control. Merging is associative and commutative, but for
 * the samples, of which some are kept.
 *
 * A version's part lies in a pool of the tally (tally.h): it costs nothing until the version
 * answers.
 * Source: release statistics, section 1 (what counts), 3 (sketch), 7 to 9.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_ARM_H
#define WORLD_ARM_H

#include "stat/agree.h"
#include "stat/drift.h"
#include "stat/sketch.h"
#include "world/release.h"

enum {
  SCORES_KEPT = 32,
  FEATURES_KEPT = 16, /* rows */
  IDS_KEPT = 8,
  ID_BYTES = 64,
  UNITS_KEPT = 512,
  LABELS_KEPT = 16,
  PAIRS_KEPT = 4,
  LABEL_TEXT_MAX = 24,
  PAIR_TEXT_MAX = 256,
  SEGMENT_TEXT_MAX = 32,
};

/* What a model held when it answered: the least after a run, so that what other runs need at that
 * moment is mostly not in it, and the most inside of one. 0: not measured. */
struct memory_tally {
  uint64_t steady_bytes, peak_bytes;
};

/* Of one version, live requests only. */
struct arm_tally {
  uint64_t requests;     /* that count: answered, or failed by the server's fault */
  uint64_t errors;       /* of them: 5xx, timeout, a broken answer */
  uint64_t timeouts;     /* of the errors */
  uint64_t costed;       /* answers whose CPU time was measured: some, by lot */
  uint64_t cpu_ns;       /* of those */
  struct memory_tally memory;
  /* From the head's arrival to the answer. Errors are left out, but for timeouts, which count as
   * slow at every threshold (the overflow bucket). */
  struct sketch32 total_us;
  uint32_t shift[SHIFT_BINS];   /* answers by the release's bins */
  float scores[SCORES_KEPT];    /* a sample, for edges yet to be chosen */
  uint32_t n_scores;            /* seen; min(n_scores, SCORES_KEPT) are kept */
  float features[FEATURES_KEPT][DRIFT_FEATURES]; /* of a sample of requests: their first rows */
  uint32_t n_features; /* requests that had any; min(n_features, FEATURES_KEPT) rows are kept */
  char ids[IDS_KEPT][ID_BYTES]; /* request ids of errors and slow answers, first come */
  uint8_t id_lens[IDS_KEPT], n_ids;
};

/* A pair of answers that differ, for people. */
struct pair_sample {
  uint8_t apart; /* disagreement in 64ths */
  char id[ID_BYTES];
  uint8_t id_len;
  uint16_t text_len;
  char text[PAIR_TEXT_MAX]; /* JSON: both answers and the beginning of the inputs */
};

struct label_text {
  char at[LABEL_TEXT_MAX]; /* cut; numbers as decimals */
  uint8_t len;
};

/* Which label of stable's became which of the shadow's. Zeroed is empty. */
struct flips {
  struct label_text labels[LABELS_KEPT - 1]; /* as they came */
  uint32_t n_labels;
  /* [stable][shadow], by place in labels; the last row and column: all other labels */
  uint64_t at[LABELS_KEPT][LABELS_KEPT];
};

struct segment_tally {
  uint64_t hash;               /* of field and value; 0: unused */
  char text[SEGMENT_TEXT_MAX]; /* "x-country=de", cut */
  uint8_t text_len;
  uint32_t requests[ARMS_MAX], errors[ARMS_MAX], slow[ARMS_MAX]; /* slow: at p99 */
};

/* Of one running release. */
struct release_tally {
  bool touched;
  /* Requests as the lot gave them out, before any of them ran: what a sample ratio is judged by
   * where each request is a unit of its own. */
  uint64_t assigned[ARMS_MAX];
  uint64_t keyless;  /* requests without the sticky key: served by stable, no evidence */
  uint64_t unjudged; /* live requests that were the candidate's by lot and went to stable because
                       * of unjudged_max or the local kill rule */
  uint32_t killed;   /* bit per arm that the local kill rule has fired for */
  /* Shadow pairs: requests that stable and the shadow both answered. */
  uint64_t agree[AGREE_COUNTS]; /* by disagreement; the same inputs once a minute and loop */
  uint64_t pairs, repeats; /* in agree; left out there, for their inputs were compared lately */
  uint64_t shadow_dropped, shadow_errors; /* not sent for lack of room; failed: no pair */
  uint64_t costed;                        /* pairs and repeats with the CPU time of both measured */
  uint64_t shadow_cpu_ns, stable_cpu_ns;
  struct sketch32 shadow_us, stable_us; /* queue and engine, over the same */
  struct memory_tally shadow_memory;
  struct flips flips;    /* rows of the answers of pairs */
  struct pair_sample worst[PAIRS_KEPT]; /* in no order: a new one replaces the least apart */
  uint32_t n_worst;
  /* Hashes of units seen for the first time by this loop, as the arms got them: control counts each
   * once over all loops. Past UNITS_KEPT a unit waits for its next request. */
  uint64_t units[UNITS_KEPT];
  uint8_t unit_arm[UNITS_KEPT];
  uint32_t n_units;
  struct segment_tally segments[SEGMENTS_MAX];
};

/* What a loop keeps of a running release from pulse to pulse. It lies in the tally, so that there
 * is one for each release slot, and the loop carries it over to the next one. */
struct release_local {
  uint64_t of;                 /* which release: its model's slot and its number; 0: none yet */
  uint32_t sent;               /* to candidates since the pulse */
  uint32_t failed[ARMS_MAX];   /* the last answers of each arm, newest in bit 0: 1 is a failure */
  uint8_t answered[ARMS_MAX];  /* how many of those bits are answers */
  uint32_t killed;             /* bit per arm */
  int64_t rest_until_us;       /* its shadow runs on this loop no earlier */
  uint16_t segment_at[SEGMENT_FIELDS_MAX]; /* where in a head the field was last: most are alike */
  uint8_t cost_bits[ARMS_MAX]; /* CPU time of one answer in 2^this is measured */
};

void memory_tally_add(struct memory_tally *into, uint64_t steady_bytes, uint64_t peak_bytes);
void arm_tally_merge(struct arm_tally *into, const struct arm_tally *from);
void release_tally_merge(struct release_tally *into, const struct release_tally *from);
void flips_count(struct flips *flips, struct slice stable, struct slice shadow);
/* By text: the same label may have another place in each. */
void flips_merge(struct flips *into, const struct flips *from);

#endif
