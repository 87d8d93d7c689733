/* event.c - names of events, the identity of a version, deep copies.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/event.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/utf8.h"

static const char *const names[EVENT_KINDS] = {
    [EVENT_NONE] = "none",
    [EVENT_TENANT_CREATED] = "tenant_created",
    [EVENT_MODEL_CREATED] = "model_created",
    [EVENT_VERSION_PUSHED] = "version_pushed",
    [EVENT_VERSION_DEPLOYED] = "version_deployed",
    [EVENT_VERSION_REFUSED] = "version_refused",
    [EVENT_VERSION_RETIRED] = "version_retired",
    [EVENT_ROLLED_BACK] = "rolled_back",
    [EVENT_DEPLOY_ASKED] = "deploy_asked",
    [EVENT_ROLLBACK_ASKED] = "rollback_asked",
    [EVENT_RELEASE_STARTED] = "release_started",
    [EVENT_RELEASE_MOVED] = "release_moved",
    [EVENT_RELEASE_APPROVED] = "release_approved",
    [EVENT_FREEZE_SET] = "freeze_set",
    [EVENT_FREEZE_LIFTED] = "freeze_lifted",
    [EVENT_KEY_ADDED] = "key_added",
    [EVENT_KEY_REVOKED] = "key_revoked",
    [EVENT_FLAGS_SET] = "flags_set",
    [EVENT_FLAG_REMOVED] = "flag_removed",
    [EVENT_MODEL_SET] = "model_set",
    [EVENT_VERSION_SET] = "version_set",
    [EVENT_ALIAS_SET] = "alias_set",
    [EVENT_ALIAS_REMOVED] = "alias_removed",
    [EVENT_MODEL_REMOVED] = "model_removed",
    [EVENT_VERSION_REMOVED] = "version_removed",
    [EVENT_VERSION_CORRUPT] = "version_corrupt",
    [EVENT_VERSION_SOUND] = "version_sound",
    [EVENT_VERSION_QUARANTINED] = "version_quarantined",
    [EVENT_VERSION_CLEARED] = "version_cleared",
    [EVENT_TENANT_SET] = "tenant_set",
    [EVENT_TENANT_REMOVED] = "tenant_removed",
    [EVENT_KEY_ENDS] = "key_ends",
};

enum code event_text_check(const char *what, struct slice text, size_t max, struct err *err)
{
  if (text.len > max)
    return fail(err, E_INVALID_ARGUMENT, "%s has %zu bytes; at most %zu are kept", what, text.len,
                max);
  if (!utf8_valid(text)) return fail(err, E_INVALID_ARGUMENT, "%s is not UTF-8", what);
  return OK;
}

const char *event_name(enum event_kind kind)
{
  must(kind < EVENT_KINDS && names[kind]);
  return names[kind];
}

enum event_kind event_named(struct slice name)
{
  for (int kind = EVENT_NONE + 1; kind < EVENT_KINDS; kind++)
    if (slice_eq(name, slice_str(names[kind]))) return (enum event_kind)kind;
  return EVENT_NONE;
}

struct slice event_fact(const struct event *event, const char *name)
{
  for (uint32_t i = 0; i < event->n_facts; i++)
    if (slice_eq(event->facts[i].name, slice_str(name))) return event->facts[i].value;
  return SLICE_NONE;
}

bool event_says(const struct event *event, const char *name)
{
  for (uint32_t i = 0; i < event->n_facts; i++)
    if (slice_eq(event->facts[i].name, slice_str(name))) return true;
  return false;
}

int64_t event_fact_int(const struct event *event, const char *name, int64_t absent)
{
  struct slice text = event_fact(event, name);
  bool minus = text.len && text.at[0] == '-';
  uint64_t value;
  if (minus) text = slice_of(text.at + 1, text.len - 1);
  if (!text.len || !text_read_u64(text, INT64_MAX, &value)) return absent;
  return minus ? -(int64_t)value : (int64_t)value;
}

static int file_compare(const void *a, const void *b)
{
  const struct event_file *x = *(const struct event_file *const *)a;
  const struct event_file *y = *(const struct event_file *const *)b;
  size_t common = x->name.len < y->name.len ? x->name.len : y->name.len;
  int order = common ? memcmp(x->name.at, y->name.at, common) : 0;
  if (order) return order;
  return x->name.len < y->name.len ? -1 : x->name.len > y->name.len;
}

/* One line a file, "DIGEST SIZE NAME\n", sorted by name: what sha256sum would say, nearly. */
uint32_t event_serving(const struct event *event)
{
  if (event->kind == EVENT_VERSION_DEPLOYED || event->kind == EVENT_ROLLED_BACK)
    return event->version;
  if (event->kind != EVENT_RELEASE_MOVED) return 0;
  bool old = slice_eq(event_fact(event, "state"), SLICE("completed"));
  int64_t serving = event_fact_int(event, "serving", old ? event->version : 0);
  return serving > 0 && serving <= UINT32_MAX ? (uint32_t)serving : 0;
}

struct digest event_manifest(const struct event *event)
{
  const struct event_file *sorted[EVENT_FILES_MAX];
  must(event->n_files <= EVENT_FILES_MAX);
  for (uint32_t i = 0; i < event->n_files; i++) sorted[i] = &event->files[i];
  if (event->n_files) qsort(sorted, event->n_files, sizeof *sorted, file_compare);
  struct sha256 sha;
  sha256_init(&sha);
  for (uint32_t i = 0; i < event->n_files; i++) {
    char head[SHA256_HEX_LEN + 32];
    digest_hex(&sorted[i]->digest, head);
    int len = snprintf(head + SHA256_HEX_LEN, sizeof head - SHA256_HEX_LEN, " %llu ",
                       (unsigned long long)sorted[i]->bytes);
    sha256_add(&sha, slice_of(head, SHA256_HEX_LEN + (size_t)len));
    sha256_add(&sha, sorted[i]->name);
    sha256_add(&sha, SLICE("\n"));
  }
  return sha256_end(&sha);
}

static bool text_copy(struct arena *arena, struct slice *text)
{
  if (!text->len) {
    *text = SLICE_NONE;
    return true;
  }
  *text = arena_copy(arena, *text);
  return text->at != NULL;
}

static bool files_copy(struct arena *arena, const struct event *from, struct event *to)
{
  to->files = NULL;
  if (!from->n_files) return true;
  struct event_file *files = arena_zero(arena, from->n_files, sizeof *files);
  if (!files) return false;
  for (uint32_t i = 0; i < from->n_files; i++) {
    files[i] = from->files[i];
    if (!text_copy(arena, &files[i].name)) return false;
  }
  to->files = files;
  return true;
}

static bool facts_copy(struct arena *arena, const struct event *from, struct event *to)
{
  to->facts = NULL;
  if (!from->n_facts) return true;
  struct event_fact *facts = arena_zero(arena, from->n_facts, sizeof *facts);
  if (!facts) return false;
  for (uint32_t i = 0; i < from->n_facts; i++) {
    facts[i] = from->facts[i];
    if (!text_copy(arena, &facts[i].name) || !text_copy(arena, &facts[i].value)) return false;
  }
  to->facts = facts;
  return true;
}

bool event_copy(struct arena *arena, const struct event *from, struct event *to)
{
  *to = *from;
  if (!text_copy(arena, &to->actor) || !text_copy(arena, &to->tenant) ||
      !text_copy(arena, &to->model) || !text_copy(arena, &to->engine) ||
      !text_copy(arena, &to->note) || !text_copy(arena, &to->reason) ||
      !text_copy(arena, &to->idempotency) || !text_copy(arena, &to->request))
    return false;
  return files_copy(arena, from, to) && facts_copy(arena, from, to);
}
