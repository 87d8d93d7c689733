/* release_test.c - two loops answer requests as fast as clients send them while releases of the
 * model begin, change their weights, have shadows on the loops and elsewhere, and end; and pulses
 * take the evidence away. No request fails, no answer is another's, every world comes home, and the
 * evidence adds up. Run under TSan. CALLS=n changes how many requests each client makes.
 * Thread: main, and those it starts.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "../unit/net_rig.h"
#include "base/rand.h"

enum { LOOPS = 2, CLIENTS = 4 };

static struct rig rig;
static struct client clients[CLIENTS];
static struct thread threads[CLIENTS];
static _Atomic uint64_t answered, wrong;
static _Atomic int running;
static uint64_t calls_each;

static void client_main(void *arg)
{
  struct client *client = arg;
  uint64_t number = (uint64_t)(client - clients);
  char text[1000], body[300], extra[100], want[64];
  for (uint64_t i = 0; i < calls_each; i++) {
    uint64_t value = i * CLIENTS + number;
    if (i % 100 == 0) client_open(client, &rig);
    snprintf(body, sizeof body,
             "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,16],\"datatype\":\"FP32\",\"data\":"
             "[%" PRIu64 ",2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}]}",
             value);
    snprintf(extra, sizeof extra, "x-user: user-%" PRIu64 "\r\nx-country: c%" PRIu64 "\r\n",
             value % 500, value % 7);
    snprintf(want, sizeof want, "\"data\":[%" PRIu64, value);
    client_send(client, text, rig_post(text, sizeof text, "/v2/models/digits/infer", extra, body));
    if (client_read(client) == 200 && strstr(client->body, want))
      atomic_fetch_add(&answered, 1);
    else
      atomic_fetch_add(&wrong, 1);
    if (i % 100 == 99 || i + 1 == calls_each) client_close(client);
  }
  atomic_fetch_sub(&running, 1);
}

/* The next state of the release, by lot. */
static void release_next(struct rand *rand)
{
  static const char *const candidates[] = {"digits", "hop"};
  uint64_t die = rand_u64(rand);
  struct rig_release *release = &rig.release;
  struct split *split = &release->split;
  if (die % 3 == 0) split->number++;
  split->seed = SLICE("rig/17");
  split->sticky = die >> 8 & 1 ? STICKY_HEADER : STICKY_REQUEST;
  split->sticky_name = SLICE("x-user");
  split->segments[0] = SLICE("header:x-country");
  split->n_segments = die >> 9 & 1;
  split->unjudged_max = die >> 10 & 1 ? UINT32_MAX : 20;
  split->shadow_weight = die >> 11 & 1 ? WEIGHT_WHOLE : WEIGHT_WHOLE / 3;
  release->shadow = die >> 12 & 1;
  release->weight = (uint32_t)(rand_u64(rand) % 3) * (WEIGHT_WHOLE / 2);
  release->candidate = candidates[die >> 13 & 1];
  release->model = die >> 14 & 3 ? "digits" : "pair"; /* of pair, nobody asks anything */
  if (strcmp(release->model, "pair") == 0) release->candidate = "pair";
}

TEST(releases_come_and_go_under_requests)
{
  struct rand rand;
  const char *text = getenv("CALLS");
  calls_each = text ? strtoull(text, NULL, 10) : 5000;
  rand_seed(&rand, 11);
  rig_start(&rig, LOOPS, NULL);
  release_next(&rand);
  rig_publish(&rig, RIG_MODELS);
  atomic_store(&running, CLIENTS);
  uint64_t worlds = 0, evidence = 0;
  for (int i = 0; i < CLIENTS; i++)
    thread_start(&threads[i], "client", THREAD_STACK_PARSER, client_main, &clients[i]);
  while (atomic_load(&running)) {
    rig_pulse(&rig);
    evidence += rig.stable_sum.requests + rig.candidate_sum.requests;
    memset(&rig.stable_sum, 0, sizeof rig.stable_sum);
    memset(&rig.candidate_sum, 0, sizeof rig.candidate_sum);
    release_next(&rand);
    rig_publish(&rig, RIG_MODELS);
    worlds++;
    usleep(2000);
  }
  for (int i = 0; i < CLIENTS; i++) thread_join(&threads[i]);
  for (int i = 0; i < 100; i++) { /* until the last shadows are home */
    rig_pulse(&rig);
    usleep(1000);
  }
  const struct release_tally *sum = &rig.release_sum;
  uint64_t agree = 0;
  for (int i = 0; i < AGREE_COUNTS; i++) agree += sum->agree[i];
  printf("%" PRIu64 " requests, %" PRIu64 " worlds, %" PRIu64 " pairs, %" PRIu64 " dropped\n",
         atomic_load(&answered), worlds, sum->pairs, sum->shadow_dropped);
  EXPECT_INT(atomic_load(&answered), calls_each * CLIENTS);
  EXPECT_INT(atomic_load(&wrong), 0);
  EXPECT(worlds > 20 && sum->pairs > 0 && evidence > 0);
  EXPECT(evidence <= calls_each * CLIENTS);
  EXPECT_INT(agree, sum->pairs);
  EXPECT_INT(sum->agree[0], sum->pairs); /* both sides are echoes */
  EXPECT_INT(sum->shadow_errors, 0);
  EXPECT_INT(rig.sums->slots[1].success.count + rig.sums->slots[RIG_MODELS].success.count,
             calls_each * CLIENTS);
  rig_down(&rig);
}
