/* net_client.h - a client that speaks raw bytes over loopback.
 * SPDX-License-Identifier: MIT */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

enum { WIRE_MAX = 1 << 20 };

struct client {
  int fd;
  size_t len; /* bytes in buf not yet taken by client_read */
  char buf[WIRE_MAX];
  /* The last answer read: */
  int status;
  char head[8192], body[WIRE_MAX];
  size_t body_len;
  bool closed; /* the server closed before a whole answer came */
};

__attribute__((unused)) static void client_connect(struct client *client, uint16_t port)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  int one = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  memset(client, 0, offsetof(struct client, buf));
  client->fd = socket(AF_INET, SOCK_STREAM, 0);
  must(connect(client->fd, (struct sockaddr *)&to, sizeof to) == 0);
  setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct timeval patience = {.tv_sec = 15};
  setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static void client_close(struct client *client)
{
  close(client->fd);
  client->fd = -1;
}

/* False when the server will not take more. */
static bool client_send(struct client *client, const void *at, size_t len)
{
  const char *bytes = at;
  while (len) {
    ssize_t n = send(client->fd, bytes, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue; /* the process was stopped for a while */
    if (n <= 0) return false;
    bytes += n;
    len -= (size_t)n;
  }
  return true;
}

static bool client_say(struct client *client, const char *text)
{
  return client_send(client, text, strlen(text));
}

static bool client_fill(struct client *client)
{
  ssize_t n;
  do n = recv(client->fd, client->buf + client->len, sizeof client->buf - client->len - 1, 0);
  while (n < 0 && errno == EINTR);
  if (n <= 0) return false;
  client->len += (size_t)n;
  return true;
}

/* A field of the last answer's head, or NULL; valid until the next call. */
static const char *client_field(const struct client *client, const char *name)
{
  static _Thread_local char value[1024];
  char key[128];
  snprintf(key, sizeof key, "\r\n%s: ", name);
  const char *at = strcasestr(client->head, key);
  if (!at) return NULL;
  at += strlen(key);
  size_t n = strcspn(at, "\r");
  snprintf(value, sizeof value, "%.*s", (int)n, at);
  return value;
}

/* Reads one answer; its status, or 0 when the connection ended before it was whole. head: no
 * body comes whatever Content-Length says. */
__attribute__((unused)) static int client_read_form(struct client *client, bool head)
{
  char *end;
  client->closed = false;
  client->status = 0;
  for (;;) {
    client->buf[client->len] = '\0';
    if ((end = memmem(client->buf, client->len, "\r\n\r\n", 4))) break;
    if (client_fill(client)) continue;
    client->closed = true;
    return 0;
  }
  size_t head_len = (size_t)(end - client->buf) + 4;
  must(head_len < sizeof client->head);
  memcpy(client->head, client->buf, head_len);
  client->head[head_len] = '\0';
  int status = atoi(client->head + 9);
  const char *length = client_field(client, "Content-Length");
  size_t need = length && !head ? (size_t)atoll(length) : 0;
  must(need < sizeof client->body);
  while (client->len < head_len + need) {
    if (client_fill(client)) continue;
    client->closed = true;
    return 0;
  }
  memcpy(client->body, client->buf + head_len, need);
  client->body[need] = '\0';
  client->body_len = need;
  client->len -= head_len + need;
  memmove(client->buf, client->buf + head_len + need, client->len);
  return client->status = status;
}

__attribute__((unused)) static int client_read(struct client *client)
{
  return client_read_form(client, false);
}

/* Sends text and reads the answer. */
__attribute__((unused)) static int client_ask(struct client *client, const char *text)
{
  client_say(client, text);
  return client_read(client);
}

/* Whether the server closes within `ms`, with nothing more to read. */
__attribute__((unused)) static bool client_is_closed(struct client *client, int ms)
{
  char byte;
  struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
  int n;
  do n = client->len ? 0 : poll(&poll_fd, 1, ms);
  while (n < 0 && errno == EINTR);
  if (n != 1) return false;
  return recv(client->fd, &byte, 1, 0) <= 0;
}

__attribute__((unused)) static bool client_says_code(const struct client *client, const char *code)
{
  char want[64];
  snprintf(want, sizeof want, "\"code\":\"%s\"", code);
  return strstr(client->body, want) != NULL;
}

/* "POST path HTTP/1.1" with a body into to; returns its length. */
__attribute__((unused)) static size_t rig_post(char *to, size_t cap, const char *path,
                                               const char *extra, const char *body)
{
  return (size_t)snprintf(to, cap, "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s",
                          path, extra, strlen(body), body);
}

/* That POST sent; client_infer waits for the answer, too, and gives its status. */
__attribute__((unused)) static void client_post(struct client *client, const char *path,
                                                const char *extra, const char *body)
{
  static char text[16384];
  client_send(client, text, rig_post(text, sizeof text, path, extra, body));
}

__attribute__((unused)) static int client_infer(struct client *client, const char *path,
                                                const char *extra, const char *body)
{
  client_post(client, path, extra, body);
  return client_read(client);
}

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
#define ROW16  "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16.5"
#define INFER16 \
  "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,16],\"datatype\":\"FP32\",\"data\":[" ROW16 "]}]}"
#define INFER1 "{\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"FP32\",\"data\":[1,2]}]}"

#endif
