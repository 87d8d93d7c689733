/* webhooks.h - the configured webhooks and the notifier that sends to them.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef WEBHOOKS_H
#define WEBHOOKS_H

#include "jobs/notify.h"
#include "options.h"

enum { WEBHOOKS_MAX = 8 };

struct webhooks {
  struct slice urls[WEBHOOKS_MAX]; /* of the options */
  uint32_t n;
  struct notifier *notifier; /* there is always one: plans may name URLs of their own */
};

/* Reads the options, checks URLs, reads the secret's file. */
CHECKED enum code webhooks_open(struct webhooks *webhooks, const struct options *options,
                                struct err *err);

#endif
