/* page.h - lists a page at a time, with tokens that say where the next one begins.
 * Thread: desk.
 *
 *   struct page page;
 *   if (!page_read(ask, 100, 1000, &page)) return ask_fail(ask);      // ?limit=, ?page=
 *   ... at most page.limit items after page.place (at NULL: from the start) ...
 *   json_object_set_new(tree, "next", page_next(ask, more ? place_of_last : SLICE_NONE));
 *
 * A token is opaque to clients: a place (a name, a number in decimal), when it expires, and a MAC
 * over both with the tenant, the path and the query's other members. So one that is forged, of
 * another tenant, of another list or filter, or older than PAGE_TTL_MS is 400 and tells nothing.
 * The place, not an offset: what is added or removed in between shifts nothing.
 * Source: robustness rule RG-107.
 * SPDX-License-Identifier: MIT */
#ifndef API_PAGE_H
#define API_PAGE_H

#include "api/ask_int.h"

enum { PAGE_PLACE_MAX = 255, PAGE_TTL_MS = 60 * 60 * 1000, PAGE_TOKEN_MAX = 384 };

struct page {
  int64_t limit;
  struct slice place; /* of the last item of the page before; at NULL: the first page */
};

/* False with ask->err: E_VALUE_OUT_OF_RANGE (limit), E_INVALID_ARGUMENT (page). The place lies in
 * the ask's arena. */
bool page_read(struct ask *ask, int64_t limit, int64_t limit_max, struct page *page);
/* The same, with a place that is a decimal number; 0: the first page. */
bool page_read_number(struct ask *ask, int64_t limit, int64_t limit_max, int64_t *count,
                      uint64_t *place);
/* The token for the page after `place`; null when that is empty: there is none. */
json_t *page_next(struct ask *ask, struct slice place);
json_t *page_next_number(struct ask *ask, uint64_t place); /* 0: none */

/* A page of the ledger's events, newest first: ?limit= [100] and ?page=, or ?before=, a number. */
struct page_events {
  struct history_range range; /* of the caller's tenant */
  json_t *list;
  uint64_t last_seq; /* of the last item */
};
/* False with ask->err, and then there is nothing to end. */
bool page_events_begin(struct ask *ask, int64_t within_us, struct page_events *events);
/* Takes the item. */
void page_events_add(struct page_events *events, const struct event *event, json_t *item);
/* code is what reading them came to: OK, and the answer is the tree, which is taken and gets
 * "events", "before" and "next"; else it is ask->err. */
enum desk_step page_events_end(struct ask *ask, struct page_events *events, enum code code,
                               json_t *tree);

/* What the first three are made of, for tests. scope: tenant, path and filters in one. */
void page_token(const struct hmac *key, struct slice scope, struct slice place, int64_t expires_ms,
                char token[PAGE_TOKEN_MAX]);
/* False: it is not one of ours, or not any more. */
bool page_token_read(const struct hmac *key, struct slice scope, struct slice token,
                     int64_t now_ms, struct arena *arena, struct slice *place);

#endif
