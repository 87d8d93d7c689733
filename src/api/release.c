/* release.c - rollback: which version answers. How a version begins to is in release/.
 * Thread: desk.
 * Whether there is a way back is control's to say; the desk asks and passes the answer on.
 * SPDX-License-Identifier: MIT */
#include "api/handlers_int.h"

static enum desk_step released(struct ask *ask)
{
  const struct letter_command *command = &ask->command;
  if (command->err.code != OK) {
    ask->err = command->err;
    return ask_fail(ask);
  }
  return ask_json(ask, command->wait ? 200 : 202,
                  json_pack("{so,so,ss,so}", "model", json_slice(command->event.model), "version",
                            json_integer(command->version), "state",
                            command->wait ? "READY" : "LOADING", "seq", json_u64(command->seq)));
}

enum desk_step release_rollback(struct ask *ask)
{
  int64_t to = 0;
  bool wait = true;
  if (!ask_body(ask) || !ask_members(ask, "to", "wait", NULL) ||
      !member_version(ask, "to", &to) ||
      !member_bool(ask, ask->body, "wait", &wait))
    return ask_fail(ask);
  ask->command.kind = COMMAND_ROLLBACK;
  ask->command.wait = wait;
  ask->command.event = (struct event){
      .kind = EVENT_ROLLED_BACK, .model = ask->letter->params[0], .version = (uint32_t)to};
  return ask_command(ask, released);
}
