/* zip.c - gzip and deflate bodies through zlib, with limits that hold before memory is taken.
 * Thread: any, pure.
 *
 * Inflating guesses a size (gzip's own, which may lie; four times the input otherwise), takes that
 * much and inflates once. If the guess was too small, the rest is inflated into a small window and
 * only counted, the exact size taken, and the work done again: a hostile body costs time twice,
 * never memory it has no right to.
 * SPDX-License-Identifier: MIT */
#include "wire/zip.h"

#include <zlib.h>

enum { WINDOW_ZLIB = 15, WINDOW_GZIP = 15 + 16, COUNT_WINDOW = 16 << 10, TAKE_MAX = 1 << 30 };

const char *zip_coding_name(enum zip_coding coding)
{
  switch (coding) {
  case ZIP_GZIP: return "gzip";
  case ZIP_DEFLATE: return "deflate";
  default: return "identity";
  }
}

static struct slice trimmed(struct slice s)
{
  while (s.len && (s.at[0] == ' ' || s.at[0] == '\t')) s = slice_from(s, 1);
  while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t')) s.len--;
  return s;
}

static bool coding_named(struct slice name, enum zip_coding *coding)
{
  if (slice_eq_nocase(name, SLICE("gzip")) || slice_eq_nocase(name, SLICE("x-gzip")))
    *coding = ZIP_GZIP;
  else if (slice_eq_nocase(name, SLICE("deflate"))) *coding = ZIP_DEFLATE;
  else if (slice_eq_nocase(name, SLICE("identity"))) *coding = ZIP_IDENTITY;
  else return false;
  return true;
}

enum code zip_coding_read(struct slice value, enum zip_coding *coding, struct err *err)
{
  *coding = ZIP_IDENTITY;
  value = trimmed(value);
  if (!value.len || coding_named(value, coding)) return OK;
  if (memchr(value.at, ',', value.len))
    return fail(err, E_UNSUPPORTED_MEDIA,
                "more than one content coding; send gzip, deflate or none");
  return fail(err, E_UNSUPPORTED_MEDIA, "unknown content coding '%.*s'; send gzip, deflate or none",
              SLICE_ARG(value));
}

/* ---- Accept-Encoding ---- */

/* "0", "1", "0.123" to thousandths; -1 when it is none of RFC 9110's. */
static int weight_read(struct slice s)
{
  if (!s.len || (s.at[0] != '0' && s.at[0] != '1') || s.len > 5) return -1;
  if (s.len > 1 && s.at[1] != '.') return -1;
  int whole = s.at[0] - '0', part = 0, scale = 100;
  for (size_t i = 2; i < s.len; i++, scale /= 10) {
    if (s.at[i] < '0' || s.at[i] > '9') return -1;
    part += (s.at[i] - '0') * scale;
  }
  return whole * 1000 + part > 1000 ? -1 : whole * 1000 + part;
}

/* Splits "gzip ; q=0.5". False when it is not that. */
static bool wish_read(struct slice item, struct slice *name, int *weight)
{
  const char *semi = item.len ? memchr(item.at, ';', item.len) : NULL;
  *name = trimmed(slice_of(item.at, semi ? (size_t)(semi - item.at) : item.len));
  *weight = 1000;
  if (!semi) return true;
  struct slice rest = trimmed(slice_from(item, (size_t)(semi - item.at) + 1));
  if (rest.len < 2 || (rest.at[0] | 0x20) != 'q' || rest.at[1] != '=') return false;
  *weight = weight_read(slice_from(rest, 2));
  return *weight >= 0;
}

enum zip_coding zip_choose(struct slice accept)
{
  enum zip_coding best = ZIP_IDENTITY;
  int best_weight = 0;
  size_t at = 0;
  while (at < accept.len) {
    size_t end = at;
    while (end < accept.len && accept.at[end] != ',') end++;
    struct slice name;
    enum zip_coding coding;
    int weight;
    if (!wish_read(slice_of(accept.at + at, end - at), &name, &weight)) return ZIP_IDENTITY;
    if (coding_named(name, &coding) && weight > best_weight) {
      best = coding;
      best_weight = weight;
    }
    at = end + 1;
  }
  return best;
}

/* ---- zlib on an arena ---- */

static void *zip_get(void *arena, unsigned n, unsigned each)
{
  size_t bytes;
  return __builtin_mul_overflow((size_t)n, each, &bytes) ? NULL : arena_get(arena, bytes);
}

static void zip_put(void *arena, void *p) /* the arena is emptied as a whole */
{
  (void)arena;
  (void)p;
}

static unsigned zip_room(size_t bytes) { return bytes < TAKE_MAX ? (unsigned)bytes : TAKE_MAX; }

static int inflate_start(z_stream *z, enum zip_coding coding, struct arena *arena)
{
  *z = (z_stream){.zalloc = zip_get, .zfree = zip_put, .opaque = arena};
  return inflateInit2(z, coding == ZIP_GZIP ? WINDOW_GZIP : WINDOW_ZLIB);
}

/* Runs z over `in` from `*from`, writing to `to` (cap bytes; again and again from its start when
 * count_only) until the stream ends, the input does, or more than `max` bytes have come out in all.
 * Returns zlib's last word; Z_BUF_ERROR: `to` is full or the input has ended. */
static int inflate_run(z_stream *z, struct slice in, size_t *from, char *to, size_t cap,
                       bool count_only, size_t max, uint64_t *total)
{
  size_t used = 0;
  for (;;) {
    if (used == cap) {
      if (!count_only) return Z_BUF_ERROR;
      used = 0;
    }
    union {
      const char *lent;
      Bytef *next; /* zlib does not write to it */
    } place = {in.at + *from};
    z->next_in = place.next;
    z->avail_in = zip_room(in.len - *from);
    z->next_out = (Bytef *)to + used;
    z->avail_out = zip_room(cap - used);
    unsigned in_before = z->avail_in, out_before = z->avail_out;
    int got = inflate(z, Z_NO_FLUSH);
    size_t eaten = in_before - z->avail_in, made = out_before - z->avail_out;
    *from += eaten;
    used += made;
    *total += made;
    if (*total > max) return Z_OK;
    if (got != Z_OK) return got;
    if (!eaten && !made) return Z_BUF_ERROR;
  }
}

static size_t size_guess(enum zip_coding coding, struct slice in, size_t max)
{
  size_t guess = in.len * 4 + 256;
  if (coding == ZIP_GZIP && in.len >= 18) { /* the last four bytes, little-endian; a hint only */
    const unsigned char *t = (const unsigned char *)in.at + in.len - 4;
    guess = (size_t)t[0] | (size_t)t[1] << 8 | (size_t)t[2] << 16 | (size_t)t[3] << 24;
  }
  return guess < max ? guess + 1 : max;
}

static enum code inflate_refused(int got, bool input_left, size_t max, uint64_t total,
                                 struct err *err)
{
  if (total > max)
    return fail(err, E_BODY_TOO_LARGE, "body inflates to more than %zu bytes", max);
  if (got == Z_MEM_ERROR) return fail(err, E_OUT_OF_MEMORY, "no memory to inflate a body");
  if (got == Z_NEED_DICT) return fail(err, E_BAD_REQUEST, "compressed body wants a dictionary");
  if (got == Z_BUF_ERROR) return fail(err, E_BAD_REQUEST, "compressed body is truncated");
  if (got == Z_STREAM_END && input_left)
    return fail(err, E_BAD_REQUEST, "bytes after the end of the compressed body");
  return fail(err, E_BAD_REQUEST, "compressed body is damaged or not in its coding");
}

/* One pass. *need is set to the whole size when cap was too small; 0 when all is done. */
static enum code inflate_pass(enum zip_coding coding, struct slice in, char *to, size_t cap,
                              size_t max, struct arena *arena, uint64_t *total, size_t *need,
                              struct err *err)
{
  z_stream z;
  char spill[COUNT_WINDOW];
  size_t from = 0;
  *total = 0;
  *need = 0;
  if (inflate_start(&z, coding, arena) != Z_OK)
    return fail(err, E_OUT_OF_MEMORY, "no memory to inflate a body");
  int got = inflate_run(&z, in, &from, to, cap, false, max, total);
  bool over = got == Z_BUF_ERROR && *total == cap;
  if (over) got = inflate_run(&z, in, &from, spill, sizeof spill, true, max, total);
  inflateEnd(&z);
  if (got != Z_STREAM_END || *total > max || from < in.len)
    return inflate_refused(got, from < in.len, max, *total, err);
  if (over && *total > cap) *need = (size_t)*total;
  return OK;
}

enum code zip_inflate(enum zip_coding coding, struct slice in, size_t body_max,
                      struct arena *arena, struct slice *out, struct err *err)
{
  *out = in;
  if (coding == ZIP_IDENTITY) return OK;
  size_t ratio = in.len > SIZE_MAX / ZIP_RATIO_MAX ? SIZE_MAX : in.len * ZIP_RATIO_MAX;
  if (ratio < ZIP_RATIO_FREE) ratio = ZIP_RATIO_FREE;
  size_t max = body_max < ratio ? body_max : ratio;
  size_t cap = size_guess(coding, in, max), need;
  for (;;) {
    char *to = arena_get(arena, cap ? cap : 1);
    uint64_t total;
    if (!to) return fail(err, E_OUT_OF_MEMORY, "no memory to inflate a body");
    if (inflate_pass(coding, in, to, cap, max, arena, &total, &need, err)) return err->code;
    *out = slice_of(to, (size_t)total);
    if (!need) return OK;
    cap = need;
  }
}

/* ---- answers ---- */

enum { ANSWER_LEVEL = 1, ANSWER_MEMORY = 7 };

enum code zip_deflate(enum zip_coding coding, const struct slice *parts, uint32_t n_parts,
                      struct arena *arena, struct slice *out, struct err *err)
{
  *out = SLICE_NONE;
  size_t all = 0;
  for (uint32_t i = 0; i < n_parts; i++) all += parts[i].len;
  if (coding == ZIP_IDENTITY || all < 2) return OK;
  z_stream z = {.zalloc = zip_get, .zfree = zip_put, .opaque = arena};
  size_t cap = all - 1; /* larger would not be worth sending */
  char *to = arena_get(arena, cap);
  if (!to || deflateInit2(&z, ANSWER_LEVEL, Z_DEFLATED,
                          coding == ZIP_GZIP ? WINDOW_GZIP : WINDOW_ZLIB, ANSWER_MEMORY,
                          Z_DEFAULT_STRATEGY) != Z_OK)
    return fail(err, E_OUT_OF_MEMORY, "no memory to compress an answer");
  size_t used = 0;
  int got = Z_OK;
  for (uint32_t i = 0; i < n_parts && got == Z_OK; i++) {
    size_t from = 0;
    bool last = i + 1 == n_parts;
    while (got == Z_OK && (from < parts[i].len || last)) {
      union {
        const char *lent;
        Bytef *next;
      } place = {parts[i].at + from};
      z.next_in = place.next;
      z.avail_in = zip_room(parts[i].len - from);
      z.next_out = (Bytef *)to + used;
      z.avail_out = zip_room(cap - used);
      if (!z.avail_out) break;
      unsigned in_before = z.avail_in, out_before = z.avail_out;
      bool end = last && from + z.avail_in == parts[i].len;
      got = deflate(&z, end ? Z_FINISH : Z_NO_FLUSH);
      from += in_before - z.avail_in;
      used += out_before - z.avail_out;
    }
    if (from < parts[i].len) break;
  }
  deflateEnd(&z);
  if (got == Z_STREAM_END) *out = slice_of(to, used);
  return OK;
}
