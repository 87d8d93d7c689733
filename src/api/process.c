/* process.c - small readings of /proc.
 * Thread: any.
 * Source: proc(5).
 * SPDX-License-Identifier: MIT */
#include "api/process_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The whole small file as a string; empty when it cannot be read. */
static const char *file_text(const char *path, char *to, size_t cap)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, to, cap - 1);
  if (fd >= 0) close(fd);
  to[n > 0 ? n : 0] = '\0';
  return to;
}

/* The number after `key` at the start of a line; 0 when absent. */
static uint64_t line_number(const char *text, const char *key)
{
  size_t len = strlen(key);
  for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
    if (strncmp(line, key, len) == 0) return strtoull(line + len, NULL, 10);
  return 0;
}

static void machine_cpu(struct process_facts *facts, const char *text)
{
  if (strncmp(text, "cpu ", 4) != 0) return;
  char *at = (char *)text + 4;
  for (int i = 0; i < 8; i++) { /* user nice system idle iowait irq softirq steal */
    uint64_t ticks = strtoull(at, &at, 10);
    facts->cpu_all += ticks;
    if (i != 3 && i != 4) facts->cpu_busy += ticks;
  }
}

/* After the name, which may hold spaces and brackets: 14, 15 are utime, stime; 22 starttime. */
static void process_times(struct process_facts *facts, const char *text, uint64_t boot_s)
{
  const double hertz = (double)sysconf(_SC_CLK_TCK);
  const char *close = strrchr(text, ')');
  if (!close || hertz <= 0) return;
  uint64_t fields[23] = {0};
  const char *at = close + 1;
  for (int i = 3; i <= 22 && *at; i++) {
    while (*at == ' ') at++;
    fields[i] = strtoull(at, NULL, 10);
    at += strcspn(at, " ");
  }
  facts->cpu_seconds = (double)(fields[14] + fields[15]) / hertz;
  facts->threads = fields[20];
  facts->start_seconds = (double)boot_s + (double)fields[22] / hertz;
}

static uint64_t fds_open(void)
{
  /* by open, which the thread sanitizer knows to give a new number (test/tsan/openat.c) */
  int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  uint64_t n = 0;
  if (!dir) {
    if (fd >= 0) close(fd);
    return 0;
  }
  for (const struct dirent *entry; (entry = readdir(dir));)
    if (entry->d_name[0] != '.') n++;
  closedir(dir);
  return n - 1; /* our own look */
}

void process_read(struct process_facts *facts)
{
  char text[16384];
  *facts = (struct process_facts){.fds_open = fds_open()};
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts->fds_max = limit.rlim_cur;
  file_text("/proc/self/statm", text, sizeof text);
  const char *space = strchr(text, ' ');
  if (space) facts->resident_bytes = strtoull(space, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
  file_text("/proc/meminfo", text, sizeof text);
  facts->memory_total = line_number(text, "MemTotal:") << 10;
  facts->memory_available = line_number(text, "MemAvailable:") << 10;
  file_text("/proc/stat", text, sizeof text);
  machine_cpu(facts, text);
  uint64_t boot_s = line_number(text, "btime ");
  process_times(facts, file_text("/proc/self/stat", text, sizeof text), boot_s);
}
