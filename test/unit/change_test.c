/* change_test.c - the table of changes as a whole, and the pairs of state and news that only bad
 * luck brings together, played against a control whose scribe, job, worker, loop and desks are
 * this test.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/log.h"
#include "base/mem.h"
#include "control/catalog.h"
#include "control/change.h"
#include "control/control.h"

enum { DESKS = 2, EVENTS_MAX = 64 };

/* --- the table -------------------------------------------------------------------------------- */

static bool reached[CHANGE_KINDS][CHANGE_STATES];

static bool at_scribe(enum change_state state)
{
  struct change change = {.state = state};
  return change_at_scribe(&change);
}

static void reach(enum change_kind kind)
{
  bool more = true;
  reached[kind][STATE_START] = true;
  while (more) {
    more = false;
    for (int state = 0; state < CHANGE_STATES; state++)
      for (int news = 0; reached[kind][state] && news < CHANGE_NEWS; news++) {
        if (!change_may(kind, (enum change_state)state, (enum change_news)news)) continue;
        struct change change = {.kind = kind, .state = (enum change_state)state};
        struct change_move move = change_step(&change, (enum change_news)news);
        more = more || !reached[kind][move.next];
        reached[kind][move.next] = true;
      }
  }
}

TEST(every_state_is_reached_and_every_kind_ends)
{
  for (int state = 0; state < CHANGE_STATES; state++) {
    bool by_any = false;
    for (int kind = 0; kind < CHANGE_KINDS; kind++) {
      reach((enum change_kind)kind);
      EXPECT(reached[kind][STATE_ENDED]);
      by_any = by_any || reached[kind][state];
    }
    EXPECT(by_any);
  }
}

TEST(in_every_state_a_change_can_be_told_to_stop_and_then_ends)
{
  for (int kind = 0; kind < CHANGE_KINDS; kind++) {
    reach((enum change_kind)kind);
    for (int state = STATE_START + 1; state < STATE_ENDED; state++) {
      if (!reached[kind][state]) continue;
      struct change change = {.kind = (enum change_kind)kind, .state = (enum change_state)state};
      struct change_move move = change_step(&change, NEWS_STOPPED);
      if (!at_scribe(change.state)) {
        EXPECT_INT(move.next, STATE_ENDED);
        continue;
      }
      EXPECT_INT(move.next, state);
      EXPECT_INT(move.deeds, 0);
      static const enum change_news last[] = {NEWS_WRITTEN_LAST, NEWS_UNWRITTEN_LAST};
      for (int i = 0; i < 2; i++) {
        move = change_step(&change, last[i]);
        EXPECT_INT(move.next, STATE_ENDED);
        EXPECT(!(move.deeds & (DO_LOAD | DO_ASK | DO_WRITE | DO_REFUSE | DO_SEND | DO_PULSE)));
        EXPECT(((move.deeds & DO_FOLD) != 0) == (last[i] == NEWS_WRITTEN_LAST));
      }
    }
  }
}

TEST(what_the_scribe_says_has_an_arrow_and_only_there)
{
  for (int kind = 0; kind < CHANGE_KINDS; kind++) {
    reach((enum change_kind)kind);
    for (int state = 0; state < CHANGE_STATES; state++) {
      if (!reached[kind][state]) continue;
      for (int news = NEWS_WRITTEN; news <= NEWS_UNWRITTEN_LAST; news++)
        EXPECT(change_may((enum change_kind)kind, (enum change_state)state,
                          (enum change_news)news) == at_scribe((enum change_state)state));
    }
    for (int news = 0; news < CHANGE_NEWS; news++)
      EXPECT(!change_may((enum change_kind)kind, STATE_ENDED, (enum change_news)news));
  }
}

/* From memory to scribe to world, and the version leaves the change exactly once on every way. */
TEST(whoever_loads_leaves_and_whoever_waits_is_answered)
{
  for (int kind = 0; kind < CHANGE_KINDS; kind++)
    for (int state = 0; state < CHANGE_STATES; state++)
      for (int news = 0; news < CHANGE_NEWS; news++) {
        struct change change = {.kind = (enum change_kind)kind, .state = (enum change_state)state};
        if (!change_may(change.kind, change.state, (enum change_news)news)) continue;
        struct change_move move = change_step(&change, (enum change_news)news);
        bool held = state == STATE_LOADING || state == STATE_WRITING || state == STATE_REFUSING ||
                    state == STATE_WRITE_LATER || state == STATE_REFUSE_LATER;
        bool holds = move.next == STATE_LOADING || move.next == STATE_WRITING ||
                     move.next == STATE_REFUSING || move.next == STATE_WRITE_LATER ||
                     move.next == STATE_REFUSE_LATER;
        bool switching = kind == CHANGE_SWITCH || kind == CHANGE_WISH || kind == CHANGE_READY;
        if (switching && held && !holds) EXPECT(move.deeds & DO_LEAVE);
        if (move.deeds & DO_LEAVE) EXPECT(!holds);
        bool answered = kind == CHANGE_TENANT || (kind == CHANGE_WISH && state != STATE_ASKING);
        if (move.next == STATE_ENDED && !answered) EXPECT(move.deeds & DO_ANSWER);
      }
}

TEST(news_nobody_drew_and_states_that_do_not_fit_are_bugs)
{
  struct change change = {.kind = CHANGE_PUSH, .state = STATE_SETTLING};
  EXPECT_CRASH((void)change_step(&change, NEWS_FAILED));
  EXPECT_CRASH(change_check(&change)); /* nobody waits */
  struct letter_command command = {.mail.next = NULL};
  change.command = &command;
  change_check(&change);
  change.round = 7; /* no world is out */
  EXPECT_CRASH(change_check(&change));
  change.round = 0;
  change.effect = EVENT_VERSION_DEPLOYED;
  EXPECT_CRASH(change_check(&change));
}

/* --- a control and its neighbours ------------------------------------------------------------- */

static struct mailbox scribe, job, worker, loop, desks[DESKS], asker;
static struct mailbox *jobs[1] = {&job}, *workers[1] = {&worker}, *loops[1] = {&loop},
                      *desk_boxes[DESKS];
static struct post post;
static struct control *control;
static struct mail *scribe_mail; /* taken out of the mailbox, not yet looked at */
static struct letter_world *loop_lease, *desk_leases[DESKS];
static struct tally *loop_tally;
static struct event ledger[EVENTS_MAX];
static uint32_t n_events;
static struct arena ledger_arena;
static int64_t now_us;
static char token;
static bool desk_reads[DESKS];

static void turn(void)
{
  control_turn(control, now_us, 0);
  control_check(control);
}

static void home(struct mail *mail, enum letter kind)
{
  mail->kind = kind;
  mail_send(control_mailbox(control), mail);
}

static void control_begin(void)
{
  struct control_opts opts = {.objects_fd = -1, .started_us = 1};
  struct err err;
  desk_boxes[0] = &desks[0], desk_boxes[1] = &desks[1];
  post = (struct post){.scribe = &scribe,
                       .jobs = jobs,
                       .workers = workers,
                       .loops = loops,
                       .desks = desk_boxes,
                       .n_jobs = 1,
                       .n_workers = 1,
                       .n_loops = 1,
                       .n_desks = DESKS};
  control = control_new(&opts, &post);
  for (uint32_t i = 0; i < n_events; i++) EXPECT_INT(control_apply(control, &ledger[i], &err), OK);
  now_us += 1000;
  turn();
}

/* The letter the scribe has longest, written or not. */
static struct letter_append *scribe_take(void)
{
  if (!scribe_mail) scribe_mail = mailbox_take(&scribe);
  if (!scribe_mail) return NULL;
  struct letter_append *letter = LETTER_OF(scribe_mail, struct letter_append);
  scribe_mail = scribe_mail->next;
  return letter;
}

/* Returns the kind of the last event of the letter; EVENT_NONE: none came. */
static enum event_kind scribe_does(bool writes)
{
  struct letter_append *letter = scribe_take();
  if (!letter) return EVENT_NONE;
  enum event_kind kind = letter->events[letter->n_events - 1].kind;
  if (!writes) fail(&letter->err, E_STORAGE_FULL, "no space is left for the ledger");
  for (uint32_t i = 0; writes && i < letter->n_events; i++) {
    letter->events[i].seq = n_events + 1;
    EXPECT(event_copy(&ledger_arena, &letter->events[i], &ledger[n_events++]));
  }
  home(&letter->mail, LETTER_APPEND_HOME);
  turn();
  return kind;
}

static void lease_take(struct letter_world **held, struct mail *mail)
{
  if (*held) home(&(*held)->mail, LETTER_WORLD_HOME);
  *held = LETTER_OF(mail, struct letter_world);
}

/* Loops and those desks that read do what they have mail for, until all is quiet. */
static void neighbours(void)
{
  for (int quiet = 0; quiet < 3; quiet++) {
    struct mail *next;
    for (struct mail *mail = mailbox_take(&loop); mail; mail = next) {
      next = mail->next;
      quiet = 0;
      if (mail->kind == LETTER_WORLD) {
        lease_take(&loop_lease, mail);
        continue;
      }
      struct letter_tally *letter = LETTER_OF(mail, struct letter_tally);
      struct tally *full = loop_tally;
      loop_tally = letter->tally;
      letter->tally = full;
      home(mail, LETTER_TALLY_HOME);
    }
    for (int i = 0; i < DESKS; i++)
      for (struct mail *mail = desk_reads[i] ? mailbox_take(&desks[i]) : NULL; mail; mail = next) {
        next = mail->next;
        quiet = 0;
        lease_take(&desk_leases[i], mail);
      }
    for (struct mail *mail = mailbox_take(&worker); mail; mail = next) {
      struct letter_lane *lane = LETTER_OF(mail, struct letter_lane);
      bool open = mail->kind == LETTER_LANE_OPEN;
      next = mail->next;
      quiet = 0;
      lane->lane = open ? (struct lane *)&token : NULL;
      home(mail, open ? LETTER_LANE_OPEN_HOME : LETTER_LANE_CLOSE_HOME);
    }
    turn();
  }
}

/* Loads come home: with a model, or with a reason. Unloads, too. */
static int jobs_do(bool loads)
{
  int done = 0;
  struct mail *next;
  for (struct mail *mail = mailbox_take(&job); mail; mail = next, done++) {
    next = mail->next;
    if (mail->kind == LETTER_UNLOAD) {
      home(mail, LETTER_UNLOAD_HOME);
      continue;
    }
    struct letter_load *load = LETTER_OF(mail, struct letter_load);
    if (loads)
      load->loaded = (struct loaded *)&token;
    else
      fail(&load->err, E_MODEL_REJECTED, "no such operator");
    home(mail, LETTER_LOAD_HOME);
  }
  turn();
  neighbours();
  return done;
}

static struct letter_command *command_send(struct letter_command *letter, enum command_kind kind,
                                           uint32_t version, bool wait)
{
  static struct event_file file = {.name = SLICE("model.json"), .bytes = 1};
  *letter = (struct letter_command){.mail.kind = LETTER_COMMAND,
                                    .home = &asker,
                                    .kind = kind,
                                    .wait = wait,
                                    .event = {.tenant = SLICE("default"),
                                              .model = SLICE("m"),
                                              .actor = SLICE("ann"),
                                              .version = version}};
  if (kind == COMMAND_PUSH) letter->event.files = &file, letter->event.n_files = 1;
  mail_send(control_mailbox(control), &letter->mail);
  return letter;
}

static void command_take_in(struct letter_command *letter, enum command_kind kind, uint32_t version,
                            bool wait)
{
  command_send(letter, kind, version, wait);
  turn();
}

/* How many answers came, in order, into at. */
static int answers(struct letter_command **at, int max)
{
  int n = 0;
  for (struct mail *mail = mailbox_take(&asker); mail && n < max; mail = mail->next)
    at[n++] = LETTER_OF(mail, struct letter_command);
  return n;
}

static bool answered(const struct letter_command *letter)
{
  struct letter_command *at[1];
  return answers(at, 1) == 1 && at[0] == letter;
}

/* A server with two versions of model m, the first of which serves. */
static void begin(void)
{
  struct letter_command letter;
  log_level_set(LOG_ERROR);
  arena_init(&ledger_arena, 1 << 20, NULL);
  n_events = 0;
  for (int i = 0; i < DESKS; i++) mailbox_init(&desks[i], NULL, NULL), desk_reads[i] = true;
  mailbox_init(&scribe, NULL, NULL);
  mailbox_init(&job, NULL, NULL);
  mailbox_init(&worker, NULL, NULL);
  mailbox_init(&loop, NULL, NULL);
  mailbox_init(&asker, NULL, NULL);
  control_begin();
  EXPECT_INT(scribe_does(true), EVENT_TENANT_CREATED);
  for (int i = 0; i < 2; i++) {
    command_take_in(&letter, COMMAND_PUSH, 0, false);
    EXPECT_INT(scribe_does(true), EVENT_VERSION_PUSHED);
    neighbours();
    EXPECT(answered(&letter));
  }
  command_take_in(&letter, COMMAND_DEPLOY, 1, true);
  EXPECT_INT(jobs_do(true), 1);
  EXPECT_INT(scribe_does(true), EVENT_VERSION_DEPLOYED);
  neighbours();
  EXPECT(answered(&letter) && letter.err.code == OK);
}

static void leases_forget(void)
{
  struct mail *next;
  for (struct mail *mail = mailbox_take(&loop); mail; mail = next) {
    next = mail->next;
    if (mail->kind != LETTER_TALLY) continue;
    tally_free(LETTER_OF(mail, struct letter_tally)->tally);
    ungrab(LETTER_OF(mail, struct letter_tally));
  }
  for (int i = 0; i < DESKS; i++) mailbox_take(&desks[i]), desk_leases[i] = NULL;
  mailbox_take(&scribe), mailbox_take(&job), mailbox_take(&worker);
  tally_free(loop_tally);
  loop_tally = NULL;
  loop_lease = NULL;
  scribe_mail = NULL;
}

/* Everything in memory is gone; the ledger stays. */
static void crash(void)
{
  leases_forget(); /* while the letters are there: most are control's */
  control_free(control);
}

static void stop(void)
{
  struct letter_note note = {.mail.kind = LETTER_STOP};
  mail_send(control_mailbox(control), &note.mail);
  turn();
}

static void end(void)
{
  crash();
  arena_deinit(&ledger_arena);
}

static const struct version *version_seen(const struct letter_world *lease, uint32_t number)
{
  const struct tenant *tenant = world_tenant(lease->world, SLICE("default"));
  return model_version(world_model(lease->world, tenant, SLICE("m")), number);
}

static const struct catalog_model *model(void) { return control_catalog(control)->models[0]; }

/* --- bad luck --------------------------------------------------------------------------------- */

TEST(a_refusal_is_told_when_every_desk_shows_it)
{
  struct letter_command letter;
  begin();
  command_take_in(&letter, COMMAND_DEPLOY, 2, true);
  neighbours();
  EXPECT_INT(version_seen(desk_leases[1], 2)->state, VERSION_LOADING);
  desk_reads[1] = false;
  EXPECT_INT(jobs_do(false), 1);
  EXPECT_INT(scribe_does(true), EVENT_VERSION_REFUSED);
  neighbours();
  EXPECT_INT(version_seen(desk_leases[0], 2)->state, VERSION_FAILED);
  EXPECT(!answered(&letter)); /* the other one would still say that it is loading */
  EXPECT_INT(version_seen(desk_leases[1], 2)->state, VERSION_LOADING);
  desk_reads[1] = true;
  neighbours();
  EXPECT(answered(&letter));
  EXPECT_INT(letter.err.code, E_MODEL_REJECTED);
  EXPECT_STR(letter.err.text, "no such operator");
  EXPECT_INT(letter.seq, n_events);
  EXPECT_INT(version_seen(desk_leases[1], 2)->state, VERSION_FAILED);
  EXPECT_INT(model()->serving, 1);
  end();
}

TEST(a_refusal_that_cannot_be_written_is_a_refusal_all_the_same)
{
  struct letter_command letter;
  begin();
  command_take_in(&letter, COMMAND_DEPLOY, 2, true);
  EXPECT_INT(jobs_do(false), 1);
  EXPECT_INT(scribe_does(false), EVENT_VERSION_REFUSED);
  neighbours();
  EXPECT(answered(&letter));
  EXPECT_INT(letter.err.code, E_MODEL_REJECTED);
  EXPECT_INT(version_seen(desk_leases[1], 2)->state, VERSION_STORED);
  EXPECT_INT(scribe_does(true), EVENT_NONE); /* nothing was promised */
  end();
}

TEST(a_promised_switch_whose_refusal_cannot_be_written_tries_again)
{
  struct letter_command letter;
  begin();
  command_take_in(&letter, COMMAND_DEPLOY, 2, false);
  EXPECT_INT(scribe_does(true), EVENT_DEPLOY_ASKED);
  EXPECT(answered(&letter) && letter.err.code == OK);
  EXPECT_INT(jobs_do(false), 1);
  for (int i = 0; i < 3; i++) {
    EXPECT_INT(scribe_does(false), EVENT_VERSION_REFUSED);
    EXPECT_INT(scribe_does(false), EVENT_NONE); /* not before the next pulse */
    EXPECT_INT(model()->asked, 2);
    neighbours();
    now_us += 1000000;
    turn();
  }
  EXPECT_INT(scribe_does(true), EVENT_VERSION_REFUSED);
  EXPECT_INT(model()->asked, 0);
  EXPECT_INT(model()->serving, 1);
  end();
}

TEST(a_promised_switch_whose_refusal_cannot_be_written_while_stopping_is_taken_up_again)
{
  struct letter_command letter;
  for (int when = 0; when < 2; when++) { /* the scribe says no before the stop, or after it */
    begin();
    command_take_in(&letter, COMMAND_DEPLOY, 2, false);
    EXPECT_INT(scribe_does(true), EVENT_DEPLOY_ASKED);
    EXPECT(answered(&letter));
    EXPECT_INT(jobs_do(false), 1);
    if (when) stop();
    EXPECT_INT(scribe_does(false), EVENT_VERSION_REFUSED);
    if (!when) stop();
    now_us += 1000000;
    neighbours();
    EXPECT_INT(scribe_does(true), EVENT_NONE);
    while (jobs_do(true)) {
    }
    EXPECT(control_stopped(control));
    crash();
    control_begin();
    neighbours();
    EXPECT_INT(jobs_do(true), 2); /* what serves, and what was asked for */
    EXPECT_INT(scribe_does(true), EVENT_VERSION_DEPLOYED);
    EXPECT_INT(model()->serving, 2);
    EXPECT(slice_eq(ledger[n_events - 1].actor, SLICE("ann")));
    neighbours();
    end();
  }
}

TEST(a_waited_switch_that_cannot_be_written_while_stopping_says_why)
{
  struct letter_command letter;
  for (int fine = 0; fine < 2; fine++) {
    begin();
    command_take_in(&letter, COMMAND_DEPLOY, 2, true);
    EXPECT_INT(jobs_do(fine), 1);
    stop();
    EXPECT(!answered(&letter)); /* its answer is the ledger's */
    EXPECT_INT(scribe_does(false), fine ? EVENT_VERSION_DEPLOYED : EVENT_VERSION_REFUSED);
    EXPECT(answered(&letter));
    EXPECT_INT(letter.err.code, fine ? E_STORAGE_FULL : E_MODEL_REJECTED);
    EXPECT_INT(model()->serving, 1);
    neighbours();
    while (jobs_do(true)) {
    }
    EXPECT(control_stopped(control));
    end();
  }
}

TEST(a_wish_written_while_stopping_is_answered_and_loads_nothing)
{
  struct letter_command letter;
  begin();
  command_take_in(&letter, COMMAND_DEPLOY, 2, false);
  stop();
  EXPECT_INT(scribe_does(true), EVENT_DEPLOY_ASKED);
  EXPECT(answered(&letter) && letter.err.code == OK);
  EXPECT_INT(model()->asked, 2);
  neighbours();
  EXPECT_INT(jobs_do(true), 1); /* version 1 leaves; nothing is loaded */
  EXPECT(control_stopped(control));
  end();
}

/* A late switch is given up for a retirement. Before that is written, a pulse must not take the
 * switch up again: it would undo what the person wanted. */
TEST(a_retirement_under_way_is_not_overtaken_by_a_switch_given_up_for_it)
{
  struct letter_command wish, retire;
  begin();
  command_take_in(&wish, COMMAND_DEPLOY, 2, false);
  EXPECT_INT(scribe_does(true), EVENT_DEPLOY_ASKED);
  EXPECT(answered(&wish));
  EXPECT_INT(jobs_do(true), 1);
  EXPECT_INT(scribe_does(false), EVENT_VERSION_DEPLOYED);
  command_take_in(&retire, COMMAND_RETIRE, 0, false);
  neighbours();
  now_us += 1000000;
  turn();
  neighbours();
  while (jobs_do(true)) {
  }
  EXPECT_INT(scribe_does(true), EVENT_VERSION_RETIRED);
  EXPECT_INT(scribe_does(true), EVENT_NONE);
  neighbours();
  EXPECT(answered(&retire) && retire.err.code == OK);
  EXPECT_INT(model()->serving, 0);
  EXPECT_INT(model()->asked, 0);
  end();
}

TEST(commands_that_wait_are_taken_in_the_order_they_came)
{
  enum { MANY = 24 };
  static struct letter_command letters[MANY];
  struct letter_command *at[MANY];
  begin();
  for (int i = 0; i < MANY; i++) command_send(&letters[i], COMMAND_PUSH, 0, false);
  turn();
  for (int i = 0; i < MANY; i++) {
    EXPECT_INT(scribe_does(true), EVENT_VERSION_PUSHED);
    if (i + 1 < MANY) EXPECT_INT(ledger[n_events - 1].version, 3 + i);
  }
  EXPECT_INT(scribe_does(true), EVENT_NONE);
  neighbours();
  EXPECT_INT(answers(at, MANY), MANY);
  for (int i = 0; i < MANY; i++)
    EXPECT(at[i] == &letters[i] && letters[i].version == 3u + (uint32_t)i);
  end();
}

TEST(commands_that_wait_when_it_stops_are_refused_in_order)
{
  struct letter_command push[3], *at[3];
  begin();
  for (int i = 0; i < 3; i++) command_send(&push[i], COMMAND_PUSH, 0, false);
  turn();
  stop();
  EXPECT_INT(answers(at, 3), 2);
  EXPECT(at[0] == &push[1] && at[1] == &push[2]);
  EXPECT_INT(push[1].err.code, E_DRAINING);
  EXPECT_INT(scribe_does(true), EVENT_VERSION_PUSHED);
  EXPECT(answered(&push[0]) && push[0].err.code == OK);
  end();
}
