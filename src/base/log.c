/* log.c - one event, one JSON line, carried to the main thread by mail.
 * Thread: any may log; the main thread writes.
 *
 * Lines come from a fixed slab, so that logging never allocates and a flood cannot grow. The free
 * lines are a stack of indexes; its top carries a tag that changes with every push, because a plain
 * stack that many pop from would fall to ABA. Lines never used are taken in order after that, so a
 * quiet process touches a page or two of the slab and not all of it.
 *
 * The rate limit is a small table of event names, each with the second it counts and how many lines
 * it had in it. Names are literals of ours, a few dozen; names past the table's size share a slot,
 * and so a budget.
 * SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mail.h"
#include "base/text.h"
#include "base/utf8.h"

enum { VALUE_MAX = 256, TAIL_ROOM = 80, EVENT_SLOTS = 512, RING = 16, BATCH_BYTES = 64 << 10 };

struct line {
  struct mail mail;
  _Atomic uint32_t next_free; /* index + 1; 0: none */
  uint32_t len;
  char text[LOG_LINE_MAX];
};

struct event_slot {
  _Atomic uint64_t name;       /* its hash; 0: free */
  _Atomic uint64_t window;     /* second << 32 | lines in it */
  _Atomic uint64_t suppressed; /* not yet told */
};

static struct line lines[LOG_WAITING_MAX];
static _Atomic uint64_t free_top;    /* tag << 32 | index + 1 */
static _Atomic uint32_t lines_fresh; /* lines[lines_fresh..] were never used */
static struct event_slot events[EVENT_SLOTS];
static _Atomic uint64_t dropped, dropped_untold;
static _Atomic bool pumping; /* false: lines go to stderr directly */
static enum log_level level_min = LOG_INFO;
static struct mailbox waiting; /* all zero is a good start: nobody waits on its bell */
static void (*wake_main)(void);
static _Thread_local char numbers[RING][TEXT_NUMBER_MAX], slices[RING][VALUE_MAX + 1];
static _Thread_local unsigned numbers_at, slices_at;

/* --- lines ------------------------------------------------------------------------------------ */

static struct line *line_take(void)
{
  uint64_t top = atomic_load_explicit(&free_top, memory_order_acquire);
  while ((uint32_t)top != 0) {
    struct line *line = &lines[(uint32_t)top - 1];
    uint64_t next = (top >> 32 << 32) |
                    atomic_load_explicit(&line->next_free, memory_order_relaxed);
    if (atomic_compare_exchange_weak_explicit(&free_top, &top, next, memory_order_acquire,
                                              memory_order_acquire))
      return line;
  }
  uint32_t fresh = atomic_load_explicit(&lines_fresh, memory_order_relaxed);
  while (fresh < LOG_WAITING_MAX)
    if (atomic_compare_exchange_weak_explicit(&lines_fresh, &fresh, fresh + 1,
                                              memory_order_relaxed, memory_order_relaxed))
      return &lines[fresh];
  return NULL;
}

static void line_free(struct line *line)
{
  uint64_t index = (uint64_t)(line - lines) + 1;
  uint64_t top = atomic_load_explicit(&free_top, memory_order_relaxed), next;
  do {
    atomic_store_explicit(&line->next_free, (uint32_t)top, memory_order_relaxed);
    next = ((top >> 32) + 1) << 32 | index;
  } while (!atomic_compare_exchange_weak_explicit(&free_top, &top, next, memory_order_release,
                                                  memory_order_relaxed));
}

/* --- the rate limit --------------------------------------------------------------------------- */

static uint64_t name_hash(const char *name)
{
  uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
  return hash ? hash : 1;
}

static struct event_slot *event_slot(const char *name)
{
  uint64_t hash = name_hash(name);
  for (uint32_t i = 0; i < EVENT_SLOTS; i++) {
    struct event_slot *slot = &events[(hash + i) % EVENT_SLOTS];
    uint64_t there = atomic_load_explicit(&slot->name, memory_order_relaxed);
    if (there == 0 && atomic_compare_exchange_strong_explicit(
                          &slot->name, &there, hash, memory_order_relaxed, memory_order_relaxed))
      return slot;
    if (there == hash) return slot;
  }
  return &events[hash % EVENT_SLOTS];
}

static bool event_may(struct event_slot *slot, int64_t now_us)
{
  uint64_t second = (uint64_t)(now_us / 1000000) & UINT32_MAX;
  uint64_t window = atomic_load_explicit(&slot->window, memory_order_relaxed), next;
  do {
    next = window >> 32 == second ? window + 1 : (second << 32 | 1);
    if ((uint32_t)next > LOG_BURST) {
      atomic_fetch_add_explicit(&slot->suppressed, 1, memory_order_relaxed);
      return false;
    }
  } while (!atomic_compare_exchange_weak_explicit(&slot->window, &window, next,
                                                  memory_order_relaxed, memory_order_relaxed));
  return true;
}

/* --- writing one line ------------------------------------------------------------------------- */

/* Adds bytes, or nothing when they would eat the room kept for the line's tail. */
static bool line_add(struct line *line, const char *bytes, size_t len)
{
  if (len > LOG_LINE_MAX - TAIL_ROOM - line->len) return false;
  memcpy(line->text + line->len, bytes, len);
  line->len += (uint32_t)len;
  return true;
}

static bool char_add(struct line *line, struct slice rest, size_t *eaten)
{
  unsigned char c = (unsigned char)rest.at[0];
  size_t len = utf8_len(rest);
  char escaped[8];
  *eaten = len ? len : 1;
  if (len == 0) return line_add(line, "\\ufffd", 6);
  if (c == '"' || c == '\\') return line_add(line, (char[]){'\\', (char)c}, 2);
  if (c >= 0x20 && c != 0x7f) return line_add(line, rest.at, len);
  int n = snprintf(escaped, sizeof escaped, "\\u%04x", c);
  return line_add(line, escaped, (size_t)n);
}

/* The first VALUE_MAX bytes, without the half of a character. */
static struct slice value_cut(struct slice value)
{
  if (value.len <= VALUE_MAX) return value;
  size_t len = VALUE_MAX;
  while (len > VALUE_MAX - 3 && ((unsigned char)value.at[len] & 0xc0) == 0x80) len--;
  return slice_of(value.at, len);
}

static void value_add(struct line *line, struct slice value)
{
  size_t eaten;
  value = value_cut(value);
  for (size_t i = 0; i < value.len; i += eaten)
    if (!char_add(line, slice_from(value, i), &eaten)) return;
}

static bool is_number(const char *value)
{
  uintptr_t at = (uintptr_t)value, first = (uintptr_t)numbers;
  return at >= first && at < first + sizeof numbers;
}

static void member_add(struct line *line, const char *key, const char *value)
{
  size_t room = LOG_LINE_MAX - TAIL_ROOM - line->len;
  bool quoted = !is_number(value);
  if (strlen(key) + TEXT_NUMBER_MAX + 8 > room) return;
  line_add(line, ",\"", 2);
  line_add(line, key, strlen(key));
  line_add(line, "\":\"", quoted ? 3 : 2);
  room = line->len;
  value_add(line, slice_str(value));
  must(quoted || line->len > room);
  /* Room for the closing quote is the tail's: a value cut for want of room is still a string. */
  if (quoted) line->text[line->len++] = '"';
}

static void tail_add(struct line *line, uint64_t suppressed, uint64_t drops)
{
  char *at = line->text + line->len;
  size_t room = LOG_LINE_MAX - line->len;
  int n = 0;
  if (suppressed) n += snprintf(at, room, ",\"suppressed\":%llu", (unsigned long long)suppressed);
  if (drops)
    n += snprintf(at + n, room - (size_t)n, ",\"dropped\":%llu", (unsigned long long)drops);
  line->len += (uint32_t)n;
  must(line->len + 2 <= LOG_LINE_MAX);
  line->text[line->len++] = '}';
  line->text[line->len++] = '\n';
}

static void bytes_write(int fd, const char *at, size_t len)
{
  while (len > 0) {
    ssize_t n = write(fd, at, len);
    if (n >= 0) {
      at += n, len -= (size_t)n;
      continue;
    }
    struct pollfd slow = {.fd = fd, .events = POLLOUT};
    if (errno == EAGAIN && poll(&slow, 1, 100) <= 0) return; /* a reader that sleeps loses lines */
    if (errno != EAGAIN && errno != EINTR) return;
  }
}

void log_event(enum log_level level, const char *event, ...)
{
  static const char *const level_names[] = {"debug", "info", "warn", "error"};
  if (level < level_min) return;
  struct event_slot *slot = event_slot(event);
  if (!event_may(slot, clock_us())) return;
  struct line *line = line_take();
  if (!line) {
    atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&dropped_untold, 1, memory_order_relaxed);
    return;
  }
  char when[25];
  clock_text(clock_wall_ms(), when);
  line->len = (uint32_t)snprintf(line->text, LOG_LINE_MAX, "{\"ts\":\"%s\",\"level\":\"%s\"", when,
                                 level_names[level]);
  member_add(line, "event", event);
  va_list args;
  va_start(args, event);
  for (const char *key; (key = va_arg(args, const char *)) != NULL;) {
    const char *value = va_arg(args, const char *);
    if (value) member_add(line, key, value);
  }
  va_end(args);
  tail_add(line, atomic_exchange_explicit(&slot->suppressed, 0, memory_order_relaxed),
           atomic_exchange_explicit(&dropped_untold, 0, memory_order_relaxed));
  if (atomic_load_explicit(&pumping, memory_order_relaxed)) {
    mail_send(&waiting, &line->mail);
    return;
  }
  bytes_write(STDERR_FILENO, line->text, line->len);
  line_free(line);
}

const char *log_num(int64_t value)
{
  char *to = numbers[numbers_at++ % RING];
  to[text_print_i64(to, value)] = '\0';
  return to;
}

const char *log_slice(struct slice value)
{
  char *to = slices[slices_at++ % RING];
  value = value_cut(value);
  for (size_t i = 0; i < value.len; i++) to[i] = value.at[i] ? value.at[i] : '?';
  to[value.len] = '\0';
  return to;
}

/* --- the main thread -------------------------------------------------------------------------- */

void log_level_set(enum log_level min) { level_min = min; }

static void wake_adapter(void *unused)
{
  (void)unused;
  wake_main();
}

void log_wake_set(void (*wake)(void))
{
  wake_main = wake;
  waiting.wake = wake ? wake_adapter : NULL;
}

void log_pump(const int *fds, int n_fds)
{
  static char batch[BATCH_BYTES];
  atomic_store_explicit(&pumping, true, memory_order_relaxed);
  struct mail *mail = mailbox_take(&waiting);
  while (mail) {
    size_t len = 0;
    while (mail && len + LOG_LINE_MAX <= sizeof batch) {
      struct line *line = LETTER_OF(mail, struct line);
      mail = mail->next;
      memcpy(batch + len, line->text, line->len);
      len += line->len;
      line_free(line);
    }
    for (int i = 0; i < n_fds; i++)
      if (fds[i] >= 0) bytes_write(fds[i], batch, len);
  }
}

uint64_t log_dropped(void) { return atomic_load_explicit(&dropped, memory_order_relaxed); }

void log_limits_list(struct limits *to)
{
  limit_add(to, (struct limit){"log lines that wait to be written", LOG_WAITING_MAX, "",
                               sizeof lines + sizeof events + BATCH_BYTES, NULL, NULL});
}
