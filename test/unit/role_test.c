/* role_test.c - what each role holds, against a drawing of its own.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/role.h"

/* Rows: who has it. Columns: what is needed, in the order of the enum. */
static const char *const matrix[ROLE_COUNT] = {
    /*                  anybody viewer auditor invoker deployer approver admin operator */
    [ROLE_ANYBODY] = "x.......",
    [ROLE_VIEWER] = "xx......",
    [ROLE_AUDITOR] = "xxx.....",
    [ROLE_INVOKER] = "xx.x....",
    [ROLE_DEPLOYER] = "xx.xx...",
    [ROLE_APPROVER] = "xx.xxx..",
    [ROLE_ADMIN] = "xxxxxxx.",
    [ROLE_OPERATOR] = "xxxxxxxx",
};

TEST(each_role_holds_what_is_drawn)
{
  for (unsigned has = 0; has < ROLE_COUNT; has++)
    for (unsigned needed = 0; needed < ROLE_COUNT; needed++)
      EXPECT_INT(role_may((enum role)has, (enum role)needed), matrix[has][needed] == 'x');
}

TEST(who_may_what_a_role_needs_may_all_that_the_role_holds)
{
  for (unsigned a = 0; a < ROLE_COUNT; a++)
    for (unsigned b = 0; b < ROLE_COUNT; b++)
      for (unsigned c = 0; c < ROLE_COUNT; c++)
        if (role_may((enum role)a, (enum role)b) && role_may((enum role)b, (enum role)c))
          EXPECT(role_may((enum role)a, (enum role)c));
}

TEST(names_read_back_and_nobody_is_given_the_role_anybody)
{
  enum role role;
  for (unsigned i = ROLE_VIEWER; i < ROLE_COUNT; i++) {
    EXPECT(role_named(slice_str(role_name((enum role)i)), &role));
    EXPECT_INT(role, i);
  }
  EXPECT(!role_named(SLICE("anybody"), &role) && !role_named(SLICE("Admin"), &role));
  EXPECT(!role_named(SLICE(""), &role) && !role_named(SLICE("root"), &role));
}
