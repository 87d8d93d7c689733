/* text.h - numbers as text, exactly: shortest decimals that read back to the same float, no double
 * rounding, INT64 to the last digit.
 * Thread: any, pure. No locale, no allocation.
 * Source: std::to_chars / std::from_chars of libstdc++ (Ryu, Eisel-Lemire), in the project's one
 * C++ file.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TEXT_NUMBER_MAX = 32 }; /* room any print below needs */

/* Each returns the length written to `to`, which has TEXT_NUMBER_MAX bytes. Finite floats only;
 * the shortest text that reads back, but for -0, which is "-0.0". */
size_t text_print_f32(char *to, float value);
size_t text_print_f64(char *to, double value);
size_t text_print_i64(char *to, int64_t value);
size_t text_print_u64(char *to, uint64_t value);

/* Read all of at[0..len) as one number; false when it is none, or a word like "nan". The finer
 * points of JSON's grammar (no "01", no "1.") are the tokenizer's. The value is correctly rounded
 * to the asked type in one step. *over is set when it is beyond the type. */
bool text_read_f32(const char *at, size_t len, float *value, bool *over);
bool text_read_f64(const char *at, size_t len, double *value, bool *over);

/* Reads all of text as a whole number from 0 to max: decimal digits only, no sign, no blank, no
 * leading zero but in "0". False, and *value as it was, when it is none or is greater. The one
 * reader of what people and clients write as a count, a version, a port. */
bool text_read_u64(struct slice text, uint64_t max, uint64_t *value);

#ifdef __cplusplus
}
#endif
#endif
