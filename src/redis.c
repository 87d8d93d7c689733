/* redis.c - the options of the cache's second level.
 * Thread: main, at start.
 * SPDX-License-Identifier: MIT */
#include "redis.h"

#include "base/text.h"
#include "store/secret.h"

enum { REDIS_PORT = 6379 };

static enum code where_fail(const char *why, struct err *err)
{
  return fail(err, E_BAD_CONFIG,
              "'cache_redis' %s; it takes redis://USER@ADDRESS:PORT like "
              "redis://slipway@127.0.0.1:6379, with the password in a file",
              why);
}

static enum code port_read(struct slice text, struct far_opts *opts, struct err *err)
{
  uint64_t port;
  if (!text_read_u64(text, UINT16_MAX, &port) || !port)
    return where_fail("has a port that is none", err);
  opts->port = (uint16_t)port;
  return OK;
}

/* "127.0.0.1:6379", "[::1]:6379", "localhost". */
static enum code address_read(struct slice text, struct far_opts *opts, struct err *err)
{
  struct slice host = text, port = SLICE_NONE;
  const char *end;
  opts->port = REDIS_PORT;
  if (text.len && text.at[0] == '[') {
    end = memchr(text.at, ']', text.len);
    if (!end) return where_fail("has no address", err);
    host = slice_of(text.at + 1, (size_t)(end - text.at) - 1);
    port = slice_from(text, host.len + 2);
    if (port.len && port.at[0] != ':') return where_fail("has no address", err);
    port = slice_from(port, 1);
  } else if ((end = memchr(text.at, ':', text.len))) {
    host = slice_of(text.at, (size_t)(end - text.at));
    port = slice_from(text, host.len + 1);
    if (!port.len) return where_fail("has a port that is none", err);
  }
  if (slice_eq(host, SLICE("localhost"))) host = SLICE("127.0.0.1");
  if (!ip_read(host, &opts->ip))
    return where_fail("names no address (names are not looked up)", err);
  return port.len ? port_read(port, opts, err) : OK;
}

static enum code where_read(struct slice text, struct far_opts *opts, struct err *err)
{
  static const struct slice scheme = SLICE("redis://");
  if (!slice_starts(text, scheme)) return where_fail("is no redis:// address", err);
  text = slice_from(text, scheme.len);
  if (text.len && text.at[text.len - 1] == '/') text.len--;
  if (!text.len || memchr(text.at, '/', text.len))
    return where_fail("names a path or a database, and only the first one is used", err);
  const char *at = memchr(text.at, '@', text.len);
  struct slice user = at ? slice_of(text.at, (size_t)(at - text.at)) : SLICE_NONE;
  if (at) text = slice_from(text, user.len + 1);
  if (user.len && memchr(user.at, ':', user.len))
    return where_fail("must not hold the password: say --cache-redis-password-file", err);
  if (!slice_to_str(user, opts->user, sizeof opts->user))
    return where_fail("has a user that is too long", err);
  return address_read(text, opts, err);
}

static enum code password_read(struct far_opts *opts, const char *path, struct err *err)
{
  size_t len;
  if (!path[0]) {
    if (!opts->user[0]) return OK;
    return fail(err, E_BAD_CONFIG,
                "'cache_redis' names a user; say --cache-redis-password-file FILE");
  }
  if (secret_read(NULL, path, opts->password, sizeof opts->password - 1, &len, err))
    return err->code;
  opts->password[len] = '\0';
  if (len && strlen(opts->password) == len) return OK;
  return fail(err, E_BAD_CONFIG, "the file of 'cache_redis_password_file' holds no password");
}

static enum code keys_read(struct far_opts *opts, const char *path, struct err *err)
{
  char secret[SECRET_MAX];
  size_t len;
  if (!path[0])
    return fail(err, E_BAD_CONFIG,
                "'cache_redis' needs a secret that all nodes share: say --cache-redis-secret-file "
                "FILE; openssl rand -hex 32 makes one");
  if (secret_read(NULL, path, secret, sizeof secret, &len, err)) return err->code;
  if (len < SEAL_SECRET_MIN) {
    fail(err, E_BAD_CONFIG, "the secret of 'cache_redis_secret_file' has %zu bytes, it takes %d",
         len, SEAL_SECRET_MIN);
  } else {
    seal_keys_init(&opts->keys, slice_of(secret, len));
  }
  explicit_bzero(secret, sizeof secret);
  return len < SEAL_SECRET_MIN ? err->code : OK;
}

enum code redis_read(struct far_opts *opts, bool *has, const struct options *options,
                     struct err *err)
{
  struct slice where = slice_str(option_text(options, OPTION_cache_redis));
  *opts = (struct far_opts){.budget_us = option_number(options, OPTION_cache_redis_timeout)};
  *has = where.len > 0;
  if (!*has) return OK;
  if (where_read(where, opts, err)) return err->code;
  if (!ip_is_loopback(&opts->ip) && !option_number(options, OPTION_cache_redis_insecure))
    return fail(err, E_DENIED,
                "refusing to go to the Redis of 'cache_redis': it is not on this machine, and "
                "answers and the password would cross the network in the clear; say "
                "--cache-redis-insecure where the network guards them, or go through a tunnel");
  if (password_read(opts, option_text(options, OPTION_cache_redis_password_file), err))
    return err->code;
  return keys_read(opts, option_text(options, OPTION_cache_redis_secret_file), err);
}

void redis_forget(struct far_opts *opts)
{
  seal_keys_deinit(&opts->keys);
  explicit_bzero(opts->password, sizeof opts->password);
}
