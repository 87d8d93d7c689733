/* folder.c - reads a version's files and its slipway.yaml.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#include "jobs/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "wire/yaml.h"
#include "world/outcome.h"

enum { LABELS_MAX = 100000, INSTANCES_MAX = 64, THREADS_MAX = 64, DELAY_US_MOST = 1000000 };
#define DEADLINE_US_MAX INT64_C(3600000000)
#define TTL_US_MAX      (INT64_C(366) * 86400 * 1000000)
#define CACHE_BYTES     (UINT64_C(64) << 20) /* where only a ttl is said */
#define WINDOW_US_MIN   INT64_C(1000000)
#define WINDOW_US_MAX   (INT64_C(366) * 86400 * 1000000)

/* ---- files */

static enum code file_fill(int fd, struct slice name, char *to, size_t len, struct err *err)
{
  ssize_t n = fd_read(fd, to, len);
  if (n < 0)
    return fail(err, E_UNAVAILABLE, "file \"%.*s\" cannot be read from the store", SLICE_ARG(name));
  if ((size_t)n < len)
    return fail(err, E_ARTIFACT_CORRUPT, "file \"%.*s\" in the store is cut short",
                SLICE_ARG(name));
  return OK;
}

static enum code file_check(int fd, const struct event_file *want, struct err *err)
{
  struct stat stat;
  if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || (uint64_t)stat.st_size != want->bytes)
    return fail(
        err, E_ARTIFACT_CORRUPT,
        "file \"%.*s\" in the store is not the %llu bytes that were pushed: push the version "
        "again",
        SLICE_ARG(want->name), (unsigned long long)want->bytes);
  return OK;
}

/* Memory of its own, from the system and back to it: models are large and come and go. */
static enum code file_map(int fd, const struct event_file *want, struct model_file *file,
                          struct err *err)
{
  if (want->bytes == 0) return OK;
  void *at = mmap(NULL, want->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    return fail(err, E_MODEL_LOAD_FAILED, "the machine has no memory left for file \"%.*s\"",
                SLICE_ARG(want->name));
  file->bytes = slice_of(at, want->bytes);
  if (file_fill(fd, want->name, at, want->bytes, err) != OK) return err->code;
  struct digest digest = sha256_of(file->bytes);
  if (memcmp(&digest, &want->digest, sizeof digest) == 0) return OK;
  return fail(err, E_ARTIFACT_CORRUPT,
              "file \"%.*s\" in the store does not have the digest it was pushed with: push the "
              "version again",
              SLICE_ARG(want->name));
}

enum code folder_file_open(int objects_fd, const struct event_file *want, int *to, struct err *err)
{
  char hex[SHA256_HEX_LEN + 1], path[SHA256_HEX_LEN + 4];
  digest_hex(&want->digest, hex);
  snprintf(path, sizeof path, "%.2s/%s", hex, hex);
  /* Nonblocking: in the place of the file may be a pipe, and this thread is the only one. */
  int fd = openat(objects_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return fail(err, errno == ENOENT || errno == ELOOP ? E_ARTIFACT_CORRUPT : E_UNAVAILABLE,
                "file \"%.*s\" is not in the store any more: push the version again",
                SLICE_ARG(want->name));
  if (file_check(fd, want, err) != OK) {
    close(fd);
    return err->code;
  }
  *to = fd;
  return OK;
}

/* From the descriptor in fds; NULL: from the store. */
static enum code file_read(int objects_fd, const int *fds, const struct event_file *want,
                           struct arena *arena, struct model_file *file, struct err *err)
{
  int fd = fds ? *fds : -1;
  file->name = arena_copy(arena, want->name);
  if (!file->name.at) return fail(err, E_LIMIT_EXCEEDED, "the version's file names are too long");
  if (!fds && folder_file_open(objects_fd, want, &fd, err) != OK) return err->code;
  enum code code = file_map(fd, want, file, err);
  if (!fds) close(fd);
  return code;
}

struct slice folder_file(const struct folder *folder, struct slice name)
{
  for (uint32_t i = 0; i < folder->n_files; i++)
    if (slice_eq(folder->files[i].name, name))
      return folder->files[i].bytes.at ? folder->files[i].bytes : SLICE("");
  return SLICE_NONE;
}

void folder_deinit(struct folder *folder)
{
  for (uint32_t i = 0; i < folder->n_files; i++)
    if (folder->files[i].bytes.len)
      munmap((void *)(uintptr_t)folder->files[i].bytes.at, folder->files[i].bytes.len);
  arena_deinit(&folder->arena);
}

static enum code files_read(struct folder *folder, int objects_fd, const int *fds,
                            const struct event_file *files, uint32_t n_files, struct err *err)
{
  *folder = (struct folder){0};
  arena_init(&folder->arena, FOLDER_ARENA_MAX, NULL);
  folder->files = arena_zero(&folder->arena, n_files, sizeof *folder->files);
  must(folder->files || n_files == 0); /* n_files is at most EVENT_FILES_MAX */
  enum code code = OK;
  for (uint32_t i = 0; code == OK && i < n_files; i++) {
    folder->n_files = i + 1;
    code = file_read(objects_fd, fds ? &fds[i] : NULL, &files[i], &folder->arena, &folder->files[i],
                     err);
  }
  struct slice yaml = code == OK ? folder_file(folder, SLICE("slipway.yaml")) : SLICE_NONE;
  if (yaml.at) code = folder_config(yaml, &folder->arena, &folder->config, err);
  if (code != OK) folder_deinit(folder);
  return code;
}

enum code folder_read(struct folder *folder, int objects_fd, const struct event_file *files,
                      uint32_t n_files, struct err *err)
{
  return files_read(folder, objects_fd, NULL, files, n_files, err);
}

enum code folder_read_fds(struct folder *folder, const int *fds, const struct event_file *files,
                          uint32_t n_files, struct err *err)
{
  return files_read(folder, -1, fds, files, n_files, err);
}

/* ---- slipway.yaml */

static enum code labels_read(const struct yaml *node, struct arena *arena,
                             struct model_config *config, struct err *err)
{
  if (!node || node->kind == YAML_NULL) return OK;
  if (node->kind != YAML_LIST || node->n == 0 || node->n > LABELS_MAX)
    return yaml_fail(err, node, "is not a list of class names: labels: [ham, spam]");
  struct slice *labels = arena_get(arena, node->n * sizeof *labels);
  if (!labels) return yaml_fail(err, node, "is too long");
  const struct yaml *item = node->first;
  for (uint32_t i = 0; i < node->n; i++, item = item->next) {
    labels[i] = SLICE_NONE;
    if (yaml_string(item, &labels[i], err) != OK) return err->code;
    if (!labels[i].at) return yaml_fail(err, item, "has no text");
  }
  config->labels = labels;
  config->n_labels = node->n;
  return OK;
}

/* Sizes that close a batch: a list that ascends. */
static enum code preferred_read(const struct yaml *node, uint32_t rows_max,
                                struct batch_spec *batch, struct err *err)
{
  int64_t most = rows_max ? rows_max : BATCH_ROWS_DEFAULT, before = 1, rows = 0;
  if (!node || node->kind == YAML_NULL) return OK;
  if (node->kind != YAML_LIST || node->n == 0 || node->n > BATCH_PREFERRED_MAX)
    return yaml_fail(err, node, "is not a list of 1 to %d sizes: preferred: [8, 32]",
                     BATCH_PREFERRED_MAX);
  for (const struct yaml *item = node->first; item; item = item->next) {
    if (yaml_int(item, before + 1, most, &rows, err) != OK) return err->code;
    batch->preferred[batch->n_preferred++] = (uint32_t)rows;
    before = rows;
  }
  return OK;
}

/* `batch: {rows_max: 64, delay_us_max: auto, preferred: [8, 32]}`; none of it has to be said. */
static enum code batch_read(const struct yaml *node, struct batch_spec *batch, struct err *err)
{
  static const char *const keys[] = {"rows_max", "delay_us_max", "preferred", NULL};
  const struct yaml *delay = yaml_get(node, "delay_us_max");
  int64_t rows = 0, delay_us = 0;
  if (node && node->kind != YAML_NULL && node->kind != YAML_MAP)
    return yaml_fail(err, node, "is not a map: batch: {rows_max: 64}; 1 row: no run is shared");
  if (yaml_keys_check(node, keys, err) != OK) return err->code;
  if (yaml_int(yaml_get(node, "rows_max"), 1, BATCH_ROWS_MAX, &rows, err) != OK) return err->code;
  bool number = delay && delay->kind != YAML_NULL &&
                !(delay->kind == YAML_SCALAR && slice_eq(delay->text, SLICE("auto")));
  if (number && yaml_int(delay, 0, DELAY_US_MOST, &delay_us, err) != OK)
    return yaml_fail(err, delay, "is neither auto nor microseconds from 0 to %d", DELAY_US_MOST);
  batch->rows_max = (uint32_t)rows;
  batch->delay_fixed = number;
  batch->delay_us_max = (uint32_t)delay_us;
  return preferred_read(yaml_get(node, "preferred"), batch->rows_max, batch, err);
}

/* `runs_on: auto`, `loop` or `worker`. */
static enum code runs_on_read(const struct yaml *node, enum runs_on *runs_on, struct err *err)
{
  static const char *const names[] = {"auto", "loop", "worker"};
  struct slice name = SLICE_NONE;
  if (yaml_string(node, &name, err) != OK) return err->code;
  if (!name.at) return OK;
  for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!slice_eq(name, slice_str(names[i]))) continue;
    *runs_on = (enum runs_on)i;
    return OK;
  }
  return yaml_fail(err, node, "should be auto, loop or worker");
}

/* `cache: {ttl: 60s, bytes_max: 64MiB}`, or `cache: never` of a model whose answers differ each
 * time. It is off where nothing is said: whether equal questions have equal answers, only its owner
 * knows. */
static enum code cache_read(const struct yaml *cache, struct model_config *config, struct err *err)
{
  static const char *const keys[] = {"ttl", "bytes_max", NULL};
  if (!cache || cache->kind == YAML_NULL) return OK;
  if (cache->kind == YAML_SCALAR && slice_eq(cache->text, SLICE("never"))) return OK;
  if (cache->kind != YAML_MAP)
    return yaml_fail(err, cache, "is neither never nor a map: cache: {ttl: 60s}");
  if (yaml_keys_check(cache, keys, err) != OK ||
      yaml_duration(yaml_get(cache, "ttl"), 0, TTL_US_MAX, &config->cache_ttl_us, err) != OK)
    return err->code;
  config->cache_bytes_max = CACHE_BYTES;
  if (yaml_bytes(yaml_get(cache, "bytes_max"), 1, UINT64_C(1) << 46, &config->cache_bytes_max,
                 err) != OK)
    return err->code;
  if (cache->first && !yaml_get(cache, "ttl"))
    return yaml_fail(err, cache, "has no ttl, so nothing would be kept: cache: {ttl: 60s}");
  return OK;
}

/* `fallback: stable`: who names this version while its breaker is open is answered by stable. Whom
 * a release sent to it is so always: they named none. */
static enum code fallback_read(const struct yaml *node, bool *fallback, struct err *err)
{
  struct slice name = SLICE_NONE;
  if (yaml_string(node, &name, err) != OK) return err->code;
  *fallback = slice_eq(name, SLICE("stable"));
  if (name.at && !*fallback) return yaml_fail(err, node, "'fallback' can only be stable");
  return OK;
}

static enum code limits_read(const struct yaml *limits, struct model_config *config,
                             struct err *err)
{
  static const char *const keys[] = {"deadline", "memory", "instances", "threads", "fallback",
                                     NULL};
  int64_t instances = 0, threads = 0;
  if (yaml_keys_check(limits, keys, err) != OK) return err->code;
  if (yaml_duration(yaml_get(limits, "deadline"), 1000, DEADLINE_US_MAX, &config->deadline_us,
                    err) != OK)
    return err->code;
  if (yaml_bytes(yaml_get(limits, "memory"), 1 << 20, UINT64_C(1) << 46, &config->memory_max,
                 err) != OK)
    return err->code;
  if (yaml_int(yaml_get(limits, "instances"), 1, INSTANCES_MAX, &instances, err) != OK)
    return err->code;
  if (yaml_int(yaml_get(limits, "threads"), 1, THREADS_MAX, &threads, err) != OK) return err->code;
  config->instances = (uint32_t)instances;
  config->threads = (uint32_t)threads;
  return fallback_read(yaml_get(limits, "fallback"), &config->fallback, err);
}

/* `feedback: {window: 7d}`: what is answered is kept as long as its outcome may take to be known.
 * To keep every answer costs disk, and nobody reads it where no outcomes are told: so there is no
 * window unless it is asked for. `feedback: {}` asks for the one that releases have. */
static enum code feedback_read(const struct yaml *feedback, struct model_config *config,
                               struct err *err)
{
  static const char *const keys[] = {"window", NULL};
  int64_t window_us = OUTCOME_KEEP_MS * 1000;
  if (!feedback || feedback->kind == YAML_NULL) return OK;
  if (yaml_keys_check(feedback, keys, err) != OK ||
      yaml_duration(yaml_get(feedback, "window"), WINDOW_US_MIN, WINDOW_US_MAX, &window_us, err) !=
          OK)
    return err->code;
  config->feedback_ms = window_us / 1000;
  return OK;
}

static enum code config_read(struct slice text, struct arena *arena, struct model_config *config,
                             struct err *err)
{
  static const char *const keys[] = {"engine",   "labels",  "batch", "cache", "limits",
                                     "feedback", "runs_on", NULL};
  const struct yaml *root;
  if (yaml_parse(text, arena, &root, err) != OK) return err->code;
  if (root->kind != YAML_MAP) return yaml_fail(err, root, "is not a map: engine: onnx");
  if (yaml_keys_check(root, keys, err) != OK) return err->code;
  if (yaml_string(yaml_get(root, "engine"), &config->engine, err) != OK) return err->code;
  if (labels_read(yaml_get(root, "labels"), arena, config, err) != OK) return err->code;
  if (limits_read(yaml_get(root, "limits"), config, err) != OK) return err->code;
  if (feedback_read(yaml_get(root, "feedback"), config, err) != OK) return err->code;
  if (batch_read(yaml_get(root, "batch"), &config->batch, err) != OK) return err->code;
  if (runs_on_read(yaml_get(root, "runs_on"), &config->runs_on, err) != OK) return err->code;
  return cache_read(yaml_get(root, "cache"), config, err);
}

enum code folder_config(struct slice text, struct arena *arena, struct model_config *config,
                        struct err *err)
{
  struct err inner;
  *config = (struct model_config){0};
  if (config_read(text, arena, config, &inner) == OK) return OK;
  fail(err, E_BAD_CONFIG, "slipway.yaml: %s", inner.text);
  return fail_at(err, "%s", inner.field);
}
