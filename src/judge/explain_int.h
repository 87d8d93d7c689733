/* explain_int.h - words that sentences and JSON share.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_EXPLAIN_INT_H
#define JUDGE_EXPLAIN_INT_H

#include "judge/explain.h"

const char *row_name(uint32_t row); /* "p99" */
const char *verdict_rule(const struct verdict *verdict);
/* Seconds into the release at which that look began, looks being about equally long. */
double look_s(const struct trial *trial, uint64_t look);

#endif
