/* err.h - one enum of outcomes, one error object, and the line between our mistakes and theirs.
 * Thread: any.
 *
 * A function that can fail returns `enum code` and fills the caller's `struct err` on failure:
 *
 *   if (shape_check(got, want, err)) return err->code;
 *
 * Texts are lower case, without a full stop, subject in quotes, cause first, then the way out.
 * They never hold a path, an address, SQL or another tenant's name: callers read them.
 * Our own mistakes are not errors: `must(condition)` aborts, in production too.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define CHECKED __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum code {
  OK = 0,
#define CODE(name, http, grpc, exit, retry, level) E_##name,
#include "base/err.def"
#undef CODE
  CODE_COUNT
};

enum { ERR_TEXT_MAX = 256, ERR_FIELD_MAX = 96, ERR_ID_MAX = 64, ERR_JSON_MAX = 3584 };

enum { ERR_WHOSE_MAX = 64 };

/* Which limit of whose was reached: the details of a 429 that is somebody's own. */
struct err_limit {
  const char *name;          /* a row of base/quota.def; NULL: the error is about none */
  const char *scope;         /* "tenant", "model" */
  char whose[ERR_WHOSE_MAX]; /* the tenant's or model's name, cut */
  uint64_t value, used;
  int64_t resets_ms; /* from now; -1: not by waiting */
};

struct err {
  enum code code;
  uint32_t retry_after_ms;    /* 0: one second where the code's row says retry */
  struct err_limit limit;
  char field[ERR_FIELD_MAX];  /* where: "inputs[0].data"; empty when nowhere in particular */
  char text[ERR_TEXT_MAX];    /* what is wrong and what to do about it */
};

/* Fills err (which may be NULL) and returns code, so that `return fail(...)` is one line.
 * Control bytes and quotes in the formatted text are replaced: client text may be quoted in it. Of
 * what begins as a key only "slw_..." is kept. */
enum code fail(struct err *err, enum code code, const char *fmt, ...) PRINTF(3, 4);
/* Names the limit of an error already filled; returns err->code. retry_after_ms follows
 * from resets_ms: where waiting does not help, a minute. */
enum code fail_limit(struct err *err, const char *name, const char *scope, struct slice whose,
                     uint64_t value, uint64_t used, int64_t resets_ms);
/* Names the place of an error already filled; returns err->code. */
enum code fail_at(struct err *err, const char *fmt, ...) PRINTF(2, 3);
/* The same for a place that lies in another: "tags" under "models.fraud" is "models.fraud.tags". */
enum code fail_under(struct err *err, const char *fmt, ...) PRINTF(2, 3);

const char *code_name(enum code code); /* "BAD_SHAPE"; "OK" for OK */
int code_http(enum code code);         /* 200 for OK */
int code_grpc(enum code code);
int code_exit(enum code code);
bool code_retry(enum code code);
enum log_level code_level(enum code code);
/* For Retry-After: seconds, at least 1 where the code's row says retry; else 0. */
uint32_t err_retry_s(const struct err *err);
/* The one writer of the error object that every answer of ours carries, with a newline behind it:
 *   {"error":"text","code":"BAD_SHAPE","request_id":"...","details":{"field":"inputs[0]"}}
 * and for a limit "details":{"limit":"rows_per_second","scope":"tenant","whose":"acme","value":500,
 * "used":512,"resets_in_ms":400}, the last null where waiting does not help.
 * Returns its length. Always fits: a request id is cut at ERR_ID_MAX; SLICE_NONE: there was no
 * request (the CLI), and the member is left out. `error` is a string, because clients of others
 * crash on objects (the wire contract, section 2). */
size_t err_json(char to[ERR_JSON_MAX], const struct err *err, struct slice request_id);
/* The code called name, or CODE_COUNT: the CLI reads answers of a daemon newer than itself. */
enum code code_named(const char *name, uint32_t len);

/* Crash on our mistakes, answer theirs. */
#define must(cond) ((cond) ? (void)0 : must_failed(#cond, __FILE__, __LINE__))
_Noreturn void must_failed(const char *cond, const char *file, int line);

#endif
