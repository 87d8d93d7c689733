/* object_int.h - how a file becomes an object, and how one goes. Room-internal.
 * Thread: any that writes files: desks, the janitor.
 *
 * Order of a commit: bytes synced, file renamed, the folder "ab" synced, "objects" synced (when
 * "ab" is new). A crash between leaves either nothing or the whole file; never half of one under
 * its name.
 * Whoever puts an object in place, says that it is still needed (object_touch) or takes one away
 * holds the lock of its folder for that moment: so what is taken away is what was looked at. The
 * lock is the kernel's (flock, one descriptor each), leaf, and never held over a sync.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_OBJECT_INT_H
#define STORE_OBJECT_INT_H

#include <sys/stat.h>

#include "base/hash.h"
#include "store/datadir.h"

enum { OBJECT_PATH_MAX = SHA256_HEX_LEN + 4 };

/* fsync says ENOSPC or EDQUOT on file systems that allocate late: nothing is durable, but nothing
 * was promised either, so it is answered. Everything else ends the process. */
CHECKED enum code file_sync(int fd, const char *what, struct err *err);
void object_path(const struct digest *digest, char path[OBJECT_PATH_MAX]); /* "ab/abcdef..." */
/* The folder "ab" of a path, opened with these flags; -1 and errno. */
int object_folder(const struct datadir *dir, const char *path, int flags);
/* The file `name` below from_fd, synced, takes its place. Durable when it returns OK. */
CHECKED enum code object_place(const struct datadir *dir, int from_fd, const char *name,
                               const char *path, struct err *err);
/* When a file was written or touched last, Unix ms. */
static inline int64_t file_ms(const struct stat *st)
{
  return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

/* It is needed: nobody takes it away for as long as uploads are kept. Its size. E_NOT_FOUND. */
CHECKED enum code object_touch(const struct datadir *dir, const struct digest *digest,
                               uint64_t *bytes, struct err *err);
/* Away, unless it was put in place or touched since (wall clock, ms). False: it stays. */
bool object_drop(const struct datadir *dir, const char *path, int64_t since_ms);

#endif
