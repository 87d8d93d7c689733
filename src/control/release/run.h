/* run.h - releases that run: the judge's state of each, and what of it is in force.
 * Thread: control.
 *
 *   run       begins with RELEASE_STARTED, ends when the ledger says that the release is over
 *   round     what the loops saw in the last second
 *   look      that second as the judge sees it
 *   move      what rollout_step says, done: harm is published first and then recorded, all else
 *             the other way round
 *   say       a person's word
 *   way_back  whether the version to go back to is still good
 *   journal   looks on their way to the scribe, and from it after a restart
 *   status    a run as JSON
 *
 * `now` is in force; the ledger's rollout (catalog_release) is what a restart goes on from. They
 * differ in clocks only, but while something was published first: then `owed` is set, and the
 * record is tried with every pulse until the scribe has written it.
 * Invariants: a record of a model's release is out at most once; weights published are those of
 * `now`; a version that a run names stays loaded.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_RELEASE_RUN_H
#define CONTROL_RELEASE_RUN_H

#include "base/list.h"
#include "control/place.h"
#include "control/release/fold.h"
#include "control/release/stable_past.h"
#include "control/release/round.h"
#include "judge/evidence.h"
#include "world/letters.h"

enum { RUN_SAMPLES = 16, RUN_WORST = 32, RUN_UNITS_MAX = 1 << 20 };
enum { ROW_PLAN = 1, ROW_STEP = 2 }; /* what the journal still has to say before the next look */

/* Hashes of units that have been counted: open addressing, 0 empty. */
struct units {
  uint64_t *at;
  uint32_t cap, n;
};

/* Sums over the whole release, for people. */
struct run_totals {
  uint64_t pairs, repeats, disagreements, dropped, errors, keyless, unjudged;
  struct flips flips;
  struct pair_sample worst[RUN_WORST];
  uint32_t n_worst;
};

/* What outcomes say of a run. */
struct run_outcomes {
  bool asked;                              /* a desk is measuring */
  bool measured;                           /* one has: since_ms is known */
  int64_t since_ms;                        /* units that matured up to here have been taken */
  int64_t next_us;                         /* when to ask again */
  struct outcome_sums arms[ARMS_MAX]; /* as of the last answer */
  struct mean_arm matured[ARMS_MAX];  /* for the next look */
  struct calibration scored[ARMS_MAX]; /* the same */
};

struct run {
  struct link link;
  struct catalog_model *model;
  uint32_t number, against; /* its own, the stable version's */
  uint32_t n_arms;
  bool rehearsal;                    /* the candidate is a copy of stable with a fault */
  struct slice plan_text;            /* the catalog's */
  struct plan plan;
  struct rollout now;
  struct trial trial;
  struct verdict verdict;
  bool stepped, looked; /* the trial has a step; `verdict` is one */
  bool torn;            /* the journal could not be read to its end */
  unsigned row;         /* ROW_PLAN, ROW_STEP */
  struct placed *arms[ARMS_MAX]; /* NULL: out, or left behind by the one that was chosen */
  /* When the candidate was loaded; end of the last look: of control->lived_us. */
  int64_t loaded_us, look_us;
  uint32_t slot; /* in tallies */

  struct rollout_move next; /* of the record that is out, unless it is owed */
  bool out, out_owed;
  bool owed;
  bool late;   /* owed: what was published is newer than the record that is out */
  bool untold; /* published first: it is announced, and the record tried, when that world is out */
  bool fresh;  /* weights changed: what is under way was counted under others */
  uint64_t fresh_round; /* begun after the world was out; 0: it is not yet */
  bool mixed;           /* a loop may have answered under other weights since it reported last */

  float edges[SHIFT_BINS - 1];
  uint32_t n_edges, n_edges_next; /* next: recorded with the move that begins a step */
  uint64_t features[ARMS_MAX][DRIFT_FEATURES][DRIFT_BINS]; /* since the last tenth look */
  struct units units;
  char segments[PLAN_SEGMENTS_MAX][SEGMENT_TEXT_MAX];
  uint64_t segment_hash[PLAN_SEGMENTS_MAX];
  uint32_t n_segments;
  char samples[RUN_SAMPLES][ID_BYTES];
  uint8_t sample_lens[RUN_SAMPLES];
  uint32_t n_samples;
  struct run_totals totals;
  struct run_outcomes outcomes;
  struct event heard; /* an abort that acted before its turn: the record says whose it was */
  struct arena heard_arena;
  bool checking;           /* the stable version's golden examples are being run */
  int64_t check_us;        /* not again before */
  uint32_t closed_told;    /* bit per arm: that it is out has been announced */
  uint32_t failed;         /* the version that could not be loaded */
  char reason[REASON_MAX]; /* why not */
  enum code code;
};

struct release_slot {
  bool used;
  uint64_t free_round; /* not used again before this pulse: loops may still count into it */
};

/* Rows of looks that wait, or are with the scribe. */
struct journal {
  struct letter_append letter; /* out */
  bool out, unwritten;         /* unwritten: it came home so and goes out again */
  bool hurry;                  /* the rows go out as soon as the letter is home */
  struct arena arena;          /* of the rows that wait */
  struct journal_row *rows;
  uint32_t n_rows, cap;
  uint64_t lost; /* rows, for lack of room */
  int64_t flushed_us;
};

struct runs {
  struct link all;
  uint32_t n_untold; /* of them */
  struct run **of;    /* by the model's slot */
  struct blob **last; /* the same: how the one before stood when it ended */
  uint32_t cap;
  struct release_slot *slots;
  uint32_t n_slots, slots_cap;
  struct round round;
  struct stable_pasts pasts;
  struct journal journal;
  int64_t judged_us;
  struct look look; /* scratch of one look */
};

struct control;

/* The model's; NULL: none runs. */
struct run *run_of(const struct runs *runs, const struct catalog_model *model);
void runs_init(struct runs *runs);
/* What the ledger has of the model's release has changed: a run begins, ends, or goes on. */
void run_sync(struct control *control, struct catalog_model *model);
/* After the ledger has been replayed: the looks that the journal has of a running release, in
 * order. */
CHECKED enum code run_replay(struct control *control, const struct journal_row *row,
                             struct err *err);
/* control's first turn: what runs is taken up again. */
void runs_begin(struct control *control);
/* Nothing answers any more. */
void runs_stop(struct control *control);
void runs_deinit(struct runs *runs);
/* A version became READY or FAILED. */
void run_placed(struct control *control, struct placed *placed);
/* A pulse's tallies are home: once a second everything is judged. */
void runs_pulse(struct control *control);
/* A world is out: evidence under other weights than its own is not counted. */
void runs_shown(struct control *control);

/* The version that stands for the run: the candidate's; of several the chosen one's, once there is
 * one. */
uint32_t run_version(const struct run *run);

/* --- split.c ---------------------------------------------------------------------------------- */

/* What a request sees of the run: arms and split of `to`, whose versions and serving version are
 * there. Memory from scratch. */
void run_split(const struct run *run, uint32_t n_loops, struct arena *scratch, struct model *to);

/* --- room-internal ---------------------------------------------------------------------------- */

/* JSON of the model's newest release as the ledger has it: it is over, and nothing runs. */
struct blob *run_past_json(struct catalog_model *model);
/* The judge's state as at the start; nothing is in memory for its sake yet. */
struct run *run_start(struct control *control, struct catalog_model *model);
uint64_t run_ms(const struct control *control); /* the rollouts' clock */
/* Edges of score bins for the step that a move begins, if there are none yet: before it is
 * recorded, since a restart has to go on with the same ones. */
void run_edges(struct control *control, struct run *run);
void run_step_begin(struct control *control, struct run *run);
/* Weights, thresholds or versions of the split have changed. */
void run_publish(struct control *control, struct run *run);
void look_fill(struct control *control, struct run *run, struct look *look);
void run_end(struct control *control, struct run *run);

/* --- move.c ----------------------------------------------------------------------------------- */

struct change;
void run_event(struct control *control, struct run *run, const struct rollout_event *event);
/* Does what the move says. The change that has it written, and then answers the command; NULL: it
 * is done, or it is for a later time. command: NULL, nobody waits. */
struct change *run_move(struct control *control, struct run *run, const struct rollout_move *move,
                        struct letter_command *command);
/* The record that is owed, the same way. */
/* Into change->notes: what its record tells webhooks; nothing where only a word was written. */
void move_notes(struct control *control, struct change *change);
struct change *run_record_owed(struct control *control, struct run *run,
                               struct letter_command *command);
/* A world is out: what was published first is told, so many in one turn. False: some are left. */
bool runs_told(struct control *control);
/* The append with a record of the model's release is home, and folded where it was written. */
void run_told(struct control *control, struct catalog_model *model, bool written);

/* --- outcome.c -------------------------------------------------------------------------------- */

/* What the release that a command began is to be judged by: letter_command.past. */
uint64_t run_past(const struct control *control, const struct letter_command *command);

/* Whether its answers are remembered, to be held against their outcomes. */
bool run_remembers(const struct run *run);
int64_t run_keep_ms(const struct run *run); /* for how long */
/* With every pulse: asks a desk when it is time. */
void run_measure(struct control *control, struct run *run);
void measure_home(struct control *control, struct letter_measure *letter);
/* What has matured since the look before. */
void outcomes_fill(struct run *run, struct look *look);
/* Outcomes come for another share of one arm's requests than of the other's. */
bool outcomes_differ(const struct run *run);
struct json_out;
void outcomes_put(const struct run *run, struct json_out *out); /* a member: `feedback` */

/* --- say.c ------------------------------------------------------------------------------------ */

struct decision;
/* A word that the catalog lets through. The change it has become; NULL: answered. */
struct change *run_say(struct control *control, struct letter_command *command,
                       const struct decision *decision);
/* An abort acts before it waits its turn: whatever the scribe is doing. */
void run_hear(struct control *control, const struct letter_command *command);

/* --- status.c --------------------------------------------------------------------------------- */

void release_answer(struct control *control, struct letter_release *letter);
/* verdict_json of the run in the arena. */
struct slice run_verdict_json(const struct run *run, struct arena *arena);
struct blob *run_json(const struct run *run);

/* --- way_back.c ------------------------------------------------------------------------------- */

void way_back_ask(struct control *control, struct run *run);
void way_back_home(struct control *control, struct letter_check *letter);
/* Whether going back leads to a version that answers. */
bool way_back_is_there(const struct run *run);
/* The version to go back to is not good any more. */
void way_back_lost(struct control *control, struct run *run, const char *why, bool barred);

/* --- journal.c -------------------------------------------------------------------------------- */

void journal_init(struct journal *journal);
void journal_deinit(struct journal *journal);
void journal_look(struct control *control, struct run *run, const struct look *look);
void journal_flush(struct control *control); /* what has waited for some seconds */
void journal_now(struct control *control);   /* all that waits */
void journal_home(struct control *control, struct letter_append *letter);

#endif
