/* notify.h - what happened, told to webhooks: the configured ones and a plan's own.
 * Thread: control. Sends letters; what becomes of them is the notifier's (jobs/notify.h).
 *
 * A note is a message to one URL. It goes to the scribe with the events it tells of and is sent
 * when they are durable; what was neither taken nor given up when the process ended is sent after
 * the next start, for a day, under the same id: a receiver gets each at least once. What is told
 * before it is written (a rollback) has the id that its note will have.
 *
 * One message, all members always there (null where they do not apply):
 *   {"type":"release.rolled_back", "timestamp":"2026-01-31T23:59:59.123Z",
 *    "text":"default/fraud: version 3 rolled_back (gate): errors 4.1x stable's ...",
 *    "data":{"tenant":..,"model":..,"version":3,"release":7,"step":1,"state":"rolled_back",
 *      "why":"gate","actor":..,"person":..,"sentence":"errors 4.1x ...","evidence":{..}}}
 * type, timestamp and data are those of Standard Webhooks; `text` alone is what Slack shows;
 * evidence is judge/explain.h's object.
 * A URL with a fragment is one of PagerDuty's Events API v2, like
 * https://events.pagerduty.com/v2/enqueue#ROUTING_KEY: the key is not sent with the URL but as the
 * message's member `routing_key`, with event_action, dedup_key (one per release) and payload. It is
 * sent what is bad (trigger) and what has ended well (resolve), nothing in between.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_NOTIFY_H
#define CONTROL_NOTIFY_H

#include "world/letters.h"

struct control;

enum {
  NOTICE_URLS_MAX = 8,
  NOTICES_OUT_MAX = 2048,
  NOTES_AHEAD_MAX = 64, /* told before they were written, as far back as is known */
  NOTE_ID_MAX = 36,
};

/* A message that was sent ahead of its events. */
struct ahead {
  char id[NOTE_ID_MAX + 1]; /* empty: none */
  bool home;
};

struct notice {
  struct slice tenant, model; /* empty: it is about the whole server */
  struct slice mark; /* tells it from others of the same state: the same after a restart */
  uint32_t version, release, step; /* release 0: it is about none */
  const char *about;               /* "version", "server"; NULL: "release" */
  const char *state;               /* "rolled_back"; the type is "release." and this */
  const char *why;                 /* "gate"; NULL: not said */
  struct slice actor, person;
  struct slice sentence; /* judge/explain.h; empty: none */
  struct slice evidence; /* the same, as a JSON object; empty: none */
  bool bad;              /* somebody should look */
  bool over;             /* nothing more follows */
  struct slice urls[NOTICE_URLS_MAX]; /* of the plan, beside the configured ones */
  uint32_t n_urls;
};

/* The notes of one append, or of none. */
struct notes;
struct notes *notes_new(void);
void notes_free(struct notes *notes); /* NULL is fine */
/* One for each URL that is told of it. */
void notes_add(struct notes *notes, const struct control *control, const struct notice *notice);
/* Of events that no move of a release tells of: a version deployed, refused, retired, rolled back
 * to, a release started. The event has its time. */
void notes_event(struct notes *notes, const struct control *control, const struct event *event);
void notes_lend(const struct notes *notes, struct letter_append *letter); /* until it is home */
/* They are durable now. */
void notes_send(struct control *control, const struct notes *notes);
/* They are not yet: when they are, notes_send does not send them again. */
void notes_send_ahead(struct control *control, const struct notes *notes);

void notify_home(struct control *control, struct letter_notify *letter);
void told_home(struct letter_notify *letter);

/* Before the first turn: a note that the process before this one left. Copied. */
void notify_owed(struct control *control, const struct outbox_row *row);
void notify_begin(struct control *control);   /* in the first turn: sends them */
void notify_abandon(struct control *control); /* there will be none */

#endif
