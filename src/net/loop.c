/* loop.c - the loop's turns: poll, then mail and residents until both are quiet.
 * Thread: loop_main's own; loop_new, loop_free: main.
 *
 *   one turn:  epoll_wait -> connections feed their codecs -> calls lend tasks
 *              -> rounds { resident runs tasks; mail brings answers; answers are written;
 *                          what clients sent ahead is fed }
 *              ROUNDS_MAX at most, then the next turn
 *
 * Mail from this thread to this thread rings no bell: loop_wake knows where it is.
 * SPDX-License-Identifier: MIT */
#include "net/loop.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "net/errand_int.h"
#include "net/loop_int.h"

enum {
  SLOW_TURN_US = 2000,
  SWEEP_MS = 1000,
  CACHE_SWEEP_MS = 500,
  DRAIN_IDLE_US = 100000,
  BLOCKS_SWEEPS = 4,
  STOP_WAIT_US = 5000000,
};

static _Thread_local struct loop *loop_here; /* the loop whose thread this is */

/* --- boot ------------------------------------------------------------------------------------ */

static void handles_open(struct loop *loop);

struct loop *loop_new(const struct loop_opts *opts, const struct post *post, uint32_t number,
                      uint32_t n_loops)
{
  struct loop *loop = grab_zero(1, sizeof *loop);
  loop->opts = *opts;
  loop->opts.host = grab_str(opts->host);
  loop->limits = loop_limits_filled(opts->limits, n_loops);
  loop->post = post;
  loop->number = number;
  loop->n_loops = n_loops;
  loop->door_fd = loop->spare_fd = -1;
  loop->alarm_us = INT64_MAX;
  bell_init(&loop->bell);
  mailbox_init(&loop->box, loop_wake, loop);
  ration_init(&loop->ration, loop->limits.memory_max);
  blocks_init(&loop->blocks, loop->limits.blocks_kept_max, &loop->ration);
  pool_init(&loop->conns, loop->limits.connections_max, sizeof(struct conn));
  pool_init(&loop->calls, loop->limits.calls_max, sizeof(struct call));
  pool_init(&loop->asks, ASKS_MAX, sizeof(struct errand));
  addresses_init(&loop->addresses, loop->limits.connections_max);
  list_init(&loop->open);
  list_init(&loop->again);
  list_init(&loop->leaving);
  list_init(&loop->streams);
  budget_init(&loop->bodies, loop->limits.bodies_max);
  must(uv_loop_init(&loop->uv) == 0);
  far_init(loop);
  loop->serve = serve_new(&(struct serve_opts){
      .post = post,
      .home = &loop->box,
      .loop = number,
      .calls_max = loop->limits.calls_max,
      .call_bytes_max = loop->limits.call_bytes_max,
      .scratch_kept_max = loop->limits.blocks_kept_max,
      .deadline_us = loop->limits.deadline_us,
      .deadline_max_us = loop->limits.deadline_max_us,
      .blocks = &loop->blocks.source,
      .heap = &loop->ration.heap,
      .bodies = &loop->bodies,
      .cache = opts->cache,
      .n_loops = n_loops,
      .far = loop->far.far,
  });
  serve_bundle(loop->serve, true);
  handles_open(loop);
  return loop;
}

void loop_resident(struct loop *loop, bool (*turn)(void *resident), void *resident)
{
  loop->opts.resident_turn = turn;
  loop->opts.resident = resident;
}

struct mailbox *loop_mailbox(struct loop *loop) { return &loop->box; }

void loop_wake(void *arg)
{
  struct loop *loop = arg;
  if (loop_here != loop) bell_ring(&loop->bell);
}

/* --- time ------------------------------------------------------------------------------------ */

int64_t loop_now(struct loop *loop)
{
  if (!loop->clock_fresh) {
    loop->clock_fresh = true;
    loop->now_us = clock_us();
    serve_turn(loop->serve, loop->now_us, loop->wall_us);
    if (!loop->turn_us) loop->turn_us = loop->now_us;
  }
  return loop->now_us;
}

static void date_write(struct loop *loop)
{
  int64_t wall_ms = clock_wall_ms();
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  static const char days[] = "SunMonTueWedThuFriSat",
                    months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  int n = snprintf(loop->date_buf, sizeof loop->date_buf,
                   "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday,
                   tm.tm_mday % 100, months + 3 * tm.tm_mon, (tm.tm_year + 1900) % 10000,
                   tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
  loop->date = slice_of(loop->date_buf, (size_t)n);
  loop->wall_us = wall_ms * 1000 - loop_now(loop);
  serve_turn(loop->serve, loop->now_us, loop->wall_us);
}

/* --- ends ------------------------------------------------------------------------------------ */

static void drain_over(struct loop *loop)
{
  loop->drain = DRAIN_OVER;
  struct letter_note *letter = loop->drain_letter;
  loop->drain_letter = NULL;
  letter->mail.kind = LETTER_DRAIN_HOME;
  mail_send(letter->home, &letter->mail);
}

static void conns_cut(struct loop *loop)
{
  for (struct link *link = loop->open.next; link != &loop->open; link = link->next)
    conn_close(LIST_OF(link, struct conn, link));
}

/* Nothing of a request has come, not even as far as the kernel: closing loses nothing. */
static bool conn_is_idle(const struct conn *conn)
{
  uv_os_fd_t fd;
  int waiting = 0;
  if (conn->state != CONN_READY || conn->in_head || conn->again.next) return false;
  if (uv_fileno((const uv_handle_t *)&conn->tcp, &fd) != 0) return true;
  return ioctl(fd, FIONREAD, &waiting) != 0 || waiting == 0;
}

static void on_drain_next(uv_timer_t *timer) { loop_stir(timer->data); }

static void drain_goes(struct loop *loop, enum drain_state state, int64_t for_us)
{
  loop->drain = state;
  loop->drain_us = loop_now(loop) + for_us;
  uv_timer_start(&loop->drain_next, on_drain_next, (uint64_t)for_us / 1000 + 1, 0);
}

static void conns_rest(struct loop *loop)
{
  for (struct link *link = loop->open.next; link != &loop->open; link = link->next) {
    struct conn *conn = LIST_OF(link, struct conn, link);
    if (conn_is_idle(conn)) conn_close(conn);
  }
}

/* Where draining stands; looked at in every turn of a draining loop. A client's next request may be
 * under way on a connection that looks idle, and it cannot tell whether it was read: so CLOSING, in
 * which an answer says that it is the connection's last, goes before idle ones are closed. */
static void drain_step(struct loop *loop)
{
  int64_t now_us = loop_now(loop);
  if (loop->drain == DRAIN_DELAY && now_us >= loop->drain_us) {
    drain_goes(loop, DRAIN_CLOSING, DRAIN_IDLE_US);
    door_close(loop);
    streams_cut(loop);
  }
  if (loop->drain == DRAIN_CLOSING && now_us >= loop->drain_us) {
    loop->drain = DRAIN_IDLE;
    conns_rest(loop);
  }
  if (loop->drain != DRAIN_CLOSING && loop->drain != DRAIN_IDLE) return;
  if (now_us >= loop->drain_letter->deadline_us) conns_cut(loop);
  bool quiet = loop->n_open == 0 && serve_calls(loop->serve) == 0 && loop->n_asks == 0;
  if (quiet || now_us >= loop->drain_letter->deadline_us) drain_over(loop);
}

static void drain_begin(struct loop *loop, struct letter_note *letter)
{
  must(loop->drain == DRAIN_NO);
  serve_drain(loop->serve);
  loop->drain_letter = letter;
  drain_goes(loop, DRAIN_DELAY, loop->opts.drain_delay_us);
}

static void settings_take(struct loop *loop, struct letter_settings *letter)
{
  const struct settings *new = letter->settings;
  loop->limits.head_us = new->head_us;
  loop->limits.idle_us = new->idle_us;
  loop->limits.write_us = new->write_us;
  loop->opts.drain_delay_us = new->drain_delay_us;
  loop->opts.who.keys_only = new->keys_only;
  serve_deadlines(loop->serve, new->deadline_us, new->deadline_max_us);
  letter->mail.kind = LETTER_SETTINGS_HOME;
  mail_send(letter->home, &letter->mail);
}

static void stop_begin(struct loop *loop)
{
  loop->stop = true;
  loop->stop_us = loop_now(loop) + STOP_WAIT_US;
  door_close(loop);
  shadows_stop(loop->serve);
  conns_cut(loop);
}

/* --- mail ------------------------------------------------------------------------------------ */

static void letter_handle(struct loop *loop, struct mail *mail)
{
  switch (mail->kind) {
    case LETTER_ANSWER: call_home(loop, mail); break;
    case LETTER_LANDED: call_landed(loop, mail); break;
    case LETTER_ASK_HOME: errand_home(mail); break;
    case LETTER_CHUNK_HOME: errand_chunk_home(mail); break;
    case LETTER_WORLD:
      serve_world(loop->serve, LETTER_OF(mail, struct letter_world));
      streams_look(loop);
      calls_woken(loop);
      break;
    case LETTER_WAKE_HOME:
      serve_wake_home(loop->serve, LETTER_OF(mail, struct letter_wake));
      break;
    case LETTER_TALLY: serve_tally(loop->serve, LETTER_OF(mail, struct letter_tally)); break;
    case LETTER_DRAIN: drain_begin(loop, LETTER_OF(mail, struct letter_note)); break;
    case LETTER_SETTINGS: settings_take(loop, LETTER_OF(mail, struct letter_settings)); break;
    case LETTER_STOP: stop_begin(loop); break;
    default: must(!"a letter loops do not get");
  }
}

static bool mail_handle(struct loop *loop)
{
  struct mail *mail = mailbox_take(&loop->box);
  if (!mail) return false;
  loop->clock_fresh = false; /* answers are timed after their runs */
  loop_now(loop);
  while (mail) {
    struct mail *next = mail->next;
    letter_handle(loop, mail);
    mail = next;
  }
  return true;
}

/* --- a turn ---------------------------------------------------------------------------------- */

static bool again_handle(struct loop *loop)
{
  struct link due;
  if (list_empty(&loop->again)) return false;
  list_init(&due);
  for (struct link *link; (link = list_pop_front(&loop->again));) list_push_back(&due, link);
  for (struct link *link; (link = list_pop_front(&due));)
    conn_go(LIST_OF(link, struct conn, again));
  return true;
}

/* Where there is nothing to do but to refuse, and a run that it would interrupt. */
static void arrivals_gather(struct loop *loop)
{
  if (loop->stop || !serve_calls(loop->serve) || uv_backend_timeout(&loop->uv) == 0) return;
  int64_t wait_us = gather_wait_us(&loop->gather, clock_us());
  if (wait_us) bell_wait(&loop->bell, wait_us);
}

/* A turn begins when the poll wakes: what timers did before it is not its own. */
static void on_prepare(uv_prepare_t *prepare)
{
  struct loop *loop = prepare->data;
  serve_send(loop->serve);
  arrivals_gather(loop);
  loop->turn_us = 0;
  loop->clock_fresh = false;
}

static void turn_end(struct loop *loop)
{
  int64_t took_us = loop->turn_us ? clock_us() - loop->turn_us : 0;
  const char *stage = serve_slow_stage(loop->serve);
  if (loop->turn_us) serve_count_turn(loop->serve, took_us);
  if (took_us > SLOW_TURN_US) {
    loop->slow_turns++;
    serve_count_slow_turn(loop->serve);
  }
  if (took_us > SLOW_TURN_US && took_us > loop->slow_us) {
    loop->slow_us = took_us;
    loop->slow_stage = stage ? stage : "many small ones";
  }
  loop->turn_us = 0;
  loop->clock_fresh = false;
}

/* One line a second at most: the worst turn, by the name of its longest stage. */
static void slow_log(struct loop *loop)
{
  if (!loop->slow_turns) return;
  log_event(LOG_WARN, "slow_turns", "loop", log_num(loop->number), "turns",
            log_num(loop->slow_turns), "worst_us", log_num(loop->slow_us), "stage",
            loop->slow_stage, NULL);
  loop->slow_turns = 0;
  loop->slow_us = 0;
}

static void on_alarm(uv_timer_t *timer)
{
  struct loop *loop = timer->data;
  loop->alarm_us = INT64_MAX;
  calls_late(loop);
  loop_stir(loop); /* timers run before the poll: what is lent now must not wait in it */
}

/* One timer for all calls that are out, moved only when an earlier deadline comes along. */
static void alarm_set(struct loop *loop)
{
  int64_t due_us = serve_alarm(loop->serve);
  if (due_us >= loop->alarm_us) return;
  loop->alarm_us = due_us;
  int64_t wait_us = loop->alarm_us - loop_now(loop);
  uv_timer_start(&loop->alarm, on_alarm, wait_us > 0 ? (uint64_t)wait_us / 1000 + 1 : 1, 0);
}

static void on_idle(uv_idle_t *idle)
{
  (void)idle;
} /* its being there keeps the poll from waiting */

static void busy_set(struct loop *loop, bool busy)
{
  if (busy == loop->busy) return;
  loop->busy = busy;
  if (busy)
    uv_idle_start(&loop->idle, on_idle);
  else
    uv_idle_stop(&loop->idle);
}

void loop_stir(struct loop *loop) { busy_set(loop, true); }

/* Until all is quiet. False: it was from the start. */
static bool rounds(struct loop *loop, bool *busy)
{
  *busy = true;
  int round = 0;
  for (; round < ROUNDS_MAX && *busy; round++) {
    *busy = again_handle(loop);
    serve_send(loop->serve);
    if (loop->opts.resident_turn && loop->opts.resident_turn(loop->opts.resident)) {
      loop_now(loop);
      *busy = true;
    }
    if (mail_handle(loop)) *busy = true;
    /* Rounds may follow each other for long: who has waited until now is not to wait for the
     * poll. */
    if (loop->clock_fresh && serve_alarm(loop->serve) <= loop->now_us) calls_late(loop);
  }
  return round > 1;
}

static void on_shadow_rest(uv_timer_t *timer) { loop_stir(timer->data); }

/* Shadows get what a turn leaves: all its answers are written by now. A resident's needs a turn in
 * which nothing else happened, and is run and compared at once. True: the next turn is for them. */
static bool shadows_go(struct loop *loop, bool idle)
{
  struct serve *serve = loop->serve;
  bool busy = false;
  int64_t when_us = shadows_when(serve);
  if (when_us == INT64_MAX) return false;
  if (when_us <= loop_now(loop) && shadows_turn(serve, idle)) {
    rounds(loop, &busy);
    shadows_turn(serve, false);
  }
  when_us = shadows_when(serve);
  if (busy || when_us <= loop_now(loop)) return true;
  if (when_us < INT64_MAX && !uv_is_active((uv_handle_t *)&loop->shadow_rest))
    uv_timer_start(&loop->shadow_rest, on_shadow_rest,
                   (uint64_t)(when_us - loop_now(loop)) / 1000 + 1, 0);
  return false;
}

static void on_check(uv_check_t *check)
{
  struct loop *loop = check->data;
  bool busy, idle = loop->turn_us == 0;
  if (far_begin_turn(loop)) idle = false;
  if (rounds(loop, &busy)) idle = false;
  if (shadows_go(loop, idle)) busy = true;
  if (loop->drain != DRAIN_NO) drain_step(loop);
  alarm_set(loop);
  busy_set(loop, busy);
  far_end_turn(loop);
  turn_end(loop);
  bool out = serve_calls(loop->serve) || loop->n_asks || loop->n_open;
  if (loop->stop && (!out || loop->stop_us <= loop_now(loop))) uv_stop(&loop->uv);
}

static void on_sweep(uv_timer_t *timer)
{
  struct loop *loop = timer->data;
  date_write(loop);
  struct link *link = loop->open.next;
  while (link != &loop->open) {
    struct conn *conn = LIST_OF(link, struct conn, link);
    link = link->next;
    conn_sweep(conn);
  }
  shadows_sweep(loop->serve);
  if (serve_presses(loop->serve, ACTION_RESET)) heavy_reset(loop);
  if (++loop->sweeps % BLOCKS_SWEEPS == 0) blocks_sweep(&loop->blocks);
  slow_log(loop);
}

/* Twice a second, for what a switch of versions leaves is to be back within one. */
static void on_cache_sweep(uv_timer_t *timer)
{
  struct loop *loop = timer->data;
  loop_now(loop);
  serve_sweep(loop->serve);
}

/* The turn takes the mail. */
static void on_bell(uv_poll_t *ear, int status, int events)
{
  struct loop *loop = ear->data;
  (void)events;
  if (status == 0) bell_heard(&loop->bell);
}

static void handles_open(struct loop *loop)
{
  must(uv_poll_init(&loop->uv, &loop->ear, loop->bell.fd) == 0);
  loop->ear.data = loop;
  must(uv_poll_start(&loop->ear, UV_READABLE, on_bell) == 0);
  must(uv_check_init(&loop->uv, &loop->check) == 0);
  must(uv_prepare_init(&loop->uv, &loop->prepare) == 0);
  must(uv_idle_init(&loop->uv, &loop->idle) == 0);
  must(uv_timer_init(&loop->uv, &loop->sweep) == 0);
  must(uv_timer_init(&loop->uv, &loop->cache_sweep) == 0);
  must(uv_timer_init(&loop->uv, &loop->alarm) == 0);
  must(uv_timer_init(&loop->uv, &loop->door_rest) == 0);
  must(uv_timer_init(&loop->uv, &loop->shadow_rest) == 0);
  must(uv_timer_init(&loop->uv, &loop->look) == 0);
  must(uv_timer_init(&loop->uv, &loop->drain_next) == 0);
  loop->cache_sweep.data = loop;
  loop->prepare.data = loop->check.data = loop->idle.data = loop->sweep.data = loop;
  loop->look.data = loop->alarm.data = loop->shadow_rest.data = loop;
  loop->door_rest.data = loop->door.data = loop->drain_next.data = loop;
}

void loop_main(void *arg)
{
  struct loop *loop = arg;
  loop_here = loop;
  thread_prompt();
  date_write(loop);
  loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  uv_prepare_start(&loop->prepare, on_prepare);
  uv_check_start(&loop->check, on_check);
  uv_timer_start(&loop->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
  if (loop->opts.cache)
    uv_timer_start(&loop->cache_sweep, on_cache_sweep, CACHE_SWEEP_MS, CACHE_SWEEP_MS);
  if (loop->door_fd >= 0) {
    must(uv_poll_init(&loop->uv, &loop->door, loop->door_fd) == 0);
    door_open(loop);
  }
  busy_set(loop, true); /* the first turn looks at the mail */
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  serve_leave(loop->serve);
  loop_here = NULL;
}

/* --- the end --------------------------------------------------------------------------------- */

static void handle_end(uv_handle_t *handle, void *arg)
{
  (void)arg;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

/* A forced end may leave tasks with lanes or asks with desks: then their memory is theirs until
 * the process is gone. */
static void memory_free(struct loop *loop)
{
  if (serve_calls(loop->serve) || loop->n_asks) return;
  serve_free(loop->serve);
  far_deinit(loop);
  blocks_deinit(&loop->blocks);
  addresses_deinit(&loop->addresses);
  pool_deinit(&loop->asks);
  pool_deinit(&loop->calls);
  pool_deinit(&loop->conns);
  mailbox_deinit(&loop->box);
  ungrab((char *)(uintptr_t)loop->opts.host);
  ungrab(loop);
}

void loop_free(struct loop *loop)
{
  if (!loop) return;
  loop_here = loop; /* nobody else is left to be woken for */
  conns_cut(loop);
  while (mail_handle(loop)) continue; /* what came home late */
  shadows_turn(loop->serve, false);
  uv_walk(&loop->uv, handle_end, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  must(uv_loop_close(&loop->uv) == 0);
  loop_here = NULL;
  if (loop->door_fd >= 0) close(loop->door_fd);
  if (loop->spare_fd >= 0) close(loop->spare_fd);
  bell_deinit(&loop->bell);
  serve_leave(loop->serve);
  memory_free(loop);
}
