/* fit.h - whether a version fits into memory, and who leaves to make room.
 * Thread: control. Pure but for the marks it sets on who leaves.
 *
 * What a version takes is measured when it is loaded; before that it is what its inspection
 * measured, else a guess from its files. It is charged from the letter that loads it until the one
 * that unloads it is home, so that two loads under way cannot both take the last room.
 *
 * Three budgets hold: of the process, of the tenant and of the model (quota resident_bytes). Where
 * one is too small, the versions that were asked the longest time ago rest: each still serves, but
 * its memory goes, and comes back with the next request for it (serve/wake.c). Never made to rest:
 * what is in a release, on its way in for a change, of a pinned model, or what has not been seen by
 * anybody since it came.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_FIT_H
#define CONTROL_FIT_H

#include "base/err.h"

struct catalog;
struct place;
struct placed;

enum fit {
  FIT_NOW,
  FIT_SOON,  /* when those that have been told to leave are gone */
  FIT_NEVER, /* as things stand; err says why */
};

/* Bytes: measured, or expected. Never 0. */
uint64_t fit_bytes(const struct placed *placed);
/* Whether it may be loaded; marks and settles who must leave for it. A version that does not fit
 * makes nobody leave. */
enum fit fit_make(struct place *place, struct placed *placed, struct err *err);
void fit_charge(struct place *place, struct placed *placed, uint64_t bytes); /* 0: it has left */
/* Those that were last asked before that Unix time rest. */
void fit_idle(struct place *place, int64_t before_ms);
/* Once a second: where more is held than may be (a load took more than was expected, a budget
 * shrank), somebody leaves; where the process's budget or a tenant's is used to 80 % it is said,
 * once, and again only after it was below 75 %. */
void fit_pulse(struct place *place, const struct catalog *catalog);

#endif
