/* refs.h - which versions need which objects: asked by the janitor.
 * Thread: control. Reads the catalog, changes nothing.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_REGISTRY_REFS_H
#define CONTROL_REGISTRY_REFS_H

#include "control/catalog.h"
#include "world/letters.h"

/* Fills the letter: digests of all files of versions that are there, or whose they are. At most
 * REFS_MAX owners; a file that more versions share is told of to that many. */
enum { REFS_MAX = 1024 };
void refs_fill(const struct catalog *catalog, struct letter_refs *letter);

#endif
