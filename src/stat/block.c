/* block.c - closing blocks and judging what they say.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/block.h"

#include <math.h>

#include "base/err.h"
#include "stat/mean.h"

void block_init(struct block_row *row, double margin, double *room, uint32_t max)
{
  must(room && max >= BLOCK_MIN);
  *row = (struct block_row){.margin = margin, .d = room, .max = max, .episodes = 1};
}

double block_difference(const struct block_sums *sums, double margin)
{
  if (sums->n_c == 0 || sums->n_b == 0) return M_NAN;
  return (double)sums->x_c / (double)sums->n_c -
         (1 + margin) * ((double)sums->x_b / (double)sums->n_b);
}

bool block_look(struct block_row *row, const struct block_sums *look)
{
  row->sum.x_c += look->x_c;
  row->sum.n_c += look->n_c;
  row->sum.x_b += look->x_b;
  row->sum.n_b += look->n_b;
  if (++row->looks < BLOCK_LOOKS) return false;
  double d = block_difference(&row->sum, row->margin);
  row->looks = 0;
  row->sum = (struct block_sums){0};
  if (m_is_nan(d)) {
    row->skipped++;
    return true;
  }
  if (row->n == row->max) {
    row->n = 0;
    row->episodes++;
  }
  row->d[row->n++] = d;
  return true;
}

struct block_bounds block_judge(const struct block_row *row, double a_harm, double a_pass)
{
  return block_bounds_of(row->d, row->n, a_harm, a_pass);
}

struct block_bounds block_bounds_of(const double *d, size_t n, double a_harm, double a_pass)
{
  struct block_bounds at = {M_NAN, M_NAN, M_NAN, M_NAN, BLOCK_INCONCLUSIVE};
  double sum = 0, squares = 0, count = (double)n;
  if (n < BLOCK_MIN) return at;
  for (size_t i = 0; i < n; i++) sum += d[i];
  at.mean = sum / count;
  for (size_t i = 0; i < n; i++) squares += (d[i] - at.mean) * (d[i] - at.mean);
  at.sd = sqrt(squares / (count - 1));
  at.lower = at.mean - at.sd * mean_width_one_sided(count, a_harm, BLOCK_N_STAR);
  at.upper = at.mean + at.sd * mean_width_one_sided(count, a_pass, BLOCK_N_STAR);
  if (!(at.sd > 0)) return at;
  if (at.lower > 0)
    at.says = BLOCK_HARM;
  else if (at.upper < 0)
    at.says = BLOCK_NON_INFERIOR;
  return at;
}
