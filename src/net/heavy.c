/* heavy.c - who is cut when memory is nearly gone: of the tenant that has most bytes of bodies in
 * flight, over all loops, the connection that holds most of this loop's.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "net/loop_int.h"
#include "serve/quota/meter.h"

enum { CUT_MAX = 4, HEAVY_BYTES = 64 << 10 };

static uint64_t conn_bytes(const struct conn *conn)
{
  uint64_t bytes = arena_held(&conn->arena) + arena_held(&conn->scratch) + conn->pinned;
  if (conn->call) bytes += arena_held(&conn->call->arena);
  return bytes;
}

static uint64_t tenant_bytes(const struct conn *conn)
{
  const struct meter *meter = conn->meter;
  if (conn->call && conn->call->came.tenant) meter = conn->call->came.tenant->meter;
  return meter ? atomic_load_explicit(&meter->bytes, memory_order_relaxed) : 0;
}

static struct conn *heaviest(struct loop *loop)
{
  struct conn *found = NULL;
  uint64_t most = 0, most_of_tenant = 0;
  for (struct link *link = loop->open.next; link != &loop->open; link = link->next) {
    struct conn *conn = LIST_OF(link, struct conn, link);
    uint64_t bytes = conn_bytes(conn), of_tenant = tenant_bytes(conn);
    if (conn->state == CONN_CLOSED || conn->errand || bytes < HEAVY_BYTES) continue;
    if (found && (of_tenant < most_of_tenant || (of_tenant == most_of_tenant && bytes <= most)))
      continue;
    found = conn;
    most = bytes;
    most_of_tenant = of_tenant;
  }
  return found;
}

void heavy_reset(struct loop *loop)
{
  for (int i = 0; i < CUT_MAX; i++) {
    struct conn *conn = heaviest(loop);
    if (!conn) return;
    log_event(LOG_WARN, "connection_reset", "loop", log_num(loop->number), "bytes",
              log_num((int64_t)conn_bytes(conn)), "reason", "memory is nearly gone", NULL);
    conn_reset(conn);
  }
}
