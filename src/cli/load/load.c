/* load.c - many connections, one thread, one epoll.
 * Thread: the load's own; start and stop: main (own).
 *
 * A turn: send all that is due, sleep until the next is due or something comes, read all that came.
 * Idle connections are taken in turn, so that every loop of a server gets its share; a new one is
 * opened only when none is idle.
 * SPDX-License-Identifier: MIT */
#include "cli/load/load.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cli/load/line_int.h"
#include "cli/load/schedule.h"

enum { STOP_US = 1000000, RETRY_US = 100000, WAIT_US = 20000, EVENTS = 256, READ_BYTES = 65536 };

struct source {
  const struct load_source *opts;
  struct schedule schedule;
  struct buf *requests; /* head and body of each */
  size_t *digits;       /* where in each its digits are; 0: nowhere */
  struct line *lines;
  uint32_t n_lines, n_opened; /* of the lines the first so many were in use */
  struct link idle, busy, resting;
  int64_t from_us, until_us; /* clock_us */
  int64_t timeout_us, unsent_us;
  uint64_t sent;
};

struct load {
  struct thread thread;
  struct load_opts opts;
  load_seen seen;
  void *arg;
  struct addrinfo *address;
  struct source *sources;
  int poll;
  int64_t began_us;
  uint64_t digits;
  char bytes[READ_BYTES];
  _Atomic bool stop, ended;
};

/* --- what became of a request ----------------------------------------------------------------- */

static void answer_tell(struct load *load, const struct line *line, struct load_answer *answer,
                        int64_t now_us)
{
  answer->source = line->source;
  answer->begun_us = load->began_us;
  answer->due_us = line->due_us;
  answer->took_us = now_us - line->due_us;
  answer->late_us = line->sent_us - line->due_us;
  answer->tries = line->tries;
  load->seen(load->arg, answer);
}

static void unsent_tell(struct load *load, uint32_t source, int64_t due_us, int64_t now_us)
{
  struct load_answer answer = {.source = source,
                               .begun_us = load->began_us,
                               .due_us = due_us,
                               .took_us = now_us - due_us,
                               .late_us = now_us - due_us,
                               .status = LOAD_UNSENT};
  load->seen(load->arg, &answer);
}

static void line_rest(struct source *source, struct line *line, bool lost, int64_t now_us)
{
  list_remove(&line->link);
  line->again_us = lost ? now_us + RETRY_US : 0;
  list_push_back(lost ? &source->resting : &source->idle, &line->link);
}

/* The request on it, if any, ends without a status. */
static void line_lost(struct load *load, struct line *line, bool busy, enum load_end end,
                      int64_t now_us)
{
  line_close(line);
  line_rest(&load->sources[line->source], line, busy && end == LOAD_LOST, now_us);
  if (!busy) return;
  struct load_answer answer = {.status = end};
  answer_tell(load, line, &answer, now_us);
  line->due_us = 0;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Seven decimal digits, or the four bytes of a float: no two of ten million are alike as FP32. */
static void digits_write(struct load *load, const struct load_body *body, char *to)
{
  uint64_t n = load->digits++ % 10000000;
  if (body->json_len) {
    float value = (float)((double)n * 1e-7);
    memcpy(to, &value, sizeof value);
    return;
  }
  for (int i = LOAD_DIGITS - 1; i >= 0; i--, n /= 10) to[i] = (char)('0' + n % 10);
}

static void line_send(struct load *load, struct source *source, struct line *line, int64_t due_us,
                      uint32_t tries, int64_t now_us)
{
  size_t at = source->sent++ % source->opts->n_bodies;
  if (source->digits[at])
    digits_write(load, &source->opts->bodies[at], source->requests[at].at + source->digits[at]);
  list_remove(&line->link);
  list_push_back(&source->busy, &line->link);
  line->due_us = due_us;
  if (tries == 1) line->sent_us = now_us;
  line->tries = tries;
  line->out = buf_lend(&source->requests[at]);
  line->sent = 0;
  if (line->fd < 0 && !line_open(line, load->poll, load->address))
    line_lost(load, line, true, LOAD_LOST, now_us);
  else if (!line_write(line, load->poll))
    line_lost(load, line, true, LOAD_LOST, now_us);
}

static struct line *line_free(struct source *source, int64_t now_us)
{
  if (!list_empty(&source->idle)) return LIST_OF(source->idle.next, struct line, link);
  if (!list_empty(&source->resting)) {
    struct line *line = LIST_OF(source->resting.next, struct line, link);
    if (line->again_us <= now_us) return line;
  }
  if (source->n_opened == source->n_lines) return NULL;
  struct line *line = &source->lines[source->n_opened++];
  list_push_back(&source->idle, &line->link);
  return line;
}

/* clock_us; INT64_MAX: nothing more comes. */
static int64_t source_due(const struct source *source, int64_t now_us)
{
  int64_t due_us = source->opts->rate > 0     ? source->from_us + schedule_due(&source->schedule)
                   : now_us > source->from_us ? now_us
                                              : source->from_us;
  return due_us < source->until_us ? due_us : INT64_MAX;
}

static void source_send(struct load *load, uint32_t at, int64_t now_us)
{
  struct source *source = &load->sources[at];
  bool open = source->opts->rate > 0;
  /* In the closed loop no connection gets two turns in one, or none would be read. */
  for (uint32_t n = 0; open || n < source->n_lines; n++) {
    int64_t due_us = source_due(source, now_us);
    if (due_us > now_us) return;
    if (now_us - due_us > source->unsent_us) {
      schedule_next(&source->schedule);
      unsent_tell(load, at, due_us, now_us);
      continue;
    }
    struct line *line = line_free(source, now_us);
    if (!line) return;
    if (open) schedule_next(&source->schedule);
    line_send(load, source, line, due_us, 1, now_us);
  }
}

/* Busy lines stand in the order they were sent. */
static void source_give_up(struct load *load, struct source *source, int64_t now_us, bool all)
{
  while (!list_empty(&source->busy)) {
    struct line *line = LIST_OF(source->busy.next, struct line, link);
    if (!all && now_us - line->due_us <= source->timeout_us) return;
    line_lost(load, line, true, LOAD_TIMED_OUT, now_us);
  }
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool line_is_busy(const struct line *line) { return line->due_us != 0; }

static void line_ready(struct load *load, struct line *line, uint32_t events)
{
  struct source *source = &load->sources[line->source];
  struct load_answer answer = {0};
  if (line->fd < 0) return; /* closed by what came before it in this turn */
  if (events & EPOLLOUT && !line_write(line, load->poll)) {
    line_lost(load, line, line_is_busy(line), LOAD_LOST, clock_us());
    return;
  }
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  bool busy = line_is_busy(line);
  enum line_read got = line_read(line, load->bytes, sizeof load->bytes, &answer);
  int64_t now_us = clock_us();
  if (got == LINE_MORE) return;
  if (got == LINE_LOST || !busy) {
    line_lost(load, line, busy, LOAD_LOST, now_us);
    return;
  }
  if (answer.status != 200 && line->tries <= source->opts->retries) {
    if (got == LINE_LAST) line_close(line);
    line_send(load, source, line, line->due_us, line->tries + 1, now_us);
    return;
  }
  answer_tell(load, line, &answer, now_us);
  if (got == LINE_LAST) line_close(line);
  line->due_us = 0;
  line_rest(source, line, false, now_us);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void load_wait(struct load *load, int64_t wait_us)
{
  struct epoll_event events[EVENTS];
  struct pollfd fd = {.fd = load->poll, .events = POLLIN};
  struct timespec most = {.tv_nsec = (long)wait_us * 1000};
  int n = epoll_wait(load->poll, events, EVENTS, 0);
  if (n <= 0 && wait_us > 0 && ppoll(&fd, 1, &most, NULL) > 0)
    n = epoll_wait(load->poll, events, EVENTS, 0);
  for (int i = 0; i < n; i++) line_ready(load, events[i].data.ptr, events[i].events);
}

/* False: everything was told. *wait_us: until the next is due. */
static bool load_turn(struct load *load, int64_t now_us, bool last, int64_t *wait_us)
{
  bool more = false;
  *wait_us = WAIT_US;
  for (uint32_t i = 0; i < load->opts.n_sources; i++) {
    struct source *source = &load->sources[i];
    source_send(load, i, now_us);
    source_give_up(load, source, now_us, last);
    int64_t due_us = source_due(source, now_us);
    more = more || due_us != INT64_MAX || !list_empty(&source->busy);
    bool idle = !list_empty(&source->idle) || source->n_opened < source->n_lines;
    if (idle && due_us - now_us < *wait_us) *wait_us = due_us > now_us ? due_us - now_us : 0;
  }
  return more;
}

/* Nothing is due any more; what was due and never sent is told. */
static void load_cut(struct load *load, int64_t now_us)
{
  for (uint32_t i = 0; i < load->opts.n_sources; i++) {
    struct source *source = &load->sources[i];
    source_send(load, i, now_us);
    if (source->until_us > now_us) source->until_us = now_us;
    for (int64_t due_us;
         source->opts->rate > 0 && (due_us = source_due(source, now_us)) != INT64_MAX;) {
      schedule_next(&source->schedule);
      unsent_tell(load, i, due_us, now_us);
    }
    source->until_us = 0;
  }
}

static void load_main(void *arg)
{
  struct load *load = arg;
  int64_t stopped_us = 0, wait_us;
  prctl(PR_SET_TIMERSLACK, 1);
  for (;;) {
    int64_t now_us = clock_us();
    if (!stopped_us && atomic_load_explicit(&load->stop, memory_order_relaxed)) {
      stopped_us = now_us;
      load_cut(load, now_us);
    }
    bool last = stopped_us && now_us - stopped_us > STOP_US;
    if (!load_turn(load, now_us, last, &wait_us)) break;
    load_wait(load, wait_us);
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

static void request_make(struct buf *to, const struct load_source *source,
                         const struct load_body *body, const char *host)
{
  buf_init(to, body->text.len + 16384);
  buf_print(to, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n", source->path, host,
            body->json_len ? "application/octet-stream" : "application/json");
  if (body->json_len) buf_print(to, "Inference-Header-Content-Length: %zu\r\n", body->json_len);
  if (source->tenant) buf_print(to, "x-slipway-tenant: %s\r\n", source->tenant);
  if (source->bearer) buf_print(to, "Authorization: Bearer %s\r\n", source->bearer);
  if (source->head) buf_add(to, slice_str(source->head));
  buf_print(to, "Content-Length: %zu\r\n\r\n", body->text.len);
  buf_add(to, body->text);
  must(!to->full);
}

static void source_start(struct load *load, uint32_t at, const char *host)
{
  struct source *source = &load->sources[at];
  const struct load_source *opts = source->opts = &load->opts.sources[at];
  must(opts->n_bodies > 0 && opts->n_bodies <= LOAD_BODIES_MAX);
  source->requests = grab_zero(opts->n_bodies, sizeof *source->requests);
  source->digits = grab_zero(opts->n_bodies, sizeof *source->digits);
  for (uint32_t i = 0; i < opts->n_bodies; i++) {
    const struct load_body *body = &opts->bodies[i];
    request_make(&source->requests[i], opts, body, host);
    if (body->digits) source->digits[i] = source->requests[i].len - body->text.len + body->digits;
  }
  list_init(&source->idle);
  list_init(&source->busy);
  list_init(&source->resting);
  source->n_lines = opts->connections ? opts->connections
                    : opts->rate > 0  ? LOAD_CONNECTIONS_OPEN
                                      : LOAD_CONNECTIONS_CLOSED;
  must(source->n_lines <= LOAD_CONNECTIONS_MAX);
  source->lines = grab_zero(source->n_lines, sizeof *source->lines);
  for (uint32_t i = 0; i < source->n_lines; i++) {
    source->lines[i].fd = -1;
    source->lines[i].source = at;
    buf_init(&source->lines[i].in, LOAD_ANSWER_MAX + 65536);
  }
  if (opts->rate > 0)
    schedule_init(&source->schedule, opts->rate, opts->poisson, load->opts.seed + at);
  source->timeout_us = opts->timeout_us ? opts->timeout_us : LOAD_TIMEOUT_US;
  source->unsent_us = opts->unsent_us ? opts->unsent_us : source->timeout_us;
}

static void source_end(struct source *source)
{
  for (uint32_t i = 0; i < source->n_lines; i++) {
    line_close(&source->lines[i]);
    buf_deinit(&source->lines[i].in);
  }
  for (uint32_t i = 0; i < source->opts->n_bodies; i++) buf_deinit(&source->requests[i]);
  ungrab(source->requests);
  ungrab(source->digits);
  ungrab(source->lines);
}

static void load_free(struct load *load)
{
  for (uint32_t i = 0; i < load->opts.n_sources; i++) source_end(&load->sources[i]);
  if (load->address) freeaddrinfo(load->address);
  close(load->poll);
  ungrab(load->sources);
  ungrab(load);
}

/* Connections are files. */
static void files_allow(void)
{
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

enum code load_start(struct load **out, const struct load_opts *opts, load_seen seen, void *arg,
                     struct err *err)
{
  struct slice url = slice_str(opts->url), http = SLICE("http://");
  char host[256], name[256];
  must(opts->n_sources > 0 && opts->n_sources <= LOAD_SOURCES_MAX);
  if (!slice_starts(url, http) || !slice_to_str(slice_from(url, http.len), host, sizeof host))
    return fail(err, E_INVALID_ARGUMENT, "the address must be http://HOST:PORT");
  host[strcspn(host, "/")] = '\0';
  snprintf(name, sizeof name, "%s", host);
  struct load *load = grab_zero(1, sizeof *load);
  load->opts = *opts;
  load->seen = seen;
  load->arg = arg;
  load->poll = epoll_create1(EPOLL_CLOEXEC);
  must(load->poll >= 0);
  load->sources = grab_zero(opts->n_sources, sizeof *load->sources);
  for (uint32_t i = 0; i < opts->n_sources; i++) source_start(load, i, host);
  if (address_find(load, name, err) != OK) {
    load_free(load);
    return err->code;
  }
  files_allow();
  load->began_us = clock_us();
  int64_t end_us = opts->for_us ? load->began_us + opts->for_us : INT64_MAX;
  for (uint32_t i = 0; i < opts->n_sources; i++) {
    struct source *source = &load->sources[i];
    source->from_us = load->began_us + source->opts->from_us;
    source->until_us = source->opts->for_us ? source->from_us + source->opts->for_us : end_us;
    if (source->until_us > end_us) source->until_us = end_us;
  }
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
