/* yaml_test.c - configuration documents: CF-101 and CF-103 with line and column.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/yaml.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

static struct arena arena;
static struct err err;

static const struct yaml *parse(struct slice text)
{
  const struct yaml *root;
  arena_deinit(&arena);
  arena_init(&arena, 8 << 20, NULL);
  err = (struct err){0};
  char *exact = grab(text.len ? text.len : 1);
  if (text.len) memcpy(exact, text.at, text.len);
  enum code code = yaml_parse(slice_of(exact, text.len), &arena, &root, &err);
  EXPECT((code == OK) == (root != NULL));
  ungrab(exact);
  return root;
}

static const char config[] =
    "# slipway\n"
    "serve:\n"
    "  listen: 0.0.0.0:8000   # where\n"
    "  drain: 30s\n"
    "  body_max: 64MiB\n"
    "  loops: 4\n"
    "  ratio: 0.25\n"
    "  on: true\n"
    "  quoted: \"12\"\n"
    "  nothing:\n"
    "  tilde: ~\n"
    "  mode: warn\n"
    "list:\n"
    "  - a\n"
    "  - {b: c, d: [1, 2]}\n"
    "text: |\n"
    "  two\n"
    "  lines\n";

TEST(yaml_tree)
{
  const struct yaml *root = parse(SLICE(config));
  EXPECT(root && root->kind == YAML_MAP && root->n == 3);
  const struct yaml *listen = yaml_path(root, "serve.listen");
  EXPECT(listen && slice_eq(listen->text, SLICE("0.0.0.0:8000")));
  EXPECT(listen && listen->line == 3 && listen->column == 11 && listen->key_line == 3 &&
         listen->key_column == 3);
  const struct yaml *list = yaml_get(root, "list");
  EXPECT(list && list->kind == YAML_LIST && list->n == 2);
  EXPECT(slice_eq(list->first->text, SLICE("a")));
  const struct yaml *two = yaml_path(list->first->next, "d");
  EXPECT(two && two->kind == YAML_LIST && slice_eq(two->first->next->text, SLICE("2")));
  EXPECT(two->line == 15 && two->column == 15);
  EXPECT(slice_eq(yaml_get(root, "text")->text, SLICE("two\nlines\n")));
  EXPECT(yaml_path(root, "serve.nothing")->kind == YAML_NULL);
  EXPECT(yaml_path(root, "serve.tilde")->kind == YAML_NULL);
  EXPECT(yaml_path(root, "serve.absent") == NULL && yaml_path(root, "list.a") == NULL);
  EXPECT(yaml_path(NULL, "a") == NULL && yaml_get(NULL, "a") == NULL);
  EXPECT(yaml_path(root, "") == root);
}

TEST(yaml_typed_reading)
{
  const struct yaml *root = parse(SLICE(config)), *serve = yaml_get(root, "serve");
  struct slice s = SLICE("old");
  bool yes = false;
  int64_t i = 7, us = 7;
  uint64_t bytes = 7;
  double ratio = 7;
  int word = 7;
  static const char *const modes[] = {"off", "warn", "require", NULL};
  EXPECT_INT(yaml_string(yaml_get(serve, "listen"), &s, &err), OK);
  EXPECT(slice_eq(s, SLICE("0.0.0.0:8000")));
  EXPECT_INT(yaml_bool(yaml_get(serve, "on"), &yes, &err), OK);
  EXPECT_INT(yaml_int(yaml_get(serve, "loops"), 1, 64, &i, &err), OK);
  EXPECT_INT(yaml_number(yaml_get(serve, "ratio"), 0, 1, &ratio, &err), OK);
  EXPECT_INT(yaml_duration(yaml_get(serve, "drain"), 0, INT64_MAX, &us, &err), OK);
  EXPECT_INT(yaml_bytes(yaml_get(serve, "body_max"), 0, UINT64_MAX, &bytes, &err), OK);
  EXPECT_INT(yaml_word(yaml_get(serve, "mode"), modes, &word, &err), OK);
  EXPECT(yes && i == 4 && us == 30000000 && bytes == 64 << 20 && word == 1);
  EXPECT(ratio == 0.25);
  EXPECT_INT(yaml_int(yaml_get(serve, "nothing"), 1, 2, &i, &err), OK); /* the default stays */
  EXPECT_INT(yaml_int(NULL, 1, 2, &i, &err), OK);
  EXPECT_INT(i, 4);
  EXPECT_INT(yaml_int(yaml_get(serve, "quoted"), 0, 99, &i, &err), E_BAD_CONFIG);
  EXPECT_STR(err.text, "line 9, column 11: 'serve.quoted' should be a whole number, without quotes");
  EXPECT_STR(err.field, "serve.quoted");
  EXPECT_INT(yaml_int(yaml_get(serve, "loops"), 5, 64, &i, &err), E_BAD_CONFIG);
  EXPECT_STR(err.text, "line 6, column 10: 'serve.loops' should be from 5 to 64, not 4");
  EXPECT_INT(yaml_string(yaml_get(root, "list"), &s, &err), E_BAD_CONFIG);
  EXPECT_STR(err.text, "line 14, column 3: 'list' should be a string, not a list");
  EXPECT_INT(yaml_bool(yaml_get(serve, "mode"), &yes, &err), E_BAD_CONFIG);
  EXPECT_INT(yaml_word(yaml_get(serve, "drain"), modes, &word, &err), E_BAD_CONFIG);
  EXPECT_STR(err.text,
             "line 4, column 10: 'serve.drain' should be one of off, warn, require, not '30s'");
  EXPECT_INT(yaml_word(yaml_path(yaml_get(root, "list")->first->next, "b"), modes, &word, &err),
             E_BAD_CONFIG);
  EXPECT_STR(err.field, "list[1].b");
  EXPECT_INT(yaml_int(root, 1, 2, &i, &err), E_BAD_CONFIG);
  EXPECT_STR(err.text, "line 2, column 1: 'the document' should be a whole number, not a map");
}

TEST(yaml_cf_103_numbers)
{
  static const struct { const char *text; int64_t min, max, want; bool fine; } rows[] = {
      {"0", 0, 9, 0, true}, {"9", 0, 9, 9, true}, {"10", 0, 9, 0, false}, {"-1", 0, 9, 0, false},
      {"-1", -1, 9, -1, true}, {"-0", -1, 9, 0, true}, {"+1", 0, 9, 0, false},
      {"1e3", 0, 9999, 0, false}, {"10x", 0, 99, 0, false}, {"0x10", 0, 99, 0, false},
      {"1_0", 0, 99, 0, false}, {"010", 0, 99, 0, false}, {"1.0", 0, 9, 0, false},
      {".inf", 0, 9, 0, false}, {"NaN", 0, 9, 0, false}, {"--1", -9, 9, 0, false},
      {"9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX, true},
      {"9223372036854775808", INT64_MIN, INT64_MAX, 0, false},
      {"-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN, true},
      {"-9223372036854775809", INT64_MIN, INT64_MAX, 0, false},
      {"99999999999999999999999999", INT64_MIN, INT64_MAX, 0, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char doc[64];
    snprintf(doc, sizeof doc, "a: %s\n", rows[i].text);
    int64_t got = 42;
    const struct yaml *a = yaml_get(parse(slice_str(doc)), "a");
    enum code code = yaml_int(a, rows[i].min, rows[i].max, &got, &err);
    if ((code == OK) != rows[i].fine) printf("%s: ", doc);
    EXPECT_INT(code, rows[i].fine ? OK : E_BAD_CONFIG);
    EXPECT_INT(got, rows[i].fine ? rows[i].want : 42);
  }
  int64_t us;
  uint64_t bytes;
  EXPECT(yaml_duration_read(SLICE("10m"), &us) && us == 600000000);
  EXPECT(yaml_duration_read(SLICE("500ms"), &us) && us == 500000);
  EXPECT(yaml_duration_read(SLICE("0"), &us) && us == 0);
  EXPECT(yaml_duration_read(SLICE("2d"), &us) && us == INT64_C(172800000000));
  EXPECT(!yaml_duration_read(SLICE("10"), &us) && !yaml_duration_read(SLICE("ms"), &us));
  EXPECT(!yaml_duration_read(SLICE("1.5s"), &us) && !yaml_duration_read(SLICE("-1s"), &us));
  EXPECT(!yaml_duration_read(SLICE("1h30m"), &us) && !yaml_duration_read(SLICE(""), &us));
  EXPECT(!yaml_duration_read(SLICE("9223372036854775807s"), &us));
  EXPECT(!yaml_duration_read(SLICE("99999999999999999999us"), &us));
  EXPECT(yaml_bytes_read(SLICE("3KiB"), &bytes) && bytes == 3072);
  EXPECT(yaml_bytes_read(SLICE("12"), &bytes) && bytes == 12);
  EXPECT(yaml_bytes_read(SLICE("1TiB"), &bytes) && bytes == UINT64_C(1) << 40);
  EXPECT(!yaml_bytes_read(SLICE("1KB"), &bytes) && !yaml_bytes_read(SLICE("1 MiB"), &bytes));
  EXPECT(!yaml_bytes_read(SLICE("16777216TiB"), &bytes));
  double d = 0;
  EXPECT_INT(yaml_number(yaml_get(parse(SLICE("a: nan")), "a"), 0, 1, &d, &err), E_BAD_CONFIG);
  EXPECT_INT(yaml_number(yaml_get(parse(SLICE("a: 1e999")), "a"), 0, 1, &d, &err), E_BAD_CONFIG);
  EXPECT_INT(yaml_number(yaml_get(parse(SLICE("a: 1.01")), "a"), 0, 1, &d, &err), E_BAD_CONFIG);
}

TEST(yaml_unknown_keys)
{
  static const char *const allowed[] = {"listen", "drain", "loops", NULL};
  const struct yaml *root = parse(SLICE("serve:\n  listen: a\n  lisen: b\n"));
  EXPECT_INT(yaml_keys_check(yaml_get(root, "serve"), allowed, &err), E_BAD_CONFIG);
  EXPECT_STR(err.text, "line 3, column 3: unknown key 'serve.lisen'; did you mean 'listen'?");
  EXPECT_STR(err.field, "serve.lisen");
  root = parse(SLICE("x: 1\n"));
  EXPECT_INT(yaml_keys_check(root, allowed, &err), E_BAD_CONFIG);
  EXPECT_STR(err.text, "line 1, column 1: unknown key 'x'; there are listen, drain, loops");
  EXPECT_INT(yaml_keys_check(parse(SLICE("loops: 1\ndrain: 1s\n")), allowed, &err), OK);
  EXPECT_INT(yaml_keys_check(parse(SLICE("- a\n")), allowed, &err), E_BAD_CONFIG);
  EXPECT_INT(yaml_keys_check(NULL, allowed, &err), OK);
}

TEST(yaml_cf_101_refused_with_place)
{
  static const struct { const char *id, *text, *want; } rows[] = {
      {"empty", "", "line 1, column 1: the document is empty"},
      {"comment only", "# x\n", "line 1, column 1: the document is empty"},
      {"null", "~\n", "line 1, column 1: the document is empty"},
      {"BOM", "\xef\xbb\xbf" "a: 1\n", "line 1, column 1: a byte order mark"},
      {"UTF-16", "\xff\xfe" "a", "line 1, column 1: a byte order mark"},
      {"tab", "a:\n\tb: 1\n", "line 2, column 1: a tab"},
      {"tab after spaces", "a:\n  \tb: 1\n", "line 2, column 3: a tab"},
      {"invalid UTF-8", "a: \xff\n", "line 1, column 4: a byte that is not UTF-8"},
      {"invalid UTF-8 later", "a: 1\nb: \xc3\xa4\xc3\n", "line 2, column 5: a byte that"},
      {"control", "a: \001\n", "line 1, column 4: a control byte"},
      {"duplicate", "a: 1\nb: 2\na: 3\n", "line 3, column 1: the key 'a' is there already, in line 1"},
      {"duplicate deep", "a:\n  b: {c: 1, c: 2}\n", "line 2, column 13: the key 'c'"},
      {"duplicate quoted", "a: 1\n\"a\": 2\n", "line 2, column 1: the key 'a'"},
      {"anchor", "a: &x 1\n", "line 1, column 4: anchors"},
      {"anchor map", "a: &x {b: 1}\n", "line 1, column 4: anchors"},
      {"anchor list", "a: &x [1]\n", "line 1, column 4: anchors"},
      {"alias", "a: *x\n", "line 1, column 4: aliases"},
      {"merge", "a: 1\n<<: {b: 1}\n", "line 2, column 1: merge keys"},
      {"tag", "a: !!int 1\n", "line 1, column 4: tags"},
      {"tag own", "a: !x {}\n", "line 1, column 4: tags"},
      {"tag bare", "a: ! 1\n", "line 1, column 4: tags"},
      {"directive", "%YAML 1.1\n---\na: 1\n", "line 1, column 1: directives"},
      {"tag directive", "%TAG ! x:\n---\na: 1\n", "line 1, column 1: directives"},
      {"two documents", "a: 1\n---\nb: 1\n", "line 2, column 1: a second document"},
      {"map as key", "? {a: b}\n: c\n", "line 1, column 3: a key that is not plain text"},
      {"list as key", "[a]: c\n", "line 1, column 1: a key that is not plain text"},
      {"empty key", "\"\": c\n", "line 1, column 1: an empty key"},
      {"colon", "a: b: c\n", "line 1, column 5: not YAML"},
      {"open list", "a: [1, 2\n", "line 2, column 1: not YAML"},
      {"open quote", "a: \"b\n", "line 2, column 1: not YAML"},
      {"indentation", "a: 1\n  b: 2\n", "line 2, column 4: not YAML"},
      {"deep", "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "line 1, column 17: more than 16 levels"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    EXPECT(parse(slice_str(rows[i].text)) == NULL);
    EXPECT_INT(err.code, E_BAD_CONFIG);
    if (!slice_starts(slice_str(err.text), slice_str(rows[i].want))) {
      printf("%s: got \"%s\", expected \"%s\"\n", rows[i].id, err.text, rows[i].want);
      test_failures++;
    }
  }
  EXPECT(parse(SLICE("a: \0\n")) == NULL);
  EXPECT(parse(SLICE("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n")) != NULL);
  EXPECT(parse(SLICE("--- \na: 1\n...\n")) != NULL);
  EXPECT(parse(SLICE("a: 'x\ty'\nb: \"\\u00e4\"\n")) != NULL);
}

TEST(yaml_limits)
{
  struct buf b;
  buf_init(&b, 4 << 20);
  buf_print(&b, "a: 1\n");
  while (b.len < YAML_BYTES_MAX) buf_add(&b, SLICE("#"));
  EXPECT(parse(buf_lend(&b)) != NULL);
  buf_add(&b, SLICE("#"));
  EXPECT(parse(buf_lend(&b)) == NULL);
  EXPECT(strstr(err.text, "larger than 1048576 bytes"));
  buf_reset(&b);
  for (int i = 0; i < 1025; i++) buf_print(&b, "k%d: 1\n", i);
  EXPECT(parse(buf_lend(&b)) == NULL);
  EXPECT(strstr(err.text, "1,024 keys"));
  buf_reset(&b);
  for (int i = 0; i < 17000; i++) buf_print(&b, "- 1\n");
  EXPECT(parse(buf_lend(&b)) == NULL);
  EXPECT(strstr(err.text, "line 16384, column 3: more than 16,384 nodes"));
  buf_deinit(&b);
  const struct yaml *root;
  for (size_t max = 0; max < 40000; max += 500) {
    struct arena small;
    arena_init(&small, max, NULL);
    enum code code = yaml_parse(SLICE(config), &small, &root, &err);
    EXPECT(code == OK || code == E_OUT_OF_MEMORY);
    arena_deinit(&small);
  }
}

TEST(yaml_damage_never_crashes)
{
  char copy[sizeof config];
  struct rand rand;
  rand_seed(&rand, 3);
  for (size_t cut = 0; cut < sizeof config - 1; cut++) parse(slice_of(config, cut));
  for (int i = 0; i < 3000; i++) {
    memcpy(copy, config, sizeof copy);
    for (int k = 0; k < 3; k++) {
      uint64_t r = rand_u64(&rand);
      copy[r % (sizeof copy - 1)] = (r >> 40 & 1) ? "{}[]:,-?&*!|>'\"%@` \n"[(r >> 32) % 20]
                                                  : (char)(r >> 32);
    }
    parse(slice_of(copy, sizeof copy - 1));
    if (err.code) EXPECT(err.code == E_BAD_CONFIG && strstr(err.text, "line ") == err.text);
  }
}
