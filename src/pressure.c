/* pressure.c - small readings of /proc and /sys/fs/cgroup.
 * Thread: main.
 * Source: proc(5); the kernel's cgroup-v2.rst and psi.rst.
 * SPDX-License-Identifier: MIT */
#include "pressure.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/debug.h"
#include "control/guard/pressure.h"

enum { TEXT_MAX = 8192 };

/* The beginning of a small file as a string; false: it cannot be read. */
static bool text_of(const char *path, char to[TEXT_MAX])
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, to, TEXT_MAX - 1);
  if (fd >= 0) close(fd);
  to[n > 0 ? n : 0] = '\0';
  return n >= 0;
}

/* What stands behind `key`, which begins a line; NULL: there is no such line. */
static const char *behind(const char *text, const char *key)
{
  size_t len = strlen(key);
  for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
    if (strncmp(line, key, len) == 0) return line + len;
  return NULL;
}

static uint64_t number_behind(const char *text, const char *key)
{
  const char *at = behind(text, key);
  return at ? strtoull(at, NULL, 10) : 0;
}

static bool cgroup_text(const struct gauge *gauge, const char *name, char to[TEXT_MAX])
{
  char path[640];
  snprintf(path, sizeof path, "%s/%s", gauge->cgroup, name);
  return gauge->cgroup[0] && text_of(path, to);
}

void gauge_open(struct gauge *gauge, uint64_t budget)
{
  char text[TEXT_MAX];
  *gauge = (struct gauge){.budget = budget};
  mailbox_init(&gauge->home, NULL, NULL);
  if (text_of("/proc/meminfo", text)) gauge->machine = number_behind(text, "MemTotal:") << 10;
  const char *own = text_of("/proc/self/cgroup", text) ? behind(text, "0::") : NULL;
  if (!own) return;
  int n = snprintf(gauge->cgroup, sizeof gauge->cgroup, "/sys/fs/cgroup%.*s",
                   (int)strcspn(own, "\n"), own);
  if (n < 0 || (size_t)n >= sizeof gauge->cgroup) gauge->cgroup[0] = '\0';
}

static uint64_t resident(void)
{
  char text[TEXT_MAX];
  return text_of("/proc/self/status", text) ? number_behind(text, "VmRSS:") << 10 : 0;
}

static void memory_read(const struct gauge *gauge, struct pressure_readings *to)
{
  char text[TEXT_MAX];
  to->memory_used = resident();
  to->memory_max = gauge->budget ? gauge->budget : gauge->machine;
  if (gauge->budget || !cgroup_text(gauge, "memory.max", text)) return;
  uint64_t max = strtoull(text, NULL, 10); /* "max": 0 */
  if (!max || !cgroup_text(gauge, "memory.current", text)) return;
  uint64_t used = strtoull(text, NULL, 10);
  uint64_t inactive =
      cgroup_text(gauge, "memory.stat", text) ? number_behind(text, "inactive_file ") : 0;
  to->memory_max = max;
  to->memory_used = used > inactive ? used - inactive : 0;
}

static double stall_read(const struct gauge *gauge, const struct pressure_readings *read)
{
  char text[TEXT_MAX];
  bool ours = read->memory_used > gauge->machine / 2;
  if (!cgroup_text(gauge, "memory.pressure", text) &&
      !(ours && text_of("/proc/pressure/memory", text)))
    return 0;
  const char *full = behind(text, "full avg10=");
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
  char text[TEXT_MAX], key[16];
  const char *path = debug_pressure();
  if (!path) return false;
  if (!text_of(path, text)) return true;
  for (int i = 0; i < SOURCES; i++) {
    snprintf(key, sizeof key, "%s ", source_name((enum pressure_source)i));
    uint64_t percent = number_behind(text, key);
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
