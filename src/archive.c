/* archive.c - reading the two command lines, telling how it went.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "archive.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/backup.h"

struct words {
  const char *file, *data;
  bool verify, json;
};

static enum code words_read(int argc, char **argv, struct words *words, struct err *err)
{
  *words = (struct words){.file = NULL};
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
      words->data = argv[++i];
    else if (strncmp(argv[i], "--data=", 7) == 0)
      words->data = argv[i] + 7;
    else if (strcmp(argv[i], "--verify") == 0)
      words->verify = true;
    else if (strcmp(argv[i], "--json") == 0)
      words->json = true;
    else if (argv[i][0] != '-' && !words->file)
      words->file = argv[i];
    else
      return fail(err, E_INVALID_ARGUMENT, "'%s' is not understood here; see --help", argv[i]);
  }
  return words->file ? OK : fail(err, E_INVALID_ARGUMENT, "say which file the backup is");
}

static int tell(const struct words *words, const char *did, const struct backup *sum,
                int64_t took_us, const struct err *err)
{
  char hash[SHA256_HEX_LEN + 1], json[ERR_JSON_MAX];
  if (err->code) {
    if (words->json)
      fprintf(stderr, "%.*s", (int)err_json(json, err, SLICE_NONE), json);
    else
      fprintf(stderr, "slipway: %s\n", err->text);
    return code_exit(err->code);
  }
  digest_hex(&sum->head, hash);
  double seconds = (double)(took_us > 0 ? took_us : 1) / 1e6, mib = (double)sum->bytes / 1048576;
  if (words->json)
    printf("{\"members\":%llu,\"objects\":%llu,\"bytes\":%llu,\"last_seq\":%llu,\"head\":\"%s\","
           "\"seconds\":%.3f}\n",
           (unsigned long long)sum->members, (unsigned long long)sum->objects,
           (unsigned long long)sum->bytes, (unsigned long long)sum->last_seq, hash, seconds);
  else
    printf("%s %s: %llu objects, %.1f MiB, events up to %llu, in %.2f s (%.0f MiB/s)\nhead %s\n",
           words->file, did, (unsigned long long)sum->objects, mib,
           (unsigned long long)sum->last_seq, seconds, mib / seconds, hash);
  return 0;
}

int archive_backup(int argc, char **argv)
{
  struct words words;
  struct err err = {.code = OK};
  struct backup sum = {.members = 0};
  char home[4096];
  int64_t began_us = clock_us();
  if (words_read(argc, argv, &words, &err) == OK) {
    const char *data = words.data ? words.data : getenv("SLIPWAY_DATA");
    snprintf(home, sizeof home, "%s/.local/share/slipway", getenv("HOME") ? getenv("HOME") : "");
    err.code = backup_write(data && data[0] ? data : home, words.file, &sum, &err);
  }
  return tell(&words, "written", &sum, clock_us() - began_us, &err);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

/* A whole restore, into a folder beside the file that goes away again. */
static enum code verify(const struct words *words, struct backup *sum, struct err *err)
{
  char folder[4096];
  snprintf(folder, sizeof folder, "%s.verify-XXXXXX", words->file);
  if (!mkdtemp(folder))
    return fail(err, E_DENIED, "a folder beside '%s' is needed to verify it", words->file);
  enum code code = backup_restore(words->file, folder, sum, err);
  nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  return code;
}

int archive_restore(int argc, char **argv)
{
  struct words words;
  struct err err = {.code = OK};
  struct backup sum = {.members = 0};
  int64_t began_us = clock_us();
  if (words_read(argc, argv, &words, &err) != OK)
    return tell(&words, "", &sum, 0, &err);
  if (words.verify)
    err.code = verify(&words, &sum, &err);
  else if (!words.data)
    fail(&err, E_INVALID_ARGUMENT, "say where to: --data DIR, an empty folder; or --verify");
  else
    err.code = backup_restore(words.file, words.data, &sum, &err);
  return tell(&words, words.verify ? "verified" : "restored", &sum, clock_us() - began_us, &err);
}
