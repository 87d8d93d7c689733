/* wake.c - calls of a version that rests: they wait until it is back in memory.
 * Thread: its loop.
 *
 *   wake stage --WAKE--> control     one letter per version, however many calls wait
 *      | WAKING                      control loads it, publishes a world
 *      '<-- world: READY ------ the call takes that world and goes on
 *           RESTING, more naps  it could not be loaded: 507 with the reason
 *           nothing in time     the deadline: 504; the load goes on for the next one
 *
 * A call that waits holds no lease: what has to leave memory to make room may be named by the very
 * world it came with. It keeps names, and looks them up in the world that wakes it.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "serve/stages_int.h"

enum { WAKES_MAX = 64 }; /* letters out at once; more versions wait for one to come home */

struct wakes {
  struct letter_wake letters[WAKES_MAX];
  bool out[WAKES_MAX];
  uint32_t n_out;
  uint64_t serial; /* of the world that waiting calls were looked at in */
};

void wakes_init(struct serve *serve)
{
  serve->wakes = grab_zero(1, sizeof *serve->wakes);
  list_init(&serve->waking);
}

void wakes_deinit(struct serve *serve)
{
  must(list_empty(&serve->waking));
  ungrab(serve->wakes);
}

/* --- letters ---------------------------------------------------------------------------------- */

static void wake_send(struct serve *serve, const struct call *call)
{
  struct wakes *wakes = serve->wakes;
  uint32_t model = call->wake.slot, version = call->wake.version, room = WAKES_MAX;
  for (uint32_t i = 0; i < WAKES_MAX; i++) {
    const struct letter_wake *letter = &wakes->letters[i];
    if (!wakes->out[i]) room = i;
    else if (letter->model == model && letter->version == version) return;
  }
  if (room == WAKES_MAX) return; /* sent when one is home: wake_home */
  wakes->out[room] = true;
  wakes->n_out++;
  wakes->letters[room] = (struct letter_wake){.mail.kind = LETTER_WAKE,
                                              .home = serve->opts.home,
                                              .model = model,
                                              .version = version};
  mail_send(serve->opts.post->control, &wakes->letters[room].mail);
}

void serve_wake_home(struct serve *serve, struct letter_wake *letter)
{
  struct wakes *wakes = serve->wakes;
  bool full = wakes->n_out == WAKES_MAX;
  wakes->out[letter - wakes->letters] = false;
  wakes->n_out--;
  if (!full) return;
  for (struct link *link = serve->waking.next; link != &serve->waking; link = link->next)
    wake_send(serve, LIST_OF(link, struct call, link));
}

/* --- calls ------------------------------------------------------------------------------------ */

static const struct model *model_now(const struct call *call, const struct tenant **tenant)
{
  const struct world *world = serve_newest(call->serve);
  *tenant = world ? world_tenant(world, call->wake.tenant) : NULL;
  return *tenant ? world_model(world, *tenant, call->model_name) : NULL;
}

/* What the newest world has for this call; NULL: nothing any more. */
static const struct version *version_now(const struct call *call)
{
  const struct tenant *tenant;
  const struct model *model = model_now(call, &tenant);
  if (!model) return NULL;
  return call->wake.named ? model_version(model, call->wake.version) : model->stable;
}

static bool is_due(const struct call *call)
{
  const struct version *version = version_now(call);
  return !version || version->state != VERSION_RESTING || version->naps != call->wake.naps;
}

struct call *serve_woken(struct serve *serve, int64_t now_us)
{
  const struct world *world = serve_newest(serve);
  uint64_t serial = world ? world_serial(world) : 0;
  for (struct link *link = serve->waking.next; link != &serve->waking; link = link->next) {
    struct call *call = LIST_OF(link, struct call, link);
    if (call->deadline_us <= now_us || (serial != serve->wakes->serial && is_due(call)))
      return call;
    if (call->deadline_us < serve->alarm_us) serve->alarm_us = call->deadline_us;
  }
  serve->wakes->serial = serial;
  return NULL;
}

static enum step late_or_away(struct call *call)
{
  if (call->deadline_us <= call->serve->now_us)
    fail(&call->err, E_DEADLINE_EXCEEDED,
         "model \"%.*s\" was out of memory and did not come back within the deadline; it is on its "
         "way, ask again",
         SLICE_ARG(call->model_name));
  else
    fail(&call->err, E_NOT_READY, "model \"%.*s\" could not be brought back into memory",
         SLICE_ARG(call->model_name));
  return STEP_REPLY;
}

/* False: there is no memory for two names. */
static bool wait_note(struct call *call)
{
  struct slice model = arena_copy(&call->arena, call->model_name);
  call->wake.tenant = arena_copy(&call->arena, call->came.tenant->name);
  if (!model.at || !call->wake.tenant.at) return false;
  call->model_name = model;
  call->wake.slot = call->model->slot;
  call->wake.naps = call->version->naps;
  call->wake.version = call->version->number;
  call->wake.named = call->arm == NULL;
  call->deadline_us = call_deadline(call);
  return true;
}

static void lease_leave(struct call *call)
{
  lease_drop(call->serve, call->lease);
  call->lease = NULL;
  call->world = NULL;
  call->came.tenant = NULL;
  call->model = NULL;
  call->arm = NULL;
  call->version = NULL;
}

static enum step wait_begin(struct call *call)
{
  struct serve *serve = call->serve;
  if (!call->deadline_us && !wait_note(call)) {
    fail(&call->err, E_OUT_OF_MEMORY, "the request needs more memory than one may have");
    return STEP_REPLY;
  }
  if (call->deadline_us <= serve->now_us) return late_or_away(call);
  if (serve->draining) {
    fail(&call->err, E_DRAINING, "the server is stopping and loads no more models");
    return STEP_REPLY;
  }
  if (call->version->naps != call->wake.naps) {
    enum code code = call->version->refused;
    fail(&call->err, code ? code : E_MODELS_MEMORY_FULL, "%.*s", (int)call->version->reason.len,
         call->version->reason.at ? call->version->reason.at : "");
    return STEP_REPLY;
  }
  lease_leave(call);
  call->state = CALL_WAKING;
  list_push_back(&serve->waking, &call->link);
  if (call->deadline_us < serve->alarm_us) serve->alarm_us = call->deadline_us;
  wake_send(serve, call);
  return STEP_AGAIN; /* in the world that wakes it */
}

/* The same question to the newest world: by lot once more, or by the number that was named. False:
 * it has no answer. */
static bool look_again(struct call *call)
{
  struct serve *serve = call->serve;
  const struct version *now = version_now(call);
  if (call->deadline_us <= serve->now_us || !now || !version_answers(now)) return false;
  call->lease = lease_take(serve);
  call->world = call->lease->letter->world;
  call->model = model_now(call, &call->came.tenant);
  call->model_name = call->model->name;
  if (call->wake.named)
    call->version = now;
  else
    choose_stage(call);
  return true;
}

enum step wake_stage(struct call *call)
{
  if (!call->version && !look_again(call)) return late_or_away(call);
  return call->version->state == VERSION_READY ? STEP_NEXT : wait_begin(call);
}
