/* body.h - request bodies for `slipway bench`: made up from what a model says of its inputs, or
 * read from a file.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_BODY_H
#define CLI_BENCH_BODY_H

#include <jansson.h>

#include "base/buf.h"
#include "cli/load/load.h"

enum { BODY_ROWS_MAX = 1 << 16, BODY_ELEMENTS_MAX = 1 << 20, BODY_FILE_MAX = 64 << 20 };

struct body_opts {
  uint32_t rows; /* where the first dimension is free; 0: 1. Other free dimensions are 1 */
  bool binary;   /* tensors behind the JSON, as they lie in memory; FP16 and BF16 always */
  bool unique;   /* no two requests alike: a value of the first FP32 input changes each time */
  const json_t *parameters; /* of the request; NULL: none */
};

/* The bodies of one source. */
struct bodies {
  struct buf text;
  struct load_body *list;
  uint32_t n;
};

void bodies_init(struct bodies *bodies);
void bodies_deinit(struct bodies *bodies);
/* One body of a model's metadata ({"inputs": [{"name", "datatype", "shape"}]}): floats are 0.5,
 * whole numbers 1, BYTES "slipway". E_LIMIT_EXCEEDED: too large to make up; E_INVALID_ARGUMENT:
 * unique, but no input is FP32. */
CHECKED enum code bodies_make(struct bodies *bodies, const json_t *metadata,
                              const struct body_opts *opts, struct err *err);
/* A request body a line; "-" is stdin. E_NOT_FOUND, E_LIMIT_EXCEEDED, E_INVALID_ARGUMENT. */
CHECKED enum code bodies_read(struct bodies *bodies, const char *path, struct err *err);

#endif
