/* utf8.c - UTF-8 as RFC 3629 has it.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "base/text.h"

static bool is_tail(unsigned char c) { return (c & 0xc0) == 0x80; }

size_t utf8_len(struct slice s)
{
  if (s.len == 0) return 0;
  const unsigned char *p = (const unsigned char *)s.at;
  if (p[0] < 0x80) return 1;
  if (p[0] < 0xc2) return 0;
  if (p[0] < 0xe0) return s.len >= 2 && is_tail(p[1]) ? 2 : 0;
  if (p[0] < 0xf0) {
    if (s.len < 3 || !is_tail(p[1]) || !is_tail(p[2])) return 0;
    if (p[0] == 0xe0 && p[1] < 0xa0) return 0; /* overlong */
    if (p[0] == 0xed && p[1] > 0x9f) return 0; /* surrogate */
    return 3;
  }
  if (p[0] > 0xf4 || s.len < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3])) return 0;
  if (p[0] == 0xf0 && p[1] < 0x90) return 0;
  if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
  return 4;
}

static bool ascii8(const char *at)
{
  uint64_t word;
  memcpy(&word, at, sizeof word);
  return (word & 0x8080808080808080u) == 0;
}

bool utf8_valid(struct slice s)
{
  size_t i = 0;
  while (i < s.len) {
    if (s.len - i >= 8 && ascii8(s.at + i)) {
      i += 8;
      continue;
    }
    size_t n = utf8_len(slice_of(s.at + i, s.len - i));
    if (n == 0) return false;
    i += n;
  }
  return true;
}

size_t utf8_put(char *to, uint32_t cp)
{
  if (cp < 0x80) return to[0] = (char)cp, 1;
  if (cp < 0x800) {
    to[0] = (char)(0xc0 | cp >> 6);
    to[1] = (char)(0x80 | (cp & 0x3f));
    return 2;
  }
  if (cp < 0x10000) {
    to[0] = (char)(0xe0 | cp >> 12);
    to[1] = (char)(0x80 | (cp >> 6 & 0x3f));
    to[2] = (char)(0x80 | (cp & 0x3f));
    return 3;
  }
  to[0] = (char)(0xf0 | cp >> 18);
  to[1] = (char)(0x80 | (cp >> 12 & 0x3f));
  to[2] = (char)(0x80 | (cp >> 6 & 0x3f));
  to[3] = (char)(0x80 | (cp & 0x3f));
  return 4;
}

static char short_escape(unsigned char c)
{
  switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return '\0';
  }
}

size_t utf8_json(char to[UTF8_JSON_MAX], struct slice *rest)
{
  unsigned char c = (unsigned char)rest->at[0];
  char letter = short_escape(c);
  size_t n = letter || c < 0x20 || c == 0x7f ? 1 : utf8_len(*rest);
  const char *from = rest->at;
  *rest = slice_from(*rest, n ? n : 1);
  if (n == 0) return utf8_put(to, 0xfffd);
  if (letter) return to[0] = '\\', to[1] = letter, 2;
  if (c < 0x20 || c == 0x7f) {
    memcpy(to, "\\u00", 4);
    hex_number(c, to + 4, 2);
    return 6;
  }
  memcpy(to, from, n);
  return n;
}
