/* who_test.c - every route against every role, and who a caller is: with a key and without.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "api/routes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "serve/who.h"
#include "wire/key.h"

static struct hmac pepper;
static struct world *world;
static struct err err;
static struct who who;
static struct key key_rows[4];
static char texts[4][KEY_TEXT_LEN + 1];

enum { ANN, OLD, NEAR, DAN };

static void key_make(int i, enum role role, const char *person, int64_t expires_ms)
{
  unsigned char random[KEY_RANDOM];
  struct key_text parts;
  struct rand rand;
  rand_seed(&rand, (uint64_t)i + 1);
  for (size_t k = 0; k < sizeof random; k++) random[k] = (unsigned char)rand_u64(&rand);
  key_text_make(random, texts[i]);
  EXPECT(key_text_read(slice_str(texts[i]), &parts));
  key_rows[i] = (struct key){.role = role, .person = slice_str(person), .expires_ms = expires_ms};
  memcpy(key_rows[i].id, parts.id.at, KEY_ID_LEN);
  key_rows[i].hash = hmac_of(&pepper, parts.secret);
}

/* Tenant default: ann's and an old one's; tenant acme: one for 10.0.0.0/8 only, dan's. */
static void begin(void)
{
  static struct cidr net;
  log_level_set(LOG_ERROR);
  hmac_init(&pepper, SLICE("pepper"));
  EXPECT(cidr_read(SLICE("10.0.0.0/8"), &net));
  key_make(ANN, ROLE_DEPLOYER, "ann", 0);
  key_make(OLD, ROLE_ADMIN, "old", 5000);
  key_make(NEAR, ROLE_VIEWER, "near", 0);
  key_make(DAN, ROLE_INVOKER, "dan", 0);
  key_rows[NEAR].cidrs = &net;
  key_rows[NEAR].n_cidrs = 1;
  struct tenant tenants[2] = {{.name = SLICE(TENANT_DEFAULT), .keys = key_rows, .n_keys = 2},
                              {.name = SLICE("acme"), .keys = key_rows + 2, .n_keys = 2}};
  struct world_plan plan = {.tenants = tenants, .n_tenants = 2, .ready = true};
  world = world_build(&plan, 1);
}

static enum code ask(const char *bearer, const char *peer, int64_t wall_ms, bool keys_only)
{
  struct http_field field = {.name = SLICE("authorization"), .value = slice_str(bearer)};
  struct http_head head = {.keep_alive = true, .fields = &field};
  struct who_rules rules = {.pepper = &pepper, .keys_only = keys_only};
  struct who_asks asks = {.world = world, .head = &head, .wall_ms = wall_ms};
  if (bearer) head.first[FIELD_AUTHORIZATION] = 1;
  EXPECT(ip_read(slice_str(peer), &asks.peer));
  return who_of(&rules, &asks, &who, &err);
}

static const char *bearer(int i)
{
  static char text[KEY_TEXT_LEN + 16];
  snprintf(text, sizeof text, "Bearer %s", texts[i]);
  return text;
}

/* Rows: who has it. Columns: what is needed: anybody viewer auditor invoker deployer approver
 * admin operator. Drawn again here, so that a slip in base/role.c shows. */
static const char *const matrix[ROLE_COUNT] = {"x.......", "xx......", "xxx.....", "xx.x....",
                                               "xx.xx...", "xx.xxx..", "xxxxxxx.", "xxxxxxxx"};

/* robustness row AU-101: nobody, and every role of a key, at every route there is */
TEST(AU_101_every_route_takes_its_role_and_those_that_hold_it)
{
  uint32_t n, open = 0, denied = 0;
  const struct route *rows = routes_all(&n);
  for (uint32_t i = 0; i < n; i++)
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
      enum role least;
      struct who caller = {.actor = SLICE("key-1"), .role = (enum role)role};
      EXPECT(authz_least(rows[i].verb, rows[i].resource, &least));
      enum code want = matrix[role][least] == 'x' ? OK
                       : role == ROLE_ANYBODY     ? E_UNAUTHENTICATED
                                                  : E_DENIED;
      enum code code = who_may(&caller, rows[i].verb, rows[i].resource, &err);
      EXPECT_INT(code, want);
      denied += code != OK;
      open += code == OK && role == ROLE_ANYBODY;
    }
  EXPECT(denied > n && open > 0 && open < n); /* the table has rows of both sorts */
}

/* What changes something is for nobody without a role, and keys are an admin's. */
TEST(AU_101_no_route_that_changes_something_is_open)
{
  uint32_t n, keys = 0;
  const struct route *rows = routes_all(&n);
  for (uint32_t i = 0; i < n; i++) {
    enum role least;
    EXPECT(authz_least(rows[i].verb, rows[i].resource, &least));
    if (rows[i].method != METHOD_GET) EXPECT(least != ROLE_ANYBODY);
    if (strncmp(rows[i].pattern, "/api/v1/keys", 12) != 0) continue;
    keys++;
    EXPECT_INT(least, rows[i].method == METHOD_GET ? ROLE_AUDITOR : ROLE_ADMIN);
  }
  EXPECT_INT(keys, 4);
}

TEST(a_viewer_may_not_deploy_and_is_told_why)
{
  struct who viewer = {.actor = SLICE("key-1"), .role = ROLE_VIEWER};
  EXPECT_INT(who_may(&viewer, VERB_write, RESOURCE_model, &err), E_DENIED);
  EXPECT_STR(err.text, "this needs the role deployer; \"key-1\" has viewer");
}

TEST(without_a_key_everybody_is_anonymous_of_the_default_tenant)
{
  begin();
  EXPECT_INT(ask(NULL, "127.0.0.1", 0, false), OK);
  EXPECT(who.tenant && slice_eq(who.tenant->name, SLICE("default")));
  EXPECT(slice_eq(who.tenant_name, SLICE("default")));
  EXPECT(slice_eq(who.actor, SLICE("anonymous")) && slice_eq(who.person, SLICE("anonymous")));
  EXPECT_INT(who.role, ROLE_OPERATOR);
  world_free(world);
  world = NULL; /* before the first one */
  EXPECT_INT(ask(NULL, "127.0.0.1", 0, false), OK);
  EXPECT(who.tenant == NULL && slice_eq(who.tenant_name, SLICE("default")));
  EXPECT_INT(ask(bearer(ANN), "127.0.0.1", 0, false), E_NOT_READY);
}

TEST(where_keys_are_needed_who_brings_none_is_nobody_of_no_tenant)
{
  begin();
  EXPECT_INT(ask(NULL, "127.0.0.1", 0, true), OK);
  EXPECT(who.tenant == NULL && who.tenant_name.len == 0);
  EXPECT_INT(who.role, ROLE_ANYBODY);
  EXPECT_INT(who_may(&who, VERB_look, RESOURCE_server, &err), OK);
  EXPECT_INT(who_may(&who, VERB_read, RESOURCE_model, &err), E_UNAUTHENTICATED);
  world_free(world);
}

TEST(a_key_decides_tenant_role_and_person)
{
  begin();
  for (int only = 0; only < 2; only++) {
    EXPECT_INT(ask(bearer(ANN), "127.0.0.1", 1, only), OK);
    EXPECT(slice_eq(who.tenant_name, SLICE("default")) && who.role == ROLE_DEPLOYER);
    EXPECT(slice_eq(who.person, SLICE("ann")) && slice_eq(who.actor, key_id(&key_rows[ANN])));
    EXPECT_INT(ask(bearer(DAN), "127.0.0.1", 1, only), OK);
    EXPECT(slice_eq(who.tenant_name, SLICE("acme")) && who.role == ROLE_INVOKER);
    EXPECT(who.tenant == world_tenant(world, SLICE("acme")));
  }
  world_free(world);
}

TEST(a_key_remembers_to_a_second_when_it_was_used)
{
  static _Atomic int64_t used_ms;
  begin();
  world_free(world);
  key_rows[ANN].used_ms = &used_ms;
  struct tenant tenant = {.name = SLICE(TENANT_DEFAULT), .keys = key_rows, .n_keys = 1};
  struct world_plan plan = {.tenants = &tenant, .n_tenants = 1};
  world = world_build(&plan, 1);
  EXPECT_INT(ask(bearer(ANN), "127.0.0.1", 5000, false), OK);
  EXPECT_INT(used_ms, 5000);
  EXPECT_INT(ask(bearer(ANN), "127.0.0.1", 5999, false), OK);
  EXPECT_INT(used_ms, 5000);
  EXPECT_INT(ask(bearer(ANN), "127.0.0.1", 6000, false), OK);
  EXPECT_INT(used_ms, 6000);
  char wrong[KEY_TEXT_LEN + 16];
  snprintf(wrong, sizeof wrong, "%s", bearer(ANN));
  wrong[30] = wrong[30] == '0' ? '1' : '0';
  EXPECT_INT(ask(wrong, "127.0.0.1", 9000, false), E_UNAUTHENTICATED);
  EXPECT_INT(used_ms, 6000); /* a wrong one is not a use */
  key_rows[ANN].used_ms = NULL;
  world_free(world);
}

TEST(a_key_expires_to_the_millisecond)
{
  begin();
  EXPECT_INT(ask(bearer(OLD), "127.0.0.1", 4999, false), OK);
  EXPECT_INT(ask(bearer(OLD), "127.0.0.1", 5000, false), E_UNAUTHENTICATED);
  EXPECT_INT(ask(bearer(ANN), "127.0.0.1", INT64_MAX, false), OK);
  world_free(world);
}

TEST(a_key_may_be_bound_to_networks)
{
  begin();
  EXPECT_INT(ask(bearer(NEAR), "10.3.2.1", 1, false), OK);
  EXPECT_INT(ask(bearer(NEAR), "11.3.2.1", 1, false), E_UNAUTHENTICATED);
  EXPECT_INT(ask(bearer(NEAR), "::1", 1, false), E_UNAUTHENTICATED);
  world_free(world);
}

/* robustness row AU-102: one answer for every way to be wrong, wherever anonymous would do */
TEST(AU_102_every_wrong_key_is_refused_with_the_same_words)
{
  static char wrong[8][KEY_TEXT_LEN + 32];
  struct key_text parts;
  char first[ERR_TEXT_MAX] = "";
  begin();
  snprintf(wrong[0], sizeof wrong[0], "Bearer %.40s", texts[ANN]);       /* cut */
  snprintf(wrong[1], sizeof wrong[1], "Bearer %s", texts[ANN]);          /* one character */
  wrong[1][40] = wrong[1][40] == '0' ? '1' : '0';
  snprintf(wrong[2], sizeof wrong[2], "Basic %s", texts[ANN]);
  snprintf(wrong[3], sizeof wrong[3], "Bearer ");
  snprintf(wrong[4], sizeof wrong[4], "Bearer %s", texts[OLD]);          /* expired */
  key_make(OLD, ROLE_ADMIN, "old", 0);
  unsigned char random[KEY_RANDOM] = {1};
  key_text_make(random, texts[OLD]);                                     /* unknown, but whole */
  snprintf(wrong[5], sizeof wrong[5], "Bearer %s", texts[OLD]);
  /* ann's id with another's secret, and a checksum that fits */
  memset(random, 7, sizeof random);
  static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
  for (int i = 0; i < KEY_TEXT_ID; i++)
    random[i] = (unsigned char)(strchr(letters, texts[ANN][4 + i]) - letters);
  key_text_make(random, texts[OLD]);
  EXPECT(key_text_read(slice_str(texts[OLD]), &parts));
  EXPECT(slice_eq(parts.id, key_id(&key_rows[ANN])));
  snprintf(wrong[6], sizeof wrong[6], "Bearer %s", texts[OLD]);
  memset(wrong[7], 'a', sizeof wrong[7] - 1);
  for (int i = 0; i < 8; i++) {
    EXPECT_INT(ask(wrong[i], "127.0.0.1", 9000, false), E_UNAUTHENTICATED);
    if (!first[0]) snprintf(first, sizeof first, "%s", err.text);
    EXPECT_STR(err.text, first);
  }
  world_free(world);
}

TEST(a_revoked_key_is_gone_with_the_next_world)
{
  begin();
  EXPECT_INT(ask(bearer(ANN), "127.0.0.1", 1, false), OK);
  world_free(world);
  struct tenant tenant = {.name = SLICE(TENANT_DEFAULT), .keys = key_rows + 1, .n_keys = 1};
  struct world_plan plan = {.tenants = &tenant, .n_tenants = 1};
  world = world_build(&plan, 2);
  EXPECT_INT(ask(bearer(ANN), "127.0.0.1", 1, false), E_UNAUTHENTICATED);
  world_free(world);
  struct world_plan last = {.draining = true}; /* the last world knows nobody: that is no refusal */
  world = world_build(&last, 3);
  EXPECT_INT(ask(bearer(ANN), "127.0.0.1", 1, false), E_DRAINING);
  world_free(world);
}

static int order(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* robustness row AU-102: equal time. A known key with a wrong secret against an unknown one:
 * medians of many, so that the noise of a shared machine is not what is compared. */
TEST(AU_102_an_unknown_key_takes_the_time_of_a_known_one)
{
  enum { N = 20001 };
  static int64_t times[2][N];
  static char wrong[2][KEY_TEXT_LEN + 16];
  unsigned char random[KEY_RANDOM] = {3};
  static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
  begin();
  key_text_make(random, texts[OLD]);
  snprintf(wrong[0], sizeof wrong[0], "Bearer %s", texts[OLD]);
  for (int i = 0; i < KEY_TEXT_ID; i++)
    random[i] = (unsigned char)(strchr(letters, texts[ANN][4 + i]) - letters);
  key_text_make(random, texts[OLD]);
  snprintf(wrong[1], sizeof wrong[1], "Bearer %s", texts[OLD]);
  for (int i = 0; i < N; i++)
    for (int side = 0; side < 2; side++) {
      int64_t began = clock_ns();
      EXPECT_INT(ask(wrong[side], "127.0.0.1", 1, false), E_UNAUTHENTICATED);
      times[side][i] = clock_ns() - began;
    }
  for (int side = 0; side < 2; side++) qsort(times[side], N, sizeof times[side][0], order);
  double unknown = (double)times[0][N / 2], known = (double)times[1][N / 2];
  EXPECT(unknown < 1.25 * known && known < 1.25 * unknown);
  int64_t began = clock_ns();
  for (int i = 0; i < N; i++) EXPECT_INT(ask(bearer(ANN), "127.0.0.1", 1, false), OK);
  if (getenv("SHOW_TIMES"))
    printf("unknown %.0f ns, known %.0f ns, a good one %.0f ns\n", unknown, known,
           (double)(clock_ns() - began) / N);
  world_free(world);
}
