/* addresses.h - how many connections each address has.
 * Thread: its loop.
 * A hash table of fixed size: every connection is in it once, so it is never more than half full.
 * SPDX-License-Identifier: MIT */
#ifndef NET_ADDRESSES_H
#define NET_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
  unsigned char at[16]; /* IPv6, or IPv4 mapped into it */
};

struct address_count {
  struct address address;
  uint32_t n; /* 0: free */
};

struct addresses {
  struct address_count *slots;
  uint32_t n_slots; /* a power of two */
  unsigned char key[16];
};

void addresses_init(struct addresses *addresses, uint32_t conns_max);
void addresses_deinit(struct addresses *addresses);
/* One more connection of this address; returns how many it has now. */
uint32_t addresses_add(struct addresses *addresses, const struct address *address);
void addresses_remove(struct addresses *addresses, const struct address *address);

struct address address_of(const struct sockaddr *peer);
bool address_is_loopback(const struct address *address);
enum { ADDRESS_TEXT_MAX = 46 };
/* "127.0.0.1", "2001:db8::1" to `to`; returns its length. */
size_t address_text(const struct address *address, char to[ADDRESS_TEXT_MAX]);

#endif
