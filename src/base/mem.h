/* mem.h - the only door to the heap. Out of memory is decided once: it aborts.
 * Thread: any. `malloc` is banned elsewhere (tools/lint): use an arena, a pool, or grab at boot and
 * in rooms that may allocate. Request memory has caps and answers errors instead (base/arena.h).
 * `grab_count` counts grabs of this process; the no-malloc test of the request path reads it.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *grab(size_t bytes);             /* never NULL; uninitialised */
void *grab_zero(size_t n, size_t each); /* never NULL; zeroed; n * each is overflow-checked */
void *grab_more(void *old, size_t bytes);
char *grab_str(const char *text);     /* a copy */
void ungrab(void *p);                 /* NULL is fine */
uint64_t grab_count(void);

#endif
