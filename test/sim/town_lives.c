/* town_lives.c - how lives in the town begin and end: start, stop, crash. Included after town.c.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "town.h"

/* --- lives ------------------------------------------------------------------------------------ */

void town_begin(struct town *town, uint64_t seed)
{
  *town = (struct town){.seed = seed, .now_us = INT64_C(20000000000)};
  rand_seed(&town->rand, seed);
  arena_init(&town->ledger_arena, 64 << 20, NULL);
  town->ledger = arena_zero(&town->ledger_arena, TOWN_EVENTS_MAX, sizeof *town->ledger);
  town->looks = arena_zero(&town->ledger_arena, TOWN_LOOKS_MAX, sizeof *town->looks);
  town->disk_full = chance(town, 50) ? 0 : (int)roll(town, 40);
  town->load_fails = (int)roll(town, 40);
  town->open_fails = chance(town, 50) ? 0 : (int)roll(town, 20);
  calls_before_start = 0;
}

static int look_order(const void *a, const void *b)
{
  uint64_t x = ((const struct journal_row *)a)->look, y = ((const struct journal_row *)b)->look;
  return x < y ? -1 : x > y;
}

static void looks_replay(struct town *town)
{
  struct journal_row of;
  struct err err;
  uint32_t at = 0;
  if (town->n_looks) qsort(town->looks, town->n_looks, sizeof *town->looks, look_order);
  while (control_release_at(town->control, &at, &of))
    for (uint32_t i = 0; i < town->n_looks; i++)
      if (town->looks[i].release == of.release && slice_eq(town->looks[i].model, of.model))
        EXPECT_INT(control_look(town->control, &town->looks[i], &err), OK);
}

bool town_snapshot(struct town *town, struct mail *mail)
{
  struct letter_snapshot *letter = LETTER_OF(mail, struct letter_snapshot);
  EXPECT(letter->seq <= town->n_events && letter->seq > town->snapshot_seq);
  if (chance(town, 20)) {
    fail(&letter->err, E_STORAGE_FULL, "no space is left for the snapshot");
  } else {
    blob_drop(town->snapshot);
    town->snapshot = blob_share(letter->bytes);
    town->snapshot_seq = letter->seq;
  }
  home(town, mail, LETTER_SNAPSHOT_HOME);
  return true;
}

/* From the snapshot where there is one: to the same catalog as from all events. */
static void events_replay(struct town *town)
{
  static const unsigned char hash_key[16] = {9};
  struct catalog *whole = catalog_new(hash_key);
  struct err err;
  uint32_t from = 0;
  if (town->snapshot &&
      control_restore(town->control, blob_lend(town->snapshot), &err) == OK)
    from = (uint32_t)town->snapshot_seq;
  EXPECT(!town->snapshot || from);
  for (uint32_t i = 0; i < town->n_events; i++) {
    EXPECT_INT(catalog_apply(whole, &town->ledger[i], &err), OK);
    if (i >= from) EXPECT_INT(control_apply(town->control, &town->ledger[i], &err), OK);
  }
  struct digest want = catalog_digest(whole);
  struct digest got = catalog_digest(control_catalog(town->control));
  EXPECT(digest_same(&got, &want));
  catalog_free(whole);
}

void town_start(struct town *town)
{
  struct control_opts opts = {.started_us = town->now_us,
                              .worlds_max = (uint32_t)roll(town, 10),
                              .slots_idle = (uint32_t)roll(town, 3),
                              .worlds_apart_us = chance(town, 50) ? 0 : 2000,
                              .snapshot_events = roll(town, 40)};
  queue_init(&town->scribe);
  queue_init(&town->desk);
  town->post = (struct post){.scribe = &town->scribe.box,
                             .loops = town->loop_boxes,
                             .desks = town->desk_boxes,
                             .workers = town->worker_boxes,
                             .jobs = town->job_boxes,
                             .residents = chance(town, 80) ? town->resident_boxes : NULL,
                             .n_loops = TOWN_LOOPS,
                             .n_desks = TOWN_DESKS,
                             .n_workers = TOWN_WORKERS,
                             .n_jobs = TOWN_JOBS};
  town->desk_boxes[0] = &town->desk.box;
  for (int i = 0; i < TOWN_JOBS; i++)
    queue_init(&town->jobs[i]), town->job_boxes[i] = &town->jobs[i].box;
  for (int i = 0; i < TOWN_WORKERS; i++)
    queue_init(&town->workers[i]), town->worker_boxes[i] = &town->workers[i].box;
  for (int i = 0; i < TOWN_LOOPS; i++) {
    queue_init(&town->loops[i]), town->loop_boxes[i] = &town->loops[i].box;
    queue_init(&town->residents[i]), town->resident_boxes[i] = &town->residents[i].box;
    list_init(&town->loop[i].leases);
    list_init(&town->loop[i].calls);
    town->loop[i].tally = NULL;
  }
  town->desk_lease = NULL;
  town->draining = false;
  town->commands_out = town->stats_out = town->loaded = town->lanes = 0;
  list_init(&town->wishes);
  list_init(&town->questions);
  list_init(&town->models);
  list_init(&town->lanes_open);
  town->control = control_new(&opts, &town->post);
  town->post.control = control_mailbox(town->control);
  calls_before_start = town->calls_made;
  events_replay(town);
  looks_replay(town);
}

void town_stop(struct town *town)
{
  struct letter_note drain = {.mail.kind = LETTER_DRAIN, .home = &town->desk.box};
  struct letter_note stop = {.mail.kind = LETTER_STOP};
  town->draining = true;
  mail_send(control_mailbox(town->control), &drain.mail);
  for (int i = 0; i < 50; i++) town_step(town);
  for (int i = 0; i < TOWN_LOOPS; i++)
    while (call_end(town, (uint32_t)i)) {
    }
  mail_send(control_mailbox(town->control), &stop.mail);
  bool stopped = false;
  for (int i = 0; i < 20000 && !stopped; i++) {
    letter_step(town);
    stopped = control_stopped(town->control);
  }
  EXPECT(stopped);
  for (int i = 0; i < 10; i++) desk_step(town);
  while (desk_step(town)) {
  }
  EXPECT_INT(town->commands_out, 0);
  EXPECT_INT(town->stats_out, 0);
  for (uint32_t i = 0; i < TOWN_LOOPS; i++) {
    while (loop_letter(town, i)) {
    }
    EXPECT_INT(world_tenants(newest(&town->loop[i])->letter->world), 0);
    lease_end(town, newest(&town->loop[i]));
    EXPECT(list_empty(&town->loop[i].leases));
    tally_free(town->loop[i].tally);
  }
  home(town, &town->desk_lease->mail, LETTER_WORLD_HOME);
  town_check(town);
  control_free(town->control);
}

/* --- a crash ---------------------------------------------------------------------------------- */

void town_crash(struct town *town)
{
  struct link *link;
  struct mail *mail;
  town_check(town);
  for (int i = 0; i < TOWN_LOOPS; i++) {
    struct town_loop *loop = &town->loop[i];
    while ((mail = queue_pop(&town->loops[i]))) {
      if (mail->kind != LETTER_TALLY) continue;
      tally_free(LETTER_OF(mail, struct letter_tally)->tally);
      ungrab(mail);
    }
    while ((link = list_pop_front(&loop->calls))) ungrab(LIST_OF(link, struct town_call, link));
    while ((link = list_pop_front(&loop->leases))) ungrab(LIST_OF(link, struct town_lease, link));
    tally_free(loop->tally);
  }
  while ((mail = queue_pop(&town->desk))) { /* answered, and never read */
    if (mail->kind == LETTER_STATS_HOME)
      tally_free(LETTER_OF(mail, struct letter_stats)->stats.tally);
    if (mail->kind == LETTER_MEASURE) ungrab(mail);
  }
  control_free(town->control);
  while (!list_empty(&town->wishes)) wish_free(LIST_OF(town->wishes.next, struct wish, link));
  while ((link = list_pop_front(&town->questions))) ungrab(LIST_OF(link, struct question, link));
  while ((link = list_pop_front(&town->models))) ungrab(LIST_OF(link, struct loaded, link));
  while ((link = list_pop_front(&town->lanes_open))) ungrab(LIST_OF(link, struct lane, link));
  town->loaded = town->lanes = 0;
}

void town_end(struct town *town)
{
  blob_drop(town->snapshot);
  arena_deinit(&town->ledger_arena);
}
