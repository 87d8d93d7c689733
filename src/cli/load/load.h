/* load.h - load on a server from a thread of its own: at a rate that does not care how fast answers
 * come (open loop), or as fast as so many connections get them (closed loop).
 * Thread: main (own) starts and stops it; `seen` is called on the load's thread.
 *
 * A load has sources: each has a path, a key, bodies, and a rate or connections of its own. In the
 * open loop a request's time begins when it was due, not when a connection was free for it: a
 * server that stalls cannot hide its stall (coordinated omission). Every request that was due is
 * told once: answered, lost, given up, or never sent because it was too late for that.
 * HTTP/1.1 with keep-alive, one request at a time on a connection, answers with Content-Length.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_LOAD_LOAD_H
#define CLI_LOAD_LOAD_H

#include "base/err.h"
#include "base/slice.h"

struct load;

enum {
  LOAD_CONNECTIONS_MAX = 10000, /* of one source */
  LOAD_SOURCES_MAX = 256,
  LOAD_BODIES_MAX = 4096,
  LOAD_ANSWER_MAX = 64 << 20,
};
enum { LOAD_CONNECTIONS_CLOSED = 16, LOAD_CONNECTIONS_OPEN = 1024, LOAD_TIMEOUT_US = 30000000 };

/* What became of a request without a status. */
enum load_end {
  LOAD_LOST = 0,       /* its connection ended, or none could be had */
  LOAD_TIMED_OUT = -1, /* no answer in time: the connection was closed */
  LOAD_UNSENT = -2,    /* no connection was free until it was too late */
};

/* A body; digits: where in it LOAD_DIGITS digits stand that are written anew for each request, or
 * the four bytes of a float where it is binary; 0: nowhere. */
struct load_body {
  struct slice text;
  size_t digits;
  size_t json_len; /* of a binary request: its Inference-Header-Content-Length; 0: JSON alone */
};
enum { LOAD_DIGITS = 7 };

struct load_source {
  const char *path;               /* "/v2/models/digits/infer" */
  const char *bearer;             /* a key, or NULL */
  const char *tenant;             /* whom an operator acts for, or NULL */
  const char *head;               /* more lines of the head, each ended by CR LF; or NULL */
  const struct load_body *bodies; /* sent in turn; they live as long as the load */
  uint32_t n_bodies;
  double rate;             /* requests a second; 0: closed loop */
  bool poisson;            /* drawn distances; else even ones */
  uint32_t connections;    /* open loop: at most; closed loop: so many. 0: LOAD_CONNECTIONS_... */
  int64_t from_us, for_us; /* within the load; for_us 0: until its end */
  int64_t timeout_us;      /* from being due to being given up; 0: LOAD_TIMEOUT_US */
  int64_t unsent_us;       /* not sent so long after being due: never sent; 0: as timeout_us */
  uint32_t retries;        /* of what was not answered 200, at once and without a pause */
};

struct load_opts {
  const char *url; /* "http://127.0.0.1:8080" */
  const struct load_source *sources;
  uint32_t n_sources;
  int64_t for_us; /* 0: until load_stop */
  uint64_t seed;  /* of the drawn distances */
};

struct load_answer {
  uint32_t source;
  int64_t begun_us;        /* clock_us of the load's beginning */
  int64_t due_us, took_us; /* clock_us, and how long after that the answer was whole */
  int64_t late_us;         /* how long after that it was sent: the generator's own doing */
  int status;              /* an HTTP status, or an enum load_end */
  uint32_t version;        /* x-slipway-version; 0: none */
  uint32_t tries;          /* 1 without retries */
  bool candidate;          /* x-slipway-arm says so */
  bool cached;             /* x-slipway-cache says hit */
  struct slice body;       /* valid in the call */
};

typedef void (*load_seen)(void *arg, const struct load_answer *answer);

/* opts, its sources and what they point to live as long as the load. E_INVALID_ARGUMENT (no http://
 * address), E_UNAVAILABLE (nobody answers there). */
CHECKED enum code load_start(struct load **load, const struct load_opts *opts, load_seen seen,
                             void *arg, struct err *err);
bool load_ended(const struct load *load); /* for_us is over and every request was told */
void load_stop(struct load *load);        /* waits for at most a second; frees */

#endif
