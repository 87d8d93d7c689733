/* number.h - numbers as JsonLogic has them, which is as ECMAScript has them: texts that count as
 * numbers, and numbers as texts.
 * Thread: any, pure.
 * Source: ECMA-262: Number::toString, StringToNumber, parseFloat.
 * SPDX-License-Identifier: MIT */
#ifndef FLAG_NUMBER_H
#define FLAG_NUMBER_H

#include "base/slice.h"

enum { NUMBER_TEXT_MAX = 40 };

/* 100000 is "100000", 1e21 "1e+21", 0.000001 "0.000001", 1e-7 "1e-7", -0 "0". Returns its length;
 * NaN and infinities are words. */
size_t number_text(double number, char to[NUMBER_TEXT_MAX]);
/* The whole text as a number: white space around it is fine, nothing at all is 0; else NaN. */
double number_of_text(struct slice text);
/* The number the text begins with, after white space; NaN when it does not. */
double number_prefix(struct slice text);

#endif
