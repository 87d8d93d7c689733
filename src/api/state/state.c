/* state.c - a tenant as it is to be: planned and applied.
 * Thread: desk.
 * What differs, and whether it may, is control's to say (control/state/state.h). Here files that
 * are to become versions are looked at first, one model after the other, as a push would.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "api/handlers_int.h"
#include "api/manifest_int.h"
#include "api/state/state_int.h"
#include "base/mem.h"
#include "store/held.h"

static void declared_free(void *state)
{
  struct declared *declared = state;
  arena_deinit(&declared->state.arena);
  ungrab(declared);
}

/* NULL: ask->err. */
static struct declared *declared_new(struct ask *ask, bool apply)
{
  struct declared *declared = grab_zero(1, sizeof *declared);
  arena_init(&declared->state.arena, STATE_ARENA_MAX, NULL);
  declared->state.apply = apply;
  ask->state = declared;
  ask->state_free = declared_free;
  return declared_read(ask, declared) ? declared : NULL;
}

static enum desk_step declared_send(struct ask *ask, ask_then then)
{
  struct declared *declared = ask->state;
  ask->command.kind = COMMAND_STATE;
  ask->command.state = &declared->state;
  ask->command.event = (struct event){.tenant = declared->tenant};
  return ask_command(ask, then);
}

/* Whether the model has a version of these files, as far as this desk's world knows. */
static bool is_there(const struct ask *ask, const struct declared *declared,
                     const struct state_model *want)
{
  const struct tenant *tenant = world_tenant(ask->world, declared->tenant);
  const struct model *model = tenant ? world_model(ask->world, tenant, want->name) : NULL;
  for (uint32_t i = 0; model && i < model->n_versions; i++) {
    const struct version *version = model_version_at(model, i);
    if (digest_same(&version->digest, &want->digest) &&
        (!want->engine.len || slice_eq(version->engine, want->engine)))
      return true;
  }
  return false;
}

/* ---- plan ---- */

static json_t *edit_json(const struct state_edit *edit)
{
  char op[2] = {edit->op, '\0'};
  json_t *tree = json_pack("{ss,ss}", "op", op, "what", edit->what);
  if (edit->model.at) json_object_set_new(tree, "model", json_slice(edit->model));
  if (edit->name.at) json_object_set_new(tree, "name", json_slice(edit->name));
  json_object_set_new(tree, "from", edit->from.at ? json_slice(edit->from) : json_null());
  json_object_set_new(tree, "to", edit->to.at ? json_slice(edit->to) : json_null());
  if (edit->bytes) json_object_set_new(tree, "bytes", json_u64(edit->bytes));
  return tree;
}

/* Digests of files that would have to be uploaded first. */
static json_t *uploads_json(struct ask *ask, const struct declared *declared)
{
  json_t *list = json_array();
  for (uint32_t i = 0; i < declared->state.n_models; i++) {
    const struct state_model *want = &declared->models[i];
    if (!want->n_files || is_there(ask, declared, want)) continue;
    for (uint32_t k = 0; k < want->n_files; k++) {
      struct err ignored;
      uint64_t bytes;
      if (held_look(ask->desk->opts->datadir, declared->tenant, &want->files[k].digest, &bytes,
                    &ignored) != OK)
        json_array_append_new(list, json_digest(&want->files[k].digest));
    }
  }
  return list;
}

static enum desk_step planned(struct ask *ask)
{
  const struct declared *declared = ask->state;
  const struct state *state = &declared->state;
  ask->err = ask->command.err;
  if (ask->err.code != OK) return ask_fail(ask);
  json_t *changes = json_array();
  for (uint32_t i = 0; i < state->n_edits; i++)
    json_array_append_new(changes, edit_json(&state->edits[i]));
  return ask_json(ask, 200, json_pack("{so,so,so,so}", "tenant", json_slice(declared->tenant),
                                      "plan", json_digest(&state->digest), "changes", changes,
                                      "uploads", uploads_json(ask, declared)));
}

enum desk_step state_plan(struct ask *ask)
{
  if (!declared_new(ask, false)) return ask_fail(ask);
  ask->keyless = true; /* it changes nothing */
  return declared_send(ask, planned);
}

/* ---- apply ---- */

static enum desk_step applied(struct ask *ask)
{
  const struct declared *declared = ask->state;
  const struct state *state = &declared->state;
  const struct tenant *tenant = world_tenant(ask->world, declared->tenant);
  ask->err = ask->command.err;
  if (ask->err.code != OK) return ask_fail(ask);
  for (uint32_t i = 0; i < state->n_models; i++) {
    const struct state_model *model = &state->models[i];
    for (uint32_t k = 0; model->may_push && k < model->n_files; k++)
      held_named(ask->desk->opts->datadir, declared->tenant, &model->files[k].digest,
                 model->files[k].bytes, tenant ? tenant->meter : NULL);
  }
  return ask_json(ask, 200,
                  json_pack("{so,sb,so}", "tenant", json_slice(declared->tenant), "applied",
                            !state->decided || state->n_edits > 0, "seq",
                            json_u64(ask->command.seq)));
}

static enum desk_step look_on(struct ask *ask);

static enum desk_step looked(struct ask *ask)
{
  struct declared *declared = ask->state;
  struct state_model *model = &declared->models[declared->next++];
  model->facts = ask->command.event.facts;
  model->n_facts = ask->command.event.n_facts;
  return look_on(ask);
}

/* At the next model that is to have a new version; then it goes to control. */
static enum desk_step look_on(struct ask *ask)
{
  struct declared *declared = ask->state;
  uint32_t n = declared->state.n_models;
  while (declared->next < n && !declared->models[declared->next].may_push) declared->next++;
  if (declared->next == n || !ask->desk->post->inspector) return declared_send(ask, applied);
  const struct state_model *model = &declared->models[declared->next];
  ask->inspect_of = model->name;
  ask->command.event = (struct event){.kind = EVENT_VERSION_PUSHED,
                                      .model = model->name,
                                      .engine = model->engine,
                                      .files = model->files,
                                      .n_files = model->n_files};
  return ask_inspect(ask, looked);
}

static int file_order(const void *a, const void *b)
{
  const struct event_file *x = *(const struct event_file *const *)a;
  const struct event_file *y = *(const struct event_file *const *)b;
  return memcmp(x->digest.at, y->digest.at, SHA256_LEN);
}

/* Bytes that pend already: of a file that two models have once. */
static void waiting_count(struct ask *ask, struct declared *declared)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < declared->state.n_models; i++) n += declared->models[i].n_files;
  const struct event_file **files = grab(((size_t)n + 1) * sizeof(struct event_file *));
  uint64_t bytes = 0;
  n = 0;
  for (uint32_t i = 0; i < declared->state.n_models; i++) {
    struct state_model *model = &declared->models[i];
    if (!model->may_push) continue;
    for (uint32_t k = 0; k < model->n_files; k++) files[n++] = &model->files[k];
  }
  qsort(files, n, sizeof *files, file_order);
  for (uint32_t i = 0; i < n; i++)
    if ((!i || file_order(&files[i - 1], &files[i]) != 0) &&
        held_waits(ask->desk->opts->datadir, declared->tenant, &files[i]->digest, files[i]->bytes))
      bytes += files[i]->bytes;
  ask->command.waiting = bytes;
  ungrab(files);
}

static bool files_stored(struct ask *ask, const struct declared *declared,
                         const struct state_model *model)
{
  for (uint32_t k = 0; k < model->n_files; k++) {
    struct event_file file = model->files[k];
    if (manifest_file_stored(ask, declared->tenant, &file)) continue;
    fail_at(&ask->err, "models.%.*s.files[%u]", SLICE_ARG(model->name), k);
    return false;
  }
  return true;
}

/* Which models are to have a new version; false: the files of one are not here. */
static bool pushes_find(struct ask *ask, struct declared *declared)
{
  for (uint32_t i = 0; i < declared->state.n_models; i++) {
    struct state_model *model = &declared->models[i];
    if (!model->n_files || is_there(ask, declared, model)) continue;
    if (!files_stored(ask, declared, model)) return false;
    model->may_push = true;
  }
  return true;
}

enum desk_step state_apply(struct ask *ask)
{
  struct declared *declared = declared_new(ask, true);
  if (!declared || !pushes_find(ask, declared)) return ask_fail(ask);
  waiting_count(ask, declared);
  return look_on(ask);
}
