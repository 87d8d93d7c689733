/* addresses_test.c - connections counted by address.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/rand.h"
#include "net/addresses.h"

static struct address four(uint32_t host)
{
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
  return address_of((struct sockaddr *)&in);
}

static struct address six(const char *text)
{
  struct sockaddr_in6 in = {.sin6_family = AF_INET6};
  EXPECT_INT(inet_pton(AF_INET6, text, &in.sin6_addr), 1);
  return address_of((struct sockaddr *)&in);
}

TEST(counts_agree_with_a_plain_list)
{
  enum { ADDRESSES = 40, STEPS = 20000, CONNS = 64 };
  struct addresses addresses;
  struct rand rand;
  uint32_t counts[ADDRESSES] = {0}, total = 0;
  addresses_init(&addresses, CONNS);
  rand_seed(&rand, 7);
  for (int i = 0; i < STEPS; i++) {
    uint32_t which = (uint32_t)(rand_u64(&rand) % ADDRESSES);
    struct address address = four(0x0a000000 + which);
    if (total < CONNS && rand_u64(&rand) % 2) {
      EXPECT_INT(addresses_add(&addresses, &address), ++counts[which]);
      total++;
    } else if (counts[which]) {
      addresses_remove(&addresses, &address);
      counts[which]--;
      total--;
    }
  }
  for (uint32_t i = 0; i < ADDRESSES; i++) {
    struct address address = four(0x0a000000 + i);
    for (; counts[i]; counts[i]--) addresses_remove(&addresses, &address);
    EXPECT_INT(addresses_add(&addresses, &address), 1);
    addresses_remove(&addresses, &address);
  }
  addresses_deinit(&addresses);
}

TEST(loopback_is_known_in_every_form)
{
  struct address a = four(0x7f000001), b = four(0x7f123456), c = four(0x0a000001);
  struct address d = six("::1"), e = six("::ffff:127.0.0.1"), f = six("2001:db8::1");
  EXPECT(address_is_loopback(&a) && address_is_loopback(&b) && address_is_loopback(&d));
  EXPECT(address_is_loopback(&e) && !address_is_loopback(&c) && !address_is_loopback(&f));
  char text[ADDRESS_TEXT_MAX];
  EXPECT_INT(address_text(&a, text), 9);
  EXPECT_STR(text, "127.0.0.1");
  address_text(&f, text);
  EXPECT_STR(text, "2001:db8::1");
}
