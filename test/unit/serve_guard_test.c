/* serve_guard_test.c - as evidence of a release: what stable answers for a version whose breaker is
 * open, and answers that were kept.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mem.h"
#include "serve/cache/cache.h"
#include "serve/stages_int.h"
#include "serve_rig.h"

static const struct arm_tally *arm_of(const struct tally *tally, uint32_t version)
{
  static const struct arm_tally none;
  return tally->arms && tally->arms[version - 1] ? tally->arms[version - 1] : &none;
}

static void candidate_open(struct version *versions)
{
  versions[1].breaker = BREAKER_OPEN;
  versions[1].breaker_until_us = now_us + 5000000;
  versions[1].trip = 1;
}

static void both_open(struct version *versions)
{
  candidate_open(versions);
  versions[0].breaker = BREAKER_OPEN;
  versions[0].breaker_until_us = now_us + 5000000;
  versions[0].trip = 2;
}

static void candidate_falls_back(struct version *versions)
{
  candidate_open(versions);
  versions[1].fallback = true;
}

/* What becomes of a whole request that no lane has. named: a version, or 0. */
static enum code settled(uint32_t named)
{
  static const char body[] = "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"FP32\","
                             "\"data\":[1,2]}]}";
  struct call *call = &calls[0];
  call_open(call, "r", NULL, NULL);
  if (named) call->version = model_version(call->model, named);
  EXPECT_INT(path_body(call, slice_str(body)), STEP_WAIT);
  EXPECT_INT(path_resume(call), STEP_REPLY);
  enum code code = call->answer.code;
  path_end(call);
  return code;
}

TEST(stable_answers_for_an_open_candidate_and_neither_arm_has_evidence)
{
  fake_up();
  versions_edit = candidate_open;
  publish_weight(WEIGHT_WHOLE);
  for (int i = 0; i < 30; i++) EXPECT_INT(ask("r"), 1);
  const struct tally *tally = pulse();
  EXPECT_INT(arm_of(tally, 1)->requests, 0);
  EXPECT_INT(arm_of(tally, 2)->requests, 0);
  EXPECT_INT(tally->slots[0].success.count, 30); /* but they are answers */
  EXPECT_INT(tally->slots[0].good, 30);          /* and calls of stable's breaker */
  versions_edit = NULL;
  publish_weight(WEIGHT_WHOLE);
  for (int i = 0; i < 5; i++) EXPECT_INT(ask("r"), 2);
  EXPECT_INT(arm_of(pulse(), 2)->requests, 5);
  fake_down();
}

TEST(where_stable_is_open_too_nobody_stands_in)
{
  fake_up();
  versions_edit = both_open;
  publish_weight(WEIGHT_WHOLE);
  EXPECT_INT(settled(0), E_BREAKER_OPEN);
  const struct tally *tally = pulse();
  EXPECT_INT(arm_of(tally, 1)->requests + arm_of(tally, 2)->requests, 0);
  fake_down();
}

TEST(who_names_an_open_version_gets_stable_only_where_it_falls_back)
{
  fake_up();
  versions_edit = candidate_open;
  publish_weight(0);
  EXPECT_INT(settled(2), E_BREAKER_OPEN);
  versions_edit = candidate_falls_back;
  publish_weight(0);
  struct call *call = &calls[0];
  call_open(call, "r", NULL, NULL);
  call->version = model_version(call->model, 2);
  call_lend(call, NULL, "1,2");
  EXPECT(!lane_take(2) && lane_take(1));
  static const float scores[] = {0.25f, 0.75f};
  task_answer(&call->task, scores, 2, OK);
  EXPECT_INT(path_resume(call), STEP_REPLY);
  EXPECT(slice_eq(call->answer.version, SLICE("1"))); /* it says so */
  path_end(call);
  const struct tally *tally = pulse();
  EXPECT_INT(arm_of(tally, 1)->requests, 0);
  EXPECT_INT(tally->slots[0].success.count, 1);
  fake_down();
}

static void all_cached(struct version *versions)
{
  for (uint32_t i = 0; i < FAKE_VERSIONS; i++) {
    versions[i].cache_ttl_us = 60000000;
    versions[i].cache_bytes_max = 1 << 20;
    versions[i].seq = i + 1;
  }
}

TEST(a_hit_is_an_answer_of_its_arm_and_no_time_of_it)
{
  enum { HITS = 9 };
  fake_cache = cache_new(1 << 20);
  fake_up();
  versions_edit = all_cached;
  publish_weight(WEIGHT_WHOLE);
  EXPECT_INT(ask("first"), 2);
  for (int i = 0; i < HITS; i++) EXPECT_INT(settled(0), OK); /* no lane was asked */
  const struct tally *tally = pulse();
  const struct arm_tally *arm = arm_of(tally, 2);
  EXPECT_INT(arm->requests, 1 + HITS);
  EXPECT_INT(arm->errors, 0);
  uint64_t timed = 0;
  for (uint32_t i = 0; i < SKETCH_BUCKETS; i++) timed += arm->total_us.at[i];
  EXPECT_INT(timed, 1);
  EXPECT(arm->costed <= 1);
  EXPECT_INT(tally->slots[1].cache_hit.count, HITS);
  EXPECT_INT(tally->slots[1].infer.count, 1);
  fake_down();
  cache_free(fake_cache);
  fake_cache = NULL;
}

enum { SHARED_BYTES = 16 << 20 }; /* serve/recall.c */

/* Two equal requests at once; the first is answered with so many bytes. What the second is told. */
static enum flight_news followed(const char *data, size_t bytes)
{
  static float large[SHARED_BYTES / sizeof(float) + 1];
  static const float none[1];
  char body[200];
  int n = snprintf(body, sizeof body,
                   "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2],\"datatype\":\"FP32\","
                   "\"data\":[%s]}]}", data);
  call_open(&calls[0], "a", NULL, NULL);
  call_lend(&calls[0], NULL, data);
  call_open(&calls[1], "b", NULL, NULL);
  EXPECT_INT(path_body(&calls[1], slice_of(body, (size_t)n)), STEP_WAIT);
  EXPECT_INT(path_resume(&calls[1]), STEP_WAIT);
  EXPECT_INT(calls[1].state, CALL_FOLLOWS);
  struct task *task = lane_take(1);
  EXPECT(task == &calls[0].task); /* and nobody else's */
  task_answer(task, none, 1, OK);
  struct tensor *output = &task->outputs[0];
  output->data = large;
  output->bytes = bytes;
  output->count = bytes / sizeof *large;
  output->shape.dims[1] = (int64_t)output->count;
  EXPECT_INT(path_resume(&calls[0]), STEP_REPLY);
  path_end(&calls[0]);
  struct mail *mail = mailbox_take(&home);
  EXPECT(mail && mail->kind == LETTER_LANDED);
  return mail ? LETTER_OF(mail, struct flight)->news : NEWS_LEAD;
}

TEST(an_answer_above_the_limit_is_shared_with_nobody)
{
  fake_cache = cache_new(1 << 20);
  fake_up();
  versions_edit = all_cached;
  publish();
  EXPECT_INT(followed("1,2", SHARED_BYTES - 4096), NEWS_ANSWER); /* too large to be kept, though */
  EXPECT_INT(path_resume(&calls[1]), STEP_REPLY);
  path_end(&calls[1]);
  EXPECT_INT(followed("3,4", sizeof(float) * (SHARED_BYTES / sizeof(float) + 1)), NEWS_ALONE);
  EXPECT_INT(path_resume(&calls[1]), STEP_WAIT);
  EXPECT_INT(calls[1].state, CALL_LENT);
  static const float scores[] = {0.25f, 0.75f};
  EXPECT(lane_take(1) == &calls[1].task); /* it runs by itself */
  task_answer(&calls[1].task, scores, 2, OK);
  EXPECT_INT(path_resume(&calls[1]), STEP_REPLY);
  EXPECT_INT(calls[1].answer.code, OK);
  path_end(&calls[1]);
  fake_down();
  cache_free(fake_cache);
  fake_cache = NULL;
}

/* A version that is half open, by its slot and opening, as the loop tries it. */
static bool tries(struct serve *with, struct call *call, struct version *version)
{
  call->serve = with;
  call->version = version;
  return breaker_probe(call);
}

TEST(each_version_has_a_probe_of_its_own)
{
  enum { MANY = 300 };
  static struct serve one;
  static struct version half[MANY + 1];
  struct call *asked = grab_zero(MANY + 1, sizeof *asked);
  probes_world(&one, MANY);
  for (uint32_t i = 0; i < MANY; i++) {
    half[i] = (struct version){.breaker = BREAKER_HALF_OPEN, .slot = i, .trip = i + 1};
    EXPECT(tries(&one, &asked[i], &half[i]));
    EXPECT(!breaker_lets(&one, &half[i])); /* one at a time */
    EXPECT(!tries(&one, &asked[MANY], &half[i]));
  }
  for (uint32_t i = 0; i < MANY; i++) { /* each is its own version's, and leaves the others */
    struct version_tally tally = {0};
    asked[i].task.err.code = i % 2 ? OK : E_MODEL_FAILED;
    breaker_home(&asked[i], &tally, false);
    EXPECT_INT(tally.probes_good, i % 2);
    EXPECT_INT(tally.probes_bad, !(i % 2));
    EXPECT_INT(breaker_lets(&one, &half[i]), i % 2); /* who failed waits for another opening */
  }
  /* The slot is another version's before the probe is home. */
  struct version_tally tally = {0};
  EXPECT(tries(&one, &asked[0], &half[1]));
  half[MANY] = (struct version){.breaker = BREAKER_HALF_OPEN, .slot = 1, .trip = 1000};
  EXPECT(tries(&one, &asked[1], &half[MANY]));
  asked[0].task.err.code = E_MODEL_FAILED;
  breaker_home(&asked[0], &tally, false);
  EXPECT(!breaker_lets(&one, &half[MANY])); /* still out */
  EXPECT(!tries(&one, &asked[2], &half[1])); /* who reads an old world takes no place of it */
  EXPECT(!breaker_lets(&one, &half[MANY]));
  asked[1].task.err.code = OK;
  breaker_home(&asked[1], &tally, false);
  EXPECT(breaker_lets(&one, &half[MANY])); /* and did not fail */
  half[MANY].slot = SLOT_NONE;
  EXPECT(!tries(&one, &asked[1], &half[MANY]));
  ungrab(one.probes);
  ungrab(asked);
}
