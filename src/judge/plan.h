/* plan.h - what a release is to do and what stops it: the plan, read, checked, written, hashed.
 * Thread: any, pure; a plan is plain bytes (about 6 KiB) and belongs to whoever holds it.
 *
 * Every number is a whole one, so that a plan has one text and one hash on every machine: shares in
 * parts of PLAN_WHOLE (5% is 5,000,000), ratios and limits in millionths or billionths as the names
 * say, times in milliseconds. A plan is frozen when its release starts: the release keeps a copy.
 *
 * Form (YAML or JSON; every key optional but `strategy`; a step is a map with one key, its kind):
 *
 *   strategy: canary                      # now | shadow | canary | bluegreen | ab
 *   steps:
 *     - shadow: {traffic: 100%, for: 24h, requests_min: 1000, approve: true}
 *     - canary: {traffic: 5%, for: 10m, requests_min: 2000, users_min: 50, deadline: 30m,
 *                approve: {count: 2, role: approver}}
 *     - switch: {holdback: 1%, for: 10m}                              # bluegreen
 *     - ab:     {for: 14d, users_min: 10000}                          # weights are ab's
 *     - full:   {keep_previous_warm: 1h}                              # last, and may be left out
 *   gates:                                # a gate not named keeps its defaults; `off` and `on` too
 *     errors:       {margin: 1.25, floor: 0.1%, alpha: 0.0015, lanes: all, on_harm: rollback,
 *                    dry_run: false}      # lanes: all | blocks; on_harm: rollback | pause
 *     latency:      {quantiles: [50, 90, 99, 99.9], margin: 1.25,
 *                    slack: 200us}        # p90 and so much: harm when over 10 % are above it
 *     disagreement: {max: 2%}
 *     prediction:   {max: 0.10}           # psi
 *     sample_ratio: {floor: 1%}
 *     memory:       {max_growth: 10%}
 *     cost:         {margin: 1.25}        # while both have a fifth of the traffic or more
 *     metric:       {max_loss: 2%}        # of stable's mean; needs `metric`
 *     segments:     {margin: 1.25}        # needs `segments`
 *     input_drift:  {max: 0.25}           # psi of requests against those before the step
 *     calibration:  {max: 5%}             # off unless named; gap between scores and outcomes;
 *                                         # needs `metric`, for its maturity
 *   metric:   {name: revenue, cap: 1000, better: more, users_expected: 5000, maturity: 7d,
 *              covariate: parameter:spent, covariate_cap: 2000}   # header: or parameter:, a number
 *                                         # known before the request, of which the metric is
 *                                         # relieved (CUPED); absent counts as 0
 *   segments: [tenant, header:x-country]  # at most 4 fields of a request, as sticky_by
 *   ab:       {arms: [{name: candidate, traffic: 50%}, {name: stable, traffic: 50%}],
 *              users_min: 10000, weeks_min: 2}   # the first is the version deployed; more
 *                                         # candidates follow, up to 8 arms: {version: 4,
 *                                         # traffic: 20%}; names are for people
 *   compare:  {by: label}                 # auto | label | score | overlap; distance: 0.05; k: 10
 *   contract: {changed: true}             # inputs or outputs differ from stable's on purpose
 *   harm_budget: 500                      # answers
 *   unjudged_max: 2000                    # candidate answers without a look
 *   alpha_total: 0.005
 *   sticky_by: header:x-user-id           # header:NAME, parameter:NAME, tenant, request
 *   choose_by: header:x-arm               # lets a request name its arm; then it is no evidence
 *   on_inconclusive: hold                 # hold | advance | ask
 *   no_data_deadline: 24h
 *   pause_deadline: 24h                   # then on_pause_deadline: stay | abort
 *   approval_expiry: 72h
 *   keep_previous_warm: 1h
 *   warm_up: 10s
 *   pause: keep                           # keep | drain: traffic while paused
 *   rollback: instant                     # instant | gradual: for a person's; harm is instant
 *   two_person: false
 *   override_freeze: "reason"
 *   final_step_needs_labels: false
 *   notify: [https://...]
 *
 * Errors: E_BAD_CONFIG with line and column in the text and the dotted key in err->field. Nothing
 * of the plan is kept on failure.
 * Source: release-statistics 1 and 5, release-features 3 and 4.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_PLAN_H
#define JUDGE_PLAN_H

#include "base/arena.h"
#include "base/hash.h"
#include "stat/arm.h"

enum {
  PLAN_STEPS_MAX = 16,
  PLAN_SEGMENTS_MAX = 64, /* values of all segment fields, in the order they were first seen */
  PLAN_FIELDS_MAX = 4,
  PLAN_NOTIFY_MAX = 4,
  PLAN_NAME_MAX = 32, /* bytes with the NUL: arms, metrics */
  PLAN_KEY_MAX = 64,  /* header and parameter names */
  PLAN_URL_MAX = 256,
  PLAN_REASON_MAX = 200,
  PLAN_WHOLE = 100000000,     /* all traffic */
  PLAN_MILLION = 1000000,     /* unit of ratios: 1.25 is 1,250,000 */
  PLAN_BILLION = 1000000000,  /* unit of alphas */
  PLAN_ARENA_BYTES = 4 << 20, /* what plan_read may take of its arena */
  PLAN_TEXT_MAX = 32 << 10,   /* what plan_write writes at most */
};

enum strategy {
  STRATEGY_NOW,
  STRATEGY_SHADOW,
  STRATEGY_CANARY,
  STRATEGY_BLUEGREEN,
  STRATEGY_AB,
  STRATEGY_COUNT
};

/* FULL is no step of its own here: after the last one the candidate has everything. */
enum step_kind { STEP_SHADOW, STEP_CANARY, STEP_SWITCH, STEP_AB, STEP_KINDS };

enum gate_id {
#define GATE(name, NAME, acts, passes, steps, alpha, judges) GATE_##NAME,
#include "judge/gates.def"
#undef GATE
  GATE_COUNT
};

enum gate_act { ACT_NOTHING, ACT_PAUSE, ACT_ROLLBACK };
enum gate_lanes { LANES_ALL, LANES_BLOCKS };

struct gate_spec {
  bool off, dry_run; /* dry_run: judged and shown, never acted upon */
  enum gate_act on_harm;
  enum gate_lanes lanes;
  uint32_t margin_e6; /* r_0 = 1 + m: errors, latency, cost, segments */
  uint32_t floor_e8;  /* errors: a rate proven below this passes too; sample_ratio: drift */
  uint32_t max_e8;    /* disagreement q; prediction psi; memory growth; metric loss;
                       * calibration gap; input drift psi */
  uint32_t alpha_e9;  /* both ordinary lanes together; half each */
  uint32_t quantiles; /* latency: bit j is row j of stat/slow.h */
  uint32_t slack_us;  /* latency: added to the thresholds */
};

enum plan_role { PLAN_APPROVER, PLAN_DEPLOYER, PLAN_ADMIN, PLAN_ROLES };

struct plan_step {
  enum step_kind kind;
  uint32_t weight; /* candidate's share of PLAN_WHOLE; SHADOW: share of requests copied */
  uint64_t for_ms, requests_min, users_min; /* all must hold; 0: not asked for */
  uint64_t deadline_ms;                     /* for on_inconclusive; at least for_ms */
  uint32_t approve_count;                   /* persons who must approve before it is left */
  enum plan_role approve_role;
};

enum plan_by { BY_REQUEST, BY_HEADER, BY_PARAMETER, BY_TENANT, BY_KINDS };

struct plan_key { /* of a request */
  enum plan_by kind;
  char name[PLAN_KEY_MAX]; /* HEADER (lower case), PARAMETER; else "" */
};

enum alike_kind { ALIKE_AUTO, ALIKE_LABEL, ALIKE_SCORE, ALIKE_OVERLAP, ALIKE_KINDS };
enum inconclusive { INCONCLUSIVE_HOLD, INCONCLUSIVE_ADVANCE, INCONCLUSIVE_ASK };

struct plan {
  enum strategy strategy;
  uint32_t n_steps;
  struct plan_step steps[PLAN_STEPS_MAX];
  struct gate_spec gates[GATE_COUNT];

  struct {
    char name[PLAN_NAME_MAX]; /* "": none; the metric gate is off then */
    uint64_t cap_e6;          /* millionths of the metric's unit: a value beyond it counts as it */
    bool less;                /* less is better */
    uint64_t users_expected;  /* n_star */
    struct plan_key covariate; /* BY_REQUEST: none */
    uint64_t covariate_cap_e6; /* as cap_e6, and the same where nothing is said */
    uint64_t maturity_ms;     /* outcomes of younger requests wait; 60 s where nothing is said */
  } metric;
  uint32_t n_segments; /* fields; each value of one is a segment, at most PLAN_SEGMENTS_MAX */
  struct plan_key segments[PLAN_FIELDS_MAX];
  struct {
    uint32_t n_arms; /* at least 2: candidate, stable, more */
    uint32_t weights[ARMS_MAX];
    uint32_t versions[ARMS_MAX]; /* 0: not said; only of the first two */
    char names[ARMS_MAX][PLAN_NAME_MAX];
    uint64_t users_min; /* per arm, before a winner may be named */
    uint32_t weeks_min; /* whole weeks */
  } ab;
  struct {
    enum alike_kind by;
    uint32_t distance_e6, k;
  } compare;

  bool contract_changed, two_person, gradual, pause_drains, pause_aborts, final_step_needs_labels;
  uint64_t harm_budget, unjudged_max;
  uint32_t alpha_total_e9;
  struct plan_key sticky_by, choose_by; /* choose_by BY_REQUEST: nobody may choose */
  enum inconclusive on_inconclusive;
  uint64_t no_data_deadline_ms, pause_deadline_ms, approval_expiry_ms;
  uint64_t keep_previous_warm_ms, warm_up_ms;
  char override_freeze[PLAN_REASON_MAX]; /* "": freezes hold */
  uint32_t n_notify;
  char notify[PLAN_NOTIFY_MAX][PLAN_URL_MAX];
};

/* The plan of a deploy that names none: canary 5, 10, 50 % for 10 minutes each, all gates on; and
 * that of each other strategy when it gives no steps. */
void plan_default(struct plan *plan, enum strategy strategy);

/* Reads and checks. `arena` may be reset as soon as it returns. */
CHECKED enum code plan_read(struct plan *plan, struct slice text, struct arena *arena,
                            struct err *err);
/* What plan_read checks beside the grammar, for plans made in another way. err->field names what is
 * wrong; no line. */
CHECKED enum code plan_check(const struct plan *plan, struct err *err);
/* The one JSON text of this plan: all keys, no blanks; plan_read of it gives an equal plan. Lies in
 * the arena; at is NULL past its cap. */
struct slice plan_write(const struct plan *plan, struct arena *arena);
/* SHA-256 of that text: the spec hash that approvals and verdicts name. */
struct digest plan_hash(const struct plan *plan, struct arena *arena);

/* What the gates that can roll back live traffic spend, fast lanes included, in billionths. */
uint64_t plan_alpha_e9(const struct plan *plan);
/* Looks of all steps and of the watch after full traffic, a look being a second. */
uint64_t plan_horizon_looks(const struct plan *plan);
uint32_t plan_arms(const struct plan *plan); /* 2 but for ab */
/* The candidate's or another arm's weight in that step, of PLAN_WHOLE; step == n_steps: full. The
 * weights of all arms sum to PLAN_WHOLE. A shadow step has stable at all. */
uint32_t plan_weight(const struct plan *plan, uint32_t step, uint32_t arm);
bool plan_gate_acts(const struct plan *plan, enum gate_id gate, enum step_kind kind);
/* A copy with a fault gets at most 1 % of live traffic, whatever the plan says. */
enum { PLAN_REHEARSAL_MAX = PLAN_WHOLE / 100 };
void plan_rehearse(struct plan *plan);
/* Whether it needs a second person under the two-person rule: `now`, a gate switched off or dry, a
 * freeze overridden, more harm budget or alpha than the default. `why` names the first. */
bool plan_is_risky(const struct plan *plan, const char **why);

const char *strategy_name(enum strategy strategy); /* "canary" */
const char *step_kind_name(enum step_kind kind);   /* "switch" */
const char *gate_name(enum gate_id gate);          /* "sample_ratio" */
const char *gate_judges(enum gate_id gate);        /* for people */
bool gate_judges_step(enum gate_id gate, enum step_kind kind);
bool gate_must_pass(enum gate_id gate);
const char *plan_role_name(enum plan_role role);

#endif
