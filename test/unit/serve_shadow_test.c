/* serve_shadow_test.c - copies for a shadow: when they run, what they may hold, what they count.
 * Order, bounds and counts are tested without a loop; net_shadow_test.c has one.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "serve/shadow/shadow.h"
#include "serve_rig.h"

static const float yes[] = {0.25f, 0.75f}, no[] = {0.75f, 0.25f};
static int asked;

static void shadow_up(bool on_the_loop)
{
  static const struct version some;
  fake_up();
  resident = on_the_loop;
  split.shadow = &some;
  split.shadow_weight = WEIGHT_WHOLE;
  publish_weight(0);
  asked = 0;
}

/* A request that stable has answered, all but its end. Its input is of its own. */
static struct call *stable_answers(struct call *call, const float *scores)
{
  char data[32];
  snprintf(data, sizeof data, "%d,0.5", asked++);
  call_open(call, "r-1", NULL, NULL);
  call_lend(call, NULL, data);
  EXPECT(lane_take(1) == &call->task);
  EXPECT(!lane_take(2));
  task_answer(&call->task, scores, 2, OK);
  EXPECT_INT(path_resume(call), STEP_REPLY);
  return call;
}

/* The candidate's task goes home; with that answer. */
static void home_with(struct task *task, const float *scores, enum code code)
{
  must(task);
  task_answer(task, scores, 2, code);
  task->model_bytes = 5000;
  task->peak_bytes = 7000;
  shadow_home(shadow_of_task(serve, &task->mail));
  EXPECT(!shadows_turn(serve, false));
  serve_turn(serve, now_us += 1000, 0); /* a resident has rested then */
}

static void pair_of(const float *stable, const float *shadow, enum code code)
{
  path_end(stable_answers(&calls[0], stable));
  shadows_turn(serve, true);
  home_with(lane_take(2), shadow, code);
}

TEST(a_shadow_runs_after_the_answer_and_on_its_memory)
{
  shadow_up(true);
  struct call *call = stable_answers(&calls[0], yes);
  const void *input = call->task.inputs[0].data, *head = call->arena.blocks;
  EXPECT(shadows_when(serve) == INT64_MAX); /* the answer is not out yet */
  path_end(call);
  EXPECT(call->state == CALL_FREE && !call->arena.blocks);
  EXPECT_INT(serve_calls(serve), 1); /* the shadow keeps its world and memory */
  EXPECT(shadows_when(serve) <= now_us);
  EXPECT(!shadows_turn(serve, false) && !lane_take(2)); /* the turn had other work */
  EXPECT(shadows_turn(serve, true));                    /* now it had none */
  struct task *task = lane_take(2);
  EXPECT(task && task->inputs[0].data == input && head);
  EXPECT_INT(task->deadline_us, now_us + 1000000);
  EXPECT(shadows_when(serve) == INT64_MAX);
  home_with(task, yes, OK);
  EXPECT_INT(serve_calls(serve), 0);
  const struct release_tally *release = &pulse()->releases[0];
  EXPECT_INT(release->pairs, 1);
  EXPECT_INT(release->agree[0], 1);
  EXPECT_INT(release->costed, 1);
  EXPECT_INT(release->stable_cpu_ns, 40000);
  EXPECT_INT(release->shadow_cpu_ns, 40000);
  EXPECT_INT(release->shadow_memory.steady_bytes, 5000);
  EXPECT_INT(release->shadow_memory.peak_bytes, 7000);
  EXPECT_INT(release->stable_us.at[sketch_bucket(101)], 1);
  EXPECT_INT(release->shadow_us.at[sketch_bucket(101)], 1);
  EXPECT(!tally_letter.tally->arms[1]); /* a shadow is no live traffic */
  fake_down();
}

TEST(labels_that_differ_are_counted_flipped_and_kept)
{
  shadow_up(true);
  pair_of(yes, yes, OK);
  pair_of(yes, no, OK);
  pair_of(no, yes, OK);
  pair_of(yes, no, OK);
  const struct release_tally *release = &pulse()->releases[0];
  EXPECT_INT(release->pairs, 4);
  EXPECT_INT(release->agree[0], 1);
  EXPECT_INT(release->agree[64], 3);
  EXPECT_INT(release->flips.n_labels, 2);
  EXPECT(release->flips.labels[0].at[0] == '1' && release->flips.labels[1].at[0] == '0');
  EXPECT_INT(release->flips.at[0][0], 1);
  EXPECT_INT(release->flips.at[0][1], 2);
  EXPECT_INT(release->flips.at[1][0], 1);
  EXPECT_INT(release->n_worst, 3);
  char text[PAIR_TEXT_MAX + 1] = "";
  memcpy(text, release->worst[0].text, release->worst[0].text_len);
  EXPECT_STR(text,
             "{\"row\":0,\"stable\":{\"label\":1,\"score\":0.75},"
             "\"candidate\":{\"label\":0,\"score\":0.75},\"inputs\":{\"x\":[1,0.5]}}");
  EXPECT(slice_eq(slice_of(release->worst[0].id, release->worst[0].id_len), SLICE("r-1")));
  fake_down();
}

TEST(scores_and_rankings_are_compared_as_the_plan_says)
{
  static const float near[] = {0.25f, 0.7f}, far[] = {0.25f, 0.5f}, what[] = {NAN, NAN};
  shadow_up(true);
  split.compare = COMPARE_SCORE;
  split.distance = 0.1;
  publish_weight(0);
  pair_of(yes, near, OK);
  pair_of(yes, far, OK);
  pair_of(yes, what, OK);
  pair_of(what, what, OK); /* what cannot be compared does not agree */
  const struct release_tally *release = &pulse()->releases[0];
  EXPECT_INT(release->agree[0], 1);
  EXPECT_INT(release->agree[64], 3);
  split.compare = COMPARE_OVERLAP;
  split.overlap_k = 1;
  publish_weight(0);
  pair_of(yes, near, OK);
  pair_of(yes, no, OK);
  release = &pulse()->releases[0];
  EXPECT_INT(release->agree[0], 1);
  EXPECT_INT(release->agree[64], 1);
  fake_down();
}

/* RO-109 */
TEST(a_shadow_that_fails_is_no_pair_and_hurts_nobody)
{
  shadow_up(true);
  pair_of(yes, yes, E_MODEL_FAILED);
  pair_of(yes, yes, E_DEADLINE_EXCEEDED);
  path_end(stable_answers(&calls[0], yes)); /* asked again: never tried twice */
  shadows_turn(serve, true);
  home_with(lane_take(2), yes, OK);
  const struct tally *tally = pulse();
  EXPECT_INT(tally->releases[0].shadow_errors, 2);
  EXPECT_INT(tally->releases[0].pairs, 1);
  EXPECT_INT(tally->arms[0]->requests, 3);
  EXPECT_INT(tally->arms[0]->errors, 0);
  EXPECT(!tally->releases[0].killed);
  fake_down();
}

TEST(what_stable_did_not_answer_has_no_shadow)
{
  shadow_up(true);
  ask_full("a", NULL, NULL, NULL, E_MODEL_FAILED, 10);
  call_open(&calls[0], "b", NULL, NULL);
  call_lend(&calls[0], NULL, "1");
  EXPECT(lane_take(1) == &calls[0].task);
  EXPECT(!path_leave(&calls[0]));
  task_answer(&calls[0].task, yes, 2, OK);
  path_gone_home(&calls[0]);
  path_end(&calls[0]);
  EXPECT(shadows_when(serve) == INT64_MAX && serve_calls(serve) == 0);
  EXPECT_INT(pulse()->releases[0].shadow_dropped, 0);
  fake_down();
}

TEST(the_same_inputs_count_once_a_minute)
{
  shadow_up(true);
  for (int i = 0; i < 5; i++) {
    asked = 7;
    pair_of(yes, no, OK);
  }
  const struct release_tally *release = &pulse()->releases[0];
  EXPECT_INT(release->pairs, 1);
  EXPECT_INT(release->repeats, 4);
  EXPECT_INT(release->agree[64], 1);
  EXPECT_INT(release->stable_us.at[sketch_bucket(101)], 5); /* time is no matter of inputs */
  serve_turn(serve, now_us += 61000000, 0);
  asked = 7;
  pair_of(yes, no, OK);
  EXPECT_INT(pulse()->releases[0].pairs, 1);
  fake_down();
}

/* RO-109 */
TEST(under_load_shadows_are_the_first_to_go)
{
  shadow_up(true);
  for (int i = 0; i < FAKE_CALLS / 8; i++) path_end(stable_answers(&calls[0], yes));
  EXPECT_INT(pulse()->releases[0].shadow_dropped, 0);
  path_end(stable_answers(&calls[0], yes)); /* an eighth of the calls, and no more */
  EXPECT_INT(pulse()->releases[0].shadow_dropped, 1);
  serve_turn(serve, now_us += 5000001, 0);
  shadows_sweep(serve); /* no idle moment in five seconds */
  EXPECT_INT(pulse()->releases[0].shadow_dropped, FAKE_CALLS / 8);
  EXPECT_INT(serve_calls(serve), 0);
  struct err err;
  EXPECT_INT(budget_take(&bodies, bodies.max / 2 + 1, &err), OK);
  path_end(stable_answers(&calls[0], yes));
  EXPECT_INT(pulse()->releases[0].shadow_dropped, 1);
  budget_give(&bodies, bodies.max / 2 + 1);
  fake_down();
}

TEST(a_slow_resident_gets_a_vanishing_share_of_the_loop)
{
  shadow_up(true);
  path_end(stable_answers(&calls[0], yes));
  path_end(stable_answers(&calls[1], yes));
  EXPECT(shadows_turn(serve, true));
  struct task *task = lane_take(2);
  EXPECT(!shadows_turn(serve, true)); /* one at a time */
  task_answer(task, yes, 2, OK);
  task->infer_ns = task->began_ns + 2000000; /* 2 ms: 200 ms of rest */
  serve_turn(serve, now_us += 2000, 0);
  shadow_home(shadow_of_task(serve, &task->mail));
  EXPECT(!shadows_turn(serve, true));
  EXPECT_INT(shadows_when(serve), now_us + 200000);
  pulse(); /* a pulse is no rest */
  serve_turn(serve, now_us += 199000, 0);
  EXPECT(!shadows_turn(serve, true));
  serve_turn(serve, now_us += 1001, 0);
  EXPECT(shadows_turn(serve, true));
  home_with(lane_take(2), yes, OK);
  fake_down();
}

TEST(elsewhere_a_shadow_goes_when_no_request_is_out_or_after_some_patience)
{
  shadow_up(false);
  path_end(stable_answers(&calls[0], yes));
  path_end(stable_answers(&calls[0], yes));
  call_open(&calls[1], "live", NULL, NULL);
  call_lend(&calls[1], NULL, "1");
  EXPECT(lane_take(1) == &calls[1].task);
  EXPECT(!shadows_turn(serve, true) && !lane_take(2));
  serve_turn(serve, now_us += 100001, 0);
  EXPECT(!shadows_turn(serve, false)); /* false: no resident was asked */
  struct task *task = lane_take(2);
  EXPECT(task);
  EXPECT(!shadows_turn(serve, false) && !lane_take(2)); /* one at a time */
  home_with(task, yes, OK);                             /* and the next one behind it */
  task = lane_take(2);
  task_answer(&calls[1].task, yes, 2, OK);
  EXPECT_INT(path_resume(&calls[1]), STEP_REPLY);
  path_end(&calls[1]);
  home_with(task, yes, OK);
  home_with(lane_take(2), yes, OK);
  EXPECT_INT(pulse()->releases[0].pairs, 3);
  fake_down();
}

TEST(a_release_that_ended_meanwhile_counts_nothing)
{
  shadow_up(true);
  path_end(stable_answers(&calls[0], yes));
  path_end(stable_answers(&calls[0], yes));
  EXPECT(shadows_turn(serve, true));
  struct task *task = lane_take(2);
  split.number = 18; /* the next one has its slot */
  publish_weight(0);
  pulse();
  EXPECT_INT(world_count_built() - world_count_freed(), 2); /* the old one is leased still */
  home_with(task, no, OK);
  EXPECT(shadows_turn(serve, true));
  home_with(lane_take(2), no, OK);
  EXPECT(!pulse()->releases[0].touched);
  EXPECT_INT(world_count_built() - world_count_freed(), 1);
  fake_down();
}

TEST(an_answer_still_being_written_gives_its_memory_later)
{
  struct arena arena, scratch;
  struct shadow *shadow;
  shadow_up(true);
  for (int late = 0; late < 2; late++) {
    struct call *call = stable_answers(&calls[0], yes);
    struct hold hold = {0};
    uint64_t counted = path_pin(call, &arena, &scratch, &shadow, &hold);
    path_end(call);
    EXPECT(shadow != NULL);
    EXPECT(!shadows_turn(serve, true) && !lane_take(2)); /* the answer is not out */
    serve_turn(serve, now_us += late ? 6000000 : 1000000, 0);
    shadows_sweep(serve); /* a reader that slow does not keep a world */
    shadow_memory(shadow, &arena, &scratch);
    EXPECT(!arena.blocks && !scratch.blocks);
    budget_give(&bodies, counted);
    EXPECT(shadows_turn(serve, true) == !late);
    if (!late) home_with(lane_take(2), yes, OK);
  }
  const struct release_tally *release = &pulse()->releases[0];
  EXPECT_INT(release->pairs, 1);
  EXPECT_INT(release->shadow_dropped, 1);
  EXPECT_INT(serve_calls(serve), 0);
  fake_down();
}

TEST(a_stop_drops_what_waits_and_waits_for_what_is_out)
{
  shadow_up(true);
  for (int i = 0; i < 3; i++) path_end(stable_answers(&calls[0], yes));
  EXPECT(shadows_turn(serve, true));
  struct task *task = lane_take(2);
  serve_drain(serve);
  EXPECT_INT(serve_calls(serve), 1);
  path_end(stable_answers(&calls[0], yes)); /* no more of them */
  EXPECT_INT(serve_calls(serve), 1);
  home_with(task, yes, OK);
  EXPECT_INT(serve_calls(serve), 0);
  fake_down();
}

TEST(a_share_of_requests_is_copied)
{
  char id[16];
  int copied = 0;
  shadow_up(true);
  split.shadow_weight = WEIGHT_WHOLE / 4;
  publish_weight(0);
  for (int i = 0; i < 1000; i++) {
    snprintf(id, sizeof id, "s-%d", i);
    ask(id);
    if (!shadows_turn(serve, true)) continue;
    home_with(lane_take(2), yes, OK);
    copied++;
  }
  EXPECT(copied > 200 && copied < 300);
  fake_down();
}
