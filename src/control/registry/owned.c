/* owned.c - a table of digests, and a letter.
 * Thread: control (main before it starts).
 * SPDX-License-Identifier: MIT */
#include "control/registry/owned.h"

#include "base/mem.h"

enum { OWNED_CAP_MIN = 16 };

struct owned_row {
  uint64_t key[2]; /* the digest's first half: who finds two alike fools himself alone */
  uint32_t n;      /* 0: empty, or nobody's any more */
};

struct owned {
  struct owned_row *rows; /* open addressing */
  uint32_t cap, n;        /* n: rows that were ever taken */
};

static struct owned_row *row_at(struct owned *owned, const struct digest *digest)
{
  uint64_t key[2];
  memcpy(key, digest->at, sizeof key);
  uint32_t at = (uint32_t)key[0] & (owned->cap - 1);
  while ((owned->rows[at].key[0] || owned->rows[at].key[1]) &&
         (owned->rows[at].key[0] != key[0] || owned->rows[at].key[1] != key[1]))
    at = (at + 1) & (owned->cap - 1);
  return &owned->rows[at];
}

static void table_grow(struct owned *owned)
{
  struct owned before = *owned;
  owned->n = 0;
  owned->cap = before.cap ? before.cap * 2 : OWNED_CAP_MIN;
  owned->rows = grab_zero(owned->cap, sizeof *owned->rows);
  for (uint32_t i = 0; i < before.cap; i++) {
    struct digest digest = {{0}};
    if (!before.rows[i].n) continue; /* nobody's is left behind */
    memcpy(digest.at, before.rows[i].key, sizeof before.rows[i].key);
    *row_at(owned, &digest) = before.rows[i];
    owned->n++;
  }
  ungrab(before.rows);
}

static void version_add(struct owned *owned, const struct catalog_version *version)
{
  for (uint32_t i = 0; i < version->n_files; i++) {
    if (owned->n + 1 > owned->cap / 2) table_grow(owned);
    struct owned_row *row = row_at(owned, &version->files[i].digest);
    if (!row->key[0] && !row->key[1]) {
      memcpy(row->key, version->files[i].digest.at, sizeof row->key);
      owned->n++;
    }
    row->n++;
  }
}

static struct owned *owned_new(const struct catalog_tenant *tenant)
{
  struct owned *owned = grab_zero(1, sizeof *owned);
  table_grow(owned);
  for (uint32_t m = 0; m < tenant->n_models && !tenant->removed_seq; m++) {
    const struct catalog_model *model = tenant->models[m];
    for (uint32_t v = 0; v < model->n_versions; v++)
      if (!model->versions[v].removed) version_add(owned, &model->versions[v]);
  }
  return owned;
}

bool owned_has(struct catalog_tenant *tenant, const struct digest *digest)
{
  if (!tenant->owned) tenant->owned = owned_new(tenant);
  return row_at(tenant->owned, digest)->n > 0;
}

void owned_add(struct catalog_tenant *tenant, const struct catalog_version *version)
{
  if (tenant->owned) version_add(tenant->owned, version);
}

void owned_take(struct catalog_tenant *tenant, const struct catalog_version *version)
{
  for (uint32_t i = 0; tenant->owned && i < version->n_files; i++) {
    struct owned_row *row = row_at(tenant->owned, &version->files[i].digest);
    must(row->n);
    row->n--;
  }
}

void owned_free(struct catalog_tenant *tenant)
{
  if (!tenant->owned) return;
  ungrab(tenant->owned->rows);
  ungrab(tenant->owned);
  tenant->owned = NULL;
}

/* --- word to the janitor ---------------------------------------------------------------------- */

/* Which versions it is about: [*first, *end). */
static uint32_t files_of(const struct catalog_model *model, const struct event *event,
                         uint32_t *first, uint32_t *end)
{
  uint32_t n = 0;
  bool all = event->kind == EVENT_MODEL_REMOVED;
  *first = all ? 0 : event->version - 1;
  *end = all ? model->n_versions : event->version;
  for (uint32_t i = *first; i < *end; i++) n += model->versions[i].n_files;
  return n;
}

/* Those of the version that are to be told of; counted where they were left. */
static void letter_fill(struct letter_freed *letter, struct catalog_tenant *tenant,
                        const struct catalog_version *version)
{
  for (uint32_t i = 0; i < version->n_files; i++) {
    const struct event_file *file = &version->files[i];
    if (!letter->named && owned_has(tenant, &file->digest)) continue;
    letter->files[letter->n++] = (struct freed_file){file->digest, file->bytes};
    if (!letter->named) meter_pending_add(tenant->meter, file->bytes);
  }
}

void owned_tell(struct catalog_tenant *tenant, const struct catalog_model *model,
                const struct event *event, struct mailbox *janitor)
{
  bool named = event->kind == EVENT_VERSION_PUSHED;
  uint32_t first, end;
  if (!named && event->kind != EVENT_VERSION_REMOVED && event->kind != EVENT_MODEL_REMOVED) return;
  if (!janitor || !tenant->meter || !model || (named && !tenant->owned)) return;
  size_t files = files_of(model, event, &first, &end) * sizeof(struct freed_file);
  struct letter_freed *letter = grab_zero(1, sizeof *letter + files + tenant->name.len);
  char *name = (char *)(letter + 1) + files;
  memcpy(name, tenant->name.at, tenant->name.len);
  letter->mail.kind = LETTER_FREED;
  letter->tenant = slice_of(name, tenant->name.len);
  letter->meter = tenant->meter;
  letter->named = named;
  for (uint32_t i = first; i < end; i++)
    if (named || model->versions[i].removed == event->seq)
      letter_fill(letter, tenant, &model->versions[i]);
  if (letter->n)
    mail_send(janitor, &letter->mail);
  else
    ungrab(letter);
}
