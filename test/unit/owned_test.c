/* owned_test.c - which files a removal left, counted and told.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mem.h"
#include "control/registry/owned.h"

static const unsigned char hash_key[16] = {4};
static struct catalog *catalog;
static struct catalog_tenant *tenant;
static struct mailbox janitor;
static struct err err;

static void fold(struct event event)
{
  event.seq = catalog->seq + 1;
  event.tenant = SLICE("acme");
  EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
  if (event.kind == EVENT_TENANT_CREATED) return;
  owned_tell(tenant, catalog_model_like(tenant, event.model), &event, &janitor);
}

static struct event_file file(int i)
{
  char text[16];
  snprintf(text, sizeof text, "%d", i);
  return (struct event_file){
      .name = SLICE("f"), .bytes = 100 + (uint64_t)i, .digest = sha256_of(slice_str(text))};
}

static void push(const char *model, uint32_t version, int a, int b)
{
  struct event_file files[2] = {file(a), file(b)};
  files[1].name = SLICE("g");
  fold((struct event){.kind = EVENT_VERSION_PUSHED, .model = slice_str(model), .version = version,
                      .files = files, .n_files = 2});
}

static void take(const char *model, uint32_t version)
{
  fold((struct event){.kind = version ? EVENT_VERSION_REMOVED : EVENT_MODEL_REMOVED,
                      .model = slice_str(model), .version = version});
}

/* The bytes of the next letter; -1: there is none. */
static int told(bool named)
{
  struct mail *mail = mailbox_take(&janitor);
  if (!mail) return -1;
  struct letter_freed *letter = LETTER_OF(mail, struct letter_freed);
  int sum = 0;
  EXPECT(mail->kind == LETTER_FREED && mail->next == NULL);
  EXPECT(letter->named == named && slice_eq(letter->tenant, SLICE("acme")));
  for (uint32_t i = 0; i < letter->n; i++) sum += (int)letter->files[i].bytes;
  ungrab(letter);
  return sum;
}

static void begin(void)
{
  catalog = catalog_new(hash_key);
  mailbox_init_bell(&janitor);
  fold((struct event){.kind = EVENT_TENANT_CREATED});
  tenant = catalog->tenants[0];
  fold((struct event){.kind = EVENT_MODEL_CREATED, .model = SLICE("m")});
  fold((struct event){.kind = EVENT_MODEL_CREATED, .model = SLICE("n")});
}

static void end(void)
{
  EXPECT_INT(told(false), -1);
  catalog_free(catalog);
  mailbox_deinit(&janitor);
}

TEST(what_a_removal_leaves_is_counted_in_the_same_step)
{
  begin();
  push("m", 1, 1, 2);
  EXPECT_INT(told(true), -1); /* nothing was ever removed: nothing to take back */
  push("m", 2, 2, 3);
  take("m", 1);
  EXPECT_INT(told(false), 101); /* 2 is another version's, too */
  EXPECT_INT(meter_pending(tenant->meter), 101);
  EXPECT_INT(tenant->bytes_live, 205);
  take("m", 2);
  EXPECT_INT(told(false), 102 + 103);
  EXPECT_INT(meter_pending(tenant->meter), 101 + 102 + 103);
  push("m", 3, 1, 3); /* named again: the janitor takes back what it marked */
  EXPECT_INT(told(true), 101 + 103);
  take("m", 3);
  EXPECT_INT(told(false), 101 + 103);
  end();
}

TEST(a_model_that_goes_leaves_all_its_files_once)
{
  begin();
  for (uint32_t i = 0; i < 100; i++) push("m", i + 1, (int)i, (int)i + 1);
  push("n", 1, 7, 500);
  take("m", 50);
  EXPECT_INT(told(false), -1); /* its neighbours have them */
  take("m", 0);
  int sum = 0;
  for (int i = 0; i <= 100; i++) sum += i == 7 ? 0 : 100 + i;
  /* Each version that goes tells of its files: one that two had is in the letter once for each, and
   * the janitor gives the second back. */
  int letter = told(false);
  EXPECT(letter > sum);
  EXPECT_INT((int)meter_pending(tenant->meter), letter);
  EXPECT(owned_has(tenant, &(struct digest){{0}}) == false);
  struct event_file seven = file(7), eight = file(8);
  EXPECT(owned_has(tenant, &seven.digest) && !owned_has(tenant, &eight.digest));
  end();
}

TEST(a_table_made_late_is_the_one_kept_all_along)
{
  begin();
  for (uint32_t i = 0; i < 64; i++) push("m", i + 1, (int)i % 9, (int)i % 7);
  struct event_file one = file(1), nine = file(9);
  EXPECT(owned_has(tenant, &one.digest) && !owned_has(tenant, &nine.digest));
  owned_free(tenant);
  for (uint32_t i = 0; i < 64; i++)
    if (i % 9 == 1 || i % 7 == 1) take("m", i + 1);
  while (told(false) >= 0) {}
  EXPECT(!owned_has(tenant, &one.digest));
  owned_free(tenant);
  EXPECT(!owned_has(tenant, &one.digest));
  tenant->removed_seq = 1; /* of a tenant that is gone, nothing is */
  owned_free(tenant);
  struct event_file two = file(2);
  EXPECT(!owned_has(tenant, &two.digest));
  tenant->removed_seq = 0;
  end();
}
