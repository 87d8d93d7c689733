/* blob.c - refcounted immutable bytes.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "base/blob.h"

#include "base/err.h"
#include "base/mem.h"

struct blob *blob_new(size_t len)
{
  must(len <= SIZE_MAX - sizeof(struct blob));
  struct blob *blob = grab(sizeof *blob + len);
  atomic_init(&blob->holders, 1);
  blob->len = len;
  blob->secret = false;
  return blob;
}

struct blob *blob_copy(struct slice bytes)
{
  struct blob *blob = blob_new(bytes.len);
  if (bytes.len) memcpy(blob->bytes, bytes.at, bytes.len);
  return blob;
}

struct blob *blob_share(struct blob *blob)
{
  uint32_t before = atomic_fetch_add_explicit(&blob->holders, 1, memory_order_relaxed);
  must(before > 0 && before < UINT32_MAX);
  return blob;
}

void blob_drop(struct blob *blob)
{
  if (!blob) return;
  uint32_t before = atomic_fetch_sub_explicit(&blob->holders, 1, memory_order_acq_rel);
  must(before > 0);
  if (before != 1) return;
  if (blob->secret) explicit_bzero(blob->bytes, blob->len);
  ungrab(blob);
}
