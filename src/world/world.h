/* world.h - the frozen form of the catalog: everything a request reads.
 * Thread: any, once sealed. Control builds one aside, seals it, mails it to every loop and desk;
 * each holder leases it (letters.h, letter_world) and mails the lease back when its last call on it
 * ends; when the last lease is home control frees it whole. Nobody writes into a world, so reading
 * it takes no lock, no atomic and no reference count. See docs/essays/why-worlds.md.
 *
 *   plan (control's arrays) --world_build--> world --letters--> loops, desks --leases--> world_free
 *
 * What a tenant has is a part (part.h), sealed too: worlds share the parts that did not change
 * between them, and the tables of names where nobody came or went. So a change of one tenant among
 * ten thousand lays out one part, and of that only what changed. Control counts who shares what
 * (control/publish.c); for these counts, build and free belong to one thread.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_WORLD_H
#define WORLD_WORLD_H

#include "world/part.h"
#include "world/guard/pressure.h"

struct world;

/* What control wants the next world to hold; pointers may lead anywhere, all is copied. Models'
 * `planned`, `stable`, `previous`, `arms[].version` and `release->shadow` must point into that
 * model's own array. */
struct world_plan {
  const struct tenant *tenants; /* or, in its place: */
  struct world_part *const *parts; /* lent: they outlive the world */
  uint32_t n_tenants;
  const struct world *before; /* its tables are shared where they fit; or NULL */
  uint32_t n_slots; /* version slots in use: tallies have this many */
  uint32_t n_releases; /* release slots in use: the same */
  bool ready;       /* what /readyz says: every model that should serve does */
  bool draining;
  uint32_t pressure; /* bits of what is done about it (guard/pressure.h) */
  unsigned char hash_key[16];
};

/* Never fails but for WORLD_BYTES_MAX (a bug of control's limits: crashes). */
struct world *world_build(const struct world_plan *plan, uint64_t serial);
void world_free(struct world *world);

uint64_t world_serial(const struct world *world);
bool world_ready(const struct world *world);
bool world_draining(const struct world *world);
/* Whether this is done just now. */
bool world_presses(const struct world *world, enum pressure_action action);
uint32_t world_slots(const struct world *world);
uint32_t world_releases(const struct world *world);
uint32_t world_tenants(const struct world *world);
const struct tenant *world_tenant_at(const struct world *world, uint32_t index);

/* NULL when unknown. Names are compared byte for byte. */
const struct tenant *world_tenant(const struct world *world, struct slice name);
const struct model *world_model(const struct world *world, const struct tenant *tenant,
                                struct slice name);

/* The tenant of that slot. */
const struct tenant *world_tenant_slot(const struct world *world, uint32_t slot);

/* The key with this id and whose it is; NULL when there is none, or it was revoked. Whether the
 * caller has it (its hash), and still (expires_ms), is the caller's to look at. */
const struct key *world_key(const struct world *world, struct slice id,
                            const struct tenant **tenant);

/* Built and freed since start, for the race storm's balance. */
uint64_t world_count_built(void);
uint64_t world_count_freed(void);

#endif
