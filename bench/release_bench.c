/* release_bench.c - what a release costs a request: N requests to the MLP 16-64-64-4 through the
 * codec, the routes, the path, a resident's lane and ONNX Runtime, with no socket and no kernel in
 * between.
 *   make build/release/release_bench && build/release/release_bench MODE N
 *   bench/release_cost.py                   counts instructions per request under valgrind
 *   bench/path_cost.py                      those of each part of the path
 * MODE: plain; same: that, one request over and over;
 * canary: 5 % by request id; sticky: 5 % by header; segments: that and two fields;
 * remember: 5 % by header, and each answer kept for its outcome;
 * shadow: copies of all requests, at idle moments.
 * limited, inner, refused: quotas of the tenant, of the model too, one that is spent; no release.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "../test/infer_rig.h"
#include "api/routes.h"
#include "net/blocks.h"
#include "serve/path.h"
#include "wire/http1.h"
#include "world/feature.h"

enum { PULSE = 1000, TEXTS = 1000, TEXT_MAX = 700 };

static struct loaded loaded;
static struct mailbox home, control;
static struct worker *worker;
static struct letter_lane lane;
static struct serve *serve;
static struct blocks blocks;
static const struct route_table *routes;
static struct budget bodies;
static struct post post = {.control = &control};
static struct letter_world world;

static struct slice file_read(const char *path)
{
  static char bytes[1 << 20];
  FILE *file = fopen(path, "rb");
  if (!file) return SLICE_NONE;
  size_t len = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  return slice_of(bytes, len);
}

static void tally_send(void)
{
  static struct letter_tally letters[2];
  static int n;
  struct letter_tally *letter = &letters[n++ % 2];
  *letter = (struct letter_tally){.tally = tally_new(2, 2, 1)};
  tally_predictions(letter->tally, PULSE);
  serve_tally(serve, letter);
  tally_free(letter->tally);
  mailbox_take(&control);
}

/* limited: every limit of inference there is, none of them reached; inner: the model's, too;
 * refused: one request a second, so all of them but that are. */
static void limits_set(const char *mode, struct tenant *tenant, struct model *model)
{
  static struct quotas quotas;
  static struct meter meters[2];
  bool inner = strcmp(mode, "inner") == 0, refused = strcmp(mode, "refused") == 0;
  if (!inner && !refused && strcmp(mode, "limited") != 0) return;
  for (int id = 0; id <= QUOTA_body_bytes_in_flight; id++)
    quotas.said[id] = QUOTA_MOST_COUNTED / 1000;
  if (refused) quotas.said[QUOTA_requests_per_second] = quotas.said[QUOTA_requests_burst] = 1;
  tenant->quotas = &quotas;
  tenant->meter = &meters[0];
  model->meter = &meters[1];
  if (inner) model->quotas = &quotas;
}

static bool is_plain(const char *mode)
{
  static const char *const plain[] = {"plain", "same", "limited", "inner", "refused"};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (strcmp(mode, plain[i]) == 0) return true;
  return false;
}

static void world_send(const char *mode)
{
  struct seat seat = {worker_mailbox(worker), lane.lane};
  struct version versions[2];
  for (uint32_t i = 0; i < 2; i++)
    versions[i] = (struct version){.number = i + 1,
                                   .slot = i,
                                   .state = VERSION_READY,
                                   .contract = loaded.contract,
                                   .features = features_count(&loaded.contract),
                                   .seats = &seat,
                                   .n_seats = 1,
                                   .resident = true};
  struct split split = {.number = 17,
                        .seed = SLICE("mlp/17"),
                        .unjudged_max = UINT32_MAX,
                        .slow_us = {1000, 2000, 4000, 8000}};
  struct model model = {.name = SLICE("mlp"),
                        .planned = versions,
                        .n_versions = 2};
  model_serve(&model, &versions[0]);
  bool plain = is_plain(mode), shadow = strcmp(mode, "shadow") == 0;
  bool segments = strcmp(mode, "segments") == 0;
  split.remember = strcmp(mode, "remember") == 0;
  if (segments || split.remember || strcmp(mode, "sticky") == 0) {
    split.sticky = STICKY_HEADER;
    split.sticky_name = SLICE("x-user-id");
  }
  if (segments) {
    split.segments[0] = SLICE("header:x-country");
    split.segments[1] = SLICE("header:x-plan");
    split.n_segments = 2;
  }
  if (shadow) {
    split.shadow = &versions[1];
    split.shadow_weight = WEIGHT_WHOLE;
  }
  if (!plain) {
    uint32_t weight = shadow ? 0 : WEIGHT_WHOLE / 20;
    model.arms[ARM_CANDIDATE] = (struct arm){&versions[1], weight};
    model.arms[ARM_STABLE] = (struct arm){&versions[0], WEIGHT_WHOLE - weight};
    model.release = &split;
  }
  struct tenant tenant = {.name = SLICE("default"), .planned = &model, .n_models = 1};
  limits_set(mode, &tenant, &model);
  struct world_plan plan = {
      .tenants = &tenant, .n_tenants = 1, .n_slots = 2, .n_releases = 1, .ready = true};
  world = (struct letter_world){.world = world_build(&plan, 1)};
  serve_world(serve, &world);
}

/* What is in the loop's mailbox: a call's answer makes it whole, a shadow's waits for its turn. */
static void mail_handle(void)
{
  struct mail *mail = mailbox_take(&home);
  must(mail && !mail->next);
  struct shadow *shadow = shadow_of_task(serve, mail);
  if (shadow) {
    shadow_home(shadow);
    return;
  }
  struct call *call = call_of_task(mail);
  must(path_resume(call) == STEP_REPLY && call->answer.status == 200);
  path_end(call);
}

static void routes_make(void)
{
  static struct arena arena;
  uint32_t n;
  const struct route *rows = routes_all(&n);
  arena_init(&arena, 1 << 20, NULL);
  routes = route_compile(rows, n, &arena);
}

/* In a function of its own, for path_cost.py to see it. */
__attribute__((noinline)) static struct slice model_named(const struct h1 *h1, struct arena *arena)
{
  struct slice params[ROUTE_PARAMS_MAX];
  struct url url;
  struct err err;
  uint32_t allow = 0;
  must(url_parse(h1->head.target, arena, &url, &err) == OK);
  const struct route *route = route_match(routes, h1->head.method, &url, params, &allow);
  must(route && route->kind == ROUTE_INFER_V2);
  return params[0];
}

static void request(struct h1 *h1, struct call *call, struct slice text)
{
  static char id[REQUEST_ID_MAX];
  struct arena arena;
  struct slice piece = SLICE_NONE;
  struct err err;
  arena_init(&arena, 1 << 20, &blocks.source);
  must(h1_feed(h1, &arena, &text, &piece, &err) == H1_HEAD);
  must(h1_body_limit(h1, 1 << 20, &err) == OK);
  uint8_t id_len = serve_request_id(serve, http_head_get(&h1->head, FIELD_X_REQUEST_ID), id);
  struct call_came came = {.client = h1,
                           .head = &h1->head,
                           .tenant = world_tenant(serve_newest(serve), SLICE("default")),
                           .model_name = model_named(h1, &arena),
                           .request_id = slice_of(id, id_len),
                           .body_max = 1 << 20};
  if (path_begin(serve, call, &came, &arena) == STEP_REPLY) { /* a refusal: the body stays */
    must(call->answer.status == 429);
    path_end(call);
    h1_reset(h1);
    return;
  }
  must(h1_feed(h1, &call->arena, &text, &piece, &err) == H1_BODY);
  must(path_body(call, piece) == STEP_WAIT);
  must(h1_feed(h1, &call->arena, &text, &piece, &err) == H1_DONE);
  must(path_resume(call) == STEP_WAIT);
  must(worker_turn(worker));
  mail_handle();
  h1_reset(h1);
}

static void shadows_run(int64_t *now_us)
{
  if (shadows_when(serve) == INT64_MAX) return;
  serve_turn(serve, *now_us += 1000, 0);
  if (!shadows_turn(serve, true)) return;
  must(worker_turn(worker));
  mail_handle();
  shadows_turn(serve, false);
}

/* The requests themselves are made before the count, TEXTS of them. */
static void texts_make(char (*texts)[TEXT_MAX])
{
  char body[TEXT_MAX];
  for (int i = 0; i < TEXTS; i++) {
    int len = snprintf(body, sizeof body,
                       "{\"inputs\":[{\"name\":\"%.*s\",\"shape\":[1,16],\"datatype\":\"FP32\","
                       "\"data\":[%d,0.5,-1,2,0,0,1.5,3,0.25,1,1,-2,0.125,4,5,0.75]}]}",
                       SLICE_ARG(loaded.contract.inputs[0].name), i);
    must(snprintf(texts[i], TEXT_MAX,
                  "POST /v2/models/mlp/infer HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: "
                  "bench/1.0\r\nAccept: */*\r\nContent-Type: application/json\r\nx-user-id: "
                  "user-%d\r\nx-country: %s\r\nx-plan: gold\r\nContent-Length: %d\r\n\r\n%s",
                  i, i % 3 ? "de" : "fr", len, body) < TEXT_MAX);
  }
}

static void requests(long n, bool same)
{
  static char texts[TEXTS][TEXT_MAX];
  static struct call call;
  static struct h1_seen heads;
  struct h1 h1;
  int64_t now_us = clock_us();
  h1_init(&h1, NULL);
  h1_remember(&h1, &heads);
  texts_make(texts);
  for (long i = 0; i < n; i++) {
    serve_turn(serve, now_us += 100, 0);
    if (i % PULSE == 0) tally_send();
    request(&h1, &call, slice_str(texts[same ? 0 : i % TEXTS]));
    shadows_run(&now_us);
  }
}

int main(int argc, char **argv)
{
  struct err err;
  if (argc != 3) {
    printf("release_bench plain|same|canary|sticky|segments|shadow|limited|inner|refused N\n");
    return 2;
  }
  if (rig_open("onnx", "model.onnx", file_read("bench/models/mlp.onnx"), &loaded, &err) != OK) {
    printf("skipped: %s\n", err.text);
    return 1;
  }
  mailbox_init(&home, NULL, NULL);
  mailbox_init(&control, NULL, NULL);
  worker = worker_new_resident(0, NULL, NULL, NULL);
  lane = (struct letter_lane){.mail.kind = LETTER_LANE_OPEN, .home = &home, .loaded = &loaded};
  mail_send(worker_mailbox(worker), &lane.mail);
  must(worker_turn(worker) && mailbox_take(&home) && lane.lane);
  blocks_init(&blocks, 1 << 20, NULL);
  routes_make();
  budget_init(&bodies, 1 << 30);
  serve = serve_new(&(struct serve_opts){.post = &post,
                                         .home = &home,
                                         .calls_max = 1024,
                                         .call_bytes_max = 1 << 20,
                                         .deadline_us = 60000000,
                                         .deadline_max_us = 60000000,
                                         .blocks = &blocks.source,
                                         .bodies = &bodies});
  serve_turn(serve, clock_us(), 0);
  tally_send();
  world_send(argv[1]);
  requests(strtol(argv[2], NULL, 10), strcmp(argv[1], "same") == 0);
  return 0;
}
