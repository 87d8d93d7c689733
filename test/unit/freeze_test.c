/* freeze_test.c - weekly times and windows in which nothing advances.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/clock.h"
#include "control/release/freeze.h"

static struct err err;

static int64_t at(const char *text)
{
  int64_t wall_ms = 0;
  EXPECT(clock_read(slice_str(text), &wall_ms));
  return wall_ms;
}

static bool holds(const char *weekly, const char *time)
{
  struct weekly read;
  EXPECT_INT(weekly_read(slice_str(weekly), &read, &err), OK);
  return weekly_holds(&read, at(time));
}

TEST(weekly_times_hold_from_their_first_minute_to_before_their_last)
{
  /* 2026-01-02 is a Friday */
  EXPECT(!holds("fri 16:00-mon 08:00", "2026-01-02T15:59:59Z"));
  EXPECT(holds("fri 16:00-mon 08:00", "2026-01-02T16:00:00Z"));
  EXPECT(holds("fri 16:00-mon 08:00", "2026-01-04T23:59Z"));
  EXPECT(holds("fri 16:00-mon 08:00", "2026-01-05T07:59:59Z"));
  EXPECT(!holds("fri 16:00-mon 08:00", "2026-01-05T08:00Z"));
  EXPECT(holds("Mon 22:00 - Tue 06:00, tue 22:00-wed 06:00", "2026-01-07T05:00Z"));
  EXPECT(!holds("mon 22:00-tue 06:00,tue 22:00-wed 06:00", "2026-01-07T22:30Z"));
  EXPECT(holds("sun 00:00-sun 24:00", "2026-01-04T12:00Z"));
  EXPECT(!holds("sun 00:00-sun 24:00", "2026-01-05T00:00Z"));
}

TEST(weekly_times_have_a_zone)
{
  EXPECT(holds("fri 16:00-fri 17:00 +01:00", "2026-01-02T15:30Z"));
  EXPECT(!holds("fri 16:00-fri 17:00 +01:00", "2026-01-02T16:30Z"));
  EXPECT(holds("fri 16:00-fri 17:00 -05:30", "2026-01-02T21:40Z"));
  EXPECT(holds("fri 16:00-fri 17:00 Z", "2026-01-02T16:30Z"));
  EXPECT(holds("mon 00:00-mon 01:00 +02:00", "2026-01-04T22:30Z")); /* over the week's end */
}

TEST(what_is_no_weekly_time_is_refused)
{
  static const char *const bad[] = {"",
                                    "fri",
                                    "fri 16:00",
                                    "fri 16:00-",
                                    "fri 25:00-sat 01:00",
                                    "fri 16:60-sat 01:00",
                                    "fry 16:00-sat 01:00",
                                    "fri 16:00-sat 01:00 Berlin",
                                    "fri 16:00-fri 16:00",
                                    "fri 16:00-sat 01:00,",
                                    "fri 16:00-sat 01:00 +15:00",
                                    "fri 1:00-sat 01:00",
                                    "fri 24:30-sat 01:00"};
  struct weekly read;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    EXPECT_INT(weekly_read(slice_str(bad[i]), &read, &err), E_INVALID_ARGUMENT);
    EXPECT(strstr(err.text, "fri 16:00-mon 08:00") != NULL);
  }
}

/* --- in the catalog --------------------------------------------------------------------------- */

static struct catalog *catalog;

static void fold(enum event_kind kind, const char *tenant, const char *model,
                 const struct event_fact *facts, uint32_t n)
{
  struct event event = {.seq = catalog->seq + 1,
                        .kind = kind,
                        .tenant = slice_str(tenant),
                        .model = slice_str(model),
                        .actor = SLICE("ann"),
                        .facts = facts,
                        .n_facts = n};
  EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
}

static const struct catalog_model *model_of(const char *tenant, const char *name)
{
  return catalog_model(catalog_tenant(catalog, slice_str(tenant)), slice_str(name));
}

static void begin(void)
{
  static const unsigned char key[16] = {3};
  catalog = catalog_new(key);
  fold(EVENT_TENANT_CREATED, "acme", "", NULL, 0);
  fold(EVENT_TENANT_CREATED, "bank", "", NULL, 0);
  fold(EVENT_MODEL_CREATED, "acme", "m", NULL, 0);
  fold(EVENT_MODEL_CREATED, "acme", "n", NULL, 0);
  fold(EVENT_MODEL_CREATED, "bank", "m", NULL, 0);
}

static bool frozen(const char *tenant, const char *name, const char *time)
{
  return freeze_of(catalog, model_of(tenant, name), at(time)) != NULL;
}

TEST(freezes_hold_for_their_scope_until_lifted)
{
  const struct event_fact model[] = {{SLICE("scope"), SLICE("model")}};
  const struct event_fact tenant[] = {{SLICE("scope"), SLICE("tenant")},
                                      {SLICE("until_ms"), SLICE("1767398400000")}};
  const struct event_fact system[] = {{SLICE("scope"), SLICE("system")},
                                      {SLICE("weekly"), SLICE("sat 00:00-mon 00:00")}};
  const char *friday = "2026-01-02T12:00Z", *saturday = "2026-01-03T12:00Z";
  begin();
  fold(EVENT_FREEZE_SET, "acme", "m", model, 1);
  EXPECT(frozen("acme", "m", friday) && !frozen("acme", "n", friday) &&
         !frozen("bank", "m", friday));
  fold(EVENT_FREEZE_LIFTED, "acme", "m", model, 1);
  EXPECT(!frozen("acme", "m", friday));
  fold(EVENT_FREEZE_SET, "acme", "", tenant, 2); /* until 2026-01-03T00:00Z */
  EXPECT(frozen("acme", "m", friday) && frozen("acme", "n", friday) &&
         !frozen("bank", "m", friday));
  EXPECT(!frozen("acme", "m", saturday));
  fold(EVENT_FREEZE_SET, "bank", "", system, 2);
  EXPECT(frozen("acme", "m", saturday) && frozen("bank", "m", saturday));
  EXPECT(!frozen("bank", "m", friday));
  fold(EVENT_FREEZE_LIFTED, "acme", "", system, 1);
  EXPECT(!frozen("acme", "m", saturday) && frozen("acme", "m", friday));
  catalog_free(catalog);
}

TEST(freezes_are_in_the_digest)
{
  const struct event_fact scope[] = {{SLICE("scope"), SLICE("tenant")}};
  begin();
  struct digest before = catalog_digest(catalog);
  fold(EVENT_FREEZE_SET, "acme", "", scope, 1);
  struct digest set = catalog_digest(catalog);
  EXPECT(memcmp(&before, &set, sizeof set) != 0);
  struct event bad = {.seq = catalog->seq + 1,
                      .kind = EVENT_FREEZE_SET,
                      .tenant = SLICE("acme"),
                      .model = SLICE("m"),
                      .facts = scope,
                      .n_facts = 1};
  EXPECT_INT(catalog_apply(catalog, &bad, &err), E_INTERNAL); /* scope and model do not agree */
  struct digest after = catalog_digest(catalog);
  EXPECT(memcmp(&after, &set, sizeof set) == 0);
  catalog_free(catalog);
}
