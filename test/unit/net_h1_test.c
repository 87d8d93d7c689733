/* net_h1_test.c - hostile and odd HTTP/1 on a real socket: the exact status and code, and that
 * the connection's next request gets its own answer or the connection is closed (rows H1-101 to
 * H1-122).
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "net_rig.h"

static struct rig rig;
static struct client client;

#define INFER_HEAD "POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\n"

/* Sends text, expects this refusal and that the connection ends with nothing more on it. */
static void expect_close(const char *text, int status, const char *code)
{
  client_open(&client, &rig);
  client_say(&client, text);
  int got = client_read(&client);
  if (got != status || !client_says_code(&client, code))
    printf("for \"%.60s\": got %d %s\n", text, got, client.body);
  EXPECT_INT(got, status);
  EXPECT(client_says_code(&client, code));
  EXPECT_STR(client_field(&client, "Connection"), "close");
  EXPECT_STR(client_field(&client, "Content-Type"), "application/json");
  EXPECT(client_field(&client, "x-request-id") != NULL);
  EXPECT(client_is_closed(&client, 2000));
  client_close(&client);
}

/* Sends text, expects this refusal, and that the next request is answered with its own answer. */
static void expect_goes_on(const char *text, int status, const char *code)
{
  client_open(&client, &rig);
  client_say(&client, text);
  int got = client_read(&client);
  if (got != status || !client_says_code(&client, code))
    printf("for \"%.60s\": got %d %s\n", text, got, client.body);
  EXPECT_INT(got, status);
  EXPECT(client_says_code(&client, code));
  EXPECT_INT(client_ask(&client, HEALTH), 200);
  EXPECT_STR(client.body, "{\"status\":\"alive\"}\n");
  client_close(&client);
}

TEST(framing_that_can_be_read_in_two_ways_ends_the_connection)
{
  rig_up(&rig);
  expect_close(INFER_HEAD
               "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
               "0\r\n\r\n" HEALTH,
               400, "CONFLICTING_FRAMING"); /* H1-101 */
  expect_close(INFER_HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde" HEALTH, 400,
               "CONFLICTING_FRAMING");
  static const char *const sizes[] = {"0x5", "+5", "5_0", "-5", "11111111111111111", " 5", ""};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) { /* H1-102 */
    char text[512];
    snprintf(text, sizeof text,
             INFER_HEAD "Transfer-Encoding: chunked\r\n\r\n%s\r\nabcde\r\n0\r\n\r\n", sizes[i]);
    expect_close(text, 400, "BAD_REQUEST");
  }
  static char zeros[12000] = INFER_HEAD "Transfer-Encoding: chunked\r\n\r\n";
  size_t n = strlen(zeros);
  memset(zeros + n, '0', 10000);
  strcpy(zeros + n + 10000, "5\r\nabcde\r\n0\r\n\r\n");
  expect_close(zeros, 400, "BAD_REQUEST");
  rig_down(&rig);
}

TEST(chunk_extensions_are_bounded_and_plain)
{
  rig_up(&rig);
  expect_close(INFER_HEAD "Transfer-Encoding: chunked\r\n\r\n5;a\nabcde\r\n0\r\n\r\n", 400,
               "BAD_REQUEST"); /* H1-103 */
  expect_close(INFER_HEAD "Transfer-Encoding: chunked\r\n\r\n5;a=\"\r\n\"\r\nabcde\r\n0\r\n\r\n",
               400, "BAD_REQUEST");
  static char longer[2000] = INFER_HEAD "Transfer-Encoding: chunked\r\n\r\n5;";
  size_t n = strlen(longer);
  memset(longer + n, 'e', 1000);
  strcpy(longer + n + 1000, "\r\nabcde\r\n0\r\n\r\n");
  expect_close(longer, 400, "BAD_REQUEST");
  rig_down(&rig);
}

TEST(heads_that_are_not_http_end_the_connection)
{
  static const char *const bad[] = {
      "GET /healthz HTTP/1.1\nHost: x\n\n", /* H1-104 */
      "GET /healthz HTTP/1.1\rHost: x\r\r",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", /* H1-105 */
      "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\nc\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nA\x01: b\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", /* H1-106 */
      "GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n",
      "GET /healthz HTTP/1.1\r\n\r\n", /* no Host */
      "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
      "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
      "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
      INFER_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      INFER_HEAD "Content-Length: -1\r\n\r\n",
      INFER_HEAD "Content-Length: +1\r\n\r\na",
      INFER_HEAD "Content-Length: 1 1\r\n\r\na",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", /* a TLS hello */
  };
  rig_up(&rig);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect_close(bad[i], 400, "BAD_REQUEST");
  client_open(&client, &rig); /* a NUL inside a value */
  static const char nul[] = "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n";
  client_send(&client, nul, sizeof nul - 1);
  EXPECT_INT(client_read(&client), 400);
  client_close(&client);
  rig_down(&rig);
}

TEST(heads_over_their_limits_are_told_which)
{
  static char text[80 << 10];
  rig_up(&rig);
  snprintf(text, sizeof text, "GET /healthz HTTP/1.1\r\nHost: x\r\nA: %065536d\r\n\r\n",
           0); /* H1-107 */
  expect_close(text, 431, "HEADERS_TOO_LARGE");
  size_t n = (size_t)snprintf(text, sizeof text, "GET /healthz HTTP/1.1\r\nHost: x\r\n");
  for (int i = 0; i < 101; i++) n += (size_t)snprintf(text + n, sizeof text - n, "A%d: b\r\n", i);
  strcpy(text + n, "\r\n");
  expect_close(text, 431, "HEADERS_TOO_LARGE");
  snprintf(text, sizeof text, "GET /%09216d HTTP/1.1\r\nHost: x\r\n\r\n", 0);
  expect_close(text, 414, "URI_TOO_LONG");
  rig_down(&rig);
}

TEST(bodies_over_the_limit_are_refused_before_they_come)
{
  rig_up(&rig);
  expect_close(INFER_HEAD "Content-Length: 1000000000000\r\n\r\n", 413,
               "BODY_TOO_LARGE"); /* H1-109 */
  expect_close("POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n",
               413, "BODY_TOO_LARGE");
  expect_close(INFER_HEAD "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413, "BODY_TOO_LARGE");
  /* A short one that a route does not take is drained and the connection goes on. */
  expect_goes_on("GET /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde", 413,
                 "BODY_TOO_LARGE");
  /* The client that goes on sending still reads the answer. */
  static char blob[200 << 10];
  memset(blob, 'b', sizeof blob);
  client_open(&client, &rig);
  client_say(&client, INFER_HEAD "Content-Length: 1000000000\r\n\r\n");
  client_send(&client, blob, sizeof blob);
  EXPECT_INT(client_read(&client), 413);
  EXPECT(client_is_closed(&client, 2000));
  client_close(&client);
  rig_down(&rig);
}

TEST(one_byte_chunks_end_at_the_cap)
{
  rig_up(&rig); /* H1-108; the loop's thread has a 256 KiB stack */
  client_open(&client, &rig);
  client_say(&client, INFER_HEAD "Transfer-Encoding: chunked\r\n\r\n");
  static char chunks[6 * 1000];
  for (int i = 0; i < 1000; i++) memcpy(chunks + 6 * i, "1\r\n \r\n", 6);
  for (int i = 0; i < 70; i++)
    if (!client_send(&client, chunks, sizeof chunks)) break;
  EXPECT_INT(client_read(&client), 413);
  EXPECT(client_says_code(&client, "BODY_TOO_LARGE"));
  client_close(&client);
  rig_down(&rig);
}

TEST(slow_heads_and_idle_connections_end_in_time)
{
  struct loop_opts opts = {.limits = {.head_us = 1000000, .idle_us = 1000000}};
  static struct client many[50];
  rig_start(&rig, 1, &opts); /* H1-110, at a tenth of the time */
  rig_publish(&rig, RIG_MODELS);
  for (int i = 0; i < 50; i++) client_open(&many[i], &rig);
  client_open(&client, &rig);
  for (int tick = 0; tick < 25; tick++) {
    for (int i = 1; i < 50; i++)
      client_send(&many[i], &"GET /healthz HTTP/1.1\r\nHost: x\r\n"[tick], 1);
    EXPECT_INT(client_ask(&client, HEALTH), 200); /* a bystander */
    usleep(100000);
  }
  for (int i = 1; i < 50; i++) {
    EXPECT_INT(client_read(&many[i]), 408);
    EXPECT(client_says_code(&many[i], "REQUEST_TIMEOUT"));
  }
  EXPECT(client_is_closed(&many[0], 2000)); /* silent ones just end */
  for (int i = 0; i < 50; i++) client_close(&many[i]);
  client_close(&client);
  rig_down(&rig);
}

TEST(a_trickling_body_ends_with_408)
{
  struct loop_opts opts = {.limits = {.rate_us = 2000000}};
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  client_open(&client, &rig);
  client_say(&client, INFER_HEAD "Content-Length: 100000\r\n\r\n");
  for (int tick = 0; tick < 35; tick++) {
    client_send(&client, "aaaa", 4);
    usleep(100000);
  }
  EXPECT_INT(client_read(&client), 408);
  client_close(&client);
  rig_down(&rig);
}

TEST(a_thousand_requests_in_one_packet_are_answered_in_order)
{
  enum { N = 1000 };
  static char text[N * 512];
  size_t n = 0;
  rig_up(&rig); /* H1-112 */
  for (int i = 0; i < N; i++) {
    char body[256], extra[64];
    snprintf(extra, sizeof extra, "x-request-id: r%d\r\n", i);
    snprintf(body, sizeof body,
             "{\"id\":\"i%d\",\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\","
             "\"data\":[%d]}]}",
             i, i);
    /* Every third is a hop's, every seventh wrong, every eleventh not an inference. */
    const char *path = i % 7 == 0 ? "/v2/models/nobody/infer" : "/v2/models/big/infer";
    if (i % 11 == 0)
      n += (size_t)sprintf(text + n, "GET /healthz HTTP/1.1\r\nHost: x\r\n%s\r\n", extra);
    else
      n += rig_post(text + n, sizeof text - n, path, extra, body);
  }
  client_open(&client, &rig);
  EXPECT(client_send(&client, text, n));
  for (int i = 0; i < N; i++) {
    char id[32], want[64];
    snprintf(id, sizeof id, "r%d", i);
    snprintf(want, sizeof want, "\"data\":[%d]", i);
    int status = client_read(&client);
    EXPECT_STR(client_field(&client, "x-request-id"), id);
    if (i % 11 == 0)
      EXPECT_STR(client.body, "{\"status\":\"alive\"}\n");
    else if (i % 7 == 0)
      EXPECT_INT(status, 404);
    else
      EXPECT(strstr(client.body, want) != NULL);
    if (client.closed) break;
  }
  client_close(&client);
  rig_down(&rig);
}

TEST(pipelined_requests_cut_at_every_byte_are_answered_the_same)
{
  static char text[4096];
  size_t n = 0;
  rig_up(&rig);
  n += rig_post(text, sizeof text, "/v2/models/digits/infer", "x-request-id: a\r\n", INFER16);
  n +=
      (size_t)sprintf(text + n, INFER_HEAD "x-request-id: b\r\nTransfer-Encoding: chunked\r\n\r\n");
  n += (size_t)sprintf(text + n, "%zx\r\n%.40s\r\n%zx;x=y\r\n%s\r\n0\r\nA: b\r\n\r\n", (size_t)40,
                       INFER16, strlen(INFER16) - 40, INFER16 + 40);
  n += rig_post(text + n, sizeof text - n, "/v2/models/hop/infer", "x-request-id: c\r\n", INFER16);
  for (size_t cut = 1; cut < n; cut++) {
    client_open(&client, &rig);
    client_send(&client, text, cut);
    if (cut % 16 == 0) usleep(1000);
    client_send(&client, text + cut, n - cut);
    for (const char *id = "abc"; *id; id++) {
      EXPECT_INT(client_read(&client), 200);
      const char *got = client_field(&client, "x-request-id");
      EXPECT(got && *got == *id);
      EXPECT(strstr(client.body, "[" ROW16 "]") != NULL);
    }
    client_close(&client);
  }
  rig_down(&rig);
}

TEST(what_follows_a_large_body_is_not_lost_with_it)
{
  enum { BODY = 300 << 10 };
  static char text[BODY + 1024];
  rig_up(&rig);
  for (size_t tail = 1; tail < sizeof HEALTH;
       tail += 3) { /* bytes read along with the body's end */
    int n = sprintf(text, INFER_HEAD "Content-Length: %d\r\n\r\n", BODY);
    memset(text + n, ' ', BODY);
    size_t len = (size_t)n + BODY;
    client_open(&client, &rig);
    client_send(&client, text, (size_t)n + 10);
    usleep(2000);
    client_send(&client, text + n + 10, BODY - 5000);
    usleep(5000);
    len += (size_t)sprintf(text + len, HEALTH);
    client_send(&client, text + n + BODY - 4990, 4990 + tail);
    usleep(2000);
    client_send(&client, text + n + BODY + tail, len - (size_t)n - BODY - tail);
    EXPECT_INT(client_read(&client), 400);
    EXPECT(client_says_code(&client, "BAD_JSON"));
    EXPECT_INT(client_read(&client), 200);
    EXPECT_STR(client.body, "{\"status\":\"alive\"}\n");
    client_close(&client);
  }
  rig_down(&rig);
}

TEST(a_client_that_shuts_its_side_still_gets_every_answer)
{
  static char text[4096];
  size_t n;
  rig_up(&rig);
  n = rig_post(text, sizeof text, "/v2/models/slow/infer", "", INFER1);
  n += rig_post(text + n, sizeof text - n, "/v2/models/big/infer", "", INFER1);
  n += (size_t)sprintf(text + n, HEALTH);
  client_open(&client, &rig);
  client_send(&client, text, n);
  shutdown(client.fd, SHUT_WR);
  EXPECT_INT(client_read(&client), 100); /* whether it is still there: net/left.c */
  EXPECT_INT(client_read(&client), 200);
  EXPECT_STR(client_field(&client, "x-slipway-model"), "slow");
  EXPECT_INT(client_read(&client), 200);
  EXPECT_STR(client_field(&client, "x-slipway-model"), "big");
  EXPECT_INT(client_read(&client), 200);
  EXPECT(client_is_closed(&client, 2000));
  client_close(&client);
  rig_down(&rig);
}

TEST(verbs_and_paths_get_the_right_refusal)
{
  rig_up(&rig);
  expect_goes_on("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "NOT_FOUND");
  expect_goes_on("GET /v2/models/digits/infer/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "NOT_FOUND");
  expect_goes_on("DELETE /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, "METHOD_NOT_ALLOWED");
  expect_goes_on("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405, "METHOD_NOT_ALLOWED"); /* H1-121 */
  expect_goes_on("TRACE /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, "METHOD_NOT_ALLOWED");
  expect_close("CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", 405, "METHOD_NOT_ALLOWED");
  expect_goes_on("GET /a/../b HTTP/1.1\r\nHost: x\r\n\r\n", 400, "BAD_REQUEST");
  expect_goes_on("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "BAD_REQUEST");
  client_open(&client, &rig);
  client_say(&client, "GET /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_INT(client_read(&client), 405);
  EXPECT_STR(client_field(&client, "Allow"), "POST");
  client_say(&client, "HEAD /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" HEALTH);
  EXPECT_INT(client_read_form(&client, true), 200);
  EXPECT_STR(client_field(&client, "Content-Length"), "19");
  EXPECT_INT(client_read(&client), 200);
  EXPECT_STR(client.body, "{\"status\":\"alive\"}\n");
  client_close(&client);
  rig_down(&rig);
}

TEST(odd_headers_change_nothing)
{
  rig_up(&rig);
  client_open(&client, &rig);
  /* H1-113: no upgrade, hop-by-hop names remove nothing; H1-122: claims of a stranger mean
   * nothing */
  client_say(
      &client,
      "GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, authorization, "
      "keep-alive\r\nX-Forwarded-For: 10.0.0.1\r\nX-Tenant: other\r\nX-User: root\r\n\r\n");
  EXPECT_INT(client_read(&client), 200);
  /* H1-115: trailers never merge */
  client_say(&client, INFER_HEAD
             "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n"
             "Host: y\r\nAuthorization: z\r\n\r\n" HEALTH);
  EXPECT_INT(client_read(&client), 400);
  EXPECT(client_says_code(&client, "BAD_JSON"));
  EXPECT_INT(client_read(&client), 200);
  /* H1-116 */
  static const char *const lengths[] = {"-1", "ten", "999", "18446744073709551616", ""};
  for (int i = 0; i < 5; i++) {
    char text[512], extra[128];
    snprintf(extra, sizeof extra, "Inference-Header-Content-Length: %s\r\n", lengths[i]);
    client_send(&client, text, rig_post(text, sizeof text, "/v2/models/digits/infer", extra, "{}"));
    EXPECT_INT(client_read(&client), 400);
  }
  EXPECT_INT(client_ask(&client, HEALTH), 200);
  client_close(&client);
  rig_down(&rig);
}

TEST(one_dot_zero_and_close_are_honoured)
{
  rig_up(&rig);
  client_open(&client, &rig);
  EXPECT_INT(client_ask(&client, "GET /healthz HTTP/1.0\r\n\r\n"), 200);
  EXPECT_STR(client_field(&client, "Connection"), "close");
  EXPECT(client_is_closed(&client, 2000));
  client_close(&client);
  client_open(&client, &rig);
  EXPECT_INT(client_ask(&client, "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 200);
  EXPECT_STR(client_field(&client, "Connection"), "keep-alive");
  EXPECT_INT(client_ask(&client, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
             200);
  EXPECT_STR(client_field(&client, "Connection"), "close");
  EXPECT(client_is_closed(&client, 2000));
  client_close(&client);
  rig_down(&rig);
}

TEST(continue_is_said_after_the_head_was_judged)
{
  char text[512];
  rig_up(&rig);
  client_open(&client, &rig);
  snprintf(text, sizeof text, INFER_HEAD "Content-Length: %zu\r\nExpect: 100-continue\r\n\r\n",
           strlen(INFER16));
  client_say(&client, text);
  EXPECT_INT(client_read(&client), 100);
  EXPECT_INT(client_ask(&client, INFER16), 200);
  client_say(&client,
             "POST /v2/models/nobody/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
             "Expect: 100-continue\r\n\r\n");
  EXPECT_INT(client_read(&client), 404);
  EXPECT(client_is_closed(&client, 2000)); /* whether the body comes nobody can know */
  client_close(&client);
  expect_close(INFER_HEAD "Content-Length: 5\r\nExpect: a pony\r\n\r\nabcde", 417,
               "EXPECTATION_FAILED");
  rig_down(&rig);
}
