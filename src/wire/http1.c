/* http1.c - HTTP/1 requests: from bytes to head, body pieces and an end.
 * Thread: any, pure.
 *
 *   START --byte--> HEAD --empty line--> [BODY | chunks | -] --> DONE --reset--> START
 *                                          chunks: SIZE [EXTENSION] LF DATA CR LF ... trailers
 *
 * The guard (this file and http1_head.c) decides where each part ends; llhttp is then shown exactly
 * those bytes and must see the same part, no more and no less. Trailers are read by the guard
 * alone: they are dropped, so no second meaning can come of them.
 * SPDX-License-Identifier: MIT */
#include "wire/http1.h"

#include "base/text.h"
#include "wire/http1_int.h"

_Static_assert(sizeof(struct h1) <= 512, "an idle connection costs half a KiB");

enum { RAW_FIRST = 1 << 10, RAW_STEP = 4 << 10 };

static uint32_t or_else(uint32_t value, uint32_t normal) { return value ? value : normal; }

void h1_init(struct h1 *h1, const struct h1_limits *limits)
{
  static const struct h1_limits none;
  if (!limits) limits = &none;
  *h1 = (struct h1){.state = H1S_START};
  h1->limits = (struct h1_limits){
      .line_max = or_else(limits->line_max, 8 << 10),
      .field_max = or_else(limits->field_max, 8 << 10),
      .fields_max = or_else(limits->fields_max, 32 << 10),
      .fields_count_max = or_else(limits->fields_count_max, 100),
      .chunks_max = or_else(limits->chunks_max, 65536),
      .extension_max = or_else(limits->extension_max, 256),
      .extensions_max = or_else(limits->extensions_max, 4 << 10),
  };
  must(h1->limits.fields_count_max <= 255);
}

void h1_remember(struct h1 *h1, struct h1_seen *seen) { h1->lately = seen; }

void h1_reset(struct h1 *h1)
{
  h1->state = H1S_START;
  h1->close = h1->limit_set = h1->blank_skipped = false;
  h1->raw = NULL;
  h1->raw_len = h1->raw_cap = 0;
  h1->scanned = h1->line_at = h1->lines = h1->fields_at = 0;
  h1->chunks = h1->extension = h1->extensions = h1->trailer = h1->trailers = 0;
  h1->left = h1->body_len = h1->body_max = 0;
  h1->digits = 0;
  h1->head.fields = NULL;
  h1->head.n_fields = 0;
}

uint64_t h1_body_left(const struct h1 *h1)
{
  return h1->state == H1S_BODY || h1->state == H1S_DATA ? h1->left : 0;
}

bool h1_in_head(const struct h1 *h1) { return h1->state == H1S_HEAD || h1->state == H1S_START_LF; }

enum code h1_body_limit(struct h1 *h1, uint64_t body_max, struct err *err)
{
  h1->body_max = body_max;
  h1->limit_set = true;
  if (h1->head.content_length > body_max)
    return fail(err, E_BODY_TOO_LARGE, "body of %llu bytes, this route takes %llu",
                (unsigned long long)h1->head.content_length, (unsigned long long)body_max);
  return OK;
}

static enum h1_event bad(struct h1 *h1)
{
  h1->state = H1S_BAD;
  h1->close = true;
  return H1_BAD;
}

static enum h1_event two_readings(struct h1 *h1, struct err *err)
{
  fail(err, E_BAD_REQUEST, "request body can be read in two ways");
  return bad(h1);
}

/* ---- head ---- */

static enum h1_event head_whole(struct h1 *h1, const char *at, size_t len, struct arena *arena,
                                struct err *err)
{
  if (h1_head_parse(h1, at, len, arena, err)) return bad(h1);
  h1->raw = NULL;
  h1->lines = h1->scanned = h1->line_at = h1->fields_at = 0;
  h1->left = h1->head.content_length;
  if (h1->head.chunked) h1->state = H1S_SIZE;
  else h1->state = h1->left ? H1S_BODY : H1S_DONE;
  return H1_HEAD;
}

static bool raw_room(struct h1 *h1, struct arena *arena, size_t more)
{
  size_t need = h1->raw_len + more, cap = h1->raw_cap ? h1->raw_cap : RAW_FIRST;
  if (h1->raw && need <= h1->raw_cap) return true;
  while (cap < need) cap *= 2;
  char *room = h1->raw ? arena_grow(arena, h1->raw, h1->raw_cap, cap) : arena_get(arena, cap);
  if (!room) return false;
  h1->raw = room;
  h1->raw_cap = (uint32_t)cap;
  return true;
}

static enum h1_event no_memory(struct h1 *h1, struct err *err)
{
  fail(err, E_OUT_OF_MEMORY, "no memory for a request head");
  return bad(h1);
}

static enum h1_event head_feed(struct h1 *h1, struct arena *arena, struct slice *in,
                               struct err *err)
{
  size_t end;
  if (!h1->raw) { /* the usual case: all of it in one read */
    if (h1_head_scan(h1, in->at, in->len, &end, err)) return bad(h1);
    if (end) {
      char *copy = arena_get(arena, end);
      if (!copy) return no_memory(h1, err);
      memcpy(copy, in->at, end);
      *in = slice_from(*in, end);
      return head_whole(h1, copy, end, arena, err);
    }
    if (!raw_room(h1, arena, in->len)) return no_memory(h1, err);
    memcpy(h1->raw, in->at, in->len);
    h1->raw_len = (uint32_t)in->len;
    *in = slice_from(*in, in->len);
    return H1_MORE;
  }
  while (in->len) { /* the guard refuses before raw can outgrow the limits */
    size_t n = in->len < RAW_STEP ? in->len : RAW_STEP, had = h1->raw_len;
    if (!raw_room(h1, arena, n)) return no_memory(h1, err);
    memcpy(h1->raw + had, in->at, n);
    if (h1_head_scan(h1, h1->raw, had + n, &end, err)) return bad(h1);
    *in = slice_from(*in, end ? end - had : n);
    if (end) return head_whole(h1, h1->raw, end, arena, err);
    h1->raw_len += (uint32_t)n;
  }
  return H1_MORE;
}

/* One empty line before the request line is forgiven. */
static enum h1_event start_feed(struct h1 *h1, struct arena *arena, struct slice *in,
                                struct err *err)
{
  if (h1->state == H1S_START) {
    if (in->at[0] != '\r' || h1->blank_skipped) {
      h1->state = H1S_HEAD;
      return head_feed(h1, arena, in, err);
    }
    h1->state = H1S_START_LF;
    *in = slice_from(*in, 1);
    if (!in->len) return H1_MORE;
  }
  if (in->at[0] != '\n') {
    fail(err, E_BAD_REQUEST, "bare CR at byte 0 of the request head");
    return bad(h1);
  }
  *in = slice_from(*in, 1);
  h1->blank_skipped = true;
  h1->state = in->len ? H1S_HEAD : H1S_START;
  return in->len ? head_feed(h1, arena, in, err) : H1_MORE;
}

/* ---- body ---- */

static enum h1_event piece_feed(struct h1 *h1, struct slice *in, struct slice *out,
                                struct err *err)
{
  size_t n = in->len < h1->left ? in->len : (size_t)h1->left;
  *out = slice_of(in->at, n);
  h1->left -= n;
  h1->body_len += n;
  bool last = h1->state == H1S_BODY && h1->left == 0;
  if (!h1_parser_agrees(h1, *out, true, last)) return two_readings(h1, err);
  *in = slice_from(*in, n);
  if (last) h1->state = H1S_DONE;
  else if (h1->left == 0) h1->state = H1S_DATA_CR;
  return H1_BODY;
}

/* The size line is over: is there room for that much? */
static enum code chunk_begin(struct h1 *h1, struct err *err)
{
  uint64_t size = h1->left;
  h1->digits = 0;
  h1->extension = 0;
  if (size == 0) {
    h1->state = H1S_TRAILER;
    h1->trailer = h1->trailers = h1->lines = 0;
    return OK;
  }
  if (++h1->chunks > h1->limits.chunks_max)
    return fail(err, E_BODY_TOO_LARGE, "body of more than %u chunks", h1->limits.chunks_max);
  if (size > h1->body_max || h1->body_len > h1->body_max - size)
    return fail(err, E_BODY_TOO_LARGE, "chunked body of more than %llu bytes",
                (unsigned long long)h1->body_max);
  h1->state = H1S_DATA;
  return OK;
}

static enum code size_byte(struct h1 *h1, char c, struct err *err)
{
  int digit = hex_value(c);
  if (digit >= 0) {
    if (++h1->digits > 16) return fail(err, E_BAD_REQUEST, "chunk size of more than 16 digits");
    h1->left = h1->left << 4 | (uint64_t)digit;
    return OK;
  }
  if (!h1->digits || (c != '\r' && c != ';'))
    return fail(err, E_BAD_REQUEST, "chunk size is not a plain hexadecimal number");
  h1->state = c == ';' ? H1S_EXTENSION : H1S_SIZE_LF;
  return OK;
}

static enum code extension_byte(struct h1 *h1, char c, struct err *err)
{
  if (c == '\r') {
    h1->state = H1S_SIZE_LF;
    return OK;
  }
  unsigned char u = (unsigned char)c;
  if (u < 0x20 || u >= 0x7f) return fail(err, E_BAD_REQUEST, "odd byte in a chunk extension");
  if (++h1->extension > h1->limits.extension_max || ++h1->extensions > h1->limits.extensions_max)
    return fail(err, E_BAD_REQUEST, "chunk extensions of more than %u bytes, or %u in all",
                h1->limits.extension_max, h1->limits.extensions_max);
  return OK;
}

static enum code trailer_byte(struct h1 *h1, char c, struct err *err)
{
  unsigned char u = (unsigned char)c;
  if (h1->state == H1S_TRAILER) {
    if (c == '\r') {
      h1->state = H1S_END_LF;
      return OK;
    }
    if (++h1->lines > h1->limits.fields_count_max)
      return fail(err, E_HEADERS_TOO_LARGE, "more than %u trailers", h1->limits.fields_count_max);
    if (!h1_token[u]) return fail(err, E_BAD_REQUEST, "trailer %u has no proper name", h1->lines);
    h1->state = H1S_TRAILER_NAME;
    h1->trailer = 0;
  } else if (h1->state == H1S_TRAILER_NAME) {
    if (c == ':') h1->state = H1S_TRAILER_VALUE;
    else if (!h1_token[u])
      return fail(err, E_BAD_REQUEST, "trailer %u has no proper name before ':'", h1->lines);
  } else if (c == '\r') {
    h1->state = H1S_TRAILER_LF;
    return OK;
  } else if ((u < 0x20 && c != '\t') || u == 0x7f) {
    return fail(err, E_BAD_REQUEST, "control byte in trailer %u", h1->lines);
  }
  if (++h1->trailer > h1->limits.field_max || ++h1->trailers > h1->limits.fields_max)
    return fail(err, E_HEADERS_TOO_LARGE, "trailers of more than %u bytes each or %u in all",
                h1->limits.field_max, h1->limits.fields_max);
  return OK;
}

static enum code lf_byte(struct h1 *h1, char c, struct err *err)
{
  if (c != '\n') return fail(err, E_BAD_REQUEST, "bare CR in a chunked body");
  switch (h1->state) {
  case H1S_SIZE_LF: return chunk_begin(h1, err);
  case H1S_DATA_LF: h1->state = H1S_SIZE; return OK;
  case H1S_TRAILER_LF: h1->state = H1S_TRAILER; return OK;
  default: h1->state = H1S_DONE; return OK;
  }
}

static enum code framing_byte(struct h1 *h1, char c, struct err *err)
{
  switch (h1->state) {
  case H1S_SIZE: return size_byte(h1, c, err);
  case H1S_EXTENSION: return extension_byte(h1, c, err);
  case H1S_DATA_CR:
    if (c != '\r') return fail(err, E_BAD_REQUEST, "chunk is longer than its size says");
    h1->state = H1S_DATA_LF;
    return OK;
  case H1S_TRAILER:
  case H1S_TRAILER_NAME:
  case H1S_TRAILER_VALUE: return trailer_byte(h1, c, err);
  default: return lf_byte(h1, c, err);
  }
}

static bool in_trailers(const struct h1 *h1)
{
  return h1->state >= H1S_TRAILER && h1->state <= H1S_END_LF;
}

/* What is not data in a chunked body, up to the next data, the end of the message or of the bytes.
 * llhttp sees it up to the trailers and is then told that there were none. Where the guard refuses
 * a byte, llhttp still sees those before it: what is said depends on which byte is bad, and not on
 * how the bytes were cut. */
static enum h1_event framing_feed(struct h1 *h1, struct slice *in, struct err *err)
{
  size_t i = 0, show = 0;
  bool refused = false, trailing = in_trailers(h1);
  while (i < in->len && h1->state != H1S_DATA && h1->state != H1S_DONE) {
    refused = framing_byte(h1, in->at[i], err) != OK;
    if (refused) break;
    i++;
    if (!trailing) show = i;
    trailing = in_trailers(h1);
  }
  if (show && !h1_parser_agrees(h1, slice_of(in->at, show), false, false))
    return two_readings(h1, err);
  if (refused) return bad(h1);
  *in = slice_from(*in, i);
  if (h1->state == H1S_DONE && !h1_parser_agrees(h1, SLICE("\r\n"), false, true))
    return two_readings(h1, err);
  return H1_MORE;
}

enum h1_event h1_feed(struct h1 *h1, struct arena *arena, struct slice *in, struct slice *out,
                      struct err *err)
{
  for (;;) {
    if (h1->state == H1S_DONE) {
      h1->state = H1S_OVER;
      return H1_DONE;
    }
    must(h1->state != H1S_OVER && h1->state != H1S_BAD); /* reset or close comes first */
    if (!in->len) return H1_MORE;
    if (h1->state <= H1S_START_LF) return start_feed(h1, arena, in, err);
    if (h1->state == H1S_HEAD) return head_feed(h1, arena, in, err);
    must(h1->limit_set);
    if (h1->state == H1S_BODY || h1->state == H1S_DATA) return piece_feed(h1, in, out, err);
    enum h1_event event = framing_feed(h1, in, err);
    if (event == H1_BAD) return event;
  }
}

const struct slice h1_continue = {"HTTP/1.1 100 Continue\r\n\r\n", 25};
