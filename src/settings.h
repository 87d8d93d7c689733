/* settings.h - what the configuration makes of limits: of network threads, of models in memory, and
 * the list that `slipway doctor` shows.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "jobs/inspect/inspector.h"
#include "net/loop.h"
#include "options.h"

struct sources {
  const struct options *options;
  const struct post *post; /* its numbers of threads */
  const struct inspector_opts *inspector;
  bool keys_only;
};

/* Bytes that all models in memory may take together. */
uint64_t settings_models_memory(const struct options *options);
/* *limits: of one network thread. The settings are the caller's to ungrab. */
struct settings *settings_new(const struct sources *from, struct loop_limits *limits);

#endif
