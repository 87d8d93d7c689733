/* notify.h - what happened, told to webhooks: the configured ones and a plan's own.
 * Thread: control. Sends letters; what becomes of them is the notifier's (jobs/notify.h).
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

enum { NOTICE_URLS_MAX = 8, NOTICES_OUT_MAX = 2048 };

struct notice {
  struct slice tenant, model;
  uint32_t version, release, step; /* release 0: it is about none */
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

void notify(struct control *control, const struct notice *notice);
/* Of events that no move of a release tells of: a version deployed, refused, retired, rolled back
 * to, a release started. */
void notify_event(struct control *control, const struct event *event);
void notify_home(struct control *control, struct letter_notify *letter);

#endif
