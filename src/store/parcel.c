/* parcel.c - files that grow until they are whole.
 * Thread: desks.
 * The hash is not kept between parts: an upload that came in one part is hashed as it comes, every
 * other is read once more at its end.
 * SPDX-License-Identifier: MIT */
#include "store/parcel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/text.h"
#include "store/held.h"
#include "store/object_int.h"

enum { READ_BYTES = 256 << 10, NAME_MAX_LEN = PARCEL_ID_LEN + SHA256_HEX_LEN + 32 };

struct parcel {
  const struct datadir *dir;
  struct parcel_want want;
  struct sha256 sha; /* of all bytes, where `hashed` */
  bool hashed;
  uint64_t offset;
  int folder_fd, fd;
  char name[NAME_MAX_LEN];
};

/* --- names: ID-DIGEST-BYTES, with '-' alone for what was not said ----------------------------- */

static void name_make(const char *id, const struct parcel_want *want, char name[NAME_MAX_LEN])
{
  char hex[SHA256_HEX_LEN + 1] = "", bytes[24] = "";
  if (want->has_digest) digest_hex(&want->digest, hex);
  if (want->bytes != UINT64_MAX) snprintf(bytes, sizeof bytes, "%" PRIu64, want->bytes);
  snprintf(name, NAME_MAX_LEN, "%.32s-%s-%s", id, hex, bytes);
}

static bool name_read(const char *name, struct parcel_want *want)
{
  struct slice rest = slice_str(name);
  *want = (struct parcel_want){.bytes = UINT64_MAX};
  if (rest.len < PARCEL_ID_LEN + 2 || rest.at[PARCEL_ID_LEN] != '-') return false;
  rest = slice_from(rest, PARCEL_ID_LEN + 1);
  const char *dash = memchr(rest.at, '-', rest.len);
  if (!dash) return false;
  struct slice hex = slice_of(rest.at, (size_t)(dash - rest.at));
  rest = slice_from(rest, hex.len + 1);
  want->has_digest = hex.len != 0;
  if (hex.len && !digest_from_hex(hex, &want->digest)) return false;
  return !rest.len || text_read_u64(rest, UINT64_MAX - 1, &want->bytes);
}

static bool want_same(const struct parcel_want *a, const struct parcel_want *b)
{
  return a->has_digest && b->has_digest && digest_same(&a->digest, &b->digest) &&
         a->bytes == b->bytes;
}

/* The tenant's upload that begins with the id, or, id NULL, is of the same bytes; an empty name
 * when there is none. How many there are is counted on the way. */
static enum code name_find(int folder_fd, struct slice id, const struct parcel_want *want,
                           char name[NAME_MAX_LEN], uint32_t *n, struct err *err)
{
  int copy = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = copy < 0 ? NULL : fdopendir(copy);
  *n = 0;
  name[0] = '\0';
  if (!list) {
    int error = errno;
    if (copy >= 0) close(copy);
    return fail_errno(err, error, "a folder of uploads");
  }
  for (const struct dirent *entry; (entry = readdir(list));) {
    struct parcel_want has;
    if (!name_read(entry->d_name, &has)) continue;
    ++*n;
    bool fits = want ? want_same(want, &has)
                     : slice_eq(slice_of(entry->d_name, PARCEL_ID_LEN), id);
    if (name[0] || !fits) continue;
    if (snprintf(name, NAME_MAX_LEN, "%s", entry->d_name) >= NAME_MAX_LEN) name[0] = '\0';
  }
  closedir(list);
  return OK;
}

/* --- making ----------------------------------------------------------------------------------- */

static enum code name_new(int folder_fd, const struct parcel_want *want, char name[NAME_MAX_LEN],
                          struct err *err)
{
  unsigned char random[PARCEL_ID_LEN / 2];
  char id[PARCEL_ID_LEN + 1];
  rand_secret(random, sizeof random);
  hex_write(slice_of((const char *)random, sizeof random), id);
  name_make(id, want, name);
  int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(err, errno, "the upload");
  close(fd);
  return file_sync(folder_fd, "a folder of uploads", err);
}

enum code parcel_make(const struct datadir *dir, struct slice tenant,
                      const struct parcel_want *want, char id[PARCEL_ID_LEN + 1], struct err *err)
{
  char name[NAME_MAX_LEN];
  uint32_t n;
  if (want->bytes != UINT64_MAX && want->bytes > ARTIFACT_BYTES_MAX)
    return fail(err, E_BODY_TOO_LARGE, "the file has %" PRIu64 " bytes, the most is %" PRIu64,
                want->bytes, ARTIFACT_BYTES_MAX);
  int fd = tenant_folder_open(dir->uploads_fd, tenant, true);
  if (fd < 0) return fail_errno(err, errno, "the upload");
  must(fd_lock(fd, LOCK_EX)); /* two at once: counted one by one */
  enum code code = name_find(fd, SLICE_NONE, want, name, &n, err);
  if (!code && !name[0]) {
    if (n >= PARCELS_MAX)
      code = fail(err, E_LIMIT_EXCEEDED,
                  "%u uploads are open, the most there may be; finish or delete one", n);
    else
      code = name_new(fd, want, name, err);
  }
  close(fd);
  if (!code) code = file_sync(dir->uploads_fd, "the folder of uploads", err);
  if (!code) snprintf(id, PARCEL_ID_LEN + 1, "%.32s", name);
  return code;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool id_is_one(struct slice id)
{
  if (id.len != PARCEL_ID_LEN) return false;
  for (size_t i = 0; i < id.len; i++)
    if (!(id.at[i] >= '0' && id.at[i] <= '9') && !(id.at[i] >= 'a' && id.at[i] <= 'f'))
      return false;
  return true;
}

static enum code no_upload(struct err *err)
{
  return fail(err, E_NOT_FOUND, "there is no such upload; it was finished, deleted or too old");
}

static enum code file_open(struct parcel *parcel, struct err *err)
{
  struct stat st;
  parcel->fd = openat(parcel->folder_fd, parcel->name,
                      O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (parcel->fd < 0 && errno == ENOENT) return no_upload(err);
  if (parcel->fd < 0) return fail_errno(err, errno, "the upload");
  if (!fd_lock(parcel->fd, LOCK_EX | LOCK_NB))
    return fail(err, E_CONFLICT, "this upload is being written; wait, then ask for its offset");
  if (fstat(parcel->fd, &st) != 0) return fail_errno(err, errno, "the upload");
  if (!S_ISREG(st.st_mode)) return fail(err, E_DENIED, "an upload is not a file");
  if (st.st_nlink == 0) return no_upload(err); /* finished while we came */
  parcel->offset = (uint64_t)st.st_size;
  return OK;
}

enum code parcel_open(struct parcel **out, const struct datadir *dir, struct slice tenant,
                      struct slice id, struct err *err)
{
  struct parcel *parcel = grab_zero(1, sizeof *parcel);
  uint32_t n;
  *out = NULL;
  parcel->dir = dir;
  parcel->fd = -1;
  parcel->folder_fd = tenant_folder_open(dir->uploads_fd, tenant, false);
  enum code code = OK;
  if (parcel->folder_fd < 0 && errno != ENOENT)
    code = fail_errno(err, errno, "a folder of uploads");
  else if (!id_is_one(id) || parcel->folder_fd < 0)
    code = no_upload(err);
  else
    code = name_find(parcel->folder_fd, id, NULL, parcel->name, &n, err);
  if (!code && !name_read(parcel->name, &parcel->want)) code = no_upload(err);
  if (!code) code = file_open(parcel, err);
  parcel->hashed = !code && parcel->offset == 0;
  if (parcel->hashed) sha256_init(&parcel->sha);
  *out = parcel;
  if (!code) return OK;
  parcel_close(parcel);
  *out = NULL;
  return code;
}

void parcel_close(struct parcel *parcel)
{
  if (!parcel) return;
  if (parcel->fd >= 0) close(parcel->fd);
  if (parcel->folder_fd >= 0) close(parcel->folder_fd);
  if (parcel->hashed) sha256_deinit(&parcel->sha);
  ungrab(parcel);
}

uint64_t parcel_offset(const struct parcel *parcel) { return parcel->offset; }
const struct parcel_want *parcel_wanted(const struct parcel *parcel) { return &parcel->want; }

enum code parcel_add(struct parcel *parcel, struct slice bytes, struct err *err)
{
  uint64_t most = parcel->want.bytes != UINT64_MAX ? parcel->want.bytes : ARTIFACT_BYTES_MAX;
  if (bytes.len > most - parcel->offset)
    return fail(err, parcel->want.bytes != UINT64_MAX ? E_BAD_SIZE : E_BODY_TOO_LARGE,
                "there are more bytes than the %" PRIu64 " expected", most);
  if (parcel->hashed) sha256_add(&parcel->sha, bytes);
  while (bytes.len) { /* by hand: how much of them is there is told to whoever resumes */
    ssize_t n = write(parcel->fd, bytes.at, bytes.len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail_errno(err, n < 0 ? errno : ENOSPC, "the upload");
    parcel->offset += (uint64_t)n;
    bytes = slice_from(bytes, (size_t)n);
  }
  return OK;
}

enum code parcel_sync(struct parcel *parcel, struct err *err)
{
  return file_sync(parcel->fd, "an upload", err);
}

/* --- the end ---------------------------------------------------------------------------------- */

static enum code hash_read(struct parcel *parcel, struct digest *digest, struct err *err)
{
  off_t at = 0;
  ssize_t n = 0;
  if (parcel->hashed) {
    *digest = sha256_end(&parcel->sha);
    parcel->hashed = false;
    return OK;
  }
  char *bytes = grab(READ_BYTES);
  struct sha256 sha;
  sha256_init(&sha);
  while ((n = fd_read_at(parcel->fd, bytes, READ_BYTES, at)) > 0) {
    sha256_add(&sha, slice_of(bytes, (size_t)n));
    at += n;
  }
  *digest = sha256_end(&sha);
  ungrab(bytes);
  return n < 0 ? fail_errno(err, errno, "the upload") : OK;
}

enum code parcel_end(struct parcel *parcel, struct digest *digest, uint64_t *bytes,
                     struct err *err)
{
  const struct parcel_want *want = &parcel->want;
  char path[OBJECT_PATH_MAX];
  enum code code = OK;
  *bytes = parcel->offset;
  if (want->bytes != UINT64_MAX && parcel->offset < want->bytes)
    code = fail(err, E_BAD_SIZE, "%" PRIu64 " of %" PRIu64 " bytes are here; send the rest",
                parcel->offset, want->bytes);
  if (!code) code = parcel_sync(parcel, err);
  if (!code) code = hash_read(parcel, digest, err);
  if (!code && want->has_digest && !digest_same(digest, &want->digest)) {
    unlinkat(parcel->folder_fd, parcel->name, 0);
    code = fail(err, E_INVALID_ARGUMENT,
                "the bytes are not those of the digest that was said; begin again");
  }
  if (!code) {
    object_path(digest, path);
    futimens(parcel->fd, NULL); /* young from now on, however long it took */
    code = object_place(parcel->dir, parcel->folder_fd, parcel->name, path, err);
  }
  parcel_close(parcel);
  return code;
}

enum code parcel_drop(const struct datadir *dir, struct slice tenant, struct slice id,
                      uint64_t *bytes, struct err *err)
{
  struct parcel *parcel;
  if (parcel_open(&parcel, dir, tenant, id, err)) return err->code;
  *bytes = parcel->offset;
  int rc = unlinkat(parcel->folder_fd, parcel->name, 0), error = errno;
  parcel_close(parcel);
  return rc == 0 ? OK : fail_errno(err, error, "the upload");
}
