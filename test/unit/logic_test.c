/* logic_test.c - targeting rules: each operator, the bounds, what is refused.
 * The tables were checked against json-logic-js and flagd's own evaluator when they were written.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "flag/eval.h"

#include "flag/number.h"
#include "flag/semver.h"
#include "test.h"

static const char DATA[] =
    "{\"a\":1,\"b\":\"abc\",\"l\":[1,\"2\",3,null,[4,5]],\"m\":{\"x\":5,\"y\":\"q\"},\"s\":\"\","
    "\"n\":null,\"z\":0,\"targetingKey\":\"user-1\",\"big\":[3,1,2]}";

struct run {
  struct arena arena;
  struct err err;
  enum eval_fault fault;
  char text[4096];
};

/* The rule's value as JSON; "refused" or "fault" where there is none. */
static const char *run_with(struct run *run, const char *rule, const char *evaluators,
                            uint64_t steps)
{
  struct value value, data, refs = VALUE_OF_NULL;
  struct logic logic;
  struct logic_facts facts = {0};
  arena_init(&run->arena, 16 << 20, NULL);
  snprintf(run->text, sizeof run->text, "refused");
  run->err = (struct err){0};
  EXPECT(value_read(slice_str(DATA), VALUE_SORTED, &run->arena, &data, &run->err) == OK);
  EXPECT(!evaluators ||
         value_read(slice_str(evaluators), VALUE_AS_WRITTEN, &run->arena, &refs, &run->err) == OK);
  if (value_read(slice_str(rule), VALUE_AS_WRITTEN, &run->arena, &value, &run->err) == OK &&
      logic_make(&value, &refs, &run->arena, &facts, &logic, &run->err) == OK) {
    struct eval eval = {
        .arena = &run->arena, .steps = steps, .flag_key = SLICE("headerColor"), .context = &data};
    struct value result = eval_run(&eval, &logic);
    struct json_out out;
    run->fault = eval.fault;
    json_out_init(&out, &run->arena, 64);
    value_write(&out, &result);
    snprintf(run->text, sizeof run->text, "%.*s", (int)out.len, out.at);
    if (eval.fault) snprintf(run->text, sizeof run->text, "fault");
  }
  arena_deinit(&run->arena);
  return run->text;
}

static void expect_rows(const char *const rows[][2], size_t n)
{
  struct run run;
  for (size_t i = 0; i < n; i++) {
    const char *got = run_with(&run, rows[i][0], NULL, 100000);
    if (strcmp(got, rows[i][1]) != 0) printf("  rule %s\n", rows[i][0]);
    EXPECT_STR(got, rows[i][1]);
  }
}
#define EXPECT_ROWS(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

TEST(values_that_are_no_rules_are_themselves)
{
  static const char *const rows[][2] = {
      {"true", "true"},
      {"1.50", "1.50"},
      {"\"x\"", "\"x\""},
      {"[1,{\"+\":[1,1]}]", "[1,2]"},
      {"{}", "{}"},
      {"null", "null"},
      {"{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}"},
  };
  EXPECT_ROWS(rows);
}

TEST(equality_converts_and_identity_does_not)
{
  static const char *const rows[][2] = {
      {"{\"==\":[1,\"1\"]}", "true"},
      {"{\"===\":[1,\"1\"]}", "false"},
      {"{\"==\":[0,\"\"]}", "true"},
      {"{\"==\":[0,null]}", "false"},
      {"{\"==\":[null,null]}", "true"},
      {"{\"==\":[true,\"1\"]}", "true"},
      {"{\"==\":[true,\"true\"]}", "false"},
      {"{\"==\":[[1,2],\"1,2\"]}", "true"},
      {"{\"==\":[[],0]}", "true"},
      {"{\"==\":[[],[]]}", "false"},
      {"{\"==\":[{\"var\":\"m\"},{\"var\":\"m\"}]}", "true"},
      {"{\"!=\":[1,\"2\"]}", "true"},
      {"{\"!==\":[1,1.0]}", "false"},
      {"{\"==\":[\"0x1f\",31]}", "true"},
      {"{\"==\":[\" 7 \",7]}", "true"},
      {"{\"==\":[\"7x\",7]}", "false"},
  };
  EXPECT_ROWS(rows);
}

TEST(order_of_numbers_and_texts)
{
  static const char *const rows[][2] = {
      {"{\"<\":[1,2]}", "true"},      {"{\"<\":[1,2,3]}", "true"},
      {"{\"<\":[1,3,2]}", "false"},   {"{\"<=\":[1,1,1]}", "true"},
      {"{\">\":[\"10\",9]}", "true"}, {"{\">\":[\"10\",\"9\"]}", "false"},
      {"{\">=\":[null,0]}", "true"},  {"{\"<\":[\"a\",1]}", "false"},
      {"{\">\":[\"a\",1]}", "false"}, {"{\"<\":[\"a\",\"b\"]}", "true"},
      {"{\"<\":[1]}", "false"},
  };
  EXPECT_ROWS(rows);
}

TEST(truth_is_jsonlogic_s_own)
{
  static const char *const rows[][2] = {
      {"{\"!!\":[[]]}", "false"},           {"{\"!!\":[[0]]}", "true"}, {"{\"!!\":\"0\"}", "true"},
      {"{\"!!\":\"\"}", "false"},           {"{\"!!\":0}", "false"},    {"{\"!\":null}", "true"},
      {"{\"!!\":{\"var\":\"m\"}}", "true"}, {"{\"!\":[]}", "true"},
  };
  EXPECT_ROWS(rows);
}

TEST(choices_run_only_what_they_need)
{
  static const char *const rows[][2] = {
      {"{\"if\":[true,\"a\",\"b\"]}", "\"a\""},
      {"{\"if\":[false,\"a\",0,\"b\",\"c\"]}", "\"c\""},
      {"{\"if\":[false,\"a\"]}", "null"},
      {"{\"if\":[\"x\"]}", "\"x\""},
      {"{\"if\":[]}", "null"},
      {"{\"?:\":[1,2,3]}", "2"},
      {"{\"and\":[1,0,2]}", "0"},
      {"{\"and\":[1,2]}", "2"},
      {"{\"or\":[0,\"\",3]}", "3"},
      {"{\"or\":[0,\"\"]}", "\"\""},
      {"{\"and\":[]}", "null"},
  };
  EXPECT_ROWS(rows);
}

TEST(arithmetic)
{
  static const char *const rows[][2] = {
      {"{\"+\":[\"3.14abc\",1]}", "4.140000000000001"}, /* as floats have it */
      {"{\"+\":[\".5\",1]}", "1.5"},
      {"{\"+\":[]}", "0"},
      {"{\"+\":\"7\"}", "7"},
      {"{\"+\":[null,1]}", "null"},
      {"{\"-\":[5]}", "-5"},
      {"{\"-\":[\"5\",3]}", "2"},
      {"{\"*\":[2,3,4]}", "24"},
      {"{\"*\":[\"x\"]}", "\"x\""},
      {"{\"/\":[1,0]}", "null"},
      {"{\"%\":[-7,3]}", "-1"},
      {"{\"%\":[7.5,2]}", "1.5"},
      {"{\"min\":[3,\"1\",2]}", "1"},
      {"{\"max\":[]}", "null"},
      {"{\"max\":[1,\"x\"]}", "null"},
  };
  EXPECT_ROWS(rows);
}

TEST(texts)
{
  static const char *const rows[][2] = {
      {"{\"cat\":[\"I love\",\" pie\"]}", "\"I love pie\""},
      {"{\"cat\":[1,true,null,[2,[3,null]],1e21,{\"var\":\"m\"}]}",
       "\"1true2,3,1e+21[object Object]\""},
      {"{\"substr\":[\"jsonlogic\",4]}", "\"logic\""},
      {"{\"substr\":[\"jsonlogic\",-5]}", "\"logic\""},
      {"{\"substr\":[\"jsonlogic\",1,3]}", "\"son\""},
      {"{\"substr\":[\"jsonlogic\",4,-2]}", "\"log\""},
      {"{\"substr\":[\"größe\",2,2]}", "\"\xc3\xb6\xc3\x9f\""},
      {"{\"substr\":[\"abc\",9]}", "\"\""},
      {"{\"in\":[\"Spring\",\"Springfield\"]}", "true"},
      {"{\"in\":[1,\"2010\"]}", "true"},
      {"{\"in\":[1,[1,2]]}", "true"},
      {"{\"in\":[\"1\",[1,2]]}", "false"},
      {"{\"in\":[\"x\",null]}", "false"},
  };
  EXPECT_ROWS(rows);
}

TEST(the_context_is_read)
{
  static const char *const rows[][2] = {
      {"{\"var\":\"m.x\"}", "5"},
      {"{\"var\":[\"nope\",7]}", "7"},
      {"{\"var\":[\"n\",7]}", "null"},
      {"{\"var\":[\"n.x\",7]}", "7"},
      {"{\"var\":\"l.1\"}", "\"2\""},
      {"{\"var\":\"l.4.0\"}", "4"},
      {"{\"var\":\"l.99\"}", "null"},
      {"{\"map\":[{\"var\":\"big\"},{\"var\":\"\"}]}", "[3,1,2]"},
      {"{\"missing\":[\"a\",\"s\",\"n\",\"q\"]}", "[\"s\",\"n\",\"q\"]"},
      {"{\"missing\":{\"merge\":[[\"a\"],\"q\"]}}", "[\"q\"]"},
      {"{\"missing_some\":[1,[\"a\",\"q\"]]}", "[]"},
      {"{\"missing_some\":[2,[\"a\",\"q\"]]}", "[\"q\"]"},
  };
  EXPECT_ROWS(rows);
}

TEST(lists)
{
  static const char *const rows[][2] = {
      {"{\"map\":[[1,2],{\"*\":[{\"var\":\"\"},2]}]}", "[2,4]"},
      {"{\"map\":[7,1]}", "[]"},
      {"{\"filter\":[{\"var\":\"big\"},{\">\":[{\"var\":\"\"},1]}]}", "[3,2]"},
      {"{\"reduce\":[{\"var\":\"big\"},{\"+\":[{\"var\":\"current\"},{\"var\":\"accumulator\"}]},0]"
       "}",
       "6"},
      {"{\"reduce\":[null,1,5]}", "5"},
      {"{\"all\":[[],true]}", "false"},
      {"{\"all\":[[1,2],{\">\":[{\"var\":\"\"},0]}]}", "true"},
      {"{\"none\":[[],true]}", "true"},
      {"{\"some\":[[1,2],{\">\":[{\"var\":\"\"},1]}]}", "true"},
      {"{\"merge\":[[1],2,[[3]]]}", "[1,2,[3]]"},
      {"{\"log\":\"x\"}", "\"x\""},
  };
  EXPECT_ROWS(rows);
}

TEST(flagd_s_operators)
{
  static const char *const rows[][2] = {
      {"{\"starts_with\":[\"abc\",\"ab\"]}", "true"},
      {"{\"ends_with\":[\"me@faas.com\",\"@faas.com\"]}", "true"},
      {"{\"ends_with\":[\"com\",\"@faas.com\"]}", "false"},
      {"{\"starts_with\":[1,\"1\"]}", "null"},
      {"{\"sem_ver\":[\"1.2.3\",\"=\",\"v1.2.3+build\"]}", "true"},
      {"{\"sem_ver\":[\"1.2.3-rc.2\",\"<\",\"1.2.3-rc.10\"]}", "true"},
      {"{\"sem_ver\":[\"1.2.3-rc\",\"<\",\"1.2.3\"]}", "true"},
      {"{\"sem_ver\":[\"1.9\",\"<\",\"1.10.0\"]}", "true"},
      {"{\"sem_ver\":[2.1,\">=\",\"2.1.0\"]}", "true"},
      {"{\"sem_ver\":[\"1.2.3\",\"^\",\"1.9.0\"]}", "true"},
      {"{\"sem_ver\":[\"1.2.3\",\"~\",\"1.2.9\"]}", "true"},
      {"{\"sem_ver\":[\"1.2.3\",\"~\",\"1.3.0\"]}", "false"},
      {"{\"sem_ver\":[\"1.2.3\",\"!=\",\"1.2.3\"]}", "false"},
      {"{\"sem_ver\":[\"01.2.3\",\"=\",\"1.2.3\"]}", "null"},
      {"{\"sem_ver\":[\"1.2.3.4\",\"=\",\"1.2.3\"]}", "null"},
      {"{\"sem_ver\":[\"x1\",\"=\",\"1\"]}", "null"},
      {"{\"sem_ver\":[\"1.2.3\",\"?\",\"1.2.3\"]}", "null"},
  };
  EXPECT_ROWS(rows);
}

/* From the assignment vectors, which no upgrade may change: seed headerColor, four quarters. */
TEST(flagd_1909_an_upgrade_moves_nobody)
{
  static const char quarters[] = "[\"r\",25],[\"b\",25],[\"g\",25],[\"y\",25]";
  static const struct {
    const char *key, *arm;
  } rows[] = {
      {"rachel@faas.com", "\"b\""}, {"monica@faas.com", "\"y\""}, {"joey@faas.com", "\"r\""}};
  struct run run;
  char rule[400];
  for (size_t i = 0; i < 3; i++) {
    snprintf(rule, sizeof rule, "{\"fractional\":[\"headerColor%s\",%s]}", rows[i].key, quarters);
    EXPECT_STR(run_with(&run, rule, NULL, 100), rows[i].arm);
    snprintf(rule, sizeof rule, "{\"fractional\":[{\"cat\":[\"headerColor\",\"%s\"]},%s]}",
             rows[i].key, quarters);
    EXPECT_STR(run_with(&run, rule, NULL, 100), rows[i].arm);
  }
  static const char *const more[][2] = {
      {"{\"fractional\":[\"kabcde\",[\"a\",1],[\"b\",2],[\"c\",3],[\"d\",4]]}", "\"d\""},
      {"{\"fractional\":[\"schl\u00fcsselgr\u00f6\u00dfe-\u03c0\",[\"a\"],[\"b\",null],[\"c\",1]]}",
       "\"b\""},
      {"{\"fractional\":[\"biguser-7\",[\"a\",2147483646],[\"b\",1]]}", "\"a\""},
      {"{\"fractional\":[\"fraud/17user-1\",[\"c\",5000000],[\"s\",95000000]]}", "\"s\""},
      {"{\"fractional\":[\"fraud/17user-2\",[\"c\",5000000],[\"s\",95000000]]}", "\"c\""},
      {"{\"fractional\":[\"x\",[\"a\",0]]}", "null"},
      {"{\"fractional\":[\"x\",[\"a\",{\"-\":[5]}],[\"b\",{\"+\":[1,1]}]]}", "\"b\""},
      {"{\"fractional\":[\"x\",[\"a\",{\"/\":[1,2]}]]}", "null"},
      {"{\"fractional\":[{\"var\":\"b\"},[true,1]]}", "true"},
      {"{\"fractional\":[{\"var\":\"nope\"},[\"a\",1]]}", "null"},
  };
  EXPECT_ROWS(more);
}

TEST(fractional_without_a_key_says_so)
{
  struct run run;
  EXPECT_STR(run_with(&run, "{\"fractional\":[[\"a\"],[\"b\"]]}", NULL, 100), "\"b\"");
  EXPECT_STR(run_with(&run, "{\"map\":[[1],{\"fractional\":[[\"a\",1]]}]}", NULL, 100), "[\"a\"]");
  struct eval eval = {.steps = 100, .context = &(struct value){.kind = VALUE_MAP}};
  struct value rule = VALUE_OF_NULL;
  struct logic logic;
  struct logic_facts facts = {0};
  struct arena arena;
  arena_init(&arena, 1 << 20, NULL);
  eval.arena = &arena;
  EXPECT(value_read(SLICE("{\"fractional\":[[\"a\"]]}"), VALUE_AS_WRITTEN, &arena, &rule, NULL) ==
         OK);
  EXPECT(logic_make(&rule, NULL, &arena, &facts, &logic, NULL) == OK);
  (void)eval_run(&eval, &logic);
  EXPECT_INT(eval.fault, EVAL_KEY_MISSING);
  arena_deinit(&arena);
}

TEST(what_cannot_work_is_refused_when_it_is_set)
{
  static const char *const rows[][2] = {
      {"{\"nope\":1}", "there is no operator 'nope'"},
      {"{\"if\":[{\"Var\":\"x\"},1,2]}", "there is no operator 'Var'"},
      {"{\"==\":[1,2,3]}", "'==' has 3 arguments, it takes 1 to 2"},
      {"{\"sem_ver\":[1,2]}", "'sem_ver' has 2 arguments, it takes 3 to 3"},
      {"{\"fractional\":[]}", "'fractional' has 0 arguments, it takes at least 1"},
      {"{\"fractional\":[[\"a\",-1]]}",
       "a weight of 'fractional' is not a whole number from 0 to 2147483647"},
      {"{\"fractional\":[[\"a\",1.5]]}",
       "a weight of 'fractional' is not a whole number from 0 to 2147483647"},
      {"{\"fractional\":[[\"a\",2147483647],[\"b\",1]]}",
       "the weights of a 'fractional' add up to 2147483648, over 2147483647"},
      {"{\"fractional\":[[\"a\",1],\"b\"]}",
       "'fractional' takes pairs like [\"on\", 5], and only its first argument may be a text to "
       "bucket by"},
      {"{\"$ref\":\"who\"}", "$evaluators has no 'who' that $ref asks for"},
      {"{\"$ref\":5}", "'$ref' is a number, it takes a name of $evaluators"},
  };
  struct run run;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    EXPECT_STR(run_with(&run, rows[i][0], NULL, 100), "refused");
    EXPECT_STR(run.err.text, rows[i][1]);
  }
}

TEST(references_are_put_in_place_and_circles_refused)
{
  static const char refs[] =
      "{\"isA\":{\"==\":[{\"var\":\"a\"},1]},\"both\":{\"and\":[{\"$ref\":\"isA\"},true]},"
      "\"me\":{\"!\":{\"$ref\":\"me\"}},\"ring\":{\"$ref\":\"ring\"}}";
  struct run run;
  EXPECT_STR(run_with(&run, "{\"if\":[{\"$ref\":\"both\"},\"y\",\"n\"]}", refs, 100), "\"y\"");
  EXPECT_STR(run_with(&run, "{\"$ref\":\"me\"}", refs, 100), "refused");
  EXPECT_INT(run.err.code, E_JSON_TOO_DEEP);
  EXPECT_STR(run_with(&run, "{\"$ref\":\"ring\"}", refs, 100), "refused");
  EXPECT_INT(run.err.code, E_JSON_TOO_DEEP);
}

static char *nested(int depth, const char *open, const char *close)
{
  static char text[8192];
  size_t at = 0;
  for (int i = 0; i < depth; i++) at += (size_t)snprintf(text + at, sizeof text - at, "%s", open);
  at += (size_t)snprintf(text + at, sizeof text - at, "1");
  for (int i = 0; i < depth; i++) at += (size_t)snprintf(text + at, sizeof text - at, "%s", close);
  return text;
}

TEST(a_rule_is_32_levels_deep_at_most)
{
  struct run run;
  EXPECT_STR(run_with(&run, nested(32, "{\"!\":", "}"), NULL, 100), "true");
  EXPECT_STR(run_with(&run, nested(33, "{\"!\":", "}"), NULL, 100), "refused");
  EXPECT_INT(run.err.code, E_JSON_TOO_DEEP);
  EXPECT_STR(run_with(&run, nested(16, "{\"+\":[", "]}"), NULL, 100), "1");
  EXPECT_STR(run_with(&run, nested(17, "{\"+\":[", "]}"), NULL, 100), "refused");
}

TEST(references_that_multiply_are_refused_at_10000_nodes)
{
  char refs[2048] = "{\"r0\":true";
  size_t at = strlen(refs);
  for (int i = 1; i < 14; i++)
    at += (size_t)snprintf(refs + at, sizeof refs - at,
                           ",\"r%d\":{\"or\":[{\"$ref\":\"r%d\"},{\"$ref\":\"r%d\"}]}", i, i - 1,
                           i - 1);
  snprintf(refs + at, sizeof refs - at, "}");
  struct run run;
  EXPECT_STR(run_with(&run, "{\"$ref\":\"r5\"}", refs, 1000), "true");
  EXPECT_STR(run_with(&run, "{\"$ref\":\"r13\"}", refs, 100), "refused");
}

TEST(an_evaluation_has_a_budget_of_steps_and_bytes)
{
  static const char squares[] =
      "{\"map\":[{\"var\":\"big\"},{\"map\":[{\"merge\":[[1,2,3,4,5],[6,7]]},{\"var\":\"\"}]}]}";
  struct run run;
  EXPECT_STR(run_with(&run, squares, NULL, 20), "fault");
  EXPECT_INT(run.fault, EVAL_STEPS);
  EXPECT(strcmp(run_with(&run, squares, NULL, 200), "fault") != 0);
  /* A text that doubles with every item ends at the arena's cap. */
  static const char doubling[] =
      "{\"reduce\":[[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"
      "{\"cat\":[{\"var\":\"accumulator\"},{\"var\":\"accumulator\"}]},\"xy\"]}";
  EXPECT_STR(run_with(&run, doubling, NULL, UINT64_MAX / 2), "fault");
  EXPECT_INT(run.fault, EVAL_MEMORY);
  /* So does a list that holds itself, one level more with every item. */
  static const char deeper[] =
      "{\"cat\":[{\"reduce\":[{\"merge\":[{\"var\":\"l\"},{\"var\":\"l\"}]},"
      "[[{\"var\":\"accumulator\"}]],0]}]}";
  EXPECT_STR(run_with(&run, deeper, NULL, 10000), "\"0\"");
}

TEST(numbers_are_written_as_ecmascript_does)
{
  static const struct {
    double number;
    const char *text;
  } rows[] = {{0, "0"},
              {-0.0, "0"},
              {100000, "100000"},
              {1e21, "1e+21"},
              {1e-6, "0.000001"},
              {1e-7, "1e-7"},
              {-1.5, "-1.5"},
              {123456789012, "123456789012"},
              {1.25e300, "1.25e+300"},
              {5e-324, "5e-324"},
              {0.1, "0.1"},
              {1e20, "100000000000000000000"},
              {NAN, "NaN"},
              {-INFINITY, "-Infinity"}};
  char text[NUMBER_TEXT_MAX];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    text[number_text(rows[i].number, text)] = '\0';
    EXPECT_STR(text, rows[i].text);
  }
}

TEST(texts_are_read_as_numbers_the_same_way)
{
  EXPECT(number_of_text(SLICE(" 12 ")) == 12 && number_of_text(SLICE("")) == 0);
  EXPECT(number_of_text(SLICE("0x1F")) == 31 && number_of_text(SLICE("0b101")) == 5);
  EXPECT(number_of_text(SLICE("+1.")) == 1 && number_of_text(SLICE("-.5")) == -0.5);
  EXPECT(isnan(number_of_text(SLICE("1x"))) && isnan(number_of_text(SLICE("."))));
  EXPECT(isinf(number_of_text(SLICE("1e999"))) && number_of_text(SLICE("1e-999")) == 0);
  EXPECT(number_of_text(SLICE("-Infinity")) < 0 && isnan(number_of_text(SLICE("infinity"))));
  EXPECT(number_prefix(SLICE(" 3.5px")) == 3.5 && number_prefix(SLICE("1e")) == 1);
  EXPECT(isnan(number_prefix(SLICE("px3"))) && isnan(number_prefix(SLICE(""))));
}
