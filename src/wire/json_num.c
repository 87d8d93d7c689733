/* json_num.c - the rare half of number tokens: long ones, exponents, values near an edge.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/json_int.h"

#include <math.h>

enum { NUMBER_ZEROS_MAX = 1024, EXPONENT_MAX = 1000000000 };

const double json_tens[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

const char *json_number_exponent(const char *at, const char *end, struct json_number *number)
{
  const char *p = at + 1;
  bool minus = false;
  if (p < end && (*p == '-' || *p == '+')) minus = *p++ == '-';
  const char *first = p;
  int64_t exp = 0;
  for (; p < end && json_is_digit(*p); p++)
    if (exp < EXPONENT_MAX) exp = exp * 10 + (*p - '0');
  if (p == first) return NULL;
  number->exp10 += minus ? -exp : exp;
  number->whole = false;
  return p;
}

bool json_number_is_small(const char *first, const char *last)
{
  int places = 0;
  for (const char *p = first; p < last; p++)
    if (*p != '.' && (places || *p != '0') && ++places > 19) return false;
  return true;
}

bool json_number_fits_slow(const char *at, const char *end)
{
  const char *p = at + (*at == '-');
  if (end - p < 2 || p[0] != '0' || p[1] != '.') return false;
  const char *zeros = p + 2;
  for (p = zeros; p < end && *p == '0'; p++) {
  }
  return p - zeros <= NUMBER_ZEROS_MAX && end - at - (p - zeros) <= JSON_NUMBER_MAX;
}

/* Whether a token from_chars found to be out of range is too near to zero rather than too large: by
 * the place of its first digit that is not zero. */
static bool number_is_tiny(const char *at, const char *end)
{
  int64_t place = 0; /* of the digit before p: 1 is tens when the point is passed */
  bool point = false, found = false;
  const char *p = at + (*at == '-');
  for (; p < end && *p != 'e' && *p != 'E'; p++) {
    if (*p == '.')
      point = true;
    else if (found)
      place += !point;
    else if (*p != '0')
      found = true, place -= point;
    else
      place -= point;
  }
  struct json_number exponent = {0};
  if (p < end) json_number_exponent(p, end, &exponent);
  return place + exponent.exp10 < 0;
}

bool json_number_to_f32_slow(const char *at, const char *end, float *value)
{
  bool over = false;
  must(text_read_f32(at, (size_t)(end - at), value, &over));
  if (!over) return true;
  *value = *at == '-' ? -0.0f : 0.0f;
  return number_is_tiny(at, end);
}

bool json_number_to_f64_slow(const char *at, const char *end, double *value)
{
  bool over = false;
  must(text_read_f64(at, (size_t)(end - at), value, &over));
  if (!over) return true;
  *value = *at == '-' ? -0.0 : 0.0;
  return number_is_tiny(at, end);
}

bool json_number_u64(struct slice token, uint64_t *value, bool *over)
{
  struct json_number n;
  *over = false;
  if (token.len == 0) return false;
  const char *end = token.at + token.len;
  if (json_number_scan(token.at, end, &n) != end || !n.whole) return false;
  *over = true;
  if (n.negative ? !n.small || n.digits != 0 : !n.small && token.len != 20) return false;
  if (!n.small) { /* 20 digits: 19 of them, and the last */
    uint64_t head = 0;
    for (size_t i = 0; i < 19; i++) head = head * 10 + (uint64_t)(token.at[i] - '0');
    if (__builtin_mul_overflow(head, 10, &head) ||
        __builtin_add_overflow(head, (uint64_t)(token.at[19] - '0'), &head))
      return false;
    n.digits = head;
  }
  *value = n.digits;
  *over = false;
  return true;
}

bool json_number_i64(struct slice token, int64_t *value, bool *over)
{
  struct json_number n;
  *over = false;
  if (token.len == 0) return false;
  const char *end = token.at + token.len;
  if (json_number_scan(token.at, end, &n) != end || !n.whole) return false;
  *over = !n.small || n.digits > (uint64_t)INT64_MAX + n.negative;
  if (*over) return false;
  *value = n.negative ? (int64_t)(0 - n.digits) : (int64_t)n.digits;
  return true;
}
