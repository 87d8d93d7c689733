/* changes_bench.c - many clients changing the control plane at once, over HTTP: how many changes
 * are acknowledged, how long each takes, and what predictions beside them take.
 *   build/release/changes_bench PORT SECONDS CLIENTS RATE [PACE]
 * CLIENTS 0: none change anything, so that predictions alone are measured. RATE: predictions a
 * second, sent when they are due whatever the last one took; 0: none. PACE: changes a second of all
 * clients together, the same way; 0: as many as can be. A change is a freeze of one model, set and
 * lifted in turn: client i has model-i for itself. Model digits-0 answers the predictions. One
 * line of JSON on stdout; bench/changes.py runs it.
 * Thread: own process; one thread a client.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { CLIENTS_MAX = 256, SAMPLES_MAX = 1 << 20, REPLY_MAX = 65536 };

struct samples {
  uint32_t *us, n;
};

struct client {
  pthread_t thread;
  int number, fd;
  struct samples took;
  uint64_t refused;
  char first[256]; /* the first answer that was not a 2xx */
};

static uint16_t port;
static int64_t end_us;
static double rate, pace;
static int n_clients;

static int dial(void)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) exit(1);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/* One request, one answer with a Content-Length; its status. */
static int ask(int fd, const char *request, size_t len, char *reply)
{
  size_t got = 0, whole = 0;
  if (write(fd, request, len) != (ssize_t)len) exit(1);
  while (!whole || got < whole) {
    ssize_t n = read(fd, reply + got, REPLY_MAX - 1 - got);
    if (n <= 0) exit(1);
    got += (size_t)n;
    reply[got] = '\0';
    char *body = strstr(reply, "\r\n\r\n"), *length = strcasestr(reply, "content-length:");
    if (!whole && body && length)
      whole = (size_t)(body + 4 - reply) + (size_t)strtoul(length + 15, NULL, 10);
  }
  return (int)strtol(reply + 9, NULL, 10);
}

static void note(struct client *client, int status, int64_t took_us, const char *reply)
{
  if (status / 100 != 2) {
    if (!client->refused++) snprintf(client->first, sizeof client->first, "%.250s", reply);
  } else if (client->took.n < SAMPLES_MAX) {
    client->took.us[client->took.n++] = (uint32_t)took_us;
  }
}

static void *changing(void *arg)
{
  struct client *client = arg;
  char request[2][512], reply[REPLY_MAX], body[64];
  int body_len =
      snprintf(body, sizeof body, "{\"model\":\"model-%d\",\"now\":true}", client->number);
  int set = snprintf(request[0], sizeof request[0],
                     "POST /api/v1/freezes HTTP/1.1\r\nhost: localhost\r\n"
                     "content-type: application/json\r\ncontent-length: %d\r\n\r\n%s",
                     body_len, body);
  int lift = snprintf(request[1], sizeof request[1],
                      "DELETE /api/v1/freezes?model=model-%d HTTP/1.1\r\nhost: localhost\r\n\r\n",
                      client->number);
  int64_t step_us = pace > 0 ? (int64_t)(1e6 * n_clients / pace) : 0;
  int64_t due = clock_us() + step_us * client->number / n_clients;
  client->fd = dial();
  for (int turn = 0; clock_us() < end_us && due < end_us; turn ^= 1, due += step_us) {
    int64_t began = clock_us();
    if (step_us && began < due) usleep((useconds_t)(due - began));
    if (step_us) began = due;
    int status = ask(client->fd, request[turn], (size_t)(turn ? lift : set), reply);
    note(client, status, clock_us() - began, reply);
  }
  close(client->fd);
  return NULL;
}

static void *predicting(void *arg)
{
  struct client *client = arg;
  static const char body[] =
      "{\"inputs\":[{\"name\":\"input\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":[0]}]}";
  char request[512], reply[REPLY_MAX];
  int len = snprintf(request, sizeof request,
                     "POST /v2/models/digits-0/infer HTTP/1.1\r\nhost: localhost\r\n"
                     "content-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                     sizeof body - 1, body);
  int64_t step_us = (int64_t)(1e6 / rate), due = clock_us();
  client->fd = dial();
  while (due < end_us) {
    int64_t now = clock_us();
    if (now < due) usleep((useconds_t)(due - now));
    int status = ask(client->fd, request, (size_t)len, reply);
    note(client, status, clock_us() - due, reply);
    due += step_us;
  }
  close(client->fd);
  return NULL;
}

static int compare(const void *a, const void *b)
{
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static void figures(const char *name, struct samples *all, double seconds, const char *tail)
{
  if (all->n) qsort(all->us, all->n, sizeof *all->us, compare);
  uint32_t last = all->n ? all->n - 1 : 0;
  printf("\"%s\":{\"n\":%u,\"per_s\":%.0f,\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u}%s", name,
         all->n, all->n / seconds, all->us[last / 2], all->us[(uint64_t)last * 99 / 100],
         all->us[last], tail);
}

static struct samples samples_new(uint32_t n) { return (struct samples){grab_zero(n, 4), 0}; }

int main(int argc, char **argv)
{
  static struct client clients[CLIENTS_MAX + 1];
  struct samples changes = samples_new(SAMPLES_MAX);
  uint64_t refused = 0;
  if (argc < 5) return fprintf(stderr, "changes_bench PORT SECONDS CLIENTS RATE [PACE]\n"), 2;
  port = (uint16_t)strtoul(argv[1], NULL, 10);
  double seconds = strtod(argv[2], NULL);
  int n = (int)strtol(argv[3], NULL, 10);
  rate = strtod(argv[4], NULL);
  pace = argc > 5 ? strtod(argv[5], NULL) : 0;
  n_clients = n;
  if (n < 0 || n > CLIENTS_MAX) return 2;
  end_us = clock_us() + (int64_t)(seconds * 1e6);
  struct client *asker = &clients[n];
  asker->took = samples_new(SAMPLES_MAX);
  for (int i = 0; i < n; i++) {
    clients[i].number = i;
    clients[i].took = samples_new(SAMPLES_MAX / CLIENTS_MAX * 8);
    pthread_create(&clients[i].thread, NULL, changing, &clients[i]);
  }
  if (rate > 0) pthread_create(&asker->thread, NULL, predicting, asker);
  for (int i = 0; i < n; i++) {
    pthread_join(clients[i].thread, NULL);
    refused += clients[i].refused;
    if (clients[i].first[0] && refused == clients[i].refused)
      fprintf(stderr, "client %d was told:\n%s\n", i, clients[i].first);
    for (uint32_t k = 0; k < clients[i].took.n && changes.n < SAMPLES_MAX; k++)
      changes.us[changes.n++] = clients[i].took.us[k];
  }
  if (rate > 0) pthread_join(asker->thread, NULL);
  if (asker->first[0]) fprintf(stderr, "predictions were told:\n%s\n", asker->first);
  printf("{");
  figures("changes", &changes, seconds, ",");
  figures("predictions", &asker->took, seconds, ",");
  printf("\"refused\":%" PRIu64 ",\"failed\":%" PRIu64 "}\n", refused, asker->refused);
  return 0;
}
