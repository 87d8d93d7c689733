/* guard.c - a page in somebody's browser must not drive a daemon on that machine.
 * Thread: desk.
 * Asked of routes that change something. A browser sends Origin with every such request of a page:
 * it must be the very host the request went to. And for callers on this machine, who need no key,
 * the Host must name this machine: else a name of the attacker's that resolves to 127.0.0.1 (DNS
 * rebinding) would make foreign pages "same origin". Programs send no Origin; on V2 routes their
 * Host may be anything, as the protocol wants.
 * SPDX-License-Identifier: MIT */
#include "api/ask_int.h"
#include "api/routes.h"

/* "host:8080" -> "host", "[::1]:8080" -> "::1". */
static struct slice host_name(struct slice host)
{
  if (host.len && host.at[0] == '[') {
    const char *end = memchr(host.at, ']', host.len);
    if (!end) return host;
    return slice_of(host.at + 1, (size_t)(end - host.at) - 1);
  }
  const char *colon = host.len ? memchr(host.at, ':', host.len) : NULL;
  return colon ? slice_of(host.at, (size_t)(colon - host.at)) : host;
}

/* 127.a.b.c in plain decimal. */
static bool name_is_127(struct slice name)
{
  unsigned parts = 0;
  for (size_t i = 0; i < name.len; parts++) {
    unsigned value = 0, digits = 0;
    while (i < name.len && name.at[i] >= '0' && name.at[i] <= '9' && digits < 4)
      value = value * 10 + (unsigned)(name.at[i++] - '0'), digits++;
    if (digits == 0 || digits > 3 || value > 255 || (parts == 0 && value != 127)) return false;
    if (i < name.len && (name.at[i++] != '.' || i == name.len)) return false;
  }
  return parts == 4;
}

bool guard_host_is_local(struct slice host, const char *const *hosts, uint32_t n_hosts)
{
  struct slice name = host_name(host);
  if (slice_eq_nocase(name, SLICE("localhost")) || slice_eq(name, SLICE("::1")) ||
      name_is_127(name))
    return true;
  if (name.len > 10 && slice_eq_nocase(slice_from(name, name.len - 10), SLICE(".localhost")))
    return true;
  for (uint32_t i = 0; i < n_hosts; i++)
    if (slice_eq_nocase(name, slice_str(hosts[i]))) return true;
  return false;
}

static bool origin_is_host(struct slice origin, struct slice host)
{
  if (slice_starts(origin, SLICE("http://")))
    origin = slice_from(origin, 7);
  else if (slice_starts(origin, SLICE("https://")))
    origin = slice_from(origin, 8);
  else
    return false; /* "null", file:, extensions */
  return host.len > 0 && slice_eq_nocase(origin, host);
}

bool guard_passes(struct ask *ask)
{
  const struct letter_ask *letter = ask->letter;
  const struct desk_opts *opts = ask->desk->opts;
  struct slice host = letter->headers[ASK_HOST], origin = letter->headers[ASK_ORIGIN];
  uint32_t n;
  if (routes_all(&n)[letter->route].method == METHOD_GET) return true;
  if (origin.len && !origin_is_host(origin, host)) {
    fail(&ask->err, E_DENIED, "a page of '%.*s' may not change anything here", SLICE_ARG(origin));
    fail_at(&ask->err, "origin");
    return false;
  }
  bool ours = slice_starts(letter->path, SLICE("/api/"));
  bool keyless = slice_eq(letter->actor, SLICE(PERSON_ANONYMOUS)); /* a page cannot bring a key */
  if (letter->loopback && keyless && (ours || origin.len) &&
      !guard_host_is_local(host, opts->hosts, opts->n_hosts)) {
    fail(&ask->err, E_DENIED,
         "host '%.*s' is not a name of this machine; call 127.0.0.1 or localhost, or list the name "
         "in the configuration",
         SLICE_ARG(host));
    fail_at(&ask->err, "host");
    return false;
  }
  return true;
}
