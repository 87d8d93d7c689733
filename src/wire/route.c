/* route.c - the route matcher: rows sorted so that the first that fits is the right one.
 * Thread: any, pure.
 *
 * Rows with the same pattern share one entry. Entries are grouped by their number of segments and,
 * inside a group, sorted literal before parameter from the left, so a walk over one group needs no
 * backtracking: the first fit is the most literal one. Most entries are refused by one comparison,
 * of the length and last bytes of the path's last segment. Entries with a tail are looked at last.
 * SPDX-License-Identifier: MIT */
#include "wire/route.h"

enum segment_kind { SEG_LITERAL, SEG_VERB, SEG_PARAM, SEG_TAIL }; /* in order of precedence */

struct segment {
  enum segment_kind kind;
  struct slice text; /* LITERAL: all of it; VERB: ":predict" */
};

struct entry {
  struct segment segments[URL_SEGMENTS_MAX];
  uint32_t n_segments;
  uint32_t allow;                            /* set of methods */
  const struct route *rows[METHOD_COUNT];
};

struct route_table {
  struct entry *entries;
  uint32_t n_entries;
  uint32_t group[URL_SEGMENTS_MAX + 2]; /* where entries with n segments begin */
  uint32_t tails;                       /* where entries with a tail begin */
  uint32_t allow;                       /* all methods of all rows */
};

static bool name_fine(struct slice name)
{
  for (size_t i = 0; i < name.len; i++)
    if (!((name.at[i] >= 'a' && name.at[i] <= 'z') || name.at[i] == '_')) return false;
  return name.len > 0;
}

static struct segment segment_compile(struct slice text, bool last)
{
  must(text.len > 0);
  if (text.at[0] != '{') {
    must(!memchr(text.at, '{', text.len) && !memchr(text.at, '}', text.len));
    return (struct segment){SEG_LITERAL, text};
  }
  const char *close = memchr(text.at, '}', text.len);
  must(close != NULL);
  struct slice name = {text.at + 1, (size_t)(close - text.at) - 1};
  struct slice rest = slice_from(text, name.len + 2);
  bool tail = name.len && name.at[name.len - 1] == '*';
  if (tail) name.len--;
  must(name_fine(name) && (!tail || (last && !rest.len)));
  if (!rest.len) return (struct segment){tail ? SEG_TAIL : SEG_PARAM, SLICE_NONE};
  must(rest.len > 1 && rest.at[0] == ':');
  return (struct segment){SEG_VERB, rest};
}

static void entry_compile(struct entry *entry, const char *pattern)
{
  struct slice rest = slice_str(pattern);
  must(slice_starts(rest, SLICE("/")));
  rest = slice_from(rest, 1);
  uint32_t params = 0;
  while (rest.len) {
    must(entry->n_segments < URL_SEGMENTS_MAX);
    const char *slash = memchr(rest.at, '/', rest.len);
    size_t len = slash ? (size_t)(slash - rest.at) : rest.len;
    must(!slash || len + 1 < rest.len); /* no trailing slash */
    struct segment segment = segment_compile(slice_of(rest.at, len), !slash);
    entry->segments[entry->n_segments++] = segment;
    params += segment.kind != SEG_LITERAL;
    rest = slice_from(rest, len + 1);
  }
  must(params <= ROUTE_PARAMS_MAX);
}

static bool entry_has_tail(const struct entry *e)
{
  return e->n_segments && e->segments[e->n_segments - 1].kind == SEG_TAIL;
}

/* Negative: a is looked at before b. Zero: they match the same paths. */
static int entry_order(const struct entry *a, const struct entry *b)
{
  bool tail = entry_has_tail(a);
  if (tail != entry_has_tail(b)) return tail ? 1 : -1;
  if (a->n_segments != b->n_segments) /* of tails the longer one is the more literal */
    return (a->n_segments < b->n_segments) != tail ? -1 : 1;
  for (uint32_t i = 0; i < a->n_segments; i++) {
    const struct segment *x = &a->segments[i], *y = &b->segments[i];
    if (x->kind != y->kind) return (int)x->kind - (int)y->kind;
    if (x->text.len != y->text.len) return x->text.len > y->text.len ? -1 : 1;
    int order = x->text.len ? memcmp(x->text.at, y->text.at, x->text.len) : 0;
    if (order) return order;
  }
  return 0;
}

/* Puts the entry in its place; rows with an equal pattern join. */
static void entry_insert(struct route_table *table, const struct entry *entry,
                         const struct route *row)
{
  uint32_t i = table->n_entries;
  while (i > 0 && entry_order(entry, &table->entries[i - 1]) <= 0) i--;
  if (i == table->n_entries || entry_order(entry, &table->entries[i]) != 0) {
    memmove(&table->entries[i + 1], &table->entries[i], (table->n_entries - i) * sizeof *entry);
    table->entries[i] = *entry;
    table->n_entries++;
  }
  struct entry *place = &table->entries[i];
  must((unsigned)row->method < METHOD_OTHER && !place->rows[row->method]);
  place->rows[row->method] = row;
  place->allow |= 1u << row->method;
  if (row->method == METHOD_GET) place->allow |= 1u << METHOD_HEAD;
  table->allow |= place->allow;
}

const struct route_table *route_compile(const struct route *rows, uint32_t n, struct arena *arena)
{
  struct route_table *table = arena_zero(arena, 1, sizeof *table);
  must(table != NULL);
  table->entries = arena_zero(arena, n + 1u, sizeof *table->entries);
  must(table->entries != NULL);
  for (uint32_t i = 0; i < n; i++) {
    struct entry entry = {0};
    entry_compile(&entry, rows[i].pattern);
    entry_insert(table, &entry, &rows[i]);
  }
  table->tails = 0;
  while (table->tails < table->n_entries && !entry_has_tail(&table->entries[table->tails]))
    table->tails++;
  uint32_t at = 0;
  for (uint32_t segments = 0; segments <= URL_SEGMENTS_MAX + 1; segments++) {
    while (at < table->tails && table->entries[at].n_segments < segments) at++;
    table->group[segments] = at;
  }
  return table;
}

static bool segment_fits(const struct segment *segment, struct slice text, struct slice *param)
{
  switch (segment->kind) {
  case SEG_LITERAL: return slice_eq(segment->text, text);
  case SEG_VERB:
    if (text.len <= segment->text.len || !slice_ends(text, segment->text)) return false;
    *param = slice_of(text.at, text.len - segment->text.len);
    break;
  case SEG_PARAM:
  case SEG_TAIL:
    if (!text.len) return false;
    *param = text;
    break;
  }
  return segment->kind == SEG_TAIL || !memchr(param->at, ':', param->len);
}

static bool entry_fits(const struct entry *entry, const struct url *url,
                       struct slice params[ROUTE_PARAMS_MAX])
{
  uint32_t n = entry->n_segments, n_params = 0;
  struct slice param;
  /* The last segment tells most routes apart: it is looked at first. */
  if (n && entry->segments[n - 1].kind == SEG_LITERAL &&
      !slice_eq(entry->segments[n - 1].text, url->segments[n - 1]))
    return false;
  for (uint32_t i = 0; i < n; i++) {
    const struct segment *segment = &entry->segments[i];
    struct slice text = url->segments[i];
    if (segment->kind == SEG_TAIL) {
      text.len = (size_t)(url->path.at + url->path.len - text.at);
      if (url->path.at[url->path.len - 1] == '/') return false; /* a trailing slash is no route */
    }
    if (!segment_fits(segment, text, &param)) return false;
    if (segment->kind != SEG_LITERAL) params[n_params++] = param;
  }
  while (n_params < ROUTE_PARAMS_MAX) params[n_params++] = SLICE_NONE;
  return true;
}

static const struct route *entry_row(const struct entry *entry, enum http_method method)
{
  const struct route *row = entry->rows[method];
  if (!row && method == METHOD_HEAD) row = entry->rows[METHOD_GET];
  return row;
}

const struct route *route_match(const struct route_table *table, enum http_method method,
                                const struct url *url, struct slice params[ROUTE_PARAMS_MAX],
                                uint32_t *allow)
{
  *allow = url->asterisk ? table->allow : 0;
  must((unsigned)method < METHOD_COUNT);
  if (url->asterisk) return NULL;
  uint32_t n = url->n_segments;
  if (n <= URL_SEGMENTS_MAX)
    for (uint32_t i = table->group[n]; i < table->group[n + 1]; i++) {
      if (!entry_fits(&table->entries[i], url, params)) continue;
      *allow = table->entries[i].allow;
      return entry_row(&table->entries[i], method);
    }
  for (uint32_t i = table->tails; i < table->n_entries; i++) {
    if (table->entries[i].n_segments > n || !entry_fits(&table->entries[i], url, params)) continue;
    *allow = table->entries[i].allow;
    return entry_row(&table->entries[i], method);
  }
  return NULL;
}

size_t route_allow_text(uint32_t allow, char to[ROUTE_ALLOW_MAX])
{
  size_t len = 0;
  for (int m = 0; m < METHOD_OTHER; m++) {
    if (!(allow & 1u << m)) continue;
    struct slice name = slice_str(http_method_name((enum http_method)m));
    must(len + 2 + name.len < ROUTE_ALLOW_MAX);
    if (len) memcpy(to + len, ", ", 2), len += 2;
    memcpy(to + len, name.at, name.len);
    len += name.len;
  }
  to[len] = '\0';
  return len;
}
