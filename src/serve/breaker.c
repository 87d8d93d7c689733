/* breaker.c - calls of a version whose breaker is open (control/guard/breaker.h), by the world they
 * read: refused at once, answered by stable, or sent to try it.
 * Thread: its loop.
 *
 * A version that is half open gets one call at a time from each loop: loops share no counter for
 * it. So with n loops at most n probes are under way. A loop whose probe failed sends no more until
 * a world says that the version is half open once more.
 * What is refused or answered by stable for this is evidence of neither arm.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

#include "base/mem.h"
#include "base/rand.h"

/* Of this opening; NULL: none was sent yet. */
static struct probe *probe_of(struct serve *serve, const struct version *version, uint64_t trip)
{
  struct probe *probe = version->slot < serve->n_probes ? &serve->probes[version->slot] : NULL;
  return probe && probe->trip == trip ? probe : NULL;
}

void probes_world(struct serve *serve, uint32_t n_slots)
{
  if (n_slots <= serve->n_probes) return;
  serve->probes = grab_more(serve->probes, n_slots * sizeof *serve->probes);
  memset(serve->probes + serve->n_probes, 0, (n_slots - serve->n_probes) * sizeof *serve->probes);
  serve->n_probes = n_slots;
}

/* A place for each version, by its slot: nobody's probes take another's. Of an earlier opening
 * nothing is kept; its probe, if it is still out, finds another number when it is home. NULL: who
 * reads an old world does not try what newer ones try. */
static struct probe *probe_make(struct serve *serve, const struct version *version)
{
  if (version->slot == SLOT_NONE) return NULL;
  must(version->slot < serve->n_probes); /* probes_world saw to it */
  struct probe *probe = &serve->probes[version->slot];
  if (probe->trip > version->trip) return NULL;
  *probe = (struct probe){.trip = version->trip};
  return probe;
}

bool breaker_lets(struct serve *serve, const struct version *version)
{
  if (version->breaker == BREAKER_CLOSED) return true;
  if (version->breaker == BREAKER_OPEN) return false;
  const struct probe *probe = probe_of(serve, version, version->trip);
  return !probe || (!probe->out && !probe->failed);
}

/* When its breaker is tried next, and a fifth more or less: who was refused together shall not come
 * back together. */
static uint32_t retry_ms(struct serve *serve, const struct version *version)
{
  enum { LEAST_MS = 1000 };
  int64_t left_ms = (version->breaker_until_us - serve->now_us) / 1000;
  if (version->breaker != BREAKER_OPEN || left_ms < LEAST_MS) left_ms = LEAST_MS;
  return (uint32_t)((double)left_ms * rand_fifth(rand_unit(&serve->rand)));
}

enum step breaker_refuse(struct call *call, const struct version *version)
{
  call->counts = false;
  fail(&call->err, E_BREAKER_OPEN,
       "version %u of model \"%.*s\" fails most of its calls: it gets %s; retry later",
       version->number, SLICE_ARG(call->model_name),
       version->breaker == BREAKER_OPEN ? "none for some seconds" : "one at a time to try it");
  call->err.retry_after_ms = retry_ms(call->serve, version);
  return STEP_REPLY;
}

/* Stable's, where another version was drawn or may be stood in for; NULL: there is none, or it is
 * no better. */
static const struct arm *arm_instead(const struct call *call)
{
  const struct arm *stable = call->model->n_arms ? &call->model->arms[ARM_STABLE] : NULL;
  bool may = call->arm || call->version->fallback;
  if (!stable || stable->version == call->version || !may) return NULL;
  return breaker_lets(call->serve, stable->version) ? stable : NULL;
}

enum step breaker_look(struct call *call)
{
  if (breaker_lets(call->serve, call->version)) return STEP_NEXT;
  const struct arm *stable = arm_instead(call);
  if (!stable) return breaker_refuse(call, call->version);
  if (call->arm) call->arm = stable;
  call->version = stable->version;
  call->counts = call->copied = false;
  return STEP_NEXT;
}

bool breaker_probe(struct call *call)
{
  const struct version *version = call->version;
  struct serve *serve = call->serve;
  if (version->breaker == BREAKER_CLOSED) return true;
  if (!breaker_lets(serve, version)) return false;
  struct probe *probe = probe_of(serve, version, version->trip);
  if (!probe) probe = probe_make(serve, version);
  if (!probe) return false;
  probe->out = true;
  call->probe = version->trip;
  return true;
}

/* A candidate is judged by what its release's lot gave it: who asks for it by name, or for its arm,
 * chose what it is asked, and stops no release by that. */
static bool moves_breaker(const struct call *call)
{
  if (!call->model->release || call->version == call->model->stable) return true;
  return call->arm && call->counts;
}

void breaker_home(struct call *call, struct version_tally *slot, bool stopped)
{
  enum code code = call->task.err.code;
  bool good = code == OK;
  bool bad = stopped || code == E_MODEL_FAILED || code == E_BAD_MODEL_OUTPUT;
  if (call->probe) {
    struct probe *probe = probe_of(call->serve, call->version, call->probe);
    if (probe) *probe = (struct probe){.trip = call->probe, .failed = probe->failed || bad};
    if (slot) slot->probes_good += good, slot->probes_bad += bad;
    call->probe = 0;
  } else if (slot && moves_breaker(call)) {
    slot->good += good;
    slot->bad += bad;
  }
}
