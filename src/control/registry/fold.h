/* fold.h - the registry's part of the catalog: cards, aliases, what was removed.
 * Thread: control (main before it starts). Pure.
 *
 *   VERSION_PUSHED           may have the facts of VERSION_SET
 *   MODEL_SET, VERSION_SET   facts card (the whole of it, control/registry/card.h; absent: none),
 *                            hold, pin (its members of these names), patch (what was asked: for
 *                            people)
 *   ALIAS_SET                fact alias; version: where it points now
 *   ALIAS_REMOVED            the same; version: where it pointed
 *   VERSION_REMOVED          its number is never given again
 *   MODEL_REMOVED            all its versions, too. The name may be made again (MODEL_CREATED, in
 *                            the same spelling): numbers of versions and releases go on from where
 *                            they were, so that history stays one line
 *   VERSION_CORRUPT, _SOUND  facts digest, file: what a scrub found
 *   VERSION_QUARANTINED      reason; VERSION_CLEARED takes it back
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_REGISTRY_FOLD_H
#define CONTROL_REGISTRY_FOLD_H

#include "control/catalog.h"

enum { ALIASES_MAX = 32 };

struct catalog_alias {
  struct slice name;
  uint32_t version;
  uint64_t seq;
  int64_t set_ms;
  struct slice set_by;
};

bool registry_event_is(enum event_kind kind);
/* One event of theirs. Nothing has changed on E_INTERNAL. */
CHECKED enum code registry_fold(struct catalog *catalog, struct catalog_model *model,
                                const struct event *event, struct err *err);
/* A version has just been pushed, maybe with a card: facts as of VERSION_SET. */
void version_dress(struct catalog_model *model, struct catalog_version *version,
                   const struct event *event);
/* A number that tells one request about the registry from another; 0: it asks for nothing that
 * other members of the event do not tell. */
uint64_t registry_asked(const struct event *event);
/* A model that was removed is there again, without versions. */
void model_revive(struct catalog_model *model, const struct event *event);

/* NULL: no such alias. */
/* E_QUARANTINED with the way out. The version is there. */
CHECKED enum code version_may_run(const struct catalog_model *model, uint32_t number,
                                  struct err *err);
const struct catalog_alias *catalog_alias(const struct catalog_model *model, struct slice name);
/* The newest version that was not removed; 0: none. */
uint32_t catalog_newest(const struct catalog_model *model);

void registry_free(struct catalog *catalog); /* cards */
void registry_digest(struct sha256 *sha, const struct catalog_model *model);
void registry_version_digest(struct sha256 *sha, const struct catalog_version *version);

#endif
