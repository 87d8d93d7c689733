/* manifest_int.h - what a version's files may be called. Room-internal.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#ifndef API_MANIFEST_INT_H
#define API_MANIFEST_INT_H

#include "api/ask_int.h"

/* [A-Za-z0-9_-][A-Za-z0-9._-]{0,127}; false with ask->err (E_BAD_NAME). */
bool manifest_name_check(struct ask *ask, struct slice name);
/* Empty, or [a-z0-9_-]{1,32}. */
bool engine_name_check(struct ask *ask, struct slice engine);
/* By name; false with ask->err when one comes twice. */
bool manifest_sort(struct ask *ask, struct event_file *files, uint32_t n);
/* The object's "files". stored: the caller's tenant must have uploaded them before; else a size is
 * what was said, UINT64_MAX: nothing was. */
bool manifest_files_read(struct ask *ask, const json_t *object, bool stored, struct event *event);
/* The tenant has uploaded it before, and of that size; where none was said it is filled in. */
bool manifest_file_stored(struct ask *ask, struct slice tenant, struct event_file *file);
/* The event that made the version, in the ask's arena. */
bool manifest_event_read(struct ask *ask, const struct version *version, struct event *event);

#endif
