/* send.c - answers to bytes: one head, one writev; what the socket does not take at once is kept.
 * Thread: its loop.
 *
 * Most answers are taken whole by the first write. If not, a short rest is copied and a long
 * one stays where it is: the call's memory is taken over by the connection, so that a slow
 * reader holds bytes but neither a call nor a world.
 * SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "base/text.h"
#include "net/loop_int.h"
#include "serve/refuse.h"

/* --- the head -------------------------------------------------------------------------------- */

static char *put(char *to, const char *text, size_t len)
{
  if (len) memcpy(to, text, len);
  return to + len;
}
#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

static char *put_line(char *to, struct slice value)
{
  to = put(to, value.at, value.len);
  return PUT(to, "\r\n");
}

static char *put_line_number(char *to, uint64_t value)
{
  to += text_print_u64(to, value);
  return PUT(to, "\r\n");
}
#define PUT_FIELD(to, name, value)  put_line(PUT(to, name), value)
#define PUT_NUMBER(to, name, value) put_line_number(PUT(to, name), value)

static char *put_status(char *to, int status)
{
  if (status == 200) return PUT(to, "HTTP/1.1 200 OK\r\n");
  const char *reason = http_reason(status);
  to = PUT(to, "HTTP/1.1 ");
  to += text_print_u64(to, (uint64_t)status);
  *to++ = ' ';
  to = put(to, reason, strlen(reason));
  return PUT(to, "\r\n");
}

static bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

/* Every value is ours: literals, numbers, checked names and ids, so none can hold a line end. The
 * longest head is far below HEAD_BYTES_MAX: names and ids have 64 bytes, etags 72. */
static size_t head_write(char *to, const struct conn *conn, const struct answer *answer)
{
  char *at = put_status(to, answer->status);
  if (answer->content_type) at = PUT_FIELD(at, "Content-Type: ", slice_str(answer->content_type));
  if (answer->endless)
    at = PUT(at, "Cache-Control: no-cache\r\n");
  else if (has_body(answer->status))
    at = PUT_NUMBER(at, "Content-Length: ", answer->bytes);
  if (answer->has_json_length)
    at = PUT_NUMBER(at, "Inference-Header-Content-Length: ", answer->json_length);
  if (answer->encoding) at = PUT_FIELD(at, "Content-Encoding: ", slice_str(answer->encoding));
  at = PUT_FIELD(at, "x-request-id: ", slice_of(conn->id, conn->id_len));
  if (answer->model.len) {
    at = PUT_FIELD(at, "x-slipway-model: ", answer->model);
    at = PUT_FIELD(at, "x-slipway-version: ", answer->version);
  }
  if (answer->arm) at = PUT_FIELD(at, "x-slipway-arm: ", slice_str(answer->arm));
  if (answer->release) {
    at = put(PUT(at, "x-slipway-release: "), answer->model.at, answer->model.len);
    at = PUT_NUMBER(at, "/", answer->release);
  }
  if (answer->cache) at = PUT_FIELD(at, "x-slipway-cache: ", slice_str(answer->cache));
  if (answer->accept_encoding)
    at = PUT_FIELD(at, "Accept-Encoding: ", slice_str(answer->accept_encoding));
  if (answer->retry_after_s) at = PUT_NUMBER(at, "Retry-After: ", answer->retry_after_s);
  if (answer->retry_after_ms)
    at = PUT_NUMBER(at, "x-slipway-retry-after-ms: ", answer->retry_after_ms);
  if (answer->status == 401) at = PUT(at, "WWW-Authenticate: Bearer\r\n");
  if (answer->allow.len) at = PUT_FIELD(at, "Allow: ", answer->allow);
  if (answer->etag.len) at = PUT_FIELD(at, "ETag: ", answer->etag);
  if (answer->fields.len) at = put(at, answer->fields.at, answer->fields.len);
  if (!conn->keep)
    at = PUT(at, "Connection: close\r\n");
  else if (conn->h1.head.minor == 0)
    at = PUT(at, "Connection: keep-alive\r\n");
  at = put(at, conn->loop->date.at, conn->loop->date.len);
  at = PUT(at, "\r\n");
  must(at <= to + HEAD_BYTES_MAX);
  return (size_t)(at - to);
}

/* --- what could not be written at once ------------------------------------------------------- */

static void on_written(uv_write_t *write, int status);

/* Hands libuv the next buffers, as many as it takes without the heap. */
static void rest_write(struct conn *conn)
{
  unsigned n = conn->n_rest < 4 ? conn->n_rest : 4;
  uv_buf_t *bufs = conn->rest;
  conn->rest += n;
  conn->n_rest -= n;
  if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, bufs, n, on_written) != 0) conn_close(conn);
}

static void on_written(uv_write_t *write, int status)
{
  struct conn *conn = LIST_OF(write, struct conn, write);
  if (conn->state == CONN_CLOSED) return;
  if (status != 0) {
    conn_close(conn);
    return;
  }
  if (conn->n_rest) {
    rest_write(conn);
    return;
  }
  conn_sent(conn);
  conn_go(conn);
}

/* The rest, in memory of the connection's. */
static bool rest_copy(struct conn *conn, uv_buf_t *bufs, unsigned n, size_t bytes)
{
  uv_buf_t *rest = arena_get(&conn->arena, sizeof *rest);
  char *copy = arena_get(&conn->arena, bytes);
  if (!rest || !copy) return false;
  *rest = uv_buf_init(copy, (unsigned)bytes);
  for (unsigned i = 0; i < n; i++) copy = put(copy, bufs[i].base, bufs[i].len);
  conn->rest = rest;
  conn->n_rest = 1;
  return true;
}

/* The rest where it lies; only the head is in the loop's buffer and must be copied. */
static bool rest_pin(struct conn *conn, uv_buf_t *bufs, unsigned n, size_t head_left)
{
  uv_buf_t *rest = arena_get(&conn->arena, n * sizeof *rest);
  char *head = head_left ? arena_get(&conn->arena, head_left) : NULL;
  if (!rest || (head_left && !head)) return false;
  memcpy(rest, bufs, n * sizeof *rest);
  if (head_left) {
    memcpy(head, bufs[0].base, head_left);
    rest[0] = uv_buf_init(head, (unsigned)head_left);
  }
  conn->rest = rest;
  conn->n_rest = n;
  return true;
}

static void send_rest(struct conn *conn, uv_buf_t *bufs, unsigned n, size_t written, size_t total,
                      enum send_memory memory)
{
  size_t head_left = bufs[0].len > written ? bufs[0].len - written : 0;
  while (n && written >= bufs[0].len) {
    written -= bufs[0].len;
    bufs++;
    n--;
    total -= bufs[-1].len;
  }
  bufs[0].base += written;
  bufs[0].len -= written;
  total -= written;
  bool kept;
  if (memory == SEND_COPY || (memory == SEND_CALL && total <= COPY_MAX)) {
    conn->arena.max = SIZE_MAX / 2; /* errors and assets are short */
    kept = rest_copy(conn, bufs, n, total);
  } else {
    if (memory == SEND_CALL) {
      arena_deinit(&conn->arena);
      conn->pinned =
          path_pin(conn->call, &conn->arena, &conn->scratch, &conn->shadow, &conn->hold);
      conn->arena.max += COPY_MAX; /* for the list of what is left */
    }
    kept = rest_pin(conn, bufs, n, head_left);
  }
  if (!kept) {
    conn_close(conn);
    return;
  }
  conn->state = CONN_SEND;
  conn->since_us = loop_now(conn->loop);
  conn->left = total;
  rest_write(conn);
}

/* --- sending --------------------------------------------------------------------------------- */

/* One log line where the error table says that it is worth one. */
static void refusal_note(struct conn *conn, const struct answer *answer)
{
  log_event(code_level(answer->code), "request_refused", "code", code_name(answer->code),
            "request_id", log_slice(slice_of(conn->id, conn->id_len)), NULL);
}

void send_answer(struct conn *conn, const struct answer *answer, enum send_memory memory)
{
  struct loop *loop = conn->loop;
  uv_buf_t bufs[PARTS_MAX];
  unsigned n = 1;
  if (loop->drain >= DRAIN_CLOSING) conn->keep = false;
  if (!conn->whole && !request_skippable(conn)) conn->keep = false;
  size_t total = head_write(loop->head_buf, conn, answer);
  bool body = !conn->bodyless && has_body(answer->status);
  if (body && answer->bytes <= SHORT_BYTES_MAX) { /* one buffer is cheaper to write than two */
    char *at = loop->head_buf + total;
    for (uint32_t i = 0; i < answer->n_parts; i++)
      at = put(at, answer->parts[i].at, answer->parts[i].len);
    total += answer->bytes;
    memory = SEND_COPY;
    body = false;
  }
  bufs[0] = uv_buf_init(loop->head_buf, (unsigned)total);
  if (body) {
    must(answer->n_parts < PARTS_MAX);
    for (uint32_t i = 0; i < answer->n_parts; i++) {
      if (answer->parts[i].len == 0) continue;
      bufs[n].base = (char *)(uintptr_t)answer->parts[i].at;
      bufs[n++].len = answer->parts[i].len;
    }
    total += answer->bytes;
  }
  serve_count_answer(loop->serve, answer->status, answer->code, total);
  gather_count(&loop->gather, loop_now(loop), answer->status == 503);
  if (answer->code != OK) refusal_note(conn, answer);
  int written = uv_try_write((uv_stream_t *)&conn->tcp, bufs, n);
  if (written == UV_EAGAIN) written = 0;
  if (written < 0) {
    conn_close(conn);
  } else if ((size_t)written == total) {
    conn_sent(conn);
  } else {
    send_rest(conn, bufs, n, (size_t)written, total, memory);
  }
}

void send_error(struct conn *conn, const struct err *err, const char *allow)
{
  struct loop *loop = conn->loop;
  struct slice body =
      slice_of(loop->error_buf, err_json(loop->error_buf, err, slice_of(conn->id, conn->id_len)));
  struct answer answer = {
      .status = code_http(err->code),
      .code = err->code,
      .content_type = "application/json",
      .retry_after_s = err_retry_s(err),
      .retry_after_ms = err->retry_after_ms,
      .allow = slice_str(allow),
      .parts = &body,
      .n_parts = 1,
      .bytes = body.len,
  };
  if (err->code == E_UNSUPPORTED_MEDIA) answer.accept_encoding = "gzip, deflate";
  send_answer(conn, &answer, SEND_COPY);
}

void send_stream_head(struct conn *conn)
{
  struct loop *loop = conn->loop;
  struct answer answer = {.status = 200, .content_type = "text/event-stream", .endless = true};
  size_t n = head_write(loop->head_buf, conn, &answer);
  uv_buf_t buf = uv_buf_init(loop->head_buf, (unsigned)n);
  serve_count_answer(loop->serve, answer.status, OK, n);
  if (uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1) != (int)n) conn_close(conn);
}

void send_continue(struct conn *conn)
{
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)h1_continue.at, (unsigned)h1_continue.len);
  if (uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1) != (int)h1_continue.len) conn_close(conn);
}
