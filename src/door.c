/* door.c - the address, and the rule for who comes without a key.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "door.h"

#include "base/text.h"

static enum code listen_fail(const char *text, const char *why, struct err *err)
{
  return fail(err, E_BAD_CONFIG, "'listen' is '%s', %s", text, why);
}

static enum code address_read(struct door *door, const char *text, struct err *err)
{
  static const char like[] = "it takes HOST:PORT like 127.0.0.1:8080";
  const char *colon = strrchr(text, ':');
  if (!colon) return listen_fail(text, like, err);
  struct slice host = slice_of(text, (size_t)(colon - text));
  if (host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
    host = slice_of(host.at + 1, host.len - 2);
  uint64_t port;
  if (!text_read_u64(slice_str(colon + 1), UINT16_MAX, &port))
    return listen_fail(text, "the port must lie between 0 and 65535", err);
  if (slice_eq(host, SLICE("localhost"))) host = SLICE("127.0.0.1");
  if (host.len == 0 || !slice_to_str(host, door->host, sizeof door->host))
    return listen_fail(text, like, err);
  door->port = (uint16_t)port;
  return OK;
}

enum code door_read(struct door *door, const struct options *options, struct err *err)
{
  if (address_read(door, option_text(options, OPTION_listen), err)) return err->code;
  bool loopback = strncmp(door->host, "127.", 4) == 0 || strcmp(door->host, "::1") == 0;
  bool anonymous = option_number(options, OPTION_anonymous) != 0;
  if (!loopback && !anonymous && !option_number(options, OPTION_insecure))
    return fail(
        err, E_DENIED,
        "refusing to listen on '%s': keys and data would cross the network in the clear; listen on "
        "127.0.0.1, or say --insecure to go on (callers need a key), or --anonymous (they do not)",
        door->host);
  door->keys_only = option_number(options, OPTION_keys_only) || (!loopback && !anonymous);
  door->in_the_clear = !loopback;
  return OK;
}
