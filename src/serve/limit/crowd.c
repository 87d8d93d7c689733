/* crowd.c - the loop's pool of calls, shared by tenants: who holds more than its share gives way
 * before the pool is empty.
 * Thread: its loop.
 * A share is the pool, divided by weight among the tenants that have calls in it: one alone has all
 * of it.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "serve/stages_int.h"

enum { RETRY_MS = 200 };

struct crowd {
  uint32_t calls;
  uint32_t weight; /* as it was when the first of them came */
};

static struct crowd *crowd_of(struct brakes *brakes, uint32_t slot)
{
  if (slot >= brakes->n_crowd) {
    uint32_t n = slot + 1 > 2 * brakes->n_crowd ? slot + 1 : 2 * brakes->n_crowd;
    brakes->crowd = grab_more(brakes->crowd, n * sizeof *brakes->crowd);
    memset(brakes->crowd + brakes->n_crowd, 0, (n - brakes->n_crowd) * sizeof *brakes->crowd);
    brakes->n_crowd = n;
  }
  return &brakes->crowd[slot];
}

static bool gives_way(const struct call *call, const struct crowd *crowd)
{
  const struct serve *serve = call->serve;
  uint64_t most = serve->opts.calls_max, calls = serve->calls;
  if (calls <= most / 4 * 3) return false;
  if (call->class == CLASS_BATCH) return true;
  if (calls <= most / 8 * 7 || !crowd->calls) return false;
  return crowd->calls >= most * crowd->weight / serve->brakes.weights;
}

bool crowd_enter(struct call *call)
{
  struct brakes *brakes = &call->serve->brakes;
  const struct tenant *tenant = call->came.tenant;
  struct crowd *crowd = crowd_of(brakes, tenant->slot);
  if (gives_way(call, crowd)) {
    fail(&call->err, E_NO_CAPACITY,
         "too many requests are in work at once, and this tenant has more than its share of them; "
         "retry in a moment");
    call->err.retry_after_ms = retry_spread(&call->serve->rand, RETRY_MS);
    return false;
  }
  if (!crowd->calls++) {
    crowd->weight = tenant->allow.weight ? tenant->allow.weight : 1;
    brakes->weights += crowd->weight;
  }
  call->crowd = tenant->slot + 1;
  return true;
}

void crowd_leave(struct call *call)
{
  struct brakes *brakes = &call->serve->brakes;
  if (!call->crowd) return;
  struct crowd *crowd = &brakes->crowd[call->crowd - 1];
  call->crowd = 0;
  must(crowd->calls > 0);
  if (!--crowd->calls) brakes->weights -= crowd->weight;
}
