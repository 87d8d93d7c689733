/* stages_int.h - the stages of the path, one file each, and what they share inside the room.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_STAGES_INT_H
#define SERVE_STAGES_INT_H

#include "serve/path.h"

enum step auth_stage(struct call *call);
enum step find_stage(struct call *call);
enum step media_stage(struct call *call);
enum step admit_stage(struct call *call);
enum step body_stage(struct call *call);
enum step decode_stage(struct call *call);
enum step choose_stage(struct call *call);
enum step check_stage(struct call *call);
enum step submit_stage(struct call *call);
enum step encode_stage(struct call *call);
enum step record_stage(struct call *call);

/* Below this no stage takes long enough for the clock to be read again within a turn. */
enum { LARGE_BODY_MIN = 32 << 10 };

/* Before n more body bytes are held: counts them against the loop's budget. E_OVERLOADED in err. */
CHECKED enum code path_more(struct call *call, size_t n, struct err *err);

/* Leases: a counter per world this loop still has calls on. */
struct lease {
  struct letter_world *letter; /* control's; mailed home with the last call */
  uint32_t calls;
  struct lease *next; /* while it is free */
};
struct lease *lease_take(struct serve *serve); /* of the newest world; NULL: there is none */
void lease_drop(struct serve *serve, struct lease *lease); /* NULL is fine */

/* Puts a scratch arena to rest, or gives it back. */
void scratch_rest(struct serve *serve, struct arena *scratch);

/* Counts a task that left for its lane, and one that came home. */
void record_lent(struct call *call);
void record_home(struct call *call);

#endif
