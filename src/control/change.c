/* change.c - the table of the drawing in change.h, and what must be true in each state.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "control/change.h"

/* Sets of kinds, named as in the drawing. */
enum {
  PUSH = 1 << CHANGE_PUSH,
  PLAIN = 1 << CHANGE_PLAIN,
  TENANT = 1 << CHANGE_TENANT,
  SWITCH = 1 << CHANGE_SWITCH,
  WISH = 1 << CHANGE_WISH,
  READY = 1 << CHANGE_READY,
  SEEN = 1 << CHANGE_SEEN,
  MOVES = SWITCH | WISH | READY,  /* a version comes into memory */
  WAITED = PUSH | PLAIN | SWITCH, /* somebody waits for what is written */
  SHOWS = WAITED | READY | SEEN,
};

static const struct row {
  unsigned kinds;
  enum change_state state;
  enum change_news news;
  enum change_state next;
  unsigned deeds;
} rows[] = {
    {PUSH | PLAIN | TENANT, STATE_START, NEWS_BEGUN, STATE_WRITING, DO_SEND},
    {SWITCH | READY, STATE_START, NEWS_BEGUN, STATE_LOADING, DO_LOAD},
    {WISH, STATE_START, NEWS_BEGUN, STATE_ASKING, DO_ASK},
    {WISH, STATE_START, NEWS_RESUMED, STATE_LOADING, DO_LOAD},
    {SEEN, STATE_START, NEWS_BEGUN, STATE_SETTLING, 0},

    {WISH, STATE_ASKING, NEWS_WRITTEN, STATE_LOADING, DO_FOLD | DO_ANSWER | DO_LOAD},
    {WISH, STATE_ASKING, NEWS_UNWRITTEN, STATE_ENDED, DO_BLAME | DO_ANSWER},
    /* taken up again at the next start */
    {WISH, STATE_ASKING, NEWS_WRITTEN_LAST, STATE_ENDED, DO_FOLD | DO_ANSWER},
    {WISH, STATE_ASKING, NEWS_UNWRITTEN_LAST, STATE_ENDED, DO_BLAME | DO_ANSWER},
    {WISH, STATE_ASKING, NEWS_STOPPED, STATE_ASKING, 0},

    {SWITCH | WISH, STATE_LOADING, NEWS_READY, STATE_WRITING, DO_WRITE},
    {READY, STATE_LOADING, NEWS_READY, STATE_SETTLING, DO_LEAVE},
    {SWITCH | WISH, STATE_LOADING, NEWS_FAILED, STATE_REFUSING, DO_BLAME | DO_REFUSE},
    {READY, STATE_LOADING, NEWS_FAILED, STATE_SETTLING, DO_BLAME | DO_LEAVE},
    {MOVES, STATE_LOADING, NEWS_STOPPED, STATE_ENDED, DO_BLAME | DO_LEAVE | DO_ANSWER},

    {WAITED, STATE_WRITING, NEWS_WRITTEN, STATE_SETTLING, DO_FOLD | DO_LEAVE},
    {TENANT | WISH, STATE_WRITING, NEWS_WRITTEN, STATE_ENDED, DO_FOLD | DO_LEAVE},
    {PUSH | PLAIN, STATE_WRITING, NEWS_UNWRITTEN, STATE_ENDED, DO_BLAME | DO_ANSWER},
    /* a world has shown it on its way */
    {SWITCH, STATE_WRITING, NEWS_UNWRITTEN, STATE_SETTLING, DO_BLAME | DO_LEAVE},
    {TENANT | WISH, STATE_WRITING, NEWS_UNWRITTEN, STATE_WRITE_LATER, 0},
    {WAITED | TENANT | WISH, STATE_WRITING, NEWS_WRITTEN_LAST, STATE_ENDED,
     DO_FOLD | DO_LEAVE | DO_ANSWER},
    {WAITED | TENANT | WISH, STATE_WRITING, NEWS_UNWRITTEN_LAST, STATE_ENDED,
     DO_BLAME | DO_LEAVE | DO_ANSWER},
    {WAITED | TENANT | WISH, STATE_WRITING, NEWS_STOPPED, STATE_WRITING, 0},

    {SWITCH, STATE_REFUSING, NEWS_WRITTEN, STATE_SETTLING, DO_FOLD | DO_LEAVE},
    {WISH, STATE_REFUSING, NEWS_WRITTEN, STATE_ENDED, DO_FOLD | DO_LEAVE},
    {SWITCH, STATE_REFUSING, NEWS_UNWRITTEN, STATE_SETTLING, DO_LEAVE}, /* refused all the same */
    {WISH, STATE_REFUSING, NEWS_UNWRITTEN, STATE_REFUSE_LATER, 0},
    {SWITCH | WISH, STATE_REFUSING, NEWS_WRITTEN_LAST, STATE_ENDED, DO_FOLD | DO_LEAVE | DO_ANSWER},
    {SWITCH | WISH, STATE_REFUSING, NEWS_UNWRITTEN_LAST, STATE_ENDED, DO_LEAVE | DO_ANSWER},
    {SWITCH | WISH, STATE_REFUSING, NEWS_STOPPED, STATE_REFUSING, 0},

    {TENANT | WISH, STATE_WRITE_LATER, NEWS_PULSE, STATE_WRITING, DO_SEND},
    {WISH, STATE_WRITE_LATER, NEWS_GIVEN_UP, STATE_ENDED, DO_LEAVE},
    {TENANT | WISH, STATE_WRITE_LATER, NEWS_STOPPED, STATE_ENDED, DO_LEAVE},
    {WISH, STATE_REFUSE_LATER, NEWS_PULSE, STATE_REFUSING, DO_SEND},
    {WISH, STATE_REFUSE_LATER, NEWS_GIVEN_UP, STATE_ENDED, DO_LEAVE},
    {WISH, STATE_REFUSE_LATER, NEWS_STOPPED, STATE_ENDED, DO_LEAVE},

    {SHOWS, STATE_SETTLING, NEWS_SHOWN, STATE_SHOWN, DO_PULSE},
    {SHOWS, STATE_SETTLING, NEWS_STOPPED, STATE_ENDED, DO_ANSWER}, /* decided is decided */
    {SHOWS, STATE_SHOWN, NEWS_SEEN, STATE_ENDED, DO_ANSWER},
    {SHOWS, STATE_SHOWN, NEWS_STOPPED, STATE_ENDED, DO_ANSWER},
};

static const struct row *row_find(enum change_kind kind, enum change_state state,
                                  enum change_news news)
{
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].state == state && rows[i].news == news && (rows[i].kinds & 1u << kind))
      return &rows[i];
  return NULL;
}

bool change_may(enum change_kind kind, enum change_state state, enum change_news news)
{
  return row_find(kind, state, news) != NULL;
}

struct change_move change_step(const struct change *change, enum change_news news)
{
  const struct row *row = row_find(change->kind, change->state, news);
  must(row);
  return (struct change_move){row->next, row->deeds};
}

bool change_at_scribe(const struct change *change)
{
  return change->state == STATE_ASKING || change->state == STATE_WRITING ||
         change->state == STATE_REFUSING;
}

bool change_is_late(const struct change *change)
{
  return change->state == STATE_WRITE_LATER || change->state == STATE_REFUSE_LATER;
}

bool change_is_switching(const struct change *change)
{
  return change->model && change->state < STATE_SETTLING;
}

/* --- the checker ------------------------------------------------------------------------------ */

/* The first event that is, or will again be, with the scribe. */
static bool event_fits(const struct change *change)
{
  const struct letter_append *append = &change->append;
  enum event_kind kind = append->events[0].kind;
  bool back = change->effect == EVENT_ROLLED_BACK;
  if (append->many)
    return change->kind == CHANGE_PLAIN && append->n_events > 0 &&
           append->n_events <= STATE_EVENTS_MAX;
  if (append->n_events < 1 || append->n_events > APPEND_EVENTS_MAX) return false;
  if (change->state == STATE_ASKING)
    return kind == (back ? EVENT_ROLLBACK_ASKED : EVENT_DEPLOY_ASKED);
  if (change->state == STATE_REFUSING || change->state == STATE_REFUSE_LATER)
    return kind == EVENT_VERSION_REFUSED;
  switch (change->kind) {
    case CHANGE_PUSH: return kind == EVENT_MODEL_CREATED || kind == EVENT_VERSION_PUSHED;
    case CHANGE_PLAIN:
      return kind == EVENT_TENANT_CREATED || kind == EVENT_MODEL_CREATED ||
             kind == EVENT_VERSION_RETIRED || kind >= EVENT_RELEASE_STARTED;
    case CHANGE_TENANT: return kind == EVENT_TENANT_CREATED || kind == EVENT_KEY_ADDED;
    default: return kind == change->effect;
  }
}

/* Who waits. A WISH is answered on its way, a READY may have been before it began. */
static bool command_fits(const struct change *change)
{
  bool waits = change->command != NULL;
  if (change->state == STATE_ENDED || change->kind == CHANGE_TENANT) return !waits;
  if (change->kind == CHANGE_WISH) return waits == (change->state == STATE_ASKING);
  return waits || change->kind == CHANGE_READY || change->moves;
}

void change_check(const struct change *change)
{
  must(change->kind < CHANGE_KINDS && change->state < CHANGE_STATES);
  unsigned kind = 1u << change->kind;
  enum change_state state = change->state;
  bool refused = state == STATE_REFUSING || state == STATE_REFUSE_LATER;
  bool scribes = change_at_scribe(change) || change_is_late(change);
  bool coming = (kind & MOVES) && (state == STATE_LOADING || state == STATE_WRITING || refused ||
                                   state == STATE_WRITE_LATER);
  must(state != STATE_START);
  must((change->model != NULL) == ((kind & MOVES) != 0));
  must((change->effect != EVENT_NONE) == ((kind & (SWITCH | WISH)) != 0));
  must((change->placed != NULL) == coming);
  must(!coming || (change->placed->coming && change->placed->model == change->model &&
                   change->placed->number == change->version));
  must(!change->moves || change->kind == CHANGE_PLAIN);
  must(command_fits(change));
  must(!scribes || event_fits(change));
  must(!refused || change->err.code != OK);
  must(refused || state >= STATE_SETTLING || change->err.code == OK);
  must(change_at_scribe(change) || !change->behind);
  must(state == STATE_ENDED || (change->round != 0) == (state == STATE_SHOWN));
  must(state == STATE_ENDED || (change->serial != 0) == (state == STATE_SHOWN));
}
