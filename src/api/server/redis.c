/* redis.c - whether the prediction cache's second level answers, and what to do where it does not.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/server/redis_int.h"

#include <stdio.h>
#include <string.h>

/* A rest of a line and its connecting are shorter (serve/far/far.h). */
enum { REDIS_LATELY_US = 120000000 };

/* The first row that fits; said NULL: whatever Redis said. */
static const struct {
  const char *why, *said, *what;
} advices[] = {
    {"the login was refused", NULL,
     "check the user of --cache-redis and --cache-redis-password-file, which is read at the start"},
    {"an error", "NOAUTH",
     "that Redis wants a login: say a user in --cache-redis and --cache-redis-password-file"},
    {"an error", "NOPERM",
     "its user needs GET and SET under slipway:cache:*; docs/runbooks/cache.md has the ACL"},
    {"an error", "MOVED", "that is a cluster: point --cache-redis at a single node"},
    {"an error", "LOADING", "that Redis still reads its own data: wait for it"},
    {"an error", NULL, "look at the log of that Redis"},
    {"nobody answers at its address", NULL,
     "start that Redis, or check the address and port of --cache-redis"},
    {"there is no way to its address", NULL, "check the address of --cache-redis"},
    {"no answer in time", NULL,
     "look whether that Redis is busy or far away; --cache-redis-timeout says how long to wait"},
};

static const char *advice_of(const struct far_tally *far)
{
  for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
    if (strcmp(far->why, advices[i].why) == 0 &&
        (!advices[i].said || strcmp(far->said, advices[i].said) == 0))
      return advices[i].what;
  return "check that a Redis listens at the address and port of --cache-redis";
}

static uint32_t lines_of(const struct stats *stats)
{
  int64_t lines = stats->tally ? stats->tally->far.lines : 0;
  return lines > 0 ? (uint32_t)lines : 0;
}

static bool is_good(const struct stats *stats, int64_t now_us)
{
  const struct tally *tally = stats->tally;
  return lines_of(stats) >= stats->loops || !tally || !tally->far.why ||
         now_us - tally->far.failed_us > REDIS_LATELY_US;
}

/* "the login was refused (WRONGPASS)" */
static json_t *failure_text(const struct far_tally *far)
{
  return far->said[0] ? json_sprintf("%s (%s)", far->why, far->said) : json_string(far->why);
}

json_t *redis_text(const struct stats *stats, int64_t now_us, bool *good)
{
  uint32_t lines = lines_of(stats);
  const struct far_tally *far = stats->tally ? &stats->tally->far : NULL;
  char count[64];
  *good = is_good(stats, now_us);
  snprintf(count, sizeof count, "%u of %u lines", lines, stats->loops);
  if (!*good) {
    json_t *failure = failure_text(far);
    json_t *text = json_sprintf("%s: %s; %s; it is tried again within a minute or so", count,
                                json_string_value(failure), advice_of(far));
    json_decref(failure);
    return text;
  }
  if (lines < stats->loops) return json_sprintf("%s; the others are being opened", count);
  if (far && far->forged)
    return json_sprintf("%s; %llu values there were not made with this secret: somebody writes "
                        "there, or nodes have different files in --cache-redis-secret-file",
                        count, (unsigned long long)far->forged);
  return json_sprintf("%s are up", count);
}

json_t *redis_json(const struct stats *stats, int64_t now_us)
{
  bool good = is_good(stats, now_us);
  return json_pack("{si,si,sb,so}", "lines", (int)lines_of(stats), "of", (int)stats->loops, "ok",
                   (int)good, "failure",
                   good ? json_null() : failure_text(&stats->tally->far));
}
