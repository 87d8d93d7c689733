/* parcel.h - uploads that may be resumed: DATA/uploads/TENANT/ID-DIGEST-BYTES, a file that grows.
 * Thread: desks; whoever has one open has its lock, and no other desk writes it meanwhile.
 *
 *   parcel_make --> id --parcel_open--> offset --parcel_add*--> parcel_sync   (resumed later)
 *                                                          \--> parcel_end    (an object now)
 *
 * What is in the file is what the client knows of: after each part it is synced before it is
 * acknowledged. Whoever declares digest and size gets the unfinished upload of these back, so a
 * client that lost everything but the file goes on where it was. A tenant has PARCELS_MAX at most;
 * what nobody has written to for as long as uploads are kept is swept.
 * Source: draft-ietf-httpbis-resumable-upload (offset, completeness); robustness rules, section 10.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_PARCEL_H
#define STORE_PARCEL_H

#include "store/artifact.h"

struct parcel;

enum { PARCEL_ID_LEN = 32, PARCELS_MAX = 16 };

/* What the client said the whole will be. */
struct parcel_want {
  bool has_digest;
  struct digest digest;
  uint64_t bytes; /* UINT64_MAX: not said */
};

/* A fresh one, or the unfinished one of the same tenant, digest and size. E_LIMIT_EXCEEDED: the
 * tenant has PARCELS_MAX; E_BODY_TOO_LARGE; E_STORAGE_FULL. */
CHECKED enum code parcel_make(const struct datadir *dir, struct slice tenant,
                              const struct parcel_want *want, char id[PARCEL_ID_LEN + 1],
                              struct err *err);
/* E_NOT_FOUND: no such upload of this tenant; E_CONFLICT: somebody is writing it. dir must outlive
 * it. */
CHECKED enum code parcel_open(struct parcel **parcel, const struct datadir *dir,
                              struct slice tenant, struct slice id, struct err *err);
void parcel_close(struct parcel *parcel); /* what was added stays; NULL is fine */
uint64_t parcel_offset(const struct parcel *parcel);
const struct parcel_want *parcel_wanted(const struct parcel *parcel);
/* E_BAD_SIZE past what was said, E_BODY_TOO_LARGE past ARTIFACT_BYTES_MAX. */
CHECKED enum code parcel_add(struct parcel *parcel, struct slice bytes, struct err *err);
CHECKED enum code parcel_sync(struct parcel *parcel, struct err *err);
/* All bytes are there: hashed, compared with what was said, put in place. Frees it. With E_BAD_SIZE
 * (fewer than were said) it can go on; with E_INVALID_ARGUMENT (another digest) it is gone. */
CHECKED enum code parcel_end(struct parcel *parcel, struct digest *digest, uint64_t *bytes,
                             struct err *err);
/* Away, with so many bytes. E_NOT_FOUND, E_CONFLICT. */
CHECKED enum code parcel_drop(const struct datadir *dir, struct slice tenant, struct slice id,
                              uint64_t *bytes, struct err *err);

#endif
