/* debug.h - mean modes for tests, from the environment:
 * SLIPWAY_DEBUG=poison,fail=1/1000,seed=42 for allocators, probe for jobs/inspect/probe.h,
 * pressure=FILE, the last word, for src/pressure.h
 * Thread: any; read once by debug_start before other threads exist, constant afterwards.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_DEBUG_H
#define BASE_DEBUG_H

#include <stdbool.h>

/* Reads SLIPWAY_DEBUG; false when it holds a word that is not known. */
bool debug_start(const char *words);
bool debug_poisons(void);
bool debug_probes(void);
const char *debug_pressure(void); /* a file that is believed (pressure.h); NULL: none */
bool debug_fails(void); /* true once in N calls at random, when fail=1/N was given */

#endif
