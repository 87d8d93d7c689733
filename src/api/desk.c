/* desk.c - the desk's turn: letters in, handlers, letters out.
 * Thread: desk.
 * An ask is open from its letter until its letter goes home; in between it is on desk->asks and may
 * have letters of its own out, which live inside it: it is freed only when none is.
 * SPDX-License-Identifier: MIT */
#include "api/desk.h"

#include <limits.h>
#include <stdlib.h>

#include "api/flag/desk_int.h"
#include "api/handlers_int.h"
#include "api/outcome/outcome_int.h"
#include "api/routes.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/outcome.h"

typedef enum desk_step (*handler)(struct ask *ask);

static enum desk_step not_built(struct ask *ask);

static const handler handlers[] = {
#define ROUTE(method, path, kind, verb, resource, handler, body_max, help) handler,
#define LATER(method, path, verb, resource, why) not_built,
#include "api/routes.def"
#undef ROUTE
#undef LATER
};

/* The loop serves these rows itself; one that comes here is a bug of the loop's. */
enum desk_step loop_answers(struct ask *ask)
{
  fail(&ask->err, E_INTERNAL, "this route is answered elsewhere");
  return ask_fail(ask);
}

static enum desk_step not_built(struct ask *ask)
{
  uint32_t n;
  const struct route *row = &routes_all(&n)[ask->letter->route];
  must(row->later != NULL);
  fail(&ask->err, E_NOT_IMPLEMENTED, "%s", row->later);
  return ask_fail(ask);
}

struct desk *desk_new(const struct desk_opts *opts, const struct post *post, uint32_t number)
{
  json_start();
  struct desk *desk = grab_zero(1, sizeof *desk);
  mailbox_init_bell(&desk->box);
  desk->opts = opts;
  desk->limits = opts->limits;
  desk->post = post;
  desk->number = number;
  list_init(&desk->asks);
  list_init(&desk->stats_waiting);
  return desk;
}

void desk_free(struct desk *desk)
{
  if (!desk) return;
  must(list_empty(&desk->asks));
  mailbox_deinit(&desk->box);
  tally_free(desk->stats_last.tally);
  blob_drop(desk->metrics);
  blob_drop(desk->openapi);
  flag_desk_free(desk->flags);
  if (desk->history) history_close(desk->history);
  outcomes_close(desk->outcomes);
  ungrab(desk);
}

struct mailbox *desk_mailbox(struct desk *desk) { return &desk->box; }

void desk_limits_list(struct limits *to, uint32_t n_desks, uint32_t n_asks)
{
  const uint64_t ask = sizeof(struct ask) + ASK_ARENA_MAX;
  limit_add(to, (struct limit){"control-plane threads", n_desks, "", n_desks * sizeof(struct desk),
                               "--desks", NULL});
  limit_add(to, (struct limit){"one control-plane request at its desk", ask, "bytes", ask * n_asks,
                               NULL, "parsed JSON and answers of the control plane"});
  flag_limits_list(to, n_desks);
  limit_add(to, (struct limit){"one answer of the control plane", ASK_ANSWER_MAX, "bytes", 0, NULL,
                               NULL});
}

/* ---- asks ---- */

void ask_look(struct ask *ask)
{
  ask->world = ask->desk->lease ? ask->desk->lease->world : NULL;
  ask->tenant = ask->world ? world_tenant(ask->world, ask->letter->tenant) : NULL;
}

/* The answer goes home; what the ask held is freed. */
static void ask_close(struct ask *ask)
{
  struct letter_ask *letter = ask->letter;
  must(letter->reply.status != 0 && ask->letters_out == 0);
  list_remove(&ask->link);
  list_remove(&ask->waiting);
  if (ask->state && ask->state_free) ask->state_free(ask->state);
  json_decref(ask->body);
  arena_deinit(&ask->arena);
  ungrab(ask);
  letter->desk_state = NULL;
  letter->mail.kind = LETTER_ASK_HOME;
  mail_send(letter->home, &letter->mail);
}

void ask_stepped(struct ask *ask, enum desk_step step)
{
  if (step == DESK_DONE) ask_close(ask);
}

static void ask_open(struct desk *desk, struct letter_ask *letter)
{
  struct ask *ask = grab_zero(1, sizeof *ask);
  ask->desk = desk;
  ask->letter = letter;
  arena_init(&ask->arena, ASK_ARENA_MAX, NULL);
  list_push_back(&desk->asks, &ask->link);
  letter->desk_state = ask;
  letter->reply = (struct ask_reply){.status = 0};
  must(letter->route < sizeof handlers / sizeof *handlers);
  ask_look(ask);
  if (desk->stopping || !ask->world) {
    if (desk->stopping)
      fail(&ask->err, E_DRAINING, "the server is stopping");
    else
      fail(&ask->err, E_NOT_READY, "the server is starting");
    ask_stepped(ask, ask_fail(ask));
  } else if (!guard_passes(ask)) {
    ask_stepped(ask, ask_fail(ask));
  } else {
    ask_stepped(ask, handlers[letter->route](ask));
  }
}

/* ---- letters coming home ---- */

static void command_home(struct letter_command *command)
{
  struct ask *ask = command->desk_state;
  must(command == &ask->command && ask->letters_out > 0);
  ask->letters_out--;
  ask_look(ask);
  ask_stepped(ask, ask->then(ask));
}

static void stats_home(struct desk *desk, struct letter_stats *letter)
{
  struct ask *ask = letter->desk_state;
  if (ask) {
    must(letter == &ask->stats && ask->letters_out > 0);
    ask->letters_out--;
    ask_look(ask);
    struct tally *tally = letter->stats.tally; /* `then` may close the ask, and letter with it */
    ask_stepped(ask, ask->stats_then(ask, &letter->stats));
    tally_free(tally);
    return;
  }
  stats_recent_home(desk, letter);
  struct link *link;
  while ((link = list_pop_front(&desk->stats_waiting))) {
    ask = LIST_OF(link, struct ask, waiting);
    ask_look(ask);
    ask_stepped(ask, ask->stats_then(ask, &desk->stats_last));
  }
}

static void release_home(struct letter_release *letter)
{
  struct ask *ask = letter->desk_state;
  must(ask->letters_out > 0);
  ask->letters_out--;
  ask_look(ask);
  enum desk_step step = ask->release_then(ask, letter);
  must(step == DESK_LATER || ask->letters_out == 0);
  blob_drop(letter->json);
  ungrab(letter);
  ask_stepped(ask, step);
}

static void told_home(struct letter_feedback *letter)
{
  struct ask *ask = letter->desk_state;
  must(ask->letters_out > 0);
  ask->letters_out--;
  ask_look(ask);
  ask_stepped(ask, feedback_home(ask));
}

static void chore_home(struct letter_chore *letter)
{
  struct ask *ask = letter->desk_state;
  must(ask->letters_out > 0);
  ask->letters_out--;
  ask_look(ask);
  ask_stepped(ask, ask->chore_then(ask, letter));
  ungrab(letter);
}

static void chunk_came(struct letter_chunk *chunk)
{
  struct letter_ask *letter = chunk->ask;
  struct mailbox *home = letter->home;
  struct ask *ask = letter->desk_state;
  if (ask) ask_look(ask);
  enum desk_step step = ask ? ask->chunk(ask, chunk) : DESK_LATER;
  chunk->mail.kind = LETTER_CHUNK_HOME; /* before the ask: its memory may go with it */
  mail_send(home, &chunk->mail);
  if (ask) ask_stepped(ask, step);
}

/* The old lease goes home at once: nothing of a world is kept between letters. */
static void world_came(struct desk *desk, struct letter_world *lease)
{
  struct letter_world *old = desk->lease;
  desk->lease = lease;
  if (!old) return;
  old->mail.kind = LETTER_WORLD_HOME;
  mail_send(desk->post->control, &old->mail);
}

static void settings_take(struct desk *desk, struct letter_settings *letter)
{
  desk->limits = &letter->settings->limits;
  letter->mail.kind = LETTER_SETTINGS_HOME;
  mail_send(letter->home, &letter->mail);
}

static void letter_came(struct desk *desk, struct mail *mail)
{
  switch (mail->kind) {
    case LETTER_ASK: ask_open(desk, LETTER_OF(mail, struct letter_ask)); break;
    case LETTER_CHUNK: chunk_came(LETTER_OF(mail, struct letter_chunk)); break;
    case LETTER_WORLD: world_came(desk, LETTER_OF(mail, struct letter_world)); break;
    case LETTER_COMMAND_HOME: command_home(LETTER_OF(mail, struct letter_command)); break;
    case LETTER_INSPECT_HOME: inspect_home(LETTER_OF(mail, struct letter_inspect)); break;
    case LETTER_STATS_HOME: stats_home(desk, LETTER_OF(mail, struct letter_stats)); break;
    case LETTER_RELEASE_HOME: release_home(LETTER_OF(mail, struct letter_release)); break;
    case LETTER_CHORE_HOME: chore_home(LETTER_OF(mail, struct letter_chore)); break;
    case LETTER_FEEDBACK_HOME: told_home(LETTER_OF(mail, struct letter_feedback)); break;
    case LETTER_MEASURE: measure_take(desk, LETTER_OF(mail, struct letter_measure)); break;
    case LETTER_PREDICTIONS_HOME:
      exposures_home(desk, LETTER_OF(mail, struct letter_predictions));
      break;
    case LETTER_SETTINGS: settings_take(desk, LETTER_OF(mail, struct letter_settings)); break;
    case LETTER_STOP: desk->stopping = true; break;
    default: must(!"a letter that no desk takes");
  }
}

/* ---- the thread ---- */

static bool letters_are_out(const struct desk *desk)
{
  if (desk->stats_out || exposures_are_out(desk)) return true;
  for (struct link *link = desk->asks.next; link != &desk->asks; link = link->next)
    if (LIST_OF(link, struct ask, link)->letters_out) return true;
  return false;
}

static void uploads_give_up(struct desk *desk)
{
  while (!list_empty(&desk->asks)) {
    struct ask *ask = LIST_OF(desk->asks.next, struct ask, link);
    fail(&ask->err, E_DRAINING, "the server is stopping");
    ask_stepped(ask, ask_fail(ask));
  }
}

void desk_main(void *arg)
{
  struct desk *desk = arg;
  while (!desk->stopping || letters_are_out(desk)) {
    struct mail *mail = mailbox_wait(&desk->box, INT64_MAX);
    while (mail) {
      struct mail *next = mail->next;
      letter_came(desk, mail);
      mail = next;
    }
  }
  uploads_give_up(desk);
  if (desk->lease) {
    desk->lease->mail.kind = LETTER_WORLD_HOME;
    mail_send(desk->post->control, &desk->lease->mail);
    desk->lease = NULL;
  }
}
