/* step_test.c - the way of a release: every pair has an answer, every state an exit, nobody counts
 * twice, nothing passes a freeze, and what is written down reads back.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <string.h>

#include "base/rand.h"
#include "judge/step.h"
#include "plan_set.h"

static void canary_set(void)
{
  plan_set(
      "strategy: canary\nsteps:\n"
      "  - shadow: {for: 10s, approve: true}\n"
      "  - canary: {traffic: 5%, for: 10s}\n"
      "  - canary: {traffic: 50%, for: 10s}\n");
}

static struct rollout begun(void)
{
  struct rollout r;
  rollout_init(&r, &plan, &spec, "ann", false, 1000);
  return r;
}

static const char *last_text;
static enum code last_refused;
static unsigned last_deeds;

/* One piece of news a second later. */
static void news(struct rollout *r, struct rollout_event event)
{
  struct rollout_move move = rollout_step(r, &plan, &event, r->clock_ms + 1000);
  last_text = move.text;
  last_refused = move.refused;
  last_deeds = move.deeds;
  *r = move.next;
}

static void when(struct rollout *r, enum rollout_when kind)
{
  news(r, (struct rollout_event){.when = kind});
}

static void says(struct rollout *r, const char *person, enum plan_role role, enum rollout_when kind)
{
  news(r, (struct rollout_event){
              .when = kind, .person = person, .role = role, .step = r->step, .spec = spec});
}

static uint32_t candidate(const struct rollout *r)
{
  uint32_t weight = rollout_weight(r, &plan, ARM_CANDIDATE);
  EXPECT_INT(weight + rollout_weight(r, &plan, ARM_STABLE), PLAN_WHOLE);
  return weight;
}

/* states.def against the drawing in step.h. */
TEST(every_state_says_what_it_means_for_who_answers)
{
  uint32_t ends = 0, splits = 0;
  for (int i = 0; i < ROLLOUT_STATES; i++) {
    const struct state_facts *facts = state_facts((enum rollout_state)i);
    struct rollout rollout = {.state = (enum rollout_state)i};
    EXPECT(state_facts_named(slice_str(facts->name)) == facts);
    EXPECT(strlen(facts->meaning) > 20);
    EXPECT_INT(rollout_is_final(&rollout), facts->ends);
    EXPECT_INT(rollout_charge(&rollout), facts->charge);
    EXPECT(!facts->ends || (!facts->splits && facts->charge != CHARGE_AS_IT_WAS));
    EXPECT(!facts->protects || facts->charge == CHARGE_STABLE);
    ends += facts->ends, splits += facts->splits;
  }
  EXPECT_INT(ends, 4);
  EXPECT_INT(splits, 3);
  struct rollout ebbing = {.state = ROLLOUT_ROLLED_BACK, .ebb_weight = 5000000};
  EXPECT(!rollout_is_final(&ebbing));
  EXPECT_INT(rollout_charge(&ebbing), CHARGE_AS_IT_WAS);
  EXPECT(!state_facts_named(SLICE("gone")));
  for (int i = 0; i < WHY_COUNT; i++) {
    EXPECT(strlen(why_facts((enum rollout_why)i)->meaning) > 10);
    EXPECT_STR(why_facts((enum rollout_why)i)->name, rollout_why_name((enum rollout_why)i));
  }
}

TEST(a_canary_goes_its_way)
{
  canary_set();
  struct rollout r = begun();
  EXPECT_INT(r.state, ROLLOUT_PENDING);
  EXPECT_INT(candidate(&r), 0);
  when(&r, WHEN_LOADED);
  EXPECT_INT(r.state, ROLLOUT_RUNNING);
  EXPECT_INT(rollout_copied(&r, &plan), PLAN_WHOLE);
  EXPECT_INT(candidate(&r), 0);
  when(&r, WHEN_PASSED);
  EXPECT_INT(r.state, ROLLOUT_WAITING);
  says(&r, "ann", PLAN_APPROVER, WHEN_APPROVE);
  EXPECT_INT(last_refused, E_DENIED); /* her own release */
  says(&r, "bob", PLAN_DEPLOYER, WHEN_APPROVE);
  EXPECT_INT(last_refused, E_DENIED); /* not his to say */
  says(&r, "bob", PLAN_APPROVER, WHEN_PROMOTE);
  EXPECT_INT(last_refused, E_CONFLICT);
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  EXPECT_INT(last_refused, OK);
  EXPECT_INT(r.state, ROLLOUT_RUNNING);
  EXPECT_INT(r.step, 1);
  EXPECT_INT(candidate(&r), PLAN_WHOLE / 20);
  EXPECT(last_deeds & THEN_STEP && last_deeds & THEN_PUBLISH && last_deeds & THEN_RECORD);
  when(&r, WHEN_UNDECIDED);
  EXPECT_INT(r.step, 1);
  when(&r, WHEN_PASSED);
  when(&r, WHEN_PASSED);
  EXPECT_INT(r.state, ROLLOUT_COMPLETED);
  EXPECT_INT(candidate(&r), PLAN_WHOLE);
  struct rollout late = r;
  for (int i = 0; i < 3600; i++) when(&r, WHEN_TICK);
  EXPECT_INT(r.state, ROLLOUT_SETTLED);
  EXPECT(last_deeds & THEN_UNLOAD_PREVIOUS);
  says(&late, "eve", PLAN_DEPLOYER, WHEN_ROLLBACK);
  EXPECT_INT(late.state, ROLLOUT_ROLLED_BACK);
  EXPECT_INT(candidate(&late), 0);
}

TEST(harm_is_published_before_it_is_recorded)
{
  canary_set();
  struct rollout r = begun();
  when(&r, WHEN_LOADED);
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  when(&r, WHEN_PASSED); /* approved while it ran: nobody to ask */
  EXPECT_INT(r.step, 1);
  news(&r,
       (struct rollout_event){.when = WHEN_HARM, .decided_by_gate = true, .gate = GATE_LATENCY});
  EXPECT_INT(r.state, ROLLOUT_ROLLED_BACK);
  EXPECT_INT(r.gate, GATE_LATENCY);
  EXPECT(r.from_harm);
  EXPECT_INT(candidate(&r), 0);
  EXPECT(last_deeds & THEN_PUBLISH_FIRST && last_deeds & THEN_RECORD && last_deeds & THEN_NOTIFY);
  when(&r, WHEN_PASSED); /* does not un-happen */
  EXPECT_INT(r.state, ROLLOUT_ROLLED_BACK);
  EXPECT_INT(last_deeds, 0);
}

TEST(a_freeze_stops_what_goes_on_but_not_what_goes_back)
{
  canary_set();
  struct rollout r = begun();
  when(&r, WHEN_FROZEN);
  when(&r, WHEN_LOADED);
  EXPECT_INT(r.state, ROLLOUT_PENDING);
  says(&r, "bob", PLAN_ADMIN, WHEN_OVERRIDE_FREEZE);
  says(&r, "bob", PLAN_ADMIN, WHEN_OVERRIDE_FREEZE); /* one person twice is one person */
  EXPECT_INT(r.state, ROLLOUT_PENDING);
  says(&r, "cyd", PLAN_ADMIN, WHEN_OVERRIDE_FREEZE);
  EXPECT_INT(r.state, ROLLOUT_RUNNING);
  when(&r, WHEN_THAWED);
  when(&r, WHEN_FROZEN); /* another freeze: not overridden */
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  when(&r, WHEN_PASSED);
  EXPECT_INT(r.step, 0);
  says(&r, "bob", PLAN_APPROVER, WHEN_PROMOTE);
  EXPECT_INT(last_refused, E_CONFLICT);
  struct rollout other = r;
  when(&other, WHEN_HARM);
  EXPECT_INT(other.state, ROLLOUT_ROLLED_BACK);
  when(&r, WHEN_THAWED);
  when(&r, WHEN_PASSED);
  EXPECT_INT(r.step, 1);
}

TEST(a_restart_keeps_the_step_and_waits_for_one_look)
{
  canary_set();
  struct rollout r = begun();
  when(&r, WHEN_LOADED);
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  when(&r, WHEN_PASSED);
  uint64_t state_ms = r.state_ms;
  news(&r, (struct rollout_event){.when = WHEN_RESTARTED});
  EXPECT_INT(r.state_ms, state_ms); /* the clock of another start tells nothing */
  EXPECT(last_deeds & THEN_LOAD);
  EXPECT_INT(candidate(&r), 0);
  when(&r, WHEN_NO_DATA);
  EXPECT_INT(candidate(&r), 0); /* not loaded yet */
  when(&r, WHEN_LOADED);
  EXPECT_INT(candidate(&r), 0);
  news(&r, (struct rollout_event){.when = WHEN_NO_DATA, .stale = true});
  EXPECT_INT(candidate(&r), 0);
  says(&r, "bob", PLAN_APPROVER, WHEN_PROMOTE);
  EXPECT_INT(last_refused, E_CONFLICT);
  when(&r, WHEN_NO_DATA);
  EXPECT_INT(candidate(&r), PLAN_WHOLE / 20);
  EXPECT(last_deeds & THEN_PUBLISH);
  EXPECT_INT(r.step, 1);
  when(&r, WHEN_RESTARTED);
  when(&r, WHEN_LOAD_FAILED);
  EXPECT_INT(r.state, ROLLOUT_ROLLED_BACK);
}

TEST(who_resumes_past_a_gate_is_not_paused_by_it_again)
{
  canary_set();
  struct rollout r = begun();
  when(&r, WHEN_LOADED);
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  when(&r, WHEN_PASSED);
  struct rollout_event shift = {.when = WHEN_SUSPECT, .suspects = 1u << GATE_PREDICTION};
  struct rollout_event both = {.when = WHEN_SUSPECT,
                               .suspects = 1u << GATE_PREDICTION | 1u << GATE_COST};
  news(&r, shift);
  EXPECT_INT(r.state, ROLLOUT_PAUSED);
  EXPECT_INT(r.gate, GATE_PREDICTION);
  EXPECT_INT(candidate(&r), PLAN_WHOLE / 20);
  says(&r, "bob", PLAN_DEPLOYER, WHEN_RESUME);
  news(&r, shift);
  EXPECT_INT(r.state, ROLLOUT_RUNNING);
  struct rollout worse = r;
  news(&worse, both);
  EXPECT_INT(worse.state, ROLLOUT_PAUSED);
  EXPECT_INT(worse.gate, GATE_COST);
  shift.all_met = true;
  news(&r, shift);
  EXPECT_INT(r.step, 2);
}

TEST(idle_candidates_are_neither_passed_nor_reverted)
{
  canary_set();
  plan.no_data_deadline_ms = 5000;
  struct rollout r = begun();
  when(&r, WHEN_LOADED);
  for (uint64_t ms = 1000; ms < 5000; ms += 1000) {
    news(&r, (struct rollout_event){.when = WHEN_NO_DATA, .no_data_ms = ms});
    EXPECT_INT(r.state, ROLLOUT_RUNNING);
  }
  news(&r, (struct rollout_event){.when = WHEN_NO_DATA, .no_data_ms = 5000});
  EXPECT_INT(r.state, ROLLOUT_PAUSED);
  EXPECT_INT(r.why, WHY_NO_DATA);
}

TEST(an_open_verdict_goes_as_the_plan_says)
{
  static const enum inconclusive policies[] = {INCONCLUSIVE_HOLD, INCONCLUSIVE_ADVANCE,
                                               INCONCLUSIVE_ASK};
  static const enum rollout_state states[] = {ROLLOUT_RUNNING, ROLLOUT_RUNNING, ROLLOUT_WAITING};
  static const uint32_t steps[] = {1, 2, 1};
  for (int i = 0; i < 3; i++) {
    canary_set();
    plan.on_inconclusive = policies[i];
    struct rollout r = begun();
    when(&r, WHEN_LOADED);
    says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
    when(&r, WHEN_PASSED);
    when(&r, WHEN_OVERDUE);
    EXPECT_INT(r.state, states[i]);
    EXPECT_INT(r.step, steps[i]);
    if (r.state != ROLLOUT_WAITING) continue;
    EXPECT_INT(rollout_approvals_wanted(&r, &plan), 1);
    for (int s = 0; s < 72 * 3600 - 1; s++) when(&r, WHEN_TICK);
    EXPECT_INT(r.state, ROLLOUT_WAITING);
    when(&r, WHEN_TICK);
    EXPECT_INT(r.state, ROLLOUT_ABORTED);
    EXPECT_INT(r.why, WHY_EXPIRED);
  }
}

TEST(two_persons_must_say_what_the_gates_did_not)
{
  canary_set();
  plan.two_person = true;
  struct rollout r = begun();
  when(&r, WHEN_LOADED);
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  when(&r, WHEN_PASSED);
  says(&r, "ann", PLAN_DEPLOYER, WHEN_PROMOTE);
  EXPECT_INT(last_refused, OK);
  EXPECT_INT(r.step, 1);
  EXPECT(last_text[0] != 0);
  says(&r, "ann", PLAN_DEPLOYER, WHEN_PROMOTE);
  EXPECT_INT(r.step, 1);
  says(&r, "bob", PLAN_DEPLOYER, WHEN_PROMOTE);
  EXPECT_INT(r.step, 2);
}

TEST(an_approval_names_what_was_seen)
{
  canary_set();
  struct rollout r = begun();
  when(&r, WHEN_LOADED);
  struct rollout_event event = {
      .when = WHEN_APPROVE, .person = "bob", .role = PLAN_APPROVER, .step = 1, .spec = spec};
  news(&r, event);
  EXPECT_INT(last_refused, E_CONFLICT);
  event.step = 0;
  event.spec.at[0] ^= 1;
  news(&r, event);
  EXPECT_INT(last_refused, E_CONFLICT);
  EXPECT_INT(r.n_approvals, 0);
  event.spec.at[0] ^= 1;
  news(&r, event);
  news(&r, event);
  EXPECT_INT(r.n_approvals, 1);
  says(&r, "cyd", PLAN_APPROVER, WHEN_REJECT);
  EXPECT_INT(r.state, ROLLOUT_ABORTED);
}

TEST(a_gradual_rollback_ebbs_and_harm_ends_it)
{
  canary_set();
  plan.gradual = true;
  struct rollout r = begun();
  when(&r, WHEN_LOADED);
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  when(&r, WHEN_PASSED);
  when(&r, WHEN_PASSED);
  EXPECT_INT(candidate(&r), PLAN_WHOLE / 2);
  says(&r, "bob", PLAN_DEPLOYER, WHEN_ROLLBACK);
  EXPECT_INT(r.state, ROLLOUT_ROLLED_BACK);
  EXPECT(!rollout_is_final(&r));
  struct rollout harmed = r;
  uint32_t weight = candidate(&r);
  EXPECT(weight > 0 && weight < PLAN_WHOLE / 2);
  for (int i = 0; i < 60; i++) {
    when(&r, WHEN_TICK);
    EXPECT(candidate(&r) <= weight);
    weight = candidate(&r);
  }
  EXPECT_INT(weight, 0);
  EXPECT(rollout_is_final(&r));
  when(&harmed, WHEN_HARM);
  EXPECT_INT(candidate(&harmed), 0);
  EXPECT(last_deeds & THEN_PUBLISH_FIRST);
}

TEST(a_gradual_rollback_that_a_restart_cuts_off_ends)
{
  canary_set();
  plan.gradual = true;
  struct rollout r = begun();
  when(&r, WHEN_LOADED);
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  when(&r, WHEN_PASSED);
  says(&r, "bob", PLAN_DEPLOYER, WHEN_ROLLBACK);
  EXPECT(!rollout_is_final(&r));
  when(&r, WHEN_RESTARTED);
  EXPECT_INT(candidate(&r), 0);
  when(&r, WHEN_LOADED);
  when(&r, WHEN_TICK);
  EXPECT(last_deeds & THEN_RECORD);
  EXPECT_INT(candidate(&r), 0);
  EXPECT(rollout_is_final(&r));
}

/* Nothing to be compared with, nothing to go back to. */
TEST(a_release_whose_stable_version_is_quarantined_ends)
{
  const struct rollout_event barred = {.when = WHEN_WAY_BACK_LOST, .person = "", .barred = true};
  canary_set();
  struct rollout r = begun();
  struct rollout_move move = rollout_step(&r, &plan, &barred, r.clock_ms);
  EXPECT(move.next.state == ROLLOUT_ABORTED && move.next.why == WHY_QUARANTINED);
  when(&r, WHEN_LOADED);
  EXPECT_INT(r.state, ROLLOUT_RUNNING);
  move = rollout_step(&r, &plan, &barred, r.clock_ms);
  EXPECT(move.next.state == ROLLOUT_ABORTED && move.next.why == WHY_QUARANTINED);
  EXPECT_INT(candidate(&move.next), 0);
  EXPECT(move.deeds & THEN_PUBLISH_FIRST && move.deeds & THEN_RECORD);
  says(&r, "bob", PLAN_DEPLOYER, WHEN_PAUSE);
  when(&r, WHEN_WAY_BACK_LOST); /* of a paused one: no news, but where it is quarantined */
  EXPECT_INT(r.state, ROLLOUT_PAUSED);
  move = rollout_step(&r, &plan, &barred, r.clock_ms);
  EXPECT_INT(move.next.state, ROLLOUT_ABORTED);
  move = rollout_step(&move.next, &plan, &barred, r.clock_ms);
  EXPECT_INT(move.next.state, ROLLOUT_ABORTED);
  says(&r, "bob", PLAN_DEPLOYER, WHEN_RESUME);
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  for (int i = 0; i < 3; i++) when(&r, WHEN_PASSED);
  EXPECT_INT(r.state, ROLLOUT_COMPLETED); /* the candidate is all there is, and goes on */
  move = rollout_step(&r, &plan, &barred, r.clock_ms);
  EXPECT(move.next.state == ROLLOUT_PAUSED && move.next.why == WHY_WAY_BACK);
  EXPECT_INT(candidate(&move.next), PLAN_WHOLE);
}

/* What was being taken out is all that is left: it stays, and a person is told. */
TEST(a_gradual_rollback_whose_way_back_is_lost_stops)
{
  canary_set();
  plan.gradual = true;
  struct rollout r = begun();
  when(&r, WHEN_LOADED);
  says(&r, "bob", PLAN_APPROVER, WHEN_APPROVE);
  for (int i = 0; i < 3; i++) when(&r, WHEN_PASSED);
  EXPECT_INT(r.state, ROLLOUT_COMPLETED);
  says(&r, "bob", PLAN_DEPLOYER, WHEN_ROLLBACK);
  EXPECT_INT(r.state, ROLLOUT_ROLLED_BACK);
  when(&r, WHEN_RESTARTED);
  when(&r, WHEN_WAY_BACK_LOST);
  EXPECT_INT(r.state, ROLLOUT_PAUSED);
  EXPECT_INT(r.why, WHY_WAY_BACK);
  EXPECT_INT(candidate(&r), PLAN_WHOLE);
  when(&r, WHEN_WAY_BACK_LOST); /* and stays so */
  EXPECT_INT(r.state, ROLLOUT_PAUSED);
  says(&r, "bob", PLAN_DEPLOYER, WHEN_RESUME);
  EXPECT_INT(r.state, ROLLOUT_COMPLETED);
}

/* Everything that can be said at once, at random: no pair is undrawn, checks hold after each, and
 * abort ends with stable at all from wherever that led. */
TEST(random_lives_always_have_an_exit)
{
  static const char *const persons[] = {"ann", "bob", "cyd"};
  uint32_t seen[ROLLOUT_STATES][ROLLOUT_WHENS] = {{0}};
  struct rand rand;
  rand_seed(&rand, 7);
  for (int life = 0; life < 20000; life++) {
    canary_set();
    plan.two_person = rand_u64(&rand) & 1;
    plan.gradual = rand_u64(&rand) & 1;
    plan.pause_drains = rand_u64(&rand) & 1;
    plan.pause_aborts = rand_u64(&rand) & 1;
    plan.on_inconclusive = (enum inconclusive)(rand_u64(&rand) % 3);
    plan.keep_previous_warm_ms = 3000;
    plan.pause_deadline_ms = 4000;
    struct rollout r = begun();
    for (int i = 0; i < 40; i++) {
      struct rollout_event event = {.when = (enum rollout_when)(rand_u64(&rand) % ROLLOUT_WHENS),
                                    .gate = GATE_ERRORS,
                                    .suspects = (uint32_t)rand_u64(&rand) & 0xff,
                                    .all_met = rand_u64(&rand) & 1,
                                    .stale = rand_u64(&rand) & 1,
                                    .no_data_ms = rand_u64(&rand) % 100000000,
                                    .person = persons[rand_u64(&rand) % 3],
                                    .role = (enum plan_role)(rand_u64(&rand) % PLAN_ROLES),
                                    .step = r.step,
                                    .spec = spec};
      bool ends = event.when == WHEN_HARM || event.when == WHEN_LOAD_FAILED ||
                  event.when == WHEN_SUPERSEDED || event.when == WHEN_REJECT ||
                  event.when == WHEN_ABORT || event.when == WHEN_ROLLBACK;
      if (life % 4 && ends && !rollout_is_final(&r) && rand_u64(&rand) % 32) continue;
      if (life % 4 && rand_u64(&rand) % 4 == 0) event.when = WHEN_PASSED;
      bool harmed = r.from_harm;
      seen[r.state][event.when]++;
      news(&r, event);
      candidate(&r);
      EXPECT(!harmed || r.state == ROLLOUT_ROLLED_BACK);
      unsigned char bytes[ROLLOUT_BYTES_MAX];
      struct varint_out out = {.at = bytes, .cap = sizeof bytes};
      struct rollout back;
      struct err err = {0};
      rollout_write(&r, &out);
      struct slice form = slice_of((char *)bytes, out.len);
      EXPECT(!out.full);
      EXPECT_INT(rollout_read(&back, &form, &err), OK);
      EXPECT(form.len == 0 && memcmp(&back, &r, sizeof r) == 0);
    }
    bool final = rollout_is_final(&r);
    bool settled = r.state == ROLLOUT_SETTLED;
    says(&r, "bob", PLAN_DEPLOYER, WHEN_ABORT);
    EXPECT(final == (last_refused == E_CONFLICT));
    EXPECT_INT(candidate(&r), settled ? PLAN_WHOLE : 0);
    EXPECT(rollout_is_final(&r));
  }
  for (int state = 0; state < ROLLOUT_STATES; state++)
    for (int kind = 0; kind < ROLLOUT_WHENS; kind++) EXPECT(seen[state][kind] > 0);
}

TEST(a_damaged_state_is_refused)
{
  canary_set();
  struct rollout r = begun(), back;
  unsigned char bytes[ROLLOUT_BYTES_MAX];
  struct varint_out out = {.at = bytes, .cap = sizeof bytes};
  struct err err = {0};
  rollout_write(&r, &out);
  for (size_t cut = 0; cut < out.len; cut++) {
    struct slice form = slice_of((char *)bytes, cut);
    EXPECT_INT(rollout_read(&back, &form, &err), E_INVALID_ARGUMENT);
    EXPECT_INT(form.len, cut);
  }
  for (size_t at = 0; at < out.len; at++) {
    unsigned char was = bytes[at];
    bytes[at] = 0x7f;
    struct slice form = slice_of((char *)bytes, out.len);
    (void)!rollout_read(&back, &form, &err); /* whatever it says, it stays within its bytes */
    bytes[at] = was;
  }
}
