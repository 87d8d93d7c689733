/* collect.c - walking the folders, dropping what is old and not needed.
 * Thread: janitor.
 * SPDX-License-Identifier: MIT */
#include "store/chores/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/held.h"
#include "store/object_int.h"

static int digest_order(const void *a, const void *b)
{
  return memcmp(a, b, sizeof(struct digest));
}

void collect_begin(struct collect *collect, const struct datadir *dir, struct digest *digests,
                   uint32_t n, int64_t since_ms)
{
  uint32_t kept = 0;
  if (n) qsort(digests, n, sizeof *digests, digest_order);
  for (uint32_t i = 0; i < n; i++)
    if (!kept || digest_order(&digests[i], &digests[kept - 1]) != 0) digests[kept++] = digests[i];
  *collect = (struct collect){
      .dir = dir, .since_ms = since_ms, .needed = digests, .n_needed = kept};
  collect->seen = grab_zero(kept + 1, 1);
}

void collect_end(struct collect *collect)
{
  ungrab(collect->needed);
  ungrab(collect->seen);
  *collect = (struct collect){0};
}

static DIR *folder_list(int fd)
{
  DIR *list = fd < 0 ? NULL : fdopendir(fd);
  if (!list && fd >= 0) close(fd);
  return list;
}

/* What is there and needed is seen; what is not needed goes when it is old enough. */
static void object_look(struct collect *collect, const char *path)
{
  struct digest digest;
  struct stat st;
  if (!digest_from_hex(slice_str(path + 3), &digest)) return; /* none of ours */
  const struct digest *needed =
      collect->n_needed ? bsearch(&digest, collect->needed, collect->n_needed, sizeof digest,
                                  digest_order)
                        : NULL;
  if (needed) {
    collect->seen[needed - collect->needed] = 1;
    return;
  }
  if (fstatat(collect->dir->objects_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
      !object_drop(collect->dir, path, collect->since_ms))
    return;
  collect->objects++;
  collect->bytes += (uint64_t)st.st_size;
}

void collect_folder(struct collect *collect, uint32_t folder)
{
  char path[OBJECT_PATH_MAX];
  snprintf(path, sizeof path, "%02x/", folder);
  DIR *list = folder_list(object_folder(collect->dir, path, O_RDONLY));
  if (!list) return;
  for (const struct dirent *entry; (entry = readdir(list));) {
    if (strlen(entry->d_name) != SHA256_HEX_LEN) continue;
    snprintf(path, sizeof path, "%02x/%.64s", folder, entry->d_name);
    object_look(collect, path);
  }
  closedir(list);
}

bool collect_missing(const struct collect *collect, uint32_t *at, struct digest *digest)
{
  for (; *at < collect->n_needed; ++*at) {
    if (collect->seen[*at]) continue;
    *digest = collect->needed[(*at)++];
    return true;
  }
  return false;
}

/* --- uploads and marks ------------------------------------------------------------------------ */

/* One that is being written has its lock taken and stays. */
static bool file_drop(int folder_fd, const char *name, int64_t since_ms, uint64_t *bytes)
{
  struct stat st;
  bool gone = false;
  int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
      file_ms(&st) < since_ms)
    gone = unlinkat(folder_fd, name, 0) == 0;
  if (gone) *bytes = (uint64_t)st.st_size;
  close(fd);
  return gone;
}

static uint64_t uploads_sweep(int parent_fd, const char *tenant, int64_t since_ms,
                              struct meter *meter)
{
  uint64_t bytes;
  uint64_t n = 0;
  int fd = openat(parent_fd, tenant, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *list = folder_list(fd);
  if (!list) return 0;
  for (const struct dirent *entry; (entry = readdir(list));)
    if (entry->d_name[0] != '.' && file_drop(dirfd(list), entry->d_name, since_ms, &bytes)) {
      n++;
      if (meter) meter_pending_give(meter, bytes);
    }
  closedir(list);
  return n;
}

/* Those of tenants that something is counted for were swept before. */
static uint64_t folder_sweep(struct collect *collect, int parent_fd)
{
  uint64_t n = 0;
  DIR *list = folder_list(openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!list) return 0;
  for (const struct dirent *entry; (entry = readdir(list));)
    if (entry->d_name[0] != '.')
      n += parent_fd == collect->dir->held_fd
               ? held_sweep(collect->dir, entry->d_name, collect->since_ms, NULL)
               : uploads_sweep(parent_fd, entry->d_name, collect->since_ms, NULL);
  closedir(list);
  return n;
}

void collect_sweep(struct collect *collect, const struct ref_meter *meters, uint32_t n)
{
  const struct datadir *dir = collect->dir;
  for (uint32_t i = 0; i < n; i++) {
    char folder[TENANT_FOLDER_LEN + 1];
    tenant_folder_name(meters[i].tenant, folder);
    collect->uploads += uploads_sweep(dir->uploads_fd, folder, collect->since_ms, meters[i].meter);
    collect->marks += held_sweep(dir, folder, collect->since_ms, meters[i].meter);
  }
  collect->uploads += folder_sweep(collect, dir->uploads_fd);
  collect->marks += folder_sweep(collect, dir->held_fd);
}
