/* serve_quota_test.c - quotas on the path of a call, with the test in place of lanes and control:
 * each limit with its exact answer, what is taken, what comes back and when.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "serve_rig.h"

static struct quotas tenant_said, model_said;

static void said(enum quota_id tenant_id, uint64_t value)
{
  memset(&tenant_said, 0, sizeof tenant_said);
  tenant_said.said[tenant_id] = value;
  tenant_quotas = &tenant_said;
}

static void up(enum quota_id id, uint64_t value)
{
  fake_up();
  said(id, value);
  publish();
}

static void later(int64_t us) { serve_turn(serve, now_us += us, 0); }

/* A request up to its body; what came of it. chunked: nobody says how long the body is. */
static enum step begin(struct call *call, uint64_t bytes, bool chunked)
{
  struct arena arena;
  fake_head.n_fields = 0;
  fake_head.content_length = chunked ? 0 : bytes;
  fake_head.chunked = chunked;
  struct call_came came = {.client = &home,
                           .head = &fake_head,
                           .tenant = world_tenant(serve_newest(serve), SLICE("default")),
                           .model_name = SLICE("m"),
                           .request_id = SLICE("id"),
                           .body_max = 1 << 20};
  arena_init(&arena, 1 << 20, NULL);
  enum step step = path_begin(serve, call, &came, &arena);
  fake_head.chunked = false;
  return step;
}

/* Ends a call that waits for its body: its client has left. */
static void leave(struct call *call)
{
  EXPECT(path_leave(call));
  path_end(call);
}

static bool answer_has(const struct call *call, const char *text)
{
  return memmem(call->error_json, call->answer.bytes, text, strlen(text)) != NULL;
}

static void expect_refused(struct call *call, enum code code, const char *details)
{
  EXPECT_INT(call->answer.code, code);
  EXPECT_INT(call->answer.status, 429);
  EXPECT(call->answer.retry_after_s >= 1);
  EXPECT(answer_has(call, details));
  if (!answer_has(call, details)) printf("%.*s", (int)call->answer.bytes, call->error_json);
  EXPECT_INT(call->body.len, 0); /* not a byte of it was taken in */
  path_end(call);
}

static void rows_send(struct call *call, uint32_t rows)
{
  char body[1000];
  int n = snprintf(body, sizeof body,
                   "{\"inputs\":[{\"name\":\"x\",\"shape\":[%u,1],\"datatype\":\"FP32\",\"data\":[",
                   rows);
  for (uint32_t i = 0; i < rows; i++)
    n += snprintf(body + n, sizeof body - (size_t)n, "%s1", i ? "," : "");
  n += snprintf(body + n, sizeof body - (size_t)n, "]}]}");
  EXPECT_INT(path_body(call, slice_of(body, (size_t)n)), STEP_WAIT);
}

/* Answers the task of a call that is lent, after it ran so long. */
static void answered(struct call *call, int64_t run_us)
{
  static const float scores[] = {0.25f, 0.75f};
  EXPECT(lane_take(call->version->number) == &call->task);
  task_answer(&call->task, scores, 2, OK);
  call->task.infer_ns = call->task.output_ns = call->task.input_ns + run_us * 1000;
  EXPECT_INT(path_resume(call), STEP_REPLY);
  EXPECT_INT(call->answer.code, OK);
  path_end(call);
}

static uint64_t used(enum quota_id id) { return meter_used(&tenant_meter, id, now_us); }

/* What it costs is told of everybody; nothing else is. */
TEST(who_has_no_limit_is_not_counted)
{
  struct meter empty;
  fake_up();
  publish();
  memset(&empty, 0, sizeof empty);
  for (int i = 0; i < 100; i++) ask("id");
  uint64_t ran_ns = tenant_meter.ran_ns;
  for (int i = 0; i < 3; i++) {
    EXPECT_INT(begin(&calls[0], 500, false), STEP_WAIT);
    rows_send(&calls[0], 1);
    EXPECT_INT(path_resume(&calls[0]), STEP_WAIT);
    answered(&calls[0], 5000);
  }
  EXPECT_INT(tenant_meter.ran_ns - ran_ns, 3 * 5000 * 1000);
  tenant_meter.ran_ns = 0;
  EXPECT(memcmp(&empty, &tenant_meter, sizeof empty) == 0);
  EXPECT(memcmp(&empty, &model_meter, sizeof empty) == 0);
  fake_down();
}

TEST(requests_a_second)
{
  up(QUOTA_requests_per_second, 10);
  for (int i = 0; i < 10; i++) {
    EXPECT_INT(begin(&calls[i], 100, false), STEP_WAIT);
  }
  EXPECT_INT(begin(&calls[10], 100, false), STEP_REPLY);
  uint32_t after_ms = calls[10].answer.retry_after_ms;
  EXPECT(after_ms >= 80 && after_ms <= 120); /* 100, give or take a fifth */
  expect_refused(&calls[10], E_RATE_LIMITED,
                 "\"details\":{\"limit\":\"requests_per_second\",\"scope\":\"tenant\",\"whose\":"
                 "\"default\",\"value\":10,\"used\":10,\"resets_in_ms\":100}");
  EXPECT_INT(tenant_meter.refused[QUOTA_requests_per_second], 1);
  later(99999);
  EXPECT_INT(begin(&calls[10], 100, false), STEP_REPLY);
  path_end(&calls[10]);
  later(1);
  EXPECT_INT(begin(&calls[10], 100, false), STEP_WAIT);
  for (int i = 0; i <= 10; i++) leave(&calls[i]);
  later(100 * INT64_C(86400000000)); /* days of rest: a second's worth, no more */
  for (int i = 0; i < 11; i++) {
    EXPECT_INT(begin(&calls[i], 100, false), i < 10 ? STEP_WAIT : STEP_REPLY);
    if (i < 10) leave(&calls[i]);
    else path_end(&calls[i]);
  }
  fake_down();
}

TEST(a_burst_that_is_said)
{
  up(QUOTA_requests_per_second, 10);
  tenant_said.said[QUOTA_requests_burst] = 3;
  publish();
  for (int i = 0; i < 4; i++)
    EXPECT_INT(begin(&calls[i], 1, false), i < 3 ? STEP_WAIT : STEP_REPLY);
  path_end(&calls[3]);
  for (int i = 0; i < 3; i++) leave(&calls[i]);
  fake_down();
}

TEST(requests_a_minute_and_a_day)
{
  up(QUOTA_requests_per_minute, 5);
  for (int i = 0; i < 5; i++) ask("id");
  EXPECT_INT(begin(&calls[0], 100, false), STEP_REPLY);
  EXPECT(answer_has(&calls[0], "over 5 requests a minute"));
  expect_refused(&calls[0], E_RATE_LIMITED,
                 "\"limit\":\"requests_per_minute\",\"scope\":\"tenant\",\"whose\":\"default\","
                 "\"value\":5,\"used\":5,\"resets_in_ms\":");
  later(METER_MINUTE_US);
  later(METER_MINUTE_US);
  ask("id");
  fake_down();
  up(QUOTA_requests_per_day, 2);
  ask("id");
  ask("id");
  EXPECT_INT(begin(&calls[0], 100, false), STEP_REPLY);
  expect_refused(&calls[0], E_RATE_LIMITED, "\"limit\":\"requests_per_day\"");
  later(METER_DAY_US * 2);
  ask("id");
  fake_down();
}

TEST(requests_in_flight_come_back_however_they_end)
{
  up(QUOTA_requests_in_flight, 2);
  EXPECT_INT(begin(&calls[0], 100, false), STEP_WAIT);
  call_open(&calls[1], "id", NULL, NULL);
  call_lend(&calls[1], NULL, "1,2");
  EXPECT_INT(begin(&calls[2], 100, false), STEP_REPLY);
  EXPECT_INT(calls[2].answer.retry_after_s, 1);
  expect_refused(&calls[2], E_CONCURRENCY_LIMITED,
                 "\"limit\":\"requests_in_flight\",\"scope\":\"tenant\",\"whose\":\"default\","
                 "\"value\":2,\"used\":2,\"resets_in_ms\":null");
  EXPECT_INT(used(QUOTA_requests_in_flight), 2);
  leave(&calls[0]);
  EXPECT_INT(used(QUOTA_requests_in_flight), 1);
  EXPECT(!path_leave(&calls[1])); /* its task runs on: it counts until that is home */
  EXPECT_INT(used(QUOTA_requests_in_flight), 1);
  struct task *task = lane_take(1);
  task_answer(task, NULL, 0, E_CANCELLED);
  path_gone_home(&calls[1]);
  path_end(&calls[1]);
  EXPECT_INT(used(QUOTA_requests_in_flight), 0);
  call_open(&calls[0], "id", NULL, NULL);
  EXPECT_INT(path_body(&calls[0], SLICE("{no json")), STEP_WAIT);
  EXPECT_INT(path_resume(&calls[0]), STEP_REPLY);
  path_end(&calls[0]);
  EXPECT_INT(used(QUOTA_requests_in_flight), 0);
  fake_down();
}

TEST(body_bytes_are_taken_before_the_body_comes)
{
  up(QUOTA_body_bytes_in_flight, 1000);
  EXPECT_INT(begin(&calls[0], 600, false), STEP_WAIT);
  EXPECT_INT(used(QUOTA_body_bytes_in_flight), 600);
  EXPECT_INT(begin(&calls[1], 401, false), STEP_REPLY);
  expect_refused(&calls[1], E_CONCURRENCY_LIMITED,
                 "\"limit\":\"body_bytes_in_flight\",\"scope\":\"tenant\",\"whose\":\"default\","
                 "\"value\":1000,\"used\":600,\"resets_in_ms\":null");
  EXPECT_INT(begin(&calls[1], 400, false), STEP_WAIT);
  EXPECT_INT(begin(&calls[2], 1001, false), STEP_REPLY); /* it alone is more */
  EXPECT_INT(calls[2].answer.retry_after_s, 60);
  EXPECT(answer_has(&calls[2], "send less in one"));
  path_end(&calls[2]);
  leave(&calls[0]);
  leave(&calls[1]);
  EXPECT_INT(used(QUOTA_body_bytes_in_flight), 0);
  fake_down();
}

TEST(a_body_of_unknown_length_takes_its_bytes_in_steps)
{
  static char piece[40000];
  up(QUOTA_body_bytes_in_flight, 100000);
  EXPECT_INT(begin(&calls[0], 0, true), STEP_WAIT);
  EXPECT_INT(used(QUOTA_body_bytes_in_flight), 0);
  EXPECT_INT(path_body(&calls[0], slice_of(piece, sizeof piece)), STEP_WAIT);
  EXPECT_INT(used(QUOTA_body_bytes_in_flight), 64 << 10);
  EXPECT_INT(path_body(&calls[0], slice_of(piece, sizeof piece)), STEP_WAIT);
  EXPECT_INT(used(QUOTA_body_bytes_in_flight), 100000); /* a step, or what is left */
  EXPECT_INT(path_body(&calls[0], slice_of(piece, sizeof piece)), STEP_REPLY);
  EXPECT_INT(calls[0].answer.code, E_CONCURRENCY_LIMITED);
  path_end(&calls[0]);
  EXPECT_INT(used(QUOTA_body_bytes_in_flight), 0);
  fake_down();
}

TEST(rows_are_counted_once_they_are_known)
{
  up(QUOTA_rows_per_second, 100);
  tenant_said.said[QUOTA_requests_per_second] = 5;
  publish();
  EXPECT_INT(begin(&calls[0], 500, false), STEP_WAIT);
  rows_send(&calls[0], 70);
  EXPECT_INT(path_resume(&calls[0]), STEP_WAIT);
  EXPECT_INT(begin(&calls[1], 500, false), STEP_WAIT);
  rows_send(&calls[1], 50);
  EXPECT_INT(path_resume(&calls[1]), STEP_REPLY);
  EXPECT_INT(calls[1].answer.status, 429);
  EXPECT(answer_has(&calls[1], "\"limit\":\"rows_per_second\",\"scope\":\"tenant\",\"whose\":"
                               "\"default\",\"value\":100,\"used\":70,\"resets_in_ms\":200}"));
  path_end(&calls[1]);
  for (int i = 0; i < 4; i++) /* its request token is back: four of five are left */
    EXPECT_INT(begin(&calls[1 + i], 500, false), STEP_WAIT);
  EXPECT_INT(begin(&calls[5], 500, false), STEP_REPLY);
  EXPECT(answer_has(&calls[5], "requests_per_second"));
  path_end(&calls[5]);
  for (int i = 0; i < 4; i++) leave(&calls[1 + i]);
  answered(&calls[0], 100);
  later(METER_SECOND_US);
  EXPECT_INT(begin(&calls[0], 900, false), STEP_WAIT);
  rows_send(&calls[0], 101); /* no time helps */
  EXPECT_INT(path_resume(&calls[0]), STEP_REPLY);
  EXPECT(answer_has(&calls[0], "\"resets_in_ms\":null"));
  path_end(&calls[0]);
  fake_down();
}

TEST(an_empty_bucket_of_rows_is_asked_before_the_body_comes)
{
  up(QUOTA_rows_per_second, 2);
  EXPECT_INT(begin(&calls[0], 500, false), STEP_WAIT);
  rows_send(&calls[0], 2);
  EXPECT_INT(path_resume(&calls[0]), STEP_WAIT);
  EXPECT_INT(begin(&calls[1], 500, false), STEP_REPLY);
  expect_refused(&calls[1], E_RATE_LIMITED, "\"limit\":\"rows_per_second\"");
  answered(&calls[0], 100);
  fake_down();
}

TEST(compute_is_charged_as_measured_and_debt_is_carried)
{
  up(QUOTA_compute_ms_per_second, 100);
  call_open(&calls[0], "id", NULL, NULL);
  call_lend(&calls[0], NULL, "1,2");
  answered(&calls[0], 400000); /* four seconds' worth */
  EXPECT_INT(used(QUOTA_compute_ms_per_second), 400);
  EXPECT_INT(begin(&calls[0], 100, false), STEP_REPLY);
  expect_refused(&calls[0], E_RATE_LIMITED,
                 "\"limit\":\"compute_ms_per_second\",\"scope\":\"tenant\",\"whose\":\"default\","
                 "\"value\":100,\"used\":400,\"resets_in_ms\":300");
  later(2999 * 1000);
  EXPECT_INT(begin(&calls[0], 100, false), STEP_REPLY);
  path_end(&calls[0]);
  later(1001);
  ask_full("id", NULL, NULL, NULL, OK, 100);
  fake_down();
}

TEST(a_task_that_did_not_run_costs_nothing)
{
  up(QUOTA_compute_ms_per_second, 1);
  for (int i = 0; i < 50; i++) {
    call_open(&calls[0], "id", NULL, NULL);
    call_lend(&calls[0], NULL, "1,2");
    struct task *task = lane_take(1);
    task->began_ns = task->input_ns = task->infer_ns = task->output_ns = task->queued_ns;
    fail(&task->err, E_DEADLINE_EXCEEDED, "late");
    EXPECT_INT(path_resume(&calls[0]), STEP_REPLY);
    path_end(&calls[0]);
  }
  EXPECT_INT(used(QUOTA_compute_ms_per_second), 0);
  fake_down();
}

TEST(a_model_has_limits_of_its_own)
{
  up(QUOTA_requests_per_second, 10);
  memset(&model_said, 0, sizeof model_said);
  model_said.said[QUOTA_requests_per_second] = 2;
  model_quotas = &model_said;
  publish();
  ask("id");
  ask("id");
  EXPECT_INT(begin(&calls[0], 100, false), STEP_REPLY);
  expect_refused(&calls[0], E_RATE_LIMITED,
                 "\"limit\":\"requests_per_second\",\"scope\":\"model\",\"whose\":\"m\",\"value\":2"
                 ",\"used\":2,\"resets_in_ms\":");
  EXPECT_INT(model_meter.refused[QUOTA_requests_per_second], 1);
  EXPECT_INT(tenant_meter.refused[QUOTA_requests_per_second], 0);
  /* The tenant's token came back: it has eight left, for models without a limit. */
  model_quotas = NULL;
  publish();
  for (int i = 0; i < 8; i++) EXPECT_INT(begin(&calls[i], 100, false), STEP_WAIT);
  EXPECT_INT(begin(&calls[8], 100, false), STEP_REPLY);
  path_end(&calls[8]);
  for (int i = 0; i < 8; i++) leave(&calls[i]);
  fake_down();
}

TEST(a_limit_changes_with_the_world_and_loses_nothing)
{
  up(QUOTA_requests_in_flight, 1);
  EXPECT_INT(begin(&calls[0], 100, false), STEP_WAIT);
  said(QUOTA_requests_in_flight, 3);
  publish();
  EXPECT_INT(begin(&calls[1], 100, false), STEP_WAIT);
  tenant_quotas = NULL; /* no limit at all: what was counted still comes back */
  publish();
  EXPECT_INT(begin(&calls[2], 100, false), STEP_WAIT);
  EXPECT_INT(tenant_meter.in_flight, 2);
  for (int i = 0; i < 3; i++) leave(&calls[i]);
  EXPECT_INT(tenant_meter.in_flight, 0);
  said(QUOTA_requests_per_second, 1000);
  publish();
  for (int i = 0; i < 500; i++) ask("id");
  said(QUOTA_requests_per_second, 1); /* from now on: one a second, whatever was out before */
  publish();
  later(METER_SECOND_US);
  ask("id");
  EXPECT_INT(begin(&calls[0], 100, false), STEP_REPLY);
  EXPECT(calls[0].err.limit.resets_ms <= 1000);
  path_end(&calls[0]);
  fake_down();
}

TEST(no_memory_for_bodies_gives_the_tokens_back)
{
  up(QUOTA_requests_per_second, 2);
  bodies.held = bodies.max;
  for (int i = 0; i < 10; i++) {
    EXPECT_INT(begin(&calls[0], 100, false), STEP_REPLY);
    EXPECT_INT(calls[0].answer.code, E_NO_CAPACITY);
    path_end(&calls[0]);
  }
  bodies.held = 0;
  ask("id");
  fake_down();
}

TEST(the_memory_of_a_slow_readers_answer_keeps_its_bytes)
{
  struct arena arena, scratch;
  struct shadow *shadow;
  struct hold hold = {0};
  up(QUOTA_body_bytes_in_flight, 10000);
  call_open(&calls[0], "id", NULL, NULL);
  call_lend(&calls[0], NULL, "1,2");
  static const float scores[] = {0.25f, 0.75f};
  EXPECT(lane_take(1) != NULL);
  task_answer(&calls[0].task, scores, 2, OK);
  EXPECT_INT(path_resume(&calls[0]), STEP_REPLY);
  uint64_t counted = path_pin(&calls[0], &arena, &scratch, &shadow, &hold);
  path_end(&calls[0]);
  EXPECT_INT(used(QUOTA_body_bytes_in_flight), 1000);
  take_hold_end(&hold);
  take_hold_end(&hold);
  EXPECT_INT(used(QUOTA_body_bytes_in_flight), 0);
  budget_give(&bodies, counted);
  arena_deinit(&arena);
  arena_deinit(&scratch);
  fake_down();
}

TEST(the_control_plane_has_a_small_bucket_of_its_own)
{
  struct err err;
  up(QUOTA_control_requests_per_second, 3);
  tenant_said.said[QUOTA_requests_per_second] = 1;
  publish();
  const struct tenant *tenant = world_tenant(serve_newest(serve), SLICE("default"));
  for (int i = 0; i < 3; i++) EXPECT_INT(serve_ask(serve, tenant, false, &err), OK);
  EXPECT_INT(serve_ask(serve, tenant, false, &err), E_RATE_LIMITED);
  EXPECT_STR(err.limit.name, "control_requests_per_second");
  EXPECT_INT(tenant_meter.asks, 3);
  EXPECT_INT(serve_ask(serve, tenant, true, &err), OK); /* a flag: a request like a prediction */
  EXPECT_INT(serve_ask(serve, tenant, true, &err), E_RATE_LIMITED);
  EXPECT_STR(err.limit.name, "requests_per_second");
  EXPECT_INT(tenant_meter.asks, 4);
  for (int i = 0; i < 4; i++) take_asked(&tenant_meter);
  said(QUOTA_control_requests_in_flight, 1);
  publish();
  later(METER_SECOND_US);
  tenant = world_tenant(serve_newest(serve), SLICE("default"));
  EXPECT_INT(serve_ask(serve, tenant, false, &err), OK);
  EXPECT_INT(serve_ask(serve, tenant, false, &err), E_CONCURRENCY_LIMITED);
  EXPECT_STR(err.limit.name, "control_requests_in_flight");
  take_asked(&tenant_meter);
  EXPECT_INT(tenant_meter.asks, 0);
  fake_down();
}

TEST(connections_of_a_tenant)
{
  struct err err;
  up(QUOTA_connections, 2);
  const struct allowance *allow = &world_tenant(serve_newest(serve), SLICE("default"))->allow;
  EXPECT_INT(take_connection(allow, now_us, &err), OK);
  EXPECT_INT(take_connection(allow, now_us, &err), OK);
  EXPECT_INT(take_connection(allow, now_us, &err), E_CONCURRENCY_LIMITED);
  EXPECT_STR(err.limit.name, "connections");
  EXPECT_INT(err.limit.used, 2);
  fake_down();
}
