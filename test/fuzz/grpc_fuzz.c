/* grpc_fuzz.c - gRPC's framing: the first byte says how the rest is cut; whole or in pieces, it
 * must be the same messages. A deadline, and a status's message, of the same bytes.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include "wire/grpc.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
  uint64_t sum; /* of the messages' bytes and ends, by place */
  uint32_t heads, ends;
  bool bad, whole;
};

static struct seen seen_of(struct slice body, size_t cut)
{
  struct seen seen = {0};
  struct grpc grpc;
  struct err err = {0};
  grpc_init(&grpc, 100);
  while (body.len && !seen.bad) {
    struct slice in = slice_of(body.at, body.len < cut ? body.len : cut), piece;
    enum grpc_event event;
    body = slice_from(body, in.len);
    while ((event = grpc_feed(&grpc, &in, &piece, &err)) != GRPC_MORE && event != GRPC_BAD) {
      seen.heads += event == GRPC_HEAD;
      seen.ends += event == GRPC_END;
      must((event == GRPC_PIECE) == (piece.len > 0));
      for (size_t i = 0; i < piece.len; i++)
        seen.sum = (seen.sum ^ (unsigned char)piece.at[i]) * UINT64_C(0x100000001b3) + seen.ends;
    }
    seen.bad = event == GRPC_BAD;
    must(seen.bad == (err.code != OK));
    must(seen.bad || !in.len);
  }
  seen.whole = !seen.bad && grpc_ended(&grpc, &err) == OK;
  must(!seen.whole || seen.heads == seen.ends);
  return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!size) return 0;
  struct slice body = slice_of((const char *)data + 1, size - 1);
  size_t cut = data[0] + 1;
  struct seen whole = seen_of(body, size + 1), cuts = seen_of(body, cut);
  must(whole.sum == cuts.sum && whole.heads == cuts.heads && whole.ends == cuts.ends);
  must(whole.bad == cuts.bad && whole.whole == cuts.whole);
  int64_t us = 0;
  must(!grpc_timeout_read(body, &us) || (us >= 0 && us < INT64_MAX / 2));
  char *text = grab(cut);
  must(grpc_message_write(text, cut, body) <= cut);
  ungrab(text);
  char details[GRPC_DETAILS_MAX];
  must(grpc_details_write(details, data[0], body, size) <= sizeof details);
  return 0;
}
