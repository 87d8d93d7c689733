/* codec.h - events as canonical JSON: one event, one text, for ever.
 * Thread: any, pure.
 *
 *   line  {"actor":A,"body":B,"encoding":1,"idempotency":K,"kind":"...","model":M,"seq":N,
 *          "tenant":T,"wall_ms":W}                      what is hashed, and what golden ledgers
 *          hold
 *   body  {"code":C,"engine":E,"facts":{"name":S...},"files":[{"bytes":N,"digest":"hex",
 *          "name":S}...],"note":S,"reason":S,"release":N,"request":S,
 *          "version":N}
 *                                                       what does not have a column of its own
 *
 * Keys in alphabetical order, no white space, empty members left out of the body (never of the
 * line).
 * A new field is a new member of the body; a changed meaning is a new encoding. Readers of encoding
 * 1 stay for ever (test/golden/ledger-*.jsonl).
 * SPDX-License-Identifier: MIT */
#ifndef STORE_CODEC_H
#define STORE_CODEC_H

#include "base/buf.h"
#include "world/event.h"

enum { EVENT_ENCODING = 1, EVENT_LINE_MAX = 4 << 20 };

/* Whether a row can hold it: kind known, texts UTF-8 and within their limits.
 * E_INVALID_ARGUMENT. */
CHECKED enum code event_check(const struct event *event, struct err *err);
/* The event has passed event_check. */
void event_body_write(struct buf *buf, const struct event *event);
/* body: as stored; not looked into. */
void event_line_write(struct buf *buf, const struct event *event, int encoding, struct slice body);
/* Fills the event's members that the body holds; memory from arena. E_BAD_JSON says what is
 * wrong. */
CHECKED enum code event_body_read(struct arena *arena, int encoding, struct slice body,
                                  struct event *event, struct err *err);
CHECKED enum code event_line_read(struct arena *arena, struct slice line, struct event *event,
                                  struct err *err);

#endif
