/* control_int.h - what the parts of control share. Inside the control room only.
 * Thread: control.
 *
 * A change is a command on its way, or a switch taken up again after a restart:
 *
 *   push, retire        APPENDING ---------------------------------------> SETTLING --> answered
 *   switch, wait        LOADING --ready--> APPENDING (deployed) ----------> SETTLING --> answered
 *                          \--failed--> APPENDING (refused) -------------------------> answered
 *   switch, no wait     APPENDING (asked) --> answered; then as above, with nobody to answer
 *
 * An event the scribe could not write (a full disk) although its change is promised already is
 * tried again with every pulse: RETRYING.
 * APPENDING: an event is with the scribe. Until it is home no other command of the same model (its
 * name without regard to case) or with the same key is looked at: it waits in `waiting`, in order.
 * So a decision never rests on something undecided.
 * SETTLING: durable and folded; the answer waits until every loop has the world that shows it.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_CONTROL_INT_H
#define CONTROL_CONTROL_INT_H

#include "control/command.h"
#include "control/control.h"
#include "control/publish.h"
#include "control/pulse.h"

enum change_state { CHANGE_LOADING, CHANGE_APPENDING, CHANGE_RETRYING, CHANGE_SETTLING };

struct change {
  struct link link; /* control->changes */
  enum change_state state;
  struct letter_command *command; /* to be answered, and more who asked the same, linked by
                                   * mail.next; NULL: nobody waits */
  struct slice key;               /* the first command's idempotency key; in append.arena */
  /* A switch; model NULL: no switch. */
  struct catalog_model *model;
  struct placed *placed;
  enum event_kind effect; /* EVENT_NONE: it serves already and only has to be ready */
  bool asking;            /* the ASKED event is being appended, loading comes after */
  bool asked;             /* it is in the ledger: this change is promised */
  bool refusing;          /* the REFUSED event is being appended */
  struct err err;         /* refusing: the answer */
  uint32_t version;
  uint64_t seq;
  uint64_t round; /* SETTLING: answered when this pulse is done; 0: its world is not out yet */
  struct letter_append append; /* its arena lives as long as the change */
};

struct control {
  struct control_opts opts;
  const struct post *post;
  struct mailbox box;
  struct catalog *catalog;
  struct place place;
  struct publish publish;
  struct pulse pulse;
  struct link changes;
  struct mail *waiting, **waiting_end; /* commands, oldest first */
  struct mail *stats_now;              /* LETTER_STATS that the pulse under way answers */
  struct mail *stats_later;            /* and the one after */
  int64_t now_us, wall_ms;
  bool started; /* the first turn is over */
  bool dirty;   /* catalog or place changed since the newest world */
  bool ready;   /* said once; stays */
  bool draining, stopping, stopped;
  bool last_world_out;
  bool late; /* stopped with something still under way */
  int64_t stop_by_us;
  uint32_t appends_out;
};

/* change.c */
void change_command(struct control *control, struct letter_command *command);
void change_append_home(struct control *control, struct letter_append *letter);
void change_placed(struct control *control, struct placed *placed);       /* READY or FAILED */
void change_resume(struct control *control, struct catalog_model *model); /* asked before a crash */
void change_tenant(struct control *control, struct slice name); /* creates one; nobody waits */
/* After a world has gone out: the changes it shows wait for a pulse only. */
void change_shown(struct control *control);
/* After a pulse has come home: answers what waited for it. */
void change_pulse_done(struct control *control);
/* Once a second: writes again what the scribe refused although it is promised. */
void change_retry(struct control *control);
/* Nobody is left to answer: lets go of everything. */
void change_abandon(struct control *control);
/* Answers everything that waits for a load with E_DRAINING; appends under way are left to
 * finish. */
void change_stop(struct control *control);

#endif
