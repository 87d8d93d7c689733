/* limits.c - a loop's limits: what nobody said, and what they add up to.
 * Thread: main, before any loop.
 * SPDX-License-Identifier: MIT */
#include <sys/resource.h>

#include "net/errand_int.h"

static int64_t or_else(int64_t value, int64_t normal) { return value ? value : normal; }

struct loop_limits loop_limits_filled(struct loop_limits limits, uint32_t n_loops)
{
  struct rlimit files;
  uint64_t half = UINT32_MAX;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
    half = files.rlim_cur / 2 / (n_loops ? n_loops : 1);
  if (!limits.connections_max) limits.connections_max = 8192;
  if (limits.connections_max > half) limits.connections_max = half ? (uint32_t)half : 1;
  if (!limits.calls_max) limits.calls_max = 1024;
  if (!limits.body_max) limits.body_max = 64 << 20;
  if (!limits.bodies_max) limits.bodies_max = 512 << 20;
  if (!limits.call_bytes_max) limits.call_bytes_max = 6 * limits.body_max;
  if (!limits.memory_max)
    limits.memory_max = 6 * limits.bodies_max +
                        (uint64_t)limits.connections_max * (ARENA_HEAD_MAX + READ_BYTES);
  if (!limits.blocks_kept_max) limits.blocks_kept_max = 64 << 20;
  limits.head_us = or_else(limits.head_us, 10000000);
  limits.idle_us = or_else(limits.idle_us, 60000000);
  limits.rate_us = or_else(limits.rate_us, 10000000);
  limits.write_us = or_else(limits.write_us, 60000000);
  limits.comment_us = or_else(limits.comment_us, 30000000);
  if (!limits.streams_max) limits.streams_max = 1024;
  limits.linger_us = or_else(limits.linger_us, 3000000);
  limits.deadline_us = or_else(limits.deadline_us, 30000000);
  limits.deadline_max_us = or_else(limits.deadline_max_us, 300000000);
  return limits;
}

uint32_t address_conns_max(const struct loop_limits *limits, uint32_t n_loops)
{
  uint32_t share = ADDRESS_CONNS / n_loops;
  return limits->address_max ? limits->address_max : share ? share : 1;
}

uint32_t loop_asks_max(uint32_t n_loops) { return ASKS_MAX * n_loops; }

/* Pools round up to cache lines and keep an index each; an address table has up to four slots for a
 * connection. */
static uint64_t boot_bytes(const struct loop_limits *limits)
{
  enum { LINE = 64 + sizeof(uint32_t) };
  uint64_t conn = sizeof(struct conn) + LINE + 4 * sizeof(struct address_count);
  uint64_t call = sizeof(struct call) + LINE;
  return sizeof(struct loop) + (limits->connections_max + 16) * conn +
         limits->calls_max * call + serve_boot_bytes(limits->calls_max) +
         ASKS_MAX * (sizeof(struct errand) + LINE);
}

void loop_limits_list(struct limits *to, const struct loop_limits *l, uint32_t n_loops)
{
  const uint64_t n = n_loops, chunks = (uint64_t)ASKS_MAX * UPLOAD_CHUNKS_MAX;
  const struct limit rows[] = {
      {"network threads", n, "", 0, "--loops", NULL},
      {"connections per network thread", l->connections_max, "", 0, "--connections-max", NULL},
      {"connections of one address per network thread", address_conns_max(l, n_loops), "", 0,
       "--connections-per-address-max", NULL},
      {"requests in work per network thread", l->calls_max, "", 0, "--calls-max", NULL},
      {"control-plane requests per network thread", ASKS_MAX, "", 0, NULL, NULL},
      {"event streams per network thread", l->streams_max, "", 0, NULL, NULL},
      {"reserved at start per network thread", boot_bytes(l), "bytes", boot_bytes(l) * n,
       "--calls-max", NULL},
      {"memory of requests per network thread", l->memory_max, "bytes", l->memory_max * n,
       "--memory-max", "what the kernel holds for sockets"},
      {"within it: bodies in work", l->bodies_max, "bytes", 0, "--bodies-max", NULL},
      {"within it: one request", 2 * l->call_bytes_max, "bytes", 0, "--body-max", NULL},
      {"within it: one inference body", l->body_max, "bytes", 0, "--body-max", NULL},
      {"within it: blocks kept for later", l->blocks_kept_max, "bytes", 0, NULL, NULL},
      {"within it: one connection's heads", ARENA_HEAD_MAX + READ_BYTES, "bytes", 0, NULL, NULL},
      {"beside it: uploads on their way", chunks * UPLOAD_CHUNK_BYTES, "bytes",
       chunks * UPLOAD_CHUNK_BYTES * n, NULL, NULL},
      {"time for a request head", (uint64_t)l->head_us / 1000, "ms", 0, "--head-timeout", NULL},
      {"idle connection", (uint64_t)l->idle_us / 1000, "ms", 0, "--idle-timeout", NULL},
      {"slow reader", (uint64_t)l->write_us / 1000, "ms", 0, "--write-timeout", NULL},
      {"request deadline at most", (uint64_t)l->deadline_max_us / 1000, "ms", 0, "--deadline-max",
       NULL},
      {"request deadline by default", (uint64_t)l->deadline_us / 1000, "ms", 0, "--deadline",
       NULL}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) limit_add(to, rows[i]);
}
