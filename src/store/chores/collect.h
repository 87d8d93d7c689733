/* collect.h - what nobody needs goes: objects, uploads that nobody goes on with, old marks.
 * Thread: janitor.
 *
 * What versions need comes from the catalog, as of a moment (since_ms less the time uploads are
 * kept). An object goes when it is not needed and was neither put in place nor touched since:
 * whoever makes a version touches its objects first (store/held.h), under the lock that the drop
 * holds, too. So an object of a version that is being made while we walk stays. A crash in between
 * leaves more than is needed, never less.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_CHORES_COLLECT_H
#define STORE_CHORES_COLLECT_H

#include "store/held.h"
#include "world/letters.h"

enum { OBJECT_FOLDERS = 256 };

struct collect {
  const struct datadir *dir;
  int64_t since_ms;
  struct digest *needed; /* ascending, each once */
  unsigned char *seen;   /* one byte each */
  uint32_t n_needed;
  /* Results: */
  uint64_t objects, bytes, uploads, marks;
};

/* Takes the digests, which need no order. */
void collect_begin(struct collect *collect, const struct datadir *dir, struct digest *digests,
                   uint32_t n, int64_t since_ms);
/* One of OBJECT_FOLDERS; what cannot be read is left alone. */
void collect_folder(struct collect *collect, uint32_t folder);
/* Uploads and marks of all tenants; of those n what goes is given back to their meters. */
void collect_sweep(struct collect *collect, const struct ref_meter *meters, uint32_t n);
/* After all folders: the next object from *at on that is needed and not there; false: none. */
bool collect_missing(const struct collect *collect, uint32_t *at, struct digest *digest);
void collect_end(struct collect *collect);

#endif
