/* place.c - loading, opening lanes, closing them, unloading: by letters, each step when the one
 * before it came home.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/place.h"

#include "base/log.h"
#include "base/mem.h"
#include "control/fit.h"
#include "control/registry/quarantine.h"

void place_init(struct place *place, const struct place_opts *opts, const struct post *post,
                struct mailbox *home)
{
  *place = (struct place){.opts = *opts, .post = post, .home = home};
  if (!place->opts.memory_max) place->opts.memory_max = UINT64_MAX;
  list_init(&place->changed);
  list_init(&place->waiting);
  list_init(&place->leaving);
}

static void placed_free(struct placed *placed)
{
  arena_deinit(&placed->load.arena);
  ungrab(placed->lanes);
  ungrab(placed->seats);
  ungrab(placed->owners);
  ungrab(placed);
}

void place_deinit(struct place *place)
{
  struct link *link;
  for (uint32_t i = 0; i < place->models_cap; i++)
    while ((link = list_pop_front(&place->models[i])))
      placed_free(LIST_OF(link, struct placed, link));
  ungrab(place->models);
  while ((link = list_pop_front(&place->leaving))) placed_free(LIST_OF(link, struct placed, link));
  ungrab(place->slots);
  ungrab(place->free);
  ungrab(place->jobs_out);
  ungrab(place->workers);
  ungrab(place->tenants);
}

struct placed *place_find(const struct place *place, const struct catalog_model *model,
                          uint32_t number)
{
  if (model->slot >= place->models_cap) return NULL;
  const struct link *head = &place->models[model->slot];
  for (struct link *link = head->next; link != head; link = link->next) {
    struct placed *placed = LIST_OF(link, struct placed, link);
    if (placed->number == number) return placed;
  }
  return NULL;
}

/* The heads move when the array grows, so every ring is closed again. */
static void models_grow(struct place *place, uint32_t slot)
{
  uint32_t cap = place->models_cap ? place->models_cap : 16;
  while (cap <= slot) cap *= 2;
  struct link *heads = grab_zero(cap, sizeof *heads);
  for (uint32_t i = 0; i < cap; i++) {
    list_init(&heads[i]);
    struct link *link;
    while (i < place->models_cap && (link = list_pop_front(&place->models[i])))
      list_push_back(&heads[i], link);
  }
  ungrab(place->models);
  place->models = heads;
  place->models_cap = cap;
}

static uint32_t slot_take(struct place *place)
{
  if (place->n_free) return place->free[--place->n_free];
  if (place->n_slots == place->slots_cap) {
    place->slots_cap = place->slots_cap ? 2 * place->slots_cap : 16;
    place->slots = grab_more(place->slots, place->slots_cap * sizeof *place->slots);
    place->free = grab_more(place->free, place->slots_cap * sizeof *place->free);
  }
  return place->n_slots++;
}

void place_detach(struct place *place, struct placed *placed)
{
  must(placed->state == PLACED_GONE && !placed_is_wanted(placed) && !placed->worlds);
  must(!placed->serves && !placed->changed && place->slots[placed->slot] == placed);
  place->slots[placed->slot] = NULL;
  list_remove(&placed->link);
  list_push_back(&place->leaving, &placed->link);
}

void place_forget(struct place *place, struct placed *placed)
{
  list_remove(&placed->link);
  place->free[place->n_free++] = placed->slot;
  placed_free(placed);
}

struct placed *place_of(struct place *place, struct catalog_model *model, uint32_t number)
{
  struct placed *placed = place_find(place, model, number);
  if (placed) return placed;
  if (model->slot >= place->models_cap) models_grow(place, model->slot);
  placed = grab_zero(1, sizeof *placed);
  placed->model = model;
  placed->number = number;
  placed->slot = slot_take(place);
  place->slots[placed->slot] = placed;
  list_push_back(&place->models[model->slot], &placed->link);
  return placed;
}

static const struct catalog_version *barred(const struct placed *placed)
{
  const struct catalog_version *version = catalog_version(placed->model, placed_version(placed));
  return version && (version->quarantined || version->suspected) ? version : NULL;
}

bool placed_is_wanted(const struct placed *placed)
{
  return (placed->serves && placed->rest != REST_RESTS && !barred(placed)) || placed->coming ||
         placed->released;
}

bool placed_is_coming(const struct placed *placed)
{
  switch (placed->state) {
    case PLACED_WAITING:
    case PLACED_LOADING:
    case PLACED_OPENING: return true;
    case PLACED_CLOSING:
    case PLACED_UNLOADING: return placed_is_wanted(placed);
    default: return false;
  }
}

static bool has_letters(enum placed_state state)
{
  return state == PLACED_LOADING || state == PLACED_OPENING || state == PLACED_CLOSING ||
         state == PLACED_UNLOADING;
}

static void state_set(struct place *place, struct placed *placed, enum placed_state state)
{
  place->busy += has_letters(state);
  place->busy -= has_letters(placed->state);
  if (placed->state == PLACED_WAITING) list_remove(&placed->queue);
  if (state == PLACED_WAITING) list_push_back(&place->waiting, &placed->queue);
  if (state == PLACED_GONE) placed->gone = ++place->n_gone;
  placed->state = state;
  if (state == PLACED_READY) placed->failures = 0;
  if (state == PLACED_READY || state == PLACED_FAILED || !placed->serves) placed->rest = REST_NOT;
  if (place->hooks.moved) place->hooks.moved(place->hooks.arg, placed);
  if ((state != PLACED_READY && state != PLACED_FAILED) || placed->changed) return;
  placed->changed = true;
  list_push_back(&place->changed, &placed->seen);
}

struct placed *place_changed(struct place *place)
{
  struct link *link = list_pop_front(&place->changed);
  if (!link) return NULL;
  struct placed *placed = LIST_OF(link, struct placed, seen);
  placed->changed = false;
  return placed;
}

static void log_placed(enum log_level level, const char *event, const struct placed *placed,
                       const char *reason)
{
  log_event(level, event, "tenant", log_slice(placed->model->tenant->name), "model",
            log_slice(placed->model->name), "version", log_num(placed_version(placed)), "reason",
            reason, NULL);
}

/* --- loading ---------------------------------------------------------------------------------- */

/* The other version of its model that serves just now, or NULL. */
static const struct placed *ready_beside(const struct place *place, const struct placed *placed)
{
  const struct placed *now =
      placed->model->serving ? place_find(place, placed->model, placed->model->serving) : NULL;
  return now && now != placed && now->state == PLACED_READY ? now : NULL;
}

/* The contract of what serves now, so that the job can say how the new one differs. It may be
 * unloaded meanwhile, so the letter has its own copy. */
static const struct contract *expected(struct place *place, struct placed *placed)
{
  const struct placed *now = ready_beside(place, placed);
  if (!now) return NULL;
  struct contract *copy = arena_zero(&placed->load.arena, 1, sizeof *copy);
  return copy && contract_copy(&placed->load.arena, &now->load.contract, copy) ? copy : NULL;
}

enum { LOAD_ARENA_MAX = 64 << 20 };

static void load_start(struct place *place, struct placed *placed)
{
  const struct catalog_version *version = catalog_version(placed->model, placed_version(placed));
  const struct post *post = place->post;
  if (!place->jobs_out) place->jobs_out = grab_zero(post->n_jobs, sizeof *place->jobs_out);
  uint32_t job = 0;
  for (uint32_t i = 1; i < post->n_jobs; i++)
    if (place->jobs_out[i] < place->jobs_out[job]) job = i;
  place->jobs_out[job]++;
  placed->job = job;
  arena_deinit(&placed->load.arena);
  placed->known = false;
  placed->load = (struct letter_load){.mail.kind = LETTER_LOAD,
                                      .home = place->home,
                                      .tenant = placed->model->tenant->name,
                                      .model = placed->model->name,
                                      .version = placed_version(placed),
                                      .engine = version->engine,
                                      .files = version->files,
                                      .n_files = version->n_files,
                                      .inspected = version->inspected,
                                      .objects_fd = place->opts.objects_fd,
                                      .fault = placed->fault,
                                      .control_state = placed};
  arena_init(&placed->load.arena, LOAD_ARENA_MAX, NULL);
  placed->load.expected = expected(place, placed);
  fit_charge(place, placed, fit_bytes(placed));
  state_set(place, placed, PLACED_LOADING);
  log_placed(LOG_INFO, "model_loading", placed, NULL);
  mail_send(post->jobs[job], &placed->load.mail);
}

static void unload_start(struct place *place, struct placed *placed)
{
  placed->unload = (struct letter_unload){.mail.kind = LETTER_UNLOAD,
                                          .home = place->home,
                                          .loaded = placed->load.loaded,
                                          .control_state = placed};
  place->jobs_out[placed->job]++;
  state_set(place, placed, PLACED_UNLOADING);
  mail_send(place->post->jobs[placed->job], &placed->unload.mail);
}

/* --- lanes ------------------------------------------------------------------------------------ */

static struct mailbox *owner_of(const struct place *place, const struct placed *placed, uint32_t i)
{
  return placed->resident ? place->post->residents[i] : place->post->workers[placed->owners[i]];
}

/* Slow models apart: a task waits behind whatever else its worker has, so the worker whose lanes'
 * measured runs add up to the least gets the next one; among equals, as when nothing could be
 * measured, the one with the fewest. */
static bool worker_is_freer(const struct place *place, uint32_t one, uint32_t other)
{
  const struct worker_load *a = &place->workers[one], *b = &place->workers[other];
  return a->run_ns != b->run_ns ? a->run_ns < b->run_ns : a->lanes < b->lanes;
}

static void owners_choose(struct place *place, struct placed *placed)
{
  const struct post *post = place->post;
  if (!place->workers) place->workers = grab_zero(post->n_workers, sizeof *place->workers);
  for (uint32_t i = 0; i < placed->n_seats; i++) {
    uint32_t best = UINT32_MAX;
    for (uint32_t w = 0; w < post->n_workers; w++) {
      bool taken = false;
      for (uint32_t k = 0; k < i; k++) taken = taken || placed->owners[k] == w;
      if (!taken && (best == UINT32_MAX || worker_is_freer(place, w, best))) best = w;
    }
    placed->owners[i] = best;
    place->workers[best].lanes++;
    place->workers[best].run_ns += placed->load.run_ns;
  }
}

static void owners_leave(struct place *place, const struct placed *placed)
{
  for (uint32_t i = 0; i < placed->n_seats; i++) {
    struct worker_load *worker = &place->workers[placed->owners[i]];
    worker->lanes--;
    worker->run_ns -= placed->load.run_ns;
  }
}

/* A measured time near the limit falls on either side by chance, and a loop and a worker answer
 * differently: beside the version that serves only one that is twice as slow, or as fast, as the
 * limit lives elsewhere. */
static bool is_small(const struct place *place, const struct placed *placed)
{
  const struct placed *serving = ready_beside(place, placed);
  int64_t most_ns = place->opts.resident_ns;
  if (most_ns > 0 && serving) most_ns = serving->resident ? most_ns * 2 : most_ns / 2;
  return placed->load.run_ns > 0 && placed->load.run_ns < most_ns;
}

static void lanes_open(struct place *place, struct placed *placed)
{
  const struct post *post = place->post;
  const struct letter_load *load = &placed->load;
  bool small = is_small(place, placed);
  placed->resident = post->residents && post->n_loops &&
                     (load->runs_on == RUNS_ON_AUTO ? small : load->runs_on == RUNS_ON_LOOP);
  uint32_t n = load->instances ? load->instances : place->opts.instances;
  must(post->n_workers > 0 || placed->resident);
  if (n > post->n_workers) n = post->n_workers;
  if (placed->resident) n = post->n_loops;
  placed->n_seats = placed->lanes_out = n;
  placed->lanes = grab_zero(n, sizeof *placed->lanes);
  placed->seats = grab_zero(n, sizeof *placed->seats);
  placed->owners = grab_zero(n, sizeof *placed->owners);
  if (!placed->resident) owners_choose(place, placed);
  state_set(place, placed, PLACED_OPENING);
  for (uint32_t i = 0; i < n; i++) {
    placed->lanes[i] = (struct letter_lane){.mail.kind = LETTER_LANE_OPEN,
                                            .home = place->home,
                                            .loaded = load->loaded,
                                            .control_state = placed};
    mail_send(owner_of(place, placed, i), &placed->lanes[i].mail);
  }
}

static void lanes_closed(struct place *place, struct placed *placed)
{
  if (!placed->resident) owners_leave(place, placed);
  ungrab(placed->lanes);
  ungrab(placed->seats);
  ungrab(placed->owners);
  placed->lanes = NULL;
  placed->seats = NULL;
  placed->owners = NULL;
  placed->n_seats = 0;
  unload_start(place, placed);
}

static void lanes_close(struct place *place, struct placed *placed)
{
  state_set(place, placed, PLACED_CLOSING);
  for (uint32_t i = 0; i < placed->n_seats; i++) {
    struct letter_lane *letter = &placed->lanes[i];
    if (!letter->lane) continue; /* it could not be opened */
    letter->mail.kind = LETTER_LANE_CLOSE;
    placed->lanes_out++;
    mail_send(owner_of(place, placed, i), &letter->mail);
  }
  if (!placed->lanes_out) lanes_closed(place, placed);
}

/* --- letters home ----------------------------------------------------------------------------- */

static void load_home(struct place *place, struct placed *placed)
{
  place->jobs_out[placed->job]--;
  placed->err = placed->load.err;
  if (placed->err.code == OK) {
    placed->known = true;
    fit_charge(place, placed, fit_bytes(placed));
    lanes_open(place, placed);
    return;
  }
  must(!placed->load.loaded);
  fit_charge(place, placed, 0);
  arena_deinit(&placed->load.arena);
  log_placed(LOG_WARN, "model_refused", placed, placed->err.text);
  state_set(place, placed, PLACED_FAILED);
  place_settle(place, placed);
}

static void open_home(struct place *place, struct placed *placed, const struct letter_lane *letter)
{
  if (letter->err.code != OK && placed->err.code == OK) placed->err = letter->err;
  must((letter->err.code == OK) == (letter->lane != NULL));
  if (--placed->lanes_out) return;
  if (placed->err.code != OK) { /* FAILED once those that did open are closed */
    log_placed(LOG_WARN, "model_refused", placed, placed->err.text);
    lanes_close(place, placed);
    return;
  }
  for (uint32_t i = 0; i < placed->n_seats; i++)
    placed->seats[i] = (struct seat){owner_of(place, placed, i), placed->lanes[i].lane};
  log_placed(LOG_INFO, "model_ready", placed, NULL);
  state_set(place, placed, PLACED_READY);
  place_settle(place, placed);
}

static void room_offer(struct place *place)
{
  struct link *link, *next;
  for (link = place->waiting.next; link != &place->waiting; link = next) {
    next = link->next;
    place_settle(place, LIST_OF(link, struct placed, queue));
  }
}

static void unload_home(struct place *place, struct placed *placed)
{
  place->jobs_out[placed->job]--;
  placed->load.loaded = NULL;
  fit_charge(place, placed, 0);
  if (placed->err.code != OK) {
    state_set(place, placed, PLACED_FAILED);
  } else {
    log_placed(LOG_INFO, "model_unloaded", placed, NULL);
    state_set(place, placed, PLACED_GONE);
  }
  if (placed->rest == REST_NOT) { /* worlds say of one that rests what it was like */
    placed->known = false;
    arena_deinit(&placed->load.arena);
  }
  place_settle(place, placed);
  room_offer(place);
}

void place_letter(struct place *place, struct mail *mail)
{
  struct letter_lane *lane;
  switch (mail->kind) {
    case LETTER_LOAD_HOME:
      load_home(place, LETTER_OF(mail, struct letter_load)->control_state);
      break;
    case LETTER_UNLOAD_HOME:
      unload_home(place, LETTER_OF(mail, struct letter_unload)->control_state);
      break;
    case LETTER_LANE_OPEN_HOME:
      lane = LETTER_OF(mail, struct letter_lane);
      open_home(place, lane->control_state, lane);
      break;
    case LETTER_LANE_CLOSE_HOME: {
      struct placed *placed = LETTER_OF(mail, struct letter_lane)->control_state;
      if (--placed->lanes_out == 0) lanes_closed(place, placed);
      break;
    }
    default: must(!"a letter that place does not take");
  }
}

/* It is wanted and not there. */
static void room_take(struct place *place, struct placed *placed)
{
  struct err why = {0};
  const struct catalog_version *is = barred(placed);
  if (is && is->suspected)
    fail(&why, E_QUARANTINED, "%s", QUARANTINE_CRASHED);
  else if (is)
    fail(&why, E_QUARANTINED, "%.*s", (int)is->quarantine.len, is->quarantine.at);
  switch (is ? FIT_NEVER : fit_make(place, placed, &why)) {
    case FIT_NOW: load_start(place, placed); return;
    case FIT_SOON:
      if (placed->state != PLACED_WAITING) state_set(place, placed, PLACED_WAITING);
      return;
    case FIT_NEVER: break;
  }
  placed->err = why;
  log_placed(LOG_WARN, is ? "model_quarantined" : "model_does_not_fit", placed, why.text);
  if (placed->coming || placed->released) {
    state_set(place, placed, PLACED_FAILED);
    return;
  }
  placed->naps += placed->rest == REST_WAKES;
  placed->rest = REST_RESTS;
  state_set(place, placed, PLACED_GONE);
  if (place->hooks.shows) place->hooks.shows(place->hooks.arg, placed);
}

/* It was cleared: a release's stable version is not asked for anew by anybody. */
static void cleared(struct placed *placed)
{
  if (placed->state != PLACED_FAILED || placed->err.code != E_QUARANTINED || barred(placed)) return;
  placed->err = (struct err){0};
  placed->state = PLACED_GONE;
}

void place_settle(struct place *place, struct placed *placed)
{
  if (place->frozen) return;
  cleared(placed);
  bool wanted = placed_is_wanted(placed);
  if (placed->state == PLACED_WAITING && !wanted) state_set(place, placed, PLACED_GONE);
  if ((placed->state == PLACED_GONE || placed->state == PLACED_WAITING) && wanted)
    room_take(place, placed);
  if (placed->state == PLACED_READY && (placed->coming || placed->released))
    placed->rest = REST_NOT;
  if (placed->state == PLACED_READY && !wanted && !placed->worlds) lanes_close(place, placed);
  if (placed->state == PLACED_FAILED && !wanted) placed->state = PLACED_GONE;
}

void place_retry(struct place *place, struct placed *placed)
{
  if (placed->state == PLACED_FAILED) {
    placed->err = (struct err){0};
    placed->state = PLACED_GONE;
  }
  place_settle(place, placed);
}

/* At most five doublings of the first wait. */
enum { AGAIN_PULSES = 10, AGAIN_DOUBLINGS = 5 };

/* Something about the machine may have changed; who asks next finds out. */
static void failed_rest(struct place *place, struct placed *placed)
{
  uint32_t doublings = placed->failures < AGAIN_DOUBLINGS ? placed->failures : AGAIN_DOUBLINGS;
  if (placed->state != PLACED_FAILED || !placed->serves || placed->coming || placed->released)
    return;
  if (++placed->failed_pulses < (uint32_t)AGAIN_PULSES << doublings) return;
  placed->failed_pulses = 0;
  placed->failures++;
  placed->rest = REST_RESTS;
  placed->state = PLACED_GONE;
  if (place->hooks.shows) place->hooks.shows(place->hooks.arg, placed);
}

void place_pulse(struct place *place, const struct catalog *catalog)
{
  for (uint32_t i = 0; i < place->models_cap; i++) {
    const struct link *head = &place->models[i];
    for (struct link *link = head->next; link != head; link = link->next)
      failed_rest(place, LIST_OF(link, struct placed, link));
  }
  fit_pulse(place, catalog);
  room_offer(place); /* who was to leave for it may have been woken before */
}

void place_wake(struct place *place, struct placed *placed)
{
  if (!placed->serves || placed->rest != REST_RESTS) return;
  placed->rest = placed->state == PLACED_READY ? REST_NOT : REST_WAKES;
  if (place->hooks.shows) place->hooks.shows(place->hooks.arg, placed);
  place_settle(place, placed);
}

void place_rest(struct place *place, struct placed *placed)
{
  must(placed->state == PLACED_READY && placed->serves && !placed->coming && !placed->released);
  log_placed(LOG_INFO, "model_rests", placed, NULL);
  placed->rest = REST_RESTS;
  if (place->hooks.shows) place->hooks.shows(place->hooks.arg, placed);
  place_settle(place, placed);
}
