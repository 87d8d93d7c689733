/* explain_int.h - words that sentences and JSON share.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_EXPLAIN_INT_H
#define JUDGE_EXPLAIN_INT_H

#include "judge/explain.h"

const char *row_name(uint32_t row); /* "p99" */
/* Why an arm is out. */
size_t closed_sentence(const struct trial *trial, uint32_t arm, char to[EXPLAIN_TEXT_MAX]);
const char *verdict_rule(const struct verdict *verdict);
/* Seconds into the release at which that look began, looks being about equally long. */
/* When its evidence began, into the release; NaN: unknown. */
double first_bad_s(const struct gate_result *result);

#endif
