/* seal.h - models and versions as worlds hold them: laid out, counted, shared by every world in
 * which they did not change.
 * Thread: control builds and drops; any reads, once they are in a world.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_SEAL_H
#define WORLD_SEAL_H

#include "world/tenant.h"
#include "world/tree.h"

enum { WORLD_BYTES_MAX = 1 << 30 };

/* One model. Its versions are a tree of their own, so that one that changes among 100,000 is laid
 * out alone, too. */
struct sealed_model;

/* What of a model is to be laid out. */
struct model_plan {
  /* `planned`: the versions that are to be laid out anew, ascending by number; `copy`, when there
   * is one, behind them. `stable`, `previous`, `arms[].version` and `release->shadow` point there,
   * too. Pointers may lead anywhere, all is copied. */
  const struct model *model;
  const struct sealed_model *before; /* has the other versions; NULL: there are none */
  const uint32_t *gone;              /* numbers of versions that it has no more */
  uint32_t n_gone;
  /* Called with `arg` by whoever drops the last holder. NULL: nobody wants to know. */
  void (*left)(void *arg);
  void *arg;
};

/* One holder: the caller. Never fails but for WORLD_BYTES_MAX. */
struct sealed_model *model_seal(const struct model_plan *plan);
const struct model *sealed_model_lend(const struct sealed_model *sealed);

/* The same as one that trees hold, and back; the model in one that is there. */
struct kept *sealed_model_kept(struct sealed_model *sealed);
struct sealed_model *sealed_model_of(struct kept *kept);

/* Adds up over models; 0 for one without a release that is a flag. Another number when an
 * evaluation of its flag may give something else. */
uint64_t model_flag_mix(const struct model *model);

#endif
