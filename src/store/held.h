/* held.h - which tenant uploaded which object: only who had the bytes may name them by their
 * digest.
 * Thread: desks mark and look, the janitor sweeps.
 *
 * Objects are shared by all tenants, their digests are no secret, and a manifest names files by
 * digest alone. So each upload leaves a mark, DATA/held/TENANT/DIGEST, an empty file (TENANT is 32
 * digits of a hash, no name). A version may be made of marked files only; whether another tenant
 * has the same bytes shows nowhere: an upload of them costs the same, and without a mark the answer
 * is the one for bytes that nobody has. Marks go when they are older than uploads are kept; then
 * the file is uploaded again.
 * An upload with an Idempotency-Key leaves a second mark, k-KEY-DIGEST: the same key with other
 * bytes is refused.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_HELD_H
#define STORE_HELD_H

#include "base/hash.h"
#include "store/datadir.h"

/* Opens it below dir_fd, making it where that is asked for; -1 and errno. */
int tenant_folder_open(int dir_fd, struct slice tenant, bool make);

/* Durable when it returns OK. key: the request's Idempotency-Key, or empty: E_IDEMPOTENCY_MISMATCH
 * when it came with other bytes before; then nothing is marked. */
CHECKED enum code held_add(const struct datadir *dir, struct slice tenant,
                           const struct digest *digest, struct slice key, struct err *err);
/* Marks the key alone, before the bytes are there. */
CHECKED enum code held_key(const struct datadir *dir, struct slice tenant, struct slice key,
                           const struct digest *digest, struct err *err);
/* The size of an object that the tenant has uploaded; it stays for as long as uploads are kept from
 * now. E_NOT_FOUND: never, or too long ago, or another tenant did. */
CHECKED enum code held_find(const struct datadir *dir, struct slice tenant,
                            const struct digest *digest, uint64_t *bytes, struct err *err);

#endif
