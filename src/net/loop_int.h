/* loop_int.h - a loop and its connections, as the files of this room see them.
 *
 * A connection (drawing; every state may also go to CLOSED when the client leaves):
 *
 *        +----------------------------- answered, all read ---------------------------+
 *        v                                                                            |
 *      READY --head--> BODY --whole--> BUSY --answer, all written at once----------> (sent)
 *        |              |                |                                            ^  |
 *        |              |                +--answer, client is slow--> SEND --written--+  |
 *        +--refused-----+--refused-------------------------------------------------> (sent)
 *                                                                                        |
 *        READY <--rest of the body read-- SKIP <--body still on its way, short-----------+
 *        CLOSED <--end, 256 KiB, 3 s-- LINGER <--last answer of this connection----------+
 *
 *        READY --head of a stream--> STREAM --client leaves or is slow, we stop--> CLOSED
 *
 * One request at a time: what a client sends ahead waits in the stash (64 KiB), past that in its
 * socket. So answers keep their order without a queue, and a client that pipelines holds one
 * call.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#ifndef NET_LOOP_INT_H
#define NET_LOOP_INT_H

#include <netinet/in.h>
#include <uv.h>

#include "base/blob.h"
#include "base/pool.h"
#include "net/addresses.h"
#include "net/bell.h"
#include "net/blocks.h"
#include "net/gather.h"
#include "net/loop.h"
#include "serve/far/far.h"
#include "serve/path.h"
#include "serve/who.h"
#include "wire/http1.h"
#include "wire/route.h"

enum {
  READ_BYTES = 64 << 10,     /* one read, and a stash */
  DIRECT_MIN = 4 << 10,      /* bodies with more than this to come are read in place */
  HEAD_BYTES_MAX = 1 << 10,  /* head of an answer */
  SHORT_BYTES_MAX = 4 << 10, /* bodies up to this are copied behind their head */
  ARENA_HEAD_MAX = 256 << 10,
  SKIP_MAX = 256 << 10, /* unread body that is drained to keep a connection, or before closing */
  COPY_MAX = 16 << 10,  /* an unwritten rest up to this is copied, so that its call can end */
  ROUNDS_MAX = 32,      /* rounds of resident and mail in one turn */
  PUMP_MAX = 32,        /* requests answered at once from one connection's bytes */
  ACCEPTS_MAX = 64,     /* connections taken in one turn */
  ADDRESS_CONNS = 256,  /* of one address over all loops, where nobody said otherwise */
  ASKS_MAX = 256,       /* control-plane requests in work */
  PARTS_MAX = TENSORS_MAX + 4,
};

enum conn_state {
  CONN_READY,
  CONN_BODY,
  CONN_BUSY,
  CONN_SEND,
  CONN_SKIP,
  CONN_STREAM, /* answered with events until somebody hangs up (stream.c) */
  CONN_LINGER,
  CONN_CLOSED
};

struct errand;

/* What a connection in CONN_STREAM tells, and how far its client knows it. */
struct stream {
  struct link link; /* loop->streams */
  const struct stream_topic *topic;
  uint32_t tenant; /* its slot */
  uint64_t told;   /* the newest version that was */
  bool keyed;      /* opened with a key, which is looked at again with every world and second */
  char key[KEY_ID_LEN];
};

struct conn {
  uv_tcp_t tcp; /* first: libuv's handle is the connection */
  uv_write_t write;
  struct loop *loop;
  struct link link;  /* loop->open */
  struct link again; /* loop->again: more to do in the next turn */
  struct link leaving; /* loop->leaving: it sends no more, and may be gone (left.c) */
  uint32_t looks;      /* at whether it is */
  enum conn_state state;
  struct stream stream;
  bool keep;     /* another request may follow the answer */
  bool whole;    /* the message in work has been read to its end */
  bool bodyless; /* HEAD */
  bool eof;      /* the client will send no more */
  bool reading, pumping, in_head, loopback;
  struct h1 h1;
  struct arena arena;    /* the head being read, then what an unwritten answer needs */
  struct arena scratch;  /* of an unwritten answer */
  struct shadow *shadow; /* gets both once that is written; NULL: nobody */
  struct call *call;
  struct errand *errand;
  struct blob *blob; /* body of an unwritten answer */
  struct slice in;   /* bytes to be fed, while in conn_pump */
  char *stash;       /* bytes that came early; READ_BYTES from the blocks, or NULL */
  uint32_t stash_at, stash_len;
  uv_buf_t *rest; /* of an unwritten answer, in the arena */
  uint32_t n_rest;
  uint64_t pinned;  /* bytes it holds of loop->bodies */
  struct hold hold; /* the same of quotas */
  struct meter *meter; /* of the tenant that it counts as a connection of; NULL: of none yet */
  uint64_t left;    /* progress mark: bytes moved since since_us, or queued at it */
  int64_t since_us; /* when this state's timeout began */
  char id[REQUEST_ID_MAX];
  uint8_t id_len;
  struct address address;
};

/* The socket of a line to the cache's second level (far.c). */
struct far_line {
  struct far *far; /* NULL: there is none */
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  uv_timer_t timer;
  bool open;        /* the handle is there */
  bool closing;     /* and on its way out */
  int64_t alarm_us; /* what the timer is set to */
};

/* DELAY: all as before, but not ready. CLOSING: nobody new; an answer is its connection's last.
 * IDLE: connections on which nothing came meanwhile are closed. */
enum drain_state { DRAIN_NO, DRAIN_DELAY, DRAIN_CLOSING, DRAIN_IDLE, DRAIN_OVER };

struct loop {
  uv_loop_t uv;
  struct bell bell;
  uv_poll_t ear; /* of the bell */
  struct gather gather;
  uv_prepare_t prepare;
  uv_check_t check;
  uv_idle_t idle;
  uv_timer_t sweep, cache_sweep, alarm, door_rest, shadow_rest, look, drain_next;
  uv_poll_t door;
  int door_fd, spare_fd; /* spare: given up to accept and refuse when descriptors run out */
  bool door_open, busy, stop;
  uint16_t port;
  uint32_t number, n_loops;
  const struct post *post;
  struct loop_opts opts;
  struct loop_limits limits;
  struct mailbox box;
  struct serve *serve;
  struct far_line far;
  struct budget bodies; /* of calls, asks and answers not yet taken */
  struct ration ration;  /* all memory of requests */
  struct blocks blocks;
  struct pool conns, calls, asks;
  struct addresses addresses;
  struct link open, again, leaving, streams;
  uint32_t n_open, n_streams, n_asks, next_desk;
  bool clock_fresh;
  int64_t now_us;  /* read once a turn */
  int64_t wall_us; /* Unix time minus it, read now and then */
  int64_t turn_us, alarm_us, stop_us;
  int64_t slow_us; /* the worst turn since the last line about it, and how many there were */
  const char *slow_stage;
  uint32_t slow_turns, sweeps;
  enum drain_state drain;
  struct letter_note *drain_letter;
  int64_t drain_us; /* when the next of it comes */
  struct err err;
  struct h1_seen heads; /* of all its connections */
  char read_buf[READ_BYTES];
  char head_buf[HEAD_BYTES_MAX + SHORT_BYTES_MAX];
  char error_buf[ERR_JSON_MAX];
  struct slice date; /* "Date: Tue, 03 Jun 2025 10:00:00 GMT\r\n" */
  char date_buf[64];
};

/* limits.c: connections of one address that this loop takes */
uint32_t address_conns_max(const struct loop_limits *limits, uint32_t n_loops);

/* loop.c */
int64_t loop_now(struct loop *loop); /* read once a turn */
void loop_stir(struct loop *loop);   /* the next poll does not wait */

/* listen.c */
void door_open(struct loop *loop);  /* starts accepting */
void door_close(struct loop *loop); /* takes in who already knocked, then closes */

/* conn.c */
void conn_open(struct loop *loop, int fd, const struct sockaddr *peer);
void conn_close(struct conn *conn); /* at once; whatever is in work is left */
void conn_reset(struct conn *conn); /* so that the kernel, too, forgets what was not taken */
void conn_go(struct conn *conn);    /* feeds what waits in the stash, as far as the state allows */
void conn_sweep(struct conn *conn);
/* The answer is out: what comes next on this connection. */
void conn_sent(struct conn *conn);

/* request.c: events of the codec */
void request_head(struct conn *conn);
void request_body(struct conn *conn, struct slice piece);
void request_done(struct conn *conn);
void request_bad(struct conn *conn, const struct err *err); /* framing is lost: answer and close */
void request_slow(struct conn *conn);                       /* 408 */
void request_left(struct conn *conn); /* the client is gone: the call or ask in work is left */
void call_home(struct loop *loop, struct mail *answer);
void call_landed(struct loop *loop, struct mail *landed); /* the run that it followed is over */
/* Goes on with those that the second level has news for; false: there are none. */
bool calls_asked(struct loop *loop);
void calls_late(struct loop *loop);  /* answers every call whose deadline has passed */
void calls_woken(struct loop *loop); /* goes on with those whose version is back in memory */
/* The answer comes before the body was read: SKIP_MAX of it are, past that the connection ends. */
void request_unread(struct conn *conn);
/* Whether the body of the request in work is so short that reading past it keeps the
 * connection. */
bool request_skippable(const struct conn *conn);

/* send.c */
enum send_memory { SEND_COPY, SEND_CALL, SEND_BLOB };
/* Writes an answer: SEND_COPY: an unwritten rest is copied; SEND_CALL: it stays in conn->call's
 * memory, which is pinned; SEND_BLOB: in conn->blob. */
void send_answer(struct conn *conn, const struct answer *answer, enum send_memory memory);
void send_error(struct conn *conn, const struct err *err, const char *allow);
void send_continue(struct conn *conn);

/* The head of an answer that has no end but the connection's. */
void send_stream_head(struct conn *conn);

/* left.c */
/* The client sends no more while its request is in work: is it there? It may be closed for that. */
void left_ask(struct conn *conn);

/* far.c */
void far_init(struct loop *loop);
bool far_begin_turn(struct loop *loop); /* true: calls went on */
void far_end_turn(struct loop *loop);   /* what the turn asks is sent */
void far_deinit(struct loop *loop);

/* heavy.c */
void heavy_reset(struct loop *loop); /* once a second under that pressure */

/* stream.c */
void stream_open(struct conn *conn, const struct route *route, const struct who *who);
void stream_end(struct conn *conn);       /* it is closed: off the list */
void stream_sweep(struct conn *conn);     /* once a second */
void streams_look(struct loop *loop);     /* there is a new world */
void streams_cut(struct loop *loop);      /* the loop drains */

/* asset.c */
void asset_answer(struct conn *conn, const struct route *route);

/* ask.c, upload.c */
void errand_begin(struct conn *conn, const struct route *route, const struct url *url,
                  const struct slice *params, const struct who *who);
void errand_body(struct conn *conn, struct slice piece);
void errand_done(struct conn *conn);
void errand_left(struct conn *conn);
void errand_home(struct mail *mail);
void errand_chunk_home(struct mail *mail);

#endif
