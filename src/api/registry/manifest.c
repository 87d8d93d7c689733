/* manifest.c - one version with all of its files, as they were pushed.
 * Thread: desk.
 * Files are in the ledger, in the event that made the version; worlds carry only their digest. What
 * is shown is checked against that digest: a manifest that does not hash to it is none.
 * SPDX-License-Identifier: MIT */
#include "api/registry/registry_int.h"
#include "api/manifest_int.h"
#include "api/render_int.h"
#include "base/clock.h"

enum { MANIFEST_DEADLINE_US = 2000000 };

struct manifest {
  struct arena *arena; /* NULL: the event itself is not kept */
  struct event event;
  struct buf lines; /* what the digest is of */
  json_t *files;
  struct digest digest;
  bool met;
};

static enum code pushed_met(void *arg, const struct event *event, const struct digest *hash,
                            struct err *err)
{
  struct manifest *manifest = arg;
  (void)hash;
  if (manifest->arena && !event_copy(manifest->arena, event, &manifest->event))
    return fail(err, E_LIMIT_EXCEEDED, "the version's list of files is too long");
  manifest->met = event->kind == EVENT_VERSION_PUSHED;
  manifest->digest = event_manifest(event);
  for (uint32_t i = 0; i < event->n_files; i++) {
    const struct event_file *file = &event->files[i];
    char hex[SHA256_HEX_LEN + 1];
    digest_hex(&file->digest, hex);
    buf_print(&manifest->lines, "%s %llu %.*s\n", hex, (unsigned long long)file->bytes,
              (int)file->name.len, file->name.at);
    json_array_append_new(manifest->files,
                          json_pack("{so,so,ss}", "name", json_slice(file->name), "bytes",
                                    json_u64(file->bytes), "sha256", hex));
  }
  return OK;
}

/* False: ask->err. */
static bool manifest_read(struct ask *ask, const struct version *version, struct arena *keep,
                          struct manifest *manifest)
{
  struct history *history = ask_history(ask);
  *manifest = (struct manifest){.arena = keep, .files = json_array()};
  buf_init(&manifest->lines, EVENT_FILES_MAX * 256);
  if (!history) return false;
  struct history_range range = {.tenant = ask->letter->tenant,
                                .model = ask->letter->params[0],
                                .before = version->seq + 1,
                                .limit = 1,
                                .deadline_us = clock_us() + MANIFEST_DEADLINE_US};
  if (history_read(history, &range, pushed_met, manifest, &ask->err) != OK) return false;
  if (manifest->met && digest_same(&manifest->digest, &version->digest)) return true;
  fail(&ask->err, E_INTERNAL, "the ledger has no manifest of version %u that fits its digest",
       version->number);
  return false;
}

static void manifest_end(struct manifest *manifest)
{
  buf_deinit(&manifest->lines);
  json_decref(manifest->files);
}

bool manifest_event_read(struct ask *ask, const struct version *version, struct event *event)
{
  struct manifest manifest;
  bool read = manifest_read(ask, version, &ask->arena, &manifest);
  *event = manifest.event;
  manifest_end(&manifest);
  return read;
}

enum desk_step version_show(struct ask *ask)
{
  const struct version *version = registry_version(ask);
  struct manifest manifest;
  if (!version) return ask_fail(ask);
  if (!manifest_read(ask, version, NULL, &manifest)) {
    manifest_end(&manifest);
    return ask_fail(ask);
  }
  const struct model *model = ask_model(ask, 0);
  json_t *tree = version_json(version), *aliases = json_array();
  for (uint32_t i = 0; i < model->n_aliases; i++)
    if (model->aliases[i].version == version->number)
      json_array_append_new(aliases, json_slice(model->aliases[i].name));
  json_object_set_new(tree, "model", json_slice(model->name));
  json_object_set_new(tree, "aliases", aliases);
  json_object_set(tree, "files", manifest.files);
  manifest_end(&manifest);
  ask_etag(ask, model);
  return ask_json(ask, 200, tree);
}

enum desk_step version_manifest(struct ask *ask)
{
  const struct version *version = registry_version(ask);
  struct manifest manifest;
  if (!version) return ask_fail(ask);
  bool read = manifest_read(ask, version, NULL, &manifest);
  struct blob *text = read ? blob_copy(buf_lend(&manifest.lines)) : NULL;
  manifest_end(&manifest);
  if (!read) return ask_fail(ask);
  char hex[SHA256_HEX_LEN + 1];
  struct ask_reply *reply = &ask->letter->reply;
  digest_hex(&version->digest, hex);
  snprintf(reply->etag, sizeof reply->etag, "\"%s\"", hex);
  return ask_text(ask, 200, "text/plain; charset=utf-8", text);
}
