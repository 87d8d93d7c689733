/* name.c - what models and tenants may be called.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/name.h"

static bool is_alnum(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Names that are devices on some file system, with or without an extension: "NUL", "com1.onnx". */
static bool is_device(struct slice name)
{
  static const char *const devices[] = {"con", "prn", "aux", "nul"};
  const char *dot = memchr(name.at, '.', name.len);
  struct slice stem = {name.at, dot ? (size_t)(dot - name.at) : name.len};
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
    if (slice_eq_nocase(stem, slice_str(devices[i]))) return true;
  if (stem.len != 4 || stem.at[3] < '0' || stem.at[3] > '9') return false;
  struct slice three = {stem.at, 3};
  return slice_eq_nocase(three, SLICE("com")) || slice_eq_nocase(three, SLICE("lpt"));
}

enum code name_check(const char *what, struct slice name, struct err *err)
{
  if (name.len == 0) return fail(err, E_BAD_NAME, "a %s name must not be empty", what);
  if (name.len > NAME_MAX_LEN)
    return fail(err, E_BAD_NAME, "%s name '%.*s...' has %zu characters; at most %d are allowed",
                what, 20, name.at, name.len, NAME_MAX_LEN);
  for (size_t i = 0; i < name.len; i++) {
    char c = name.at[i];
    if (!is_alnum(c) && c != '.' && c != '_' && c != '-')
      return fail(err, E_BAD_NAME,
                  "%s name '%.*s' has a character at position %zu that is not a letter, a "
                  "digit, '.', '_' or '-'",
                  what, SLICE_ARG(name), i + 1);
    if (c == '.' && i > 0 && name.at[i - 1] == '.')
      return fail(err, E_BAD_NAME, "%s name '%.*s' must not contain '..'", what, SLICE_ARG(name));
  }
  if (!is_alnum(name.at[0]) || !is_alnum(name.at[name.len - 1]))
    return fail(err, E_BAD_NAME, "%s name '%.*s' must start and end with a letter or a digit",
                what, SLICE_ARG(name));
  if (is_device(name))
    return fail(err, E_BAD_NAME, "%s name '%.*s' is the name of a device; choose another",
                what, SLICE_ARG(name));
  return OK;
}
