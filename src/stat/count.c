/* count.c - likelihood ratios of a share, on a grid.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/count.h"

const double COUNT_G[COUNT_GRID] = {1.25, 1.5, 2, 3, 5, 10, 30};

/* th(r_i)/th(r_0) = (r_i/r_0) w and (1 - th(r_i))/(1 - th(r_0)) = w, w = weight of r_0 / of r_i. */
void count_step_set(struct count_step *step, enum count_side side, double s, double m)
{
  double r_0 = 1 + m, weight_0 = r_0 * s + (1 - s);
  if (!m_is_nan(s) && !(s > 0 && s < 1)) {
    *step = (struct count_step){0};
    return;
  }
  for (int i = 0; i < COUNT_GRID; i++) {
    double r = side == COUNT_HARM ? r_0 * COUNT_G[i] : r_0 / COUNT_G[i];
    double ln_g = m_ln(COUNT_G[i]);
    step->b[i] = m_ln(weight_0 / (r * s + (1 - s)));
    step->c[i] = step->b[i] + (side == COUNT_HARM ? ln_g : -ln_g);
  }
}

void count_logs(const struct count_step *step, uint64_t n_c, uint64_t n_b, double l[COUNT_GRID])
{
  double c = n_c <= M_COUNT_MAX ? (double)n_c : M_NAN, b = n_b <= M_COUNT_MAX ? (double)n_b : M_NAN;
  for (int i = 0; i < COUNT_GRID; i++) l[i] = c * step->c[i] + b * step->b[i];
}

double count_log_e(const struct count_step *step, uint64_t n_c, uint64_t n_b)
{
  double l[COUNT_GRID];
  count_logs(step, n_c, n_b, l);
  return m_log_mean(l, COUNT_GRID);
}

double count_gate(const double *log_e, size_t rows) { return m_log_mean(log_e, rows); }

double count_share(uint64_t requests_c, uint64_t requests_b)
{
  if (requests_c == 0 || requests_b == 0) return 0;
  return (double)requests_c / ((double)requests_c + (double)requests_b);
}

double count_ratio(uint64_t x_c, uint64_t n_c, uint64_t x_b, uint64_t n_b)
{
  if (n_c == 0 || n_b == 0 || x_b == 0) return M_NAN;
  return ((double)x_c / (double)n_c) / ((double)x_b / (double)n_b);
}
