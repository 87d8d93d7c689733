/* snapshot_test.c - a snapshot and the events after it make the same catalog as all events do, over
 * random lives with every kind of event; the same catalog is the same bytes; rubbish is refused.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "control/catalog.h"
#include "control/registry/fold.h"
#include "control/release/decide.h"
#include "control/release/fold.h"
#include "control/snapshot/snapshot.h"
#include "store/codec.h"

enum { EVENTS_MAX = 700, TRIES = 900 };

static struct err err;
static struct rand rnd;
static struct arena arena; /* of a life's events */
static struct event events[EVENTS_MAX];
static uint32_t n_events;
static uint64_t kinds_seen;

static uint64_t roll(uint64_t n) { return rand_u64(&rnd) % n; }

static struct catalog *empty(unsigned char salt)
{
  const unsigned char hash_key[16] = {salt};
  return catalog_new(hash_key);
}

/* --- random events ---------------------------------------------------------------------------- */

static struct slice text(const char *fmt, unsigned long long n)
{
  char buf[96];
  int len = snprintf(buf, sizeof buf, fmt, n);
  return arena_copy(&arena, slice_of(buf, (size_t)len));
}

static struct event_fact *facts_room(struct event *event)
{
  struct event_fact *facts = arena_zero(&arena, EVENT_FACTS_MAX, sizeof *facts);
  event->facts = facts;
  return facts;
}

static void fact(struct event *event, struct event_fact *facts, const char *name,
                 struct slice value)
{
  if (value.len) facts[event->n_facts++] = (struct event_fact){slice_str(name), value};
}

static void key_facts(struct event *event)
{
  struct event_fact *facts = facts_room(event);
  struct slice id = text("key%09llu", roll(30));
  fact(event, facts, "cidrs", roll(2) ? SLICE("10.0.0.0/8,2001:db8::/32") : SLICE_NONE);
  fact(event, facts, "expires_ms", text("%llu", roll(2) * 1767225600000));
  if (event->kind == EVENT_KEY_ADDED) fact(event, facts, "hash", text("%064llx", rand_u64(&rnd)));
  fact(event, facts, "key", id);
  fact(event, facts, "person", text("p%llu", roll(9)));
  if (event->kind == EVENT_KEY_ADDED && roll(3) == 0)
    fact(event, facts, "replaces", text("key%09llu", roll(30)));
  fact(event, facts, "role", roll(2) ? SLICE("admin") : SLICE("viewer"));
}

static void release_facts(const struct catalog_model *model, struct event *event)
{
  static const char plan[] =
      "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"5%\",\"for\":\"1m\"}}]}";
  struct rollout rollout = {.state = ROLLOUT_PENDING, .proposal = ROLLOUT_WHENS};
  struct event_fact *facts;
  if (event->kind == EVENT_RELEASE_STARTED) {
    facts = facts_room(event);
    event->release = model ? model->n_releases + 1 : 1;
    fact(event, facts, "plan", SLICE(plan));
    fact(event, facts, "rollout", rollout_hex(&arena, &rollout));
    fact(event, facts, "seed", text("m/%llu", event->release));
    fact(event, facts, "stable", text("%llu", model ? model->serving : 1));
    return;
  }
  if (!model || !model->release) return;
  rollout = model->release->rollout;
  rollout.state = (enum rollout_state)roll(ROLLOUT_STATES);
  rollout.step = (uint32_t)roll(2);
  rollout.state_ms = roll(100000);
  struct slice edges = roll(2) ? SLICE("0.25 0.5") : SLICE_NONE;
  uint64_t looks = model->release->looks + roll(10);
  struct event moved;
  if (!release_moved(&arena, model, &rollout, looks, SLICE("{}"), edges, &moved)) return;
  event->release = moved.release;
  event->version = moved.version;
  event->facts = moved.facts;
  event->n_facts = moved.n_facts;
}

static void set_facts(struct event *event)
{
  struct event_fact *facts = facts_room(event);
  switch (event->kind) {
    case EVENT_TENANT_SET:
      fact(event, facts, "about", roll(2) ? text("about %llu", roll(9)) : SLICE_NONE);
      fact(event, facts, "quotas", roll(2) ? text("models=%llu", roll(99) + 1) : SLICE_NONE);
      return;
    case EVENT_MODEL_SET:
    case EVENT_VERSION_SET:
      fact(event, facts, "card",
           roll(3) ? text("{\"description\":\"%llu\"}", roll(9)) : SLICE_NONE);
      fact(event, facts, "hold", roll(4) ? SLICE_NONE : SLICE("audit"));
      fact(event, facts, "patch", text("{\"description\":%llu}", roll(9)));
      if (event->kind == EVENT_MODEL_SET && roll(2))
        fact(event, facts, "quotas", text("requests_per_second=%llu", roll(99) + 1));
      return;
    case EVENT_ALIAS_SET:
    case EVENT_ALIAS_REMOVED: fact(event, facts, "alias", text("a%llu", roll(4))); return;
    case EVENT_FREEZE_SET:
    case EVENT_FREEZE_LIFTED:
      fact(event, facts, "from_ms", text("%llu", roll(1000)));
      fact(event, facts, "scope", event->model.len ? SLICE("model") : SLICE("tenant"));
      fact(event, facts, "weekly", roll(2) ? SLICE("fri 18:00 - mon 06:00") : SLICE_NONE);
      fact(event, facts, "why", text("why %llu", roll(9)));
      return;
    default:
      fact(event, facts, "flag", event->kind == EVENT_FLAG_REMOVED ? SLICE("f") : SLICE_NONE);
      fact(event, facts, "flags", text("{\"flags\":{\"f\":%llu}}", roll(99)));
  }
}

static void files_add(const struct catalog_model *model, struct event *event)
{
  struct event_file *files = arena_zero(&arena, 2, sizeof *files);
  for (int i = 0; i < 2; i++)
    files[i] =
        (struct event_file){text("file-%llu", (unsigned)i), roll(1000), {{(unsigned char)i}}};
  event->files = files;
  event->n_files = 1 + (uint32_t)roll(2);
  event->version = model ? model->n_versions + 1 : 1;
  event->engine = SLICE("onnx");
  event->note = text("note %llu", roll(99));
  if (roll(2)) {
    struct event_fact *facts = facts_room(event);
    fact(event, facts, "card", text("{\"run\":\"%llu\"}", roll(9)));
    fact(event, facts, "inspected", text("stamp %llu", roll(9)));
    fact(event, facts, "memory", text("%llu", roll(9999)));
    fact(event, facts, "memory_peak", text("%llu", roll(9999)));
  }
}

static struct event event_random(const struct catalog *catalog, int64_t wall_ms)
{
  enum event_kind kind = (enum event_kind)(1 + roll(EVENT_KINDS - 1));
  if (roll(3) == 0) kind = roll(2) ? EVENT_VERSION_PUSHED : EVENT_VERSION_DEPLOYED;
  if (kind == EVENT_TENANT_REMOVED && roll(12)) kind = EVENT_TENANT_CREATED;
  if (kind == EVENT_MODEL_REMOVED && roll(4)) kind = EVENT_MODEL_CREATED;
  struct event event = {.kind = kind,
                        .seq = catalog->seq + 1,
                        .wall_ms = wall_ms,
                        .tenant = text("tenant-%llu", roll(4)),
                        .actor = text("actor-%llu", roll(3))};
  bool about_model = kind != EVENT_TENANT_CREATED && kind != EVENT_TENANT_SET &&
                     kind != EVENT_TENANT_REMOVED && kind != EVENT_KEY_ADDED &&
                     kind != EVENT_KEY_REVOKED && kind != EVENT_KEY_ENDS &&
                     kind != EVENT_FLAGS_SET && kind != EVENT_FLAG_REMOVED;
  if ((kind == EVENT_FREEZE_SET || kind == EVENT_FREEZE_LIFTED) && roll(2)) about_model = false;
  if (about_model) event.model = text(roll(9) ? "m%llu" : "M%llu", roll(3));
  const struct catalog_tenant *tenant = catalog_tenant(catalog, event.tenant);
  const struct catalog_model *model = tenant ? catalog_model(tenant, event.model) : NULL;
  if (about_model) event.version = (uint32_t)(1 + roll(model ? model->n_versions + 1 : 1));
  if (roll(4) == 0) {
    event.idempotency = text("idem-%llu", roll(60));
    if (roll(2)) event.request = text("%032llx", rand_u64(&rnd));
  }
  if (kind == EVENT_VERSION_PUSHED) files_add(model, &event);
  if (kind == EVENT_RELEASE_STARTED || kind == EVENT_RELEASE_MOVED ||
      kind == EVENT_RELEASE_APPROVED)
    release_facts(model, &event);
  else if (kind == EVENT_KEY_ADDED || kind == EVENT_KEY_REVOKED || kind == EVENT_KEY_ENDS)
    key_facts(&event);
  else if (kind != EVENT_VERSION_PUSHED)
    set_facts(&event);
  if (kind == EVENT_VERSION_REFUSED) event.code = E_MODEL_REJECTED, event.reason = SLICE("no");
  if (kind == EVENT_VERSION_RETIRED && model) event.version = model->serving;
  return event;
}

/* Whatever fits, of many tries. */
static struct catalog *life(uint64_t seed)
{
  struct catalog *catalog = empty(1);
  int64_t wall_ms = 1767225600000;
  rand_seed(&rnd, seed);
  arena_init(&arena, (size_t)1 << 28, NULL);
  n_events = 0;
  for (int i = 0; i < TRIES && n_events < EVENTS_MAX; i++) {
    wall_ms += (int64_t)roll(ONCE_MS / 50);
    struct event event = event_random(catalog, wall_ms);
    if (catalog_apply(catalog, &event, &err) != OK) continue;
    events[n_events++] = event;
    kinds_seen |= UINT64_C(1) << event.kind;
  }
  return catalog;
}

static struct digest digest_after(struct catalog *catalog, uint32_t from)
{
  for (uint32_t i = from; i < n_events; i++)
    if (catalog_apply(catalog, &events[i], &err) != OK) {
      fprintf(stderr, "%s\n", err.text);
      EXPECT(!"the tail folds");
      break;
    }
  return catalog_digest(catalog);
}

/* --- equal to the last member ----------------------------------------------------------------- */

/* Everything of a noun is compared, whatever it is called: texts and pointers by what they lead to,
 * the rest byte for byte. So a member that came later is compared, too. */
static void texts_same(struct slice *a, struct slice *b)
{
  EXPECT(slice_eq(*a, *b));
  *a = *b = SLICE_NONE;
}

static void blobs_same(struct blob **a, struct blob **b)
{
  EXPECT(slice_eq(blob_lend(*a), blob_lend(*b)));
  *a = *b = NULL;
}

#define TEXT(member)  texts_same(&x.member, &y.member)
#define BLOB(member)  blobs_same(&x.member, &y.member)
#define ASIDE(member) memset(&x.member, 0, sizeof x.member), memset(&y.member, 0, sizeof y.member)
#define REST()        EXPECT(memcmp(&x, &y, sizeof x) == 0)

static void version_same(struct catalog_version x, struct catalog_version y)
{
  for (uint32_t i = 0; i < x.n_files && i < y.n_files; i++) {
    EXPECT(slice_eq(x.files[i].name, y.files[i].name) && x.files[i].bytes == y.files[i].bytes);
    EXPECT(digest_same(&x.files[i].digest, &y.files[i].digest));
  }
  TEXT(engine), TEXT(note), TEXT(actor), TEXT(inspected), TEXT(reason), BLOB(card);
  ASIDE(files);
  REST();
}

static void quotas_same(const struct quotas *a, const struct quotas *b)
{
  EXPECT(!a == !b && (!a || memcmp(a, b, sizeof *a) == 0));
}

static void alias_same(struct catalog_alias x, struct catalog_alias y)
{
  TEXT(name), TEXT(set_by);
  REST();
}

static void release_same(struct catalog_release x, struct catalog_release y)
{
  TEXT(plan), TEXT(seed), TEXT(actor), TEXT(rehearse), TEXT(edges);
  REST();
}

static void model_same(struct catalog_model x, struct catalog_model y)
{
  EXPECT(x.n_versions == y.n_versions && x.n_aliases == y.n_aliases && !x.release == !y.release);
  for (uint32_t i = 0; i < x.n_versions; i++) version_same(x.versions[i], y.versions[i]);
  for (uint32_t i = 0; i < x.n_aliases; i++) alias_same(x.aliases[i], y.aliases[i]);
  if (x.release && y.release) release_same(*x.release, *y.release);
  quotas_same(x.quotas, y.quotas);
  EXPECT(!x.meter == !y.meter);
  EXPECT(x.tenant->slot == y.tenant->slot);
  for (uint32_t i = 0; i < x.n_backs; i++) EXPECT_INT(x.backs[i], y.backs[i]);
  TEXT(name), TEXT(asked_actor), BLOB(card);
  ASIDE(versions), ASIDE(versions_cap), ASIDE(aliases), ASIDE(aliases_cap), ASIDE(release);
  ASIDE(quotas), ASIDE(meter), ASIDE(tenant), ASIDE(backs);
  REST();
}

static void entry_same(const struct key_entry *a, const struct key_entry *b)
{
  struct key x = a->key, y = b->key;
  EXPECT(a->seq == b->seq && a->revoked_seq == b->revoked_seq && a->replaced == b->replaced);
  EXPECT(a->tenant->slot == b->tenant->slot);
  for (uint32_t i = 0; i < x.n_cidrs && x.n_cidrs == y.n_cidrs; i++)
    EXPECT(memcmp(&x.cidrs[i], &y.cidrs[i], sizeof x.cidrs[i]) == 0);
  TEXT(person), TEXT(note), TEXT(added_by);
  ASIDE(used_ms), ASIDE(cidrs);
  REST();
}

static void once_same(struct once_key x, struct once_key y)
{
  EXPECT(!x.model == !y.model && (!x.model || x.model->slot == y.model->slot));
  TEXT(key), TEXT(reason);
  ASIDE(next), ASIDE(tenant), ASIDE(model);
  REST();
}

static void tenant_same(struct catalog_tenant x, struct catalog_tenant y)
{
  const struct once_key *a = x.once.first, *b = y.once.first;
  EXPECT(x.keyring.n == y.keyring.n && x.keyring.n_live == y.keyring.n_live);
  for (uint32_t i = 0; i < x.keyring.n; i++) entry_same(x.keyring.entries[i], y.keyring.entries[i]);
  for (; a && b; a = a->next, b = b->next) once_same(*a, *b);
  EXPECT(!a && !b && x.once.n == y.once.n && x.once.newest_ms == y.once.newest_ms);
  quotas_same(x.quotas, y.quotas);
  EXPECT(!x.meter == !y.meter && x.n_models == y.n_models);
  for (uint32_t i = 0; i < x.n_models; i++) EXPECT(slice_eq(x.models[i]->name, y.models[i]->name));
  TEXT(name), TEXT(about), TEXT(added_by), TEXT(flags);
  ASIDE(keyring), ASIDE(once), ASIDE(quotas), ASIDE(meter), ASIDE(models), ASIDE(models_cap);
  ASIDE(flags_text);
  REST();
}

static void freeze_same(struct catalog_freeze x, struct catalog_freeze y)
{
  EXPECT(x.tenant->slot == y.tenant->slot);
  TEXT(model), TEXT(weekly), TEXT(why), TEXT(actor);
  ASIDE(tenant);
  REST();
}

static void catalog_same(const struct catalog *a, const struct catalog *b)
{
  EXPECT(a->n_tenants == b->n_tenants && a->n_models == b->n_models && a->seq == b->seq);
  EXPECT(a->n_once == b->n_once && a->key_index.n == b->key_index.n);
  EXPECT(a->n_freezes == b->n_freezes);
  for (uint32_t i = 0; i < a->n_tenants; i++) tenant_same(*a->tenants[i], *b->tenants[i]);
  for (uint32_t i = 0; i < a->n_models; i++) model_same(*a->models[i], *b->models[i]);
  for (uint32_t i = 0; i < a->n_freezes; i++) freeze_same(a->freezes[i], b->freezes[i]);
}

/* --- the property ----------------------------------------------------------------------------- */

TEST(snapshot_and_tail_are_the_whole)
{
  for (uint64_t seed = 1; seed <= 60; seed++) {
    struct catalog *whole = life(seed);
    struct digest want = catalog_digest(whole);
    EXPECT(n_events > 50);
    for (int cuts = 0; cuts < 4; cuts++) {
      uint32_t cut = cuts == 3 ? n_events : (uint32_t)roll(n_events);
      struct catalog *before = empty(2), *after = empty(3);
      for (uint32_t i = 0; i < cut; i++) EXPECT_INT(catalog_apply(before, &events[i], &err), OK);
      struct blob *bytes = snapshot_write(before);
      EXPECT_INT(snapshot_read(after, blob_lend(bytes), &err), OK);
      struct blob *again = snapshot_write(after);
      EXPECT(slice_eq(blob_lend(bytes), blob_lend(again)));
      struct digest got = digest_after(after, cut);
      EXPECT(digest_same(&got, &want));
      catalog_same(after, whole); /* more than the digest looks at */
      struct blob *end = snapshot_write(after), *full = snapshot_write(whole);
      EXPECT(slice_eq(blob_lend(end), blob_lend(full)));
      blob_drop(bytes), blob_drop(again), blob_drop(end), blob_drop(full);
      catalog_free(before);
      catalog_free(after);
    }
    catalog_free(whole);
    arena_deinit(&arena);
  }
  for (int kind = EVENT_NONE + 1; kind < EVENT_KINDS; kind++)
    if (!(kinds_seen >> kind & 1)) {
      fprintf(stderr, "no life had a %s\n", event_name((enum event_kind)kind));
      EXPECT(!"every kind of event was met");
    }
}

/* What the store's checksum would keep from here: nothing of it crashes. */
TEST(rubbish_is_refused)
{
  struct catalog *catalog = life(7);
  struct blob *bytes = snapshot_write(catalog);
  struct slice all = blob_lend(bytes);
  struct digest whole = catalog_digest(catalog);
  char *copy = grab(all.len);
  uint32_t refused = 0, read = 0;
  for (int i = 0; i < 3000; i++) {
    struct catalog *into = empty(4);
    size_t len = roll(3) ? all.len : roll(all.len);
    memcpy(copy, all.at, all.len);
    for (uint64_t k = roll(4); k > 0 || len == all.len; k--) {
      copy[roll(all.len)] ^= (char)(1 << roll(8));
      if (k == 0) break;
    }
    if (snapshot_read(into, slice_of(copy, len), &err) == OK) {
      struct digest is = catalog_digest(into); /* never another catalog, however well it reads */
      EXPECT(digest_same(&is, &whole));
      read++;
    } else {
      refused++;
    }
    catalog_free(into);
  }
  EXPECT(refused > 1000 && read < 3000);
  struct catalog *into = empty(5);
  EXPECT_INT(snapshot_read(into, SLICE_NONE, &err), E_UNAVAILABLE);
  catalog_free(into);
  ungrab(copy);
  blob_drop(bytes);
  catalog_free(catalog);
  arena_deinit(&arena);
}

TEST(an_empty_catalog_is_one_too)
{
  struct catalog *from = empty(1), *into = empty(2);
  struct blob *bytes = snapshot_write(from);
  EXPECT_INT(snapshot_read(into, blob_lend(bytes), &err), OK);
  EXPECT_INT(into->seq, 0);
  EXPECT(snapshot_form() == snapshot_form() && snapshot_form() != 0);
  blob_drop(bytes);
  catalog_free(from);
  catalog_free(into);
}
