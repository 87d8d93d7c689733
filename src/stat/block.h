/* block.h - the lane that believes in nothing but blocks: sums of ten looks, compared as numbers.
 * Thread: any, pure; a row belongs to one owner.
 *
 * Ten seconds of traffic are one observation, however bursty they are inside:
 *
 *   D = x_c/n_c - (1 + m) x_b/n_b        x events of n requests, c candidate, b stable
 *   harm when mean - sd W(n, a_harm) > 0, non-inferior when mean + sd W(n, a_pass) < 0
 *
 * W is the one-sided width of stat/mean.h with n_star = 30. Nothing is said before 12 blocks, nor
 * when all are equal (sd 0). Blocks are aligned to the start of the step and counted in looks. One
 * in which an arm had no request is skipped and noted.
 *
 * Sums inside a block are over integers; D is formed once, when the block closes; mean and sd are
 * two passes in block order, never a running update, whose rounding would depend on its past.
 * So a row keeps every D. The caller lends the room for as many as the step has blocks (a day:
 * BLOCK_DAY). When the room is full and another block closes, a new episode begins: the row is
 * emptied, `episodes` is one more; alpha is spent once more, and whoever records verdicts must say
 * so. Forgetting the oldest instead would not be a confidence sequence, and merging pairs would
 * change what a block is.
 * Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (see stat/mean.h).
 * SPDX-License-Identifier: MIT */
#ifndef STAT_BLOCK_H
#define STAT_BLOCK_H

#include "stat/math.h"

enum { BLOCK_LOOKS = 10, BLOCK_MIN = 12, BLOCK_N_STAR = 30, BLOCK_DAY = 8640 };

struct block_sums {
  uint64_t x_c, n_c, x_b, n_b;
};

struct block_row {
  double margin;         /* m */
  double *d;             /* lent by the caller, in block order */
  uint32_t n, max;       /* blocks kept, and room for so many */
  uint32_t looks;        /* in the open block */
  uint32_t skipped;      /* blocks without requests in an arm, since the start of the step */
  uint32_t episodes;     /* begun, the first included */
  struct block_sums sum; /* of the open block */
};

enum block_says { BLOCK_INCONCLUSIVE, BLOCK_HARM, BLOCK_NON_INFERIOR };

struct block_bounds {
  double mean, sd, lower, upper; /* NaN below BLOCK_MIN blocks, and the verdict inconclusive */
  enum block_says says;
};

/* max is at least BLOCK_MIN. A new step inits again. */
void block_init(struct block_row *row, double margin, double *room, uint32_t max);
/* One look; true when it closed a block, kept or skipped. */
bool block_look(struct block_row *row, const struct block_sums *look);
double block_difference(const struct block_sums *sums, double margin); /* D; NaN when skipped */
/* Latency: a_harm is the lane's alpha divided by the rows used (a union: these are no e-values). */
struct block_bounds block_judge(const struct block_row *row, double a_harm, double a_pass);
/* The same over any D's. */
struct block_bounds block_bounds_of(const double *d, size_t n, double a_harm, double a_pass);

#endif
