/* publish.h - from catalog and place to a world in everybody's hands, and its memory back.
 * Thread: control.
 *
 * One book per world: who holds a lease, which parts it is made of. A part is one tenant as a
 * request sees it (world/part.h); the next world takes it over as it is, or, where something of
 * the tenant was touched (publish_touch), makes the next part of it: with the models that were
 * touched laid out anew, and all others shared. A sealed model keeps the versions it names in
 * memory until the last part that has it is gone.
 * Invariants: worlds built = worlds freed + books open; what nobody touched is what would be laid
 * out anew (publish_check, in the simulations).
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_PUBLISH_H
#define CONTROL_PUBLISH_H

#include "control/layout.h"

/* Something to be laid out anew. Ordered by tenant, model, version. */
struct touch {
  uint32_t tenant, model; /* slots; TOUCH_HEAD: what lies in the tenant itself */
  uint32_t version;       /* number; TOUCH_ALL: every version */
};

#define TOUCH_HEAD UINT32_MAX
#define TOUCH_ALL UINT32_MAX

struct publish {
  const struct post *post;
  struct place *place;
  const struct runs *runs;
  struct arena scratch; /* the plan of the world being built */
  struct link books;    /* worlds with a lease out, oldest first */
  uint32_t n_books;
  struct world_part **parts; /* of the newest world, by the tenant's slot; NULL: it has none */
  uint32_t parts_cap;
  struct touch *touches; /* since the newest world */
  uint32_t n_touches, touches_cap;
  uint64_t serial;
  unsigned char hash_key[16];
};

/* What the next world says beside the catalog. */
struct publish_flags {
  bool ready, draining;
  uint32_t pressure;
  bool empty; /* no tenants: the last world, so that every version can leave */
};

void publish_init(struct publish *publish, const struct post *post, struct place *place,
                  const struct runs *runs, const unsigned char hash_key[16]);
/* Every holder has been joined: what they still held is freed. Returns how many worlds that
 * were. */
uint32_t publish_deinit(struct publish *publish);

/* Something has changed that a world shows: of the model itself and, where a version is said, of
 * that one (TOUCH_ALL: of any). Versions that have a place are looked at with their model. */
void publish_touch(struct publish *publish, const struct catalog_model *model, uint32_t version);
/* The same of what lies in the tenant itself: keys, flags, limits; it may have been removed. */
void publish_touch_tenant(struct publish *publish, const struct catalog_tenant *tenant);
/* For tests: what the next world would take over says what a new one would. */
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
/* The serial of the oldest world that anybody has. */
uint64_t publish_oldest(const struct publish *publish);

#endif
