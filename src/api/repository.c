/* repository.c - Triton's model repository extension: index, load, unload.
 * Thread: desk.
 * Load and unload are the registry's own push, deploy and retire under other names, never a way
 * around them. A load with files is a push and a deploy in one request:
 *
 *   body --base64--> staged objects --INSPECT--> good --COMMAND_PUSH--> a version
 *        --COMMAND_DEPLOY, wait--> ready
 *
 * Version folders in `file:<version>/<name>` must agree with each other, but our versions count up:
 * the number in the index is ours. Without files the newest version is deployed.
 * `config`: name, backend and platform are used; with files the other members are taken as what the
 * client had read from us; without files a member that differs from what serves is 501, since what
 * we cannot change we do not pretend to change.
 * Source: section 8 of the wire contract; Triton's model repository extension.
 * SPDX-License-Identifier: MIT */
#include "api/handlers_int.h"
#include "api/manifest_int.h"
#include "api/render_int.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/artifact.h"

/* ---- index ---- */

json_t *index_json(const struct model *model, const struct version *version)
{
  static const char *const states[] = {
      [VERSION_STORED] = "UNAVAILABLE",
      [VERSION_LOADING] = "LOADING",
      [VERSION_READY] = "READY",
      [VERSION_FAILED] = "UNAVAILABLE",
      [VERSION_RESTING] = "READY", /* the protocol has no word for it: it answers */
  };
  struct slice reason = version->reason;
  if (version->state == VERSION_STORED) reason = SLICE("unloaded");
  if (version->state == VERSION_RESTING && !reason.len)
    reason = SLICE("out of memory until the next request");
  return json_pack("{so,so,ss,so}", "name", json_slice(model->name), "version",
                   json_sprintf("%u", version->number), "state", states[version->state], "reason",
                   json_slice(reason));
}

enum desk_step repository_index(struct ask *ask)
{
  bool ready = false;
  if (!ask_body(ask) || !member_bool(ask, ask->body, "ready", &ready)) return ask_fail(ask);
  json_t *list = json_array();
  for (uint32_t i = 0; ask->tenant && i < ask->tenant->n_models; i++) {
    const struct model *model = tenant_model(ask->tenant, i);
    for (uint32_t v = 0; v < model->n_versions; v++) {
      const struct version *version = model_version_at(model, v);
      if (!ready || version_answers(version))
        json_array_append_new(list, index_json(model, version));
    }
  }
  return ask_json(ask, 200, list);
}

/* ---- base64 ---- */

/* Straight into the stage. */
static bool base64_stage(struct stage *stage, struct slice text, struct err *err)
{
  enum { BLOCK = 3 * 16384 };
  char block[BLOCK];
  while (text.len) {
    size_t len, n = text.len < BASE64_LEN(BLOCK) ? text.len : BASE64_LEN(BLOCK);
    bool good = base64_read(slice_of(text.at, n), block, sizeof block, &len);
    text = slice_from(text, n);
    if (!good || (text.len && len < sizeof block)) { /* padding is at the end alone */
      fail(err, E_INVALID_ARGUMENT, "the file is not base64");
      return false;
    }
    if (stage_add(stage, slice_of(block, len), err) != OK) return false;
  }
  return true;
}

/* ---- load ---- */

static enum desk_step load_done(struct ask *ask)
{
  if (ask->command.err.code != OK) {
    ask->err = ask->command.err;
    return ask_fail(ask);
  }
  return ask_json(ask, 200,
                  json_pack("{so,sb}", "name", json_slice(ask->letter->params[0]), "load", 1));
}

static enum desk_step load_deploy(struct ask *ask, uint32_t version)
{
  ask->command.kind = COMMAND_DEPLOY;
  ask->command.wait = true;
  ask->command.event = (struct event){
      .kind = EVENT_VERSION_DEPLOYED, .model = ask->letter->params[0], .version = version};
  return ask_command(ask, load_done);
}

static enum desk_step load_pushed(struct ask *ask)
{
  if (ask->command.err.code != OK) {
    ask->err = ask->command.err;
    return ask_fail(ask);
  }
  ask->keyless = true; /* the key belongs to the push */
  return load_deploy(ask, ask->command.version);
}

/* `file:1/model.onnx` -> folder "1", name "model.onnx". */
static bool file_key_split(struct ask *ask, struct slice key, struct slice *folder,
                           struct slice *name)
{
  const char *slash = memchr(key.at, '/', key.len);
  if (!slash) {
    fail(&ask->err, E_BAD_NAME, "'%.*s' is not file:<version>/<name>", SLICE_ARG(key));
    return false;
  }
  size_t at = (size_t)(slash - key.at);
  *name = slice_from(key, at + 1);
  struct slice digits = slice_of(key.at + 5, at - 5);
  uint32_t number;
  bool good = version_number_read(digits, &number);
  if (!good || (folder->at && !slice_eq(*folder, digits))) {
    fail(&ask->err, good ? E_INVALID_ARGUMENT : E_BAD_VERSION,
         good ? "'%.*s': the files of one load are one version" : "'%.*s' names no version",
         SLICE_ARG(key));
    return false;
  }
  *folder = digits;
  return manifest_name_check(ask, *name);
}

static bool file_store(struct ask *ask, const json_t *value, struct event_file *file)
{
  struct stage *stage;
  if (!json_is_string(value)) {
    fail(&ask->err, E_WRONG_TYPE, "a file is a base64 string");
    return false;
  }
  if (stage_new(&stage, ask->desk->opts->datadir, 0, &ask->err) != OK) return false;
  struct slice text = slice_of(json_string_value(value), json_string_length(value));
  if (!base64_stage(stage, text, &ask->err)) {
    stage_abort(stage);
    return false;
  }
  return stage_commit(stage, &file->digest, &file->bytes, &ask->err) == OK;
}

/* All `file:` parameters; names are checked before a byte is written. */
static bool files_take(struct ask *ask, json_t *parameters, bool has_config, struct event *event)
{
  struct event_file *files = arena_zero(&ask->arena, EVENT_FILES_MAX, sizeof *files);
  struct slice folder = SLICE_NONE;
  uint32_t n = 0;
  const char *key;
  json_t *value;
  must(files != NULL);
  json_object_foreach(parameters, key, value)
  {
    if (strncmp(key, "file:", 5) != 0) continue;
    if (n == EVENT_FILES_MAX) {
      fail(&ask->err, E_INVALID_ARGUMENT, "a version has at most %d files", EVENT_FILES_MAX);
      return false;
    }
    if (!file_key_split(ask, slice_str(key), &folder, &files[n++].name)) return false;
  }
  event->files = files;
  event->n_files = n;
  if (n && !has_config) {
    fail(&ask->err, E_INVALID_ARGUMENT, "a load with files needs the parameter 'config'");
    return false;
  }
  if (n && model_name_check(event->model, &ask->err) != OK) return false;
  n = 0;
  json_object_foreach(parameters, key, value)
  {
    if (strncmp(key, "file:", 5) != 0) continue;
    if (file_store(ask, value, &files[n++])) continue;
    fail_at(&ask->err, "parameters.%.60s", key);
    return false;
  }
  return manifest_sort(ask, files, n);
}

/* "onnxruntime" and "onnxruntime_onnx" are Triton's words for our engine onnx. */
static struct slice engine_of(struct slice word)
{
  return slice_starts(word, SLICE("onnxruntime")) ? SLICE("onnx") : word;
}

static bool config_read(struct ask *ask, const json_t *config, struct slice *engine)
{
  struct slice name = ask->letter->params[0], backend = SLICE_NONE, platform = SLICE_NONE;
  if (!json_is_object(config)) {
    fail(&ask->err, E_WRONG_TYPE, "the config is not a JSON object");
    return false;
  }
  if (!member_str(ask, config, "name", ASK_MEMBER_MAX, &name) ||
      !member_str(ask, config, "backend", ASK_MEMBER_MAX, &backend) ||
      !member_str(ask, config, "platform", ASK_MEMBER_MAX, &platform))
    return false;
  if (name.len && !slice_eq(name, ask->letter->params[0])) {
    fail(&ask->err, E_INVALID_ARGUMENT, "the config is of model '%.*s'", SLICE_ARG(name));
    return false;
  }
  *engine = engine_of(backend.len ? backend : platform);
  return engine_name_check(ask, *engine);
}

static bool json_says_nothing(const json_t *value)
{
  if (json_is_object(value)) return json_object_size(value) == 0;
  if (json_is_array(value)) return json_array_size(value) == 0;
  if (json_is_string(value)) return json_string_length(value) == 0;
  if (json_is_integer(value)) return json_integer_value(value) == 0;
  return json_is_false(value) || json_is_null(value);
}

/* Without files a config may only repeat what is. */
static bool config_repeats(struct ask *ask, json_t *config)
{
  const struct model *model =
      ask->tenant ? world_model(ask->world, ask->tenant, ask->letter->params[0]) : NULL;
  json_t *have = model && model->stable ? config_json(model, model->stable) : json_object();
  const char *key;
  json_t *value;
  bool good = true;
  json_object_foreach(config, key, value)
  {
    const json_t *mine = json_object_get(have, key);
    if (strcmp(key, "name") == 0 || (mine ? json_equal(mine, value) : json_says_nothing(value)))
      continue;
    fail(&ask->err, E_NOT_IMPLEMENTED,
         "'%.60s' cannot be changed by a load; push a version whose slipway.yaml says it", key);
    fail_at(&ask->err, "parameters.config");
    good = false;
    break;
  }
  json_decref(have);
  return good;
}

static bool load_read(struct ask *ask, struct event *event)
{
  struct slice text = SLICE_NONE;
  if (!ask_body(ask)) return false;
  json_t *parameters = json_object_get(ask->body, "parameters");
  if (parameters && !json_is_object(parameters)) {
    fail(&ask->err, E_WRONG_TYPE, "'parameters' is not an object");
    fail_at(&ask->err, "parameters");
    return false;
  }
  if (!member_str(ask, parameters, "config", 1 << 20, &text)) return false;
  json_t *config = NULL;
  if (text.at) {
    config = json_parse(text, &ask->err);
    if (!config || !config_read(ask, config, &event->engine)) {
      if (config) json_decref(config);
      fail_at(&ask->err, "parameters.config");
      return false;
    }
    struct slice kept = arena_copy(&ask->arena, event->engine); /* config is let go */
    event->engine = kept;
  }
  bool good = files_take(ask, parameters, config != NULL, event);
  if (good && !event->n_files && config) good = config_repeats(ask, config);
  if (config) json_decref(config);
  return good;
}

static enum desk_step load_push(struct ask *ask)
{
  ask->command.kind = COMMAND_PUSH;
  return ask_command(ask, load_pushed);
}

enum desk_step repository_load(struct ask *ask)
{
  struct event *event = &ask->command.event;
  *event = (struct event){.kind = EVENT_VERSION_PUSHED, .model = ask->letter->params[0]};
  if (!load_read(ask, event)) return ask_fail(ask);
  if (!event->n_files) return load_deploy(ask, 0);
  event->note = SLICE("loaded through the model repository extension");
  return ask_inspect(ask, load_push);
}

/* ---- unload ---- */

static enum desk_step unload_done(struct ask *ask)
{
  if (ask->command.err.code != OK) {
    ask->err = ask->command.err;
    return ask_fail(ask);
  }
  return ask_json(ask, 200,
                  json_pack("{so,sb}", "name", json_slice(ask->letter->params[0]), "unload", 1));
}

enum desk_step repository_unload(struct ask *ask)
{
  if (!ask_body(ask)) return ask_fail(ask);
  ask->command.kind = COMMAND_RETIRE;
  ask->command.event =
      (struct event){.kind = EVENT_VERSION_RETIRED, .model = ask->letter->params[0]};
  return ask_command(ask, unload_done);
}
