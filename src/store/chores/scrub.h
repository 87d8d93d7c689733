/* scrub.h - every object read again and compared with its name, a little at a time.
 * Thread: janitor.
 * What is rotten is remembered for the pass, at most ROTTEN_MAX of them; the rest is counted.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_CHORES_SCRUB_H
#define STORE_CHORES_SCRUB_H

#include "store/chores/collect.h"

enum { ROTTEN_MAX = 1024, SCRUB_STEP_BYTES = 1 << 20 };

struct scrub;

enum scrub_step { SCRUB_MORE, SCRUB_ROTTEN, SCRUB_DONE };

/* A pass over all objects. dir must outlive it. */
struct scrub *scrub_new(const struct datadir *dir);
void scrub_free(struct scrub *scrub); /* NULL is fine */
/* Reads at most SCRUB_STEP_BYTES. ROTTEN: *digest is the name of an object whose bytes are others.
 * *bytes: how many were read. */
enum scrub_step scrub_step(struct scrub *scrub, struct digest *digest, uint64_t *bytes);
uint32_t scrub_folder(const struct scrub *scrub); /* 0 to OBJECT_FOLDERS: how far it is */
void scrub_count(const struct scrub *scrub, uint64_t *objects, uint64_t *bytes, uint64_t *rotten);
/* Whether this pass found it rotten; true for all when there were more than are remembered. */
bool scrub_found(const struct scrub *scrub, const struct digest *digest);

#endif
