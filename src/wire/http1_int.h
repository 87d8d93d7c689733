/* http1_int.h - what the files of the HTTP/1 reader share: the guard of heads and llhttp behind it.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_HTTP1_INT_H
#define WIRE_HTTP1_INT_H

#include "wire/http1.h"

enum h1_state {
  H1S_START,      /* between messages */
  H1S_START_LF,   /* after the CR of an empty line before a request line */
  H1S_HEAD,       /* request line and fields */
  H1S_BODY,       /* Content-Length body */
  H1S_SIZE,       /* chunk size digits */
  H1S_EXTENSION,  /* after its ';' */
  H1S_SIZE_LF,
  H1S_DATA,       /* chunk data */
  H1S_DATA_CR,
  H1S_DATA_LF,
  H1S_TRAILER,    /* at the start of a trailer line or the last empty line */
  H1S_TRAILER_NAME,
  H1S_TRAILER_VALUE,
  H1S_TRAILER_LF,
  H1S_END_LF,     /* LF of the empty line that ends a chunked message */
  H1S_DONE,
  H1S_OVER,       /* DONE has been said */
  H1S_BAD
};

/* Looks at the bytes of a head from where it last stopped. `at` is where the head begins, len how
 * much of it there is. OK with *end the length of the whole head, or 0 when more bytes are
 * needed. */
enum code h1_head_scan(struct h1 *h1, const char *at, size_t len, size_t *end, struct err *err);

/* A whole, scanned head of `len` bytes at `at` (which stays): fills h1->head. */
enum code h1_head_parse(struct h1 *h1, const char *at, size_t len, struct arena *arena,
                        struct err *err);

/* llhttp reads bytes that the guard has passed; `body` is the body piece they must be (or none).
 * False when it sees anything else than the guard. done: the message must end with them. */
bool h1_parser_agrees(struct h1 *h1, struct slice bytes, bool body, bool done);

/* The place of the first byte below 0x20 or equal to 0x7f in at[i..end), or end. */
size_t h1_control_find(const char *at, size_t i, size_t end);

/* What a byte may be in: tokens (RFC 9110 section 5.6.2). */
extern const unsigned char h1_token[256];

#endif
