/* pb.c - the protobuf wire format.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "wire/pb.h"

bool pb_varint(struct pb *pb, uint64_t *value)
{
  *value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (pb->at == pb->end) return false;
    uint64_t byte = (unsigned char)*pb->at++;
    if (shift == 63 && byte > 1) return false;
    *value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

static bool fixed_read(struct pb *pb, size_t len, struct pb_field *field)
{
  if ((size_t)(pb->end - pb->at) < len) return false;
  field->bytes = slice_of(pb->at, len);
  memcpy(&field->value, pb->at, len);
  pb->at += len;
  return true;
}

static bool value_read(struct pb *pb, struct pb_field *field)
{
  uint64_t len;
  switch (field->wire) {
    case PB_VARINT: return pb_varint(pb, &field->value);
    case PB_FIXED64: return fixed_read(pb, 8, field);
    case PB_FIXED32: return fixed_read(pb, 4, field);
    case PB_BYTES:
      if (!pb_varint(pb, &len) || len > (uint64_t)(pb->end - pb->at)) return false;
      field->bytes = slice_of(pb->at, (size_t)len);
      pb->at += len;
      return true;
    default: return false;
  }
}

bool pb_next(struct pb *pb, struct pb_field *field)
{
  if (pb->at == pb->end) return false;
  struct pb at = *pb;
  uint64_t tag;
  *field = (struct pb_field){.at = pb->at};
  if (!pb_varint(&at, &tag) || tag > UINT32_MAX || tag >> 3 == 0) return false;
  field->number = (uint32_t)tag >> 3;
  field->wire = (uint32_t)tag & 7;
  if (!value_read(&at, field)) return false;
  *pb = at;
  return true;
}

bool pb_packed_count(struct slice packed, uint64_t *count)
{
  uint64_t n = 0;
  unsigned run = 0;
  for (size_t i = 0; i < packed.len; i++) {
    bool more = (unsigned char)packed.at[i] >= 0x80;
    n += !more;
    run = more ? run + 1 : 0;
    if (run > 9) return false;
  }
  *count = n;
  return run == 0;
}

/* ---- writing */

size_t pb_varint_len(uint64_t value)
{
  size_t n = 1;
  while (value >>= 7) n++;
  return n;
}

size_t pb_bytes_len(uint32_t number, size_t len)
{
  return pb_varint_len((uint64_t)number << 3) + pb_varint_len(len) + len;
}

char *pb_put_varint(char *to, uint64_t value)
{
  for (; value >= 0x80; value >>= 7) *to++ = (char)(value | 0x80);
  *to++ = (char)value;
  return to;
}

char *pb_put_tag(char *to, uint32_t number, enum pb_wire wire)
{
  return pb_put_varint(to, (uint64_t)number << 3 | (uint64_t)wire);
}

char *pb_put_number(char *to, uint32_t number, uint64_t value)
{
  return pb_put_varint(pb_put_tag(to, number, PB_VARINT), value);
}

char *pb_put_double(char *to, uint32_t number, double value)
{
  to = pb_put_tag(to, number, PB_FIXED64);
  memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

char *pb_put_head(char *to, uint32_t number, size_t len)
{
  return pb_put_varint(pb_put_tag(to, number, PB_BYTES), len);
}

char *pb_put_bytes(char *to, uint32_t number, struct slice bytes)
{
  to = pb_put_head(to, number, bytes.len);
  if (bytes.len) memcpy(to, bytes.at, bytes.len);
  return to + bytes.len;
}
