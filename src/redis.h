/* redis.h - the options of the cache's second level: where it is, who we are there, and the secret
 * that all nodes share.
 * Thread: main, at start.
 * SPDX-License-Identifier: MIT */
#ifndef REDIS_H
#define REDIS_H

#include "options.h"
#include "serve/far/far.h"

/* *has: false where none is named. An address, no name: loops ask nobody for names. E_BAD_CONFIG,
 * E_DENIED (beyond loopback, which nothing encrypts), E_NOT_FOUND (a file). */
CHECKED enum code redis_read(struct far_opts *opts, bool *has, const struct options *options,
                             struct err *err);
void redis_forget(struct far_opts *opts); /* wipes its secrets */

#endif
