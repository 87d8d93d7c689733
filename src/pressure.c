/* pressure.c - small readings of /proc and /sys/fs/cgroup.
 * Thread: main.
 * Source: proc(5); the kernel's cgroup-v2.rst and psi.rst.
 * SPDX-License-Identifier: MIT */
#include "pressure.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/debug.h"
#include "base/log.h"
#include "control/guard/pressure.h"

void gauge_open(struct gauge *gauge, uint64_t budget)
{
  char text[KERNEL_TEXT_MAX];
  *gauge = (struct gauge){.budget = budget};
  mailbox_init(&gauge->home, NULL, NULL);
  if (kernel_text("/proc/meminfo", text))
    gauge->machine = kernel_number_behind(text, "MemTotal:") << 10;
  cgroup_find(&gauge->cgroup, "");
  uint64_t limit = cgroup_limit(&gauge->cgroup);
  if (limit && budget > limit)
    log_event(LOG_WARN, "memory_budget_above_cgroup", "budget_bytes", log_num((int64_t)budget),
              "limit_bytes", log_num((int64_t)limit), NULL);
}

static uint64_t resident(void)
{
  char text[KERNEL_TEXT_MAX];
  return kernel_text("/proc/self/status", text) ? kernel_number_behind(text, "VmRSS:") << 10 : 0;
}

/* The limit is read each time: it may be changed under us. */
static void memory_read(const struct gauge *gauge, struct pressure_readings *to)
{
  uint64_t limit = cgroup_limit(&gauge->cgroup);
  to->memory_max = budget_choose(gauge->budget, gauge->machine, limit, &to->memory_from);
  if (!gauge->budget && to->memory_max != gauge->machine)
    to->memory_used = cgroup_used(&gauge->cgroup);
  if (!to->memory_used) to->memory_used = resident();
}

static double stall_read(const struct gauge *gauge, const struct pressure_readings *read)
{
  char text[KERNEL_TEXT_MAX];
  bool ours = read->memory_used > gauge->machine / 2;
  if (!cgroup_text(&gauge->cgroup, "memory.pressure", text) &&
      !(ours && kernel_text("/proc/pressure/memory", text)))
    return 0;
  const char *full = kernel_behind(text, "full avg10=");
  return full ? strtod(full, NULL) : 0;
}

static uint8_t files_read(void)
{
  struct rlimit limit;
  uint64_t open_now = 0;
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return 100; /* not even for this is one left */
  while (readdir(dir)) open_now++;
  closedir(dir);
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return pressure_used(open_now > 3 ? open_now - 3 : 0, limit.rlim_cur);
}

/* A test's; false: there is none. */
static bool said(struct pressure_readings *to)
{
  char text[KERNEL_TEXT_MAX], key[16];
  const char *path = debug_pressure();
  if (!path) return false;
  if (!kernel_text(path, text)) return true;
  for (int i = 0; i < SOURCES; i++) {
    snprintf(key, sizeof key, "%s ", source_name((enum pressure_source)i));
    uint64_t percent = kernel_number_behind(text, key);
    to->percent[i] = (uint8_t)(percent < 100 ? percent : 100);
  }
  return true;
}

static void readings_take(struct gauge *gauge, struct pressure_readings *to, int64_t now_us)
{
  *to = (struct pressure_readings){0};
  memory_read(gauge, to);
  if (said(to)) return;
  to->percent[SOURCE_MEMORY] = pressure_used(to->memory_used, to->memory_max);
  to->percent[SOURCE_STALL] = pressure_stall(stall_read(gauge, to));
  if (now_us >= gauge->files_us) {
    gauge->files_us = now_us + 1000000;
    gauge->files = files_read();
  }
  to->percent[SOURCE_FILES] = gauge->files;
}

int64_t gauge_turn(struct gauge *gauge, struct mailbox *control, int64_t now_us)
{
  if (now_us < gauge->next_us) return gauge->next_us;
  gauge->next_us = now_us + PRESSURE_EVERY_US;
  if (gauge->out && !mailbox_take(&gauge->home)) return gauge->next_us;
  readings_take(gauge, &gauge->letter.readings, now_us);
  gauge->letter.mail.kind = LETTER_PRESSURE;
  gauge->letter.home = &gauge->home;
  gauge->out = true;
  mail_send(control, &gauge->letter.mail);
  return gauge->next_us;
}
