/* net_life_test.c - what a loop does when time, clients, worlds or the server itself go away.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "net_rig.h"

static struct rig rig;
static struct client client, other;

/* What must happen within a run of `slow`, 200 ms, is tried so often: a machine may stand still. */
enum { TRIES = 5 };

/* ---- deadlines */

TEST(a_late_answer_is_replaced_by_504_at_the_deadline)
{
  rig_up(&rig);
  client_open(&client, &rig);
  int tries = 0;
  for (int64_t took_us = INT64_MAX; took_us >= 190000 && tries < TRIES; tries++) {
    int64_t began_us = clock_us();
    EXPECT_INT(
        client_infer(&client, "/v2/models/slow/infer", "x-slipway-deadline-ms: 50\r\n", INFER1),
        504);
    took_us = clock_us() - began_us;
    EXPECT(client_says_code(&client, "DEADLINE_EXCEEDED"));
    EXPECT(took_us >= 50000 && (took_us < 190000 || tries + 1 < TRIES));
    /* The connection goes on while the task is still out. */
    EXPECT_INT(client_infer(&client, "/v2/models/big/infer", "", INFER1), 200);
    usleep(350000); /* the run is known to be long; after a while it is tried all the same */
  }
  EXPECT_INT(
      client_infer(&client, "/v2/models/slow/infer", "",
                   "{\"parameters\":{\"timeout\":30000},\"inputs\":[{\"name\":\"x\",\"shape\":[1],"
                   "\"datatype\":\"FP32\",\"data\":[1]}]}"),
      504);
  usleep(250000);
  EXPECT_INT(client_infer(&client, "/v2/models/slow/infer", "", INFER1), 200);
  client_close(&client);
  rig_pulse(&rig);
  EXPECT_INT(rig.sums->slots[5].failed[FAIL_REJECTED], tries + 1);
  EXPECT_INT(rig.sums->slots[5].lent, tries + 2);
  EXPECT_INT(rig.sums->slots[5].returned, tries + 2);
  rig_down(&rig);
}

TEST(many_deadlines_each_fire)
{
  enum { N = 8 };
  static struct client many[N];
  char extra[64];
  rig_up(&rig);
  for (int i = 0; i < N; i++) {
    client_open(&many[i], &rig);
    snprintf(extra, sizeof extra, "x-slipway-deadline-ms: %d\r\n", 20 + 15 * (N - i));
    client_post(&many[i], "/v2/models/slow/infer", extra, INFER1);
  }
  for (int i = N - 1; i >= 0; i--) EXPECT_INT(client_read(&many[i]), 504);
  for (int i = 0; i < N; i++) client_close(&many[i]);
  rig_down(&rig);
}

TEST(a_client_gets_no_more_time_than_it_may_have)
{
  struct loop_opts opts = {.limits = {.deadline_us = 20000, .deadline_max_us = 50000}};
  int64_t took_us = INT64_MAX;
  for (int i = 0; i < TRIES && took_us >= 190000; i++) {
    rig_start(&rig, 1, &opts);
    rig_publish(&rig, RIG_MODELS);
    client_open(&client, &rig);
    int64_t began_us = clock_us();
    EXPECT_INT(client_infer(&client, "/v2/models/slow/infer",
                            "x-slipway-deadline-ms: 86400000\r\n", INFER1),
               504);
    took_us = clock_us() - began_us;
    client_close(&client);
    rig_down(&rig);
  }
  EXPECT(took_us >= 50000 && took_us < 190000);
  /* What it would get without asking it gets when asking for more. */
  opts = (struct loop_opts){.limits = {.deadline_us = 5000000, .deadline_max_us = 50000}};
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  client_open(&client, &rig);
  EXPECT_INT(
      client_infer(&client, "/v2/models/slow/infer", "x-slipway-deadline-ms: 86400000\r\n", INFER1),
      200);
  client_close(&client);
  rig_down(&rig);
}

/* ---- clients that go away (H1-118) */

static void reset_on_close(struct client *from)
{
  struct linger linger = {.l_onoff = 1};
  setsockopt(from->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  client_close(from);
}

TEST(disconnects_at_every_stage_leave_nothing_behind)
{
  static char text[4096];
  rig_up(&rig);
  size_t n = rig_post(text, sizeof text, "/v2/models/slow/infer", "", INFER1);
  for (int reset = 0; reset < 2; reset++)
    for (size_t cut = 0; cut <= n; cut += cut + 7 > n && cut < n ? n - cut : 7) {
      client_open(&client, &rig);
      client_send(&client, text, cut);
      if (cut == n) usleep(20000); /* mid-inference */
      if (reset)
        reset_on_close(&client);
      else
        client_close(&client);
    }
  client_open(&client, &rig); /* mid-response: a large answer of which nothing is read */
  client_say(&client, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  usleep(50000);
  reset_on_close(&client);
  client_open(&client, &rig);
  for (int i = 0; i < 100; i++) {
    EXPECT_INT(client_infer(&client, "/v2/models/big/infer", "", INFER1), 200);
    rig_pulse(&rig);
    if (rig.sums->slots[5].lent == rig.sums->slots[5].returned) break;
    usleep(20000);
  }
  EXPECT(rig.sums->slots[5].lent >= 2);
  EXPECT_INT(rig.sums->slots[5].lent, rig.sums->slots[5].returned);
  EXPECT(rig.sums->slots[5].failed[FAIL_CANCELLED] >= 1);
  client_close(&client);
  rig_down(&rig); /* loop_free crashes when a call or a block is not given back */
}

TEST(a_slow_reader_holds_no_call_and_is_dropped)
{
  struct loop_opts opts = {.limits = {.write_us = 1500000, .calls_max = 1}};
  rig_start(&rig, 1, &opts); /* H1-111 */
  rig_publish(&rig, RIG_MODELS);
  enum { N = 1 << 20 };
  static float values[N];
  static char head[512];
  int small = 4096;
  client_open(&client, &rig);
  setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  const char *json =
      "{\"parameters\":{\"binary_data_output\":true},\"inputs\":[{\"name\":\"x\",\"shape\":"
      "[1048576],\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":4194304}}]}";
  int n = snprintf(head, sizeof head,
                   "POST /v2/models/big/infer HTTP/1.1\r\nHost: x\r\n"
                   "Inference-Header-Content-Length: %zu\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(json), strlen(json) + sizeof values, json);
  client_send(&client, head, (size_t)n);
  client_send(&client, values, sizeof values);
  usleep(200000);
  client_open(&other, &rig); /* the one call of this loop is free again */
  EXPECT_INT(client_infer(&other, "/v2/models/big/infer", "", INFER1), 200);
  usleep(3500000);
  static char sink[1 << 20];
  size_t got = 0;
  for (ssize_t more; (more = recv(client.fd, sink, sizeof sink, 0)) > 0;) got += (size_t)more;
  EXPECT(got < sizeof values); /* it was cut off */
  client_close(&client);
  EXPECT_INT(client_infer(&other, "/v2/models/big/infer", "", INFER1), 200);
  client_close(&other);
  rig_down(&rig);
}

TEST(a_large_answer_reaches_a_reader_that_takes_its_time)
{
  rig_up(&rig);
  client_open(&client, &rig);
  client_say(&client, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" HEALTH);
  static char sink[64 << 10];
  size_t got = 0, want = 8 << 20;
  while (got <= want) { /* there is a head, too, and the health answer */
    ssize_t n = recv(client.fd, sink, sizeof sink, 0);
    if (n <= 0) break;
    got += (size_t)n;
    if (got % 5 == 0) usleep(2000);
  }
  EXPECT(got > want);
  client_close(&client);
  rig_down(&rig);
}

/* ---- too much at once */

TEST(no_free_call_is_503_and_health_still_answers)
{
  struct loop_opts opts = {.limits = {.calls_max = 1}};
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  client_open(&client, &rig);
  client_open(&other, &rig);
  int status = 0;
  for (int i = 0; i < TRIES && status != 503; i++) {
    client_post(&client, "/v2/models/slow/infer", "", INFER1);
    usleep(50000);
    status = client_infer(&other, "/v2/models/big/infer", "", INFER1);
    if (status != 503) EXPECT_INT(client_read(&client), 200);
  }
  EXPECT_INT(status, 503);
  EXPECT(client_says_code(&other, "NO_CAPACITY"));
  EXPECT_STR(client_field(&other, "Retry-After"), "1");
  EXPECT_INT(client_ask(&other, HEALTH), 200);
  EXPECT_INT(client_read(&client), 200);
  EXPECT_INT(client_infer(&other, "/v2/models/big/infer", "", INFER1), 200);
  client_close(&client);
  client_close(&other);
  rig_down(&rig);
}

TEST(body_bytes_in_work_are_bounded)
{
  struct loop_opts opts = {.limits = {.bodies_max = 300 << 10}};
  static char blob[200 << 10];
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  client_open(&client, &rig);
  client_open(&other, &rig);
  client_say(&client,
             "POST /v2/models/big/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 204801\r\n\r\n");
  client_send(&client, blob, sizeof blob);
  usleep(100000);
  client_say(&other,
             "POST /v2/models/big/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 204800\r\n\r\n");
  client_send(&other, blob, sizeof blob);
  EXPECT_INT(client_read(&other), 503);
  EXPECT_INT(client_ask(&other, HEALTH), 200); /* short enough to be drained */
  client_send(&client, blob, 1);
  EXPECT_INT(client_read(&client), 400);
  EXPECT_INT(client_infer(&other, "/v2/models/big/infer", "", INFER1), 200);
  client_close(&client);
  client_close(&other);
  rig_down(&rig);
}

/* What did not say its length is counted as it comes; so is what goes to a desk. */
TEST(body_bytes_are_counted_as_they_arrive)
{
  static const char *const heads[] = {
      "POST /v2/models/big/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nContent-Length: 196608\r\n\r\n"};
  struct loop_opts opts = {.limits = {.bodies_max = 100 << 10}};
  static char blob[192 << 10];
  memset(blob, ' ', sizeof blob);
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
    client_open(&client, &rig);
    client_open(&other, &rig);
    client_say(&client, heads[i]);
    if (i < 2) client_say(&client, "30000\r\n");
    client_send(&client, blob, sizeof blob);
    if (i < 2) client_say(&client, "\r\n0\r\n\r\n");
    EXPECT_INT(client_read(&client), 503);
    EXPECT(client_says_code(&client, "NO_CAPACITY"));
    EXPECT_INT(client_infer(&other, "/v2/models/big/infer", "", INFER1), 200); /* all given back */
    client_close(&client);
    client_close(&other);
  }
  rig_down(&rig);
}

TEST(connections_have_limits_by_address_and_in_all)
{
  struct loop_opts opts = {.limits = {.address_max = 2}};
  static struct client many[4];
  rig_start(&rig, 1, &opts);
  for (int i = 0; i < 3; i++) client_open(&many[i], &rig);
  EXPECT_INT(client_ask(&many[0], HEALTH), 200);
  EXPECT_INT(client_read(&many[2]), 429);
  EXPECT(client_says_code(&many[2], "LIMIT_EXCEEDED"));
  EXPECT_INT(client.len, 0);
  client_close(&many[2]);
  client_close(&many[0]);
  usleep(50000);
  client_open(&many[2], &rig);
  EXPECT_INT(client_ask(&many[2], HEALTH), 200);
  client_close(&many[1]);
  client_close(&many[2]);
  rig_down(&rig);
  opts = (struct loop_opts){.limits = {.connections_max = 2}};
  rig_start(&rig, 1, &opts);
  for (int i = 0; i < 3; i++) client_open(&many[i], &rig);
  EXPECT_INT(client_ask(&many[1], HEALTH), 200);
  EXPECT_INT(client_read(&many[2]), 503);
  EXPECT(many[2].len == 0 && many[2].body[many[2].body_len - 1] == '\n');
  for (int i = 0; i < 3; i++) client_close(&many[i]);
  rig_down(&rig);
}

TEST(out_of_descriptors_health_still_answers)
{
  enum { N = 40 };
  static int fds[N];
  struct rlimit before, tight;
  rig_up(&rig); /* H1-119 */
  client_open(&client, &rig);
  EXPECT_INT(client_ask(&client, HEALTH), 200);
  for (int i = 0; i < N; i++) fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int top = dup(0);
  close(top);
  getrlimit(RLIMIT_NOFILE, &before);
  tight = (struct rlimit){(rlim_t)top, before.rlim_max};
  must(setrlimit(RLIMIT_NOFILE, &tight) ==
       0); /* no descriptor is left for the loop to accept into */
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(rig.port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < N; i++)
    must(connect(fds[i], (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS);
  struct rusage used[2];
  getrusage(RUSAGE_SELF, &used[0]);
  for (int i = 0; i < 10; i++) {
    EXPECT_INT(client_ask(&client, HEALTH), 200);
    usleep(50000);
  }
  getrusage(RUSAGE_SELF, &used[1]);
  int64_t cpu_us = (used[1].ru_utime.tv_sec - used[0].ru_utime.tv_sec) * 1000000 +
                   used[1].ru_utime.tv_usec - used[0].ru_utime.tv_usec;
  EXPECT(cpu_us < 250000); /* it does not spin */
  must(setrlimit(RLIMIT_NOFILE, &before) == 0);
  for (int i = 0; i < N; i++) close(fds[i]);
  usleep(300000);
  client_open(&other, &rig);
  EXPECT_INT(client_ask(&other, HEALTH), 200); /* and the door opens again */
  client_close(&client);
  client_close(&other);
  rig_down(&rig);
}

TEST(what_was_read_behind_a_body_outlives_it)
{
  enum { BODY = 1 << 20, LAST = 8 << 10 };
  struct loop_opts opts = {.limits = {.blocks_kept_max = 1}}; /* an ended call's memory is gone */
  static char text[BODY + 512];
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  client_open(&client, &rig);
  int head = snprintf(text, sizeof text,
                      "POST /v2/models/digits/infer HTTP/1.1\r\nHost: x\r\n"
                      "Content-Length: %d\r\n\r\n",
                      BODY);
  size_t len = (size_t)head + BODY;
  memset(text + head, '}', BODY);
  len +=
      (size_t)snprintf(text + len, sizeof text - len, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT(client_send(&client, text, len - LAST));
  usleep(200000); /* so that the last of the body and what follows come in one read */
  EXPECT(client_send(&client, text + len - LAST, LAST));
  EXPECT_INT(client_read(&client), 400);
  EXPECT_INT(client_read(&client), 200);
  EXPECT_STR(client.body, "{\"status\":\"alive\"}\n");
  client_close(&client);
  rig_down(&rig);
}

TEST(what_was_sent_ahead_of_a_late_answer_does_not_wait)
{
  int64_t took_us = INT64_MAX;
  for (int i = 0; i < TRIES && took_us >= 150000; i++) {
    rig_up(&rig); /* a new one: how long a run takes is not known yet */
    client_open(&client, &rig);
    client_open(&other, &rig);
    int64_t began_us = clock_us();
    client_post(&other, "/v2/models/slow/infer", "", INFER1); /* keeps the worker for 200 ms */
    usleep(10000);
    client_post(&client, "/v2/models/slow/infer", "x-slipway-deadline-ms: 20\r\n", INFER1);
    client_post(&client, "/v2/models/big/infer", "", INFER1);
    int late = client_read(&client);
    EXPECT_INT(client_read(&client), 200);
    if (late == 504) took_us = clock_us() - began_us;
    EXPECT_INT(client_read(&other), 200);
    client_close(&client);
    client_close(&other);
    rig_down(&rig);
  }
  EXPECT(took_us < 150000); /* nothing else woke the loop */
}

TEST(memory_of_all_requests_together_has_an_end)
{
  static char text[1 << 20];
  struct loop_opts opts = {.limits = {.memory_max = 3 << 19}};
  char *at = text + snprintf(text, sizeof text,
                             "{\"inputs\":[{\"name\":\"x\",\"shape\":[200000],"
                             "\"datatype\":\"FP32\",\"data\":[1");
  for (int i = 1; i < 200000; i++) at = stpcpy(at, ",1");
  stpcpy(at, "]}]}");
  static char request[(1 << 20) + 1024];
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  client_open(&client, &rig);
  size_t len = rig_post(request, sizeof request, "/v2/models/big/infer", "", text);
  for (int i = 0; i < 3; i++) {
    EXPECT(client_send(&client, request, len));
    EXPECT_INT(client_read(&client), 503);
    EXPECT(client_says_code(&client, "OUT_OF_MEMORY"));
    len = rig_post(request, sizeof request, "/v2/models/digits/infer", "", INFER16);
    EXPECT(client_send(&client, request, len)); /* the memory is there again */
    EXPECT_INT(client_read(&client), 200);
    len = rig_post(request, sizeof request, "/v2/models/big/infer", "", text);
  }
  client_close(&client);
  rig_down(&rig);
}
