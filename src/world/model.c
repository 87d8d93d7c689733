/* model.c - a model's versions by number, its arms by lot, and what a model may be called.
 * Thread: any, pure.
 * SPDX-License-Identifier: MIT */
#include "world/model.h"

#include "world/name.h"

#include "stat/assign.h"

_Static_assert((int)WEIGHT_WHOLE == (int)ASSIGN_TOTAL, "one scale of weights");

const struct version *model_newest(const struct model *model)
{
  return model->n_versions ? model_version_at(model, model->n_versions - 1) : NULL;
}

/* Numbers are in a row until one is removed, so it mostly is where it would be then. */
static bool version_is_at(const struct model *model, uint64_t number)
{
  return number && number <= model->n_versions &&
         model_version_at(model, (uint32_t)number - 1)->number == number;
}

uint32_t model_versions_below(const struct model *model, uint64_t number)
{
  uint32_t low = 0, high = model->n_versions;
  if (version_is_at(model, number)) return (uint32_t)number - 1;
  if (high && model_version_at(model, high - 1)->number < number) return high;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (model_version_at(model, middle)->number < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

const struct version *model_version(const struct model *model, uint32_t number)
{
  uint32_t at = model_versions_below(model, number);
  if (at == model->n_versions) return NULL;
  const struct version *version = model_version_at(model, at);
  return version->number == number ? version : NULL;
}

const struct alias *model_alias(const struct model *model, struct slice name)
{
  for (uint32_t i = 0; i < model->n_aliases; i++)
    if (slice_eq(model->aliases[i].name, name)) return &model->aliases[i];
  return NULL;
}

enum code alias_name_check(struct slice name, struct err *err)
{
  bool good = name.len >= 1 && name.len <= NAME_MAX_LEN && name.at[0] >= 'a' && name.at[0] <= 'z';
  bool number = good && name.at[0] == 'v' && name.len > 1;
  for (size_t i = 1; good && i < name.len; i++) {
    char c = name.at[i];
    bool digit = c >= '0' && c <= '9';
    good = digit || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';
    number = number && digit;
  }
  if (!good)
    return fail(err, E_BAD_NAME,
                "'%.*s' is no name of an alias: 1 to %d of a-z, 0-9, '.', '_', '-', a letter first",
                (int)(name.len < 80 ? name.len : 80), name.at ? name.at : "", NAME_MAX_LEN);
  if (number || slice_eq(name, SLICE("latest")))
    return fail(err, E_BAD_NAME, "an alias must not be called '%.*s': it reads as a version",
                SLICE_ARG(name));
  return OK;
}

void model_serve(struct model *model, const struct version *stable)
{
  model->stable = stable;
  model->n_arms = ARM_MORE;
  model->arms[ARM_CANDIDATE] = (struct arm){0};
  model->arms[ARM_STABLE] = (struct arm){stable, WEIGHT_WHOLE};
}

uint32_t model_arm_drawn(const struct model *model, struct slice key)
{
  uint32_t weights[ARMS_MAX], n = model->n_arms;
  for (uint32_t i = 0; i < n; i++) weights[i] = model->arms[i].weight;
  uint32_t arm = assign_arm(assign_hash(model->release->seed, key), weights, n);
  must(arm < n); /* the world's weights add up */
  return arm;
}

enum code model_name_check(struct slice name, struct err *err)
{
  return name_check("model", name, err);
}
