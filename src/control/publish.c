/* publish.c - laying out plans, keeping the books of leases.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/publish.h"

#include <stdlib.h>

#include "base/mem.h"

enum { SCRATCH_MAX = WORLD_BYTES_MAX };

struct book {
  struct link link;
  struct world *world;
  uint32_t n, out, desks_out; /* leases: all, not home, of these the desks' */
  struct placed **named;
  uint32_t n_named, named_cap;
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

static void book_free(struct publish *publish, struct book *book)
{
  list_remove(&book->link);
  publish->n_books--;
  world_free(book->world);
  ungrab(book->named);
  ungrab(book);
}

uint32_t publish_deinit(struct publish *publish)
{
  uint32_t left = publish->n_books;
  while (!list_empty(&publish->books))
    book_free(publish, LIST_OF(publish->books.next, struct book, link));
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

static void book_name(struct book *book, struct placed *placed)
{
  if (book->n_named == book->named_cap) {
    book->named_cap = book->named_cap ? 2 * book->named_cap : 16;
    book->named = grab_more(book->named, book->named_cap * sizeof(struct placed *));
  }
  book->named[book->n_named++] = placed;
  placed->worlds++;
}

static void version_ready(struct version *version, const struct placed *placed)
{
  const struct letter_load *load = &placed->load;
  version->state = VERSION_READY;
  if (load->engine_used.len) version->engine = load->engine_used;
  version->platform = load->platform;
  version->contract = load->contract;
  version->seats = placed->seats;
  version->n_seats = placed->n_seats;
  version->resident = placed->resident;
  version->deadline_us = load->deadline_us;
  version->memory_bytes = load->memory_bytes;
  version->load_us = load->load_us;
  version->run_ns = load->run_ns;
  version->feedback_ms = load->feedback_ms;
}

static void version_plan(struct book *book, const struct catalog_version *from,
                         struct placed *placed, struct version *to)
{
  *to = (struct version){.number = from->number,
                         .slot = placed ? placed->slot : SLOT_NONE,
                         .state = VERSION_STORED,
                         .engine = from->engine,
                         .note = from->note,
                         .digest = from->digest,
                         .bytes = from->bytes,
                         .pushed_ms = from->pushed_ms};
  if (placed && placed->state == PLACED_READY && (placed->serves || placed->released)) {
    version_ready(to, placed);
    book_name(book, placed);
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

static void model_plan(struct publish *publish, struct book *book, const struct catalog_model *from,
                       struct model *to)
{
  const struct run *run = run_of(publish->runs, from);
  struct version *versions = need(publish, from->n_versions + 1, sizeof *versions);
  *to = (struct model){
      .name = from->name, .slot = from->slot, .versions = versions, .n_versions = from->n_versions};
  for (uint32_t i = 0; i < from->n_versions; i++)
    version_plan(book, &from->versions[i],
                 place_find(publish->place, from, from->versions[i].number), &versions[i]);
  if (run && run->candidate && run->candidate->copy_of) {
    to->copy = &versions[from->n_versions];
    version_plan(book, &from->versions[run->candidate->copy_of - 1], run->candidate,
                 &versions[from->n_versions]);
  }
  uint32_t previous = catalog_previous(from);
  if (previous) to->previous = &versions[previous - 1];
  if (!from->serving || versions[from->serving - 1].state != VERSION_READY) return;
  model_serve(to, &versions[from->serving - 1]);
  if (run) run_split(run, publish->post->n_loops, &publish->scratch, to);
}

static int name_compare(const void *a, const void *b)
{
  struct slice x = ((const struct model *)a)->name, y = ((const struct model *)b)->name;
  int order = memcmp(x.at, y.at, x.len < y.len ? x.len : y.len);
  return order ? order : x.len < y.len ? -1 : x.len > y.len;
}

static void tenant_plan(struct publish *publish, struct book *book,
                        const struct catalog_tenant *from, struct tenant *to)
{
  struct model *models = need(publish, from->n_models, sizeof *models);
  bool sorted = true; /* the catalog's order, without regard to case, mostly is the world's */
  for (uint32_t i = 0; i < from->n_models; i++) {
    model_plan(publish, book, from->models[i], &models[i]);
    sorted = sorted && (i == 0 || name_compare(&models[i - 1], &models[i]) < 0);
  }
  if (!sorted) qsort(models, from->n_models, sizeof *models, name_compare);
  *to = (struct tenant){
      .name = from->name, .slot = from->slot, .models = models, .n_models = from->n_models};
  to->flags = from->flags;
  to->flags_seq = from->flags_seq;
  to->flags_ms = from->flags_ms;
  keyring_plan(&from->keyring, &publish->scratch, to);
}

/* --- out and home ----------------------------------------------------------------------------- */

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

static void book_close(struct publish *publish, struct book *book)
{
  for (uint32_t i = 0; i < book->n_named; i++) {
    struct placed *placed = book->named[i];
    must(placed->worlds > 0);
    if (--placed->worlds == 0) place_settle(publish->place, placed);
  }
  book_free(publish, book);
}

void publish_world(struct publish *publish, const struct catalog *catalog,
                   struct publish_flags flags)
{
  uint32_t holders = publish->post->n_loops + publish->post->n_desks;
  uint32_t n_tenants = flags.empty ? 0 : catalog->n_tenants;
  struct book *book = grab_zero(1, sizeof *book + holders * sizeof(struct letter_world));
  struct tenant *tenants = need(publish, n_tenants, sizeof *tenants);
  for (uint32_t i = 0; i < n_tenants; i++)
    tenant_plan(publish, book, catalog->tenants[i], &tenants[i]);
  struct world_plan plan = {.tenants = tenants,
                            .n_tenants = n_tenants,
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
    book_close(publish, book);
}

void publish_lease_home(struct publish *publish, struct letter_world *letter)
{
  struct book *book = letter->control_state;
  size_t holder = (size_t)(letter - book->letters);
  must(holder < book->n && book->out > 0 && letter->world == book->world);
  letter->world = NULL; /* it comes home once */
  if (holder >= publish->post->n_loops) book->desks_out--;
  if (--book->out == 0) book_close(publish, book);
}

uint64_t publish_desks_saw(const struct publish *publish)
{
  for (struct link *link = publish->books.next; link != &publish->books; link = link->next) {
    const struct book *book = LIST_OF(link, struct book, link);
    if (book->desks_out) return world_serial(book->world);
  }
  return publish->serial;
}
