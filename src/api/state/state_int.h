/* state_int.h - a declared state on its way through a desk. Inside the folder only.
 * Thread: desk; the struct is control's while the command is out.
 *
 *   read     the request's body as world/state.h
 *   state    plan and apply
 * SPDX-License-Identifier: MIT */
#ifndef API_STATE_STATE_INT_H
#define API_STATE_STATE_INT_H

#include "api/ask_int.h"
#include "world/state.h"

struct declared {
  struct state state;
  struct slice tenant; /* whom it is about */
  struct state_model *models; /* state.models; those that are to have new versions are looked at */
  uint32_t next;              /* where that goes on */
};

/* The body into *declared; texts lie in the body and in the ask's arena, which may take
 * STATE_ARENA_MAX from then on. False with ask->err, whose field is "models.fraud.tags". */
bool declared_read(struct ask *ask, struct declared *declared);

#endif
