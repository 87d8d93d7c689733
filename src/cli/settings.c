/* settings.c - flags, environment, configuration file; the key of the daemon on this machine.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/ip.h"
#include "base/text.h"
#include "wire/yaml.h"

enum { PATH_BYTES_MAX = 4096, FILE_BYTES_MAX = 4096 };

/* ---- URLs ---- */

/* "localhost:9000", "[::1]:9000": a host and a port, as --listen takes them. */
static bool is_address(const char *text, size_t len)
{
  size_t port = len;
  uint64_t number;
  while (port && text[port - 1] != ':') port--;
  return port > 1 && !memchr(text, '/', len) && !memchr(text, '@', len) &&
         text_read_u64(slice_of(text + port, len - port), 65535, &number) && number > 0;
}

enum code url_read(char to[URL_MAX], const char *text, struct err *err)
{
  size_t len = strlen(text);
  while (len && text[len - 1] == '/') len--;
  bool scheme = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
  char whole[URL_MAX];
  if (!scheme && is_address(text, len)) {
    int n = snprintf(whole, sizeof whole, "http://%.*s", (int)len, text);
    if (n > 0 && (size_t)n < sizeof whole) text = whole, len = (size_t)n, scheme = true;
  }
  if (!scheme || len >= URL_MAX || strcspn(text, " \t\r\n\"<>\\^`{|}") < len)
    return fail(err, E_INVALID_ARGUMENT, "'%.64s' is not a URL like http://127.0.0.1:8080", text);
  memcpy(to, text, len);
  to[len] = '\0';
  return OK;
}

bool url_is_local(const char *url)
{
  static const struct cidr local[] = {{{{[10] = 0xff, 0xff, 127}}, 104}, {{{[15] = 1}}, 128}};
  const char *host = strstr(url, "://");
  if (!host) return false;
  host += 3;
  size_t len = strcspn(host, "/?#");
  if (memchr(host, '@', len)) return false; /* somebody is hiding a host */
  bool brackets = host[0] == '[';
  size_t end = strcspn(host, brackets ? "]" : ":/?#");
  if (end > len || (brackets && (host[end] != ']' || !strchr(":/?#", host[end + 1]))))
    return false;
  struct slice name = brackets ? slice_of(host + 1, end - 1) : slice_of(host, end);
  struct ip ip;
  if (slice_eq_nocase(name, SLICE("localhost"))) return true;
  if (!ip_read(name, &ip)) return false;
  return cidr_holds(&local[0], &ip) || cidr_holds(&local[1], &ip);
}

/* ---- keys ---- */

static enum code key_take(char to[KEY_TEXT_LEN + 1], struct slice text, const char *where,
                          struct err *err)
{
  struct key_text parts;
  while (text.len && strchr(" \t\r\n", text.at[text.len - 1])) text.len--;
  bool good = key_text_read(text, &parts);
  if (!good && text.len == KEY_TEXT_LEN && slice_starts(text, SLICE("slw_")))
    return fail(err, E_INVALID_ARGUMENT,
                "the key that %s holds is mistyped or cut: its check digits do not fit", where);
  if (!good)
    return fail(err, E_INVALID_ARGUMENT,
                "what %s holds is not a key: it begins with slw_ and has %d characters", where,
                KEY_TEXT_LEN);
  memcpy(to, text.at, KEY_TEXT_LEN);
  to[KEY_TEXT_LEN] = '\0';
  return OK;
}

/* Bytes of a file that only its owner may read. */
static enum code private_read(const char *path, char to[FILE_BYTES_MAX], size_t *len,
                              struct err *err)
{
  struct stat info;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail(err, errno == ENOENT ? E_NOT_FOUND : E_DENIED, "cannot read '%.128s': %s", path,
                strerror(errno));
  enum code code = OK;
  ssize_t n = fd_read(fd, to, FILE_BYTES_MAX);
  if (fstat(fd, &info) != 0 || (S_ISREG(info.st_mode) && (info.st_mode & 077)))
    code = fail(err, E_DENIED, "'%.128s' may be read by others; say: chmod 600 %.128s", path, path);
  else if (n < 0 || n == FILE_BYTES_MAX)
    code = fail(err, E_INVALID_ARGUMENT, "'%.128s' is not a small file", path);
  close(fd);
  *len = code ? 0 : (size_t)n;
  return code;
}

static enum code input_read(char to[FILE_BYTES_MAX], size_t *len, struct err *err)
{
  struct termios before, quiet;
  bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
  if (terminal) {
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    fputs("key: ", stderr);
  }
  ssize_t n = 0, got; /* one line: what a pipe brings may come in pieces */
  do {
    got = read(STDIN_FILENO, to + n, FILE_BYTES_MAX - (size_t)n);
    if (got > 0) n += got;
  } while ((got > 0 && !memchr(to, '\n', (size_t)n) && n < FILE_BYTES_MAX) ||
           (got < 0 && errno == EINTR));
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
  }
  *len = n > 0 ? (size_t)n : 0;
  return n > 0 ? OK : fail(err, E_INVALID_ARGUMENT, "no key came from standard input");
}

enum code key_file_read(char to[KEY_TEXT_LEN + 1], const char *path, struct err *err)
{
  char bytes[FILE_BYTES_MAX];
  size_t len;
  bool input = strcmp(path, "-") == 0;
  enum code code = input ? input_read(bytes, &len, err) : private_read(path, bytes, &len, err);
  if (!code) {
    const char *end = memchr(bytes, '\n', len);
    if (end) len = (size_t)(end - bytes);
    code = key_take(to, slice_of(bytes, len), input ? "standard input" : "the file", err);
  }
  explicit_bzero(bytes, sizeof bytes);
  return code;
}

bool local_key_read(char to[KEY_TEXT_LEN + 1])
{
  char path[PATH_BYTES_MAX];
  struct err ignored;
  const char *data = getenv("SLIPWAY_DATA"), *home = getenv("HOME");
  int len = -1;
  if (data && data[0]) len = snprintf(path, sizeof path, "%s/admin.key", data);
  else if (home && home[0])
    len = snprintf(path, sizeof path, "%s/.local/share/slipway/admin.key", home);
  if (len < 0 || (size_t)len >= sizeof path) return false;
  return key_file_read(to, path, &ignored) == OK;
}

/* ---- the configuration file ---- */

static bool config_path(char to[PATH_BYTES_MAX], bool make)
{
  const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
  int len = -1;
  if (xdg && xdg[0] == '/') len = snprintf(to, PATH_BYTES_MAX, "%s", xdg);
  else if (home && home[0]) len = snprintf(to, PATH_BYTES_MAX, "%s/.config", home);
  if (len < 0 || (size_t)len + sizeof "/slipway/config.yaml.new" >= PATH_BYTES_MAX) return false;
  if (make) mkdir(to, 0700);
  len += snprintf(to + len, PATH_BYTES_MAX - (size_t)len, "/slipway");
  if (make) mkdir(to, 0700);
  snprintf(to + len, PATH_BYTES_MAX - (size_t)len, "/config.yaml");
  return true;
}

static enum code config_apply(struct settings *to, bool url_given, struct slice text,
                              struct err *err)
{
  static const char *const names[] = {"url", "key", NULL};
  struct slice url = SLICE_NONE, key = SLICE_NONE;
  const struct yaml *root;
  struct arena arena;
  char copy[URL_MAX], read[URL_MAX];
  arena_init(&arena, 1 << 20, NULL);
  enum code code = yaml_parse(text, &arena, &root, err);
  if (!code) code = yaml_keys_check(root, names, err);
  if (!code) code = yaml_string(yaml_get(root, "url"), &url, err);
  if (!code) code = yaml_string(yaml_get(root, "key"), &key, err);
  if (!code && url.len && slice_to_str(url, copy, sizeof copy)) code = url_read(read, copy, err);
  if (!code && url.len) {
    if (!url_given) memcpy(to->url, read, sizeof read);
    bool same = strcmp(to->url, read) == 0; /* a key goes only to whom it was given for */
    if (same && key.len && !to->key[0])
      code = key_take(to->key, key, "the configuration file", err);
  }
  for (struct slice *s = &key; s->len; s->len = 0) explicit_bzero((void *)(uintptr_t)s->at, s->len);
  arena_deinit(&arena);
  return code;
}

/* What goes into a header: one word without control bytes. Whether there is such a tenant the
 * server says. */
static enum code tenant_read(char to[TENANT_MAX], const char *flag, struct err *err)
{
  const char *name = flag ? flag : getenv("SLIPWAY_TENANT");
  size_t len = name ? strlen(name) : 0;
  if (len >= TENANT_MAX) return fail(err, E_BAD_NAME, "'%.64s...' is no tenant's name", name);
  for (size_t i = 0; i < len; i++)
    if (name[i] <= ' ' || name[i] > '~')
      return fail(err, E_BAD_NAME, "'%.64s' is no tenant's name", name);
  if (len) memcpy(to, name, len + 1);
  return OK;
}

enum code settings_read(struct settings *to, const char *url_flag, const char *tenant_flag,
                        struct err *err)
{
  char path[PATH_BYTES_MAX], bytes[FILE_BYTES_MAX];
  size_t len;
  const char *url = url_flag && url_flag[0] ? url_flag : getenv("SLIPWAY_URL");
  const char *key = getenv("SLIPWAY_KEY"), *file = getenv("SLIPWAY_KEY_FILE");
  bool url_given = url && url[0];
  *to = (struct settings){.url = "http://127.0.0.1:8080"};
  if (tenant_read(to->tenant, tenant_flag, err)) return err->code;
  if (url_given && url_read(to->url, url, err)) return err->code;
  if (key && key[0]) {
    if (key_take(to->key, slice_str(key), "SLIPWAY_KEY", err)) return err->code;
  } else if (file && file[0] && key_file_read(to->key, file, err)) {
    return err->code;
  }
  if (!config_path(path, false)) return OK;
  enum code code = private_read(path, bytes, &len, err);
  if (code == E_NOT_FOUND) return OK;
  if (!code) code = config_apply(to, url_given, slice_of(bytes, len), err);
  explicit_bzero(bytes, sizeof bytes);
  if (code) settings_wipe(to);
  return code;
}

void settings_wipe(struct settings *settings) { explicit_bzero(settings, sizeof *settings); }

enum code settings_write(const struct settings *settings, struct err *err)
{
  char path[PATH_BYTES_MAX], fresh[PATH_BYTES_MAX + 8], text[URL_MAX + KEY_TEXT_LEN + 64];
  if (!config_path(path, true))
    return fail(err, E_INVALID_ARGUMENT, "there is no HOME to keep settings in");
  int len = settings->key[0] ? snprintf(text, sizeof text, "url: \"%s\"\nkey: \"%s\"\n",
                                        settings->url, settings->key)
                             : snprintf(text, sizeof text, "url: \"%s\"\n", settings->url);
  must(len > 0 && (size_t)len < sizeof text);
  snprintf(fresh, sizeof fresh, "%s.new", path);
  unlink(fresh);
  int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  bool good = fd >= 0 && fd_write(fd, slice_of(text, (size_t)len)) && fsync(fd) == 0;
  int error = errno;
  explicit_bzero(text, sizeof text);
  if (fd >= 0) close(fd);
  if (good && rename(fresh, path) == 0) return OK;
  if (good) error = errno;
  unlink(fresh);
  return fail(err, E_DENIED, "cannot write '%.128s': %s", path, strerror(error));
}
