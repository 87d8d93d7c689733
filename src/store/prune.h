/* prune.h - looks that are kept no longer: they would grow by some 3,600 rows an hour and release.
 * Thread: scribe. A step at a time, so that no change waits.
 *
 * A model's newest release is always kept, so one that runs is. Of the others those stay that are
 * among the newest `releases` and were over for less than `keep_ms`. A release that went leaves its
 * name and time behind (history_pruned): who replays it is told so. Its events stay, with every
 * verdict.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_PRUNE_H
#define STORE_PRUNE_H

#include "store/ledger.h"

struct prune {
  uint32_t releases; /* 0: all stay */
  int64_t keep_ms;
  char tenant[EVENT_TEXT_MAX + 1], model[EVENT_TEXT_MAX + 1]; /* the last one looked at */
};

/* At most `rows` looks of one model go. *more: there is more to do at once. E_STORAGE_FULL changes
 * nothing. */
CHECKED enum code prune_step(struct prune *prune, struct ledger *ledger, int64_t now_ms,
                             uint32_t rows, bool *more, struct err *err);

/* Whether the tenant was removed: nothing of it follows that. What it stored goes then, whatever
 * else would keep it. */
CHECKED enum code ledger_tenant_gone(struct ledger *ledger, struct slice tenant, bool *gone,
                                     struct err *err);

#endif
