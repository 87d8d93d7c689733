/* crowd.c - how many calls each tenant has in the pool.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/limit/crowd.h"

#include "base/mem.h"
#include "serve/refuse.h"
#include "serve/stages_int.h"

enum { RETRY_MS = 200 };

struct crowd {
  uint32_t calls;
  uint32_t weight; /* as it was when the first of them came */
};

void crowds_deinit(struct crowds *crowds) { ungrab(crowds->of); }

static struct crowd *crowd_of(struct crowds *crowds, uint32_t slot)
{
  if (slot >= crowds->n) {
    uint32_t n = slot + 1 > 2 * crowds->n ? slot + 1 : 2 * crowds->n;
    crowds->of = grab_more(crowds->of, n * sizeof *crowds->of);
    memset(crowds->of + crowds->n, 0, (n - crowds->n) * sizeof *crowds->of);
    crowds->n = n;
  }
  return &crowds->of[slot];
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
  struct crowd *crowd = crowd_of(crowds, tenant->slot);
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

void crowd_leave(struct call *call)
{
  struct crowds *crowds = &call->serve->crowds;
  if (!call->crowd) return;
  struct crowd *crowd = &crowds->of[call->crowd - 1];
  call->crowd = 0;
  must(crowd->calls > 0);
  if (!--crowd->calls) crowds->weights -= crowd->weight;
}
