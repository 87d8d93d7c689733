/* layout.h - what a world is to say of a model or a tenant, as a plan that leads into catalog,
 * place and scratch memory.
 * Thread: control. Reads only.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_LAYOUT_H
#define CONTROL_LAYOUT_H

#include "control/place.h"
#include "control/release/run.h"

struct layout {
  const struct place *place;
  const struct runs *runs;
  uint32_t n_loops;
  struct arena *scratch; /* the caller's to empty */
};

/* Versions of one model. */
struct layout_pick {
  uint32_t *numbers, n;   /* to be laid out, ascending */
  uint32_t *gone, n_gone; /* not there any more */
};

/* Those that may say something else than they did, given the numbers of those that were touched
 * (any order; others than versions are passed over). touched NULL: all there are. */
void layout_pick(const struct layout *layout, const struct catalog_model *from,
                 const uint32_t *touched, uint32_t n, struct layout_pick *pick);
/* Its plan: with the versions that were picked. */
void layout_model(const struct layout *layout, const struct catalog_model *from,
                  const struct layout_pick *pick, struct model *to);
/* Its plan without its models. */
void layout_tenant(const struct layout *layout, const struct catalog_tenant *from,
                   struct tenant *to);
/* A world that names the version sends tasks to its lanes: it stays in memory for it. */
bool layout_names(const struct placed *placed);

#endif
