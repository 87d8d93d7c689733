/* rival.c - the rules that releases are judged by elsewhere.
 * Thread: own; one per set of rivals; the table of cuts is made once, by whoever comes first.
 * SPDX-License-Identifier: MIT */
#include "sim/rival.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

enum { NAIVE_EVERY_S = 10, STRIKES = 3 };
#define THRESHOLD_RATIO   1.2
#define KAYENTA_TOLERANCE 0.25
#define KAYENTA_TAIL      0.01 /* of the 98 % interval, on each side */
#define NAIVE_Z           2.326347874

const char *rival_name(enum rival rival)
{
  static const char *const names[] = {"threshold", "kayenta", "kayenta once", "naive z"};
  return names[rival];
}

double sketch_point(const struct sketch *sketch, double q)
{
  double rank = q * (double)sketch->count, below = 0;
  for (uint32_t i = 0; i < SKETCH_BUCKETS && sketch->count; i++) {
    double here = (double)sketch->at[i];
    if (here > 0 && below + here >= rank) {
      double lo = i ? (double)sketch_edge(i - 1) : 0;
      double hi = i + 1 < SKETCH_BUCKETS ? (double)sketch_edge(i) : lo;
      return lo + (hi - lo) * (rank - below) / here;
    }
    below += here;
  }
  return 0;
}

/* ---- Mann-Whitney ---- */

static uint32_t cuts[RIVAL_MINUTES + 1];
static pthread_once_t cuts_made = PTHREAD_ONCE_INIT;

/* Number of subsets of size n among 2n ranks by their rank sum, n = 1, 2, ...: the counts for (n,
 * n) come from those of (n, n - 1) and (n - 1, n); kept as probabilities, so nothing overflows. */
static void cuts_make(void)
{
  enum { W = RIVAL_MINUTES * RIVAL_MINUTES + 1 };
  /* row[m] is P(U = u) for m against n; P(m, n, u) = m/(m+n) P(m-1, n, u-n) + n/(m+n) P(m, n-1,
   * u) */
  double *row = grab_zero((size_t)(RIVAL_MINUTES + 1) * W, sizeof *row);
  for (uint32_t m = 0; m <= RIVAL_MINUTES; m++) row[(size_t)m * W] = 1;
  for (uint32_t n = 1; n <= RIVAL_MINUTES; n++) {
    for (uint32_t m = 1; m <= RIVAL_MINUTES; m++) {
      double *at = row + (size_t)m * W, *less = row + (size_t)(m - 1) * W;
      double a = (double)m / (m + n), b = (double)n / (m + n);
      for (uint32_t u = m * n + 1; u-- > 0;)
        at[u] = b * (u <= m * (n - 1) ? at[u] : 0) + a * (u >= n ? less[u - n] : 0);
    }
    double sum = 0;
    const double *at = row + (size_t)n * W;
    uint32_t cut = 0; /* R's qwilcox(0.01): the least u with P(U <= u) >= 0.01 */
    while (sum + at[cut] < KAYENTA_TAIL) sum += at[cut++];
    cuts[n] = cut;
  }
  ungrab(row);
}

uint32_t mann_whitney_cut(uint32_t n)
{
  must(pthread_once(&cuts_made, cuts_make) == 0);
  must(n <= RIVAL_MINUTES);
  return cuts[n];
}

static int double_order(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

struct shift_interval mann_whitney(const double *a, const double *b, uint32_t n)
{
  uint32_t cut = mann_whitney_cut(n), pairs = n * n;
  struct shift_interval interval = {0};
  if (cut == 0) return interval;
  double *d = grab(sizeof *d * pairs);
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t j = 0; j < n; j++) d[i * n + j] = a[i] - b[j];
  qsort(d, pairs, sizeof *d, double_order);
  interval.known = true;
  interval.low = d[cut - 1];
  interval.high = d[pairs - cut];
  interval.shift = pairs % 2 ? d[pairs / 2] : (d[pairs / 2 - 1] + d[pairs / 2]) / 2;
  ungrab(d);
  return interval;
}

static bool kayenta_says_high(const struct rivals *rivals)
{
  uint32_t n = rivals->minutes;
  const double *c = rivals->p99[ARM_CANDIDATE], *b = rivals->p99[ARM_STABLE];
  double sum_c = 0, sum_b = 0;
  for (uint32_t i = 0; i < n; i++) sum_c += c[i], sum_b += b[i];
  if (sum_c < sum_b) return false;
  struct shift_interval interval = mann_whitney(c, b, n);
  return interval.known && interval.low > KAYENTA_TOLERANCE * fabs(interval.shift);
}

/* ---- seconds ---- */

void rivals_init(struct rivals *rivals, bool on_errors)
{
  memset(rivals, 0, sizeof *rivals);
  rivals->on_errors = on_errors;
  for (int i = 0; i < RIVALS; i++) rivals->said[i] = RIVAL_NEVER;
}

static void say(struct rivals *rivals, enum rival who, bool no)
{
  if (no && rivals->said[who] == RIVAL_NEVER) rivals->said[who] = rivals->seconds;
}

void rivals_add(struct rivals *rivals, uint32_t arm, const struct sketch *seen)
{
  sketch_merge(&rivals->minute[arm], seen);
}

static void minute_end(struct rivals *rivals)
{
  const struct sketch *c = &rivals->minute[ARM_CANDIDATE], *b = &rivals->minute[ARM_STABLE];
  if (c->count && b->count && rivals->minutes < RIVAL_MINUTES) {
    double p99_c = sketch_point(c, 0.99), p99_b = sketch_point(b, 0.99);
    rivals->p99[ARM_CANDIDATE][rivals->minutes] = p99_c;
    rivals->p99[ARM_STABLE][rivals->minutes] = p99_b;
    rivals->minutes++;
    rivals->strikes += p99_c > THRESHOLD_RATIO * p99_b;
    say(rivals, RIVAL_THRESHOLD, rivals->strikes >= STRIKES);
    bool ask = rivals->said[RIVAL_KAYENTA] == RIVAL_NEVER || rivals->minutes == RIVAL_ONCE_AT;
    bool high = ask && kayenta_says_high(rivals);
    say(rivals, RIVAL_KAYENTA, high);
    say(rivals, RIVAL_ONCE, high && rivals->minutes == RIVAL_ONCE_AT);
  }
  memset(rivals->minute, 0, sizeof rivals->minute);
}

static bool naive_says_worse(const struct rivals *rivals)
{
  double n_c = (double)rivals->n[ARM_CANDIDATE], n_b = (double)rivals->n[ARM_STABLE];
  double x_c = (double)rivals->x[ARM_CANDIDATE], x_b = (double)rivals->x[ARM_STABLE];
  if (n_c == 0 || n_b == 0) return false;
  double p = (x_c + x_b) / (n_c + n_b), var = p * (1 - p) * (1 / n_c + 1 / n_b);
  return var > 0 && x_c / n_c - x_b / n_b > NAIVE_Z * sqrt(var);
}

void rivals_second(struct rivals *rivals, const struct crowd_seen seen[CROWD_ARMS])
{
  enum { P99 = 2 };
  rivals->seconds++;
  for (int arm = 0; arm < CROWD_ARMS; arm++) {
    rivals->n[arm] += rivals->on_errors ? seen[arm].requests : seen[arm].timed;
    rivals->x[arm] += rivals->on_errors ? seen[arm].errors : seen[arm].slow[P99];
  }
  if (rivals->seconds % NAIVE_EVERY_S == 0) say(rivals, RIVAL_NAIVE, naive_says_worse(rivals));
  if (rivals->seconds % 60 == 0) minute_end(rivals);
}

bool rivals_are_done(const struct rivals *rivals)
{
  for (int i = 0; i < RIVALS; i++)
    if (rivals->said[i] == RIVAL_NEVER && !(i == RIVAL_ONCE && rivals->minutes > RIVAL_ONCE_AT))
      return false;
  return true;
}
