/* serve_release_test.c - a request among the arms of a release, and what its answer counts.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "serve_rig.h"
#include "stat/assign.h"

static const struct arm_tally *arm_of(const struct tally *tally, uint32_t version)
{
  static const struct arm_tally none;
  return tally->arms && tally->arms[version - 1] ? tally->arms[version - 1] : &none;
}

static void ids_ask(int n, const char *fmt)
{
  char id[32];
  for (int i = 0; i < n; i++) {
    snprintf(id, sizeof id, fmt, i);
    ask(id);
  }
}

/* Hash and bucket of these are the contract's golden vectors; here the path gives the same arm. */
TEST(the_path_draws_the_arms_of_the_hash_contract)
{
  static const struct {
    const char *seed, *key;
    uint32_t candidate, version;
  } cases[] = {
      {"fraud/17", "user-1", 5000000, 1},  {"fraud/17", "user-2", 5000000, 2},
      {"fraud/18", "user-1", 5000000, 1},  {"fraud/17", "user-2", 4850544, 1},
      {"fraud/17", "user-2", 4850545, 2},  {"fraud/17", "user-1", 70069295, 1},
      {"fraud/17", "user-1", 70069296, 2},
  };
  fake_up();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    split.seed = slice_str(cases[i].seed);
    split.sticky = STICKY_HEADER;
    split.sticky_name = SLICE("x-user");
    publish_weight(cases[i].candidate);
    EXPECT_INT(ask_full("r", "x-user", cases[i].key, NULL, OK, 1), cases[i].version);
    pulse();
  }
  fake_down();
}

/* A client that could choose its arm could show the judge what it likes. */
TEST(a_request_id_does_not_choose_the_arm)
{
  int candidates = 0;
  fake_up();
  publish_weight(WEIGHT_WHOLE / 2);
  for (int i = 0; i < 400; i++) {
    candidates += ask("the-same-id") == 2;
    if (i % 16 == 15) pulse();
  }
  EXPECT(candidates > 140 && candidates < 260);
  fake_down();
}

TEST(a_weight_of_nothing_gets_nothing_and_all_gets_all) /* seldon-core#4067 */
{
  fake_up();
  publish_weight(0);
  ids_ask(2000, "none-%d");
  publish_weight(WEIGHT_WHOLE);
  ids_ask(2000, "all-%d");
  const struct tally *tally = pulse();
  EXPECT_INT(arm_of(tally, 1)->requests, 2000);
  EXPECT_INT(arm_of(tally, 2)->requests, 2000);
  EXPECT_INT(tally->releases[0].assigned[0], 2000);
  EXPECT_INT(tally->releases[0].assigned[1], 2000);
  fake_down();
}

/* The rule itself, not through the path: 100,000 users times 1,000 steps. */
TEST(a_ramp_moves_nobody_out_of_the_candidate)
{
  enum { USERS = 100000, STEPS = 1000 };
  static uint32_t enters[STEPS + 1];
  char key[16];
  for (int u = 0; u < USERS; u++) {
    snprintf(key, sizeof key, "user-%d", u);
    uint32_t hash = assign_hash(SLICE("fraud/17"), slice_str(key)), low = 0, high = STEPS;
    while (low < high) { /* the first step that has it, if steps are monotone */
      uint32_t middle = (low + high) / 2;
      if (assign_is_candidate(hash, middle * (WEIGHT_WHOLE / STEPS)))
        high = middle;
      else
        low = middle + 1;
    }
    enters[low]++;
    for (uint32_t s = 0; s <= STEPS; s += u % 100 ? 97 : 1) /* and here that they are */
      EXPECT(assign_is_candidate(hash, s * (WEIGHT_WHOLE / STEPS)) == (s >= low));
  }
  EXPECT_INT(enters[0], 0);
  for (int s = 1; s <= STEPS; s++) EXPECT(enters[s] > 40 && enters[s] < 180);
}

TEST(a_user_keeps_the_arm_by_header_and_parameter)
{
  static const char *const parameters[] = {"{\"user\":\"user-2\"}", "{\"user\":\"user-1\"}"};
  fake_up();
  split.seed = SLICE("fraud/17");
  split.sticky = STICKY_HEADER;
  split.sticky_name = SLICE("x-user");
  publish_weight(5000000);
  for (int i = 0; i < 3; i++) {
    EXPECT_INT(ask_full("r", "X-User", "user-2", NULL, OK, 1), 2);
    EXPECT_INT(ask_full("r", "x-user", "user-1", NULL, OK, 1), 1);
  }
  split.sticky = STICKY_PARAMETER;
  split.sticky_name = SLICE("user");
  publish_weight(5000000);
  for (int i = 0; i < 3; i++) {
    EXPECT_INT(ask_full("r", NULL, NULL, parameters[0], OK, 1), 2);
    EXPECT_INT(ask_full("r", NULL, NULL, parameters[1], OK, 1), 1);
  }
  const struct release_tally *release = &pulse()->releases[0];
  EXPECT_INT(release->n_units, 2); /* each user once */
  EXPECT_INT(release->unit_arm[0], 0);
  EXPECT_INT(release->unit_arm[1], 1);
  EXPECT(release->units[0] != release->units[1]);
  EXPECT_INT(release->assigned[0], 6);
  split.sticky = STICKY_TENANT;
  publish_weight(WEIGHT_WHOLE / 2);
  uint32_t version = ask("t-0");
  for (int i = 1; i < 20; i++) EXPECT_INT(ask(i % 2 ? "t-1" : "t-2"), version);
  fake_down();
}

TEST(without_its_key_a_request_is_stable_and_no_evidence)
{
  fake_up();
  split.sticky = STICKY_HEADER;
  split.sticky_name = SLICE("x-user");
  publish_weight(WEIGHT_WHOLE);
  EXPECT_INT(ask("r-1"), 1);
  EXPECT_INT(ask_full("r-2", "x-user", "", NULL, OK, 1), 1);
  const struct tally *tally = pulse();
  EXPECT_INT(tally->releases[0].keyless, 2);
  EXPECT_INT(tally->releases[0].n_units, 0);
  EXPECT(!tally->arms[0]);
  fake_down();
}

TEST(the_plan_may_let_a_request_choose) /* argo-rollouts#2086 */
{
  fake_up();
  publish_weight(0);
  EXPECT_INT(ask_full("r", "x-arm", "candidate", NULL, OK, 1), 1); /* it does not */
  split.selector = SLICE("header:x-arm");
  publish_weight(0);
  pulse();
  EXPECT_INT(ask_full("r", "x-arm", "candidate", NULL, OK, 1), 2);
  EXPECT_INT(ask_full("r", "x-arm", "0", NULL, OK, 1), 2);
  EXPECT_INT(ask_full("r", "x-arm", "stable", NULL, OK, 1), 1);
  EXPECT_INT(ask_full("r", "x-arm", "2", NULL, OK, 1), 1); /* there are two */
  const struct tally *tally = pulse();
  EXPECT_INT(arm_of(tally, 2)->requests, 0);
  EXPECT_INT(arm_of(tally, 1)->requests, 1); /* the last one: its value says nothing */
  fake_down();
}

static struct call *answered(const char *id, const char *version, enum code code)
{
  static const float scores[] = {1, 0};
  struct call *call = &calls[1];
  call_open(call, id, NULL, NULL);
  if (version) {
    call->version = model_version(call->model, (uint32_t)(*version - '0'));
  }
  call_lend(call, NULL, "1");
  for (uint32_t v = 1; v <= FAKE_VERSIONS; v++) lane_take(v);
  task_answer(&call->task, scores, 2, code);
  EXPECT_INT(path_resume(call), STEP_REPLY);
  return call;
}

TEST(an_answer_says_who_gave_it)
{
  fake_up();
  publish();
  struct call *call = answered("r", NULL, OK);
  EXPECT_STR(call->answer.arm, "stable");
  EXPECT_INT(call->answer.release, 0);
  path_end(call);
  publish_weight(WEIGHT_WHOLE);
  call = answered("r", NULL, E_MODEL_FAILED); /* an error, too */
  EXPECT_STR(call->answer.arm, "candidate");
  EXPECT_INT(call->answer.release, 17);
  EXPECT(slice_eq(call->answer.version, SLICE("2")) && slice_eq(call->answer.model, SLICE("m")));
  path_end(call);
  call = answered("r", "2", OK); /* by name: of no arm */
  EXPECT(!call->answer.arm);
  EXPECT_INT(call->answer.release, 0);
  path_end(call);
  n_arms = 3;
  weights[0] = weights[1] = 0;
  weights[2] = WEIGHT_WHOLE;
  publish();
  call = answered("r", NULL, OK);
  EXPECT_STR(call->answer.arm, "candidate-2");
  EXPECT(slice_eq(call->answer.version, SLICE("3")));
  path_end(call);
  const struct tally *tally = pulse();
  EXPECT_INT(arm_of(tally, 1)->requests, 1); /* before the release: its history */
  EXPECT_INT(arm_of(tally, 2)->requests, 1);
  EXPECT_INT(arm_of(tally, 2)->errors, 1);
  EXPECT_INT(arm_of(tally, 3)->requests, 1);
  fake_down();
}

/* Rule 9 of the statistics: whose fault, and what is time. */
/* RO-108 */
TEST(an_arm_counts_what_is_the_servers_fault)
{
  fake_up();
  split.slow_us[2] = 5000;
  publish_weight(WEIGHT_WHOLE);
  ask_full("fast", NULL, NULL, NULL, OK, 1000);
  ask_full("slow", NULL, NULL, NULL, OK, 5000);
  ask_full("broken", NULL, NULL, NULL, E_BAD_MODEL_OUTPUT, 300);
  ask_full("late", NULL, NULL, NULL, E_DEADLINE_EXCEEDED, 700);
  ask_full("left", NULL, NULL, NULL, E_CANCELLED, 700);
  ask_full("wrong", NULL, NULL, NULL, E_BAD_SHAPE, 700);
  const struct arm_tally *arm = arm_of(pulse(), 2);
  EXPECT_INT(arm->requests, 4);
  EXPECT_INT(arm->errors, 2);
  EXPECT_INT(arm->timeouts, 1);
  EXPECT_INT(arm->costed, 2); /* the fast one and the slow one */
  EXPECT_INT(arm->cpu_ns, 80000);
  uint64_t times = 0;
  for (int i = 0; i < SKETCH_BUCKETS; i++) times += arm->total_us.at[i];
  EXPECT_INT(times, 3);
  EXPECT_INT(arm->total_us.at[sketch_bucket(1000)], 1);
  EXPECT_INT(arm->total_us.at[sketch_bucket(5000)], 1);
  EXPECT_INT(arm->total_us.at[SKETCH_BUCKETS - 1], 1);
  EXPECT_INT(arm->n_ids, 3);
  EXPECT(memcmp(arm->ids[0], "slow", 4) == 0 && arm->id_lens[0] == 4);
  EXPECT(memcmp(arm->ids[1], "broken", 6) == 0);
  EXPECT(memcmp(arm->ids[2], "late", 4) == 0);
  fake_down();
}

/* Measuring is a system call: of many answers some are measured, in each arm of its own. */
TEST(cpu_time_is_measured_of_some_answers_by_lot)
{
  enum { MANY = 2000 };
  fake_up();
  publish_weight(WEIGHT_WHOLE / 100);
  ids_ask(MANY, "a-%d"); /* nothing is known of the traffic yet: all */
  const struct tally *tally = pulse();
  EXPECT_INT(arm_of(tally, 1)->costed, arm_of(tally, 1)->requests);
  ids_ask(MANY, "b-%d");
  tally = pulse();
  uint64_t stable = arm_of(tally, 1)->costed, candidate = arm_of(tally, 2)->requests;
  EXPECT(stable > 20 && stable < 200);
  EXPECT_INT(arm_of(tally, 1)->cpu_ns, stable * 40000);
  EXPECT(candidate > 0);
  EXPECT_INT(arm_of(tally, 2)->costed, candidate); /* a rare arm: all of it */
  ids_ask(1, "c-%d");
  pulse();
  ids_ask(3, "d-%d"); /* rare again */
  EXPECT_INT(arm_of(pulse(), 1)->costed, 3);
  fake_down();
}

TEST(answers_fall_into_bins_by_label_or_score)
{
  fake_up();
  publish_weight(0);
  ids_ask(3, "r-%d"); /* label 1, score 0.75 */
  const struct arm_tally *arm = arm_of(pulse(), 1);
  EXPECT_INT(arm->shift[1], 3);
  EXPECT_INT(arm->n_scores, 3);
  EXPECT(arm->scores[2] == 0.75f);
  split.n_edges = 3;
  split.edges[0] = 0.1f;
  split.edges[1] = 0.75f;
  split.edges[2] = 0.9f;
  publish_weight(0);
  ids_ask(4, "r-%d");
  EXPECT_INT(arm_of(pulse(), 1)->shift[2], 4);
  ids_ask(1000, "r-%d");
  arm = arm_of(pulse(), 1);
  EXPECT_INT(arm->n_scores, 1000);
  fake_down();
}

TEST(between_two_pulses_the_candidate_gets_so_many_and_no_more)
{
  fake_up();
  split.unjudged_max = 10;
  publish_weight(WEIGHT_WHOLE / 2);
  ids_ask(200, "a-%d");
  const struct tally *tally = pulse();
  EXPECT_INT(arm_of(tally, 2)->requests, 10);
  EXPECT(tally->releases[0].unjudged > 50);
  EXPECT(arm_of(tally, 1)->requests < 40); /* what came later is no fair draw: no evidence */
  EXPECT_INT(tally->releases[0].assigned[0], 10);
  EXPECT_INT(tally->releases[0].assigned[1], arm_of(tally, 1)->requests);
  ids_ask(200, "a-%d");
  EXPECT_INT(arm_of(pulse(), 2)->requests, 10);
  fake_down();
}

static void fail_some(int n, int every, enum code code)
{
  char id[32];
  for (int i = 0; i < n; i++) {
    snprintf(id, sizeof id, "k-%d", i);
    ask_full(id, NULL, NULL, NULL, i % every ? OK : code, 10);
  }
}

TEST(a_candidate_that_fails_is_killed_here_before_control_knows)
{
  fake_up();
  publish_weight(WEIGHT_WHOLE);
  fail_some(200, 2, E_MODEL_FAILED); /* half is not more than half */
  EXPECT(!pulse()->releases[0].killed);
  fail_some(20, 1, E_BAD_SHAPE); /* the client's fault */
  EXPECT(!pulse()->releases[0].killed);
  fail_some(40, 1, E_MODEL_FAILED);
  const struct tally *tally = pulse();
  EXPECT(tally->releases[0].killed);
  EXPECT_INT(arm_of(tally, 2)->errors, 2); /* with every other one of the 18 before: 11 of 20 */
  EXPECT(tally->releases[0].unjudged > 0);
  ids_ask(5, "later-%d"); /* for good, in this pulse, too */
  tally = pulse();
  EXPECT(tally->releases[0].killed);
  EXPECT(!tally->arms[1]);
  split.number = 18;
  publish_weight(WEIGHT_WHOLE);
  EXPECT_INT(ask("new"), 2); /* the next release begins anew */
  EXPECT(!pulse()->releases[0].killed);
  fake_down();
}

TEST(where_stable_fails_as_well_the_candidate_is_not_blamed)
{
  fake_up();
  publish_weight(WEIGHT_WHOLE / 2);
  fail_some(300, 1, E_MODEL_FAILED);
  const struct tally *tally = pulse();
  EXPECT(!tally->releases[0].killed);
  EXPECT(arm_of(tally, 2)->errors > 100);
  fake_down();
}

TEST(a_call_that_waits_for_its_body_hears_of_a_rollback)
{
  static const float scores[] = {1, 0};
  fake_up();
  publish_weight(WEIGHT_WHOLE);
  struct call *call = &calls[2];
  call_open(call, "r", NULL, NULL);
  n_arms = 0;
  publish();
  call_lend(call, NULL, "1");
  EXPECT(!lane_take(2) && lane_take(1) == &call->task);
  task_answer(&call->task, scores, 2, OK);
  EXPECT_INT(path_resume(call), STEP_REPLY);
  path_end(call);
  fake_down();
}

/* The slot of a release that ended is another's: nothing of the old one may fall into it. */
TEST(an_answer_of_a_release_that_ended_counts_in_no_other)
{
  static const float scores[] = {1, 0};
  fake_up();
  split.segments[0] = SLICE("header:x-country");
  split.n_segments = 1;
  publish_weight(WEIGHT_WHOLE);
  struct call *call = &calls[2];
  call_open(call, "r", "x-country", "de");
  call_lend(call, NULL, "1");
  EXPECT(lane_take(2) == &call->task);
  split.number = 18;
  publish_weight(WEIGHT_WHOLE);
  pulse();
  task_answer(&call->task, scores, 2, OK);
  EXPECT_INT(path_resume(call), STEP_REPLY);
  path_end(call);
  const struct tally *tally = pulse();
  EXPECT(!tally->releases[0].touched);
  EXPECT_INT(arm_of(tally, 2)->requests, 1); /* the version's own it is */
  fake_down();
}

/* RO-107 */
TEST(segments_count_by_what_requests_declare) /* per-segment regression */
{
  fake_up();
  split.segments[0] = SLICE("header:x-country");
  split.segments[1] = SLICE("parameter:plan");
  split.segments[2] = SLICE("tenant");
  split.n_segments = 3;
  split.slow_us[2] = 5000;
  publish_weight(WEIGHT_WHOLE);
  ask_full("a", "x-country", "de", "{\"plan\":\"gold\"}", OK, 10);
  ask_full("b", "x-country", "de", NULL, E_MODEL_FAILED, 10);
  ask_full("c", "x-country", "fr", NULL, OK, 6000);
  publish_weight(0);
  ask_full("d", "x-country", "de", NULL, OK, 10);
  const struct segment_tally *segments = pulse()->releases[0].segments;
  static const struct {
    const char *text;
    uint32_t requests, errors, slow, stable;
  } want[] = {{"x-country=de", 2, 1, 0, 1},
              {"plan=gold", 1, 0, 0, 0},
              {"tenant=default", 3, 1, 1, 1},
              {"x-country=fr", 1, 0, 1, 0}};
  for (int i = 0; i < 4; i++) {
    EXPECT(slice_eq(slice_of(segments[i].text, segments[i].text_len), slice_str(want[i].text)));
    EXPECT_INT(segments[i].requests[ARM_CANDIDATE], want[i].requests);
    EXPECT_INT(segments[i].errors[ARM_CANDIDATE], want[i].errors);
    EXPECT_INT(segments[i].slow[ARM_CANDIDATE], want[i].slow);
    EXPECT_INT(segments[i].requests[ARM_STABLE], want[i].stable);
  }
  EXPECT(!segments[4].hash);
  fake_down();
}

/* Past the array's end a unit waits for its next request, whichever arm it has. */
TEST(units_that_find_no_room_come_later)
{
  char key[16];
  uint32_t sent = 0;
  fake_up();
  split.sticky = STICKY_HEADER;
  split.sticky_name = SLICE("x-user");
  publish_weight(WEIGHT_WHOLE / 2);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 2 * UNITS_KEPT; i++) {
      snprintf(key, sizeof key, "u-%d", i);
      ask_full("r", "x-user", key, NULL, OK, 1);
    }
    uint32_t n = pulse()->releases[0].n_units;
    EXPECT(round == 2 ? n < 60 : n == UNITS_KEPT); /* the marks of some fall together */
    sent += n;
  }
  EXPECT(sent >= 2 * UNITS_KEPT);
  fake_down();
}

TEST(what_is_evidence_is_remembered_for_its_outcome)
{
  fake_up();
  split.remember = true;
  split.sticky = STICKY_HEADER;
  split.sticky_name = SLICE("x-user");
  split.seed = SLICE("fraud/17");
  predictions_room = 3;
  pulse();
  publish_weight(5000000);
  ask_full("r-1", "x-user", "user-2", NULL, OK, 1);
  ask_full("r-2", "x-user", "user-1", NULL, OK, 1);
  ask_full("r-3", "x-user", "user-1", NULL, E_MODEL_FAILED, 1); /* no answer, nothing to hold */
  ask("r-4");                                                   /* no evidence */
  ask_full("r-5", "x-user", "user-2", NULL, OK, 1);
  ask_full("r-6", "x-user", "user-2", NULL, OK, 1); /* no room */
  const struct tally *tally = pulse();
  EXPECT_INT(tally->n_predictions, 3);
  EXPECT_INT(tally->predictions_missed, 1);
  const struct prediction *row = tally->predictions;
  EXPECT(slice_eq(slice_of(row[0].id, row[0].id_len), SLICE("r-1")));
  EXPECT(slice_eq(slice_of(row[2].id, row[2].id_len), SLICE("r-5")));
  EXPECT_INT(tally->n_inputs, 1); /* the first, and then one in INPUT_EVERY */
  EXPECT_INT(tally->inputs[0].row, 0);
  EXPECT(slice_starts(slice_of(tally->inputs[0].text, tally->inputs[0].len),
                      SLICE("{\"inputs\":[{\"name\":\"x\"")));
  EXPECT_INT(row[0].arm, 0);
  EXPECT_INT(row[0].version, 2);
  EXPECT_INT(row[0].weight, 5000000);
  EXPECT_INT(row[1].arm, 1);
  EXPECT_INT(row[1].version, 1);
  EXPECT_INT(row[1].weight, WEIGHT_WHOLE - 5000000);
  EXPECT_INT(row[0].model, 5);
  EXPECT_INT(row[0].release, 17);
  EXPECT_INT(row[0].label, 1);
  EXPECT(row[0].score == 0.75f);
  EXPECT_INT(row[2].unit, row[0].unit);
  EXPECT(row[1].unit != row[0].unit);
  EXPECT_INT(tally->releases[0].n_units, 2);
  EXPECT_INT(tally->releases[0].units[0], row[0].unit); /* the same hash for samples and outcomes */
  split.remember = false;
  publish_weight(5000000);
  ask_full("r-7", "x-user", "user-2", NULL, OK, 1);
  tally = pulse();
  EXPECT_INT(tally->n_predictions, 0);
  EXPECT_INT(tally->predictions_missed, 0);
  fake_down();
}

/* Versions 2, 1 and 3 are the arms 0, 1 and 2. */
static void publish_three(uint32_t closed)
{
  weights[0] = weights[2] = WEIGHT_WHOLE / 10 * 3;
  weights[1] = WEIGHT_WHOLE - weights[0] - weights[2];
  n_arms = 3;
  split.closed = closed;
  publish();
}

TEST(who_draws_a_closed_arm_is_answered_by_stable_and_counts_nowhere)
{
  enum { USERS = 600 };
  static uint32_t before[USERS];
  char user[16];
  uint32_t moved = 0;
  fake_up();
  split.sticky = STICKY_HEADER;
  split.sticky_name = SLICE("x-user");
  split.selector = SLICE("header:x-arm");
  publish_three(0);
  for (uint32_t i = 0; i < USERS; i++) {
    snprintf(user, sizeof user, "u-%" PRIu32, i);
    before[i] = ask_full("r", "x-user", user, NULL, OK, 1);
    if (i % 16 == 15) pulse();
  }
  pulse();
  publish_three(ARM_BIT(2));
  EXPECT_INT(ask_full("r", "x-arm", "candidate-2", NULL, OK, 1), 1);
  EXPECT_INT(ask_full("r", "x-arm", "candidate", NULL, OK, 1), 2);
  pulse();
  for (uint32_t i = 0; i < USERS; i++) {
    snprintf(user, sizeof user, "u-%" PRIu32, i);
    uint32_t now = ask_full("r", "x-user", user, NULL, OK, 1);
    EXPECT_INT(now, before[i] == 3 ? 1 : before[i]); /* nobody else moved */
    const struct tally *tally = pulse();
    const struct release_tally *release = &tally->releases[0];
    uint64_t counted = release->assigned[0] + release->assigned[1] + release->assigned[2];
    EXPECT_INT(counted, before[i] != 3);
    EXPECT_INT(arm_of(tally, now)->requests, before[i] != 3);
    EXPECT_INT(release->unjudged, 0);
    moved += before[i] == 3;
  }
  EXPECT(moved > USERS / 5 && moved < USERS * 2 / 5);
  fake_down();
}

TEST(the_kill_rule_stops_one_candidate_and_not_the_other)
{
  char user[16], of[4][16] = {""};
  fake_up();
  split.sticky = STICKY_HEADER;
  split.sticky_name = SLICE("x-user");
  publish_three(0);
  for (uint32_t i = 0; i < 200; i++) {
    snprintf(user, sizeof user, "u-%" PRIu32, i);
    memcpy(of[ask_full("r", "x-user", user, NULL, OK, 1)], user, sizeof user);
    pulse();
  }
  for (int i = 0; i < 20; i++) ask_full("r", "x-user", of[3], NULL, E_MODEL_FAILED, 1);
  EXPECT_INT(ask_full("r", "x-user", of[3], NULL, OK, 1), 1);
  EXPECT_INT(ask_full("r", "x-user", of[2], NULL, OK, 1), 2);
  const struct tally *tally = pulse();
  EXPECT_INT(tally->releases[0].killed, ARM_BIT(2));
  for (int i = 0; i < 20; i++) ask_full("r", "x-user", of[2], NULL, E_MODEL_FAILED, 1);
  EXPECT_INT(ask_full("r", "x-user", of[2], NULL, OK, 1), 1);
  EXPECT_INT(pulse()->releases[0].killed, ARM_BIT(0) | ARM_BIT(2));
  fake_down();
}
