/* who_test.c - every route against every role, and who a caller is while there are no keys.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "api/routes.h"
#include "serve/who.h"

TEST(every_route_takes_its_role_and_those_above_it)
{
  uint32_t n, open = 0, denied = 0;
  const struct route *rows = routes_all(&n);
  for (uint32_t i = 0; i < n; i++)
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
      struct who who = {.actor = SLICE("key-1"), .role = (enum role)role};
      struct err err;
      enum code code = who_may(&who, rows[i].role, &err);
      EXPECT_INT(code, role_may((enum role)role, rows[i].role) ? OK : E_DENIED);
      denied += code != OK;
      open += code == OK && role == ROLE_ANYBODY;
    }
  EXPECT(denied > n && open > 0 && open < n); /* the table has rows of both sorts */
}

TEST(a_viewer_may_not_deploy_and_is_told_why)
{
  struct who who = {.actor = SLICE("key-1"), .role = ROLE_VIEWER};
  struct err err;
  EXPECT_INT(who_may(&who, ROLE_DEPLOYER, &err), E_DENIED);
  EXPECT_STR(err.text, "this needs the role deployer; \"key-1\" has viewer");
}

TEST(without_keys_everybody_is_anonymous_of_the_default_tenant)
{
  struct tenant tenant = {.name = SLICE(TENANT_DEFAULT)};
  struct world_plan plan = {.tenants = &tenant, .n_tenants = 1, .ready = true};
  struct world *world = world_build(&plan, 1);
  struct http_head head = {.keep_alive = true};
  struct who who;
  struct err err;
  EXPECT_INT(who_of(world, &head, true, &who, &err), OK);
  EXPECT(who.tenant && slice_eq(who.tenant->name, SLICE("default")));
  EXPECT(slice_eq(who.tenant_name, SLICE("default")));
  EXPECT(slice_eq(who.actor, SLICE("anonymous")));
  EXPECT_INT(who.role, ROLE_OPERATOR);
  EXPECT_INT(who_of(NULL, &head, true, &who, &err), OK); /* before the first world */
  EXPECT(who.tenant == NULL && slice_eq(who.tenant_name, SLICE("default")));
  world_free(world);
}
