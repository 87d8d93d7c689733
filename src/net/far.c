/* far.c - the socket and the timer of a loop's line to the cache's second level.
 * Thread: its loop; far_init and far_deinit: main.
 *
 * serve/far/far.h decides; this file connects, reads, writes and closes. What a turn asks is sent
 * at its end in one write, and what came is read before anybody is found to be late:
 *
 *   timer -> poll: replies are fed, calls go on -> check: far_turn, rounds, far_out
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/rand.h"
#include "net/loop_int.h"

void far_init(struct loop *loop)
{
  struct far_line *line = &loop->far;
  uint64_t seed;
  if (!loop->opts.far) return;
  rand_secret(&seed, sizeof seed);
  line->far = far_new(loop->opts.far, seed);
  line->alarm_us = INT64_MAX;
  must(uv_timer_init(&loop->uv, &line->timer) == 0);
  line->timer.data = loop;
}

void far_deinit(struct loop *loop) { far_free(loop->far.far); }

/* --- the line --------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
  struct loop *loop = handle->data;
  loop->far.open = loop->far.closing = false;
  if (!loop->stop) loop_stir(loop); /* it may be time for the next one */
}

static void line_close(struct loop *loop)
{
  struct far_line *line = &loop->far;
  if (!line->open || line->closing) return;
  line->closing = true;
  uv_close((uv_handle_t *)&line->tcp, on_closed);
}

static void line_down(struct loop *loop, const char *why)
{
  far_down(loop->far.far, why, loop_now(loop));
  line_close(loop);
  calls_asked(loop);
  loop_stir(loop);
}

static void on_alloc(uv_handle_t *handle, size_t wants, uv_buf_t *buf)
{
  struct loop *loop = handle->data;
  (void)wants;
  *buf = uv_buf_init(loop->read_buf, sizeof loop->read_buf);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
  struct loop *loop = stream->data;
  if (n == 0 || loop->far.closing) return;
  if (n < 0) {
    line_down(loop, n == UV_EOF ? "the other side closed it" : "the connection broke");
    return;
  }
  int64_t now_us = loop_now(loop);
  far_fed(loop->far.far, slice_of(buf->base, (size_t)n), now_us, (now_us + loop->wall_us) / 1000);
  if (!far_wants(loop->far.far, now_us)) line_close(loop);
  calls_asked(loop);
}

static void on_connect(uv_connect_t *connect, int status)
{
  struct loop *loop = connect->data;
  if (loop->far.closing || loop->stop) return;
  if (status < 0 || uv_read_start((uv_stream_t *)&loop->far.tcp, on_alloc, on_read) < 0) {
    line_down(loop, "nobody answers at its address");
    return;
  }
  far_up(loop->far.far, loop_now(loop));
}

static int line_connect(struct loop *loop)
{
  static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
  const struct far_opts *opts = loop->opts.far;
  struct far_line *line = &loop->far;
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(opts->port)};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(opts->port)};
  memcpy(&six.sin6_addr, opts->ip.at, sizeof opts->ip.at);
  memcpy(&four.sin_addr, opts->ip.at + sizeof mapped, sizeof four.sin_addr);
  bool is_four = memcmp(opts->ip.at, mapped, sizeof mapped) == 0;
  const struct sockaddr *to =
      is_four ? (const struct sockaddr *)&four : (const struct sockaddr *)&six;
  uv_tcp_nodelay(&line->tcp, 1);
  line->connect.data = loop;
  return uv_tcp_connect(&line->connect, &line->tcp, to, on_connect);
}

static void line_open(struct loop *loop)
{
  struct far_line *line = &loop->far;
  must(uv_tcp_init(&loop->uv, &line->tcp) == 0);
  line->tcp.data = loop;
  line->open = true;
  far_connecting(line->far, loop_now(loop));
  if (line_connect(loop) < 0) line_down(loop, "there is no way to its address");
}

/* --- a turn ----------------------------------------------------------------------------------- */

bool far_begin_turn(struct loop *loop)
{
  struct far_line *line = &loop->far;
  if (!line->far || (!loop->clock_fresh && line->alarm_us < INT64_MAX)) return false;
  int64_t now_us = loop_now(loop);
  far_turn(line->far, now_us);
  if (far_wants(line->far, now_us) && !line->open && !loop->stop) line_open(loop);
  if (!far_wants(line->far, now_us)) line_close(loop);
  return calls_asked(loop);
}

static void on_timer(uv_timer_t *timer)
{
  struct loop *loop = timer->data;
  loop->far.alarm_us = INT64_MAX; /* the turn looks, once it has read what came */
}

static void on_written(uv_write_t *write, int status)
{
  struct loop *loop = write->data;
  if (loop->far.closing || loop->stop) return;
  if (status < 0) {
    line_down(loop, "the connection broke");
    return;
  }
  far_sent(loop->far.far);
  loop_stir(loop); /* more may wait */
}

void far_end_turn(struct loop *loop)
{
  struct far_line *line = &loop->far;
  if (!line->far) return;
  struct slice out = line->open && !line->closing ? far_out(line->far, clock_us()) : SLICE_NONE;
  if (out.len) {
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)out.at, (unsigned)out.len);
    line->write.data = loop;
    if (uv_write(&line->write, (uv_stream_t *)&line->tcp, &buf, 1, on_written) < 0)
      line_down(loop, "the connection broke");
  }
  int64_t when_us = far_when(line->far);
  if (when_us >= line->alarm_us || loop->stop) return;
  int64_t wait_us = when_us - loop_now(loop);
  line->alarm_us = when_us;
  uv_timer_start(&line->timer, on_timer, wait_us > 0 ? (uint64_t)wait_us / 1000 + 1 : 1, 0);
}
