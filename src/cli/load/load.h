/* load.h - load on a server from a thread of its own: at a rate that does not care how fast answers
 * come (open loop), or as fast as so many connections get them (closed loop).
 * Thread: main (own) starts and stops it; `seen` is called on the load's thread.
 *
 * In the open loop a request's time begins when it was due, not when a connection was free for it:
 * a server that stalls cannot hide its stall (coordinated omission).
 * HTTP/1.1 with keep-alive, answers with Content-Length; a lost connection is an answer with status
 * 0 and is opened anew.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_LOAD_LOAD_H
#define CLI_LOAD_LOAD_H

#include "base/err.h"
#include "base/slice.h"

struct load;

enum { LOAD_CONNECTIONS_MAX = 256, LOAD_BODIES_MAX = 4096, LOAD_ANSWER_MAX = 1 << 20 };

struct load_opts {
  const char *url;  /* "http://127.0.0.1:8080" */
  const char *path; /* "/v2/models/digits/infer" */
  const char *bearer;         /* a key, or NULL */
  const char *tenant;         /* whom an operator acts for, or NULL */
  const struct slice *bodies; /* JSON, sent in turn; they live as long as the load */
  uint32_t n_bodies;
  double rate;          /* requests a second; 0: closed loop */
  uint32_t connections; /* 0: 16 */
  int64_t for_us;       /* 0: until load_stop */
};

struct load_answer {
  int64_t due_us, took_us; /* clock_us, and how long after that the answer was whole */
  int status;              /* 0: the connection was lost */
  uint32_t version;        /* x-slipway-version; 0: none */
  bool candidate;          /* x-slipway-arm says so */
  struct slice body;       /* valid in the call */
};

typedef void (*load_seen)(void *arg, const struct load_answer *answer);

/* E_INVALID_ARGUMENT (no http:// address), E_UNAVAILABLE (nobody answers there). */
CHECKED enum code load_start(struct load **load, const struct load_opts *opts, load_seen seen,
                             void *arg, struct err *err);
bool load_ended(const struct load *load); /* for_us is over and every answer is in */
void load_stop(struct load *load);        /* waits for at most a second; frees */

#endif
