/* page.c - page tokens: a place and a deadline, sealed.
 * Thread: desk.
 *
 *   token = base64url( 1 | expires_ms, 8 bytes | place | first 16 bytes of
 *                      HMAC(pepper, "slipway page" | scope | all before) )
 * SPDX-License-Identifier: MIT */
#include "api/page.h"

#include "base/clock.h"
#include "base/text.h"

enum { PAGE_VERSION = 1, HEAD_BYTES = 9, MAC_BYTES = 16, EVENTS_PAGE = 100 };
enum { RAW_MAX = HEAD_BYTES + PAGE_PLACE_MAX + MAC_BYTES, SCOPE_MAX = 8 << 10 };
_Static_assert(BASE64_LEN(RAW_MAX) < PAGE_TOKEN_MAX, "every token fits");

static struct digest mac_of(const struct hmac *key, struct slice scope, struct slice bytes)
{
  struct buf buf;
  buf_init(&buf, SCOPE_MAX + 2 * RAW_MAX);
  buf_print(&buf, "slipway page %zu:", scope.len);
  buf_add(&buf, scope);
  buf_add(&buf, bytes);
  struct digest mac = hmac_of(key, buf_lend(&buf));
  buf_deinit(&buf);
  return mac;
}

void page_token(const struct hmac *key, struct slice scope, struct slice place, int64_t expires_ms,
                char token[PAGE_TOKEN_MAX])
{
  char raw[RAW_MAX] = {PAGE_VERSION};
  must(place.len <= PAGE_PLACE_MAX);
  for (int i = 0; i < 8; i++) raw[1 + i] = (char)((uint64_t)expires_ms >> (56 - 8 * i));
  memcpy(raw + HEAD_BYTES, place.at, place.len);
  size_t len = HEAD_BYTES + place.len;
  struct digest mac = mac_of(key, scope, slice_of(raw, len));
  memcpy(raw + len, mac.at, MAC_BYTES);
  size_t n = base64_write(slice_of(raw, len + MAC_BYTES), token);
  while (n && token[n - 1] == '=') token[--n] = '\0';
  for (size_t i = 0; i < n; i++)
    token[i] = token[i] == '+' ? '-' : token[i] == '/' ? '_' : token[i];
}

bool page_token_read(const struct hmac *key, struct slice scope, struct slice token,
                     int64_t now_ms, struct arena *arena, struct slice *place)
{
  char text[PAGE_TOKEN_MAX + 4];
  unsigned char raw[RAW_MAX];
  size_t len = 0;
  uint64_t expires_ms = 0;
  if (token.len >= PAGE_TOKEN_MAX) return false;
  for (size_t i = 0; i < token.len; i++) {
    char c = token.at[i];
    if (c == '+' || c == '/' || c == '=') return false;
    text[i] = c == '-' ? '+' : c == '_' ? '/' : c;
  }
  size_t n = token.len;
  while (n % 4) text[n++] = '=';
  if (!base64_read(slice_of(text, n), raw, sizeof raw, &len)) return false;
  if (len < HEAD_BYTES + MAC_BYTES || raw[0] != PAGE_VERSION) return false;
  struct digest mac = mac_of(key, scope, slice_of((char *)raw, len - MAC_BYTES)), said = mac;
  memcpy(said.at, raw + len - MAC_BYTES, MAC_BYTES);
  if (!digest_same(&mac, &said)) return false;
  for (int i = 0; i < 8; i++) expires_ms = expires_ms << 8 | raw[1 + i];
  if ((int64_t)expires_ms <= now_ms) return false;
  *place = arena_copy(arena, slice_of((char *)raw + HEAD_BYTES, len - MAC_BYTES - HEAD_BYTES));
  return place->at != NULL;
}

/* ---- at the desk ---- */

static bool is_filter(struct slice member)
{
  return member.len && !(member.len >= 5 && memcmp(member.at, "page=", 5) == 0) &&
         !(member.len >= 6 && memcmp(member.at, "limit=", 6) == 0);
}

/* Tenant, path and what else the query says, each with its length before it. */
static struct slice scope_of(struct ask *ask, struct buf *buf)
{
  const struct letter_ask *letter = ask->letter;
  struct slice query = letter->query;
  buf_init(buf, SCOPE_MAX);
  buf_print(buf, "%zu:", letter->tenant.len);
  buf_add(buf, letter->tenant);
  buf_print(buf, "%zu:", letter->path.len);
  buf_add(buf, letter->path);
  while (query.len) {
    const char *end = memchr(query.at, '&', query.len);
    size_t n = end ? (size_t)(end - query.at) : query.len;
    if (is_filter(slice_of(query.at, n))) {
      buf_add(buf, SLICE("&"));
      buf_add(buf, slice_of(query.at, n));
    }
    query = slice_from(query, end ? n + 1 : n);
  }
  return buf_lend(buf);
}

bool page_read(struct ask *ask, int64_t limit, int64_t limit_max, struct page *page)
{
  struct slice token;
  struct buf buf;
  *page = (struct page){.limit = limit};
  if (!ask_query_int(ask, "limit", 1, limit_max, &page->limit) ||
      !ask_query(ask, "page", &token))
    return false;
  if (!token.at) return true;
  bool good = page_token_read(ask->desk->opts->pepper, scope_of(ask, &buf), token,
                              clock_wall_ms(), &ask->arena, &page->place);
  buf_deinit(&buf);
  if (good) return true;
  fail(&ask->err, E_INVALID_ARGUMENT,
       "this page token is not one of this list, or it is too old; begin again without ?page=");
  fail_at(&ask->err, "page");
  return false;
}

bool page_read_number(struct ask *ask, int64_t limit, int64_t limit_max, int64_t *count,
                      uint64_t *place)
{
  struct page page;
  *place = 0;
  if (!page_read(ask, limit, limit_max, &page)) return false;
  *count = page.limit;
  if (!page.place.at) return true;
  must(text_read_u64(page.place, UINT64_MAX, place)); /* we sealed it */
  return true;
}

json_t *page_next(struct ask *ask, struct slice place)
{
  char token[PAGE_TOKEN_MAX];
  struct buf buf;
  if (!place.len) return json_null();
  page_token(ask->desk->opts->pepper, scope_of(ask, &buf), place, clock_wall_ms() + PAGE_TTL_MS,
             token);
  buf_deinit(&buf);
  return json_string(token);
}

json_t *page_next_number(struct ask *ask, uint64_t place)
{
  char text[TEXT_NUMBER_MAX];
  size_t len = text_print_u64(text, place);
  return page_next(ask, place ? slice_of(text, len) : SLICE_NONE);
}

/* ---- events ---- */

bool page_events_begin(struct ask *ask, int64_t within_us, struct page_events *events)
{
  int64_t limit, before = 0;
  uint64_t place;
  if (!page_read_number(ask, EVENTS_PAGE, HISTORY_LIMIT_MAX, &limit, &place) ||
      !ask_query_int(ask, "before", 1, INT64_MAX, &before))
    return false;
  *events = (struct page_events){.range = {.tenant = ask->letter->tenant,
                                           .before = place ? place : (uint64_t)before,
                                           .limit = (uint32_t)limit,
                                           .deadline_us = clock_us() + within_us},
                                 .list = json_array()};
  return true;
}

void page_events_add(struct page_events *events, const struct event *event, json_t *item)
{
  json_array_append_new(events->list, item);
  events->last_seq = event->seq;
}

enum desk_step page_events_end(struct ask *ask, struct page_events *events, enum code code,
                               json_t *tree)
{
  if (code != OK) {
    json_decref(events->list);
    json_decref(tree);
    return ask_fail(ask);
  }
  uint64_t left = json_array_size(events->list) == events->range.limit ? events->last_seq : 0;
  json_object_set_new(tree, "events", events->list);
  json_object_set_new(tree, "before", left ? json_u64(left) : json_null());
  json_object_set_new(tree, "next", page_next_number(ask, left));
  return ask_json(ask, 200, tree);
}
