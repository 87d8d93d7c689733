/* judge_arms_test.c - a test of several candidates as the judge and its release see it: who is
 * closed and who goes on, who has won, what a person may choose; and that a replay has the same
 * bits.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "judge/evidence.h"
#include "judge/explain.h"
#include "judge/step.h"
#include "judge_rig.h"
#include "stat/assign.h"

static struct plan plan;
static struct digest spec;
static struct trial trial, twin;
static struct look look, part, seen;
static struct verdict verdict;
static struct arena arena;

static void plan_set(uint32_t n_arms)
{
  char text[1024];
  struct err err = {0};
  int len = snprintf(text, sizeof text,
                     "strategy: ab\nmetric: {name: clicks, users_expected: 2000}\nsteps: [{ab: "
                     "{for: 1h}}]\ngates: {memory: off}\nwarm_up: 0s\n"
                     "ab:\n  users_min: 500\n  weeks_min: 0\n  arms:\n");
  uint32_t each = 100 / n_arms;
  for (uint32_t arm = 0; arm < n_arms; arm++) {
    uint32_t share = arm == ARM_STABLE ? 100 - each * (n_arms - 1) : each;
    len += snprintf(text + len, sizeof text - (size_t)len, "    - {traffic: %" PRIu32 "%%", share);
    if (arm >= ARM_MORE)
      len += snprintf(text + len, sizeof text - (size_t)len, ", version: %" PRIu32, arm + 1);
    len += snprintf(text + len, sizeof text - (size_t)len, "}\n");
  }
  if (!arena.max) arena_init(&arena, 64 << 20, NULL);
  arena_reset(&arena);
  EXPECT_INT(plan_read(&plan, slice_of(text, (size_t)len), &arena, &err), OK);
  if (err.code) printf("%s\n", err.text);
  spec = plan_hash(&plan, &arena);
}

static void trial_set(uint32_t n_arms)
{
  struct baseline baseline = rig_baseline();
  plan_set(n_arms);
  trial_begin(&trial, &plan);
  trial_step_begin(&trial, 0, &baseline);
}

/* A look of as many arms, all alike; a closed one has no traffic. */
static void look_set(struct rand *rand, const struct trial *of)
{
  look_init(&look, of->looks, of->n_arms);
  look.elapsed_ms = 1000;
  look.loaded_ms = 60000;
  for (uint32_t arm = 0; arm < of->n_arms; arm++) {
    if (of->closed & ARM_BIT(arm)) continue;
    look.weights[arm] = plan.ab.weights[arm];
    struct rig_arm rig = rig_share(rig_healthy, (double)plan.ab.weights[arm] / PLAN_WHOLE);
    rig_fill(rand, &rig, &look.arms[arm]);
  }
}

static void outcomes(struct rand *rand, uint32_t arm, double chance)
{
  uint64_t n = look.arms[arm].units, k = rig_binomial(rand, n, chance);
  look.arms[arm].metric.n = n;
  look.arms[arm].metric.y = (int64_t)(k << MEAN_PARTS_BITS);
  look.arms[arm].metric.yy = (mean_wide)k << 2 * MEAN_PARTS_BITS;
}

/* --- the judge -------------------------------------------------------------------------------- */

TEST(harm_closes_one_arm_after_the_other_and_the_last_is_the_releases)
{
  struct rand rand;
  rand_seed(&rand, 11);
  trial_set(4);
  double bar = 0;
  static const uint32_t goes[] = {3, 0, 2};
  for (int round = 0; round < 3; round++) {
    uint32_t before = trial.closed, bad = goes[round];
    for (int i = 0; i < 60 && trial.closed == before && verdict.kind != VERDICT_HARM; i++) {
      look_set(&rand, &trial);
      look.arms[bad].errors = look.arms[bad].requests / 4;
      look.arms[bad].timed = look.arms[bad].requests - look.arms[bad].errors;
      for (int row = 0; row < SLOW_ROWS; row++)
        if (look.arms[bad].slow[row] > look.arms[bad].timed)
          look.arms[bad].slow[row] = look.arms[bad].timed;
      trial_look(&trial, &look, &verdict);
    }
    EXPECT_INT(verdict.gates[GATE_ERRORS].arm, round == 2 ? 2 : round == 0 ? 0 : 2);
    if (round == 2) break;
    EXPECT_INT(trial.closed, before | ARM_BIT(bad));
    EXPECT_INT(verdict.closed, trial.closed);
    EXPECT(verdict.kind != VERDICT_HARM);
    EXPECT_INT(trial.closed_by[bad].state, GATE_HARM);
    EXPECT_INT(trial.closed_by[bad].arm, bad);
    /* What the others may spend does not grow when one leaves. */
    if (round == 0) bar = verdict.gates[GATE_ERRORS].bar;
    EXPECT(bar == verdict.gates[GATE_ERRORS].bar || verdict.gates[GATE_ERRORS].lane == LANE_FAST);
  }
  EXPECT_INT(verdict.kind, VERDICT_HARM);
  EXPECT_INT(trial.closed, ARM_BIT(3) | ARM_BIT(0));
  char text[EXPLAIN_TEXT_MAX];
  verdict_sentence(&trial, &verdict, text);
  EXPECT(strstr(text, "harm: candidate-2: errors") != NULL);
  EXPECT(strstr(text, "out: candidate: errors") != NULL);
  EXPECT(strstr(text, "out: candidate-3: errors") != NULL);
  verdict.kind = VERDICT_UNDECIDED;
}

TEST(two_arms_may_leave_in_one_look)
{
  struct rand rand;
  rand_seed(&rand, 12);
  trial_set(4);
  look_set(&rand, &trial);
  look.killed = ARM_BIT(0) | ARM_BIT(3);
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(verdict.closed, ARM_BIT(0) | ARM_BIT(3));
  EXPECT_INT(trial.closed_by[3].lane, LANE_KILLED);
  EXPECT(verdict.kind != VERDICT_HARM);
  look_set(&rand, &trial);
  look.killed = ARM_BIT(2);
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(verdict.kind, VERDICT_HARM);
  EXPECT_INT(verdict.gates[GATE_ERRORS].arm, 2);
}

TEST(an_arm_without_weight_is_out_but_none_is_while_all_are_held_off)
{
  struct rand rand;
  rand_seed(&rand, 13);
  trial_set(3);
  look_set(&rand, &trial);
  memset(look.weights, 0, sizeof look.weights);
  look.weights[ARM_STABLE] = PLAN_WHOLE;
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(verdict.closed, 0);
  look_set(&rand, &trial);
  look.weights[2] = 0;
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(verdict.closed, ARM_BIT(2));
  EXPECT_INT(trial.closed_by[2].state, GATE_NO_DATA);
  char text[EXPLAIN_TEXT_MAX];
  verdict_sentence(&trial, &verdict, text);
  EXPECT(strstr(text, "out: candidate-2: its version could not be loaded again") != NULL);
}

/* Once a person has chosen, the others are out without a word, and harm of the chosen one is the
 * release's. */
TEST(harm_of_the_chosen_arm_is_the_releases)
{
  struct rand rand;
  rand_seed(&rand, 16);
  trial_set(3);
  look_set(&rand, &trial);
  trial_look(&trial, &look, &verdict);
  for (int i = 0; i < 2; i++) {
    look_set(&rand, &trial);
    memset(look.weights, 0, sizeof look.weights);
    look.weights[2] = PLAN_WHOLE;
    if (i) look.killed = ARM_BIT(2);
    trial_look(&trial, &look, &verdict);
    char text[EXPLAIN_TEXT_MAX];
    verdict_sentence(&trial, &verdict, text);
    EXPECT(!strstr(text, "out:"));
    EXPECT(i ? verdict.kind == VERDICT_HARM : verdict.kind != VERDICT_HARM);
  }
  EXPECT_INT(verdict.gates[GATE_ERRORS].arm, 2);
  verdict.kind = VERDICT_UNDECIDED;
}

static void segments_begin(uint32_t n_arms, enum gate_act act)
{
  struct baseline baseline = rig_baseline();
  plan_set(n_arms);
  plan.n_segments = 1;
  plan.segments[0].kind = BY_TENANT;
  plan.gates[GATE_SEGMENTS].on_harm = act;
  for (int gate = 0; gate < GATE_COUNT; gate++) plan.gates[gate].off = gate != GATE_SEGMENTS;
  trial_begin(&trial, &plan);
  trial_step_begin(&trial, 0, &baseline);
}

/* n segments; `bad`, if any, fails in segment 2 ten times as often. */
static void segments_look(struct rand *rand, uint32_t n, uint32_t bad)
{
  look_set(rand, &trial);
  look.n_segments = n;
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t arm = 0; arm < trial.n_arms; arm++) {
      if (trial.closed & ARM_BIT(arm)) continue;
      look.segments[i].requests[arm] = rig_poisson(rand, 30.0 * plan.ab.weights[arm] / 25e6);
      look.segments[i].errors[arm] =
          rig_binomial(rand, look.segments[i].requests[arm], arm == bad && i == 2 ? 0.1 : 0.01);
    }
  trial_look(&trial, &look, &verdict);
}

TEST(a_segment_that_one_candidate_harms_closes_that_one)
{
  struct rand rand;
  rand_seed(&rand, 14);
  segments_begin(4, ACT_ROLLBACK);
  for (int i = 0; i < 200 && !trial.closed; i++) segments_look(&rand, 5, 3);
  EXPECT_INT(trial.closed, ARM_BIT(3));
  EXPECT(verdict.kind != VERDICT_HARM);
  const struct gate_result *by = &trial.closed_by[3];
  EXPECT_INT(by->gate, GATE_SEGMENTS);
  EXPECT_INT(by->row, 2);
  EXPECT_INT(by->bits, 1 << 2);
  EXPECT(!by->whole);
  EXPECT(by->x_c > 10 && by->x_c > 3 * by->x_b);
  char text[EXPLAIN_TEXT_MAX];
  gate_sentence(&trial, by, text);
  EXPECT(strstr(text, "candidate-3: segment 2: bad answers") != NULL);
  for (int i = 0; i < 200; i++) segments_look(&rand, 5, 3);
  EXPECT_INT(trial.closed, ARM_BIT(3)); /* and nobody else */
  for (int i = 0; i < 400 && !(trial.closed & ARM_BIT(0)); i++) segments_look(&rand, 5, 0);
  EXPECT_INT(trial.closed, ARM_BIT(3) | ARM_BIT(0));
  for (int i = 0; i < 400 && verdict.kind != VERDICT_HARM; i++) segments_look(&rand, 5, 2);
  EXPECT_INT(verdict.kind, VERDICT_HARM); /* the last one */
  EXPECT_INT(verdict.gates[GATE_SEGMENTS].arm, 2);
  verdict.kind = VERDICT_UNDECIDED;
}

/* Each of seven candidates has a seventh of the rate: together they are no louder than one. */
TEST(segments_of_many_candidates_raise_no_more_false_alarms_than_those_of_one)
{
  struct rand rand;
  rand_seed(&rand, 17);
  uint32_t alarms = 0;
  for (int run = 0; run < 60; run++) {
    segments_begin(8, ACT_PAUSE);
    for (int i = 0; i < 60; i++) segments_look(&rand, 8, ARM_NONE);
    EXPECT(fabs(verdict.gates[GATE_SEGMENTS].bar - log(8 * 7 / 0.05)) < 1e-9);
    alarms += verdict.gates[GATE_SEGMENTS].state == GATE_HARM;
  }
  EXPECT(alarms <= 6); /* 5 % of 60 are 3 */
}

TEST(a_winner_beats_each_other_open_arm)
{
  struct rand rand;
  rand_seed(&rand, 15);
  trial_set(4);
  double chances[] = {0.2, 0.2, 0.3, 0.3};
  for (int i = 0; i < 40; i++) {
    look_set(&rand, &trial);
    for (uint32_t arm = 0; arm < 4; arm++) outcomes(&rand, arm, chances[arm]);
    trial_look(&trial, &look, &verdict);
    EXPECT(verdict.winner == ARM_NONE); /* two are alike */
  }
  look_set(&rand, &trial);
  look.killed = ARM_BIT(2);
  trial_look(&trial, &look, &verdict);
  EXPECT_INT(verdict.winner, 3); /* the other one is out */
  char text[EXPLAIN_TEXT_MAX];
  verdict_sentence(&trial, &verdict, text);
  EXPECT(strstr(text, "candidate-3 has won: clicks +0.1") != NULL);
}

/* Whoever counts, and whoever counts again: the same bits, with any number of arms. */
TEST(a_replay_of_many_arms_has_the_same_bits_however_requests_were_split)
{
  enum { LOOKS = 90, JOURNAL = 2 << 20 };
  static unsigned char journal[JOURNAL];
  static uint64_t prints[LOOKS];
  struct baseline baseline = rig_baseline();
  struct rand rand;
  for (uint32_t n_arms = 3; n_arms <= ARMS_MAX; n_arms++) {
    struct varint_out out = {journal, 0, sizeof journal, false};
    rand_seed(&rand, n_arms);
    trial_set(n_arms);
    trial_begin(&twin, &plan);
    trial_step_begin(&twin, 0, &baseline);
    evidence_plan(plan_write(&plan, &arena), &out);
    evidence_step(0, &baseline, &out);
    for (int i = 0; i < LOOKS; i++) {
      look_set(&rand, &trial);
      for (uint32_t arm = 0; arm < n_arms; arm++) outcomes(&rand, arm, arm == 0 ? 0.4 : 0.3);
      if (i > 40 && look.arms[n_arms - 1].requests) look.killed = ARM_BIT(n_arms - 1);
      evidence_look(&look, &out);
      part = look; /* one node has a part of the arms, the other the rest */
      struct look rest = look;
      for (uint32_t arm = 0; arm < n_arms; arm++)
        memset(arm % 2 ? &part.arms[arm] : &rest.arms[arm], 0, sizeof part.arms[arm]);
      rest.elapsed_ms = 0;
      look_merge(&part, &rest);
      trial_look(&trial, &look, &verdict);
      prints[i] = verdict_print(&verdict);
      trial_look(&twin, &part, &verdict);
      EXPECT(verdict_print(&verdict) == prints[i]);
    }
    EXPECT_INT(trial.closed, ARM_BIT(n_arms - 1));
    struct slice bytes = slice_of((const char *)journal, out.len);
    struct replay replay;
    struct err err;
    bool judged;
    int n = 0;
    replay_init(&replay, &twin, &seen, &arena);
    while (bytes.len && n < LOOKS) {
      EXPECT_INT(replay_next(&replay, &bytes, &verdict, &judged, &err), OK);
      if (judged) EXPECT(verdict_print(&verdict) == prints[n++]);
    }
    EXPECT_INT(n, LOOKS);
    EXPECT(verdict.winner == trial_winner(&trial) && verdict.closed == trial.closed);
  }
}

/* --- the release ------------------------------------------------------------------------------ */

static struct rollout_move last;

static void news(struct rollout *r, struct rollout_event event)
{
  if (!event.person) event.person = "bob";
  event.role = PLAN_ADMIN;
  event.step = r->step;
  event.spec = spec;
  last = rollout_step(r, &plan, &event, r->clock_ms + 1000);
  *r = last.next;
}

static struct rollout running(uint32_t n_arms)
{
  struct rollout r;
  plan_set(n_arms);
  rollout_init(&r, &plan, &spec, "ann", false, 1000);
  news(&r, (struct rollout_event){.when = WHEN_LOADED});
  EXPECT_INT(r.state, ROLLOUT_RUNNING);
  return r;
}

static void bytes_check(const struct rollout *r)
{
  unsigned char bytes[ROLLOUT_BYTES_MAX];
  struct varint_out out = {bytes, 0, sizeof bytes, false};
  struct rollout again;
  struct err err;
  rollout_write(r, &out);
  struct slice left = slice_of((const char *)bytes, out.len);
  EXPECT_INT(rollout_read(&again, &left, &err), OK);
  EXPECT_INT(left.len, 0);
  EXPECT(again.closed == r->closed && again.chosen == r->chosen && again.state == r->state);
}

TEST(an_arm_that_is_out_moves_no_unit_of_the_others)
{
  struct rollout r = running(5);
  uint32_t shares[ARMS_MAX];
  static uint32_t drawn[20000];
  for (uint32_t arm = 0; arm < 5; arm++) shares[arm] = rollout_share(&r, &plan, arm);
  for (uint32_t i = 0; i < 20000; i++) drawn[i] = assign_arm(i * 214748u, shares, 5);
  news(&r, (struct rollout_event){.when = WHEN_UNDECIDED, .closed = ARM_BIT(3)});
  EXPECT_INT(r.state, ROLLOUT_RUNNING);
  EXPECT_INT(r.why, WHY_ARM_CLOSED);
  EXPECT(last.deeds & THEN_PUBLISH_FIRST && last.deeds & THEN_RECORD && last.deeds & THEN_NOTIFY);
  EXPECT_INT(rollout_weight(&r, &plan, 3), 0);
  EXPECT_INT(rollout_weight(&r, &plan, ARM_STABLE),
             rollout_share(&r, &plan, ARM_STABLE) + rollout_share(&r, &plan, 3));
  for (uint32_t arm = 0; arm < 5; arm++) EXPECT_INT(rollout_share(&r, &plan, arm), shares[arm]);
  for (uint32_t i = 0; i < 20000; i++) {
    uint32_t arm = assign_arm(i * 214748u, shares, 5);
    EXPECT_INT(arm, drawn[i]);
  }
  bytes_check(&r);
  news(&r, (struct rollout_event){.when = WHEN_UNDECIDED, .closed = ARM_BIT(3)});
  EXPECT_INT(last.deeds, 0); /* once */
  news(&r, (struct rollout_event){.when = WHEN_RESTARTED});
  news(&r, (struct rollout_event){.when = WHEN_LOAD_FAILED, .closed = ARM_BIT(0)});
  EXPECT_INT(r.closed, ARM_BIT(0) | ARM_BIT(3));
  EXPECT_INT(r.state, ROLLOUT_RUNNING);
  news(&r, (struct rollout_event){.when = WHEN_LOAD_FAILED,
                                  .closed = ARM_BIT(2) | ARM_BIT(4)}); /* all the rest */
  EXPECT_INT(r.state, ROLLOUT_ROLLED_BACK);
}

TEST(who_goes_on_is_said_or_has_won)
{
  struct rollout r = running(4);
  EXPECT_INT(r.chosen, ARM_STABLE);
  news(&r, (struct rollout_event){.when = WHEN_PROMOTE});
  EXPECT_INT(last.refused, E_CONFLICT);
  EXPECT(strstr(last.text, "no arm has won"));
  news(&r, (struct rollout_event){.when = WHEN_PROMOTE, .winner = 1 + ARM_STABLE});
  EXPECT(strstr(last.text, "stable has won"));
  news(&r, (struct rollout_event){.when = WHEN_PROMOTE, .says_arm = 1 + 4});
  EXPECT(strstr(last.text, "no such arm"));
  news(&r, (struct rollout_event){.when = WHEN_UNDECIDED, .closed = ARM_BIT(2)});
  news(&r, (struct rollout_event){.when = WHEN_PROMOTE, .says_arm = 1 + 2});
  EXPECT(strstr(last.text, "closed"));
  struct rollout other = r;
  news(&other, (struct rollout_event){
                   .when = WHEN_PROMOTE, .says_arm = 1 + ARM_CANDIDATE, .winner = 1 + 3});
  EXPECT_INT(other.state, ROLLOUT_COMPLETED);
  EXPECT_INT(other.chosen, ARM_CANDIDATE);
  news(&r, (struct rollout_event){.when = WHEN_PROMOTE, .winner = 1 + 3});
  EXPECT_INT(r.state, ROLLOUT_COMPLETED);
  EXPECT_INT(r.chosen, 3);
  EXPECT_INT(rollout_weight(&r, &plan, 3), PLAN_WHOLE);
  EXPECT_INT(rollout_weight(&r, &plan, ARM_STABLE), 0);
  bytes_check(&r);
  other = r; /* paused with all traffic at the chosen one it stays there; the others are no news */
  news(&other, (struct rollout_event){.when = WHEN_WAY_BACK_LOST});
  EXPECT_INT(other.state, ROLLOUT_PAUSED);
  EXPECT_INT(rollout_weight(&other, &plan, 3), PLAN_WHOLE);
  news(&other, (struct rollout_event){.when = WHEN_UNDECIDED, .closed = ARM_BIT(0) | ARM_BIT(2)});
  EXPECT_INT(other.closed, ARM_BIT(2));
  EXPECT_INT(other.why, WHY_WAY_BACK);
  news(&r, (struct rollout_event){.when = WHEN_ROLLBACK});
  EXPECT_INT(r.state, ROLLOUT_ROLLED_BACK);
  EXPECT_INT(rollout_weight(&r, &plan, ARM_STABLE), PLAN_WHOLE);
}

TEST(all_who_approve_mean_one_arm_and_harm_of_it_voids_their_word)
{
  struct rollout r = running(3);
  plan.steps[0].approve_count = 2;
  news(&r, (struct rollout_event){.when = WHEN_PASSED});
  EXPECT_INT(r.state, ROLLOUT_WAITING);
  news(&r, (struct rollout_event){.when = WHEN_APPROVE, .winner = 1 + 2});
  EXPECT_INT(r.n_approvals, 1);
  EXPECT_INT(r.chosen, 2);
  news(&r, (struct rollout_event){
               .when = WHEN_APPROVE, .person = "cat", .says_arm = 1 + ARM_CANDIDATE});
  EXPECT_INT(last.refused, E_CONFLICT);
  news(&r, (struct rollout_event){.when = WHEN_UNDECIDED, .closed = ARM_BIT(2)});
  EXPECT_INT(r.state, ROLLOUT_WAITING);
  EXPECT_INT(r.n_approvals, 0);
  EXPECT_INT(r.chosen, ARM_STABLE);
  news(&r, (struct rollout_event){.when = WHEN_APPROVE, .says_arm = 1 + ARM_CANDIDATE});
  news(&r, (struct rollout_event){.when = WHEN_APPROVE, .person = "cat"}); /* says nothing else */
  EXPECT_INT(r.state, ROLLOUT_COMPLETED);
  EXPECT_INT(r.chosen, ARM_CANDIDATE);
}

/* What ledgers hold of releases with two arms stays what it was, byte for byte. */
TEST(two_arms_have_the_form_they_had)
{
  unsigned char bytes[ROLLOUT_BYTES_MAX];
  struct varint_out out = {bytes, 0, sizeof bytes, false};
  struct rollout r = running(2);
  EXPECT_INT(r.chosen, ARM_CANDIDATE);
  rollout_write(&r, &out);
  EXPECT_INT(bytes[0], 1);
  struct rollout many = running(3);
  out.len = 0;
  rollout_write(&many, &out);
  EXPECT_INT(bytes[0], 2);
  bytes_check(&many);
  for (uint32_t arm = ARM_STABLE; arm <= 2; arm++) { /* stable is never out, nor the chosen one */
    struct rollout again;
    struct err err;
    many.chosen = 2;
    many.closed = ARM_BIT(arm);
    out.len = 0;
    rollout_write(&many, &out);
    struct slice left = slice_of((const char *)bytes, out.len);
    EXPECT_INT(rollout_read(&again, &left, &err), E_INVALID_ARGUMENT);
  }
}

/* Whatever comes in whatever order: parts of the lot and weights add up, who is out stays out, and
 * at most one arm ends with everything. */
TEST(random_lives_of_many_arms)
{
  struct rand rand;
  rand_seed(&rand, 5);
  for (int life = 0; life < 2000; life++) {
    uint32_t n = 2 + (uint32_t)(rand_u64(&rand) % 7);
    struct rollout r = running(n);
    plan.pause_drains = rand_u64(&rand) & 1;
    plan.gradual = rand_u64(&rand) & 1;
    for (int i = 0; i < 60; i++) {
      uint32_t closed = r.closed;
      struct rollout_event event = {.when = (enum rollout_when)(rand_u64(&rand) % ROLLOUT_WHENS)};
      static const char *const people[] = {"ann", "bob", "cat"};
      event.person = people[rand_u64(&rand) % 3];
      if (rand_u64(&rand) % 3 == 0) event.closed = (uint32_t)(rand_u64(&rand) % ARM_BIT(n));
      event.closed &= ~ARM_BIT(ARM_STABLE);
      event.says_arm = (uint32_t)(rand_u64(&rand) % (n + 2));
      event.winner = (uint32_t)(rand_u64(&rand) % (n + 1));
      if (event.when == WHEN_ABORT && i < 50) event.when = WHEN_TICK;
      news(&r, event);
      uint32_t shares = 0, weights = 0;
      for (uint32_t arm = 0; arm < ARMS_MAX; arm++) {
        shares += rollout_share(&r, &plan, arm);
        weights += rollout_weight(&r, &plan, arm);
        if (r.closed & ARM_BIT(arm)) EXPECT_INT(rollout_weight(&r, &plan, arm), 0);
      }
      EXPECT_INT(shares, PLAN_WHOLE);
      EXPECT_INT(weights, PLAN_WHOLE);
      EXPECT((closed & ~r.closed) == 0);
      if (r.state == ROLLOUT_COMPLETED) EXPECT(r.chosen != ARM_STABLE);
      if (n == 2) EXPECT(!r.closed && r.chosen == ARM_CANDIDATE);
      bytes_check(&r);
    }
  }
}

/* --- why nobody has won ----------------------------------------------------------------------- */

static void outcomes_set(const uint64_t n[3], const uint64_t clicks[3], uint64_t elapsed_ms)
{
  struct rand rand;
  rand_seed(&rand, 31);
  look_set(&rand, &trial);
  look.elapsed_ms = elapsed_ms;
  for (uint32_t arm = 0; arm < 3; arm++) {
    look.arms[arm].metric.n = n[arm];
    look.arms[arm].metric.y = (int64_t)(clicks[arm] << MEAN_PARTS_BITS);
    look.arms[arm].metric.yy = (mean_wide)clicks[arm] << 2 * MEAN_PARTS_BITS;
  }
  trial_look(&trial, &look, &verdict);
}

TEST(the_first_thing_in_the_way_of_a_winner_is_named_with_numbers)
{
  const uint64_t day = 24 * 3600000;
  char text[EXPLAIN_TEXT_MAX];
  struct unwon unwon;
  trial_set(3);
  trial.plan.ab.weeks_min = 1;
  outcomes_set((uint64_t[]){200, 250, 200}, (uint64_t[]){20, 25, 22}, 5 * day);
  EXPECT(trial_unwon(&trial, &unwon));
  EXPECT_INT(unwon.what, UNWON_WEEKS);
  EXPECT(unwon.in_s == 2.0 * 86400 && unwon.arm == ARM_NONE);
  unwon_sentence(&trial, &unwon, text);
  EXPECT_STR(text, "nobody has won yet: 0.71 of 1 weeks, 2 days to go");
  outcomes_set((uint64_t[]){200, 250, 100}, (uint64_t[]){20, 25, 10}, 5 * day);
  EXPECT(trial_unwon(&trial, &unwon));
  EXPECT_INT(unwon.what, UNWON_USERS);
  EXPECT_INT(unwon.arm, 2);
  EXPECT(unwon.have == 300 && unwon.want == 500);
  EXPECT(fabs(unwon.in_s - 10 * 86400 * 200 / 300.0) < 1);
  unwon_sentence(&trial, &unwon, text);
  EXPECT_STR(text,
             "nobody has won yet: candidate-2 has outcomes of 300 users, and needs 500; about "
             "7 days more at this rate");
  outcomes_set((uint64_t[]){400, 500, 500}, (uint64_t[]){40, 50, 75}, day);
  EXPECT(trial_unwon(&trial, &unwon));
  EXPECT_INT(unwon.what, UNWON_INTERVAL);
  EXPECT_INT(unwon.arm, 2);
  EXPECT(unwon.diff > 0 && unwon.lower < 0 && unwon.upper > unwon.diff);
  EXPECT(unwon.in_s > 86400.0 && unwon.in_s < 1e9);
  unwon_sentence(&trial, &unwon, text);
  EXPECT(strstr(text, "candidate-2 leads") && strstr(text, "still includes zero; about "));
  outcomes_set((uint64_t[]){20000, 20000, 20000}, (uint64_t[]){2000, 2000, 4000}, day);
  EXPECT(!trial_unwon(&trial, &unwon));
  EXPECT_INT(verdict.winner, 2);
}

/* The time that is told comes about true: the lead is proven after it, and not at half of it. */
TEST(when_a_winner_is_expected_is_about_when_it_comes)
{
  struct unwon unwon;
  trial_set(3);
  outcomes_set((uint64_t[]){600, 600, 600}, (uint64_t[]){60, 60, 78}, 3600000);
  EXPECT(trial_unwon(&trial, &unwon) && unwon.what == UNWON_INTERVAL);
  uint64_t hours = 1, expected = (uint64_t)(unwon.in_s / 3600);
  EXPECT(expected > 2 && expected < 100);
  while (verdict.winner == ARM_NONE && hours < 10 * expected) {
    outcomes_set((uint64_t[]){600, 600, 600}, (uint64_t[]){60, 60, 78}, 3600000);
    hours++;
  }
  EXPECT_INT(verdict.winner, 2);
  EXPECT(hours > expected / 2 && hours < 2 * expected);
}

/* An arm without outcomes is not hidden behind one that has some. */
TEST(the_metric_says_something_of_every_candidate)
{
  struct gate_result own;
  trial_set(4);
  outcomes_set((uint64_t[]){2000, 2000, 2000}, (uint64_t[]){20, 400, 420}, 3600000);
  const struct gate_result *gate = &verdict.gates[GATE_METRIC];
  EXPECT_INT(trial.closed, ARM_BIT(0)); /* a twentieth of stable's clicks */
  EXPECT_INT(gate->state, GATE_NO_DATA);
  EXPECT_INT(gate->arm, 3);
  EXPECT_INT(gate->reason, WITHOUT_OUTCOMES_IMMATURE);
  EXPECT(trial_gate_arm(&trial, GATE_METRIC, 0, &own) && own.state == GATE_HARM);
  EXPECT(!trial_gate_arm(&trial, GATE_METRIC, ARM_STABLE, &own));
  EXPECT(trial_gate_arm(&trial, GATE_METRIC, 2, &own) && own.arm == 2 && own.effect > 0);
  EXPECT(own.state == GATE_INCONCLUSIVE || own.state == GATE_NON_INFERIOR);
  EXPECT(trial_gate_arm(&trial, GATE_METRIC, 3, &own) && own.state == GATE_NO_DATA);
  EXPECT(!trial_gate_arm(&trial, GATE_ERRORS, 2, &own));
}
