/* cxx.cc - the one C++ file: decimal text through <charconv>, memory that refuses by exception.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "base/throw.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <new>
#include <system_error>

template <typename T>
static size_t print(char *to, T value)
{
  return static_cast<size_t>(std::to_chars(to, to + TEXT_NUMBER_MAX, value).ptr - to);
}

/* Most floats that people send are short decimals. Such a one is found with one multiplication and
 * one division instead of the library's general search, which costs ten times as much: scale to as
 * many decimals as keep the integer below 2^23, round, and see whether the quotient, which FP32
 * division rounds correctly, is the value. Below 2^23 a decimal that reads back lies within half an
 * integer of the scaled value, so rounding finds it, and two of one length cannot both read back:
 * the text is the library's. Outside 0.001 to 99,999 the library may prefer an exponent.
 * Returns 0 when the value is not short. */
static size_t print_short(char *to, float value)
{
  static const float tens[] = {1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F, 1e6F, 1e7F, 1e8F, 1e9F};
  float size = std::fabs(value);
  if (!(size >= 0.001F && size < 100000.0F)) return 0;
  int decimals = size < 1 ? size < 0.01F ? 9 : size < 0.1F ? 8 : 7
                          : size < 10 ? 5 : size < 100 ? 4 : size < 1000 ? 3 : size < 10000 ? 2 : 1;
  uint32_t whole = static_cast<uint32_t>(static_cast<double>(size) * tens[decimals] + 0.5);
  if (whole >= 1u << 23 || static_cast<float>(whole) / tens[decimals] != size) return 0;
  while (decimals > 0 && whole % 10 == 0) whole /= 10, decimals--;
  char *at = to;
  if (value < 0) *at++ = '-';
  uint32_t ten = static_cast<uint32_t>(tens[decimals]);
  at += print(at, whole / ten);
  if (decimals == 0) return static_cast<size_t>(at - to);
  *at++ = '.';
  for (uint32_t rest = whole % ten; decimals > 0; decimals--) {
    ten /= 10;
    *at++ = static_cast<char>('0' + rest / ten);
    rest %= ten;
  }
  return static_cast<size_t>(at - to);
}

/* Readers that take a number without a point for an integer would lose the sign of "-0", and find
 * 22 digits too large for one: from 2^63 on there is an exponent. */
template <typename T>
static size_t print_float(char *to, T value)
{
  if (std::fabs(value) >= static_cast<T>(9223372036854775808.0) && std::isfinite(value))
    return static_cast<size_t>(
        std::to_chars(to, to + TEXT_NUMBER_MAX, value, std::chars_format::scientific).ptr - to);
  if (value != 0 || !std::signbit(value)) return print(to, value);
  std::memcpy(to, "-0.0", 4);
  return 4;
}

/* from_chars also takes "inf", "nan" and ".5". */
static bool starts_number(const char *at, size_t len)
{
  size_t sign = len > 0 && *at == '-';
  return len > sign && at[sign] >= '0' && at[sign] <= '9';
}

template <typename T>
static bool read(const char *at, size_t len, T *value, bool *over)
{
  *over = false;
  if (!starts_number(at, len)) return false;
  auto result = std::from_chars(at, at + len, *value, std::chars_format::general);
  *over = result.ec == std::errc::result_out_of_range;
  return result.ptr == at + len && (result.ec == std::errc() || *over);
}

extern "C" {
size_t text_print_f32(char *to, float value)
{
  size_t len = print_short(to, value);
  return len ? len : print_float(to, value);
}
size_t text_print_f64(char *to, double value) { return print_float(to, value); }
size_t text_print_i64(char *to, int64_t value) { return print(to, value); }
size_t text_print_u64(char *to, uint64_t value) { return print(to, value); }
bool text_read_f32(const char *at, size_t n, float *v, bool *over) { return read(at, n, v, over); }
bool text_read_f64(const char *at, size_t n, double *v, bool *over) { return read(at, n, v, over); }

void *throw_grab(size_t bytes) { return ::operator new(bytes, std::align_val_t(THROW_ALIGN)); }
void throw_ungrab(void *p) { ::operator delete(p, std::align_val_t(THROW_ALIGN)); }
void throw_no_memory(void) { throw std::bad_alloc(); }
}
