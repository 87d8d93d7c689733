/* api_redis_test.c - how the cache's second level is told: when it is well, and what to do.
 * SPDX-License-Identifier: MIT */
#include "api/server/redis_int.h"

#include "test.h"

static const int64_t NOW_US = 1000000000;

static struct stats stats_of(struct tally *tally, uint32_t loops, int64_t lines)
{
  tally->far.lines = lines;
  return (struct stats){.loops = loops, .tally = tally};
}

static void fails(struct tally *tally, int64_t ago_us, const char *why, const char *said)
{
  tally->far.failed_us = NOW_US - ago_us;
  tally->far.why = why;
  snprintf(tally->far.said, sizeof tally->far.said, "%s", said);
}

/* Whether it is told as good or not, and that every part is in the text. */
static bool told(const struct stats *stats, bool good, const char *a, const char *b)
{
  bool is_good = !good;
  json_t *text = redis_text(stats, NOW_US, &is_good);
  const char *said = json_string_value(text);
  bool all = is_good == good && strstr(said, a) && strstr(said, b);
  if (!all) printf("  told: %s\n", said);
  json_decref(text);
  return all;
}

TEST(lines_that_are_up_are_well_whatever_failed_before)
{
  struct tally *tally = tally_new(1, 0, 0);
  struct stats stats = stats_of(tally, 2, 2);
  EXPECT(told(&stats, true, "2 of 2 lines are up", ""));
  fails(tally, 1000, "the login was refused", "WRONGPASS");
  EXPECT(told(&stats, true, "2 of 2 lines are up", ""));
  tally->far.forged = 3;
  EXPECT(told(&stats, true, "3 values", "--cache-redis-secret-file"));
  tally_free(tally);
}

TEST(lines_that_are_missing_are_bad_only_where_one_has_failed_lately)
{
  struct tally *tally = tally_new(1, 0, 0);
  struct stats stats = stats_of(tally, 2, 1);
  EXPECT(told(&stats, true, "1 of 2 lines", "being opened"));
  fails(tally, 200000000, "no answer in time", "");
  EXPECT(told(&stats, true, "1 of 2 lines", "being opened"));
  fails(tally, 60000000, "no answer in time", "");
  EXPECT(told(&stats, false, "1 of 2 lines: no answer in time; ", "--cache-redis-timeout"));
  stats.tally = NULL; /* the very start */
  EXPECT(told(&stats, true, "0 of 2 lines", "being opened"));
  tally_free(tally);
}

TEST(every_failure_comes_with_what_to_do)
{
  struct tally *tally = tally_new(1, 0, 0);
  struct stats stats = stats_of(tally, 2, 0);
  static const struct {
    const char *why, *said, *text, *what;
  } rows[] = {
      {"the login was refused", "WRONGPASS", "refused (WRONGPASS); ",
       "--cache-redis-password-file"},
      {"an error", "NOAUTH", "an error (NOAUTH); ", "say a user"},
      {"an error", "NOPERM", "(NOPERM); ", "GET and SET"},
      {"an error", "MOVED", "(MOVED); ", "single node"},
      {"an error", "LOADING", "(LOADING); ", "wait"},
      {"an error", "ERR", "(ERR); ", "log of that Redis"},
      {"nobody answers at its address", "", "address; ", "start that Redis"},
      {"a reply that is none", "", "a reply that is none; ", "a Redis listens"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fails(tally, 1, rows[i].why, rows[i].said);
    EXPECT(told(&stats, false, rows[i].text, rows[i].what));
  }
  json_t *tree = redis_json(&stats, NOW_US);
  EXPECT(strcmp(json_string_value(json_object_get(tree, "failure")), "a reply that is none") == 0);
  EXPECT(json_is_false(json_object_get(tree, "ok")));
  json_decref(tree);
  tally_free(tally);
}
