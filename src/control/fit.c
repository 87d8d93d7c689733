/* fit.c - three budgets, and the order in which versions leave.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/fit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/quota.h"
#include "control/place.h"

enum { GUESS_MORE = 1 << 20, HIGH_PERCENT = 80, CALM_PERCENT = 75 };

/* A model's, a tenant's, or, with neither, the process's. */
struct purse {
  const struct catalog_tenant *tenant;
  const struct catalog_model *model;
  uint64_t max, held; /* max UINT64_MAX: no limit */
};

static struct place_tenant *tenant_of(struct place *place, const struct catalog_tenant *tenant)
{
  if (tenant->slot >= place->tenants_cap) {
    uint32_t cap = place->tenants_cap ? place->tenants_cap : 16;
    while (cap <= tenant->slot) cap *= 2;
    place->tenants = grab_more(place->tenants, cap * sizeof *place->tenants);
    memset(place->tenants + place->tenants_cap, 0,
           (cap - place->tenants_cap) * sizeof *place->tenants);
    place->tenants_cap = cap;
  }
  return &place->tenants[tenant->slot];
}

static uint64_t max_of(const struct quotas *quotas)
{
  return quota_value(quotas, QUOTA_resident_bytes);
}

uint64_t fit_bytes(const struct placed *placed)
{
  if (placed->known && placed->load.memory_bytes) return placed->load.memory_bytes;
  const struct catalog_version *version = catalog_version(placed->model, placed_version(placed));
  if (version->memory_bytes) return version->memory_bytes;
  return version->bytes + version->bytes / 2 + GUESS_MORE;
}

void fit_charge(struct place *place, struct placed *placed, uint64_t bytes)
{
  struct place_tenant *tenant = tenant_of(place, placed->model->tenant);
  must(place->held >= placed->charged && tenant->held >= placed->charged);
  place->held += bytes - placed->charged;
  tenant->held += bytes - placed->charged;
  placed->charged = bytes;
}

/* --- who leaves ------------------------------------------------------------------------------- */

static bool in_purse(const struct purse *purse, const struct placed *placed)
{
  if (purse->model) return placed->model == purse->model;
  return !purse->tenant || placed->model->tenant == purse->tenant;
}

static bool is_leaving(const struct placed *placed)
{
  if (placed->state == PLACED_READY) return !placed_is_wanted(placed);
  return (placed->state == PLACED_CLOSING || placed->state == PLACED_UNLOADING);
}

static bool may_rest(const struct placed *placed)
{
  return placed->state == PLACED_READY && placed->serves && placed->rest == REST_NOT &&
         !placed->coming && !placed->released && !placed->model->pinned && placed->worlds > 0;
}

/* Those that may rest, whoever was asked the longest time ago first. */
struct sleeper {
  struct placed *placed;
  int64_t used_ms;
  bool chosen;
};

struct sleepers {
  struct sleeper *at;
  uint32_t n, cap;
};

static int sleeper_compare(const void *a, const void *b)
{
  const struct sleeper *x = a, *y = b;
  if (x->used_ms != y->used_ms) return x->used_ms < y->used_ms ? -1 : 1;
  return x->placed->slot < y->placed->slot ? -1 : x->placed->slot > y->placed->slot;
}

static void sleeper_add(const struct place *place, struct sleepers *list, struct placed *placed)
{
  if (list->n == list->cap) {
    list->cap = list->cap ? 2 * list->cap : 16;
    list->at = grab_more(list->at, list->cap * sizeof *list->at);
  }
  int64_t used = place->hooks.used_ms ? place->hooks.used_ms(place->hooks.arg, placed) : 0;
  if (used < placed->came_ms) used = placed->came_ms;
  list->at[list->n++] = (struct sleeper){.placed = placed, .used_ms = used};
}

static uint64_t survey(const struct place *place, const struct purse *purse, struct sleepers *list)
{
  uint64_t leaving = 0;
  for (uint32_t i = 0; i < place->models_cap; i++) {
    const struct link *head = &place->models[i];
    for (struct link *link = head->next; link != head; link = link->next) {
      struct placed *placed = LIST_OF(link, struct placed, link);
      if (!placed->charged || !in_purse(purse, placed)) continue;
      if (is_leaving(placed)) leaving += placed->charged;
      if (list && may_rest(placed)) sleeper_add(place, list, placed);
    }
  }
  return leaving;
}

/* Chooses until `over` bytes are on their way out of the purse; false: they cannot be. */
static bool sleepers_choose(struct sleepers *list, const struct purse *purse, uint64_t leaving,
                            uint64_t over)
{
  for (uint32_t i = 0; i < list->n; i++)
    if (list->at[i].chosen && in_purse(purse, list->at[i].placed))
      leaving += list->at[i].placed->charged;
  for (uint32_t i = 0; i < list->n && leaving < over; i++) {
    struct sleeper *sleeper = &list->at[i];
    if (sleeper->chosen || !in_purse(purse, sleeper->placed)) continue;
    sleeper->chosen = true;
    leaving += sleeper->placed->charged;
  }
  return leaving >= over;
}

static uint64_t sleepers_bytes(const struct sleepers *list, const struct purse *purse)
{
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < list->n; i++)
    if (in_purse(purse, list->at[i].placed)) bytes += list->at[i].placed->charged;
  return bytes;
}

static void sleepers_rest(struct place *place, const struct sleepers *list)
{
  for (uint32_t i = 0; i < list->n; i++)
    if (list->at[i].chosen) place_rest(place, list->at[i].placed);
}

void fit_idle(struct place *place, int64_t before_ms)
{
  struct sleepers list = {0};
  survey(place, &(struct purse){0}, &list);
  for (uint32_t i = 0; i < list.n; i++) list.at[i].chosen = list.at[i].used_ms < before_ms;
  sleepers_rest(place, &list);
  ungrab(list.at);
}

/* --- the question ----------------------------------------------------------------------------- */

/* MiB to a tenth. What is wanted or taken is rounded up and what there may be down, so that what
 * does not fit is never told as what would. */
static double mib_up(uint64_t bytes)
{
  return (double)((10 * bytes + (1 << 20) - 1) >> 20) / 10;
}

static double mib_down(uint64_t bytes) { return (double)((10 * bytes) >> 20) / 10; }

/* stuck: bytes in the purse that nobody can be asked for. */
static enum fit never(const struct purse *purse, const struct placed *placed, uint64_t bytes,
                      uint64_t stuck, struct err *err)
{
  char whose[EVENT_TEXT_MAX + 16] = "this server";
  const char *how = "raise --models-memory-max, or, where memory_high was logged, wait until it "
                    "is over";
  if (purse->model)
    snprintf(whose, sizeof whose, "it");
  else if (purse->tenant)
    snprintf(whose, sizeof whose, "tenant '%.*s'", SLICE_ARG(purse->tenant->name));
  if (purse->tenant || purse->model) how = "raise the quota resident_bytes";
  fail(err, purse->tenant || purse->model ? E_QUOTA_EXCEEDED : E_MODELS_MEMORY_FULL,
       "version %u of '%.*s' takes about %.1f MiB of memory; models of %s may take %.1f MiB, of "
       "which %.1f MiB are taken by what cannot leave (pinned, in a release, just loaded): %s",
       placed_version(placed), SLICE_ARG(placed->model->name), mib_up(bytes), whose,
       mib_down(purse->max), mib_up(stuck), how);
  return FIT_NEVER;
}

static uint64_t model_held(const struct place *place, const struct catalog_model *model)
{
  uint64_t held = 0;
  const struct link *head = &place->models[model->slot];
  for (struct link *link = head->next; link != head; link = link->next)
    held += LIST_OF(link, struct placed, link)->charged;
  return held;
}

/* Under pressure what is there is all there may be. */
static uint64_t max_now(const struct place *place)
{
  if (!place->tight || place->held > place->opts.memory_max) return place->opts.memory_max;
  return place->held;
}

static enum fit look(struct place *place, const struct placed *placed, struct sleepers *list,
                     struct err *err)
{
  const struct catalog_model *model = placed->model;
  const struct catalog_tenant *tenant = model->tenant;
  const struct purse purses[] = {
      {NULL, model, max_of(model->quotas), model_held(place, model)},
      {tenant, NULL, max_of(tenant->quotas), tenant_of(place, tenant)->held},
      {NULL, NULL, max_now(place), place->held},
  };
  uint64_t bytes = fit_bytes(placed);
  enum fit fit = FIT_NOW;
  for (size_t i = 0; i < sizeof purses / sizeof *purses; i++) {
    const struct purse *purse = &purses[i];
    if (bytes <= purse->max && purse->held <= purse->max - bytes) continue;
    if (bytes > purse->max) return never(purse, placed, bytes, 0, err);
    if (fit == FIT_NOW) {
      survey(place, &(struct purse){0}, list);
      if (list->n) qsort(list->at, list->n, sizeof *list->at, sleeper_compare);
    }
    fit = FIT_SOON;
    uint64_t leaving = survey(place, purse, NULL);
    if (!sleepers_choose(list, purse, leaving, purse->held + bytes - purse->max))
      return never(purse, placed, bytes, purse->held - leaving - sleepers_bytes(list, purse), err);
  }
  return fit;
}

enum fit fit_make(struct place *place, struct placed *placed, struct err *err)
{
  struct sleepers list = {0};
  enum fit fit = look(place, placed, &list, err);
  if (fit == FIT_SOON) sleepers_rest(place, &list);
  ungrab(list.at);
  return fit;
}

static void purse_trim(struct place *place, const struct purse *purse)
{
  struct sleepers list = {0};
  if (purse->held <= purse->max) return;
  uint64_t leaving = survey(place, purse, &list);
  if (list.n) qsort(list.at, list.n, sizeof *list.at, sleeper_compare);
  (void)sleepers_choose(&list, purse, leaving, purse->held - purse->max); /* as far as it goes */
  sleepers_rest(place, &list);
  ungrab(list.at);
}

/* --- every second ----------------------------------------------------------------------------- */

static void purse_watch(const struct purse *purse, bool *high)
{
  uint64_t part = purse->max / 100, rest = purse->max % 100; /* no overflow, no rounding away */
  bool is = purse->held >= part * HIGH_PERCENT + rest * HIGH_PERCENT / 100;
  bool calm = purse->held < part * CALM_PERCENT + rest * CALM_PERCENT / 100;
  if (is && !*high)
    log_event(LOG_WARN, "models_memory_high", "tenant",
              purse->tenant ? log_slice(purse->tenant->name) : NULL, "used_bytes",
              log_num((int64_t)purse->held), "max_bytes", log_num((int64_t)purse->max), NULL);
  if (*high && calm)
    log_event(LOG_INFO, "models_memory_calm", "tenant",
              purse->tenant ? log_slice(purse->tenant->name) : NULL, NULL);
  *high = is || (*high && !calm);
}

static void models_trim(struct place *place, const struct catalog *catalog)
{
  for (uint32_t i = 0; i < place->models_cap && i < catalog->n_models; i++) {
    const struct catalog_model *model = catalog->models[i];
    if (!model->quotas) continue;
    const struct purse purse = {NULL, model, max_of(model->quotas), model_held(place, model)};
    purse_trim(place, &purse);
  }
}

void fit_pulse(struct place *place, const struct catalog *catalog)
{
  models_trim(place, catalog);
  for (uint32_t i = 0; i < place->tenants_cap && i < catalog->n_tenants; i++) {
    struct place_tenant *tenant = &place->tenants[i];
    if (!tenant->held && !tenant->high) continue;
    const struct catalog_tenant *whose = catalog->tenants[i];
    const struct purse purse = {whose, NULL, max_of(whose->quotas), tenant->held};
    purse_trim(place, &purse);
    purse_watch(&purse, &tenant->high);
  }
  const struct purse purse = {NULL, NULL, place->opts.memory_max, place->held};
  purse_trim(place, &purse);
  purse_watch(&purse, &place->high);
}
