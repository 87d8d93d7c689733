/* serve_test.c - what the path keeps for a loop, without a loop: worlds, tallies.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/arena.h"
#include "base/mail.h"
#include "serve/path.h"

static struct mailbox control, home;
static struct post post = {.control = &control};
static struct serve *serve;
static struct budget bodies;

static void serve_up(void)
{
  mailbox_init_bell(&control);
  mailbox_init_bell(&home);
  budget_init(&bodies, 1000);
  serve = serve_new(&(struct serve_opts){.post = &post,
                                         .home = &home,
                                         .loop = 3,
                                         .calls_max = 4,
                                         .call_bytes_max = 1 << 20,
                                         .bodies = &bodies});
}

static void serve_down(void)
{
  serve_leave(serve);
  serve_free(serve);
  mailbox_deinit(&control);
  mailbox_deinit(&home);
}

static void tally_send(struct letter_tally *letter, uint32_t n_slots)
{
  *letter = (struct letter_tally){.mail.kind = LETTER_TALLY, .tally = tally_new(n_slots, 0, 0)};
  serve_tally(serve, letter);
}

static void world_send(struct letter_world *letter, uint32_t n_slots)
{
  struct world_plan plan = {.n_slots = n_slots, .ready = true};
  *letter = (struct letter_world){.mail.kind = LETTER_WORLD, .world = world_build(&plan, 1)};
  serve_world(serve, letter);
}

static void world_end(struct letter_world *letter)
{
  world_free((struct world *)(uintptr_t)letter->world);
}

TEST(a_tally_goes_home_with_what_was_counted_before_it)
{
  struct letter_tally first, second;
  serve_up();
  tally_send(&first, 2);
  EXPECT(mailbox_take(&control) == &first.mail);
  EXPECT_INT(first.mail.kind, LETTER_TALLY_HOME);
  EXPECT_INT(first.loop, 3);
  EXPECT_INT(first.tally->n_slots, 0); /* the one from boot */
  tally_send(&second, 5);
  EXPECT(mailbox_take(&control) == &second.mail);
  EXPECT_INT(second.tally->n_slots, 2);
  tally_free(first.tally);
  tally_free(second.tally);
  serve_down();
}

TEST(a_world_goes_home_when_the_next_one_comes_and_at_the_end)
{
  struct letter_tally tally;
  struct letter_world first, second;
  serve_up();
  tally_send(&tally, 2);
  EXPECT(mailbox_take(&control) == &tally.mail);
  world_send(&first, 1);
  EXPECT(mailbox_take(&control) == NULL);
  world_send(&second, 2);
  EXPECT(mailbox_take(&control) == &first.mail);
  EXPECT_INT(first.mail.kind, LETTER_WORLD_HOME);
  serve_leave(serve);
  EXPECT(mailbox_take(&control) == &second.mail);
  serve_down();
  world_end(&first);
  world_end(&second);
  tally_free(tally.tally);
}

TEST(a_world_before_its_tally_is_a_broken_promise)
{
  struct letter_world world;
  struct letter_tally tally;
  serve_up();
  EXPECT_CRASH(world_send(&world, 1));
  tally_send(&tally, 4);
  EXPECT(mailbox_take(&control) == &tally.mail);
  tally_free(tally.tally);
  EXPECT_CRASH(world_send(&world, 5));
  EXPECT_CRASH(tally_send(&tally, 3));
  serve_down();
}

/* A slot full of what another tenant's call left, or of the mean mode's poison. */
TEST(a_call_keeps_nothing_of_the_one_before_in_its_slot)
{
  static struct call call;
  struct http_head head = {.keep_alive = true};
  struct call_came came = {.client = &home,
                           .head = &head,
                           .model_name = SLICE("ghost"),
                           .request_id = SLICE("id-1"),
                           .body_max = 100};
  struct arena arena;
  serve_up();
  for (int fill = 0; fill < 256; fill += 0xdd) {
    arena_init(&arena, 1 << 10, NULL);
    memset(&call, fill, sizeof call);
    EXPECT_INT(path_begin(serve, &call, &came, &arena), STEP_REPLY); /* no world has come */
    EXPECT_INT(call.state, CALL_DONE);
    EXPECT_INT(call.answer.status, 503);
    EXPECT_INT(call.answer.code, E_NOT_READY);
    EXPECT(memmem(call.error_json, call.answer.bytes, "\"id-1\"", 6) != NULL);
    EXPECT(!call.answer.model.at && !call.answer.arm && !call.answer.accept_encoding);
    EXPECT(!call.version && !call.arm && !call.task.outputs && !call.body.at && !call.rows);
    path_end(&call);
    EXPECT_INT(call.state, CALL_FREE);
  }
  serve_down();
}

/* One call of model "m", up to its task's letter; answered as failed. Which of the boxes got it. */
static int task_box(const struct world *world, struct mailbox *boxes, int n)
{
  static struct call call;
  static const char body[] =
      "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1]}]}";
  struct http_head head = {.keep_alive = true, .content_length = sizeof body - 1};
  struct call_came came = {.client = &home,
                           .head = &head,
                           .tenant = world_tenant(world, SLICE("default")),
                           .model_name = SLICE("m"),
                           .request_id = SLICE("id-2"),
                           .body_max = 100};
  struct arena arena;
  int box = -1;
  memset(&call, 0, sizeof call);
  arena_init(&arena, 1 << 16, NULL);
  EXPECT_INT(path_begin(serve, &call, &came, &arena), STEP_WAIT);
  EXPECT_INT(path_body(&call, slice_of(body, sizeof body - 1)), STEP_WAIT);
  EXPECT_INT(path_resume(&call), STEP_WAIT);
  EXPECT_INT(call.state, CALL_LENT);
  for (int i = 0; i < n; i++) {
    struct mail *mail = mailbox_take(&boxes[i]);
    if (!mail) continue;
    EXPECT(box < 0 && mail == &call.task.mail && !mail->next);
    box = i;
  }
  fail(&call.task.err, E_MODEL_FAILED, "no");
  EXPECT_INT(path_resume(&call), STEP_REPLY);
  path_end(&call);
  return box;
}

/* A resident shares its loop's blocks: on another loop's thread it would race for them. */
TEST(a_resident_is_asked_on_its_own_loop_and_others_in_turn)
{
  enum { SEATS = 4, OWN = 3 };
  struct letter_tally tally;
  struct letter_world world;
  static struct mailbox boxes[SEATS];
  struct seat seats[SEATS];
  struct tensor_spec spec = {
      .name = SLICE("x"), .dtype = DT_FP32, .shape = {.rank = 1, .dims = {-1}}};
  serve_up();
  tally_send(&tally, 1);
  EXPECT(mailbox_take(&control) == &tally.mail);
  for (int i = 0; i < SEATS; i++) {
    mailbox_init(&boxes[i], NULL, NULL);
    seats[i] = (struct seat){.owner = &boxes[i]};
  }
  for (int resident = 1; resident >= 0; resident--) {
    struct version version = {.number = 1,
                              .state = VERSION_READY,
                              .contract = {&spec, &spec, 1, 1, true},
                              .seats = seats,
                              .n_seats = SEATS,
                              .resident = resident,
                              .deadline_us = 1000000};
    struct model model = {.name = SLICE("m"),
                          .planned = &version,
                          .n_versions = 1};
    model_serve(&model, &version);
    struct tenant tenant = {.name = SLICE("default"), .planned = &model, .n_models = 1};
    struct world_plan plan = {.tenants = &tenant, .n_tenants = 1, .n_slots = 1, .ready = true};
    world = (struct letter_world){.mail.kind = LETTER_WORLD, .world = world_build(&plan, 1)};
    serve_world(serve, &world);
    int asked[SEATS] = {0};
    for (int i = 0; i < 2 * SEATS; i++) {
      int box = task_box(world.world, boxes, SEATS);
      EXPECT(box >= 0);
      if (box >= 0) asked[box]++;
    }
    for (int i = 0; i < SEATS; i++) EXPECT_INT(asked[i], !resident ? 2 : i == OWN ? 2 * SEATS : 0);
    serve_leave(serve);
    EXPECT(mailbox_take(&control) == &world.mail);
    world_end(&world);
  }
  for (int i = 0; i < SEATS; i++) mailbox_deinit(&boxes[i]);
  tally_free(tally.tally);
  serve_down();
}

TEST(readiness_follows_world_and_drain)
{
  struct letter_tally tally;
  struct letter_world world;
  serve_up();
  EXPECT_INT(serve_state(serve), SERVE_STARTING);
  tally_send(&tally, 1);
  world_send(&world, 1);
  EXPECT_INT(serve_state(serve), SERVE_READY);
  serve_drain(serve);
  EXPECT_INT(serve_state(serve), SERVE_DRAINING);
  serve_leave(serve);
  serve_down();
  world_end(&world);
  tally_free(tally.tally);
}

TEST(what_the_wire_counted_is_in_the_next_tally)
{
  struct letter_tally tally;
  serve_up();
  serve_count_connection(serve);
  serve_count_request(serve);
  serve_count_request(serve);
  serve_count_in(serve, 100);
  serve_count_answer(serve, 200, OK, 50);
  serve_count_answer(serve, 404, E_NOT_FOUND, 7);
  serve_count_left(serve);
  serve_count_slow_turn(serve);
  tally_send(&tally, 1);
  EXPECT_INT(tally.tally->connections, 1);
  EXPECT_INT(tally.tally->requests, 2);
  EXPECT_INT(tally.tally->bytes_in, 100);
  EXPECT_INT(tally.tally->bytes_out, 57);
  EXPECT_INT(tally.tally->by_status[2], 1);
  EXPECT_INT(tally.tally->by_status[4], 1);
  EXPECT_INT(tally.tally->refused[OK], 0);
  EXPECT_INT(tally.tally->refused[E_NOT_FOUND], 1);
  EXPECT_INT(tally.tally->refused[E_CANCELLED], 1);
  EXPECT_INT(tally.tally->slow_turns, 1);
  tally_free(tally.tally);
  serve_down();
}
