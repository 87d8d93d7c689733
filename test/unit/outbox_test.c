/* outbox_test.c - messages that are owed: durable with their events, gone when they were told.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <stdio.h>

#include "base/log.h"
#include "scribe_rig.h"
#include "store/outbox.h"

static struct outbox_row row_made(const char *id)
{
  return (struct outbox_row){.id = slice_str(id),
                             .url = SLICE("https://a.example/x"),
                             .body = SLICE("{\"type\":\"release.deployed\"}"),
                             .ours = true,
                             .wall_ms = 1700000000123};
}

static enum code append(const struct outbox_row *rows, uint32_t n)
{
  static struct letter_append letter;
  letter = (struct letter_append){
      .mail.kind = LETTER_APPEND, .home = &home, .notes = rows, .n_notes = n, .n_events = 1};
  letter.events[0] = event_made(EVENT_MODEL_CREATED, "m", 0);
  turn_with(&letter.mail);
  EXPECT_INT(letter.mail.kind, LETTER_APPEND_HOME);
  return letter.err.code;
}

static void told(const char *id)
{
  static struct letter_notify letter;
  letter = (struct letter_notify){.mail.kind = LETTER_TOLD, .home = &home, .id = slice_str(id)};
  turn_with(&letter.mail);
  EXPECT_INT(letter.mail.kind, LETTER_TOLD_HOME);
}

static char seen[1 << 16];
static uint32_t n_seen;

static void see(void *arg, const struct outbox_row *row)
{
  (void)arg;
  size_t len = strlen(seen);
  snprintf(seen + len, sizeof seen - len, "%.*s ", SLICE_ARG(row->id));
  n_seen++;
  EXPECT(slice_eq(row->url, SLICE("https://a.example/x")));
  EXPECT(slice_eq(row->body, SLICE("{\"type\":\"release.deployed\"}")));
  EXPECT(row->ours && row->wall_ms == 1700000000123);
}

static const char *owed(void)
{
  seen[0] = '\0';
  n_seen = 0;
  EXPECT_INT(outbox_read(ledger, see, NULL, &err), OK);
  return seen;
}

TEST(what_is_owed_is_there_after_a_restart_until_it_was_told)
{
  begin();
  struct outbox_row rows[] = {row_made("msg_1"), row_made("msg_2")};
  EXPECT_INT(append(rows, 2), OK);
  EXPECT_STR(owed(), "msg_1 msg_2 ");
  ledger_close(ledger);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_STR(owed(), "msg_1 msg_2 ");
  scribe_free(scribe);
  scribe = scribe_new(ledger, NULL);
  told("msg_1");
  EXPECT_STR(owed(), "msg_2 ");
  told("msg_7");
  told("msg_2");
  EXPECT_STR(owed(), "");
  EXPECT_INT(append(rows, 1), OK); /* the same message once more is one message */
  EXPECT_INT(append(rows, 1), OK);
  EXPECT_STR(owed(), "msg_1 ");
  end();
}

TEST(the_oldest_give_way)
{
  begin();
  log_level_set(LOG_ERROR); /* each that does is told */
  static char ids[OUTBOX_ROWS_MAX + 30][16];
  for (int i = 0; i < OUTBOX_ROWS_MAX + 30; i++) {
    snprintf(ids[i], sizeof ids[i], "m%d", i);
    struct outbox_row row = row_made(ids[i]);
    EXPECT_INT(append(&row, 1), OK);
  }
  EXPECT(strncmp(owed(), "m30 m31 ", 8) == 0);
  EXPECT_INT(n_seen, OUTBOX_ROWS_MAX);
  end();
}

static bool full;
static bool is_full(void) { return full; }

TEST(a_full_disk_keeps_neither_and_says_so_or_both)
{
  begin();
  struct outbox_row row = row_made("msg_1");
  fault_is_full = is_full;
  full = true;
  EXPECT_INT(append(&row, 1), E_STORAGE_FULL);
  EXPECT_STR(owed(), "");
  EXPECT_INT(ledger_last_seq(ledger), 0);
  full = false;
  EXPECT_INT(append(&row, 1), OK);
  EXPECT_STR(owed(), "msg_1 ");
  EXPECT_INT(ledger_last_seq(ledger), 1);
  uint64_t bad;
  EXPECT_INT(ledger_verify(ledger, &bad, &err), OK);
  end();
}
