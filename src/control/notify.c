/* notify.c - notices as JSON, one note for each URL; notes as letters.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/notify.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_int.h"

enum { BODY_MAX = 256 << 10, EVIDENCE_MAX = 192 << 10, LETTER_ARENA_MAX = 1 << 20 };
enum { NOTES_MAX = 4 * NOTICE_URLS_MAX, NOTES_BYTES_MAX = 16 << 20, OWED_MS = 86400000 };

/* --- JSON ------------------------------------------------------------------------------------- */

static void member(struct buf *to, const char *name, struct slice text)
{
  buf_print(to, ",\"%s\":", name);
  if (text.len)
    buf_json(to, text);
  else
    buf_add(to, SLICE("null"));
}

static void number(struct buf *to, const char *name, uint32_t value)
{
  if (value)
    buf_print(to, ",\"%s\":%u", name, value);
  else
    buf_print(to, ",\"%s\":null", name);
}

static void data_write(struct buf *to, const struct notice *notice)
{
  bool fits = notice->evidence.len && notice->evidence.len <= EVIDENCE_MAX;
  buf_add(to, SLICE("{\"tenant\":"));
  if (notice->tenant.len)
    buf_json(to, notice->tenant);
  else
    buf_add(to, SLICE("null"));
  member(to, "model", notice->model);
  number(to, "version", notice->version);
  number(to, "release", notice->release);
  if (notice->release)
    buf_print(to, ",\"step\":%u", notice->step);
  else
    buf_add(to, SLICE(",\"step\":null"));
  member(to, "state", slice_str(notice->state));
  member(to, "why", slice_str(notice->why));
  member(to, "actor", notice->actor);
  member(to, "person", notice->person);
  member(to, "sentence", notice->sentence);
  buf_add(to, SLICE(",\"evidence\":"));
  buf_add(to, fits ? notice->evidence : SLICE("null"));
  buf_add(to, SLICE("}"));
}

static void text_write(struct buf *to, const struct notice *notice)
{
  struct buf text;
  buf_init(&text, 4096);
  if (notice->model.len)
    buf_print(&text, "%.*s/%.*s: ", SLICE_ARG(notice->tenant), SLICE_ARG(notice->model));
  else
    buf_add(&text, SLICE("the server: "));
  if (notice->version) buf_print(&text, "version %u ", notice->version);
  buf_print(&text, "%s", notice->state);
  if (notice->why) buf_print(&text, " (%s)", notice->why);
  if (notice->person.len) buf_print(&text, " by %.*s", SLICE_ARG(notice->person));
  if (notice->sentence.len) {
    buf_add(&text, SLICE(": "));
    buf_add(&text, notice->sentence);
  }
  buf_json(to, buf_lend(&text));
  buf_deinit(&text);
}

/* Members of the Events API v2, which takes what else there is as it is. */
static void pager_write(struct buf *to, const struct notice *notice, struct slice routing_key,
                        const char *at)
{
  member(to, "routing_key", routing_key);
  buf_print(to, ",\"event_action\":\"%s\",\"dedup_key\":", notice->bad ? "trigger" : "resolve");
  struct buf key;
  buf_init(&key, 1024);
  if (notice->model.len)
    buf_print(&key, "slipway/%.*s/%.*s", SLICE_ARG(notice->tenant), SLICE_ARG(notice->model));
  else
    buf_print(&key, "slipway/%s", notice->about);
  if (notice->release) buf_print(&key, "/%u", notice->release);
  buf_json(to, buf_lend(&key));
  buf_deinit(&key);
  buf_add(to, SLICE(",\"payload\":{\"summary\":"));
  text_write(to, notice);
  buf_print(to, ",\"source\":\"slipway\",\"severity\":\"%s\",\"timestamp\":\"%s\"",
            notice->bad ? "error" : "info", at);
  if (notice->model.len) member(to, "component", notice->model);
  if (notice->tenant.len) member(to, "group", notice->tenant);
  buf_add(to, SLICE("}"));
}

static void body_write(struct buf *to, const struct notice *notice, struct slice routing_key,
                       int64_t wall_ms)
{
  char at[25];
  clock_text(wall_ms, at);
  buf_print(to, "{\"type\":\"%s.%s\",\"timestamp\":\"%s\",\"text\":",
            notice->about ? notice->about : "release", notice->state, at);
  text_write(to, notice);
  buf_add(to, SLICE(",\"data\":"));
  data_write(to, notice);
  if (routing_key.len) pager_write(to, notice, routing_key, at);
  buf_add(to, SLICE("}"));
}

/* --- notes ------------------------------------------------------------------------------------ */

struct notes {
  struct arena arena;
  struct outbox_row rows[NOTES_MAX];
  uint32_t n;
};

struct notes *notes_new(void)
{
  struct notes *notes = grab_zero(1, sizeof *notes);
  arena_init(&notes->arena, NOTES_BYTES_MAX, NULL);
  return notes;
}

void notes_free(struct notes *notes)
{
  if (!notes) return;
  arena_deinit(&notes->arena);
  ungrab(notes);
}

/* The same for the same happening and URL, whenever it is made. */
static struct slice id_make(struct arena *arena, const struct notice *notice, struct slice url)
{
  const struct slice parts[] = {notice->tenant, notice->model, notice->mark, url};
  char hex[SHA256_HEX_LEN + 1], numbers[64];
  struct sha256 sha;
  sha256_init(&sha);
  int len = snprintf(numbers, sizeof numbers, "%u %u %u %s", notice->release, notice->version,
                     notice->step, notice->state);
  must(len > 0 && (size_t)len < sizeof numbers);
  for (int i = 0; i < 4; i++) {
    sha256_add(&sha, parts[i]);
    sha256_add(&sha, slice_of("", 1));
  }
  sha256_add(&sha, slice_of(numbers, (size_t)len));
  struct digest digest = sha256_end(&sha);
  digest_hex(&digest, hex);
  return slice_str(arena_print(arena, "msg_%.32s", hex));
}

static void note_add(struct notes *notes, const struct notice *notice, struct slice url, bool ours,
                     int64_t wall_ms)
{
  const char *hash = memchr(url.at, '#', url.len);
  struct slice routing_key = SLICE_NONE;
  if (hash) {
    routing_key = slice_from(url, (size_t)(hash - url.at) + 1);
    url.len = (size_t)(hash - url.at);
    if (!notice->bad && !notice->over) return;
  }
  if (notes->n == NOTES_MAX) return;
  struct outbox_row *row = &notes->rows[notes->n++];
  struct buf body;
  buf_init(&body, BODY_MAX);
  body_write(&body, notice, routing_key, wall_ms);
  *row = (struct outbox_row){.id = id_make(&notes->arena, notice, url),
                             .url = arena_copy(&notes->arena, url),
                             .body = arena_copy(&notes->arena, buf_lend(&body)),
                             .ours = ours,
                             .wall_ms = wall_ms};
  must(!body.full && row->id.at && row->url.at && row->body.at);
  buf_deinit(&body);
}

void notes_add(struct notes *notes, const struct control *control, const struct notice *notice)
{
  if (!control->post->notifier) return;
  for (uint32_t i = 0; i < control->opts.n_webhooks; i++)
    note_add(notes, notice, control->opts.webhooks[i], true, control->wall_ms);
  for (uint32_t i = 0; i < notice->n_urls; i++)
    if (notice->urls[i].len) note_add(notes, notice, notice->urls[i], false, control->wall_ms);
}

void notes_event(struct notes *notes, const struct control *control, const struct event *event)
{
  char mark[24];
  struct notice notice = {.tenant = event->tenant,
                          .model = event->model,
                          .version = event->version,
                          .release = event->release,
                          .actor = event->actor,
                          .over = true};
  snprintf(mark, sizeof mark, "%lld", (long long)event->wall_ms);
  notice.mark = slice_str(mark);
  switch (event->kind) {
    case EVENT_VERSION_DEPLOYED: notice.state = "deployed"; break;
    case EVENT_RELEASE_STARTED: notice.state = "started", notice.over = false; break;
    case EVENT_ROLLED_BACK: notice.state = "rolled_back_to"; break;
    case EVENT_VERSION_RETIRED: notice.state = "retired"; break;
    case EVENT_VERSION_REFUSED:
      notice.state = "refused";
      notice.why = code_name(event->code);
      notice.sentence = event->reason;
      notice.bad = true;
      break;
    default: return;
  }
  notes_add(notes, control, &notice);
}

void notes_lend(const struct notes *notes, struct letter_append *letter)
{
  letter->notes = notes->rows;
  letter->n_notes = notes->n;
}

/* --- letters ---------------------------------------------------------------------------------- */

static struct letter_notify *letter_make(struct control *control, const struct outbox_row *row)
{
  struct letter_notify *letter = grab_zero(1, sizeof *letter);
  arena_init(&letter->arena, LETTER_ARENA_MAX, NULL);
  letter->mail.kind = LETTER_NOTIFY;
  letter->home = &control->box;
  letter->ours = row->ours;
  letter->id = arena_copy(&letter->arena, row->id);
  letter->url = arena_copy(&letter->arena, row->url);
  letter->body = arena_copy(&letter->arena, row->body);
  must(letter->id.at && letter->url.at && letter->body.at);
  return letter;
}

static void letter_free(struct letter_notify *letter)
{
  arena_deinit(&letter->arena);
  ungrab(letter);
}

/* Nobody is owed it any more. */
static void letter_told(struct control *control, struct letter_notify *letter)
{
  letter->mail.kind = LETTER_TOLD;
  mail_send(control->post->scribe, &letter->mail);
}

static struct ahead *ahead_find(struct control *control, struct slice id)
{
  for (uint32_t i = 0; i < NOTES_AHEAD_MAX; i++)
    if (slice_eq(slice_str(control->ahead[i].id), id)) return &control->ahead[i];
  return NULL;
}

static void row_send(struct control *control, const struct outbox_row *row)
{
  if (control->stopping) return; /* kept, and told after the next start */
  if (control->notices_out >= NOTICES_OUT_MAX) {
    log_event(LOG_WARN, "notice_dropped", "id", log_slice(row->id), "reason",
              "too many wait already; it is told after the next start", NULL);
    return;
  }
  control->notices_out++;
  mail_send(control->post->notifier, &letter_make(control, row)->mail);
}

void notes_send(struct control *control, const struct notes *notes)
{
  for (uint32_t i = 0; i < notes->n; i++) {
    struct ahead *ahead = ahead_find(control, notes->rows[i].id);
    if (!ahead)
      row_send(control, &notes->rows[i]);
    else if (ahead->home)
      letter_told(control, letter_make(control, &notes->rows[i]));
  }
}

void notes_send_ahead(struct control *control, const struct notes *notes)
{
  for (uint32_t i = 0; i < notes->n && !control->stopping; i++) {
    struct ahead *ahead = &control->ahead[control->n_ahead++ % NOTES_AHEAD_MAX];
    *ahead = (struct ahead){.home = false};
    must(slice_to_str(notes->rows[i].id, ahead->id, sizeof ahead->id));
    row_send(control, &notes->rows[i]);
  }
}

void notify_home(struct control *control, struct letter_notify *letter)
{
  must(control->notices_out > 0);
  control->notices_out--;
  struct ahead *ahead = ahead_find(control, letter->id);
  if (ahead) ahead->home = true;
  if (letter->err.code == E_DRAINING || control->stopping)
    letter_free(letter);
  else
    letter_told(control, letter);
}

void told_home(struct letter_notify *letter) { letter_free(letter); }

/* --- what was owed when the process ended ----------------------------------------------------- */

/* A URL that the configuration named then may be another's by now. */
static bool still_ours(const struct control *control, struct slice url)
{
  for (uint32_t i = 0; i < control->opts.n_webhooks; i++) {
    struct slice named = control->opts.webhooks[i];
    const char *hash = memchr(named.at, '#', named.len);
    if (hash) named.len = (size_t)(hash - named.at);
    if (slice_eq(named, url)) return true;
  }
  return false;
}

void notify_owed(struct control *control, const struct outbox_row *row)
{
  struct letter_notify *letter = letter_make(control, row);
  letter->since_ms = row->wall_ms;
  letter->mail.next = NULL;
  struct mail **end = &control->owed;
  while (*end) end = &(*end)->next;
  *end = &letter->mail;
}

void notify_begin(struct control *control)
{
  struct mail *next;
  for (struct mail *mail = control->owed; mail; mail = next) {
    struct letter_notify *letter = LETTER_OF(mail, struct letter_notify);
    bool late = letter->since_ms < control->wall_ms - OWED_MS;
    next = mail->next;
    if (!late && (!letter->ours || still_ours(control, letter->url))) {
      control->notices_out++;
      mail_send(control->post->notifier, mail);
      continue;
    }
    log_event(LOG_WARN, "webhook_given_up", "id", log_slice(letter->id), "reason",
              late ? "it happened more than a day ago" : "its URL is configured no more", NULL);
    letter_told(control, letter);
  }
  control->owed = NULL;
}

void notify_abandon(struct control *control)
{
  for (struct mail *mail = control->owed, *next; mail; mail = next) {
    next = mail->next;
    letter_free(LETTER_OF(mail, struct letter_notify));
  }
  control->owed = NULL;
}
