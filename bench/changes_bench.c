/* changes_bench.c - many clients changing the control plane at once, over HTTP: how many changes
 * are acknowledged, how long each takes, and what predictions beside them take.
 *   build/release/changes_bench PORT[:DECOY] SECONDS CLIENTS RATE [PACE [BEGIN]]
 * CLIENTS 0: none change anything, so that predictions alone are measured. RATE: predictions a
 * second, sent when they are due whatever the last one took; 0: none. PACE: changes a second of
 * all clients together, the same way; 0: as many as can be. DECOY: another daemon on this machine,
 * which gets the changes in every second stretch of half a second, so that what the machine does
 * is the same in both kinds; predictions are counted by kind then: loud, quiet, and two halves of
 * the quiet. BEGIN: when the first stretch does, in microseconds of the monotonic clock, so that
 * another program can keep time with this one. A change is a freeze of one model, set and lifted
 * in turn: client i has model-i for itself. Model digits-0 answers the predictions. One line of
 * JSON on stdout; bench/changes.py and bench/loads.py run it.
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

enum { CLIENTS_MAX = 256, SAMPLES_MAX = 1 << 20, REPLY_MAX = 65536, STRETCH_US = 500000 };
enum kind { LOUD, QUIET_A, QUIET_B, KINDS };

struct samples {
  uint32_t *us, n;
};

struct client {
  pthread_t thread;
  int number, fd[2]; /* to the daemon, to the decoy */
  struct samples took;
  struct samples by_kind[KINDS];
  uint16_t *stretch; /* of each of took */
  uint64_t refused;
  char first[256]; /* the first answer that was not a 2xx */
};

static uint16_t ports[2]; /* the daemon, and the decoy or 0 */
static int64_t begin_us, end_us;
static double rate, pace;
static int n_clients;

static uint16_t stretch_at(int64_t at_us)
{
  return at_us < begin_us ? 0 : (uint16_t)((at_us - begin_us) / STRETCH_US);
}

/* Of what is due at that time. Without a decoy all is loud. */
static enum kind kind_at(int64_t at_us)
{
  uint16_t stretch = stretch_at(at_us);
  if (!ports[1] || stretch % 2) return LOUD;
  return stretch % 4 ? QUIET_B : QUIET_A;
}

static int dial(uint16_t port)
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

static void samples_add(struct samples *samples, int64_t took_us)
{
  if (samples->us && samples->n < SAMPLES_MAX) samples->us[samples->n++] = (uint32_t)took_us;
}

static void note(struct client *client, int status, int64_t due_us, int64_t took_us,
                 const char *reply)
{
  if (status / 100 != 2) {
    if (!client->refused++) snprintf(client->first, sizeof client->first, "%.250s", reply);
    return;
  }
  samples_add(&client->took, took_us);
  if (client->stretch) client->stretch[client->took.n - 1] = stretch_at(due_us);
  samples_add(&client->by_kind[kind_at(due_us)], took_us);
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
  int turns[2] = {0, 0};
  for (int i = 0; i < 2; i++) client->fd[i] = ports[i] ? dial(ports[i]) : -1;
  for (; clock_us() < end_us && due < end_us; due += step_us) {
    int64_t began = clock_us();
    if (step_us && began < due) usleep((useconds_t)(due - began));
    if (step_us) began = due;
    int door = kind_at(clock_us()) != LOUD, turn = turns[door]++ % 2;
    int status = ask(client->fd[door], request[turn], (size_t)(turn ? lift : set), reply);
    if (!door) note(client, status, began, clock_us() - began, reply);
  }
  for (int i = 0; i < 2; i++) close(client->fd[i]);
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
  client->fd[0] = dial(ports[0]);
  while (due < end_us) {
    int64_t now = clock_us();
    if (now < due) usleep((useconds_t)(due - now));
    int status = ask(client->fd[0], request, (size_t)len, reply);
    note(client, status, due, clock_us() - due, reply);
    due += step_us;
  }
  close(client->fd[0]);
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
  printf("\"%s\":{\"n\":%u,\"per_s\":%.0f,\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u,", name,
         all->n, all->n / seconds, all->us[last / 2], all->us[(uint64_t)last * 90 / 100],
         all->us[(uint64_t)last * 99 / 100]);
  printf("\"max_us\":%u}%s", all->us[last], tail);
}

/* The p99 of each stretch, in order: predictions of one lie in a row. */
static void stretches_print(const struct samples *all, const uint16_t *stretch)
{
  printf("\"stretches\":[");
  for (uint32_t i = 0, end; i < all->n; i = end) {
    for (end = i; end < all->n && stretch[end] == stretch[i];) end++;
    qsort(all->us + i, end - i, sizeof *all->us, compare);
    printf("%s%u", i ? "," : "", all->us[i + (uint64_t)(end - i - 1) * 99 / 100]);
  }
  printf("],");
}

/* The figures of each kind, and of both that are quiet. */
static void kinds_print(struct client *asker, double seconds)
{
  struct samples quiet = {grab_zero(SAMPLES_MAX, 4), 0};
  for (int kind = QUIET_A; kind < KINDS; kind++)
    for (uint32_t i = 0; i < asker->by_kind[kind].n; i++)
      samples_add(&quiet, asker->by_kind[kind].us[i]);
  figures("loud", &asker->by_kind[LOUD], seconds / 2, ",");
  figures("quiet", &quiet, seconds / 2, ",");
  figures("quiet_a", &asker->by_kind[QUIET_A], seconds / 4, ",");
  figures("quiet_b", &asker->by_kind[QUIET_B], seconds / 4, ",");
}

static struct samples samples_new(uint32_t n) { return (struct samples){grab_zero(n, 4), 0}; }

int main(int argc, char **argv)
{
  static struct client clients[CLIENTS_MAX + 1];
  struct samples changes = samples_new(SAMPLES_MAX);
  uint64_t refused = 0;
  if (argc < 5)
    return fprintf(stderr, "changes_bench PORT[:DECOY] SECONDS CLIENTS RATE [PACE [BEGIN]]\n"), 2;
  char *decoy = strchr(argv[1], ':');
  ports[0] = (uint16_t)strtoul(argv[1], NULL, 10);
  ports[1] = decoy ? (uint16_t)strtoul(decoy + 1, NULL, 10) : 0;
  double seconds = strtod(argv[2], NULL);
  int n = (int)strtol(argv[3], NULL, 10);
  rate = strtod(argv[4], NULL);
  pace = argc > 5 ? strtod(argv[5], NULL) : 0;
  n_clients = n;
  if (n < 0 || n > CLIENTS_MAX) return 2;
  begin_us = argc > 6 ? strtoll(argv[6], NULL, 10) : clock_us();
  end_us = begin_us + (int64_t)(seconds * 1e6);
  struct client *asker = &clients[n];
  asker->took = samples_new(SAMPLES_MAX);
  asker->stretch = grab_zero(SAMPLES_MAX, sizeof *asker->stretch);
  for (int kind = 0; kind < KINDS; kind++) asker->by_kind[kind] = samples_new(SAMPLES_MAX);
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
  stretches_print(&asker->took, asker->stretch);
  if (ports[1]) kinds_print(asker, seconds);
  figures("changes", &changes, seconds, ",");
  figures("predictions", &asker->took, seconds, ",");
  printf("\"refused\":%" PRIu64 ",\"failed\":%" PRIu64 "}\n", refused, asker->refused);
  return 0;
}
