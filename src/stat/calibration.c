/* calibration.c - betting on calibration.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/calibration.h"

enum { LAMBDAS = 8, HALVINGS = 40 };
#define PARTS ((double)(1 << MEAN_PARTS_BITS))

enum side { ABOVE, BELOW }; /* what the bet is on: a gap above the bound, or below it */

uint32_t calibration_bin(double score)
{
  uint32_t bin = (uint32_t)(score * CALIBRATION_BINS);
  return bin < CALIBRATION_BINS ? bin : CALIBRATION_BINS - 1;
}

double calibration_low(uint32_t bin) { return (double)bin / CALIBRATION_BINS; }

bool calibration_add(struct calibration *calibration, double score, double outcome)
{
  int64_t x, y;
  if (!(score >= 0 && score <= 1 && outcome >= 0 && outcome <= 1)) return false;
  if (!mean_parts(score, 1, &x) || !mean_parts(outcome, 1, &y)) return false;
  mean_add(&calibration->at[calibration_bin(score)], y, x);
  return true;
}

void calibration_merge(struct calibration *into, const struct calibration *from)
{
  for (int i = 0; i < CALIBRATION_BINS; i++) mean_merge(&into->at[i], &from->at[i]);
}

uint64_t calibration_count(const struct calibration *calibration)
{
  uint64_t n = 0;
  for (int i = 0; i < CALIBRATION_BINS; i++) n += calibration->at[i].n;
  return n;
}

double calibration_gap(const struct mean_arm *bin)
{
  return bin->n ? (double)(bin->y - bin->x) / PARTS / (double)bin->n : M_NAN;
}

double calibration_ece(const struct calibration *calibration)
{
  uint64_t n = calibration_count(calibration);
  double apart = 0;
  for (int i = 0; i < CALIBRATION_BINS; i++) {
    double sum = (double)(calibration->at[i].y - calibration->at[i].x) / PARTS;
    apart += sum < 0 ? -sum : sum;
  }
  return n ? apart / (double)n : M_NAN;
}

/* Capital of the bets that the gap lies beyond `bound`. Where d cannot reach the bound at all that
 * is certain: M_INF, or nothing at stake without answers. */
static double side_log_e(const struct mean_arm *at, uint32_t bin, enum side side, double bound)
{
  double log_e[LAMBDAS], lambda = 1;
  double room = side == ABOVE ? calibration_low(bin + 1) + bound : 1 - calibration_low(bin) - bound;
  if (!at->n) return 0;
  if (!(room > 0)) return M_INF;
  double n = (double)at->n, d = (double)(at->y - at->x) / PARTS;
  double dd = (double)(at->yy - 2 * at->xy + at->xx) / PARTS / PARTS;
  double sum = (side == ABOVE ? d - n * bound : n * bound - d) / room;
  double squares = (dd - 2 * bound * d + n * bound * bound) / room / room;
  if (squares < 0) squares = 0;
  for (int i = 0; i < LAMBDAS; i++) {
    double bet = i ? lambda : 0.8;
    log_e[i] = bet * sum - (-m_log1p(-bet) - bet) * squares;
    lambda /= 2;
  }
  return m_log_mean(log_e, LAMBDAS);
}

double calibration_log_e(const struct calibration *calibration, uint32_t bin, double limit)
{
  const struct mean_arm *at = &calibration->at[bin];
  double sides[2] = {side_log_e(at, bin, ABOVE, limit), side_log_e(at, bin, BELOW, -limit)};
  return m_log_mean(sides, 2);
}

double calibration_pass_log_e(const struct calibration *calibration, uint32_t bin, double limit)
{
  const struct mean_arm *at = &calibration->at[bin];
  double below = side_log_e(at, bin, BELOW, limit), above = side_log_e(at, bin, ABOVE, -limit);
  return below < above ? below : above;
}

/* From the gap seen outwards to the first bound that the bets beat. */
static double edge(const struct mean_arm *at, uint32_t bin, enum side side, double from, double to,
                   double bar)
{
  for (int i = 0; i < HALVINGS; i++) {
    double middle = (from + to) / 2;
    if (side_log_e(at, bin, side, middle) >= bar)
      to = middle;
    else
      from = middle;
  }
  return to;
}

bool calibration_interval(const struct calibration *calibration, uint32_t bin, double alpha,
                          double *lower, double *upper)
{
  const struct mean_arm *at = &calibration->at[bin];
  double gap = calibration_gap(at), bar = -m_ln(alpha / 2);
  if (!at->n) return false;
  *lower = edge(at, bin, ABOVE, gap, -calibration_low(bin + 1), bar);
  *upper = edge(at, bin, BELOW, gap, 1 - calibration_low(bin), bar);
  return true;
}
