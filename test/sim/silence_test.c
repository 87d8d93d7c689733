/* silence_test.c - a loop that does not report, and a process that does not run: releases are
 * judged by the clock with what is home, and time that nobody lived through proves nothing.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "town.c"
#include "town_lives.c"
#include "town_time.c"

static const char two_steps[] =
    "{\"strategy\":\"canary\",\"on_inconclusive\":\"advance\",\"no_data_deadline\":\"20s\","
    "\"steps\":[{\"canary\":{\"traffic\":\"20%\",\"for\":\"12s\",\"deadline\":\"12s\"}},"
    "{\"canary\":{\"traffic\":\"50%\",\"for\":\"1h\"}}]," TIME_GATES "}";

static void freeze(bool lift)
{
  struct event_fact facts[] = {{SLICE("scope"), SLICE("model")}, {SLICE("lift"), SLICE("true")}};
  ask(COMMAND_FREEZE, 0, facts, lift ? 2 : 1);
}

/* --- a loop is silent ------------------------------------------------------------------------- */

TEST(a_loop_that_is_silent_for_some_seconds_stops_no_look)
{
  begin(two_steps);
  const struct run *run = the_run();
  uint64_t looks = run->trial.looks, counted = run->trial.totals[ARM_STABLE].requests;
  silent[1] = true;
  seconds(4, false);
  EXPECT(run->trial.looks >= looks + 3);
  EXPECT(run->trial.stale_looks >= 2 && run->trial.stale_looks < TRIAL_STALE_LOOKS);
  EXPECT(run->trial.totals[ARM_STABLE].requests > counted); /* loop 0's are evidence */
  EXPECT(run->verdict.kind != VERDICT_NO_DATA);
  silent[1] = false;
  seconds(3, false);
  /* Nothing is lost: 9 s of both loops, less what was counted while the weights changed. */
  EXPECT_INT(run->trial.stale_looks, 0);
  const struct look_arm *totals = run->trial.totals;
  EXPECT(totals[ARM_STABLE].requests + totals[ARM_CANDIDATE].requests >= 7 * TOWN_LOOPS * RATE);
  EXPECT_INT(run->now.state, ROLLOUT_RUNNING);
  end();
}

/* RO-101: stale tallies hold, then a person is told; they never promote. */
TEST(a_loop_that_is_silent_for_ever_is_no_data_and_nothing_advances)
{
  begin(two_steps);
  const struct run *run = the_run();
  silent[1] = true;
  seconds(16, false); /* longer than the step, which would advance with what it has */
  EXPECT_INT(run->now.step, 0);
  EXPECT_INT(run->now.state, ROLLOUT_RUNNING);
  EXPECT_INT(run->verdict.kind, VERDICT_NO_DATA);
  EXPECT_INT(run->verdict.gates[GATE_ERRORS].state, GATE_NO_DATA);
  EXPECT_INT(run->verdict.gates[GATE_ERRORS].reason, WITHOUT_STALE_TALLIES);
  seconds(12, false); /* no_data_deadline: a person is told */
  EXPECT_INT(run->now.state, ROLLOUT_PAUSED);
  EXPECT_INT(run->now.why, WHY_NO_DATA);
  end();
}

TEST(a_loop_that_comes_back_brings_what_it_counted_to_the_next_look)
{
  begin(two_steps);
  const struct run *run = the_run();
  silent[1] = true;
  seconds(8, false);
  EXPECT_INT(run->verdict.kind, VERDICT_NO_DATA);
  uint64_t before = run->trial.totals[ARM_STABLE].requests;
  silent[1] = false;
  seconds(2, false);
  EXPECT_INT(run->trial.stale_looks, 0);
  EXPECT(run->verdict.kind != VERDICT_NO_DATA);
  /* Eight seconds of loop 1, two of both, four of five of them stable's. */
  EXPECT(run->trial.totals[ARM_STABLE].requests - before >= (8 + 1) * RATE * 4 / 5);
  EXPECT_INT(run->now.step, 0);
  seconds(8, false); /* and the step ends as it would have */
  EXPECT_INT(run->now.step, 1);
  end();
}

TEST(harm_on_the_other_loops_is_stopped_while_one_is_silent)
{
  begin(two_steps);
  silent[1] = true;
  seconds(3, false);
  uint64_t round = town.control->pulse.done;
  seconds(4, true);
  EXPECT_INT(town.control->pulse.done, round);
  EXPECT(!the_run());
  EXPECT(slice_eq(event_fact(&town.ledger[town.n_events - 1], "state"), SLICE("rolled_back")));
  const struct world *world = newest(&town.loop[0])->letter->world;
  const struct model *model = world_model(world, world_tenant(world, SLICE("default")), SLICE("m"));
  EXPECT(!model->release || model->arms[0].weight == 0);
  end();
}

/* New weights went out while it was silent: it may still answer under the old ones, so shares are
 * as they came out until it has reported, and not as the plan says. */
TEST(a_step_that_began_while_a_loop_was_silent_is_judged_with_the_shares_there_were)
{
  struct event_fact word[] = {{SLICE("person"), SLICE("bob")}, {SLICE("word"), SLICE("promote")}};
  begin(two_steps);
  const struct run *run = the_run();
  silent[1] = true;
  seconds(2, false);
  ask(COMMAND_SAY, 0, word, 2);
  seconds(4, false);
  EXPECT_INT(run->now.step, 1);
  EXPECT_INT(run->trial.step, 1);
  EXPECT(run->trial.step_looks >= 2);
  EXPECT(run->trial.step_uneven && run->mixed);
  silent[1] = false;
  seconds(3, false);
  EXPECT(!run->mixed && !run->fresh);
  uint64_t looks = run->trial.step_looks;
  seconds(2, false);
  EXPECT(run->trial.step_looks > looks && !town.control->runs.look.uneven);
  end();
}

TEST(freezes_and_deadlines_come_while_every_loop_is_silent)
{
  begin(
      "{\"strategy\":\"canary\",\"pause_deadline\":\"4s\",\"on_pause_deadline\":\"abort\","
      "\"steps\":[{\"canary\":{\"traffic\":\"20%\",\"for\":\"1h\"}}]," TIME_GATES "}");
  struct event_fact word[] = {{SLICE("person"), SLICE("bob")}, {SLICE("word"), SLICE("pause")}};
  const struct run *run = the_run();
  for (uint32_t i = 0; i < TOWN_LOOPS; i++) silent[i] = true;
  freeze(false);
  seconds(4, false);
  EXPECT(run->now.frozen);
  freeze(true);
  seconds(4, false);
  EXPECT(!run->now.frozen);
  ask(COMMAND_SAY, 0, word, 2);
  seconds(2, false);
  EXPECT_INT(run->now.state, ROLLOUT_PAUSED);
  seconds(6, false);
  EXPECT(!the_run()); /* aborted, and the ledger has it */
  EXPECT_INT(town.ledger[town.n_events - 1].kind, EVENT_RELEASE_MOVED);
  EXPECT(slice_eq(event_fact(&town.ledger[town.n_events - 1], "state"), SLICE("aborted")));
  end();
}

/* --- the process does not run ----------------------------------------------------------------- */

/* A stopped process, a suspended machine: the clock jumps by what nobody answered in. */
TEST(a_jump_of_the_clock_is_no_bake_time)
{
  begin(two_steps);
  const struct run *run = the_run();
  seconds(1, false);
  uint64_t step_ms = run->trial.step_ms;
  town.now_us += INT64_C(14) * 1000000;
  everybody();
  seconds(1, false);
  EXPECT_INT(run->now.step, 0);
  EXPECT(run->trial.step_ms - step_ms <= 5000);
  seconds(2, false);
  EXPECT_INT(run->now.step, 0);
  town.now_us += INT64_C(3600) * 1000000; /* RO-111 */
  seconds(1, false);
  EXPECT_INT(run->now.step, 0);
  EXPECT_INT(run->now.state, ROLLOUT_RUNNING);
  seconds(12, false); /* lived through, it is */
  EXPECT_INT(run->now.step, 1);
  end();
}

TEST(the_way_back_is_kept_through_a_long_sleep)
{
  begin(
      "{\"strategy\":\"canary\",\"on_inconclusive\":\"advance\",\"keep_previous_warm\":\"30s\","
      "\"steps\":[{\"canary\":{\"traffic\":\"20%\",\"for\":\"2s\",\"deadline\":\"2s\"}}]"
      "," TIME_GATES "}");
  const struct run *run = the_run();
  seconds(4, false);
  EXPECT_INT(run->now.state, ROLLOUT_COMPLETED);
  town.now_us += INT64_C(3600) * 1000000;
  seconds(2, false);
  EXPECT(the_run() == run && run->now.state == ROLLOUT_COMPLETED);
  EXPECT(the_run() && run->arms[ARM_STABLE]->state == PLACED_READY);
  end();
}
