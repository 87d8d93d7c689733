/* witness.c - one query for the heads of chains that grew, one signed line for each.
 * Thread: scribe (main before it starts).
 * SPDX-License-Identifier: MIT */
#include "store/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/text.h"
#include "store/ledger_int.h"
#include "store/secret.h"

enum { TAIL_BYTES = 256 << 10, LINES_BYTES_MAX = 64 << 20, AGAIN_US = 1000000 };

struct witness {
  struct ledger *ledger;
  int fd;
  struct digest seed, key;
  char key_hex[SHA256_HEX_LEN + 1];
  uint64_t seq; /* witnessed up to here */
  int64_t last_us;
  bool torn;     /* the file ends in the middle of a line */
  bool troubled; /* the last checkpoint could not be written, and that was said */
};

/* --- the key ---------------------------------------------------------------------------------- */

static enum code seed_open(const struct datadir *dir, struct digest *seed, bool make,
                           struct err *err)
{
  char text[SHA256_HEX_LEN + 3];
  size_t len = 0;
  enum code code = secret_read(dir, "audit.key", text, sizeof text, &len, err);
  if (code == E_NOT_FOUND && make) {
    rand_secret(seed->at, sizeof seed->at);
    digest_hex(seed, text);
    code = secret_write(dir, "audit.key", slice_of(text, SHA256_HEX_LEN), err);
  } else if (!code && !digest_from_hex(slice_of(text, len), seed)) {
    code = fail(err, E_BAD_CONFIG, "the file 'audit.key' in the data directory is damaged");
  }
  explicit_bzero(text, sizeof text);
  return code;
}

enum code witness_key(const struct datadir *dir, struct digest *public_key, struct err *err)
{
  struct digest seed;
  if (seed_open(dir, &seed, false, err)) return err->code;
  sign_public(seed.at, public_key->at);
  explicit_bzero(&seed, sizeof seed);
  return OK;
}

/* --- the file --------------------------------------------------------------------------------- */

/* The row of the newest checkpoint over all tenants that the end of the file holds. */
static enum code tail_read(struct witness *witness, struct err *err)
{
  static const char all[] = ",\"tenant\":null}";
  struct stat st;
  if (fstat(witness->fd, &st) != 0 || !S_ISREG(st.st_mode))
    return fail_errno(err, errno ? errno : ELOOP, "the file of checkpoints");
  off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
  char *bytes = grab(TAIL_BYTES);
  ssize_t n = fd_read_at(witness->fd, bytes, TAIL_BYTES, from);
  struct slice text = slice_of(bytes, n > 0 ? (size_t)n : 0);
  witness->torn = text.len && text.at[text.len - 1] != '\n';
  const char *found, *number;
  for (struct slice left = text; (found = memmem(left.at, left.len, all, sizeof all - 1));) {
    uint64_t seq;
    left = slice_of(found + 1, left.len - (size_t)(found + 1 - left.at));
    for (number = found; number > bytes && number[-1] >= '0' && number[-1] <= '9';) number--;
    if (text_read_u64(slice_of(number, (size_t)(found - number)), INT64_MAX, &seq) &&
        seq > witness->seq)
      witness->seq = seq;
  }
  ungrab(bytes);
  return n < 0 ? fail_errno(err, errno, "the file of checkpoints") : OK;
}

static void line_add(struct witness *witness, struct buf *lines, struct slice tenant, uint64_t seq,
                     const struct digest *hash, int64_t now_ms)
{
  unsigned char sign[SIGN_LEN];
  char hex[SHA256_HEX_LEN + 1], text[BASE64_LEN(SIGN_LEN) + 1];
  digest_hex(hash, hex);
  buf_add(lines, SLICE("{\"checkpoint\":"));
  size_t from = lines->len;
  buf_print(lines, "{\"at_ms\":%" PRId64 ",\"hash\":\"%s\",\"key\":\"%s\",\"seq\":%" PRIu64
            ",\"tenant\":", now_ms, hex, witness->key_hex, seq);
  if (tenant.at)
    buf_json(lines, tenant);
  else
    buf_add(lines, SLICE("null"));
  buf_add(lines, SLICE("}"));
  if (lines->full) return;
  sign_bytes(witness->seed.at, slice_from(buf_lend(lines), from), sign);
  base64_write(slice_of((const char *)sign, sizeof sign), text);
  buf_print(lines, ",\"sign\":\"%s\"}\n", text);
}

/* Heads of the chains that grew after `from`, up to `to`. */
static enum code lines_make(struct witness *witness, struct buf *lines, uint64_t to, int64_t now_ms,
                            struct err *err)
{
  sqlite3 *db = ledger_db(witness->ledger);
  sqlite3_stmt *stmt = NULL;
  if (sql_prepare(db,
                  "SELECT seq, tenant, tenant_hash FROM events WHERE seq IN (SELECT max(seq)"
                  " FROM events WHERE seq > ?1 AND seq <= ?2 GROUP BY tenant) ORDER BY seq",
                  &stmt, err))
    return err->code;
  sqlite3_bind_int64(stmt, 1, (int64_t)witness->seq);
  sqlite3_bind_int64(stmt, 2, (int64_t)to);
  int rc;
  while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
    struct digest hash;
    if (!sql_digest(stmt, 2, &hash)) continue;
    line_add(witness, lines, sql_text(stmt, 1), (uint64_t)sqlite3_column_int64(stmt, 0), &hash,
             now_ms);
  }
  sqlite3_finalize(stmt);
  if (rc != SQLITE_DONE) return sql_fail(db, rc, err);
  struct digest head = ledger_head(witness->ledger);
  line_add(witness, lines, SLICE_NONE, to, &head, now_ms);
  return lines->full ? fail(err, E_LIMIT_EXCEEDED, "too many chains for one checkpoint") : OK;
}

static enum code lines_write(struct witness *witness, struct slice lines, struct err *err)
{
  if (witness->torn && !fd_write(witness->fd, SLICE("\n")))
    return fail_errno(err, errno, "the file of checkpoints");
  witness->torn = false;
  while (lines.len) { /* by hand: how much of them is there decides */
    ssize_t n = write(witness->fd, lines.at, lines.len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail_errno(err, n < 0 ? errno : ENOSPC, "the file of checkpoints");
    lines = slice_from(lines, (size_t)n);
    witness->torn = lines.len > 0;
  }
  if (fdatasync(witness->fd) != 0) return fail_errno(err, errno, "the file of checkpoints");
  return OK;
}

/* What cannot be written is tried again with the next turn: changes go on without it. */
static void witness_write(struct witness *witness, int64_t now_ms)
{
  uint64_t to = ledger_last_seq(witness->ledger);
  struct buf lines;
  struct err err = {.code = OK};
  if (to <= witness->seq) return;
  buf_init(&lines, LINES_BYTES_MAX);
  if (lines_make(witness, &lines, to, now_ms, &err) == OK &&
      lines_write(witness, buf_lend(&lines), &err) == OK)
    witness->seq = to;
  else if (!witness->troubled)
    log_event(LOG_ERROR, "checkpoint_not_written", "reason", err.text, NULL);
  witness->troubled = err.code != OK;
  buf_deinit(&lines);
}

/* --- life ------------------------------------------------------------------------------------- */

enum code witness_open(struct witness **out, const struct datadir *dir, struct ledger *ledger,
                       const char *path, int64_t now_ms, struct err *err)
{
  struct digest seed;
  *out = NULL;
  if (seed_open(dir, &seed, true, err)) return err->code;
  if (!path || !path[0]) {
    explicit_bzero(&seed, sizeof seed);
    return OK;
  }
  int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail_errno(err, errno, "the file of checkpoints");
  struct witness *witness = grab_zero(1, sizeof *witness);
  *witness = (struct witness){.ledger = ledger, .fd = fd, .seed = seed};
  sign_public(seed.at, witness->key.at);
  digest_hex(&witness->key, witness->key_hex);
  if (tail_read(witness, err)) {
    close(fd);
    ungrab(witness);
    return err->code;
  }
  if (witness->seq > ledger_last_seq(ledger)) {
    log_event(LOG_ERROR, "ledger_behind_checkpoint", "signed", log_num((int64_t)witness->seq),
              "last_seq", log_num((int64_t)ledger_last_seq(ledger)), "reason",
              "changes that were witnessed are missing: cut off, or an old backup", NULL);
    witness->seq = 0; /* everything that is left is witnessed anew */
  }
  witness_write(witness, now_ms);
  *out = witness;
  return OK;
}

void witness_close(struct witness *witness, int64_t now_ms)
{
  if (!witness) return;
  witness_write(witness, now_ms);
  close(witness->fd);
  explicit_bzero(witness, sizeof *witness);
  ungrab(witness);
}

int64_t witness_due_us(const struct witness *witness)
{
  if (!witness || ledger_last_seq(witness->ledger) == witness->seq) return INT64_MAX;
  return witness->last_us + WITNESS_US;
}

void witness_turn(struct witness *witness, int64_t now_us, int64_t now_ms)
{
  if (!witness) return;
  if (!witness->last_us) witness->last_us = now_us;
  uint64_t new_rows = ledger_last_seq(witness->ledger) - witness->seq;
  int64_t wait_us = new_rows < WITNESS_ROWS ? WITNESS_US : witness->troubled ? AGAIN_US : 0;
  if (!new_rows || now_us < witness->last_us + wait_us) return;
  witness->last_us = now_us;
  witness_write(witness, now_ms);
}
