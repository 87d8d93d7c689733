/* plan_test.c - a plan reads back as it was written, and what cannot be carried out is refused with
 * its place and its key.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "judge/plan.h"

static struct arena arena;

static enum code read_text(const char *text, struct plan *plan, struct err *err)
{
  static bool ready;
  if (!ready) arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  ready = true;
  arena_reset(&arena);
  memset(err, 0, sizeof *err);
  return plan_read(plan, slice_str(text), &arena, err);
}

static void refused(int line, const char *text, const char *field, const char *part)
{
  struct plan plan;
  struct err err;
  if (read_text(text, &plan, &err) != E_BAD_CONFIG || strcmp(err.field, field) != 0 ||
      !strstr(err.text, part) || strncmp(err.text, "line ", 5) != 0) {
    printf("%s:%d: field '%s' text '%s', expected field '%s', '%s'\n", __FILE__, line, err.field,
           err.text, field, part);
    test_failures++;
  }
}
#define REFUSED(text, field, part) refused(__LINE__, text, field, part)

/* The plan of the product description. */
static const char product[] =
    "strategy: canary\n"
    "steps:\n"
    "  - shadow:  {for: 24h, requests_min: 1000, approve: true}\n"
    "  - canary:  {traffic: 5%,  for: 10m, requests_min: 2000}\n"
    "  - canary:  {traffic: 10%, for: 10m}\n"
    "  - canary:  {traffic: 50%, for: 10m}\n"
    "  - full:    {keep_previous_warm: 2h}\n"
    "gates:\n"
    "  errors:        {margin: 1.25}\n"
    "  latency:       {quantiles: [50, 90, 99, 99.9], margin: 1.25}\n"
    "  disagreement:  {max: 2%}\n"
    "  memory:        {max_growth: 10%}\n"
    "harm_budget: 500\n"
    "sticky_by: header:X-User-Id\n"
    "on_inconclusive: hold\n";

TEST(the_plan_of_the_product_description)
{
  struct plan plan;
  struct err err;
  EXPECT_INT(read_text(product, &plan, &err), OK);
  EXPECT_INT(plan.n_steps, 4);
  EXPECT_INT(plan.steps[0].kind, STEP_SHADOW);
  EXPECT_INT(plan.steps[0].for_ms, 86400000);
  EXPECT_INT(plan.steps[0].approve_count, 1);
  EXPECT_INT(plan.steps[1].weight, 5000000);
  EXPECT_INT(plan.steps[1].requests_min, 2000);
  EXPECT_INT(plan.steps[3].weight, 50000000);
  EXPECT_INT(plan.keep_previous_warm_ms, 7200000);
  EXPECT_INT(plan.gates[GATE_ERRORS].margin_e6, 1250000);
  EXPECT_INT(plan.gates[GATE_LATENCY].quantiles, 15);
  EXPECT_INT(plan.gates[GATE_DISAGREEMENT].max_e8, 2000000);
  EXPECT_INT(plan.gates[GATE_MEMORY].max_e8, 10000000);
  EXPECT_INT(plan.sticky_by.kind, BY_HEADER);
  EXPECT_STR(plan.sticky_by.name, "x-user-id");
  EXPECT_INT(plan.on_inconclusive, INCONCLUSIVE_HOLD);
}

static const char *const all_of_them[] = {
    product,
    "strategy: now",
    "strategy: shadow",
    "strategy: canary",
    "strategy: bluegreen",
    "strategy: bluegreen\nsteps: [{switch: {holdback: 0%, for: 1m}}]",
    "strategy: ab\nmetric: {name: clicks}",
    "strategy: ab\n"
    "metric: {name: revenue, cap: 1000.5, better: less, users_expected: 20000, maturity: 7d,"
    " covariate: parameter:spent, covariate_cap: 20.25}\n"
    "ab: {arms: [{name: a, traffic: 30%}, {name: stable, traffic: 40.5%}, {name: c, version: 7, "
    "traffic: 29.5%}], users_min: 500, weeks_min: 3}\n"
    "steps: [{ab: {for: 21d, users_min: 500, approve: {count: 2, role: admin}}}]\n",
    "{\"strategy\":\t\"canary\",\n\t\"steps\": [{\"canary\": {\"traffic\": \"0.000001%\", \"for\": "
    "\"90s\","
    " \"users_min\": 7, \"deadline\": \"2m\"}}],\n"
    "\"gates\": {\"errors\": \"off\", \"latency\": {\"quantiles\": [99, 50], \"lanes\": \"blocks\","
    " \"alpha\": 0.000000001, \"on_harm\": \"pause\", \"dry_run\": true}, \"prediction\": "
    "{\"max\": 0.25},"
    " \"sample_ratio\": {\"floor\": \"2%\"}, \"metric\": {\"max_loss\": \"1%\"}, \"cost\": "
    "{\"margin\": 2}},\n"
    "\"metric\": {\"name\": \"m\"}, \"segments\": [\"tenant\", \"parameter:plan\"],\n"
    "\"compare\": {\"by\": \"overlap\", \"k\": 5, \"distance\": 0.125}, \"contract\": "
    "{\"changed\": true},\n"
    "\"pause\": \"drain\", \"rollback\": \"gradual\", \"two_person\": true, \"override_freeze\": "
    "\"it burns \\\"now\\\"\",\n"
    "\"final_step_needs_labels\": true, \"notify\": [\"https://example.org/x\"], \"choose_by\": "
    "\"header:x-arm\",\n"
    "\"on_pause_deadline\": \"abort\", \"warm_up\": \"1500ms\", \"approval_expiry\": \"0s\", "
    "\"alpha_total\": 0.01}",
};

TEST(what_is_written_reads_back_the_same)
{
  for (size_t i = 0; i < sizeof all_of_them / sizeof *all_of_them; i++) {
    struct plan plan, again;
    struct err err;
    EXPECT_INT(read_text(all_of_them[i], &plan, &err), OK);
    if (err.code) printf("%zu: %s\n", i, err.text);
    char text[PLAN_TEXT_MAX], second[PLAN_TEXT_MAX];
    struct slice out = plan_write(&plan, &arena);
    EXPECT(slice_to_str(out, text, sizeof text));
    struct digest hash = plan_hash(&plan, &arena);
    EXPECT_INT(read_text(text, &again, &err), OK);
    if (err.code) printf("%zu: %s\n%s\n", i, err.text, text);
    out = plan_write(&again, &arena);
    EXPECT(slice_to_str(out, second, sizeof second));
    EXPECT_STR(second, text);
    struct digest other = plan_hash(&again, &arena);
    EXPECT(memcmp(&hash, &other, sizeof hash) == 0);
    EXPECT_INT(again.n_steps, plan.n_steps);
    EXPECT(memcmp(again.steps, plan.steps, sizeof plan.steps) == 0);
  }
}

TEST(another_plan_has_another_hash)
{
  struct plan plan;
  struct err err;
  EXPECT_INT(read_text(product, &plan, &err), OK);
  struct digest one = plan_hash(&plan, &arena);
  plan.steps[1].weight++;
  struct digest two = plan_hash(&plan, &arena);
  EXPECT(memcmp(&one, &two, sizeof one) != 0);
}

/* argo-rollouts#1832, flagger#1581: a plan is checked when submitted. */
TEST(unknown_words_are_refused_with_line_and_column)
{
  REFUSED("strategy: canary\ngates:\n  erors: {margin: 1.25}\n", "gates.erors", "line 3, column 3");
  REFUSED("strategy: canary\ngates:\n  erors: on\n", "gates.erors", "did you mean 'errors'");
  REFUSED("strategy: canary\ngate: {}\n", "gate", "unknown key");
  REFUSED("strategy: yolo", "strategy", "canary");
  REFUSED("strategy: canary\ngates: {errors: {marginn: 1}}", "gates.errors.marginn", "unknown key");
  REFUSED("strategy: canary\ngates: {memory: {alpha: 0.1}}", "gates.memory.alpha", "unknown key");
  REFUSED("strategy: canary\ngates: {errors: maybe}", "gates.errors", "on, off");
  REFUSED("strategy: canary\nsteps: [{canari: {}}]", "steps[0].canari", "did you mean 'canary'");
  REFUSED("strategy: canary\nsteps: [{canary: {holdback: 1%}}]", "steps[0].canary.holdback",
          "unknown");
  REFUSED("strategy: canary\nsticky_by: cookie:x", "sticky_by", "header:NAME");
  REFUSED("strategy: canary\nsticky_by: 'header:'", "sticky_by", "names no header");
  REFUSED("steps: []", "", "has no strategy");
  REFUSED("[1]", "", "should be a map");
  REFUSED("strategy: canary\ngates: {latency: {quantiles: [95]}}", "gates.latency.quantiles[0]",
          "50, 90, 99, 99.9");
}

TEST(impossible_numbers_are_refused)
{
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 101%, for: 1m}}]",
          "steps[0].canary.traffic", "at most 100%");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: -5%, for: 1m}}]", "steps[0].canary.traffic",
          "share");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 5, for: 1m}}]", "steps[0].canary.traffic",
          "share");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 99999999999999999999999%, for: 1m}}]",
          "steps[0].canary.traffic", "share");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 5%, for: -10m}}]", "steps[0].canary.for",
          "time");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 5%, for: 400d}}]", "steps[0].canary.for",
          "366d");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 5%, for: 10m, deadline: 5m}}]",
          "steps[0].canary.deadline", "shorter");
  REFUSED("strategy: canary\nharm_budget: -1", "harm_budget", "");
  REFUSED("strategy: canary\nunjudged_max: 0", "unjudged_max", "0");
  REFUSED("strategy: canary\ngates: {errors: {margin: 0.9}}", "gates.errors.margin", "below 1");
  REFUSED("strategy: canary\ngates: {errors: {alpha: 0}}", "gates.errors.alpha", "above 0");
  REFUSED("strategy: canary\ngates: {errors: {margin: 1e3}}", "gates.errors.margin", "number");
  REFUSED("strategy: canary\ngates: {disagreement: {max: 80%}}", "gates.disagreement.max", "70%");
  REFUSED("strategy: canary\ngates: {latency: {slack: 2m}}", "gates.latency.slack",
          "up to 1m");
  REFUSED("strategy: canary\ngates: {latency: {quantiles: []}}", "gates.latency.quantiles",
          "empty");
  REFUSED(
      "strategy: ab\nmetric: {name: m}\nab: {arms: [{name: a, traffic: 60%}, {name: b, traffic: "
      "50%}]}",
      "ab.arms", "110%");
  REFUSED(
      "strategy: ab\nmetric: {name: m}\nab: {arms: [{name: a, traffic: 50%}, {name: a, traffic: "
      "50%}]}",
      "ab.arms[1].name", "two arms");
#define AB "strategy: ab\nmetric: {name: m}\nab: {arms: ["
  REFUSED(AB "{traffic: 50%}, {traffic: 30%}, {traffic: 20%}]}", "ab.arms[2].version", "missing");
  REFUSED(AB "{traffic: 50%}, {traffic: 30%}, {version: 3, traffic: 10%}, {version: 3, traffic: "
             "10%}]}",
          "ab.arms[3].version", "candidate-2");
  REFUSED(AB "{version: 2, traffic: 50%}, {version: 2, traffic: 50%}]}", "ab.arms[1].version",
          "candidate");
  REFUSED(AB "{version: -1, traffic: 50%}, {traffic: 50%}]}", "ab.arms[0].version", "from 0");
  REFUSED(AB "{name: stable, traffic: 50%}, {name: candidate, traffic: 50%}]}", "ab.arms[0].name",
          "write stable second");
  REFUSED(AB "{traffic: 50%}, {traffic: 40%}, {version: 3, traffic: 20%}]}", "ab.arms", "110%");
  REFUSED(AB "{traffic: 20%}, {traffic: 10%}, {version: 3, traffic: 10%}, {version: 4, traffic: "
             "10%}, {version: 5, traffic: 10%}, {version: 6, traffic: 10%}, {version: 7, traffic: "
             "10%}, {version: 8, traffic: 10%}, {version: 9, traffic: 10%}]}",
          "ab.arms", "more than 8");
  REFUSED(AB "{traffic: 40%}, {traffic: 40%}, {version: 3, traffic: 20%}]}\nsteps: [{shadow: {}}, "
             "{ab: {for: 1h}}]",
          "steps[0].shadow", "several");
}

TEST(weights_do_not_fall_and_steps_can_decide)
{
  REFUSED(
      "strategy: canary\nsteps:\n- canary: {traffic: 10%, for: 1m}\n- canary: {traffic: 5%, for: "
      "1m}\n",
      "steps[1].canary.traffic", "line 4, column");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 0%, for: 1m}}]", "steps[0].canary.traffic",
          "never decide");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 100%, for: 1m}}]",
          "steps[0].canary.traffic", "never decide");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 5%}}]", "steps[0].canary", "say `for`");
  REFUSED("strategy: canary\nsteps: []", "steps", "empty");
  REFUSED("strategy: now\nsteps: [{canary: {traffic: 5%, for: 1m}}]", "steps[0].canary",
          "strategy");
  REFUSED("strategy: canary\nsteps: [{full: {}}, {canary: {traffic: 5%, for: 1m}}]", "steps[0]",
          "last");
  REFUSED("strategy: canary\nsteps: [{canary: {traffic: 5%, for: 1m}}, {shadow: {}}]",
          "steps[1].shadow", "come first");
  REFUSED("strategy: canary\nfinal_step_needs_labels: true", "final_step_needs_labels", "metric");
  REFUSED("strategy: canary\nmetric: {name: clicks}\ngates: {metric: off}\n"
          "final_step_needs_labels: true", "final_step_needs_labels", "gate 'metric'");
  REFUSED("strategy: shadow\nmetric: {name: clicks}\nfinal_step_needs_labels: true",
          "final_step_needs_labels", "shadow");
  REFUSED("strategy: canary\nmetric: {name: m, covariate: tenant}", "metric.covariate", "number");
  REFUSED("strategy: canary\nmetric: {name: m, covariate: header:x, covariate_cap: 0}",
          "metric.covariate_cap", "above 0");
  REFUSED("strategy: canary\ngates: {calibration: on}", "gates.calibration", "metric");
  REFUSED("strategy: canary\nmetric: {name: m}\ngates: {calibration: {max: 50%}}",
          "gates.calibration.max", "below 50%");
  REFUSED("strategy: ab", "metric", "missing");
}

TEST(alphas_over_the_total_are_refused)
{
  struct plan plan;
  struct err err;
  EXPECT_INT(read_text("strategy: canary\nmetric: {name: m}\nsegments: [tenant]\n"
                       "gates: {segments: {on_harm: rollback}}",
                       &plan, &err),
             OK);
  EXPECT_INT(plan_alpha_e9(&plan), 5000000); /* the table of the contract, to the last digit */
  REFUSED(
      "strategy: canary\nmetric: {name: m}\nsegments: [tenant]\n"
      "gates: {segments: {on_harm: rollback, alpha: 0.001}}",
      "alpha_total", "0.005");
  REFUSED("strategy: canary\ngates: {errors: {alpha: 0.01}}", "alpha_total", "0.005");
  EXPECT_INT(
      read_text("strategy: canary\ngates: {errors: {alpha: 0.01, on_harm: pause}}", &plan, &err),
      OK);
}

TEST(the_default_plan_is_fit)
{
  for (int i = 0; i < STRATEGY_COUNT; i++) {
    struct plan plan;
    struct err err;
    plan_default(&plan, (enum strategy)i);
    if (i == STRATEGY_AB) plan.metric.name[0] = 'm';
    EXPECT_INT(plan_check(&plan, &err), OK);
  }
  struct plan plan;
  plan_default(&plan, STRATEGY_CANARY);
  EXPECT_INT(plan.n_steps, 3);
  EXPECT_INT(plan_weight(&plan, 0, ARM_CANDIDATE), 5000000);
  EXPECT_INT(plan_weight(&plan, 0, ARM_STABLE), 95000000);
  EXPECT_INT(plan_weight(&plan, 3, ARM_CANDIDATE), PLAN_WHOLE);
  EXPECT_INT(plan_horizon_looks(&plan), 30 * 60 + 3600);
  EXPECT(!plan_is_risky(&plan, NULL));
  plan.gates[GATE_LATENCY].off = true;
  EXPECT(plan_is_risky(&plan, NULL));
}

/* Hostile text of every kind ends in an error, never in a crash: each prefix and each flipped byte
 * of a long plan. */
TEST(cut_and_changed_plans_never_crash)
{
  const char *text = all_of_them[8];
  size_t len = strlen(text);
  char copy[4096];
  struct plan plan;
  struct err err;
  for (size_t i = 0; i < len; i++) {
    memcpy(copy, text, len + 1);
    copy[i] = '\0';
    (void)read_text(copy, &plan, &err);
    memcpy(copy, text, len + 1);
    copy[i] = (char)(copy[i] ^ 1);
    if (read_text(copy, &plan, &err) == OK) EXPECT_INT(plan_check(&plan, &err), OK);
  }
}

/* The canonical plan says at which age outcomes are judged, also where nobody said it. */
TEST(the_canonical_plan_says_the_maturity)
{
  static const char *const texts[] = {
      "strategy: canary\nmetric: {name: clicks}\n",
      "strategy: canary\nmetric: {name: clicks, maturity: 0s}\n",
      "strategy: canary\nmetric: {name: clicks, maturity: 5m}\n"};
  static const char *const want[] = {"1m", "1m", "5m"};
  for (int i = 0; i < 3; i++) {
    struct arena scratch;
    struct plan plan, again;
    struct err why;
    arena_init(&scratch, PLAN_ARENA_BYTES, NULL);
    EXPECT_INT(plan_read(&plan, slice_str(texts[i]), &scratch, &why), OK);
    EXPECT_INT(plan.metric.maturity_ms, i < 2 ? 60000 : 300000);
    struct slice text = plan_write(&plan, &scratch);
    char part[40];
    snprintf(part, sizeof part, "\"maturity\":\"%s\"", want[i]);
    EXPECT(memmem(text.at, text.len, part, strlen(part)) != NULL);
    EXPECT_INT(plan_read(&again, text, &scratch, &why), OK);
    EXPECT_INT(again.metric.maturity_ms, plan.metric.maturity_ms);
    arena_deinit(&scratch);
  }
}
