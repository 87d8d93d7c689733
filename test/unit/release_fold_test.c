/* release_fold_test.c - releases in the catalog: what starts, what serves by which event, what does
 * not fit; commands about them; and that the second golden ledger folds to the same for ever.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/buf.h"
#include "control/release/decide.h"
#include "store/codec.h"
#include "golden_fold.h"

static const unsigned char hash_key[16] = {8};
static struct catalog *catalog;
static struct arena arena;
static struct decision decision;
static struct err err;
static const char plan_text[] =
    "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"5%\",\"for\":\"1m\"}},"
    "{\"canary\":{\"traffic\":\"50%\",\"for\":\"1m\",\"approve\":{\"count\":1}}}]}";

static enum code fold(struct event event)
{
  event.seq = catalog->seq + 1;
  event.wall_ms = 1767225600000 + (int64_t)event.seq * 1000;
  event.tenant = SLICE("default");
  if (!event.actor.len) event.actor = SLICE("ann");
  return catalog_apply(catalog, &event, &err);
}

static struct catalog_model *model(void)
{
  return catalog_model(catalog_tenant(catalog, SLICE("default")), SLICE("m"));
}

/* Model m: versions 1 to 4; 1 serves. */
static void begin(void)
{
  static const struct event_file file = {.name = SLICE("model.onnx"), .bytes = 10};
  catalog = catalog_new(hash_key);
  arena_init(&arena, 16 << 20, NULL);
  EXPECT_INT(fold((struct event){.kind = EVENT_TENANT_CREATED}), OK);
  EXPECT_INT(fold((struct event){.kind = EVENT_MODEL_CREATED, .model = SLICE("m")}), OK);
  for (uint32_t i = 1; i <= 4; i++)
    EXPECT_INT(fold((struct event){.kind = EVENT_VERSION_PUSHED,
                                   .model = SLICE("m"),
                                   .version = i,
                                   .files = &file,
                                   .n_files = 1}),
               OK);
  EXPECT_INT(
      fold((struct event){.kind = EVENT_VERSION_DEPLOYED, .model = SLICE("m"), .version = 1}), OK);
}

static void end(void)
{
  catalog_free(catalog);
  arena_deinit(&arena);
}

static enum code decide(enum command_kind kind, uint32_t version, const struct event_fact *facts,
                        uint32_t n)
{
  struct letter_command command = {.kind = kind, .arena = &arena};
  command.event = (struct event){.tenant = SLICE("default"),
                                 .model = SLICE("m"),
                                 .version = version,
                                 .actor = SLICE("key-1"),
                                 .wall_ms = 1767225600000,
                                 .facts = facts,
                                 .n_facts = n};
  command_decide(catalog, &command, &decision);
  return decision.err.code;
}

static enum code release(uint32_t version, const char *plan, bool supersede)
{
  struct event_fact facts[] = {{SLICE("person"), SLICE("ann")},
                               {SLICE("plan"), slice_str(plan)},
                               {SLICE("supersede"), SLICE("true")}};
  return decide(COMMAND_RELEASE, version, facts, supersede ? 3 : 2);
}

/* What was decided is written. */
static void write_down(void)
{
  EXPECT_INT(decision.kind, DECISION_APPEND);
  for (uint32_t i = 0; i < decision.n_events; i++) EXPECT_INT(fold(decision.events[i]), OK);
}

static enum code move(enum rollout_state state, uint32_t step)
{
  struct event event;
  struct rollout rollout = model()->release->rollout;
  rollout.state = state;
  rollout.step = step;
  rollout.why = state == ROLLOUT_ROLLED_BACK ? WHY_GATE : WHY_PASSED;
  rollout.state_ms = 61000;
  EXPECT(release_moved(&arena, model(), &rollout, 60 * (step + 1), SLICE("{\"verdict\":\"x\"}"),
                       SLICE("0.25 0.5"), &event));
  return fold(event);
}

TEST(a_release_starts_with_its_plan_as_one_text)
{
  begin();
  EXPECT_INT(release(0, plan_text, false), OK);
  EXPECT_INT(decision.version, 4); /* the newest */
  EXPECT_INT(decision.release, 1);
  EXPECT_INT(decision.n_events, 1);
  write_down();
  const struct catalog_release *started = model()->release;
  EXPECT(release_is_on(model()));
  EXPECT_INT(started->versions[ARM_CANDIDATE], 4);
  EXPECT_INT(started->versions[ARM_STABLE], 1);
  EXPECT(slice_eq(started->seed, SLICE("m/1")));
  EXPECT_STR(started->rollout.submitter, "ann");
  EXPECT_INT(started->rollout.state, ROLLOUT_PENDING);
  EXPECT_INT(model()->serving, 1);
  struct plan plan;
  EXPECT_INT(plan_read(&plan, started->plan, &arena, &err), OK);
  EXPECT(slice_eq(plan_write(&plan, &arena), started->plan));
  struct digest hash = plan_hash(&plan, &arena);
  EXPECT(memcmp(&hash, &started->rollout.spec, sizeof hash) == 0);
  end();
}

TEST(what_cannot_be_released_is_refused_with_a_reason)
{
  begin();
  EXPECT_INT(release(9, plan_text, false), E_VERSION_NOT_FOUND);
  EXPECT_STR(decision.err.field, "version");
  EXPECT_INT(release(1, plan_text, false), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "serves already") != NULL);
  EXPECT_INT(release(2, "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"120%\"}}]}",
                     false),
             E_BAD_CONFIG);
  EXPECT(strstr(decision.err.field, "traffic") != NULL);
  EXPECT_INT(release(2, "{\"strategy\":\"canary\",\"gates\":{\"lateny\":\"off\"}}", false),
             E_BAD_CONFIG);
  EXPECT_INT(fold((struct event){.kind = EVENT_VERSION_RETIRED, .model = SLICE("m"), .version = 1}),
             OK);
  EXPECT_INT(release(2, plan_text, false), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "--strategy now") != NULL);
  EXPECT_INT(decide(COMMAND_SAY, 0, NULL, 0), E_CONFLICT); /* none has ever run */
  end();
}

TEST(a_second_release_waits_or_takes_the_place_of_the_first)
{
  begin();
  EXPECT_INT(release(2, plan_text, false), OK);
  write_down();
  EXPECT_INT(release(3, plan_text, false), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "--supersede") != NULL);
  EXPECT_INT(release(3, plan_text, true), OK);
  EXPECT_INT(decision.n_events, 2);
  EXPECT_INT(decision.events[0].kind, EVENT_RELEASE_MOVED);
  write_down();
  EXPECT_INT(model()->release->number, 2);
  EXPECT_INT(model()->release->versions[ARM_CANDIDATE], 3);
  EXPECT_INT(model()->n_releases, 2);
  EXPECT_INT(model()->serving, 1);
  end();
}

TEST(deploys_wait_for_a_release_and_a_rollback_is_its_abort)
{
  begin();
  EXPECT_INT(release(2, plan_text, false), OK);
  write_down();
  EXPECT_INT(move(ROLLOUT_RUNNING, 0), OK);
  EXPECT_INT(decide(COMMAND_DEPLOY, 3, NULL, 0), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "slipway abort") != NULL);
  EXPECT_INT(decide(COMMAND_RETIRE, 0, NULL, 0), E_CONFLICT);
  EXPECT_INT(decide(COMMAND_ROLLBACK, 0, NULL, 0), OK);
  EXPECT_INT(decision.kind, DECISION_SAY);
  EXPECT_INT(decide(COMMAND_ROLLBACK, 4, NULL, 0), E_CONFLICT);
  end();
}

TEST(a_state_that_makes_another_version_answer_switches_by_its_one_event)
{
  begin();
  EXPECT_INT(release(2, plan_text, false), OK);
  write_down();
  EXPECT_INT(move(ROLLOUT_RUNNING, 1), OK);
  EXPECT_INT(model()->serving, 1);
  EXPECT_INT(move(ROLLOUT_COMPLETED, 2), OK);
  EXPECT_INT(model()->serving, 2);
  EXPECT_INT(catalog_previous(model()), 1);
  EXPECT_INT(model()->switched_seq, catalog->seq);
  EXPECT_INT(move(ROLLOUT_ROLLED_BACK, 2), OK); /* while it was kept warm */
  EXPECT_INT(model()->serving, 1);
  EXPECT_INT(catalog_previous(model()), 0);
  EXPECT_INT(move(ROLLOUT_RUNNING, 0), E_INTERNAL); /* over is over */

  EXPECT_INT(release(3, plan_text, false), OK);
  write_down();
  EXPECT_INT(move(ROLLOUT_COMPLETED, 2), OK);
  EXPECT_INT(decide(COMMAND_DEPLOY, 4, NULL, 0), OK); /* completed and warm gives way */
  EXPECT_INT(decision.kind, DECISION_SWITCH);
  EXPECT_INT(
      fold((struct event){.kind = EVENT_VERSION_DEPLOYED, .model = SLICE("m"), .version = 4}), OK);
  EXPECT_INT(model()->release->rollout.state, ROLLOUT_SETTLED);
  EXPECT_INT(model()->serving, 4);
  EXPECT_INT(catalog_previous(model()), 3);
  end();
}

/* Who answers from an event on stands in it: no reader of the ledger need know a state's name. */
TEST(a_move_says_who_answers_and_whether_it_protects)
{
  struct event event;
  begin();
  EXPECT_INT(release(2, plan_text, false), OK);
  write_down();
  static const struct {
    enum rollout_state state;
    uint32_t serving; /* 0: as it was */
    bool protects;
  } moves[] = {{ROLLOUT_RUNNING, 0, false},
               {ROLLOUT_PAUSED, 0, false},
               {ROLLOUT_COMPLETED, 2, false},
               {ROLLOUT_ROLLED_BACK, 1, true}};
  for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
    struct rollout rollout = model()->release->rollout;
    rollout.state = moves[i].state;
    EXPECT(release_moved(&arena, model(), &rollout, 1, SLICE_NONE, SLICE_NONE, &event));
    EXPECT_INT(event_fact_int(&event, "serving", 0), moves[i].serving);
    EXPECT_INT(event_serving(&event), moves[i].serving);
    EXPECT(slice_eq(event_fact(&event, "protects"), SLICE("true")) == moves[i].protects);
    EXPECT_INT(fold(event), OK);
  }
  EXPECT_INT(model()->serving, 1);
  EXPECT_INT(release(3, plan_text, false), OK);
  write_down();
  struct rollout rollout = model()->release->rollout; /* aborted before it served */
  rollout.state = ROLLOUT_ABORTED;
  EXPECT(release_moved(&arena, model(), &rollout, 1, SLICE_NONE, SLICE_NONE, &event));
  EXPECT_INT(event_serving(&event), 0);
  EXPECT(slice_eq(event_fact(&event, "protects"), SLICE("true")));
  end();
}

TEST(a_move_that_says_another_version_than_its_state_is_refused_and_one_from_before_is_not)
{
  struct event event;
  begin();
  EXPECT_INT(release(2, plan_text, false), OK);
  write_down();
  struct rollout rollout = model()->release->rollout;
  rollout.state = ROLLOUT_COMPLETED;
  EXPECT(release_moved(&arena, model(), &rollout, 1, SLICE_NONE, SLICE_NONE, &event));
  struct event_fact facts[EVENT_FACTS_MAX];
  uint32_t n = 0;
  for (uint32_t i = 0; i < event.n_facts; i++) {
    facts[n] = event.facts[i];
    if (slice_eq(facts[n].name, SLICE("serving"))) facts[n].value = SLICE("4");
    n++;
  }
  event.facts = facts;
  EXPECT_INT(fold(event), E_INTERNAL);
  EXPECT_INT(model()->serving, 1);
  for (uint32_t i = n = 0; i < event.n_facts; i++)
    if (!slice_eq(facts[i].name, SLICE("serving"))) facts[n++] = facts[i];
  event.n_facts = n;
  EXPECT_INT(fold(event), OK);
  EXPECT_INT(model()->serving, 2);
  EXPECT_INT(event_serving(&event), 2); /* by what `completed` meant then */
  end();
}

static const char arms_plan[] =
    "{\"strategy\":\"ab\",\"metric\":{\"name\":\"clicks\"},\"ab\":{\"arms\":[{\"traffic\":\"20%\"},"
    "{\"traffic\":\"40%\"},{\"version\":4,\"traffic\":\"20%\"},{\"version\":3,\"traffic\":\"20%\"}]}}";

TEST(a_release_of_many_arms_keeps_their_versions_and_serves_the_chosen_one)
{
  begin();
  EXPECT_INT(release(2, arms_plan, false), OK);
  EXPECT(slice_eq(event_fact(&decision.events[0], "versions"), SLICE("2 1 4 3")));
  write_down();
  const struct catalog_release *started = model()->release;
  static const uint32_t versions[] = {2, 1, 4, 3};
  EXPECT_INT(started->n_arms, 4);
  EXPECT(memcmp(started->versions, versions, sizeof versions) == 0);
  EXPECT(release_has(started, 4) && release_has(started, 1) && !release_has(started, 5));
  struct digest before = catalog_digest(catalog);
  struct event event;
  struct rollout rollout = started->rollout;
  rollout.begun = true;
  rollout.state = ROLLOUT_RUNNING;
  rollout.closed = ARM_BIT(3);
  EXPECT(release_moved(&arena, model(), &rollout, 5, SLICE_NONE, SLICE_NONE, &event));
  EXPECT_INT(event.version, 2); /* nobody is chosen yet */
  EXPECT_INT(fold(event), OK);
  EXPECT_INT(model()->release->rollout.closed, ARM_BIT(3));
  EXPECT_INT(model()->serving, 1);
  struct digest after = catalog_digest(catalog);
  EXPECT(memcmp(&before, &after, sizeof before) != 0);
  rollout.state = ROLLOUT_COMPLETED;
  rollout.step = 1;
  rollout.chosen = 2;
  EXPECT(release_moved(&arena, model(), &rollout, 9, SLICE_NONE, SLICE_NONE, &event));
  EXPECT_INT(event.version, 4);
  EXPECT_INT(fold(event), OK);
  EXPECT_INT(model()->serving, 4);
  EXPECT_INT(catalog_previous(model()), 1);
  rollout.state = ROLLOUT_ROLLED_BACK;
  EXPECT(release_moved(&arena, model(), &rollout, 10, SLICE_NONE, SLICE_NONE, &event));
  EXPECT_INT(fold(event), OK);
  EXPECT_INT(model()->serving, 1);
  EXPECT_INT(release(0, "{\"strategy\":\"ab\",\"metric\":{\"name\":\"m\"},\"ab\":{\"arms\":["
                        "{\"version\":3,\"traffic\":\"50%\"},{\"traffic\":\"50%\"}]}}",
                     false),
             OK);
  EXPECT_INT(decision.version, 3); /* the plan says so, and nobody else does */
  EXPECT(!event_fact(&decision.events[0], "versions").len);
  end();
}

TEST(arms_that_cannot_be_are_refused_by_name)
{
  static const struct {
    uint32_t version;
    const char *more;
    enum code code;
    const char *field;
  } bad[] = {
      {2, "{\"traffic\":\"40%\"},{\"version\":9,\"traffic\":\"40%\"}", E_VERSION_NOT_FOUND, "arms[2]"},
      {2, "{\"traffic\":\"40%\"},{\"version\":2,\"traffic\":\"40%\"}", E_INVALID_ARGUMENT, "arms[2]"},
      {2, "{\"traffic\":\"40%\"},{\"version\":1,\"traffic\":\"40%\"}", E_INVALID_ARGUMENT, "arms[2]"},
      {2, "{\"version\":3,\"traffic\":\"80%\"}", E_INVALID_ARGUMENT, "arms[1]"},
      {9, "{\"traffic\":\"40%\"},{\"version\":3,\"traffic\":\"40%\"}", E_VERSION_NOT_FOUND, "version"},
      {2, "{\"traffic\":\"40%\"},{\"version\":3,\"traffic\":\"60%\"}", E_BAD_CONFIG, "ab.arms"},
  };
  begin();
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char plan[512];
    snprintf(plan, sizeof plan,
             "{\"strategy\":\"ab\",\"metric\":{\"name\":\"m\"},\"ab\":{\"arms\":[{\"traffic\":"
             "\"20%%\"},%s]}}",
             bad[i].more);
    EXPECT_INT(release(bad[i].version, plan, false), bad[i].code);
    EXPECT(strstr(decision.err.field, bad[i].field) != NULL);
  }
  EXPECT(!model()->release);
  EXPECT_INT(release(2, arms_plan, false), OK);
  struct event_fact facts[8];
  struct event event = decision.events[0];
  must(event.n_facts <= 8);
  for (uint32_t i = 0; i < event.n_facts; i++) {
    facts[i] = event.facts[i];
    if (slice_eq(facts[i].name, SLICE("versions"))) facts[i].value = SLICE("2 1 4 9");
  }
  event.facts = facts;
  EXPECT_INT(fold(event), E_INTERNAL);
  EXPECT(!model()->release);
  end();
}

TEST(a_failed_candidate_is_refused_with_its_reason)
{
  begin();
  EXPECT_INT(release(2, plan_text, false), OK);
  write_down();
  struct event event;
  struct rollout rollout = model()->release->rollout;
  rollout.state = ROLLOUT_FAILED;
  EXPECT(release_moved(&arena, model(), &rollout, 0, SLICE_NONE, SLICE_NONE, &event));
  event.reason = SLICE("no such operator");
  event.code = E_MODEL_REJECTED;
  EXPECT_INT(fold(event), OK);
  const struct catalog_version *version = catalog_version(model(), 2);
  EXPECT_INT(version->refused, E_MODEL_REJECTED);
  EXPECT(slice_eq(version->reason, SLICE("no such operator")));
  EXPECT_INT(model()->serving, 1);
  end();
}

TEST(what_does_not_fit_changes_nothing)
{
  begin();
  struct event_fact junk[] = {{SLICE("rollout"), SLICE("zz")}, {SLICE("stable"), SLICE("1")}};
  struct digest before = catalog_digest(catalog);
  struct event bad = {.kind = EVENT_RELEASE_STARTED,
                      .model = SLICE("m"),
                      .version = 2,
                      .release = 1,
                      .facts = junk,
                      .n_facts = 2};
  EXPECT_INT(fold(bad), E_INTERNAL);
  EXPECT_INT(release(2, plan_text, false), OK);
  struct event started = decision.events[0];
  started.release = 2;
  EXPECT_INT(fold(started), E_INTERNAL); /* not the next number */
  started.release = 1;
  started.version = 7;
  EXPECT_INT(fold(started), E_INTERNAL);
  struct digest after = catalog_digest(catalog);
  EXPECT(memcmp(&before, &after, sizeof after) == 0);
  end();
}

TEST(a_freeze_refuses_deploys_and_releases_begin_frozen)
{
  begin();
  struct event_fact facts[] = {{SLICE("scope"), SLICE("model")},
                               {SLICE("until_ms"), SLICE("1767229200000")},
                               {SLICE("why"), SLICE("black friday")}};
  EXPECT_INT(decide(COMMAND_FREEZE, 0, facts, 3), OK);
  write_down();
  EXPECT_INT(decide(COMMAND_DEPLOY, 2, NULL, 0), E_CONFLICT);
  EXPECT(strstr(decision.err.text, "until 2026-01-01T01:00:00.000Z (black friday)") != NULL);
  EXPECT_INT(decide(COMMAND_ROLLBACK, 2, NULL, 0), OK); /* the way back is always open */
  EXPECT_INT(release(2, plan_text, false), OK);
  write_down();
  EXPECT(model()->release->rollout.frozen);
  struct event_fact lift[] = {{SLICE("lift"), SLICE("true")}, {SLICE("scope"), SLICE("model")}};
  EXPECT_INT(decide(COMMAND_FREEZE, 0, lift, 2), OK);
  write_down();
  EXPECT_INT(decide(COMMAND_FREEZE, 0, lift, 2), E_NOT_FOUND);
  struct event_fact bad[] = {{SLICE("scope"), SLICE("galaxy")}};
  EXPECT_INT(decide(COMMAND_FREEZE, 0, bad, 1), E_INVALID_ARGUMENT);
  struct event_fact weekly[] = {{SLICE("scope"), SLICE("model")},
                                {SLICE("weekly"), SLICE("sometimes")}};
  EXPECT_INT(decide(COMMAND_FREEZE, 0, weekly, 2), E_INVALID_ARGUMENT);
  EXPECT_STR(decision.err.field, "weekly");
  end();
}

TEST(a_rehearsal_is_a_copy_of_what_serves_on_one_percent)
{
  begin();
  struct event_fact facts[] = {{SLICE("plan"), slice_str(plan_text)},
                               {SLICE("rehearse"), SLICE("slow x2 @30s")}};
  EXPECT_INT(decide(COMMAND_RELEASE, 3, facts, 2), OK);
  EXPECT_INT(decision.version, 1);
  write_down();
  struct plan plan;
  EXPECT_INT(plan_read(&plan, model()->release->plan, &arena, &err), OK);
  for (uint32_t i = 0; i < plan.n_steps; i++) EXPECT(plan.steps[i].weight <= PLAN_WHOLE / 100);
  EXPECT(slice_eq(model()->release->rehearse, SLICE("slow x2 @30s")));
  facts[1].value = SLICE("sleepy");
  EXPECT_INT(move(ROLLOUT_ABORTED, 0), OK);
  EXPECT_INT(decide(COMMAND_RELEASE, 3, facts, 2), E_INVALID_ARGUMENT);
  EXPECT_STR(decision.err.field, "rehearse");
  facts[0].value = SLICE("{\"strategy\":\"now\"}");
  facts[1].value = SLICE("crash");
  EXPECT_INT(decide(COMMAND_RELEASE, 3, facts, 2), E_INVALID_ARGUMENT);
  EXPECT_STR(decision.err.field, "strategy");
  end();
}

/* --- the golden ledger ------------------------------------------------------------------------ */

/* Releases that were completed, rolled back by a gate, rolled back after full traffic, failed;
 * freezes. */
#define GOLDEN_DIGEST "212a1feeb8baf13a0099bed3c57584646b5bc8d5683935488ac00046721cbb1c"

TEST(the_second_golden_ledger_folds_for_ever)
{
  uint32_t kinds = 0;
  catalog = golden_fold("ledger-2.jsonl", GOLDEN_DIGEST, &kinds);
  if (!catalog) return;
  for (int kind = EVENT_RELEASE_STARTED; kind <= EVENT_FREEZE_LIFTED; kind++)
    EXPECT(kinds & 1u << kind);
  EXPECT_INT(model()->n_releases, 4);
  EXPECT_INT(model()->serving, 2);
  EXPECT_INT(catalog->n_freezes, 1);
  catalog_free(catalog);
}
