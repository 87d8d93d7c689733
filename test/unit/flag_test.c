/* flag_test.c - flag files: what is taken, what is refused, and what a flag answers.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "flag/flag.h"

#include "test.h"

#define ON_OFF "\"variants\":{\"on\":true,\"off\":false},\"defaultVariant\":\"off\""

struct fixture {
  struct arena arena;
  struct flags flags;
  struct flag_result result;
  struct err err;
  uint64_t steps;
};

static enum code load(struct fixture *f, const char *text)
{
  f->err = (struct err){0};
  f->steps = FLAG_STEPS_MAX;
  arena_init(&f->arena, 64 << 20, NULL);
  return flags_read(slice_str(text), &f->arena, &f->flags, &f->err);
}

static const struct flag_result *ask(struct fixture *f, const char *key, const char *context)
{
  struct value value = VALUE_OF_NULL;
  const struct flag *flag = flags_find(&f->flags, slice_str(key));
  EXPECT(flag != NULL);
  EXPECT(!context ||
         value_read(slice_str(context), VALUE_SORTED, &f->arena, &value, &f->err) == OK);
  if (flag) flag_evaluate(flag, &value, 1700000000, &f->arena, &f->steps, &f->result);
  return &f->result;
}

static void expect_answer(struct fixture *f, const char *key, const char *context,
                          enum flag_reason reason, const char *variant)
{
  const struct flag_result *result = ask(f, key, context);
  EXPECT_INT(result->error, FLAG_OK);
  EXPECT_STR(flag_reason_name(result->reason), flag_reason_name(reason));
  if (variant)
    EXPECT(slice_eq(result->variant, slice_str(variant)) && result->value);
  else
    EXPECT(!result->variant.at && !result->value);
}

TEST(each_row_of_the_result_table)
{
  struct fixture f;
  EXPECT(load(&f,
              "{\"flags\":{"
              "\"off\":{\"state\":\"DISABLED\"," ON_OFF "},"
              "\"plain\":{\"state\":\"ENABLED\"," ON_OFF "},"
              "\"empty\":{\"state\":\"ENABLED\"," ON_OFF ",\"targeting\":{}},"
              "\"rule\":{\"state\":\"ENABLED\"," ON_OFF
              ",\"targeting\":{\"if\":[{\"var\":\"x\"},\"on\"]}},"
              "\"blank\":{\"state\":\"ENABLED\"," ON_OFF ",\"targeting\":{\"cat\":[]}},"
              "\"none\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1},\"targeting\":"
              "{\"if\":[false,\"a\"]}},"
              "\"nil\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1},\"defaultVariant\":null},"
              "\"bool\":{\"state\":\"ENABLED\",\"variants\":{\"true\":\"t\",\"false\":\"f\"},"
              "\"targeting\":{\"==\":[{\"var\":\"x\"},1]}},"
              "\"num\":{\"state\":\"ENABLED\",\"variants\":{\"2\":\"two\"},\"targeting\":"
              "{\"+\":[1,1]}}}}") == OK);
  EXPECT_INT(f.flags.n, 9);
  EXPECT(flags_check(&f.flags, &f.err) == OK);
  expect_answer(&f, "off", NULL, FLAG_DISABLED, NULL);
  expect_answer(&f, "plain", NULL, FLAG_STATIC, "off");
  expect_answer(&f, "empty", NULL, FLAG_STATIC, "off");
  expect_answer(&f, "rule", "{\"x\":1}", FLAG_TARGETING_MATCH, "on");
  expect_answer(&f, "rule", "{}", FLAG_DEFAULT, "off");
  expect_answer(&f, "blank", NULL, FLAG_DEFAULT, "off");
  expect_answer(&f, "none", NULL, FLAG_DEFAULT, NULL);
  expect_answer(&f, "nil", NULL, FLAG_DEFAULT, NULL);
  expect_answer(&f, "bool", "{\"x\":1}", FLAG_TARGETING_MATCH, "true");
  expect_answer(&f, "bool", "{\"x\":2}", FLAG_TARGETING_MATCH, "false");
  expect_answer(&f, "num", NULL, FLAG_TARGETING_MATCH, "2");
  EXPECT(flags_find(&f.flags, SLICE("nope")) == NULL);
  arena_deinit(&f.arena);
}

TEST(errors_of_an_evaluation)
{
  struct fixture f;
  EXPECT(load(&f,
              "{\"flags\":{"
              "\"split\":{\"state\":\"ENABLED\"," ON_OFF
              ",\"targeting\":{\"fractional\":[[\"on\",1],[\"off\",1]]}},"
              "\"ghost\":{\"state\":\"ENABLED\"," ON_OFF ",\"targeting\":{\"var\":\"x\"}},"
              "\"bad\":{\"state\":\"ENABLED\"," ON_OFF ",\"targeting\":{\"nope\":1}}}}") == OK);
  EXPECT_INT(ask(&f, "split", "{}")->error, FLAG_KEY_MISSING);
  EXPECT_INT(ask(&f, "split", "{\"targetingKey\":\"\"}")->error, FLAG_KEY_MISSING);
  EXPECT_INT(ask(&f, "split", "{\"targetingKey\":\"u\"}")->error, FLAG_OK);
  EXPECT_INT(ask(&f, "ghost", "{\"x\":\"casper\"}")->error, FLAG_GENERAL);
  EXPECT_STR(f.result.details, "targeting chose 'casper', which is none of the variants");
  EXPECT_INT(ask(&f, "ghost", "{\"x\":[1]}")->error, FLAG_GENERAL);
  EXPECT_INT(ask(&f, "ghost", "{\"x\":[]}")->error, FLAG_OK);
  EXPECT_INT(ask(&f, "bad", "{}")->error, FLAG_PARSE_ERROR);
  EXPECT_STR(f.result.details, "flag 'bad', targeting: there is no operator 'nope'");
  f.steps = 1;
  EXPECT_INT(ask(&f, "split", "{\"targetingKey\":\"u\"}")->error, FLAG_GENERAL);
  EXPECT(flags_check(&f.flags, &f.err) == E_INVALID_ARGUMENT);
  arena_deinit(&f.arena);
}

TEST(what_flagd_injects_cannot_be_brought_along)
{
  struct fixture f;
  EXPECT(load(&f,
              "{\"flags\":{\"k\":{\"state\":\"ENABLED\",\"variants\":{\"k\":1,\"x\":2},"
              "\"targeting\":{\"var\":\"$flagd.flagKey\"}},"
              "\"t\":{\"state\":\"ENABLED\",\"variants\":{\"now\":1,\"x\":2},\"targeting\":"
              "{\"if\":[{\"==\":[{\"var\":\"$flagd.timestamp\"},1700000000]},\"now\"]}}}}") == OK);
  static const char forged[] = "{\"$flagd\":{\"flagKey\":\"x\",\"timestamp\":1}}";
  expect_answer(&f, "k", forged, FLAG_TARGETING_MATCH, "k");
  expect_answer(&f, "t", forged, FLAG_TARGETING_MATCH, "now");
  EXPECT(!flags_find(&f.flags, SLICE("k"))->uses_time);
  EXPECT(flags_find(&f.flags, SLICE("t"))->uses_time && f.flags.uses_time);
  arena_deinit(&f.arena);
}

TEST(numbers_stay_as_they_are_written)
{
  struct fixture f;
  struct json_out out;
  EXPECT(load(&f,
              "{\"flags\":{\"n\":{\"state\":\"ENABLED\",\"variants\":{\"a\":1.0,\"b\":1},"
              "\"defaultVariant\":\"a\"}}}") == OK);
  const struct flag_result *result = ask(&f, "n", NULL);
  json_out_init(&out, &f.arena, 16);
  value_write(&out, result->value);
  EXPECT(slice_eq(json_out_lend(&out), SLICE("1.0")));
  arena_deinit(&f.arena);
}

TEST(a_flag_with_a_mistake_is_refused_with_its_place)
{
  static const struct {
    const char *flag, *text;
  } rows[] = {
      {"5", "flag 'f': it is a number, not an object"},
      {"{\"state\":\"on\"," ON_OFF "}",
       "flag 'f', state: 'state' is neither \"ENABLED\" nor \"DISABLED\""},
      {"{\"state\":\"ENABLED\"}",
       "flag 'f', variants: 'variants' is not an object with at least one variant"},
      {"{\"state\":\"ENABLED\",\"variants\":{}}",
       "flag 'f', variants: 'variants' is not an object with at least one variant"},
      {"{\"state\":\"ENABLED\",\"variants\":{\"a\":1,\"b\":\"x\"}}",
       "flag 'f', variants.b: one variant is a number and another a string; all have one type"},
      {"{\"state\":\"ENABLED\",\"variants\":{\"a\":[1]}}",
       "flag 'f', variants.a: a variant is a list; it may be a boolean, string, number or object"},
      {"{\"state\":\"ENABLED\",\"variants\":{\"a\":1},\"defaultVariant\":\"b\"}",
       "flag 'f', defaultVariant: 'defaultVariant' is 'b', which is none of the variants"},
      {"{\"state\":\"ENABLED\"," ON_OFF ",\"targetting\":{}}",
       "flag 'f', targetting: there is no member 'targetting' here"},
      {"{\"state\":\"ENABLED\"," ON_OFF ",\"targeting\":[]}",
       "flag 'f', targeting: 'targeting' is a list, not an object"},
      {"{\"state\":\"ENABLED\"," ON_OFF ",\"metadata\":{\"a\":{}}}",
       "flag 'f', metadata.a: metadata may be booleans, strings and numbers, not an object"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fixture f;
    char text[600];
    snprintf(text, sizeof text, "{\"flags\":{\"f\":%s}}", rows[i].flag);
    EXPECT(load(&f, text) == OK);
    EXPECT(flags_check(&f.flags, &f.err) == E_INVALID_ARGUMENT);
    EXPECT_STR(f.err.text, rows[i].text);
    arena_deinit(&f.arena);
  }
}

TEST(a_file_with_a_mistake_is_refused)
{
  static const char *const rows[] = {"[]",
                                     "{}",
                                     "{\"flags\":[]}",
                                     "{\"flags\":{},\"extra\":1}",
                                     "{\"flags\":{},\"$evaluators\":[]}",
                                     "{\"flags\":{},\"metadata\":{\"a\":null}}",
                                     "{\"flags\":{\"a\":1,\"a\":1}}",
                                     "{\"flags\":{}} x",
                                     ""};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fixture f;
    EXPECT(load(&f, rows[i]) != OK);
    EXPECT(f.err.text[0] != '\0');
    arena_deinit(&f.arena);
  }
  static const char *const keys[] = {"", "a/b", "..", "x\\\\y", "t\\u0009"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    struct fixture f;
    char text[200];
    snprintf(text, sizeof text, "{\"flags\":{\"%s\":{\"state\":\"ENABLED\"," ON_OFF "}}}", keys[i]);
    EXPECT(load(&f, text) == OK);
    EXPECT(flags_check(&f.flags, &f.err) == E_INVALID_ARGUMENT);
    arena_deinit(&f.arena);
  }
}

TEST(an_evaluator_nobody_uses_is_checked_too)
{
  struct fixture f;
  EXPECT(load(&f, "{\"flags\":{},\"$evaluators\":{\"e\":{\"nope\":1}}}") == OK);
  EXPECT(flags_check(&f.flags, &f.err) != OK);
  EXPECT_STR(f.err.field, "$evaluators.e");
  arena_deinit(&f.arena);
}

TEST(the_context_s_targeting_key_is_a_string)
{
  static const struct {
    const char *text;
    bool fine;
  } rows[] = {{"{}", true},
              {"null", true},
              {"{\"targetingKey\":\"\"}", true},
              {"{\"targetingKey\":5}", false},
              {"[]", false},
              {"\"u\"", false}};
  struct arena arena;
  arena_init(&arena, 1 << 20, NULL);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct value value;
    struct err err;
    EXPECT(value_read(slice_str(rows[i].text), VALUE_SORTED, &arena, &value, &err) == OK);
    EXPECT((flag_context_check(&value, &err) == OK) == rows[i].fine);
  }
  arena_deinit(&arena);
}

TEST(yaml_says_the_same_as_json)
{
  static const char yaml[] =
      "flags:\n"
      "  new-ranker:\n"
      "    state: ENABLED\n"
      "    variants: {on: true, off: false}\n"
      "    defaultVariant: off\n"
      "    targeting:\n"
      "      if:\n"
      "        - ends_with: [{var: email}, \"@example.com\"]\n"
      "        - on\n"
      "        - fractional: [[on, 5], [off, 95]]\n"
      "    metadata: {team: search, n: 1.50, id: \"007\", none: 01x}\n"
      "metadata: {}\n";
  static const char json[] =
      "{\"flags\":{\"new-ranker\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},"
      "\"defaultVariant\":\"off\",\"targeting\":{\"if\":[{\"ends_with\":[{\"var\":\"email\"},"
      "\"@example.com\"]},\"on\",{\"fractional\":[[\"on\",5],[\"off\",95]]}]},\"metadata\":"
      "{\"team\":\"search\",\"n\":1.50,\"id\":\"007\",\"none\":\"01x\"}}},\"metadata\":{}}";
  struct arena arena;
  struct value value;
  struct err err = {0};
  struct json_out out;
  arena_init(&arena, 1 << 20, NULL);
  EXPECT(value_read_yaml(slice_str(yaml), &arena, &value, &err) == OK);
  json_out_init(&out, &arena, 64);
  value_write(&out, &value);
  EXPECT(slice_eq(json_out_lend(&out), slice_str(json)));
  EXPECT(value_read_yaml(SLICE("- 1e999\n"), &arena, &value, &err) != OK);
  arena_deinit(&arena);
}

TEST(sorted_trees_of_the_same_meaning_are_the_same_text)
{
  static const char *const texts[] = {"{\"b\":1,\"a\":{\"z\":[1,{\"y\":1,\"x\":2}],\"k\":0}}",
                                      "{ \"a\" : {\"k\":0, \"z\":[1,{\"x\":2,\"y\":1}]},\"b\":1}"};
  char got[2][200];
  struct arena arena;
  arena_init(&arena, 1 << 20, NULL);
  for (int i = 0; i < 2; i++) {
    struct value value;
    struct json_out out;
    EXPECT(value_read(slice_str(texts[i]), VALUE_SORTED, &arena, &value, NULL) == OK);
    json_out_init(&out, &arena, 64);
    value_write(&out, &value);
    snprintf(got[i], sizeof got[i], "%.*s", (int)out.len, out.at);
  }
  EXPECT_STR(got[0], got[1]);
  EXPECT_STR(got[0], "{\"a\":{\"k\":0,\"z\":[1,{\"x\":2,\"y\":1}]},\"b\":1}");
  arena_deinit(&arena);
}

/* How many of 2,000 users get the same variant of both flags. */
static int same_variant(struct fixture *f, const char *one, const char *other)
{
  int same = 0;
  for (int i = 0; i < 2000; i++) {
    char context[64];
    snprintf(context, sizeof context, "{\"targetingKey\":\"user-%d\"}", i);
    struct slice variant = ask(f, one, context)->variant;
    same += slice_eq(variant, ask(f, other, context)->variant);
    if (i % 100 == 99) f->steps = FLAG_STEPS_MAX;
  }
  return same;
}

#define SEEDED(seed)                                                                   \
  "{\"state\":\"ENABLED\"," ON_OFF ",\"targeting\":{\"fractional\":[{\"cat\":[\"" seed \
  "\",{\"var\":\"targetingKey\"}]},[\"on\",1],[\"off\",1]]}}"
#define PLAIN \
  "{\"state\":\"ENABLED\"," ON_OFF ",\"targeting\":{\"fractional\":[[\"on\",1],[\"off\",1]]}}"

TEST(launchdarkly_docs_265_alike_seeds_align_and_others_are_independent)
{
  struct fixture f;
  EXPECT(load(&f, "{\"flags\":{\"a\":" SEEDED("s1") ",\"b\":" SEEDED("s1") ",\"c\":" SEEDED(
                      "s2") ",\"d\":" PLAIN ",\"e\":" PLAIN "}}") == OK);
  EXPECT_INT(same_variant(&f, "a", "b"), 2000);
  int different = same_variant(&f, "a", "c"), by_key = same_variant(&f, "d", "e");
  EXPECT(different > 880 && different < 1120); /* five standard deviations around 1,000 */
  EXPECT(by_key > 880 && by_key < 1120);
  arena_deinit(&f.arena);
}

/* "on" stands first and owns [0, w): raising w adds users and moves none out. */
TEST(vercel_flags_427_a_ramp_moves_nobody_out)
{
  static bool on[500];
  int n_before = 0;
  for (int percent = 0; percent <= 100; percent += 5) {
    struct fixture f;
    char text[300];
    int n = 0;
    snprintf(text, sizeof text,
             "{\"flags\":{\"r\":{\"state\":\"ENABLED\"," ON_OFF
             ",\"targeting\":{\"fractional\":[[\"on\",%d],[\"off\",%d]]}}}}",
             percent, 100 - percent);
    EXPECT(load(&f, text) == OK);
    for (int i = 0; i < 500; i++) {
      char context[64];
      snprintf(context, sizeof context, "{\"targetingKey\":\"user-%d\"}", i);
      bool now = slice_eq(ask(&f, "r", context)->variant, SLICE("on"));
      EXPECT(now || !on[i]);
      on[i] = now;
      n += now;
    }
    EXPECT(n >= n_before);
    n_before = n;
    arena_deinit(&f.arena);
  }
  EXPECT_INT(n_before, 500);
}
