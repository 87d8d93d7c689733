/* once.c - one table over all tenants' keys, and a queue of each tenant's.
 * Thread: control (main before it starts). Pure.
 * The one part of the catalog that shrinks: keys are memory of their own, not the arena's.
 * SPDX-License-Identifier: MIT */
#include "control/once.h"

#include "base/mem.h"
#include "control/catalog_int.h"
#include "control/registry/fold.h"

enum { TABLE_FIRST = 16 };

/* --- the table -------------------------------------------------------------------------------- */

/* A tenant's keys are its own: its slot goes into the hash and into the comparison. */
static uint32_t home_of(const struct catalog *catalog, const struct catalog_tenant *tenant,
                        struct slice key)
{
  return ((uint32_t)siphash(catalog->hash_key, key) + tenant->slot) & (catalog->once_cap - 1);
}

static uint32_t place(const struct catalog *catalog, const struct catalog_tenant *tenant,
                      struct slice key)
{
  uint32_t at = home_of(catalog, tenant, key);
  for (; catalog->once[at]; at = (at + 1) & (catalog->once_cap - 1))
    if (catalog->once[at]->tenant == tenant && slice_eq(catalog->once[at]->key, key)) break;
  return at;
}

const struct once_key *once_find(const struct catalog *catalog, const struct catalog_tenant *tenant,
                                 struct slice key)
{
  return catalog->once_cap && key.len ? catalog->once[place(catalog, tenant, key)] : NULL;
}

static void table_grow(struct catalog *catalog)
{
  struct once_key **old = catalog->once;
  uint32_t old_cap = catalog->once_cap;
  if ((catalog->n_once + 1) * 2 <= old_cap) return;
  catalog->once_cap = old_cap ? old_cap * 2 : TABLE_FIRST;
  catalog->once = grab_zero(catalog->once_cap, sizeof(struct once_key *));
  for (uint32_t i = 0; i < old_cap; i++)
    if (old[i]) catalog->once[place(catalog, old[i]->tenant, old[i]->key)] = old[i];
  ungrab(old);
}

/* Whoever comes after the hole and would rather be in it moves up. */
static void table_remove(struct catalog *catalog, const struct once_key *key)
{
  uint32_t mask = catalog->once_cap - 1, hole = place(catalog, key->tenant, key->key);
  must(catalog->once[hole] == key);
  catalog->once[hole] = NULL;
  for (uint32_t at = (hole + 1) & mask; catalog->once[at]; at = (at + 1) & mask) {
    struct once_key *moved = catalog->once[at];
    uint32_t home = home_of(catalog, moved->tenant, moved->key);
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    catalog->once[hole] = moved;
    catalog->once[at] = NULL;
    hole = at;
  }
  catalog->n_once--;
}

/* --- the fold --------------------------------------------------------------------------------- */

static struct slice text_put(char **at, struct slice text)
{
  struct slice copy = slice_of(*at, text.len);
  if (text.len) memcpy(*at, text.at, text.len);
  *at += text.len;
  return text.len ? copy : SLICE_NONE;
}

void once_add(struct catalog *catalog, struct catalog_tenant *tenant, const struct once_key *entry)
{
  struct once_key *key = grab(sizeof *key + entry->key.len + entry->reason.len);
  char *texts = (char *)(key + 1);
  *key = *entry;
  key->next = NULL;
  key->tenant = tenant;
  key->key = text_put(&texts, entry->key);
  key->reason = text_put(&texts, entry->reason);
  table_grow(catalog);
  catalog->once[place(catalog, tenant, key->key)] = key;
  catalog->n_once++;
  struct once *once = &tenant->once;
  if (once->last)
    once->last->next = key;
  else
    once->first = key;
  once->last = key;
  once->n++;
}

static void eldest_forget(struct catalog *catalog, struct once *once)
{
  struct once_key *key = once->first;
  table_remove(catalog, key);
  once->first = key->next;
  if (!once->first) once->last = NULL;
  once->n--;
  ungrab(key);
}

static bool request_read(struct slice text, unsigned char to[ONCE_REQUEST_LEN])
{
  char padded[SHA256_HEX_LEN];
  struct digest digest;
  if (text.len != 2 * ONCE_REQUEST_LEN) return false;
  memset(padded, '0', sizeof padded);
  memcpy(padded, text.at, text.len);
  if (!digest_from_hex(slice_of(padded, sizeof padded), &digest)) return false;
  memcpy(to, digest.at, ONCE_REQUEST_LEN);
  return true;
}

void once_fold(struct catalog *catalog, struct catalog_tenant *tenant,
               const struct catalog_model *model, const struct event *event)
{
  struct once *once = &tenant->once;
  struct once_key entry = {.key = event->idempotency,
                           .model = model,
                           .kind = event->kind,
                           .version = event->version,
                           .release = event->release,
                           .seq = event->seq,
                           .wall_ms = event->wall_ms,
                           .asked = registry_asked(event),
                           .code = event->code,
                           .reason = event->reason};
  entry.has_request = request_read(event->request, entry.request);
  if (event->wall_ms > once->newest_ms) once->newest_ms = event->wall_ms;
  while (once->first && (once->n >= ONCE_MAX || once->first->wall_ms < once->newest_ms - ONCE_MS))
    eldest_forget(catalog, once);
  once_add(catalog, tenant, &entry);
}

bool once_compare(const struct once_key *key, const struct event *wish, bool *same)
{
  unsigned char request[ONCE_REQUEST_LEN];
  if (!key->has_request || !request_read(wish->request, request)) return false;
  *same = memcmp(request, key->request, sizeof request) == 0;
  return true;
}

void once_free(struct catalog *catalog)
{
  for (uint32_t i = 0; i < catalog->once_cap; i++) ungrab(catalog->once[i]);
  ungrab(catalog->once);
}

/* --- one canonical form ----------------------------------------------------------------------- */

static struct digest key_digest(const struct once_key *key)
{
  struct sha256 sha;
  sha256_init(&sha);
  digest_text(&sha, key->tenant->name);
  digest_text(&sha, key->key);
  digest_text(&sha, key->model ? key->model->name : SLICE_NONE);
  digest_text(&sha, slice_str(event_name(key->kind)));
  digest_number(&sha, key->version);
  digest_number(&sha, key->seq);
  if (key->asked) digest_number(&sha, key->asked);
  if (key->has_request)
    digest_text(&sha, slice_of((const char *)key->request, sizeof key->request));
  digest_text(&sha, slice_str(code_name(key->code)));
  digest_text(&sha, key->reason);
  return sha256_end(&sha);
}

/* They are summed up, each by its own digest: the form of the first ledgers, which had a table and
 * no order. */
void once_digest(struct sha256 *sha, const struct catalog *catalog)
{
  unsigned char sum[SHA256_LEN] = {0};
  for (uint32_t i = 0; i < catalog->n_tenants; i++)
    for (const struct once_key *key = catalog->tenants[i]->once.first; key; key = key->next) {
      struct digest digest = key_digest(key);
      for (int k = 0; k < SHA256_LEN; k++) sum[k] = (unsigned char)(sum[k] + digest.at[k]);
    }
  digest_number(sha, catalog->n_once);
  sha256_add(sha, slice_of((const char *)sum, sizeof sum));
}
