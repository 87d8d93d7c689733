/* control_int.h - what the parts of control share. Inside the control room only.
 * Thread: control.
 *
 * A change (control/change.h) is a command on its way, or a switch taken up again after a restart.
 * While its events are with the scribe, no other command of the same model (its name without regard
 * to case) or with the same key is looked at: it waits behind the change, in the order it came. So
 * a decision never rests on something undecided.
 *
 *   intake   a command comes: it waits, joins, is answered, or becomes a change
 *   drive    a change gets news: one step of its table, and what that says is to be done
 *   switch   versions on their way into memory
 *   append   events on their way to the scribe
 *   release/ what runs as a release: judged, moved, recorded
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_CONTROL_INT_H
#define CONTROL_CONTROL_INT_H

#include "base/rand.h"
#include "control/change.h"
#include "control/command.h"
#include "control/control.h"
#include "control/notify.h"
#include "control/publish.h"
#include "control/pulse.h"
#include "control/release/run.h"

struct control {
  struct control_opts opts;
  const struct post *post;
  struct mailbox box;
  struct catalog *catalog;
  struct place place;
  struct publish publish;
  struct pulse pulse;
  struct runs runs;
  struct link changes;
  struct link trips; /* breakers that are not closed */
  uint64_t n_trips;  /* openings ever */
  struct rand chance;
  struct pressure pressure;
  bool memory_high; /* as webhooks were told last */
  uint8_t lag_percent, lag_before, lag_next; /* in force; of the last pulse, of this one */
  const struct event *first_key; /* NULL: none is to be added */
  struct mail *owed;             /* LETTER_NOTIFY of the process before, until the first turn */
  struct ahead ahead[NOTES_AHEAD_MAX];
  uint64_t n_ahead;              /* ever: the next one's place */
  struct mail *stats_now;        /* LETTER_STATS that the pulse under way answers */
  struct mail *stats_later;      /* and the one after */
  int64_t now_us, wall_ms;
  /* The clock of releases: now_us less what this process slept. Control never waits for more than
   * one and a half pulses, so it was stopped, or its machine was, where far more have passed: that
   * is no time in which a version proved itself. */
  int64_t lived_us;
  bool started; /* the first turn is over */
  bool unshown; /* something changed since the newest world: control_touch */
  bool ready;   /* said once; stays */
  bool draining, stopping, stopped;
  bool last_world_out;
  int64_t world_us; /* when the newest went out */
  int64_t pulsed_us; /* when what is done once a second was */
  bool late; /* stopped with something still under way */
  int64_t stop_by_us;
  struct letter_snapshot snapshot; /* the newest; its bytes while it is out */
  bool snapshot_out;
  uint32_t appends_out, predictions_out, measures_out, checks_out, notices_out;
  uint32_t loops_silent; /* in the round that closed last */
  uint32_t measures;     /* questions put so far: desks take turns */
  int64_t handed_ms;     /* what was answered before this is with the scribe */
  int64_t written_ms;    /* or home again: 0: nothing yet */
  uint64_t predictions_kept, predictions_dropped; /* by the scribe, since start */
};

/* Something about this model, or that version of it, has changed that a world shows: the next one
 * lays it out anew (publish_touch). Who changes what a world shows and forgets to say so leaves
 * loops with the old: publish_check finds it in the simulations. */
void control_touch(struct control *control, const struct catalog_model *model, uint32_t version);

/* --- intake.c --------------------------------------------------------------------------------- */

void command_take(struct control *control, struct letter_command *command);
/* Commands that waited: looked at now, in the order they came. end: where the last one's next
 * is. */
void commands_release(struct control *control, struct mail *first, struct mail **end);
/* Once a second: where the scribe has been at a change for long, who waits behind it is refused,
 * but for those whose commands protect. Source: robustness rules ST-108, ST-113. */
void commands_shed(struct control *control, struct change *change);
void command_answer(struct letter_command *command, const struct err *err, uint32_t version,
                    uint64_t seq);

/* --- drive.c ---------------------------------------------------------------------------------- */

/* In STATE_START. command: NULL, nobody waits. */
struct change *change_new(struct control *control, enum change_kind kind,
                          struct letter_command *command);
/* One step. why: the reason of news that have one, else NULL. The change may be gone afterwards. */
void change_news(struct control *control, struct change *change, enum change_news news,
                 const struct err *why);
/* An append about the model is out: events of another would not know of it. */
bool change_writes(const struct control *control, const struct catalog_model *model);
/* With its err; nobody waits from then on. */
void change_answer(struct control *control, struct change *change);
void change_shown(struct control *control); /* nothing has changed since the newest world */
void change_seen(struct control *control);  /* ends those that every loop and desk has seen */
void change_pulse(struct control *control); /* once a second: what is late is tried again */
/* Ends what is not with the scribe; what is, is left to finish. */
void change_stop(struct control *control);
/* Nobody is left to answer: lets go of everything. */
void change_abandon(struct control *control);

/* --- switch.c --------------------------------------------------------------------------------- */

/* The switch of this model that is under way; NULL: none. */
struct change *switch_of(struct control *control, const struct catalog_model *model);
bool switch_load(struct control *control, struct change *change); /* true: it is in memory now */
void switch_leave(struct control *control, struct change *change);
void switch_placed(struct control *control, struct placed *placed);       /* READY or FAILED */
void switch_resume(struct control *control, struct catalog_model *model); /* asked, not decided */

/* --- outcome.c -------------------------------------------------------------------------------- */

/* Whether loops are to remember from the next tally on: a release is judged by outcomes, or a model
 * in memory has a window for them. */
void predictions_want(struct control *control);
/* What a loop remembered goes on to the scribe; the tally has it no more. NULL is fine. */
void predictions_send(struct control *control, struct tally *tally);
/* A round is over that began at began_us: all that was answered before has been sent. */
void predictions_handed(struct control *control, int64_t began_us);
void predictions_home(struct control *control, struct letter_predictions *letter);

/* --- append.c --------------------------------------------------------------------------------- */

/* The change's event about its model: the wish, the effect, the refusal. */
void append_ask(struct change *change);
void append_write(struct change *change);
void append_refuse(struct change *change);
void append_send(struct control *control, struct change *change); /* the events that are there */
void append_fold(struct control *control, struct change *change);
void append_home(struct control *control, struct letter_append *letter);
/* Creates a tenant, its first key (control_first_key), or both; nobody waits. */
void append_tenant(struct control *control, struct slice name, const struct event *first_key);

#endif
