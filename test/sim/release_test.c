/* release_test.c - lives of releases in the town: random ones, and one of each strategy that is cut
 * off at every point of its way. SEED=n RUNS=1 replays one.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/log.h"
#include "control/release/fold.h"
#include "town.c"
#include "town_lives.c"

static uint64_t number_of(const char *name, uint64_t otherwise)
{
  const char *text = getenv(name);
  return text ? strtoull(text, NULL, 10) : otherwise;
}

/* --- random lives ----------------------------------------------------------------------------- */

struct sums {
  uint64_t events, looks, begun, said, ended[ROLLOUT_STATES];
};

static void ends_count(const struct town *town, struct sums *sums)
{
  for (uint32_t i = 0; i < town->n_events; i++) {
    const struct event *event = &town->ledger[i];
    struct slice state = event_fact(event, "state");
    for (int s = 0; s < ROLLOUT_STATES && event->kind == EVENT_RELEASE_MOVED; s++)
      sums->ended[s] += slice_eq(state, slice_str(rollout_state_name((enum rollout_state)s)));
  }
}

static void life(uint64_t seed, struct sums *sums)
{
  static struct town town;
  int failures = test_failures;
  town_begin(&town, seed);
  town.releases = 60;
  town.seconds = 8;
  town.bad_every = 1 + (uint32_t)(rand_u64(&town.rand) % 3);
  town.load_fails /= 4;
  town.spells = true;
  for (int lives = 1 + (int)(rand_u64(&town.rand) % 3); lives > 0; lives--) {
    town_start(&town);
    for (int i = 0; i < 500; i++) town_step(&town);
    EXPECT(town_settle(&town));
    town_check(&town);
    if (lives == 1 || rand_u64(&town.rand) % 2)
      town_stop(&town);
    else
      town_crash(&town);
    EXPECT_INT(town.loaded, 0);
    EXPECT_INT(town.lanes, 0);
    if (test_failures != failures) break;
  }
  sums->events += town.n_events;
  sums->looks += town.n_looks;
  sums->begun += town.begun;
  sums->said += town.said;
  ends_count(&town, sums);
  town_end(&town);
  if (test_failures != failures) printf("SEED=%" PRIu64 " RUNS=1 shows it\n", seed);
}

TEST(random_lives_of_releases_keep_every_promise)
{
  uint64_t seed = number_of("SEED", 1), runs = number_of("RUNS", 1000);
  struct sums sums = {0};
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR + 1);
  for (uint64_t i = 0; i < runs && !test_failures; i++) life(seed + i, &sums);
  printf("%" PRIu64 " lives: %" PRIu64 " events, %" PRIu64 " looks, %" PRIu64
         " releases begun, %" PRIu64 " words heard\n",
         runs, sums.events, sums.looks, sums.begun, sums.said);
  for (int s = 0; s < ROLLOUT_STATES; s++)
    printf("  %s %" PRIu64 "\n", rollout_state_name((enum rollout_state)s), sums.ended[s]);
  if (runs < 100) return;
  EXPECT(sums.begun > runs / 2 && sums.said > runs / 4 && sums.looks > runs);
  EXPECT(sums.ended[ROLLOUT_COMPLETED] > 0 && sums.ended[ROLLOUT_ROLLED_BACK] > 0);
  EXPECT(sums.ended[ROLLOUT_ABORTED] > 0 && sums.ended[ROLLOUT_PAUSED] > 0);
  EXPECT(town_breakers == (1u << BREAKER_CLOSED | 1u << BREAKER_OPEN | 1u << BREAKER_HALF_OPEN));
}

/* --- cut off at every point ------------------------------------------------------------------- */

static const struct {
  const char *name, *plan;
} strategies[] = {
    {"canary",
     "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"20%\",\"for\":\"2s\"}},"
     "{\"canary\":{\"traffic\":\"50%\",\"for\":\"2s\",\"approve\":{\"count\":1}}}]," TOWN_GATES
     "}"},
    {"bluegreen",
     "{\"strategy\":\"bluegreen\",\"steps\":[{\"switch\":{\"holdback\":\"20%\",\"for\":\"2s\"}}]"
     "," TOWN_GATES "}"},
    {"shadow, then canary",
     "{\"strategy\":\"canary\",\"steps\":[{\"shadow\":{\"traffic\":\"100%\",\"for\":\"2s\","
     "\"requests_min\":20,\"approve\":false}},{\"canary\":{\"traffic\":\"50%\",\"for\":\"2s\"}}]"
     "," TOWN_GATES "}"},
    {"canary that waits for outcomes",
     "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"50%\",\"for\":\"2s\"}}],"
     "\"metric\":{\"name\":\"clicks\",\"maturity\":\"1s\"},\"final_step_needs_labels\":"
     "true," TOWN_GATES "}"},
    {"test of two candidates",
     "{\"strategy\":\"ab\",\"steps\":[{\"ab\":{\"for\":\"2s\"}}],\"metric\":{\"name\":\"clicks\","
     "\"maturity\":\"1s\"},\"ab\":{\"arms\":[{\"traffic\":\"30%\"},{\"traffic\":\"40%\"},"
     "{\"version\":3,\"traffic\":\"30%\"}],\"users_min\":1,\"weeks_min\":0}," TOWN_GATES "}"},
    {"now", "{\"strategy\":\"now\"," TOWN_GATES "}"},
};

/* The second candidate is the one that people choose. */
static uint32_t versions_of(const char *plan) { return strstr(plan, "\"version\":3") ? 3 : 2; }

static struct catalog_model *the_model(struct town *town)
{
  const struct catalog *catalog = control_catalog(town->control);
  const struct catalog_tenant *tenant = catalog_tenant(catalog, SLICE("default"));
  return tenant ? catalog_model(tenant, SLICE("m")) : NULL;
}

/* The next thing a patient person does; nothing while an answer is out. */
static void person_step(struct town *town, const char *plan)
{
  static const struct event_file files[] = {{.name = SLICE("golden.jsonl"), .bytes = 2},
                                            {.name = SLICE("model.onnx"), .bytes = 1}};
  static struct event_fact facts[4];
  const struct catalog_model *model = the_model(town);
  struct event event = {.tenant = SLICE("default"), .model = SLICE("m"), .actor = SLICE("ann")};
  if (town->commands_out || !catalog_tenant(control_catalog(town->control), event.tenant)) return;
  if (!model || model->n_versions < versions_of(plan)) {
    event.files = files;
    event.n_files = 2;
    if (!model || model->serving) town_command(town, COMMAND_PUSH, &event);
  }
  if (!model) return;
  event.n_files = 0;
  event.facts = facts;
  event.n_facts = 2;
  facts[0] = (struct event_fact){SLICE("person"), SLICE("ann")};
  if (!model->serving) {
    event.version = 1;
    event.n_facts = 0;
    town_command(town, COMMAND_DEPLOY, &event);
  } else if (model->n_versions >= versions_of(plan) && !model->n_releases) {
    facts[1] = (struct event_fact){SLICE("plan"), slice_str(plan)};
    event.version = 2;
    town_command(town, COMMAND_RELEASE, &event);
  } else if (model->release && model->release->rollout.state == ROLLOUT_WAITING) {
    facts[0].value = SLICE("bob");
    facts[1] = (struct event_fact){SLICE("role"), SLICE("approver")};
    facts[2] = (struct event_fact){SLICE("word"), SLICE("approve")};
    event.n_facts = 3;
    if (versions_of(plan) == 3) {
      for (int i = 3; i > 0; i--) facts[i] = facts[i - 1];
      facts[0] = (struct event_fact){SLICE("arm"), SLICE("candidate-2")};
      event.n_facts = 4;
    }
    town_command(town, COMMAND_SAY, &event);
  }
}

static bool is_decided(struct town *town)
{
  const struct catalog_model *model = the_model(town);
  if (!model || !model->release) return false;
  return model->release->rollout.state == ROLLOUT_COMPLETED ||
         rollout_is_final(&model->release->rollout);
}

/* How the release stands, as a client sees it. */
static struct blob *stands(struct town *town)
{
  struct letter_release letter = {.tenant = SLICE("default"), .model = SLICE("m")};
  struct mailbox home_box;
  mailbox_init(&home_box, NULL, NULL);
  letter.home = &home_box;
  letter.mail.kind = LETTER_RELEASE;
  mail_send(control_mailbox(town->control), &letter.mail);
  control_turn(town->control, town->now_us, 1700000000000 + town->now_us / 1000);
  return letter.json;
}

static bool stands_as(struct town *town, const char *member, const char *begins)
{
  char key[64], text[256];
  struct blob *json = stands(town);
  if (!json) return false;
  snprintf(key, sizeof key, "\"%s\":", member);
  const char *at = memmem(json->bytes, json->len, key, strlen(key));
  if (!at) return blob_drop(json), false;
  at += strlen(key);
  size_t left = (size_t)(json->bytes + json->len - at);
  snprintf(text, sizeof text, "%.*s", (int)(left < 200 ? left : 200), at);
  blob_drop(json);
  return strncmp(text, begins, strlen(begins)) == 0;
}

/* Plays the release to its end, cut off after `cut` steps; returns how many steps there were. */
static uint32_t play(const char *plan, bool bad, uint32_t cut, uint64_t seed)
{
  static struct town town;
  uint32_t steps = 0, most = 60000;
  town_begin(&town, seed);
  town.disk_full = town.load_fails = town.open_fails = 0;
  town.bad_every = bad ? 2 : 0;
  town_start(&town);
  for (; steps < most && !is_decided(&town); steps++) {
    if (steps == cut) {
      town_crash(&town);
      town_start(&town);
    }
    person_step(&town, plan);
    call_begin(&town, (uint32_t)roll(&town, TOWN_LOOPS));
    call_end(&town, (uint32_t)roll(&town, TOWN_LOOPS));
    letter_step(&town);
    if (roll(&town, 50) == 0) town.now_us += 200000;
  }
  const struct catalog_model *model = the_model(&town);
  EXPECT(steps < most && model && model->release);
  if (steps == most && model && model->release) {
    struct blob *json = stands(&town);
    printf("stuck: %.*s\n", (int)json->len, json->bytes);
    blob_drop(json);
  }
  if (model && model->release) {
    bool now = model->release->rollout.state == ROLLOUT_COMPLETED;
    bool done = now || model->release->rollout.state == ROLLOUT_SETTLED;
    bool several = versions_of(plan) == 3; /* the bad one is closed, the other goes on */
    EXPECT_INT(done ? versions_of(plan) : 1, model->serving);
    EXPECT(done == !bad || several || strstr(plan, "\"now\"")); /* nothing judges `now` before */
    if (several) EXPECT(done);
    if (several) EXPECT_INT(model->release->rollout.closed, bad ? ARM_BIT(ARM_CANDIDATE) : 0);
    EXPECT_INT(model->n_releases, 1);
  }
  EXPECT(town_settle(&town));
  town_check(&town);
  town_stop(&town);
  town_end(&town);
  return steps;
}

TEST(a_release_cut_off_anywhere_ends_as_it_would_have)
{
  uint64_t seed = number_of("SEED", 1), every = number_of("EVERY", 17);
  uint64_t seeds = number_of("SEEDS", 5);
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR + 1);
  for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++)
    for (int bad = 0; bad < 2; bad++) {
      uint32_t steps = 0, cuts = 0;
      for (uint64_t of = seed; of < seed + seeds; of++) {
        uint32_t all = play(strategies[i].plan, bad, UINT32_MAX, of);
        steps += all;
        for (uint64_t cut = 1 + of % every; cut < all && !test_failures; cut += every, cuts++)
          play(strategies[i].plan, bad, (uint32_t)cut, of);
        if (test_failures) printf("SEED=%" PRIu64 " SEEDS=1 shows it\n", of);
        if (test_failures) return;
      }
      printf("%s, %s candidate: %u steps, %u cuts\n", strategies[i].name, bad ? "bad" : "good",
             steps, cuts);
    }
}

static void town_turns(struct town *town, uint32_t steps)
{
  for (uint32_t i = 0; i < steps; i++) {
    call_begin(town, (uint32_t)roll(town, TOWN_LOOPS));
    call_end(town, (uint32_t)roll(town, TOWN_LOOPS));
    letter_step(town);
    if (roll(town, 50) == 0) town->now_us += 200000;
  }
}

/* Everybody but the scribe does what there is to do. */
static void turns_unwritten(struct town *town, int steps)
{
  for (int i = 0; i < steps; i++) {
    control_step(town);
    desk_step(town);
    for (uint32_t job = 0; job < TOWN_JOBS; job++) job_step(town, job);
    for (uint32_t w = 0; w < TOWN_WORKERS; w++) owner_step(town, &town->workers[w]);
    for (uint32_t r = 0; r < TOWN_LOOPS; r++) {
      owner_step(town, &town->residents[r]);
      loop_letter(town, r);
    }
  }
}

TEST(what_is_learned_while_a_record_is_written_is_not_forgotten)
{
  static struct town town;
  const char *plan = strategies[0].plan; /* it waits for an approval after its second step */
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR + 1);
  town_begin(&town, number_of("SEED", 6));
  town.disk_full = town.load_fails = town.open_fails = 0;
  town_start(&town);
  const struct catalog_model *model = NULL;
  for (int i = 0; i < 60000; i++) {
    model = the_model(&town);
    if (model && model->release && model->release->rollout.state == ROLLOUT_WAITING) break;
    person_step(&town, plan);
    town_turns(&town, 1);
  }
  town_crash(&town);
  town_start(&town);
  for (int i = 0; i < 200 && !town.commands_out; i++) { /* approved before it is loaded again */
    control_step(&town);
    person_step(&town, plan);
  }
  EXPECT(stands_as(&town, "held_off", "true"));
  turns_unwritten(&town, 500);
  EXPECT(the_model(&town)->release->rollout.state == ROLLOUT_WAITING);
  for (int i = 0; i < 60 && !is_decided(&town); i++) town_turns(&town, 300);
  EXPECT_INT(the_model(&town)->release->rollout.state, ROLLOUT_COMPLETED);
  town_check(&town);
  town_stop(&town);
  town_end(&town);
}

/* --- the scribe cannot write ------------------------------------------------------------------ */

static const char long_plan[] =
    "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"50%\",\"for\":\"1h\"}}]"
    "," TOWN_GATES "}";

static uint32_t weight_at(struct town *town, uint32_t loop)
{
  if (!newest(&town->loop[loop])) return 0;
  const struct world *world = newest(&town->loop[loop])->letter->world;
  const struct tenant *tenant = world_tenant(world, SLICE("default"));
  const struct model *model = tenant ? world_model(world, tenant, SLICE("m")) : NULL;
  return model && model->release ? model->arms[0].weight : 0;
}

/* A release of version 2 that runs at half of the traffic. */
static void running_begin(struct town *town, uint32_t bad_every)
{
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR + 1);
  town_begin(town, number_of("SEED", 3));
  town->disk_full = town->load_fails = town->open_fails = 0;
  town_start(town);
  for (int i = 0; i < 20000 && !weight_at(town, 0) && !weight_at(town, 1); i++) {
    person_step(town, long_plan);
    letter_step(town);
  }
  for (int i = 0; i < 20000 && (!weight_at(town, 0) || !weight_at(town, 1)); i++) letter_step(town);
  EXPECT_INT(weight_at(town, 0), WEIGHT_WHOLE / 2);
  town->bad_every = bad_every;
  town->disk_full = 100;
}

static void running_end(struct town *town, enum rollout_state state)
{
  EXPECT_INT(weight_at(town, 0), 0);
  EXPECT_INT(weight_at(town, 1), 0);
  EXPECT_INT(the_model(town)->release->rollout.state, ROLLOUT_RUNNING); /* by the ledger */
  town->disk_full = 0;
  town->bad_every = 0;
  for (int i = 0; i < 20; i++) {
    town_turns(town, 500);
    town->now_us += 1000000;
  }
  EXPECT_INT(the_model(town)->release->rollout.state, state);
  EXPECT_INT(the_model(town)->serving, 1);
  town_check(town);
  town_stop(town);
  town_end(town);
}

TEST(harm_is_stopped_while_nothing_can_be_written_and_written_later)
{
  static struct town town;
  running_begin(&town, 2);
  for (int i = 0; i < 60 && (weight_at(&town, 0) || weight_at(&town, 1)); i++)
    town_turns(&town, 300);
  running_end(&town, ROLLOUT_ROLLED_BACK);
}

TEST(an_abort_acts_while_nothing_can_be_written_and_is_written_later)
{
  static struct town town;
  struct event_fact facts[] = {{SLICE("person"), SLICE("ann")}, {SLICE("word"), SLICE("abort")}};
  struct event event = {.tenant = SLICE("default"),
                        .model = SLICE("m"),
                        .actor = SLICE("ann"),
                        .facts = facts,
                        .n_facts = 2};
  running_begin(&town, 0);
  uint64_t refused = town.refused;
  town_command(&town, COMMAND_SAY, &event);
  int64_t began_us = town.now_us;
  while ((weight_at(&town, 0) || weight_at(&town, 1)) && town.now_us - began_us < 1000000)
    letter_step(&town);
  for (int i = 0; i < 2000 && town.commands_out; i++) letter_step(&town);
  EXPECT_INT(town.commands_out, 0);
  EXPECT_INT(town.refused, refused + 1); /* who asked knows that it is not written down yet */
  running_end(&town, ROLLOUT_ABORTED);
}

/* RO-113 */
TEST(of_two_words_at_once_the_second_sees_what_the_first_did)
{
  static struct town town;
  struct event_fact facts[] = {{SLICE("person"), SLICE("ann")}, {SLICE("word"), SLICE("promote")}};
  struct event event = {.tenant = SLICE("default"),
                        .model = SLICE("m"),
                        .actor = SLICE("ann"),
                        .facts = facts,
                        .n_facts = 2};
  running_begin(&town, 0);
  town.disk_full = 0;
  uint64_t said = town.said, conflicts = town.conflicts;
  town_command(&town, COMMAND_SAY, &event);
  town_command(&town, COMMAND_SAY, &event);
  for (int i = 0; i < 20 && town.commands_out; i++) town_turns(&town, 500);
  EXPECT_INT(town.said - said, 1);
  EXPECT_INT(town.conflicts - conflicts, 1);
  EXPECT_INT(the_model(&town)->release->rollout.state, ROLLOUT_COMPLETED);
  EXPECT_INT(weight_at(&town, 0), WEIGHT_WHOLE);
  town_check(&town);
  town_stop(&town);
  town_end(&town);
}

/* --- the way back ----------------------------------------------------------------------------- */

TEST(the_way_back_is_proven_while_the_candidate_has_everything)
{
  static struct town town;
  struct event_fact facts[] = {{SLICE("person"), SLICE("ann")}, {SLICE("word"), SLICE("promote")}};
  struct event event = {.tenant = SLICE("default"),
                        .model = SLICE("m"),
                        .actor = SLICE("ann"),
                        .facts = facts,
                        .n_facts = 2};
  running_begin(&town, 0);
  town.disk_full = 0;
  town_command(&town, COMMAND_SAY, &event);
  for (int i = 0; i < 40; i++) {
    town_turns(&town, 200);
    town.now_us += 1000000;
  }
  EXPECT_INT(the_model(&town)->release->rollout.state, ROLLOUT_COMPLETED);
  EXPECT(town.checks >= 3);
  town.way_back_fails = true;
  for (int i = 0; i < 20; i++) {
    town_turns(&town, 200);
    town.now_us += 1000000;
  }
  EXPECT_INT(the_model(&town)->release->rollout.state, ROLLOUT_PAUSED);
  EXPECT_INT(the_model(&town)->release->rollout.why, WHY_WAY_BACK);
  EXPECT_INT(weight_at(&town, 0), WEIGHT_WHOLE);
  EXPECT_INT(the_model(&town)->serving, 2);
  town_check(&town);
  town_stop(&town);
  town_end(&town);
}

/* --- frozen ----------------------------------------------------------------------------------- */

TEST(a_release_waits_for_a_freeze_and_begins_when_it_is_lifted)
{
  static struct town town;
  struct event_fact facts[] = {{SLICE("lift"), SLICE("true")}, {SLICE("scope"), SLICE("tenant")}};
  struct event lift = {
      .tenant = SLICE("default"), .actor = SLICE("ann"), .facts = facts, .n_facts = 2};
  struct event freeze = lift;
  freeze.facts = facts + 1;
  freeze.n_facts = 1;
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR + 1);
  town_begin(&town, number_of("SEED", 4));
  town.disk_full = town.load_fails = town.open_fails = 0;
  town_start(&town);
  const struct catalog_model *model = NULL;
  while (!model || model->n_versions < 2 || !model->serving || town.commands_out) {
    if (!model || model->n_versions < 2) person_step(&town, long_plan);
    town_turns(&town, 20);
    model = the_model(&town);
  }
  town_command(&town, COMMAND_FREEZE, &freeze);
  while (town.commands_out) town_turns(&town, 20);
  person_step(&town, long_plan);
  town_turns(&town, 3000);
  EXPECT(model->release != NULL);
  EXPECT(stands_as(&town, "state", "\"pending\""));
  EXPECT(stands_as(&town, "frozen", "true"));
  struct blob *json = stands(&town);
  const char *since = memmem(json->bytes, json->len, "\"state_s\":", 10);
  EXPECT(since && strtod(since + 10, NULL) < 3600); /* since it was submitted */
  blob_drop(json);
  EXPECT_INT(weight_at(&town, 0), 0);
  town_command(&town, COMMAND_FREEZE, &lift);
  for (int i = 0; i < 5; i++) {
    town_turns(&town, 500);
    town.now_us += 1000000;
  }
  EXPECT(stands_as(&town, "state", "\"running\""));
  EXPECT_INT(weight_at(&town, 0), WEIGHT_WHOLE / 2);
  town_stop(&town);
  town_end(&town);
}

TEST(what_was_kept_warm_is_let_go_when_its_time_is_over)
{
  static struct town town;
  static const char plan[] =
      "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"50%\",\"for\":\"2s\"}},"
      "{\"full\":{\"keep_previous_warm\":\"20s\"}}]," TOWN_GATES "}";
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR + 1);
  town_begin(&town, number_of("SEED", 5));
  town.disk_full = town.load_fails = town.open_fails = 0;
  town_start(&town);
  for (int i = 0; i < 60000 && !is_decided(&town); i++) {
    person_step(&town, plan);
    town_turns(&town, 1);
  }
  EXPECT_INT(the_model(&town)->release->rollout.state, ROLLOUT_COMPLETED);
  uint32_t loaded = town.loaded;
  int64_t began_us = town.now_us;
  while (the_model(&town)->release->rollout.state == ROLLOUT_COMPLETED &&
         town.now_us - began_us < 60000000)
    town_turns(&town, 10);
  EXPECT_INT(the_model(&town)->release->rollout.state, ROLLOUT_SETTLED);
  EXPECT(town.now_us - began_us > 19000000 && town.now_us - began_us < 25000000);
  for (int i = 0; i < 20; i++) town_turns(&town, 500);
  EXPECT_INT(town.loaded, loaded - 1);
  EXPECT_INT(the_model(&town)->serving, 2);
  town_stop(&town);
  town_end(&town);
}

/* --- a plan of another grammar ---------------------------------------------------------------- */

/* The ledger of a slipway that knew more. */
static void plan_damage(struct town *town)
{
  for (uint32_t i = 0; i < town->n_events; i++) {
    struct event *event = &town->ledger[i];
    if (event->kind != EVENT_RELEASE_STARTED) continue;
    struct event_fact *facts = arena_zero(&town->ledger_arena, event->n_facts, sizeof *facts);
    for (uint32_t k = 0; k < event->n_facts; k++) {
      facts[k] = event->facts[k];
      if (slice_eq(facts[k].name, SLICE("plan")))
        facts[k].value = SLICE("{\"strategy\":\"tomorrow\"}");
    }
    event->facts = facts;
  }
}

TEST(a_plan_that_cannot_be_read_gives_nobody_the_candidate)
{
  static struct town town;
  static const char plan[] =
      "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"20%\",\"for\":\"2s\"}},"
      "{\"canary\":{\"traffic\":\"50%\",\"for\":\"1h\"}}]," TOWN_GATES "}";
  static const struct event_fact facts[] = {{SLICE("person"), SLICE("bob")},
                                            {SLICE("word"), SLICE("abort")}};
  struct event word = {.tenant = SLICE("default"),
                       .model = SLICE("m"),
                       .actor = SLICE("bob"),
                       .facts = facts,
                       .n_facts = 2};
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR + 1);
  town_begin(&town, number_of("SEED", 6));
  town.disk_full = town.load_fails = town.open_fails = 0;
  town_start(&town);
  for (int i = 0; i < 60000 && weight_at(&town, 0) != WEIGHT_WHOLE / 2; i++) {
    person_step(&town, plan);
    town_turns(&town, 1);
  }
  EXPECT_INT(weight_at(&town, 0), WEIGHT_WHOLE / 2); /* its second step */
  town_crash(&town);
  plan_damage(&town);
  town_start(&town);
  for (int i = 0; i < 20; i++) {
    town_turns(&town, 500);
    town.now_us += 1000000;
    EXPECT_INT(weight_at(&town, 0), 0);
    EXPECT_INT(weight_at(&town, 1), 0);
  }
  EXPECT(stands_as(&town, "state", "\"paused\""));
  EXPECT(stands_as(&town, "held_off", "false")); /* it is paused that keeps it at zero */
  town_command(&town, COMMAND_SAY, &word);
  town_turns(&town, 3000);
  EXPECT_INT(the_model(&town)->release->rollout.state, ROLLOUT_ABORTED);
  EXPECT_INT(the_model(&town)->serving, 1);
  town_stop(&town);
  town_end(&town);
}
