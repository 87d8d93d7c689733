/* net_ask_test.c - the control plane's requests carried to a desk, and uploads streamed to one.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "net_rig.h"

static struct rig rig;
static struct client client, other;

static bool wait_for(_Atomic uint64_t *counter, uint64_t value)
{
  for (int i = 0; i < 500 && atomic_load(counter) != value; i++) usleep(10000);
  return atomic_load(counter) == value;
}

TEST(asks_are_answered_by_a_desk)
{
  rig_up(&rig);
  client_open(&client, &rig);
  EXPECT_INT(client_ask(&client, "GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  EXPECT_STR(client.body, "{\"name\":\"slipway\"}");
  EXPECT_STR(client_field(&client, "ETag"), "\"v1\"");
  EXPECT_STR(client_field(&client, "Content-Type"), "application/json");
  EXPECT(client_field(&client, "x-request-id") != NULL);
  client_say(&client, "HEAD /v2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_INT(client_read_form(&client, true), 200);
  EXPECT_STR(client_field(&client, "Content-Length"), "18");
  EXPECT_INT(client_ask(&client, "GET /v2/models/d%69gits HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  EXPECT_STR(client.body, "digits");
  EXPECT_INT(client_ask(&client, "GET /v2/logging HTTP/1.1\r\nHost: x\r\n\r\n"), 503);
  EXPECT_STR(client_field(&client, "Retry-After"), "7");
  /* An absent body is an empty one; a chunked one arrives whole. */
  EXPECT_INT(client_ask(&client, "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  EXPECT_STR(client.body, "");
  EXPECT_INT(client_ask(&client,
                        "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                        "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" HEALTH),
             200);
  EXPECT_STR(client.body, "abcde");
  EXPECT_INT(client_read(&client), 200);
  static char text[300 << 10], body[260 << 10];
  memset(body, 'j', sizeof body - 1);
  client_send(&client, text, rig_post(text, sizeof text, "/v2/repository/index", "", body));
  EXPECT_INT(client_read(&client), 200);
  EXPECT(client.body_len == sizeof body - 1 && memcmp(client.body, body, sizeof body - 1) == 0);
  client_close(&client);
  rig_down(&rig);
}

TEST(a_client_that_leaves_an_ask_leaves_nothing_behind)
{
  rig_up(&rig);
  atomic_store(&rig.desk_delay_ms, 100);
  for (int i = 0; i < 5; i++) {
    client_open(&client, &rig);
    client_say(&client,
               "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
    client_send(&client, "abcd", (size_t)i);
    struct linger linger = {.l_onoff = i % 2};
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    usleep(10000);
    client_close(&client);
  }
  EXPECT(wait_for(&rig.desk_asks, 1));
  EXPECT(rig_drain(&rig, 3000000)); /* quiet: no errand is left */
  rig_down(&rig);
}

/* ---- uploads */

static uint64_t upload(struct client *to, const char *query, size_t bytes, size_t send_bytes)
{
  static char blob[1 << 20];
  uint64_t sum = 0;
  char head[256];
  for (size_t i = 0; i < sizeof blob; i++) blob[i] = (char)(i * 7 + i / 251);
  int n = snprintf(head, sizeof head,
                   "PUT /api/v1/blobs%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", query,
                   bytes);
  client_send(to, head, (size_t)n);
  for (size_t sent = 0; sent < send_bytes;) {
    size_t part = send_bytes - sent < sizeof blob ? send_bytes - sent : sizeof blob;
    for (size_t i = 0; i < part; i++) sum += (unsigned char)blob[i];
    if (!client_send(to, blob, part)) break;
    sent += part;
  }
  return sum;
}

TEST(uploads_arrive_whole_and_in_order_of_pace)
{
  rig_up(&rig);
  client_open(&client, &rig);
  client_open(&other, &rig);
  static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 5000000};
  uint64_t sum = 0, bytes = 0;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    sum += upload(&client, i % 2 ? "?slow" : "", sizes[i], sizes[i]);
    bytes += sizes[i];
    EXPECT_INT(client_read(&client), 201);
    EXPECT_INT(atomic_load(&rig.desk_bytes), bytes);
    EXPECT_INT(client_ask(&other, HEALTH), 200);
  }
  EXPECT_INT(atomic_load(&rig.desk_sum), sum);
  client_say(&client,
             "PUT /api/v1/blobs HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
             "Transfer-Encoding: chunked\r\n\r\n");
  EXPECT_INT(client_read(&client), 100);
  EXPECT_INT(client_ask(&client, "3\r\nabc\r\n0\r\n\r\n" HEALTH), 201);
  EXPECT_INT(client_read(&client), 200);
  EXPECT_INT(atomic_load(&rig.desk_bytes), bytes + 3);
  client_close(&client);
  client_close(&other);
  rig_down(&rig);
}

TEST(an_upload_refused_early_is_answered_early)
{
  rig_up(&rig);
  client_open(&client, &rig);
  upload(&client, "?refuse", 100 << 20, 100 << 10);
  EXPECT_INT(client_read(&client), 403);
  EXPECT_STR(client_field(&client, "Connection"), "close");
  client_close(&client);
  client_open(&client, &rig); /* a short rest is drained */
  upload(&client, "?refuse", 100 << 10, 10 << 10);
  EXPECT_INT(client_read(&client), 403);
  static char rest[90 << 10];
  client_send(&client, rest, sizeof rest);
  EXPECT_INT(client_ask(&client, HEALTH), 200);
  client_close(&client);
  EXPECT_INT(atomic_load(&rig.desk_aborts), 0);
  rig_down(&rig);
}

TEST(an_upload_cut_off_is_aborted_at_the_desk)
{
  rig_up(&rig);
  static const size_t sent[] = {0, 100, 70000, 3000000};
  for (size_t i = 0; i < 4; i++) {
    client_open(&client, &rig);
    upload(&client, i == 3 ? "?slow" : "", 10000000, sent[i]);
    client_close(&client);
    EXPECT(wait_for(&rig.desk_aborts, i + 1));
  }
  client_open(&client, &rig); /* framing lost in the middle */
  client_say(&client,
             "PUT /api/v1/blobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\nxx\r\n");
  EXPECT_INT(client_read(&client), 400);
  EXPECT(wait_for(&rig.desk_aborts, 5));
  client_close(&client);
  EXPECT(rig_drain(&rig, 3000000));
  rig_down(&rig);
}
