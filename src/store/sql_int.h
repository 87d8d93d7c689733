/* sql_int.h - what the ledger's writer and its readers share: careful connections, rows as events.
 * Thread: the connection's owner, scribe or desk. Inside the store room only.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_SQL_INT_H
#define STORE_SQL_INT_H

#include <sqlite3.h>

#include "store/datadir.h"
#include "world/event.h"

/* Opens DATA/NAME.db with every safety switch on: no following of links, defensive, untrusted
 * schema, no memory map, cells checked. writer: the one that may write and checkpoint. */
CHECKED enum code sql_open(sqlite3 **db, const struct datadir *dir, const char *name,
                           const char *vfs, bool writer, struct err *err);
CHECKED enum code sql_run(sqlite3 *db, const char *statements, struct err *err);
CHECKED enum code sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **stmt, struct err *err);

/* Whether the last failure of db was a full disk or quota. */
bool sql_full(sqlite3 *db, int rc);
/* Whether rc leaves it unknown what is on disk: the writer ends the process then. */
bool sql_fatal(sqlite3 *db, int rc);
CHECKED enum code sql_fail(sqlite3 *db, int rc, struct err *err);
/* Says why on stderr and ends the process with exit code 70, acknowledging nothing more. */
_Noreturn void sql_die(sqlite3 *db, int rc, const char *doing);

void sql_bind_text(sqlite3_stmt *stmt, int at, struct slice text);
struct slice sql_text(sqlite3_stmt *stmt, int at);
bool sql_digest(sqlite3_stmt *stmt, int at, struct digest *digest);

/* The columns a row is read from, in the order sql_row expects them. */
#define SQL_ROW                                                                              \
  "seq, wall_ms, kind, encoding, tenant, model, actor, idempotency, body, prev_hash, hash, " \
  "tenant_prev, tenant_hash"

struct sql_row {
  struct event event; /* texts in the arena */
  int encoding;
  struct slice body; /* as stored; sqlite's, until the next step */
  struct digest prev_hash, hash, tenant_prev, tenant_hash;
};
CHECKED enum code sql_row(sqlite3_stmt *stmt, struct arena *arena, struct sql_row *row,
                          struct err *err);

#endif
