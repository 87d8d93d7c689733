/* redis_int.h - the prediction cache's second level, told to people. Room-internal.
 * Thread: desk; pure: everything it says is handed in.
 * SPDX-License-Identifier: MIT */
#ifndef API_SERVER_REDIS_INT_H
#define API_SERVER_REDIS_INT_H

#include <jansson.h>

#include "world/letters.h"

/* One line of the doctor's: how many lines are up; where not all are, why and what to do. *good:
 * all are, or none has failed lately: those that are missing are being opened. */
json_t *redis_text(const struct stats *stats, int64_t now_us, bool *good);
/* {"lines":0,"of":2,"ok":false,"failure":"the login was refused (WRONGPASS)"}; null where good. */
json_t *redis_json(const struct stats *stats, int64_t now_us);

#endif
