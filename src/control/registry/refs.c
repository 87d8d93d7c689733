/* refs.c - one walk over all versions that are there.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/registry/refs.h"

#include "base/mem.h"

static uint32_t files_count(const struct catalog *catalog)
{
  uint32_t n = 0;
  for (uint32_t m = 0; m < catalog->n_models; m++) {
    const struct catalog_model *model = catalog->models[m];
    for (uint32_t v = 0; v < model->n_versions && !model->tenant->removed_seq; v++)
      if (!model->versions[v].removed) n += model->versions[v].n_files;
  }
  return n;
}

/* False: there is no more room. */
static bool ref_add(struct letter_refs *letter, const struct catalog_model *model,
                    const struct catalog_version *version, const struct event_file *file)
{
  struct ref *ref = &letter->refs[letter->n];
  if (letter->n == REFS_MAX) return false;
  *ref = (struct ref){.tenant = arena_copy(&letter->arena, model->tenant->name),
                      .model = arena_copy(&letter->arena, model->name),
                      .file = arena_copy(&letter->arena, file->name),
                      .version = version->number,
                      .digest = file->digest};
  if (!ref->tenant.at || !ref->model.at || !ref->file.at) return false;
  letter->n++;
  return true;
}

static void version_look(struct letter_refs *letter, const struct catalog_model *model,
                         const struct catalog_version *version)
{
  for (uint32_t i = 0; i < version->n_files; i++) {
    const struct event_file *file = &version->files[i];
    bool wanted = letter->of == REFS_CORRUPT ? version->corrupt != 0
                                             : digest_same(&file->digest, &letter->object);
    if (letter->of == REFS_ALL)
      letter->digests[letter->n++] = file->digest;
    else if (wanted && !ref_add(letter, model, version, file))
      return;
  }
}

static void meters_list(const struct catalog *catalog, struct letter_refs *letter)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < catalog->n_tenants; i++)
    if (meter_is_owed(catalog->tenants[i]->meter)) n++;
  letter->n_meters = 0;
  letter->meters = arena_zero(&letter->arena, n + 1, sizeof *letter->meters);
  for (uint32_t i = 0; letter->meters && i < catalog->n_tenants && letter->n_meters < n; i++) {
    const struct catalog_tenant *tenant = catalog->tenants[i];
    if (!meter_is_owed(tenant->meter)) continue;
    struct slice name = arena_copy(&letter->arena, tenant->name);
    if (!name.at) return; /* the next collection has fewer */
    letter->meters[letter->n_meters++] = (struct ref_meter){name, tenant->meter};
  }
}

void refs_fill(const struct catalog *catalog, struct letter_refs *letter)
{
  letter->n = 0;
  if (letter->of == REFS_ALL)
    letter->digests = grab_zero(files_count(catalog) + 1, sizeof *letter->digests);
  else
    letter->refs = arena_zero(&letter->arena, REFS_MAX, sizeof *letter->refs);
  if (letter->of == REFS_ALL) meters_list(catalog, letter);
  for (uint32_t m = 0; m < catalog->n_models && (letter->refs || letter->digests); m++) {
    const struct catalog_model *model = catalog->models[m];
    for (uint32_t v = 0; v < model->n_versions && !model->tenant->removed_seq; v++)
      if (!model->versions[v].removed) version_look(letter, model, &model->versions[v]);
  }
}
