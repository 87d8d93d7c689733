/* blob.h - immutable bytes with a count of holders: the only refcounted type there is.
 * Thread: any. Filled by its maker before the first share; never changed after that.
 * Replies of desks, model cards, dashboard files, upload chunks: whatever outlives a call.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include <stdatomic.h>

#include "base/slice.h"

struct blob {
  _Atomic uint32_t holders;
  bool secret; /* the maker may say so before the first share: wiped when the last one drops it */
  size_t len; /* the maker may shorten it before the first share */
  char bytes[];
};

struct blob *blob_new(size_t len);          /* one holder: the caller; bytes uninitialised */
struct blob *blob_copy(struct slice bytes); /* one holder: the caller */
struct blob *blob_share(struct blob *blob); /* one more */
void blob_drop(struct blob *blob);          /* one fewer; the last frees; NULL is fine */

static inline struct slice blob_lend(const struct blob *blob)
{
  return blob ? slice_of(blob->bytes, blob->len) : SLICE_NONE;
}

#endif
