/* mem.c - the heap, with failure decided once.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static _Atomic uint64_t grabs;

static void *counted(void *p)
{
  must(p != NULL);
  atomic_fetch_add_explicit(&grabs, 1, memory_order_relaxed);
  return p;
}

void *grab(size_t bytes) { return counted(malloc(bytes ? bytes : 1)); }
void *grab_zero(size_t n, size_t each) { return counted(calloc(n ? n : 1, each ? each : 1)); }
void *grab_more(void *old, size_t bytes) { return counted(realloc(old, bytes ? bytes : 1)); }
void ungrab(void *p) { free(p); }

char *grab_str(const char *text)
{
  size_t len = strlen(text) + 1;
  return memcpy(grab(len), text, len);
}

uint64_t grab_count(void) { return atomic_load_explicit(&grabs, memory_order_relaxed); }
