/* semver.c - reading and comparing versions.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "flag/semver.h"

#include "base/text.h"

enum { SEMVER_BYTES_MAX = 256 };
#define PART_MAX ((UINT64_C(1) << 53) - 1)

/* What stands before the first of `stops`; *rest begins at the stop or is empty. */
static struct slice until(struct slice text, const char *stops, struct slice *rest)
{
  size_t n = 0;
  while (n < text.len && !strchr(stops, text.at[n])) n++;
  *rest = slice_of(text.at + n, text.len - n);
  return slice_of(text.at, n);
}

static bool is_number(struct slice text)
{
  for (size_t i = 0; i < text.len; i++)
    if (text.at[i] < '0' || text.at[i] > '9') return false;
  return text.len > 0;
}

/* Identifiers between dots: letters, digits and hyphens. Numbers in a pre-release have no leading
 * zero. */
static bool identifiers_sane(struct slice text, bool pre)
{
  for (;;) {
    struct slice rest, id = until(text, ".", &rest);
    if (!id.len || (pre && id.len > 1 && id.at[0] == '0' && is_number(id))) return false;
    for (size_t i = 0; i < id.len; i++) {
      char c = id.at[i];
      bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
      if (!letter && c != '-' && (c < '0' || c > '9')) return false;
    }
    if (!rest.len) return true;
    text = slice_of(rest.at + 1, rest.len - 1);
  }
}

bool semver_read(struct slice text, struct semver *to)
{
  *to = (struct semver){.pre = SLICE_NONE};
  if (text.len > SEMVER_BYTES_MAX || !text.len) return false;
  if ((text.at[0] | 0x20) == 'v') text = slice_of(text.at + 1, text.len - 1);
  for (int i = 0; i < 3; i++) {
    struct slice part = until(text, ".-+", &text);
    if (!text_read_u64(part, PART_MAX, &to->parts[i])) return false;
    bool more = text.len && text.at[0] == '.';
    if (!more && i < 2) return !text.len;
    if (i < 2) text = slice_of(text.at + 1, text.len - 1);
  }
  if (text.len && text.at[0] == '-') {
    to->pre = until(slice_of(text.at + 1, text.len - 1), "+", &text);
    if (!identifiers_sane(to->pre, true)) return false;
  }
  if (!text.len) return true;
  return text.at[0] == '+' && identifiers_sane(slice_of(text.at + 1, text.len - 1), false);
}

/* Numbers count as numbers and come before words. */
static int identifier_compare(struct slice a, struct slice b)
{
  bool x = is_number(a), y = is_number(b);
  if (x != y) return x ? -1 : 1;
  if (x && a.len != b.len) return a.len < b.len ? -1 : 1;
  int order = slice_order(a, b);
  return (order > 0) - (order < 0);
}

static int pre_compare(struct slice a, struct slice b)
{
  if (!a.len || !b.len) return (a.len == 0) - (b.len == 0);
  for (;;) {
    struct slice a_rest, b_rest;
    int order = identifier_compare(until(a, ".", &a_rest), until(b, ".", &b_rest));
    if (order) return order;
    if (!a_rest.len || !b_rest.len) return (a_rest.len > 0) - (b_rest.len > 0);
    a = slice_of(a_rest.at + 1, a_rest.len - 1);
    b = slice_of(b_rest.at + 1, b_rest.len - 1);
  }
}

int semver_compare(const struct semver *a, const struct semver *b)
{
  for (int i = 0; i < 3; i++)
    if (a->parts[i] != b->parts[i]) return a->parts[i] < b->parts[i] ? -1 : 1;
  return pre_compare(a->pre, b->pre);
}
