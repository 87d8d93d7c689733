/* picture.h - a release for people: its steps, its gates with their evidence, where it stands.
 * Thread: main (own).
 * Reads the object that GET /api/v1/models/MODEL/release answers (world/letters.h says which
 * members there are); what is not there is left out of the picture.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_RELEASE_PICTURE_H
#define CLI_RELEASE_PICTURE_H

#include <jansson.h>

#include "base/arena.h"

/* Head, steps and gates. */
void picture_print(const json_t *release);
/* The gates alone, of a verdict; what they lack while the release runs. */
void picture_gates(const json_t *verdict, bool runs);
/* What a person may do next, a line or nothing. */
void picture_next(const json_t *release);

enum { PICTURE_LINE_MAX = 512 };
/* One line, without its end: "running step 2 of 3, 10 %  errors [###.......]  latency ok". */
void picture_line(const json_t *release, char to[PICTURE_LINE_MAX]);

/* Whether nothing moves any more; *rc: 0 when the candidate won, 8 when it did not. */
bool picture_is_over(const json_t *release, int *rc);

enum { PICTURE_BAR_MAX = 16 };
/* "[####......]": how much of the way is done; what is no number has none. */
const char *picture_bar(const json_t *have, const json_t *want, char to[PICTURE_BAR_MAX]);

#endif
