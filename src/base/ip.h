/* ip.h - addresses and networks: who may use a key, where a message of ours may go.
 * Thread: any; pure.
 * IPv4 is kept mapped into IPv6 (::ffff:a.b.c.d), so there is one comparison for both and nobody
 * slips past a rule by spelling an address the other way.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/err.h"

struct ip {
  unsigned char at[16];
};

struct cidr {
  struct ip net;
  uint8_t bits; /* of the mapped form: 10.0.0.0/8 has 104 */
};

enum { IP_TEXT_MAX = 46, CIDRS_MAX = 8 };

/* "10.1.2.3", "2001:db8::1"; no zone, no port. */
bool ip_read(struct slice text, struct ip *ip);
/* As it would be written; IPv4 in dots. Returns its length. */
size_t ip_text(const struct ip *ip, char to[IP_TEXT_MAX]);

/* "10.0.0.0/8", "2001:db8::/32", or one address. Not when a bit past the prefix is set: that is a
 * slip of the pen more often than not. */
bool cidr_read(struct slice text, struct cidr *cidr);
bool cidr_holds(const struct cidr *cidr, const struct ip *ip);
/* "10.0.0.0/8,192.0.2.7": 1 to CIDRS_MAX of them, commas between. E_INVALID_ARGUMENT. */
CHECKED enum code cidrs_read(struct slice text, struct cidr to[CIDRS_MAX], uint32_t *n,
                             struct err *err);

/* Whether the address belongs to the internet at large: not to this machine, a private or shared
 * network, a link (so no cloud's metadata service either), a group, a test or a transition scheme
 * that hides an IPv4 address which is none of these.
 * Source: IANA's special-purpose address registries (RFC 6890 and later). */
bool ip_is_public(const struct ip *ip);
/* 127.0.0.0/8 or ::1: what goes there stays on this machine. */
bool ip_is_loopback(const struct ip *ip);

#endif
