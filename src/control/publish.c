/* publish.c - laying out plans, keeping the books of leases.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/publish.h"

#include <stdlib.h>

#include "base/mem.h"

enum { SCRATCH_MAX = WORLD_BYTES_MAX };

/* The versions that a sealed model keeps in memory. */
struct named {
  struct place *place;
  uint32_t n;
  struct placed *at[];
};

struct book {
  struct link link;
  struct world *world;
  uint32_t n, out, desks_out; /* leases: all, not home, of these the desks' */
  struct world_part **parts;  /* one per tenant of the world */
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

static void *need(struct publish *publish, size_t n, size_t each)
{
  void *p = arena_zero(&publish->scratch, n, each);
  must(p);
  return p;
}

static struct layout layout_of(struct publish *publish)
{
  return (struct layout){publish->place, publish->runs, publish->post->n_loops, &publish->scratch};
}

/* --- what was touched ------------------------------------------------------------------------- */

static int touch_compare(const void *a, const void *b)
{
  const struct touch *x = a, *y = b;
  if (x->tenant != y->tenant) return x->tenant < y->tenant ? -1 : 1;
  if (x->model != y->model) return x->model < y->model ? -1 : 1;
  return x->version < y->version ? -1 : x->version > y->version;
}

/* In order, each once. */
static uint32_t touches_sort(struct touch *touches, uint32_t n)
{
  uint32_t kept = 0;
  if (n) qsort(touches, n, sizeof *touches, touch_compare);
  for (uint32_t i = 0; i < n; i++)
    if (!i || touch_compare(&touches[i - 1], &touches[i]) != 0) touches[kept++] = touches[i];
  return kept;
}

static void touch_add(struct publish *publish, struct touch touch)
{
  if (publish->n_touches == publish->touches_cap) {
    publish->n_touches = touches_sort(publish->touches, publish->n_touches);
    if (publish->n_touches * 2 >= publish->touches_cap) {
      publish->touches_cap = publish->touches_cap ? 2 * publish->touches_cap : 64;
      publish->touches =
          grab_more(publish->touches, publish->touches_cap * sizeof *publish->touches);
    }
  }
  publish->touches[publish->n_touches++] = touch;
}

void publish_touch(struct publish *publish, const struct catalog_model *model, uint32_t version)
{
  touch_add(publish, (struct touch){model->tenant->slot, model->slot, version});
}

void publish_touch_tenant(struct publish *publish, const struct catalog_tenant *tenant)
{
  touch_add(publish, (struct touch){tenant->slot, TOUCH_HEAD, 0});
}

/* --- sealed models ---------------------------------------------------------------------------- */

/* No part has the model any more: nothing sends it tasks. */
static void named_left(void *arg)
{
  struct named *named = arg;
  for (uint32_t i = 0; i < named->n; i++) {
    struct placed *placed = named->at[i];
    must(placed->worlds > 0);
    if (--placed->worlds == 0) place_settle(named->place, placed);
  }
  ungrab(named);
}

static struct named *named_of(struct publish *publish, const struct catalog_model *model)
{
  struct place *place = publish->place;
  struct named *named = NULL;
  if (model->slot >= place->models_cap) return NULL;
  const struct link *head = &place->models[model->slot];
  for (struct link *link = head->next; link != head; link = link->next) {
    struct placed *placed = LIST_OF(link, struct placed, link);
    if (!layout_names(placed)) continue;
    uint32_t n = named ? named->n : 0;
    named = grab_more(named, sizeof *named + (n + 1) * sizeof(struct placed *));
    named->place = place;
    named->n = n + 1;
    named->at[n] = placed;
    placed->worlds++;
  }
  return named;
}

/* touched: numbers of versions; NULL: all. */
static void model_renew(struct publish *publish, struct world_part *part,
                        const struct catalog_model *from, const uint32_t *touched, uint32_t n)
{
  struct layout layout = layout_of(publish);
  struct layout_pick pick;
  struct model model;
  struct sealed_model *before = touched ? world_part_model(part, from->name) : NULL;
  if (from->removed) {
    world_part_cut(part, from->name);
    return;
  }
  layout_pick(&layout, from, before ? touched : NULL, n, &pick);
  layout_model(&layout, from, &pick, &model);
  struct named *named = named_of(publish, from);
  struct sealed_model *sealed = model_seal(&(struct model_plan){.model = &model,
                                                                .before = before,
                                                                .gone = pick.gone,
                                                                .n_gone = pick.n_gone,
                                                                .left = named ? named_left : NULL,
                                                                .arg = named});
  must(sealed_model_lend(sealed)->n_versions == from->n_live);
  world_part_put(part, sealed);
}

/* --- parts ------------------------------------------------------------------------------------ */

static struct world_part *tenant_seal(struct publish *publish, const struct catalog_tenant *from)
{
  struct layout layout = layout_of(publish);
  struct tenant head;
  layout_tenant(&layout, from, &head);
  struct world_part *part = world_part_new(&head, publish->hash_key);
  for (uint32_t i = 0; i < from->n_models; i++) {
    if (from->models[i]->removed) continue;
    arena_reset(&publish->scratch);
    model_renew(publish, part, from->models[i], NULL, 0);
  }
  arena_reset(&publish->scratch);
  return part;
}

/* The next part, of a tenant that was touched in these places. */
static struct world_part *tenant_renew(struct publish *publish, const struct catalog *catalog,
                                       const struct catalog_tenant *from,
                                       const struct world_part *before,
                                       const struct touch *touches, uint32_t n)
{
  struct layout layout = layout_of(publish);
  struct tenant head;
  bool headed = touches[n - 1].model == TOUCH_HEAD;
  if (headed) layout_tenant(&layout, from, &head);
  struct world_part *part = world_part_next(before, headed ? &head : NULL);
  for (uint32_t i = 0, end; i < n && touches[i].model != TOUCH_HEAD; i = end) {
    arena_reset(&publish->scratch);
    for (end = i; end < n && touches[end].model == touches[i].model;) end++;
    uint32_t *versions = need(publish, end - i, sizeof *versions);
    for (uint32_t k = i; k < end; k++) versions[k - i] = touches[k].version;
    bool all = touches[end - 1].version == TOUCH_ALL;
    model_renew(publish, part, catalog->models[touches[i].model], all ? NULL : versions, end - i);
  }
  arena_reset(&publish->scratch);
  must(world_part_tenant(part)->n_models == from->n_models_live);
  world_part_stock(part, from->n_versions_live, from->bytes_live);
  return part;
}

static void parts_forget(struct publish *publish)
{
  for (uint32_t i = 0; i < publish->parts_cap; i++) {
    struct world_part *part = publish->parts[i];
    publish->parts[i] = NULL;
    world_part_drop(part);
  }
}

static void parts_grow(struct publish *publish, uint32_t n)
{
  uint32_t cap = publish->parts_cap ? publish->parts_cap : 16;
  if (n <= publish->parts_cap) return;
  while (cap < n) cap *= 2;
  publish->parts = grab_more(publish->parts, cap * sizeof(struct world_part *));
  memset(publish->parts + publish->parts_cap, 0,
         (cap - publish->parts_cap) * sizeof(struct world_part *));
  publish->parts_cap = cap;
}

/* A part that goes may be the last to name a version, which then moves and touches its model: that
 * is for the world after this one. */
static void parts_renew(struct publish *publish, const struct catalog *catalog)
{
  struct touch *touches = publish->touches;
  uint32_t n = touches_sort(touches, publish->n_touches);
  publish->touches = NULL;
  publish->n_touches = publish->touches_cap = 0;
  for (uint32_t i = 0, end; i < n; i = end) {
    uint32_t slot = touches[i].tenant;
    const struct catalog_tenant *tenant = catalog->tenants[slot];
    struct world_part *before = publish->parts[slot];
    for (end = i; end < n && touches[end].tenant == slot;) end++;
    if (!before) continue; /* all of it is laid out anyway */
    publish->parts[slot] =
        tenant->removed_seq
            ? NULL
            : tenant_renew(publish, catalog, tenant, before, &touches[i], end - i);
    world_part_drop(before);
  }
  ungrab(touches);
}

/* --- books ------------------------------------------------------------------------------------ */

/* The world goes before its parts. */
static void book_free(struct publish *publish, struct book *book)
{
  list_remove(&book->link);
  publish->n_books--;
  world_free(book->world);
  for (uint32_t i = 0; i < book->n_parts; i++) world_part_drop(book->parts[i]);
  ungrab(book->parts);
  ungrab(book);
}

uint32_t publish_deinit(struct publish *publish)
{
  uint32_t left = publish->n_books;
  parts_forget(publish);
  while (!list_empty(&publish->books))
    book_free(publish, LIST_OF(publish->books.next, struct book, link));
  ungrab(publish->parts);
  ungrab(publish->touches);
  arena_deinit(&publish->scratch);
  return left;
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

/* A running release's split is made of its state, which moves without events: it is laid out each
 * time. */
static void parts_take(struct publish *publish, struct book *book, const struct catalog *catalog)
{
  const struct link *all = &publish->runs->all;
  for (const struct link *link = all->next; link != all; link = link->next)
    publish_touch(publish, LIST_OF(link, struct run, link)->model, 0);
  parts_grow(publish, catalog->n_tenants);
  parts_renew(publish, catalog);
  book->parts = grab(catalog->n_tenants * sizeof(struct world_part *));
  for (uint32_t i = 0; i < catalog->n_tenants; i++) {
    struct world_part **part = &publish->parts[i];
    must(catalog->tenants[i]->slot == i);
    if (catalog->tenants[i]->removed_seq) continue;
    if (!*part) *part = tenant_seal(publish, catalog->tenants[i]);
    book->parts[book->n_parts++] = world_part_share(*part);
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
    parts_forget(publish);
  else
    parts_take(publish, book, catalog);
  struct world_plan plan = {.parts = book->parts,
                            .n_tenants = book->n_parts,
                            .before = newest(publish),
                            .n_slots = publish->place->n_slots,
                            .n_releases = publish->runs->n_slots,
                            .ready = flags.ready,
                            .draining = flags.draining,
                            .pressure = flags.pressure};
  memcpy(plan.hash_key, publish->hash_key, sizeof plan.hash_key);
  book->world = world_build(&plan, ++publish->serial);
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
  must(a->breaker == b->breaker && a->trip == b->trip);
  for (uint32_t i = 0; i < a->n_seats; i++)
    must(a->seats[i].owner == b->seats[i].owner && a->seats[i].lane == b->seats[i].lane);
}

static void model_check(const struct model *a, const struct model *b)
{
  must(slice_eq(a->name, b->name) && a->n_versions == b->n_versions && a->n_arms == b->n_arms);
  must(number_of(a->stable) == number_of(b->stable) && !a->copy == !b->copy);
  must(number_of(a->previous) == number_of(b->previous) && !a->release == !b->release);
  must(a->changed_seq == b->changed_seq && a->card == b->card && a->n_aliases == b->n_aliases);
  for (uint32_t i = 0; i < a->n_versions; i++)
    version_check(model_version_at(a, i), model_version_at(b, i));
  for (uint32_t i = 0; i < a->n_arms; i++)
    must(a->arms[i].weight == b->arms[i].weight &&
         number_of(a->arms[i].version) == number_of(b->arms[i].version));
}

/* What was touched, or has a release that runs, is laid out for the next world anyway. */
static bool is_due(const struct publish *publish, const struct catalog_model *model)
{
  for (uint32_t i = 0; i < publish->n_touches; i++)
    if (publish->touches[i].model == model->slot) return true;
  return run_of(publish->runs, model) != NULL;
}

static bool tenant_is_due(const struct publish *publish, uint32_t slot)
{
  for (uint32_t i = 0; i < publish->n_touches; i++)
    if (publish->touches[i].tenant == slot) return true;
  return false;
}

static void models_check(struct publish *publish, const struct catalog_tenant *from,
                         const struct world_part *part)
{
  struct layout layout = layout_of(publish);
  for (uint32_t i = 0; i < from->n_models; i++) {
    struct layout_pick pick;
    struct model plan;
    if (from->models[i]->removed || is_due(publish, from->models[i])) continue;
    struct sealed_model *sealed = world_part_model(part, from->models[i]->name);
    must(sealed);
    layout_pick(&layout, from->models[i], NULL, 0, &pick);
    layout_model(&layout, from->models[i], &pick, &plan);
    model_check(&plan, sealed_model_lend(sealed));
    arena_reset(&publish->scratch);
  }
}

void publish_check(struct publish *publish, const struct catalog *catalog)
{
  struct layout layout = layout_of(publish);
  for (uint32_t i = 0; i < publish->parts_cap && i < catalog->n_tenants; i++) {
    const struct catalog_tenant *from = catalog->tenants[i];
    struct tenant plan;
    if (!publish->parts[i] || from->removed_seq) continue;
    models_check(publish, from, publish->parts[i]);
    if (tenant_is_due(publish, i)) continue;
    const struct tenant *now = world_part_tenant(publish->parts[i]);
    layout_tenant(&layout, from, &plan);
    must(from->n_models_live == now->n_models && plan.n_keys == now->n_keys);
    must(plan.flags_seq == now->flags_seq && slice_eq(plan.name, now->name));
    must(!plan.quotas == !now->quotas && plan.meter == now->meter);
    must(!plan.quotas || memcmp(plan.quotas, now->quotas, sizeof *plan.quotas) == 0);
    must(plan.n_stored == now->n_stored && plan.stored_bytes == now->stored_bytes);
    for (uint32_t k = 0; k < plan.n_keys; k++)
      must(memcmp(plan.keys[k].id, now->keys[k].id, KEY_ID_LEN) == 0);
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

uint64_t publish_oldest(const struct publish *publish)
{
  if (list_empty(&publish->books)) return publish->serial;
  return world_serial(LIST_OF(publish->books.next, struct book, link)->world);
}
