/* version.c - versions: made of uploaded files, listed newest first.
 * Thread: desk.
 * A manifest's names are plain: they never reach the file system (objects are stored by hash), and
 * engines see them only as labels.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "api/handlers_int.h"
#include "api/tenant/quota_int.h"
#include "api/manifest_int.h"
#include "api/page.h"
#include "api/registry/registry_int.h"
#include "api/render_int.h"
#include "store/artifact.h"
#include "store/held.h"

enum { VERSIONS_PAGE = 100, VERSIONS_PAGE_MAX = 1000, ENGINE_NAME_MAX = 32 };

const char *version_state_name(enum version_state state)
{
  static const char *const names[] = {
      [VERSION_STORED] = "STORED",
      [VERSION_LOADING] = "LOADING",
      [VERSION_READY] = "READY",
      [VERSION_FAILED] = "FAILED",
      [VERSION_RESTING] = "RESTING",
  };
  return names[state];
}

json_t *version_json(const struct version *version)
{
  json_t *tree = json_object();
  json_object_set_new(tree, "version", json_integer(version->number));
  json_object_set_new(tree, "state",
                      json_string(version->quarantined ? "QUARANTINED"
                                                       : version_state_name(version->state)));
  json_object_set_new(tree, "reason", json_slice(version->reason));
  json_object_set_new(tree, "engine", json_slice(version->engine));
  json_object_set_new(tree, "note", json_slice(version->note));
  json_object_set_new(tree, "digest", json_digest(&version->digest));
  json_object_set_new(tree, "bytes", json_u64(version->bytes));
  json_object_set_new(tree, "pushed_at", json_time(version->pushed_ms));
  if (version->corrupt) json_object_set_new(tree, "corrupt", json_true());
  card_set(tree, version->card);
  if (!version_answers(version)) return tree;
  json_object_set_new(tree, "platform", json_slice(version->platform));
  json_object_set_new(tree, "memory_bytes", json_u64(version->memory_bytes));
  json_object_set_new(tree, "load_us", json_integer(version->load_us));
  json_object_set_new(tree, "feedback_window_s",
                      version->feedback_ms ? json_real((double)version->feedback_ms / 1000)
                                           : json_null());
  json_object_set_new(tree, "run_ns", json_integer(version->run_ns));
  json_object_set_new(tree, "deadline_us", json_integer(version->deadline_us));
  json_object_set_new(tree, "instances", json_integer(version->n_seats));
  return tree;
}

enum desk_step version_list(struct ask *ask)
{
  int64_t limit;
  uint64_t before;
  const struct model *model = ask_model(ask, 0);
  if (!model || !page_read_number(ask, VERSIONS_PAGE, VERSIONS_PAGE_MAX, &limit, &before))
    return ask_fail(ask);
  json_t *list = json_array();
  uint32_t i = before ? model_versions_below(model, before) : model->n_versions;
  for (; i > 0 && limit > 0; i--, limit--)
    json_array_append_new(list, version_json(model_version_at(model, i - 1)));
  uint64_t next = i ? model_version_at(model, i)->number : 0;
  return ask_json(ask, 200, json_pack("{so,so,so}", "model", json_slice(model->name), "versions",
                                      list, "next", page_next_number(ask, next)));
}

/* ---- manifests ---- */

bool manifest_name_check(struct ask *ask, struct slice name)
{
  bool good = name.len >= 1 && name.len <= EVENT_FILE_NAME_MAX && name.at[0] != '.';
  for (size_t i = 0; good && i < name.len; i++) {
    char c = name.at[i];
    good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '_' || c == '-';
  }
  if (!good)
    fail(&ask->err, E_BAD_NAME,
         "file name '%.*s' is not plain: 1 to %d of letters, digits, '.', '_', '-', no leading dot",
         SLICE_ARG(name), EVENT_FILE_NAME_MAX);
  return good;
}

bool engine_name_check(struct ask *ask, struct slice engine)
{
  bool good = engine.len <= ENGINE_NAME_MAX;
  for (size_t i = 0; good && i < engine.len; i++) {
    char c = engine.at[i];
    good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
  }
  if (!good) {
    fail(&ask->err, E_BAD_NAME, "'%.*s' is not the name of an engine", SLICE_ARG(engine));
    fail_at(&ask->err, "engine");
  }
  return good;
}

static int file_order(const void *a, const void *b)
{
  const struct event_file *x = a, *y = b;
  size_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
  int order = memcmp(x->name.at, y->name.at, n);
  return order ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

bool manifest_sort(struct ask *ask, struct event_file *files, uint32_t n)
{
  qsort(files, n, sizeof *files, file_order);
  for (uint32_t i = 1; i < n; i++) {
    if (!slice_eq(files[i - 1].name, files[i].name)) continue;
    fail(&ask->err, E_BAD_NAME, "file '%.*s' is named twice", SLICE_ARG(files[i].name));
    fail_at(&ask->err, "files");
    return false;
  }
  return true;
}

static bool file_read(struct ask *ask, const json_t *item, struct event_file *file)
{
  struct slice hex = SLICE_NONE;
  int64_t bytes = -1;
  if (!json_is_object(item)) {
    fail(&ask->err, E_WRONG_TYPE, "a file is an object of name, sha256 and bytes");
    return false;
  }
  if (!member_str(ask, item, "name", ASK_MEMBER_MAX, &file->name) ||
      !member_str(ask, item, "sha256", ASK_MEMBER_MAX, &hex) ||
      !member_int(ask, item, "bytes", 0, (int64_t)ARTIFACT_BYTES_MAX, &bytes))
    return false;
  if (!manifest_name_check(ask, file->name)) return false;
  if (!digest_from_hex(hex, &file->digest)) {
    fail(&ask->err, E_INVALID_ARGUMENT, "sha256 of file '%.*s' is not 64 lower-case hex digits",
         SLICE_ARG(file->name));
    return false;
  }
  file->bytes = bytes < 0 ? UINT64_MAX : (uint64_t)bytes;
  return true;
}

bool manifest_file_stored(struct ask *ask, struct slice tenant, struct event_file *file)
{
  uint64_t stored, bytes = file->bytes;
  if (held_find(ask->desk->opts->datadir, tenant, &file->digest, &stored, &ask->err) != OK) {
    if (ask->err.code == E_NOT_FOUND)
      fail(&ask->err, E_INVALID_ARGUMENT,
           "file '%.*s' has not been uploaded; PUT it to /api/v1/blobs first",
           SLICE_ARG(file->name));
    return false;
  }
  file->bytes = stored;
  if (bytes == UINT64_MAX || bytes == stored) return true;
  fail(&ask->err, E_BAD_SIZE, "file '%.*s' has %llu bytes, not %llu", SLICE_ARG(file->name),
       (unsigned long long)stored, (unsigned long long)bytes);
  return false;
}

bool manifest_files_read(struct ask *ask, const json_t *object, bool stored, struct event *event)
{
  const json_t *list = json_object_get(object, "files");
  size_t n = json_array_size(list);
  if (!json_is_array(list) || n == 0 || n > EVENT_FILES_MAX) {
    fail(&ask->err, E_INVALID_ARGUMENT, "'files' is not an array of 1 to %d files",
         EVENT_FILES_MAX);
    fail_at(&ask->err, "files");
    return false;
  }
  struct event_file *files = arena_zero(&ask->arena, n, sizeof *files);
  must(files != NULL);
  for (size_t i = 0; i < n; i++) {
    if (file_read(ask, json_array_get(list, i), &files[i]) &&
        (!stored || manifest_file_stored(ask, ask->letter->tenant, &files[i])))
      continue;
    fail_at(&ask->err, "files[%zu]", i);
    return false;
  }
  event->files = files;
  event->n_files = (uint32_t)n;
  return manifest_sort(ask, files, (uint32_t)n);
}

static enum desk_step created(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  if (command->err.code != OK) {
    ask->err = command->err;
    return ask_fail(ask);
  }
  for (uint32_t i = 0; i < command->event.n_files; i++) {
    const struct event_file *file = &command->event.files[i];
    held_named(ask->desk->opts->datadir, ask->letter->tenant, &file->digest, file->bytes,
               quota_meter_of(ask));
  }
  struct digest digest = event_manifest(&command->event);
  return ask_json(ask, 201,
                  json_pack("{so,so,so,so,so*}", "model", json_slice(command->event.model),
                            "version", json_integer(command->version), "digest",
                            json_digest(&digest), "seq", json_u64(command->seq), "inspected",
                            inspected_json(ask)));
}

/* Bytes of the manifest that count already: a file that it names twice once. */
static uint64_t bytes_waiting(const struct ask *ask)
{
  const struct event *event = &ask->command.event;
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < event->n_files; i++) {
    const struct event_file *file = &event->files[i];
    bool again = false;
    for (uint32_t j = 0; j < i && !again; j++)
      again = digest_same(&event->files[j].digest, &file->digest);
    if (!again && held_waits(ask->desk->opts->datadir, ask->letter->tenant, &file->digest,
                             file->bytes))
      bytes += file->bytes;
  }
  return bytes;
}

static enum desk_step push(struct ask *ask)
{
  ask->command.kind = COMMAND_PUSH;
  ask->command.waiting = bytes_waiting(ask);
  return ask_command(ask, created);
}

/* What the body says beside the manifest is the version's card. */
static bool card_read(struct ask *ask, struct event *event)
{
  json_t *rest = json_copy(ask->body);
  json_object_del(rest, "files");
  json_object_del(rest, "engine");
  json_object_del(rest, "note");
  bool good = card_take(ask, rest, event);
  json_decref(rest);
  return good;
}

enum desk_step version_create(struct ask *ask)
{
  struct event *event = &ask->command.event;
  *event = (struct event){.kind = EVENT_VERSION_PUSHED, .model = ask->letter->params[0]};
  if (model_name_check(event->model, &ask->err) != OK) return ask_fail(ask);
  if (!ask_body(ask) ||
      !ask_members(ask, "files", "engine", "note", "description", "tags", "hold", "run", "data",
                   "parent", NULL) ||
      !member_str(ask, ask->body, "engine", ASK_MEMBER_MAX, &event->engine) ||
      !engine_name_check(ask, event->engine) ||
      !member_str(ask, ask->body, "note", NOTE_MAX, &event->note) || !card_read(ask, event) ||
      !manifest_files_read(ask, ask->body, true, event))
    return ask_fail(ask);
  return ask_inspect(ask, push);
}
