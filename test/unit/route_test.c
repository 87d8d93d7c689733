/* route_test.c - which row a method and a path mean.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/route.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define ROW(m, p, i) {.method = METHOD_##m, .pattern = p, .id = i}
static const struct route rows[] = {
    ROW(GET, "/", 1),
    ROW(GET, "/v2", 2),
    ROW(GET, "/v2/models", 3),
    ROW(GET, "/v2/models/stats", 4),
    ROW(GET, "/v2/models/{model}", 5),
    ROW(DELETE, "/v2/models/{model}", 6),
    ROW(POST, "/v2/models/{model}/infer", 7),
    ROW(POST, "/v2/models/{model}/versions/{version}/infer", 8),
    ROW(GET, "/v2/models/{model}/{thing}", 9),
    ROW(POST, "/v1/models/{model}:predict", 10),
    ROW(POST, "/v1/models/{model}:explain", 11),
    ROW(GET, "/v1/models/{model}", 12),
    ROW(GET, "/ui/{file*}", 13),
    ROW(GET, "/ui/index.html", 14),
    ROW(HEAD, "/head", 15),
    ROW(GET, "/head", 16),
    ROW(PUT, "/files/{tenant}/{path*}", 17),
    ROW(POST, "/v1/models/{model}/versions/{version}:predict", 18),
};

static const struct route_table *compiled(struct arena *arena)
{
  return route_compile(rows, sizeof rows / sizeof *rows, arena);
}

static struct slice params[ROUTE_PARAMS_MAX];
static uint32_t allow;

/* The id, or -404, -405. */
static int match(const struct route_table *table, enum http_method method, const char *target)
{
  static struct arena arena;
  struct url url;
  struct err err;
  arena_deinit(&arena);
  arena_init(&arena, 1 << 16, NULL);
  if (url_parse(slice_str(target), &arena, &url, &err)) return -400;
  for (int i = 0; i < ROUTE_PARAMS_MAX; i++) params[i] = SLICE_NONE;
  const struct route *row = route_match(table, method, &url, params, &allow);
  if (row) return row->id;
  return allow ? -405 : -404;
}

static bool param_is(int i, const char *want) { return slice_eq(params[i], slice_str(want)); }

TEST(route_finds_rows)
{
  struct arena arena;
  arena_init(&arena, 1 << 20, NULL);
  const struct route_table *t = compiled(&arena);
  static const struct {
    enum http_method method;
    const char *target;
    int want;
    const char *p0, *p1;
  } cases[] = {
      {METHOD_GET, "/", 1, "", ""},
      {METHOD_GET, "/v2", 2, "", ""},
      {METHOD_GET, "/v2?x=/y", 2, "", ""},
      {METHOD_GET, "/v2/models/stats", 4, "", ""},
      {METHOD_GET, "/v2/models/%73tats", 4, "", ""},
      {METHOD_GET, "/v2/models/stat", 5, "stat", ""},
      {METHOD_DELETE, "/v2/models/digits", 6, "digits", ""},
      {METHOD_POST, "/v2/models/digits/infer", 7, "digits", ""},
      {METHOD_POST, "/v2/models/stats/infer", 7, "stats", ""},
      {METHOD_POST, "/v2/models/d/versions/12/infer", 8, "d", "12"},
      {METHOD_GET, "/v2/models/d/ready", 9, "d", "ready"},
      {METHOD_POST, "/v1/models/d:predict", 10, "d", ""},
      {METHOD_POST, "/v1/models/d%3Aexplain", 11, "d", ""},
      {METHOD_POST, "/v1/models/d/versions/3:predict", 18, "d", "3"},
      {METHOD_GET, "/v1/models/d", 12, "d", ""},
      {METHOD_GET, "/ui/a/b.css", 13, "a/b.css", ""},
      {METHOD_GET, "/ui/a:b", 13, "a:b", ""},
      {METHOD_GET, "/ui/index.html", 14, "", ""},
      {METHOD_HEAD, "/v2/models/digits", 5, "digits", ""},
      {METHOD_HEAD, "/head", 15, "", ""},
      {METHOD_GET, "/head", 16, "", ""},
      {METHOD_PUT, "/files/t/a/b/c", 17, "t", "a/b/c"},
      {METHOD_PUT, "/files/t/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", 17, "t",
       "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    EXPECT_INT(match(t, cases[i].method, cases[i].target), cases[i].want);
    EXPECT(param_is(0, cases[i].p0) && param_is(1, cases[i].p1));
  }
  arena_deinit(&arena);
}

TEST(route_says_404_and_405)
{
  struct arena arena;
  arena_init(&arena, 1 << 20, NULL);
  const struct route_table *t = compiled(&arena);
  static const char *const unknown[] = {
      "/v", "/v2/", "/v2/models/", "/v2/models/digits/", "/v2/models/d/versions/1",
      "/V2", "/v2/models/d/infer/x", "/v1/models/d:foo", "/v1/models/:predict",
      "/v1/models/a:b:predict", "/ui", "/ui/", "/ui/a/", "/files/t", "/v2/models/a:b/infer",
      "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18",
  };
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    int got = match(t, METHOD_GET, unknown[i]);
    if (got != -404) printf("%s: ", unknown[i]);
    EXPECT_INT(got, -404);
  }
  char text[ROUTE_ALLOW_MAX];
  EXPECT_INT(match(t, METHOD_PUT, "/v2/models/digits"), -405);
  EXPECT_INT(route_allow_text(allow, text), 17);
  EXPECT_STR(text, "GET, HEAD, DELETE");
  EXPECT_INT(match(t, METHOD_OTHER, "/v2/models/d/versions/1/infer"), -405);
  route_allow_text(allow, text);
  EXPECT_STR(text, "POST");
  EXPECT_INT(match(t, METHOD_TRACE, "/ui/x"), -405); /* H1-121 */
  EXPECT_INT(match(t, METHOD_OPTIONS, "*"), -405);   /* H1-121 */
  route_allow_text(allow, text);
  EXPECT_STR(text, "GET, HEAD, POST, PUT, DELETE");
  EXPECT_INT(route_allow_text((1u << METHOD_OTHER) - 1, text), 60);
  arena_deinit(&arena);
}

static bool dies(const char *pattern, const char *twin)
{
  pid_t pid = fork();
  if (pid == 0) {
    if (!freopen("/dev/null", "w", stderr)) _exit(0);
    struct arena arena;
    arena_init(&arena, 1 << 20, NULL);
    struct route pair[2] = {ROW(GET, pattern, 1), ROW(GET, twin ? twin : "/", 2)};
    route_compile(pair, 2, &arena);
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST(route_refuses_bad_tables)
{
  EXPECT(!dies("/a/{b}", NULL));
  EXPECT(dies("a", NULL));
  EXPECT(dies("", NULL));
  EXPECT(dies("/a/", NULL));
  EXPECT(dies("/a//b", NULL));
  EXPECT(dies("/{}", NULL));
  EXPECT(dies("/{a", NULL));
  EXPECT(dies("/{A}", NULL));
  EXPECT(dies("/x{a}", NULL));
  EXPECT(dies("/{a}x", NULL));
  EXPECT(dies("/{a}:", NULL));
  EXPECT(dies("/{a*}/b", NULL));
  EXPECT(dies("/{a}/{b}/{c}/{d}/{e}", NULL));
  EXPECT(dies("/a/{b}", "/a/{c}"));
}

TEST(parameters_that_a_row_has_not_are_none)
{
  struct arena arena;
  struct url url;
  struct err err;
  arena_init(&arena, 1 << 16, NULL);
  const struct route_table *table = route_compile(rows, sizeof rows / sizeof *rows, &arena);
  for (int i = 0; i < ROUTE_PARAMS_MAX; i++) params[i] = SLICE("of the request before");
  EXPECT_INT(url_parse(SLICE("/v2/models/m/infer"), &arena, &url, &err), OK);
  EXPECT(route_match(table, METHOD_POST, &url, params, &allow) != NULL);
  EXPECT(slice_eq(params[0], SLICE("m")));
  for (int i = 1; i < ROUTE_PARAMS_MAX; i++) EXPECT(params[i].at == NULL && params[i].len == 0);
  arena_deinit(&arena);
}
