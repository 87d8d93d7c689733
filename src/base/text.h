/* text.h - numbers as text, exactly: shortest decimals that read back to the same float, no double
 * rounding, INT64 to the last digit; and bytes as text: hex and base64.
 * Thread: any, pure. No locale, no allocation. Nothing here is for comparing secrets: the time
 * shows which digit is wrong.
 * Source: std::to_chars / std::from_chars of libstdc++ (Ryu, Eisel-Lemire), in the project's one
 * C++ file; RFC 4648, sections 4 and 8.
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

/* ---- numbers */

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

/* ---- bytes */

/* The digit of the lowest four bits, lower case. */
static inline char hex_digit(uint64_t bits) { return "0123456789abcdef"[bits & 15]; }

/* What a digit stands for, in either case; -1: it is none. */
static inline int hex_value(char c)
{
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The lowest 4 * digits bits of a number, and no NUL. */
static inline void hex_number(uint64_t number, char *to, uint32_t digits)
{
  while (digits) {
    to[--digits] = hex_digit(number);
    number >>= 4;
  }
}

/* HEX_LEN digits, lower case, and a NUL. */
#define HEX_LEN(bytes) (2 * (bytes))
void hex_write(struct slice bytes, char *to);
/* hex.len / 2 bytes of lower-case digits; false for anything else, and `to` is then undefined. */
bool hex_read(struct slice hex, void *to);

/* With padding, nothing else. write: BASE64_LEN letters and a NUL; returns how many letters. read:
 * at most cap bytes; false when it is not base64, not in its one spelling, or more than that. */
#define BASE64_LEN(bytes) (((bytes) + 2) / 3 * 4)
size_t base64_write(struct slice bytes, char *to);
bool base64_read(struct slice text, void *to, size_t cap, size_t *len);
/* The same of other people's writers: padding may be missing, and bits that no byte has be set. */
bool base64_read_loose(struct slice text, void *to, size_t cap, size_t *len);

#ifdef __cplusplus
}
#endif
#endif
