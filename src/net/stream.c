/* stream.c - server-sent events: a connection that is told, for as long as it stays, that something
 * of its tenant's world has changed.
 * Thread: its loop.
 *
 * A loop sees every world, so it serves streams by itself: no letter, no desk, no timer of their
 * own.
 * A topic names a number of the tenant's that grows with each change, and the event that tells of
 * it; the number is the event's id. A change shows as soon as the loop has the world with it; two
 * that come between two turns are one event.
 * A stream keeps no bytes: what a client's socket does not take at once ends the connection. It
 * comes again with the last id it saw (Last-Event-ID) and gets one event for all that it missed.
 * One that comes without an id just after a change gets that event, too: it may have fetched just
 * before.
 * Another topic is a kind of route and a row of `topics`.
 * Source: WHATWG HTML, server-sent events; OFREP 0.3, eventStreams.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "net/loop_int.h"

enum { RECENT_MS = 10000, EVENT_BYTES_MAX = 256 };

struct stream_topic {
  enum route_kind kind;
  uint64_t (*version)(const struct tenant *tenant);
  int64_t (*changed_ms)(const struct tenant *tenant); /* Unix time of the last change */
  const char *data;
};

static uint64_t flags_version(const struct tenant *tenant) { return tenant->flags_version; }
static int64_t flags_changed(const struct tenant *tenant) { return tenant->flags_ms; }

static const struct stream_topic topics[] = {
    {ROUTE_STREAM_FLAGS, flags_version, flags_changed, "{\"type\":\"refetchEvaluation\"}"},
};

static const struct stream_topic *topic_of(enum route_kind kind)
{
  size_t i = 0;
  while (topics[i].kind != kind) i++;
  return &topics[i];
}

static void stream_write(struct conn *conn, const char *text, int len)
{
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)text, (unsigned)len);
  conn->since_us = loop_now(conn->loop);
  if (uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1) != len) conn_close(conn);
}

static void stream_tell(struct conn *conn, uint64_t version)
{
  char text[EVENT_BYTES_MAX];
  int len = snprintf(text, sizeof text, "id: %" PRIu64 "\nevent: message\ndata: %s\n\n", version,
                     conn->stream.topic->data);
  must(len > 0 && len < EVENT_BYTES_MAX);
  conn->stream.told = version;
  stream_write(conn, text, len);
}

/* NULL: there is no world, or the tenant is not in it (the last one, while the server stops). */
static const struct tenant *tenant_of(struct loop *loop, uint32_t slot)
{
  const struct world *world = serve_newest(loop->serve);
  return world ? world_tenant_slot(world, slot) : NULL;
}

static bool stream_stays(const struct conn *conn)
{
  struct loop *loop = conn->loop;
  const struct world *world = serve_newest(loop->serve);
  int64_t now_ms = (loop_now(loop) + loop->wall_us) / 1000;
  if (world && world_tenants(world) && !world_tenant_slot(world, conn->stream.tenant))
    return false; /* it was removed: whoever listens acted in it from another one */
  if (!conn->stream.keyed) return true;
  return who_stays(world, slice_of(conn->stream.key, KEY_ID_LEN), now_ms);
}

static void stream_refuse(struct conn *conn)
{
  request_unread(conn);
  send_error(conn, &conn->loop->err, NULL);
}

/* What the client knows by its Last-Event-ID; all there is, when it says none and nothing is
 * new. */
static uint64_t told_at_first(struct conn *conn, const struct tenant *tenant)
{
  const struct stream_topic *topic = conn->stream.topic;
  uint16_t from = 0;
  struct slice id = http_head_find(&conn->h1.head, SLICE("last-event-id"), &from);
  uint64_t version = topic->version(tenant), told;
  if (id.len) return text_read_u64(id, UINT64_MAX, &told) ? told : 0;
  int64_t now_ms = (loop_now(conn->loop) + conn->loop->wall_us) / 1000;
  bool recent = version && now_ms - topic->changed_ms(tenant) < RECENT_MS;
  return recent ? 0 : version;
}

void stream_open(struct conn *conn, const struct route *route, const struct who *who)
{
  struct loop *loop = conn->loop;
  if (loop->drain >= DRAIN_CLOSING || !who->tenant) {
    fail(&loop->err, who->tenant ? E_DRAINING : E_NOT_READY, "the server is %s",
         who->tenant ? "stopping" : "starting");
    stream_refuse(conn);
    return;
  }
  if (loop->n_streams >= loop->limits.streams_max) {
    fail(&loop->err, E_OVERLOADED, "%u clients wait for events here already; retry in a moment",
         loop->limits.streams_max);
    stream_refuse(conn);
    return;
  }
  conn->keep = false;
  conn->stream = (struct stream){.topic = topic_of(route->kind), .tenant = who->tenant->slot};
  conn->stream.told = told_at_first(conn, who->tenant);
  conn->stream.keyed = who->key != NULL;
  if (who->key) memcpy(conn->stream.key, who->key->id, KEY_ID_LEN);
  if (conn->bodyless) { /* HEAD */
    send_stream_head(conn);
    conn_close(conn);
    return;
  }
  conn->state = CONN_STREAM;
  list_push_back(&loop->streams, &conn->stream.link);
  loop->n_streams++;
  send_stream_head(conn);
  if (conn->state == CONN_CLOSED) return;
  arena_deinit(&conn->arena); /* the head: nobody reads it any more */
  arena_init(&conn->arena, ARENA_HEAD_MAX, &loop->blocks.source);
  uint64_t version = conn->stream.topic->version(who->tenant);
  if (version != conn->stream.told)
    stream_tell(conn, version);
  else
    stream_write(conn, ":\n\n", 3);
}

void stream_end(struct conn *conn)
{
  if (conn->state != CONN_STREAM) return;
  list_remove(&conn->stream.link);
  conn->loop->n_streams--;
}

void stream_sweep(struct conn *conn)
{
  int64_t quiet_us = loop_now(conn->loop) - conn->since_us;
  if (!stream_stays(conn))
    conn_close(conn);
  else if (quiet_us >= conn->loop->limits.comment_us)
    stream_write(conn, ":\n\n", 3);
}

void streams_look(struct loop *loop)
{
  for (struct link *link = loop->streams.next, *next; link != &loop->streams; link = next) {
    struct conn *conn = LIST_OF(link, struct conn, stream.link);
    const struct tenant *tenant = tenant_of(loop, conn->stream.tenant);
    next = link->next; /* telling may close */
    if (!stream_stays(conn)) {
      conn_close(conn);
      continue;
    }
    if (!tenant) continue;
    uint64_t version = conn->stream.topic->version(tenant);
    if (version != conn->stream.told) stream_tell(conn, version);
  }
}

void streams_cut(struct loop *loop)
{
  while (!list_empty(&loop->streams))
    conn_close(LIST_OF(loop->streams.next, struct conn, stream.link));
}
