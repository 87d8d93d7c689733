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

/* The table as the routes use it: deny by default, and an operator alone sees past its tenant. */
TEST(authz_denies_what_has_no_row_and_hides_what_is_anothers)
{
  struct resource own = {RESOURCE_model, SLICE("acme")}, others = {RESOURCE_model, SLICE("bank")};
  struct principal nobody = {ROLE_ANYBODY, SLICE("")}, viewer = {ROLE_VIEWER, SLICE("acme")},
                   admin = {ROLE_ADMIN, SLICE("acme")}, operator = {ROLE_OPERATOR, SLICE("acme")};
  EXPECT_INT(authz(&nobody, VERB_read, &own), E_UNAUTHENTICATED);
  EXPECT_INT(authz(&viewer, VERB_read, &own), OK);
  EXPECT_INT(authz(&viewer, VERB_write, &own), E_DENIED);
  EXPECT_INT(authz(&viewer, VERB_read, &others), E_NOT_FOUND);
  EXPECT_INT(authz(&viewer, VERB_write, &others), E_DENIED); /* before whose it is */
  EXPECT_INT(authz(&admin, VERB_remove, &others), E_NOT_FOUND);
  EXPECT_INT(authz(&operator, VERB_remove, &others), OK);
  EXPECT_INT(authz(&operator, VERB_approve, &own), E_DENIED); /* no such row */
}

TEST(every_pair_of_verb_and_resource_is_somebodys_or_nobodys)
{
  unsigned rows = 0;
  for (unsigned r = 0; r < RESOURCE_COUNT; r++)
    for (unsigned v = 0; v < VERB_COUNT; v++) {
      enum role least;
      struct resource resource = {(enum resource_class)r, SLICE("t")};
      bool listed = authz_least((enum verb)v, (enum resource_class)r, &least);
      rows += listed;
      for (unsigned role = 0; role < ROLE_COUNT; role++) {
        struct principal principal = {(enum role)role, SLICE("t")};
        EXPECT_INT(authz(&principal, (enum verb)v, &resource) == OK,
                   listed && matrix[role][least] == 'x');
      }
      if (listed && least == ROLE_ANYBODY) EXPECT_INT(v, VERB_look);
    }
  EXPECT(rows > 30);
  EXPECT_STR(verb_name(VERB_approve), "approve");
  EXPECT_STR(resource_name(RESOURCE_backup), "backup");
}
