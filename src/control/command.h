/* command.h - what a command comes to, seen from the catalog alone.
 * Thread: control. Pure: nothing is changed, nothing is sent.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include "control/catalog.h"
#include "world/letters.h"

enum decision_kind {
  DECISION_ANSWER, /* err, version and seq are the answer: refused, replayed or true already */
  DECISION_APPEND, /* write these events; then it is done */
  DECISION_SWITCH, /* get `version` ready, then write an event of kind `effect` */
  DECISION_SAY,    /* the running release hears it (release/say.c) */
};

struct decision {
  enum decision_kind kind;
  struct err err;
  struct catalog_model *model; /* SWITCH, SAY */
  uint32_t version, release;
  uint64_t seq;
  enum event_kind
      effect; /* SWITCH: VERSION_DEPLOYED, ROLLED_BACK; EVENT_NONE: it serves already, it
                           * only has to be ready */
  /* APPEND: views of the command and the catalog, and of the command's arena */
  struct event events[APPEND_EVENTS_MAX];
  struct event *many; /* instead of these, where they are more; else NULL */
  uint32_t n_events;
};

/* decision->err is filled, and is the answer. */
void decision_refuse(struct decision *decision);
void command_decide(const struct catalog *catalog, const struct letter_command *command,
                    struct decision *decision);
/* Whether two requests of one tenant with one key ask for the same: the second is answered like the
 * first. version 0 asks for whatever the first one meant. */
bool command_same(const struct letter_command *one, const struct letter_command *other);

#endif
