/* read.c - the body of a declared state: strict, and in an order of its own, so that the order of
 * the declaration does not matter.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "api/manifest_int.h"
#include "api/state/state_int.h"
#include "api/tenant/quota_int.h"
#include "base/mem.h"
#include "flag/edit.h"

enum { CARD_SAID_MAX = 64 << 10 }; /* as much as a PATCH of one model may say */

static bool wrong(struct ask *ask, enum code code, const char *field, const char *text)
{
  fail(&ask->err, code, "%s", text);
  fail_at(&ask->err, "%s", field);
  return false;
}

/* An empty object says that there are none, which only pruning takes at its word. */
static bool quotas_read_of(struct ask *ask, const json_t *object, enum quota_scope scope,
                           bool *says, struct slice *text)
{
  const json_t *quotas = json_object_get(object, "quotas");
  *says = quotas != NULL;
  *text = SLICE_NONE;
  if (json_is_object(quotas) && json_object_size(quotas) == 0) return true;
  return quotas_fact_read(ask, object, scope, text);
}

/* --- one model -------------------------------------------------------------------------------- */

static bool files_read(struct ask *ask, const json_t *object, struct state_model *model)
{
  struct event event = {.kind = EVENT_VERSION_PUSHED};
  if (!manifest_files_read(ask, object, false, &event)) return false;
  for (uint32_t i = 0; i < event.n_files; i++)
    if (event.files[i].bytes == UINT64_MAX)
      return wrong(ask, E_INVALID_ARGUMENT, "files", "a file here says its size: \"bytes\"");
  model->files = event.files;
  model->n_files = event.n_files;
  model->digest = event_manifest(&event);
  model->by_digest = true;
  return true;
}

/* Which version is meant: at most one way of saying so. */
static bool version_read(struct ask *ask, const json_t *object, struct state_model *model)
{
  const bool files = json_object_get(object, "files"), number = json_object_get(object, "version");
  const bool digest = json_object_get(object, "digest");
  struct slice hex = SLICE_NONE;
  int64_t version = 0;
  if (files + digest + number > 1)
    return wrong(ask, E_INVALID_ARGUMENT, digest ? "digest" : "version",
                 "a model's version is said by its files, its digest or its number: one of them");
  if (!files && (json_object_get(object, "engine") || json_object_get(object, "note")))
    return wrong(ask, E_INVALID_ARGUMENT, json_object_get(object, "engine") ? "engine" : "note",
                 "engine and note go with files: they are said of a version when it is made");
  if (!member_str(ask, object, "engine", ASK_MEMBER_MAX, &model->engine) ||
      !engine_name_check(ask, model->engine) ||
      !member_str(ask, object, "note", NOTE_MAX, &model->note) ||
      !member_str(ask, object, "digest", SHA256_HEX_LEN, &hex) ||
      !member_int(ask, object, "version", 1, UINT32_MAX, &version) ||
      (files && !files_read(ask, object, model)))
    return false;
  model->version = (uint32_t)version;
  if (!digest) return true;
  model->by_digest = digest_from_hex(hex, &model->digest);
  return model->by_digest ||
         wrong(ask, E_INVALID_ARGUMENT, "digest", "a digest is 64 lower-case hex digits");
}

static bool card_read(struct ask *ask, const json_t *object, struct state_model *model)
{
  static const char *const members[] = {"description", "hold", "pin", "tags"};
  json_t *card = json_object();
  for (size_t i = 0; i < sizeof members / sizeof *members; i++)
    if (json_object_get(object, members[i]))
      json_object_set(card, members[i], json_object_get(object, members[i]));
  char *text = json_object_size(card) ? json_dumps(card, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
  json_decref(card);
  model->says_tags = json_object_get(object, "tags") != NULL;
  if (!text) return true;
  bool fits = strlen(text) <= CARD_SAID_MAX;
  if (fits) model->card = arena_copy(&ask->arena, slice_str(text));
  ungrab(text);
  if (!fits)
    return wrong(ask, E_LIMIT_EXCEEDED, model->says_tags ? "tags" : "description",
                 "what is said of one model has over 64 KiB, the most there may be");
  return model->card.at || wrong(ask, E_BODY_TOO_LARGE, "", "the declaration is too large");
}

static int alias_order(const void *a, const void *b)
{
  return slice_order(((const struct state_alias *)a)->name, ((const struct state_alias *)b)->name);
}

static bool aliases_read(struct ask *ask, const json_t *object, struct state_model *model)
{
  json_t *map = json_object_get(object, "aliases"), *value;
  const char *key;
  if (!map) return true;
  if (!json_is_object(map))
    return wrong(ask, E_WRONG_TYPE, "aliases",
                 "aliases are an object: a version's number, or \"this\", by name");
  struct state_alias *aliases = arena_zero(&ask->arena, json_object_size(map), sizeof *aliases);
  if (!aliases) return wrong(ask, E_BODY_TOO_LARGE, "", "the declaration is too large");
  json_object_foreach(map, key, value)
  {
    struct state_alias *alias = &aliases[model->n_aliases++];
    int64_t number = 0;
    bool this = json_is_string(value) && strcmp(json_string_value(value), "this") == 0;
    alias->name = slice_str(key);
    if (!this && (!json_whole(value, &number) || number < 1 || number > UINT32_MAX)) {
      fail(&ask->err, E_WRONG_TYPE,
           "alias '%.64s' is a version's number, or \"this\": the one that the entry means", key);
      fail_at(&ask->err, "aliases.%.64s", key);
      return false;
    }
    alias->version = this ? 0 : (uint32_t)number;
  }
  qsort(aliases, model->n_aliases, sizeof *aliases, alias_order);
  model->aliases = aliases;
  model->says_aliases = true;
  return true;
}

static bool deploy_read(struct ask *ask, const json_t *object, struct state_model *model)
{
  static const char *const words[] = {"none", "now", "shadow", "canary", "bluegreen", "ab"};
  struct slice word = SLICE_NONE;
  bool means = model->by_digest || model->version;
  model->deploy = means ? STATE_DEPLOY_NOW : STATE_DEPLOY_NONE;
  if (!member_str(ask, object, "deploy", 16, &word)) return false;
  if (!word.at) return true;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!slice_eq(word, slice_str(words[i]))) continue;
    model->deploy = i == 0 ? STATE_DEPLOY_NONE : i == 1 ? STATE_DEPLOY_NOW : STATE_DEPLOY_RELEASE;
    if (means || !i) return true;
    return wrong(ask, E_INVALID_ARGUMENT, "deploy",
                 "there is nothing to deploy: the entry means no version");
  }
  return wrong(ask, E_INVALID_ARGUMENT, "deploy",
               "deploy is one of now, none, shadow, canary, bluegreen, ab");
}

static bool model_read(struct ask *ask, const json_t *object, struct state_model *model)
{
  static const char *const members[] = {"files",   "digest", "version", "engine", "note",
                                        "description", "tags",   "hold",    "pin",    "quotas",
                                        "aliases", "deploy", NULL};
  if (!json_is_object(object))
    return wrong(ask, E_WRONG_TYPE, "", "a model's entry is an object");
  return members_known(ask, object, members, "a model's entry") &&
         version_read(ask, object, model) && card_read(ask, object, model) &&
         quotas_read_of(ask, object, QUOTA_MODEL, &model->says_quotas, &model->quotas) &&
         aliases_read(ask, object, model) && deploy_read(ask, object, model);
}

/* --- all models ------------------------------------------------------------------------------- */

static int model_order(const void *a, const void *b)
{
  return state_name_order(((const struct state_model *)a)->name,
                          ((const struct state_model *)b)->name);
}

static bool models_sort(struct ask *ask, struct state_model *models, uint32_t n)
{
  qsort(models, n, sizeof *models, model_order);
  for (uint32_t i = 1; i < n; i++) {
    if (state_name_order(models[i - 1].name, models[i].name) != 0) continue;
    fail(&ask->err, E_CONFLICT, "models '%.*s' and '%.*s' differ in case only",
         SLICE_ARG(models[i - 1].name), SLICE_ARG(models[i].name));
    fail_at(&ask->err, "models.%.*s", SLICE_ARG(models[i].name));
    return false;
  }
  return true;
}

static bool models_read(struct ask *ask, struct declared *declared)
{
  json_t *map = json_object_get(ask->body, "models"), *value;
  struct state *state = &declared->state;
  const char *key;
  if (!map) return true;
  if (!json_is_object(map))
    return wrong(ask, E_WRONG_TYPE, "models", "models are an object: an entry by name");
  declared->models = arena_zero(&ask->arena, json_object_size(map) + 1, sizeof *declared->models);
  if (!declared->models) return wrong(ask, E_BODY_TOO_LARGE, "models", "there are too many models");
  json_object_foreach(map, key, value)
  {
    struct state_model *model = &declared->models[state->n_models++];
    model->name = slice_str(key);
    if (model_read(ask, value, model)) continue;
    fail_under(&ask->err, "models.%.64s", key);
    return false;
  }
  state->models = declared->models;
  state->says_models = true;
  return models_sort(ask, declared->models, state->n_models);
}

/* --- the rest --------------------------------------------------------------------------------- */

/* The value of a member of this object, as it is written; all of it where the name is not to be
 * found like that. The text is JSON. */
static struct slice member_written(struct slice json, struct slice name)
{
  size_t depth = 0, from = 0;
  bool names = false, is = false; /* a string here is a member's name; it was that one */
  for (size_t i = 0; i < json.len; i++) {
    char c = json.at[i];
    if (c == '"') {
      size_t begin = i + 1;
      for (i = begin; json.at[i] != '"'; i++) i += json.at[i] == '\\';
      if (names) is = slice_eq(slice_of(json.at + begin, i - begin), name);
      names = false;
    } else if (c == ':' && is) {
      from = i + 1;
      is = false;
    } else if (from && depth == 1 && (c == ',' || c == '}')) {
      return slice_of(json.at + from, i - from);
    } else if (c == '{' || c == '[') {
      names = ++depth == 1;
    } else if (c == '}' || c == ']') {
      depth--;
    } else if (c == ',') {
      names = depth == 1;
    }
  }
  return json;
}

/* Numbers keep the digits they came with, which the other reader does not. Its bounds are a flag
 * file's: models are not counted against them. */
static bool flags_read_of(struct ask *ask, struct state *state)
{
  const json_t *map = json_object_get(ask->body, "flags");
  struct value whole;
  struct json_out out;
  struct arena arena;
  if (!map) return true;
  if (!json_is_object(map))
    return wrong(ask, E_WRONG_TYPE, "flags", "flags are an object: a definition by key");
  arena_init(&arena, 2 * FLAG_MEMORY_MAX, NULL);
  json_out_init(&out, &ask->arena, 4096);
  struct slice body = ask->letter->body, text = member_written(body, SLICE("flags"));
  bool good = value_read(text, VALUE_SORTED, &arena, &whole, &ask->err) == OK;
  if (good) value_write(&out, text.at == body.at ? value_get(&whole, SLICE("flags")) : &whole);
  arena_deinit(&arena);
  if (!good) return false;
  if (out.full) return wrong(ask, E_BODY_TOO_LARGE, "flags", "the flags take too much memory");
  state->flags = json_out_lend(&out);
  state->says_flags = true;
  return true;
}

/* Another tenant is declared by an operator, and to others is not there. */
static bool tenant_read(struct ask *ask, enum verb verb, struct declared *declared)
{
  struct principal principal = {ask->letter->role, ask->letter->tenant};
  declared->tenant = ask->letter->tenant;
  if (!member_str(ask, ask->body, "tenant", ASK_MEMBER_MAX, &declared->tenant)) return false;
  struct resource resource = {RESOURCE_state, declared->tenant}, limit = {RESOURCE_quota,
                                                                          declared->tenant};
  declared->state.may_limit = authz(&principal, VERB_write, &limit) == OK;
  if (authz(&principal, verb, &resource) == OK) return true;
  fail(&ask->err, E_TENANT_NOT_FOUND, "there is no tenant '%.*s'", SLICE_ARG(declared->tenant));
  fail_at(&ask->err, "tenant");
  return false;
}

static bool plan_read(struct ask *ask, struct state *state)
{
  struct slice hex = SLICE_NONE;
  if (!member_str(ask, ask->body, "plan", SHA256_HEX_LEN, &hex)) return false;
  if (!hex.at) return true;
  state->by_plan = digest_from_hex(hex, &state->plan);
  return state->by_plan ||
         wrong(ask, E_INVALID_ARGUMENT, "plan", "a plan's digest is 64 lower-case hex digits");
}

bool declared_read(struct ask *ask, struct declared *declared)
{
  static const char *const members[] = {"tenant", "prune",  "plan",  "about",
                                        "quotas", "models", "flags", NULL};
  struct state *state = &declared->state;
  ask->arena.max = STATE_ARENA_MAX;
  if (!ask_body(ask) || !members_known(ask, ask->body, members, "a declaration") ||
      !tenant_read(ask, state->apply ? VERB_write : VERB_read, declared) ||
      !member_bool(ask, ask->body, "prune", &state->prune) || !plan_read(ask, state) ||
      !member_str(ask, ask->body, "about", TENANT_ABOUT_MAX, &state->about) ||
      !quotas_read_of(ask, ask->body, QUOTA_TENANT, &state->says_quotas, &state->quotas) ||
      !models_read(ask, declared) || !flags_read_of(ask, state))
    return false;
  state->says_about = state->about.at != NULL;
  return true;
}
