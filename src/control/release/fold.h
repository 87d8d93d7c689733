/* fold.h - releases and freezes as the ledger has them: what the catalog keeps of each.
 * Thread: control (main before it starts). Pure.
 *
 * A model keeps its newest release, running or over; the ones before it are in the ledger. What the
 * release was when an event was written is in the event (fact rollout: judge/step.h's bytes in
 * hex), so the fold needs no clock and no plan. A state that makes another version answer switches
 * here, by that one event: a crash finds the old split or the new one.
 *
 *   RELEASE_STARTED   version: the candidate; facts plan, rehearse, rollout, seed, stable;
 *                     versions (of all arms, by blanks, where there are several candidates)
 *   RELEASE_MOVED     facts state, step, elapsed_ms, why: for people; looks, rollout, edges: for
 *                     going on after a restart; verdict: the evidence (judge/explain.h);
 *                     serving: the version that answers from now on, where that changes; protects
 *                     ("true"): it takes traffic away (judge/states.def). Readers of the ledger
 *                     need no state's name for either
 *                     version: the candidate; of several the chosen one, once there is one
 *   RELEASE_APPROVED  facts person, rollout, spec, step
 *   FREEZE_SET        facts scope (system, tenant, model), from_ms, until_ms, weekly, why
 *   FREEZE_LIFTED     fact scope: all of that scope for that tenant and model
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_RELEASE_FOLD_H
#define CONTROL_RELEASE_FOLD_H

#include "control/catalog.h"
#include "judge/step.h"

struct catalog_release {
  uint32_t number;
  uint32_t n_arms, versions[ARMS_MAX]; /* by the arms' numbers (stat/arm.h) */
  struct slice plan, seed, actor;
  struct slice rehearse;  /* a fault (world/fault.h): the candidate is a copy of stable with it */
  struct slice edges;     /* of score bins, decimal, by blanks; empty: none chosen yet */
  struct rollout rollout; /* as of the newest event */
  uint64_t looks;         /* judged when that was written */
  uint64_t started_seq, seq;
  int64_t started_ms, moved_ms;
  bool served; /* it reached everything: the candidate is the model's version */
};

enum freeze_scope { FREEZE_SYSTEM, FREEZE_TENANT, FREEZE_MODEL };
enum { FREEZES_MAX = 256 }; /* in force at once */

struct catalog_freeze {
  enum freeze_scope scope;
  const struct catalog_tenant *tenant; /* who set it; of what, but for SYSTEM */
  struct slice model;                  /* MODEL */
  int64_t from_ms, until_ms;           /* Unix; 0: from then on, until lifted */
  struct slice weekly;                 /* freeze.h; empty: all the time between the two */
  struct slice why, actor;
  uint64_t seq;
};

/* The candidate; of several the one that a person chose, once there is one. */
uint32_t release_version(const struct catalog_release *release, const struct rollout *rollout);
/* Whether that version is one of its arms. */
bool release_has(const struct catalog_release *release, uint32_t version);
/* The version that answers everything once the release is like `next`; 0: the same as now. */
uint32_t release_serving(const struct catalog_release *release, const struct rollout *next);
/* Whether a release of the model runs: it is not final. (Completed and warm is running, too.) */
bool release_is_on(const struct catalog_model *model);
bool freeze_scope_read(struct slice text, enum freeze_scope *scope);
/* Whether a freeze of that scope, set or lifted by the tenant, is this one. model: of MODEL. */
bool freeze_is_of(const struct catalog_freeze *freeze, enum freeze_scope scope,
                  const struct catalog_tenant *tenant, struct slice model);

/* One event of theirs. model: NULL for a freeze of more than one. Nothing has changed on
 * E_INTERNAL. */
CHECKED enum code release_fold(struct catalog *catalog, struct catalog_model *model,
                               const struct event *event, struct err *err);
CHECKED enum code freeze_fold(struct catalog *catalog, const struct catalog_tenant *tenant,
                              const struct event *event, struct err *err);
/* Another version was put in charge by a person: what was completed and warm is settled. */
void release_overtaken(struct catalog_model *model);

void release_digest(struct sha256 *sha, const struct catalog_model *model);
/* The tenant's own and its models' are lifted; the whole server's stay, whoever set them. */
void freezes_drop(struct catalog *catalog, const struct catalog_tenant *tenant);
void freeze_digest(struct sha256 *sha, const struct catalog *catalog);

/* A rollout as the text of a fact; at is NULL past the arena's cap. */
struct slice rollout_hex(struct arena *arena, const struct rollout *rollout);

#endif
