/* journal_test.c - looks beside the ledger: written in the group of their letter, read in order.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <sqlite3.h>

#include "base/clock.h"
#include "scribe_rig.h"
#include "store/history.h"

static struct journal_row row_made(const char *model, uint32_t release, uint64_t look,
                                   const char *bytes)
{
  return (struct journal_row){.tenant = SLICE("default"),
                              .model = slice_str(model),
                              .release = release,
                              .look = look,
                              .bytes = slice_str(bytes)};
}

static enum code append(const struct journal_row *rows, uint32_t n_rows, uint32_t n_events)
{
  static struct letter_append letter;
  letter = (struct letter_append){.mail.kind = LETTER_APPEND,
                                  .home = &home,
                                  .rows = rows,
                                  .n_rows = n_rows,
                                  .n_events = n_events};
  letter.events[0] = event_made(EVENT_MODEL_CREATED, "m", 0);
  turn_with(&letter.mail);
  return letter.err.code;
}

struct seen {
  char text[200];
  uint32_t n, stop_at;
};

static enum code note(void *arg, const struct journal_row *row, struct err *why)
{
  struct seen *seen = arg;
  size_t len = strlen(seen->text);
  snprintf(seen->text + len, sizeof seen->text - len, "%d:%.*s ", (int)row->look,
           (int)row->bytes.len, row->bytes.at);
  return ++seen->n == seen->stop_at ? fail(why, E_LIMIT_EXCEEDED, "enough") : OK;
}

static const char *read_back(const char *model, uint32_t release, uint64_t from)
{
  static struct seen seen;
  struct journal_row of = row_made(model, release, from, "");
  seen = (struct seen){0};
  EXPECT_INT(journal_read(ledger, &of, note, &seen, &err), OK);
  return seen.text;
}

TEST(looks_are_read_back_in_order_of_their_release_alone)
{
  begin();
  struct journal_row rows[] = {row_made("m", 1, 1, "b"), row_made("m", 1, 0, "a"),
                               row_made("m", 2, 0, "x"), row_made("n", 1, 0, "y"),
                               row_made("m", 1, 10, "c")};
  EXPECT_INT(append(rows, 5, 0), OK);
  EXPECT_STR(read_back("m", 1, 0), "0:a 1:b 10:c ");
  EXPECT_STR(read_back("m", 1, 2), "10:c ");
  EXPECT_STR(read_back("m", 2, 0), "0:x ");
  EXPECT_STR(read_back("o", 1, 0), "");
  EXPECT_INT(ledger_last_seq(ledger), 0);
  struct journal_row again = row_made("m", 1, 1, "B"); /* the same look, after a restart */
  EXPECT_INT(append(&again, 1, 1), OK);
  EXPECT_STR(read_back("m", 1, 0), "0:a 1:B 10:c ");
  EXPECT_INT(ledger_last_seq(ledger), 1);
  end();
}

TEST(desks_read_looks_in_pages)
{
  begin();
  struct journal_row rows[] = {row_made("m", 1, 0, "a"), row_made("m", 1, 1, "b"),
                               row_made("m", 1, 2, "c")};
  EXPECT_INT(append(rows, 3, 0), OK);
  struct history *history;
  struct seen seen = {0};
  int64_t deadline = clock_us() + 5000000;
  EXPECT_INT(history_open(&history, &dir, &err), OK);
  EXPECT_INT(history_looks(history, &rows[1], 1, deadline, note, &seen, &err), OK);
  EXPECT_STR(seen.text, "1:b ");
  EXPECT_INT(history_looks(history, &rows[0], 0, deadline, note, &seen, &err), E_INVALID_ARGUMENT);
  seen = (struct seen){.stop_at = 2};
  EXPECT_INT(history_looks(history, &rows[0], 10, deadline, note, &seen, &err), E_LIMIT_EXCEEDED);
  EXPECT_STR(seen.text, "0:a 1:b ");
  history_close(history);
  end();
}

TEST(a_letter_with_a_bad_look_writes_nothing)
{
  begin();
  struct journal_row rows[] = {row_made("m", 1, 0, "a"), row_made("m", 1, 1, "")};
  EXPECT_INT(append(rows, 2, 1), E_INVALID_ARGUMENT);
  EXPECT_STR(read_back("m", 1, 0), "");
  EXPECT_INT(ledger_last_seq(ledger), 0);
  end();
}

TEST(a_ledger_of_schema_1_gets_its_table_of_looks)
{
  begin();
  struct journal_row row = row_made("m", 1, 0, "a");
  EXPECT_INT(append(&row, 1, 1), OK);
  scribe_free(scribe);
  ledger_close(ledger);
  char path[5000];
  sqlite3 *db;
  snprintf(path, sizeof path, "%s/ledger.db", dir.path);
  EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
  EXPECT_INT(sqlite3_exec(db, "DROP TABLE looks; PRAGMA user_version=1", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_INT(ledger_last_seq(ledger), 1);
  scribe = scribe_new(ledger, NULL);
  EXPECT_STR(read_back("m", 1, 0), "");
  EXPECT_INT(append(&row, 1, 1), OK);
  EXPECT_STR(read_back("m", 1, 0), "0:a ");
  EXPECT_INT(ledger_last_seq(ledger), 2);
  end();
}
