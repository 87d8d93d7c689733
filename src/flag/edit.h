/* edit.h - flag files changed one flag at a time: text in, text out.
 * Thread: any, pure but for heap memory of its own while it works.
 * SPDX-License-Identifier: MIT */
#ifndef FLAG_EDIT_H
#define FLAG_EDIT_H

#include "flag/flag.h"

/* What reading one file may take; a file that needs more is refused when it is set. */
enum { FLAG_MEMORY_MAX = 32 << 20 };

/* The file (empty: there is none yet) with this flag added or replaced; definition is JSON. The
 * text comes from the arena. E_LIMIT_EXCEEDED past FLAG_FILE_MAX or FLAGS_MAX. */
CHECKED enum code flags_put(struct slice file, struct slice key, struct slice definition,
                            struct arena *arena, struct slice *to, struct err *err);
/* Without it. E_NOT_FOUND. */
CHECKED enum code flags_drop(struct slice file, struct slice key, struct arena *arena,
                             struct slice *to, struct err *err);
/* With its state DISABLED and nothing else changed. E_NOT_FOUND. */
CHECKED enum code flags_disable(struct slice file, struct slice key, struct arena *arena,
                                struct slice *to, struct err *err);
/* A whole file that came from outside, JSON or YAML: checked, as compact JSON. */
CHECKED enum code flags_take(struct slice text, bool yaml, struct arena *arena, struct slice *to,
                             struct err *err);

#endif
