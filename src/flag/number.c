/* number.c - ECMAScript's numbers, on top of shortest decimals.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "flag/number.h"

#include <math.h>
#include <stdio.h>

#include "base/text.h"

/* --- numbers to texts ------------------------------------------------------------------------ */

struct decimal { /* 0.DIGITS times ten to the power of `point` */
  char digits[TEXT_NUMBER_MAX];
  int n, point;
};

/* Takes "-12.5e+07" apart; the sign is the caller's. */
static struct decimal decimal_of(double number)
{
  char text[TEXT_NUMBER_MAX];
  struct decimal d = {.point = 0};
  size_t len = text_print_f64(text, number), i = 0;
  int exponent = 0, sign = 1;
  bool fraction = false;
  for (; i < len && text[i] != 'e'; i++) {
    if (text[i] == '.') {
      fraction = true;
      continue;
    }
    if (!fraction) d.point++;
    d.digits[d.n++] = text[i];
  }
  for (i++; i < len; i++) {
    if (text[i] == '-')
      sign = -1;
    else if (text[i] != '+')
      exponent = exponent * 10 + (text[i] - '0');
  }
  d.point += sign * exponent;
  int zeros = 0;
  while (zeros < d.n - 1 && d.digits[zeros] == '0') zeros++;
  memmove(d.digits, d.digits + zeros, (size_t)(d.n - zeros));
  d.n -= zeros;
  d.point -= zeros;
  while (d.n > 1 && d.digits[d.n - 1] == '0') d.n--;
  return d;
}

static size_t put(char *to, size_t at, const char *bytes, int n)
{
  memcpy(to + at, bytes, (size_t)n);
  return at + (size_t)n;
}

static size_t put_zeros(char *to, size_t at, int n)
{
  memset(to + at, '0', (size_t)n);
  return at + (size_t)n;
}

static size_t decimal_put(const struct decimal *d, char *to, size_t at)
{
  if (d->point > 21 || d->point <= -6) { /* with an exponent */
    at = put(to, at, d->digits, 1);
    if (d->n > 1) {
      to[at++] = '.';
      at = put(to, at, d->digits + 1, d->n - 1);
    }
    return at + (size_t)snprintf(to + at, 8, "e%+d", d->point - 1);
  }
  if (d->point <= 0) {
    at = put(to, at, "0.", 2);
    at = put_zeros(to, at, -d->point);
    return put(to, at, d->digits, d->n);
  }
  if (d->point >= d->n) {
    at = put(to, at, d->digits, d->n);
    return put_zeros(to, at, d->point - d->n);
  }
  at = put(to, at, d->digits, d->point);
  to[at++] = '.';
  return put(to, at, d->digits + d->point, d->n - d->point);
}

size_t number_text(double number, char to[NUMBER_TEXT_MAX])
{
  if (isnan(number)) return put(to, 0, "NaN", 3);
  if (number == 0) return put(to, 0, "0", 1);
  size_t at = 0;
  if (number < 0) to[at++] = '-';
  number = fabs(number);
  if (isinf(number)) return put(to, at, "Infinity", 8);
  struct decimal d = decimal_of(number);
  return decimal_put(&d, to, at);
}

/* --- texts to numbers ------------------------------------------------------------------------ */

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static size_t digits_end(struct slice text, size_t at)
{
  while (at < text.len && is_digit(text.at[at])) at++;
  return at;
}

/* How much of the text is a decimal: sign, digits with a point, exponent. 0: none. */
static size_t decimal_end(struct slice text)
{
  size_t at = text.len && (text.at[0] == '-' || text.at[0] == '+');
  size_t from = at, digits;
  at = digits_end(text, at);
  digits = at - from;
  if (at < text.len && text.at[at] == '.') {
    size_t end = digits_end(text, at + 1);
    digits += end - (at + 1);
    at = end;
  }
  if (!digits) return 0;
  if (at < text.len && (text.at[at] == 'e' || text.at[at] == 'E')) {
    size_t exponent = at + 1;
    if (exponent < text.len && (text.at[exponent] == '-' || text.at[exponent] == '+')) exponent++;
    size_t end = digits_end(text, exponent);
    if (end > exponent) at = end;
  }
  return at;
}

static struct slice space_skip(struct slice text)
{
  while (text.len && is_space(text.at[0])) text = slice_of(text.at + 1, text.len - 1);
  return text;
}

/* Infinity with its sign, where the text begins with it; else 0. */
static double infinity_prefix(struct slice text, size_t *len)
{
  size_t sign = text.len && (text.at[0] == '-' || text.at[0] == '+');
  if (!slice_starts(slice_from(text, sign), SLICE("Infinity"))) return 0;
  *len = sign + 8;
  return text.at[0] == '-' ? -(double)INFINITY : (double)INFINITY;
}

/* Out of range: to which side? Digits that matter come after a point or with a negative exponent
 * only where the number is too small. */
static double over_read(struct slice digits, bool negative)
{
  bool small = digits.at[0] == '0' || digits.at[0] == '.';
  for (size_t i = 0; i + 1 < digits.len; i++)
    if ((digits.at[i] | 0x20) == 'e') small = digits.at[i + 1] == '-';
  double number = small ? 0 : (double)INFINITY;
  return negative ? -number : number;
}

/* text is what decimal_end took. */
static double decimal_read(struct slice text)
{
  double number = 0;
  bool over = false, negative = text.at[0] == '-';
  struct slice digits = slice_from(text, negative || text.at[0] == '+');
  char zero[64] = "0"; /* the reader below wants a digit before the point */
  if (digits.at[0] == '.' && digits.len < sizeof zero) {
    memcpy(zero + 1, digits.at, digits.len);
    digits = slice_of(zero, digits.len + 1);
  }
  if (!text_read_f64(digits.at, digits.len, &number, &over)) return (double)NAN;
  if (over) return over_read(digits, negative);
  return negative ? -number : number;
}

double number_prefix(struct slice text)
{
  text = space_skip(text);
  size_t len = decimal_end(text);
  if (len) return decimal_read(slice_of(text.at, len));
  double number = infinity_prefix(text, &len);
  return number != 0 ? number : (double)NAN;
}

static double radix_read(struct slice digits, int radix)
{
  double number = 0;
  if (!digits.len) return (double)NAN;
  for (size_t i = 0; i < digits.len; i++) {
    char c = digits.at[i];
    int digit = is_digit(c)                              ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 87
                                                         : 99;
    if (digit >= radix) return (double)NAN;
    number = number * radix + digit;
  }
  return number;
}

double number_of_text(struct slice text)
{
  text = space_skip(text);
  while (text.len && is_space(text.at[text.len - 1])) text.len--;
  if (!text.len) return 0;
  if (text.len > 1 && text.at[0] == '0' && !is_digit(text.at[1])) {
    char c = (char)(text.at[1] | 0x20);
    int radix = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
    if (radix) return radix_read(slice_from(text, 2), radix);
  }
  size_t len = decimal_end(text);
  if (len == text.len) return decimal_read(text);
  double number = len ? 0 : infinity_prefix(text, &len);
  return number != 0 && len == text.len ? number : (double)NAN;
}
