/* far_int.h - a line and what waits on it.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_FAR_FAR_INT_H
#define SERVE_FAR_FAR_INT_H

#include <hiredis/hiredis.h>

#include "base/buf.h"
#include "base/rand.h"
#include "serve/far/far.h"

enum {
  FAR_WAITS_MAX = 512,      /* replies that are owed */
  FAR_OUT_MAX = 2 << 20,    /* bytes that wait to be sent */
  FAR_VALUE_MAX = FAR_ENTRY_MAX + 1024,
};

enum far_state { FAR_RESTING, FAR_CONNECTING, FAR_GREETING, FAR_OPEN };
enum far_verb { FAR_AUTH, FAR_TRY, FAR_GET, FAR_SET };

/* A reply that is owed. due_us 0: not sent yet. */
struct far_wait {
  enum far_verb verb;
  struct far_ask *ask; /* of a GET; NULL: nobody waits any more */
  int64_t due_us;
};

/* Who failed is left alone for a while. */
struct rest {
  int64_t until_us, next_us; /* how long the next one will be; 0: the shortest */
};

struct far {
  const struct far_opts *opts;
  enum far_state state;
  redisReader *reader;
  struct buf out[2]; /* one is filled, the other under way */
  uint8_t filling;
  bool sending;
  struct far_wait waits[FAR_WAITS_MAX]; /* a ring */
  uint32_t first, n_waits, n_sent;      /* the first n_sent have been sent */
  struct link asked, told;
  struct rest line, fills;
  struct rand rand;
  int64_t now_us, wall_ms; /* while it is being fed */
  int64_t due_us;          /* CONNECTING: until when */
  int64_t when_us;
  int64_t open_us;
  uint32_t answered;    /* GETs since it is OPEN */
  bool late;            /* something was due in the turn before */
  const char *broken;   /* while it is being fed: why the line has to end */
  char said[FAR_SAID_MAX]; /* the first word of an error */
  struct far_tally count;
};

/* reply.c */
redisReader *far_reader(struct far *far); /* NULL: no memory */
/* Feeds the reader; far->broken says why the line must end. */
void far_read(struct far *far, struct slice bytes);

/* far.c: by the reader's functions, for one whole reply each. */
void far_reply(struct far *far, int type, struct slice text);

#endif
