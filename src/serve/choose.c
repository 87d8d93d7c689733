/* choose.c - which version answers: the one the client named, else by its release's lot.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/release_int.h"

/* A call whose body took its time is answered by the newest world, if that still has its model: a
 * candidate that was rolled back meanwhile gets nothing more. */
static void world_renew(struct call *call)
{
  struct serve *serve = call->serve;
  const struct world *world = serve_newest(serve);
  if (call->lease == serve->newest || !world) return;
  const struct tenant *tenant = world_tenant(world, call->came.tenant->name);
  const struct model *model = tenant ? world_model(world, tenant, call->model_name) : NULL;
  if (!model || !model->n_arms) return;
  lease_drop(serve, call->lease);
  call->lease = lease_take(serve);
  call->world = world;
  call->came.tenant = tenant;
  call->model = model;
  call->model_name = model->name;
}

enum step choose_stage(struct call *call)
{
  if (call->version) return breaker_look(call); /* named: no evidence, of nobody */
  world_renew(call);
  const struct model *model = call->model;
  call->counts = !model->release;
  call->arm = model->release ? release_choose(call) : &model->arms[ARM_STABLE];
  call->version = call->arm->version;
  must(version_answers(call->version));
  return breaker_look(call);
}
