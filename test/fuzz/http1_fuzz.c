/* http1_fuzz.c - any bytes as HTTP/1, read whole, in pieces, and with a memory of heads that came
 * before: all must see the same.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "wire/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 5000, HEADS_MAX = 100 };

static uint64_t mix(uint64_t h, const void *at, size_t len)
{
  const unsigned char *p = at;
  for (size_t i = 0; i < len; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
  return h;
}

static uint64_t mix_slice(uint64_t h, struct slice s)
{
  return mix(mix(h, &s.len, sizeof s.len), s.at, s.len);
}

static uint64_t head_mix(uint64_t h, const struct http_head *head)
{
  h = mix_slice(mix_slice(h, head->verb), head->target);
  h = mix(h, &head->content_length, sizeof head->content_length);
  h = mix(h, &head->n_fields, sizeof head->n_fields);
  int flags = head->chunked | head->keep_alive << 1 | head->expect_continue << 2 | head->minor << 3;
  h = mix(h, &flags, sizeof flags);
  for (int i = 0; i < head->n_fields; i++)
    h = mix_slice(mix_slice(h, head->fields[i].name), head->fields[i].value);
  must(!(head->chunked && head->content_length));
  must(!(http_head_get(head, FIELD_CONTENT_LENGTH).at && head->chunked));
  return h;
}

/* What the reader says, as a number. Each piece is copied to memory of its size. */
static uint64_t read_all(const char *bytes, size_t size, struct rand *cuts, struct h1_seen *seen)
{
  struct h1 h1;
  struct arena arena;
  struct err err = {0};
  uint64_t h = 14695981039346656037u;
  arena_init(&arena, 1 << 20, NULL);
  h1_init(&h1, NULL);
  h1_remember(&h1, seen);
  bool bad = false;
  for (size_t at = 0; at < size && !bad;) {
    size_t n = cuts ? 1 + rand_u64(cuts) % 17 : size;
    if (n > size - at) n = size - at;
    char *piece = malloc(n);
    memcpy(piece, bytes + at, n);
    at += n;
    struct slice in = {piece, n}, out;
    for (enum h1_event event = H1_DONE; event != H1_MORE && !bad;) {
      event = h1_feed(&h1, &arena, &in, &out, &err);
      if (event == H1_HEAD) {
        h = head_mix(h, &h1.head);
        bad = h1_body_limit(&h1, BODY_MAX, &err) != OK;
      } else if (event == H1_BODY) {
        must(out.len && out.at >= piece && out.at + out.len <= piece + n);
        h = mix(h, out.at, out.len);
      } else if (event == H1_DONE) {
        h = mix(h, "done", 4);
        h1_reset(&h1);
        arena_reset(&arena);
      }
      bad |= event == H1_BAD;
    }
    free(piece);
  }
  if (bad) {
    must(err.code != OK && err.text[0]);
    h = mix(h, &err.code, sizeof err.code);
  }
  arena_deinit(&arena);
  return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *bytes = (const char *)data;
  struct rand rand;
  rand_seed(&rand, size ? data[size - 1] : 0);
  static struct h1_seen seen; /* of all inputs so far, as of all clients */
  uint64_t whole = read_all(bytes, size, NULL, NULL);
  must(read_all(bytes, size, &rand, NULL) == whole);
  for (int i = 0; i < 3; i++) must(read_all(bytes, size, NULL, &seen) == whole);
  return 0;
}
