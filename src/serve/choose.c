/* choose.c - which version answers: the one the client named, else by its split's shares.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

/* Arms by share of WEIGHT_WHOLE; a lone arm draws no lot. */
static const struct arm *arm_draw(const struct model *model, struct rand *rand)
{
  if (model->n_arms == 1) return &model->arms[0];
  uint64_t lot = rand_u64(rand) % WEIGHT_WHOLE;
  for (uint32_t i = 0; i < model->n_arms; i++) {
    if (lot < model->arms[i].weight) return &model->arms[i];
    lot -= model->arms[i].weight;
  }
  must(!"the shares of a split add up to WEIGHT_WHOLE");
  return NULL;
}

enum step choose_stage(struct call *call)
{
  if (call->version) return STEP_NEXT;
  call->arm = arm_draw(call->model, &call->serve->rand);
  call->version = call->arm->version;
  must(call->version->state == VERSION_READY);
  return STEP_NEXT;
}
