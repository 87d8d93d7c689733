/* control_test.c - thousands of random lives of control: commands, full disks, failing models, slow
 * loops, crashes and stops, each replayable from its seed (SEED=n RUNS=1).
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/log.h"
#include "town.c"
#include "town_lives.c"

static uint64_t number_of(const char *name, uint64_t otherwise)
{
  const char *text = getenv(name);
  return text ? strtoull(text, NULL, 10) : otherwise;
}

struct sums {
  uint64_t events, answered, refused, deployed, conflicts, replayed, retired, calls, worlds;
  uint64_t tenants_removed, declared;
};

static void life(uint64_t seed, int tenants, int states, struct sums *sums)
{
  static struct town town;
  int failures = test_failures;
  uint64_t built = world_count_built(), freed = world_count_freed();
  town_begin(&town, seed);
  town.tenants = tenants;
  town.states = states;
  if (tenants) town.releases = 30;
  for (int lives = 1 + (int)(rand_u64(&town.rand) % 3); lives > 0; lives--) {
    town_start(&town);
    for (int i = 0; i < 250; i++) town_step(&town);
    EXPECT(town_settle(&town));
    town_check(&town);
    for (int i = 0; i < 100; i++) town_step(&town);
    if (lives == 1 || rand_u64(&town.rand) % 2)
      town_stop(&town);
    else
      town_crash(&town);
    EXPECT_INT(world_count_built() - built, world_count_freed() - freed);
    EXPECT_INT(town.loaded, 0);
    EXPECT_INT(town.lanes, 0);
    if (test_failures != failures) break;
  }
  sums->events += town.n_events;
  sums->answered += town.answered;
  sums->refused += town.refused;
  sums->deployed += town.deployed;
  sums->conflicts += town.conflicts;
  sums->replayed += town.replayed;
  sums->retired += town.retired;
  sums->tenants_removed += town.tenants_removed;
  sums->declared += town.declared;
  sums->calls += town.calls_made;
  sums->worlds += world_count_built() - built;
  town_end(&town);
  if (test_failures != failures) printf("SEED=%" PRIu64 " RUNS=1 shows it\n", seed);
}

TEST(random_lives_keep_every_promise)
{
  uint64_t seed = number_of("SEED", 1), runs = number_of("RUNS", 3000);
  struct sums sums = {0};
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR);
  for (uint64_t i = 0; i < runs && !test_failures; i++) life(seed + i, 0, 0, &sums);
  printf("%" PRIu64 " lives: %" PRIu64 " events, %" PRIu64 " worlds, %" PRIu64 " calls, %" PRIu64
         " commands answered, %" PRIu64 " refused, %" PRIu64 " switches, %" PRIu64
         " retired, %" PRIu64 " conflicts, %" PRIu64 " replayed\n",
         runs, sums.events, sums.worlds, sums.calls, sums.answered, sums.refused, sums.deployed,
         sums.retired, sums.conflicts, sums.replayed);
  if (runs < 100) return; /* the lives were eventful */
  EXPECT(sums.deployed > runs && sums.conflicts > runs / 4 && sums.replayed > runs / 20);
  EXPECT(sums.refused > runs && sums.retired > runs / 10 && sums.calls > runs * 10);
}

/* robustness row TN-107: with releases, loads and crashes in between */
TEST(TN_107_tenants_come_and_go_in_random_lives)
{
  uint64_t seed = number_of("SEED", 1), runs = number_of("RUNS", 500);
  struct sums sums = {0};
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR);
  for (uint64_t i = 0; i < runs && !test_failures; i++) life(seed + i, 20, 0, &sums);
  printf("%" PRIu64 " lives: %" PRIu64 " tenants removed, %" PRIu64 " events, %" PRIu64
         " conflicts\n",
         runs, sums.tenants_removed, sums.events, sums.conflicts);
  if (runs >= 100) EXPECT(sums.tenants_removed > runs / 2);
}

/* Among pushes, deploys, releases and tenants that go, over full disks and crashes. */
TEST(states_are_declared_in_random_lives)
{
  uint64_t seed = number_of("SEED", 1), runs = number_of("RUNS", 500);
  struct sums sums = {0};
  log_level_set(getenv("SHOW") ? LOG_DEBUG : LOG_ERROR);
  for (uint64_t i = 0; i < runs && !test_failures; i++) life(seed + i, i % 2 ? 10 : 0, 25, &sums);
  printf("%" PRIu64 " lives: %" PRIu64 " states applied, %" PRIu64 " events, %" PRIu64
         " switches, %" PRIu64 " conflicts\n",
         runs, sums.declared, sums.events, sums.deployed, sums.conflicts);
  if (runs >= 100) EXPECT(sums.declared > 2 * runs && sums.deployed > runs / 2);
}
