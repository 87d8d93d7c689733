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

#include "base/rand.h"

/* Of this opening; NULL: none was sent yet. */
static struct probe *probe_of(struct serve *serve, uint64_t trip)
{
  for (uint32_t i = 0; i < PROBES_MAX; i++)
    if (serve->probes[i].trip == trip) return &serve->probes[i];
  return NULL;
}

/* Openings are numbered as they come: the lowest number is the oldest one. */
static struct probe *probe_make(struct serve *serve, uint64_t trip)
{
  struct probe *oldest = NULL;
  for (uint32_t i = 0; i < PROBES_MAX; i++) {
    struct probe *probe = &serve->probes[i];
    if (!probe->out && (!oldest || probe->trip < oldest->trip)) oldest = probe;
  }
  if (oldest) *oldest = (struct probe){.trip = trip};
  return oldest;
}

bool breaker_lets(struct serve *serve, const struct version *version)
{
  if (version->breaker == BREAKER_CLOSED) return true;
  if (version->breaker == BREAKER_OPEN) return false;
  const struct probe *probe = probe_of(serve, version->trip);
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
  struct probe *probe = probe_of(serve, version->trip);
  if (!probe) probe = probe_make(serve, version->trip);
  if (!probe) return false;
  probe->out = true;
  call->probe = (uint8_t)(probe - serve->probes + 1);
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
    struct probe *probe = &call->serve->probes[call->probe - 1];
    probe->out = false;
    probe->failed = probe->failed || bad;
    if (slot) slot->probes_good += good, slot->probes_bad += bad;
    call->probe = 0;
  } else if (slot && moves_breaker(call)) {
    slot->good += good;
    slot->bad += bad;
  }
}
