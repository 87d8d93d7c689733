/* daemon.c - the wiring diagram: opens what lasts, makes the threads, gives each its mailboxes,
 * waits, and stops them in reverse. The only file that may include every room.
 * Thread: main.
 *
 *   loops ──ask──> desks ──command──> control ──append──> scribe
 *     │ ▲                              │  │
 *     │ └────────── worlds ────────────┘  └──load──> jobs
 *     └──task──> workers, or the resident on the same loop
 *
 * Stopping (control.h says why in this order): loops and control drain; control closes every lane
 * and unloads every model while loops and workers still run; then everybody gets a STOP and is
 * joined.
 * SPDX-License-Identifier: MIT */
#include "daemon.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "api/desk.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/debug.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "control/control.h"
#include "crashes.h"
#include "door.h"
#include "infer/watch.h"
#include "infer/worker.h"
#include "jobs/job.h"
#include "inspection.h"
#include "keeper.h"
#include "keys.h"
#include "net/loop.h"
#include "options.h"
#include "pressure.h"
#include "redis.h"
#include "replay.h"
#include "serve/cache/cache.h"
#include "settings.h"
#include "store/backup.h"
#include "store/chores/janitor.h"
#include "store/ledger.h"
#include "store/outcome.h"
#include "store/scribe.h"
#include "webhooks.h"

enum { THREADS_MAX = 64, WORLDS_APART_US = 2000 };

/* A lane owner that lives on a loop, and the loop it lives on. */
struct home {
  struct worker *resident;
  struct loop *loop;
};

struct daemon {
  struct options options;
  struct datadir datadir;
  struct ledger *ledger;
  struct outcomes *outcomes; /* NULL: they cannot be kept */
  struct witness *witness;   /* NULL: no checkpoints are wanted */
  struct arena arena;        /* the route table */
  struct arena meters;       /* what tenants use now: loops count into it to the last */
  struct post post;
  struct watch *watch;
  struct cache *cache; /* of predictions; NULL: none */
  struct far_opts far; /* its second level */
  bool has_far;
  struct control *control;
  struct scribe *scribe;
  struct janitor *janitor;
  struct home homes[THREADS_MAX];
  struct worker *workers[THREADS_MAX];
  struct desk *desks[THREADS_MAX];
  struct job *job;
  struct inspection inspection;
  struct desk_opts desk_opts;
  struct loop_limits loop_limits;
  char data_path[OPTION_TEXT_MAX], log_path[4096 + 32];
  struct door door;
  struct settings *settings; /* what loops and desks read */
  int argc;
  char **argv;
  struct keys keys;
  struct webhooks webhooks;
  struct crashes crashes;
  struct gauge gauge;
  int64_t started_us;
  struct thread loop_threads[THREADS_MAX], worker_threads[THREADS_MAX], desk_threads[THREADS_MAX];
  struct thread janitor_thread;
  struct thread control_thread, scribe_thread, job_thread, notifier_thread;
};

/* ---- before anything runs ---- */

static void descriptors_guard(void)
{
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0) must(open("/dev/null", O_RDWR) == fd);
}

static uint32_t cores(void)
{
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  int n = CPU_COUNT(&set);
  return n < 1 ? 1 : n > 16 ? 16 : (uint32_t)n;
}

static uint32_t count_or_cores(const struct options *options, enum option_id id)
{
  int64_t n = option_number(options, id);
  return n ? (uint32_t)n : cores();
}

static enum code data_path_find(struct daemon *d, struct err *err)
{
  const char *given = option_text(&d->options, OPTION_data), *home = getenv("HOME");
  if (given[0])
    snprintf(d->data_path, sizeof d->data_path, "%s", given);
  else if (home && home[0]) {
    int n = snprintf(d->data_path, sizeof d->data_path, "%s/.local/share/slipway", home);
    if (n < 0 || (size_t)n >= sizeof d->data_path)
      return fail(err, E_BAD_CONFIG, "HOME is too long; say --data DIR");
  } else {
    return fail(err, E_BAD_CONFIG, "there is no HOME to keep data in; say --data DIR");
  }
  return OK;
}

/* The caller's to free. */
static struct settings *settings_read(struct daemon *d)
{
  return settings_new(&(struct sources){.options = &d->options,
                                        .post = &d->post,
                                        .inspector = &d->inspection.opts,
                                        .keys_only = d->door.keys_only},
                      &d->loop_limits);
}

/* ---- the threads ---- */

static bool home_turn(void *home) { return worker_turn(((struct home *)home)->resident); }
static void home_wake(void *home) { loop_wake(((struct home *)home)->loop); }

static struct mailbox **boxes_new(uint32_t n) { return grab_zero(n, sizeof(struct mailbox *)); }

static enum code loops_make(struct daemon *d, struct err *err)
{
  uint32_t n_routes;
  const struct route *routes = routes_all(&n_routes);
  struct loop_opts opts = {.host = d->door.host,
                           .port = d->door.port,
                           .routes = route_compile(routes, n_routes, &d->arena),
                           .resident_turn = home_turn,
                           .who = {.pepper = &d->keys.pepper, .keys_only = d->door.keys_only},
                           .drain_delay_us = option_number(&d->options, OPTION_drain_delay),
                           .cache = d->cache,
                           .far = d->cache && d->has_far ? &d->far : NULL,
                           .limits = d->loop_limits};
  for (uint32_t i = 0; i < d->post.n_loops; i++) {
    struct home *home = &d->homes[i];
    home->resident = worker_new_resident(i, d->watch, home_wake, home);
    opts.resident = home;
    home->loop = loop_new(&opts, &d->post, i, d->post.n_loops);
    d->post.loops[i] = loop_mailbox(home->loop);
    d->post.residents[i] = worker_mailbox(home->resident);
    if (loop_listen(home->loop, err)) return err->code;
    opts.port = d->door.port = loop_port(home->loop);
  }
  return OK;
}

static void desks_make(struct daemon *d)
{
  snprintf(d->log_path, sizeof d->log_path, "%s/log/slipway.jsonl", d->datadir.path);
  d->desk_opts = (struct desk_opts){.version = SLIPWAY_VERSION,
                                    .log_path = d->log_path,
                                    .pepper = &d->keys.pepper,
                                    .datadir = &d->datadir,
                                    .limits = &d->settings->limits,
                                    .asks_redis = d->cache && d->has_far};
  struct err ignored;
  d->desk_opts.audits = witness_key(&d->datadir, &d->desk_opts.audit_key, &ignored) == OK;
  for (uint32_t i = 0; i < d->post.n_desks; i++) {
    d->desks[i] = desk_new(&d->desk_opts, &d->post, i);
    d->post.desks[i] = desk_mailbox(d->desks[i]);
  }
}

static void post_size(struct daemon *d)
{
  struct post *post = &d->post;
  post->n_loops = count_or_cores(&d->options, OPTION_loops);
  post->n_workers = count_or_cores(&d->options, OPTION_workers);
  post->n_desks = (uint32_t)option_number(&d->options, OPTION_desks);
  post->n_jobs = 1;
  post->keeper = keeper_box();
  post->loops = boxes_new(post->n_loops);
  post->residents = boxes_new(post->n_loops);
  post->workers = boxes_new(post->n_workers);
  post->desks = boxes_new(post->n_desks);
  post->jobs = boxes_new(post->n_jobs);
  d->settings = settings_read(d);
}

/* Makes every owner and fills in the post; nothing runs yet. */
static enum code rooms_make(struct daemon *d, struct err *err)
{
  post_size(d);
  if (webhooks_open(&d->webhooks, &d->options, err)) return err->code;
  if (redis_read(&d->far, &d->has_far, &d->options, err)) return err->code;
  d->post.notifier = notifier_mailbox(d->webhooks.notifier);
  struct control_opts opts = {
      .webhooks = d->webhooks.urls,
      .n_webhooks = d->webhooks.n,
      .objects_fd = d->datadir.objects_fd,
      .meters = &d->meters,
      .memory_max = settings_models_memory(&d->options),
      .snapshot_events = SNAPSHOT_EVENTS,
      .worlds_apart_us = WORLDS_APART_US,
      .resident_ns = option_number(&d->options, OPTION_resident_below) * 1000,
      .started_us = d->started_us};
  if (opts.resident_ns == 0) opts.resident_ns = -1;
  rand_secret(opts.hash_key, sizeof opts.hash_key);
  d->control = control_new(&opts, &d->post);
  d->post.control = control_mailbox(d->control);
  if (replay_all(&d->datadir, d->ledger, d->control, err)) return err->code;
  if (keys_open(&d->keys, &d->datadir, d->control,
                option_number(&d->options, OPTION_accept_key_loss) != 0, err))
    return err->code;
  d->scribe = scribe_new(d->ledger, d->outcomes);
  scribe_witness(d->scribe, d->witness);
  scribe_keep_looks(d->scribe, (uint32_t)option_number(&d->options, OPTION_looks_releases),
                    option_number(&d->options, OPTION_looks_kept) / 1000);
  d->post.scribe = scribe_mailbox(d->scribe);
  struct janitor_opts janitor = {
      .keep_us = option_number(&d->options, OPTION_uploads_keep),
      .collect_us = option_number(&d->options, OPTION_collect_every),
      .scrub_us = option_number(&d->options, OPTION_scrub_every),
      .scrub_rate = (uint64_t)option_number(&d->options, OPTION_scrub_rate)};
  d->janitor = janitor_new(&janitor, &d->datadir, &d->post);
  d->post.janitor = janitor_mailbox(d->janitor);
  d->watch = watch_new();
  uint64_t kept = (uint64_t)option_number(&d->options, OPTION_cache_max);
  if (kept) d->cache = cache_new(kept);
  for (uint32_t i = 0; i < d->post.n_workers; i++) {
    d->workers[i] = worker_new(i, d->watch);
    d->post.workers[i] = worker_mailbox(d->workers[i]);
  }
  d->job = job_new();
  d->post.jobs[0] = job_mailbox(d->job);
  inspection_open(&d->inspection, &d->options, d->datadir.objects_fd, d->job, &d->post);
  if (loops_make(d, err)) return err->code;
  desks_make(d);
  return OK;
}

static void threads_start(struct daemon *d)
{
  thread_start(&d->janitor_thread, "janitor", THREAD_STACK_ENGINE, janitor_main, d->janitor);
  thread_start(&d->scribe_thread, "scribe", THREAD_STACK_ENGINE, scribe_main, d->scribe);
  thread_start(&d->notifier_thread, "notifier", THREAD_STACK_ENGINE, notifier_main,
               d->webhooks.notifier);
  inspection_start(&d->inspection);
  thread_start(&d->job_thread, "job", THREAD_STACK_ENGINE, job_main, d->job);
  for (uint32_t i = 0; i < d->post.n_workers; i++)
    thread_start(&d->worker_threads[i], "worker", THREAD_STACK_ENGINE, worker_main, d->workers[i]);
  for (uint32_t i = 0; i < d->post.n_desks; i++)
    thread_start(&d->desk_threads[i], "desk", THREAD_STACK_ENGINE, desk_main, d->desks[i]);
  for (uint32_t i = 0; i < d->post.n_loops; i++)
    thread_start(&d->loop_threads[i], "loop", THREAD_STACK_ENGINE, loop_main, d->homes[i].loop);
  thread_start(&d->control_thread, "control", THREAD_STACK_ENGINE, control_main, d->control);
}

/* ---- running and stopping ---- */

/* Loops and desks read the new settings when this returns: with the newest signal that came
 * meanwhile, one that ends the process before any other; 0: none. */
static int settings_tell(struct daemon *d)
{
  static struct letter_settings letters[2 * THREADS_MAX];
  struct settings *old = d->settings;
  uint32_t n_loops = d->post.n_loops, out = n_loops + d->post.n_desks;
  int came = 0;
  d->settings = settings_read(d);
  for (uint32_t i = 0; i < out; i++) {
    letters[i] = (struct letter_settings){
        .mail.kind = LETTER_SETTINGS, .home = keeper_box(), .settings = d->settings};
    mail_send(i < n_loops ? d->post.loops[i] : d->post.desks[i - n_loops], &letters[i].mail);
  }
  while (out > 0) {
    struct mail *mail;
    int signal = keeper_wait(INT64_MAX, &mail);
    for (; mail; mail = mail->next) out--;
    if (signal && came != SIGTERM && came != SIGINT) came = signal;
  }
  ungrab(old);
  return came;
}

/* SIGHUP. On an error all stays as it was, and one line says why. */
static int config_reread(struct daemon *d)
{
  static struct options fresh, next;
  struct err err = {.code = OK};
  struct door door;
  next = d->options;
  if (options_read(&fresh, d->argc, d->argv, &err) == OK) options_take(&next, &fresh);
  if (err.code || door_read(&door, &next, &err)) {
    log_event(LOG_ERROR, "config_refused", "reason", err.text, NULL);
    return 0;
  }
  options_changes_log(&d->options, &fresh);
  d->options = next;
  d->door.keys_only = door.keys_only;
  log_level_set((enum log_level)option_number(&next, OPTION_log_level));
  int signal = settings_tell(d);
  log_event(LOG_INFO, "config_reread", NULL);
  return signal;
}

static int signal_wait(struct daemon *d)
{
  gauge_open(&d->gauge, (uint64_t)option_number(&d->options, OPTION_memory_budget));
  for (;;) {
    struct mail *mail;
    int signal = keeper_wait(gauge_turn(&d->gauge, d->post.control, clock_us()), &mail);
    must(mail == NULL); /* nothing is out */
    while (signal == SIGHUP) signal = config_reread(d);
    if (signal == SIGTERM || signal == SIGINT) return signal;
  }
}

/* A loop answers by the deadline, unless a model that runs on it keeps it from its letters. */
enum { DRAIN_GRACE_US = 1000000 };

/* Refuses new work and lets the rest finish; false: a loop did not answer in time. A second signal
 * ends the waiting. */
static bool drain(struct daemon *d)
{
  static struct letter_note notes[THREADS_MAX + 2];
  int64_t deadline_us = clock_us() + option_number(&d->options, OPTION_drain_delay) +
                        option_number(&d->options, OPTION_drain_timeout);
  uint32_t out = d->post.n_loops + 2;
  for (uint32_t i = 0; i < out; i++) {
    notes[i] = (struct letter_note){
        .mail.kind = LETTER_DRAIN, .home = keeper_box(), .deadline_us = deadline_us};
    struct mailbox *first = i ? d->post.inspector : d->post.control;
    mail_send(i > 1 ? d->post.loops[i - 2] : first, &notes[i].mail);
  }
  while (out > 0) {
    struct mail *mail;
    int signal = keeper_wait(deadline_us + DRAIN_GRACE_US, &mail);
    for (; mail; mail = mail->next) out--;
    if (signal == SIGTERM || signal == SIGINT) {
      log_event(LOG_WARN, "drain_cut", "reason", "a second signal", NULL);
      _exit(128 + signal);
    }
    if (out && clock_us() >= deadline_us + DRAIN_GRACE_US) {
      log_event(LOG_WARN, "drain_late", "silent", log_num(out), NULL);
      return false;
    }
  }
  return true;
}

static void stop(struct mailbox *box, struct thread *thread)
{
  static struct letter_note notes[4 * THREADS_MAX];
  static uint32_t n_notes;
  must(n_notes < sizeof notes / sizeof *notes);
  struct letter_note *note = &notes[n_notes++];
  note->mail.kind = LETTER_STOP;
  mail_send(box, &note->mail);
  thread_join(thread);
}

/* A model that runs or loads for ever holds its thread, and what that thread uses cannot be freed.
 * What was acknowledged is durable, so the process may end as it is. */
static void stop_cut(struct daemon *d)
{
  stop(d->post.scribe, &d->scribe_thread);
  for (uint32_t i = 0; i < d->post.n_loops + d->post.n_workers; i++) {
    bool resident = i < d->post.n_loops;
    uint32_t at = resident ? i : i - d->post.n_loops;
    const char *who = worker_runs(resident ? d->homes[at].resident : d->workers[at]);
    if (who)
      log_event(LOG_WARN, "stop_without", "runs", who, resident ? "loop" : "worker", log_num(at),
                NULL);
  }
  log_event(LOG_WARN, "stop_cut", "reason", "a model still runs or loads", NULL);
  keeper_stop();
  _exit(0);
}

static void threads_stop(struct daemon *d, bool drained)
{
  stop(d->post.control, &d->control_thread);
  if (!drained || control_late(d->control)) stop_cut(d);
  stop(d->post.janitor, &d->janitor_thread); /* desks may wait for it */
  stop(d->post.inspector, &d->inspection.thread);
  for (uint32_t i = 0; i < d->post.n_desks; i++) stop(d->post.desks[i], &d->desk_threads[i]);
  for (uint32_t i = 0; i < d->post.n_loops; i++) stop(d->post.loops[i], &d->loop_threads[i]);
  for (uint32_t i = 0; i < d->post.n_workers; i++) stop(d->post.workers[i], &d->worker_threads[i]);
  stop(d->post.jobs[0], &d->job_thread);
  stop(d->post.notifier, &d->notifier_thread);
  stop(d->post.scribe, &d->scribe_thread);
}

static void rooms_free(struct daemon *d)
{
  control_free(d->control);
  must(world_count_built() == world_count_freed());
  for (uint32_t i = 0; i < d->post.n_desks; i++) desk_free(d->desks[i]);
  for (uint32_t i = 0; i < d->post.n_loops; i++) {
    loop_free(d->homes[i].loop);
    worker_free(d->homes[i].resident);
  }
  cache_free(d->cache);
  if (d->has_far) redis_forget(&d->far);
  for (uint32_t i = 0; i < d->post.n_workers; i++) worker_free(d->workers[i]);
  watch_free(d->watch);
  job_free(d->job);
  inspector_free(d->inspection.inspector);
  notifier_free(d->webhooks.notifier);
  scribe_free(d->scribe);
  janitor_free(d->janitor);
  keys_close(&d->keys);
  ungrab(d->settings);
  ungrab(d->post.loops);
  ungrab(d->post.residents);
  ungrab(d->post.workers);
  ungrab(d->post.desks);
  ungrab(d->post.jobs);
}

/* The first key is shown once, and only where a person sees it: elsewhere output is kept. */
static void first_key_show(struct daemon *d)
{
  char *key = d->keys.first;
  if (!key[0]) return;
  if (isatty(STDOUT_FILENO))
    printf("the first key, shown this once and kept in %s/admin.key:\n  %s\n", d->datadir.path,
           key);
  else
    printf("the first key is kept in %s/admin.key\n", d->datadir.path);
  explicit_bzero(key, sizeof d->keys.first);
}

static void announce(struct daemon *d)
{
  bool v6 = strchr(d->door.host, ':') != NULL;
  printf("slipway %s listens on http://%s%s%s:%u, data in %s\n", SLIPWAY_VERSION, v6 ? "[" : "",
         d->door.host, v6 ? "]" : "", d->door.port, d->datadir.path);
  first_key_show(d);
  fflush(stdout);
  if (d->door.in_the_clear)
    log_event(LOG_WARN, "listening_in_the_clear", "reason",
              d->door.keys_only ? "there is no TLS: whoever is on the way can read keys"
                                : "anybody who reaches it may do everything",
              NULL);
  log_event(LOG_INFO, "listening", "version", SLIPWAY_VERSION, "host", d->door.host, "port",
            log_num(d->door.port), "loops", log_num(d->post.n_loops), "workers",
            log_num(d->post.n_workers), "ready_us", log_num(clock_us() - d->started_us), NULL);
}

static enum code run(struct daemon *d, struct err *err)
{
  if (door_read(&d->door, &d->options, err) || data_path_find(d, err)) return err->code;
  if (datadir_open(&d->datadir, d->data_path, err)) return err->code;
  if (backup_is_half_way(&d->datadir))
    return fail(err, E_CONFLICT,
                "a restore into this data directory was cut off; restore again, or empty it");
  if (inspection_walls(&d->options, err) || keeper_start(d->datadir.fd, err) ||
      crashes_open(&d->crashes, &d->datadir, err))
    return err->code;
  struct ledger_opts ledger = {.accept_loss =
                                   option_number(&d->options, OPTION_accept_ledger_loss) != 0};
  if (ledger_open(&d->ledger, &d->datadir, &ledger, err)) return err->code;
  struct err why = {.code = OK}; /* models are served without them */
  if (outcomes_open(&d->outcomes, &d->datadir, NULL, true, &why) != OK ||
      outcomes_limit(d->outcomes, option_number(&d->options, OPTION_outcomes_max), &why) != OK)
    log_event(LOG_ERROR, "outcomes_not_kept", "reason", why.text, NULL);
  if (witness_open(&d->witness, &d->datadir, d->ledger,
                   option_text(&d->options, OPTION_audit_checkpoint), clock_wall_ms(), err) ||
      rooms_make(d, err))
    return err->code;
  crashes_bar(&d->crashes, d->control);
  threads_start(d);
  int signal = crashes_tell(&d->crashes, &d->post);
  announce(d);
  if (signal != SIGTERM && signal != SIGINT) signal = signal_wait(d);
  log_event(LOG_INFO, "draining", "signal", signal == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
  threads_stop(d, drain(d));
  rooms_free(d);
  witness_close(d->witness, clock_wall_ms());
  outcomes_close(d->outcomes);
  ledger_close(d->ledger);
  log_event(LOG_INFO, "stopped", NULL);
  keeper_stop();
  datadir_close(&d->datadir);
  arena_deinit(&d->arena);
  arena_deinit(&d->meters);
  return OK;
}

static void config_print(const struct options *options)
{
  struct buf text;
  buf_init(&text, 1 << 20);
  options_print(options, &text);
  fwrite(text.at, 1, text.len, stdout);
  buf_deinit(&text);
}

void daemon_help(struct buf *to) { options_help(to); }

int daemon_serve(int argc, char **argv)
{
  static struct daemon d;
  struct err err = {.code = OK};
  d.started_us = clock_us();
  d.argc = argc;
  d.argv = argv;
  descriptors_guard();
  setenv("ORT_DISABLE_TELEMETRY", "1", 1); /* before any thread: newer runtimes look at load */
#ifndef __SANITIZE_ADDRESS__               /* the leak check must be able to look */
  prctl(PR_SET_DUMPABLE, 0);               /* secrets stay out of core files */
#endif
  if (!debug_start(getenv("SLIPWAY_DEBUG")))
    fail(&err, E_BAD_CONFIG, "SLIPWAY_DEBUG takes poison,fail=1/N,seed=S,probe,pressure=FILE");
  if (!err.code && options_read(&d.options, argc, argv, &err) == OK) {
    if (d.options.print_config) return config_print(&d.options), 0;
    log_level_set((enum log_level)option_number(&d.options, OPTION_log_level));
    arena_init(&d.arena, 16 << 20, NULL);
    arena_init(&d.meters, (size_t)1 << 36, NULL);
    if (d.options.check) {
      if (door_read(&d.door, &d.options, &err) == OK &&
          webhooks_open(&d.webhooks, &d.options, &err) == OK &&
          redis_read(&d.far, &d.has_far, &d.options, &err) == OK)
        return puts("the configuration is good"), 0;
    } else if (run(&d, &err) == OK) {
      return 0;
    }
  }
  fprintf(stderr, "slipway: %s\n", err.text);
  return code_exit(err.code);
}
