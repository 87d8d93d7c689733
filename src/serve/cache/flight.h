/* flight.h - equal requests that are in work at once wait for one run: a flight, with one that
 * leads and those that follow. They may be of different loops, never of different tenants: the
 * tenant stands in the key.
 *
 *   NONE --cache_ask--> LEADS --cache_land, cache_fail, cache_abandon--> NONE
 *     |                   ^  |
 *     |      LANDED: lead |  '-- its client is gone, others follow: it runs on for them
 *     '-----> FOLLOWS ----+
 *                |  '-- cache_leave --> NONE
 *                '-- LANDED: here is the answer; or: run by yourself --> TOLD
 *
 * Nobody waits behind a run of a class that goes after its own: who asks then leads a second flight
 * of the same key, and whoever comes later follows that one. So there are at most as many flights
 * of a key as classes.
 * A run that failed is told to nobody: one who follows, the first of the best class, leads in its
 * place, once; if that one fails too, each of the rest runs by itself. Who follows keeps its own
 * deadline, id and world.
 *
 * Thread: any loop: a part of a call, which belongs to its loop; links, state and news are written
 * with the shard's lock held. A flight does not move, and lives until it is NONE, or its LANDED has
 * come.
 * Source: overload rules, section 4, single flight.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_CACHE_FLIGHT_H
#define SERVE_CACHE_FLIGHT_H

#include "base/list.h"
#include "base/mail.h"
#include "serve/cache/cache.h"

enum flight_state { FLIGHT_NONE, FLIGHT_LEADS, FLIGHT_FOLLOWS, FLIGHT_TOLD };

/* What a LANDED says. */
enum flight_news { NEWS_ANSWER, NEWS_LEAD, NEWS_ALONE };

struct flight {
  struct mail mail;     /* LETTER_LANDED, to its loop */
  struct mailbox *home; /* the loop's */
  struct cache_key key;
  struct link link;      /* LEADS: the shard's; FOLLOWS: of `followers` */
  struct link followers; /* LEADS: of those who wait */
  uint32_t n_followers;
  struct flight *leader; /* FOLLOWS */
  uint8_t class;         /* the caller's: enum task_class */
  enum flight_state state;
  enum flight_news news;
  bool second; /* leads in place of one that failed */
  bool left;   /* LEADS, and nobody waits for its own answer */
  _Atomic bool *gone; /* of its task: set when nobody waits for the run any more */
  struct blob *blob;  /* ANSWER: whoever gets the letter drops it */
};

enum cache_asked { CACHE_HIT, CACHE_LEADS, CACHE_FOLLOWS };

/* flight->class is set. HIT: *blob is the caller's, as of cache_find. LEADS: it runs, and says how
 * that went. FOLLOWS: a LANDED will come, unless cache_leave comes first. home: the flight's loop;
 * gone: the task's. */
enum cache_asked cache_ask(struct cache *cache, struct flight *flight, const struct cache_key *key,
                           int64_t now_us, struct blob **blob, uint32_t *mismatches);

/* Who leads has the answer: all who follow get it. It is NONE afterwards, as after cache_fail. */
void cache_land(struct cache *cache, struct flight *flight, struct blob *blob);
/* It has none. ran: its run failed; false: it was never run, so that counts for nothing.
 * alone: nobody shall try for the others; each runs by itself. */
void cache_fail(struct cache *cache, struct flight *flight, bool ran, bool alone);
/* Whether somebody follows, now. */
bool cache_followed(struct cache *cache, struct flight *flight);

/* The client of one who followed waits no more. True: it is NONE now; false: its LANDED is on the
 * way, and if that says LEAD, cache_fail is owed when it has come. */
bool cache_leave(struct cache *cache, struct flight *flight);
/* The client of one who leads waits no more. True: nobody else needs the run, it is NONE now;
 * false: the run goes on, and `gone` is set when the last who follows leaves. */
bool cache_abandon(struct cache *cache, struct flight *flight);

#endif
