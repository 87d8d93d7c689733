/* grpc.c - gRPC's framing, deadlines and statuses.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/grpc.h"

#include "base/text.h"
#include "wire/pb.h"

/* ---- messages */

void grpc_init(struct grpc *grpc, uint32_t max) { *grpc = (struct grpc){.max = max}; }

static enum grpc_event head_read(struct grpc *grpc, struct err *err)
{
  const unsigned char *at = grpc->prefix;
  grpc->n_prefix = 0;
  grpc->compressed = at[0] == 1;
  grpc->bytes = (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
  if (at[0] > 1) {
    fail(err, E_INVALID_ARGUMENT, "a message begins with byte %u, it must be 0 or 1", at[0]);
    return GRPC_BAD;
  }
  if (grpc->bytes > grpc->max) {
    fail(err, E_BODY_TOO_LARGE, "a message has %u bytes, at most %u are taken", grpc->bytes,
         grpc->max);
    return GRPC_BAD;
  }
  grpc->in_message = true;
  grpc->left = grpc->bytes;
  return GRPC_HEAD;
}

enum grpc_event grpc_feed(struct grpc *grpc, struct slice *in, struct slice *piece,
                          struct err *err)
{
  *piece = SLICE_NONE;
  while (!grpc->in_message && in->len) {
    grpc->prefix[grpc->n_prefix++] = (unsigned char)*in->at;
    *in = slice_from(*in, 1);
    if (grpc->n_prefix == GRPC_PREFIX) return head_read(grpc, err);
  }
  if (!grpc->in_message) return GRPC_MORE;
  if (!grpc->left) {
    grpc->in_message = false;
    return GRPC_END;
  }
  if (!in->len) return GRPC_MORE;
  *piece = slice_of(in->at, in->len < grpc->left ? in->len : grpc->left);
  *in = slice_from(*in, piece->len);
  grpc->left -= (uint32_t)piece->len;
  return GRPC_PIECE;
}

enum code grpc_ended(const struct grpc *grpc, struct err *err)
{
  if (!grpc->in_message && !grpc->n_prefix) return OK;
  return fail(err, E_INVALID_ARGUMENT, "the body ends inside a message");
}

void grpc_prefix_write(char to[GRPC_PREFIX], uint32_t bytes, bool compressed)
{
  to[0] = compressed;
  for (int i = 0; i < 4; i++) to[1 + i] = (char)(bytes >> (24 - 8 * i));
}

/* ---- deadlines */

bool grpc_timeout_read(struct slice text, int64_t *us)
{
  static const struct {
    char unit;
    int64_t ns;
  } units[] = {{'n', 1},
               {'u', 1000},
               {'m', 1000000},
               {'S', 1000000000},
               {'M', INT64_C(60000000000)},
               {'H', INT64_C(3600000000000)}};
  int64_t n = 0;
  if (text.len < 2 || text.len > 9) return false;
  for (size_t i = 0; i + 1 < text.len; i++) { /* zeros in front are fine here */
    if (text.at[i] < '0' || text.at[i] > '9') return false;
    n = n * 10 + (text.at[i] - '0');
  }
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (text.at[text.len - 1] != units[i].unit) continue;
    int64_t each = units[i].ns;
    *us = each < 1000 ? (n * each + 999) / 1000 : n * (each / 1000);
    return true;
  }
  return false;
}

/* ---- statuses */

size_t grpc_message_write(char *to, size_t cap, struct slice text)
{
  static const char digits[] = "0123456789ABCDEF";
  size_t n = 0, whole = 0;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.at[i];
    if ((c & 0xc0) != 0x80) whole = n;
    bool plain = c >= 0x20 && c < 0x7f && c != '%';
    if (n + (plain ? 1 : 3) > cap) return whole;
    if (plain) {
      to[n++] = (char)c;
      continue;
    }
    to[n++] = '%';
    to[n++] = digits[c >> 4];
    to[n++] = digits[c & 15];
  }
  return n;
}

/* A google.protobuf.Any that holds a RetryInfo. */
static char *retry_put(char *to, uint64_t retry_ms)
{
  struct slice type = SLICE("type.googleapis.com/google.rpc.RetryInfo");
  char delay[32], info[40], any[96];
  char *end = delay;
  if (retry_ms / 1000) end = pb_put_number(end, 1, retry_ms / 1000);
  if (retry_ms % 1000) end = pb_put_number(end, 2, retry_ms % 1000 * 1000000);
  char *info_end = pb_put_bytes(info, 1, slice_of(delay, (size_t)(end - delay)));
  char *any_end = pb_put_bytes(any, 1, type);
  any_end = pb_put_bytes(any_end, 2, slice_of(info, (size_t)(info_end - info)));
  return pb_put_bytes(to, 3, slice_of(any, (size_t)(any_end - any)));
}

size_t grpc_details_write(char to[GRPC_DETAILS_MAX], uint32_t status, struct slice text,
                          uint64_t retry_ms)
{
  enum { TEXT_MAX = 512 };
  char message[TEXT_MAX + 128];
  size_t cut = text.len < TEXT_MAX ? text.len : TEXT_MAX;
  while (cut < text.len && cut && ((unsigned char)text.at[cut] & 0xc0) == 0x80) cut--;
  char *end = status ? pb_put_number(message, 1, status) : message;
  if (cut) end = pb_put_bytes(end, 2, slice_of(text.at, cut));
  if (retry_ms) end = retry_put(end, retry_ms);
  size_t n = base64_write(slice_of(message, (size_t)(end - message)), to);
  while (n && to[n - 1] == '=') n--;
  return n;
}
