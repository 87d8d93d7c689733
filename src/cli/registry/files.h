/* files.h - a model's files on this machine: found, hashed, sent.
 * Thread: main (own).
 * Each file is hashed before it is sent and the server compares: a file that changes under our
 * hands is refused, not stored.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_REGISTRY_FILES_H
#define CLI_REGISTRY_FILES_H

#include "base/hash.h"
#include "cli/client.h"

enum { MODEL_FILES_MAX = 256, FILE_NAME_MAX = 256, FILE_PATH_MAX = 4096 };

struct model_file {
  char name[FILE_NAME_MAX];
  uint64_t bytes;
  char sha256[SHA256_HEX_LEN + 1]; /* empty: not hashed yet */
};

struct model_files {
  const char *path; /* a file, or a folder of files; the caller's */
  bool is_folder;
  struct model_file *at; /* ascending by name */
  uint32_t n;
};

/* What there is at `path`: names only. E_NOT_FOUND, E_INVALID_ARGUMENT, E_BAD_NAME. */
CHECKED enum code model_files_read(struct model_files *files, struct err *err);
/* Sizes and digests of all of them. */
CHECKED enum code model_files_hash(struct model_files *files, struct err *err);
/* Hashes one anew and sends it, in parts that can be gone on with where it is large. */
CHECKED enum code model_file_send(struct client *client, const struct model_files *files,
                                  struct model_file *file, struct err *err);
/* An array of {"name","sha256","bytes"}. */
json_t *model_files_json(const struct model_files *files);
void model_files_deinit(struct model_files *files);

#endif
