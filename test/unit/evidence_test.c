/* evidence_test.c - a release replayed from its journal says the same, bit for bit; and a verdict
 * says what it stood on.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "judge/evidence.h"
#include "judge/explain.h"
#include "judge_rig.h"

enum { LOOKS = 200, JOURNAL = 4 << 20, ARENA = 16 << 20 };

static struct trial trial, twin;
static struct look look, seen;
static unsigned char journal[JOURNAL];
static uint64_t prints[LOOKS];
static struct arena arena;

/* Two steps; the candidate turns bad in the second. */
static struct slice live(struct verdict *verdict)
{
  struct plan plan;
  struct baseline baseline = rig_baseline();
  struct varint_out out = {journal, 0, sizeof journal, false};
  struct rand rand;
  if (!arena.max) arena_init(&arena, ARENA, NULL);
  arena_reset(&arena);
  plan_default(&plan, STRATEGY_CANARY);
  rand_seed(&rand, 42);
  evidence_plan(plan_write(&plan, &arena), &out);
  trial_begin(&trial, &plan);
  for (uint32_t i = 0; i < LOOKS; i++) {
    uint32_t step = i >= LOOKS / 2;
    double share = (double)plan.steps[step].weight / PLAN_WHOLE;
    struct rig_arm c = rig_share(rig_healthy, share), b = rig_share(rig_healthy, 1 - share);
    if (i % (LOOKS / 2) == 0) {
      baseline.phi[0][1] += 0.1;
      evidence_step(step, &baseline, &out);
      trial_step_begin(&trial, step, &baseline);
    }
    if (i >= LOOKS * 3 / 4) c.errors = 0.01;
    rig_look(&rand, &look, i, share, &c, &b);
    evidence_look(&look, &out);
    trial_look(&trial, &look, verdict);
    prints[i] = verdict_print(verdict);
  }
  EXPECT(!out.full);
  return (struct slice){(const char *)journal, out.len};
}

TEST(a_replay_has_the_same_bits)
{
  struct verdict verdict;
  struct slice bytes = live(&verdict);
  struct replay replay;
  struct err err;
  bool judged;
  int n = 0;
  replay_init(&replay, &twin, &seen, &arena);
  while (bytes.len) {
    EXPECT_INT(replay_next(&replay, &bytes, &verdict, &judged, &err), OK);
    if (judged) {
      EXPECT(n < LOOKS && verdict_print(&verdict) == prints[n]);
      n++;
    }
  }
  EXPECT_INT(n, LOOKS);
  EXPECT_INT(verdict.kind, VERDICT_HARM);
  EXPECT(memcmp(twin.arms[0].ordinary, trial.arms[0].ordinary, sizeof twin.arms[0].ordinary) == 0);
  EXPECT(twin.harmed == trial.harmed);
}

TEST(a_print_changes_with_any_number)
{
  struct verdict verdict, other;
  live(&verdict);
  other = verdict;
  other.gates[GATE_LATENCY].log_e = nextafter(other.gates[GATE_LATENCY].log_e, 0);
  EXPECT(verdict_print(&verdict) != verdict_print(&other));
  other = verdict;
  other.gates[GATE_COST].x_b++;
  EXPECT(verdict_print(&verdict) != verdict_print(&other));
}

TEST(damaged_journals_are_refused)
{
  struct verdict verdict;
  struct slice whole = live(&verdict);
  struct replay replay;
  struct err err;
  bool judged;
  replay_init(&replay, &twin, &seen, &arena);
  struct slice bytes = whole;
  EXPECT_INT(replay_next(&replay, &bytes, &verdict, &judged, &err), OK);
  struct slice second = bytes;
  EXPECT_INT(replay_next(&replay, &bytes, &verdict, &judged, &err), OK);
  replay_init(&replay, &twin, &seen, &arena);
  EXPECT_INT(replay_next(&replay, &second, &verdict, &judged, &err), E_INVALID_ARGUMENT);
  for (size_t cut = 0; cut < whole.len - bytes.len; cut += 7) {
    struct slice part = {whole.at, cut};
    replay_init(&replay, &twin, &seen, &arena);
    arena_reset(&arena);
    while (replay_next(&replay, &part, &verdict, &judged, &err) == OK) {
    }
    EXPECT_INT(err.code, E_INVALID_ARGUMENT);
  }
}

/* Reads the whole object: it is JSON, with no key twice. */
static bool is_json(struct slice text)
{
  struct json json;
  struct err err;
  struct slice raw;
  json_init(&json, &arena, text, &err);
  if (json_skip(&json, &raw) != OK || json_end(&json) != OK) {
    printf("%s\n", err.text);
    return false;
  }
  return true;
}

TEST(a_harm_is_explained)
{
  struct verdict verdict;
  char text[EXPLAIN_TEXT_MAX];
  live(&verdict);
  EXPECT_INT(verdict.by, GATE_ERRORS);
  size_t len = verdict_sentence(&trial, &verdict, text);
  EXPECT_INT(len, strlen(text));
  EXPECT(strstr(text, "harm: errors ") == text);
  EXPECT(strstr(text, "x stable's [") && strstr(text, "evidence ") && strstr(text, "since second"));
  struct slice ids[] = {SLICE("a-1"), SLICE("b\"2")};
  struct digest spec = sha256_of(SLICE("plan"));
  struct explain_input input = {
      .trial = &trial, .verdict = &verdict, .spec = &spec, .n_samples = 2, .samples = ids};
  struct json_out out;
  json_out_init(&out, &arena, 8192);
  verdict_json(&input, &out);
  EXPECT(!out.full);
  struct slice object = json_out_lend(&out);
  char *copy = arena_print(&arena, "%.*s", (int)object.len, object.at);
  EXPECT(is_json(object));
  EXPECT(strstr(copy, "\"verdict\":\"harm\"") &&
         strstr(copy, "\"gate\":\"errors\",\"state\":\"harm\""));
  EXPECT(strstr(copy, "b\\\"2"));
  json_out_init(&out, &arena, 8192);
  evidence_json(&trial, &out);
  EXPECT(is_json(json_out_lend(&out)));
}

TEST(every_state_of_every_gate_has_words)
{
  struct verdict verdict;
  char text[EXPLAIN_TEXT_MAX];
  live(&verdict);
  for (int gate = 0; gate < GATE_COUNT; gate++)
    for (int state = GATE_IDLE; state <= GATE_HARM; state++)
      for (int lane = 0; lane < LANES; lane++) {
        struct gate_result result = verdict.gates[gate];
        result.state = (enum gate_state)state;
        result.reason = state == GATE_NO_DATA ? WITHOUT_STALE_TALLIES : WITHOUT_NONE;
        result.lane = (enum judge_lane)lane;
        EXPECT(gate_sentence(&trial, &result, text) > 0);
        gate_missing(&trial, &result, text);
        EXPECT((state == GATE_NO_DATA) == (strcmp(text, "the tallies of a node") == 0));
        EXPECT(lane_name(result.lane) != NULL);
      }
  for (int kind = 0; kind <= VERDICT_HARM; kind++) {
    verdict.kind = (enum verdict_kind)kind;
    EXPECT(verdict_sentence(&trial, &verdict, text) > 0);
  }
}

TEST(an_open_gate_says_when_it_would_decide)
{
  struct rand rand;
  struct verdict verdict;
  struct plan plan;
  struct baseline baseline = rig_baseline();
  rand_seed(&rand, 7);
  plan_default(&plan, STRATEGY_CANARY);
  plan.gates[GATE_ERRORS].floor_e8 = 0;
  plan.steps[0].weight = PLAN_WHOLE / 2;
  trial_begin(&trial, &plan);
  trial_step_begin(&trial, 0, &baseline);
  struct rig_arm c = rig_share(rig_healthy, 0.5), b = rig_share(rig_healthy, 0.5);
  c.errors = 0.0002;
  for (uint64_t i = 0; i < 40; i++) {
    rig_look(&rand, &look, i, 0.5, &c, &b);
    trial_look(&trial, &look, &verdict);
  }
  const struct gate_result *gate = &verdict.gates[GATE_ERRORS];
  EXPECT(gate->pass_log_e > 0 && gate->state == GATE_INCONCLUSIVE);
  double in_s = gate_decides_in_s(&trial, gate);
  EXPECT(in_s > 0 && in_s < 3600);
  char text[EXPLAIN_TEXT_MAX];
  gate_missing(&trial, gate, text);
  EXPECT(strstr(text, "at this rate") != NULL);
}
