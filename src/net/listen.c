/* listen.c - the loop's own listening socket, and who is let in.
 * Thread: loop_listen: main; the rest: its loop.
 *
 * Every loop listens on a socket of its own with SO_REUSEPORT; the kernel spreads connections. That
 * another server has the port is asked before, since SO_REUSEPORT hides it.
 * Options are set on the listening socket once, and connections inherit them: no system call
 * for each. Out of descriptors: a spare one is given up to accept and close the waiting
 * connection, and the door rests for 100 ms instead of spinning on a queue that cannot shrink.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "net/loop_int.h"

enum { DOOR_REST_MS = 100, DOOR_BACKLOG = 4096, KEEPALIVE_S = 30, KEEPALIVE_STEP_S = 15 };
enum { UNSENT_MAX = 256 << 10 };

static enum code host_read(const char *host, uint16_t port, struct sockaddr_storage *to,
                           socklen_t *len, struct err *err)
{
  struct sockaddr_in *four = (struct sockaddr_in *)to;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
  memset(to, 0, sizeof *to);
  if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    *len = sizeof *four;
    return OK;
  }
  if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    *len = sizeof *six;
    return OK;
  }
  return fail(err, E_INVALID_ARGUMENT, "\"%.64s\" is not an IP address; use one like 127.0.0.1",
              host);
}

static void door_options(int fd, int family)
{
  const struct {
    int level, name, value;
  } options[] = {
      {SOL_SOCKET, SO_REUSEADDR, 1},
      {SOL_SOCKET, SO_REUSEPORT, 1},
      {SOL_SOCKET, SO_KEEPALIVE, 1},
      {IPPROTO_TCP, TCP_NODELAY, 1},
      {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S},
      {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_STEP_S},
      {IPPROTO_TCP, TCP_KEEPCNT, 3},
      {IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX}, /* what the kernel holds for a slow reader */
  };
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    must(setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int)) == 0);
  int one = 1;
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
}

static enum code listen_fail(const struct loop *loop, struct err *err)
{
  const char *host = loop->opts.host;
  unsigned port = loop->opts.port;
  switch (errno) {
    case EADDRINUSE:
      return fail(err, E_CONFLICT,
                  "port %u on %.64s is taken; stop who has it, or choose another: "
                  "--listen HOST:PORT",
                  port, host);
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT: return fail(err, E_UNAVAILABLE, "this machine has no address %.64s", host);
    case EACCES:
      return fail(err, E_DENIED, "port %u needs a privilege; choose one from 1024 on", port);
    default:
      return fail(err, E_UNAVAILABLE, "cannot listen on %.64s port %u: errno %d", host, port,
                  errno);
  }
}

/* SO_REUSEPORT would let a second server of the same user in beside a first, and the kernel would
 * share the callers out between two. So the first loop asks once without it: taken is taken. */
static enum code door_ask(const struct loop *loop, const struct sockaddr_storage *address,
                          socklen_t len, struct err *err)
{
  int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  if (fd < 0) return listen_fail(loop, err);
  must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
  if (address->ss_family == AF_INET6)
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  enum code code = bind(fd, (const struct sockaddr *)address, len) == 0 ? OK
                                                                        : listen_fail(loop, err);
  close(fd);
  return code;
}

enum code loop_listen(struct loop *loop, struct err *err)
{
  struct sockaddr_storage address;
  socklen_t len;
  must(loop->door_fd < 0);
  if (host_read(loop->opts.host, loop->opts.port, &address, &len, err)) return err->code;
  if (loop->number == 0 && door_ask(loop, &address, len, err) != OK) return err->code;
  int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return listen_fail(loop, err);
  door_options(fd, address.ss_family);
  if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, DOOR_BACKLOG) != 0) {
    listen_fail(loop, err);
    close(fd);
    return err->code;
  }
  must(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
  loop->port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                   : ((struct sockaddr_in *)&address)->sin_port);
  loop->door_fd = fd;
  return OK;
}

uint16_t loop_port(const struct loop *loop) { return loop->port; }

/* --- who is let in --------------------------------------------------------------------------- */

/* At the door nothing of a connection is made: no id, no Date, one try to say why. */
static void door_refuse(struct loop *loop, int fd, const struct err *err)
{
  char text[512 + ERR_JSON_MAX], body[ERR_JSON_MAX];
  size_t len = err_json(body, err, SLICE(""));
  int status = code_http(err->code);
  int n = snprintf(text, sizeof text,
                   "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                   "Retry-After: %u\r\nConnection: close\r\n\r\n%.*s",
                   status, http_reason(status), len, err_retry_s(err), (int)len, body);
  serve_count_answer(loop->serve, status, err->code, 0);
  ssize_t sent = send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)sent; /* a courtesy */
  shutdown(fd, SHUT_WR);
  close(fd);
}

static void door_enter(struct loop *loop, int fd, const struct sockaddr *peer)
{
  struct address address = address_of(peer);
  uint32_t max = address_conns_max(&loop->limits, loop->n_loops);
  bool free_pass = !loop->limits.address_max && address_is_loopback(&address);
  if (loop->n_open >= loop->conns.n_max) {
    fail(&loop->err, E_OVERLOADED, "too many connections; retry in a moment");
    door_refuse(loop, fd, &loop->err);
    return;
  }
  if (addresses_add(&loop->addresses, &address) > max && !free_pass) {
    addresses_remove(&loop->addresses, &address);
    fail(&loop->err, E_LIMIT_EXCEEDED, "too many connections of one address; retry in a moment");
    door_refuse(loop, fd, &loop->err);
    return;
  }
  conn_open(loop, fd, peer);
}

static void on_rested(uv_timer_t *timer)
{
  struct loop *loop = timer->data;
  if (loop->spare_fd < 0) loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (loop->door_open) door_open(loop);
}

/* No descriptor is left: answer one knock by closing it, then rest. */
static void door_rest(struct loop *loop)
{
  if (loop->spare_fd >= 0) {
    close(loop->spare_fd);
    int fd = accept4(loop->door_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  log_event(LOG_WARN, "descriptors_spent", "connections", log_num(loop->n_open), NULL);
  uv_poll_stop(&loop->door);
  uv_timer_start(&loop->door_rest, on_rested, DOOR_REST_MS, 0);
}

static void on_knock(uv_poll_t *poll, int status, int events)
{
  struct loop *loop = poll->data;
  (void)events;
  if (status < 0) return;
  for (int i = 0; i < ACCEPTS_MAX; i++) {
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept4(loop->door_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      door_enter(loop, fd, (struct sockaddr *)&peer);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      door_rest(loop);
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return; /* EAGAIN: nobody is left */
    }
  }
}

void door_open(struct loop *loop)
{
  loop->door_open = true;
  uv_poll_start(&loop->door, UV_READABLE, on_knock);
}

static void on_door_closed(uv_handle_t *handle)
{
  struct loop *loop = handle->data;
  close(loop->door_fd);
  loop->door_fd = -1;
}

void door_close(struct loop *loop)
{
  if (!loop->door_open) return;
  for (int i = 0; i < DOOR_BACKLOG / ACCEPTS_MAX; i++) on_knock(&loop->door, 0, 0);
  loop->door_open = false;
  uv_timer_stop(&loop->door_rest);
  uv_close((uv_handle_t *)&loop->door, on_door_closed);
}
