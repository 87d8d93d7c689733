/* flight_test.c - equal requests that wait for one run: who leads, who is told what.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/mem.h"
#include "serve/cache/flight.h"
#include "world/letters.h"

enum { MANY = 10000 };

static struct cache *cache;
static struct mailbox box;
static struct flight *flights;
static _Atomic bool gone[MANY];
static struct cache_key key;

static void up(void)
{
  cache = cache_new(1 << 20);
  mailbox_init(&box, NULL, NULL);
  flights = grab_zero(MANY, sizeof *flights);
  key = cache_key_of(cache, SLICE("acme"), SLICE("the one question"));
}

static void down(void)
{
  EXPECT(mailbox_take(&box) == NULL);
  mailbox_deinit(&box);
  cache_free(cache);
  ungrab(flights);
}

static enum cache_asked ask(uint32_t i)
{
  struct blob *blob = NULL;
  uint32_t mismatches = 0;
  flights[i].home = &box;
  flights[i].gone = &gone[i];
  atomic_store(&gone[i], false);
  enum cache_asked asked = cache_ask(cache, &flights[i], &key, 1000, &blob, &mismatches);
  blob_drop(blob);
  return asked;
}

/* Letters that are there; each is of `news`. */
static uint32_t told(enum flight_news news)
{
  uint32_t n = 0;
  for (struct mail *mail = mailbox_take(&box), *next; mail; mail = next, n++) {
    next = mail->next;
    struct flight *flight = LETTER_OF(mail, struct flight);
    EXPECT_INT(mail->kind, LETTER_LANDED);
    EXPECT_INT(flight->news, news);
    EXPECT_INT(flight->blob != NULL, news == NEWS_ANSWER);
    blob_drop(flight->blob);
  }
  return n;
}

TEST(ten_thousand_equal_misses_are_one_run)
{
  up();
  EXPECT_INT(ask(0), CACHE_LEADS);
  for (uint32_t i = 1; i < MANY; i++) EXPECT_INT(ask(i), CACHE_FOLLOWS);
  EXPECT(cache_followed(cache, &flights[0]));
  struct blob *blob = blob_copy(SLICE("answer"));
  cache_land(cache, &flights[0], blob);
  EXPECT_INT(told(NEWS_ANSWER), MANY - 1);
  EXPECT_INT(atomic_load(&blob->holders), 1);
  blob_drop(blob);
  EXPECT_INT(ask(0), CACHE_LEADS); /* nothing was kept */
  cache_land(cache, &flights[0], NULL);
  down();
}

TEST(a_failed_run_is_told_to_nobody_and_the_first_leads_once)
{
  up();
  EXPECT_INT(ask(0), CACHE_LEADS);
  for (uint32_t i = 1; i < 5; i++) EXPECT_INT(ask(i), CACHE_FOLLOWS);
  cache_fail(cache, &flights[0], true, false);
  EXPECT_INT(flights[1].state, FLIGHT_LEADS);
  EXPECT_INT(told(NEWS_LEAD), 1);
  EXPECT_INT(ask(5), CACHE_FOLLOWS); /* of the second run */
  cache_fail(cache, &flights[1], true, false);
  EXPECT_INT(told(NEWS_ALONE), 4);
  EXPECT_INT(ask(0), CACHE_LEADS);
  EXPECT_INT(ask(1), CACHE_FOLLOWS);
  EXPECT_INT(ask(2), CACHE_FOLLOWS);
  cache_fail(cache, &flights[0], false, false); /* never ran: that counts for nothing */
  EXPECT_INT(told(NEWS_LEAD), 1);
  cache_fail(cache, &flights[1], true, false);
  EXPECT_INT(told(NEWS_LEAD), 1);
  cache_fail(cache, &flights[2], false, true);
  EXPECT_INT(told(NEWS_ALONE), 0);
  down();
}

TEST(a_run_goes_on_while_somebody_follows)
{
  up();
  EXPECT_INT(ask(0), CACHE_LEADS);
  EXPECT_INT(ask(1), CACHE_FOLLOWS);
  EXPECT_INT(ask(2), CACHE_FOLLOWS);
  EXPECT(!cache_abandon(cache, &flights[0]));
  EXPECT(cache_leave(cache, &flights[1]));
  EXPECT(!atomic_load(&gone[0]));
  EXPECT(cache_leave(cache, &flights[2])); /* the last one */
  EXPECT(atomic_load(&gone[0]));
  EXPECT_INT(ask(3), CACHE_LEADS); /* not of a run that is being stopped */
  cache_fail(cache, &flights[0], true, false);
  EXPECT(cache_abandon(cache, &flights[3])); /* nobody else */
  EXPECT_INT(ask(4), CACHE_LEADS);
  EXPECT_INT(ask(5), CACHE_FOLLOWS);
  cache_fail(cache, &flights[4], true, false);
  EXPECT(!cache_leave(cache, &flights[5])); /* its letter is on the way */
  EXPECT_INT(told(NEWS_LEAD), 1);
  cache_fail(cache, &flights[5], false, false);
  down();
}

TEST(nobody_waits_behind_a_run_of_a_later_class)
{
  up();
  enum { INTERACTIVE = 1, BATCH = 2 };
  flights[0].class = flights[1].class = flights[4].class = flights[5].class = BATCH;
  flights[2].class = flights[3].class = INTERACTIVE;
  EXPECT_INT(ask(0), CACHE_LEADS);
  EXPECT_INT(ask(1), CACHE_FOLLOWS);
  EXPECT_INT(ask(2), CACHE_LEADS); /* not behind a batch's */
  EXPECT_INT(ask(3), CACHE_FOLLOWS);
  EXPECT_INT(ask(4), CACHE_FOLLOWS); /* of either: the newer one, which goes first */
  EXPECT_INT(ask(5), CACHE_FOLLOWS);
  EXPECT(cache_leave(cache, &flights[5]));
  EXPECT_INT(flights[2].n_followers, 2);
  struct blob *blob = blob_copy(SLICE("answer"));
  cache_land(cache, &flights[2], blob);
  EXPECT_INT(told(NEWS_ANSWER), 2);
  EXPECT(cache_followed(cache, &flights[0]));
  EXPECT(cache_leave(cache, &flights[1]));
  EXPECT(!cache_followed(cache, &flights[0]));
  cache_land(cache, &flights[0], blob);
  blob_drop(blob);
  down();
}

TEST(the_best_class_inherits)
{
  up();
  enum { INTERACTIVE = 1, BATCH = 2 };
  flights[0].class = flights[2].class = flights[3].class = INTERACTIVE;
  flights[1].class = BATCH;
  EXPECT_INT(ask(0), CACHE_LEADS);
  for (uint32_t i = 1; i < 4; i++) EXPECT_INT(ask(i), CACHE_FOLLOWS);
  cache_fail(cache, &flights[0], true, false);
  EXPECT_INT(told(NEWS_LEAD), 1);
  EXPECT_INT(flights[2].state, FLIGHT_LEADS);
  EXPECT_INT(flights[2].n_followers, 2);
  EXPECT(cache_leave(cache, &flights[1]));
  cache_fail(cache, &flights[2], true, false);
  EXPECT_INT(told(NEWS_ALONE), 1);
  down();
}

TEST(flights_of_other_keys_and_tenants_are_others)
{
  up();
  struct cache_key first = key;
  EXPECT_INT(ask(0), CACHE_LEADS);
  key = cache_key_of(cache, SLICE("acme"), SLICE("another question"));
  memcpy(key.hash, first.hash, sizeof key.hash); /* CA-102: hashed alike */
  key.shard = first.shard;
  EXPECT_INT(ask(1), CACHE_LEADS);
  EXPECT_INT(ask(2), CACHE_FOLLOWS);
  key = cache_key_of(cache, SLICE("zeta"), first.bytes);
  EXPECT(key.hash[0] != first.hash[0] && key.hash[1] != first.hash[1]); /* the tenant's salt */
  struct blob *blob = blob_copy(SLICE("answer"));
  cache_land(cache, &flights[0], blob);
  EXPECT_INT(told(NEWS_ANSWER), 0);
  cache_land(cache, &flights[1], blob);
  EXPECT_INT(told(NEWS_ANSWER), 1);
  blob_drop(blob);
  down();
}
