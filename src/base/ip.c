/* ip.c - reading addresses and networks, and which of them are public.
 * Thread: any; pure.
 * SPDX-License-Identifier: MIT */
#include "base/ip.h"

#include <arpa/inet.h>

#include "base/text.h"

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct ip *ip) { return memcmp(ip->at, mapped, sizeof mapped) == 0; }

bool ip_read(struct slice text, struct ip *ip)
{
  char copy[IP_TEXT_MAX];
  if (!slice_to_str(text, copy, sizeof copy)) return false;
  memcpy(ip->at, mapped, sizeof mapped);
  return inet_pton(AF_INET, copy, ip->at + 12) == 1 || inet_pton(AF_INET6, copy, ip->at) == 1;
}

size_t ip_text(const struct ip *ip, char to[IP_TEXT_MAX])
{
  const char *text = is_v4(ip) ? inet_ntop(AF_INET, ip->at + 12, to, IP_TEXT_MAX)
                               : inet_ntop(AF_INET6, ip->at, to, IP_TEXT_MAX);
  must(text != NULL);
  return strlen(text);
}

/* --- networks --------------------------------------------------------------------------------- */

bool cidr_holds(const struct cidr *cidr, const struct ip *ip)
{
  unsigned whole = cidr->bits / 8, rest = cidr->bits % 8;
  if (memcmp(cidr->net.at, ip->at, whole) != 0) return false;
  return rest == 0 || (cidr->net.at[whole] ^ ip->at[whole]) >> (8 - rest) == 0;
}

static bool past_prefix_is_zero(const struct cidr *cidr)
{
  for (unsigned bit = cidr->bits; bit < 128; bit++)
    if (cidr->net.at[bit / 8] >> (7 - bit % 8) & 1) return false;
  return true;
}

bool cidr_read(struct slice text, struct cidr *cidr)
{
  const char *slash = text.len ? memchr(text.at, '/', text.len) : NULL;
  struct slice address = slash ? slice_of(text.at, (size_t)(slash - text.at)) : text;
  uint64_t bits;
  if (!ip_read(address, &cidr->net)) return false;
  bool dots = memchr(address.at, ':', address.len) == NULL;
  cidr->bits = 128;
  if (!slash) return true;
  if (!text_read_u64(slice_from(text, address.len + 1), dots ? 32 : 128, &bits)) return false;
  cidr->bits = (uint8_t)(bits + (dots ? 96 : 0));
  return past_prefix_is_zero(cidr);
}

enum code cidrs_read(struct slice text, struct cidr to[CIDRS_MAX], uint32_t *n, struct err *err)
{
  *n = 0;
  for (;;) {
    const char *comma = text.len ? memchr(text.at, ',', text.len) : NULL;
    struct slice one = comma ? slice_of(text.at, (size_t)(comma - text.at)) : text;
    if (*n == CIDRS_MAX)
      return fail(err, E_INVALID_ARGUMENT, "at most %d networks may be named", CIDRS_MAX);
    if (!cidr_read(one, &to[*n]))
      return fail(err, E_INVALID_ARGUMENT,
                  "'%.*s' is not a network like 10.0.0.0/8 or 2001:db8::/32", SLICE_ARG(one));
    ++*n;
    if (!comma) return OK;
    text = slice_from(text, one.len + 1);
  }
}

/* --- what is public --------------------------------------------------------------------------- */

struct range {
  unsigned char net[8];
  uint8_t bits;
};

/* IPv4 that is not globally reachable, groups, and what is reserved. */
static const struct range closed4[] = {
    {{0}, 8},                 /* this network */
    {{10}, 8},                /* private */
    {{100, 64}, 10},          /* shared: behind a carrier's NAT */
    {{127}, 8},               /* this machine */
    {{169, 254}, 16},         /* link, with the metadata services of clouds */
    {{172, 16}, 12},          /* private */
    {{192, 0, 0}, 24},        /* protocol assignments */
    {{192, 0, 2}, 24},        /* documentation */
    {{192, 31, 196}, 24},     /* AS112 */
    {{192, 52, 193}, 24},     /* AMT */
    {{192, 88, 99}, 24},      /* 6to4 relays, deprecated */
    {{192, 168}, 16},         /* private */
    {{192, 175, 48}, 24},     /* AS112 */
    {{198, 18}, 15},          /* benchmarks */
    {{198, 51, 100}, 24},     /* documentation */
    {{203, 0, 113}, 24},      /* documentation */
    {{224}, 4},               /* groups */
    {{240}, 4},               /* reserved, broadcast */
};

/* Of IPv6 only 2000::/3 is given out; in it these are not. */
static const struct range closed6[] = {
    {{0x20, 0x01}, 23},             /* protocol assignments, Teredo, benchmarks, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4: an IPv4 address inside */
    {{0x26, 0x20, 0x00, 0x4f, 0x80}, 48}, /* AS112 */
    {{0x3f, 0xff}, 20},             /* documentation */
};

static bool range_holds(const struct range *range, const unsigned char *at)
{
  for (unsigned bit = 0; bit < range->bits; bit += 8) {
    unsigned left = range->bits - bit, mask = left >= 8 ? 0xffu : 0xffu << (8 - left) & 0xffu;
    if ((range->net[bit / 8] ^ at[bit / 8]) & mask) return false;
  }
  return true;
}

bool ip_is_public(const struct ip *ip)
{
  if (is_v4(ip)) {
    for (size_t i = 0; i < sizeof closed4 / sizeof *closed4; i++)
      if (range_holds(&closed4[i], ip->at + 12)) return false;
    return true;
  }
  if (ip->at[0] >> 5 != 1) return false;
  for (size_t i = 0; i < sizeof closed6 / sizeof *closed6; i++)
    if (range_holds(&closed6[i], ip->at)) return false;
  return true;
}

bool ip_is_loopback(const struct ip *ip)
{
  static const unsigned char six[sizeof ip->at] = {[15] = 1};
  return is_v4(ip) ? ip->at[12] == 127 : memcmp(ip->at, six, sizeof six) == 0;
}
