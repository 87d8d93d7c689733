/* load.c - many connections, one thread, poll.
 * Thread: the load's own; start and stop: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/load/load.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/thread.h"

enum { STOP_US = 1000000, RETRY_US = 100000 };

struct line { /* a connection */
  int fd;     /* -1: to be opened */
  bool busy;
  int64_t due_us, again_us; /* again_us: not opened before this */
  const struct slice *out;  /* what is being sent */
  size_t sent;
  struct buf in;
};

struct load {
  struct thread thread;
  struct load_opts opts;
  load_seen seen;
  void *arg;
  struct addrinfo *address;
  struct buf *requests; /* head and body of each */
  struct slice *texts;
  struct line lines[LOAD_CONNECTIONS_MAX];
  uint32_t n, busy;
  uint64_t sent; /* requests begun */
  int64_t began_us, until_us;
  _Atomic bool stop, ended;
};

/* --- lines ------------------------------------------------------------------------------------ */

static void line_lost(struct load *load, struct line *line, int64_t now_us)
{
  if (line->fd >= 0) close(line->fd);
  line->fd = -1;
  line->again_us = now_us + RETRY_US;
  if (!line->busy) return;
  line->busy = false;
  load->busy--;
  struct load_answer answer = {.due_us = line->due_us, .took_us = now_us - line->due_us};
  load->seen(load->arg, &answer);
}

static bool line_open(struct load *load, struct line *line)
{
  const struct addrinfo *to = load->address;
  int one = 1;
  line->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (line->fd < 0) return false;
  setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(line->fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS) return true;
  close(line->fd);
  line->fd = -1;
  return false;
}

/* False: lost. */
static bool line_write(struct line *line)
{
  while (line->out && line->sent < line->out->len) {
    ssize_t n =
        send(line->fd, line->out->at + line->sent, line->out->len - line->sent, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == ENOTCONN || errno == EINTR;
    line->sent += (size_t)n;
  }
  line->out = NULL;
  return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* The value of a header line, trimmed; len 0 when there is none. */
static struct slice header_of(struct slice head, const char *name)
{
  struct slice want = slice_str(name);
  while (head.len) {
    const char *end = memchr(head.at, '\n', head.len);
    size_t n = end ? (size_t)(end - head.at) : head.len;
    if (n > want.len && head.at[want.len] == ':' &&
        slice_eq_nocase(slice_of(head.at, want.len), want)) {
      struct slice value = slice_of(head.at + want.len + 1, n - want.len - 1);
      while (value.len && value.at[0] == ' ') value = slice_from(value, 1);
      while (value.len && (value.at[value.len - 1] == '\r' || value.at[value.len - 1] == ' '))
        value.len--;
      return value;
    }
    head = slice_from(head, end ? n + 1 : n);
  }
  return SLICE_NONE;
}

/* False: it is not whole yet. */
static bool answer_read(struct slice in, struct load_answer *answer)
{
  const char *end = memmem(in.at, in.len, "\r\n\r\n", 4);
  uint64_t length = 0, number = 0;
  if (!end || in.len < 12) return false;
  struct slice head = slice_of(in.at, (size_t)(end - in.at) + 2);
  struct slice body = slice_from(in, head.len + 2);
  (void)text_read_u64(header_of(head, "content-length"), LOAD_ANSWER_MAX, &length);
  if (body.len < length) return false;
  if (text_read_u64(slice_of(in.at + 9, 3), 999, &number)) answer->status = (int)number;
  number = 0;
  if (text_read_u64(header_of(head, "x-slipway-version"), UINT32_MAX, &number))
    answer->version = (uint32_t)number;
  answer->candidate = slice_starts(header_of(head, "x-slipway-arm"), SLICE("candidate"));
  answer->body = slice_of(body.at, (size_t)length);
  return true;
}

static void line_read(struct load *load, struct line *line)
{
  char bytes[16384];
  ssize_t n = recv(line->fd, bytes, sizeof bytes, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  int64_t now_us = clock_us();
  if (n <= 0 || !line->busy) {
    line_lost(load, line, now_us);
    return;
  }
  buf_add(&line->in, slice_of(bytes, (size_t)n));
  struct load_answer answer = {.due_us = line->due_us, .took_us = now_us - line->due_us};
  if (line->in.full) {
    line_lost(load, line, now_us);
  } else if (answer_read(buf_lend(&line->in), &answer)) {
    line->busy = false;
    load->busy--;
    load->seen(load->arg, &answer);
    buf_reset(&line->in);
  }
}

/* --- the schedule ----------------------------------------------------------------------------- */

/* When the next request is due; in the closed loop: now. */
static int64_t due_next(const struct load *load, int64_t now_us)
{
  if (load->opts.rate <= 0) return now_us;
  return load->began_us + (int64_t)((double)load->sent * 1e6 / load->opts.rate);
}

static bool over(const struct load *load, int64_t due_us)
{
  return atomic_load_explicit(&load->stop, memory_order_relaxed) || due_us >= load->until_us;
}

static void lines_fill(struct load *load, int64_t now_us)
{
  for (uint32_t i = 0; i < load->n; i++) {
    struct line *line = &load->lines[i];
    int64_t due_us = due_next(load, now_us);
    if (line->busy) continue;
    if (due_us > now_us || over(load, due_us)) return;
    if (line->fd < 0 && (line->again_us > now_us || !line_open(load, line))) continue;
    line->busy = true;
    load->busy++;
    line->due_us = due_us;
    line->out = &load->texts[load->sent++ % load->opts.n_bodies];
    line->sent = 0;
    buf_reset(&line->in);
    if (!line_write(line)) line_lost(load, line, now_us);
  }
}

static void lines_wait(struct load *load, int64_t now_us)
{
  struct pollfd fds[LOAD_CONNECTIONS_MAX];
  int64_t wait_us = due_next(load, now_us) - now_us;
  if (load->busy == load->n || over(load, now_us)) wait_us = 20000;
  if (wait_us < 0) wait_us = 1000; /* a line that may not be opened yet */
  if (wait_us > 20000) wait_us = 20000;
  struct timespec most = {.tv_nsec = (long)wait_us * 1000};
  for (uint32_t i = 0; i < load->n; i++) {
    const struct line *line = &load->lines[i];
    fds[i] = (struct pollfd){.fd = line->fd,
                             .events = (short)(POLLIN | (line->busy && line->out ? POLLOUT : 0))};
  }
  if (ppoll(fds, load->n, &most, NULL) <= 0) return;
  for (uint32_t i = 0; i < load->n; i++) {
    struct line *line = &load->lines[i];
    if (line->fd < 0) continue;
    if (fds[i].revents & POLLOUT && !line_write(line)) line_lost(load, line, clock_us());
    if (line->fd >= 0 && fds[i].revents & (POLLIN | POLLHUP | POLLERR)) line_read(load, line);
  }
}

static void load_main(void *arg)
{
  struct load *load = arg;
  for (;;) {
    int64_t now_us = clock_us();
    bool done = over(load, due_next(load, now_us));
    if (done && (load->busy == 0 || now_us > load->until_us + STOP_US)) break;
    if (done && load->until_us == INT64_MAX) load->until_us = now_us; /* told to stop */
    lines_fill(load, now_us);
    lines_wait(load, now_us);
  }
  atomic_store(&load->ended, true);
}

/* --- start and stop --------------------------------------------------------------------------- */

static enum code address_find(struct load *load, char *host, struct err *err)
{
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  char *port = strrchr(host, ':'), *name = host;
  if (port && strchr(port, ']')) port = NULL;
  if (port) *port++ = '\0';
  if (name[0] == '[') {
    name++;
    name[strcspn(name, "]")] = '\0';
  }
  if (getaddrinfo(name, port ? port : "80", &hints, &load->address) == 0) return OK;
  load->address = NULL;
  return fail(err, E_UNAVAILABLE, "there is no host '%s'", name);
}

static void requests_make(struct load *load, const char *host)
{
  const struct load_opts *opts = &load->opts;
  load->requests = grab_zero(opts->n_bodies, sizeof *load->requests);
  load->texts = grab_zero(opts->n_bodies, sizeof *load->texts);
  for (uint32_t i = 0; i < opts->n_bodies; i++) {
    struct buf *text = &load->requests[i];
    buf_init(text, opts->bodies[i].len + 8192);
    buf_print(text, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n",
              opts->path, host);
    if (opts->tenant) buf_print(text, "x-slipway-tenant: %s\r\n", opts->tenant);
    if (opts->bearer) buf_print(text, "Authorization: Bearer %s\r\n", opts->bearer);
    buf_print(text, "Content-Length: %zu\r\n\r\n", opts->bodies[i].len);
    buf_add(text, opts->bodies[i]);
    must(!text->full);
    load->texts[i] = buf_lend(text);
  }
}

static void load_free(struct load *load)
{
  for (uint32_t i = 0; i < load->n; i++) {
    if (load->lines[i].fd >= 0) close(load->lines[i].fd);
    buf_deinit(&load->lines[i].in);
  }
  for (uint32_t i = 0; load->requests && i < load->opts.n_bodies; i++)
    buf_deinit(&load->requests[i]);
  if (load->address) freeaddrinfo(load->address);
  ungrab(load->requests);
  ungrab(load->texts);
  ungrab(load);
}

enum code load_start(struct load **out, const struct load_opts *opts, load_seen seen, void *arg,
                     struct err *err)
{
  struct slice url = slice_str(opts->url), http = SLICE("http://");
  char host[256];
  must(opts->n_bodies > 0 && opts->n_bodies <= LOAD_BODIES_MAX);
  if (!slice_starts(url, http) || !slice_to_str(slice_from(url, http.len), host, sizeof host))
    return fail(err, E_INVALID_ARGUMENT, "the address must be http://HOST:PORT");
  host[strcspn(host, "/")] = '\0';
  struct load *load = grab_zero(1, sizeof *load);
  load->opts = *opts;
  load->seen = seen;
  load->arg = arg;
  load->n = opts->connections ? opts->connections : 16;
  must(load->n <= LOAD_CONNECTIONS_MAX);
  for (uint32_t i = 0; i < load->n; i++) {
    load->lines[i].fd = -1;
    buf_init(&load->lines[i].in, LOAD_ANSWER_MAX);
  }
  requests_make(load, host);
  if (address_find(load, host, err) != OK) {
    load_free(load);
    return err->code;
  }
  load->began_us = clock_us();
  load->until_us = opts->for_us ? load->began_us + opts->for_us : INT64_MAX;
  thread_start(&load->thread, "load", THREAD_STACK_PARSER, load_main, load);
  *out = load;
  return OK;
}

bool load_ended(const struct load *load) { return atomic_load(&load->ended); }

void load_stop(struct load *load)
{
  if (!load) return;
  atomic_store(&load->stop, true);
  thread_join(&load->thread);
  load_free(load);
}
