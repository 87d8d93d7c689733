/* town.c - the town around control. Included by the test that plays in it.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "town.h"

unsigned town_breakers;

#include "base/mem.h"

struct loaded {
  struct link link;
  uint32_t lanes;
};
struct lane {
  struct link link;
  struct loaded *loaded;
  bool open;
  uint32_t calls;
};

static uint64_t roll(struct town *town, uint64_t n) { return rand_u64(&town->rand) % n; }
static bool chance(struct town *town, int of_100) { return (int)roll(town, 100) < of_100; }

/* --- queues ----------------------------------------------------------------------------------- */

static void queue_init(struct town_queue *queue)
{
  mailbox_init(&queue->box, NULL, NULL);
  queue->first = NULL;
  queue->end = &queue->first;
}

static void queue_fill(struct town_queue *queue)
{
  struct mail *mail = mailbox_take(&queue->box);
  if (!mail) return;
  *queue->end = mail;
  while (mail->next) mail = mail->next;
  queue->end = &mail->next;
}

static struct mail *queue_pop(struct town_queue *queue)
{
  queue_fill(queue);
  struct mail *mail = queue->first;
  if (!mail) return NULL;
  queue->first = mail->next;
  if (!queue->first) queue->end = &queue->first;
  return mail;
}

static void home(struct town *town, struct mail *mail, enum letter kind)
{
  mail->kind = kind;
  mail_send(control_mailbox(town->control), mail);
}

/* --- scribe ----------------------------------------------------------------------------------- */

/* The same look again takes the place of the first. */
static void look_write_down(struct town *town, const struct journal_row *row)
{
  uint32_t at = 0;
  while (at < town->n_looks &&
         (town->looks[at].look != row->look || town->looks[at].release != row->release ||
          !slice_eq(town->looks[at].model, row->model)))
    at++;
  must(at < TOWN_LOOKS_MAX);
  if (at == town->n_looks) town->n_looks++;
  town->looks[at] = *row;
  town->looks[at].tenant = arena_copy(&town->ledger_arena, row->tenant);
  town->looks[at].model = arena_copy(&town->ledger_arena, row->model);
  town->looks[at].bytes = arena_copy(&town->ledger_arena, row->bytes);
  must(town->looks[at].bytes.at);
}

static bool scribe_step(struct town *town)
{
  struct mail *mail = queue_pop(&town->scribe);
  if (!mail) return false;
  if (mail->kind == LETTER_SNAPSHOT) return town_snapshot(town, mail);
  struct letter_append *letter = LETTER_OF(mail, struct letter_append);
  EXPECT_INT(mail->kind, LETTER_APPEND);
  if (chance(town, town->disk_full)) {
    fail(&letter->err, E_STORAGE_FULL, "no space is left for the ledger");
  } else {
    for (uint32_t i = 0; i < letter->n_events; i++) {
      must(town->n_events < TOWN_EVENTS_MAX);
      struct event *event = &append_events(letter)[i];
      event->seq = town->n_events + 1;
      must(event_copy(&town->ledger_arena, event, &town->ledger[town->n_events++]));
    }
    for (uint32_t i = 0; i < letter->n_rows; i++) look_write_down(town, &letter->rows[i]);
  }
  home(town, mail, LETTER_APPEND_HOME);
  return true;
}

/* --- jobs and workers ------------------------------------------------------------------------- */

static void load(struct town *town, struct letter_load *letter)
{
  static const struct tensor_spec spec = {.name = SLICE("x"), .dtype = DT_FP32, .shape = {1, {-1}}};
  static const struct contract contract = {&spec, &spec, 1, 1, true};
  static const int64_t run_ns[] = {0, 3000, 49999, 50000, 200000};
  EXPECT(letter->n_files > 0 && letter->version > 0 && letter->tenant.len && letter->model.len);
  if (letter->expected) EXPECT_INT(letter->expected->n_inputs, 1);
  if (chance(town, town->load_fails)) {
    fail(&letter->err, E_MODEL_REJECTED, chance(town, 50) ? "bad \xff bytes" : "no such operator");
    return;
  }
  letter->loaded = grab_zero(1, sizeof *letter->loaded);
  list_push_back(&town->models, &letter->loaded->link);
  must(contract_copy(&letter->arena, &contract, &letter->contract));
  letter->platform = arena_copy(&letter->arena, SLICE("test"));
  letter->run_ns = run_ns[roll(town, 5)];
  letter->instances = (uint32_t)roll(town, 5);
  town->loaded++;
}

static bool is_loaded(struct town *town, const struct loaded *loaded)
{
  struct link *link = town->models.next;
  while (link != &town->models && LIST_OF(link, struct loaded, link) != loaded) link = link->next;
  return link != &town->models;
}

static bool job_step(struct town *town, uint32_t job)
{
  struct mail *mail = queue_pop(&town->jobs[job]);
  if (!mail) return false;
  if (mail->kind == LETTER_LOAD) {
    load(town, LETTER_OF(mail, struct letter_load));
    home(town, mail, LETTER_LOAD_HOME);
  } else if (mail->kind == LETTER_CHECK) {
    struct letter_check *letter = LETTER_OF(mail, struct letter_check);
    EXPECT(is_loaded(town, letter->loaded)); /* its lanes may be closed, its UNLOAD comes after */
    letter->err = (struct err){0};
    town->checks++;
    if (town->way_back_fails) fail(&letter->err, E_GOLDEN_FAILED, "golden.jsonl line 1");
    home(town, mail, LETTER_CHECK_HOME);
  } else {
    EXPECT_INT(mail->kind, LETTER_UNLOAD);
    struct letter_unload *letter = LETTER_OF(mail, struct letter_unload);
    EXPECT_INT(letter->loaded->lanes, 0);
    list_remove(&letter->loaded->link);
    ungrab(letter->loaded);
    town->loaded--;
    home(town, mail, LETTER_UNLOAD_HOME);
  }
  return true;
}

static bool owner_step(struct town *town, struct town_queue *queue)
{
  struct mail *mail = queue_pop(queue);
  if (!mail) return false;
  struct letter_lane *letter = LETTER_OF(mail, struct letter_lane);
  if (mail->kind == LETTER_LANE_OPEN) {
    if (chance(town, town->open_fails)) {
      fail(&letter->err, E_MODEL_LOAD_FAILED, "no seat");
    } else {
      letter->lane = grab_zero(1, sizeof *letter->lane);
      *letter->lane = (struct lane){.loaded = letter->loaded, .open = true};
      list_push_back(&town->lanes_open, &letter->lane->link);
      letter->loaded->lanes++;
      town->lanes++;
    }
    home(town, mail, LETTER_LANE_OPEN_HOME);
  } else {
    EXPECT_INT(mail->kind, LETTER_LANE_CLOSE);
    EXPECT(letter->lane->open);
    EXPECT_INT(letter->lane->calls, 0); /* the promise: no lane goes under a call */
    letter->loaded->lanes--;
    list_remove(&letter->lane->link);
    ungrab(letter->lane);
    letter->lane = NULL;
    town->lanes--;
    home(town, mail, LETTER_LANE_CLOSE_HOME);
  }
  return true;
}

/* --- loops ------------------------------------------------------------------------------------ */

static struct town_lease *newest(const struct town_loop *loop)
{
  return list_empty(&loop->leases) ? NULL : LIST_OF(loop->leases.next, struct town_lease, link);
}

static void lease_end(struct town *town, struct town_lease *lease)
{
  list_remove(&lease->link);
  home(town, &lease->letter->mail, LETTER_WORLD_HOME);
  ungrab(lease);
}

#include "town_arms.c"

/* What must be true of every world in itself, and after the one before it. */
static void world_look(struct town *town, const struct world *before, const struct world *world)
{
  for (uint32_t t = 0; t < world_tenants(world); t++) {
    const struct tenant *tenant = world_tenant_at(world, t);
    for (uint32_t m = 0; m < tenant->n_models; m++) {
      const struct model *model = tenant_model(tenant, m);
      EXPECT(world_model(world, tenant, model->name) == model);
      if (m) EXPECT(memcmp(tenant_model(tenant, m - 1)->name.at, model->name.at, 1) <= 0);
      split_look(model);
      for (uint32_t v = 0; v < model->n_versions; v++) {
        const struct version *version = model_version_at(model, v);
        if (town->states) /* a model may have been pruned and be there again */
          EXPECT(version->number > (v ? model_version_at(model, v - 1)->number : 0));
        else
          EXPECT_INT(version->number, v + 1);
        EXPECT(version_answers(version) || version != model->stable);
        EXPECT((version->state == VERSION_READY) == (version->n_seats > 0));
        EXPECT(version->state != VERSION_FAILED || version->reason.len);
        for (uint32_t s = 0; s < version->n_seats; s++) EXPECT(version->seats[s].lane->open);
        if (version->n_seats) EXPECT(version->slot < world_slots(world));
        if (version->resident) EXPECT_INT(version->n_seats, TOWN_LOOPS);
      }
      const struct tenant *old_tenant = before ? world_tenant(before, tenant->name) : NULL;
      const struct model *old = old_tenant ? world_model(before, old_tenant, model->name) : NULL;
      if (!old || !old->stable || model->stable) continue;
      if (old->stable->state == VERSION_RESTING) continue; /* it may not come back into memory */
      /* It answered and does not any more: only a person who retired it may have done that. */
      bool retired = false;
      for (uint32_t i = 0; i < town->n_events; i++)
        retired = retired || (town->ledger[i].kind == EVENT_VERSION_RETIRED &&
                              slice_eq(town->ledger[i].model, model->name));
      EXPECT(retired);
    }
  }
  if (before) EXPECT(world_serial(before) < world_serial(world));
  slots_look(world);
  if (before && world_ready(before)) EXPECT(world_ready(world) || world_draining(world));
}

static void loop_world(struct town *town, struct town_loop *loop, struct letter_world *letter)
{
  struct town_lease *lease = grab_zero(1, sizeof *lease), *old = newest(loop);
  lease->letter = letter;
  EXPECT(loop->tally && loop->tally->n_slots >= world_slots(letter->world));
  EXPECT(loop->tally->n_releases >= world_releases(letter->world));
  world_look(town, old ? old->letter->world : NULL, letter->world);
  list_push_front(&loop->leases, &lease->link);
  if (old && !old->calls) lease_end(town, old);
}

static bool loop_letter(struct town *town, uint32_t number)
{
  struct town_loop *loop = &town->loop[number];
  struct mail *mail = queue_pop(&town->loops[number]);
  if (!mail) return false;
  if (mail->kind == LETTER_WORLD) {
    loop_world(town, loop, LETTER_OF(mail, struct letter_world));
  } else {
    EXPECT_INT(mail->kind, LETTER_TALLY);
    struct letter_tally *letter = LETTER_OF(mail, struct letter_tally);
    struct tally *full = loop->tally;
    loop->tally = letter->tally;
    letter->tally = full;
    home(town, mail, LETTER_TALLY_HOME);
  }
  return true;
}

static void call_begin(struct town *town, uint32_t number)
{
  struct town_loop *loop = &town->loop[number];
  struct town_lease *lease = newest(loop);
  if (!lease || !world_tenants(lease->letter->world)) return;
  const struct tenant *tenant = world_tenant_at(lease->letter->world, 0);
  if (!tenant->n_models) return;
  const struct model *model = tenant_model(tenant, (uint32_t)roll(town, tenant->n_models));
  if (!model->stable) return;
  uint32_t arm = 0;
  for (uint64_t lot = roll(town, WEIGHT_WHOLE); lot >= model->arms[arm].weight; arm++)
    lot -= model->arms[arm].weight;
  bool out = model->release && model->release->closed & ARM_BIT(arm);
  const struct version *version = model->arms[arm = out ? ARM_STABLE : arm].version;
  if (!version->n_seats) return; /* it rests */
  struct town_call *call = grab_zero(1, sizeof *call);
  call->lease = lease->letter;
  call->lane = version->seats[version->resident ? number : roll(town, version->n_seats)].lane;
  call->lane->calls++;
  call->arm = arm, call->out = out;
  call->slot = version->slot;
  call->version = version->number;
  call->released = model->release != NULL;
  call->release_slot = model->release ? model->release->slot : 0;
  call->shadow = model->release && model->release->shadow ? model->release->shadow->number : 0;
  lease->calls++;
  list_push_back(&loop->calls, &call->link);
  struct version_tally *slot = tally_slot(loop->tally, version->slot);
  bool sick = town->spells && town->now_us / 16000000 % 3 == version->number % 3;
  slot->success.count++;
  if (version->breaker) slot->probes_bad += sick, slot->probes_good += !sick;
  else slot->bad += 7 * sick, slot->good += !sick;
  town_breakers |= 1u << version->breaker;
  town->calls_made++;
}

static void call_count(struct town *town, struct town_loop *loop, const struct town_call *call)
{
  struct arm_tally *arm = call->out ? NULL : tally_arm(loop->tally, call->slot);
  bool bad = town->bad_every && call->version % town->bad_every == 0 && chance(town, 50);
  bool newest_world = newest(loop) && newest(loop)->letter == call->lease;
  if (!arm) return;
  arm->requests++;
  arm->errors += bad;
  if (!bad) sketch32_add(&arm->total_us, 1000 + roll(town, 1000));
  if (!call->released || !newest_world) return;
  struct release_tally *release = &loop->tally->releases[call->release_slot];
  release->touched = true;
  release->assigned[call->arm]++;
  if (!call->shadow) return;
  bool flipped = town->bad_every && call->shadow % town->bad_every == 0 && chance(town, 50);
  release->pairs++;
  release->agree[flipped ? AGREE_PARTS : 0]++;
  sketch32_add(&release->shadow_us, 1000);
  sketch32_add(&release->stable_us, 1000);
}

static bool call_end(struct town *town, uint32_t number)
{
  struct town_loop *loop = &town->loop[number];
  struct link *link = list_pop_front(&loop->calls);
  if (!link) return false;
  struct town_call *call = LIST_OF(link, struct town_call, link);
  call_count(town, loop, call);
  EXPECT(call->lane->open);
  call->lane->calls--;
  for (link = loop->leases.next; link != &loop->leases; link = link->next) {
    struct town_lease *lease = LIST_OF(link, struct town_lease, link);
    if (lease->letter != call->lease) continue;
    if (--lease->calls == 0 && lease != newest(loop)) lease_end(town, lease);
    break;
  }
  ungrab(call);
  return true;
}

/* --- the desk --------------------------------------------------------------------------------- */

struct wish { /* a command, and what it points to */
  struct letter_command letter;
  struct link link;
  struct arena arena;
  struct event_file file;
  struct event_fact facts[4];
  struct state state; /* STATE */
  uint64_t used_at; /* the event that had the key when it was sent; 0: none */
};

static void wish_free(struct wish *wish)
{
  list_remove(&wish->link);
  arena_deinit(&wish->arena);
  arena_deinit(&wish->state.arena);
  ungrab(wish);
}

#include "town_wishes.c"

static void command_send(struct town *town)
{
  struct wish *wish = wish_new(town);
  struct letter_command *letter = &wish->letter;
  struct event *event = &letter->event;
  uint64_t die = roll(town, 100);
  letter->kind = die < 40   ? COMMAND_PUSH
                 : die < 75 ? COMMAND_DEPLOY
                 : die < 93 ? COMMAND_ROLLBACK
                            : COMMAND_RETIRE;
  letter->wait = chance(town, 60);
  event->tenant = tenant_of_wish(town, wish);
  const char *name = names[chance(town, 90) ? roll(town, 3) : roll(town, 6)];
  event->model = arena_copy(&wish->arena, slice_str(name));
  event->actor = SLICE("ann");
  event->version = chance(town, 50) ? 0 : (uint32_t)roll(town, 6);
  if (town->releases && chance(town, town->releases)) release_wish(town, wish);
  if (town->tenants && chance(town, town->tenants)) tenant_wish(town, wish);
  if (town->states && chance(town, town->states)) state_wish(town, wish);
  if (letter->kind == COMMAND_PUSH) {
    event->version = 0;
    wish->file = (struct event_file){.name = SLICE("model.onnx"), .bytes = roll(town, 3)};
    wish->file.digest = sha256_of(slice_of((char *)&wish->file.bytes, 1));
    event->files = &wish->file;
    event->n_files = chance(town, 97);
    event->note = chance(town, 97) ? SLICE("a note") : SLICE("\xff");
  }
  if (chance(town, 30)) {
    char key[16];
    snprintf(key, sizeof key, "key-%d", (int)roll(town, 12));
    event->idempotency = arena_copy(&wish->arena, slice_str(key));
    wish->used_at = key_used_at(town, event->tenant, event->idempotency);
  }
  wish_send(town, wish);
}

/* A switch that was waited for is what every loop answers with, unless it has changed since. */
static void served_check(struct town *town, const struct letter_command *letter)
{
  const struct catalog *catalog = control_catalog(town->control);
  const struct catalog_tenant *tenant = catalog_tenant(catalog, letter->event.tenant);
  if (!tenant && town->tenants) return; /* removed since */
  const struct catalog_model *model = catalog_model(tenant, letter->event.model);
  if (!model && town->states) return; /* pruned since */
  EXPECT(model != NULL);
  if (town->draining || model->switched_seq != letter->seq) return;
  if (letter->kind == COMMAND_RETIRE && model->serving) return; /* another one served, and does */
  for (uint32_t i = 0; i < TOWN_LOOPS; i++) {
    const struct world *world = newest(&town->loop[i])->letter->world;
    const struct model *seen =
        world_model(world, world_tenant(world, letter->event.tenant), letter->event.model);
    EXPECT(seen && (seen->stable ? seen->stable->number : 0) == model->serving);
  }
}

static void command_home(struct town *town, struct letter_command *letter)
{
  struct wish *wish = letter->desk_state;
  enum code code = letter->err.code;
  town->commands_out--;
  town->answered++;
  town->refused += code != OK;
  town->conflicts += code == E_CONFLICT || code == E_IDEMPOTENCY_MISMATCH;
  EXPECT(code == OK || letter->err.text[0]);
  bool tenants = letter->kind >= COMMAND_TENANT_ADD; /* and STATE */
  town->declared += code == OK && letter->kind == COMMAND_STATE && wish->state.n_edits > 0;
  town->tenants_removed += code == OK && letter->kind == COMMAND_TENANT_REMOVE;
  if (code == OK && letter->kind != COMMAND_RETIRE && letter->kind != COMMAND_FREEZE && !tenants)
    EXPECT(letter->version > 0);
  EXPECT(letter->seq <= town->n_events); /* what is acknowledged is written */
  if (code == OK && wish->used_at) {     /* a key that was used gets the first answer */
    EXPECT_INT(letter->seq, wish->used_at);
    EXPECT_INT(letter->version, town->ledger[wish->used_at - 1].version);
    town->replayed++;
  }
  bool switched = letter->kind == COMMAND_DEPLOY || letter->kind == COMMAND_ROLLBACK;
  bool releasing = letter->kind >= COMMAND_RELEASE;
  town->begun += code == OK && letter->kind == COMMAND_RELEASE;
  town->said += code == OK && letter->kind == COMMAND_SAY;
  town->deployed += code == OK && switched;
  town->retired += code == OK && letter->kind == COMMAND_RETIRE && letter->version;
  if (code == OK && letter->seq && letter->kind != COMMAND_PUSH && !releasing &&
      (letter->wait || !switched) && !letter->event.idempotency.len)
    served_check(town, letter);
  wish_free(wish);
}

struct question {
  struct letter_stats letter;
  struct link link;
  uint64_t calls; /* made before it was asked */
};

static void stats_send(struct town *town)
{
  struct question *question = grab_zero(1, sizeof *question);
  question->letter.mail.kind = LETTER_STATS;
  question->letter.home = &town->desk.box;
  question->calls = town->calls_made;
  town->stats_out++;
  list_push_back(&town->questions, &question->link);
  mail_send(control_mailbox(town->control), &question->letter.mail);
}

static uint64_t counted(const struct tally *tally)
{
  uint64_t sum = tally->forgotten;
  for (uint32_t i = 0; i < tally->n_slots; i++) sum += tally->slots[i].success.count;
  return sum;
}

static void stats_home(struct town *town, struct letter_stats *letter, uint64_t calls_before)
{
  struct question *question = (struct question *)(void *)letter;
  town->stats_out--;
  EXPECT_INT(letter->stats.loops, TOWN_LOOPS);
  if (!town->draining && !letter->stats.loops_silent)
    EXPECT(counted(letter->stats.tally) + calls_before >= question->calls);
  EXPECT(counted(letter->stats.tally) <= town->calls_made);
  tally_free(letter->stats.tally);
  list_remove(&question->link);
  ungrab(question);
}

static uint64_t calls_before_start; /* counted by a control that is no more */

/* Every unit that has matured was worth half of the cap: no arm is better. */
static void measured_home(struct town *town, struct letter_measure *letter)
{
  int64_t from_ms = letter->since_ms > letter->from_ms ? letter->since_ms : letter->from_ms;
  int64_t units = (letter->mature_ms - from_ms) / 10;
  for (int arm = 0; arm < 3; arm++)
    for (int64_t i = 0; i < units; i++)
      mean_add(&letter->arms[arm].metric, (int64_t)(i % 2) << MEAN_PARTS_BITS, 0);
  home(town, &letter->mail, LETTER_MEASURE_HOME);
}

static bool desk_step(struct town *town)
{
  struct mail *mail = queue_pop(&town->desk);
  if (!mail) return false;
  if (mail->kind == LETTER_WORLD) {
    struct letter_world *old = town->desk_lease;
    town->desk_lease = LETTER_OF(mail, struct letter_world);
    if (old) home(town, &old->mail, LETTER_WORLD_HOME);
  } else if (mail->kind == LETTER_STATS_HOME) {
    stats_home(town, LETTER_OF(mail, struct letter_stats), calls_before_start);
  } else if (mail->kind == LETTER_COMMAND_HOME) {
    command_home(town, LETTER_OF(mail, struct letter_command));
  } else if (mail->kind == LETTER_MEASURE) {
    measured_home(town, LETTER_OF(mail, struct letter_measure));
  } else {
    EXPECT_INT(mail->kind, LETTER_DRAIN_HOME);
  }
  return true;
}

/* --- steps ------------------------------------------------------------------------------------ */

static void control_step(struct town *town)
{
  town->now_us += (int64_t)roll(town, 20000);
  control_turn(town->control, town->now_us, 1700000000000 + town->now_us / 1000);
  control_check(town->control);
}

/* Somebody handles one letter, or control takes a turn; false when nobody had one. */
static bool letter_step(struct town *town)
{
  uint64_t who = roll(town, 14);
  switch (who) {
    case 0:
    case 1: control_step(town); return true;
    case 2: return scribe_step(town);
    case 3: return desk_step(town);
    case 4:
    case 5: return job_step(town, (uint32_t)who - 4);
    case 6:
    case 7:
    case 8: return owner_step(town, &town->workers[who - 6]);
    case 9:
    case 10: return owner_step(town, &town->residents[who - 9]);
    case 11:
    case 12: return loop_letter(town, (uint32_t)who - 11);
    default: return call_end(town, (uint32_t)roll(town, TOWN_LOOPS));
  }
}

void town_step(struct town *town)
{
  uint64_t what = roll(town, 100);
  if (what < 12)
    command_send(town);
  else if (what < 22)
    call_begin(town, (uint32_t)roll(town, TOWN_LOOPS));
  else if (what < 23)
    stats_send(town);
  else if (what < 24 + (uint64_t)town->seconds)
    town->now_us += 1000000;
  else
    letter_step(town);
}

bool town_settle(struct town *town)
{
  int full = town->disk_full;
  town->disk_full = 0; /* somebody makes room */
  bool settled = false;
  for (int i = 0; i < 20000 && !settled; i++) {
    letter_step(town);
    if (i % 500 == 499) town->now_us += 1000000;
    if (i % 100 != 99 || town->commands_out || town->stats_out) continue;
    const struct catalog *catalog = control_catalog(town->control);
    settled = true;
    for (uint32_t m = 0; m < catalog->n_models; m++)
      settled = settled && !catalog->models[m]->asked; /* nothing promised is forgotten */
  }
  town->disk_full = full;
  return settled;
}

void town_check(struct town *town)
{
  const struct catalog *catalog = control_catalog(town->control);
  struct catalog *scratch = catalog_new((const unsigned char[16]){9});
  struct err err;
  for (uint32_t i = 0; i < catalog->seq; i++)
    EXPECT_INT(catalog_apply(scratch, &town->ledger[i], &err), OK);
  struct digest live = catalog_digest(catalog), folded = catalog_digest(scratch);
  EXPECT(digest_same(&live, &folded));
  catalog_free(scratch);
}
