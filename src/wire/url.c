/* url.c - request targets: split, decode once, refuse what is not canonical.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/url.h"

#include "base/text.h"
#include "base/utf8.h"

/* What a path may be made of before decoding: pchar of RFC 3986 and '/'. */
static const unsigned char path_byte[256] = {
    ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['-'] = 1, ['.'] = 1, ['_'] = 1,
    ['~'] = 1, ['!'] = 1, ['$'] = 1, ['&'] = 1, ['\''] = 1, ['('] = 1, [')'] = 1, ['*'] = 1,
    ['+'] = 1, [','] = 1, [';'] = 1, ['='] = 1, [':'] = 1, ['@'] = 1, ['/'] = 1, ['%'] = 1,
};

/* The byte an escape at s.at[i] stands for, or -1. */
static int escape_read(struct slice s, size_t i)
{
  if (s.len - i < 3) return -1;
  int high = hex_value(s.at[i + 1]), low = hex_value(s.at[i + 2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static enum code path_decode(struct slice raw, struct arena *arena, struct slice *path,
                             struct err *err)
{
  char *to = arena_get(arena, raw.len);
  if (!to) return fail(err, E_OUT_OF_MEMORY, "no memory for a path");
  size_t len = 0;
  for (size_t i = 0; i < raw.len; i++) {
    if (raw.at[i] != '%') {
      to[len++] = raw.at[i];
      continue;
    }
    int byte = escape_read(raw, i);
    if (byte < 0) return fail(err, E_BAD_REQUEST, "bad percent escape at byte %zu of the path", i);
    if (byte < 0x20 || byte == 0x7f)
      return fail(err, E_BAD_REQUEST, "escaped control byte at byte %zu of the path", i);
    if (byte == '/' || byte == '\\')
      return fail(err, E_BAD_REQUEST, "escaped slash at byte %zu of the path", i);
    to[len++] = (char)byte;
    i += 2;
  }
  *path = slice_of(to, len);
  if (!utf8_valid(*path)) return fail(err, E_BAD_REQUEST, "the decoded path is not UTF-8");
  return OK;
}

/* Cuts path at slashes. */
static enum code path_split(struct url *url, struct err *err)
{
  const char *at = url->path.at + 1, *end = url->path.at + url->path.len;
  if (at == end) return OK;
  for (;;) {
    const char *slash = memchr(at, '/', (size_t)(end - at));
    struct slice s = {at, (size_t)((slash ? slash : end) - at)};
    if (!s.len && slash) return fail(err, E_BAD_REQUEST, "empty segment in the path");
    if (s.len && s.len <= 2 && s.at[0] == '.' && s.at[s.len - 1] == '.')
      return fail(err, E_BAD_REQUEST, "dot segment in the path");
    if (url->n_segments < URL_SEGMENTS_MAX) url->segments[url->n_segments] = s;
    url->n_segments++;
    if (!slash) return OK;
    at = slash + 1;
  }
}

/* Takes "http://host" off an absolute-form target. */
static enum code authority_take(struct slice *target, struct url *url, struct err *err)
{
  struct slice web = {target->at, target->len < 7 ? 0 : 7};
  struct slice tls = {target->at, target->len < 8 ? 0 : 8};
  size_t skip = 0;
  if (slice_eq_nocase(web, SLICE("http://"))) skip = 7;
  else if (slice_eq_nocase(tls, SLICE("https://"))) skip = 8;
  else return fail(err, E_BAD_REQUEST, "request target begins with neither '/' nor 'http://'");
  struct slice rest = slice_from(*target, skip);
  size_t n = 0;
  while (n < rest.len && rest.at[n] != '/' && rest.at[n] != '?' && rest.at[n] != '#') n++;
  if (!n) return fail(err, E_BAD_REQUEST, "request target without a host");
  url->authority = slice_of(rest.at, n);
  *target = slice_from(rest, n);
  return OK;
}

enum code url_parse(struct slice target, struct arena *arena, struct url *url, struct err *err)
{
  url->path = url->query = url->authority = SLICE_NONE;
  url->n_segments = 0;
  url->asterisk = false;
  if (!target.len) return fail(err, E_BAD_REQUEST, "empty request target");
  if (target.len == 1 && target.at[0] == '*') {
    url->asterisk = true;
    return OK;
  }
  if (target.at[0] != '/' && authority_take(&target, url, err)) return err->code;
  size_t n = 0;
  bool escaped = false;
  for (; n < target.len && target.at[n] != '?'; n++) {
    unsigned char c = (unsigned char)target.at[n];
    if (!path_byte[c])
      return fail(err, E_BAD_REQUEST, "byte 0x%02x at byte %zu of the path; escape it", c, n);
    escaped |= c == '%';
  }
  if (n < target.len) {
    url->query = slice_of(target.at + n + 1, target.len - n - 1);
    for (size_t i = 0; i < url->query.len; i++) {
      unsigned char c = (unsigned char)url->query.at[i];
      if (c <= 0x20 || c >= 0x7f || c == '#')
        return fail(err, E_BAD_REQUEST, "byte 0x%02x at byte %zu of the query; escape it", c, i);
    }
  }
  url->path = slice_of(target.at, n);
  if (!n) url->path = SLICE("/"); /* http://host and http://host?query mean the root */
  if (escaped && path_decode(url->path, arena, &url->path, err)) return err->code;
  return path_split(url, err);
}

struct slice url_query_get(struct slice query, struct slice key)
{
  size_t at = 0;
  while (at < query.len) {
    size_t end = at;
    while (end < query.len && query.at[end] != '&') end++;
    size_t eq = at;
    while (eq < end && query.at[eq] != '=') eq++;
    if (slice_eq(slice_of(query.at + at, eq - at), key))
      return eq < end ? slice_of(query.at + eq + 1, end - eq - 1) : slice_of(query.at + end, 0);
    at = end + 1;
  }
  return SLICE_NONE;
}

enum code url_decode(struct slice raw, bool plus, struct arena *arena, struct slice *to,
                     struct err *err)
{
  char *at = arena_get(arena, raw.len + 1);
  if (!at) return fail(err, E_OUT_OF_MEMORY, "no memory for a query value");
  size_t len = 0;
  for (size_t i = 0; i < raw.len; i++) {
    char c = raw.at[i];
    if (c == '%') {
      int byte = escape_read(raw, i);
      if (byte <= 0)
        return fail(err, E_BAD_REQUEST, "bad percent escape at byte %zu of a query value", i);
      c = (char)byte;
      i += 2;
    } else if (c == '+' && plus) {
      c = ' ';
    } else if (c == '\0') {
      return fail(err, E_BAD_REQUEST, "NUL in a query value");
    }
    at[len++] = c;
  }
  at[len] = '\0';
  *to = slice_of(at, len);
  if (!utf8_valid(*to)) return fail(err, E_BAD_REQUEST, "a query value is not UTF-8");
  return OK;
}
