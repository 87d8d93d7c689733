/* quota.c - bytes counted against a maximum; the table of limits, read and written.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "base/quota.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"

static void *heap_get(struct arena_source *self, size_t *bytes)
{
  return ration_take((struct ration *)(void *)self, *bytes) ? grab(*bytes) : NULL;
}

static void heap_put(struct arena_source *self, void *block, size_t bytes)
{
  ration_give((struct ration *)(void *)self, bytes);
  ungrab(block);
}

_Static_assert(offsetof(struct ration, heap) == 0, "a source is its ration");

void ration_init(struct ration *ration, uint64_t max)
{
  ration->heap = (struct arena_source){heap_get, heap_put};
  atomic_init(&ration->held, 0);
  ration->max = max;
}

bool ration_take(struct ration *ration, uint64_t bytes)
{
  if (bytes > ration->max) return false;
  uint64_t held = atomic_fetch_add_explicit(&ration->held, bytes, memory_order_relaxed);
  if (held <= ration->max - bytes) return true;
  ration_give(ration, bytes);
  return false;
}

void ration_take_beyond(struct ration *ration, uint64_t bytes)
{
  atomic_fetch_add_explicit(&ration->held, bytes, memory_order_relaxed);
}

void ration_give(struct ration *ration, uint64_t bytes)
{
  uint64_t held = atomic_fetch_sub_explicit(&ration->held, bytes, memory_order_relaxed);
  must(held >= bytes);
}

uint64_t ration_held(const struct ration *ration)
{
  return atomic_load_explicit(&ration->held, memory_order_relaxed);
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct quota_row rows[QUOTAS] = {
#define QUOTA(name, kind, scope, unit, normal, most, help) \
  {#name, unit, help, QUOTA_##kind, QUOTA_##scope, normal, most},
#include "base/quota.def"
#undef QUOTA
};

const struct quota_row *quota_row(enum quota_id id)
{
  must(id < QUOTAS);
  return &rows[id];
}

enum quota_id quota_named(struct slice name, bool dashes)
{
  for (int id = 0; id < QUOTAS; id++) {
    const char *row = rows[id].name;
    size_t i = 0;
    if (strlen(row) != name.len) continue;
    while (i < name.len && (dashes && name.at[i] == '-' ? '_' : name.at[i]) == row[i]) i++;
    if (i == name.len) return (enum quota_id)id;
  }
  return QUOTAS;
}

uint64_t quota_value(const struct quotas *quotas, enum quota_id id)
{
  uint64_t said = quotas ? quotas->said[id] : 0;
  return said ? said : rows[id].normal;
}

static bool bytes_read(struct slice text, uint64_t most, uint64_t *value)
{
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
  for (unsigned i = 0; i < 4; i++) {
    struct slice number = {text.at, text.len - 3};
    if (!slice_ends(text, slice_str(units[i]))) continue;
    if (!text_read_u64(number, most >> 10 * (i + 1), value)) return false;
    *value <<= 10 * (i + 1);
    return true;
  }
  return text_read_u64(text, most, value);
}

enum code quota_read(enum quota_id id, struct slice text, uint64_t *value, struct err *err)
{
  const struct quota_row *row = quota_row(id);
  bool bytes = strcmp(row->unit, "bytes") == 0;
  uint64_t got = 0;
  bool share = row->kind == QUOTA_SHARE;
  if (!share && slice_eq(text, SLICE("unlimited"))) {
    *value = QUOTA_UNLIMITED;
  } else if (slice_eq(text, SLICE("default"))) {
    *value = 0;
  } else if ((bytes ? bytes_read(text, row->most, &got) : text_read_u64(text, row->most, &got)) &&
             got) {
    *value = got;
  } else {
    fail(err, E_VALUE_OUT_OF_RANGE,
         "%s is '%.*s'; it takes a whole number from 1 to %" PRIu64 "%s%s or default",
         row->name, SLICE_ARG(text), row->most, bytes ? " or a size like 64MiB" : "",
         share ? "" : ", unlimited,");
    return fail_at(err, "%s", row->name);
  }
  return OK;
}

enum code quota_scope_check(enum quota_id id, enum quota_scope scope, struct err *err)
{
  const struct quota_row *row = quota_row(id);
  if (row->scope & scope) return OK;
  fail(err, E_INVALID_ARGUMENT, "%s is said of a %s, not of a %s", row->name,
       row->scope == QUOTA_TENANT ? "tenant" : "model", scope == QUOTA_TENANT ? "tenant" : "model");
  return fail_at(err, "%s", row->name);
}

size_t quotas_write(const struct quotas *quotas, char to[QUOTAS_TEXT_MAX])
{
  size_t len = 0;
  to[0] = '\0';
  for (int id = 0; id < QUOTAS; id++) {
    uint64_t said = quotas->said[id];
    if (!said) continue;
    len += (size_t)snprintf(to + len, QUOTAS_TEXT_MAX - len, "%s%s=", len ? " " : "",
                            rows[id].name);
    len += said == QUOTA_UNLIMITED
               ? (size_t)snprintf(to + len, QUOTAS_TEXT_MAX - len, "unlimited")
               : (size_t)snprintf(to + len, QUOTAS_TEXT_MAX - len, "%" PRIu64, said);
    must(len < QUOTAS_TEXT_MAX);
  }
  return len;
}

enum code quotas_read(struct quotas *quotas, enum quota_scope scope, struct slice text,
                      struct err *err)
{
  struct quotas next = *quotas;
  while (text.len) {
    const char *blank = memchr(text.at, ' ', text.len);
    struct slice one = slice_of(text.at, blank ? (size_t)(blank - text.at) : text.len);
    const char *equals = one.len ? memchr(one.at, '=', one.len) : NULL;
    struct slice name = slice_of(one.at, equals ? (size_t)(equals - one.at) : one.len);
    enum quota_id id = quota_named(name, false);
    if (!equals || id == QUOTAS)
      return fail(err, E_INVALID_ARGUMENT, "'%.*s' is no quota", SLICE_ARG(name));
    if (quota_scope_check(id, scope, err) ||
        quota_read(id, slice_from(one, name.len + 1), &next.said[id], err))
      return err->code;
    text = slice_from(text, one.len + 1);
  }
  *quotas = next;
  return OK;
}
