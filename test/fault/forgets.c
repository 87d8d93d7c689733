/* forgets.c - a library to preload into the daemon: it writes down what it does to files below
 * $FORGETS_ROOT and what of that it made durable, so that test/lib/forgets.py can take back what a
 * power cut would have taken. SQLite's files are not its business: they have a test of their own.
 * Thread: any.
 *
 * A line a call, "LETTER path [path]", in $FORGETS_LOG:
 *   C made, W written, M folder made, L link made, R renamed, U unlinked: before the call
 *   S synced: after it
 * What a rename or an unlink takes away is kept as a hard link in $FORGETS_KEEP, its name ends the
 * line. $FORGETS_DEAF, a folder of the root ("held"): syncs in it are not written down, so that a
 * test can show that it would see them missing.
 * SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 1024 };

static int log_fd = -1;
static const char *root, *keep, *deaf;
static atomic_uint kept;

__attribute__((constructor)) static void attach(void)
{
  const char *log = getenv("FORGETS_LOG");
  root = getenv("FORGETS_ROOT");
  keep = getenv("FORGETS_KEEP");
  deaf = getenv("FORGETS_DEAF");
  if (log && root && keep) log_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

#define REAL(name)                      \
  static __typeof__(name) *real_##name; \
  if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)

static bool fd_path(int fd, char *to)
{
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, to, PATH_LEN - 1);
  if (n <= 0) return false;
  to[n] = '\0';
  return strncmp(to, root, strlen(root)) == 0;
}

static bool at_path(int dir, const char *name, char *to)
{
  if (log_fd < 0 || name[0] == '/' || !fd_path(dir, to)) return false;
  size_t len = strlen(to);
  snprintf(to + len, PATH_LEN - len, "/%s", name);
  return true;
}

static void note(char letter, const char *path, const char *more, const char *last)
{
  REAL(write);
  char line[3 * PATH_LEN + 8];
  int len = snprintf(line, sizeof line, "%c %s %s %s\n", letter, path, more, last);
  ssize_t n = real_write(log_fd, line, (size_t)len);
  (void)n;
}

/* Another name for what is about to lose its own; "-" where there is nothing. */
static void save(const char *path, char *to)
{
  snprintf(to, PATH_LEN, "%s/%u", keep, kept++);
  if (linkat(AT_FDCWD, path, AT_FDCWD, to, 0) != 0) snprintf(to, PATH_LEN, "-");
}

int openat(int dir, const char *name, int flags, ...)
{
  REAL(openat);
  char path[PATH_LEN];
  va_list args;
  va_start(args, flags);
  mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
  va_end(args);
  if (flags & O_CREAT && at_path(dir, name, path) &&
      faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW))
    note('C', path, "-", "-");
  return real_openat(dir, name, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
  REAL(write);
  char path[PATH_LEN];
  struct stat st;
  if (log_fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fd_path(fd, path))
    note('W', path, "-", "-");
  return real_write(fd, bytes, n);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
  REAL(mkdirat);
  char path[PATH_LEN];
  if (at_path(dir, name, path) && faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW))
    note('M', path, "-", "-");
  return real_mkdirat(dir, name, mode);
}

int symlinkat(const char *text, int dir, const char *name)
{
  REAL(symlinkat);
  char path[PATH_LEN];
  if (at_path(dir, name, path)) note('L', path, "-", "-");
  return real_symlinkat(text, dir, name);
}

int renameat(int from, const char *name, int to, const char *new_name)
{
  REAL(renameat);
  char path[PATH_LEN], new_path[PATH_LEN], old[PATH_LEN];
  if (at_path(from, name, path) && at_path(to, new_name, new_path)) {
    save(new_path, old);
    note('R', path, new_path, old);
  }
  return real_renameat(from, name, to, new_name);
}

int unlinkat(int dir, const char *name, int flags)
{
  REAL(unlinkat);
  char path[PATH_LEN], old[PATH_LEN];
  if (!flags && at_path(dir, name, path)) {
    save(path, old);
    note('U', path, "-", old);
  }
  return real_unlinkat(dir, name, flags);
}

static void synced(int fd)
{
  char path[PATH_LEN];
  if (log_fd < 0 || !fd_path(fd, path)) return;
  if (deaf && strncmp(path + strlen(root) + 1, deaf, strlen(deaf)) == 0) return;
  note('S', path, "-", "-");
}

int fsync(int fd)
{
  REAL(fsync);
  int rc = real_fsync(fd);
  if (rc == 0) synced(fd);
  return rc;
}

int fdatasync(int fd)
{
  REAL(fdatasync);
  int rc = real_fdatasync(fd);
  if (rc == 0) synced(fd);
  return rc;
}
