/* notify.c - notices as JSON, one letter for each URL.
 * Thread: control.
 * SPDX-License-Identifier: MIT */
#include "control/notify.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_int.h"

enum { BODY_MAX = 256 << 10, EVIDENCE_MAX = 192 << 10, LETTER_ARENA_MAX = 1 << 20 };

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
  buf_json(to, notice->tenant);
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
  buf_print(&text, "%.*s/%.*s: ", SLICE_ARG(notice->tenant), SLICE_ARG(notice->model));
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
  buf_print(&key, "slipway/%.*s/%.*s", SLICE_ARG(notice->tenant), SLICE_ARG(notice->model));
  if (notice->release) buf_print(&key, "/%u", notice->release);
  buf_json(to, buf_lend(&key));
  buf_deinit(&key);
  buf_add(to, SLICE(",\"payload\":{\"summary\":"));
  text_write(to, notice);
  buf_print(to, ",\"source\":\"slipway\",\"severity\":\"%s\",\"timestamp\":\"%s\"",
            notice->bad ? "error" : "info", at);
  member(to, "component", notice->model);
  member(to, "group", notice->tenant);
  buf_add(to, SLICE("}"));
}

static void body_write(struct buf *to, const struct notice *notice, struct slice routing_key,
                       int64_t wall_ms)
{
  char at[25];
  clock_text(wall_ms, at);
  buf_print(to, "{\"type\":\"release.%s\",\"timestamp\":\"%s\",\"text\":", notice->state, at);
  text_write(to, notice);
  buf_add(to, SLICE(",\"data\":"));
  data_write(to, notice);
  if (routing_key.len) pager_write(to, notice, routing_key, at);
  buf_add(to, SLICE("}"));
}

/* --- letters ---------------------------------------------------------------------------------- */

static void letter_send(struct control *control, const struct notice *notice, struct slice url,
                        bool ours)
{
  const char *hash = memchr(url.at, '#', url.len);
  struct slice routing_key = SLICE_NONE;
  if (hash) {
    routing_key = slice_from(url, (size_t)(hash - url.at) + 1);
    url.len = (size_t)(hash - url.at);
    if (!notice->bad && !notice->over) return;
  }
  if (control->notices_out >= NOTICES_OUT_MAX) {
    log_event(LOG_WARN, "notice_dropped", "model", log_slice(notice->model), "state",
              notice->state, "reason", "too many wait already", NULL);
    return;
  }
  struct letter_notify *letter = grab_zero(1, sizeof *letter);
  struct buf body;
  buf_init(&body, BODY_MAX);
  body_write(&body, notice, routing_key, control->wall_ms);
  arena_init(&letter->arena, LETTER_ARENA_MAX, NULL);
  letter->mail.kind = LETTER_NOTIFY;
  letter->home = &control->box;
  letter->ours = ours;
  letter->url = arena_copy(&letter->arena, url);
  letter->body = arena_copy(&letter->arena, buf_lend(&body));
  must(!body.full && letter->url.at && letter->body.at);
  buf_deinit(&body);
  control->notices_out++;
  mail_send(control->post->notifier, &letter->mail);
}

void notify(struct control *control, const struct notice *notice)
{
  if (!control->post->notifier || control->stopping) return;
  for (uint32_t i = 0; i < control->opts.n_webhooks; i++)
    letter_send(control, notice, control->opts.webhooks[i], true);
  for (uint32_t i = 0; i < notice->n_urls; i++)
    if (notice->urls[i].len) letter_send(control, notice, notice->urls[i], false);
}

void notify_event(struct control *control, const struct event *event)
{
  struct notice notice = {.tenant = event->tenant,
                          .model = event->model,
                          .version = event->version,
                          .release = event->release,
                          .actor = event->actor,
                          .over = true};
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
  notify(control, &notice);
}

void notify_home(struct control *control, struct letter_notify *letter)
{
  must(control->notices_out > 0);
  control->notices_out--;
  arena_deinit(&letter->arena);
  ungrab(letter);
}
