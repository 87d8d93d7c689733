/* town_arms.c - what must be true of slots and arms in any world. Included by town.c.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "town.h"

/* No two versions count into one slot. */
static void slots_look(const struct world *world)
{
  bool *taken = grab_zero(world_slots(world) + 1, sizeof *taken);
  for (uint32_t t = 0; t < world_tenants(world); t++) {
    const struct tenant *tenant = world_tenant_at(world, t);
    for (uint32_t m = 0; m < tenant->n_models; m++) {
      const struct model *model = tenant_model(tenant, m);
      for (uint32_t v = 0; v < model->n_versions + (model->copy != NULL); v++) {
        const struct version *version =
            v < model->n_versions ? model_version_at(model, v) : model->copy;
        if (version->slot == SLOT_NONE) continue;
        EXPECT(version->slot < world_slots(world) && !taken[version->slot]);
        taken[version->slot] = true;
      }
    }
  }
  ungrab(taken);
}

/* The plans of this town say 20, 30, 50 and 80 percent: any other share is a third split. */
static void split_look(const struct model *model)
{
  uint64_t whole = 0;
  EXPECT((model->stable != NULL) == (model->n_arms > 0));
  for (uint32_t i = 0; i < model->n_arms; i++) {
    const struct version *version = model->arms[i].version;
    bool out = model->release ? model->release->closed & ARM_BIT(i) : i == ARM_CANDIDATE;
    bool there = version && (model->release ? version->n_seats > 0 : version_answers(version));
    EXPECT(version ? there && !out : out);
    whole += model->arms[i].weight;
  }
  EXPECT(!model->n_arms || whole == WEIGHT_WHOLE);
  if (!model->release) return;
  uint32_t share = model->arms[0].weight / (WEIGHT_WHOLE / 100);
  EXPECT(share == 0 || share == 20 || share == 50 || share == 80 || share == 100 ||
         (share == 30 && model->n_arms == 3) || (share == 1 && model->copy));
  EXPECT(model->release->unjudged_max > 0);
}
