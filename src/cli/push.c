/* push.c - `slipway push MODEL PATH`: streams each file, then makes a version of them; and `slipway
 * check`, which does not.
 * Thread: main (own).
 * Each file is hashed before it is sent and the server compares: a file that changes under our
 * hands is refused, not stored. The version appears only when all files are there.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/registry/card.h"

enum { PUSH_FILES_MAX = 256, PUSH_NAME_MAX = 256, PUSH_PATH_MAX = 4096 };
enum { LARGE_BYTES = 8 << 20, RESUMES_MAX = 5 };
enum { PROGRESS_AFTER_US = 2000000, PROGRESS_EVERY_US = 200000 };
enum { LOOK_SECONDS = 1300 }; /* longer than the daemon's --inspect-timeout can be, twice */

struct push_file {
  char name[PUSH_NAME_MAX];
  uint64_t bytes;
  char sha256[SHA256_HEX_LEN + 1];
};

struct push {
  const char *path, *note, *engine;
  bool is_folder;
  struct push_file *files;
  uint32_t n_files;
  json_t *card; /* what else is said of the version; NULL: nothing */
};

/* ---- what is there ---- */

static enum code file_add(struct push *push, const char *name, struct err *err)
{
  if (push->n_files == PUSH_FILES_MAX)
    return fail(err, E_INVALID_ARGUMENT, "'%s' holds more than %d files", push->path,
                PUSH_FILES_MAX);
  struct push_file *file = &push->files[push->n_files];
  if (snprintf(file->name, sizeof file->name, "%s", name) >= (int)sizeof file->name)
    return fail(err, E_BAD_NAME, "the name '%.40s...' is too long", name);
  push->n_files++;
  return OK;
}

static int name_order(const void *a, const void *b)
{
  return strcmp(((const struct push_file *)a)->name, ((const struct push_file *)b)->name);
}

/* Hidden files stay behind: editors and version control leave them in model folders. */
static enum code folder_read(struct push *push, struct err *err)
{
  DIR *dir = opendir(push->path);
  if (!dir) return fail(err, E_NOT_FOUND, "'%s': %s", push->path, strerror(errno));
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
    else if (file_add(push, entry->d_name, err) != OK)
      break;
  }
  closedir(dir);
  if (err->code == OK && push->n_files == 0)
    return fail(err, E_INVALID_ARGUMENT, "'%s' holds no file", push->path);
  qsort(push->files, push->n_files, sizeof *push->files, name_order);
  return err->code;
}

static enum code path_read(struct push *push, struct err *err)
{
  struct stat st;
  if (stat(push->path, &st) != 0)
    return fail(err, E_NOT_FOUND, "'%s': %s", push->path, strerror(errno));
  push->is_folder = S_ISDIR(st.st_mode);
  if (push->is_folder) return folder_read(push, err);
  if (!S_ISREG(st.st_mode))
    return fail(err, E_INVALID_ARGUMENT, "'%s' is neither a file nor a folder", push->path);
  const char *slash = strrchr(push->path, '/');
  return file_add(push, slash ? slash + 1 : push->path, err);
}

static FILE *file_open(const struct push *push, const struct push_file *file, struct err *err)
{
  char path[PUSH_PATH_MAX];
  int len = push->is_folder ? snprintf(path, sizeof path, "%s/%s", push->path, file->name)
                            : snprintf(path, sizeof path, "%s", push->path);
  FILE *f = len >= 0 && len < (int)sizeof path ? fopen(path, "rbe") : NULL;
  if (!f) fail(err, E_NOT_FOUND, "'%s': %s", file->name, strerror(errno));
  return f;
}

static enum code file_hash(struct push_file *file, FILE *f, struct err *err)
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
static enum code rest_send(struct client *client, const struct push_file *file, FILE *f,
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
  enum code code = client_send(client, "PATCH", path, fields, f, file->bytes - offset,
                               progress_show, &progress, &answer, err);
  if (progress.shown_us) fprintf(stderr, "\r%60s\r", "");
  answer_free(&answer);
  return code;
}

/* The server knows an upload by the digest of the whole: a push that was cut off, even one of an
 * earlier run, goes on where it was. */
static enum code large_send(struct client *client, const struct push_file *file, FILE *f,
                            struct err *err)
{
  char path[CLIENT_PATH_MAX], length[64], id[64];
  const char *fields[] = {"Upload-Complete: ?0", length, NULL};
  struct answer answer = {0};
  snprintf(length, sizeof length, "Upload-Length: %llu", (unsigned long long)file->bytes);
  snprintf(path, sizeof path, "/api/v1/uploads?sha256=%s", file->sha256);
  enum code code = client_send(client, "POST", path, fields, f, 0, NULL, NULL, &answer, err);
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

static enum code file_send(struct client *client, const struct push *push, struct push_file *file,
                           struct err *err)
{
  char path[CLIENT_PATH_MAX];
  struct answer answer;
  struct progress progress = {.name = file->name, .began_us = clock_us()};
  FILE *f = file_open(push, file, err);
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
  enum code code = client_put(client, path, f, file->bytes, progress_show, &progress, &answer, err);
  if (progress.shown_us) fprintf(stderr, "\r%60s\r", "");
  answer_free(&answer);
  fclose(f);
  return code;
}

static json_t *manifest_json(const struct push *push)
{
  json_t *files = json_array(), *body = json_object();
  for (uint32_t i = 0; i < push->n_files; i++)
    json_array_append_new(
        files, json_pack("{ss,ss,sI}", "name", push->files[i].name, "sha256", push->files[i].sha256,
                         "bytes", (json_int_t)push->files[i].bytes));
  json_object_set_new(body, "files", files);
  if (push->note) json_object_set_new(body, "note", json_string(push->note));
  if (push->engine) json_object_set_new(body, "engine", json_string(push->engine));
  if (push->card) json_object_update(body, push->card);
  return body;
}

/* The files are looked at, by a process of the daemon's, before the answer comes. */
static enum code files_post(struct client *client, const struct push *push, const char *path,
                            struct answer *answer, struct err *err)
{
  json_t *body = manifest_json(push);
  char *text = json_dumps(body, JSON_COMPACT);
  json_decref(body);
  if (!text) return fail(err, E_INVALID_ARGUMENT, "a name or the note is not UTF-8");
  client_waits(client, "the model is loaded and tried");
  enum code code = client_call(client, "POST", path, slice_str(text), LOOK_SECONDS, answer, err);
  client_waits(client, NULL);
  ungrab(text);
  return code;
}

static enum code push_all(struct push *push, struct client *client, const char *path,
                          struct answer *answer, struct err *err)
{
  *answer = (struct answer){0};
  if (path_read(push, err) != OK) return err->code;
  for (uint32_t i = 0; i < push->n_files; i++)
    if (file_send(client, push, &push->files[i], err) != OK) return err->code;
  return files_post(client, push, path, answer, err);
}

int command_push(struct cli *cli)
{
  static const struct opt opts[] = {
      {"note", 0, OPT_TEXT, "TEXT", "what is new, for the history"},
      {"engine", 0, OPT_TEXT, "E", "what runs it: onnx, linear, echo; else guessed from the files"},
      CARD_OPTS,
      LINEAGE_OPTS,
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct client *client;
  struct answer answer;
  char path[CLIENT_PATH_MAX];
  int rc;
  if (!cli_args(cli, opts, 2, 2, &rc)) return rc;
  if (client_path(path, &err, "/api/v1/models/%s/versions", cli->args.words[0]) ||
      client_new(&client, cli, &err))
    return cli_fail(cli, &err);
  struct push push = {.path = cli->args.words[1],
                      .note = args_text(&cli->args, "note"),
                      .engine = args_text(&cli->args, "engine"),
                      .card = json_object()};
  push.files = grab_zero(PUSH_FILES_MAX, sizeof *push.files);
  rc = 0;
  answer = (struct answer){0};
  if (card_flags(&cli->args, true, push.card, &err) != OK ||
      push_all(&push, client, path, &answer, &err) != OK)
    rc = cli_fail(cli, &err);
  else if (cli->args.json)
    out_json(answer.json);
  else {
    const char *model = get_str(answer.json, "model");
    unsigned long long version = get_u64(answer.json, "version");
    printf("%s version %llu pushed; deploy it with: slipway deploy %s@%llu\n", model, version,
           model, version);
  }
  answer_free(&answer);
  client_free(client);
  ungrab(push.files);
  json_decref(push.card);
  return rc;
}

/* ---- check: the look alone ---- */

/* The newest version where none is named. */
static enum code version_check(struct client *client, const char *word, struct answer *answer,
                               struct err *err)
{
  char model[PUSH_NAME_MAX], version[PUSH_NAME_MAX], path[CLIENT_PATH_MAX];
  const char *at = strchr(word, '@');
  snprintf(model, sizeof model, "%.*s", at ? (int)(at - word) : (int)strlen(word), word);
  snprintf(version, sizeof version, "%s", at ? at + 1 : "");
  *answer = (struct answer){0};
  if (!at) {
    if (client_path(path, err, "/api/v1/models/%s/versions?limit=1", model) ||
        client_call(client, "GET", path, SLICE_NONE, 0, answer, err))
      return err->code;
    const json_t *newest = json_array_get(json_object_get(answer->json, "versions"), 0);
    snprintf(version, sizeof version, "%llu", (unsigned long long)get_u64(newest, "version"));
    answer_free(answer);
    *answer = (struct answer){0};
  }
  char half[CLIENT_PATH_MAX];
  if (client_path(half, err, "/api/v1/models/%s/versions/", model)) return err->code;
  snprintf(path, sizeof path, "%s", half);
  if (client_path(half, err, "%s/check", version)) return err->code;
  size_t len = strlen(path);
  snprintf(path + len, sizeof path - len, "%s", half);
  client_waits(client, "the model is loaded and tried");
  return client_call(client, "POST", path, SLICE("{}"), LOOK_SECONDS, answer, err);
}

static void check_print(const json_t *found)
{
  char memory[OUT_NUMBER_MAX], peak[OUT_NUMBER_MAX], load[OUT_NUMBER_MAX], run[OUT_NUMBER_MAX];
  uint64_t run_ns = get_u64(found, "run_ns"), golden = get_u64(found, "golden");
  printf("good: engine %s, %s of memory (%s at most), loaded in %s, ", get_str(found, "engine"),
         out_bytes(get_u64(found, "memory_bytes"), memory),
         out_bytes(get_u64(found, "memory_peak_bytes"), peak),
         out_us(get_u64(found, "load_us"), load));
  if (run_ns)
    printf("a run takes %s", out_us((run_ns + 999) / 1000, run));
  else
    printf("runs could not be timed with zeros");
  if (golden) printf(", %llu golden examples agree", (unsigned long long)golden);
  putchar('\n');
}

int command_check(struct cli *cli)
{
  static const struct opt opts[] = {
      {"engine", 0, OPT_TEXT, "E", "what runs it: onnx, linear, echo; else guessed from the files"},
      {NULL, 0, OPT_SWITCH, NULL, NULL},
  };
  struct err err;
  struct client *client;
  struct answer answer;
  struct stat st;
  int rc;
  if (!cli_args(cli, opts, 1, 1, &rc)) return rc;
  if (client_new(&client, cli, &err) != OK) return cli_fail(cli, &err);
  struct push push = {.path = cli->args.words[0], .engine = args_text(&cli->args, "engine")};
  push.files = grab_zero(PUSH_FILES_MAX, sizeof *push.files);
  bool is_path = strchr(push.path, '/') || stat(push.path, &st) == 0;
  enum code code = is_path ? push_all(&push, client, "/api/v1/check", &answer, &err)
                           : version_check(client, push.path, &answer, &err);
  rc = code ? cli_fail(cli, &err) : 0;
  if (!code && cli->args.json) out_json(answer.json);
  if (!code && !cli->args.json) check_print(answer.json);
  answer_free(&answer);
  client_free(client);
  ungrab(push.files);
  return rc;
}
