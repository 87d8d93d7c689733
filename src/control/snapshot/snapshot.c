/* snapshot.c - each noun of the catalog, described once: the same calls write it and read it.
 * Thread: control (main before it starts). Pure.
 * What can be told from the rest is not kept: tables, counts of what lives, caps of arrays.
 * SPDX-License-Identifier: MIT */
#include "control/snapshot/snapshot.h"

#include "base/buf.h"
#include "base/mem.h"
#include "control/catalog_int.h"
#include "control/quota.h"
#include "control/registry/fold.h"
#include "control/release/fold.h"

/* One way through a catalog, out of it or into it. */
struct snap {
  bool reading, bad;
  struct catalog *catalog;
  struct buf *out;
  struct slice in;
};

/* What a noun's function below was written for. Whoever adds a member describes it there, and then
 * corrects the number: a member that is forgotten would be gone after a restart. */
#define NOUN_SIZE(noun, bytes)                                                                  \
  _Static_assert(sizeof(struct noun) == (bytes), #noun " has another member: see its function " \
                                                       "here")
NOUN_SIZE(catalog_version, 240);
NOUN_SIZE(catalog_model, 456);
NOUN_SIZE(catalog_tenant, 224);
NOUN_SIZE(catalog_alias, 56);
NOUN_SIZE(once_key, 120);
NOUN_SIZE(catalog_release, 992);
NOUN_SIZE(catalog_freeze, 104);
NOUN_SIZE(key_entry, 192);
NOUN_SIZE(event_file, 56);
NOUN_SIZE(catalog, 184);

/* --- plain members ---------------------------------------------------------------------------- */

static void snap_u64(struct snap *snap, uint64_t *value)
{
  if (snap->reading) {
    if (!varint_get(&snap->in, value)) *value = 0, snap->bad = true;
    return;
  }
  unsigned char bytes[VARINT_BYTES_MAX];
  struct varint_out out = {.at = bytes, .cap = sizeof bytes};
  varint_put(&out, *value);
  buf_add(snap->out, slice_of((const char *)bytes, out.len));
}

static void snap_i64(struct snap *snap, int64_t *value)
{
  uint64_t folded = (uint64_t)*value << 1 ^ (uint64_t)(*value >> 63);
  snap_u64(snap, &folded);
  *value = (int64_t)(folded >> 1 ^ (0 - (folded & 1)));
}

/* At most `most`: what reads as more is rubbish. */
static uint64_t snap_upto(struct snap *snap, uint64_t value, uint64_t most)
{
  snap_u64(snap, &value);
  if (value <= most) return value;
  snap->bad = true;
  return 0;
}

static void snap_u32(struct snap *snap, uint32_t *value)
{
  *value = (uint32_t)snap_upto(snap, *value, UINT32_MAX);
}

static void snap_bool(struct snap *snap, bool *value) { *value = snap_upto(snap, *value, 1) != 0; }

/* A count of things of a byte at least: no more than there are bytes. */
static void snap_count(struct snap *snap, uint32_t *n)
{
  *n = (uint32_t)snap_upto(snap, *n, snap->reading ? snap->in.len : UINT32_MAX);
}

static void snap_bytes(struct snap *snap, void *bytes, size_t n)
{
  if (!snap->reading) {
    buf_add(snap->out, slice_of(bytes, n));
  } else if (snap->in.len < n) {
    snap->bad = true;
  } else {
    memcpy(bytes, snap->in.at, n);
    snap->in = slice_from(snap->in, n);
  }
}

/* A view of the bytes there are, or were. */
static struct slice snap_view(struct snap *snap, struct slice text)
{
  size_t len = snap_upto(snap, text.len, SIZE_MAX);
  if (snap->reading && len > snap->in.len) len = 0, snap->bad = true;
  if (!snap->reading) {
    buf_add(snap->out, text);
    return text;
  }
  text = len ? slice_of(snap->in.at, len) : SLICE_NONE;
  if (len) snap->in = slice_from(snap->in, len);
  return text;
}

static void snap_text(struct snap *snap, struct slice *text)
{
  struct slice view = snap_view(snap, *text);
  if (snap->reading) *text = catalog_keep(snap->catalog, view);
}

static void snap_blob(struct snap *snap, struct blob **blob)
{
  struct slice view = snap_view(snap, blob_lend(*blob));
  if (snap->reading) *blob = view.len ? blob_copy(view) : NULL;
}

static void snap_quotas(struct snap *snap, struct quotas **quotas, enum quota_scope scope)
{
  char text[QUOTAS_TEXT_MAX];
  bool there = *quotas != NULL;
  snap_bool(snap, &there);
  if (!there) return;
  size_t len = snap->reading ? 0 : quotas_write(*quotas, text);
  struct slice view = snap_view(snap, slice_of(text, len));
  if (!snap->reading) return;
  *quotas = catalog_room(snap->catalog, 1, sizeof **quotas);
  struct err ignored;
  if (quotas_read(*quotas, scope, view, &ignored)) snap->bad = true;
}

/* --- versions and models ---------------------------------------------------------------------- */

static void snap_files(struct snap *snap, struct catalog_version *version)
{
  snap_count(snap, &version->n_files);
  struct event_file *files = (struct event_file *)(uintptr_t)version->files;
  if (snap->reading) files = catalog_room(snap->catalog, version->n_files, sizeof *files);
  for (uint32_t i = 0; i < version->n_files && !snap->bad; i++) {
    snap_text(snap, &files[i].name);
    snap_u64(snap, &files[i].bytes);
    snap_bytes(snap, files[i].digest.at, SHA256_LEN);
  }
  version->files = files;
}

static void snap_version(struct snap *snap, struct catalog_version *version)
{
  snap_u32(snap, &version->number);
  snap_text(snap, &version->engine);
  snap_text(snap, &version->note);
  snap_text(snap, &version->actor);
  snap_files(snap, version);
  snap_u64(snap, &version->bytes);
  snap_bytes(snap, version->digest.at, SHA256_LEN);
  snap_i64(snap, &version->pushed_ms);
  snap_u64(snap, &version->seq);
  snap_blob(snap, &version->card);
  snap_bool(snap, &version->held);
  snap_u64(snap, &version->removed);
  snap_u64(snap, &version->corrupt);
  snap_u64(snap, &version->quarantined);
  snap_text(snap, &version->quarantine);
  snap_text(snap, &version->inspected);
  snap_u64(snap, &version->memory_bytes);
  snap_u64(snap, &version->memory_peak_bytes);
  version->refused = (enum code)snap_upto(snap, version->refused, CODE_COUNT - 1);
  snap_text(snap, &version->reason);
}

static void snap_versions(struct snap *snap, struct catalog_model *model)
{
  snap_count(snap, &model->n_versions);
  if (snap->reading) {
    model->versions_cap = model->n_versions;
    model->versions = catalog_room(snap->catalog, model->n_versions, sizeof *model->versions);
  }
  for (uint32_t i = 0; i < model->n_versions && !snap->bad; i++) {
    struct catalog_version *version = &model->versions[i];
    snap_version(snap, version);
    if (version->number != i + 1) snap->bad = true;
    if (!snap->reading || version->removed) continue;
    model->n_live++;
    model->n_held += version->held;
    model->tenant->n_versions_live++;
    model->tenant->bytes_live += version->bytes;
  }
}

static void snap_aliases(struct snap *snap, struct catalog_model *model)
{
  model->n_aliases = (uint32_t)snap_upto(snap, model->n_aliases, ALIASES_MAX);
  if (snap->reading) {
    model->aliases_cap = model->n_aliases;
    model->aliases = catalog_room(snap->catalog, model->n_aliases, sizeof *model->aliases);
  }
  for (uint32_t i = 0; i < model->n_aliases && !snap->bad; i++) {
    struct catalog_alias *alias = &model->aliases[i];
    snap_text(snap, &alias->name);
    snap_u32(snap, &alias->version);
    snap_u64(snap, &alias->seq);
    snap_i64(snap, &alias->set_ms);
    snap_text(snap, &alias->set_by);
  }
}

static void snap_rollout(struct snap *snap, struct rollout *rollout)
{
  unsigned char bytes[ROLLOUT_BYTES_MAX];
  struct varint_out out = {.at = bytes, .cap = sizeof bytes};
  if (!snap->reading) rollout_write(rollout, &out);
  struct slice view = snap_view(snap, slice_of((const char *)bytes, out.len));
  struct err ignored;
  if (snap->reading && (rollout_read(rollout, &view, &ignored) || view.len)) snap->bad = true;
}

static void snap_release(struct snap *snap, struct catalog_model *model)
{
  struct catalog_release *release = model->release;
  bool there = release != NULL;
  snap_bool(snap, &there);
  if (!there) return;
  if (snap->reading) release = model->release = catalog_room(snap->catalog, 1, sizeof *release);
  snap_u32(snap, &release->number);
  release->n_arms = (uint32_t)snap_upto(snap, release->n_arms, ARMS_MAX);
  for (uint32_t i = 0; i < release->n_arms; i++) snap_u32(snap, &release->versions[i]);
  snap_text(snap, &release->plan);
  snap_text(snap, &release->seed);
  snap_text(snap, &release->actor);
  snap_text(snap, &release->rehearse);
  snap_text(snap, &release->edges);
  snap_rollout(snap, &release->rollout);
  snap_u64(snap, &release->looks);
  snap_u64(snap, &release->started_seq);
  snap_u64(snap, &release->seq);
  snap_i64(snap, &release->started_ms);
  snap_i64(snap, &release->moved_ms);
  snap_bool(snap, &release->served);
}

/* Every number of a version that the model names is one of its own. */
static bool numbers_fit(const struct catalog_model *model)
{
  const struct catalog_release *release = model->release;
  for (uint32_t i = 0; i < model->n_backs; i++)
    if (!model->backs[i] || model->backs[i] > model->n_versions) return false;
  for (uint32_t i = 0; i < model->n_aliases; i++)
    if (!model->aliases[i].version || model->aliases[i].version > model->n_versions) return false;
  if (model->serving > model->n_versions || model->asked > model->n_versions) return false;
  for (uint32_t i = 0; release && i < release->n_arms; i++)
    if (!release->versions[i] || release->versions[i] > model->n_versions) return false;
  return !release || release->n_arms >= 2;
}

static void snap_model(struct snap *snap, struct catalog_model *model)
{
  bool metered = model->meter != NULL;
  snap_blob(snap, &model->card);
  snap_bool(snap, &model->held);
  snap_u64(snap, &model->removed);
  snap_u64(snap, &model->changed_seq);
  snap_i64(snap, &model->created_ms);
  snap_versions(snap, model);
  snap_aliases(snap, model);
  snap_u32(snap, &model->serving);
  snap_u64(snap, &model->switched_seq);
  snap_i64(snap, &model->switched_ms);
  model->n_backs = (uint32_t)snap_upto(snap, model->n_backs, BACKS_MAX);
  for (uint32_t i = 0; i < model->n_backs; i++) snap_u32(snap, &model->backs[i]);
  snap_u32(snap, &model->asked);
  model->asked_kind = (enum event_kind)snap_upto(snap, model->asked_kind, EVENT_KINDS - 1);
  snap_text(snap, &model->asked_actor);
  snap_quotas(snap, &model->quotas, QUOTA_MODEL);
  snap_bool(snap, &metered);
  if (snap->reading && metered) model->meter = quota_meter(snap->catalog);
  snap_release(snap, model);
  snap_u32(snap, &model->n_releases);
  if (!numbers_fit(model)) snap->bad = true;
}

/* --- keys, of both kinds ---------------------------------------------------------------------- */

static void snap_key(struct snap *snap, struct catalog_tenant *tenant, struct once_key *key)
{
  uint32_t slot = key->model ? key->model->slot + 1 : 0;
  key->key = snap_view(snap, key->key);
  snap_u32(snap, &slot);
  key->kind = (enum event_kind)snap_upto(snap, key->kind, EVENT_KINDS - 1);
  snap_u32(snap, &key->version);
  snap_u32(snap, &key->release);
  snap_u64(snap, &key->seq);
  snap_i64(snap, &key->wall_ms);
  snap_u64(snap, &key->asked);
  snap_bytes(snap, key->request, sizeof key->request);
  snap_bool(snap, &key->has_request);
  key->code = (enum code)snap_upto(snap, key->code, CODE_COUNT - 1);
  key->reason = snap_view(snap, key->reason);
  if (!snap->reading) return;
  if (slot > snap->catalog->n_models || !key->key.len || once_find(snap->catalog, tenant, key->key))
    snap->bad = true;
  if (snap->bad) return;
  key->model = slot ? snap->catalog->models[slot - 1] : NULL;
  once_add(snap->catalog, tenant, key);
}

static void snap_once(struct snap *snap, struct catalog_tenant *tenant)
{
  uint32_t n = tenant->once.n;
  snap_i64(snap, &tenant->once.newest_ms);
  snap_count(snap, &n);
  struct once_key *at = tenant->once.first;
  for (uint32_t i = 0; i < n && !snap->bad; i++) {
    struct once_key key = snap->reading ? (struct once_key){.next = NULL} : *at;
    if (!snap->reading) at = at->next;
    snap_key(snap, tenant, &key);
  }
}

static void snap_cidrs(struct snap *snap, struct key *key)
{
  key->n_cidrs = (uint32_t)snap_upto(snap, key->n_cidrs, CIDRS_MAX);
  struct cidr *cidrs = (struct cidr *)(uintptr_t)key->cidrs;
  if (snap->reading) cidrs = catalog_room(snap->catalog, key->n_cidrs, sizeof *cidrs);
  for (uint32_t i = 0; i < key->n_cidrs; i++) {
    snap_bytes(snap, cidrs[i].net.at, sizeof cidrs[i].net.at);
    cidrs[i].bits = (uint8_t)snap_upto(snap, cidrs[i].bits, 128);
  }
  key->cidrs = cidrs;
}

/* When it was used last is not of the ledger. */
static void snap_entry(struct snap *snap, struct key_entry *entry)
{
  struct key *key = &entry->key;
  snap_bytes(snap, key->id, KEY_ID_LEN);
  key->role = (enum role)snap_upto(snap, key->role, ROLE_COUNT - 1);
  snap_text(snap, &key->person);
  snap_bytes(snap, key->hash.at, SHA256_LEN);
  snap_i64(snap, &key->expires_ms);
  snap_i64(snap, &key->added_ms);
  snap_text(snap, &key->note);
  snap_text(snap, &key->added_by);
  snap_bytes(snap, key->replaces, KEY_ID_LEN);
  snap_cidrs(snap, key);
  snap_u64(snap, &entry->seq);
  snap_u64(snap, &entry->revoked_seq);
  snap_bool(snap, &entry->replaced);
}

static void snap_keyring(struct snap *snap, struct catalog_tenant *tenant)
{
  uint32_t n = tenant->keyring.n;
  snap_count(snap, &n);
  for (uint32_t i = 0; i < n && !snap->bad; i++) {
    struct key_entry *entry =
        snap->reading ? catalog_room(snap->catalog, 1, sizeof *entry) : tenant->keyring.entries[i];
    snap_entry(snap, entry);
    if (!snap->reading || snap->bad) continue;
    if (key_entry(snap->catalog, key_id(&entry->key)))
      snap->bad = true;
    else
      keyring_add(snap->catalog, tenant, entry);
  }
}

/* --- tenants, freezes, all of it -------------------------------------------------------------- */

static void snap_flags(struct snap *snap, struct catalog_tenant *tenant)
{
  struct slice view = snap_view(snap, tenant->flags);
  snap_u64(snap, &tenant->flags_seq);
  snap_i64(snap, &tenant->flags_ms);
  if (!snap->reading || !view.len) return;
  tenant->flags_text = grab(view.len);
  memcpy(tenant->flags_text, view.at, view.len);
  tenant->flags = slice_of(tenant->flags_text, view.len);
}

static void snap_tenant(struct snap *snap, struct catalog_tenant *tenant)
{
  snap_text(snap, &tenant->about);
  snap_text(snap, &tenant->added_by);
  snap_i64(snap, &tenant->added_ms);
  snap_u64(snap, &tenant->removed_seq);
  snap_flags(snap, tenant);
  snap_quotas(snap, &tenant->quotas, QUOTA_TENANT);
  snap_keyring(snap, tenant);
}

static void snap_freeze(struct snap *snap, struct catalog_freeze *freeze)
{
  uint32_t slot = freeze->tenant ? freeze->tenant->slot : 0;
  freeze->scope = (enum freeze_scope)snap_upto(snap, freeze->scope, FREEZE_MODEL);
  snap_u32(snap, &slot);
  snap_text(snap, &freeze->model);
  snap_i64(snap, &freeze->from_ms);
  snap_i64(snap, &freeze->until_ms);
  snap_text(snap, &freeze->weekly);
  snap_text(snap, &freeze->why);
  snap_text(snap, &freeze->actor);
  snap_u64(snap, &freeze->seq);
  if (slot >= snap->catalog->n_tenants)
    snap->bad = true;
  else
    freeze->tenant = snap->catalog->tenants[slot];
}

/* Names first, in the order of their slots: the rest finds tenants and models by these. */
static void snap_names(struct snap *snap)
{
  struct catalog *catalog = snap->catalog;
  uint32_t n_tenants = catalog->n_tenants, n_models = catalog->n_models;
  snap_count(snap, &n_tenants);
  for (uint32_t i = 0; i < n_tenants && !snap->bad; i++) {
    struct slice name = snap_view(snap, snap->reading ? SLICE_NONE : catalog->tenants[i]->name);
    if (snap->reading && (!name.len || catalog_tenant_ever(catalog, name))) snap->bad = true;
    if (snap->reading && !snap->bad) tenant_grow(catalog, name);
  }
  snap_count(snap, &n_models);
  for (uint32_t i = 0; i < n_models && !snap->bad; i++) {
    struct catalog_model *model = snap->reading ? NULL : catalog->models[i];
    uint32_t slot = model ? model->tenant->slot : 0;
    struct slice name = snap_view(snap, model ? model->name : SLICE_NONE);
    snap_u32(snap, &slot);
    if (snap->reading && (slot >= catalog->n_tenants || !name.len ||
                          catalog_model_like(catalog->tenants[slot], name)))
      snap->bad = true;
    if (snap->reading && !snap->bad) model_grow(catalog, catalog->tenants[slot], name);
  }
}

static void snap_freezes(struct snap *snap)
{
  struct catalog *catalog = snap->catalog;
  catalog->n_freezes = (uint32_t)snap_upto(snap, catalog->n_freezes, FREEZES_MAX);
  if (snap->reading) {
    catalog->freezes_cap = catalog->n_freezes;
    catalog->freezes = catalog_room(catalog, catalog->n_freezes, sizeof *catalog->freezes);
  }
  for (uint32_t i = 0; i < catalog->n_freezes && !snap->bad; i++)
    snap_freeze(snap, &catalog->freezes[i]);
}

static void snap_catalog(struct snap *snap)
{
  struct catalog *catalog = snap->catalog;
  snap_u64(snap, &catalog->seq);
  snap_names(snap);
  for (uint32_t i = 0; i < catalog->n_tenants && !snap->bad; i++)
    snap_tenant(snap, catalog->tenants[i]);
  for (uint32_t i = 0; i < catalog->n_models && !snap->bad; i++)
    snap_model(snap, catalog->models[i]);
  for (uint32_t i = 0; i < catalog->n_tenants && !snap->bad; i++)
    snap_once(snap, catalog->tenants[i]);
  snap_freezes(snap);
  for (uint32_t i = 0; snap->reading && i < catalog->n_models && !snap->bad; i++)
    catalog->models[i]->tenant->n_models_live += !catalog->models[i]->removed;
}

/* --- out and in ------------------------------------------------------------------------------- */

uint64_t snapshot_form(void)
{
  static const unsigned char key[16] = "slipway's forms";
  struct buf names;
  buf_init(&names, 1 << 20);
  buf_print(&names, "2 %zu %zu %zu %zu %zu %zu %zu %zu %zu", sizeof(struct catalog_version),
            sizeof(struct catalog_model), sizeof(struct catalog_tenant),
            sizeof(struct catalog_alias), sizeof(struct once_key), sizeof(struct catalog_release),
            sizeof(struct catalog_freeze), sizeof(struct key_entry), sizeof(struct event_file));
  for (int i = 0; i < CODE_COUNT; i++) buf_print(&names, " %s", code_name((enum code)i));
  for (int i = EVENT_NONE; i < EVENT_KINDS; i++)
    buf_print(&names, " %s", event_name((enum event_kind)i));
  for (int i = 0; i < ROLE_COUNT; i++) buf_print(&names, " %s", role_name((enum role)i));
  must(!names.full);
  uint64_t form = siphash(key, buf_lend(&names));
  buf_deinit(&names);
  return form;
}

struct blob *snapshot_write(const struct catalog *catalog)
{
  struct buf out;
  buf_init(&out, SNAPSHOT_BYTES_MAX);
  struct snap snap = {.catalog = (struct catalog *)(uintptr_t)catalog, .out = &out};
  struct digest digest = catalog_digest(catalog);
  snap_catalog(&snap);
  snap_bytes(&snap, digest.at, SHA256_LEN);
  must(!snap.bad);
  struct blob *blob = out.full ? NULL : blob_copy(buf_lend(&out));
  buf_deinit(&out);
  return blob;
}

enum code snapshot_read(struct catalog *catalog, struct slice bytes, struct err *err)
{
  struct snap snap = {.reading = true, .catalog = catalog, .in = bytes};
  must(catalog->seq == 0 && catalog->n_tenants == 0);
  struct digest said, is;
  snap_catalog(&snap);
  snap_bytes(&snap, said.at, SHA256_LEN);
  if (!snap.bad && snap.in.len == 0) {
    is = catalog_digest(catalog);
    if (digest_same(&said, &is)) return OK;
    return fail(err, E_UNAVAILABLE, "the snapshot reads as another catalog than was written");
  }
  return fail(err, E_UNAVAILABLE, "the snapshot is no catalog, %zu bytes before its end",
              snap.in.len);
}
