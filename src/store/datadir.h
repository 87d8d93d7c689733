/* datadir.h - the one folder everything durable lives in, and the lock that makes it ours.
 * Thread: main opens and closes it; the descriptors are read by scribe, desks and jobs.
 *
 *   DATA/lock        flocked for life: a second daemon is refused
 *   DATA/ledger.db   SQLite: events, hash-chained (store/ledger.h); -wal and -shm beside it
 *   DATA/snapshot    what the ledger comes to, up to some event: a cache (store/snapshot.h)
 *   DATA/audit.key   what checkpoints are signed with (store/witness.h)
 *   DATA/head        newest change acknowledged: tells when the ledger has lost its end
 *   DATA/reserve     bytes given up when the disk is full, so that a rollback can still be written
 *   DATA/objects/    artifacts by digest: "ab/abcdef..." (store/artifact.h)
 *   DATA/pepper      what API keys are hashed with (store/secret.h)
 *   DATA/admin.key   the key made at the first start, for whoever may read this folder
 *   DATA/crashes     which versions ran when the process died (src/crashes.h)
 *   DATA/staging/    uploads not yet whole; swept at start
 *   DATA/uploads/    uploads that may be resumed, by tenant (store/parcel.h); swept by age
 *   DATA/held/       which tenant uploaded which object lately (store/held.h); the same
 *
 * Everything is opened below a directory descriptor with O_NOFOLLOW and O_CLOEXEC, folders are 0700
 * and files 0600: a symlink planted inside is refused.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_DATADIR_H
#define STORE_DATADIR_H

#include "base/err.h"

struct datadir {
  char path[4096]; /* absolute, no symlink in it (PATH_MAX bytes, for realpath) */
  int fd, lock_fd, objects_fd, staging_fd, held_fd, uploads_fd;
};

/* Makes what is missing (parents, too), locks, sweeps staging. Errors: E_CONFLICT when another
 * daemon has it, E_DENIED, E_STORAGE_FULL, E_UNAVAILABLE. Nothing stays open on failure.
 * Source: robustness rules ST-103, ST-107, ST-112, ST-115. */
CHECKED enum code datadir_open(struct datadir *dir, const char *path, struct err *err);
void datadir_close(struct datadir *dir);

/* What errno means to a caller of ours: E_STORAGE_FULL, E_DENIED or E_UNAVAILABLE. `what` is a
 * plain word for the text ("the ledger"). */
enum code fail_errno(struct err *err, int error, const char *what);

#endif
