/* card.h - what people say of models and versions, as flags of commands.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_REGISTRY_CARD_H
#define CLI_REGISTRY_CARD_H

#include <jansson.h>

#include "cli/command.h"

#define CARD_OPTS                                                                     \
  {"description", 0, OPT_TEXT, "TEXT", "what it is"},                                 \
      {"tags", 0, OPT_TEXT, "LIST", "team=fraud,tier=1; a name with nothing behind the = goes"}
#define LINEAGE_OPTS                                                                  \
  {"run", 0, OPT_TEXT, "TEXT", "what made this version: a run of training"},          \
      {"data", 0, OPT_TEXT, "TEXT", "of what data"},                                  \
      {"parent", 0, OPT_TEXT, "V", "from which version it was made"}

/* Into the body what the flags say; "" takes a member away (null). E_INVALID_ARGUMENT. */
CHECKED enum code card_flags(const struct args *args, bool lineage, json_t *body, struct err *err);

#endif
