/* net_stream_test.c - server-sent events: told once for each change, bounded, gone without a trace.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <errno.h>

#include "base/clock.h"
#include "net_rig.h"

static struct rig rig;
static struct client client, others[3];

#define GET_EVENTS "GET /ofrep/v1/events HTTP/1.1\r\nHost: x\r\n"

/* Reads until the client's bytes hold `text`, and drops all up to its end. */
static bool hears(struct client *c, const char *text)
{
  char *at;
  while (!(at = memmem(c->buf, c->len, text, strlen(text))))
    if (!client_fill(c)) return false;
  size_t end = (size_t)(at - c->buf) + strlen(text);
  c->len -= end;
  memmove(c->buf, c->buf + end, c->len);
  return true;
}

/* Whether the server hangs up, and does not only fall silent. */
static bool ends(struct client *c)
{
  do {
    c->len = 0;
    errno = 0;
  } while (client_fill(c));
  return errno != EAGAIN;
}

static void change(uint64_t seq)
{
  rig.flags_seq = seq;
  rig_publish(&rig, rig.n_slots);
}

#define EVENT(id) "id: " id "\nevent: message\ndata: {\"type\":\"refetchEvaluation\"}\n\n"

TEST(a_stream_tells_each_change_and_only_changes)
{
  rig_up(&rig);
  client_open(&client, &rig);
  client_say(&client, GET_EVENTS "\r\n");
  EXPECT_INT(client_read(&client), 200);
  EXPECT_STR(client_field(&client, "Content-Type"), "text/event-stream");
  EXPECT_STR(client_field(&client, "Cache-Control"), "no-cache");
  EXPECT(client_field(&client, "Content-Length") == NULL);
  EXPECT(hears(&client, ":\n\n"));
  change(7);
  EXPECT(hears(&client, EVENT("7")));
  change(7); /* a world for another reason */
  change(9);
  EXPECT(hears(&client, EVENT("9")) && client.len == 0);
  client_say(&client, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); /* not heard */
  change(10);
  EXPECT(hears(&client, EVENT("10")) && client.len == 0);
  client_close(&client);
  rig_down(&rig);
}

TEST(a_client_that_comes_back_is_told_what_it_missed)
{
  rig_up(&rig);
  change(5);
  static const struct {
    const char *header, *first;
  } rows[] = {{"Last-Event-ID: 5\r\n", ":\n\n"},
              {"last-event-id: 4\r\n", EVENT("5")},
              {"Last-Event-ID: x\r\n", EVENT("5")},
              {"", ":\n\n"},
              {"Last-Event-ID: 99\r\n", EVENT("5")}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[200];
    client_open(&client, &rig);
    snprintf(text, sizeof text, GET_EVENTS "%s\r\n", rows[i].header);
    client_say(&client, text);
    EXPECT_INT(client_read(&client), 200);
    EXPECT(hears(&client, rows[i].first) && client.len == 0);
    client_close(&client);
  }
  rig.flags_ms = clock_wall_ms(); /* just now: it may have fetched before */
  change(6);
  client_open(&client, &rig);
  client_say(&client, GET_EVENTS "\r\n");
  EXPECT_INT(client_read(&client), 200);
  EXPECT(hears(&client, EVENT("6")));
  client_close(&client);
  rig_down(&rig);
}

TEST(streams_are_bounded_and_those_hung_up_make_room)
{
  struct loop_opts opts = {.limits = {.streams_max = 2}};
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  for (int i = 0; i < 2; i++) {
    client_open(&others[i], &rig);
    client_say(&others[i], GET_EVENTS "\r\n");
    EXPECT_INT(client_read(&others[i]), 200);
  }
  client_open(&client, &rig);
  EXPECT_INT(client_ask(&client, GET_EVENTS "\r\n"), 503);
  EXPECT(client_field(&client, "Retry-After") != NULL);
  EXPECT_INT(client_ask(&client, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  client_close(&others[0]);
  int status = 503;
  for (int i = 0; i < 200 && status == 503; i++) {
    usleep(10000);
    client_say(&client, GET_EVENTS "\r\n");
    status = client_read(&client);
  }
  EXPECT_INT(status, 200);
  client_close(&client);
  client_close(&others[1]);
  rig_down(&rig);
}

TEST(a_quiet_stream_gets_comments)
{
  struct loop_opts opts = {.limits = {.comment_us = 100000}};
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  client_open(&client, &rig);
  client_say(&client, GET_EVENTS "\r\n");
  EXPECT_INT(client_read(&client), 200);
  for (int i = 0; i < 3; i++) EXPECT(hears(&client, ":\n\n"));
  client_close(&client);
  rig_down(&rig);
}

TEST(a_stream_ends_with_its_loop)
{
  rig_up(&rig);
  client_open(&client, &rig);
  client_say(&client, GET_EVENTS "\r\n");
  EXPECT_INT(client_read(&client), 200);
  rig_down(&rig);
  EXPECT(ends(&client));
  client_close(&client);
}

TEST(a_client_that_reads_nothing_is_hung_up)
{
  rig_up(&rig);
  client_open(&client, &rig);
  int little = 4096;
  setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
  client_say(&client, GET_EVENTS "\r\n");
  EXPECT_INT(client_read(&client), 200);
  for (uint64_t seq = 1; seq < 60000; seq++) {
    change(seq);
    if (seq % 64 == 0) rig_pulse(&rig);
  }
  EXPECT(ends(&client)); /* and not all of 60,000 events */
  client_close(&client);
  rig_down(&rig);
}
