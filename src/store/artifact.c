/* artifact.c - files by their content.
 * Thread: the stage's owner, a desk or a job.
 *
 * Two commits of one content at once are fine: both rename the same bytes to the same name.
 * SPDX-License-Identifier: MIT */
#include "store/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/mem.h"
#include "store/object_int.h"

enum { READ_BYTES = 256 << 10 };

struct stage {
  const struct datadir *dir;
  struct sha256 sha;
  uint64_t bytes, bytes_max;
  int fd;
  char name[32]; /* in DATA/staging */
};

static _Atomic uint64_t stage_numbers;

/* --- staging ---------------------------------------------------------------------------------- */

enum code stage_new(struct stage **out, const struct datadir *dir, uint64_t bytes_max,
                    struct err *err)
{
  struct stage *stage = grab_zero(1, sizeof *stage);
  *out = NULL;
  stage->dir = dir;
  stage->bytes_max = bytes_max ? bytes_max : ARTIFACT_BYTES_MAX;
  snprintf(stage->name, sizeof stage->name, "%" PRIu64,
           atomic_fetch_add_explicit(&stage_numbers, 1, memory_order_relaxed));
  stage->fd = openat(dir->staging_fd, stage->name,
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (stage->fd < 0) {
    int error = errno;
    ungrab(stage);
    return fail_errno(err, error, "the upload");
  }
  sha256_init(&stage->sha);
  *out = stage;
  return OK;
}

enum code stage_add(struct stage *stage, struct slice bytes, struct err *err)
{
  if (bytes.len > stage->bytes_max - stage->bytes)
    return fail(err, E_BODY_TOO_LARGE, "the file is larger than the %" PRIu64 " bytes allowed",
                stage->bytes_max);
  sha256_add(&stage->sha, bytes);
  stage->bytes += bytes.len;
  return fd_write(stage->fd, bytes) ? OK : fail_errno(err, errno, "the upload");
}

static void stage_free(struct stage *stage)
{
  if (stage->fd >= 0) close(stage->fd);
  ungrab(stage);
}

void stage_abort(struct stage *stage)
{
  if (!stage) return;
  unlinkat(stage->dir->staging_fd, stage->name, 0);
  sha256_deinit(&stage->sha);
  stage_free(stage);
}

enum code stage_commit(struct stage *stage, struct digest *digest, uint64_t *bytes, struct err *err)
{
  char path[OBJECT_PATH_MAX];
  *digest = sha256_end(&stage->sha);
  *bytes = stage->bytes;
  object_path(digest, path);
  enum code code = file_sync(stage->fd, "an upload", err);
  if (!code) code = object_place(stage->dir, stage->dir->staging_fd, stage->name, path, err);
  if (code) unlinkat(stage->dir->staging_fd, stage->name, 0);
  stage_free(stage);
  return code;
}

/* --- reading ---------------------------------------------------------------------------------- */

enum code artifact_open(const struct datadir *dir, const struct digest *digest, int *fd,
                        struct err *err)
{
  char path[OBJECT_PATH_MAX];
  object_path(digest, path);
  *fd = -1;
  int folder_fd = object_folder(dir, path, O_PATH);
  if (folder_fd >= 0) {
    *fd = openat(folder_fd, path + 3, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    int error = errno;
    close(folder_fd);
    errno = error;
  }
  if (*fd >= 0) return OK;
  if (errno == ENOENT) return fail(err, E_NOT_FOUND, "there is no object %.12s...", path + 3);
  return fail_errno(err, errno, "an object");
}

enum code artifact_size(const struct datadir *dir, const struct digest *digest, uint64_t *bytes,
                        struct err *err)
{
  struct stat st;
  int fd;
  if (artifact_open(dir, digest, &fd, err)) return err->code;
  int rc = fstat(fd, &st);
  close(fd);
  if (rc != 0 || !S_ISREG(st.st_mode)) return fail(err, E_UNAVAILABLE, "an object is not a file");
  *bytes = (uint64_t)st.st_size;
  return OK;
}

enum code artifact_verify(const struct datadir *dir, const struct digest *digest, struct err *err)
{
  struct sha256 sha;
  ssize_t n;
  int fd;
  if (artifact_open(dir, digest, &fd, err)) return err->code;
  char *bytes = grab(READ_BYTES);
  sha256_init(&sha);
  while ((n = fd_read(fd, bytes, READ_BYTES)) > 0) sha256_add(&sha, slice_of(bytes, (size_t)n));
  struct digest found = sha256_end(&sha);
  ungrab(bytes);
  close(fd);
  if (n < 0) return fail(err, E_UNAVAILABLE, "an object cannot be read: %s", strerror(errno));
  if (memcmp(&found, digest, sizeof found) != 0)
    return fail(err, E_ARTIFACT_CORRUPT,
                "a stored object's bytes have changed; push the version again or restore a backup");
  return OK;
}
