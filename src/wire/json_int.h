/* json_int.h - what the tensor codec needs of the JSON reader: number tokens and string insides.
 * Thread: any, pure.
 *
 * Numbers: a token's digits go into 64 bits. Where the value is digits * 10^e with |e| <= 22, one
 * floating-point operation on exact operands rounds it once (Clinger 1990); that is a double's fast
 * path when digits <= 2^53. A float is taken from such a double, also from one that is up to 2 ulp
 * off because digits > 2^53, only if the double is not near the middle between two floats, where
 * rounding twice could differ from rounding once. Everything else goes to base/text.h.
 * Source: W. Clinger, "How to Read Floating Point Numbers Accurately" (1990).
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_JSON_INT_H
#define WIRE_JSON_INT_H

#include "base/text.h"
#include "wire/json.h"

/* What json->state says is due next. */
enum { JSON_WANT_VALUE, JSON_WANT_FIRST_VALUE, JSON_WANT_FIRST_KEY, JSON_WANT_MORE };

struct json_number {
  uint64_t digits; /* of a `small` number: all its digits, the point left out */
  int64_t exp10;   /* value = digits * 10^exp10 */
  bool negative;
  bool whole; /* neither fraction nor exponent */
  bool small; /* at most 19 digits after leading zeros */
};

static inline bool json_is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static inline const char *json_space(const char *at, const char *end)
{
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
  return at;
}

/* Whether 8 bytes are digits, and their value: pairs, fours and the eight are joined in one
 * word. */
static inline bool json_eight_digits(const char *at, uint64_t *value)
{
  uint64_t w;
  memcpy(&w, at, sizeof w);
  uint64_t high = w & 0xf0f0f0f0f0f0f0f0u, past9 = (w + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u;
  if (high != 0x3030303030303030u || past9 != 0x3030303030303030u) return false;
  w &= 0x0f0f0f0f0f0f0f0fu;
  w = (w * 10 + (w >> 8)) & 0x00ff00ff00ff00ffu;
  w = (w * 100 + (w >> 16)) & 0x0000ffff0000ffffu;
  *value = (w * 10000 + (w >> 32)) & 0xffffffffu;
  return true;
}

/* Cold parts of the scan below. */
const char *json_number_exponent(const char *at, const char *end, struct json_number *number);
bool json_number_is_small(const char *first, const char *last);

/* Reads the number token at `at` (< end); returns its end, NULL when it breaks the grammar. What
 * may follow and how long it may be is the caller's to check. */
__attribute__((always_inline)) static inline const char *json_number_scan(
    const char *at, const char *end, struct json_number *number)
{
  const char *p = at;
  number->negative = *p == '-';
  if (number->negative && ++p == end) return NULL;
  const char *first = p;
  uint64_t digits = (unsigned char)(*p - '0'), eight;
  if (digits > 9) return NULL;
  p++;
  if (digits)
    for (; p < end && json_is_digit(*p); p++) digits = digits * 10 + (uint64_t)(*p - '0');
  ptrdiff_t places = p - first;
  number->exp10 = 0;
  number->whole = true;
  if (p < end && *p == '.') {
    const char *fraction = ++p;
    while (end - p >= 8 && json_eight_digits(p, &eight))
      digits = digits * 100000000 + eight, p += 8;
    for (; p < end && json_is_digit(*p); p++) digits = digits * 10 + (uint64_t)(*p - '0');
    if (p == fraction) return NULL;
    number->exp10 = fraction - p;
    number->whole = false;
    places += p - fraction;
  }
  number->digits = digits;
  number->small = places <= 19 || json_number_is_small(first, p);
  if (p < end && (*p == 'e' || *p == 'E')) return json_number_exponent(p, end, number);
  return p;
}

extern const double json_tens[23];

/* The value of a scanned token, rounded once; false: beyond the type. What is too small becomes a
 * zero or a subnormal with its sign. */
bool json_number_to_f32_slow(const char *at, const char *end, float *value);
bool json_number_to_f64_slow(const char *at, const char *end, double *value);

static inline bool json_number_is_quick(const struct json_number *number)
{
  return number->small && number->exp10 >= -22 && number->exp10 <= 22 && number->digits >> 63 == 0;
}

static inline double json_number_scaled(const struct json_number *number)
{
  double d = (double)(int64_t)number->digits;
  return number->exp10 < 0 ? d / json_tens[-number->exp10] : d * json_tens[number->exp10];
}

static inline bool json_number_to_f32(const struct json_number *number, const char *at,
                                      const char *end, float *value)
{
  if (json_number_is_quick(number)) {
    double d = json_number_scaled(number);
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    /* The 29 bits a float lacks: 1 and 28 zeros is the middle; 8 ulp of distance to it are plenty.
     * d is 0 or in 1e-22..3e38: no float there is subnormal or infinite. */
    uint64_t from_middle = (bits & 0x1fffffff) - (0x10000000 - 8);
    if (from_middle > 16 && d < 3e38) {
      *value = number->negative ? -(float)d : (float)d;
      return true;
    }
  }
  return json_number_to_f32_slow(at, end, value);
}

static inline bool json_number_to_f64(const struct json_number *number, const char *at,
                                      const char *end, double *value)
{
  if (json_number_is_quick(number) && number->digits <= UINT64_C(1) << 53) {
    double d = json_number_scaled(number);
    *value = number->negative ? -d : d;
    return true;
  }
  return json_number_to_f64_slow(at, end, value);
}

/* Whether a token is short enough. Inline for the usual length. */
bool json_number_fits_slow(const char *at, const char *end);
static inline bool json_number_fits(const char *at, const char *end)
{
  return end - at <= JSON_NUMBER_MAX || json_number_fits_slow(at, end);
}

/* Checks the string whose opening quote is at `quote`; returns its closing quote, NULL and an error
 * in json when it is none. *escaped: it holds escapes, which have been checked too. */
const char *json_string_scan(struct json *json, const char *quote, bool *escaped);
/* Unescapes a checked inside of a string to `to`, which has raw.len bytes; returns the length. */
size_t json_unescape(struct slice raw, char *to);

/* Steps before the next element of the array the reader is in; false past its end or at an
 * error. */
bool json_element(struct json *json);

/* Fails at a place of the text. */
enum code json_bad(struct json *json, const char *at, enum code code, const char *what);

/* The caller has read the value that was due, up to `at`. */
static inline void json_passed(struct json *json, const char *at)
{
  json->at = at;
  json->state = JSON_WANT_MORE;
}

#endif
