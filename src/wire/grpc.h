/* grpc.h - gRPC over HTTP/2, what is not protobuf: messages in a body, deadlines, statuses.
 * Thread: any, pure. No memory but the caller's.
 *
 * A body is a row of messages, each behind a prefix of five bytes. Feed what comes:
 *
 *   grpc_init(&grpc, max);
 *   for (;;)
 *     switch (grpc_feed(&grpc, &in, &piece, &err)) {
 *     case GRPC_MORE:  read more bytes into `in`; at the body's end ask grpc_ended
 *     case GRPC_HEAD:  a message of grpc.bytes begins; grpc.compressed: by grpc-encoding
 *     case GRPC_PIECE: `piece` is the next of it, a view into the bytes fed
 *     case GRPC_END:   it is whole
 *     case GRPC_BAD:   end the stream with err
 *     }
 *
 * Nothing is to be allocated for grpc.bytes alone: it is what a client says.
 *   E_BODY_TOO_LARGE    a message over max
 *   E_INVALID_ARGUMENT  a flag other than 0 and 1; a body that ends inside a message
 * Source: gRPC's PROTOCOL-HTTP2; google.rpc.Status and RetryInfo; the robustness rules, GR-101 to
 * GR-103.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_GRPC_H
#define WIRE_GRPC_H

#include "base/err.h"
#include "base/slice.h"

enum { GRPC_PREFIX = 5 };

enum grpc_event { GRPC_MORE, GRPC_HEAD, GRPC_PIECE, GRPC_END, GRPC_BAD };

struct grpc {
  uint32_t max;   /* bytes of a message */
  uint32_t bytes; /* of the message that is read */
  uint32_t left;  /* of them, still to come */
  bool compressed;
  bool in_message;
  uint8_t n_prefix; /* bytes of the prefix that are there */
  unsigned char prefix[GRPC_PREFIX];
};

void grpc_init(struct grpc *grpc, uint32_t max);
enum grpc_event grpc_feed(struct grpc *grpc, struct slice *in, struct slice *piece,
                          struct err *err);
/* The body is over: E_INVALID_ARGUMENT inside a message. */
CHECKED enum code grpc_ended(const struct grpc *grpc, struct err *err);

void grpc_prefix_write(char to[GRPC_PREFIX], uint32_t bytes, bool compressed);

/* grpc-timeout, "250m", in microseconds rounded up, at most INT64_MAX / 2; 0 for "0n".
 * False: not one to eight digits and one of H M S m u n. */
bool grpc_timeout_read(struct slice text, int64_t *us);

/* grpc-message: percent-encoded, cut at a whole character to at most cap bytes. Returns how many
 * were written. */
size_t grpc_message_write(char *to, size_t cap, struct slice text);

/* grpc-status-details-bin: base64, without padding, of a google.rpc.Status with the status, as much
 * of the text as fits, and a RetryInfo when retry_ms is above 0. Returns how many bytes were
 * written. */
enum { GRPC_DETAILS_MAX = 1024 };
size_t grpc_details_write(char to[GRPC_DETAILS_MAX], uint32_t status, struct slice text,
                          uint64_t retry_ms);

#endif
