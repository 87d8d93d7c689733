/* pb.h - the protobuf wire format: one message's fields at a time, and fields to bytes.
 * Thread: any, pure.
 *
 * A reader is a view; it never copies. Whoever knows the schema looks at number and wire:
 *
 *   struct pb pb = pb_of(message);
 *   while (pb_next(&pb, &field))
 *     if (pb_is(&field, 3, PB_BYTES)) ... field.bytes ...
 *   if (pb.at != pb.end) it was not protobuf
 *
 * A repeated number may come packed (BYTES) or one by one; both must be read. Groups, which proto3
 * does not have, are refused.
 * Source: protobuf.dev, "Encoding".
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_PB_H
#define WIRE_PB_H

#include "base/slice.h"

struct pb {
  const char *at, *end;
};

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_field {
  uint32_t number, wire;
  uint64_t value;     /* VARINT, FIXED64, FIXED32: its bits */
  struct slice bytes; /* BYTES; of FIXED64 and FIXED32 the 8 or 4 bytes themselves */
  const char *at;     /* where its tag begins */
};

static inline struct pb pb_of(struct slice message)
{
  const char *at = message.at ? message.at : "";
  return (struct pb){at, at + message.len};
}

static inline bool pb_is(const struct pb_field *field, uint32_t number, enum pb_wire wire)
{
  return field->number == number && field->wire == (uint32_t)wire;
}

/* True with a field; false at the end (pb->at == pb->end) or at something that is not protobuf. */
bool pb_next(struct pb *pb, struct pb_field *field);
/* At most ten bytes, nothing beyond 64 bits; else false. */
bool pb_varint(struct pb *pb, uint64_t *value);
/* How many varints fill the packed bytes exactly; false when they do not. */
bool pb_packed_count(struct slice packed, uint64_t *count);

/* ---- writing. Each returns where the next byte goes; the caller has the room. */

enum { PB_VARINT_MAX = 10, PB_TAG_MAX = 5 };

size_t pb_varint_len(uint64_t value);
/* Of a whole field of kind BYTES that holds `len` bytes: tag, length and them. */
size_t pb_bytes_len(uint32_t number, size_t len);
char *pb_put_varint(char *to, uint64_t value);
char *pb_put_tag(char *to, uint32_t number, enum pb_wire wire);
char *pb_put_number(char *to, uint32_t number, uint64_t value); /* int64: its bits */
char *pb_put_double(char *to, uint32_t number, double value);
/* Tag and length; the bytes follow. */
char *pb_put_head(char *to, uint32_t number, size_t len);
char *pb_put_bytes(char *to, uint32_t number, struct slice bytes);

#endif
