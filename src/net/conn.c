/* conn.c - a connection: bytes in, in order, one request at a time; and every way it ends.
 * Thread: its loop. The drawing is in loop_int.h.
 *
 * Where bytes are read to: the rest of a long body straight into its place; bytes that come
 * while a request is in work into the stash; everything else into the loop's one read buffer,
 * from which the codec takes what it needs. So an idle connection holds no buffer at all.
 * Timeouts are looked at once a second (conn_sweep); nothing is armed per request.
 * SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "net/loop_int.h"
#include "serve/quota/meter.h"

enum { RATE_BYTES_S = 1 << 10 };

static bool conn_feeds(const struct conn *conn)
{
  return conn->state == CONN_READY || conn->state == CONN_BODY || conn->state == CONN_SKIP;
}

/* --- feeding the codec ----------------------------------------------------------------------- */

static void conn_event(struct conn *conn, enum h1_event event, struct slice piece)
{
  switch (event) {
    case H1_HEAD: request_head(conn); break;
    case H1_BODY: request_body(conn, piece); break;
    case H1_DONE: request_done(conn); break;
    case H1_BAD: request_bad(conn, &conn->loop->err); break;
    case H1_MORE: break;
  }
}

/* A body that was read in place may go with its call: what lies behind it moves out first. */
static void conn_in_move(struct conn *conn, struct slice piece)
{
  const struct call *call = conn->call;
  if (!call || conn->in.len == 0 || piece.at != call->body.at + call->body.len) return;
  must(conn->in.len <= BODY_SLACK);
  memcpy(conn->loop->read_buf, conn->in.at, conn->in.len);
  conn->in.at = conn->loop->read_buf;
}

/* Feeds conn->in until it is empty or the state says wait. */
static void conn_pump(struct conn *conn)
{
  struct loop *loop = conn->loop;
  uint32_t heads = 0;
  conn->pumping = true;
  while (conn_feeds(conn)) {
    if (conn->state == CONN_READY && conn->in.len == 0) break;
    if (heads > PUMP_MAX && conn->state == CONN_READY) {
      if (!conn->again.next) list_push_back(&loop->again, &conn->again);
      break;
    }
    struct slice piece = SLICE_NONE;
    struct arena *arena = conn->call ? &conn->call->arena : &conn->arena;
    enum h1_event event = h1_feed(&conn->h1, arena, &conn->in, &piece, &loop->err);
    if (event == H1_MORE) break;
    if (event == H1_HEAD) heads++;
    if (event == H1_BODY) conn_in_move(conn, piece);
    conn_event(conn, event, piece);
  }
  conn->pumping = false;
  if (conn->state != CONN_READY) return;
  bool in_head = h1_in_head(&conn->h1);
  if (in_head && !conn->in_head) conn->since_us = loop_now(loop);
  conn->in_head = in_head;
}

/* --- the stash ------------------------------------------------------------------------------- */

static bool stash_make(struct conn *conn)
{
  size_t bytes = READ_BYTES;
  if (!conn->stash) conn->stash = blocks_get(&conn->loop->blocks, &bytes);
  must(!conn->stash || bytes == READ_BYTES);
  return conn->stash != NULL;
}

static void stash_drop(struct conn *conn)
{
  if (conn->stash) blocks_put(&conn->loop->blocks, conn->stash, READ_BYTES);
  conn->stash = NULL;
  conn->stash_at = conn->stash_len = 0;
}

static void stash_pack(struct conn *conn)
{
  if (conn->stash_at == 0) return;
  memmove(conn->stash, conn->stash + conn->stash_at, conn->stash_len);
  conn->stash_at = 0;
}

static size_t stash_room(const struct conn *conn)
{
  return READ_BYTES - conn->stash_at - conn->stash_len;
}

/* What the pump left in the read buffer, which the next connection needs. */
static void stash_rest(struct conn *conn)
{
  struct slice rest = conn->in;
  conn->in = SLICE_NONE;
  if (rest.len == 0 || conn->state >= CONN_STREAM) return;
  if (!stash_make(conn)) {
    conn_close(conn);
    return;
  }
  stash_pack(conn);
  must(rest.len <= stash_room(conn));
  memcpy(conn->stash + conn->stash_len, rest.at, rest.len);
  conn->stash_len += (uint32_t)rest.len;
}

/* --- reading --------------------------------------------------------------------------------- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  struct conn *conn = (struct conn *)handle;
  struct loop *loop = conn->loop;
  (void)suggested;
  *buf = uv_buf_init(loop->read_buf, sizeof loop->read_buf);
  if (conn->stash_len) {
    if (stash_room(conn) < DIRECT_MIN) stash_pack(conn);
    size_t room = stash_room(conn);
    *buf = uv_buf_init(conn->stash + conn->stash_at + conn->stash_len, (unsigned)room);
    return; /* no room: on_read hears UV_ENOBUFS */
  }
  if (conn->state != CONN_BODY || !conn->call) return;
  struct body *body = &conn->call->body;
  uint64_t left = h1_body_left(&conn->h1);
  if (left < DIRECT_MIN || conn->h1.head.chunked || left > body->cap - body->len) return;
  *buf = uv_buf_init(body->at + body->len,
                     (unsigned)(left < (1u << 30) ? left : 1u << 30) + BODY_SLACK);
}

static void conn_feed_off(struct conn *conn)
{
  if (!conn->reading) return;
  conn->reading = false;
  uv_read_stop((uv_stream_t *)&conn->tcp);
}

static void conn_ended(struct conn *conn)
{
  conn->eof = true;
  conn->reading = false;
  /* It may have shut its side only: what is in work or was sent ahead still gets its answer. */
  if (conn->state == CONN_BUSY) left_ask(conn);
  if (conn->state == CONN_BUSY || conn->state == CONN_SEND || conn->again.next) return;
  conn_close(conn);
}

static void conn_got(struct conn *conn, char *at, size_t n)
{
  if (conn->state == CONN_STREAM) return; /* nothing a client says there is a request */
  if (conn->state == CONN_LINGER) {
    conn->left += n;
    if (conn->left > SKIP_MAX) conn_close(conn);
    return;
  }
  conn->left += n;
  if (conn->stash_len) {
    conn->stash_len += (uint32_t)n;
    conn_go(conn);
    return;
  }
  conn->in = slice_of(at, n);
  conn_pump(conn);
  if (conn->in.len) stash_rest(conn);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
  struct conn *conn = (struct conn *)stream;
  if (conn->state == CONN_CLOSED || n == 0) return;
  if (n > 0) {
    serve_count_in(conn->loop->serve, (uint64_t)n);
    conn_got(conn, buf->base, (size_t)n);
  } else if (n == UV_ENOBUFS) {
    conn_feed_off(conn);
  } else if (n == UV_EOF) {
    conn_ended(conn);
  } else {
    conn_close(conn);
  }
}

static void conn_feed_on(struct conn *conn)
{
  if (conn->reading || conn->eof || conn->state == CONN_CLOSED) return;
  conn->reading = true;
  uv_read_start((uv_stream_t *)&conn->tcp, on_room, on_read);
}

void conn_go(struct conn *conn)
{
  if (conn_feeds(conn) && (conn->stash_len || conn->state != CONN_READY)) {
    conn->in = slice_of(conn->stash + conn->stash_at, conn->stash_len);
    conn_pump(conn);
    if (conn->state == CONN_CLOSED) return;
    conn->stash_at += conn->stash_len - (uint32_t)conn->in.len;
    conn->stash_len = (uint32_t)conn->in.len;
    conn->in = SLICE_NONE;
  }
  if (conn->state >= CONN_STREAM) conn->stash_len = 0;
  if (conn->stash_len == 0) stash_drop(conn);
  if (conn->state == CONN_CLOSED) return;
  if (conn->eof && conn->state != CONN_BUSY && conn->state != CONN_SEND && !conn->again.next) {
    conn_close(conn); /* nothing more can come, nothing is owed */
    return;
  }
  if (!conn->reading && stash_room(conn) >= DIRECT_MIN) conn_feed_on(conn);
}

/* --- from the cradle to the grave ------------------------------------------------------------ */

void conn_open(struct loop *loop, int fd, const struct sockaddr *peer)
{
  struct conn *conn = pool_get(&loop->conns);
  struct address address = address_of(peer);
  if (!conn) { /* the debug mode's, for the door has counted */
    addresses_remove(&loop->addresses, &address);
    close(fd);
    return;
  }
  *conn = (struct conn){.loop = loop, .address = address, .keep = true};
  conn->loopback = address_is_loopback(&address);
  must(uv_tcp_init(&loop->uv, &conn->tcp) == 0);
  list_push_back(&loop->open, &conn->link);
  loop->n_open++;
  serve_count_connection(loop->serve);
  h1_init(&conn->h1, NULL);
  h1_remember(&conn->h1, &loop->heads);
  arena_init(&conn->arena, ARENA_HEAD_MAX, &loop->blocks.source);
  conn->since_us = loop_now(loop);
  if (uv_tcp_open(&conn->tcp, fd) != 0) {
    close(fd);
    conn_close(conn);
    return;
  }
  conn_feed_on(conn);
}

/* The memory of an answer that is out, or that nobody waits for any more. */
static void conn_memory_end(struct conn *conn)
{
  if (conn->shadow) shadow_memory(conn->shadow, &conn->arena, &conn->scratch);
  conn->shadow = NULL;
  arena_deinit(&conn->arena);
  if (conn->scratch.source) arena_deinit(&conn->scratch);
}

static void conn_release(struct conn *conn)
{
  struct loop *loop = conn->loop;
  stash_drop(conn);
  conn_memory_end(conn);
  blob_drop(conn->blob);
  budget_give(&loop->bodies, conn->pinned);
  take_hold_end(&conn->hold);
  if (conn->meter) meter_level_give(&conn->meter->connections);
  conn->meter = NULL;
}

static void on_closed(uv_handle_t *handle)
{
  struct conn *conn = (struct conn *)handle;
  struct loop *loop = conn->loop;
  conn_release(conn);
  addresses_remove(&loop->addresses, &conn->address);
  list_remove(&conn->link);
  loop->n_open--;
  if (loop->drain != DRAIN_NO || loop->stop) loop_stir(loop); /* it may have been the last */
  pool_put(&loop->conns, conn);
}

static void conn_end(struct conn *conn)
{
  if (conn->call || conn->errand) request_left(conn);
  stream_end(conn);
  conn->state = CONN_CLOSED;
  list_remove(&conn->again);
  list_remove(&conn->leaving);
}

void conn_close(struct conn *conn)
{
  if (conn->state == CONN_CLOSED) return;
  conn_end(conn);
  uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

void conn_reset(struct conn *conn)
{
  conn_end(conn);
  if (uv_tcp_close_reset(&conn->tcp, on_closed) != 0)
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

/* The last answer is out. What still comes is drained for a while: a close with unread bytes
 * would make the kernel reset the connection, and the client might lose the answer. */
static void conn_linger(struct conn *conn)
{
  uv_os_fd_t fd;
  size_t more = conn->pumping ? conn->in.len : conn->stash_len;
  if (conn->whole && more == 0) {
    conn_close(conn);
    return;
  }
  conn->state = CONN_LINGER;
  conn->left = 0;
  conn->since_us = loop_now(conn->loop);
  if (conn->eof || uv_fileno((uv_handle_t *)&conn->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
    conn_close(conn);
    return;
  }
  conn_feed_on(conn);
}

void conn_sent(struct conn *conn)
{
  struct loop *loop = conn->loop;
  conn_memory_end(conn);
  arena_init(&conn->arena, ARENA_HEAD_MAX, &loop->blocks.source);
  arena_init(&conn->scratch, 0, NULL);
  blob_drop(conn->blob);
  conn->blob = NULL;
  conn->rest = NULL;
  conn->n_rest = 0;
  budget_give(&loop->bodies, conn->pinned);
  take_hold_end(&conn->hold);
  conn->pinned = conn->left = 0;
  conn->since_us = loop_now(loop);
  if (!conn->keep) {
    conn_linger(conn);
  } else if (!conn->whole) {
    conn->state = CONN_SKIP;
  } else {
    conn->state = CONN_READY;
    conn->in_head = conn->whole = false;
    h1_reset(&conn->h1);
  }
}

/* --- once a second --------------------------------------------------------------------------- */

static void sweep_body(struct conn *conn, int64_t now_us)
{
  const struct loop_limits *limits = &conn->loop->limits;
  int64_t span_us = now_us - conn->since_us;
  if (!conn->reading) { /* we are the slow one */
    conn->since_us = now_us;
    return;
  }
  if (span_us < limits->rate_us) return;
  bool slow = conn->left < (uint64_t)(limits->rate_us / 1000000 * RATE_BYTES_S);
  conn->left = 0;
  conn->since_us = now_us;
  if (slow && conn->state == CONN_BODY)
    request_slow(conn);
  else if (slow)
    conn_close(conn);
}

static void sweep_send(struct conn *conn, int64_t now_us)
{
  uint64_t queued = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);
  for (uint32_t i = 0; i < conn->n_rest; i++) queued += conn->rest[i].len;
  if (queued != conn->left) {
    conn->left = queued;
    conn->since_us = now_us;
  } else if (now_us - conn->since_us > conn->loop->limits.write_us) {
    conn_reset(conn);
  }
}

void conn_sweep(struct conn *conn)
{
  const struct loop_limits *limits = &conn->loop->limits;
  int64_t now_us = loop_now(conn->loop), span_us = now_us - conn->since_us;
  /* Pressed, clients have half as long. */
  if (serve_presses(conn->loop->serve, ACTION_NO_KEEP_ALIVE)) span_us *= 2;
  switch (conn->state) {
    case CONN_READY:
      if (conn->in_head && span_us > limits->head_us)
        request_slow(conn);
      else if (!conn->in_head && span_us > limits->idle_us)
        conn_close(conn);
      break;
    case CONN_BODY:
    case CONN_SKIP: sweep_body(conn, now_us); break;
    case CONN_SEND: sweep_send(conn, now_us); break;
    case CONN_LINGER:
      if (span_us > limits->linger_us) conn_close(conn);
      break;
    case CONN_STREAM: stream_sweep(conn); break;
    case CONN_BUSY: /* the call's deadline watches over it */
    case CONN_CLOSED: break;
  }
}
