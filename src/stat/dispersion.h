/* dispersion.h - how much burstier than independent requests stable's events were.
 * Thread: any, pure.
 *
 * Events of one stall come together; counted as independent they prove too much. From blocks of 10
 * s of stable before the step, x = events per block, mean m, variance v (n - 1):
 *
 *   c = max(0, (v - m)/m^2), 0 if m = 0      phi = 1 + c (m / share) s
 *
 * s is the candidate's share in the coming step, share the part of the traffic that stable had in
 * those blocks. phi tempers the detector. A correction by experience, not by theorem: the block
 * lane (stat/block.h) is the one that needs no such thing.
 * SPDX-License-Identifier: MIT */
#ifndef STAT_DISPERSION_H
#define STAT_DISPERSION_H

#include <stddef.h>
#include <stdint.h>

enum { DISPERSION_BLOCKS = 180, DISPERSION_GROUP = 6 };
#define DISPERSION_UNKNOWN 2.0 /* phi without enough history */

/* phi of n counts; 1 for fewer than two. share must lie in (0, 1]. */
double dispersion_phi(const uint64_t *x, size_t n, double share, double s);
/* phi to freeze: the larger of that over the last 180 blocks and over their 30 sums of six;
 * DISPERSION_UNKNOWN when n is below 180. Counts in order of time. */
double dispersion_frozen(const uint64_t *x, size_t n, double share, double s);
/* The same where stable's share changed from block to block, as it does in a ramp: each count is
 * taken at its own share, or the ramp itself would look like stalls. DISPERSION_UNKNOWN also when
 * stable had no share in one of the 180. */
double dispersion_frozen_ramp(const uint64_t *x, const double *share, size_t n, double s);

#endif
