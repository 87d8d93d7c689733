/* recall_test.c - a recorded release is judged as it was and as other lanes would have.
 * SPDX-License-Identifier: MIT */
#include "cli/recall.h"

#include "judge/evidence.h"
#include "sim/crowd.h"
#include "test.h"

enum { SECONDS = 200, JOURNAL_MAX = 8 << 20 };
static unsigned char journal[JOURNAL_MAX];
static struct crowd crowd;
static struct past past;
static struct model model;
static struct look look;
static struct plan plan;
static struct baseline baseline;

/* Looks of a candidate as the scenario says, with plan and step; their bytes. */
static struct slice record(const char *text)
{
  struct varint_out out = {journal, 0, sizeof journal, false};
  struct scenario scenario;
  struct arena arena;
  EXPECT(scenario_read(&scenario, slice_str(text), NULL) == OK);
  model_make(&model, &scenario, 0.001);
  memset(&past, 0, sizeof past);
  crowd_init(&crowd, &model, 1000, 4, 0);
  crowd_history(&crowd, &past);
  plan_default(&plan, STRATEGY_CANARY);
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  evidence_plan(plan_write(&plan, &arena), &out);
  arena_deinit(&arena);
  past_baseline(&past, &plan, 0, &baseline);
  evidence_step(0, &baseline, &out);
  crowd_cut(&crowd, &baseline.slow);
  for (uint64_t i = 0; i < SECONDS; i++) {
    const double part[CROWD_ARMS] = {0.05, 0.95};
    struct crowd_seen seen[CROWD_ARMS];
    crowd_second(&crowd, part, seen);
    look_init(&look, i, CROWD_ARMS);
    look.elapsed_ms = 1000;
    look.loaded_ms = 3600000 + i * 1000;
    for (uint32_t arm = 0; arm < CROWD_ARMS; arm++) {
      look.weights[arm] = plan_weight(&plan, 0, arm);
      crowd_fill(&crowd, arm, &seen[arm], &look.arms[arm]);
    }
    evidence_look(&look, &out);
  }
  EXPECT(!out.full);
  return (struct slice){(const char *)journal, out.len};
}

static void recall_all(struct recall *recall, struct slice bytes)
{
  struct err err = {0};
  while (bytes.len && recall_next(recall, &bytes, &err) == OK) continue;
  if (err.code) printf("%s\n", err.text);
  EXPECT_INT(bytes.len, 0);
}

TEST(other_lanes_would_have_been_slower)
{
  struct recall *recall = recall_new(NULL);
  recall_lanes(recall, LANES_BLOCKS);
  recall_all(recall, record("tail:2"));
  const struct recall_says *was = recall_was(recall), *would = recall_would(recall);
  EXPECT_INT(was->looks, SECONDS);
  EXPECT(was->harm && was->by == GATE_LATENCY && was->lane != LANE_BLOCKS && was->harm_look < 40);
  EXPECT(would->harm && would->lane == LANE_BLOCKS);
  EXPECT_INT(would->harm_look, 119);
  EXPECT_INT(would->harm_ms, 120000);
  recall_free(recall);
}

TEST(a_good_release_stays_good_and_another_plan_is_asked)
{
  struct slice bytes = record("null");
  static struct plan other;
  plan_default(&other, STRATEGY_CANARY);
  other.gates[GATE_ERRORS].off = true;
  struct recall *recall = recall_new(&other);
  recall_all(recall, bytes);
  EXPECT(!recall_was(recall)->harm && !recall_would(recall)->harm);
  EXPECT_INT(recall_would(recall)->looks, SECONDS);
  recall_free(recall);
}

TEST(what_is_no_journal_is_refused)
{
  struct recall *recall = recall_new(NULL);
  struct slice bytes = SLICE("\xff\xff\xff"), look_first = record("null");
  struct err err;
  EXPECT(recall_next(recall, &bytes, &err) == E_INVALID_ARGUMENT && bytes.len == 3);
  struct slice none = SLICE_NONE;
  EXPECT(recall_next(recall, &none, &err) == E_INVALID_ARGUMENT);
  EXPECT(recall_next(recall, &look_first, &err) == OK);
  recall_free(recall);
}
