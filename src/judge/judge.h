/* judge.h - the judge of one release: looks go in, a verdict comes out, the same bits every time.
 * Thread: its owner's (control, the simulator, a replay); pure: no clock, no chance, no allocation.
 *
 *   trial_begin -> trial_step_begin(step 0, baseline) -> trial_look ... -> trial_step_begin(1) ...
 *
 * A trial is all that is frozen for a release and all that was counted since: sizeof (struct trial)
 * is below 192 KiB, so a thousand releases fit in memory. It points into itself: it may not be
 * copied or moved but by trial_copy. Only what trial_ functions return is of interest elsewhere;
 * gates (gate.h) read the rest.
 *
 * What carries over a step: detectors (they count over the whole release), harm budget, memory, and
 * harm once it fired: verdicts do not un-happen. What starts anew with a step: thresholds, phi,
 * pass sides, blocks, ratio and shift counts, step time. Alpha of lanes that start anew is split
 * over the live steps of the plan, so the budget covers the release.
 * A look at zero weight (in a shadow step: nothing copied) moves neither evidence nor step time.
 * The release's verdict, first that holds: harm -> HARM; a pausing gate -> PAUSE; a gate without
 * data that the step needs -> NO_DATA; all gates that must pass did, and time, requests and users
 * are reached -> PASSED; deadline over -> OVERDUE; else UNDECIDED.
 * Where a plan has several candidates, a gate that rolls back and finds one of them harmful closes
 * that arm: it is judged no more and its weight is to be 0; the others go on, with the alphas they
 * had. Only harm of the last one left, or harm that no single arm has (`whole`), is HARM. An arm
 * that a look gives no weight while others have some is closed, too: its version was lost.
 * Errors: a look that look_check refuses, or one whose number is not the next, is not counted:
 * NO_DATA with WITHOUT_NOT_A_NUMBER, and the fault is in `refused`.
 * Shares: with requests assigned one by one, s is the weight, and a look in which the candidate had
 * no request counts like any other: leaving those out would choose looks by what they hold, and at
 * ten requests a second make the candidate look twice as busy as it is. Sticky or uneven looks take
 * the share realised; there an arm without requests says nothing.
 * Source: release-statistics 1 to 13.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_JUDGE_H
#define JUDGE_JUDGE_H

#include "judge/past.h"
#include "judge/look.h"
#include "stat/block.h"
#include "stat/detector.h"
#include "stat/slope.h"

enum {
  TRIAL_LOOKS = 60,   /* kept as counts per row for the record */
  TRIAL_COST_APART = 4, /* cost is compared while no arm has more than so many times the other's */
  TRIAL_BLOCKS = 720, /* of a row, shared by all treated arms */
  TRIAL_ROWS = BASELINE_ROWS,
  TRIAL_BLOCK_ROWS = TRIAL_ROWS + 1, /* and CPU per answer */
  TRIAL_ROW_COST = TRIAL_ROWS,
  TRIAL_STALE_LOOKS = 5, /* in a row: no data */
  TRIAL_WINDOW_LOOKS = 60,
};
#define TRIAL_FAST_MARGIN 0.50
#define TRIAL_FAST_ALPHA  1e-6
#define TRIAL_FAST_CAP    1.5
#define TRIAL_CAP         4.0
#define TRIAL_PASS_ALPHA  0.05
#define TRIAL_SHOWN_ALPHA 0.05 /* of what people read */

/* Words of verdicts, with what they mean: rows of verdicts.def, gate_states.def, reasons.def and
 * lanes.def. */
enum gate_state {
#define STATE(name, id, ...) GATE_##id,
#include "judge/gate_states.def"
#undef STATE
  GATE_STATES
};

enum no_data_reason {
  WITHOUT_NONE,
#define REASON(name, id, ...) WITHOUT_##id,
#include "judge/reasons.def"
#undef REASON
  WITHOUT_COUNT
};

enum judge_lane {
  LANE_NONE,
#define LANE(name, id, ...) LANE_##id,
#include "judge/lanes.def"
#undef LANE
  LANES
};

/* What `effect` is. */
enum effect_kind {
  EFFECT_NONE,
  EFFECT_RATIO,   /* candidate's rate over stable's */
  EFFECT_SHARE,   /* of disagreement; of units */
  EFFECT_PSI,     /* of the prediction shift */
  EFFECT_GROWTH,  /* memory over stable's: 1.1 is 10 % more */
  EFFECT_DIFF,    /* of means, in the metric's unit */
  EFFECT_ANSWERS, /* harm budget spent */
  EFFECT_GAP,     /* mean outcome minus mean score, of a bin */
};

/* Evidence that speaks by e-values has log_e against bar = ln(1/alpha). Blocks speak by a bound:
 * lower > 0 is harm; then log_e is NaN. Numbers that do not apply are NaN. */
struct gate_result {
  enum gate_id gate;
  enum gate_state state;
  enum no_data_reason reason; /* of NO_DATA */
  enum gate_act act;          /* what its harm does; NOTHING when dry */
  enum judge_lane lane;       /* that fired, or is nearest to its bar */
  uint32_t arm;               /* the worst treated one */
  bool whole;                 /* it is about all arms together: `arm` alone is not to blame */
  uint32_t row;               /* latency: row of stat/slow.h; segments: which one */
  double log_e, bar;
  double pass_log_e, pass_bar;     /* the weakest row's; NaN where the gate has no such side */
  double block_lower, block_upper; /* of the row that decides; NaN before BLOCK_MIN blocks */
  enum effect_kind effect_kind;
  double effect;
  uint64_t x_c, n_c, x_b,
      n_b;       /* events and requests behind it: of the step; of HARM by a lane with looks,
                                  * since first_bad_look where that is among the last 60 */
  uint64_t bits; /* segments: those found; sample_ratio: arms that drift, by number */
  uint64_t first_bad_look; /* where the evidence begins; UINT64_MAX: unknown */
  uint64_t first_bad_ms;   /* the same, into the release */
  uint64_t fired_look;     /* HARM: when; else UINT64_MAX */
  uint64_t fired_ms;       /* HARM: into the release */
  uint32_t fired_step;
  uint32_t episodes; /* over 1: alpha was spent so many times */
};

enum verdict_kind {
#define VERDICT(name, id, ...) VERDICT_##id,
#include "judge/verdicts.def"
#undef VERDICT
  VERDICTS
};

struct verdict {
  enum verdict_kind kind;
  enum verdict_kind otherwise; /* what it would be without the gates that pause */
  uint32_t pausing;            /* bit per gate that wants to pause */
  uint32_t closed;             /* bit per arm that is out, by harm or for want of its version */
  uint32_t winner;             /* trial_winner */
  bool decided_by_gate;        /* `by` says which: HARM, PAUSE, NO_DATA */
  enum gate_id by;
  uint32_t step;
  uint64_t look;                                     /* the last one judged */
  uint64_t step_ms, step_looks;                      /* counted in this step */
  uint64_t step_requests, step_users;                /* of the treated arm that has fewest */
  uint64_t no_data_ms;                               /* for so long without data */
  bool time_met, requests_met, users_met, gates_met; /* what PASSED needs */
  double harmed;                                     /* harm budget spent, at least 0 */
  struct gate_result gates[GATE_COUNT];
};

/* --- state; read by gates, records and explanations ------------------------------------------- */

struct trial_arm {
  struct detector ordinary[TRIAL_ROWS], fast[TRIAL_ROWS];
  struct detector_pass pass[TRIAL_ROWS];
  struct block_row blocks[TRIAL_BLOCK_ROWS];
  struct block_bounds bounds[TRIAL_BLOCK_ROWS]; /* as of the last closed block */
  struct block_sums pending[TRIAL_BLOCK_ROWS];  /* looks that make one of a longer block */
};

struct trial_window { /* one minute of an instance's memory */
  uint64_t steady[TRIAL_WINDOW_LOOKS], peak, requests;
  uint32_t n, looks;
};

enum { SEGMENT_ERRORS, SEGMENT_SLOW, SEGMENT_ROWS };

struct trial_segment { /* of the release, by arm; evidence is a candidate's */
  struct detector_pass rows[ARMS_MAX][SEGMENT_ROWS]; /* harm side, never restarted */
  double log_e[ARMS_MAX];                            /* mean over rows; NaN: no request yet */
  uint64_t requests[ARMS_MAX], errors[ARMS_MAX], slow[ARMS_MAX];
};

struct trial_counts { /* one look, for the record */
  uint64_t look;
  uint32_t weight;
  uint64_t requests[2], timed[2], errors[2], slow[SLOW_ROWS][2];
};

struct trial {
  struct plan plan; /* the release's own copy */
  uint32_t n_arms;
  uint32_t live_steps;   /* alpha of lanes that start anew is split over them */
  uint32_t restarts_max; /* N */
  uint32_t step;
  struct baseline baseline;
  struct detector_limits limits[ARMS_MAX][TRIAL_ROWS];
  bool row_used[TRIAL_ROWS]; /* in any step so far: J counts them */
  uint32_t block_every;      /* blocks of ten looks joined, so that the step fits */

  uint64_t looks, looks_counted, refused; /* seen; at a weight; not counted */
  uint64_t step_looks, step_ms, release_ms, no_data_ms;
  uint32_t stale_looks; /* in a row */
  uint32_t last_weights[ARMS_MAX], last_copied;

  struct trial_arm arms[ARMS_MAX]; /* [ARM_STABLE] is unused */
  uint32_t closed;                 /* bit per arm */
  struct gate_result
      closed_by[ARMS_MAX]; /* HARM; NO_DATA: its version was lost; IDLE: not chosen */
  double block_room[TRIAL_BLOCK_ROWS][TRIAL_BLOCKS];
  struct look_arm totals[ARMS_MAX]; /* of the step */
  uint64_t ratio_units[ARMS_MAX];   /* since weights changed last */
  bool step_uneven;                 /* a look of the step was */
  struct trial_segment segments[PLAN_SEGMENTS_MAX];
  uint32_t n_segments;
  struct agree agree;
  uint64_t copies_failed;
  double shift_log_e[ARMS_MAX], shift_psi[ARMS_MAX];   /* every ten looks */
  /* A feature every look, each every ten: between arm and stable, and of all arms together against
   * the baseline, which stands at ARM_STABLE. */
  double inputs_log_e[ARMS_MAX][DRIFT_FEATURES], inputs_psi[ARMS_MAX][DRIFT_FEATURES];

  struct slope slope[ARMS_MAX];
  enum slope_says memory[ARMS_MAX]; /* since the last window closed */
  struct trial_window windows[ARMS_MAX];
  uint64_t arm_requests[ARMS_MAX];  /* of the release */
  struct mean_arm metric[ARMS_MAX]; /* of the release */
  struct calibration calibration[ARMS_MAX];

  double harmed;   /* running sum, may be below zero */
  uint32_t killed; /* bit per arm */
  uint64_t recent_requests[PAST_RECENT + 1], recent_bad[PAST_RECENT + 1]; /* ring */
  uint32_t recent_at, recent_looks;

  struct trial_counts last[TRIAL_LOOKS]; /* ring by looks_counted */
  struct gate_result results[GATE_COUNT];
};

/* n_arms is the plan's. The plan is copied. */
void trial_begin(struct trial *trial, const struct plan *plan);
/* Before the first look of every step, also the first; again with the same step after a restart
 * that lost nothing is an error of ours. */
void trial_step_begin(struct trial *trial, uint32_t step, const struct baseline *baseline);
/* One look; *verdict is filled in full. */
void trial_look(struct trial *trial, const struct look *look, struct verdict *verdict);
void trial_copy(struct trial *to, const struct trial *from);
/* Thresholds of the step, which count slow answers (look_latency). */
const struct slow *trial_slow(const struct trial *trial);
/* Candidate's share against stable in this look, as the plan assigns: s. */
double trial_share(const struct trial *trial, const struct look *look, uint32_t arm);

/* Effect with an interval that holds at every look (95 %): costs about 100 us, so it is not part of
 * a verdict. False when there is none; bounds may be infinite. */
bool result_interval(const struct trial *trial, const struct gate_result *result, double *lower,
                     double *upper);

/* A/B: how much more of the metric an arm has than stable, with an interval that holds at every
 * look for all arms at once (95 %). False: not enough units yet. */
bool metric_interval(const struct trial *trial, uint32_t arm, double *diff, double *lower,
                     double *upper);
/* What the covariate takes off the variance of that difference: 0.4 is as much as 40 % of it, as if
 * there were 1 / 0.6 times the units; theta in the metric's unit per the covariate's. False: the
 * plan names none, or nothing varies yet. */
bool metric_relief(const struct trial *trial, uint32_t arm, double *share, double *theta);
/* A/B: the arm whose metric is better than every other open one's by an interval clear of zero,
 * once users, whole weeks and time are reached; ARM_NONE: none. Over all arms and looks a plan
 * without a best arm names one with a chance of at most 5 %. */
uint32_t trial_winner(const struct trial *trial);

/* Why nobody has won yet: the first thing in the way, rows of unwon.def. */
enum unwon_what {
#define UNWON(name, id, ...) UNWON_##id,
#include "judge/unwon.def"
#undef UNWON
  UNWONS
};

struct unwon {
  enum unwon_what what;
  uint32_t arm;              /* USERS: that lacks them; INTERVAL: that leads; else ARM_NONE */
  uint32_t beside;           /* INTERVAL: its lead over this one is not proven; else ARM_NONE */
  double have, want;         /* WEEKS, USERS */
  double diff, lower, upper; /* INTERVAL: of the lead, in the metric's unit */
  double in_s;               /* about so long at this rate; NaN: nobody can say */
};
/* False: somebody has won, or it is no A/B test. */
bool trial_unwon(const struct trial *trial, struct unwon *unwon);
/* What a gate says of one candidate; *result is what the gate as a whole came to, or its like.
 * False: the gate has no such thing to say. */
bool trial_gate_arm(const struct trial *trial, enum gate_id gate, uint32_t arm,
                    struct gate_result *result);

const char *gate_state_name(enum gate_state state);          /* "non_inferior" */
const char *no_data_reason_name(enum no_data_reason reason); /* "no_candidate_requests" */
const char *lane_name(enum judge_lane lane);                 /* "blocks" */
const char *verdict_kind_name(enum verdict_kind kind);       /* "undecided" */
const char *unwon_name(enum unwon_what what);                /* "users_min" */
/* What is missing; "" of WITHOUT_NONE. */
const char *no_data_reason_text(enum no_data_reason reason);

#endif
