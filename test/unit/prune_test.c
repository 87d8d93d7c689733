/* prune_test.c - looks that are kept no longer: of which releases, when, and what is left of them.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <stdio.h>

#include "base/clock.h"
#include "faultfs.h"
#include "store.h"
#include "store/history.h"
#include "store/journal.h"
#include "store/prune.h"

enum { HOUR_MS = 3600000 };
static struct datadir dir;
static const char *temp;
static struct err err;
static struct ledger *ledger;
static struct prune prune;
static const int64_t begin_ms = 1700000000000;

static void begin(uint32_t releases, int64_t keep_ms)
{
  static const struct ledger_opts faulty = {.vfs = "fault"};
  temp = temp_dir();
  fault_start();
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, &faulty, &err), OK);
  prune = (struct prune){.releases = releases, .keep_ms = keep_ms};
}

static void end(void)
{
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
}

/* Release n of the model begins n hours after the beginning, and has looks. */
static void released(const char *model, uint32_t n, uint32_t looks)
{
  struct event event = event_made(EVENT_RELEASE_STARTED, model, 2);
  event.release = n;
  event.wall_ms = begin_ms + (int64_t)n * HOUR_MS;
  EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  EXPECT_INT(ledger_group_begin(ledger, &err), OK);
  for (uint32_t i = 0; i < looks; i++) {
    struct journal_row row = {.tenant = SLICE("default"),
                              .model = slice_str(model),
                              .release = n,
                              .look = i,
                              .bytes = SLICE("a look")};
    EXPECT_INT(journal_add(ledger, &row, 1, &err), OK);
  }
  EXPECT_INT(ledger_group_commit(ledger, &err), OK);
}

static uint32_t n_rows;
static uint64_t first_look;

static enum code count(void *arg, const struct journal_row *row, struct err *why)
{
  (void)arg, (void)why;
  if (!n_rows++) first_look = row->look;
  return OK;
}

static uint32_t looks_of(const char *model, uint32_t n)
{
  struct journal_row of = {
      .tenant = SLICE("default"), .model = slice_str(model), .release = n};
  n_rows = 0;
  EXPECT_INT(journal_read(ledger, &of, count, NULL, &err), OK);
  return n_rows;
}

static int64_t pruned_ms(const char *model, uint32_t n)
{
  struct history *history;
  int64_t at_ms = -1;
  struct journal_row of = {
      .tenant = SLICE("default"), .model = slice_str(model), .release = n};
  EXPECT_INT(history_open(&history, &dir, &err), OK);
  EXPECT_INT(history_pruned(history, &of, &at_ms, &err), OK);
  history_close(history);
  return at_ms;
}

/* Until nothing more goes in two rounds over all models. */
static void steps(int64_t now_ms, uint32_t rows)
{
  bool more = false;
  for (int idle = 0; idle < 6; idle = more ? 0 : idle + 1)
    EXPECT_INT(prune_step(&prune, ledger, now_ms, rows, &more, &err), OK);
}

TEST(the_newest_releases_of_each_model_stay)
{
  begin(2, 1000 * (int64_t)HOUR_MS);
  for (uint32_t n = 1; n <= 5; n++) released("a", n, 10 + n);
  released("b", 1, 7);
  released("c", 1, 3), released("c", 2, 3), released("c", 3, 3);
  int64_t now_ms = begin_ms + 6 * HOUR_MS;
  steps(now_ms, 4);
  EXPECT_INT(looks_of("a", 1) + looks_of("a", 2) + looks_of("a", 3) + looks_of("c", 1), 0);
  EXPECT_INT(looks_of("a", 4), 14);
  EXPECT_INT(looks_of("a", 5), 15);
  EXPECT_INT(looks_of("b", 1), 7);
  EXPECT_INT(looks_of("c", 2) + looks_of("c", 3), 6);
  EXPECT_INT(pruned_ms("a", 3), now_ms);
  EXPECT_INT(pruned_ms("a", 4), 0);
  EXPECT_INT(pruned_ms("b", 1), 0);
  uint64_t last = ledger_last_seq(ledger), bad;
  EXPECT_INT(last, 9); /* no event went */
  EXPECT_INT(ledger_verify(ledger, &bad, &err), OK);
  end();
}

TEST(what_was_over_for_long_goes_but_never_the_newest)
{
  begin(100, 2 * HOUR_MS);
  for (uint32_t n = 1; n <= 4; n++) released("a", n, 5);
  /* Release 2 was over when 3 began: four hours and a half after the beginning, an hour and a half
   * ago. */
  steps(begin_ms + 4 * HOUR_MS + HOUR_MS / 2, 100);
  EXPECT_INT(looks_of("a", 1), 0);
  EXPECT_INT(looks_of("a", 2), 5);
  steps(begin_ms + 1000 * (int64_t)HOUR_MS, 100);
  EXPECT_INT(looks_of("a", 2) + looks_of("a", 3), 0);
  EXPECT_INT(looks_of("a", 4), 5);
  end();
}

TEST(a_release_that_goes_by_pieces_is_known_as_pruned_from_the_first_on)
{
  begin(1, 1000 * (int64_t)HOUR_MS);
  released("a", 1, 10), released("a", 2, 1);
  bool more;
  EXPECT_INT(prune_step(&prune, ledger, begin_ms, 4, &more, &err), OK);
  EXPECT(more);
  EXPECT_INT(looks_of("a", 1), 6);
  EXPECT_INT(first_look, 4);
  EXPECT_INT(pruned_ms("a", 1), begin_ms);
  end();
}

static bool full;
static bool is_full(void) { return full; }

TEST(a_full_disk_changes_nothing)
{
  begin(1, 1000 * (int64_t)HOUR_MS);
  released("a", 1, 10), released("a", 2, 1);
  bool more;
  fault_is_full = is_full;
  full = true;
  EXPECT_INT(prune_step(&prune, ledger, begin_ms, 100, &more, &err), E_STORAGE_FULL);
  full = false;
  EXPECT_INT(looks_of("a", 1), 10);
  EXPECT_INT(pruned_ms("a", 1), 0);
  steps(begin_ms, 100);
  EXPECT_INT(looks_of("a", 1), 0);
  end();
}

TEST(without_a_limit_all_stay)
{
  begin(0, 0);
  for (uint32_t n = 1; n <= 3; n++) released("a", n, 2);
  steps(begin_ms + 1000 * (int64_t)HOUR_MS, 100);
  EXPECT_INT(looks_of("a", 1) + looks_of("a", 2) + looks_of("a", 3), 6);
  end();
}
