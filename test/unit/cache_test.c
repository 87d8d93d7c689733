/* cache_test.c - the prediction cache without a loop: keys, budgets, time, worlds, who makes room.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mem.h"
#include "base/rand.h"
#include "serve/cache/cache.h"
#include "serve/cache/canon.h"
#include "serve/cache/shard_int.h"

enum { NOW = 1000000, LATER = 2000000, ROOMY = 64 << 20 };

static struct cache *cache;
static char texts[64][4096]; /* keys live as long as a test */
static uint32_t n_texts;

static void up(uint64_t bytes_max)
{
  cache = cache_new(bytes_max);
  n_texts = 0;
}

static void down(void)
{
  cache_free(cache);
  cache = NULL;
}

static struct cache_key key_of(const char *tenant, const char *text)
{
  char *at = texts[n_texts++ % 64];
  int n = snprintf(at, sizeof texts[0], "%s/%s", tenant, text);
  return cache_key_of(cache, slice_str(tenant), slice_of(at, (size_t)n));
}

static struct cache_owner owner_of(const char *tenant, const char *model, uint64_t seq)
{
  return (struct cache_owner){.tenant = slice_str(tenant),
                              .model = slice_str(model),
                              .tenant_max = QUOTA_UNLIMITED,
                              .model_max = ROOMY,
                              .version = 1,
                              .seq = seq};
}

static bool fill(const struct cache_key *key, const struct cache_owner *owner, size_t bytes,
                 int64_t now_us, uint64_t serial)
{
  struct blob *blob = blob_new(key->bytes.len + bytes);
  memcpy(blob->bytes, key->bytes.at, key->bytes.len);
  memset(blob->bytes + key->bytes.len, 'v', bytes);
  bool in = cache_fill(cache, key, owner, blob, now_us, now_us + LATER, serial);
  blob_drop(blob);
  return in;
}

static bool has(const struct cache_key *key, int64_t now_us)
{
  uint32_t mismatches = 0;
  struct blob *blob = cache_find(cache, key, now_us, &mismatches);
  if (blob) EXPECT(slice_eq(slice_of(blob->bytes, key->bytes.len), key->bytes));
  blob_drop(blob);
  return blob != NULL;
}

TEST(what_was_kept_is_found_until_its_time_is_over)
{
  up(ROOMY);
  struct cache_key a = key_of("acme", "a"), b = key_of("acme", "b");
  struct cache_owner owner = owner_of("acme", "m", 1);
  EXPECT(!has(&a, NOW));
  EXPECT(fill(&a, &owner, 100, NOW, 0));
  EXPECT(has(&a, NOW) && !has(&b, NOW));
  EXPECT(has(&a, NOW + LATER - 1));
  EXPECT(!has(&a, NOW + LATER));
  EXPECT_INT(cache_bytes(cache), 0);
  down();
}

/* CA-102: two keys that hash alike are two entries, and neither is ever the other's answer. */
TEST(a_forced_collision_is_a_miss_and_is_counted)
{
  up(ROOMY);
  struct cache_key a = key_of("acme", "a"), b = key_of("acme", "b");
  struct cache_owner owner = owner_of("acme", "m", 1);
  uint32_t mismatches = 0;
  memcpy(b.hash, a.hash, sizeof b.hash);
  EXPECT(fill(&a, &owner, 100, NOW, 0));
  EXPECT(cache_find(cache, &b, NOW, &mismatches) == NULL);
  EXPECT_INT(mismatches, 1);
  EXPECT(fill(&b, &owner, 50, NOW, 0));
  EXPECT(has(&a, NOW) && has(&b, NOW));
  down();
}

/* CA-101: where a name ends does not depend on what it holds. */
TEST(no_two_requests_have_one_form)
{
  static const struct {
    const char *tenant, *model, *input;
  } asks[] = {{"ab", "c", "x"}, {"a", "bc", "x"}, {"a", "b", "cx"}, {"a", "b", "x"}};
  struct arena arena;
  struct slice forms[8];
  float data[2] = {1, 2};
  uint32_t n = 0;
  arena_init(&arena, 1 << 20, NULL);
  for (size_t i = 0; i < 4; i++) {
    struct tensor_spec spec = {.name = slice_str(asks[i].input), .dtype = DT_FP32};
    struct version version = {.number = 1, .seq = 5, .contract = {&spec, &spec, 1, 1, true}};
    struct tensor input = {.dtype = DT_FP32, .shape = {1, {2}}, .data = data, .bytes = 8};
    struct infer_request request = {.inputs = &input, .n_inputs = 1};
    struct canon canon = {slice_str(asks[i].tenant), slice_str(asks[i].model), &version, &request};
    forms[n++] = canon_write(&arena, &canon, 1 << 16);
    if (i < 3) continue;
    input.shape = (struct shape){2, {1, 2}}; /* other dimensions of the same bytes */
    forms[n++] = canon_write(&arena, &canon, 1 << 16);
    input.dtype = DT_INT32;
    forms[n++] = canon_write(&arena, &canon, 1 << 16);
    struct infer_ask ask = {.name = SLICE("x"), .classification = 1};
    request.outputs = &ask, request.n_outputs = 1;
    forms[n++] = canon_write(&arena, &canon, 1 << 16);
    ask.classification = 0;
    version.seq = 6; /* the same files, pushed again */
    forms[n++] = canon_write(&arena, &canon, 1 << 16);
    request.id = SLICE("other"), request.priority = 9, request.timeout_us = 5;
    EXPECT(slice_eq(canon_write(&arena, &canon, 1 << 16), forms[n - 1]));
    EXPECT(canon_write(&arena, &canon, forms[n - 1].len - 1).at == NULL);
  }
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < i; k++) EXPECT(forms[i].at && !slice_eq(forms[i], forms[k]));
  arena_deinit(&arena);
}

TEST(tensors_come_back_as_they_went)
{
  struct arena arena;
  float data[3] = {1, 2, 3};
  struct tensor_spec specs[3] = {{.name = SLICE("a")}, {.name = SLICE("b")}, {.name = SLICE("c")}};
  struct contract contract = {.outputs = specs, .n_outputs = 3};
  struct tensor from[3], to[3];
  memset(from, 0, sizeof from);
  from[0] = (struct tensor){
      .dtype = DT_FP32, .shape = {1, {3}}, .count = 3, .data = data, .bytes = sizeof data};
  from[2] = (struct tensor){.dtype = DT_BYTES, .shape = {.rank = 1}};
  char packed[1024];
  arena_init(&arena, 1 << 20, NULL);
  size_t len = tensors_packed(from, 3, 5);
  tensors_pack(from, 3, 5, packed);
  EXPECT(tensors_unpack(slice_of(packed, len), &contract, 5, &arena, to));
  EXPECT(slice_eq(to[0].name, SLICE("a")) && to[0].bytes == 12 && to[0].shape.dims[0] == 3);
  EXPECT(memcmp(to[0].data, data, 12) == 0);
  EXPECT(slice_eq(to[2].name, SLICE("c")) && to[2].dtype == DT_BYTES && !to[2].data);
  EXPECT(!tensors_unpack(slice_of(packed, len), &contract, 7, &arena, to));
  EXPECT(!tensors_unpack(slice_of(packed, len - 1), &contract, 5, &arena, to));
  EXPECT(!tensors_unpack(slice_of(packed, 20), &contract, 5, &arena, to));
  arena_deinit(&arena);
}

TEST(the_least_recently_used_of_a_model_makes_room)
{
  up(ROOMY);
  struct cache_key keys[5];
  struct cache_owner owner = owner_of("acme", "m", 1), next = owner_of("acme", "m", 2);
  for (int i = 0; i < 5; i++) {
    char text[8];
    snprintf(text, sizeof text, "k%d", i);
    keys[i] = key_of("acme", text);
  }
  fill(&keys[0], &owner, 1000, NOW, 0);
  uint64_t each = cache_bytes(cache);
  EXPECT(each > 1000 && each < 1400);
  owner.model_max = next.model_max = 3 * each;
  EXPECT(fill(&keys[1], &owner, 1000, NOW, 0));
  EXPECT(fill(&keys[2], &next, 1000, NOW, 0)); /* another version of the same model */
  EXPECT(has(&keys[0], NOW));                  /* used: 1 is the oldest now */
  EXPECT(fill(&keys[3], &owner, 1000, NOW, 0));
  EXPECT(has(&keys[0], NOW) && !has(&keys[1], NOW) && has(&keys[2], NOW) && has(&keys[3], NOW));
  EXPECT_INT(cache_bytes(cache), 3 * each);
  EXPECT(!fill(&keys[4], &owner, 3 * each, NOW, 0)); /* it alone is too large */
  EXPECT(!fill(&keys[4], &owner, CACHE_ENTRY_MAX, NOW, 0));
  EXPECT_INT(cache_bytes(cache), 3 * each);
  EXPECT(fill(&keys[3], &owner, 1000, NOW, 0)); /* instead of itself */
  EXPECT_INT(cache_bytes(cache), 3 * each);
  down();
}

/* A lock that is held for thousands of entries holds up every loop that asks for this tenant. */
TEST(what_has_to_make_room_goes_a_few_at_a_time)
{
  enum { ENTRIES = 5 * DROPS_MAX };
  up(ROOMY);
  struct cache_owner owner = owner_of("acme", "m", 1);
  struct cache_key key;
  for (int i = 0; i < ENTRIES; i++) {
    char text[8];
    snprintf(text, sizeof text, "%d", 1000 + i);
    key = key_of("acme", text);
    EXPECT(fill(&key, &owner, 1000, NOW, 0));
  }
  struct shard *shard = &cache->shards[key.shard];
  struct waste waste = {0};
  uint64_t each = cache_bytes(cache) / ENTRIES, before = cache_bytes(cache);
  shard_lock(shard);
  struct kept_version *of = shard_owner(shard, &owner, &(struct spare){0});
  EXPECT(shard_fit(cache, shard, of, 2 * each, &waste));
  shard_unlock(shard);
  waste_free(&waste);
  EXPECT_INT(before - cache_bytes(cache), DROPS_MAX * each);
  owner.model_max = 2 * each;
  EXPECT(fill(&key, &owner, 1000, NOW, 0)); /* all that is above goes with the next fill */
  EXPECT_INT(cache_bytes(cache), 2 * each);
  EXPECT(has(&key, NOW));
  owner.model_max = ROOMY;
  owner.tenant_max = each;
  EXPECT(fill(&key, &owner, 1000, NOW, 0));
  EXPECT_INT(cache_bytes(cache), each);
  down();
}

TEST(a_tenants_budget_holds_over_its_models)
{
  struct meter meter;
  memset(&meter, 0, sizeof meter);
  up(ROOMY);
  struct cache_owner one = owner_of("acme", "one", 1), two = owner_of("acme", "two", 2);
  one.meter = two.meter = &meter;
  one.tenant_max = two.tenant_max = 10000;
  uint64_t each = 1;
  for (int i = 0; i < 40; i++) {
    char text[8];
    snprintf(text, sizeof text, "k%d", i);
    struct cache_key key = key_of("acme", text);
    EXPECT(fill(&key, i % 2 ? &one : &two, 1000, NOW, 0));
    if (!i) each = cache_bytes(cache) + 1; /* one digit more in nearly all keys */
    EXPECT(cache_bytes(cache) <= 10000);
    EXPECT_INT(meter_used(&meter, QUOTA_cache_bytes, NOW), cache_bytes(cache));
  }
  EXPECT_INT(meter.cache_evictions, 40 - cache_bytes(cache) / each);
  down();
  EXPECT_INT(meter.cache_bytes, 0);
}

/* One tenant that fills without end takes from itself: of the others hardly any entry goes. */
TEST(who_holds_the_most_makes_room_for_all)
{
  enum { OTHERS = 8, EACH = 20 };
  up(1 << 20);
  char name[16], text[32];
  for (int round = 0; round < 4000; round++) {
    snprintf(text, sizeof text, "churn%d", round);
    struct cache_key key = key_of("greedy", text);
    struct cache_owner owner = owner_of("greedy", "m", 1);
    fill(&key, &owner, 1000, NOW, 0);
    if (round % 8) continue;
    int of = round / 8;
    snprintf(name, sizeof name, "small%d", of % OTHERS);
    snprintf(text, sizeof text, "k%d", of / OTHERS % EACH);
    struct cache_key small = key_of(name, text);
    struct cache_owner its = owner_of(name, "m", 1);
    fill(&small, &its, 1000, NOW, 0);
    EXPECT(cache_bytes(cache) <= 1 << 20);
  }
  int kept = 0;
  for (int of = 0; of < OTHERS * EACH; of++) {
    snprintf(name, sizeof name, "small%d", of % OTHERS);
    snprintf(text, sizeof text, "k%d", of / OTHERS);
    struct cache_key small = key_of(name, text);
    kept += has(&small, NOW);
  }
  EXPECT(kept >= OTHERS * EACH * 9 / 10);
  cache_budget_set(cache, cache_budget_normal(cache) / 2);
  struct cache_key last = key_of("greedy", "last");
  struct cache_owner owner = owner_of("greedy", "m", 1);
  fill(&last, &owner, 1000, NOW, 0);
  EXPECT(cache_bytes(cache) <= 1 << 19);
  cache_budget_set(cache, 0);
  EXPECT(!fill(&last, &owner, 1000, NOW, 0));
  down();
}

/* --- worlds ----------------------------------------------------------------------------------- */

static struct world *world_of(uint64_t seq, uint32_t number, uint64_t serial, int64_t ttl_us,
                              const struct quotas *quotas)
{
  static struct tensor_spec spec = {.name = SLICE("x"), .dtype = DT_FP32};
  static struct seat seat;
  struct version version = {.number = number,
                            .seats = &seat,
                            .n_seats = 1,
                            .slot = SLOT_NONE,
                            .seq = seq,
                            .state = VERSION_READY,
                            .cache_ttl_us = ttl_us,
                            .contract = {&spec, &spec, 1, 1, true}};
  struct model model = {.name = SLICE("m"), .planned = &version, .n_versions = 1};
  model_serve(&model, &version);
  struct tenant tenant = {
      .name = SLICE("acme"), .planned = &model, .n_models = 1, .quotas = quotas};
  struct world_plan plan = {.tenants = &tenant, .n_tenants = 1};
  return world_build(&plan, serial);
}

TEST(a_switch_gives_the_bytes_of_the_old_version_back)
{
  up(ROOMY);
  struct cache_owner one = owner_of("acme", "m", 11), two = owner_of("acme", "m", 12);
  two.version = 2;
  struct cache_key keys[300];
  static char names[300][16];
  for (int i = 0; i < 300; i++) {
    snprintf(names[i], sizeof names[i], "acme/%d", i);
    keys[i] = cache_key_of(cache, SLICE("acme"), slice_str(names[i]));
    EXPECT(fill(&keys[i], i < 290 ? &one : &two, 100, NOW, 7));
  }
  struct world *before = world_of(11, 1, 8, LATER, NULL), *after = world_of(12, 2, 9, LATER, NULL);
  cache_sweep(cache, before, 0, 1, NOW);
  for (int i = 0; i < 300; i++) EXPECT_INT(has(&keys[i], NOW), i < 290);
  for (int i = 290; i < 300; i++) EXPECT(fill(&keys[i], &two, 100, NOW, 9));
  EXPECT(!fill(&keys[290], &two, 100, NOW, 7)); /* by a loop that is behind */
  cache_sweep(cache, after, 0, 1, NOW);
  for (int i = 0; i < 300; i++) EXPECT_INT(has(&keys[i], NOW), i >= 290);
  EXPECT(!fill(&keys[0], &one, 100, NOW, 8)); /* its model has changed since */
  cache_sweep(cache, before, 0, 1, NOW);      /* a loop that is behind sweeps nothing away */
  EXPECT(has(&keys[299], NOW));
  cache_sweep(cache, after, 0, 1, NOW + LATER); /* expired */
  EXPECT_INT(cache_bytes(cache), 0);
  world_free(before);
  world_free(after);
  down();
}

TEST(a_tenant_that_was_removed_gives_all_of_its_bytes_back)
{
  enum { EACH = 200 };
  struct meter meter = {0};
  char text[16];
  up(ROOMY);
  struct cache_owner acme = owner_of("acme", "m", 11), zeta = owner_of("zeta", "m", 12);
  zeta.meter = &meter;
  for (int i = 0; i < EACH; i++) {
    snprintf(text, sizeof text, "%d", i);
    struct cache_key one = key_of("acme", text), two = key_of("zeta", text);
    EXPECT(fill(&one, &acme, 100, NOW, 0));
    EXPECT(fill(&two, &zeta, 100, NOW, 0));
  }
  uint64_t both = cache_bytes(cache);
  EXPECT_INT(atomic_load(&meter.cache_bytes), both / 2);
  struct world *world = world_of(11, 1, 1, LATER, NULL); /* has no tenant of that name */
  cache_sweep(cache, world, 0, 1, NOW);
  EXPECT_INT(cache_bytes(cache), both / 2);
  EXPECT_INT(atomic_load(&meter.cache_bytes), 0);
  for (int i = 0; i < EACH; i++) {
    snprintf(text, sizeof text, "%d", i);
    struct cache_key one = key_of("acme", text), two = key_of("zeta", text);
    EXPECT(has(&one, NOW) && !has(&two, NOW));
  }
  world_free(world);
  down();
}

TEST(a_quota_that_was_lowered_holds_with_the_next_sweep)
{
  struct quotas quotas = {{0}};
  up(ROOMY);
  struct cache_owner owner = owner_of("acme", "m", 11);
  for (int i = 0; i < 20; i++) {
    char text[16];
    snprintf(text, sizeof text, "%d", i);
    struct cache_key key = key_of("acme", text);
    EXPECT(fill(&key, &owner, 1000, NOW, 0));
  }
  quotas.said[QUOTA_cache_bytes] = 5000;
  struct world *world = world_of(11, 1, 1, LATER, &quotas);
  cache_sweep(cache, world, 0, 1, NOW);
  EXPECT(cache_bytes(cache) <= 5000 && cache_bytes(cache) > 2000);
  world_free(world);
  down();
}

/* Whatever is done to it: what is found is what was kept last, and bytes never pass the budget. */
TEST(random_use_keeps_to_what_was_kept)
{
  enum { KEYS = 200, STEPS = 20000 };
  static uint32_t lens[KEYS]; /* of the last value; 0: never kept */
  struct rand rand;
  rand_seed(&rand, 5);
  up(60000);
  struct cache_owner owners[3] = {owner_of("a", "m", 1), owner_of("a", "n", 2),
                                  owner_of("b", "m", 3)};
  owners[1].model_max = 10000;
  static char names[KEYS][16];
  struct cache_key keys[KEYS];
  for (int i = 0; i < KEYS; i++) {
    snprintf(names[i], sizeof names[i], "key %d", i);
    keys[i] = cache_key_of(cache, owners[i % 3].tenant, slice_str(names[i]));
    keys[i].hash[0] &= 7; /* long chains, and many that hash alike */
    keys[i].hash[1] &= 1;
  }
  memset(lens, 0, sizeof lens);
  for (int step = 0; step < STEPS; step++) {
    uint32_t i = (uint32_t)(rand_u64(&rand) % KEYS), mismatches = 0;
    int64_t now_us = NOW + step * 1000;
    if (rand_u64(&rand) % 3) {
      struct blob *blob = cache_find(cache, &keys[i], now_us, &mismatches);
      EXPECT(!blob || (blob->len == keys[i].bytes.len + lens[i] &&
                       memcmp(blob->bytes, names[i], keys[i].bytes.len) == 0));
      blob_drop(blob);
    } else {
      lens[i] = 1 + (uint32_t)(rand_u64(&rand) % 2000);
      EXPECT(fill(&keys[i], &owners[i % 3], lens[i], now_us, 0));
      EXPECT(cache_bytes(cache) <= 60000);
    }
  }
  down();
}
