/* http1.h - HTTP/1.0 and 1.1, server side: bytes to requests, answers to bytes.
 * Thread: any, pure. No socket, no clock; memory from the arena that is passed in.
 *
 * Reading. Feed bytes as they come; each call eats from the front of *in and says one thing:
 *
 *   h1_init(&h1, NULL);
 *   for (;;)
 *     switch (h1_feed(&h1, &arena, &in, &out, &err)) {
 *     case H1_MORE: read more bytes into `in`, feed again
 *     case H1_HEAD: h1.head is whole; call h1_body_limit(&h1, route->body_max, &err), go on feeding
 *     case H1_BODY: `out` is the next piece of the body, a view into the bytes fed
 *     case H1_DONE: one message has ended; what is left in `in` belongs to the next one.
 *                   Answer, then h1_reset(&h1), reset the arena, go on feeding.
 *     case H1_BAD:  answer err and close; nothing of this connection may be read any more
 *     }
 *
 * HEAD always comes before DONE, also for a request without a body. BODY never has an empty view.
 * How the bytes were cut into reads never changes the events, but for where BODY pieces are cut.
 *
 * Memory. The arena is touched only while a head is read: one copy of the head and one array of
 * fields. An idle connection holds a struct h1 (under 512 bytes) and nothing else. Pass the same
 * arena for the whole of one message; h1.head lives in it. Bodies are never copied: a caller that
 * reads a body straight into its place (h1_body_left says how many bytes are certain to come) gets
 * it back as a view of that place.
 *
 * One reading or none. Two readers look at every byte: our own guard, which holds the limits and
 * refuses whatever two parsers could read differently, and llhttp, which parses. If they disagree
 * about where the head, a body piece or the message ends, the message is bad. A head whose very
 * bytes both agreed on before is not shown to llhttp again (h1_remember).
 *   414 URI_TOO_LONG         request line over line_max
 *   431 HEADERS_TOO_LARGE    a field over field_max, all over fields_max, more than
 *                            fields_count_max
 *   400 CONFLICTING_FRAMING  Content-Length with Transfer-Encoding, or Content-Length twice
 *   400 BAD_REQUEST          everything else: bare CR or LF, NUL, folding, white space around
 *                            names, odd Content-Length, any transfer coding but one `chunked` in
 *                            1.1, Host missing (1.1), twice or odd, other versions, bad chunks
 *   501 NOT_IMPLEMENTED      a well-formed verb that nobody knows
 *   413 BODY_TOO_LARGE       body over the limit, or more than chunks_max chunks
 *   417 EXPECTATION_FAILED   Expect other than 100-continue
 *   503 OUT_OF_MEMORY        the arena is at its cap
 * Trailers are checked like fields and dropped. Upgrade is ignored. One empty line before a request
 * line is skipped (RFC 9112 section 2.2).
 *
 * Source: RFC 9112; the robustness rules, sections 3 and 4; llhttp 8.1 (ADR 0004).
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include "base/arena.h"
#include "base/err.h"
#include "wire/http.h"

enum h1_event { H1_MORE, H1_HEAD, H1_BODY, H1_DONE, H1_BAD };

/* A zero means the default in the comment. Bytes unless said otherwise. */
struct h1_limits {
  uint32_t line_max;         /* 8 KiB: request line, without its CRLF */
  uint32_t field_max;        /* 8 KiB: one field line, without its CRLF */
  uint32_t fields_max;       /* 32 KiB: all field lines with their CRLFs; trailers count again */
  uint32_t fields_count_max; /* 100, at most 255 */
  uint32_t chunks_max;       /* 65,536 chunks in a body */
  uint32_t extension_max;    /* 256: one chunk's extensions */
  uint32_t extensions_max;   /* 4 KiB: all chunk extensions of a body */
};

enum { H1_PARSER_BYTES = 128, H1_SEEN_HEADS = 64, H1_SEEN_BYTES = 512 };

/* Heads that came lately, byte for byte, and what llhttp made of them: when the very same bytes
 * come again it is not asked again, since it would say the same. Our own reading is done every
 * time. A head is kept when it comes twice. Zeroed: empty. One serves all connections of a
 * thread. */
struct h1_seen { /* about 42 KiB */
  struct {
    uint64_t hash;
    uint32_t len; /* 0: only the hash was seen */
    uint32_t n_seen;
    bool head_done, message_done;
    _Alignas(8) unsigned char parser[H1_PARSER_BYTES];
    char bytes[H1_SEEN_BYTES];
  } heads[H1_SEEN_HEADS];
  uint64_t spared; /* readings of llhttp that did not take place */
};

struct h1 {
  struct http_head head;    /* valid from H1_HEAD until h1_reset; lives in the arena */
  bool close;               /* after H1_BAD: always true. Else: the answer must be the last one */

  /* The rest is the codec's own. */
  struct h1_limits limits;
  uint8_t state;
  bool limit_set;
  bool blank_skipped;       /* the one empty line before the request line */
  bool agreed;              /* llhttp saw what the guard saw, so far */
  uint8_t digits;           /* of the chunk size being read */
  char *raw;                /* the head while it is not whole */
  uint32_t raw_len, raw_cap;
  uint32_t scanned;         /* bytes of the head the guard has seen */
  uint32_t line_at;         /* where the line being scanned begins */
  uint32_t lines;           /* whole lines seen, the request line included */
  uint32_t fields_at;       /* where the first field begins */
  uint32_t chunks, extension, extensions, trailer, trailers;
  uint64_t left;            /* body bytes of this message (or chunk) still to come */
  uint64_t body_len, body_max;
  const char *body_at;      /* what llhttp says the body piece is */
  size_t body_piece;
  bool head_done, message_done;
  uint32_t n_seen;          /* fields llhttp has reported */
  struct h1_seen *lately;   /* see h1_remember; NULL: none */
  _Alignas(8) unsigned char parser[H1_PARSER_BYTES]; /* llhttp_t */
};

/* limits may be NULL: all defaults. They are copied. */
void h1_init(struct h1 *h1, const struct h1_limits *limits);
/* From now on heads are looked up in `seen`, which stays as long. */
void h1_remember(struct h1 *h1, struct h1_seen *seen);
/* Ready for the next message of the same connection; after H1_DONE (or to start over). */
void h1_reset(struct h1 *h1);

/* See above. err is filled on H1_BAD only. *out is set on H1_BODY only. */
enum h1_event h1_feed(struct h1 *h1, struct arena *arena, struct slice *in, struct slice *out,
                      struct err *err);

/* After H1_HEAD, before feeding on: how long the body may be. E_BODY_TOO_LARGE when Content-Length
 * already says more: nothing has been allocated; answer, and close or drain (feed on after calling
 * again with the larger limit one is ready to drain). A chunked body is refused when it passes. */
CHECKED enum code h1_body_limit(struct h1 *h1, uint64_t body_max, struct err *err);

/* Bytes of this message's body (or of this chunk) that are still to come; 0 when unknown. */
uint64_t h1_body_left(const struct h1 *h1);
/* The head has begun and is not whole: the head timeout applies. */
bool h1_in_head(const struct h1 *h1);

/* "HTTP/1.1 100 Continue\r\n\r\n" */
extern const struct slice h1_continue;

#endif
