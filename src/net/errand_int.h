/* errand_int.h - a control-plane request that is carried to a desk: the letter, the memory it
 * points into, the upload's chunks. It outlives its connection until every letter of it is home.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#ifndef NET_ERRAND_INT_H
#define NET_ERRAND_INT_H

#include "net/loop_int.h"

struct errand_chunk {
  struct letter_chunk letter;
  bool out; /* at the desk */
};

struct errand {
  struct letter_ask letter;
  struct loop *loop;
  struct conn *client; /* NULL: nobody waits any more */
  struct mailbox *desk;
  struct arena arena;   /* head and body */
  struct body body;
  uint64_t counted;        /* body bytes it holds of loop->bodies */
  struct meter *meter;     /* of the tenant whose place it takes; NULL: of none */
  bool upload, sent, home; /* the ask is at the desk; is home again */
  bool last, abort_due; /* upload: the last chunk went; an abort must go as soon as one is free */
  uint32_t n_out;       /* chunks at the desk */
  struct errand_chunk chunks[UPLOAD_CHUNKS_MAX];
  struct errand_chunk *filling;
  char peer[ADDRESS_TEXT_MAX], id[REQUEST_ID_MAX];
};

/* Gives the errand back when nothing of it is out any more. */
void errand_release(struct errand *errand);

/* upload.c */
void upload_add(struct errand *errand, struct slice piece); /* fits: upload_has_room was true */
/* Whether the largest piece one read can bring fits into chunks that are here. */
bool upload_has_room(const struct errand *errand);
void upload_last(struct errand *errand);
void upload_abort(struct errand *errand);

#endif
