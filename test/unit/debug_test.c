/* debug_test.c - SLIPWAY_DEBUG is read strictly, and one seed always fails the same calls.
 * SPDX-License-Identifier: MIT */
#include "base/debug.h"

#include "test.h"

TEST(nothing_is_on_by_itself)
{
  EXPECT(!debug_poisons());
  EXPECT(!debug_fails());
}

static bool accepts(const char *words)
{
  pid_t child = fork();
  if (child == 0) _exit(debug_start(words) ? 0 : 1);
  int status;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(known_words_only)
{
  EXPECT(accepts(NULL));
  EXPECT(accepts(""));
  EXPECT(accepts("poison"));
  EXPECT(accepts("poison,fail=1/1000,seed=42"));
  EXPECT(!accepts("poisson"));
  EXPECT(!accepts("fail=1/0"));
  EXPECT(!accepts("fail=1/x"));
  EXPECT(!accepts("fail=1/"));
  EXPECT(!accepts("seed"));
  EXPECT(!accepts("poison,what"));
}

/* Which of the first 64 calls fail, as a bit mask, in a process of its own. */
static uint64_t failures(const char *words)
{
  int pipes[2];
  uint64_t mask = 0;
  if (pipe(pipes) != 0) return 0;
  pid_t child = fork();
  if (child == 0) {
    debug_start(words);
    for (int i = 0; i < 64; i++) mask |= (uint64_t)debug_fails() << i;
    _exit(write(pipes[1], &mask, sizeof mask) != sizeof mask);
  }
  EXPECT_INT(read(pipes[0], &mask, sizeof mask), sizeof mask);
  waitpid(child, NULL, 0);
  close(pipes[0]), close(pipes[1]);
  return mask;
}

TEST(one_seed_one_fate)
{
  uint64_t mask = failures("fail=1/4,seed=42");
  int bits = __builtin_popcountll(mask);
  EXPECT(bits > 4 && bits < 32);
  EXPECT(mask == failures("fail=1/4,seed=42"));
  EXPECT(mask != failures("fail=1/4,seed=44"));
  EXPECT(failures("fail=1/1") == UINT64_MAX);
  EXPECT(failures("seed=42") == 0);
}
