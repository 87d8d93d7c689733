/* show.c - how the running release of a model stands: control's own words, passed on.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/release/release_int.h"

static enum desk_step shown(struct ask *ask, struct letter_release *letter)
{
  if (letter->err.code != OK) {
    ask->err = letter->err;
    return ask_fail(ask);
  }
  return ask_text(ask, 200, "application/json", blob_share(letter->json));
}

enum desk_step release_show(struct ask *ask)
{
  if (!ask_model(ask, 0)) return ask_fail(ask);
  return release_ask(ask, &ask->letter->params[0], 1, shown);
}
