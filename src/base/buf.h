/* buf.h - growing bytes with a limit given at birth. For rooms that may allocate (desk, job, cli).
 * Thread: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"

struct buf {
  char *at;
  size_t len, cap, max;
  bool full; /* an add went past max: everything since is dropped; checked once at the end */
};

void buf_init(struct buf *buf, size_t max);
void buf_deinit(struct buf *buf);
void buf_reset(struct buf *buf);
/* E_LIMIT_EXCEEDED at max; sticky, so a writer may check only the last add (or buf->full). */
enum code buf_add(struct buf *buf, struct slice bytes);
enum code buf_print(struct buf *buf, const char *fmt, ...) PRINTF(2, 3);
/* A JSON string with its quotes: control bytes, quotes and backslashes escaped; invalid UTF-8 as
 * U+FFFD. */
enum code buf_json(struct buf *buf, struct slice text);
/* The hex of bytes; the bytes of hex (base/text.h): E_INVALID_ARGUMENT, and nothing is added, when
 * it is none. */
enum code buf_hex(struct buf *buf, struct slice bytes);
enum code buf_unhex(struct buf *buf, struct slice hex);
struct slice buf_lend(const struct buf *buf);

#endif
