/* simulate_int.h - what the files of `slipway simulate` share.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_SIMULATE_SIMULATE_INT_H
#define CLI_SIMULATE_SIMULATE_INT_H

#include "base/buf.h"
#include "cli/out.h"
#include "sim/bars.h"

enum { SIMULATE_PLAN_MAX = 1 << 20 };
#define SIMULATE_RECORDED_MAX ((size_t)4 << 30)

/* A whole file, up to the buffer's limit. */
CHECKED enum code simulate_file(const char *path, struct buf *to, struct err *err);

/* ---- what came of scenarios: a table, or with json one object */
struct simulate_out {
  bool json;
  struct table table;
  json_t *cases;
  struct buf notes;
};
void simulate_out_init(struct simulate_out *out, bool json);
void simulate_out_case(struct simulate_out *out, const struct sim_case *of,
                       const struct sim_summary *summary);
/* Prints and frees. */
void simulate_out_print(struct simulate_out *out, double seconds);

/* The looks of a release, judged as they were and under another plan or lanes (NULL: the same). */
CHECKED enum code simulate_looks(struct slice text, const struct plan *plan,
                                 const enum gate_lanes *lanes, bool json, struct err *err);

/* ---- bars: each is printed as it comes, with json all at the end */
struct simulate_bars;
struct simulate_bars *simulate_bars_new(bool json);
void simulate_bars_add(struct simulate_bars *bars, const struct bar *bar);
void simulate_bars_end(struct simulate_bars *bars, uint32_t failed, double seconds);

#endif
