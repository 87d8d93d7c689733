/* publish.h - from catalog and place to a world in everybody's hands, and its memory back.
 * Thread: control.
 *
 * One book per world: who holds a lease, which sealed parts it is made of. A sealed part is one
 * tenant as a request sees it and the versions it names; it serves world after world until the
 * tenant is touched (publish_touch), and is freed with the last book that has it: then the versions
 * it named have one world fewer to stay in memory for.
 * Invariants: worlds built = worlds freed + books open; a part nobody touched is what would be laid
 * out anew (publish_check, in the simulations).
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_PUBLISH_H
#define CONTROL_PUBLISH_H

#include "control/place.h"
#include "control/release/run.h"

struct publish {
  const struct post *post;
  struct place *place;
  const struct runs *runs;
  struct arena scratch; /* the plan of the world being built */
  struct link books;    /* worlds with a lease out, oldest first */
  uint32_t n_books;
  struct sealed **sealed; /* by the tenant's slot; NULL: to be laid out for the next world */
  uint32_t sealed_cap;
  uint64_t serial;
  unsigned char hash_key[16];
};

/* What the next world says beside the catalog. */
struct publish_flags {
  bool ready, draining;
  bool empty; /* no tenants: the last world, so that every version can leave */
};

void publish_init(struct publish *publish, const struct post *post, struct place *place,
                  const struct runs *runs, const unsigned char hash_key[16]);
/* Every holder has been joined: what they still held is freed. Returns how many worlds that
 * were. */
uint32_t publish_deinit(struct publish *publish);

/* Something about the tenant has changed that a world shows. */
void publish_touch(struct publish *publish, const struct catalog_tenant *tenant);
/* For tests: every part that the next world would take over says what a new one would. */
void publish_check(struct publish *publish, const struct catalog *catalog);
/* Builds the world and mails it to every loop and desk. Tallies with place->n_slots slots are with
 * the loops already. */
void publish_world(struct publish *publish, const struct catalog *catalog,
                   struct publish_flags flags);
void publish_lease_home(struct publish *publish, struct letter_world *letter);
/* The serial of the oldest world that a desk may still answer from: a desk mails its lease home as
 * soon as it reads of a newer world. (Loops keep theirs for calls under way: pulse.h tells what
 * they have seen.) */
uint64_t publish_desks_saw(const struct publish *publish);

#endif
