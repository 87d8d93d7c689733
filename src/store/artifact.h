/* artifact.h - files by their content: DATA/objects/ab/abcdef... is the file with that SHA-256.
 * Thread: desks (each stage belongs to one), jobs read. No two threads share a stage; the folder is
 * shared through the kernel only.
 *
 *   stage_new --stage_add*--> stage_commit (hash known, synced, renamed into place)
 *                         \-> stage_abort  (gone)
 *
 * Nothing is visible before its commit: bytes go to DATA/staging, are synced, renamed, and the
 * folders are synced, too. Committing what is there already is fine: the fresh copy takes the old
 * one's place, which heals a rotten one. A failed fsync ends the process (see ledger.h). Staging
 * left by a crash is swept by datadir_open.
 * Source: robustness rules, section 7 (files) and ST-111.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_ARTIFACT_H
#define STORE_ARTIFACT_H

#include "base/hash.h"
#include "store/datadir.h"

struct stage;

#define ARTIFACT_BYTES_MAX ((uint64_t)2 << 30)

/* bytes_max 0: ARTIFACT_BYTES_MAX. dir must outlive the stage. */
CHECKED enum code stage_new(struct stage **stage, const struct datadir *dir, uint64_t bytes_max,
                            struct err *err);
/* E_BODY_TOO_LARGE past bytes_max, E_STORAGE_FULL. After an error only stage_abort is left. */
CHECKED enum code stage_add(struct stage *stage, struct slice bytes, struct err *err);
/* Durable when it returns OK. Frees the stage in any case. */
CHECKED enum code stage_commit(struct stage *stage, struct digest *digest, uint64_t *bytes,
                               struct err *err);
void stage_abort(struct stage *stage); /* NULL is fine */

/* Whether the object is there, and how large. E_NOT_FOUND when not. Its bytes are not checked. */
CHECKED enum code artifact_size(const struct datadir *dir, const struct digest *digest,
                                uint64_t *bytes, struct err *err);
/* A descriptor for reading, the caller's to close. E_NOT_FOUND, E_UNAVAILABLE. */
CHECKED enum code artifact_open(const struct datadir *dir, const struct digest *digest, int *fd,
                                struct err *err);
/* Reads the whole object and compares: E_ARTIFACT_CORRUPT when its bytes are not what its name
 * says. */
CHECKED enum code artifact_verify(const struct datadir *dir, const struct digest *digest,
                                  struct err *err);

#endif
