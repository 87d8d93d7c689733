/* part.h - one tenant as worlds hold it: a part. The next part of a tenant shares with the one
 * before what did not change: a change among 100,000 models lays out one model and the nodes on the
 * way to it (tree.h, trie.h).
 * Thread: control builds, shares and drops; any reads, once it is in a world.
 *
 *   world_part_next --put, cut--> part --world_build--> world     (nobody changes it from then on)
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_PART_H
#define WORLD_PART_H

#include "world/seal.h"

struct world_part;

/* One holder: the caller. Without models. Never fails but for WORLD_BYTES_MAX. */
struct world_part *world_part_new(const struct tenant *head, const unsigned char hash_key[16]);
/* All of the one before. head: what it is now, its models are not looked at; NULL: as before. */
struct world_part *world_part_next(const struct world_part *before, const struct tenant *head);
/* A part that is in no world yet: taken, in the stead of the model of that name. */
void world_part_put(struct world_part *part, struct sealed_model *sealed);
void world_part_cut(struct world_part *part, struct slice name); /* it may not be there */
void world_part_stock(struct world_part *part, uint64_t n_stored, uint64_t bytes);

/* A plan's tenant with all its models, at once. */
struct world_part *world_part_build(const struct tenant *plan, const unsigned char hash_key[16]);
struct world_part *world_part_share(struct world_part *part);
void world_part_drop(struct world_part *part);

const struct tenant *world_part_tenant(const struct world_part *part);
/* Lent; NULL: there is none of that name. */
struct sealed_model *world_part_model(const struct world_part *part, struct slice name);

#endif
