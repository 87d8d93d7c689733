/* history_test.c - looking back: newest first, one tenant's only, while the writer writes.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store.h"
#include "store/history.h"

struct seen {
  uint64_t seqs[2000];
  uint32_t n, stop_at;
};

/* Gone with the next one. */
static const struct history_range *range(const char *tenant, const char *model, uint64_t before,
                                         uint32_t limit, int64_t deadline_us)
{
  static struct history_range range;
  range = (struct history_range){slice_str(tenant), slice_str(model), before, limit, deadline_us};
  return &range;
}

static enum code note(void *arg, const struct event *event, const struct digest *hash,
                      struct err *err)
{
  struct seen *seen = arg;
  (void)hash;
  seen->seqs[seen->n++] = event->seq;
  return seen->n == seen->stop_at ? fail(err, E_LIMIT_EXCEEDED, "enough") : OK;
}

TEST(history_is_read_in_pages_newest_first)
{
  const char *temp = temp_dir();
  struct datadir dir;
  struct ledger *ledger;
  struct history *history;
  struct err err = {0};
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(history_open(&history, &dir, &err), E_UNAVAILABLE); /* no ledger yet */
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_INT(history_open(&history, &dir, &err), OK);
  for (uint32_t i = 1; i <= 30; i++) { /* 10 of default/m0, default/m1, other/m0 each */
    struct event event = event_made(EVENT_VERSION_PUSHED, i % 3 == 1 ? "m1" : "m0", i);
    if (i % 3 == 2) event.tenant = SLICE("other");
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  }
  struct seen seen = {.n = 0};
  int64_t later = clock_us() + 1000000;
  EXPECT_INT(history_read(history, range("default", "", 0, 7, later), note, &seen, &err), OK);
  EXPECT_INT(seen.n, 7);
  EXPECT_INT(seen.seqs[0], 30);
  EXPECT_INT(seen.seqs[1], 28);
  uint64_t cursor = seen.seqs[6];
  seen.n = 0;
  EXPECT_INT(history_read(history, range("default", "", cursor, 100, later), note, &seen, &err),
             OK);
  EXPECT_INT(seen.n, 13);
  EXPECT(seen.seqs[0] < cursor);
  seen.n = 0;
  EXPECT_INT(history_read(history, range("default", "m0", 0, 100, later), note, &seen, &err), OK);
  EXPECT_INT(seen.n, 10);
  for (uint32_t i = 0; i < seen.n; i++) EXPECT_INT(seen.seqs[i] % 3, 0);
  seen.n = 0;
  EXPECT_INT(history_read(history, range("nobody", "", 0, 9, later), note, &seen, &err), OK);
  EXPECT_INT(seen.n, 0);
  seen.stop_at = 2;
  EXPECT_INT(history_read(history, range("default", "", 0, 9, later), note, &seen, &err),
             E_LIMIT_EXCEEDED);
  EXPECT_INT(seen.n, 2);
  EXPECT_INT(history_read(history, range("default", "", 0, 0, later), note, &seen, &err),
             E_INVALID_ARGUMENT);
  history_close(history);
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
}

TEST(releases_and_freezes_are_found_among_other_events)
{
  static const enum event_kind kinds[] = {
      EVENT_VERSION_PUSHED, EVENT_RELEASE_STARTED, EVENT_RELEASE_MOVED,   EVENT_VERSION_DEPLOYED,
      EVENT_FREEZE_SET,     EVENT_FREEZE_LIFTED,   EVENT_RELEASE_APPROVED};
  static const uint64_t want[] = {7, 6, 5, 3, 2};
  const char *temp = temp_dir();
  struct datadir dir;
  struct ledger *ledger;
  struct history *history;
  struct err err = {0};
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_INT(history_open(&history, &dir, &err), OK);
  for (uint32_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    struct event event = event_made(kinds[i], "m", 1);
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  }
  struct seen seen = {.n = 0};
  int64_t later = clock_us() + 1000000;
  EXPECT_INT(history_releases(history, range("default", "", 0, 9, later), note, &seen, &err), OK);
  EXPECT_INT(seen.n, sizeof want / sizeof *want);
  for (uint32_t i = 0; i < seen.n; i++) EXPECT_INT(seen.seqs[i], want[i]);
  seen.n = 0;
  EXPECT_INT(history_releases(history, range("default", "", 3, 9, later), note, &seen, &err), OK);
  EXPECT_INT(seen.n, 1);
  history_close(history);
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
}

TEST(a_read_past_its_deadline_is_given_up)
{
  const char *temp = temp_dir();
  struct datadir dir;
  struct ledger *ledger;
  struct history *history;
  struct err err = {0};
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_INT(ledger_group_begin(ledger, &err), OK);
  for (uint32_t i = 1; i <= 2000; i++) {
    struct event event = event_made(EVENT_VERSION_PUSHED, "m", i);
    EXPECT_INT(ledger_group_add(ledger, &event, 1, &err), OK);
  }
  EXPECT_INT(ledger_group_commit(ledger, &err), OK);
  EXPECT_INT(history_open(&history, &dir, &err), OK);
  struct seen seen = {.n = 0};
  EXPECT_INT(
      history_read(history, range("default", "m", 0, 1000, clock_us() - 1), note, &seen, &err),
      E_DEADLINE_EXCEEDED);
  EXPECT(seen.n < 1000);
  seen.n = 0;
  EXPECT_INT(history_read(history, range("default", "m", 0, 1000, clock_us() + 60000000), note,
                          &seen, &err),
             OK);
  EXPECT_INT(seen.n, 1000);
  history_close(history);
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
}

/* SQLite 3.40 can lose commits when one connection checkpoints while another writes: so readers
 * must never touch the file, not even when they are closed last. */
TEST(ST_109_readers_never_checkpoint)
{
  const char *temp = temp_dir();
  struct datadir dir;
  struct ledger *ledger;
  struct history *history;
  struct err err = {0};
  struct stat before, after;
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  for (uint32_t i = 1; i <= 300; i++) {
    struct event event = event_made(EVENT_VERSION_PUSHED, "m", i);
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  }
  EXPECT(fstatat(dir.fd, "ledger.db", &before, 0) == 0);
  for (int i = 0; i < 10; i++) {
    struct seen seen = {.n = 0};
    EXPECT_INT(history_open(&history, &dir, &err), OK);
    EXPECT_INT(history_read(history, range("default", "", 0, 1000, INT64_MAX), note, &seen, &err),
               OK);
    EXPECT_INT(seen.n, 300);
    history_close(history);
  }
  EXPECT(fstatat(dir.fd, "ledger.db", &after, 0) == 0);
  EXPECT(before.st_size == after.st_size && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec &&
         before.st_mtim.tv_sec == after.st_mtim.tv_sec);
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
}
