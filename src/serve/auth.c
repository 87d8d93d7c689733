/* auth.c - who asks: a lookup in the leased world.
 * Thread: its loop.
 * Keys are not built yet: every caller is "anonymous" of tenant "default". The daemon refuses
 * to listen beyond loopback unless its configuration says `anonymous: true`, so nobody is let
 * in by accident.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

enum step auth_stage(struct call *call)
{
  if (!call->world) {
    fail(&call->err, E_NOT_READY,
         "the server is starting: no model is loaded yet; retry in a moment");
    return STEP_REPLY;
  }
  call->tenant = world_tenant(call->world, SLICE("default"));
  if (call->tenant) return STEP_NEXT;
  fail(&call->err, E_MODEL_NOT_FOUND, "there is no model \"%.*s\"; push one first",
       SLICE_ARG(call->model_name));
  return STEP_REPLY;
}
