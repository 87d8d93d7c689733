/* net_end_test.c - what a loop does when worlds are replaced, when it drains, and when it stops.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "net_rig.h"

static struct rig rig;
static struct client client, other;

/* ---- worlds and tallies */

TEST(worlds_come_and_go_under_calls)
{
  rig_start(&rig, 1, NULL);
  client_open(&client, &rig);
  EXPECT_INT(client_infer(&client, "/v2/models/big/infer", "", INFER1), 503);
  EXPECT(client_says_code(&client, "NOT_READY"));
  rig_publish(&rig, RIG_MODELS);
  rig_pulse(&rig); /* mail keeps its order: the world is there */
  int kept = 0;
  for (int i = 0; i < 50; i++) {
    rig_publish(&rig, RIG_MODELS);
    client_post(&client, i % 10 ? "/v2/models/hop/infer" : "/v2/models/slow/infer", "",
                i % 10 ? INFER16 : INFER1);
    if (i % 10 == 0) { /* a call on an old world keeps it */
      usleep(50000);
      rig_publish(&rig, RIG_MODELS);
      usleep(50000);
      rig_control(&rig, mailbox_take(&rig.control));
      kept += rig.worlds_out >= 2;
    }
    EXPECT_INT(client_read(&client), 200);
  }
  EXPECT(kept > 0); /* of five: a machine may stand still for as long as a run */
  for (int i = 0; i < 500 && rig.worlds_out > 1; i++) {
    usleep(10000);
    rig_control(&rig, mailbox_take(&rig.control));
  }
  EXPECT_INT(rig.worlds_out, 1);
  client_close(&client);
  rig_down(&rig);
}

TEST(slots_newer_than_the_tally_are_counted_too)
{
  rig_start(&rig, 1, NULL);
  rig_publish(&rig, 1);
  client_open(&client, &rig);
  for (int i = 0; i < 100 && client_infer(&client, "/v2/models/hop/infer", "", INFER16) != 200; i++)
    usleep(1000);
  rig_publish(&rig, RIG_MODELS);
  for (int i = 0; i < 10; i++) {
    EXPECT_INT(client_infer(&client, "/v2/models/hop/infer", "", INFER16), 200);
    usleep(1000);
  }
  rig_pulse(&rig);
  EXPECT(rig.sums->slots[2].success.count >= 9);
  EXPECT(rig.sums->slots[2].infer.ns > 0);
  EXPECT(rig.sums->slots[2].last_wall_ms > clock_wall_ms() - 5000);
  EXPECT_INT(rig.sums->slots[2].total_us.count, rig.sums->slots[2].success.count);
  EXPECT_INT(rig.sums->connections, 1);
  EXPECT(rig.sums->bytes_in > 1500 && rig.sums->bytes_out > 2000);
  client_close(&client);
  rig_down(&rig);
}

/* ---- draining */

TEST(draining_answers_what_is_in_work_and_nothing_is_left)
{
  rig_up(&rig);
  static struct client idle, slow;
  client_open(&idle, &rig);
  client_open(&slow, &rig);
  EXPECT_INT(client_ask(&idle, HEALTH), 200);
  client_post(&slow, "/v2/models/slow/infer", "", INFER1);
  usleep(50000);
  int64_t began_us = clock_us();
  EXPECT(rig_drain(&rig, 5000000));
  EXPECT(clock_us() - began_us > 50000 && clock_us() - began_us < 1500000);
  EXPECT(client_is_closed(&idle, 2000));
  EXPECT_INT(client_read(&slow), 200);
  EXPECT_STR(client_field(&slow, "Connection"), "close");
  EXPECT(client_is_closed(&slow, 2000));
  client_close(&idle);
  client_close(&slow);
  rig_down(&rig);
}

TEST(a_drain_that_takes_too_long_is_forced)
{
  rig_up(&rig);
  client_open(&client, &rig);
  client_say(&client,
             "POST /v2/models/big/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nabc");
  usleep(50000);
  int64_t began_us = clock_us();
  EXPECT(!rig_drain(&rig, 500000));
  EXPECT(clock_us() - began_us < 2500000);
  EXPECT(client_is_closed(&client, 2000));
  client_close(&client);
  rig_down(&rig);
}

TEST(with_a_delay_the_door_stays_open_but_readiness_is_gone)
{
  struct loop_opts opts = {.drain_delay_us = 700000};
  struct letter_note note = {
      .mail.kind = LETTER_DRAIN, .home = &rig.home, .deadline_us = clock_us() + 10000000};
  rig_start(&rig, 1, &opts);
  rig_publish(&rig, RIG_MODELS);
  client_open(&client, &rig);
  EXPECT_INT(client_ask(&client, HEALTH), 200);
  mail_send(loop_mailbox(rig.loops[0]), &note.mail);
  usleep(50000);
  client_open(&other, &rig);
  EXPECT_INT(client_ask(&other, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), 503);
  EXPECT_INT(client_infer(&client, "/v2/models/big/infer", "", INFER1), 200);
  EXPECT(client_field(&client, "Connection") == NULL);
  EXPECT(mailbox_wait(&rig.home, INT64_MAX) == &note.mail);
  EXPECT(client_is_closed(&client, 2000) && client_is_closed(&other, 2000));
  client_close(&client);
  client_close(&other);
  rig_down(&rig);
}

TEST(stopping_without_draining_cuts_and_returns)
{
  rig_up(&rig);
  client_open(&client, &rig);
  client_open(&other, &rig);
  client_post(&client, "/v2/models/slow/infer", "", INFER1);
  EXPECT_INT(client_ask(&other, HEALTH), 200);
  usleep(20000);
  rig_down(&rig);
  EXPECT_INT(client_read(&client), 0);
  client_close(&client);
  client_close(&other);
}

TEST(a_taken_port_or_a_wrong_address_is_said_before_any_thread)
{
  struct err err;
  struct loop_opts opts = {.host = "127.0.0.1"};
  struct post none = {0};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t len = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1; /* as another slipway holds it */
  must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
  must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0);
  must(bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 1) == 0);
  must(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
  opts.port = ntohs(at.sin_port);
  struct loop *loop = loop_new(&opts, &none, 0, 1);
  EXPECT_INT(loop_listen(loop, &err), E_CONFLICT); /* NW-109 */
  loop_free(loop);
  opts = (struct loop_opts){.host = "localhost"};
  loop = loop_new(&opts, &none, 0, 1);
  EXPECT_INT(loop_listen(loop, &err), E_INVALID_ARGUMENT);
  loop_free(loop);
  opts.host = "192.0.2.1";
  loop = loop_new(&opts, &none, 0, 1);
  EXPECT_INT(loop_listen(loop, &err), E_UNAVAILABLE);
  loop_free(loop);
  close(fd);
}
