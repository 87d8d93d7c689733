/* net_shadow_test.c - releases on a running loop: arms over the wire, shadows beside live requests.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "net_rig.h"

static struct rig rig;
static struct client client, other;
static char text[WIRE_MAX], body[WIRE_MAX];

static void release_up(const char *model, const char *candidate, uint32_t weight, bool shadow)
{
  rig_start(&rig, 1, NULL);
  rig.release = (struct rig_release){.model = model,
                                     .candidate = candidate,
                                     .weight = weight,
                                     .shadow = shadow,
                                     .split = {.number = 17,
                                               .seed = SLICE("rig/17"),
                                               .shadow_weight = WEIGHT_WHOLE,
                                               .unjudged_max = UINT32_MAX}};
  rig_publish(&rig, RIG_MODELS);
}

/* One row of numbers that no other request has. */
static int infer(struct client *with, const char *model, const char *extra, int seed)
{
  char path[64];
  bool wide = strcmp(model, "digits") == 0 || strcmp(model, "hop") == 0;
  snprintf(path, sizeof path, "/v2/models/%s/infer", model);
  snprintf(body, sizeof body,
           "{\"inputs\":[{\"name\":\"x\",\"shape\":[1%s],\"datatype\":\"FP32\",\"data\":[%d%s]}]}",
           wide ? ",16" : "", seed, wide ? ",2,3,4,5,6,7,8,9,10,11,12,13,14,15,16" : "");
  client_send(with, text, rig_post(text, sizeof text, path, extra, body));
  return client_read(with);
}

/* Pulses until so many shadows have ended in one way or the other. */
static const struct release_tally *shadows_ended(uint64_t n)
{
  const struct release_tally *sum = &rig.release_sum;
  for (int i = 0; i < 1000; i++) {
    rig_pulse(&rig);
    if (sum->pairs + sum->repeats + sum->shadow_dropped + sum->shadow_errors >= n) break;
    usleep(10000);
  }
  return sum;
}

TEST(the_head_of_an_answer_names_release_and_arm) /* argo-rollouts#4352 */
{
  char arms[2][32] = {"", ""};
  release_up("digits", "hop", WEIGHT_WHOLE / 2, false);
  client_open(&client, &rig);
  for (int i = 0; i < 40; i++) {
    char extra[64];
    snprintf(extra, sizeof extra, "x-request-id: r-%d\r\n", i);
    EXPECT_INT(infer(&client, "digits", extra, i), 200);
    EXPECT_STR(client_field(&client, "x-slipway-release"), "digits/17");
    bool stable = strcmp(client_field(&client, "x-slipway-version"), "2") == 0;
    snprintf(arms[stable], sizeof arms[0], "%s", client_field(&client, "x-slipway-arm"));
  }
  EXPECT_STR(arms[0], "candidate");
  EXPECT_STR(arms[1], "stable");
  EXPECT_INT(infer(&client, "hop", "", 1), 200);
  EXPECT(!client_field(&client, "x-slipway-release"));
  rig_pulse(&rig);
  EXPECT_INT(rig.stable_sum.requests + rig.candidate_sum.requests, 40);
  EXPECT_INT(rig.release_sum.assigned[0], rig.candidate_sum.requests);
  EXPECT(rig.candidate_sum.requests > 5);
  client_close(&client);
  rig_down(&rig);
}

TEST(every_request_is_copied_where_there_is_time_for_it)
{
  static const char *const candidates[] = {"digits", "hop"}; /* on this loop, and elsewhere */
  for (int c = 0; c < 2; c++) {
    release_up("digits", candidates[c], 0, true);
    client_open(&client, &rig);
    for (int i = 0; i < 200; i++) EXPECT_INT(infer(&client, "digits", "", i), 200);
    const struct release_tally *sum = shadows_ended(200);
    EXPECT_INT(sum->pairs + sum->shadow_dropped, 200);
    EXPECT_INT(sum->pairs, sum->agree[0]);
    EXPECT(sum->pairs > 100); /* on a busy machine some are dropped */
    EXPECT_INT(rig.stable_sum.requests, 200);
    EXPECT_INT(rig.candidate_sum.requests, 0);
    client_close(&client);
    rig_down(&rig);
  }
}

/* The candidate takes 200 ms a run, live requests keep coming: none of them waits for it. */
TEST(a_slow_shadow_delays_nobody_and_is_dropped) /* kserve#2978, flagger#244 */
{
  release_up("big", "slow", 0, true);
  client_open(&client, &rig);
  int64_t began_us = clock_us();
  int waited = 0;
  for (int i = 0; i < 300; i++) {
    int64_t asked_us = clock_us();
    EXPECT_INT(infer(&client, "big", "", i), 200);
    waited += clock_us() - asked_us >= 190000;
  }
  EXPECT(clock_us() - began_us < 300 * 200000 / 10);
  EXPECT(waited < 10); /* the machine may stand still, too: now and then, not behind each run */
  rig_pulse(&rig);
  EXPECT(rig.release_sum.shadow_dropped >= 100); /* an eighth of 1024 may wait */
  EXPECT_INT(rig.stable_sum.requests, 300);
  EXPECT_INT(rig.stable_sum.errors, 0);
  client_close(&client);
  rig_down(&rig); /* with a shadow out and many that wait */
}

/* 2 MB are not written at once: their memory is the connection's for a while. */
TEST(large_answers_have_shadows_too)
{
  enum { FLOATS = 180000 };
  static char large[WIRE_MAX];
  release_up("big", "big", 0, true);
  size_t n = (size_t)sprintf(
      large, "{\"inputs\":[{\"name\":\"x\",\"shape\":[%d],\"datatype\":\"FP32\",\"data\":[1",
      FLOATS);
  for (int i = 1; i < FLOATS; i++) n += (size_t)sprintf(large + n, ",%d", i % 1000);
  sprintf(large + n, "]}]}");
  client_open(&client, &rig);
  client_open(&other, &rig);
  int small = 32 << 10;
  setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  size_t len = rig_post(text, sizeof text, "/v2/models/big/infer", "", large);
  client_send(&client, text, len);
  usleep(100000); /* nobody reads */
  rig_pulse(&rig);
  EXPECT_INT(rig.release_sum.pairs, 0);
  EXPECT_INT(client_read(&client), 200);
  EXPECT_INT(shadows_ended(1)->pairs, 1);
  client_send(&other, text, len);
  usleep(100000);
  client_close(&other); /* it goes without having read: its pair is as good */
  EXPECT_INT(shadows_ended(2)->repeats, 1);
  client_close(&client);
  rig_down(&rig);
}

TEST(a_drain_does_not_wait_for_shadows)
{
  release_up("big", "slow", 0, true);
  client_open(&client, &rig);
  for (int i = 0; i < 50; i++) EXPECT_INT(infer(&client, "big", "", i), 200);
  client_close(&client);
  int64_t began_us = clock_us();
  EXPECT(rig_drain(&rig, 5000000));
  EXPECT(clock_us() - began_us < 1000000); /* one run at most is out */
  rig_down(&rig);
}
