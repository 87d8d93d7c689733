/* flag.h - flag files of the flagd format, and what one flag says about one context.
 * Thread: any, pure; a set once made never changes.
 *
 *   {"flags": {"new-ranker": {"state": "ENABLED", "variants": {"on": true, "off": false},
 *                             "defaultVariant": "off", "targeting": {...}, "metadata": {...}}},
 *    "$evaluators": {...}, "metadata": {...}}
 *
 *   result                    reason            variant
 *   DISABLED                  DISABLED          none, no value
 *   no targeting              STATIC            defaultVariant
 *   targeting chose           TARGETING_MATCH   chosen; true and false choose "true" and "false"
 *   targeting: null, ""       DEFAULT           defaultVariant
 *   defaultVariant is null    DEFAULT           none, no value: the client's own default
 *
 * Source: release features, sections 9 and 10; flagd's flag definitions.
 * SPDX-License-Identifier: MIT */
#ifndef FLAG_FLAG_H
#define FLAG_FLAG_H

#include "flag/logic.h"

enum {
  FLAG_FILE_MAX = 448 << 10,  /* bytes of a tenant's whole file, as compact JSON */
  FLAGS_MAX = 1000,           /* of a tenant */
  FLAG_KEY_MAX = 255,         /* bytes */
  FLAG_CONTEXT_MAX = 64 << 10 /* bytes of a request that brings a context */
};
#define FLAG_STEPS_MAX UINT64_C(200000) /* one flag's evaluation (flag/eval.h) */

enum flag_reason {
  FLAG_STATIC,
  FLAG_TARGETING_MATCH,
  FLAG_DEFAULT,
  FLAG_DISABLED,
  FLAG_SPLIT /* a release's own */
};

enum flag_error { FLAG_OK, FLAG_PARSE_ERROR, FLAG_KEY_MISSING, FLAG_INVALID_CONTEXT, FLAG_GENERAL };

struct flag {
  struct slice key;
  bool enabled;
  const struct value *variants;  /* a map */
  struct slice fallback;         /* defaultVariant; at NULL: none */
  const struct value *metadata;  /* a map, or NULL */
  const struct logic *targeting; /* NULL: none */
  bool uses_time;                /* the answer may change by itself */
  const char *broken;            /* what is wrong with it: answers PARSE_ERROR; NULL: nothing */
};

struct flags {
  const struct flag *all; /* ascending by key */
  uint32_t n;
  const struct value *evaluators, *metadata; /* of the file; maps, or NULL */
  bool uses_time;                            /* one of them does */
};

/* Reads a tree of the file. Whole-file mistakes fail; those of one flag are its `broken`, so that a
 * file that was taken once keeps its other flags whatever later rules say. */
CHECKED enum code flags_make(const struct value *file, struct arena *arena, struct flags *to,
                             struct err *err);
/* The same from JSON text. The text must outlive the set. */
CHECKED enum code flags_read(struct slice text, struct arena *arena, struct flags *to,
                             struct err *err);
/* OK when no flag is broken and no evaluator either; else the first's error. For files that
 * come. */
CHECKED enum code flags_check(const struct flags *flags, struct err *err);
const struct flag *flags_find(const struct flags *flags, struct slice key); /* NULL: unknown */

/* --- evaluating */

/* A context as requests bring it: a map (or nothing: VALUE_NULL, VALUE_NONE) whose targetingKey, if
 * any, is a string. E_WRONG_TYPE otherwise. */
CHECKED enum code flag_context_check(const struct value *context, struct err *err);

struct flag_result {
  enum flag_error error;
  char details[ERR_TEXT_MAX]; /* of the error */
  enum flag_reason reason;
  struct slice variant;      /* at NULL: none */
  const struct value *value; /* NULL: none */
  bool drawn;                /* a `fractional` chose it: a lot, from which effects may be told */
  uint32_t share;            /* of the lot, in parts of SHARE_WHOLE (flag/eval.h) */
};

/* now_s: Unix time for $flagd.timestamp. *steps: the budget, FLAG_STEPS_MAX for one flag; what is
 * left comes back. Temporary memory and texts of the result come from the arena. */
void flag_evaluate(const struct flag *flag, const struct value *context, int64_t now_s,
                   struct arena *arena, uint64_t *steps, struct flag_result *to);

const char *flag_reason_name(enum flag_reason reason); /* "TARGETING_MATCH" */
const char *flag_error_name(enum flag_error error);    /* "TARGETING_KEY_MISSING" */

#endif
