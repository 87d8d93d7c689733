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

/* "-0" would do, but readers that take a number without a point for an integer lose its sign. */
template <typename T>
static size_t print_float(char *to, T value)
{
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
size_t text_print_f32(char *to, float value) { return print_float(to, value); }
size_t text_print_f64(char *to, double value) { return print_float(to, value); }
size_t text_print_i64(char *to, int64_t value) { return print(to, value); }
size_t text_print_u64(char *to, uint64_t value) { return print(to, value); }
bool text_read_f32(const char *at, size_t n, float *v, bool *over) { return read(at, n, v, over); }
bool text_read_f64(const char *at, size_t n, double *v, bool *over) { return read(at, n, v, over); }

void *throw_grab(size_t bytes) { return ::operator new(bytes, std::align_val_t(THROW_ALIGN)); }
void throw_ungrab(void *p) { ::operator delete(p, std::align_val_t(THROW_ALIGN)); }
void throw_no_memory(void) { throw std::bad_alloc(); }
}
