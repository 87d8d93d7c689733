/* logic.h - targeting rules: JsonLogic and flagd's additions, checked once and made into a tree of
 * operators.
 * Thread: any, pure.
 *
 * A map of exactly one member is an operator; any other map is a value. Checked here, so that
 * nothing of it can fail while a flag is evaluated: operators that exist, how many arguments they
 * take, `$ref` to what `$evaluators` has (each in place, so a circle is too deep), weights of
 * `fractional` that are written out.
 * Depth: nested lists and maps as they are written, references in place. LOGIC_DEPTH_MAX also
 * bounds how deep the functions of logic.c and eval.c call each other.
 * Source: jsonlogic.com, json-logic-js; flagd's targeting reference.
 * SPDX-License-Identifier: MIT */
#ifndef FLAG_LOGIC_H
#define FLAG_LOGIC_H

#include "flag/value.h"

enum { LOGIC_DEPTH_MAX = 32, LOGIC_NODES_MAX = 10000 };
#define WEIGHTS_MAX INT64_C(2147483647) /* the sum of one `fractional` */

enum logic_kind { LOGIC_VALUE, LOGIC_LIST, LOGIC_OP };

struct logic {
  enum logic_kind kind;
  uint32_t op; /* OP: its row in ops.def */
  uint32_t n;
  const struct logic *args; /* LIST, OP; a VALUE that is a list has them for checks */
  struct value value;       /* VALUE */
};

struct logic_facts { /* of a rule and all it refers to; added to */
  uint32_t nodes;
  bool uses_time; /* may read $flagd.timestamp */
};

/* evaluators: the map `$evaluators`, or NULL. Views into rule and evaluators stay.
 * E_INVALID_ARGUMENT says which operator; E_JSON_TOO_DEEP, E_LIMIT_EXCEEDED; E_OUT_OF_MEMORY. */
CHECKED enum code logic_make(const struct value *rule, const struct value *evaluators,
                             struct arena *arena, struct logic_facts *facts, struct logic *to,
                             struct err *err);

#endif
