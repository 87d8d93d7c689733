/* change.h - the way of one change, as a table: pure, no letter is sent here.
 * Thread: control. Pure.
 *
 *   START --SWITCH, READY------------> LOADING --failed---> REFUSING <--> REFUSE_LATER
 *     |                                ^   | \               |             (WISH)
 *     |--WISH--> ASKING --written-----'    |  \              |
 *     |            (now it is answered)  ready `-READY--.    |
 *     |                                    v            v    v
 *     |--PUSH, PLAIN, TENANT----------> WRITING -----> SETTLING --> SHOWN --> ENDED
 *     |                                    ^            ^
 *     |                                    v            |
 *     |                               WRITE_LATER       |
 *     |                              (TENANT, WISH)     |
 *     `--SEEN-------------------------------------------'
 *
 * A WISH that a restart takes up begins with LOADING. A TENANT, and a WISH once it is written down,
 * have nobody who waits: they end where others settle, and what the scribe could not write of them
 * is promised already, so it is tried again LATER.
 * STOPPED ends a change with what it knows by then; one that is with the scribe goes on, for its
 * answer is the ledger's, and ends by WRITTEN_LAST or UNWRITTEN_LAST, which begin nothing new.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_CHANGE_H
#define CONTROL_CHANGE_H

#include "control/place.h"

struct notes; /* control/notify.h */

enum change_kind {
  CHANGE_PUSH,
  CHANGE_PLAIN,  /* events that are there, and what they change shows: all but the others here */
  CHANGE_TENANT, /* creates one, its first key, or both; nobody waits */
  CHANGE_SWITCH, /* a deploy or rollback; who asked waits until it serves */
  CHANGE_WISH,   /* the same, answered when it is written down as asked for; or taken up again after
                  * a restart. Promised from then on */
  CHANGE_READY,  /* it serves by the ledger and only has to be in memory */
  CHANGE_SEEN,   /* it is true already; whoever made it so may still wait for the loops to see it */
  CHANGE_KINDS
};

enum change_state {
  STATE_START,
  STATE_ASKING,       /* the wish is with the scribe */
  STATE_LOADING,      /* the version is on its way into memory */
  STATE_WRITING,      /* what it does is with the scribe */
  STATE_REFUSING,     /* why it cannot be done is with the scribe */
  STATE_WRITE_LATER,  /* the scribe could not; with the next pulse */
  STATE_REFUSE_LATER, /* the same */
  STATE_SETTLING,     /* decided; no world that shows it is out yet */
  STATE_SHOWN,        /* such a world is out; loops and desks are to see it */
  STATE_ENDED,        /* answered, and to be freed */
  CHANGE_STATES
};

enum change_news {
  NEWS_BEGUN,
  NEWS_RESUMED, /* after a restart, or after another switch of the model was given up */
  NEWS_READY,   /* in memory, lanes open */
  NEWS_FAILED,  /* with a reason */
  NEWS_WRITTEN,
  NEWS_UNWRITTEN,      /* with a reason */
  NEWS_WRITTEN_LAST,   /* the same two while control stops: */
  NEWS_UNWRITTEN_LAST, /* nothing new may begin */
  NEWS_PULSE,
  NEWS_SHOWN,
  NEWS_SEEN,
  NEWS_GIVEN_UP, /* what cannot be written must not block the way back */
  NEWS_STOPPED,  /* with a reason */
  CHANGE_NEWS
};

/* What is to be done, in this order; at most one of the last six. */
enum change_deed {
  DO_BLAME = 1 << 0,  /* the reason that came with the news is the answer */
  DO_FOLD = 1 << 1,   /* the events are the catalog's now */
  DO_LEAVE = 1 << 2,  /* nobody wants the version any more for the sake of this change */
  DO_ANSWER = 1 << 3, /* whoever waits, with change->err */
  DO_PULSE = 1 << 4,  /* ask the loops and the desks whether they have seen it */
  DO_LOAD = 1 << 5,
  DO_ASK = 1 << 6, /* four to the scribe: the wish, the effect, the refusal, what is there */
  DO_WRITE = 1 << 7,
  DO_REFUSE = 1 << 8,
  DO_SEND = 1 << 9,
};

struct change {
  struct link link; /* control->changes */
  enum change_kind kind;
  enum change_state state;           /* only change_step's answers go in here */
  struct letter_command *command;    /* to be answered, and more who asked the same, linked by
                                   * mail.next; NULL: nobody waits */
  struct slice key, request;         /* the first command's, event.h; in append.arena */
  struct mail *behind, **behind_end; /* commands that wait for its append, in order */
  struct catalog_model *model;       /* SWITCH, WISH, READY */
  struct catalog_model *moves;       /* PLAIN: the record of its release, which wants to know */
  struct placed *placed;             /* wanted for its sake: from LOADING until DO_LEAVE */
  enum event_kind effect;            /* SWITCH, WISH: VERSION_DEPLOYED or ROLLED_BACK */
  struct err err;                    /* the answer, with: */
  uint32_t version, release;
  uint64_t seq;
  uint64_t round, serial;      /* SHOWN: seen when this pulse is done and desks have this world */
  struct letter_append append; /* its arena lives as long as the change */
  int64_t sent_us;             /* when that went to the scribe last */
  struct notes *notes;         /* of the events that are with the scribe; else NULL */
};

struct change_move {
  enum change_state next;
  unsigned deeds;
};

/* Whether this news can come to a change of that kind in that state: the drawing. */
bool change_may(enum change_kind kind, enum change_state state, enum change_news news);
/* Pure. News that nobody drew is a bug, and ends here. */
struct change_move change_step(const struct change *change, enum change_news news);
/* Whether everything in it fits its kind and state: a bug, and the end, where not. Called after
 * every step. */
void change_check(const struct change *change);

/* An append is out: commands that its events may decide wait for it. */
bool change_at_scribe(const struct change *change);
/* Of what is, or was last, with the scribe. */
static inline const struct event *change_first(const struct change *change)
{
  return change->append.many ? change->append.many : change->append.events;
}
bool change_is_late(const struct change *change);      /* WRITE_LATER, REFUSE_LATER */
bool change_is_switching(const struct change *change); /* its model's switch is not decided yet */

#endif
