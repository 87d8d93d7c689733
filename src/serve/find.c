/* find.c - which model, and which version if the client named one.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

static enum step quarantined(struct call *call, const struct version *version)
{
  fail(&call->err, E_QUARANTINED, "version %u of model \"%.*s\" is quarantined: %.*s",
       version->number, SLICE_ARG(call->model_name), (int)version->reason.len, version->reason.at);
  return STEP_REPLY;
}

static enum step version_find(struct call *call, uint32_t number)
{
  const struct version *version = model_version(call->model, number);
  if (!version) {
    fail(&call->err, E_VERSION_NOT_FOUND, "model \"%.*s\" has no version %.*s",
         SLICE_ARG(call->model_name), SLICE_ARG(call->came.version_text));
    return STEP_REPLY;
  }
  if (version->quarantined) return quarantined(call, version);
  if (!version_answers(version)) {
    bool loading = version->state == VERSION_LOADING;
    fail(&call->err, loading ? E_NOT_READY : E_VERSION_NOT_FOUND,
         "version %u of model \"%.*s\" is not loaded%s", version->number,
         SLICE_ARG(call->model_name), loading ? " yet" : "; deploy it first");
    return STEP_REPLY;
  }
  call->version = version;
  return STEP_NEXT;
}

/* "fraud@champion", "fraud@3": the part behind the '@' says which version, the rest whose. False
 * with call->err. */
static bool version_named(struct call *call, struct slice *ref)
{
  struct slice name = call->model_name;
  const char *at = name.len ? memchr(name.at, '@', name.len) : NULL;
  *ref = SLICE_NONE;
  if (!at) return true;
  call->model_name = slice_of(name.at, (size_t)(at - name.at));
  *ref = (struct slice){at + 1, name.len - call->model_name.len - 1};
  if (!call->came.version_text.at) return true;
  fail(&call->err, E_BAD_VERSION, "the path names a version twice: leave out '@%.*s'",
       SLICE_ARG(*ref));
  return false;
}

static bool alias_find(struct call *call, struct slice ref, uint32_t *number)
{
  const struct alias *alias = model_alias(call->model, ref);
  call->came.version_text = ref;
  if (version_number_read(ref, number)) return true;
  if (alias) {
    *number = alias->version;
    return true;
  }
  fail(&call->err, E_VERSION_NOT_FOUND, "model \"%.*s\" has no alias \"%.*s\"",
       SLICE_ARG(call->model_name), SLICE_ARG(ref));
  return false;
}

enum step find_stage(struct call *call)
{
  uint32_t number = 0;
  struct slice ref;
  if (!call->world) {
    fail(&call->err, E_NOT_READY,
         "the server is starting: no model is loaded yet; retry in a moment");
    return STEP_REPLY;
  }
  bool named = call->came.version_text.at != NULL;
  if (!version_named(call, &ref)) return STEP_REPLY;
  if (named && !version_number_read(call->came.version_text, &number)) {
    fail(&call->err, E_BAD_VERSION,
         "version \"%.*s\" is not a number; use decimal digits, or leave /versions/ out",
         SLICE_ARG(call->came.version_text));
    return STEP_REPLY;
  }
  if (call->came.tenant)
    call->model = world_model(call->world, call->came.tenant, call->model_name);
  if (!call->model) {
    fail(&call->err, E_MODEL_NOT_FOUND, "there is no model \"%.*s\"; push one first",
         SLICE_ARG(call->model_name));
    return STEP_REPLY;
  }
  call->model_name = call->model->name;
  if (ref.at) return alias_find(call, ref, &number) ? version_find(call, number) : STEP_REPLY;
  if (named) return version_find(call, number);
  if (call->model->n_arms > 0) return STEP_NEXT;
  const struct version *barred = model_version(call->model, call->model->quarantined);
  if (barred) return quarantined(call, barred);
  fail(&call->err, E_NOT_READY, "model \"%.*s\" serves no version; deploy one first",
       SLICE_ARG(call->model_name));
  return STEP_REPLY;
}
