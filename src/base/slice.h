/* slice.h - a view of bytes: where they start and how many. Never owns, never NUL-terminated.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
  const char *at;
  size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})
/* For printf: "%.*s", SLICE_ARG(name). Quoted client text is cut at 64 bytes. */
#define SLICE_ARG(s) (int)((s).len < 64 ? (s).len : 64), (s).at ? (s).at : ""

static inline struct slice slice_of(const char *at, size_t len)
{
  return (struct slice){at, len};
}

static inline struct slice slice_str(const char *text)
{
  return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Byte order: below 0, 0, above 0. */
static inline int slice_order(struct slice a, struct slice b)
{
  size_t common = a.len < b.len ? a.len : b.len;
  int order = common ? memcmp(a.at, b.at, common) : 0;
  if (order) return order;
  return a.len < b.len ? -1 : a.len > b.len;
}

/* Equal but for the case of ASCII letters: header names, content codings. */
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++) {
    unsigned x = (unsigned char)a.at[i], y = (unsigned char)b.at[i];
    if (x - 'A' < 26u) x |= 0x20u;
    if (y - 'A' < 26u) y |= 0x20u;
    if (x != y) return false;
  }
  return true;
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
  return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

static inline bool slice_ends(struct slice s, struct slice tail)
{
  return s.len >= tail.len &&
         (tail.len == 0 || memcmp(s.at + s.len - tail.len, tail.at, tail.len) == 0);
}

/* What is left after the first n bytes; empty when there are fewer. */
static inline struct slice slice_from(struct slice s, size_t n)
{
  return n >= s.len ? SLICE_NONE : (struct slice){s.at + n, s.len - n};
}

/* Copies s to `to` as a C string; false (and "") when it does not fit or holds a NUL. */
static inline bool slice_to_str(struct slice s, char *to, size_t cap)
{
  to[0] = '\0';
  if (s.len >= cap || (s.len && memchr(s.at, 0, s.len))) return false;
  if (s.len) memcpy(to, s.at, s.len);
  to[s.len] = '\0';
  return true;
}

#endif
