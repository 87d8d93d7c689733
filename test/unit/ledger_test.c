/* ledger_test.c - what was appended is there, in order, chained; damage is named; a full disk is
 * answered; a failed fsync ends the process.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "faultfs.h"
#include "store.h"

static struct datadir dir;
static const char *temp;
static struct err err;

static struct ledger *opened(const struct ledger_opts *opts)
{
  struct ledger *ledger = NULL;
  temp = temp_dir();
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, opts, &err), OK);
  return ledger;
}

static void closed(struct ledger *ledger)
{
  ledger_close(ledger);
  datadir_close(&dir);
  temp_remove(temp);
}

static void fill(struct ledger *ledger, uint32_t n)
{
  for (uint32_t i = 1; i <= n; i++) {
    char model[16];
    snprintf(model, sizeof model, "m%u", i % 3);
    struct event event = event_made(EVENT_VERSION_PUSHED, model, i);
    if (i % 2) event.tenant = SLICE("other");
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
    EXPECT_INT(event.seq, i);
  }
}

static enum code count(void *arg, const struct event *event, struct err *why)
{
  (void)why;
  uint64_t *seen = arg;
  EXPECT_INT(event->seq, seen[1] + 1);
  seen[0]++;
  seen[1] = event->seq;
  return OK;
}

TEST(events_come_back_in_order_after_reopening)
{
  struct ledger *ledger = opened(NULL);
  EXPECT_INT(ledger_last_seq(ledger), 0);
  fill(ledger, 20);
  struct digest head = ledger_head(ledger);
  ledger_close(ledger);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  struct digest again = ledger_head(ledger);
  EXPECT(memcmp(&head, &again, sizeof head) == 0);
  EXPECT_INT(ledger_last_seq(ledger), 20);
  uint64_t seen[2] = {0, 0}, bad;
  EXPECT_INT(ledger_replay(ledger, 1, count, seen, &err), OK);
  EXPECT_INT(seen[0], 20);
  seen[0] = 0, seen[1] = 14;
  EXPECT_INT(ledger_replay(ledger, 15, count, seen, &err), OK);
  EXPECT_INT(seen[0], 6);
  EXPECT_INT(ledger_verify(ledger, &bad, &err), OK);
  EXPECT_INT(bad, 0);
  closed(ledger);
}

TEST(the_writer_is_hardened)
{
  bool before[64]; /* open when the test began: the shell's business */
  for (int fd = 0; fd < 64; fd++) before[fd] = fcntl(fd, F_GETFD) >= 0;
  struct ledger *ledger = opened(NULL);
  struct stat st;
  EXPECT(fstatat(dir.fd, "ledger.db", &st, 0) == 0 && (st.st_mode & 0777) == 0600);
  EXPECT(fstatat(dir.fd, "ledger.db-wal", &st, 0) == 0 && (st.st_mode & 0777) == 0600);
  EXPECT(fstatat(dir.fd, "reserve", &st, 0) == 0 && st.st_size == 1 << 20);
  int opened_now = 0;
  for (int fd = 0; fd < 64; fd++) { /* nothing is left for children to inherit */
    int flags = before[fd] ? -1 : fcntl(fd, F_GETFD);
    opened_now += flags >= 0;
    EXPECT(flags < 0 || (flags & FD_CLOEXEC));
  }
  EXPECT(opened_now >= 5);
  closed(ledger);
}

TEST(an_append_is_all_or_none)
{
  struct ledger *ledger = opened(NULL);
  struct event pair[2] = {event_made(EVENT_MODEL_CREATED, "m", 0),
                          event_made(EVENT_VERSION_PUSHED, "m", 1)};
  pair[1].note = SLICE("\xff\xfe");
  EXPECT_INT(ledger_append(ledger, pair, 2, &err), E_INVALID_ARGUMENT);
  EXPECT_INT(pair[0].seq, 0);
  EXPECT_INT(ledger_last_seq(ledger), 0);
  pair[1].note = SLICE("fine");
  EXPECT_INT(ledger_append(ledger, pair, 2, &err), OK);
  EXPECT_INT(pair[1].seq, 2);
  closed(ledger);
}

TEST(in_a_group_a_bad_letter_fails_alone)
{
  struct ledger *ledger = opened(NULL);
  struct event good = event_made(EVENT_MODEL_CREATED, "a", 0);
  struct event bad = event_made(EVENT_KINDS, "b", 0);
  struct event last = event_made(EVENT_MODEL_CREATED, "c", 0);
  fault_start();
  EXPECT_INT(ledger_group_begin(ledger, &err), OK);
  EXPECT_INT(ledger_group_add(ledger, &good, 1, &err), OK);
  EXPECT_INT(ledger_group_add(ledger, &bad, 1, &err), E_INVALID_ARGUMENT);
  EXPECT_INT(ledger_group_add(ledger, &last, 1, &err), OK);
  EXPECT_INT(ledger_group_commit(ledger, &err), OK);
  EXPECT_INT(good.seq, 1);
  EXPECT_INT(last.seq, 2);
  uint64_t first_bad;
  EXPECT_INT(ledger_verify(ledger, &first_bad, &err), OK);
  closed(ledger);
}

/* Runs SQL behind the ledger's back, as someone with the file would. */
static void tamper(const char *sql)
{
  char path[5000];
  sqlite3 *db;
  snprintf(path, sizeof path, "%s/ledger.db", dir.path);
  EXPECT_INT(sqlite3_open(path, &db), SQLITE_OK);
  EXPECT_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

TEST(tampering_is_found_at_its_first_row)
{
  static const struct {
    const char *sql;
    uint64_t first_bad;
  } cases[] = {
      {"UPDATE events SET actor = 'mallory' WHERE seq = 7", 7},
      {"UPDATE events SET wall_ms = wall_ms + 1 WHERE seq = 1", 1},
      {"UPDATE events SET tenant = 'default' WHERE seq = 3", 3},
      {"UPDATE events SET idempotency = 'x' WHERE seq = 3", 3},
      {"UPDATE events SET body = '{\"version\":99}' WHERE seq = 5", 5},
      {"UPDATE events SET body = '{\"version\": 5}' WHERE seq = 5", 5},
      {"UPDATE events SET body = 'no' WHERE seq = 5", 5},
      {"UPDATE events SET kind = 'version_retired' WHERE seq = 12", 12},
      {"UPDATE events SET kind = 'nonsense' WHERE seq = 12", 12},
      {"UPDATE events SET encoding = 2 WHERE seq = 12", 12},
      {"UPDATE events SET hash = zeroblob(32) WHERE seq = 4", 4},
      {"UPDATE events SET tenant_hash = zeroblob(32) WHERE seq = 4", 4},
      {"UPDATE events SET prev_hash = x'' WHERE seq = 4", 4},
      {"DELETE FROM events WHERE seq = 9", 9},
      {"DELETE FROM events WHERE seq = 1", 1},
      {"UPDATE events SET seq = -seq WHERE seq = 9", 1},
      {"UPDATE events SET seq = 100 WHERE seq = 6; UPDATE events SET seq = 6 WHERE seq = 8;"
       "UPDATE events SET seq = 8 WHERE seq = 100",
       6},
      {"INSERT INTO events SELECT 21, wall_ms, kind, encoding, tenant, model, actor, idempotency,"
       " body, prev_hash, hash, tenant_prev, tenant_hash FROM events WHERE seq = 20",
       21},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct ledger *ledger = opened(NULL);
    uint64_t bad = 0;
    fill(ledger, 20);
    ledger_close(ledger);
    tamper(cases[i].sql);
    EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
    EXPECT_INT(ledger_verify(ledger, &bad, &err), E_UNAVAILABLE);
    if (bad != cases[i].first_bad) printf("case %zu: %s\n", i, cases[i].sql);
    EXPECT_INT(bad, cases[i].first_bad);
    EXPECT(strstr(err.text, "event ") != NULL);
    closed(ledger);
  }
}

TEST(a_replay_stops_before_a_row_that_does_not_hold)
{
  struct ledger *ledger = opened(NULL);
  uint64_t seen[2] = {0, 0};
  fill(ledger, 20);
  tamper("UPDATE events SET actor = 'mallory' WHERE seq = 7");
  EXPECT_INT(ledger_replay(ledger, 1, count, seen, &err), E_UNAVAILABLE);
  EXPECT_INT(seen[0], 6);
  closed(ledger);
}

TEST(a_newer_schema_is_refused_with_the_version_it_needs)
{
  struct ledger *ledger = opened(NULL);
  ledger_close(ledger);
  tamper("PRAGMA user_version=7; UPDATE meta SET value = '3.1.4' WHERE key = 'needs_slipway'");
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), E_UNAVAILABLE);
  EXPECT_STR(err.text,
             "the data directory needs slipway 3.1.4 or newer: its ledger has schema 7, "
             "this one reads up to 2");
  EXPECT(ledger == NULL);
  tamper("PRAGMA user_version=1; PRAGMA application_id=5");
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), E_UNAVAILABLE);
  EXPECT(strstr(err.text, "not one of slipway's") != NULL);
  closed(NULL);
}

TEST(a_damaged_file_is_refused_at_start)
{
  struct ledger *ledger = opened(NULL);
  fill(ledger, 200);
  ledger_close(ledger);
  struct stat st;
  char junk[512];
  memset(junk, 0xa5, sizeof junk);
  int fd = openat(dir.fd, "ledger.db", O_RDWR);
  EXPECT(fstat(fd, &st) == 0 && st.st_size > 8192);
  int unnoticed = 0, sectors = 0;
  for (off_t at = 0; at + 512 <= st.st_size; at += 512, sectors++) {
    char before[512];
    uint64_t seen[2] = {0, 0};
    EXPECT(pread(fd, before, 512, at) == 512 && pwrite(fd, junk, 512, at) == 512);
    enum code code = ledger_open(&ledger, &dir, NULL, &err);
    if (!code) {
      code = ledger_replay(ledger, 1, count, seen, &err);
      if (!code && seen[0] != 200) code = E_UNAVAILABLE;
      ledger_close(ledger);
    }
    bool empty = true;
    for (int i = 0; i < 512; i++) empty = empty && before[i] == 0;
    unnoticed += code == OK && !empty;
    if (!code && !empty)
      printf("damage at %lld of %lld went unnoticed\n", (long long)at, (long long)st.st_size);
    EXPECT(pwrite(fd, before, 512, at) == 512);
  }
  close(fd);
  /* Sectors of zeros (free space inside pages) may change unnoticed: they hold nothing. */
  EXPECT(sectors > 100);
  EXPECT_INT(unnoticed, 0);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  closed(ledger);
}

/* --- the head --------------------------------------------------------------------------------- */

/* Writes n events in a child that dies without closing: all of them lie in the log only. */
static void fill_and_die(uint32_t n)
{
  pid_t child = fork();
  if (child == 0) {
    struct ledger *ledger;
    if (ledger_open(&ledger, &dir, NULL, &err)) _exit(1);
    fill(ledger, n);
    _exit(0);
  }
  int status;
  EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static off_t size_of(const char *name)
{
  struct stat st;
  return fstatat(dir.fd, name, &st, 0) == 0 ? st.st_size : -1;
}

static void bytes_flip(const char *name, off_t at)
{
  char bytes[10];
  int fd = openat(dir.fd, name, O_RDWR);
  EXPECT(pread(fd, bytes, sizeof bytes, at) == (ssize_t)sizeof bytes);
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)~bytes[i];
  EXPECT(pwrite(fd, bytes, sizeof bytes, at) == (ssize_t)sizeof bytes);
  close(fd);
}

static void log_delete(void) { EXPECT(unlinkat(dir.fd, "ledger.db-wal", 0) == 0); }
static void log_empty(void)
{
  int fd = openat(dir.fd, "ledger.db-wal", O_RDWR | O_TRUNC);
  close(fd);
}
static void log_cut(void)
{
  int fd = openat(dir.fd, "ledger.db-wal", O_RDWR);
  EXPECT(ftruncate(fd, size_of("ledger.db-wal") / 2) == 0);
  close(fd);
}
static void log_flip(void) { bytes_flip("ledger.db-wal", size_of("ledger.db-wal") / 2); }
static void file_delete(void)
{
  EXPECT(unlinkat(dir.fd, "ledger.db", 0) == 0);
  log_delete();
}

/* ST-105, ST-106. Refused, more than once, and nothing touched; accepted only when told to. */
TEST(acknowledged_changes_that_are_gone_are_never_gone_in_silence)
{
  static void (*const harms[])(void) = {log_delete, log_empty, log_cut, log_flip, file_delete};
  for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
    struct ledger *ledger = NULL;
    temp = temp_dir();
    EXPECT_INT(datadir_open(&dir, temp, &err), OK);
    fill_and_die(20);
    harms[i]();
    off_t log = size_of("ledger.db-wal"), file = size_of("ledger.db");
    for (int again = 0; again < 2; again++) {
      EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), E_UNAVAILABLE);
      EXPECT(ledger == NULL);
      EXPECT(strstr(err.text, " to 20 were acknowledged and are not in the ledger") != NULL);
      EXPECT(strstr(err.text, "--accept-ledger-loss") != NULL);
      if (log > 0) EXPECT_INT(size_of("ledger.db-wal"), log);
      if (file > 0) EXPECT_INT(size_of("ledger.db"), file);
    }
    struct ledger_opts told = {.accept_loss = true};
    EXPECT_INT(ledger_open(&ledger, &dir, &told, &err), OK);
    EXPECT(ledger && ledger_last_seq(ledger) < 20);
    ledger_close(ledger);
    EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK); /* said once */
    uint64_t bad;
    EXPECT_INT(ledger_verify(ledger, &bad, &err), OK);
    closed(ledger);
  }
}

TEST(another_history_of_the_same_length_is_refused)
{
  struct ledger *ledger = opened(NULL);
  fill(ledger, 5);
  ledger_close(ledger);
  int old = openat(dir.fd, "head", O_RDONLY);
  char head[1024];
  ssize_t n = pread(old, head, sizeof head, 0);
  close(old);
  EXPECT(unlinkat(dir.fd, "ledger.db", 0) == 0 && unlinkat(dir.fd, "head", 0) == 0);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  struct event event = event_made(EVENT_MODEL_CREATED, "else", 0);
  for (int i = 0; i < 7; i++) EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  ledger_close(ledger);
  int fd = openat(dir.fd, "head", O_WRONLY | O_TRUNC);
  EXPECT(n > 0 && pwrite(fd, head, (size_t)n, 0) == n);
  close(fd);
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), E_UNAVAILABLE);
  EXPECT(strstr(err.text, "changes 5 to 5 were acknowledged") != NULL);
  closed(NULL);
}

/* After a power cut the head may be older than the ledger, half written, empty or not there. */
TEST(a_head_that_is_older_or_torn_is_no_loss)
{
  temp = temp_dir();
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  for (int harm = 0; harm < 4; harm++) {
    struct ledger *ledger;
    char before[1024];
    EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
    struct event event = event_made(EVENT_MODEL_CREATED, "m", 0);
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
    int fd = openat(dir.fd, "head", O_RDWR);
    ssize_t n = pread(fd, before, sizeof before, 0);
    EXPECT(n >= 56);
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
    uint64_t last = ledger_last_seq(ledger);
    ledger_close(ledger);
    if (harm == 0) EXPECT(pwrite(fd, before, (size_t)n, 0) == n);
    if (harm == 1) bytes_flip("head", 8);
    if (harm == 2) EXPECT(ftruncate(fd, 0) == 0);
    if (harm == 3) EXPECT(unlinkat(dir.fd, "head", 0) == 0);
    close(fd);
    EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
    EXPECT_INT(ledger_last_seq(ledger), last);
    ledger_close(ledger);
  }
  datadir_close(&dir);
  temp_remove(temp);
}

TEST(a_clean_stop_and_a_start_leave_nothing_in_the_log)
{
  struct ledger *ledger = opened(NULL);
  fill(ledger, 20);
  EXPECT(size_of("ledger.db-wal") > 0);
  ledger_close(ledger);
  EXPECT(size_of("ledger.db-wal") <= 0);
  datadir_close(&dir);
  temp_remove(temp);
  temp = temp_dir();
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  fill_and_die(20);
  EXPECT(size_of("ledger.db-wal") > 0);
  bytes_flip("ledger.db-shm", 40); /* ST-106: only an index, made again */
  EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
  EXPECT_INT(ledger_last_seq(ledger), 20);
  EXPECT_INT(size_of("ledger.db-wal"), 0);
  closed(ledger);
}

/* --- faults ----------------------------------------------------------------------------------- */

static const struct ledger_opts faulty = {.vfs = "fault"};
static bool full(void) { return true; }
static bool full_while_reserved(void) { return faccessat(dir.fd, "reserve", F_OK, 0) == 0; }

TEST(every_commit_is_synced)
{
  fault_start();
  struct ledger *ledger = opened(&faulty);
  for (int i = 0; i < 5; i++) {
    int before = fault_sync_count;
    struct event event = event_made(EVENT_MODEL_CREATED, "m", 0);
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
    EXPECT(fault_sync_count > before);
  }
  closed(ledger);
}

TEST(a_full_disk_is_answered_and_forgotten_once_there_is_room)
{
  fault_start();
  struct ledger *ledger = opened(&faulty);
  struct event event = event_made(EVENT_MODEL_CREATED, "m", 0);
  EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  fault_is_full = full;
  for (int i = 0; i < 3; i++) {
    EXPECT_INT(ledger_append(ledger, &event, 1, &err), E_STORAGE_FULL);
    EXPECT_INT(event.seq, 0);
    ledger_tidy(ledger);
  }
  EXPECT_INT(ledger_last_seq(ledger), 1);
  uint64_t seen[2] = {0, 0}, bad;
  EXPECT_INT(ledger_replay(ledger, 1, count, seen, &err), OK);
  EXPECT_INT(seen[0], 1);
  fault_is_full = NULL;
  EXPECT_INT(ledger_append(ledger, &event, 1, &err), OK);
  EXPECT_INT(event.seq, 2);
  EXPECT_INT(ledger_verify(ledger, &bad, &err), OK);
  closed(ledger);
}

TEST(a_rollback_is_written_even_when_the_disk_is_full)
{
  fault_start();
  struct ledger *ledger = opened(&faulty);
  struct event push = event_made(EVENT_VERSION_PUSHED, "m", 1);
  struct event back = event_made(EVENT_ROLLED_BACK, "m", 1);
  fault_is_full = full_while_reserved;
  EXPECT_INT(ledger_append(ledger, &push, 1, &err), E_STORAGE_FULL);
  EXPECT(faccessat(dir.fd, "reserve", F_OK, 0) == 0);
  EXPECT_INT(ledger_append(ledger, &back, 1, &err), OK);
  EXPECT_INT(back.seq, 1);
  EXPECT(faccessat(dir.fd, "reserve", F_OK, 0) != 0);
  fault_is_full = NULL;
  ledger_tidy(ledger);
  EXPECT(faccessat(dir.fd, "reserve", F_OK, 0) != 0); /* not in the turn that found it full */
  ledger_tidy(ledger);
  EXPECT(faccessat(dir.fd, "reserve", F_OK, 0) == 0);
  closed(ledger);
}

TEST(of_moves_those_that_protect_are_written_on_a_full_disk_whatever_their_state_is_called)
{
  static const struct event_fact stays[] = {{SLICE("state"), SLICE("rolled_back")}};
  static const struct event_fact protects[] = {{SLICE("protects"), SLICE("true")},
                                               {SLICE("state"), SLICE("withdrawn")}};
  fault_start();
  struct ledger *ledger = opened(&faulty);
  struct event move = event_made(EVENT_RELEASE_MOVED, "m", 2);
  move.release = 1;
  move.facts = stays, move.n_facts = 1;
  fault_is_full = full_while_reserved;
  EXPECT_INT(ledger_append(ledger, &move, 1, &err), E_STORAGE_FULL);
  move.facts = protects, move.n_facts = 2;
  EXPECT_INT(ledger_append(ledger, &move, 1, &err), OK);
  fault_is_full = NULL;
  closed(ledger);
}

TEST(a_failed_fsync_ends_the_process_without_an_answer)
{
  for (int n = 0; n < 3; n++) { /* n = 0, 1: at a COMMIT; later ones in the checkpoint */
    fault_start();
    struct ledger *ledger = opened(&faulty);
    int answers[2];
    EXPECT(pipe(answers) == 0);
    pid_t child = fork();
    if (child == 0) {
      int quiet = open("/dev/null", O_WRONLY);
      dup2(quiet, STDERR_FILENO);
      fault_sync_in = n;
      for (uint32_t i = 1; i < 5000; i++) {
        struct event event = event_made(EVENT_VERSION_PUSHED, "m", i);
        if (ledger_append(ledger, &event, 1, &err)) _exit(1);
        if (write(answers[1], "a", 1) != 1) _exit(2);
        ledger_tidy(ledger);
      }
      _exit(0);
    }
    close(answers[1]);
    char text[8];
    int acknowledged = 0, status;
    ssize_t got;
    while ((got = read(answers[0], text, sizeof text)) > 0) acknowledged += (int)got;
    close(answers[0]);
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 70);
    EXPECT(acknowledged <= n);
    closed(ledger);
  }
}

TEST(a_failed_fsync_in_the_checkpoint_ends_the_process_too)
{
  fault_start();
  struct ledger *ledger = opened(&faulty);
  pid_t child = fork();
  if (child == 0) {
    int quiet = open("/dev/null", O_WRONLY);
    dup2(quiet, STDERR_FILENO);
    struct event event = event_made(EVENT_VERSION_PUSHED, "m", 1);
    for (int i = 0; i < 3000; i++) {
      if (ledger_append(ledger, &event, 1, &err)) _exit(1);
      fault_sync_in = 0; /* the next sync is the checkpoint's, if there is one */
      ledger_tidy(ledger);
      fault_sync_in = -1;
    }
    _exit(0);
  }
  int status;
  EXPECT(waitpid(child, &status, 0) == child);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 70);
  closed(ledger);
}
