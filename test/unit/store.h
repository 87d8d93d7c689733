/* store.h - what the tests of the store share: a data directory that goes away, events to write.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef UNIT_STORE_H
#define UNIT_STORE_H

#include <ftw.h>
#include <unistd.h>

#include "store/ledger.h"

static inline const char *temp_dir(void)
{
  static char name[64];
  snprintf(name, sizeof name, "/tmp/slipway-test-XXXXXX");
  if (!mkdtemp(name)) abort();
  return name;
}

static inline int temp_remove_one(const char *path, const struct stat *st, int flag,
                                  struct FTW *ftw)
{
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

static inline void temp_remove(const char *path)
{
  nftw(path, temp_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct event event_made(enum event_kind kind, const char *model, uint32_t version)
{
  return (struct event){.kind = kind,
                        .wall_ms = 1700000000000,
                        .actor = SLICE("anonymous"),
                        .tenant = SLICE("default"),
                        .model = slice_str(model),
                        .version = version};
}

#endif
