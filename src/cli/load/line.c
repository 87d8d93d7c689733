/* line.c - non-blocking sockets under one epoll, and answers with Content-Length.
 * Thread: the load's own.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/load/line_int.h"

/* --- sockets ---------------------------------------------------------------------------------- */

static void line_poll(struct line *line, int poll, int how, bool out)
{
  struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = line};
  must(epoll_ctl(poll, how, line->fd, &event) == 0);
  line->waits_out = out;
}

bool line_open(struct line *line, int poll, const struct addrinfo *to)
{
  int one = 1;
  line->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (line->fd < 0) return false;
  setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(line->fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS) {
    line_poll(line, poll, EPOLL_CTL_ADD, false);
    return true;
  }
  line_close(line);
  return false;
}

void line_close(struct line *line)
{
  if (line->fd >= 0) close(line->fd);
  line->fd = -1;
  buf_reset(&line->in);
}

bool line_write(struct line *line, int poll)
{
  while (line->sent < line->out.len) {
    ssize_t n = send(line->fd, line->out.at + line->sent, line->out.len - line->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN && errno != ENOTCONN) return false;
    if (n < 0) {
      if (!line->waits_out) line_poll(line, poll, EPOLL_CTL_MOD, true);
      return true;
    }
    line->sent += (size_t)n;
  }
  if (line->waits_out) line_poll(line, poll, EPOLL_CTL_MOD, false);
  return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

struct head { /* what is read of an answer's head */
  uint64_t length;
  bool measured, closes;
};

static void field_read(struct slice name, struct slice value, struct head *head,
                       struct load_answer *answer)
{
  uint64_t number;
  while (value.len && value.at[0] == ' ') value = slice_from(value, 1);
  while (value.len && (value.at[value.len - 1] == '\r' || value.at[value.len - 1] == ' '))
    value.len--;
  if (slice_eq_nocase(name, SLICE("content-length")))
    head->measured = text_read_u64(value, LOAD_ANSWER_MAX, &head->length);
  else if (slice_eq_nocase(name, SLICE("connection")))
    head->closes = slice_eq_nocase(value, SLICE("close"));
  else if (slice_eq_nocase(name, SLICE("x-slipway-version")) &&
           text_read_u64(value, UINT32_MAX, &number))
    answer->version = (uint32_t)number;
  else if (slice_eq_nocase(name, SLICE("x-slipway-arm")))
    answer->candidate = slice_starts(value, SLICE("candidate"));
  else if (slice_eq_nocase(name, SLICE("x-slipway-cache")))
    answer->cached = slice_starts(value, SLICE("hit"));
}

static enum line_read answer_read(struct slice in, struct load_answer *answer)
{
  const char *end = memmem(in.at, in.len, "\r\n\r\n", 4);
  struct head head = {0};
  uint64_t status;
  if (!end) return LINE_MORE;
  struct slice rest = slice_of(in.at, (size_t)(end - in.at) + 2);
  struct slice body = slice_from(in, rest.len + 2);
  if (rest.len < 12 || !slice_starts(in, SLICE("HTTP/1.")) ||
      !text_read_u64(slice_of(in.at + 9, 3), 999, &status) || status < 200)
    return LINE_LOST;
  while (rest.len) {
    const char *stop = memchr(rest.at, '\n', rest.len);
    size_t n = stop ? (size_t)(stop - rest.at) : rest.len;
    const char *colon = memchr(rest.at, ':', n);
    if (colon)
      field_read(slice_of(rest.at, (size_t)(colon - rest.at)),
                 slice_of(colon + 1, n - (size_t)(colon - rest.at) - 1), &head, answer);
    rest = slice_from(rest, stop ? n + 1 : n);
  }
  if (!head.measured) return LINE_LOST; /* we cannot know where it ends */
  if (body.len < head.length) return LINE_MORE;
  answer->status = (int)status;
  answer->body = slice_of(body.at, (size_t)head.length);
  return head.closes ? LINE_LAST : LINE_WHOLE;
}

enum line_read line_read(struct line *line, char *bytes, size_t cap, struct load_answer *answer)
{
  ssize_t n = recv(line->fd, bytes, cap, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return LINE_MORE;
  if (n <= 0) return LINE_LOST;
  struct slice in = slice_of(bytes, (size_t)n);
  bool parts = line->in.len > 0;
  if (parts) {
    buf_add(&line->in, in);
    if (line->in.full) return LINE_LOST;
    in = buf_lend(&line->in);
  }
  enum line_read got = answer_read(in, answer);
  if (got == LINE_MORE && !parts) buf_add(&line->in, in);
  if (got != LINE_MORE) line->in.len = 0; /* the bytes stay where they are until the next read */
  return got;
}
