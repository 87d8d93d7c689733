/* layout.c - catalog, place and runs, as the plan of what a world says.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/layout.h"

#include <stdlib.h>

#include "control/registry/fold.h"
#include "control/registry/quarantine.h"
#include "world/feature.h"

static void *need(const struct layout *layout, size_t n, size_t each)
{
  void *p = arena_zero(layout->scratch, n, each);
  must(p);
  return p;
}

bool layout_names(const struct placed *placed)
{
  const struct catalog_version *version = catalog_version(placed->model, placed_version(placed));
  bool barred = version && version->quarantined && !placed->released;
  return placed->state == PLACED_READY && (placed->serves || placed->released) && !barred &&
         !(placed->serves && placed->rest != REST_NOT);
}

/* What the last load found. */
static void version_known(struct version *version, const struct placed *placed)
{
  const struct letter_load *load = &placed->load;
  if (load->engine_used.len) version->engine = load->engine_used;
  version->platform = load->platform;
  version->contract = load->contract;
  version->features = features_count(&load->contract);
  version->deadline_us = load->deadline_us;
  version->memory_bytes = load->memory_bytes;
  version->load_us = load->load_us;
  version->run_ns = load->run_ns;
  version->feedback_ms = load->feedback_ms;
  version->batch = load->batch;
  version->fallback = load->fallback;
  version->cache_ttl_us = load->cache_ttl_us;
  version->cache_bytes_max = load->cache_bytes_max;
}

static void version_ready(struct version *version, const struct placed *placed)
{
  version_known(version, placed);
  version->state = VERSION_READY;
  version->seats = placed->seats;
  version->n_seats = placed->n_seats;
  version->resident = placed->resident;
  version->breaker = placed->trip.breaker.state;
  version->breaker_until_us = placed->trip.breaker.until_us;
  version->trip = placed->trip.number;
}

static void version_rests(struct version *version, const struct placed *placed)
{
  if (placed->known) version_known(version, placed);
  version->state = VERSION_RESTING;
  version->naps = placed->naps;
  if (!placed->naps || placed->state != PLACED_GONE) return;
  version->reason = slice_str(placed->err.text);
  version->refused = placed->err.code;
}

static void version_plan(const struct catalog_version *from, const struct placed *placed,
                         struct version *to)
{
  *to = (struct version){.number = from->number,
                         .slot = placed ? placed->slot : SLOT_NONE,
                         .state = VERSION_STORED,
                         .engine = from->engine,
                         .note = from->note,
                         .digest = from->digest,
                         .bytes = from->bytes,
                         .pushed_ms = from->pushed_ms,
                         .seq = from->seq,
                         .card = from->card,
                         .corrupt = from->corrupt != 0};
  bool runs_on = placed && placed->released; /* a release ends by its own rules */
  if ((from->quarantined || from->suspected) && !runs_on) {
    to->state = VERSION_FAILED;
    to->reason = from->quarantined ? from->quarantine : SLICE(QUARANTINE_CRASHED);
    to->refused = E_QUARANTINED;
    to->quarantined = true;
  } else if (placed && placed->serves && placed->rest != REST_NOT) {
    version_rests(to, placed);
  } else if (placed && layout_names(placed)) {
    version_ready(to, placed);
  } else if (placed && (placed_is_coming(placed) || placed->coming)) {
    to->state = VERSION_LOADING;
  } else if (placed && placed->state == PLACED_FAILED) {
    to->state = VERSION_FAILED;
    to->reason = slice_str(placed->err.text);
  } else if (from->refused) {
    to->state = VERSION_FAILED;
    to->reason = from->reason;
  }
}

static void aliases_plan(const struct layout *layout, const struct catalog_model *from,
                         struct model *to)
{
  struct alias *aliases = need(layout, from->n_aliases, sizeof *aliases);
  for (uint32_t i = 0; i < from->n_aliases; i++) {
    const struct catalog_alias *alias = &from->aliases[i];
    aliases[i] = (struct alias){alias->name, alias->version, alias->set_ms, alias->set_by};
  }
  to->aliases = aliases;
  to->n_aliases = from->n_aliases;
}

/* --- which versions --------------------------------------------------------------------------- */

/* All that there are. */
static void all_pick(const struct catalog_model *from, struct layout_pick *pick)
{
  for (uint32_t i = 0; i < from->n_versions; i++)
    if (!from->versions[i].removed) pick->numbers[pick->n++] = i + 1;
  must(pick->n == from->n_live);
}

static int number_compare(const void *a, const void *b)
{
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static uint32_t placed_count(const struct place *place, const struct catalog_model *model)
{
  uint32_t n = 0;
  if (model->slot >= place->models_cap) return 0;
  const struct link *head = &place->models[model->slot];
  for (const struct link *link = head->next; link != head; link = link->next) n++;
  return n;
}

/* What was touched, and what moves without being touched or is pointed at: whatever has a place,
 * and what a rollback goes back to. Ascending, each once, those that are gone last. */
static void some_pick(const struct layout *layout, const struct catalog_model *from,
                      struct layout_pick *pick)
{
  uint32_t n = pick->n, kept = 0, *all = pick->numbers;
  pick->n = 0;
  if (from->slot < layout->place->models_cap) {
    const struct link *head = &layout->place->models[from->slot];
    for (const struct link *link = head->next; link != head; link = link->next)
      all[n++] = LIST_OF(link, struct placed, link)->number;
  }
  all[n++] = from->serving;
  all[n++] = catalog_previous(from);
  qsort(all, n, sizeof *all, number_compare);
  pick->gone = need(layout, n, sizeof *pick->gone);
  for (uint32_t i = 0; i < n; i++) {
    if (!all[i] || all[i] > from->n_versions || (i && all[i] == all[i - 1])) continue;
    if (from->versions[all[i] - 1].removed)
      pick->gone[pick->n_gone++] = all[i];
    else
      all[kept++] = all[i];
  }
  pick->n = kept;
}

void layout_pick(const struct layout *layout, const struct catalog_model *from,
                 const uint32_t *touched, uint32_t n, struct layout_pick *pick)
{
  *pick = (struct layout_pick){0};
  uint32_t most = touched ? n + placed_count(layout->place, from) + 2 : from->n_live;
  pick->numbers = need(layout, most, sizeof *pick->numbers);
  pick->n = n;
  if (!touched) {
    pick->n = 0;
    all_pick(from, pick);
    return;
  }
  memcpy(pick->numbers, touched, n * sizeof *touched);
  some_pick(layout, from, pick);
}

/* --- models and tenants ----------------------------------------------------------------------- */

void layout_model(const struct layout *layout, const struct catalog_model *from,
                  const struct layout_pick *pick, struct model *to)
{
  const struct run *run = run_of(layout->runs, from);
  struct version *versions = need(layout, pick->n + 1, sizeof *versions);
  *to = (struct model){.name = from->name,
                       .slot = from->slot,
                       .planned = versions,
                       .n_versions = pick->n,
                       .card = from->card,
                       .changed_seq = from->changed_seq,
                       .created_ms = from->created_ms};
  for (uint32_t i = 0; i < pick->n; i++)
    version_plan(&from->versions[pick->numbers[i] - 1],
                 place_find(layout->place, from, pick->numbers[i]), &versions[i]);
  const struct placed *candidate = run ? run->arms[ARM_CANDIDATE] : NULL;
  if (candidate && candidate->copy_of) {
    to->copy = &versions[pick->n];
    version_plan(&from->versions[candidate->copy_of - 1], candidate, &versions[pick->n]);
  }
  to->quotas = from->quotas;
  to->meter = from->meter;
  aliases_plan(layout, from, to);
  to->previous = model_version(to, catalog_previous(from));
  const struct version *serving = model_version(to, from->serving);
  if (serving && serving->quarantined) to->quarantined = serving->number;
  if (!serving || !version_answers(serving)) return;
  model_serve(to, serving);
  if (run) run_split(run, layout->n_loops, layout->scratch, to);
}

void layout_tenant(const struct layout *layout, const struct catalog_tenant *from,
                   struct tenant *to)
{
  *to = (struct tenant){.name = from->name, .slot = from->slot};
  to->about = from->about;
  to->added_by = from->added_by;
  to->added_ms = from->added_ms;
  to->quotas = from->quotas;
  to->meter = from->meter;
  to->stored_bytes = from->bytes_live;
  to->n_stored = from->n_versions_live;
  to->flags = from->flags;
  to->flags_seq = from->flags_seq;
  to->flags_ms = from->flags_ms;
  keyring_plan(&from->keyring, layout->scratch, to);
}
