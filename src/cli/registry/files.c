/* files.c - a model's files on this machine: found, hashed, sent.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/registry/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/out.h"

enum { LARGE_BYTES = 8 << 20, RESUMES_MAX = 5 };
enum { PROGRESS_AFTER_US = 2000000, PROGRESS_EVERY_US = 200000 };

/* ---- what is there ---- */

static enum code file_add(struct model_files *of, const char *name, struct err *err)
{
  if (of->n == MODEL_FILES_MAX)
    return fail(err, E_INVALID_ARGUMENT, "'%s' holds more than %d files", of->path,
                MODEL_FILES_MAX);
  of->at = grab_more(of->at, (of->n + 1) * sizeof *of->at);
  struct model_file *file = &of->at[of->n];
  *file = (struct model_file){.bytes = 0};
  if (snprintf(file->name, sizeof file->name, "%s", name) >= (int)sizeof file->name)
    return fail(err, E_BAD_NAME, "the name '%.40s...' is too long", name);
  of->n++;
  return OK;
}

static int name_order(const void *a, const void *b)
{
  return strcmp(((const struct model_file *)a)->name, ((const struct model_file *)b)->name);
}

/* Hidden files stay behind: editors and version control leave them in model folders. */
static enum code folder_read(struct model_files *of, struct err *err)
{
  DIR *dir = opendir(of->path);
  if (!dir) return fail(err, E_NOT_FOUND, "'%s': %s", of->path, strerror(errno));
  err->code = OK;
  for (const struct dirent *entry; err->code == OK && (entry = readdir(dir));) {
    struct stat st;
    if (entry->d_name[0] == '.') continue;
    if (fstatat(dirfd(dir), entry->d_name, &st, 0) != 0)
      fail(err, E_NOT_FOUND, "'%s': %s", entry->d_name, strerror(errno));
    else if (S_ISDIR(st.st_mode))
      fail(err, E_INVALID_ARGUMENT, "'%s' is a folder; a model folder holds files only",
           entry->d_name);
    else if (!S_ISREG(st.st_mode))
      fail(err, E_INVALID_ARGUMENT, "'%s' is not a regular file", entry->d_name);
    else if (file_add(of, entry->d_name, err) != OK)
      break;
  }
  closedir(dir);
  if (err->code) return err->code;
  if (of->n == 0)
    return fail(err, E_INVALID_ARGUMENT,
                "'%s' holds no file; a model is a model.onnx, or a folder with one or with a "
                "model.json",
                of->path);
  qsort(of->at, of->n, sizeof *of->at, name_order);
  return OK;
}

enum code model_files_read(struct model_files *of, struct err *err)
{
  struct stat st;
  if (stat(of->path, &st) != 0)
    return fail(err, E_NOT_FOUND, "'%s': %s", of->path, strerror(errno));
  of->is_folder = S_ISDIR(st.st_mode);
  if (of->is_folder) return folder_read(of, err);
  if (!S_ISREG(st.st_mode))
    return fail(err, E_INVALID_ARGUMENT, "'%s' is neither a file nor a folder", of->path);
  const char *slash = strrchr(of->path, '/');
  return file_add(of, slash ? slash + 1 : of->path, err);
}

static FILE *file_open(const struct model_files *of, const struct model_file *file, struct err *err)
{
  char path[FILE_PATH_MAX];
  int len = of->is_folder ? snprintf(path, sizeof path, "%s/%s", of->path, file->name)
                            : snprintf(path, sizeof path, "%s", of->path);
  FILE *f = len >= 0 && len < (int)sizeof path ? fopen(path, "rbe") : NULL;
  if (!f) fail(err, E_NOT_FOUND, "'%s': %s", file->name, strerror(errno));
  return f;
}

static enum code file_hash(struct model_file *file, FILE *f, struct err *err)
{
  struct sha256 sha;
  char *block = grab(1 << 20);
  size_t n;
  sha256_init(&sha);
  file->bytes = 0;
  while ((n = fread(block, 1, 1 << 20, f)) > 0) {
    sha256_add(&sha, slice_of(block, n));
    file->bytes += n;
  }
  ungrab(block);
  struct digest digest = sha256_end(&sha);
  digest_hex(&digest, file->sha256);
  if (ferror(f) || fseek(f, 0, SEEK_SET) != 0)
    return fail(err, E_UNAVAILABLE, "'%s' cannot be read: %s", file->name, strerror(errno));
  return OK;
}

/* ---- sending ---- */

struct progress {
  const char *name;
  int64_t began_us, shown_us; /* shown_us 0: nothing yet */
};

static void progress_show(void *arg, uint64_t sent, uint64_t total)
{
  struct progress *progress = arg;
  char done[OUT_NUMBER_MAX], all[OUT_NUMBER_MAX];
  int64_t now = clock_us();
  if (isatty(STDERR_FILENO) != 1 || now - progress->began_us < PROGRESS_AFTER_US) return;
  if (now - progress->shown_us < PROGRESS_EVERY_US) return;
  progress->shown_us = now;
  fprintf(stderr, "\r%s: %s of %s (%u %%)  ", progress->name, out_bytes(sent, done),
          out_bytes(total, all), total ? (unsigned)(sent * 100 / total) : 100);
}

/* ---- sending what is large, in parts where the way breaks ---- */

static enum code offset_ask(struct client *client, const char *id, uint64_t *offset,
                            struct err *err)
{
  char path[CLIENT_PATH_MAX];
  struct answer answer = {0};
  enum code code = client_path(path, err, "/api/v1/uploads/%s", id);
  if (!code) code = client_call(client, "GET", path, SLICE_NONE, 0, &answer, err);
  if (!code) *offset = get_u64(answer.json, "offset");
  answer_free(&answer);
  return code;
}

/* From the offset to the end. */
static enum code rest_send(struct client *client, const struct model_file *file, FILE *f,
                           const char *id, uint64_t offset, struct err *err)
{
  char path[CLIENT_PATH_MAX], from[64];
  const char *fields[] = {from, "Upload-Complete: ?1", "Content-Type: application/partial-upload",
                          NULL};
  struct progress progress = {.name = file->name, .began_us = clock_us()};
  struct answer answer = {0};
  snprintf(from, sizeof from, "Upload-Offset: %llu", (unsigned long long)offset);
  if (client_path(path, err, "/api/v1/uploads/%s", id)) return err->code;
  if (fseeko(f, (off_t)offset, SEEK_SET) != 0)
    return fail(err, E_UNAVAILABLE, "'%s' cannot be read: %s", file->name, strerror(errno));
  struct upload rest = {f, file->bytes - offset, fields, progress_show, &progress};
  enum code code = client_send(client, "PATCH", path, &rest, &answer, err);
  if (progress.shown_us) fprintf(stderr, "\r%60s\r", "");
  answer_free(&answer);
  return code;
}

/* The server knows an upload by the digest of the whole: a push that was cut off, even one of an
 * earlier run, goes on where it was. */
static enum code large_send(struct client *client, const struct model_file *file, FILE *f,
                            struct err *err)
{
  char path[CLIENT_PATH_MAX], length[64], id[64];
  const char *fields[] = {"Upload-Complete: ?0", length, NULL};
  struct answer answer = {0};
  snprintf(length, sizeof length, "Upload-Length: %llu", (unsigned long long)file->bytes);
  snprintf(path, sizeof path, "/api/v1/uploads?sha256=%s", file->sha256);
  struct upload nothing = {.file = f, .fields = fields};
  enum code code = client_send(client, "POST", path, &nothing, &answer, err);
  uint64_t offset = get_u64(answer.json, "offset");
  snprintf(id, sizeof id, "%s", get_str(answer.json, "upload"));
  answer_free(&answer);
  if (code) return code;
  for (int tries = 0; tries < RESUMES_MAX; tries++) {
    code = rest_send(client, file, f, id, offset, err);
    if (code != E_UNAVAILABLE && code != E_CONFLICT) return code;
    struct err why = *err;
    if (offset_ask(client, id, &offset, err)) {
      *err = why;
      break;
    }
  }
  return fail(err, code, "%.150s; push again to go on where it stopped", err->text);
}

enum code model_file_send(struct client *client, const struct model_files *of,
                          struct model_file *file, struct err *err)
{
  char path[CLIENT_PATH_MAX];
  struct answer answer;
  struct progress progress = {.name = file->name, .began_us = clock_us()};
  FILE *f = file_open(of, file, err);
  if (!f) return err->code;
  if (file_hash(file, f, err) != OK) {
    fclose(f);
    return err->code;
  }
  if (file->bytes >= LARGE_BYTES) {
    enum code sent = large_send(client, file, f, err);
    fclose(f);
    return sent;
  }
  snprintf(path, sizeof path, "/api/v1/blobs?sha256=%s", file->sha256);
  struct upload whole = {f, file->bytes, NULL, progress_show, &progress};
  enum code code = client_send(client, "PUT", path, &whole, &answer, err);
  if (progress.shown_us) fprintf(stderr, "\r%60s\r", "");
  answer_free(&answer);
  fclose(f);
  return code;
}

/* ---- all of them ---- */

enum code model_files_hash(struct model_files *of, struct err *err)
{
  for (uint32_t i = 0; i < of->n; i++) {
    FILE *f = file_open(of, &of->at[i], err);
    if (!f) return err->code;
    enum code code = file_hash(&of->at[i], f, err);
    fclose(f);
    if (code) return code;
  }
  return OK;
}

json_t *model_files_json(const struct model_files *of)
{
  json_t *list = json_array();
  for (uint32_t i = 0; i < of->n; i++)
    json_array_append_new(list, json_pack("{ss,ss,sI}", "name", of->at[i].name, "sha256",
                                          of->at[i].sha256, "bytes", (json_int_t)of->at[i].bytes));
  return list;
}

void model_files_deinit(struct model_files *of)
{
  ungrab(of->at);
  of->at = NULL;
  of->n = 0;
}
