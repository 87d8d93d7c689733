/* throw.h - memory for libraries written in C++, which take "no" only as an exception.
 * Every C function between a throw and the library's catch is compiled with -fexceptions (the
 * Makefile does), so it unwinds; it must hold nothing that would have to be released.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_THROW_H
#define BASE_THROW_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { THROW_ALIGN = 64 };

/* bytes, aligned to THROW_ALIGN; throws std::bad_alloc when there are none. */
void *throw_grab(size_t bytes);
void throw_ungrab(void *p);
/* Throws std::bad_alloc: no, although there would be memory. */
#ifdef __cplusplus
[[noreturn]]
#else
_Noreturn
#endif
void throw_no_memory(void);

#ifdef __cplusplus
}
#endif
#endif
