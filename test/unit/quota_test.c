/* quota_test.c - bytes against a maximum, from one thread and from several; the table of limits.
 * SPDX-License-Identifier: MIT */
#include "base/quota.h"

#include "base/thread.h"
#include "test.h"

TEST(nothing_past_the_maximum)
{
  struct ration quota;
  ration_init(&quota, 100);
  EXPECT(ration_take(&quota, 60));
  EXPECT(!ration_take(&quota, 41));
  EXPECT(ration_take(&quota, 40));
  EXPECT(!ration_take(&quota, 1));
  EXPECT(!ration_take(&quota, UINT64_MAX));
  ration_take_beyond(&quota, 10);
  EXPECT_INT(ration_held(&quota), 110);
  ration_give(&quota, 20);
  EXPECT(ration_take(&quota, 10));
  ration_give(&quota, 100);
  EXPECT_INT(ration_held(&quota), 0);
}

TEST(an_arena_of_a_quota_ends_there)
{
  struct ration quota;
  struct arena one, two;
  ration_init(&quota, 1 << 20);
  arena_init(&one, SIZE_MAX, &quota.heap);
  arena_init(&two, SIZE_MAX, &quota.heap);
  EXPECT(arena_get(&one, 700 << 10) != NULL);
  EXPECT(arena_get(&two, 700 << 10) == NULL);
  EXPECT_INT(ration_held(&quota), arena_held(&one));
  arena_deinit(&one);
  EXPECT(arena_get(&two, 700 << 10) != NULL);
  arena_deinit(&two);
  EXPECT_INT(ration_held(&quota), 0);
}

enum { TAKERS = 4, TAKES = 20000 };
static struct ration shared;

static void taker(void *over)
{
  for (int i = 0; i < TAKES; i++) {
    if (!ration_take(&shared, 10)) continue;
    if (ration_held(&shared) > 10 * 2 + 10 * TAKERS) *(bool *)over = true;
    ration_give(&shared, 10);
  }
}

TEST(several_threads_leave_nothing_behind)
{
  struct thread threads[TAKERS];
  bool over[TAKERS] = {false};
  ration_init(&shared, 10 * 2);
  for (int i = 0; i < TAKERS; i++)
    thread_start(&threads[i], "taker", THREAD_STACK_PARSER, taker, &over[i]);
  for (int i = 0; i < TAKERS; i++) {
    thread_join(&threads[i]);
    EXPECT(!over[i]);
  }
  EXPECT_INT(ration_held(&shared), 0);
}

/* --- the table -------------------------------------------------------------------------------- */

static enum code said(enum quota_id id, const char *text, uint64_t *value, struct err *err)
{
  return quota_read(id, slice_str(text), value, err);
}

TEST(a_limit_is_a_number_or_a_word)
{
  struct err err;
  uint64_t value = 7;
  EXPECT_INT(said(QUOTA_models, "1", &value, &err), OK);
  EXPECT_INT(value, 1);
  EXPECT_INT(said(QUOTA_models, "9007199254740992", &value, &err), OK);
  EXPECT_INT(value, QUOTA_MOST);
  EXPECT_INT(said(QUOTA_models, "unlimited", &value, &err), OK);
  EXPECT(value == QUOTA_UNLIMITED);
  EXPECT_INT(said(QUOTA_models, "default", &value, &err), OK);
  EXPECT_INT(value, 0);
  EXPECT_INT(said(QUOTA_stored_bytes, "64MiB", &value, &err), OK);
  EXPECT_INT(value, 64 << 20);
  EXPECT_INT(said(QUOTA_stored_bytes, "2TiB", &value, &err), OK);
  EXPECT_INT(value, INT64_C(2) << 40);
}

/* CF-103, for every limit there is. */
TEST(anything_else_names_the_field_and_the_range)
{
  static const char *const bad[] = {"-1",  "0",    "NaN",  "nan", "1e3",  "10x",
                                    "",    "1.5",  "+1",   " 1",  "007",  "18446744073709551615",
                                    "inf", "0MiB", "1MB",  "MiB", "none", "18446744073709551616"};
  struct err err;
  for (int id = 0; id < QUOTAS; id++) {
    const struct quota_row *row = quota_row((enum quota_id)id);
    char more[32];
    uint64_t value = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
      EXPECT_INT(said((enum quota_id)id, bad[i], &value, &err), E_VALUE_OUT_OF_RANGE);
      EXPECT_STR(err.field, row->name);
      EXPECT(strstr(err.text, row->name) && strstr(err.text, "from 1 to "));
    }
    snprintf(more, sizeof more, "%" PRIu64, row->most + 1);
    EXPECT_INT(said((enum quota_id)id, more, &value, &err), E_VALUE_OUT_OF_RANGE);
    snprintf(more, sizeof more, "%" PRIu64, row->most);
    EXPECT_INT(value, 7);
    EXPECT_INT(said((enum quota_id)id, more, &value, &err), OK);
    EXPECT(value == row->most);
    EXPECT_INT(said((enum quota_id)id, "16777216TiB", &value, &err), E_VALUE_OUT_OF_RANGE);
  }
}

TEST(limits_as_one_text_and_back)
{
  char text[QUOTAS_TEXT_MAX];
  struct quotas quotas = {{0}}, back = {{0}};
  struct err err;
  EXPECT_INT(quotas_write(&quotas, text), 0);
  for (int id = 0; id < QUOTAS; id++) quotas.said[id] = quota_row((enum quota_id)id)->most;
  EXPECT_INT(quotas_write(&quotas, text), strlen(text));
  EXPECT_INT(quotas_read(&back, QUOTA_TENANT, slice_str(text), &err), OK);
  EXPECT(memcmp(&back, &quotas, sizeof back) == 0);
  EXPECT_INT(quotas_read(&back, QUOTA_TENANT, SLICE("models=5 requests_per_second=default"), &err),
             OK);
  EXPECT_INT(back.said[QUOTA_models], 5);
  EXPECT_INT(back.said[QUOTA_requests_per_second], 0);
  EXPECT_INT(back.said[QUOTA_versions], QUOTA_MOST); /* what is not named stays */
  EXPECT(quota_value(&back, QUOTA_requests_per_second) == QUOTA_UNLIMITED);
  EXPECT_INT(quota_value(&back, QUOTA_models), 5);
  EXPECT_INT(quota_value(NULL, QUOTA_connections), 2048);
}

TEST(a_text_with_one_bad_word_changes_nothing)
{
  static const char *const bad[] = {"models",          "models=5 ",     "models=5  versions=1",
                                    "models=5 owls=3", "models=5 =3",   "models=5 versions=0",
                                    "models==5",       "models=5 models=x"};
  struct quotas quotas = {{0}};
  struct err err;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    bool taken = quotas_read(&quotas, QUOTA_BOTH, slice_str(bad[i]), &err) == OK;
    EXPECT(!taken || i == 1); /* a blank at the end is nothing more */
    EXPECT_INT(quotas.said[QUOTA_models], taken ? 5 : 0);
    memset(&quotas, 0, sizeof quotas);
  }
  EXPECT_INT(quotas_read(&quotas, QUOTA_MODEL, SLICE("models=5"), &err), E_INVALID_ARGUMENT);
  EXPECT_STR(err.field, "models");
  EXPECT_INT(quotas_read(&quotas, QUOTA_MODEL, SLICE("versions=5"), &err), OK);
}

TEST(names_as_members_and_as_flags)
{
  EXPECT_INT(quota_named(SLICE("requests_per_second"), false), QUOTA_requests_per_second);
  EXPECT_INT(quota_named(SLICE("requests-per-second"), true), QUOTA_requests_per_second);
  EXPECT_INT(quota_named(SLICE("requests-per-second"), false), QUOTAS);
  EXPECT_INT(quota_named(SLICE("requests_per_secon"), false), QUOTAS);
  EXPECT_INT(quota_named(SLICE(""), false), QUOTAS);
}
