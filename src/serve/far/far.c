/* far.c - who asks, what is owed, and when the line is left alone.
 * Thread: its loop; see far.h.
 * SPDX-License-Identifier: MIT */
#include "serve/far/far.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "serve/far/far_int.h"

enum {
  REST_LEAST_US = 5000000,
  REST_MOST_US = 60000000,
  CONNECT_US = 1000000, /* nobody waits for it */
  SET_US = 1000000,     /* nor for this, but what comes behind does */
  TRUSTED = 5,          /* GETs answered until a failure counts as the first one */
  QUIET_US = 1000000,
};

enum { KEY_LEN = sizeof FAR_PREFIX - 1 + SHA256_HEX_LEN };

struct far *far_new(const struct far_opts *opts, uint64_t seed)
{
  struct far *far = grab_zero(1, sizeof *far);
  far->opts = opts;
  rand_seed(&far->rand, seed);
  list_init(&far->asked);
  list_init(&far->told);
  for (int i = 0; i < 2; i++) buf_init(&far->out[i], FAR_OUT_MAX);
  return far;
}

void far_free(struct far *far)
{
  if (!far) return;
  must(list_empty(&far->asked) && list_empty(&far->told));
  if (far->reader) redisReaderFree(far->reader);
  for (int i = 0; i < 2; i++) buf_deinit(&far->out[i]);
  ungrab(far);
}

uint64_t far_bytes_max(void)
{
  return sizeof(struct far) + 2 * FAR_OUT_MAX + 2 * FAR_VALUE_MAX;
}

void far_count(struct far *far, struct far_tally *to)
{
  far_tally_merge(to, &far->count);
  far->count = (struct far_tally){.hits = 0};
}

void far_forged(struct far *far)
{
  far->count.hits--;
  far->count.forged++;
}

/* --- rests ------------------------------------------------------------------------------------ */

static int64_t rest_begin(struct rest *rest, struct rand *rand, int64_t now_us)
{
  int64_t span_us = rest->next_us ? rest->next_us : REST_LEAST_US;
  rest->next_us = 2 * span_us < REST_MOST_US ? 2 * span_us : REST_MOST_US;
  span_us = (int64_t)((double)span_us * rand_fifth(rand_unit(rand)));
  rest->until_us = now_us + span_us;
  return span_us;
}

/* --- news ------------------------------------------------------------------------------------- */

static void tell(struct far *far, struct far_ask *ask)
{
  list_remove(&ask->link);
  list_push_back(&far->told, &ask->link);
}

struct far_ask *far_told(struct far *far)
{
  struct link *link = list_pop_front(&far->told);
  return link ? LIST_OF(link, struct far_ask, link) : NULL;
}

static struct far_wait *wait_at(struct far *far, uint32_t i)
{
  return &far->waits[(far->first + i) % FAR_WAITS_MAX];
}

/* The reply that is owed to it goes to nobody. */
static void wait_forget(struct far *far, const struct far_ask *ask)
{
  for (uint32_t i = 0; i < far->n_waits; i++)
    if (wait_at(far, i)->ask == ask) wait_at(far, i)->ask = NULL;
}

void far_leave(struct far *far, struct far_ask *ask)
{
  wait_forget(far, ask);
  list_remove(&ask->link);
  blob_drop(ask->blob);
  ask->blob = NULL;
}

/* --- the end of a line ------------------------------------------------------------------------ */

static void line_end(struct far *far)
{
  struct link *link;
  while ((link = far->asked.next) != &far->asked) {
    far->count.errors++;
    tell(far, LIST_OF(link, struct far_ask, link));
  }
  if (far->state == FAR_OPEN) far->count.lines--;
  far->state = FAR_RESTING;
  far->first = far->n_waits = far->n_sent = 0;
  for (int i = 0; i < 2; i++) buf_reset(&far->out[i]);
  far->sending = far->late = false;
  far->broken = NULL;
}

static void line_fail(struct far *far, const char *why, int64_t now_us)
{
  if (far->state == FAR_OPEN && far->answered >= TRUSTED) far->line.next_us = 0;
  line_end(far);
  int64_t span_us = rest_begin(&far->line, &far->rand, now_us);
  far->when_us = far->line.until_us;
  far->count.failures++;
  far->count.failed_us = now_us;
  far->count.why = why;
  memcpy(far->count.said, far->said, sizeof far->said);
  log_event(LOG_WARN, "cache_shared_rests", "reason", why, "said", far->said[0] ? far->said : NULL,
            "for_ms", log_num(span_us / 1000), NULL);
  far->said[0] = '\0';
}

void far_down(struct far *far, const char *why, int64_t now_us)
{
  bool quiet = far->state == FAR_OPEN && !far->n_waits && now_us - far->open_us >= QUIET_US;
  if (far->state == FAR_RESTING) return;
  if (!quiet) {
    line_fail(far, why, now_us);
    return;
  }
  line_end(far);
  far->line.until_us = far->when_us = now_us;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* False: there is no room. */
static bool command_add(struct far *far, enum far_verb verb, struct far_ask *ask, int argc,
                        const char **argv, const size_t *lens)
{
  struct buf *out = &far->out[far->filling];
  char *text = NULL;
  if (far->n_waits == FAR_WAITS_MAX) return false;
  int len = redisFormatCommandArgv(&text, argc, argv, lens);
  if (len < 0) return false;
  bool fits = out->len + (size_t)len <= FAR_OUT_MAX;
  if (fits) fits = buf_add(out, slice_of(text, (size_t)len)) == OK;
  explicit_bzero(text, verb == FAR_AUTH ? (size_t)len : 0);
  redisFreeCommand(text);
  if (fits) *wait_at(far, far->n_waits++) = (struct far_wait){.verb = verb, .ask = ask};
  return fits;
}

static size_t key_write(const struct digest *name, char to[KEY_LEN + 1])
{
  memcpy(to, FAR_PREFIX, sizeof FAR_PREFIX - 1);
  digest_hex(name, to + sizeof FAR_PREFIX - 1);
  return KEY_LEN;
}

static bool get_add(struct far *far, enum far_verb verb, struct far_ask *ask, const char *key,
                    size_t len)
{
  return command_add(far, verb, ask, 2, (const char *[]){"GET", key}, (size_t[]){3, len});
}

struct digest far_name(const struct far *far, struct slice tenant, struct slice canonical)
{
  return seal_name(&far->opts->keys, tenant, canonical);
}

/* What is not sent yet, for a write before it has no end, has the budget, too. */
static int64_t ask_due(const struct far_ask *ask)
{
  return ask->sent || ask->due_us < ask->unsent_us ? ask->due_us : ask->unsent_us;
}

bool far_get(struct far *far, struct far_ask *ask, int64_t due_us, int64_t now_us)
{
  char key[KEY_LEN + 1];
  ask->blob = NULL;
  ask->sent = false;
  ask->due_us = due_us;
  ask->unsent_us = now_us + far->opts->budget_us;
  if (far->state != FAR_OPEN || !get_add(far, FAR_GET, ask, key, key_write(&ask->name, key))) {
    far->count.bypassed++;
    return false;
  }
  list_push_back(&far->asked, &ask->link);
  if (ask_due(ask) < far->when_us) far->when_us = ask_due(ask);
  return true;
}

void far_set(struct far *far, const struct digest *name, struct slice answer, int64_t ttl_us,
             int64_t now_us, int64_t wall_ms)
{
  char key[KEY_LEN + 1], ms[TEXT_NUMBER_MAX];
  int64_t ttl_ms = ttl_us / 1000;
  if (far->state != FAR_OPEN || now_us < far->fills.until_us || ttl_ms < 1 ||
      far->out[far->filling].len + answer.len > FAR_OUT_MAX) {
    far->count.fills_left++;
    return;
  }
  struct blob *value = blob_new(seal_len(answer.len));
  seal_write(&far->opts->keys, name, wall_ms + ttl_ms, answer, value->bytes);
  const char *argv[] = {"SET", key, value->bytes, "PX", ms};
  const size_t lens[] = {3, key_write(name, key), value->len, 2,
                         text_print_i64(ms, ttl_ms)};
  if (command_add(far, FAR_SET, NULL, 5, argv, lens)) far->count.fills++;
  else far->count.fills_left++;
  blob_drop(value);
}

struct slice far_out(struct far *far, int64_t now_us)
{
  struct buf *out = &far->out[far->filling];
  if (far->sending || !out->len || far->state == FAR_RESTING) return SLICE_NONE;
  for (; far->n_sent < far->n_waits; far->n_sent++) {
    struct far_wait *wait = wait_at(far, far->n_sent);
    wait->due_us = now_us + (wait->verb == FAR_SET || wait->verb == FAR_AUTH
                                 ? SET_US
                                 : far->opts->budget_us);
    if (wait->due_us < far->when_us) far->when_us = wait->due_us;
    if (!wait->ask) continue;
    wait->ask->sent = true;
    if (wait->due_us < wait->ask->due_us) wait->ask->due_us = wait->due_us;
    if (wait->ask->due_us < far->when_us) far->when_us = wait->ask->due_us;
  }
  far->sending = true;
  far->filling ^= 1;
  return buf_lend(out);
}

void far_sent(struct far *far)
{
  if (!far->sending) return;
  far->sending = false;
  buf_reset(&far->out[far->filling ^ 1]);
}

/* --- connecting ------------------------------------------------------------------------------- */

bool far_wants(const struct far *far, int64_t now_us)
{
  return far->state != FAR_RESTING || now_us >= far->line.until_us;
}

void far_connecting(struct far *far, int64_t now_us)
{
  far->state = FAR_CONNECTING;
  far->due_us = far->when_us = now_us + CONNECT_US;
  far->answered = 0;
  if (far->reader) redisReaderFree(far->reader);
  far->reader = far_reader(far);
  if (!far->reader) line_fail(far, "no memory", now_us);
}

void far_up(struct far *far, int64_t now_us)
{
  const struct far_opts *opts = far->opts;
  const char *argv[3] = {"AUTH"};
  size_t lens[3] = {4};
  int n = 1;
  if (far->state != FAR_CONNECTING) return;
  far->state = FAR_GREETING;
  far->when_us = now_us + CONNECT_US;
  if (opts->user[0]) argv[n] = opts->user, lens[n++] = strlen(opts->user);
  argv[n] = opts->password, lens[n++] = strlen(opts->password);
  static const char try_key[] = FAR_PREFIX "try";
  if (opts->password[0]) command_add(far, FAR_AUTH, NULL, n, argv, lens);
  get_add(far, FAR_TRY, NULL, try_key, sizeof try_key - 1);
}

/* --- replies ---------------------------------------------------------------------------------- */

/* Redis' errors begin with a word: LOADING, READONLY. Nothing else of them is told. */
static void said_note(struct far *far, struct slice text)
{
  size_t n = 0;
  while (n < text.len && n < sizeof far->said - 1 && text.at[n] >= 'A' && text.at[n] <= 'Z') n++;
  memcpy(far->said, text.at, n);
  far->said[n] = '\0';
}

static void line_open(struct far *far)
{
  far->state = FAR_OPEN;
  far->open_us = far->now_us;
  far->fills = (struct rest){.until_us = 0};
  far->count.lines++;
  log_event(LOG_INFO, "cache_shared_open", NULL);
}

static void value_take(struct far *far, struct far_ask *ask, struct slice value)
{
  struct slice answer;
  int64_t left_ms;
  switch (seal_open(&far->opts->keys, &ask->name, value, far->wall_ms, &answer, &left_ms)) {
    case SEAL_BAD: far->count.forged++; return;
    case SEAL_OVER: far->count.misses++; return;
    case SEAL_GOOD: break;
  }
  far->count.hits++;
  ask->left_us = left_ms < INT64_MAX / 1000 ? left_ms * 1000 : INT64_MAX;
  ask->blob = blob_new(ask->canonical.len + answer.len);
  memcpy(ask->blob->bytes, ask->canonical.at, ask->canonical.len);
  if (answer.len) memcpy(ask->blob->bytes + ask->canonical.len, answer.at, answer.len);
}

static void get_reply(struct far *far, struct far_ask *ask, int type, struct slice text)
{
  if (type != REDIS_REPLY_NIL && type != REDIS_REPLY_STRING) {
    far->broken = type == REDIS_REPLY_ERROR ? "an error" : "a reply to something else";
    if (ask) far->count.errors++, tell(far, ask);
    return;
  }
  far->answered++;
  if (!ask) return;
  if (type == REDIS_REPLY_NIL) far->count.misses++;
  else value_take(far, ask, text);
  tell(far, ask);
}

static void set_reply(struct far *far, int type, struct slice text)
{
  if (type == REDIS_REPLY_STATUS && slice_eq(text, SLICE("OK"))) {
    far->fills.next_us = 0;
  } else if (type == REDIS_REPLY_ERROR) {
    far->count.fills_failed++;
    if (far->now_us < far->fills.until_us) return; /* sent before the first one was refused */
    int64_t span_us = rest_begin(&far->fills, &far->rand, far->now_us);
    log_event(LOG_WARN, "cache_shared_keeps_nothing", "said", far->said, "for_ms",
              log_num(span_us / 1000), NULL);
    far->said[0] = '\0';
  } else {
    far->broken = "a reply to something else";
  }
}

void far_reply(struct far *far, int type, struct slice text)
{
  if (far->broken) return;
  if (!far->n_sent) {
    far->broken = "a reply that nobody asked for";
    return;
  }
  struct far_wait wait = *wait_at(far, 0);
  far->first = (far->first + 1) % FAR_WAITS_MAX;
  far->n_waits--, far->n_sent--;
  if (type == REDIS_REPLY_ERROR) said_note(far, text);
  switch (wait.verb) {
    case FAR_AUTH:
      if (type != REDIS_REPLY_STATUS) far->broken = "the login was refused";
      break;
    case FAR_TRY:
      if (type == REDIS_REPLY_NIL || type == REDIS_REPLY_STRING) line_open(far);
      else far->broken = "an error";
      break;
    case FAR_GET: get_reply(far, wait.ask, type, text); break;
    case FAR_SET: set_reply(far, type, text); break;
  }
}

void far_fed(struct far *far, struct slice bytes, int64_t now_us, int64_t wall_ms)
{
  if (far->state == FAR_RESTING) return;
  far->now_us = now_us;
  far->wall_ms = wall_ms;
  far_read(far, bytes);
  if (far->broken) line_fail(far, far->broken, now_us);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Those whose own time is over before the budget is: the line goes on. */
static void asks_late(struct far *far, int64_t now_us)
{
  struct link *link = far->asked.next;
  while (link != &far->asked) {
    struct far_ask *ask = LIST_OF(link, struct far_ask, link);
    link = link->next;
    if (ask_due(ask) > now_us) continue;
    wait_forget(far, ask);
    far->count.bypassed++;
    tell(far, ask);
  }
}

static bool line_late(const struct far *far, int64_t now_us)
{
  if (far->state == FAR_CONNECTING) return now_us >= far->due_us;
  for (uint32_t i = 0; i < far->n_sent; i++)
    if (far->waits[(far->first + i) % FAR_WAITS_MAX].due_us <= now_us) return true;
  return false;
}

static int64_t when_next(const struct far *far)
{
  int64_t next_us = far->state == FAR_CONNECTING ? far->due_us : INT64_MAX;
  if (far->state == FAR_RESTING) return far->line.until_us;
  for (uint32_t i = 0; i < far->n_sent; i++) {
    int64_t due_us = far->waits[(far->first + i) % FAR_WAITS_MAX].due_us;
    if (due_us < next_us) next_us = due_us;
  }
  for (const struct link *link = far->asked.next; link != &far->asked; link = link->next) {
    const struct far_ask *ask = LIST_OF((struct link *)(uintptr_t)link, struct far_ask, link);
    if (ask_due(ask) < next_us) next_us = ask_due(ask);
  }
  return next_us;
}

/* Whoever is late gets one turn more: a reply may have come while this loop was at something else,
 * and lie in the socket. */
void far_turn(struct far *far, int64_t now_us)
{
  if (now_us < far->when_us) return;
  if (far->state != FAR_RESTING && line_late(far, now_us)) {
    if (far->late) {
      line_fail(far, "no answer in time", now_us);
      return;
    }
    far->late = true;
    far->when_us = now_us;
    return;
  }
  far->late = false;
  asks_late(far, now_us);
  far->when_us = when_next(far);
}

int64_t far_when(const struct far *far) { return far->when_us; }
