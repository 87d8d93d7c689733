/* dispersion.c - variance against mean, of counts.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/dispersion.h"

double dispersion_phi(const uint64_t *x, size_t n, double share, double s)
{
  uint64_t sum = 0;
  double squares = 0;
  if (n < 2) return 1;
  for (size_t i = 0; i < n; i++) sum += x[i];
  if (sum == 0) return 1;
  double mean = (double)sum / (double)n;
  for (size_t i = 0; i < n; i++) squares += ((double)x[i] - mean) * ((double)x[i] - mean);
  double c = (squares / (double)(n - 1) - mean) / (mean * mean);
  return c > 0 ? 1 + c * (mean / share) * s : 1;
}

double dispersion_frozen(const uint64_t *x, size_t n, double share, double s)
{
  enum { GROUPS = DISPERSION_BLOCKS / DISPERSION_GROUP };
  uint64_t groups[GROUPS] = {0};
  if (n < DISPERSION_BLOCKS) return DISPERSION_UNKNOWN;
  x += n - DISPERSION_BLOCKS;
  for (size_t i = 0; i < DISPERSION_BLOCKS; i++) groups[i / DISPERSION_GROUP] += x[i];
  double of_ten = dispersion_phi(x, DISPERSION_BLOCKS, share, s);
  double of_sixty = dispersion_phi(groups, GROUPS, share, s);
  return of_ten > of_sixty ? of_ten : of_sixty;
}

/* Counts at all of the traffic are x / share; chance alone gives each the variance x / share^2. */
static double phi_ramp(const double *x, const double *share, size_t n, double s)
{
  double sum = 0, noise = 0, squares = 0;
  for (size_t i = 0; i < n; i++) {
    sum += x[i] / share[i];
    noise += x[i] / (share[i] * share[i]);
  }
  if (sum == 0) return 1;
  double mean = sum / (double)n;
  for (size_t i = 0; i < n; i++) {
    double off = x[i] / share[i] - mean;
    squares += off * off;
  }
  double c = (squares / (double)(n - 1) - noise / (double)n) / (mean * mean);
  return c > 0 ? 1 + c * mean * s : 1;
}

double dispersion_frozen_ramp(const uint64_t *x, const double *share, size_t n, double s)
{
  enum { GROUPS = DISPERSION_BLOCKS / DISPERSION_GROUP };
  double blocks[DISPERSION_BLOCKS], groups[GROUPS] = {0}, shares[GROUPS] = {0};
  if (n < DISPERSION_BLOCKS) return DISPERSION_UNKNOWN;
  x += n - DISPERSION_BLOCKS;
  share += n - DISPERSION_BLOCKS;
  for (size_t i = 0; i < DISPERSION_BLOCKS; i++) {
    if (!(share[i] > 0)) return DISPERSION_UNKNOWN;
    blocks[i] = (double)x[i];
    groups[i / DISPERSION_GROUP] += blocks[i];
    shares[i / DISPERSION_GROUP] += share[i] / DISPERSION_GROUP;
  }
  double of_ten = phi_ramp(blocks, share, DISPERSION_BLOCKS, s);
  double of_sixty = phi_ramp(groups, shares, GROUPS, s);
  return of_ten > of_sixty ? of_ten : of_sixty;
}
