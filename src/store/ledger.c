/* ledger.c - the one handle that writes and checkpoints: opening, appending, going on when it is
 * full.
 * Thread: scribe (main before it starts).
 *
 * SQLite's automatic checkpoint is off: it hides the error of a failed fsync. ledger_tidy
 * checkpoints instead, after the letters of a group have gone home, and a failure there ends the
 * process like one at COMMIT does.
 * SPDX-License-Identifier: MIT */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/codec.h"
#include "store/head_int.h"
#include "store/ledger_int.h"

enum {
  APPLICATION = 0x534c5057, /* "SLPW", in the file's head */
  CHECKPOINT_PAGES = 1000,  /* of WAL before tidying checkpoints */
  RESERVE_BYTES = 1 << 20,
};
/* The oldest slipway that can read what this one writes; goes into the file for its elders. */
#define LEDGER_NEEDS "0.1.0"

struct ledger {
  sqlite3 *db;
  const struct datadir *dir;
  struct head head_file;
  sqlite3_stmt *insert, *head, *tenant_head, *rows;
  struct buf body, line;        /* scratch of one append */
  uint64_t last_seq, group_seq; /* durable; inside the open transaction */
  struct digest head_hash, group_hash;
  uint64_t reserve_bytes;
  int wal_pages;
  bool reserve_there, was_full;
  bool accept_loss;
};

sqlite3 *ledger_db(struct ledger *ledger) { return ledger->db; }
const struct datadir *ledger_dir(const struct ledger *ledger) { return ledger->dir; }

static const char schema_now[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "INSERT INTO meta VALUES ('needs_slipway', '" LEDGER_NEEDS
    "');"
    "CREATE TABLE events ("
    " seq INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, kind TEXT NOT NULL,"
    " encoding INTEGER NOT NULL, tenant TEXT NOT NULL, model TEXT NOT NULL, actor TEXT NOT NULL,"
    " idempotency TEXT NOT NULL, body TEXT NOT NULL,"
    " prev_hash BLOB NOT NULL, hash BLOB NOT NULL,"
    " tenant_prev BLOB NOT NULL, tenant_hash BLOB NOT NULL) STRICT;"
    "CREATE INDEX events_tenant ON events (tenant, seq);"
    "CREATE INDEX events_model ON events (tenant, model, seq) WHERE model <> '';"
    "CREATE INDEX events_key ON events (tenant, idempotency) WHERE idempotency <> '';"
    JOURNAL_TABLE;

/* Looks came beside the events, which stay as they are. */
static const char schema_1_to_2[] =
    "BEGIN IMMEDIATE; " JOURNAL_TABLE " PRAGMA user_version=2; COMMIT;";

/* --- the reserve ------------------------------------------------------------------------------ */

static void reserve_make(struct ledger *ledger)
{
  if (ledger->reserve_there) return;
  int fd = openat(ledger->dir->fd, "reserve", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return;
  ledger->reserve_there = posix_fallocate(fd, 0, (off_t)ledger->reserve_bytes) == 0;
  close(fd);
  if (!ledger->reserve_there) unlinkat(ledger->dir->fd, "reserve", 0);
}

static bool reserve_give_up(struct ledger *ledger)
{
  if (!ledger->reserve_there) return false;
  ledger->reserve_there = false;
  return unlinkat(ledger->dir->fd, "reserve", 0) == 0;
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum code number_get(sqlite3 *db, const char *query, int64_t *number, struct err *err)
{
  sqlite3_stmt *stmt = NULL;
  if (sql_prepare(db, query, &stmt, err)) return err->code;
  int rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) *number = sqlite3_column_int64(stmt, 0);
  sqlite3_finalize(stmt);
  return rc == SQLITE_ROW ? OK : sql_fail(db, rc, err);
}

/* Runs a query of one text and compares. */
static enum code text_expect(sqlite3 *db, const char *query, const char *want, const char *else_say,
                             struct err *err)
{
  sqlite3_stmt *stmt = NULL;
  if (sql_prepare(db, query, &stmt, err)) return err->code;
  enum code code = OK;
  int rc = sqlite3_step(stmt);
  if (rc != SQLITE_ROW)
    code = sql_fail(db, rc, err);
  else if (!slice_eq(sql_text(stmt, 0), slice_str(want)))
    code = fail(err, E_UNAVAILABLE, "%s", else_say);
  sqlite3_finalize(stmt);
  return code;
}

static enum code newer_refuse(sqlite3 *db, int64_t schema, struct err *err)
{
  sqlite3_stmt *stmt = NULL;
  char needs[32] = "a newer one";
  if (sql_prepare(db, "SELECT value FROM meta WHERE key = 'needs_slipway'", &stmt, NULL) == OK &&
      sqlite3_step(stmt) == SQLITE_ROW && !slice_to_str(sql_text(stmt, 0), needs, sizeof needs))
    needs[0] = '?', needs[1] = '\0';
  sqlite3_finalize(stmt);
  return fail(err, E_UNAVAILABLE,
              "the data directory needs slipway %s or newer: its ledger has schema %lld, this one "
              "reads up to %d",
              needs, (long long)schema, LEDGER_SCHEMA);
}

/* The ledger ends at `last`, and its head says that more was acknowledged. */
static enum code loss_refuse(const struct ledger *ledger, uint64_t last, struct err *err)
{
  uint64_t first = last < ledger->head_file.seq ? last + 1 : ledger->head_file.seq;
  return fail(err, E_UNAVAILABLE,
              "changes %llu to %llu were acknowledged and are not in the ledger: restore ledger.db "
              "and ledger.db-wal from a backup, or go on without them with --accept-ledger-loss",
              (unsigned long long)first, (unsigned long long)ledger->head_file.seq);
}

static enum code schema_check(struct ledger *ledger, struct err *err)
{
  int64_t version = 0, application = 0, objects = 0;
  sqlite3 *db = ledger->db;
  if (number_get(db, "PRAGMA user_version", &version, err) ||
      number_get(db, "PRAGMA application_id", &application, err) ||
      number_get(db, "SELECT count(*) FROM sqlite_schema", &objects, err))
    return err->code;
  if (version == 0 && application == 0 && objects == 0) {
    if (ledger->head_file.seq && !ledger->accept_loss) return loss_refuse(ledger, 0, err);
    char text[sizeof schema_now + 160];
    snprintf(text, sizeof text,
             "BEGIN IMMEDIATE; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
             schema_now, APPLICATION, LEDGER_SCHEMA);
    return sql_run(db, text, err);
  }
  if (application != APPLICATION)
    return fail(err, E_UNAVAILABLE, "the ledger's file is not one of slipway's; move it away");
  if (version > LEDGER_SCHEMA) return newer_refuse(db, version, err);
  if (version < 1)
    return fail(err, E_UNAVAILABLE, "the ledger has schema %lld, which never existed; restore it",
                (long long)version);
  if (version == 1) return sql_run(db, schema_1_to_2, err);
  return OK;
}

static int wal_grown(void *arg, sqlite3 *db, const char *name, int pages)
{
  (void)db;
  (void)name;
  ((struct ledger *)arg)->wal_pages = pages;
  return SQLITE_OK;
}

static enum code head_read(struct ledger *ledger, struct err *err)
{
  int rc = sqlite3_step(ledger->head);
  if (rc == SQLITE_ROW) {
    ledger->last_seq = (uint64_t)sqlite3_column_int64(ledger->head, 0);
    if (!sql_digest(ledger->head, 1, &ledger->head_hash)) rc = SQLITE_CORRUPT;
  }
  sqlite3_reset(ledger->head);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : sql_fail(ledger->db, rc, err);
}

/* Whether the row that the head names is there; 1: it is, 0: not or another one, else SQLite's. */
static int head_holds(struct ledger *ledger)
{
  struct digest hash;
  if (ledger->head_file.seq > ledger->last_seq) return 0;
  sqlite3_bind_int64(ledger->rows, 1, (int64_t)ledger->head_file.seq);
  int rc = sqlite3_step(ledger->rows);
  bool same = rc == SQLITE_ROW &&
              (uint64_t)sqlite3_column_int64(ledger->rows, 0) == ledger->head_file.seq &&
              sql_digest(ledger->rows, 10, &hash) &&
              memcmp(&hash, &ledger->head_file.hash, sizeof hash) == 0;
  sqlite3_reset(ledger->rows);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? same : rc + 2;
}

/* Compares the ledger with the head kept beside it. Last of all, so that nothing was written yet
 * when it refuses: what is left of the files may still be worth something. */
static enum code head_check(struct ledger *ledger, struct err *err)
{
  struct head *head = &ledger->head_file;
  if (head->junk)
    log_event(LOG_WARN, "head_unreadable", "seq", log_num((int64_t)ledger->last_seq), NULL);
  int holds = head->seq ? head_holds(ledger) : 1;
  if (holds > 1) return sql_fail(ledger->db, holds - 2, err);
  if (!holds && !ledger->accept_loss) return loss_refuse(ledger, ledger->last_seq, err);
  if (!holds)
    log_event(LOG_WARN, "ledger_loss_accepted", "acknowledged", log_num((int64_t)head->seq),
              "last_seq", log_num((int64_t)ledger->last_seq), NULL);
  if (!holds || head->junk) return head_reset(head, ledger->last_seq, &ledger->head_hash, err);
  if (head->seq != ledger->last_seq) head_write(head, ledger->last_seq, &ledger->head_hash);
  return OK;
}

/* What the log before the file holds goes into the file: so less is lost with the log. */
static int wal_fold(struct ledger *ledger)
{
  int rc = sqlite3_wal_checkpoint_v2(ledger->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  if (rc == SQLITE_OK) ledger->wal_pages = 0;
  return sql_fatal(ledger->db, rc) ? rc : SQLITE_OK; /* full or busy: the log serves as well */
}

static enum code handles_open(struct ledger *ledger, const char *vfs, struct err *err)
{
  if (head_open(&ledger->head_file, ledger->dir->fd, err) ||
      sql_open(&ledger->db, ledger->dir, "ledger", vfs, true, err))
    return err->code;
  /* SQLite's own checkpoint at close would throw away a damaged log */
  sqlite3_db_config(ledger->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  if (text_expect(ledger->db, "PRAGMA quick_check(1)", "ok",
                  "the ledger is damaged (its quick check failed); restore it from a backup",
                  err) ||
      schema_check(ledger, err) || sql_run(ledger->db, OUTBOX_TABLE PRUNED_TABLE, err) ||
      text_expect(ledger->db, "PRAGMA journal_mode=WAL", "wal",
                  "the file system under the data directory cannot hold a WAL; choose another",
                  err) ||
      sql_prepare(ledger->db, "INSERT INTO events (" SQL_ROW ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                  &ledger->insert, err) ||
      sql_prepare(ledger->db, "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1",
                  &ledger->head, err) ||
      sql_prepare(ledger->db,
                  "SELECT tenant_hash FROM events WHERE tenant = ? AND seq < ?"
                  " ORDER BY seq DESC LIMIT 1",
                  &ledger->tenant_head, err) ||
      sql_prepare(ledger->db, "SELECT " SQL_ROW " FROM events WHERE seq >= ? ORDER BY seq",
                  &ledger->rows, err) ||
      head_read(ledger, err) || head_check(ledger, err))
    return err->code;
  int rc = wal_fold(ledger);
  return rc ? sql_fail(ledger->db, rc, err) : OK;
}

static void handles_close(struct ledger *ledger)
{
  sqlite3_finalize(ledger->insert);
  sqlite3_finalize(ledger->head);
  sqlite3_finalize(ledger->tenant_head);
  sqlite3_finalize(ledger->rows);
  ledger->insert = ledger->head = ledger->tenant_head = ledger->rows = NULL;
  must(sqlite3_close(ledger->db) == SQLITE_OK);
  ledger->db = NULL;
  head_close(&ledger->head_file);
}

static void ledger_free(struct ledger *ledger)
{
  handles_close(ledger);
  buf_deinit(&ledger->body);
  buf_deinit(&ledger->line);
  ungrab(ledger);
}

enum code ledger_open(struct ledger **out, const struct datadir *dir,
                      const struct ledger_opts *opts, struct err *err)
{
  struct ledger *ledger = grab_zero(1, sizeof *ledger);
  const char *vfs = opts ? opts->vfs : NULL;
  ledger->dir = dir;
  ledger->reserve_bytes = opts && opts->reserve_bytes ? opts->reserve_bytes : RESERVE_BYTES;
  ledger->accept_loss = opts && opts->accept_loss;
  buf_init(&ledger->body, EVENT_LINE_MAX);
  buf_init(&ledger->line, 2 * EVENT_LINE_MAX);
  *out = NULL;
  enum code code = handles_open(ledger, vfs, err);
  ledger->reserve_there = faccessat(dir->fd, "reserve", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (code == E_STORAGE_FULL && reserve_give_up(ledger)) { /* reading needs room, too: -shm */
    handles_close(ledger);
    ledger->was_full = true;
    code = handles_open(ledger, vfs, err);
    if (!code) log_event(LOG_WARN, "reserve_given_up", "reason", "the disk is full", NULL);
  }
  if (code) {
    ledger_free(ledger);
    return code;
  }
  sqlite3_db_config(ledger->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  sqlite3_wal_hook(ledger->db, wal_grown, ledger);
  ledger->reserve_there = false; /* it may have another size */
  if (!ledger->was_full) reserve_make(ledger);
  *out = ledger;
  return OK;
}

void ledger_close(struct ledger *ledger)
{
  if (!ledger) return;
  int rc = wal_fold(ledger);
  if (rc) sql_die(ledger->db, rc, "checkpointing");
  ledger_free(ledger);
}

uint64_t ledger_last_seq(const struct ledger *ledger) { return ledger->last_seq; }
struct digest ledger_head(const struct ledger *ledger) { return ledger->head_hash; }

enum code ledger_hash(struct ledger *ledger, uint64_t seq, struct digest *hash, struct err *err)
{
  sqlite3_bind_int64(ledger->rows, 1, (int64_t)seq);
  int rc = sqlite3_step(ledger->rows);
  bool found = rc == SQLITE_ROW && (uint64_t)sqlite3_column_int64(ledger->rows, 0) == seq &&
               sql_digest(ledger->rows, 10, hash);
  sqlite3_reset(ledger->rows);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return sql_fail(ledger->db, rc, err);
  return found ? OK : fail(err, E_NOT_FOUND, "the ledger has no event %llu",
                           (unsigned long long)seq);
}

/* --- appending -------------------------------------------------------------------------------- */

static struct digest chained(const struct digest *before, struct slice line)
{
  struct sha256 sha;
  sha256_init(&sha);
  sha256_add(&sha, slice_of((const char *)before->at, SHA256_LEN));
  sha256_add(&sha, line);
  return sha256_end(&sha);
}

/* The hash of the tenant's newest row before seq; zeros when there is none. */
static int tenant_before(struct ledger *ledger, struct slice tenant, uint64_t seq,
                         struct digest *hash)
{
  *hash = (struct digest){0};
  sql_bind_text(ledger->tenant_head, 1, tenant);
  sqlite3_bind_int64(ledger->tenant_head, 2, (int64_t)seq);
  int rc = sqlite3_step(ledger->tenant_head);
  if (rc == SQLITE_ROW && !sql_digest(ledger->tenant_head, 0, hash)) rc = SQLITE_CORRUPT;
  sqlite3_reset(ledger->tenant_head);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int event_insert(struct ledger *ledger, struct event *event)
{
  struct digest tenant_prev;
  event->seq = ledger->group_seq + 1;
  int rc = tenant_before(ledger, event->tenant, event->seq, &tenant_prev);
  if (rc) return rc;
  buf_reset(&ledger->body);
  buf_reset(&ledger->line);
  event_body_write(&ledger->body, event);
  event_line_write(&ledger->line, event, EVENT_ENCODING, buf_lend(&ledger->body));
  if (ledger->body.full || ledger->line.full) return SQLITE_TOOBIG;
  struct digest prev = ledger->group_hash, hash = chained(&prev, buf_lend(&ledger->line));
  struct digest tenant_hash = chained(&tenant_prev, buf_lend(&ledger->line));
  sqlite3_stmt *stmt = ledger->insert;
  sqlite3_bind_int64(stmt, 1, (int64_t)event->seq);
  sqlite3_bind_int64(stmt, 2, event->wall_ms);
  sql_bind_text(stmt, 3, slice_str(event_name(event->kind)));
  sqlite3_bind_int(stmt, 4, EVENT_ENCODING);
  sql_bind_text(stmt, 5, event->tenant);
  sql_bind_text(stmt, 6, event->model);
  sql_bind_text(stmt, 7, event->actor);
  sql_bind_text(stmt, 8, event->idempotency);
  sql_bind_text(stmt, 9, buf_lend(&ledger->body));
  sqlite3_bind_blob(stmt, 10, prev.at, SHA256_LEN, SQLITE_STATIC);
  sqlite3_bind_blob(stmt, 11, hash.at, SHA256_LEN, SQLITE_STATIC);
  sqlite3_bind_blob(stmt, 12, tenant_prev.at, SHA256_LEN, SQLITE_STATIC);
  sqlite3_bind_blob(stmt, 13, tenant_hash.at, SHA256_LEN, SQLITE_STATIC);
  rc = sqlite3_step(stmt);
  sqlite3_reset(stmt);
  if (rc != SQLITE_DONE) return rc;
  ledger->group_seq = event->seq;
  ledger->group_hash = hash;
  return SQLITE_OK;
}

enum code ledger_write_fail(struct ledger *ledger, int rc, const char *doing, struct err *err)
{
  if (sql_fatal(ledger->db, rc)) sql_die(ledger->db, rc, doing);
  ledger->was_full = ledger->was_full || sql_full(ledger->db, rc);
  return sql_fail(ledger->db, rc, err);
}

static int statement(struct ledger *ledger, const char *text)
{
  return sqlite3_exec(ledger->db, text, NULL, NULL, NULL);
}

/* Out of the transaction, whatever is left of it: SQLite may have ended it itself. */
static void group_leave(struct ledger *ledger)
{
  if (sqlite3_get_autocommit(ledger->db)) return;
  int rc = statement(ledger, "ROLLBACK");
  if (rc && sql_fatal(ledger->db, rc)) sql_die(ledger->db, rc, "rolling back");
}

enum code ledger_group_begin(struct ledger *ledger, struct err *err)
{
  ledger->group_seq = ledger->last_seq;
  ledger->group_hash = ledger->head_hash;
  int rc = statement(ledger, "BEGIN IMMEDIATE");
  return rc ? ledger_write_fail(ledger, rc, "beginning to write", err) : OK;
}

enum code ledger_group_add(struct ledger *ledger, struct event *events, uint32_t n, struct err *err)
{
  /* a full disk ended the transaction under an earlier add */
  if (sqlite3_get_autocommit(ledger->db)) return sql_fail(ledger->db, SQLITE_FULL, err);
  for (uint32_t i = 0; i < n; i++)
    if (event_check(&events[i], err)) return err->code;
  uint64_t seq = ledger->group_seq;
  struct digest hash = ledger->group_hash;
  int rc = statement(ledger, "SAVEPOINT one");
  for (uint32_t i = 0; i < n && rc == SQLITE_OK; i++) rc = event_insert(ledger, &events[i]);
  if (rc == SQLITE_OK) rc = statement(ledger, "RELEASE one");
  if (rc == SQLITE_OK) return OK;
  enum code code = ledger_write_fail(ledger, rc, "writing", err);
  ledger->group_seq = seq;
  ledger->group_hash = hash;
  if (!sqlite3_get_autocommit(ledger->db)) {
    rc = statement(ledger, "ROLLBACK TO one; RELEASE one");
    if (rc) code = ledger_write_fail(ledger, rc, "taking back", err);
  }
  return code;
}

enum code ledger_group_commit(struct ledger *ledger, struct err *err)
{
  if (sqlite3_get_autocommit(ledger->db)) return sql_fail(ledger->db, SQLITE_FULL, err);
  int rc = statement(ledger, "COMMIT");
  if (rc) {
    enum code code = ledger_write_fail(ledger, rc, "committing", err);
    group_leave(ledger);
    return code;
  }
  bool grown = ledger->last_seq != ledger->group_seq;
  ledger->last_seq = ledger->group_seq;
  ledger->head_hash = ledger->group_hash;
  if (grown) head_write(&ledger->head_file, ledger->last_seq, &ledger->head_hash);
  return OK;
}

static enum code append_once(struct ledger *ledger, struct event *events, uint32_t n,
                             struct err *err)
{
  enum code code = ledger_group_begin(ledger, err);
  if (code) return code;
  code = ledger_group_add(ledger, events, n, err);
  if (!code) return ledger_group_commit(ledger, err);
  group_leave(ledger);
  return code;
}

/* Events that take traffic away from a version must reach the ledger even when the disk is full. */
static bool events_protect(const struct event *events, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    bool stopped = events[i].kind == EVENT_RELEASE_MOVED &&
                   slice_eq(event_fact(&events[i], "protects"), SLICE("true"));
    if (!stopped && events[i].kind != EVENT_ROLLED_BACK &&
        events[i].kind != EVENT_VERSION_RETIRED && events[i].kind != EVENT_VERSION_REFUSED)
      return false;
  }
  return true;
}

enum code ledger_append(struct ledger *ledger, struct event *events, uint32_t n, struct err *err)
{
  enum code code = append_once(ledger, events, n, err);
  if (code == E_STORAGE_FULL && events_protect(events, n) && reserve_give_up(ledger))
    code = append_once(ledger, events, n, err);
  if (code)
    for (uint32_t i = 0; i < n; i++) events[i].seq = 0;
  return code;
}

void ledger_tidy(struct ledger *ledger)
{
  if (ledger->wal_pages >= CHECKPOINT_PAGES) {
    int left = 0, done = 0;
    int rc = sqlite3_wal_checkpoint_v2(ledger->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &left, &done);
    if (sql_fatal(ledger->db, rc)) sql_die(ledger->db, rc, "checkpointing");
    ledger->wal_pages = 0;
  }
  if (!ledger->was_full) reserve_make(ledger);
  ledger->was_full = false;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Whether a row says what its hash says and continues the chain of all rows. Leaves the row's
 * line. */
static bool row_holds(struct ledger *ledger, const struct sql_row *row, uint64_t seq,
                      const struct digest *before)
{
  struct err err;
  if (row->event.seq != seq || memcmp(&row->prev_hash, before, sizeof *before) != 0) return false;
  if (event_check(&row->event, &err)) return false;
  buf_reset(&ledger->body);
  event_body_write(&ledger->body, &row->event);
  if (!slice_eq(buf_lend(&ledger->body), row->body)) return false;
  buf_reset(&ledger->line);
  event_line_write(&ledger->line, &row->event, row->encoding, row->body);
  struct digest hash = chained(before, buf_lend(&ledger->line));
  return memcmp(&hash, &row->hash, sizeof hash) == 0;
}

/* The same for the chain of the row's tenant. After row_holds. */
static bool row_holds_tenant(struct ledger *ledger, const struct sql_row *row)
{
  struct digest before;
  if (tenant_before(ledger, row->event.tenant, row->event.seq, &before)) return false;
  if (memcmp(&row->tenant_prev, &before, sizeof before) != 0) return false;
  struct digest hash = chained(&before, buf_lend(&ledger->line));
  return memcmp(&hash, &row->tenant_hash, sizeof hash) == 0;
}

struct walk {
  ledger_fn fn; /* NULL: check tenants' chains instead */
  void *arg;
  uint64_t seq; /* of the row looked at */
};

static enum code walk_row(struct ledger *ledger, struct walk *walk, struct arena *arena,
                          struct digest *before, struct err *err)
{
  struct sql_row row;
  struct err why;
  if (sql_row(ledger->rows, arena, &row, &why)) return fail(err, E_UNAVAILABLE, "%s", why.text);
  if (!row_holds(ledger, &row, walk->seq, before) || (!walk->fn && !row_holds_tenant(ledger, &row)))
    return fail(err, E_UNAVAILABLE,
                "event %llu of the ledger was changed, removed or added; restore it from a backup",
                (unsigned long long)walk->seq);
  *before = row.hash;
  return walk->fn ? walk->fn(walk->arg, &row.event, err) : OK;
}

static enum code rows_walk(struct ledger *ledger, uint64_t from_seq, struct walk *walk,
                           struct err *err)
{
  struct arena arena;
  struct digest before = {0};
  enum code code = OK;
  int rc;
  if (from_seq > 1 && ledger_hash(ledger, from_seq - 1, &before, err)) return err->code;
  walk->seq = from_seq ? from_seq - 1 : 0;
  arena_init(&arena, 2 * EVENT_LINE_MAX, NULL);
  sqlite3_bind_int64(ledger->rows, 1, (int64_t)from_seq);
  while (!code && (rc = sqlite3_step(ledger->rows)) != SQLITE_DONE) {
    arena_reset(&arena);
    walk->seq++;
    if (rc != SQLITE_ROW)
      code = sql_fail(ledger->db, rc, err);
    else
      code = walk_row(ledger, walk, &arena, &before, err);
  }
  sqlite3_reset(ledger->rows);
  arena_deinit(&arena);
  return code;
}

enum code ledger_replay(struct ledger *ledger, uint64_t from_seq, ledger_fn fn, void *arg,
                        struct err *err)
{
  struct walk walk = {.fn = fn, .arg = arg};
  return rows_walk(ledger, from_seq, &walk, err);
}

enum code ledger_verify(struct ledger *ledger, uint64_t *first_bad, struct err *err)
{
  struct walk walk = {0};
  enum code code = rows_walk(ledger, 0, &walk, err);
  *first_bad = code ? walk.seq : 0;
  return code;
}
