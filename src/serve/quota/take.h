/* take.h - what one request has taken of its tenant's meter, and of its model's where that has
 * limits of its own; and the refusal where a limit is reached.
 * Thread: its loop. The meters are shared (world/meter.h).
 *
 *   take_request   before a byte of the body is read: rate, minute, day, requests in flight, and
 *                  whether rows and compute have anything left at all; then the declared bytes
 *   take_bytes     more of a body whose length nobody declared, by TAKE_STEP
 *   take_rows      once they are known
 *   take_compute   the predicted time, when the task goes out; take_ran: the measured one instead
 *   take_back      refused by a later test: tokens go back
 *   take_end       levels go back; the memory of a slow reader's answer keeps its bytes (take_hold)
 *
 * All or nothing: where the model's limit refuses, what the tenant's gave goes back at once. A
 * request that fails by its own fault (a body that is none) has been worked on: it stays counted.
 * A shadow's copy takes nothing: it runs in what is left over (serve/shadow.h). A cache's hit will
 * be a request and rows, and no compute.
 * Source: overload rules, section 6.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_QUOTA_TAKE_H
#define SERVE_QUOTA_TAKE_H

#include "base/rand.h"
#include "world/meter.h"

enum { TAKE_STEP = 64 << 10 };

struct stake {
  struct meter *meter;               /* NULL: nothing is taken */
  int64_t request_ns, rows_ns;       /* of these buckets, as the time they take to come back */
  int64_t compute_ns;                /* the same of what was predicted */
  struct bucket compute;             /* that prices what was measured */
  uint64_t bytes;
  uint32_t minute, day;
  bool in_flight, in_minute, in_day;
};

enum { STAKES = 2 }; /* the tenant's, the model's */

struct taken {
  struct stake stakes[STAKES];
};

/* Bytes of a body that outlive their call. */
struct hold {
  struct meter *meters[STAKES];
  uint64_t bytes[STAKES];
};

/* The limits a request is held against; NULL: none of that kind. */
struct allowed {
  const struct allowance *of[STAKES];
};

/* E_RATE_LIMITED or E_CONCURRENCY_LIMITED, with the limit and when to come back; then nothing is
 * taken. rand: spreads when they come back. */
CHECKED enum code take_request(struct taken *taken, const struct allowed *allowed, int64_t now_us,
                               uint64_t bytes, struct rand *rand, struct err *err);
CHECKED enum code take_bytes(struct taken *taken, const struct allowed *allowed, uint64_t held,
                             int64_t now_us, struct err *err);
CHECKED enum code take_rows(struct taken *taken, const struct allowed *allowed, int64_t now_us,
                            uint64_t rows, struct rand *rand, struct err *err);
CHECKED enum code take_compute(struct taken *taken, const struct allowed *allowed, int64_t now_us,
                               int64_t predicted_ns, struct rand *rand, struct err *err);
/* ran_ns 0: it did not. */
void take_ran(struct taken *taken, int64_t now_us, int64_t ran_ns);
void take_back(struct taken *taken);
/* What the bytes belong to from now on is *hold. */
void take_hold(struct taken *taken, struct hold *hold);
void take_hold_end(struct hold *hold);
void take_end(struct taken *taken);

/* A request that goes to a desk: a place among those in work, which take_asked gives back; and a
 * token: of the requests where it uses something (a flag, an outcome told), as a prediction would,
 * else of the control plane's own small bucket. */
CHECKED enum code take_ask(const struct allowance *allow, bool uses, int64_t now_us,
                           struct rand *rand, struct err *err);
void take_asked(struct meter *meter);
/* One more connection of a tenant; meter_level_give takes it off. E_CONCURRENCY_LIMITED. */
CHECKED enum code take_connection(const struct allowance *allow, int64_t now_us, struct err *err);

#endif
