/* janitor.c - letters, times, and what is done next.
 * Thread: janitor.
 * SPDX-License-Identifier: MIT */
#include "store/chores/janitor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/artifact.h"
#include "store/chores/scrub.h"

enum { RETRY_US = 60 * 1000000, NICE = 19, FIRST_US = 10 * 1000000, TELL_ARENA_MAX = 1 << 20 };

enum collecting { COLLECT_IDLE, COLLECT_ASKED, COLLECT_WALKING };

/* One version told of at a time: the next waits for the answer. */
struct telling {
  struct letter_refs refs; /* whom to tell */
  struct letter_command command;
  struct event_fact facts[2];
  char hex[SHA256_HEX_LEN + 1];
  bool asked, told; /* letters that are out */
  uint32_t next;
  enum command_kind kind;
};

struct janitor {
  struct janitor_opts opts;
  const struct datadir *dir;
  const struct post *post;
  struct mailbox box;
  struct chores chores;
  int64_t now_us, wall_ms;
  /* collecting */
  enum collecting collecting;
  int64_t collect_us; /* when the next one begins */
  int64_t since_ms;
  struct letter_refs refs;
  struct collect collect;
  uint32_t folder, missing_at;
  struct mail *waiting; /* CHORE_COLLECT that the end of a collection answers */
  /* scrubbing */
  struct scrub *scrub;
  int64_t scrub_us;      /* the next step, or the next pass */
  struct digest *rotten; /* found and not told yet */
  uint32_t n_rotten;
  struct telling telling;
  bool stopping;
};

struct janitor *janitor_new(const struct janitor_opts *opts, const struct datadir *dir,
                            const struct post *post)
{
  struct janitor *janitor = grab_zero(1, sizeof *janitor);
  janitor->opts = *opts;
  janitor->dir = dir;
  janitor->post = post;
  janitor->collect_us = -1; /* first turn */
  janitor->rotten = grab_zero(ROTTEN_MAX, sizeof *janitor->rotten);
  mailbox_init_bell(&janitor->box);
  return janitor;
}

static void refs_reset(struct letter_refs *refs)
{
  ungrab(refs->digests);
  arena_deinit(&refs->arena);
  *refs = (struct letter_refs){0};
}

void janitor_free(struct janitor *janitor)
{
  if (!janitor) return;
  if (janitor->collecting == COLLECT_WALKING) collect_end(&janitor->collect);
  refs_reset(&janitor->refs);
  refs_reset(&janitor->telling.refs);
  scrub_free(janitor->scrub);
  for (struct mail *mail = mailbox_take(&janitor->box), *next; mail; mail = next) {
    next = mail->next;
    if (mail->kind == LETTER_FREED) ungrab(LETTER_OF(mail, struct letter_freed));
  }
  mailbox_deinit(&janitor->box);
  ungrab(janitor->rotten);
  ungrab(janitor);
}

struct mailbox *janitor_mailbox(struct janitor *janitor) { return &janitor->box; }

void janitor_limits_list(struct limits *to)
{
  limit_add(to, (struct limit){"rotten files remembered of a scrub", ROTTEN_MAX, "",
                               2 * ROTTEN_MAX * sizeof(struct digest), NULL,
                               "the digests of all stored files, while they are compared"});
}

/* --- when the last pass ended ----------------------------------------------------------------- */

static void state_read(struct janitor *janitor)
{
  char text[128];
  uint64_t numbers[4] = {0};
  int fd = openat(janitor->dir->fd, "scrub", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : fd_read(fd, text, sizeof text);
  struct slice rest = slice_of(text, n > 0 ? (size_t)n : 0);
  if (fd >= 0) close(fd);
  for (int i = 0; i < 4; i++) {
    size_t len = 0;
    while (len < rest.len && rest.at[len] >= '0' && rest.at[len] <= '9') len++;
    if (!text_read_u64(slice_of(rest.at, len), INT64_MAX, &numbers[i])) return; /* damaged: none */
    rest = slice_from(rest, len + 1);
  }
  janitor->chores.scrub_ended_ms = (int64_t)numbers[0];
  janitor->chores.scrub_objects = numbers[1];
  janitor->chores.scrub_bytes = numbers[2];
  janitor->chores.scrub_rotten = numbers[3];
}

/* Not synced: losing it costs one more pass. */
static void state_write(const struct janitor *janitor)
{
  const struct chores *chores = &janitor->chores;
  char text[128];
  int len = snprintf(text, sizeof text, "%" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                     chores->scrub_ended_ms, chores->scrub_objects, chores->scrub_bytes,
                     chores->scrub_rotten);
  int fd = openat(janitor->dir->fd, "scrub", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                  0600);
  if (fd < 0) return;
  if (!fd_write(fd, slice_of(text, (size_t)len)))
    log_event(LOG_WARN, "scrub_state_lost", NULL);
  close(fd);
}

/* --- telling versions ------------------------------------------------------------------------- */

static void refs_ask(struct janitor *janitor, struct letter_refs *refs, enum refs_of of,
                     const struct digest *object)
{
  refs_reset(refs);
  refs->mail.kind = LETTER_REFS;
  refs->home = &janitor->box;
  refs->of = of;
  if (object) refs->object = *object;
  arena_init(&refs->arena, TELL_ARENA_MAX, NULL);
  mail_send(janitor->post->control, &refs->mail);
}

static void tell(struct janitor *janitor, const struct ref *ref)
{
  struct telling *telling = &janitor->telling;
  struct letter_command *command = &telling->command;
  bool corrupt = telling->kind == COMMAND_VERSION_CORRUPT;
  digest_hex(&ref->digest, telling->hex);
  telling->facts[0] = (struct event_fact){SLICE("digest"), slice_str(telling->hex)};
  telling->facts[1] = (struct event_fact){SLICE("file"), ref->file};
  *command = (struct letter_command){.mail.kind = LETTER_COMMAND,
                                     .home = &janitor->box,
                                     .kind = telling->kind,
                                     .arena = &telling->refs.arena};
  command->event = (struct event){.tenant = ref->tenant,
                                  .model = ref->model,
                                  .version = ref->version,
                                  .actor = SLICE("slipway"),
                                  .facts = telling->facts,
                                  .n_facts = 2,
                                  .reason = corrupt ? SLICE("a stored file is not what was pushed")
                                                    : SLICE("its files are what was pushed")};
  telling->told = true;
  mail_send(janitor->post->control, &command->mail);
}

/* Whether a version marked corrupt has nothing rotten any more: its files stand side by side. */
static bool is_sound(const struct janitor *janitor, const struct letter_refs *refs, uint32_t at)
{
  const struct ref *of = &refs->refs[at];
  for (uint32_t i = 0; i < refs->n; i++) {
    const struct ref *ref = &refs->refs[i];
    bool same = ref->version == of->version && slice_eq(ref->model, of->model) &&
                slice_eq(ref->tenant, of->tenant);
    struct err err;
    uint64_t bytes;
    if (!same) continue;
    if (janitor->scrub && scrub_found(janitor->scrub, &ref->digest)) return false;
    if (artifact_size(janitor->dir, &ref->digest, &bytes, &err) != OK) return false;
  }
  return true;
}

/* The next version to be told, or the next rotten object to be asked about. */
static void telling_go(struct janitor *janitor)
{
  struct telling *telling = &janitor->telling;
  const struct letter_refs *refs = &telling->refs;
  if (telling->asked || telling->told) return;
  while (telling->next < refs->n) {
    uint32_t at = telling->next++;
    if (telling->kind == COMMAND_VERSION_SOUND && !is_sound(janitor, refs, at)) continue;
    tell(janitor, &refs->refs[at]);
    return;
  }
  if (!janitor->n_rotten) return;
  telling->kind = COMMAND_VERSION_CORRUPT;
  telling->next = 0;
  telling->asked = true;
  refs_ask(janitor, &telling->refs, REFS_OBJECT, &janitor->rotten[--janitor->n_rotten]);
}

static void rotten_add(struct janitor *janitor, const struct digest *digest, const char *how)
{
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  log_event(LOG_ERROR, "artifact_corrupt", "object", hex, "reason", how, NULL);
  if (janitor->n_rotten < ROTTEN_MAX) janitor->rotten[janitor->n_rotten++] = *digest;
  telling_go(janitor);
}

/* --- scrubbing -------------------------------------------------------------------------------- */

static void scrub_begin(struct janitor *janitor)
{
  if (janitor->scrub) return;
  janitor->scrub = scrub_new(janitor->dir);
  janitor->scrub_us = janitor->now_us;
  janitor->chores.scrubbing = true;
  log_event(LOG_INFO, "scrub_began", NULL);
}

/* All objects were read: those marked corrupt may be sound again. The pass is kept until that is
 * decided, for what it found. */
static void scrub_ended(struct janitor *janitor)
{
  struct chores *chores = &janitor->chores;
  scrub_count(janitor->scrub, &chores->scrub_objects, &chores->scrub_bytes, &chores->scrub_rotten);
  chores->scrub_ended_ms = janitor->wall_ms;
  chores->scrubbing = false;
  janitor->scrub_us = janitor->now_us + janitor->opts.scrub_us;
  state_write(janitor);
  log_event(chores->scrub_rotten ? LOG_ERROR : LOG_INFO, "scrub_ended", "objects",
            log_num((int64_t)chores->scrub_objects), "bytes",
            log_num((int64_t)chores->scrub_bytes), "rotten",
            log_num((int64_t)chores->scrub_rotten), NULL);
}

static void scrub_go(struct janitor *janitor)
{
  struct digest digest;
  uint64_t bytes;
  struct err err;
  enum scrub_step step = scrub_step(janitor->scrub, &digest, &bytes);
  janitor->chores.scrub_done = scrub_folder(janitor->scrub);
  janitor->scrub_us =
      janitor->now_us + (int64_t)(bytes * 1000000 / (janitor->opts.scrub_rate + 1));
  /* Once more from the start: a fresh copy may have taken its place while this one was read. */
  if (step == SCRUB_ROTTEN &&
      artifact_verify(janitor->dir, &digest, &err) == E_ARTIFACT_CORRUPT)
    rotten_add(janitor, &digest, "its bytes have changed");
  if (step == SCRUB_DONE) scrub_ended(janitor);
}

/* After a pass, when everybody has been told what is rotten: whom to tell what is not. */
static void sound_go(struct janitor *janitor)
{
  struct telling *telling = &janitor->telling;
  if (!janitor->scrub || janitor->chores.scrubbing || telling->asked || telling->told) return;
  if (telling->next < telling->refs.n || janitor->n_rotten) return;
  if (telling->kind == COMMAND_VERSION_SOUND) { /* they have been */
    telling->kind = COMMAND_VERSION_CORRUPT;
    scrub_free(janitor->scrub);
    janitor->scrub = NULL;
    return;
  }
  telling->kind = COMMAND_VERSION_SOUND;
  telling->next = 0;
  telling->asked = true;
  refs_ask(janitor, &telling->refs, REFS_CORRUPT, NULL);
}

/* --- collecting ------------------------------------------------------------------------------- */

static void collect_ask(struct janitor *janitor)
{
  if (janitor->collecting != COLLECT_IDLE) return;
  janitor->collecting = COLLECT_ASKED;
  janitor->since_ms = janitor->wall_ms - janitor->opts.keep_us / 1000;
  refs_ask(janitor, &janitor->refs, REFS_ALL, NULL);
}

static void collect_walk(struct janitor *janitor)
{
  collect_begin(&janitor->collect, janitor->dir, janitor->refs.digests, janitor->refs.n,
                janitor->since_ms);
  janitor->refs.digests = NULL;
  janitor->collecting = COLLECT_WALKING;
  janitor->folder = janitor->missing_at = 0;
}

static void chore_home(const struct janitor *janitor, struct letter_chore *letter)
{
  letter->chores = janitor->chores;
  letter->mail.kind = LETTER_CHORE_HOME;
  mail_send(letter->home, &letter->mail);
}

static void collect_ended(struct janitor *janitor)
{
  struct chores *chores = &janitor->chores;
  const struct collect *collect = &janitor->collect;
  struct digest digest;
  chores->missing = 0;
  for (uint32_t at = 0; collect_missing(collect, &at, &digest); chores->missing++)
    rotten_add(janitor, &digest, "it is not there");
  chores->collect_ended_ms = janitor->wall_ms;
  chores->collected_objects = collect->objects;
  chores->collected_bytes = collect->bytes;
  chores->swept_uploads = collect->uploads;
  chores->swept_marks = collect->marks;
  if (collect->objects || collect->uploads)
    log_event(LOG_INFO, "collected", "objects", log_num((int64_t)collect->objects), "bytes",
              log_num((int64_t)collect->bytes), "uploads", log_num((int64_t)collect->uploads),
              NULL);
  collect_end(&janitor->collect);
  janitor->collecting = COLLECT_IDLE;
  janitor->collect_us = janitor->now_us + janitor->opts.collect_us;
  for (struct mail *mail = janitor->waiting, *next; mail; mail = next) {
    next = mail->next;
    chore_home(janitor, LETTER_OF(mail, struct letter_chore));
  }
  janitor->waiting = NULL;
}

static void collect_go(struct janitor *janitor)
{
  if (janitor->folder < OBJECT_FOLDERS) {
    collect_folder(&janitor->collect, janitor->folder++);
    return;
  }
  collect_sweep(&janitor->collect, janitor->refs.meters, janitor->refs.n_meters);
  collect_ended(janitor);
}

/* --- mail ------------------------------------------------------------------------------------- */

static void refs_home(struct janitor *janitor, struct letter_refs *refs)
{
  if (refs == &janitor->refs) {
    collect_walk(janitor);
    return;
  }
  janitor->telling.asked = false;
  telling_go(janitor);
}

static void told_home(struct janitor *janitor, const struct letter_command *command)
{
  janitor->telling.told = false;
  if (command->err.code)
    log_event(LOG_WARN, "scrub_not_told", "reason", command->err.text, NULL);
  telling_go(janitor);
}

static void chore_take(struct janitor *janitor, struct letter_chore *letter)
{
  if (letter->chore == CHORE_COLLECT) {
    letter->mail.next = janitor->waiting;
    janitor->waiting = &letter->mail;
    collect_ask(janitor);
    return;
  }
  if (letter->chore == CHORE_SCRUB) scrub_begin(janitor);
  chore_home(janitor, letter);
}

/* What a removal left, or what is named again before its mark was made. */
static void freed_take(const struct janitor *janitor, struct letter_freed *letter)
{
  int64_t since_ms = janitor->wall_ms - janitor->opts.keep_us / 1000;
  for (uint32_t i = 0; i < letter->n; i++) {
    const struct freed_file *file = &letter->files[i];
    if (letter->named)
      held_named(janitor->dir, letter->tenant, &file->digest, file->bytes, letter->meter);
    else
      held_freed(janitor->dir, letter->tenant, &file->digest, file->bytes, since_ms,
                 letter->meter);
  }
  ungrab(letter);
}

static void letter_take(struct janitor *janitor, struct mail *mail)
{
  switch (mail->kind) {
    case LETTER_FREED: freed_take(janitor, LETTER_OF(mail, struct letter_freed)); break;
    case LETTER_CHORE: chore_take(janitor, LETTER_OF(mail, struct letter_chore)); break;
    case LETTER_REFS_HOME: refs_home(janitor, LETTER_OF(mail, struct letter_refs)); break;
    case LETTER_COMMAND_HOME: told_home(janitor, LETTER_OF(mail, struct letter_command)); break;
    case LETTER_STOP: janitor->stopping = true; break;
    default: must(!"a letter that the janitor does not take");
  }
}

/* --- turns ------------------------------------------------------------------------------------ */

static void begin(struct janitor *janitor)
{
  state_read(janitor);
  janitor->collect_us = janitor->now_us + FIRST_US;
  int64_t ago_us = (janitor->wall_ms - janitor->chores.scrub_ended_ms) * 1000;
  bool due = ago_us < 0 || ago_us >= janitor->opts.scrub_us || !janitor->chores.scrub_ended_ms;
  janitor->scrub_us = janitor->now_us + FIRST_US + (due ? 0 : janitor->opts.scrub_us - ago_us);
}

static int64_t step(struct janitor *janitor)
{
  int64_t now_us = janitor->now_us;
  if (janitor->collecting == COLLECT_WALKING) {
    collect_go(janitor);
    return now_us;
  }
  if (janitor->collecting == COLLECT_IDLE && now_us >= janitor->collect_us) collect_ask(janitor);
  if (!janitor->scrub && now_us >= janitor->scrub_us) scrub_begin(janitor);
  if (janitor->chores.scrubbing && now_us >= janitor->scrub_us) scrub_go(janitor);
  sound_go(janitor);
  int64_t next_us = janitor->scrub_us;
  if (janitor->scrub && !janitor->chores.scrubbing) next_us = INT64_MAX; /* waits for letters */
  if (janitor->collecting == COLLECT_IDLE && janitor->collect_us < next_us)
    next_us = janitor->collect_us;
  return next_us;
}

static int64_t turn(struct janitor *janitor, struct mail *mail, int64_t now_us, int64_t wall_ms)
{
  janitor->now_us = now_us;
  janitor->wall_ms = wall_ms;
  if (janitor->collect_us < 0) begin(janitor);
  for (struct mail *next; mail; mail = next) {
    next = mail->next; /* one that is freed is gone */
    letter_take(janitor, mail);
  }
  return janitor->stopping ? now_us : step(janitor);
}

int64_t janitor_turn(struct janitor *janitor, int64_t now_us, int64_t wall_ms)
{
  return turn(janitor, mailbox_take(&janitor->box), now_us, wall_ms);
}

void janitor_main(void *arg)
{
  struct janitor *janitor = arg;
  struct mail *mail = NULL;
  setpriority(PRIO_PROCESS, 0, NICE); /* on Linux: of this thread alone */
  while (!janitor->stopping) {
    int64_t next_us = turn(janitor, mail, clock_us(), clock_wall_ms());
    if (!janitor->stopping) mail = mailbox_wait(&janitor->box, next_us);
  }
  for (struct mail *next; janitor->waiting; janitor->waiting = next) {
    struct letter_chore *letter = LETTER_OF(janitor->waiting, struct letter_chore);
    next = janitor->waiting->next;
    fail(&letter->err, E_DRAINING, "the server is stopping");
    chore_home(janitor, letter);
  }
}
