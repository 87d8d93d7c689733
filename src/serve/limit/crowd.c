/* crowd.c - how many calls each tenant has in the pool.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/limit/crowd.h"

#include "base/mem.h"
#include "serve/refuse.h"
#include "serve/stages_int.h"

enum { RETRY_MS = 200, CROWDS_MIN = 16 };

struct crowd {
  uint32_t calls;
  uint32_t weight; /* as it was when the first of them came */
};

void crowds_deinit(struct crowds *crowds) { ungrab(crowds->of); }

void crowds_world(struct crowds *crowds, const struct world *world)
{
  uint32_t n_tenants = world_tenants(world);
  /* Slots ascend: the last tenant's is the highest. */
  uint32_t n = n_tenants ? world_tenant_at(world, n_tenants - 1)->slot + 1 : 0;
  if (n <= crowds->n) return;
  if (n < CROWDS_MIN) n = CROWDS_MIN;
  if (n < 2 * crowds->n) n = 2 * crowds->n;
  crowds->of = grab_more(crowds->of, n * sizeof *crowds->of);
  memset(crowds->of + crowds->n, 0, (n - crowds->n) * sizeof *crowds->of);
  crowds->n = n;
}

static bool gives_way(const struct call *call, const struct crowd *crowd)
{
  const struct serve *serve = call->serve;
  uint64_t most = serve->opts.calls_max, calls = serve->calls;
  if (calls <= most / 4 * 3) return false;
  if (call->class == CLASS_BATCH) return true;
  if (calls <= most / 8 * 7 || !crowd->calls) return false;
  return crowd->calls >= most * crowd->weight / serve->crowds.weights;
}

bool crowd_enter(struct call *call)
{
  struct crowds *crowds = &call->serve->crowds;
  const struct tenant *tenant = call->came.tenant;
  must(tenant->slot < crowds->n); /* crowds_world saw to it */
  struct crowd *crowd = &crowds->of[tenant->slot];
  if (gives_way(call, crowd)) {
    fail(&call->err, E_NO_CAPACITY,
         "too many requests are in work at once, and this tenant has more than its share of them; "
         "retry in a moment");
    call->err.retry_after_ms = retry_spread(&call->serve->rand, RETRY_MS);
    return false;
  }
  if (!crowd->calls++) {
    crowd->weight = tenant->allow.weight ? tenant->allow.weight : 1;
    crowds->weights += crowd->weight;
  }
  call->crowd = tenant->slot + 1;
  return true;
}

bool crowd_over(const struct call *call)
{
  const struct crowds *crowds = &call->serve->crowds;
  if (!call->crowd) return true;
  const struct crowd *crowd = &crowds->of[call->crowd - 1];
  return 2 * (uint64_t)crowd->calls * crowds->weights >=
         (uint64_t)call->serve->calls * crowd->weight;
}

void crowd_leave(struct call *call)
{
  struct crowds *crowds = &call->serve->crowds;
  if (!call->crowd) return;
  struct crowd *crowd = &crowds->of[call->crowd - 1];
  call->crowd = 0;
  must(crowd->calls > 0);
  if (!--crowd->calls) crowds->weights -= crowd->weight;
}
