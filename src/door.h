/* door.h - where slipway listens, and whether callers need a key there.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef DOOR_H
#define DOOR_H

#include "options.h"

struct door {
  char host[256]; /* an address, no name */
  uint16_t port;  /* 0: any */
  bool keys_only; /* whoever brings no key is nobody */
  bool in_the_clear; /* beyond loopback: others can read along */
};

/* E_BAD_CONFIG: 'listen' is no address and port. E_DENIED: it is beyond loopback, and nobody said
 * that keys may cross the network in the clear. */
CHECKED enum code door_read(struct door *door, const struct options *options, struct err *err);

#endif
