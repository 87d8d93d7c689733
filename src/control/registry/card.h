/* card.h - what people say of a model or a version: one small JSON object, canonical.
 * Thread: any, pure.
 *
 *   {"data":"s3://...","description":"...","hold":"case 17","parent":3,"run":"nightly/812",
 *    "tags":{"team":"fraud"}}
 *
 * Members that say nothing are left out, names are in byte order, so equal cards are equal texts.
 * run, data and parent (a version of the same model) are of versions only: where it comes from.
 * hold: why it must not be removed. pin, of models only: why it must stay in memory. A patch is
 * such an object with null for what is to go (RFC 7386); a tag that it does not name stays.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_REGISTRY_CARD_H
#define CONTROL_REGISTRY_CARD_H

#include "base/arena.h"
#include "base/err.h"

enum {
  CARD_BYTES_MAX = 16 << 10,
  CARD_TEXT_MAX = 4096, /* description */
  CARD_LINE_MAX = 512,  /* hold, run, data */
  TAGS_MAX = 64,
  TAG_KEY_MAX = 128,
  TAG_VALUE_MAX = 4096,
};

enum card_of { CARD_OF_MODEL, CARD_OF_VERSION };

/* What slipway itself reads in a card; empty and 0: nothing. */
struct card_said {
  struct slice hold, pin;
  uint32_t parent;
};

/* The card (empty: none) with the patch applied; *to is empty when nothing is left to say. Memory:
 * arena. E_INVALID_ARGUMENT, E_WRONG_TYPE, E_VALUE_OUT_OF_RANGE with the member's name,
 * E_LIMIT_EXCEEDED past CARD_BYTES_MAX. */
CHECKED enum code card_patch(struct slice card, struct slice patch, enum card_of of,
                             struct arena *arena, struct slice *to, struct card_said *said,
                             struct err *err);

#endif
