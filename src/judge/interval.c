/* interval.c - how large an effect is, with bounds that hold at every look.
 * Thread: any, pure.
 * Bounds of a ratio are those r at which the counts are no surprise: the two-arm statistic of
 * stat/ratio.h with share th(r), turned inside out by bisection on ln r.
 * SPDX-License-Identifier: MIT */
#include "judge/judge_int.h"
#include "stat/ratio.h"

#define RATIO_SHOWN_K 30.0
#define LOG_RATIO_MAX 14.0

enum { HALVINGS = 40 };

struct counts {
  uint64_t c, n; /* candidate's events, events of both */
  double s;
};

static bool surprises_by_ratio(const struct counts *counts, double log_r)
{
  double r = m_exp(log_r), th = r * counts->s / (r * counts->s + 1 - counts->s);
  return ratio_log_e(counts->c, counts->n, th, RATIO_SHOWN_K) >= -m_ln(TRIAL_SHOWN_ALPHA);
}

/* Between a place that is no surprise and one that is: where it begins. */
static double edge(const struct counts *counts, double inside, double outside)
{
  for (int i = 0; i < HALVINGS; i++) {
    double middle = (inside + outside) / 2;
    if (surprises_by_ratio(counts, middle))
      outside = middle;
    else
      inside = middle;
  }
  return m_exp(outside);
}

static bool ratio_interval(const struct gate_result *result, double *lower, double *upper)
{
  double requests = (double)result->n_c + (double)result->n_b;
  struct counts counts = {result->x_c, result->x_c + result->x_b, 0};
  if (!result->n_c || !result->n_b || !counts.n) return false;
  counts.s = (double)result->n_c / requests;
  double best = result->effect > 0 && result->effect < M_INF ? m_ln(result->effect)
                : result->x_c                                ? LOG_RATIO_MAX
                                                             : -LOG_RATIO_MAX;
  *lower = 0;
  *upper = M_INF;
  if (result->x_c && surprises_by_ratio(&counts, -LOG_RATIO_MAX))
    *lower = edge(&counts, best, -LOG_RATIO_MAX);
  if (result->x_b && surprises_by_ratio(&counts, LOG_RATIO_MAX))
    *upper = edge(&counts, best, LOG_RATIO_MAX);
  return true;
}

/* Blocks bound mean CPU time beyond (1 + m) times stable's: back to a ratio by stable's mean. */
static bool cost_interval(const struct trial *trial, const struct gate_result *result,
                          double *lower, double *upper)
{
  if (!result->x_b || !result->n_b || m_is_nan(result->block_lower)) return false;
  double stable = (double)result->x_b / (double)result->n_b;
  double margin = 1 + gate_margin(trial, GATE_COST);
  *lower = margin + result->block_lower / stable;
  *upper = margin + result->block_upper / stable;
  return true;
}

/* The largest limit that the pairs exceed for sure, the smallest that they keep for sure. */
static bool agree_interval(const struct trial *trial, double *lower, double *upper)
{
  double bar = -m_ln(TRIAL_SHOWN_ALPHA / 2), mean = agree_mean(&trial->agree);
  if (!agree_pairs(&trial->agree)) return false;
  double low = 0, high = mean < 0.69 ? mean : 0.69;
  for (int i = 0; i < HALVINGS; i++) {
    double middle = (low + high) / 2;
    if (middle > 0 && agree_log_e(&trial->agree, middle, COUNT_HARM) >= bar)
      low = middle;
    else
      high = middle;
  }
  *lower = low;
  low = mean, high = 0.7;
  for (int i = 0; i < HALVINGS; i++) {
    double middle = (low + high) / 2;
    if (middle < 0.7 && agree_log_e(&trial->agree, middle, COUNT_PASS) >= bar)
      high = middle;
    else
      low = middle;
  }
  *upper = high < 0.7 ? high : 1;
  return true;
}

static bool share_interval(const struct gate_result *result, double *lower, double *upper)
{
  double bar = -m_ln(TRIAL_SHOWN_ALPHA), at = result->effect;
  if (!result->n_c || !(at > 0 && at < 1)) return false;
  double low = 0, high = at;
  for (int i = 0; i < HALVINGS; i++) {
    double middle = (low + high) / 2;
    if (!(middle > 0) || ratio_log_e(result->x_c, result->n_c, middle, RATIO_SHOWN_K) >= bar)
      low = middle;
    else
      high = middle;
  }
  *lower = low;
  low = at, high = 1;
  for (int i = 0; i < HALVINGS; i++) {
    double middle = (low + high) / 2;
    if (middle < 1 && ratio_log_e(result->x_c, result->n_c, middle, RATIO_SHOWN_K) < bar)
      low = middle;
    else
      high = middle;
  }
  *upper = high;
  return true;
}

struct mean_interval metric_difference(const struct trial *trial, uint32_t arm, uint32_t other,
                                       double alpha)
{
  struct mean_spec spec = metric_spec(trial, alpha);
  return mean_difference(&trial->metric[arm], &trial->metric[other], &spec);
}

bool result_interval(const struct trial *trial, const struct gate_result *result, double *lower,
                     double *upper)
{
  *lower = *upper = M_NAN;
  switch (result->effect_kind) {
    case EFFECT_RATIO:
      if (result->gate == GATE_COST) return cost_interval(trial, result, lower, upper);
      return ratio_interval(result, lower, upper);
    case EFFECT_SHARE:
      if (result->gate == GATE_DISAGREEMENT) return agree_interval(trial, lower, upper);
      return share_interval(result, lower, upper);
    case EFFECT_DIFF: {
      struct mean_interval at =
          metric_difference(trial, result->arm, ARM_STABLE, TRIAL_SHOWN_ALPHA);
      *lower = at.lower, *upper = at.upper;
      return at.enough && !m_is_nan(at.lower);
    }
    case EFFECT_GAP: /* the bin was chosen among all */
      return calibration_interval(&trial->calibration[result->arm], result->row,
                                  TRIAL_SHOWN_ALPHA / CALIBRATION_BINS, lower, upper);
    default: return false;
  }
}

bool metric_interval(const struct trial *trial, uint32_t arm, double *diff, double *lower,
                     double *upper)
{
  struct mean_interval at =
      metric_difference(trial, arm, ARM_STABLE, TRIAL_SHOWN_ALPHA / (double)trial_treated(trial));
  *diff = at.diff, *lower = at.lower, *upper = at.upper;
  return at.enough && !m_is_nan(at.lower);
}

bool metric_relief(const struct trial *trial, uint32_t arm, double *share, double *theta)
{
  struct mean_spec spec = metric_spec(trial, TRIAL_SHOWN_ALPHA), plain = spec;
  double ratio = (double)trial->plan.metric.cap_e6 / (double)trial->plan.metric.covariate_cap_e6;
  plain.cuped = false;
  if (!spec.cuped) return false;
  struct mean_interval with =
                           mean_difference(&trial->metric[arm], &trial->metric[ARM_STABLE], &spec),
                       without =
                           mean_difference(&trial->metric[arm], &trial->metric[ARM_STABLE], &plain);
  if (!(without.se > 0)) return false;
  *share = 1 - with.se * with.se / (without.se * without.se);
  *theta = with.theta * ratio;
  return true;
}
