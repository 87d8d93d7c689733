/* flag_split_test.c - the split of a release as a flag, by the assignment vectors; and the number
 * that says whether any flag may have changed.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "api/flag/desk_int.h"
#include "test.h"

static struct version versions[2] = {{.number = 4, .state = VERSION_READY},
                                     {.number = 5, .state = VERSION_READY}};
static struct seat seat;
static struct split split = {.number = 17, .sticky = STICKY_HEADER};
static struct model model = {.slot = 3, .planned = versions, .n_versions = 2, .n_arms = 2};
static struct tenant tenant = {.planned = &model, .n_models = 1, .flags_seq = 9};
static struct split_flag found;

static void begin(uint32_t candidate)
{
  for (int i = 0; i < 2; i++) versions[i].seats = &seat, versions[i].n_seats = 1;
  split.seed = SLICE("fraud/17");
  split.sticky = STICKY_HEADER;
  model.name = SLICE("fraud");
  model.release = &split;
  model.stable = &versions[0];
  model.arms[0] = (struct arm){&versions[1], candidate};
  model.arms[1] = (struct arm){&versions[0], WEIGHT_WHOLE - candidate};
  tenant.name = SLICE("default");
}

static void expect_arm(const char *key, enum flag_reason reason, const char *arm)
{
  struct value who = value_of_text(slice_str(key));
  who.key = SLICE("targetingKey");
  struct value context = {.kind = VALUE_MAP, .n = 1, .first = &who};
  EXPECT(split_flag_of(&tenant, &model, key ? &context : NULL, &found));
  EXPECT(slice_eq(found.flag.key, SLICE("release.fraud")));
  EXPECT(slice_eq(found.result.variant, slice_str(arm)));
  EXPECT(slice_eq(found.result.value->text, slice_str(arm)));
  EXPECT_INT(found.result.reason, reason);
  const struct value *version = value_get(found.flag.metadata, SLICE("version"));
  EXPECT(version && version->number == (strcmp(arm, "stable") == 0 ? 4 : 5));
}

TEST(a_unit_gets_the_arm_its_requests_get)
{
  begin(5000000);
  expect_arm("user-1", FLAG_SPLIT, "stable");
  expect_arm("user-2", FLAG_SPLIT, "candidate");
  begin(0);
  expect_arm("user-2", FLAG_SPLIT, "stable");
  begin(WEIGHT_WHOLE);
  expect_arm("user-1", FLAG_SPLIT, "candidate");
  expect_arm("", FLAG_DEFAULT, "stable");
  expect_arm(NULL, FLAG_DEFAULT, "stable");
}

TEST(a_tenant_is_its_own_key)
{
  begin(WEIGHT_WHOLE);
  split.sticky = STICKY_TENANT;
  expect_arm(NULL, FLAG_SPLIT, "candidate");
}

TEST(no_release_or_one_by_request_is_no_flag)
{
  begin(5000000);
  split.sticky = STICKY_REQUEST;
  EXPECT(!split_flag_of(&tenant, &model, NULL, &found));
  begin(5000000);
  model.release = NULL;
  EXPECT(!split_flag_of(&tenant, &model, NULL, &found));
}

static uint64_t version_now(void)
{
  struct world_plan plan = {.tenants = &tenant, .n_tenants = 1, .n_slots = 2, .n_releases = 1};
  struct world *world = world_build(&plan, 1);
  uint64_t version = world_tenant_at(world, 0)->flags_version;
  world_free(world);
  return version;
}

TEST(the_version_of_flags_follows_file_and_weights_and_nothing_else)
{
  begin(5000000);
  uint64_t five = version_now();
  EXPECT(five == version_now());
  split.step = 7;
  EXPECT(five == version_now());
  begin(10000000);
  uint64_t ten = version_now();
  EXPECT(ten != five);
  tenant.flags_seq = 10;
  EXPECT(ten != version_now());
  tenant.flags_seq = 9;
  model.release = NULL;
  model_serve(&model, &versions[0]);
  EXPECT(version_now() == 9);
}
