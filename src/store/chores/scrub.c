/* scrub.c - one object after the other, one megabyte after the other.
 * Thread: janitor.
 * Its pages are given back to the kernel: reading all there is must not push out what serves.
 * SPDX-License-Identifier: MIT */
#include "store/chores/scrub.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/artifact.h"
#include "store/object_int.h"

enum { READ_BYTES = 256 << 10 };

struct scrub {
  const struct datadir *dir;
  uint32_t folder; /* the one whose entries are read */
  DIR *list;       /* NULL: it is to be opened */
  int fd;          /* of the object under way; -1: none */
  off_t at;
  struct digest name;
  struct sha256 sha;
  uint64_t objects, bytes, rotten;
  struct digest found[ROTTEN_MAX];
  char block[READ_BYTES];
};

struct scrub *scrub_new(const struct datadir *dir)
{
  struct scrub *scrub = grab_zero(1, sizeof *scrub);
  scrub->dir = dir;
  scrub->fd = -1;
  return scrub;
}

static void object_close(struct scrub *scrub)
{
  posix_fadvise(scrub->fd, 0, 0, POSIX_FADV_DONTNEED);
  close(scrub->fd);
  scrub->fd = -1;
}

void scrub_free(struct scrub *scrub)
{
  if (!scrub) return;
  if (scrub->fd >= 0) {
    object_close(scrub);
    sha256_deinit(&scrub->sha);
  }
  if (scrub->list) closedir(scrub->list);
  ungrab(scrub);
}

uint32_t scrub_folder(const struct scrub *scrub) { return scrub->folder; }

void scrub_count(const struct scrub *scrub, uint64_t *objects, uint64_t *bytes, uint64_t *rotten)
{
  *objects = scrub->objects;
  *bytes = scrub->bytes;
  *rotten = scrub->rotten;
}

bool scrub_found(const struct scrub *scrub, const struct digest *digest)
{
  if (scrub->rotten > ROTTEN_MAX) return true;
  for (uint64_t i = 0; i < scrub->rotten; i++)
    if (digest_same(&scrub->found[i], digest)) return true;
  return false;
}

static void folder_close(struct scrub *scrub)
{
  if (scrub->list) closedir(scrub->list);
  scrub->list = NULL;
  scrub->folder++;
}

/* The next object, opened; false: the folder has no more. */
static bool object_next(struct scrub *scrub)
{
  char path[OBJECT_PATH_MAX];
  struct err err;
  if (!scrub->list) {
    snprintf(path, sizeof path, "%02x/", scrub->folder);
    int fd = object_folder(scrub->dir, path, O_RDONLY);
    scrub->list = fd < 0 ? NULL : fdopendir(fd);
    if (!scrub->list && fd >= 0) close(fd);
    if (!scrub->list) return false;
  }
  for (const struct dirent *entry; (entry = readdir(scrub->list));) {
    if (!digest_from_hex(slice_str(entry->d_name), &scrub->name)) continue;
    if (artifact_open(scrub->dir, &scrub->name, &scrub->fd, &err) != OK) {
      scrub->fd = -1; /* gone meanwhile; or not to be opened, which collect calls missing */
      continue;
    }
    scrub->at = 0;
    sha256_init(&scrub->sha);
    return true;
  }
  return false;
}

static enum scrub_step object_judge(struct scrub *scrub, bool readable)
{
  struct digest got = sha256_end(&scrub->sha);
  object_close(scrub);
  scrub->objects++;
  if (readable && digest_same(&got, &scrub->name)) return SCRUB_MORE;
  if (scrub->rotten < ROTTEN_MAX) scrub->found[scrub->rotten] = scrub->name;
  scrub->rotten++;
  return SCRUB_ROTTEN;
}

enum scrub_step scrub_step(struct scrub *scrub, struct digest *digest, uint64_t *bytes)
{
  *bytes = 0;
  while (*bytes < SCRUB_STEP_BYTES) {
    if (scrub->fd < 0 && !object_next(scrub)) {
      folder_close(scrub);
      return scrub->folder < OBJECT_FOLDERS ? SCRUB_MORE : SCRUB_DONE;
    }
    ssize_t n = pread(scrub->fd, scrub->block, READ_BYTES, scrub->at);
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) {
      sha256_add(&scrub->sha, slice_of(scrub->block, (size_t)n));
      scrub->at += n;
      scrub->bytes += (uint64_t)n;
      *bytes += (uint64_t)n;
      continue;
    }
    *digest = scrub->name;
    if (object_judge(scrub, n == 0) == SCRUB_ROTTEN) return SCRUB_ROTTEN;
  }
  return SCRUB_MORE;
}
