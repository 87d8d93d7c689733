/* addresses.c - connections per address: linear probing, removal by shifting back.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "net/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/ip.h"
#include "base/mem.h"
#include "base/rand.h"

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void addresses_init(struct addresses *addresses, uint32_t conns_max)
{
  uint32_t n = 16;
  while (n < 2 * conns_max) n *= 2;
  *addresses =
      (struct addresses){.slots = grab_zero(n, sizeof(struct address_count)), .n_slots = n};
  rand_secret(addresses->key, sizeof addresses->key);
}

void addresses_deinit(struct addresses *addresses)
{
  ungrab(addresses->slots);
  *addresses = (struct addresses){0};
}

static uint32_t home_of(const struct addresses *addresses, const struct address *address)
{
  struct slice bytes = slice_of((const char *)address->at, sizeof address->at);
  return (uint32_t)siphash(addresses->key, bytes) & (addresses->n_slots - 1);
}

static uint32_t slot_find(const struct addresses *addresses, const struct address *address)
{
  uint32_t at = home_of(addresses, address);
  while (addresses->slots[at].n && memcmp(&addresses->slots[at].address, address, sizeof *address))
    at = (at + 1) & (addresses->n_slots - 1);
  return at;
}

uint32_t addresses_add(struct addresses *addresses, const struct address *address)
{
  struct address_count *slot = &addresses->slots[slot_find(addresses, address)];
  slot->address = *address;
  return ++slot->n;
}

void addresses_remove(struct addresses *addresses, const struct address *address)
{
  uint32_t mask = addresses->n_slots - 1, hole = slot_find(addresses, address);
  must(addresses->slots[hole].n > 0);
  if (--addresses->slots[hole].n > 0) return;
  for (uint32_t at = (hole + 1) & mask; addresses->slots[at].n; at = (at + 1) & mask) {
    uint32_t home = home_of(addresses, &addresses->slots[at].address);
    if (((at - home) & mask) < ((at - hole) & mask)) continue; /* it lies between hole and itself */
    addresses->slots[hole] = addresses->slots[at];
    addresses->slots[at].n = 0;
    hole = at;
  }
}

struct address address_of(const struct sockaddr *peer)
{
  struct address address = {{0}};
  if (peer->sa_family == AF_INET6) {
    memcpy(address.at, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
  } else {
    memcpy(address.at, mapped, sizeof mapped);
    memcpy(address.at + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
  }
  return address;
}

bool address_is_loopback(const struct address *address)
{
  struct ip ip;
  memcpy(ip.at, address->at, sizeof ip.at);
  return ip_is_loopback(&ip);
}

size_t address_text(const struct address *address, char to[ADDRESS_TEXT_MAX])
{
  bool four = memcmp(address->at, mapped, sizeof mapped) == 0;
  const char *text =
      inet_ntop(four ? AF_INET : AF_INET6, address->at + (four ? 12 : 0), to, ADDRESS_TEXT_MAX);
  must(text != NULL);
  return strlen(to);
}
