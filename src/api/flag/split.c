/* split.c - the split of a release as a flag.
 * Thread: desk; pure.
 * The lot is the one requests are drawn with (serve/release.c): same seed, same key, same weights.
 * What a loop decides alone (unjudged_max, the local kill rule) does not show here.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "api/flag/desk_int.h"
#define PREFIX "release."

static void metadata_make(struct split_flag *to, const struct model *model, uint32_t arm)
{
  struct value *all = to->values;
  all[1] = (struct value){.kind = VALUE_MAP, .n = 3, .first = &all[2]};
  all[2] = value_of_text(model->name);
  all[2].key = SLICE("model");
  all[2].next = &all[3];
  all[3] = value_of_number(model->release->number);
  all[3].key = SLICE("release");
  all[3].next = &all[4];
  all[4] = value_of_number(model->arms[arm].version->number);
  all[4].key = SLICE("version");
}

bool split_flag_of(const struct tenant *tenant, const struct model *model,
                   const struct value *context, struct split_flag *to)
{
  const struct split *split = model->release;
  if (!split || !sticky_is_flag(split->sticky)) return false;
  const struct value *given = value_get(context, SLICE("targetingKey"));
  struct slice key = given ? given->text : SLICE_NONE;
  if (split->sticky == STICKY_TENANT) key = tenant->name;
  uint32_t arm = key.len ? model_arm_drawn(model, key) : ARM_STABLE;
  if (split->closed & ARM_BIT(arm)) arm = ARM_STABLE;
  const char *name = arm_name(arm);
  int len = snprintf(to->key, sizeof to->key, PREFIX "%.*s", SLICE_ARG(model->name));
  to->values[0] = value_of_text(slice_str(name));
  metadata_make(to, model, arm);
  to->flag = (struct flag){
      .key = slice_of(to->key, (size_t)len), .enabled = true, .metadata = &to->values[1]};
  to->result = (struct flag_result){.reason = key.len ? FLAG_SPLIT : FLAG_DEFAULT,
                                    .variant = slice_str(name),
                                    .value = &to->values[0]};
  return true;
}

bool split_flag_find(struct ask *ask, struct slice key, const struct value *context,
                     struct split_flag *to)
{
  struct slice prefix = SLICE(PREFIX);
  if (!ask->tenant || !slice_starts(key, prefix)) return false;
  const struct model *model = world_model(ask->world, ask->tenant, slice_from(key, prefix.len));
  return model && split_flag_of(ask->tenant, model, context, to);
}
