/* control.c - the thread: one turn takes all mail there is, then publishes at most one world for
 * all that changed in it, however much that was.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_int.h"
#include "control/guard/squeeze.h"
#include "control/guard/trips.h"
#include "control/registry/quarantine.h"
#include "control/registry/refs.h"
#include "control/slot.h"
#include "control/snapshot/snapshot.h"

enum { PULSE_US = 1000000, RESIDENT_NS = 50000, WORLDS_MAX = 1024, STOP_US = 10000000 };
enum { SLOTS_IDLE = 64 };
enum { LIVED_PULSES = 3 }; /* that one turn may count */

static void placed_moved(void *arg, struct placed *placed)
{
  struct control *control = arg;
  publish_touch(&control->publish, placed->model, placed->number);
  trips_forget(control, placed);
  if (placed->state == PLACED_READY) placed->came_ms = control->wall_ms;
}

static void placed_shows(void *arg, const struct placed *placed)
{
  control_touch(arg, placed->model, placed->number);
}

static int64_t placed_used(void *arg, const struct placed *placed)
{
  const struct control *control = arg;
  const struct tally *total = control->pulse.total;
  return placed->slot < total->n_slots ? total->slots[placed->slot].last_wall_ms : 0;
}

struct control *control_new(const struct control_opts *opts, const struct post *post)
{
  struct control *control = grab_zero(1, sizeof *control);
  struct control_opts *o = &control->opts;
  *o = *opts;
  if (!o->instances) o->instances = 1;
  if (!o->resident_ns) o->resident_ns = RESIDENT_NS;
  if (!o->pulse_us) o->pulse_us = PULSE_US;
  if (!o->worlds_max) o->worlds_max = WORLDS_MAX;
  if (!o->slots_idle) o->slots_idle = SLOTS_IDLE;
  if (o->worlds_max < 2) o->worlds_max = 2; /* the newest one is always out */
  control->post = post;
  mailbox_init_bell(&control->box);
  control->catalog = catalog_new(o->hash_key);
  control->catalog->meters = o->meters;
  struct place_opts place = {o->objects_fd, o->instances, o->resident_ns, o->memory_max};
  place_init(&control->place, &place, post, &control->box);
  control->place.hooks = (struct place_hooks){control, placed_moved, placed_shows, placed_used};
  runs_init(&control->runs);
  publish_init(&control->publish, post, &control->place, &control->runs, o->hash_key);
  pulse_init(&control->pulse, post, &control->runs.round);
  list_init(&control->changes);
  list_init(&control->trips);
  uint64_t seed;
  memcpy(&seed, o->hash_key, sizeof seed);
  rand_seed(&control->chance, seed);
  return control;
}

struct mailbox *control_mailbox(struct control *control) { return &control->box; }
const struct catalog *control_catalog(const struct control *control) { return control->catalog; }

void control_touch(struct control *control, const struct catalog_model *model, uint32_t version)
{
  control->unshown = true;
  publish_touch(&control->publish, model, version);
}

/* --- statistics ------------------------------------------------------------------------------- */

static void stats_fill(const struct control *control, struct stats *stats)
{
  *stats = (struct stats){.wall_ms = control->wall_ms,
                          .uptime_us = control->now_us - control->opts.started_us,
                          .loops = control->post->n_loops,
                          .loops_silent = control->loops_silent,
                          .worlds_built = world_count_built(),
                          .worlds_freed = world_count_freed(),
                          .world_serial = control->publish.serial,
                          .pressure = control->pressure,
                          .predictions_kept = control->predictions_kept,
                          .predictions_dropped = control->predictions_dropped,
                          .tally = pulse_copy(&control->pulse, control->place.n_slots)};
  for (uint32_t i = 0; i < control->place.models_cap; i++) {
    const struct link *head = &control->place.models[i];
    for (struct link *link = head->next; link != head; link = link->next)
      stats->models_loading += placed_is_coming(LIST_OF(link, struct placed, link));
  }
  for (uint32_t i = 0; i < stats->tally->n_slots; i++)
    stats->lanes_pending += stats->tally->slots[i].lent - stats->tally->slots[i].returned;
}

static void stats_answer(struct control *control, struct mail **list)
{
  for (struct mail *mail = *list, *next; mail; mail = next) {
    struct letter_stats *letter = LETTER_OF(mail, struct letter_stats);
    next = mail->next;
    stats_fill(control, &letter->stats);
    mail->kind = LETTER_STATS_HOME;
    mail_send(letter->home, mail);
  }
  *list = NULL;
}

/* Who asks is answered by a pulse that began after the question. */
static void stats_ask(struct control *control, struct mail *mail)
{
  uint64_t round = pulse_ask(&control->pulse, control->now_us);
  struct mail **list = round <= control->pulse.begun ? &control->stats_now : &control->stats_later;
  mail->next = *list;
  *list = mail;
  if (round <= control->pulse.closed) stats_answer(control, list);
}

static void round_over(struct control *control)
{
  uint32_t silent = pulse_silent(&control->pulse);
  if (silent != control->loops_silent)
    log_event(silent ? LOG_WARN : LOG_INFO, silent ? "loops_silent" : "loops_report", "loops",
              log_num(silent), NULL);
  control->loops_silent = silent;
  stats_answer(control, &control->stats_now);
  control->stats_now = control->stats_later;
  control->stats_later = NULL;
  runs_pulse(control);
}

/* Versions that one loop counted anything of. */
static void versions_look(struct control *control, const struct tally *tally)
{
  const struct place *place = &control->place;
  for (uint32_t at = 0; at < tally->n_slots; at += 64) {
    uint64_t marks = tally->marks[at / 64];
    for (; marks; marks &= marks - 1) {
      uint32_t slot = at + (uint32_t)__builtin_ctzll(marks);
      struct placed *placed = slot < place->n_slots ? place->slots[slot] : NULL;
      if (!placed) continue;
      quarantine_look(control, placed, &tally->slots[slot]);
      trips_look(control, placed, &tally->slots[slot]);
    }
  }
}

static void tally_home(struct control *control, struct letter_tally *letter)
{
  struct pulse *pulse = &control->pulse;
  uint64_t done = pulse->done, closed = pulse->closed;
  predictions_send(control, letter->tally);
  if (letter->tally && !control->stopping) versions_look(control, letter->tally);
  if (letter->tally) squeeze_turns(control, letter->tally);
  pulse_tally_home(pulse, letter, control->now_us);
  if (pulse->done != done) predictions_handed(control, pulse->done_us);
  if (pulse->closed != closed) round_over(control);
}

/* A silent loop does not stop the clock: what the others counted is judged without it. */
static void round_late(struct control *control)
{
  struct pulse *pulse = &control->pulse;
  bool late = control->now_us - pulse->began_us >= control->opts.pulse_us * 3 / 2;
  if (pulse->begun == pulse->closed || !late) return;
  pulse_close(pulse, control->now_us);
  round_over(control);
}

/* --- starting and stopping -------------------------------------------------------------------- */

/* What served before the restart serves again; what was promised is taken up. */
static void begin(struct control *control)
{
  const struct catalog *catalog = control->catalog;
  control->started = true;
  control->unshown = true;
  pulse_ask(&control->pulse, control->now_us); /* a loop has its tally before its first world */
  notify_begin(control);
  if (!catalog_tenant(catalog, SLICE(TENANT_DEFAULT)) || control->first_key)
    append_tenant(control, SLICE(TENANT_DEFAULT), control->first_key);
  for (uint32_t i = 0; i < catalog->n_models; i++) {
    struct catalog_model *model = catalog->models[i];
    if (model->serving) {
      struct placed *placed = place_of(&control->place, model, model->serving);
      placed->serves = true;
      place_settle(&control->place, placed);
    }
    if (model->asked) switch_resume(control, model);
  }
  runs_begin(control);
}

/* Whether every version that should serve is ready or has failed with a reason. */
static bool all_came(const struct control *control)
{
  const struct catalog *catalog = control->catalog;
  if (!catalog_tenant(catalog, SLICE(TENANT_DEFAULT))) return false;
  for (uint32_t i = 0; i < catalog->n_models; i++) {
    const struct catalog_model *model = catalog->models[i];
    const struct placed *placed =
        model->serving ? place_find(&control->place, model, model->serving) : NULL;
    if (placed && placed_is_coming(placed)) return false;
  }
  return true;
}

static void wake_take(struct control *control, struct letter_wake *letter)
{
  const struct catalog *catalog = control->catalog;
  if (letter->model < catalog->n_models && !control->stopping) {
    struct placed *placed =
        place_find(&control->place, catalog->models[letter->model], letter->version);
    if (placed) place_wake(&control->place, placed);
  }
  letter->mail.kind = LETTER_WAKE_HOME;
  mail_send(letter->home, &letter->mail);
}

static void drain_begin(struct control *control, struct letter_note *letter)
{
  control->draining = control->unshown = true;
  letter->mail.kind = LETTER_DRAIN_HOME;
  mail_send(letter->home, &letter->mail);
}

/* Nothing serves any more: the next world is empty, and with the last one before it home every lane
 * closes and every model leaves. */
static void stop_begin(struct control *control, const struct letter_note *letter)
{
  control->draining = control->stopping = control->unshown = true;
  control->stop_by_us = letter->deadline_us ? letter->deadline_us : control->now_us + STOP_US;
  change_stop(control);
  runs_stop(control);
  journal_now(control); /* so that the next start goes on from the last look */
  pulse_ask(&control->pulse, control->now_us); /* what loops remembered last goes to the scribe */
  for (uint32_t i = 0; i < control->place.models_cap; i++) {
    struct link *head = &control->place.models[i];
    for (struct link *link = head->next; link != head; link = link->next)
      LIST_OF(link, struct placed, link)->serves = false;
  }
  for (uint32_t i = 0; i < control->place.models_cap; i++) {
    struct link *head = &control->place.models[i];
    for (struct link *link = head->next; link != head; link = link->next)
      place_settle(&control->place, LIST_OF(link, struct placed, link));
  }
}

/* What is folded is durable: so is what a snapshot says. */
static void snapshot_send(struct control *control)
{
  struct letter_snapshot *letter = &control->snapshot;
  uint64_t new_events = control->catalog->seq - letter->seq;
  if (!control->opts.snapshot_events || control->snapshot_out || !new_events) return;
  if (new_events < control->opts.snapshot_events &&
      !(control->stopping && control->appends_out == 0))
    return;
  *letter = (struct letter_snapshot){.mail.kind = LETTER_SNAPSHOT,
                                     .home = &control->box,
                                     .form = snapshot_form(),
                                     .seq = control->catalog->seq,
                                     .bytes = snapshot_write(control->catalog)};
  if (!letter->bytes) return;
  control->snapshot_out = true;
  mail_send(control->post->scribe, &letter->mail);
}

static void snapshot_home(struct control *control, struct letter_snapshot *letter)
{
  control->snapshot_out = false;
  blob_drop(letter->bytes);
  letter->bytes = NULL;
  if (letter->err.code != OK)
    log_event(LOG_WARN, "snapshot_not_written", "reason", letter->err.text, NULL);
}

static bool all_gone(const struct control *control)
{
  if (control->appends_out || control->snapshot_out) return false;
  if (control->runs.journal.out || control->place.busy ||
      !control->last_world_out)
    return false;
  if (control->publish.n_books > 1) return false; /* the last, empty world stays out */
  return control->pulse.out == 0 && control->predictions_out == 0 && control->measures_out == 0 &&
         control->checks_out == 0;
}

static void stop_look(struct control *control)
{
  bool gone = all_gone(control);
  if (!gone && control->now_us < control->stop_by_us) return;
  if (!gone)
    log_event(LOG_WARN, "control_stop_late", "worlds", log_num(control->publish.n_books), "models",
              log_num(control->place.busy), "appends", log_num(control->appends_out), NULL);
  stats_answer(control, &control->stats_now);
  stats_answer(control, &control->stats_later);
  control->late = !gone;
  control->stopped = true;
}

/* --- turns ------------------------------------------------------------------------------------ */

static void letter_take(struct control *control, struct mail *mail)
{
  switch (mail->kind) {
    case LETTER_WORLD_HOME:
      publish_lease_home(&control->publish, LETTER_OF(mail, struct letter_world));
      break;
    case LETTER_TALLY_HOME: tally_home(control, LETTER_OF(mail, struct letter_tally)); break;
    case LETTER_COMMAND_HOME: quarantine_home(LETTER_OF(mail, struct letter_command)); break;
    case LETTER_COMMAND: command_take(control, LETTER_OF(mail, struct letter_command)); break;
    case LETTER_STATS: stats_ask(control, mail); break;
    case LETTER_WAKE: wake_take(control, LETTER_OF(mail, struct letter_wake)); break;
    case LETTER_APPEND_HOME: {
      struct letter_append *letter = LETTER_OF(mail, struct letter_append);
      if (letter == &control->runs.journal.letter)
        journal_home(control, letter);
      else
        append_home(control, letter);
      break;
    }
    case LETTER_SNAPSHOT_HOME:
      snapshot_home(control, LETTER_OF(mail, struct letter_snapshot));
      break;
    case LETTER_CHECK_HOME: way_back_home(control, LETTER_OF(mail, struct letter_check)); break;
    case LETTER_REFS:
      refs_fill(control->catalog, LETTER_OF(mail, struct letter_refs));
      mail->kind = LETTER_REFS_HOME;
      mail_send(LETTER_OF(mail, struct letter_refs)->home, mail);
      break;
    case LETTER_RELEASE: release_answer(control, LETTER_OF(mail, struct letter_release)); break;
    case LETTER_PREDICTIONS_HOME:
      predictions_home(control, LETTER_OF(mail, struct letter_predictions));
      break;
    case LETTER_MEASURE_HOME: measure_home(control, LETTER_OF(mail, struct letter_measure)); break;
    case LETTER_LOAD_HOME:
    case LETTER_UNLOAD_HOME:
    case LETTER_LANE_OPEN_HOME:
    case LETTER_LANE_CLOSE_HOME: place_letter(&control->place, mail); break;
    case LETTER_NOTIFY_HOME: notify_home(control, LETTER_OF(mail, struct letter_notify)); break;
    case LETTER_TOLD_HOME: told_home(LETTER_OF(mail, struct letter_notify)); break;
    case LETTER_PRESSURE:
      squeeze_readings(control, LETTER_OF(mail, struct letter_pressure));
      break;
    case LETTER_DRAIN: drain_begin(control, LETTER_OF(mail, struct letter_note)); break;
    case LETTER_STOP: stop_begin(control, LETTER_OF(mail, struct letter_note)); break;
    default: must(!"a letter that control does not take");
  }
}

/* When the next world may go out at the earliest: each wakes every loop twice, which predictions
 * feel, and thousands of changes a second are no reason for as many worlds. */
static int64_t world_due(const struct control *control)
{
  if (!control->publish.serial || control->stopping) return control->now_us;
  return control->world_us + control->opts.worlds_apart_us;
}

/* One world for everything that changed; later, when too many are still out. */
static void world_out(struct control *control)
{
  if (!control->unshown || control->last_world_out) return;
  if (control->publish.n_books >= control->opts.worlds_max && !control->stopping) return;
  if (control->now_us < world_due(control)) return;
  control->ready = control->ready || all_came(control);
  struct publish_flags flags = {.ready = control->ready && !control->draining,
                                .draining = control->draining,
                                .pressure = control->pressure.actions,
                                .empty = control->stopping};
  predictions_want(control); /* before loops see a version that asks for it */
  pulse_grow(&control->pulse, control->place.n_slots, control->runs.n_slots);
  publish_world(&control->publish, control->catalog, flags);
  runs_shown(control);
  control->world_us = control->now_us;
  control->unshown = false;
  control->last_world_out = control->stopping;
}

static void clocks_set(struct control *control, int64_t now_us, int64_t wall_ms)
{
  int64_t passed = now_us - control->now_us, most = LIVED_PULSES * control->opts.pulse_us;
  if (!control->started) passed = most = now_us;
  if (passed > most) log_event(LOG_WARN, "control_slept", "ms", log_num(passed / 1000), NULL);
  control->lived_us += passed < most ? passed : most;
  control->now_us = now_us;
  control->wall_ms = wall_ms;
}

static int64_t turn(struct control *control, struct mail *mail, int64_t now_us, int64_t wall_ms)
{
  struct placed *placed;
  struct pulse *pulse = &control->pulse;
  clocks_set(control, now_us, wall_ms);
  if (!control->started) begin(control);
  for (struct mail *next; mail; mail = next) {
    next = mail->next;
    letter_take(control, mail);
  }
  round_late(control);
  while ((placed = place_changed(&control->place))) {
    switch_placed(control, placed);
    run_placed(control, placed);
  }
  int64_t half_open_us = trips_turn(control);
  world_out(control);
  bool told = true;
  if (!control->unshown) {
    told = runs_told(control);
    change_shown(control);
  }
  change_seen(control);
  snapshot_send(control);
  if (control->stopping) {
    stop_look(control);
    return control->stop_by_us;
  }
  int64_t pulse_us = control->opts.pulse_us;
  if (now_us - control->pulsed_us >= pulse_us) { /* however many rounds are asked for */
    control->pulsed_us = now_us;
    change_pulse(control);
    place_pulse(&control->place, control->catalog);
    slots_pulse(control);
    squeeze_pulse(control);
  }
  if (pulse->begun == pulse->closed && now_us - pulse->began_us >= pulse_us)
    pulse_ask(pulse, now_us);
  if (!told && !control->unshown) return now_us;
  int64_t next = pulse->began_us + (pulse->begun == pulse->closed ? pulse_us : pulse_us * 3 / 2);
  if (control->pulsed_us + pulse_us < next) next = control->pulsed_us + pulse_us;
  if (half_open_us < next) next = half_open_us;
  int64_t due = world_due(control);
  return control->unshown && due > now_us && due < next ? due : next;
}

int64_t control_turn(struct control *control, int64_t now_us, int64_t wall_ms)
{
  return turn(control, mailbox_take(&control->box), now_us, wall_ms);
}

bool control_stopped(const struct control *control) { return control->stopped; }
bool control_late(const struct control *control) { return control->late; }

void control_main(void *arg)
{
  struct control *control = arg;
  struct mail *mail = NULL;
  while (!control->stopped) {
    int64_t next_us = turn(control, mail, clock_us(), clock_wall_ms());
    if (!control->stopped) mail = mailbox_wait(&control->box, next_us);
  }
}

/* What is still under way when every other thread has been joined. */
void control_free(struct control *control)
{
  if (!control) return;
  control->place.frozen = true; /* the mailboxes of others are no more */
  control->pulse.asked = 0;
  for (struct mail *mail = mailbox_take(&control->box), *next; mail; mail = next) {
    next = mail->next;
    if (mail->kind == LETTER_WORLD_HOME)
      publish_lease_home(&control->publish, LETTER_OF(mail, struct letter_world));
    else if (mail->kind == LETTER_TALLY_HOME)
      pulse_tally_home(&control->pulse, LETTER_OF(mail, struct letter_tally), control->now_us);
    else if (mail->kind == LETTER_MEASURE_HOME)
      measure_home(control, LETTER_OF(mail, struct letter_measure));
    else if (mail->kind == LETTER_PREDICTIONS_HOME)
      predictions_home(control, LETTER_OF(mail, struct letter_predictions));
    else if (mail->kind == LETTER_CHECK_HOME)
      way_back_home(control, LETTER_OF(mail, struct letter_check));
    else if ((mail->kind == LETTER_COMMAND || mail->kind == LETTER_COMMAND_HOME) &&
             LETTER_OF(mail, struct letter_command)->home == &control->box)
      quarantine_home(LETTER_OF(mail, struct letter_command));
    else if (mail->kind == LETTER_NOTIFY_HOME || mail->kind == LETTER_TOLD_HOME)
      told_home(LETTER_OF(mail, struct letter_notify));
  }
  notify_abandon(control);
  if (publish_deinit(&control->publish)) log_event(LOG_WARN, "control_leases_missing", NULL);
  change_abandon(control);
  runs_deinit(&control->runs);
  place_deinit(&control->place);
  pulse_deinit(&control->pulse);
  blob_drop(control->snapshot.bytes);
  catalog_free(control->catalog);
  mailbox_deinit(&control->box);
  ungrab(control);
}
