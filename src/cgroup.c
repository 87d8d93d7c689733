/* cgroup.c - paths from /proc/self/cgroup, numbers from the groups' files.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool kernel_text(const char *path, char to[KERNEL_TEXT_MAX])
{
  size_t len = 0;
  ssize_t n = -1;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && len < KERNEL_TEXT_MAX - 1 &&
         (n = read(fd, to + len, KERNEL_TEXT_MAX - 1 - len)) > 0)
    len += (size_t)n;
  if (fd >= 0) close(fd);
  to[len] = '\0';
  return n >= 0;
}

const char *kernel_behind(const char *text, const char *key)
{
  size_t len = strlen(key);
  for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
    if (strncmp(line, key, len) == 0) return line + len;
  return NULL;
}

bool kernel_number(const char *text, uint64_t *to)
{
  uint64_t value = 0;
  const char *at = text;
  for (; *at >= '0' && *at <= '9'; at++)
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
      return false;
  if (at == text || (*at && !strchr(" \t\r\n", *at))) return false;
  *to = value;
  return true;
}

uint64_t kernel_number_behind(const char *text, const char *key)
{
  uint64_t value = 0;
  const char *at = kernel_behind(text, key);
  while (at && (*at == ' ' || *at == '\t')) at++;
  return at && kernel_number(at, &value) ? value : 0;
}

/* --- which group ------------------------------------------------------------------------------ */

bool cgroup_text(const struct cgroup *cgroup, const char *name, char to[KERNEL_TEXT_MAX])
{
  char path[640];
  snprintf(path, sizeof path, "%s/%s", cgroup->folder, name);
  return cgroup->folder[0] && kernel_text(path, to);
}

static const char *limit_file(const struct cgroup *cgroup)
{
  return cgroup->v1 ? "memory.limit_in_bytes" : "memory.max";
}

uint64_t cgroup_limit(const struct cgroup *cgroup)
{
  char text[KERNEL_TEXT_MAX];
  uint64_t value = 0; /* "max" is no number */
  return cgroup_text(cgroup, limit_file(cgroup), text) && kernel_number(text, &value) ? value : 0;
}

uint64_t cgroup_used(const struct cgroup *cgroup)
{
  char text[KERNEL_TEXT_MAX];
  uint64_t used = 0;
  const char *name = cgroup->v1 ? "memory.usage_in_bytes" : "memory.current";
  if (!cgroup_text(cgroup, name, text) || !kernel_number(text, &used)) return 0;
  if (!cgroup_text(cgroup, "memory.stat", text)) return used;
  uint64_t inactive =
      kernel_number_behind(text, cgroup->v1 ? "total_inactive_file " : "inactive_file ");
  return used > inactive ? used - inactive : used; /* read at two moments */
}

/* Takes the group with the least limit from `base` + `path` up to `base`; with none, the lowest
 * that has the files. */
static void climb(struct cgroup *cgroup, const char *base, char *path, bool v1)
{
  uint64_t least = 0;
  for (char *end = path + strlen(path);; end = strrchr(path, '/')) {
    struct cgroup here = {.v1 = v1};
    char text[KERNEL_TEXT_MAX];
    if (!end) break;
    *end = '\0';
    int n = snprintf(here.folder, sizeof here.folder, "%s%s", base, path);
    bool there = n > 0 && (size_t)n < sizeof here.folder &&
                 cgroup_text(&here, limit_file(&here), text);
    uint64_t limit = there ? cgroup_limit(&here) : 0;
    if (there && (!cgroup->folder[0] || (limit && (!least || limit < least)))) {
      *cgroup = here;
      least = limit;
    }
    if (end == path) break;
  }
}

/* The line's path; false: it has none of this kind. */
static bool path_of(const char *line, bool v1, char *to, size_t cap)
{
  const char *names = strchr(line, ':');
  const char *path = names ? strchr(names + 1, ':') : NULL;
  const char *end = strchrnul(line, '\n');
  if (!path || path > end || path[1] != '/') return false;
  size_t n_names = (size_t)(path - names - 1), len = (size_t)(end - path - 1);
  bool ours = !v1 && n_names == 0;
  for (const char *at = names + 1; v1 && at <= path;) {
    size_t n = strcspn(at, ",:");
    ours = ours || (n == 6 && memcmp(at, "memory", 6) == 0);
    at += n + 1;
  }
  if (!ours || len >= cap) return false;
  memcpy(to, path + 1, len);
  to[len] = '\0';
  if (len == 1 || strstr(to, "/..")) to[0] = '\0'; /* above what is mounted here */
  return true;
}

void cgroup_find(struct cgroup *cgroup, const char *root)
{
  char text[KERNEL_TEXT_MAX], path[512], base[256];
  *cgroup = (struct cgroup){.v1 = false};
  snprintf(base, sizeof base, "%s/proc/self/cgroup", root);
  if (!kernel_text(base, text)) return;
  for (int v1 = 0; v1 <= 1 && !cgroup->folder[0]; v1++) {
    snprintf(base, sizeof base, "%s/sys/fs/cgroup%s", root, v1 ? "/memory" : "");
    for (const char *line = text; line && !cgroup->folder[0];
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
      if (path_of(line, v1, path, sizeof path)) climb(cgroup, base, path, v1);
  }
}

/* --- the budget ------------------------------------------------------------------------------- */

uint64_t budget_choose(uint64_t said, uint64_t machine, uint64_t limit, const char **from)
{
  uint64_t margin = limit / BUDGET_MARGIN_PART;
  bool below = limit && (!machine || limit < machine);
  *from = said ? "option" : below ? "cgroup" : "machine";
  if (said) return said;
  return below ? limit - (margin < BUDGET_MARGIN_MAX ? margin : BUDGET_MARGIN_MAX) : machine;
}
