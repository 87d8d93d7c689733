/* world_test.c - a world is a deep copy of its plan, found by name, freed whole.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mail.h"
#include "world/world.h"

static struct mailbox owner;

static struct version version_made(uint32_t number, enum version_state state)
{
  static struct tensor_spec specs[1];
  static struct seat seat;
  static char text[16];
  memcpy(text, "onnx", 5);
  specs[0] = (struct tensor_spec){.name = SLICE("x"), .dtype = DT_FP32, .shape = {1, {-1}}};
  seat = (struct seat){&owner, (struct lane *)&seat};
  return (struct version){.number = number,
                          .slot = number,
                          .state = state,
                          .engine = slice_of(text, 4),
                          .contract = {specs, specs, 1, 1, true},
                          .seats = &seat,
                          .n_seats = 1};
}

TEST(a_world_is_a_deep_copy)
{
  uint64_t built = world_count_built(), freed = world_count_freed();
  struct version versions[2] = {version_made(1, VERSION_STORED), version_made(3, VERSION_READY)};
  struct model model = {.name = SLICE("m"), .planned = versions, .n_versions = 2};
  model_serve(&model, &versions[1]);
  model.previous = &versions[0];
  struct tenant tenant = {.name = SLICE("default"), .planned = &model, .n_models = 1};
  struct world_plan plan = {.tenants = &tenant, .n_tenants = 1, .n_slots = 4, .ready = true};
  struct world *world = world_build(&plan, 7);
  memset((char *)(uintptr_t)versions[1].engine.at, 'z', 4); /* the plan may change now */
  memset(versions, 0x55, sizeof versions);

  EXPECT_INT(world_serial(world), 7);
  EXPECT(world_ready(world) && !world_draining(world));
  EXPECT_INT(world_slots(world), 4);
  EXPECT_INT(world_tenants(world), 1);
  const struct tenant *t = world_tenant(world, SLICE("default"));
  EXPECT(t && t == world_tenant_at(world, 0));
  EXPECT(!world_tenant(world, SLICE("Default")) && !world_tenant(world, SLICE_NONE));
  const struct model *m = world_model(world, t, SLICE("m"));
  EXPECT(m && m->n_versions == 2 && m->stable == model_version_at(m, 1));
  EXPECT(m->previous == model_version_at(m, 0));
  EXPECT(!m->arms[ARM_CANDIDATE].version && m->arms[ARM_STABLE].version == m->stable);
  EXPECT(!world_model(world, t, SLICE("M")) && !world_model(world, t, SLICE("mm")));
  EXPECT(slice_eq(m->stable->engine, SLICE("onnx")));
  EXPECT_INT(m->stable->contract.inputs[0].dtype, DT_FP32);
  EXPECT(slice_eq(m->stable->contract.outputs[0].name, SLICE("x")));
  EXPECT(m->stable->seats[0].owner == &owner);
  EXPECT_INT(m->previous->n_seats, 0);
  EXPECT(model_version(m, 3) == m->stable && model_version(m, 1) == m->previous);
  EXPECT(!model_version(m, 2) && !model_version(m, 0) && !model_version(m, 4));
  EXPECT_INT(model_versions_below(m, 1), 0);
  EXPECT_INT(model_versions_below(m, 2), 1);
  EXPECT_INT(model_versions_below(m, 3), 1);
  EXPECT_INT(model_versions_below(m, UINT64_MAX), 2);
  world_free(world);
  EXPECT_INT(world_count_built() - built, 1);
  EXPECT_INT(world_count_freed() - freed, 1);
}

TEST(an_empty_world_knows_nobody)
{
  struct world_plan plan = {0};
  struct world *world = world_build(&plan, 1);
  EXPECT(!world_tenant(world, SLICE("default")));
  EXPECT_INT(world_tenants(world), 0);
  world_free(world);
}

TEST(every_one_of_many_models_is_found)
{
  enum { N = 3000 };
  static char names[N][16];
  static struct model models[N];
  for (int i = 0; i < N; i++) {
    snprintf(names[i], sizeof names[i], "m%06d", i);
    models[i] = (struct model){.name = slice_str(names[i]), .slot = (uint32_t)i};
  }
  struct tenant tenants[2] = {{.name = SLICE("a"), .planned = models, .n_models = N},
                              {.name = SLICE("b")}};
  struct world_plan plan = {.tenants = tenants, .n_tenants = 2, .hash_key = {1, 2, 3}};
  struct world *world = world_build(&plan, 1);
  const struct tenant *a = world_tenant(world, SLICE("a")), *b = world_tenant(world, SLICE("b"));
  int found = 0, astray = 0;
  for (int i = 0; i < N; i++) {
    const struct model *m = world_model(world, a, slice_str(names[i]));
    found += m && m->slot == (uint32_t)i;
    astray += world_model(world, b, slice_str(names[i])) != NULL;
  }
  EXPECT_INT(found, N);
  EXPECT_INT(astray, 0);
  world_free(world);
}

static void count_down(void *arg) { --*(uint32_t *)arg; }

TEST(a_part_shares_all_but_what_changed_with_the_one_before)
{
  enum { N = 1000 };
  static const unsigned char hash_key[16] = {9};
  static char names[N][16];
  uint32_t alive = 0;
  struct version versions[3] = {version_made(1, VERSION_STORED), version_made(2, VERSION_STORED),
                                version_made(3, VERSION_STORED)};
  struct tenant head = {.name = SLICE("t"), .n_stored = 5};
  struct world_part *one = world_part_new(&head, hash_key);
  for (int i = N; i-- > 0; alive++) {
    snprintf(names[i], sizeof names[i], "m%06d", i);
    struct model model = {.name = slice_str(names[i]), .planned = versions, .n_versions = 3};
    world_part_put(one, model_seal(&(struct model_plan){
                            .model = &model, .left = count_down, .arg = &alive}));
  }
  EXPECT_INT(world_part_tenant(one)->n_models, N);

  struct world_part *two = world_part_next(one, NULL);
  struct sealed_model *before = world_part_model(one, slice_str(names[500]));
  versions[1].corrupt = true;
  versions[1].state = VERSION_FAILED;
  struct model model = {.name = slice_str(names[500]), .planned = &versions[1], .n_versions = 1};
  uint32_t gone = 3;
  world_part_put(two, model_seal(&(struct model_plan){.model = &model,
                                                      .before = before,
                                                      .gone = &gone,
                                                      .n_gone = 1,
                                                      .left = count_down,
                                                      .arg = &alive}));
  alive++;
  world_part_cut(two, slice_str(names[7]));
  world_part_cut(two, SLICE("nobody"));
  const struct tenant *a = world_part_tenant(one), *b = world_part_tenant(two);
  EXPECT(a->n_models == N && b->n_models == N - 1 && b->n_stored == 5);
  const struct model *old = tenant_model(a, 500), *now = tenant_model(b, 499);
  EXPECT(old->n_versions == 3 && now->n_versions == 2);
  EXPECT(model_version(now, 1) == model_version(old, 1)); /* shared */
  EXPECT(model_version(now, 2)->corrupt && !model_version(old, 2)->corrupt);
  EXPECT(!model_version(now, 3) && model_version(old, 3)->number == 3);
  EXPECT(old->n_in[VERSION_STORED] == 3 && now->n_in[VERSION_STORED] == 1);
  EXPECT(now->n_in[VERSION_FAILED] == 1);
  EXPECT(tenant_model(b, 7) == tenant_model(a, 8) && tenant_model(b, 0) == tenant_model(a, 0));

  struct world_part *parts[1] = {two};
  struct world_plan plan = {.parts = parts, .n_tenants = 1};
  memcpy(plan.hash_key, hash_key, sizeof hash_key);
  struct world *world = world_build(&plan, 1);
  EXPECT(world_model(world, b, slice_str(names[500])) == now);
  EXPECT(!world_model(world, b, slice_str(names[7])));
  EXPECT(world_model(world, a, slice_str(names[7])) == tenant_model(a, 7));
  world_free(world);
  EXPECT_INT(alive, N + 1);
  world_part_drop(one); /* the model of that name, and the one that was cut */
  EXPECT_INT(alive, N - 1);
  world_part_drop(two);
  EXPECT_INT(alive, 0);
}

static struct key key_made(const char *id)
{
  struct key key = {.role = ROLE_VIEWER, .person = SLICE("ann")};
  memcpy(key.id, id, KEY_ID_LEN);
  return key;
}

/* A world of two shared parts; `before` may share its tables. */
static struct world *shared(struct world_part *a, struct world_part *b, const struct world *before,
                            uint64_t serial)
{
  struct world_part *parts[2] = {a, b};
  struct world_plan plan = {.parts = parts, .n_tenants = 2, .before = before, .hash_key = {7}};
  return world_build(&plan, serial);
}

TEST(worlds_share_what_did_not_change)
{
  static const unsigned char hash_key[16] = {7};
  struct key keys[2] = {key_made("aaaaaaaaaaaa"), key_made("bbbbbbbbbbbb")};
  struct model model = {.name = SLICE("m")};
  struct tenant one = {.name = SLICE("one"), .planned = &model, .n_models = 1, .keys = keys};
  struct tenant two = {.name = SLICE("two"), .keys = keys + 1, .n_keys = 1};
  const struct tenant *whose = NULL;
  one.n_keys = 1;
  struct world_part *a = world_part_build(&one, hash_key), *b = world_part_build(&two, hash_key);
  struct world *first = shared(a, b, NULL, 1);
  EXPECT(world_tenant(first, SLICE("two")) == world_part_tenant(b));
  model.slot = 9;
  struct world_part *newer = world_part_build(&one, hash_key);
  struct world *second = shared(newer, b, first, 2);
  EXPECT(world_tenant(second, SLICE("two")) == world_tenant(first, SLICE("two")));
  EXPECT(world_key(second, SLICE("aaaaaaaaaaaa"), &whose) && whose == world_part_tenant(newer));
  EXPECT_INT(world_model(second, whose, SLICE("m"))->slot, 9);
  EXPECT_INT(world_model(first, world_tenant(first, SLICE("one")), SLICE("m"))->slot, 0);
  world_free(first); /* the tables the second one found there live on */
  EXPECT(world_tenant(second, SLICE("one")) == world_part_tenant(newer));

  one.n_keys = 0; /* the key is gone: the tables are made anew, and say so */
  struct world_part *keyless = world_part_build(&one, hash_key);
  struct world *third = shared(keyless, b, second, 3);
  EXPECT(!world_key(third, SLICE("aaaaaaaaaaaa"), &whose));
  EXPECT(world_key(third, SLICE("bbbbbbbbbbbb"), &whose) && whose == world_part_tenant(b));
  EXPECT(world_key(second, SLICE("aaaaaaaaaaaa"), &whose) != NULL);
  world_free(second);
  world_free(third);
  world_part_drop(a), world_part_drop(b), world_part_drop(newer), world_part_drop(keyless);
}
