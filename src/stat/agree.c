/* agree.c - betting on disagreement.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "stat/agree.h"

const double AGREE_G[AGREE_GRID] = {1.25, 1.5, 2, 3, 5, 10, 20};

uint32_t agree_part(double x)
{
  if (x <= 0) return 0;
  if (!(x < 1)) return AGREE_PARTS;
  return (uint32_t)(x * AGREE_PARTS + 0.5);
}

void agree_add(struct agree *agree, double x) { agree->at[agree_part(x)]++; }

void agree32_add(struct agree32 *agree, double x) { agree->at[agree_part(x)]++; }

void agree_merge(struct agree *into, const struct agree *from)
{
  for (int j = 0; j < AGREE_COUNTS; j++) into->at[j] += from->at[j];
}

void agree_merge32(struct agree *into, const struct agree32 *from)
{
  for (int j = 0; j < AGREE_COUNTS; j++) into->at[j] += from->at[j];
}

uint64_t agree_pairs(const struct agree *agree)
{
  uint64_t pairs = 0;
  for (int j = 0; j < AGREE_COUNTS; j++) pairs += agree->at[j];
  return pairs;
}

double agree_mean(const struct agree *agree)
{
  uint64_t parts = 0, pairs = agree_pairs(agree);
  for (uint64_t j = 0; j < AGREE_COUNTS; j++) parts += agree->at[j] * j;
  return pairs ? (double)parts / ((double)pairs * AGREE_PARTS) : M_NAN;
}

bool agree_limit_is_fit(double q) { return q > 0 && q < 0.7; }

double agree_log_e(const struct agree *agree, double q, enum count_side side)
{
  double l[AGREE_GRID] = {0};
  if (!agree_limit_is_fit(q)) return M_NAN;
  for (int i = 0; i < AGREE_GRID; i++) {
    double k = side == COUNT_HARM ? AGREE_G[i] * q : q / AGREE_G[i];
    if (k > 0.95) k = 0.95;
    double lambda = (k - q) / (q * (1 - q));
    for (int j = 0; j < AGREE_COUNTS; j++) {
      if (!agree->at[j]) continue;
      double x = (double)j / AGREE_PARTS;
      l[i] += (double)agree->at[j] * m_log1p(lambda * (x - q));
    }
  }
  return m_log_mean(l, AGREE_GRID);
}
