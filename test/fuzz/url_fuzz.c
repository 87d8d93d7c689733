/* url_fuzz.c - any bytes as a request target: what is taken is canonical, and routes are found.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "wire/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct route rows[] = {
    {.method = METHOD_GET, .pattern = "/", .id = 1},
    {.method = METHOD_GET, .pattern = "/v2/models/stats", .id = 2},
    {.method = METHOD_GET, .pattern = "/v2/models/{model}", .id = 3},
    {.method = METHOD_POST, .pattern = "/v2/models/{model}/infer", .id = 4},
    {.method = METHOD_POST, .pattern = "/v1/models/{model}:predict", .id = 5},
    {.method = METHOD_GET, .pattern = "/ui/{file*}", .id = 6},
};

static void canonical_check(const struct url *url)
{
  if (url->asterisk) return;
  must(url->path.len && url->path.at[0] == '/' && utf8_valid(url->path));
  size_t at = 0;
  for (uint32_t i = 0; i < url->n_segments && i < URL_SEGMENTS_MAX; i++) {
    struct slice s = url->segments[i];
    must(url->path.at[at] == '/' && s.at == url->path.at + at + 1);
    must(!slice_eq(s, SLICE(".")) && !slice_eq(s, SLICE("..")));
    must(s.len || i + 1 == url->n_segments);
    for (size_t k = 0; k < s.len; k++)
      must((unsigned char)s.at[k] >= 0x20 && s.at[k] != '/' && s.at[k] != '\\' && s.at[k] != 0x7f);
    at += 1 + s.len;
  }
  if (url->n_segments <= URL_SEGMENTS_MAX) must(at == url->path.len || url->path.len == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct arena boot;
  static const struct route_table *table;
  if (!table) {
    arena_init(&boot, 1 << 20, NULL);
    table = route_compile(rows, sizeof rows / sizeof *rows, &boot);
  }
  struct arena arena;
  struct url url;
  struct err err = {0};
  arena_init(&arena, 1 << 20, NULL);
  struct slice target = {(const char *)data, size}, value;
  if (url_parse(target, &arena, &url, &err) == OK) {
    canonical_check(&url);
    struct slice params[ROUTE_PARAMS_MAX];
    uint32_t allow;
    for (int m = 0; m < METHOD_COUNT; m++) {
      const struct route *row = route_match(table, (enum http_method)m, &url, params, &allow);
      if (!row) continue;
      must((allow & 1u << row->method) && !url.asterisk);
      if (row->id >= 3) must(params[0].len > 0);
    }
    value = url_query_get(url.query, SLICE("a"));
    struct slice plain;
    if (value.at && url_decode(value, true, &arena, &plain, &err) == OK)
      must(utf8_valid(plain) && plain.len <= value.len);
  } else {
    must(err.code == E_BAD_REQUEST && err.text[0]);
  }
  arena_deinit(&arena);
  return 0;
}
