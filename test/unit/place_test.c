/* place_test.c - a version's way into memory and out: who gets its lanes, what a failure leaves,
 * and that it stays as long as a world names it. Worlds and their leases go with it.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/log.h"
#include "control/publish.h"

enum { WORKERS = 3, LOOPS = 2 };

static struct mailbox home, job, workers[WORKERS], residents[LOOPS], loops[LOOPS], desk;
static struct mailbox *job_boxes[1] = {&job}, *worker_boxes[WORKERS], *resident_boxes[LOOPS],
                      *loop_boxes[LOOPS], *desk_boxes[1] = {&desk};
static struct post post;
static struct place place;
static struct runs no_runs; /* none */
static struct catalog *catalog;
static struct catalog_model *model;
static char token; /* stands for a loaded model and for lanes */

static void add(enum event_kind kind, const char *name, uint32_t version)
{
  static struct event_file file = {.name = SLICE("model.json"), .bytes = 1};
  struct event event = {.seq = catalog->seq + 1,
                        .kind = kind,
                        .tenant = SLICE("default"),
                        .model = slice_str(name),
                        .version = version,
                        .files = &file,
                        .n_files = 1};
  struct err err;
  EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
}

static void begin(void)
{
  static const unsigned char key[16] = {7};
  log_level_set(LOG_ERROR);
  mailbox_init(&home, NULL, NULL);
  mailbox_init(&job, NULL, NULL);
  mailbox_init(&desk, NULL, NULL);
  for (int i = 0; i < WORKERS; i++) {
    mailbox_init(&workers[i], NULL, NULL);
    worker_boxes[i] = &workers[i];
  }
  for (int i = 0; i < LOOPS; i++) {
    mailbox_init(&residents[i], NULL, NULL);
    mailbox_init(&loops[i], NULL, NULL);
    resident_boxes[i] = &residents[i];
    loop_boxes[i] = &loops[i];
  }
  post = (struct post){.jobs = job_boxes,
                       .workers = worker_boxes,
                       .residents = resident_boxes,
                       .loops = loop_boxes,
                       .desks = desk_boxes,
                       .n_jobs = 1,
                       .n_workers = WORKERS,
                       .n_loops = LOOPS,
                       .n_desks = 1};
  struct place_opts opts = {.objects_fd = -1, .instances = 2, .resident_ns = 50000};
  place_init(&place, &opts, &post, &home);
  runs_init(&no_runs);
  catalog = catalog_new(key);
  add(EVENT_TENANT_CREATED, "", 0);
  add(EVENT_MODEL_CREATED, "m", 0);
  add(EVENT_VERSION_PUSHED, "m", 1);
  add(EVENT_VERSION_PUSHED, "m", 2);
  model = catalog->models[0];
}

static void end(void)
{
  place_deinit(&place);
  catalog_free(catalog);
}

/* The one letter in the box, which is of this kind; NULL (and a failure) when it is not. */
static struct mail *one(struct mailbox *box, enum letter kind)
{
  struct mail *mail = mailbox_take(box);
  EXPECT(mail && !mail->next && mail->kind == kind);
  return mail;
}

static void load_answer(int64_t run_ns, uint32_t instances, enum code code)
{
  struct letter_load *letter = LETTER_OF(one(&job, LETTER_LOAD), struct letter_load);
  letter->mail.kind = LETTER_LOAD_HOME;
  if (code)
    fail(&letter->err, code, "no such operator");
  else
    letter->loaded = (struct loaded *)&token;
  letter->run_ns = run_ns;
  letter->instances = instances;
  place_letter(&place, &letter->mail);
}

static int lanes_answer(struct mailbox *boxes, int n, enum letter kind, bool refuse_first)
{
  int answered = 0;
  for (int i = 0; i < n; i++)
    for (struct mail *mail = mailbox_take(&boxes[i]), *next; mail; mail = next) {
      struct letter_lane *letter = LETTER_OF(mail, struct letter_lane);
      next = mail->next;
      EXPECT_INT(mail->kind, kind);
      EXPECT(letter->loaded == (struct loaded *)&token);
      if (kind == LETTER_LANE_CLOSE)
        letter->lane = NULL;
      else if (refuse_first && answered == 0)
        fail(&letter->err, E_MODEL_LOAD_FAILED, "no seat");
      else
        letter->lane = (struct lane *)&token;
      mail->kind = kind == LETTER_LANE_OPEN ? LETTER_LANE_OPEN_HOME : LETTER_LANE_CLOSE_HOME;
      place_letter(&place, mail);
      answered++;
    }
  return answered;
}

static void unload_answer(void)
{
  struct letter_unload *letter = LETTER_OF(one(&job, LETTER_UNLOAD), struct letter_unload);
  EXPECT(letter->loaded == (struct loaded *)&token);
  letter->mail.kind = LETTER_UNLOAD_HOME;
  place_letter(&place, &letter->mail);
}

TEST(a_version_comes_and_goes)
{
  begin();
  EXPECT(place_find(&place, model, 1) == NULL);
  struct placed *placed = place_of(&place, model, 1);
  EXPECT(place_find(&place, model, 1) == placed && placed->state == PLACED_GONE);
  place_settle(&place, placed);
  EXPECT(mailbox_empty(&job)); /* nobody wants it */
  placed->serves = true;
  place_settle(&place, placed);
  EXPECT(placed_is_coming(placed) && place.busy == 1);
  load_answer(0, 0, OK);
  EXPECT_INT(placed->state, PLACED_OPENING);
  EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false), 2); /* the default */
  EXPECT_INT(placed->state, PLACED_READY);
  EXPECT(place_changed(&place) == placed && !place_changed(&place));
  EXPECT(placed->seats[0].owner != placed->seats[1].owner && !placed->resident);
  placed->worlds = 1;
  placed->serves = false;
  place_settle(&place, placed);
  EXPECT_INT(placed->state, PLACED_READY); /* a world still names it */
  placed->worlds = 0;
  place_settle(&place, placed);
  EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_CLOSE, false), 2);
  unload_answer();
  EXPECT_INT(placed->state, PLACED_GONE);
  EXPECT_INT(place.busy, 0);
  end();
}

TEST(lanes_go_where_few_are)
{
  begin();
  struct placed *one_lane = place_of(&place, model, 1), *two = place_of(&place, model, 2);
  one_lane->serves = true;
  place_settle(&place, one_lane);
  load_answer(60000, 1, OK);
  lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false);
  two->coming = true;
  place_settle(&place, two);
  load_answer(60000, 2, OK);
  lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false);
  EXPECT_INT(two->n_seats, 2);
  EXPECT(two->owners[0] != one_lane->owners[0] && two->owners[1] != one_lane->owners[0]);
  EXPECT(two->slot != one_lane->slot);
  two->coming = one_lane->serves = false;
  place_settle(&place, two);
  EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_CLOSE, false), 2);
  unload_answer();
  two->coming = true;
  place_settle(&place, two);
  load_answer(60000, 9, OK); /* more instances than workers: one each */
  EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false), WORKERS);
  end();
}

static struct placed *placed_with(const char *name, int64_t run_ns)
{
  add(EVENT_MODEL_CREATED, name, 0);
  add(EVENT_VERSION_PUSHED, name, 1);
  struct placed *placed = place_of(&place, catalog->models[catalog->n_models - 1], 1);
  placed->coming = true;
  place_settle(&place, placed);
  load_answer(run_ns, 1, OK);
  EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false), 1);
  return placed;
}

TEST(slow_models_are_placed_apart)
{
  begin();
  struct placed *slow = placed_with("slow", 90000000);
  struct placed *brisk = placed_with("brisk", 1000000), *other = placed_with("other", 2000000);
  EXPECT(brisk->owners[0] != slow->owners[0] && other->owners[0] != slow->owners[0]);
  EXPECT(brisk->owners[0] != other->owners[0]);
  /* By number the next two would share with the slow one; by time they go where 1 and 2 ms are. */
  struct placed *third = placed_with("third", 1500000);
  EXPECT_INT(third->owners[0], brisk->owners[0]); /* 1 + 1.5 against 2 */
  struct placed *fourth = placed_with("fourth", 80000000);
  EXPECT_INT(fourth->owners[0], other->owners[0]);
  EXPECT_INT(place.workers[brisk->owners[0]].run_ns, 2500000);
  struct placed *fifth = placed_with("fifth", 500000);
  EXPECT_INT(fifth->owners[0], brisk->owners[0]); /* three lanes there, one at the slow one */

  slow->coming = false; /* its time goes with it */
  place_settle(&place, slow);
  EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_CLOSE, false), 1);
  unload_answer();
  uint32_t idle = 3 - brisk->owners[0] - other->owners[0];
  EXPECT_INT(place.workers[idle].run_ns, 0);
  EXPECT_INT(place.workers[idle].lanes, 0);
  EXPECT_INT(placed_with("sixth", 70000000)->owners[0], idle);
  end();
}

TEST(what_could_not_be_measured_is_placed_by_number)
{
  begin();
  struct placed *a = placed_with("a", 0), *b = placed_with("b", 0), *c = placed_with("c", 0);
  EXPECT(a->owners[0] != b->owners[0] && b->owners[0] != c->owners[0] &&
         a->owners[0] != c->owners[0]);
  end();
}

TEST(a_lease_comes_home_once_and_says_what_desks_saw)
{
  static const unsigned char key[16] = {7};
  struct publish publish;
  struct letter_world *first[LOOPS + 1], *second[LOOPS + 1];
  begin();
  publish_init(&publish, &post, &place, &no_runs, key);
  publish_world(&publish, catalog, (struct publish_flags){.ready = true});
  for (int i = 0; i <= LOOPS; i++)
    first[i] = LETTER_OF(one(i < LOOPS ? &loops[i] : &desk, LETTER_WORLD), struct letter_world);
  EXPECT_INT(publish_desks_saw(&publish), 1);
  publish_world(&publish, catalog, (struct publish_flags){.ready = true});
  for (int i = 0; i <= LOOPS; i++)
    second[i] = LETTER_OF(one(i < LOOPS ? &loops[i] : &desk, LETTER_WORLD), struct letter_world);
  EXPECT_INT(publish_desks_saw(&publish), 1);
  publish_lease_home(&publish, first[0]);
  EXPECT(first[0]->world == NULL); /* a second time is a bug that is seen */
  EXPECT_INT(publish_desks_saw(&publish), 1);
  publish_lease_home(&publish, first[LOOPS]); /* the desk's; a loop still has a call on it */
  EXPECT_INT(publish_desks_saw(&publish), 2);
  publish_lease_home(&publish, first[1]);
  for (int i = 0; i <= LOOPS; i++) publish_lease_home(&publish, second[i]);
  EXPECT_INT(publish_desks_saw(&publish), 2);
  EXPECT_INT(publish_deinit(&publish), 0);
  end();
}

/* The catalog's order is without regard to case; lists are paged by the world's, byte for byte. */
TEST(a_world_has_its_models_in_the_order_of_their_bytes)
{
  static const unsigned char key[16] = {7};
  static const char *const want[] = {"B", "Zeta", "a", "aB", "aa", "m", "z"};
  struct publish publish;
  begin();
  add(EVENT_MODEL_CREATED, "z", 0);
  add(EVENT_MODEL_CREATED, "Zeta", 0);
  add(EVENT_MODEL_CREATED, "a", 0);
  add(EVENT_MODEL_CREATED, "B", 0);
  add(EVENT_MODEL_CREATED, "aB", 0);
  add(EVENT_MODEL_CREATED, "aa", 0);
  publish_init(&publish, &post, &place, &no_runs, key);
  publish_world(&publish, catalog, (struct publish_flags){.ready = true});
  struct letter_world *letters[LOOPS + 1];
  for (int i = 0; i <= LOOPS; i++)
    letters[i] = LETTER_OF(one(i < LOOPS ? &loops[i] : &desk, LETTER_WORLD), struct letter_world);
  const struct tenant *tenant = world_tenant(letters[0]->world, SLICE("default"));
  EXPECT(tenant && tenant->n_models == sizeof want / sizeof *want);
  for (uint32_t i = 0; tenant && i < tenant->n_models; i++) {
    EXPECT(slice_eq(tenant_model(tenant, i)->name, slice_str(want[i])));
    EXPECT(world_model(letters[0]->world, tenant, slice_str(want[i])) == tenant_model(tenant, i));
  }
  for (int i = 0; i <= LOOPS; i++) publish_lease_home(&publish, letters[i]);
  EXPECT_INT(publish_deinit(&publish), 0);
  end();
}

TEST(a_fast_version_lives_on_every_loop)
{
  begin();
  struct placed *placed = place_of(&place, model, 1);
  placed->serves = true;
  place_settle(&place, placed);
  load_answer(49999, 7, OK);
  EXPECT_INT(lanes_answer(residents, LOOPS, LETTER_LANE_OPEN, false), LOOPS);
  EXPECT(placed->resident && placed->n_seats == LOOPS);
  for (int i = 0; i < LOOPS; i++) EXPECT(placed->seats[i].owner == &residents[i]);
  end();
}

/* Where it lives decides how fast it answers, and a release compares them. */
TEST(a_successor_lives_where_stable_does_unless_it_is_twice_as_slow_or_fast)
{
  static const struct {
    int64_t stable_ns, next_ns;
    bool stable_resident, resident;
  } cases[] = {{49999, 50001, true, true},   {49999, 99999, true, true},
               {49999, 100000, true, false}, {50001, 49999, false, false},
               {50001, 25000, false, false}, {50001, 24999, false, true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin();
    struct placed *at[2] = {place_of(&place, model, 1), place_of(&place, model, 2)};
    model->serving = 1;
    for (int k = 0; k < 2; k++) {
      bool resident = k ? cases[i].resident : cases[i].stable_resident;
      at[k]->coming = true;
      place_settle(&place, at[k]);
      load_answer(k ? cases[i].next_ns : cases[i].stable_ns, 0, OK);
      EXPECT_INT(lanes_answer(residents, LOOPS, LETTER_LANE_OPEN, false), resident ? LOOPS : 0);
      EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false), resident ? 0 : 2);
      EXPECT_INT(at[k]->state, PLACED_READY);
      EXPECT_INT(at[k]->resident, resident);
    }
    end();
  }
}

TEST(a_failed_load_stays_failed_until_it_is_tried_again)
{
  begin();
  struct placed *placed = place_of(&place, model, 1);
  placed->coming = true;
  place_settle(&place, placed);
  load_answer(0, 0, E_MODEL_REJECTED);
  EXPECT_INT(placed->state, PLACED_FAILED);
  EXPECT_STR(placed->err.text, "no such operator");
  EXPECT(place_changed(&place) == placed);
  place_settle(&place, placed);
  EXPECT(mailbox_empty(&job));
  place_retry(&place, placed);
  load_answer(0, 0, OK);
  EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false), 2);
  EXPECT_INT(placed->state, PLACED_READY);
  end();
}

TEST(a_lane_that_does_not_open_takes_the_others_down)
{
  begin();
  struct placed *placed = place_of(&place, model, 1);
  placed->coming = true;
  place_settle(&place, placed);
  load_answer(0, 3, OK);
  EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, true), 3);
  EXPECT_INT(placed->state, PLACED_CLOSING);
  EXPECT_INT(lanes_answer(workers, WORKERS, LETTER_LANE_CLOSE, false), 2);
  unload_answer();
  EXPECT_INT(placed->state, PLACED_FAILED);
  EXPECT_STR(placed->err.text, "no seat");
  EXPECT_INT(place.busy, 0);
  end();
}

TEST(wanted_again_while_it_leaves_it_comes_back)
{
  begin();
  struct placed *placed = place_of(&place, model, 1);
  placed->coming = true;
  place_settle(&place, placed);
  load_answer(0, 1, OK);
  lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false);
  placed->coming = false;
  place_settle(&place, placed);
  EXPECT_INT(placed->state, PLACED_CLOSING);
  placed->coming = true;
  place_settle(&place, placed);
  EXPECT(placed_is_coming(placed));
  lanes_answer(workers, WORKERS, LETTER_LANE_CLOSE, false);
  unload_answer();
  EXPECT_INT(placed->state, PLACED_LOADING);
  load_answer(0, 1, OK);
  lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false);
  EXPECT_INT(placed->state, PLACED_READY);
  end();
}

TEST(a_world_keeps_its_versions_until_its_last_lease_is_home)
{
  static const unsigned char key[16] = {7};
  struct publish publish;
  struct letter_world *first[LOOPS + 1], *second;
  uint64_t built = world_count_built(), freed = world_count_freed();
  begin();
  publish_init(&publish, &post, &place, &no_runs, key);
  add(EVENT_VERSION_DEPLOYED, "m", 1);
  struct placed *placed = place_of(&place, model, 1);
  placed->serves = true;
  place_settle(&place, placed);
  load_answer(0, 1, OK);
  lanes_answer(workers, WORKERS, LETTER_LANE_OPEN, false);
  publish_world(&publish, catalog, (struct publish_flags){.ready = true});
  EXPECT_INT(placed->worlds, 1);
  for (int i = 0; i <= LOOPS; i++)
    first[i] = LETTER_OF(one(i < LOOPS ? &loops[i] : &desk, LETTER_WORLD), struct letter_world);
  const struct world *world = first[0]->world;
  const struct model *m = world_model(world, world_tenant(world, SLICE("default")), SLICE("m"));
  EXPECT(m->stable && m->stable->number == 1 && m->stable->seats[0].lane == (struct lane *)&token);
  EXPECT_INT(model_version(m, 2)->state, VERSION_STORED);
  EXPECT(world_ready(world) && world_serial(world) == 1);

  add(EVENT_VERSION_RETIRED, "m", 1);
  placed->serves = false;
  publish_touch(&publish, model, 1);
  publish_world(&publish, catalog, (struct publish_flags){.draining = true});
  EXPECT_INT(placed->worlds, 1);
  second = LETTER_OF(one(&loops[1], LETTER_WORLD), struct letter_world);
  EXPECT(world_draining(second->world) && !world_ready(second->world));
  publish_lease_home(&publish, first[1]);
  publish_lease_home(&publish, first[2]);
  EXPECT_INT(placed->state, PLACED_READY);
  EXPECT_INT(world_count_freed() - freed, 0);
  publish_lease_home(&publish, first[0]);
  EXPECT_INT(world_count_freed() - freed, 1);
  EXPECT_INT(placed->state, PLACED_CLOSING);
  place.frozen = true;
  EXPECT_INT(publish_deinit(&publish), 1); /* the second one is still out */
  EXPECT_INT(world_count_built() - built, world_count_freed() - freed);
  end();
}
