/* key_int.h - making a key and showing it once, for those who add one. Room-internal.
 * Thread: desk.
 *
 *   key_make      the key; facts for the command
 *   key_made      home again: the key as the world has it
 *   key_answer    201 with the key's text in front of what else there is to say
 * SPDX-License-Identifier: MIT */
#ifndef API_TENANT_KEY_INT_H
#define API_TENANT_KEY_INT_H

#include "api/ask_int.h"

json_t *key_json(const struct key *key);
/* Members of the body, each false with ask->err. `expires`: 90 days when absent; 0: never. */
bool key_person_read(struct ask *ask, struct slice *person);
bool key_expires_read(struct ask *ask, int64_t now_ms, int64_t *expires_ms);
/* The key, kept until the answer; its hash and id go into facts, in the order of their names. */
void key_make(struct ask *ask, struct event_fact *hash, struct event_fact *id);
/* NULL with ask->err: it is gone already. */
const struct key *key_made(struct ask *ask);
/* Takes the tree, an object. */
enum desk_step key_answer(struct ask *ask, json_t *tree);

#endif
