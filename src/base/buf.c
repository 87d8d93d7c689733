/* buf.c - growing bytes with a limit.
 * Thread: one at a time.
 * SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/utf8.h"

void buf_init(struct buf *buf, size_t max) { *buf = (struct buf){.max = max}; }

void buf_deinit(struct buf *buf)
{
  ungrab(buf->at);
  *buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf)
{
  buf->len = 0;
  buf->full = false;
}

static bool buf_room(struct buf *buf, size_t more)
{
  if (buf->full || more > buf->max - buf->len) {
    buf->full = true;
    return false;
  }
  if (buf->len + more <= buf->cap) return true;
  size_t cap = buf->cap ? buf->cap * 2 : 256;
  while (cap < buf->len + more) cap *= 2;
  if (cap > buf->max) cap = buf->max;
  buf->at = grab_more(buf->at, cap);
  buf->cap = cap;
  return true;
}

enum code buf_add(struct buf *buf, struct slice bytes)
{
  if (!buf_room(buf, bytes.len)) return E_LIMIT_EXCEEDED;
  if (bytes.len) memcpy(buf->at + buf->len, bytes.at, bytes.len);
  buf->len += bytes.len;
  return OK;
}

enum code buf_hex(struct buf *buf, struct slice bytes)
{
  if (!buf_room(buf, HEX_LEN(bytes.len) + 1)) return E_LIMIT_EXCEEDED;
  hex_write(bytes, buf->at + buf->len);
  buf->len += HEX_LEN(bytes.len);
  return OK;
}

enum code buf_unhex(struct buf *buf, struct slice hex)
{
  if (!hex.len) return OK;
  if (!buf_room(buf, hex.len / 2)) return E_LIMIT_EXCEEDED;
  if (!hex_read(hex, buf->at + buf->len)) return E_INVALID_ARGUMENT;
  buf->len += hex.len / 2;
  return OK;
}

enum code buf_print(struct buf *buf, const char *fmt, ...)
{
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  enum code code = E_LIMIT_EXCEEDED;
  if (len >= 0 && buf_room(buf, (size_t)len + 1)) { /* vsnprintf writes its NUL too */
    vsnprintf(buf->at + buf->len, (size_t)len + 1, fmt, again);
    buf->len += (size_t)len;
    code = OK;
  }
  va_end(again);
  return code;
}

enum code buf_json(struct buf *buf, struct slice text)
{
  char one[UTF8_JSON_MAX];
  buf_add(buf, SLICE("\""));
  while (text.len) {
    size_t n = utf8_json(one, &text);
    buf_add(buf, slice_of(one, n));
  }
  return buf_add(buf, SLICE("\""));
}

struct slice buf_lend(const struct buf *buf) { return slice_of(buf->at, buf->len); }
