/* ledger_int.h - what the journal needs of the ledger's writer. Inside the store room only.
 * Thread: scribe (main before it starts).
 * SPDX-License-Identifier: MIT */
#ifndef STORE_LEDGER_INT_H
#define STORE_LEDGER_INT_H

#include "store/journal.h"
#include "store/sql_int.h"

sqlite3 *ledger_db(struct ledger *ledger);
const struct datadir *ledger_dir(const struct ledger *ledger);
/* A failed write: ends the process when nobody can know what is on disk; else the answer. */
enum code ledger_write_fail(struct ledger *ledger, int rc, const char *doing, struct err *err);

/* These came later than the schema's number, and older readers need neither: made where they are
 * not. */
#define OUTBOX_TABLE                                                                            \
  "CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"        \
  " wall_ms INTEGER NOT NULL, ours INTEGER NOT NULL, url TEXT NOT NULL, body TEXT NOT NULL)"    \
  " STRICT;"
#define PRUNED_TABLE                                                                            \
  "CREATE TABLE IF NOT EXISTS looks_pruned (tenant TEXT NOT NULL, model TEXT NOT NULL,"         \
  " release INTEGER NOT NULL, wall_ms INTEGER NOT NULL, PRIMARY KEY (tenant, model, release))"  \
  " STRICT, WITHOUT ROWID;"
#define JOURNAL_TABLE                                                                           \
  "CREATE TABLE looks (tenant TEXT NOT NULL, model TEXT NOT NULL, release INTEGER NOT NULL,"    \
  " look INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (tenant, model, release, look))"    \
  " STRICT, WITHOUT ROWID;"
#define JOURNAL_SELECT                                                                          \
  "SELECT look, bytes FROM looks WHERE tenant = ?1 AND model = ?2 AND release = ?3"             \
  " AND look >= ?4 ORDER BY look LIMIT ?5"

/* Walks what a prepared JOURNAL_SELECT finds. */
CHECKED enum code journal_walk(sqlite3 *db, sqlite3_stmt *stmt, const struct journal_row *of,
                               uint32_t limit, journal_fn fn, void *arg, struct err *err);

#endif
