/* utf8.h - what is UTF-8 and what is not (RFC 3629: no overlong forms, no surrogates).
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/slice.h"

/* Bytes of the first character of s, 1 to 4; 0 when s is empty or does not start with one. */
size_t utf8_len(struct slice s);
bool utf8_valid(struct slice s);
/* Writes code point cp (not a surrogate, <= 0x10ffff) to `to`, at least 4 bytes; returns its
 * length. */
size_t utf8_put(char *to, uint32_t cp);

enum { UTF8_JSON_MAX = 6 };
/* Writes the first character of *rest, which is not empty, as it stands in a JSON string, and moves
 * *rest past it: control bytes, quotes and backslashes escaped, a byte that is no UTF-8 as U+FFFD.
 * Returns the length. */
size_t utf8_json(char to[UTF8_JSON_MAX], struct slice *rest);

#endif
