/* witness_test.c - checkpoints of a ledger: what they say holds, a crash between a row and its
 * checkpoint loses none, a torn line harms none, and a ledger that lost its end is told.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/log.h"
#include "store.h"
#include "store/history.h"
#include "store/witness.h"
#include "wire/audit/chain.h"

static struct datadir dir;
static struct ledger *ledger;
static struct witness *witness;
static const char *temp;
static char path[128];
static struct err err;

static void begin(void)
{
  temp = temp_dir();
  snprintf(path, sizeof path, "%s/elsewhere", temp);
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_INT(witness_open(&witness, &dir, ledger, path, 5, &err), OK);
}

static void end(void)
{
  witness_close(witness, 9);
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
}

static void fill(uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    struct event event = event_made(EVENT_MODEL_CREATED, "m", 0);
    if (i % 3 == 0) event.tenant = SLICE("acme");
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  }
}

struct found {
  struct checkpoint at[64];
  uint32_t n, torn;
};

static struct found found_in_file(void)
{
  struct found found = {.n = 0};
  char line[CHECKPOINT_LINE_MAX];
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file)) {
    size_t len = strcspn(line, "\n");
    if (checkpoint_read(slice_of(line, len), &found.at[found.n], &err) == OK)
      found.n++;
    else
      found.torn++;
  }
  if (file) fclose(file);
  return found;
}

static enum code proof_find(void *arg, const struct history_proof *proof, struct err *why)
{
  (void)why;
  *(struct digest *)arg = proof->hash;
  return OK;
}

static void holds(const struct checkpoint *checkpoint)
{
  struct history *history;
  struct digest hash = {{0}};
  EXPECT_INT(history_open(&history, &dir, &err), OK);
  EXPECT_INT(history_proofs(history,
                            checkpoint->all ? SLICE_NONE : slice_str(checkpoint->tenant),
                            checkpoint->seq, 1, INT64_MAX, proof_find, &hash, &err),
             OK);
  EXPECT(digest_same(&hash, &checkpoint->hash));
  history_close(history);
}

TEST(each_chain_that_grew_gets_one_when_it_is_time)
{
  struct digest key;
  begin();
  witness_turn(witness, 1000, 7);
  fill(5); /* 1 and 4 are acme's */
  witness_turn(witness, 2000, 7);
  EXPECT_INT(found_in_file().n, 0);
  EXPECT_INT(witness_due_us(witness), 1000 + WITNESS_US);
  witness_turn(witness, 1000 + WITNESS_US, 8);
  struct found found = found_in_file();
  EXPECT_INT(found.n, 3);
  EXPECT_INT(found.at[0].seq, 4);
  EXPECT_STR(found.at[0].tenant, "acme");
  EXPECT_INT(found.at[1].seq, 5);
  EXPECT(found.at[2].all && found.at[2].seq == 5 && found.at[2].at_ms == 8);
  EXPECT_INT(witness_key(&dir, &key, &err), OK);
  for (uint32_t i = 0; i < found.n; i++) {
    EXPECT(digest_same(&found.at[i].key, &key));
    holds(&found.at[i]);
  }
  EXPECT_INT(witness_due_us(witness), INT64_MAX);
  struct event event = event_made(EVENT_MODEL_CREATED, "n", 0);
  EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  witness_close(witness, 9); /* the end is witnessed, too: one tenant has changed */
  witness = NULL;
  EXPECT_INT(found_in_file().n, 5);
  end();
}

TEST(a_thousand_rows_do_not_wait_a_minute)
{
  begin();
  witness_turn(witness, 1000, 7);
  EXPECT_INT(ledger_group_begin(ledger, &err), OK);
  for (int i = 0; i < WITNESS_ROWS; i++) {
    struct event event = event_made(EVENT_MODEL_CREATED, "m", 0);
    EXPECT_INT(ledger_group_add(ledger, &event, 1, &err), OK);
  }
  EXPECT_INT(ledger_group_commit(ledger, &err), OK);
  witness_turn(witness, 1001, 7);
  EXPECT_INT(found_in_file().n, 2);
  end();
}

TEST(a_crash_before_the_checkpoint_is_made_good_and_a_torn_line_is_passed)
{
  struct stat st;
  begin();
  fill(2);
  witness_turn(witness, 1, 7);
  int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  EXPECT(write(fd, "{\"checkpoint\":{\"at", 17) == 17);
  close(fd);
  struct witness *gone = witness; /* as SIGKILL leaves it: nothing was written at the end */
  EXPECT_INT(witness_open(&witness, &dir, ledger, path, 6, &err), OK);
  struct found found = found_in_file();
  EXPECT_INT(found.n, 3);
  EXPECT_INT(found.torn, 1);
  for (uint32_t i = 0; i < found.n; i++) holds(&found.at[i]);
  EXPECT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
  EXPECT(fstatat(dir.fd, "audit.key", &st, 0) == 0 && (st.st_mode & 0777) == 0600);
  witness_close(gone, 9);
  end();
}

TEST(a_ledger_that_ends_before_its_checkpoint_is_told)
{
  begin();
  fill(6);
  witness_close(witness, 7);
  ledger_close(ledger);
  char cut[256];
  sqlite3 *db;
  snprintf(cut, sizeof cut, "%s/ledger.db", temp);
  EXPECT_INT(sqlite3_open(cut, &db), SQLITE_OK);
  EXPECT_INT(sqlite3_exec(db, "DELETE FROM events WHERE seq > 4", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  unlinkat(dir.fd, "head", 0); /* who cuts the tail cuts this, too */
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_INT(witness_open(&witness, &dir, ledger, path, 8, &err), OK);
  struct found found = found_in_file();
  EXPECT(found.n == 6 && found.at[2].seq == 6 && found.at[5].seq == 4);
  end();
}

TEST(without_a_path_there_is_a_key_and_no_file)
{
  struct digest key;
  begin();
  witness_close(witness, 9);
  EXPECT_INT(witness_open(&witness, &dir, ledger, "", 5, &err), OK);
  EXPECT(!witness);
  witness_turn(witness, 1, 1);
  EXPECT_INT(witness_due_us(witness), INT64_MAX);
  EXPECT_INT(witness_key(&dir, &key, &err), OK);
  end();
}

TEST(a_link_or_a_damaged_key_is_refused)
{
  begin();
  witness_close(witness, 9);
  char link[160];
  snprintf(link, sizeof link, "%s/link", temp);
  EXPECT(symlink(path, link) == 0);
  EXPECT(witness_open(&witness, &dir, ledger, link, 5, &err) != OK);
  int fd = openat(dir.fd, "audit.key", O_WRONLY | O_TRUNC | O_CLOEXEC);
  EXPECT(write(fd, "abc\n", 4) == 4);
  close(fd);
  EXPECT_INT(witness_open(&witness, &dir, ledger, path, 5, &err), E_BAD_CONFIG);
  witness = NULL;
  end();
}
