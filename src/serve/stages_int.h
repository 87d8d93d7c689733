/* stages_int.h - the stages of the path and what they share inside the room.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_STAGES_INT_H
#define SERVE_STAGES_INT_H

#include "base/rand.h"
#include "serve/limit/brake.h"
#include "serve/limit/crowd.h"
#include "serve/path.h"
#include "serve/shadow/shadow_int.h"

enum { BUNDLE_MAX = 16 };

/* A version that is half open, as this loop tries it. */
struct probe {
  uint64_t trip; /* 0: unused */
  bool out, failed;
};

/* What the path keeps for all calls of one loop. */
struct serve {
  struct serve_opts opts;
  int64_t now_us;       /* the loop's clock, read once a turn */
  struct lease *newest; /* NULL: no world has come yet */
  struct lease *leases; /* calls_max + 2 of them; free ones hang together */
  struct lease *lease_free;
  struct tally *tally;   /* this loop's, until control swaps it */
  struct link waking;    /* calls that wait for their version to come back into memory */
  struct wakes *wakes;   /* wake.c */
  bool bundles;
  struct mail_bundle out; /* tasks for a worker that has not heard of them yet */
  struct link lent;      /* calls whose task is out and whose client waits */
  int64_t alarm_us;      /* the earliest deadline among those that went out; INT64_MAX: none */
  uint32_t calls;        /* begun and not ended */
  struct arena *resting; /* heap arenas that were lent as scratch, warm for the next task */
  uint32_t n_resting;
  uint64_t scratch_kept; /* bytes they hold */
  uint32_t turn;         /* round robin over the seats of a version */
  int64_t wall_us;       /* Unix time minus the loop's clock, set now and then by the loop */
  bool draining;
  struct rand rand;
  char id_prefix[16];
  uint8_t id_prefix_len;
  uint64_t ids;
  int64_t slow_ns; /* the longest stage of this turn that was timed, and its name */
  const char *slow_stage;
  struct shadows shadows;
  struct probe *probes; /* by version->slot; as many as were needed */
  uint32_t n_probes;
  struct brakes brakes;
  struct crowds crowds;
  uint64_t *units_seen; /* UNITS_SEEN marks of units that were sent lately */
};

enum { UNITS_SEEN = 1 << 15 };

enum step find_stage(struct call *call);
enum step media_stage(struct call *call);
enum step admit_stage(struct call *call);
enum step body_stage(struct call *call);
enum step decode_stage(struct call *call);
enum step choose_stage(struct call *call);
enum step wake_stage(struct call *call);
enum step check_stage(struct call *call);
enum step recall_stage(struct call *call);
enum step limit_stage(struct call *call);
enum step submit_stage(struct call *call);
enum step encode_stage(struct call *call);
enum step record_stage(struct call *call);

/* Below this no stage takes long enough for the clock to be read again within a turn. */
enum { LARGE_BODY_MIN = 32 << 10 };

/* The quotas that a call is held against: of the world it reads. */
static inline struct allowed call_allowed(const struct call *call)
{
  const struct tenant *tenant = call->came.tenant;
  return (struct allowed){
      {tenant && tenant->allow.infers ? &tenant->allow : NULL,
       call->model ? call->model->allow : NULL}};
}

/* Before n more body bytes are held: counts them against the loop's budget. E_OVERLOADED in err. */
CHECKED enum code path_more(struct call *call, size_t n, struct err *err);

/* What a request has where its client does not say: its version's time, else the loop's. */
static inline int64_t call_normal_us(const struct call *call)
{
  int64_t own_us = call->version->deadline_us;
  return own_us ? own_us : call->serve->opts.deadline_us;
}

/* How a request was turned away that no lane saw, or that a lane shed; SHEDS: it was not. */
static inline enum shed_reason shed_of(enum code code)
{
  if (code == E_OVERLOADED) return SHED_OVERLOADED;
  if (code == E_DEADLINE_UNREACHABLE) return SHED_UNREACHABLE;
  return code == E_NO_CAPACITY ? SHED_CAPACITY : SHEDS;
}

/* When the client of this call has waited long enough. */
int64_t call_deadline(const struct call *call);
void wakes_init(struct serve *serve);
void wakes_deinit(struct serve *serve);

/* Something is to be settled with the cache: whoever keeps this call's answer, or waits for it. */
static inline bool recall_owes(const struct call *call)
{
  return call->recall.fills || call->recall.leads;
}
void recall_home(struct call *call); /* its task is home: kept and told, or the lead passed on */
void recall_end(struct call *call);  /* its task never left */
void recall_unasked(struct call *call); /* the client of an ASKS call left */
/* The client of a FOLLOWS call left: true: nothing of it is out. */
bool recall_leave(struct call *call);
/* Nobody waits for a LENT call's own answer: true: nor for its run. */
bool recall_unwanted(struct call *call);
void recall_gone(struct call *call); /* the LANDED of a GONE call has come */

/* Leases: a counter per world this loop still has calls on. */
struct lease {
  struct letter_world *letter; /* control's; mailed home with the last call */
  uint32_t calls;
  struct lease *next; /* while it is free */
};
struct lease *lease_take(struct serve *serve); /* of the newest world; NULL: there is none */
void lease_drop(struct serve *serve, struct lease *lease); /* NULL is fine */

uint64_t signature_of(const struct contract *contract, const struct tensor *inputs,
                      uint64_t wanted);

/* Where a task of this version runs next, and the memory it is lent. */
const struct seat *seat_of(struct serve *serve, const struct version *version);
void scratch_take(struct serve *serve, struct arena *scratch, bool resident);
/* Puts a scratch arena to rest, or gives it back. */
void scratch_rest(struct serve *serve, struct arena *scratch);

/* Counts an answer, or a failure, into the tally of its version and what its release keeps. */
void arm_answered(struct call *call, int64_t total_us);

/* Says in the answer who gave it, as far as that is known: model, version, arm, release. */
void answer_sign(struct call *call);

/* Whether the server is too short of something for this call (world/guard/pressure.def). */
bool pressure_refuses(struct call *call);

/* --- breaker.c: a version whose breaker is open ----------------------------------------------- */

/* Whether a call of it may go on. */
/* A world with so many slots comes. */
void probes_world(struct serve *serve, uint32_t n_slots);
bool breaker_lets(struct serve *serve, const struct version *version);
enum step breaker_refuse(struct call *call, const struct version *version);
/* The call's version: it, stable instead, or the refusal. */
enum step breaker_look(struct call *call);
/* The task is about to be lent: false: another one tries the version just now. */
bool breaker_probe(struct call *call);
/* The task is home. slot NULL: it is not counted. */
void breaker_home(struct call *call, struct version_tally *slot, bool stopped);

/* Counts a task that left for its lane, and one that came home. */
void record_lent(struct call *call);
void record_home(struct call *call);

#endif
