/* net_loop_test.c - a loop from socket to socket: what it answers, and in which order.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "net_rig.h"

static struct rig rig;
static struct client client;

TEST(health_is_answered_by_the_loop)
{
  rig_start(&rig, 1, NULL);
  client_open(&client, &rig);
  EXPECT_INT(client_ask(&client, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  EXPECT_STR(client.body, "{\"status\":\"alive\"}\n");
  EXPECT_STR(client_field(&client, "Content-Type"), "application/json");
  EXPECT_INT(client_ask(&client, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), 503);
  EXPECT_INT(client_ask(&client, "GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
  EXPECT_STR(client.body, "{\"live\":true}\n");
  rig_publish(&rig, RIG_MODELS);
  for (int i = 0; i < 100 && client_ask(&client, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n") != 200;
       i++)
    usleep(10000);
  EXPECT_STR(client.body, "{\"ready\":true}\n");
  EXPECT_INT(client_ask(&client, "GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"), 200);
  EXPECT_STR(client.body, "{\"status\":\"alive\"}\n");
  client_close(&client);
  rig_down(&rig);
}

TEST(a_request_to_a_resident_is_answered)
{
  static char text[4096];
  rig_up(&rig);
  client_open(&client, &rig);
  for (int i = 0; i < 3; i++) {
    client_send(&client, text, rig_post(text, sizeof text, "/v2/models/digits/infer", "", INFER16));
    EXPECT_INT(client_read(&client), 200);
    EXPECT_STR(client.body,
               "{\"model_name\":\"digits\",\"model_version\":\"2\",\"outputs\":[{\"name\":\"x\","
               "\"datatype\":\"FP32\",\"shape\":[1,16],\"data\":[" ROW16 "]}]}");
    EXPECT_STR(client_field(&client, "x-slipway-model"), "digits");
    EXPECT_STR(client_field(&client, "x-slipway-version"), "2");
    EXPECT_STR(client_field(&client, "x-slipway-arm"), "stable");
  }
  client_close(&client);
  rig_down(&rig);
}
