/* far.h - the second level of the prediction cache: one connection of one loop to a Redis that all
 * nodes share, as a machine of bytes and times. net/far.c has the socket and the timer.
 *
 *   a miss that leads its flight --far_get--> GET --+-- a value that opens ---> kept here, a hit
 *                                                   '-- anything else --------> the run
 *   a run's answer, kept here ----far_set---> SET ... PX, and nobody waits for it
 *
 * Redis is a convenience: no request may fail, and none may wait long, because of it.
 *
 *   RESTING --its time has come--> CONNECTING --up--> GREETING --AUTH and a GET answered--> OPEN
 *      ^                               |                  |                                   |
 *      '--- refused, late, an error, a reply that makes no sense, closed by the other side ---'
 *
 * Only OPEN is asked. What ends the line ends all that waits on it: those calls run. So a Redis
 * that dies or stalls costs each request that was waiting just then its budget, once; after that
 * nothing waits until the line is OPEN again, and finding out whether it would be costs no request.
 * A rest is 5 s, twice as long after each failure, 60 s at most, a fifth more or less; 5 s again
 * once some GETs have been answered in time. A line that was used and is closed while nothing waits
 * is no failure.
 *
 * A late reply ends the line: what comes after it could be taken for another's. The same for bytes
 * that are no reply to anything, for arrays, and for more than a value may have. A reply is read by
 * hiredis' reader with functions of our own, which take no memory and no array.
 *
 * An error to a GET is a failure (LOADING, MOVED, NOPERM, ...). An error to a SET is not: a replica
 * that only reads (READONLY) or a full one (OOM) may still answer; it gets nothing to keep for a
 * while. Commands are AUTH, GET and SET, keys begin with FAR_PREFIX: an ACL user needs no more.
 *
 * Thread: its loop. far_opts is read by all.
 * Source: overload rules, sections 4 and 7; robustness rows CA-103, CA-104, CA-108 to CA-110;
 * https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP2).
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_FAR_FAR_H
#define SERVE_FAR_FAR_H

#include "base/blob.h"
#include "base/ip.h"
#include "base/list.h"
#include "serve/far/seal.h"
#include "world/tally.h"

#define FAR_PREFIX "slipway:cache:"

/* Canonical form and answer together; more stays on its node: hashing it would hold the loop. */
enum { FAR_ENTRY_MAX = 256 << 10, FAR_TEXT_MAX = 256 };

struct far_opts {
  struct ip ip;
  uint16_t port;
  char user[FAR_TEXT_MAX];     /* empty: Redis' default user */
  char password[FAR_TEXT_MAX]; /* empty: no AUTH is sent */
  int64_t budget_us;           /* what a request may wait */
  struct seal_keys keys;
};

/* What one call asks. The caller fills the first two; zeroed, it asks nothing. */
struct far_ask {
  struct slice canonical; /* the whole: before the answer in `blob` */
  struct digest name;
  int64_t due_us; /* what the caller says at first, the earlier of that and the budget once sent */
  int64_t unsent_us; /* until when it waits to be sent: the budget, too */
  struct link link; /* far->asked, then far->told */
  bool sent;
  /* Told: canonical and answer, one holder: the caller; NULL: nothing was found. */
  struct blob *blob;
  int64_t left_us; /* of the time it may be kept */
};

struct far;

struct far *far_new(const struct far_opts *opts, uint64_t seed); /* opts outlives it */
void far_free(struct far *far); /* nobody asks; NULL is fine */
/* Memory that one may take at most. */
uint64_t far_bytes_max(void);

/* --- for the path ----------------------------------------------------------------------------- */

struct digest far_name(const struct far *far, struct slice tenant, struct slice canonical);
/* False: it is not to be asked now. due_us: when the answer is of no use any more. */
bool far_get(struct far *far, struct far_ask *ask, int64_t due_us, int64_t now_us);
void far_leave(struct far *far, struct far_ask *ask); /* who asked waits no more */
void far_set(struct far *far, const struct digest *name, struct slice answer, int64_t ttl_us,
             int64_t now_us, int64_t wall_ms);
/* What was told made no sense to who asked: counted as forged. */
void far_forged(struct far *far);
/* Adds what was counted since the last time. */
void far_count(struct far *far, struct far_tally *to);

/* --- for the socket --------------------------------------------------------------------------- */

/* Whether a line should be there now: if not, close it; if so, and there is none, connect. */
bool far_wants(const struct far *far, int64_t now_us);
void far_connecting(struct far *far, int64_t now_us);
void far_up(struct far *far, int64_t now_us);
void far_fed(struct far *far, struct slice bytes, int64_t now_us, int64_t wall_ms);
/* It ended by itself. why: a literal, for it is kept. */
void far_down(struct far *far, const char *why, int64_t now_us);
/* Looks at the time, after everything that had come by now was fed. */
void far_turn(struct far *far, int64_t now_us);
int64_t far_when(const struct far *far); /* when next; INT64_MAX: not until something happens */
/* Bytes to be sent, sent all at once: valid until they were, or the line is closed; none while some
 * are under way. Budgets begin here. */
struct slice far_out(struct far *far, int64_t now_us);
void far_sent(struct far *far);
/* The next one who asked and has news; NULL: none. */
struct far_ask *far_told(struct far *far);

#endif
