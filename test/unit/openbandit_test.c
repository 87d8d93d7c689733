/* openbandit_test.c - a real A/B test of two policies: who may be called the winner?
 * Data: Open Bandit, small: 10,000 impressions each of a random policy (stable here) and of
 * Bernoulli Thompson sampling (candidate), men and women. Where it is absent, nothing is tested.
 * SPDX-License-Identifier: MIT */
#include <zlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "judge/judge.h"
#include "stat/mean.h"
#include "test.h"

#define FOLDER "../shared/data/rollout-openbandit/"
enum { IMPRESSIONS = 10000, LINE_MAX_BYTES = 8192 };

struct shown {
  char time[32];
  bool click, candidate;
};

/* Lines of one policy; 0 when the file is absent. */
static size_t policy_read(const char *name, bool candidate, struct shown *to)
{
  char path[256], line[LINE_MAX_BYTES];
  snprintf(path, sizeof path, FOLDER "%s.csv.gz", name);
  gzFile file = access(path, R_OK) == 0 ? gzopen(path, "rb") : NULL;
  if (!file) {
    printf("SKIP openbandit: %s is not there\n", path);
    return 0;
  }
  size_t n = 0;
  EXPECT(gzgets(file, line, sizeof line) != NULL); /* heads */
  while (gzgets(file, line, sizeof line) && n < IMPRESSIONS) {
    char *at = line, *field[5] = {0};
    for (int i = 0; i < 5; i++)
      field[i] = strsep(&at, ","); /* index timestamp item position click */
    snprintf(to[n].time, sizeof to[n].time, "%.31s", field[1] ? field[1] : "");
    to[n].click = field[4] && strcmp(field[4], "1") == 0;
    to[n].candidate = candidate;
    n++;
  }
  gzclose(file);
  EXPECT_INT(n, IMPRESSIONS);
  return n;
}

static int by_time(const void *a, const void *b)
{
  return strcmp(((const struct shown *)a)->time, ((const struct shown *)b)->time);
}

/* Both policies in order of time; NULL when absent. */
static struct shown *campaign_read(const char *campaign)
{
  char name[64];
  struct shown *all = grab_zero((size_t)2 * IMPRESSIONS, sizeof *all);
  snprintf(name, sizeof name, "bts_%s", campaign);
  size_t n = policy_read(name, true, all);
  snprintf(name, sizeof name, "random_%s", campaign);
  if (n) n += policy_read(name, false, all + n);
  if (n != 2 * IMPRESSIONS) {
    ungrab(all);
    return NULL;
  }
  qsort(all, n, sizeof *all, by_time);
  return all;
}

static void count(const struct shown *shown, size_t n, struct mean_arm arms[2])
{
  for (size_t i = 0; i < n; i++) {
    int64_t y;
    EXPECT(mean_parts(shown[i].click, 1, &y));
    mean_add(&arms[shown[i].candidate ? ARM_CANDIDATE : ARM_STABLE], y, 0);
  }
}

static bool close_to(double got, double want)
{
  bool is = fabs(got - want) <= 1e-9 * fabs(want) || fabs(got - want) <= 1e-11;
  if (!is) printf("%.12g, expected %.12g\n", got, want);
  return is;
}

static const struct mean_spec spec = {.cap = 1, .alpha = 0.05};

TEST(mens_candidate_is_inconclusive_as_published)
{
  struct mean_arm arms[2] = {0};
  struct shown *all = campaign_read("men");
  if (!all) return;
  count(all, (size_t)2 * IMPRESSIONS, arms);
  struct mean_interval got = mean_difference(&arms[ARM_CANDIDATE], &arms[ARM_STABLE], &spec);
  EXPECT(close_to(got.mean_c, 0.0069) && close_to(got.mean_b, 0.0046));
  EXPECT(close_to(got.diff, 0.0023) && close_to(got.se, 0.001069222766));
  EXPECT(close_to(got.lower, -0.001043581635) && close_to(got.upper, 0.005643581635));
  ungrab(all);
}

TEST(womens_candidate_is_no_winner)
{
  struct mean_arm arms[2] = {0};
  struct shown *all = campaign_read("women");
  if (!all) return;
  count(all, (size_t)2 * IMPRESSIONS, arms);
  struct mean_interval got = mean_difference(&arms[ARM_CANDIDATE], &arms[ARM_STABLE], &spec);
  EXPECT(got.diff == 0);
  EXPECT(close_to(got.upper, 0.002992665531) && close_to(got.lower, -0.002992665531));
  ungrab(all);
}

/* Looked at after each impression in the order they came: a fixed-size test would have called a
 * winner somewhere on the way; the sequence never does. */
TEST(no_look_on_the_way_names_a_winner)
{
  static const char *const campaigns[] = {"men", "women"};
  uint32_t fixed_says = 0;
  for (int i = 0; i < 2; i++) {
    struct mean_arm arms[2] = {0};
    struct shown *all = campaign_read(campaigns[i]);
    if (!all) return;
    for (size_t n = 0; n < 2 * IMPRESSIONS; n++) {
      count(all + n, 1, arms);
      struct mean_interval got = mean_difference(&arms[ARM_CANDIDATE], &arms[ARM_STABLE], &spec);
      if (!got.enough) continue;
      EXPECT(!(got.lower > 0));
      EXPECT(!(got.upper < 0));
      fixed_says += got.se > 0 && fabs(got.diff) > 1.959963985 * got.se;
    }
    ungrab(all);
  }
  EXPECT(fixed_says > 0);
}

/* ---- the week as an A/B release: a look an hour, judged by the gate `metric` ---- */

static const char plan_text[] =
    "strategy: ab\n"
    "metric: {name: click, cap: 1, users_expected: 5000}\n"
    "ab: {arms: [{name: candidate, traffic: 50%}, {name: stable, traffic: 50%}], "
    "users_min: 1000, weeks_min: 1}\n";

static void trial_start(struct trial *trial)
{
  static struct plan plan;
  struct baseline baseline;
  struct arena arena;
  struct err err = {0};
  arena_init(&arena, PLAN_ARENA_BYTES, NULL);
  bool fine = plan_read(&plan, slice_str(plan_text), &arena, &err) == OK;
  if (!fine) printf("%s\n", err.text);
  EXPECT(fine);
  arena_deinit(&arena);
  baseline_init(&baseline);
  trial_begin(trial, &plan);
  trial_step_begin(trial, 0, &baseline);
}

/* "2019-11-24 07:..." -> 7; the week begins on the 24th. */
static int hour_of(const struct shown *shown)
{
  int day = 0, hour = 0;
  EXPECT(sscanf(shown->time, "2019-11-%d %d:", &day, &hour) == 2);
  return (day - 24) * 24 + hour;
}

enum { HOURS = 7 * 24 };

/* Every hundredth impression of `favoured` is given a click; ARM_MORE: as it was. Ends with the
 * trial after a week; *harmed: the gate said so at some look, *early: a winner before the end. */
static void week_judge(const struct shown *all, int favoured, struct trial *trial, bool *harmed,
                       bool *early)
{
  static struct look look;
  struct verdict verdict;
  size_t i = 0;
  *harmed = *early = false;
  trial_start(trial);
  for (int hour = 0; hour < HOURS; hour++) {
    look_init(&look, (uint64_t)hour, 2);
    look.elapsed_ms = look.loaded_ms = 3600000;
    look.weights[0] = look.weights[1] = PLAN_WHOLE / 2;
    for (; i < 2 * IMPRESSIONS && hour_of(&all[i]) == hour; i++) {
      int arm = all[i].candidate ? ARM_CANDIDATE : ARM_STABLE;
      int64_t y;
      EXPECT(mean_parts(all[i].click || (arm == favoured && i % 50 == 0), 1, &y));
      mean_add(&look.arms[arm].metric, y, 0);
      look.arms[arm].requests++;
      look.arms[arm].units++;
    }
    trial_look(trial, &look, &verdict);
    *harmed = *harmed || verdict.gates[GATE_METRIC].state == GATE_HARM;
    *early = *early || (hour + 1 < HOURS && trial_winner(trial) != UINT32_MAX);
  }
  EXPECT_INT(i, 2 * IMPRESSIONS);
  EXPECT_INT(trial->looks_counted, HOURS);
}

static void gate_says(const char *campaign, double lower, double upper)
{
  static struct trial trial;
  double low, high;
  bool harmed, early;
  struct shown *all = campaign_read(campaign);
  if (!all) return;
  week_judge(all, ARM_MORE, &trial, &harmed, &early);
  EXPECT(!harmed && !early);
  EXPECT(trial_winner(&trial) == UINT32_MAX);
  EXPECT(trial.results[GATE_METRIC].state == GATE_INCONCLUSIVE);
  EXPECT(result_interval(&trial, &trial.results[GATE_METRIC], &low, &high));
  EXPECT(close_to(low, lower) && close_to(high, upper));
  ungrab(all);
}

TEST(the_gate_calls_mens_inconclusive_all_week)
{
  gate_says("men", -0.001043581635, 0.005643581635);
}

TEST(the_gate_never_calls_womens_a_winner) { gate_says("women", -0.002992665531, 0.002992665531); }

/* The same week with an arm that is better indeed, so that silence above means something. */
TEST(a_true_winner_is_named_and_a_loser_is_harm)
{
  static struct trial trial;
  bool harmed, early;
  struct shown *all = campaign_read("women");
  if (!all) return;
  week_judge(all, ARM_CANDIDATE, &trial, &harmed, &early);
  EXPECT(!harmed && !early);
  EXPECT_INT(trial_winner(&trial), ARM_CANDIDATE);
  week_judge(all, ARM_STABLE, &trial, &harmed, &early);
  EXPECT(harmed && !early);
  EXPECT_INT(trial_winner(&trial), ARM_STABLE);
  ungrab(all);
}
