/* secret.h - small secrets in the data directory: one file each, 0600, written whole or not at all.
 * Thread: main, before scribe and desks start.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_SECRET_H
#define STORE_SECRET_H

#include "store/datadir.h"

enum { SECRET_MAX = 4096 };

/* Reads DATA/name, or any file at a path (dir NULL), without its last line end. E_NOT_FOUND: there
 * is none; E_DENIED: others than its owner may read it; E_BAD_CONFIG: empty, or past cap. The
 * caller wipes what it got. */
CHECKED enum code secret_read(const struct datadir *dir, const char *name, char *to, size_t cap,
                              size_t *len, struct err *err);
/* Writes DATA/name with a line end behind it; durable when it returns OK. */
CHECKED enum code secret_write(const struct datadir *dir, const char *name, struct slice text,
                               struct err *err);

#endif
