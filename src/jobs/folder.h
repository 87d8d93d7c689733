/* folder.h - a version's files in memory, verified, and what its slipway.yaml says.
 * The bytes hashed are the bytes used: each file is read once, into memory of its own, and its
 * digest is taken there.
 * Thread: job.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_FOLDER_H
#define JOBS_FOLDER_H

#include "infer/engine.h"
#include "world/event.h"

enum { FOLDER_ARENA_MAX = 16 << 20 };

struct folder {
  struct arena arena; /* names, the configuration */
  struct model_file *files;
  uint32_t n_files;
  struct model_config config;
};

/* Reads files by digest below objects_fd ("ab/abcdef..."), then slipway.yaml if there is one.
 * E_ARTIFACT_CORRUPT: size or digest differ; E_UNAVAILABLE: not there; E_BAD_CONFIG. Nothing to
 * deinit on failure. */
CHECKED enum code folder_read(struct folder *folder, int objects_fd, const struct event_file *files,
                              uint32_t n_files, struct err *err);
/* The same from open files, which stay the caller's: for who may open none (jobs/inspect). */
CHECKED enum code folder_read_fds(struct folder *folder, const int *fds,
                                  const struct event_file *files, uint32_t n_files,
                                  struct err *err);
/* One file of the store, of the size it should have: the digest is taken when it is read. */
CHECKED enum code folder_file_open(int objects_fd, const struct event_file *want, int *to,
                                   struct err *err);
void folder_deinit(struct folder *folder);
/* The file's bytes; at is NULL when there is none of that name. */
struct slice folder_file(const struct folder *folder, struct slice name);

/* Reads a slipway.yaml; the config's texts lie in the arena. E_BAD_CONFIG with line and column. */
CHECKED enum code folder_config(struct slice text, struct arena *arena, struct model_config *config,
                                struct err *err);

#endif
