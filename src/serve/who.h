/* who.h - who asks, and whether they may: one place for predictions and control plane.
 * Thread: its loop.
 *
 *   a key          decides tenant, role, person; a wrong one is refused wherever it is sent
 *   no key         TENANT_DEFAULT and everything, where anonymous callers are let in: on loopback,
 *                  or where the configuration says `anonymous: true`
 *   neither        only routes for anybody, and no tenant
 *
 * An operator may say whom it acts for; anybody else's tenant is that of its key, and a request
 * that says another is refused.
 *
 * A key that is cut, unknown, revoked, expired or used from elsewhere is answered with the same
 * words after the same work: which of these it was is in the log. Nothing is remembered from one
 * request to the next: a key is looked up in the newest world each time, so that a revocation holds
 * from the next request on, on open connections, too.
 * Source: robustness rules, section 8.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_WHO_H
#define SERVE_WHO_H

#include "base/role.h"
#include "wire/http.h"
#include "world/world.h"

struct who_rules {
  const struct hmac *pepper; /* keys are kept as HMAC(pepper, secret); NULL: no key is known */
  bool keys_only;            /* whoever brings none is nobody */
};

struct who_asks {
  const struct world *world; /* the newest, or NULL before the first */
  const struct http_head *head;
  struct ip peer;
  int64_t wall_ms;
};

struct who {
  const struct tenant *tenant; /* the world's; NULL: it has nothing there yet, or is nobody */
  const struct key *key;       /* the world's; NULL: none */
  struct slice tenant_name, actor, person; /* literals or the world's */
  enum role role;
  bool acts; /* an operator, in a tenant that is not its own */
};

/* E_UNAUTHENTICATED: a key that is not one. E_NOT_READY, E_DRAINING: it cannot be told, since there
 * is no world yet, or none any more. */
CHECKED enum code who_of(const struct who_rules *rules, const struct who_asks *asks,
                         struct who *who, struct err *err);
/* The same of a ticket (world/ticket.h), for an event stream without a key of its own. */
CHECKED enum code who_of_ticket(const struct who_rules *rules, const struct who_asks *asks,
                                struct slice ticket, struct who *who, struct err *err);
/* The tenant a request names beside its key (x-slipway-tenant). An operator acts in that one from
 * now on, E_TENANT_NOT_FOUND when there is none; anybody else may say its own, E_DENIED for any
 * other, be there one or not. */
CHECKED enum code who_acts(const struct world *world, struct slice name, struct who *who,
                           struct err *err);
/* Whether a key that was good is good still: for what stays open long after it was looked at. */
bool who_stays(const struct world *world, struct slice key_id, int64_t wall_ms);
/* authz (base/role.h) of something of the tenant the caller acts for, with the answer's words. */
CHECKED enum code who_may(const struct who *who, enum verb verb, enum resource_class class,
                          struct err *err);

#endif
