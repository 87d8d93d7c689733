/* feature.h - the numbers of a request that drift is judged by.
 * Thread: any, pure.
 *
 * The first DRIFT_FEATURES numbers of a row: inputs in the contract's order, one feature for each
 * value that an input has a row. Inputs without a fixed number of values, with more than
 * FEATURE_WIDTH_MAX of them (an image's first pixels say little), or of strings have none.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_FEATURE_H
#define WORLD_FEATURE_H

#include "base/contract.h"
#include "stat/drift.h"

enum { FEATURE_WIDTH_MAX = 64, FEATURE_NAME_MAX = 24 };

/* How many a request of this contract has. */
uint32_t features_count(const struct contract *contract);
/* Of its first row; NaN: an input left out, and all past the last one. inputs belong to the
 * contract's; returns how many. */
uint32_t features_read(const struct contract *contract, const struct tensor *inputs,
                       float to[DRIFT_FEATURES]);
/* "x[2]", or "x" where a row has one value; cut. Visible ASCII: other bytes are '?'. */
void feature_name(const struct contract *contract, uint32_t feature, char to[FEATURE_NAME_MAX]);

#endif
