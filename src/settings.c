/* settings.c - numbers from options, and what they may cost together.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "settings.h"

#include <string.h>
#include <unistd.h>

#include "api/desk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cgroup.h"
#include "jobs/job.h"
#include "jobs/notify.h"
#include "serve/cache/cache.h"
#include "serve/far/far.h"
#include "store/chores/janitor.h"

#define MEMORY_MAX_LEAST (INT64_C(64) << 20) /* of a network thread, where nobody said */

/* What all of the process may take. */
static int64_t memory_there(const struct options *options, const char **from)
{
  int64_t machine = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  int64_t said = option_number(options, OPTION_memory_budget);
  struct cgroup cgroup;
  cgroup_find(&cgroup, "");
  uint64_t budget =
      budget_choose((uint64_t)said, (uint64_t)machine, cgroup_limit(&cgroup), from);
  return (int64_t)(budget < (uint64_t)machine ? budget : (uint64_t)machine);
}

/* For one network thread: its share of what was said, or of a quarter of what there is. */
static uint64_t memory_share(const struct options *options, uint32_t n_loops)
{
  int64_t all = option_number(options, OPTION_memory_max);
  if (all) return (uint64_t)all / n_loops;
  const char *from;
  all = memory_there(options, &from) / 4;
  return (uint64_t)(all / n_loops > MEMORY_MAX_LEAST ? all / n_loops : MEMORY_MAX_LEAST);
}

uint64_t settings_models_memory(const struct options *options)
{
  int64_t said = option_number(options, OPTION_models_memory_max);
  const char *from;
  return (uint64_t)(said ? said : memory_there(options, &from) / 2);
}

static struct loop_limits loop_limits_of(const struct options *o, uint32_t n_loops)
{
  struct loop_limits limits = {
      .calls_max = (uint32_t)option_number(o, OPTION_calls_max),
      .connections_max = (uint32_t)(option_number(o, OPTION_connections_max) / n_loops),
      .address_max = (uint32_t)(option_number(o, OPTION_connections_per_address_max) / n_loops),
      .body_max = (uint64_t)option_number(o, OPTION_body_max),
      .bodies_max = (uint64_t)option_number(o, OPTION_bodies_max),
      .memory_max = memory_share(o, n_loops),
      .head_us = option_number(o, OPTION_head_timeout),
      .idle_us = option_number(o, OPTION_idle_timeout),
      .write_us = option_number(o, OPTION_write_timeout),
      .deadline_us = option_number(o, OPTION_deadline),
      .deadline_max_us = option_number(o, OPTION_deadline_max)};
  return loop_limits_filled(limits, n_loops);
}

static void budget_list(const struct options *options, struct limits *to)
{
  const char *from, *name = "memory of the process, by the machine's";
  uint64_t budget = (uint64_t)memory_there(options, &from);
  if (strcmp(from, "cgroup") == 0) name = "memory of the process, by the cgroup's limit";
  if (strcmp(from, "option") == 0) name = "memory of the process, as said";
  limit_add(to, (struct limit){name, budget, "bytes", 0, "--memory-budget", NULL});
}

static void limits_list(const struct sources *from, const struct loop_limits *loop,
                        struct limits *to)
{
  const struct post *post = from->post;
  uint64_t models = settings_models_memory(from->options);
  /* and control, scribe, janitor, notifier, inspector, and the watches' two small stacks */
  uint64_t threads = post->n_loops + post->n_workers + post->n_desks + post->n_jobs + 6;
  budget_list(from->options, to);
  loop_limits_list(to, loop, post->n_loops);
  desk_limits_list(to, post->n_desks, loop_asks_max(post->n_loops));
  job_limits_list(to, post->n_jobs);
  inspector_limits_list(to, from->inspector);
  notifier_limits_list(to);
  janitor_limits_list(to);
  log_limits_list(to);
  limit_add(to, (struct limit){"inference threads", post->n_workers, "", 0, "--workers", NULL});
  limit_add(to, (struct limit){"models in memory", models, "bytes", models,
                               "--models-memory-max", NULL});
  uint64_t kept = (uint64_t)option_number(from->options, OPTION_cache_max);
  limit_add(to, (struct limit){"predictions kept", kept, "bytes",
                               kept ? kept + cache_boot_bytes() : 0, "--cache-max", NULL});
  uint64_t far = option_text(from->options, OPTION_cache_redis)[0] ? post->n_loops : 0;
  limit_add(to, (struct limit){"memory of lines to Redis", far, "", far * far_bytes_max(), NULL,
                               "one per network thread"});
  limit_add(to, (struct limit){"stacks of threads", threads, "", threads * THREAD_STACK_ENGINE,
                               NULL, "the list of models with its worlds and counters"});
}

struct settings *settings_new(const struct sources *from, struct loop_limits *limits)
{
  struct settings *settings = grab_zero(1, sizeof *settings);
  *limits = loop_limits_of(from->options, from->post->n_loops);
  *settings = (struct settings){.head_us = limits->head_us,
                                .idle_us = limits->idle_us,
                                .write_us = limits->write_us,
                                .deadline_us = limits->deadline_us,
                                .deadline_max_us = limits->deadline_max_us,
                                .drain_delay_us = option_number(from->options, OPTION_drain_delay),
                                .keys_only = from->keys_only};
  limits_list(from, limits, &settings->limits);
  return settings;
}
