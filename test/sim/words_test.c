/* words_test.c - what control makes of words on a release that no desk of ours would send.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "town.c"
#include "town_lives.c"
#include "town_time.c"

static const char asking[] =
    "{\"strategy\":\"canary\",\"on_inconclusive\":\"advance\",\"steps\":[{\"canary\":{\"traffic\":"
    "\"20%\",\"for\":\"2s\",\"deadline\":\"2s\",\"approve\":{\"count\":1}}}]," TIME_GATES "}";

/* role: NULL: the word names none. */
static void approve(const char *role)
{
  struct event_fact facts[3] = {{SLICE("person"), SLICE("bob")}};
  uint32_t n = 1;
  if (role) facts[n++] = (struct event_fact){SLICE("role"), slice_str(role)};
  facts[n++] = (struct event_fact){SLICE("word"), SLICE("approve")};
  ask(COMMAND_SAY, 0, facts, n);
  seconds(1, false);
}

/* Whoever may approve is known by a role that was written down, and by nothing else. */
TEST(a_word_without_a_role_approves_nothing)
{
  begin(asking);
  seconds(4, false);
  EXPECT_INT(the_run()->now.state, ROLLOUT_WAITING);
  static const char *const none[] = {NULL, "", "Admin", "emperor", "viewer", "deployer"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    uint64_t refused = town.refused;
    approve(none[i]);
    EXPECT_INT(town.refused, refused + 1);
    EXPECT_INT(the_run()->now.state, ROLLOUT_WAITING);
    EXPECT_INT(the_run()->now.n_approvals, 0);
  }
  approve("approver");
  EXPECT_INT(the_run()->now.state, ROLLOUT_COMPLETED);
  end();
}
