/* fd.h - whole reads and writes of a descriptor: what read and write may do in part, or not at all
 * because of a signal, done to the end.
 * Thread: any that may wait for the descriptor.
 *
 * For files and pipes that block; a descriptor that does not block fails with EAGAIN.
 * Source: robustness rule ST-104.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_IO_FD_H
#define BASE_IO_FD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/slice.h"

/* Up to n bytes: fewer only where the file ends. -1 and errno when a read fails. The second form
 * reads from there and leaves the descriptor's own place alone. */
ssize_t fd_read(int fd, void *to, size_t n);
ssize_t fd_read_at(int fd, void *to, size_t n, off_t from);

/* All of the bytes, or false and errno; then some of them may be written. */
bool fd_write(int fd, struct slice bytes);
bool fd_write_at(int fd, struct slice bytes, off_t to);

/* flock, not given up because of a signal. */
bool fd_lock(int fd, int how);

#endif
