/* shadow.c - the life of shadows: what they take over, when they may run, when they are given up.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "serve/shadow/shadow.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/quota/meter.h"
#include "serve/release_int.h"

enum {
  SHADOW_SHARE = 8,             /* of the pool of calls */
  SHADOW_GIVEN_UP = 5000000,    /* us */
  SHADOW_PATIENCE = 100000,     /* us */
  RESIDENT_FREE_US = 20,        /* a run this long is followed by a rest as long */
  RESIDENT_REST_MAX = 10000000, /* us */
  RESIDENT_LONG_US = 14142,     /* its square over RESIDENT_FREE_US is RESIDENT_REST_MAX */
  LOOKED_AT = 16                /* of those that wait, per turn */
};

/* --- boot ------------------------------------------------------------------------------------ */

static uint32_t shadows_max(uint32_t calls_max)
{
  return calls_max > SHADOW_SHARE ? calls_max / SHADOW_SHARE : 1;
}

void shadows_init(struct shadows *shadows, uint32_t calls_max, uint64_t bodies_max)
{
  *shadows = (struct shadows){.n_max = shadows_max(calls_max), .held_max = bodies_max / 4};
  shadows->all = grab_zero(shadows->n_max, sizeof *shadows->all);
  shadows->inputs_seen = grab_zero(INPUTS_SEEN, sizeof *shadows->inputs_seen);
  list_init(&shadows->free);
  list_init(&shadows->pinned);
  list_init(&shadows->waiting);
  list_init(&shadows->home);
  for (uint32_t i = 0; i < shadows->n_max; i++)
    list_push_back(&shadows->free, &shadows->all[i].link);
}

void shadows_deinit(struct shadows *shadows)
{
  must(shadows->in_use == 0 && shadows->held == 0);
  ungrab(shadows->inputs_seen);
  ungrab(shadows->all);
}

uint64_t shadows_boot_bytes(uint32_t calls_max)
{
  return shadows_max(calls_max) * sizeof(struct shadow) + INPUTS_SEEN * sizeof(struct input_mark);
}

/* --- taking over ------------------------------------------------------------------------------ */

static void dropped_count(struct serve *serve, const struct release_ref *ref)
{
  struct release_place place;
  if (release_here(serve, ref, &place)) place.tally->shadow_dropped++;
}

static bool has_room(const struct serve *serve, const struct call *call)
{
  const struct shadows *shadows = &serve->shadows;
  const struct budget *given = serve->opts.bodies;
  uint64_t bytes = arena_held(&call->arena) + arena_held(&call->scratch);
  return !list_empty(&shadows->free) && shadows->held + bytes <= shadows->held_max &&
         serve->calls <= serve->opts.calls_max / 2 + 1 && given->held <= given->max / 2;
}

struct shadow *shadow_begin(struct call *call)
{
  struct serve *serve = call->serve;
  struct shadows *shadows = &serve->shadows;
  const struct task *task = &call->task;
  if (!call->copied || call->err.code != OK || call->state != CALL_DONE || shadows->stopped)
    return NULL;
  call->copied = false;
  struct release_ref ref = {call->lease, call->came.tenant, call->model, call->split};
  if (!has_room(serve, call) || serve_presses(serve, ACTION_NO_SHADOW)) {
    dropped_count(serve, &ref);
    return NULL;
  }
  struct shadow *shadow = LIST_OF(list_pop_front(&shadows->free), struct shadow, link);
  *shadow = (struct shadow){.state = SHADOW_PINNED,
                            .serve = serve,
                            .lease = call->lease,
                            .ref = ref,
                            .stable = call->version,
                            .inputs = task->inputs,
                            .outputs = task->outputs,
                            .wanted = task->wanted,
                            .rows = task->rows,
                            .stable_us = (task->infer_ns - task->queued_ns) / 1000,
                            .stable_cpu_ns = task->cpu_ns,
                            .since_us = serve->now_us,
                            .id_len = call->request_id_len};
  memcpy(shadow->id, call->request_id, call->request_id_len);
  shadow->lease->calls++;
  shadows->in_use++;
  list_push_back(&shadows->pinned, &shadow->link);
  return shadow;
}

static void shadow_end(struct shadow *shadow)
{
  struct serve *serve = shadow->serve;
  scratch_rest(serve, &shadow->scratch);
  scratch_rest(serve, &shadow->own);
  arena_deinit(&shadow->arena);
  lease_drop(serve, shadow->lease);
  serve->shadows.held -= shadow->held;
  serve->shadows.in_use--;
  shadow->state = SHADOW_FREE;
  list_push_front(&serve->shadows.free, &shadow->link);
}

/* Its world goes at once; its place, where a connection holds its memory, when that is back. */
static void shadow_drop(struct shadow *shadow)
{
  dropped_count(shadow->serve, &shadow->ref);
  list_remove(&shadow->link);
  if (shadow->state == SHADOW_WAITING) {
    shadow_end(shadow);
    return;
  }
  lease_drop(shadow->serve, shadow->lease);
  shadow->lease = NULL;
  shadow->state = SHADOW_LOST;
}

void shadow_memory(struct shadow *shadow, struct arena *arena, struct arena *scratch)
{
  struct shadows *shadows = &shadow->serve->shadows;
  must(shadow->state == SHADOW_PINNED || shadow->state == SHADOW_LOST);
  shadow->arena = *arena;
  shadow->scratch = *scratch;
  arena_init(arena, 0, NULL);
  arena_init(scratch, 0, NULL);
  if (shadow->state == SHADOW_LOST) {
    shadow_end(shadow);
    return;
  }
  shadow->held = arena_held(&shadow->arena) + arena_held(&shadow->scratch);
  shadows->held += shadow->held;
  shadow->state = SHADOW_WAITING;
  shadow->since_us = shadow->serve->now_us;
  list_remove(&shadow->link);
  list_push_back(&shadows->waiting, &shadow->link);
}

/* --- sending ---------------------------------------------------------------------------------- */

static const struct tensor *tensor_for(const struct tensor_spec *spec,
                                       const struct contract *contract,
                                       const struct tensor *tensors)
{
  uint32_t index;
  if (!spec_find(contract->inputs, contract->n_inputs, spec->name, &index)) return NULL;
  return &tensors[index];
}

/* Stable's inputs in the order of the candidate's contract, which may differ where the plan has
 * declared it. False: it needs one that the request did not bring, or memory is short. */
static bool inputs_map(struct shadow *shadow, const struct contract *contract)
{
  const struct contract *from = &shadow->stable->contract;
  struct tensor *inputs = arena_zero(&shadow->arena, contract->n_inputs, sizeof *inputs);
  struct err *err = &shadow->task.err;
  if (!inputs) return false;
  for (uint32_t i = 0; i < contract->n_inputs; i++) {
    const struct tensor_spec *spec = &contract->inputs[i];
    const struct tensor *tensor = tensor_for(spec, from, shadow->inputs);
    if (tensor && tensor->dtype != DT_NONE) {
      if (tensor->dtype != spec->dtype || spec_fits(spec, tensor, err)) return false;
      inputs[i] = *tensor;
    } else if (!spec->optional) {
      return false;
    }
  }
  shadow->task.inputs = inputs;
  return true;
}

/* Outputs of the same names; all of them where none is. */
static uint64_t outputs_wanted(const struct shadow *shadow, const struct contract *contract)
{
  const struct contract *from = &shadow->stable->contract;
  uint64_t wanted = 0;
  for (uint32_t i = 0; i < contract->n_outputs; i++) {
    uint32_t index;
    bool there = spec_find(from->outputs, from->n_outputs, contract->outputs[i].name, &index);
    if (there && shadow->wanted >> index & 1) wanted |= UINT64_C(1) << i;
  }
  if (wanted) return wanted;
  return contract->n_outputs == 64 ? UINT64_MAX : (UINT64_C(1) << contract->n_outputs) - 1;
}

/* False: what the candidate takes has changed so that it cannot be asked, or memory is short. */
static bool task_make(struct shadow *shadow)
{
  struct serve *serve = shadow->serve;
  struct task *task = &shadow->task;
  const struct version *version = shadow->ref.split->shadow;
  const struct contract *contract = &version->contract;
  task->outputs = arena_zero(&shadow->arena, contract->n_outputs, sizeof *task->outputs);
  if (!task->outputs || contract->batches != shadow->stable->contract.batches) return false;
  if (!inputs_map(shadow, contract)) return false;
  int64_t span_us = version->deadline_us ? version->deadline_us : serve->opts.deadline_us;
  scratch_take(serve, &shadow->own, version->resident);
  task->mail.kind = LETTER_TASK;
  task->home = serve->opts.home;
  task->contract = contract;
  task->wanted = outputs_wanted(shadow, contract);
  task->rows = (uint32_t)shadow->rows;
  task->costs = shadow->stable_cpu_ns >= 0;
  task->class = CLASS_SHADOW;
  task->tenant = shadow->ref.tenant->slot;
  task->weight = shadow->ref.tenant->allow.weight;
  task->signature = signature_of(contract, task->inputs, task->wanted);
  task->deadline_us = serve->now_us + span_us;
  atomic_store_explicit(&task->gone, false, memory_order_relaxed);
  task->scratch = &shadow->own;
  task->err.code = OK;
  task->queued_ns = clock_ns();
  return true;
}

static bool shadow_send(struct shadow *shadow)
{
  struct serve *serve = shadow->serve;
  const struct version *version = shadow->ref.split->shadow;
  const struct seat *seat = seat_of(serve, version);
  struct release_place place;
  list_remove(&shadow->link);
  if (!task_make(shadow)) {
    if (release_here(serve, &shadow->ref, &place)) place.tally->shadow_errors++;
    shadow_end(shadow);
    return false;
  }
  shadow->task.lane = seat->lane;
  shadow->state = SHADOW_OUT;
  serve->shadows.n_out++;
  serve->shadows.n_out_elsewhere += !version->resident;
  mail_send(seat->owner, &shadow->task.mail);
  return true;
}

/* When this one may go: see shadow.h. INT64_MAX: not before another task is home. */
static int64_t go_when(const struct shadow *shadow)
{
  const struct serve *serve = shadow->serve;
  const struct shadows *shadows = &serve->shadows;
  const struct split *split = shadow->ref.split;
  if (split->shadow->resident) {
    if (shadows->n_out != shadows->n_out_elsewhere) return INT64_MAX;
    return split->slot < serve->tally->n_releases ? serve->tally->locals[split->slot].rest_until_us
                                                  : 0;
  }
  if (shadows->n_out_elsewhere) return INT64_MAX;
  return list_empty(&serve->lent) ? 0 : shadow->since_us + SHADOW_PATIENCE;
}

/* --- home ------------------------------------------------------------------------------------- */

struct shadow *shadow_of_task(struct serve *serve, struct mail *answer)
{
  const struct shadows *shadows = &serve->shadows;
  uintptr_t at = (uintptr_t)answer, first = (uintptr_t)shadows->all;
  if (at - first >= shadows->n_max * sizeof *shadows->all) return NULL;
  return &shadows->all[(at - first) / sizeof *shadows->all];
}

/* The longer a run held the loop, the longer until the next. */
static void shadow_rest(const struct shadow *shadow)
{
  const struct task *task = &shadow->task;
  struct release_place place;
  if (!release_here(shadow->serve, &shadow->ref, &place)) return;
  int64_t run_us = (task->infer_ns - task->began_ns) / 1000, rest_us = RESIDENT_REST_MAX;
  if (run_us < RESIDENT_LONG_US) rest_us = run_us * run_us / RESIDENT_FREE_US;
  place.local->rest_until_us = shadow->serve->now_us + rest_us;
}

void shadow_home(struct shadow *shadow)
{
  struct shadows *shadows = &shadow->serve->shadows;
  must(shadow->state == SHADOW_OUT);
  shadows->n_out--;
  meter_ran(shadow->ref.tenant->meter, task_cost_ns(&shadow->task));
  if (shadow->ref.split->shadow->resident) {
    shadow_rest(shadow);
  } else {
    shadows->n_out_elsewhere--;
  }
  shadow->state = SHADOW_HOME;
  list_push_back(&shadows->home, &shadow->link);
}

/* --- turns ------------------------------------------------------------------------------------ */

/* The first of those that wait who may go by now, and may need an idle loop. */
static struct shadow *next_to_go(const struct serve *serve, bool idle, int64_t *when_us)
{
  const struct link *list = &serve->shadows.waiting;
  int n = 0;
  *when_us = INT64_MAX;
  for (const struct link *link = list->next; link != list && n < LOOKED_AT;
       link = link->next, n++) {
    struct shadow *shadow = LIST_OF(link, struct shadow, link);
    int64_t go_us = go_when(shadow);
    if (go_us < *when_us) *when_us = go_us;
    if (go_us <= serve->now_us && (idle || !shadow->ref.split->shadow->resident)) return shadow;
  }
  return NULL;
}

int64_t shadows_when(const struct serve *serve)
{
  int64_t when_us;
  if (!list_empty(&serve->shadows.home)) return 0;
  next_to_go(serve, false, &when_us);
  return when_us;
}

bool shadows_turn(struct serve *serve, bool idle)
{
  struct shadows *shadows = &serve->shadows;
  int64_t when_us;
  for (struct link *link; (link = list_pop_front(&shadows->home));) {
    struct shadow *shadow = LIST_OF(link, struct shadow, link);
    pair_count(shadow);
    shadow_end(shadow);
  }
  struct shadow *shadow = next_to_go(serve, idle, &when_us);
  if (!shadow) return false;
  bool resident = shadow->ref.split->shadow->resident;
  return shadow_send(shadow) && resident;
}

static void list_give_up(struct link *list, int64_t before_us)
{
  struct link *link = list->next;
  while (link != list) {
    struct shadow *shadow = LIST_OF(link, struct shadow, link);
    link = link->next;
    if (shadow->since_us < before_us || !release_runs(shadow->serve, &shadow->ref))
      shadow_drop(shadow);
  }
}

void shadows_sweep(struct serve *serve)
{
  bool pressed = serve_presses(serve, ACTION_NO_SHADOW);
  int64_t before_us = pressed ? INT64_MAX : serve->now_us - SHADOW_GIVEN_UP;
  list_give_up(&serve->shadows.pinned, before_us);
  list_give_up(&serve->shadows.waiting, before_us);
}

void shadows_stop(struct serve *serve)
{
  serve->shadows.stopped = true;
  list_give_up(&serve->shadows.pinned, INT64_MAX);
  list_give_up(&serve->shadows.waiting, INT64_MAX);
}
