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
 * p-DIGEST-BYTES: these bytes count although no version names them (world/meter.h, pending): they
 * came and wait for one, or the last version that named them was removed, and they lie here still.
 * It is made once however often they come or go, and whoever takes it away gives them back: the
 * version that names them, or the janitor, when the mark of possession is old, too, as the object
 * itself is then. So the count is what the marks say, and is made again from them at a start; where
 * a crash was faster than a mark, one is made then of what is possessed and named by nobody.
 * k-KEY, a symbolic link that leads nowhere: with which bytes an Idempotency-Key came (its text: 32
 * digits of their digest); the same key with other bytes is refused. One step makes it whole, and
 * one reads it. A tenant has at most HELD_KEYS_MAX of them, then a new key is refused until old
 * ones are swept.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_HELD_H
#define STORE_HELD_H

#include "base/hash.h"
#include "store/datadir.h"
#include "world/meter.h"

enum { HELD_KEYS_MAX = 100000, TENANT_FOLDER_LEN = 32 };

/* The name of a tenant's folder, and a NUL. */
void tenant_folder_name(struct slice tenant, char name[TENANT_FOLDER_LEN + 1]);
/* Opens it below dir_fd, making it where that is asked for; -1 and errno. */
int tenant_folder_open(int dir_fd, struct slice tenant, bool make);

/* So many bytes came for the object and were counted: they wait from now on. Those that waited
 * already are given back to the meter (NULL: nobody counts). On an error they stay counted.
 * Durable with the held_add that follows. */
CHECKED enum code held_wait(const struct datadir *dir, struct slice tenant,
                            const struct digest *digest, uint64_t bytes, struct meter *meter,
                            struct err *err);
bool held_waits(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                uint64_t bytes);
/* A version names them: they wait no longer. */
void held_named(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                uint64_t bytes, struct meter *meter);
/* Durable when it returns OK. key: the request's Idempotency-Key, or empty: E_IDEMPOTENCY_MISMATCH
 * when it came with other bytes before, E_LIMIT_EXCEEDED when there are too many; then nothing is
 * marked. */
CHECKED enum code held_add(const struct datadir *dir, struct slice tenant,
                           const struct digest *digest, struct slice key, struct meter *meter,
                           struct err *err);
/* Marks the key alone, before the bytes are there. */
CHECKED enum code held_key(const struct datadir *dir, struct slice tenant, struct slice key,
                           const struct digest *digest, struct meter *meter, struct err *err);
/* The size of an object that the tenant has uploaded; it stays for as long as uploads are kept from
 * now. E_NOT_FOUND: never, or too long ago, or another tenant did. */
CHECKED enum code held_find(const struct datadir *dir, struct slice tenant,
                            const struct digest *digest, uint64_t *bytes, struct err *err);

/* Whether it is there, and how large, as held_find, but nothing stays any longer for it. */
CHECKED enum code held_look(const struct datadir *dir, struct slice tenant,
                            const struct digest *digest, uint64_t *bytes, struct err *err);

/* The janitor's: the last version that named them was removed, and their bytes were counted. The
 * mark is as old as since_ms says, so that a collection under way leaves it and the next one takes
 * it, unless the tenant had the object in its hands since. Not durable: see held_count. */
void held_freed(const struct datadir *dir, struct slice tenant, const struct digest *digest,
                uint64_t bytes, int64_t since_ms, struct meter *meter);
/* At a start, main: what waits, which keys there are, uploads that resume: into the meter. is_named
 * says whether a version of the tenant names an object. */
void held_count(const struct datadir *dir, struct slice tenant, struct meter *meter,
                bool (*is_named)(void *of, const struct digest *digest), void *of);
/* The janitor's: marks of a tenant's folder that are older (Unix ms) go, and what they stood for is
 * given back to the meter (NULL: nobody counted). How many went. */
uint64_t held_sweep(const struct datadir *dir, const char *folder, int64_t since_ms,
                    struct meter *meter);

#endif
