/* chores.c - how stored files are looked after: asked of the janitor.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/server/chores_int.h"

#include "base/mem.h"

enum desk_step chore_ask(struct ask *ask, enum chore chore, ask_chore_then then)
{
  struct mailbox *janitor = ask->desk->post->janitor;
  ask->chore_then = then;
  if (!janitor || (world_draining(ask->world) && !world_tenants(ask->world)))
    return then(ask, NULL);
  struct letter_chore *letter = grab_zero(1, sizeof *letter);
  letter->mail.kind = LETTER_CHORE;
  letter->home = &ask->desk->box;
  letter->chore = chore;
  letter->desk_state = ask;
  ask->letters_out++;
  mail_send(janitor, &letter->mail);
  return DESK_LATER;
}

static json_t *chores_json(const struct chores *chores)
{
  return json_pack(
      "{s{sb,so,so,so,so,so},s{so,so,so,so,so,so}}", "scrub", "running", (int)chores->scrubbing,
      "done", chores->scrubbing ? json_real(chores->scrub_done / 256.0) : json_null(),
      "ended_at", json_time(chores->scrub_ended_ms), "objects", json_u64(chores->scrub_objects),
      "bytes", json_u64(chores->scrub_bytes), "rotten", json_u64(chores->scrub_rotten), "collect",
      "ended_at", json_time(chores->collect_ended_ms), "objects",
      json_u64(chores->collected_objects), "bytes", json_u64(chores->collected_bytes), "uploads",
      json_u64(chores->swept_uploads), "marks", json_u64(chores->swept_marks), "missing",
      json_u64(chores->missing));
}

static enum desk_step chores_answer(struct ask *ask, const struct letter_chore *letter)
{
  if (!letter)
    fail(&ask->err, E_DRAINING, "the server is stopping");
  else
    ask->err = letter->err;
  if (ask->err.code) return ask_fail(ask);
  return ask_json(ask, 200, chores_json(&letter->chores));
}

enum desk_step storage_show(struct ask *ask) { return chore_ask(ask, CHORE_LOOK, chores_answer); }
enum desk_step storage_scrub(struct ask *ask) { return chore_ask(ask, CHORE_SCRUB, chores_answer); }

enum desk_step storage_collect(struct ask *ask)
{
  return chore_ask(ask, CHORE_COLLECT, chores_answer);
}
