/* place.h - which versions are in memory, who owns their lanes, and when they may leave.
 * Thread: control.
 *
 *   GONE --want--> LOADING --> OPENING --> READY --no one wants it, no world names it--> CLOSING
 *    ^                |           |                                                        |
 *    |              FAILED <------+ (after its open lanes are closed)                  UNLOADING
 *    +-----------------------------------------------------------------------------------+
 *
 * Between GONE and LOADING lies WAITING, where others have to leave memory first. A version that
 * serves may RESTS: out of memory, or on its way out, until somebody asks for it (WAKES).
 * A version is wanted while it serves and does not rest, or while a switch to it is under way. A
 * world that names a version keeps it loaded: its lanes close only when the last such world is
 * home, so a task never finds its lane gone. Nothing here waits: each arrow is a letter sent and
 * one come home.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_PLACE_H
#define CONTROL_PLACE_H

#include "base/list.h"
#include "control/catalog.h"
#include "control/guard/breaker.h"
#include "world/letters.h"

enum placed_state {
  PLACED_GONE,
  PLACED_WAITING, /* for room in memory (control/fit.h) */
  PLACED_LOADING,
  PLACED_OPENING,
  PLACED_READY,
  PLACED_CLOSING,   /* lanes */
  PLACED_UNLOADING, /* memory */
  PLACED_FAILED,
};

enum rest { REST_NOT, REST_RESTS, REST_WAKES };

/* Its breaker, and which of all openings this is (control/guard/trips.h). */
struct trip {
  struct link link; /* control->trips, unless it is closed */
  struct breaker breaker;
  uint64_t number;
};

/* One version and what there is of it in memory. Made when it is first wanted; its slot in the
 * tallies stays its own until nobody has wanted it for long (control/slot.h). */
struct placed {
  struct link link; /* of its model; or on place's list of those that leave */
  struct link seen; /* on place's list of changes */
  struct catalog_model *model;
  uint32_t number, slot;
  uint32_t copy_of; /* another version's number, when this is a rehearsal's copy of it; else 0 */
  struct fault fault; /* of a copy */
  enum placed_state state;
  bool serves, coming; /* why it is wanted */
  bool released;       /* the same: a release is running with it */
  enum rest rest;      /* of one that serves */
  uint32_t naps;       /* times that waking it was refused: err says why */
  int64_t struck_us[2]; /* when runs of it had to be ended; 0: not yet (registry/quarantine.h) */
  struct trip trip;
  uint32_t failures, failed_pulses; /* FAILED while it serves: how often in a row, for how long */
  bool known;          /* load holds what the last load found, though the model may be gone */
  struct link queue;   /* WAITING: on place's list */
  uint64_t charged;    /* bytes of memory that it counts for now */
  int64_t came_ms;     /* Unix time: READY last */
  bool changed;        /* on the list of changes */
  uint64_t gone;       /* when it left memory last, of place->n_gone; 0: it never was there */
  uint64_t serial, round; /* leaving: of a world without it, of a round after that; 0: not yet */
  uint32_t worlds;     /* alive and naming it */
  uint32_t job;        /* where it was loaded */
  struct letter_load load;
  struct letter_unload unload;
  struct letter_lane *lanes; /* one per seat */
  struct seat *seats;
  uint32_t *owners;            /* worker of each seat */
  uint32_t n_seats, lanes_out; /* letters not home */
  bool resident;
  struct err err; /* FAILED: why */
};

struct place_opts {
  int objects_fd;
  uint32_t instances;
  int64_t resident_ns; /* -1: never */
  uint64_t memory_max; /* bytes of all versions in memory together; 0: no limit */
};

struct place_tenant {
  uint64_t held; /* bytes */
  bool high;     /* it was said that they are nearly all */
};

/* How place tells control, and asks it. */
struct place_hooks {
  void *arg;
  void (*moved)(void *arg, struct placed *placed); /* its state changed */
  void (*shows)(void *arg, const struct placed *placed); /* what worlds say of it changed */
  int64_t (*used_ms)(void *arg, const struct placed *placed); /* Unix time of its last answer */
};

struct worker_load {
  uint32_t lanes;
  int64_t run_ns; /* one run of each lane, as measured when it was loaded; 0 where it was not */
};

struct place {
  struct place_opts opts;
  const struct post *post;
  struct mailbox *home;
  struct link *models; /* by the model's slot: its placed versions */
  uint32_t models_cap, n_slots;
  struct placed **slots; /* by slot; NULL: nobody's, or its owner is leaving */
  uint32_t slots_cap;
  uint32_t *free, n_free; /* slots below n_slots that are nobody's: the next ones to be given */
  struct link leaving;    /* versions that no model has any more, but worlds and tallies may */
  uint64_t n_gone;        /* times that a version left memory */
  uint32_t *jobs_out;          /* letters at each job */
  struct worker_load *workers; /* one per worker */
  uint32_t busy;               /* versions in LOADING, OPENING, CLOSING or UNLOADING */
  struct link changed;         /* versions that became READY or FAILED */
  bool frozen;                 /* at the very end: no more letters */
  struct place_hooks hooks;    /* NULL: nobody is told, nothing was ever used */
  uint64_t held;               /* bytes of memory that versions are charged, all together */
  bool high;                   /* it was said that they are nearly all there may be */
  struct place_tenant *tenants; /* the same by the tenant's slot */
  uint32_t tenants_cap;
  bool tight;          /* nothing new is loaded unless as much leaves (world/guard/pressure.def) */
  struct link waiting; /* versions in WAITING, the eldest first */
};

void place_init(struct place *place, const struct place_opts *opts, const struct post *post,
                struct mailbox *home);
void place_deinit(struct place *place); /* no letter is out */

/* NULL when it was never wanted. */
struct placed *place_find(const struct place *place, const struct catalog_model *model,
                          uint32_t number);
/* A place for it, GONE at first. */
struct placed *place_of(struct place *place, struct catalog_model *model, uint32_t number);
/* The model has it no more, and worlds after the next will not know its slot. */
void place_detach(struct place *place, struct placed *placed);
/* No tally knows its slot any more either: that is the next one's, and the memory goes. */
void place_forget(struct place *place, struct placed *placed);
/* Starts what `serves`, `coming` and `worlds` call for; call it after changing one of them. FAILED
 * stays until place_retry. */
void place_settle(struct place *place, struct placed *placed);
/* Wanted once more after a failure. */
void place_retry(struct place *place, struct placed *placed);
/* Once a second: budgets are looked at, and a version that serves and could not be loaded may be
 * asked for again: after 10 s, 20 s and so on up to 5 min. */
void place_pulse(struct place *place, const struct catalog *catalog);
/* Somebody asks for a version that rests: it comes back into memory, or `naps` goes up. */
void place_wake(struct place *place, struct placed *placed);
/* It serves on, but its memory is needed: it goes when no world names it any more. */
void place_rest(struct place *place, struct placed *placed);
/* LOAD_HOME, UNLOAD_HOME, LANE_OPEN_HOME, LANE_CLOSE_HOME. */
void place_letter(struct place *place, struct mail *mail);
/* The next version that became READY or FAILED since it was asked last; NULL: none. */
struct placed *place_changed(struct place *place);
/* The version whose files it is made of. */
static inline uint32_t placed_version(const struct placed *placed)
{
  return placed->copy_of ? placed->copy_of : placed->number;
}
/* WAITING, LOADING, OPENING, or waiting for its former self to be unloaded. */
bool placed_is_wanted(const struct placed *placed);
bool placed_is_coming(const struct placed *placed);

#endif
