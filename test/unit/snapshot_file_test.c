/* snapshot_file_test.c - the snapshot's file: whole or not there; damage, another form and another
 * ledger are found; the scribe writes what control hands it.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "store.h"
#include "store/scribe.h"
#include "store/snapshot.h"

enum { FORM = 77 };

static struct datadir dir;
static struct ledger *ledger;
static const char *temp;
static struct err err;

static void begin(uint32_t n)
{
  temp = temp_dir();
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  for (uint32_t i = 0; i < n; i++) {
    struct event event = event_made(EVENT_MODEL_CREATED, "m", 0);
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  }
}

static void end(void)
{
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
}

static enum code find(uint64_t form, const char *want, uint64_t want_seq)
{
  struct blob *bytes;
  uint64_t seq;
  enum code code = snapshot_find(&dir, ledger, form, &seq, &bytes, &err);
  EXPECT((code == OK) == (bytes != NULL));
  if (code == OK) EXPECT(seq == want_seq && slice_eq(blob_lend(bytes), slice_str(want)));
  blob_drop(bytes);
  return code;
}

TEST(what_was_kept_is_found)
{
  struct stat st;
  begin(5);
  EXPECT_INT(find(FORM, "", 0), E_NOT_FOUND);
  EXPECT_INT(snapshot_keep(&dir, ledger, FORM, 3, SLICE("three"), &err), OK);
  EXPECT_INT(find(FORM, "three", 3), OK);
  EXPECT_INT(snapshot_keep(&dir, ledger, FORM, 5, SLICE("five five"), &err), OK);
  EXPECT_INT(find(FORM, "five five", 5), OK);
  EXPECT_INT(find(FORM + 1, "", 0), E_UNAVAILABLE);
  EXPECT_INT(snapshot_keep(&dir, ledger, FORM, 6, SLICE("six"), &err), E_NOT_FOUND);
  EXPECT_INT(find(FORM, "five five", 5), OK);
  EXPECT(fstatat(dir.fd, "snapshot", &st, 0) == 0 && (st.st_mode & 0777) == 0600);
  EXPECT(fstatat(dir.fd, "snapshot.new", &st, 0) != 0);
  end();
}

TEST(every_flipped_bit_and_every_cut_is_found)
{
  char path[256];
  begin(2);
  EXPECT_INT(snapshot_keep(&dir, ledger, FORM, 2, SLICE("some bytes"), &err), OK);
  snprintf(path, sizeof path, "%s/snapshot", temp);
  struct stat st;
  EXPECT(stat(path, &st) == 0);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  for (off_t at = 0; at < st.st_size; at++) {
    char was, now;
    EXPECT(pread(fd, &was, 1, at) == 1);
    now = (char)(was ^ (1 << at % 8));
    EXPECT(pwrite(fd, &now, 1, at) == 1);
    EXPECT_INT(find(FORM, "", 0), E_UNAVAILABLE);
    EXPECT(pwrite(fd, &was, 1, at) == 1);
  }
  EXPECT_INT(find(FORM, "some bytes", 2), OK);
  for (off_t len = st.st_size - 1; len >= 0; len--) {
    EXPECT(ftruncate(fd, len) == 0);
    EXPECT_INT(find(FORM, "", 0), E_UNAVAILABLE);
  }
  close(fd);
  end();
}

TEST(one_of_another_ledger_is_not_used)
{
  char kept[256], path[256];
  begin(3);
  EXPECT_INT(snapshot_keep(&dir, ledger, FORM, 3, SLICE("three"), &err), OK);
  snprintf(kept, sizeof kept, "/tmp/slipway-kept-%d", (int)getpid());
  snprintf(path, sizeof path, "%s/snapshot", temp);
  EXPECT(rename(path, kept) == 0);
  end();
  begin(2); /* the row is not there */
  snprintf(path, sizeof path, "%s/snapshot", temp);
  EXPECT(rename(kept, path) == 0);
  EXPECT_INT(find(FORM, "", 0), E_UNAVAILABLE);
  struct event event = event_made(EVENT_MODEL_CREATED, "another", 0);
  EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK); /* it is, and is another */
  EXPECT_INT(find(FORM, "", 0), E_UNAVAILABLE);
  end();
}

TEST(a_failed_write_leaves_the_one_before)
{
  struct rlimit was, none;
  begin(2);
  EXPECT_INT(snapshot_keep(&dir, ledger, FORM, 1, SLICE("one"), &err), OK);
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &was);
  none = (struct rlimit){70, was.rlim_max};
  setrlimit(RLIMIT_FSIZE, &none);
  enum code code = snapshot_keep(&dir, ledger, FORM, 2, SLICE("two, and more than fits"), &err);
  setrlimit(RLIMIT_FSIZE, &was);
  EXPECT(code != OK);
  EXPECT_INT(find(FORM, "one", 1), OK);
  EXPECT(faccessat(dir.fd, "snapshot.new", F_OK, 0) != 0);
  EXPECT(symlinkat("/etc/passwd", dir.fd, "snapshot.new") == 0); /* a link in the way goes */
  EXPECT_INT(snapshot_keep(&dir, ledger, FORM, 2, SLICE("two"), &err), OK);
  EXPECT_INT(find(FORM, "two", 2), OK);
  end();
}

TEST(the_scribe_writes_it_after_the_changes)
{
  struct mailbox home;
  begin(1);
  mailbox_init_bell(&home);
  struct scribe *scribe = scribe_new(ledger, NULL);
  struct letter_snapshot letter = {.mail.kind = LETTER_SNAPSHOT,
                                   .home = &home,
                                   .form = FORM,
                                   .seq = 1,
                                   .bytes = blob_copy(SLICE("bytes"))};
  mail_send(scribe_mailbox(scribe), &letter.mail);
  scribe_turn(scribe);
  struct mail *mail = mailbox_take(&home);
  EXPECT(mail == &letter.mail && mail->kind == LETTER_SNAPSHOT_HOME && !mail->next);
  EXPECT_INT(letter.err.code, OK);
  EXPECT_INT(find(FORM, "bytes", 1), OK);
  blob_drop(letter.bytes);
  scribe_free(scribe);
  mailbox_deinit(&home);
  end();
}
