/* publish.c - laying out plans, keeping the books of leases.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/publish.h"

#include <stdlib.h>

#include "base/mem.h"
#include "control/registry/fold.h"

enum { SCRATCH_MAX = WORLD_BYTES_MAX };

struct sealed {
  struct world_part *part;
  uint32_t holders; /* books, and publish->sealed */
  struct placed **named;
  uint32_t n_named, named_cap;
};

struct book {
  struct link link;
  struct world *world;
  uint32_t n, out, desks_out; /* leases: all, not home, of these the desks' */
  struct sealed **parts;      /* one per tenant of the world */
  uint32_t n_parts;
  struct letter_world letters[]; /* one per holder: loops first, then desks */
};

void publish_init(struct publish *publish, const struct post *post, struct place *place,
                  const struct runs *runs, const unsigned char hash_key[16])
{
  *publish = (struct publish){.post = post, .place = place, .runs = runs};
  memcpy(publish->hash_key, hash_key, sizeof publish->hash_key);
  arena_init(&publish->scratch, SCRATCH_MAX, NULL);
  list_init(&publish->books);
}

/* --- sealed parts ----------------------------------------------------------------------------- */

static void sealed_drop(struct publish *publish, struct sealed *sealed)
{
  if (!sealed || --sealed->holders) return;
  for (uint32_t i = 0; i < sealed->n_named; i++) {
    struct placed *placed = sealed->named[i];
    must(placed->worlds > 0);
    if (--placed->worlds == 0) place_settle(publish->place, placed);
  }
  world_part_free(sealed->part);
  ungrab(sealed->named);
  ungrab(sealed);
}

void publish_touch(struct publish *publish, const struct catalog_tenant *tenant)
{
  if (tenant->slot >= publish->sealed_cap) return;
  sealed_drop(publish, publish->sealed[tenant->slot]);
  publish->sealed[tenant->slot] = NULL;
}

static void publish_forget(struct publish *publish)
{
  for (uint32_t i = 0; i < publish->sealed_cap; i++) {
    sealed_drop(publish, publish->sealed[i]);
    publish->sealed[i] = NULL;
  }
}

static void sealed_grow(struct publish *publish, uint32_t n)
{
  uint32_t cap = publish->sealed_cap ? publish->sealed_cap : 16;
  if (n <= publish->sealed_cap) return;
  while (cap < n) cap *= 2;
  publish->sealed = grab_more(publish->sealed, cap * sizeof(struct sealed *));
  memset(publish->sealed + publish->sealed_cap, 0,
         (cap - publish->sealed_cap) * sizeof(struct sealed *));
  publish->sealed_cap = cap;
}

/* --- books ------------------------------------------------------------------------------------ */

/* The world goes before its parts. */
static void book_free(struct publish *publish, struct book *book)
{
  list_remove(&book->link);
  publish->n_books--;
  world_free(book->world);
  for (uint32_t i = 0; i < book->n_parts; i++) sealed_drop(publish, book->parts[i]);
  ungrab(book->parts);
  ungrab(book);
}

uint32_t publish_deinit(struct publish *publish)
{
  uint32_t left = publish->n_books;
  publish_forget(publish);
  while (!list_empty(&publish->books))
    book_free(publish, LIST_OF(publish->books.next, struct book, link));
  ungrab(publish->sealed);
  arena_deinit(&publish->scratch);
  return left;
}

/* --- the plan --------------------------------------------------------------------------------- */

static void *need(struct publish *publish, size_t n, size_t each)
{
  void *p = arena_zero(&publish->scratch, n, each);
  must(p);
  return p;
}

static void sealed_name(struct sealed *sealed, struct placed *placed)
{
  if (!sealed) return; /* only looked at */
  if (sealed->n_named == sealed->named_cap) {
    sealed->named_cap = sealed->named_cap ? 2 * sealed->named_cap : 1;
    sealed->named = grab_more(sealed->named, sealed->named_cap * sizeof(struct placed *));
  }
  sealed->named[sealed->n_named++] = placed;
  placed->worlds++;
}

/* What the last load found. */
static void version_known(struct version *version, const struct placed *placed)
{
  const struct letter_load *load = &placed->load;
  if (load->engine_used.len) version->engine = load->engine_used;
  version->platform = load->platform;
  version->contract = load->contract;
  version->deadline_us = load->deadline_us;
  version->memory_bytes = load->memory_bytes;
  version->load_us = load->load_us;
  version->run_ns = load->run_ns;
  version->feedback_ms = load->feedback_ms;
}

static void version_ready(struct version *version, const struct placed *placed)
{
  version_known(version, placed);
  version->state = VERSION_READY;
  version->seats = placed->seats;
  version->n_seats = placed->n_seats;
  version->resident = placed->resident;
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

static void version_plan(struct sealed *sealed, const struct catalog_version *from,
                         struct placed *placed, struct version *to)
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
  if (from->quarantined && !runs_on) {
    to->state = VERSION_FAILED;
    to->reason = from->quarantine;
    to->refused = E_QUARANTINED;
    to->quarantined = true;
  } else if (placed && placed->serves && placed->rest != REST_NOT) {
    version_rests(to, placed);
  } else if (placed && placed->state == PLACED_READY && (placed->serves || placed->released)) {
    version_ready(to, placed);
    sealed_name(sealed, placed);
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

static void aliases_plan(struct publish *publish, const struct catalog_model *from,
                         struct model *to)
{
  struct alias *aliases = need(publish, from->n_aliases, sizeof *aliases);
  for (uint32_t i = 0; i < from->n_aliases; i++) {
    const struct catalog_alias *alias = &from->aliases[i];
    aliases[i] = (struct alias){alias->name, alias->version, alias->set_ms, alias->set_by};
  }
  to->aliases = aliases;
  to->n_aliases = from->n_aliases;
}

static void model_plan(struct publish *publish, struct sealed *sealed,
                       const struct catalog_model *from, struct model *to)
{
  const struct run *run = run_of(publish->runs, from);
  struct version *versions = need(publish, from->n_live + 1, sizeof *versions);
  *to = (struct model){.name = from->name,
                       .slot = from->slot,
                       .versions = versions,
                       .card = from->card,
                       .changed_seq = from->changed_seq,
                       .created_ms = from->created_ms};
  for (uint32_t i = 0; i < from->n_versions; i++)
    if (!from->versions[i].removed)
      version_plan(sealed, &from->versions[i],
                   place_find(publish->place, from, from->versions[i].number),
                   &versions[to->n_versions++]);
  must(to->n_versions == from->n_live);
  struct placed *candidate = run ? run->arms[ARM_CANDIDATE] : NULL;
  if (candidate && candidate->copy_of) {
    to->copy = &versions[from->n_live];
    version_plan(sealed, &from->versions[candidate->copy_of - 1], candidate,
                 &versions[from->n_live]);
  }
  to->quotas = from->quotas;
  to->meter = from->meter;
  aliases_plan(publish, from, to);
  to->previous = model_version(to, catalog_previous(from));
  const struct version *serving = model_version(to, from->serving);
  if (serving && serving->quarantined) to->quarantined = serving->number;
  if (!serving || !version_answers(serving)) return;
  model_serve(to, serving);
  if (run) run_split(run, publish->post->n_loops, &publish->scratch, to);
}

static int name_compare(const void *a, const void *b)
{
  struct slice x = ((const struct model *)a)->name, y = ((const struct model *)b)->name;
  int order = memcmp(x.at, y.at, x.len < y.len ? x.len : y.len);
  return order ? order : x.len < y.len ? -1 : x.len > y.len;
}

static void tenant_plan(struct publish *publish, struct sealed *sealed,
                        const struct catalog_tenant *from, struct tenant *to)
{
  struct model *models = need(publish, from->n_models_live, sizeof *models);
  uint32_t n = 0;
  bool sorted = true; /* the catalog's order, without regard to case, mostly is the world's */
  for (uint32_t i = 0; i < from->n_models; i++) {
    if (from->models[i]->removed) continue;
    model_plan(publish, sealed, from->models[i], &models[n]);
    sorted = sorted && (n == 0 || name_compare(&models[n - 1], &models[n]) < 0);
    n++;
  }
  must(n == from->n_models_live);
  if (!sorted) qsort(models, n, sizeof *models, name_compare);
  *to = (struct tenant){.name = from->name, .slot = from->slot, .models = models, .n_models = n};
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
  keyring_plan(&from->keyring, &publish->scratch, to);
}

/* --- out -------------------------------------------------------------------------------------- */

static void leases_send(struct publish *publish, struct book *book)
{
  const struct post *post = publish->post;
  uint32_t n = post->n_loops + post->n_desks;
  book->n = book->out = n;
  book->desks_out = post->n_desks;
  for (uint32_t i = 0; i < n; i++) {
    book->letters[i] = (struct letter_world){
        .mail.kind = LETTER_WORLD, .world = book->world, .holder = i, .control_state = book};
  }
  /* From the first send on a letter is its holder's; the book is ours. Desks first: a loop tells
   * its streams of a change at once, and who then asks a desk is behind this letter in its
   * mailbox. */
  for (uint32_t i = 0; i < post->n_desks; i++)
    mail_send(post->desks[i], &book->letters[post->n_loops + i].mail);
  for (uint32_t i = 0; i < post->n_loops; i++) mail_send(post->loops[i], &book->letters[i].mail);
}

static struct sealed *tenant_seal(struct publish *publish, const struct catalog_tenant *from)
{
  struct sealed *sealed = grab_zero(1, sizeof *sealed);
  struct tenant plan;
  tenant_plan(publish, sealed, from, &plan);
  sealed->part = world_part_build(&plan, publish->hash_key);
  sealed->holders = 1;
  arena_reset(&publish->scratch);
  return sealed;
}

/* A running release's split is made of its state, which moves without events: it is laid out each
 * time. */
static void parts_take(struct publish *publish, struct book *book, const struct catalog *catalog)
{
  const struct link *all = &publish->runs->all;
  for (const struct link *link = all->next; link != all; link = link->next)
    publish_touch(publish, LIST_OF(link, struct run, link)->model->tenant);
  sealed_grow(publish, catalog->n_tenants);
  book->parts = grab_zero(catalog->n_tenants, sizeof(struct sealed *));
  for (uint32_t i = 0; i < catalog->n_tenants; i++) {
    struct sealed **sealed = &publish->sealed[i];
    must(catalog->tenants[i]->slot == i);
    if (catalog->tenants[i]->removed_seq) continue;
    if (!*sealed) *sealed = tenant_seal(publish, catalog->tenants[i]);
    (*sealed)->holders++;
    book->parts[book->n_parts++] = *sealed;
  }
}

static const struct world *newest(const struct publish *publish)
{
  if (list_empty(&publish->books)) return NULL;
  return LIST_OF(publish->books.prev, struct book, link)->world;
}

void publish_world(struct publish *publish, const struct catalog *catalog,
                   struct publish_flags flags)
{
  uint32_t holders = publish->post->n_loops + publish->post->n_desks;
  struct book *book = grab_zero(1, sizeof *book + holders * sizeof(struct letter_world));
  if (flags.empty)
    publish_forget(publish);
  else
    parts_take(publish, book, catalog);
  struct world_part **parts = need(publish, book->n_parts, sizeof *parts);
  for (uint32_t i = 0; i < book->n_parts; i++) parts[i] = book->parts[i]->part;
  struct world_plan plan = {.parts = parts,
                            .n_tenants = book->n_parts,
                            .before = newest(publish),
                            .n_slots = publish->place->n_slots,
                            .n_releases = publish->runs->n_slots,
                            .ready = flags.ready,
                            .draining = flags.draining};
  memcpy(plan.hash_key, publish->hash_key, sizeof plan.hash_key);
  book->world = world_build(&plan, ++publish->serial);
  arena_reset(&publish->scratch);
  list_push_back(&publish->books, &book->link);
  publish->n_books++;
  if (holders)
    leases_send(publish, book);
  else
    book_free(publish, book);
}

/* --- for tests -------------------------------------------------------------------------------- */

/* The number of a version in its model's array; 0: none. */
static uint32_t number_of(const struct version *version) { return version ? version->number : 0; }

static void version_check(const struct version *a, const struct version *b)
{
  must(a->number == b->number && a->slot == b->slot && a->state == b->state);
  must(a->n_seats == b->n_seats && a->memory_bytes == b->memory_bytes && a->naps == b->naps);
  must(slice_eq(a->reason, b->reason) && slice_eq(a->engine, b->engine));
  for (uint32_t i = 0; i < a->n_seats; i++)
    must(a->seats[i].owner == b->seats[i].owner && a->seats[i].lane == b->seats[i].lane);
}

static void model_check(const struct model *a, const struct model *b)
{
  must(slice_eq(a->name, b->name) && a->n_versions == b->n_versions && a->n_arms == b->n_arms);
  must(number_of(a->stable) == number_of(b->stable) && !a->copy == !b->copy);
  must(number_of(a->previous) == number_of(b->previous) && !a->release == !b->release);
  must(a->changed_seq == b->changed_seq && a->card == b->card && a->n_aliases == b->n_aliases);
  for (uint32_t i = 0; i < a->n_versions; i++) version_check(&a->versions[i], &b->versions[i]);
  for (uint32_t i = 0; i < a->n_arms; i++)
    must(a->arms[i].weight == b->arms[i].weight &&
         number_of(a->arms[i].version) == number_of(b->arms[i].version));
}

/* Tenants with a release that runs are laid out for each world anyway. */
static bool runs_release(const struct publish *publish, const struct catalog_tenant *tenant)
{
  const struct link *all = &publish->runs->all;
  for (const struct link *link = all->next; link != all; link = link->next)
    if (LIST_OF(link, struct run, link)->model->tenant == tenant) return true;
  return false;
}

void publish_check(struct publish *publish, const struct catalog *catalog)
{
  for (uint32_t i = 0; i < publish->sealed_cap && i < catalog->n_tenants; i++) {
    struct tenant plan;
    if (!publish->sealed[i] || runs_release(publish, catalog->tenants[i])) continue;
    const struct tenant *now = world_part_tenant(publish->sealed[i]->part);
    tenant_plan(publish, NULL, catalog->tenants[i], &plan);
    must(plan.n_models == now->n_models && plan.n_keys == now->n_keys);
    must(plan.flags_seq == now->flags_seq && slice_eq(plan.name, now->name));
    must(!plan.quotas == !now->quotas && plan.meter == now->meter);
    must(!plan.quotas || memcmp(plan.quotas, now->quotas, sizeof *plan.quotas) == 0);
    must(plan.n_stored == now->n_stored && plan.stored_bytes == now->stored_bytes);
    for (uint32_t k = 0; k < plan.n_keys; k++)
      must(memcmp(plan.keys[k].id, now->keys[k].id, KEY_ID_LEN) == 0);
    for (uint32_t k = 0; k < plan.n_models; k++) model_check(&plan.models[k], &now->models[k]);
    arena_reset(&publish->scratch);
  }
}

/* --- home ------------------------------------------------------------------------------------- */

void publish_lease_home(struct publish *publish, struct letter_world *letter)
{
  struct book *book = letter->control_state;
  size_t holder = (size_t)(letter - book->letters);
  must(holder < book->n && book->out > 0 && letter->world == book->world);
  letter->world = NULL; /* it comes home once */
  if (holder >= publish->post->n_loops) book->desks_out--;
  if (--book->out == 0) book_free(publish, book);
}

uint64_t publish_desks_saw(const struct publish *publish)
{
  for (struct link *link = publish->books.next; link != &publish->books; link = link->next) {
    const struct book *book = LIST_OF(link, struct book, link);
    if (book->desks_out) return world_serial(book->world);
  }
  return publish->serial;
}
