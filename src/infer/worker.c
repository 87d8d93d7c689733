/* worker.c - sorts letters into lanes and gives each lane its turn.
 * Thread: worker; or the loop a resident lives on.
 * SPDX-License-Identifier: MIT */
#include "infer/worker.h"

#include <sched.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "infer/lane.h"

enum {
  TURN_NS_MAX = 1000000, /* a resident gives the loop back after this; tasks may be left */
  YIELD_NS = 100000,     /* a worker lets those on its core go on after this */
  SLACK_NS = 1000,
  SIFT_NS = 50000000,
};

struct worker {
  struct mailbox box;
  struct turns turns;
  struct watch *watch;
  uint32_t number, n_lanes;
  struct link lanes;
  int64_t sifted_ns;
  bool resident; /* lives on a loop, which does not sleep for it */
  struct task *members[BATCH_TASKS_MAX]; /* of the batch that runs */
  _Atomic(const char *) runs; /* whose task runs now; NULL: none */
  bool stop;
};

static struct worker *worker_make(uint32_t number, struct watch *watch)
{
  struct worker *worker = grab_zero(1, sizeof *worker);
  worker->number = number;
  worker->watch = watch;
  turns_init(&worker->turns);
  list_init(&worker->lanes);
  return worker;
}

struct worker *worker_new(uint32_t number, struct watch *watch)
{
  struct worker *worker = worker_make(number, watch);
  mailbox_init_bell(&worker->box);
  return worker;
}

struct worker *worker_new_resident(uint32_t number, struct watch *watch, void (*wake)(void *),
                                   void *wake_arg)
{
  struct worker *worker = worker_make(number, watch);
  worker->resident = true;
  mailbox_init(&worker->box, wake, wake_arg);
  return worker;
}

void worker_free(struct worker *worker)
{
  if (!worker) return;
  must(worker->n_lanes == 0);
  must(mailbox_empty(&worker->box));
  mailbox_deinit(&worker->box);
  turns_deinit(&worker->turns);
  ungrab(worker);
}

struct mailbox *worker_mailbox(struct worker *worker) { return &worker->box; }

const char *worker_runs(const struct worker *worker)
{
  return atomic_load_explicit(&worker->runs, memory_order_relaxed);
}

static void task_take(struct worker *worker, struct task *task)
{
  struct lane *lane = task->lane;
  must(lane != NULL && lane->owner == worker);
  lane_push(lane, task);
}

static void lane_open(struct worker *worker, struct letter_lane *letter)
{
  letter->err.code = OK;
  letter->lane = lane_new(letter->loaded, worker->watch, worker, &letter->err);
  if (letter->lane) {
    queue_init(&letter->lane->queue, &worker->turns);
    letter->lane->batch.waits = !worker->resident;
  }
  if (letter->lane) {
    worker->n_lanes++;
    list_push_back(&worker->lanes, &letter->lane->link);
  }
  letter->mail.kind = LETTER_LANE_OPEN_HOME;
  mail_send(letter->home, &letter->mail);
}

static void lane_close(struct worker *worker, struct letter_lane *letter)
{
  must(letter->lane != NULL && letter->lane->owner == worker);
  letter->err.code = OK;
  list_remove(&letter->lane->link);
  lane_free(letter->lane);
  worker->n_lanes--;
  letter->mail.kind = LETTER_LANE_CLOSE_HOME;
  mail_send(letter->home, &letter->mail);
}

/* Letters are handled in the order they came; a task waits in its lane. */
static void letters_sort(struct worker *worker, struct mail *mail)
{
  while (mail) {
    struct mail *next = mail->next;
    switch (mail->kind) {
      case LETTER_TASK: task_take(worker, (struct task *)mail); break;
      case LETTER_LANE_OPEN: lane_open(worker, (struct letter_lane *)mail); break;
      case LETTER_LANE_CLOSE: lane_close(worker, (struct letter_lane *)mail); break;
      case LETTER_STOP: worker->stop = true; break;
      default: must(!"a letter workers do not get");
    }
    mail = next;
  }
}

static void task_home(struct mail_bundle *bundle, struct task *task)
{
  task->backlog_ns = queue_backlog_ns(&task->lane->queue, task);
  task->mail.kind = LETTER_ANSWER;
  mail_bundle_add(bundle, task->home, &task->mail);
}

static void dead_home(struct lane *lane, int64_t now_ns)
{
  struct mail_bundle bundle = {0};
  for (struct task *dead; (dead = lane_dead(lane, now_ns));) task_home(&bundle, dead);
  mail_bundle_send(&bundle);
}

/* One batch of the lane whose turn it is, unless it had better wait; what is dead in it goes home
 * before and after. */
static void lane_turn(struct worker *worker, struct lane *lane, int64_t *now_ns)
{
  int64_t began_ns = *now_ns, until_us;
  struct mail_bundle bundle = {0}; /* else the first answer wakes its loop before the others come */
  dead_home(lane, *now_ns);
  uint32_t n = batch_close(lane, *now_ns / 1000, worker->members, &until_us);
  if (!n && until_us < INT64_MAX) queue_rest(&lane->queue, until_us);
  if (n) {
    atomic_store_explicit(&worker->runs, lane->loaded->who, memory_order_relaxed);
    batch_run(lane, worker->members, n, now_ns);
    atomic_store_explicit(&worker->runs, NULL, memory_order_relaxed);
    queue_charge(&lane->queue, worker->members, n, *now_ns - began_ns);
    for (uint32_t i = 0; i < n; i++) task_home(&bundle, worker->members[i]);
    mail_bundle_send(&bundle);
  }
  dead_home(lane, *now_ns);
}

/* What is dead in a lane that gets no turn holds its request's memory: it goes home, too. */
static void lanes_sift(struct worker *worker, int64_t now_ns)
{
  if (now_ns - worker->sifted_ns < SIFT_NS) return;
  worker->sifted_ns = now_ns;
  for (struct link *link = worker->lanes.next; link != &worker->lanes; link = link->next) {
    struct lane *lane = LIST_OF(link, struct lane, link);
    if (lane->queue.waiting) dead_home(lane, now_ns);
  }
}

/* False: nobody's turn it was. */
static bool tasks_run(struct worker *worker)
{
  int64_t now_ns = clock_ns(), until_ns = now_ns + (worker->resident ? TURN_NS_MAX : YIELD_NS);
  struct queue *queue;
  bool did = false;
  while ((queue = queue_next(&worker->turns, now_ns / 1000))) {
    did = true;
    lane_turn(worker, LIST_OF(queue, struct lane, queue), &now_ns);
    lanes_sift(worker, now_ns);
    /* Who came meanwhile takes its place among the turns now, not after them. */
    if (!mailbox_empty(&worker->box)) letters_sort(worker, mailbox_take(&worker->box));
    if (now_ns >= until_ns) break;
  }
  return did;
}

bool worker_turn(struct worker *worker)
{
  bool did = !mailbox_empty(&worker->box);
  if (did) letters_sort(worker, mailbox_take(&worker->box));
  if (!turns_wait(&worker->turns)) return did;
  return tasks_run(worker) || did;
}

void worker_main(void *arg)
{
  struct worker *worker = arg;
  (void)prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0); /* else 50 us, as long as a short wait */
  while (!worker->stop || turns_wait(&worker->turns)) {
    bool did = worker_turn(worker);
    /* Where a loop has the same core, answers go out and who asks comes in between turns, not when
     * this thread's slice of some milliseconds is over. */
    if (did && turns_wait(&worker->turns)) sched_yield();
    if (did) continue;
    letters_sort(worker, mailbox_wait(&worker->box, turns_alarm(&worker->turns)));
  }
}
