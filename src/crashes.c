/* crashes.c - reading the lines, telling control.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "crashes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "control/registry/quarantine.h"
#include "infer/crash.h"
#include "keeper.h"

enum { FILE_MAX = 64 << 10 };

/* "UNIX_MS who"; takes the line off the text. False: no more. */
static bool line_take(struct slice *text, uint64_t *ms, struct slice *who)
{
  while (text->len) {
    const char *end = memchr(text->at, '\n', text->len);
    struct slice line = slice_of(text->at, end ? (size_t)(end - text->at) : text->len);
    *text = slice_from(*text, end ? line.len + 1 : line.len);
    const char *blank = line.len ? memchr(line.at, ' ', line.len) : NULL;
    if (!blank) continue;
    *who = slice_from(line, (size_t)(blank - line.at) + 1);
    if (who->len < CRASH_WHO_MAX && who->len &&
        text_read_u64(slice_of(line.at, (size_t)(blank - line.at)), INT64_MAX, ms))
      return true;
  }
  return false;
}

static bool is_known(const struct crashes *crashes, struct slice who)
{
  for (uint32_t i = 0; i < crashes->n; i++)
    if (slice_eq(slice_str(crashes->who[i]), who)) return true;
  return false;
}

/* `rest` begins behind one crash of `who`: whether enough others follow soon after. */
static bool is_enough(struct slice rest, struct slice who, uint64_t first_ms)
{
  struct slice next;
  uint64_t ms;
  uint32_t n = 1;
  while (n < QUARANTINE_STRIKES && line_take(&rest, &ms, &next))
    if (slice_eq(next, who) && ms >= first_ms && ms - first_ms <= QUARANTINE_US / 1000) n++;
  return n == QUARANTINE_STRIKES;
}

static void crashes_judge(struct crashes *crashes, struct slice text)
{
  struct slice who;
  uint64_t ms;
  while (line_take(&text, &ms, &who)) {
    if (crashes->n == CRASHES_TOLD_MAX || is_known(crashes, who) || !is_enough(text, who, ms))
      continue;
    slice_to_str(who, crashes->who[crashes->n++], CRASH_WHO_MAX);
  }
}

enum code crashes_open(struct crashes *crashes, const struct datadir *dir, struct err *err)
{
  static char text[FILE_MAX];
  *crashes = (struct crashes){.fd = openat(dir->fd, "crashes",
                                           O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                                           0600)};
  if (crashes->fd < 0) return fail_errno(err, errno, "the file of crashes");
  ssize_t n = pread(crashes->fd, text, sizeof text, 0);
  crashes_judge(crashes, slice_of(text, n > 0 ? (size_t)n : 0));
  if (n == FILE_MAX && !crashes->n && ftruncate(crashes->fd, 0) != 0)
    log_event(LOG_WARN, "crashes_not_emptied", NULL);
  crash_watch(crashes->fd);
  return OK;
}

/* "TENANT MODEL VERSION"; names have no blanks. */
static bool who_read(struct slice who, struct event *event)
{
  uint64_t version;
  const char *first = memchr(who.at, ' ', who.len);
  if (!first) return false;
  event->tenant = slice_of(who.at, (size_t)(first - who.at));
  who = slice_from(who, event->tenant.len + 1);
  const char *second = who.len ? memchr(who.at, ' ', who.len) : NULL;
  if (!second) return false;
  event->model = slice_of(who.at, (size_t)(second - who.at));
  if (!text_read_u64(slice_from(who, event->model.len + 1), UINT32_MAX, &version)) return false;
  event->version = (uint32_t)version;
  return true;
}

void crashes_bar(const struct crashes *crashes, struct control *control)
{
  for (uint32_t i = 0; i < crashes->n; i++) {
    struct event event;
    if (who_read(slice_str(crashes->who[i]), &event))
      control_suspect(control, event.tenant, event.model, event.version);
  }
}

/* A version that has gone meanwhile is done with, a full disk is not. */
static bool is_told(enum code code)
{
  return code == OK || code == E_NOT_FOUND || code == E_MODEL_NOT_FOUND ||
         code == E_VERSION_NOT_FOUND;
}

int crashes_tell(struct crashes *crashes, const struct post *post)
{
  static struct letter_command letter;
  struct arena arena;
  int signal = 0;
  bool told = true;
  arena_init(&arena, 1 << 16, NULL);
  for (uint32_t i = 0; i < crashes->n; i++) {
    bool home = false;
    letter = (struct letter_command){.mail.kind = LETTER_COMMAND,
                                     .home = keeper_box(),
                                     .kind = COMMAND_VERSION_QUARANTINE,
                                     .arena = &arena};
    letter.event = (struct event){
        .actor = SLICE("slipway"),
        .reason = SLICE(QUARANTINE_CRASHED)};
    if (!who_read(slice_str(crashes->who[i]), &letter.event)) continue;
    log_event(LOG_ERROR, "version_crashed", "who", crashes->who[i], NULL);
    mail_send(post->control, &letter.mail);
    while (!home) {
      struct mail *mail;
      int came = keeper_wait(INT64_MAX, &mail);
      if (came) signal = came;
      home = mail != NULL;
    }
    told = told && is_told(letter.err.code);
    if (letter.err.code)
      log_event(LOG_WARN, "quarantine_not_written", "reason", letter.err.text, NULL);
  }
  arena_deinit(&arena);
  if (crashes->n && told && ftruncate(crashes->fd, 0) != 0)
    log_event(LOG_WARN, "crashes_not_emptied", NULL);
  crashes->n = 0;
  return signal;
}
