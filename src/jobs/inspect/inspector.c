/* inspector.c - letters in, a few processes at a time, letters home.
 * Thread: job; one of its own.
 * SPDX-License-Identifier: MIT */
#include "jobs/inspect/inspector.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/inspect/rules.h"
#include "jobs/inspect/spawn.h"

enum { POLL_MS_MAX = 60000 };

struct look {
  struct letter_inspect *letter; /* NULL: this place is free */
  struct spawn spawn;
};

struct known {
  struct digest of; /* tenant, engine, files */
  struct inspected found;
};

struct inspector {
  struct inspector_opts opts;
  struct mailbox box;
  int bell;
  bool stop;
  bool draining;
  struct letter_inspect *first, **behind; /* waiting, in the order they came */
  uint32_t n_waiting;
  struct look looks[INSPECT_AT_ONCE];
  struct known *known; /* a ring */
  uint32_t n_known, next_known;
};

static void bell_ring(void *arg)
{
  uint64_t one = 1;
  ssize_t n = write(((struct inspector *)arg)->bell, &one, sizeof one);
  (void)n; /* full: it rings already */
}

struct inspector *inspector_new(const struct inspector_opts *opts)
{
  struct inspector *inspector = grab_zero(1, sizeof *inspector);
  inspector->opts = *opts;
  inspector->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  must(inspector->bell >= 0);
  mailbox_init(&inspector->box, bell_ring, inspector);
  inspector->behind = &inspector->first;
  inspector->known = grab_zero(INSPECT_KNOWN, sizeof *inspector->known);
  spawn_ready();
  return inspector;
}

void inspector_free(struct inspector *inspector)
{
  if (!inspector) return;
  must(mailbox_empty(&inspector->box) && !inspector->first);
  close(inspector->bell);
  ungrab(inspector->known);
  ungrab(inspector);
}

struct mailbox *inspector_mailbox(struct inspector *inspector) { return &inspector->box; }

void inspector_limits_list(struct limits *to, const struct inspector_opts *opts)
{
  uint64_t spare = opts->memory_spare ? opts->memory_spare : RULES_MEMORY_SPARE;
  int64_t time_us = opts->time_us ? opts->time_us : RULES_TIME_US;
  limit_add(to, (struct limit){"one look at a model before it is a version",
                               (uint64_t)(time_us / 1000), "ms", 0, "--inspect-timeout", NULL});
  limit_add(to, (struct limit){"its memory, beside three times the files", spare, "bytes", 0,
                               "--inspect-memory", "processes that look at models, while they do"});
  limit_add(to, (struct limit){"such looks at once", INSPECT_AT_ONCE, "", 0, NULL, NULL});
}

/* ---- what is known ---- */

static struct digest wish_digest(const struct letter_inspect *letter)
{
  struct sha256 sha;
  struct event event = {.files = letter->files, .n_files = letter->n_files};
  struct digest manifest = event_manifest(&event);
  struct slice zero = slice_of("", 1);
  sha256_init(&sha);
  sha256_add(&sha, letter->tenant);
  sha256_add(&sha, zero);
  sha256_add(&sha, letter->engine);
  sha256_add(&sha, zero);
  sha256_add(&sha, slice_of((const char *)manifest.at, sizeof manifest.at));
  return sha256_end(&sha);
}

static bool known_find(const struct inspector *inspector, struct letter_inspect *letter)
{
  struct digest of = wish_digest(letter);
  for (uint32_t i = 0; i < inspector->n_known; i++)
    if (digest_same(&inspector->known[i].of, &of)) {
      letter->found = inspector->known[i].found;
      return true;
    }
  return false;
}

static void known_add(struct inspector *inspector, const struct letter_inspect *letter)
{
  struct known *known = &inspector->known[inspector->next_known];
  *known = (struct known){wish_digest(letter), letter->found};
  inspector->next_known = (inspector->next_known + 1) % INSPECT_KNOWN;
  if (inspector->n_known < INSPECT_KNOWN) inspector->n_known++;
}

/* ---- letters ---- */

static void home(struct letter_inspect *letter)
{
  letter->mail.kind = LETTER_INSPECT_HOME;
  mail_send(letter->home, &letter->mail);
}

static uint32_t waiting_of(const struct inspector *inspector, struct slice tenant)
{
  uint32_t n = 0;
  for (const struct letter_inspect *l = inspector->first; l; l = l->behind)
    n += slice_eq(l->tenant, tenant);
  return n;
}

static void letter_came(struct inspector *inspector, struct letter_inspect *letter)
{
  letter->err = (struct err){.code = OK};
  letter->found = (struct inspected){0};
  letter->walls = letter->landlock_abi = 0;
  letter->behind = NULL;
  if (inspector->draining) {
    fail(&letter->err, E_DRAINING, "the server is stopping");
  } else if (inspector->n_waiting >= INSPECT_WAITING_MAX ||
             waiting_of(inspector, letter->tenant) >= INSPECT_TENANT_WAITING) {
    fail(&letter->err, E_LIMIT_EXCEEDED, "%d models wait to be looked at already: try again later",
         INSPECT_TENANT_WAITING);
  } else if (!letter->n_files || letter->fresh || !known_find(inspector, letter)) {
    *inspector->behind = letter;
    inspector->behind = &letter->behind;
    inspector->n_waiting++;
    return;
  }
  home(letter);
}

/* Takes a letter out of the queue; at: where it hangs. */
static struct letter_inspect *unhang(struct inspector *inspector, struct letter_inspect **at)
{
  struct letter_inspect *letter = *at;
  *at = letter->behind;
  if (!letter->behind) inspector->behind = at;
  letter->behind = NULL;
  inspector->n_waiting--;
  return letter;
}

/* ---- looks ---- */

static void look_log(const struct look *look, int64_t spent_us)
{
  const struct letter_inspect *letter = look->letter;
  bool good = letter->err.code == OK;
  log_event(good ? LOG_INFO : LOG_WARN, good ? "model_inspected" : "model_not_taken", "tenant",
            log_slice(letter->tenant), "engine", letter->found.engine, "code",
            code_name(letter->err.code), "reason", good ? NULL : letter->err.text, "us",
            log_num(clock_us() - look->spawn.began_us), "cpu_us", log_num(spent_us),
            "memory_peak_bytes", log_num((int64_t)letter->found.memory_peak_bytes), NULL);
}

static void look_over(struct inspector *inspector, struct look *look)
{
  struct letter_inspect *letter = look->letter;
  int64_t spent_us;
  spawn_end(&look->spawn, &letter->found, &letter->walls, &letter->landlock_abi, &spent_us,
            &letter->err);
  if (letter->n_files) look_log(look, spent_us);
  if (letter->n_files && letter->err.code == OK) known_add(inspector, letter);
  look->letter = NULL;
  home(letter);
}

static bool tenant_is_busy(const struct inspector *inspector, const struct letter_inspect *letter)
{
  for (int i = 0; i < INSPECT_AT_ONCE; i++) {
    const struct letter_inspect *other = inspector->looks[i].letter;
    if (other && other->n_files && letter->n_files && slice_eq(other->tenant, letter->tenant))
      return true;
  }
  return false;
}

/* All looks together may take half of the machine; one may always run. */
static bool room_is_left(const struct inspector *inspector, const struct letter_inspect *letter)
{
  uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
  uint64_t spare = inspector->opts.memory_spare, bytes = 0, taken = 0;
  for (uint32_t i = 0; i < letter->n_files; i++) bytes += letter->files[i].bytes;
  for (int i = 0; i < INSPECT_AT_ONCE; i++)
    if (inspector->looks[i].letter) taken += inspector->looks[i].spawn.memory_bytes;
  uint64_t wanted = rules_memory(bytes, spare ? spare : RULES_MEMORY_SPARE);
  return !letter->n_files || taken == 0 || taken + wanted <= machine / 2;
}

static void look_begin(struct inspector *inspector, struct look *look,
                       struct letter_inspect *letter)
{
  struct spawn_wish wish = {.objects_fd = inspector->opts.objects_fd,
                            .engine = letter->engine,
                            .files = letter->files,
                            .n_files = letter->n_files,
                            .time_us = inspector->opts.time_us,
                            .memory_spare = inspector->opts.memory_spare};
  if (spawn_begin(&look->spawn, &wish, &letter->err) == OK)
    look->letter = letter;
  else
    home(letter);
}

static void looks_begin(struct inspector *inspector)
{
  struct letter_inspect **at = &inspector->first;
  for (int i = 0; *at && i < INSPECT_AT_ONCE;) {
    if (inspector->looks[i].letter)
      i++;
    else if (tenant_is_busy(inspector, *at))
      at = &(*at)->behind;
    else if (!room_is_left(inspector, *at))
      return; /* whoever is behind does not overtake: it would wait for ever */
    else
      look_begin(inspector, &inspector->looks[i], unhang(inspector, at));
  }
}

static void all_give_up(struct inspector *inspector)
{
  inspector->draining = true;
  while (inspector->first) {
    struct letter_inspect *letter = unhang(inspector, &inspector->first);
    fail(&letter->err, E_DRAINING, "the server is stopping");
    home(letter);
  }
  for (int i = 0; i < INSPECT_AT_ONCE; i++) {
    struct letter_inspect *letter = inspector->looks[i].letter;
    if (!letter) continue;
    int64_t spent_us;
    spawn_end(&inspector->looks[i].spawn, &letter->found, &letter->walls, &letter->landlock_abi,
              &spent_us, &letter->err);
    fail(&letter->err, E_DRAINING, "the server is stopping");
    inspector->looks[i].letter = NULL;
    home(letter);
  }
}

/* ---- the thread ---- */

static void mail_take(struct inspector *inspector)
{
  struct mail *next;
  for (struct mail *mail = mailbox_take(&inspector->box); mail; mail = next) {
    next = mail->next;
    switch (mail->kind) {
      case LETTER_INSPECT: letter_came(inspector, LETTER_OF(mail, struct letter_inspect)); break;
      case LETTER_DRAIN:
        all_give_up(inspector);
        mail->kind = LETTER_DRAIN_HOME;
        mail_send(LETTER_OF(mail, struct letter_note)->home, mail);
        break;
      case LETTER_STOP:
        all_give_up(inspector);
        inspector->stop = true;
        break;
      default: must(!"a letter that no inspector takes");
    }
  }
}

static void look_wait(struct inspector *inspector)
{
  struct pollfd fds[1 + INSPECT_AT_ONCE] = {{.fd = inspector->bell, .events = POLLIN}};
  int64_t now_us = clock_us(), wait_ms = POLL_MS_MAX;
  uint64_t rung;
  for (int i = 0; i < INSPECT_AT_ONCE; i++) {
    const struct look *look = &inspector->looks[i];
    fds[1 + i] = (struct pollfd){.fd = look->letter ? look->spawn.fd : -1, .events = POLLIN};
    if (!look->letter) continue;
    int64_t left_ms = (look->spawn.deadline_us - now_us) / 1000 + 1;
    if (left_ms < wait_ms) wait_ms = left_ms < 0 ? 0 : left_ms;
  }
  poll(fds, 1 + INSPECT_AT_ONCE, (int)wait_ms);
  ssize_t n = read(inspector->bell, &rung, sizeof rung);
  (void)n;
}

void inspector_main(void *arg)
{
  struct inspector *inspector = arg;
  while (!inspector->stop) {
    mail_take(inspector);
    looks_begin(inspector);
    if (inspector->stop) break;
    look_wait(inspector);
    int64_t now_us = clock_us();
    for (int i = 0; i < INSPECT_AT_ONCE; i++) {
      struct look *look = &inspector->looks[i];
      if (look->letter && spawn_step(&look->spawn, now_us)) look_over(inspector, look);
    }
  }
}

/* ---- before anything ---- */

enum code inspector_walls(struct err *err)
{
  struct spawn_wish wish = {.objects_fd = -1};
  struct inspected found;
  uint32_t walls = 0, landlock_abi;
  spawn_ready();
  spawn_wait(&wish, &found, &walls, &landlock_abi, err);
  if (err->code) return err->code;
  if ((walls & WALLS_LEAST) == WALLS_LEAST) return OK;
  return fail(err, E_UNAVAILABLE,
              "this kernel has no walls to put around a model's first look (seccomp), and "
              "--require-sandbox was said");
}

/* ---- before a load ---- */

enum code inspect_now(const struct inspector_opts *opts, const struct letter_load *letter,
                      struct inspected *found, struct err *err)
{
  struct spawn_wish wish = {.objects_fd = letter->objects_fd,
                            .engine = letter->engine,
                            .files = letter->files,
                            .n_files = letter->n_files,
                            .time_us = opts->time_us,
                            .memory_spare = opts->memory_spare};
  uint32_t walls, landlock_abi;
  spawn_wait(&wish, found, &walls, &landlock_abi, err);
  log_event(err->code ? LOG_WARN : LOG_INFO, err->code ? "model_not_taken" : "model_inspected",
            "tenant", log_slice(letter->tenant), "model", log_slice(letter->model), "version",
            log_num(letter->version), "reason", err->code ? err->text : NULL, NULL);
  return err->code;
}
