/* ticket.h - a pass for an event stream: browsers open those without header fields, so a key cannot
 * go along, and must not stand in a URL.
 * Thread: any, pure.
 *
 *   KEYID.UNTIL.SIGNATURE      UNTIL: Unix time in decimal seconds
 *   SIGNATURE = 32 hex digits of HMAC(pepper, "events KEYID UNTIL")
 *
 * It is as good as its key for streams, nothing else, and no longer than the key is good itself.
 * No secret of a key holds a space, so no signature is a key's hash.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_TICKET_H
#define WORLD_TICKET_H

#include "base/hash.h"

enum { TICKET_TEXT_MAX = 72 };

/* Returns its length. key_id: KEY_ID_LEN letters and digits (world/key.h). */
size_t ticket_write(const struct hmac *pepper, struct slice key_id, int64_t until_s,
                    char to[TICKET_TEXT_MAX]);
/* False when it is none of ours. Whether its time is over and its key still good is the caller's to
 * ask. */
bool ticket_read(const struct hmac *pepper, struct slice text, struct slice *key_id,
                 int64_t *until_s);

#endif
