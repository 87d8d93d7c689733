/* logs.c - the log file's end, filtered for who asks.
 * Thread: desk; reads the file the main thread writes.
 * `after` is a byte offset into the file, given out as "next"; a file that has become shorter than
 * it (rotated) is read from its start. A line of another tenant is never shown; one that names no
 * tenant is about the process, and shown to whoever sees that (ask_sees_server).
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/handlers_int.h"
#include "base/mem.h"

enum { LOGS_TAIL_BYTES = 64 << 10, LOGS_READ_MAX = 256 << 10, LOGS_LINES_MAX = 2000 };

struct want {
  struct slice tenant, model;
  bool server; /* lines of no tenant, too */
};

static bool member_is(const json_t *line, const char *key, struct slice value)
{
  const json_t *member = json_object_get(line, key);
  return json_is_string(member) &&
         slice_eq(slice_of(json_string_value(member), json_string_length(member)), value);
}

static bool line_is_wanted(const json_t *line, const struct want *want)
{
  if (!json_is_object(line)) return false;
  bool nobodys = !json_object_get(line, "tenant") || member_is(line, "tenant", SLICE(""));
  if (nobodys ? !want->server : !member_is(line, "tenant", want->tenant)) return false;
  return !want->model.at || member_is(line, "model", want->model);
}

/* Adds the lines of `text`, all whole. */
static void lines_add(json_t *list, struct slice text, const struct want *want)
{
  while (text.len) {
    const char *end = memchr(text.at, '\n', text.len);
    size_t len = end ? (size_t)(end - text.at) : text.len;
    struct err ignored;
    json_t *line = json_parse(slice_of(text.at, len), &ignored);
    if (line && line_is_wanted(line, want)) json_array_append(list, line);
    if (line) json_decref(line);
    text = slice_from(text, len + 1);
  }
  while (json_array_size(list) > LOGS_LINES_MAX) json_array_remove(list, 0);
}

/* Reads whole lines from *from on into the list; *from becomes the offset after them. */
static enum code log_read(const char *path, bool tail, int64_t *from, const struct want *want,
                          json_t *list, struct err *err)
{
  struct stat st;
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
  if (fd < 0 || fstat(fd, &st) != 0) {
    if (fd >= 0) close(fd);
    return fail(err, E_UNAVAILABLE, "there is no log file to read");
  }
  if (tail) *from = st.st_size > LOGS_TAIL_BYTES ? st.st_size - LOGS_TAIL_BYTES : 0;
  if (*from > st.st_size) *from = 0;
  char *bytes = grab(LOGS_READ_MAX);
  ssize_t n = pread(fd, bytes, LOGS_READ_MAX, *from);
  close(fd);
  struct slice text = slice_of(bytes, n > 0 ? (size_t)n : 0);
  const char *last = text.len ? memrchr(text.at, '\n', text.len) : NULL;
  text.len = last ? (size_t)(last - text.at) + 1 : 0;
  int64_t next = *from + (int64_t)text.len;
  if (tail && *from > 0 && text.len) { /* the first line is cut */
    const char *first = memchr(text.at, '\n', text.len);
    text = slice_from(text, (size_t)(first - text.at) + 1);
  }
  lines_add(list, text, want);
  ungrab(bytes);
  *from = next;
  return OK;
}

enum desk_step system_logs(struct ask *ask)
{
  struct want want = {.tenant = ask->letter->tenant, .server = ask_sees_server(ask)};
  int64_t from = -1;
  if (!ask_query_int(ask, "after", 0, INT64_MAX, &from)) return ask_fail(ask);
  if (!ask_query(ask, "model", &want.model)) return ask_fail(ask);
  json_t *list = json_array();
  bool tail = from < 0;
  if (log_read(ask->desk->opts->log_path, tail, &from, &want, list, &ask->err) != OK) {
    json_decref(list);
    return ask_fail(ask);
  }
  return ask_json(ask, 200, json_pack("{so,so}", "lines", list, "next", json_integer(from)));
}
