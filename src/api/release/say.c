/* say.c - a person's word on the running release: promote, pause, resume, approve, reject, abort.
 * Thread: desk.
 * Whether the word is allowed now, and whether a second person must say it too, is control's to
 * decide (judge/step.h); the desk says who speaks, with which role, and what they saw.
 * SPDX-License-Identifier: MIT */
#include "api/release/release_int.h"

#include "judge/plan.h"

static enum desk_step said(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  if (command->err.code != OK) {
    ask->err = command->err;
    return ask_fail(ask);
  }
  return ask_json(
      ask, 200,
      json_pack("{so,so,so,so}", "model", json_slice(command->event.model), "release",
                json_integer(command->release), "word",
                json_slice(event_fact(&command->event, "word")), "seq", json_u64(command->seq)));
}

/* The last segment of the path: the route table has one row for each word. */
static struct slice word_of(const struct ask *ask)
{
  struct slice path = ask->letter->path;
  size_t at = path.len;
  while (at && path.at[at - 1] != '/') at--;
  return slice_from(path, at);
}

static bool arm_member(struct ask *ask, bool chooses, struct slice *arm)
{
  if (!member_str(ask, ask->body, "arm", PLAN_NAME_MAX - 1, arm)) return false;
  if (!arm->at || chooses) return true; /* control knows the plan's names */
  fail(&ask->err, E_INVALID_ARGUMENT, "'%.*s': promote and approve alone say an arm",
       SLICE_ARG(*arm));
  fail_at(&ask->err, "arm");
  return false;
}

static enum desk_step word_say(struct ask *ask, bool chooses)
{
  int64_t number = 0, step = -1;
  struct slice why = SLICE_NONE, spec = SLICE_NONE, arm = SLICE_NONE;
  struct ask_facts facts;
  if (!ask_body(ask) || !ask_members(ask, "release", "step", "spec_hash", "why", "arm", NULL) ||
      !member_int(ask, ask->body, "release", 1, UINT32_MAX, &number) ||
      !member_int(ask, ask->body, "step", 0, UINT16_MAX, &step) ||
      !member_str(ask, ask->body, "spec_hash", SHA256_HEX_LEN, &spec) ||
      !member_str(ask, ask->body, "why", NOTE_MAX, &why) || !arm_member(ask, chooses, &arm) ||
      !ask_model(ask, 0))
    return ask_fail(ask);
  ask_facts_begin(ask, &facts);
  ask_fact_add(&facts, "arm", arm);
  ask_fact_add(&facts, "person", ask_person(ask));
  ask_fact_add(&facts, "role", slice_str(role_name(ask->letter->role)));
  ask_fact_add(&facts, "spec", spec);
  if (step >= 0) ask_fact_add_int(ask, &facts, "step", step);
  ask_fact_add(&facts, "word", word_of(ask));
  ask->command.kind = COMMAND_SAY;
  ask->command.event = (struct event){.kind = EVENT_RELEASE_MOVED,
                                      .model = ask->letter->params[0],
                                      .release = (uint32_t)number,
                                      .note = why};
  ask_facts_give(&facts, &ask->command.event);
  return ask_command(ask, said);
}

enum desk_step release_say(struct ask *ask) { return word_say(ask, false); }

/* Of several candidates the one that goes on may be named: promote and approve. */
enum desk_step release_say_arm(struct ask *ask) { return word_say(ask, true); }
