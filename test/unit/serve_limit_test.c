/* serve_limit_test.c - who is refused before a lane sees it, with the test in place of lanes: the
 * limit that finds itself, deadlines that cannot be met, the pool and who holds too much of it.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "serve/stages_int.h"
#include "serve_rig.h"

/* ---- the limit, as arithmetic */

struct model_of_a_lane {
  struct gradient gradient;
  int64_t now_us;
};

/* A window in which `in_work` are out, each taking so long, of which it runs `run_us`. */
static double window_run(struct model_of_a_lane *m, uint32_t rows, int64_t took_us, int64_t run_us,
                         uint32_t in_work)
{
  for (int i = 0; i < 20; i++) gradient_answer(&m->gradient, rows, took_us, run_us, in_work);
  m->now_us += GRADIENT_WINDOW_US;
  gradient_turn(&m->gradient, m->now_us, 5000, 2, 1024);
  return m->gradient.limit;
}

static double window(struct model_of_a_lane *m, uint32_t rows, int64_t took_us, uint32_t in_work)
{
  return window_run(m, rows, took_us, 100, in_work);
}

/* The same, and one more was refused. */
static double window_full(struct model_of_a_lane *m, int64_t took_us, uint32_t in_work)
{
  gradient_refused(&m->gradient);
  return window(m, 1, took_us, in_work);
}

static struct model_of_a_lane model_at(double limit)
{
  struct model_of_a_lane m = {.gradient.limit = limit, .now_us = 1};
  gradient_turn(&m.gradient, m.now_us, 5000, 2, 1024);
  return m;
}

TEST(a_limit_grows_while_it_is_used_and_costs_nothing)
{
  struct model_of_a_lane m = model_at(20);
  for (int i = 0; i < 50; i++) window_full(&m, 5000, 9);
  EXPECT(m.gradient.limit == 20); /* less than half is used: nothing was learned */
  for (int i = 0; i < 50; i++) window_full(&m, 5000, (uint32_t)m.gradient.limit);
  EXPECT(fabs(m.gradient.limit - (20 + 50 * 0.8)) < 1e-9);
  for (int i = 0; i < 5000; i++) window_full(&m, 5000, 1024);
  EXPECT(m.gradient.limit == 1024);
}

TEST(a_limit_that_refuses_nobody_is_forgotten)
{
  struct model_of_a_lane m = model_at(20);
  EXPECT(fabs(window(&m, 1, 5000, 9) - 21) < 1e-9);
  int windows = 0;
  while (m.gradient.limit < 1024 && windows < 1000) window(&m, 1, 5000, 9), windows++;
  EXPECT(windows * GRADIENT_WINDOW_US <= 5000000);
  /* Nor is it kept where hardly anybody asks. */
  m = model_at(20);
  for (int i = 0; i < 10; i++) {
    gradient_answer(&m.gradient, 1, 5000, 100, 1);
    m.now_us += 1000000;
    gradient_turn(&m.gradient, m.now_us, 5000, 2, 1024);
  }
  EXPECT(m.gradient.limit == 1024);
  m = model_at(20);
  for (int i = 0; i < 100; i++) window(&m, 1, 200000, 20); /* a jam is no reason to forget */
  EXPECT(m.gradient.limit < 20);
}

TEST(a_limit_shrinks_while_requests_wait_for_each_other_and_comes_back)
{
  struct model_of_a_lane m = model_at(200);
  for (int i = 0; i < 600; i++) window_full(&m, 7000, 50);
  double calm = m.gradient.limit;
  EXPECT(calm == 200);
  for (int i = 0; i < 20; i++) window(&m, 1, 200000, 200); /* a second of thirty times as long */
  EXPECT(m.gradient.limit < calm * 0.3);
  for (int i = 0; i < 3000; i++) window(&m, 1, 1000000, 200);
  EXPECT(m.gradient.limit >= 2);
  for (int i = 0; i < 1000; i++) window_full(&m, 5000, (uint32_t)m.gradient.limit);
  EXPECT(m.gradient.limit > calm);
}

/* What nobody uses is no limit: it shrinks from twice what was in work. */
TEST(a_limit_shrinks_from_what_was_in_work)
{
  struct model_of_a_lane m = model_at(1024);
  EXPECT(window(&m, 1, 100000, 30) < 60);
  m = model_at(1024);
  for (int i = 0; i < 20; i++) gradient_shed(&m.gradient, 30); /* none of them was run */
  m.now_us += GRADIENT_WINDOW_US;
  gradient_turn(&m.gradient, m.now_us, 5000, 2, 1024);
  EXPECT(m.gradient.limit < 60);
}

/* Overloaded from its first moment on: that is not what is usual. */
TEST(a_jam_is_not_learned_as_what_is_usual)
{
  struct model_of_a_lane m = model_at(1024);
  for (int i = 0; i < 200; i++) window_full(&m, 80000, 80);
  EXPECT(m.gradient.limit < 9);
  m = model_at(1024);
  for (int i = 0; i < 600; i++) window_full(&m, 6000, 20);
  for (int i = 0; i < 1200; i++) window_full(&m, 20000, 40); /* a minute */
  EXPECT(m.gradient.limit < 30);
}

TEST(larger_batches_and_harmless_times_are_no_jam)
{
  struct model_of_a_lane m = model_at(100);
  for (int i = 0; i < 100; i++) window_full(&m, 5000, 40);
  gradient_refused(&m.gradient);
  EXPECT(window_run(&m, 64, 80000, 40000, 40) == 100); /* a run before it, and its own */
  gradient_refused(&m.gradient);
  EXPECT(window_run(&m, 64, 160000, 40000, 40) < 100);
  /* Fifty times as long, and still under what is easy. */
  m = model_at(100);
  for (int i = 0; i < 100; i++) window_full(&m, 90, 40);
  for (int i = 0; i < 20; i++) EXPECT(window_full(&m, 4500, 40) == 100);
  EXPECT(window_full(&m, 50000, 40) < 100);
}

TEST(few_answers_teach_nothing)
{
  struct gradient gradient = {.limit = 100};
  gradient_turn(&gradient, 1, 5000, 2, 1024);
  for (int64_t at_us = 1; at_us < 5000000; at_us += 1000000) {
    gradient_refused(&gradient);
    gradient_answer(&gradient, 1, at_us, at_us, 80);
    gradient_turn(&gradient, at_us, 5000, 2, 1024);
  }
  EXPECT(gradient.limit == 100);
}

/* ---- on the path */

static const float scores[] = {0.25f, 0.75f};

/* A request up to its body, with a field that the wire would know by number. */
static enum step begin(struct call *call, const struct tenant *tenant, enum http_field_id id,
                       const char *value)
{
  struct arena arena;
  fake_field = (struct http_field){SLICE("x"), slice_str(value ? value : "")};
  memset(fake_head.first, 0, sizeof fake_head.first);
  fake_head.n_fields = id != FIELD_NONE;
  if (id) fake_head.first[id] = 1;
  fake_head.content_length = 1000;
  struct call_came came = {.client = &home,
                           .head = &fake_head,
                           .tenant = tenant,
                           .model_name = SLICE("m"),
                           .request_id = SLICE("id"),
                           .body_max = 1 << 20};
  arena_init(&arena, 1 << 20, NULL);
  enum step step = path_begin(serve, call, &came, &arena);
  return step;
}

static const struct tenant *us(void) { return world_tenant(serve_newest(serve), SLICE("default")); }

/* One that went out is home, after so long a run, and says how much waits behind it. */
static void home_with(struct call *call, int64_t run_us, int64_t backlog_us)
{
  EXPECT(lane_take(1) == &call->task);
  task_answer(&call->task, scores, 2, OK);
  call->task.infer_ns = call->task.output_ns = call->task.began_ns + run_us * 1000;
  call->task.backlog_ns = backlog_us * 1000;
  serve_turn(serve, now_us = call->task.output_ns / 1000, 0);
  EXPECT_INT(path_resume(call), STEP_REPLY);
  path_end(call);
}

static void leave(struct call *call)
{
  EXPECT(path_leave(call));
  path_end(call);
}

static void refused(struct call *call, enum code code, const char *words)
{
  EXPECT_INT(call->answer.code, code);
  EXPECT_INT(call->answer.status, 503);
  EXPECT(memmem(call->error_json, call->answer.bytes, words, strlen(words)) != NULL);
  EXPECT(call->answer.retry_after_ms > 0 && call->answer.retry_after_s > 0);
  path_end(call);
}

/* OV-11, the loop's part: 50 ms into a queue of 500. */
TEST(a_deadline_that_cannot_be_met_is_refused_before_the_body)
{
  static struct quotas said;
  fake_up();
  said.said[QUOTA_requests_per_second] = 3;
  tenant_quotas = &said;
  publish();
  EXPECT_INT(begin(&calls[0], us(), FIELD_NONE, NULL), STEP_WAIT);
  call_lend(&calls[0], NULL, "1,2");
  home_with(&calls[0], 1000, 500000);
  uint32_t least = UINT32_MAX, most = 0;
  for (int i = 0; i < 100; i++) {
    EXPECT_INT(begin(&calls[1], us(), FIELD_DEADLINE_MS, "50"), STEP_REPLY);
    uint32_t ms = calls[1].answer.retry_after_ms;
    if (ms < least) least = ms;
    if (ms > most) most = ms;
    EXPECT_STR(calls[1].version_digits, "1");
    refused(&calls[1], E_DEADLINE_UNREACHABLE, "would take 501 ms until it could answer, and the "
                                               "request has 50 ms");
  }
  EXPECT(least >= 360 && least < 400 && most > 500 && most <= 542); /* 451, give or take a fifth */
  /* Its tokens came back: two of three are left. One with more time is let in. */
  for (int i = 1; i <= 2; i++)
    EXPECT_INT(begin(&calls[i], us(), FIELD_DEADLINE_MS, "900"), STEP_WAIT);
  EXPECT_INT(begin(&calls[3], us(), FIELD_DEADLINE_MS, "900"), STEP_REPLY);
  EXPECT_INT(calls[3].answer.code, E_RATE_LIMITED);
  path_end(&calls[3]);
  leave(&calls[1]);
  leave(&calls[2]);
  /* What waits is worked off meanwhile. */
  serve_turn(serve, now_us += 460000, 0);
  EXPECT_INT(begin(&calls[1], us(), FIELD_DEADLINE_MS, "50"), STEP_WAIT);
  leave(&calls[1]);
  struct tally *tally = pulse();
  EXPECT_INT(tally->slots[0].shed[SHED_UNREACHABLE], 100);
  EXPECT_INT(tally->slots[0].limit, FAKE_CALLS);
  fake_down();
}

static uint64_t seq;

static void another_version(struct version *versions) { versions[0].seq = seq; }

/* A version that gets the slot of one that left begins with sums of nothing: its limit is told
 * whole, not by what the other's differed from it. */
TEST(a_limit_is_told_anew_where_a_slot_is_another_versions)
{
  fake_up();
  versions_edit = another_version;
  for (seq = 1; seq <= 2; seq++) {
    publish();
    EXPECT_INT(begin(&calls[0], us(), FIELD_NONE, NULL), STEP_WAIT);
    call_lend(&calls[0], NULL, "1,2");
    home_with(&calls[0], 1000, 0);
    EXPECT_INT(pulse()->slots[0].limit, FAKE_CALLS);
  }
  fake_down();
}

/* What we sent ourselves counts, too, before any of it is home. */
TEST(what_went_out_makes_the_wait_longer)
{
  fake_up();
  publish();
  EXPECT_INT(begin(&calls[0], us(), FIELD_NONE, NULL), STEP_WAIT);
  call_lend(&calls[0], NULL, "1,2");
  home_with(&calls[0], 30000, 0);
  for (int i = 0; i < 4; i++) {
    EXPECT_INT(begin(&calls[i], us(), FIELD_NONE, NULL), STEP_WAIT);
    call_lend(&calls[i], NULL, "1,2");
    (void)mailbox_take(&lanes[0]);
  }
  EXPECT_INT(begin(&calls[5], us(), FIELD_DEADLINE_MS, "100"), STEP_REPLY);
  refused(&calls[5], E_DEADLINE_UNREACHABLE, "would take 150 ms");
  EXPECT_INT(begin(&calls[5], us(), FIELD_DEADLINE_MS, "160"), STEP_WAIT);
  leave(&calls[5]);
  for (int i = 0; i < 4; i++) {
    task_answer(&calls[i].task, scores, 2, OK);
    EXPECT_INT(path_resume(&calls[i]), STEP_REPLY);
    path_end(&calls[i]);
  }
  fake_down();
}

/* A model that was slow once may be quick by now: one at a time is let through to see. */
TEST(one_alone_is_let_through_to_see)
{
  fake_up();
  publish();
  EXPECT_INT(begin(&calls[0], us(), FIELD_NONE, NULL), STEP_WAIT);
  call_lend(&calls[0], NULL, "1,2");
  home_with(&calls[0], 200000, 0);
  EXPECT_INT(begin(&calls[0], us(), FIELD_DEADLINE_MS, "50"), STEP_REPLY);
  refused(&calls[0], E_DEADLINE_UNREACHABLE, "would take 200 ms");
  serve_turn(serve, now_us += 100000, 0);
  EXPECT_INT(begin(&calls[0], us(), FIELD_DEADLINE_MS, "50"), STEP_WAIT);
  EXPECT_INT(begin(&calls[1], us(), FIELD_DEADLINE_MS, "50"), STEP_REPLY);
  refused(&calls[1], E_DEADLINE_UNREACHABLE, "would take 200 ms");
  leave(&calls[0]);
  serve_turn(serve, now_us += 100000, 0);
  EXPECT_INT(begin(&calls[0], us(), FIELD_DEADLINE_MS, "50"), STEP_WAIT);
  leave(&calls[0]);
  fake_down();
}

/* Who hung up is on the way out of the lane: nobody behind waits for that. */
TEST(those_who_left_are_not_waited_for)
{
  fake_up();
  publish();
  EXPECT_INT(begin(&calls[0], us(), FIELD_NONE, NULL), STEP_WAIT);
  call_lend(&calls[0], NULL, "1,2");
  home_with(&calls[0], 200000, 0);
  for (int i = 0; i < 3; i++) {
    EXPECT_INT(begin(&calls[i], us(), FIELD_NONE, NULL), STEP_WAIT);
    call_lend(&calls[i], NULL, "1,2");
    (void)mailbox_take(&lanes[0]);
  }
  EXPECT_INT(begin(&calls[3], us(), FIELD_DEADLINE_MS, "500"), STEP_REPLY);
  refused(&calls[3], E_DEADLINE_UNREACHABLE, "would take 800 ms");
  for (int i = 0; i < 2; i++) EXPECT(!path_leave(&calls[i]));
  EXPECT_INT(begin(&calls[3], us(), FIELD_DEADLINE_MS, "500"), STEP_WAIT);
  leave(&calls[3]);
  for (int i = 0; i < 2; i++) {
    task_answer(&calls[i].task, NULL, 0, E_CANCELLED);
    path_gone_home(&calls[i]);
    path_end(&calls[i]);
  }
  task_answer(&calls[2].task, scores, 2, OK);
  EXPECT_INT(path_resume(&calls[2]), STEP_REPLY);
  path_end(&calls[2]);
  fake_down();
}

/* It is asked before its body and after: who was let through once is let through. */
TEST(one_that_is_let_through_to_see_comes_to_its_lane)
{
  fake_up();
  publish();
  EXPECT_INT(begin(&calls[0], us(), FIELD_NONE, NULL), STEP_WAIT);
  call_lend(&calls[0], NULL, "1,2");
  home_with(&calls[0], 200000, 0);
  for (int tries = 0; serve->brakes.of[0]->run_us > 50000; tries++) {
    EXPECT(tries < 10); /* each says half of what there is to say */
    serve_turn(serve, now_us += 100000, 0);
    EXPECT_INT(begin(&calls[0], us(), FIELD_DEADLINE_MS, "50"), STEP_WAIT);
    call_lend(&calls[0], NULL, "1,2");
    home_with(&calls[0], 1000, 0);
  }
  EXPECT_INT(begin(&calls[0], us(), FIELD_DEADLINE_MS, "50"), STEP_WAIT);
  leave(&calls[0]);
  fake_down();
}

TEST(past_its_limit_a_version_refuses_the_batch_class_first)
{
  fake_up();
  publish();
  EXPECT_INT(begin(&calls[0], us(), FIELD_NONE, NULL), STEP_WAIT);
  call_lend(&calls[0], NULL, "1,2");
  home_with(&calls[0], 1000, 0);
  serve->brakes.of[0]->gradient.limit = 4.9;
  for (int i = 0; i < 3; i++) {
    EXPECT_INT(begin(&calls[i], us(), FIELD_NONE, NULL), STEP_WAIT);
    call_lend(&calls[i], NULL, "1,2");
    (void)mailbox_take(&lanes[0]);
  }
  EXPECT_INT(begin(&calls[3], us(), FIELD_CLASS, "batch"), STEP_REPLY);
  refused(&calls[3], E_OVERLOADED, "3 requests are in work at model");
  EXPECT_INT(begin(&calls[3], us(), FIELD_CLASS, "Interactive"), STEP_WAIT);
  call_lend(&calls[3], NULL, "1,2");
  EXPECT_INT(calls[3].task.class, CLASS_INTERACTIVE);
  EXPECT_INT(begin(&calls[4], us(), FIELD_NONE, NULL), STEP_REPLY);
  refused(&calls[4], E_OVERLOADED, "4 requests are in work at model");
  (void)mailbox_take(&lanes[0]);
  for (int i = 0; i < 4; i++) {
    task_answer(&calls[i].task, scores, 2, OK);
    EXPECT_INT(path_resume(&calls[i]), STEP_REPLY);
    path_end(&calls[i]);
  }
  EXPECT_INT(serve->brakes.of[0]->in_work, 0);
  EXPECT_INT(pulse()->slots[0].shed[SHED_OVERLOADED], 2);
  fake_down();
}

/* OV-04, the loop's part: they go before class batch, whatever waits there. */
TEST(what_class_batch_waits_and_has_out_is_nothing_to_its_betters)
{
  fake_up();
  publish();
  EXPECT_INT(begin(&calls[0], us(), FIELD_CLASS, "batch"), STEP_WAIT);
  call_lend(&calls[0], NULL, "1,2");
  home_with(&calls[0], 1000, INT64_C(1000000000));
  EXPECT_INT(begin(&calls[0], us(), FIELD_CLASS, "batch"), STEP_REPLY);
  refused(&calls[0], E_DEADLINE_UNREACHABLE, "would take 1e+06 ms until it could answer");
  EXPECT_INT(begin(&calls[0], us(), FIELD_DEADLINE_MS, "50"), STEP_WAIT);
  leave(&calls[0]);
  fake_down();
  /* Nor are they refused for tasks of class batch. */
  fake_up();
  publish();
  for (int i = 0; i < 4; i++) {
    EXPECT_INT(begin(&calls[i], us(), i < 3 ? FIELD_CLASS : FIELD_NONE, "batch"), STEP_WAIT);
    call_lend(&calls[i], NULL, "1,2");
    if (i == 0) serve->brakes.of[0]->gradient.limit = 4.9;
  }
  EXPECT_INT(begin(&calls[4], us(), FIELD_NONE, NULL), STEP_WAIT);
  call_lend(&calls[4], NULL, "1,2");
  EXPECT_INT(serve->brakes.of[0]->in_work, 5);
  EXPECT_INT(serve->brakes.of[0]->out[0], 2);
  EXPECT_INT(begin(&calls[5], us(), FIELD_CLASS, "batch"), STEP_REPLY);
  refused(&calls[5], E_OVERLOADED, "5 requests are in work at model");
  (void)mailbox_take(&lanes[0]);
  for (int i = 0; i < 5; i++) {
    task_answer(&calls[i].task, scores, 2, OK);
    EXPECT_INT(path_resume(&calls[i]), STEP_REPLY);
    path_end(&calls[i]);
  }
  EXPECT(!serve->brakes.of[0]->in_work && !serve->brakes.of[0]->out[0]);
  fake_down();
}

/* One tenant's flood fills the limit; the one request of another does not pay for it. */
TEST(past_its_limit_who_has_little_is_let_in)
{
  fake_up();
  publish();
  struct tenant other = *us();
  other.slot = 7;
  EXPECT_INT(begin(&calls[0], us(), FIELD_NONE, NULL), STEP_WAIT);
  call_lend(&calls[0], NULL, "1,2");
  home_with(&calls[0], 1000, 0);
  serve->brakes.of[0]->gradient.limit = 4;
  for (int i = 0; i < 4; i++) {
    EXPECT_INT(begin(&calls[i], us(), FIELD_NONE, NULL), STEP_WAIT);
    call_lend(&calls[i], NULL, "1,2");
    (void)mailbox_take(&lanes[0]);
  }
  EXPECT_INT(begin(&calls[4], us(), FIELD_NONE, NULL), STEP_REPLY);
  refused(&calls[4], E_OVERLOADED, "4 requests are in work at model");
  EXPECT_INT(begin(&calls[4], &other, FIELD_NONE, NULL), STEP_WAIT);
  EXPECT_INT(begin(&calls[5], &other, FIELD_NONE, NULL), STEP_REPLY);
  refused(&calls[5], E_OVERLOADED, "4 requests are in work at model");
  leave(&calls[4]);
  EXPECT_INT(begin(&calls[4], &other, FIELD_CLASS, "batch"), STEP_REPLY);
  refused(&calls[4], E_OVERLOADED, "4 requests are in work at model");
  for (int i = 0; i < 4; i++) {
    task_answer(&calls[i].task, scores, 2, OK);
    EXPECT_INT(path_resume(&calls[i]), STEP_REPLY);
    path_end(&calls[i]);
  }
  fake_down();
}

/* Nothing is taken when somebody asks: what there is room for came with the world. */
TEST(tables_have_their_room_when_a_world_comes)
{
  fake_up();
  EXPECT_INT(serve->brakes.n, 0);
  publish();
  EXPECT_INT(serve->brakes.n, FAKE_VERSIONS);
  struct brake *first = serve->brakes.of[0];
  EXPECT(serve->crowds.n > us()->slot);
  publish();
  EXPECT(serve->brakes.of[0] == first && serve->brakes.n == FAKE_VERSIONS);
  fake_down();
}

TEST(a_class_is_asked_for_by_header_or_priority_and_control_is_not_to_be_had)
{
  static const char *const bad[] = {"control", "shadow", "", "batch,", "0"};
  static const struct {
    const char *parameters;
    enum task_class class;
  } priorities[] = {{NULL, CLASS_INTERACTIVE},
                    {"{\"priority\":0}", CLASS_INTERACTIVE},
                    {"{\"priority\":1}", CLASS_INTERACTIVE},
                    {"{\"priority\":2}", CLASS_BATCH}};
  fake_up();
  publish();
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    EXPECT_INT(begin(&calls[0], us(), FIELD_CLASS, bad[i]), STEP_REPLY);
    EXPECT_INT(calls[0].answer.code, E_INVALID_ARGUMENT);
    path_end(&calls[0]);
  }
  for (int i = 0; i < 4; i++) {
    EXPECT_INT(begin(&calls[0], us(), FIELD_NONE, NULL), STEP_WAIT);
    call_lend(&calls[0], priorities[i].parameters, "1,2");
    EXPECT_INT(calls[0].task.class, priorities[i].class);
    home_with(&calls[0], 100, 0);
  }
  EXPECT_INT(begin(&calls[0], us(), FIELD_CLASS, "interactive"), STEP_WAIT);
  call_lend(&calls[0], "{\"priority\":9}", "1,2");
  EXPECT_INT(calls[0].task.class, CLASS_INTERACTIVE);
  home_with(&calls[0], 100, 0);
  fake_down();
}

/* ---- the pool */

TEST(while_the_pool_is_nearly_full_who_holds_most_of_it_gives_way)
{
  fake_up();
  publish();
  struct tenant other = *us();
  other.slot = 7;
  int n = 0;
  for (; n < FAKE_CALLS / 8 * 7; n++)
    EXPECT_INT(begin(&calls[n], us(), FIELD_NONE, NULL), STEP_WAIT);
  EXPECT_INT(begin(&calls[n], us(), FIELD_CLASS, "batch"), STEP_REPLY);
  refused(&calls[n], E_NO_CAPACITY, "more than its share");
  /* A tenant alone has all of the pool; another one comes, and half of it is its. */
  EXPECT_INT(begin(&calls[n++], us(), FIELD_NONE, NULL), STEP_WAIT);
  EXPECT_INT(begin(&calls[n++], &other, FIELD_NONE, NULL), STEP_WAIT);
  EXPECT_INT(begin(&calls[n], us(), FIELD_NONE, NULL), STEP_REPLY);
  refused(&calls[n], E_NO_CAPACITY, "more than its share");
  EXPECT_INT(begin(&calls[n++], &other, FIELD_NONE, NULL), STEP_WAIT);
  leave(&calls[--n]);
  leave(&calls[--n]);
  EXPECT_INT(begin(&calls[n++], us(), FIELD_NONE, NULL), STEP_WAIT);
  while (n) leave(&calls[--n]);
  EXPECT_INT(serve->crowds.weights, 0);
  fake_down();
}
