/* worker_test.c - lanes: order, fairness, who is not run, what is not believed, what is stopped.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "infer_rig.h"

/* ---- a fake engine: it notes what it ran and does what it is told */

static int ran[64], n_ran, n_sat, n_left;
static enum dtype answer_dtype;
static struct shape answer_shape;
static enum code answer_code, sit_code;
static useconds_t nap_us;
static _Atomic int cancels;

struct fake_seat {
  _Atomic bool stop;
  bool slow;
};

static enum code fake_sit(void *model, void **seat, struct err *err)
{
  if (sit_code) return fail(err, sit_code, "no seat");
  struct fake_seat *made = grab_zero(1, sizeof *made);
  made->slow = model != NULL;
  *seat = made;
  n_sat++;
  return OK;
}

static void fake_leave(void *seat)
{
  n_left++;
  ungrab(seat);
}

static enum code fake_run(void *seat, struct task *task, struct err *err)
{
  struct fake_seat *fake = seat;
  ran[n_ran++ % 64] = *(int *)task->inputs[0].data;
  int64_t began_us = clock_us();
  while (fake->slow && clock_us() < began_us + 2000000)
    if (atomic_load(&fake->stop)) return fail(err, E_MODEL_FAILED, "stopped");
  if (nap_us) usleep(nap_us);
  if (answer_code) return fail(err, answer_code, "the fake was told to fail");
  task->outputs[0] = task->inputs[0];
  if (answer_dtype) task->outputs[0].dtype = answer_dtype;
  if (answer_shape.rank) task->outputs[0].shape = answer_shape;
  return OK;
}

static void fake_cancel(void *seat)
{
  struct fake_seat *fake = seat;
  atomic_store(&fake->stop, true);
  atomic_fetch_add(&cancels, 1);
}

static const struct engine fake = {
    .name = "fake", .sit = fake_sit, .leave = fake_leave, .run = fake_run, .cancel = fake_cancel};
static const struct tensor_spec fake_spec = {
    .name = {"x", 1}, .dtype = DT_INT32, .shape = {1, {1}}};
static struct loaded fake_loaded(bool slow)
{
  n_ran = n_sat = n_left = 0;
  answer_dtype = DT_NONE;
  answer_code = sit_code = OK;
  answer_shape.rank = 0;
  atomic_store(&cancels, 0);
  return (struct loaded){.engine = &fake,
                         .model = slow ? (void *)&fake : NULL,
                         .contract = {&fake_spec, &fake_spec, 1, 1, false}};
}

/* ---- a worker driven by hand */

static struct mailbox home;
static int numbers[64];

static struct lane *open_lane(struct worker *worker, struct loaded *loaded)
{
  struct letter_lane letter = {.mail.kind = LETTER_LANE_OPEN, .home = &home, .loaded = loaded};
  mail_send(worker_mailbox(worker), &letter.mail);
  EXPECT(worker_turn(worker));
  EXPECT(mailbox_take(&home) == &letter.mail);
  EXPECT_INT(letter.mail.kind, LETTER_LANE_OPEN_HOME);
  EXPECT_INT(letter.err.code, OK);
  return letter.lane;
}

static void close_lane(struct worker *worker, struct lane *lane)
{
  struct letter_lane letter = {.mail.kind = LETTER_LANE_CLOSE, .home = &home, .lane = lane};
  mail_send(worker_mailbox(worker), &letter.mail);
  EXPECT(worker_turn(worker));
  EXPECT(mailbox_take(&home) == &letter.mail);
  EXPECT_INT(letter.mail.kind, LETTER_LANE_CLOSE_HOME);
}

static void send_number(struct worker *worker, struct rig_task *rig, struct loaded *loaded,
                        struct lane *lane, int number)
{
  numbers[number] = number;
  rig_task_init(rig, loaded, lane, &home);
  rig_input(rig, 0, DT_INT32, (struct shape){1, {1}}, &numbers[number], 0);
  mail_send(worker_mailbox(worker), &rig->task.mail);
}

TEST(tasks_come_home_in_the_order_sent)
{
  mailbox_init(&home, NULL, NULL);
  struct loaded loaded = fake_loaded(false);
  struct worker *worker = worker_new_resident(0, NULL, NULL, NULL);
  struct lane *lane = open_lane(worker, &loaded);
  static struct rig_task rigs[8];
  for (int i = 0; i < 8; i++) send_number(worker, &rigs[i], &loaded, lane, i);
  int64_t before_ns = clock_ns();
  while (worker_turn(worker)) { /* one turn, or more where a run was long away from its core */
  }
  struct mail *mail = mailbox_take(&home);
  for (int i = 0; i < 8; i++, mail = mail->next) {
    struct task *task = &rigs[i].task;
    EXPECT(mail == &task->mail);
    EXPECT_INT(mail->kind, LETTER_ANSWER);
    EXPECT_INT(task->err.code, OK);
    EXPECT_INT(ran[i], i);
    EXPECT_STR(task->outputs[0].name.at, "x");
    EXPECT(before_ns <= task->began_ns && task->began_ns <= task->input_ns);
    EXPECT(task->input_ns <= task->infer_ns && task->infer_ns <= task->output_ns);
    EXPECT_INT(task->batch_rows, 1);
  }
  EXPECT(mail == NULL);
  close_lane(worker, lane);
  EXPECT_INT(n_left, 1);
  worker_free(worker);
}

/* Else an answer lies there while others run, where a loop has the same core. */
TEST(a_worker_yields_after_each_run_that_is_not_tiny)
{
  mailbox_init(&home, NULL, NULL);
  struct loaded loaded = fake_loaded(false);
  struct worker *worker = worker_new(0, NULL);
  struct lane *lane = open_lane(worker, &loaded);
  static struct rig_task rigs[3];
  for (int i = 0; i < 3; i++) send_number(worker, &rigs[i], &loaded, lane, i);
  nap_us = 200;
  for (int i = 0; i < 3; i++) {
    EXPECT(worker_turn(worker));
    EXPECT_INT(n_ran, i + 1);
  }
  nap_us = 0;
  (void)mailbox_take(&home);
  close_lane(worker, lane);
  worker_free(worker);
}

TEST(lanes_take_turns)
{
  mailbox_init(&home, NULL, NULL);
  struct loaded loaded = fake_loaded(false);
  struct worker *worker = worker_new_resident(0, NULL, NULL, NULL);
  struct lane *a = open_lane(worker, &loaded), *b = open_lane(worker, &loaded);
  static struct rig_task rigs[8];
  for (int i = 0; i < 6; i++) send_number(worker, &rigs[i], &loaded, a, i);
  for (int i = 6; i < 8; i++) send_number(worker, &rigs[i], &loaded, b, i);
  while (worker_turn(worker)) {
  }
  /* What follows the first two turns lies with what they were measured to cost (turns_test.c). */
  EXPECT_INT(ran[0], 0);
  EXPECT_INT(ran[1], 6);
  int next[2] = {0, 6};
  for (int i = 0; i < 8; i++) EXPECT_INT(ran[i], next[ran[i] >= 6]++);
  (void)mailbox_take(&home);
  close_lane(worker, a);
  close_lane(worker, b);
  worker_free(worker);
}

TEST(gone_and_late_tasks_are_not_run)
{
  mailbox_init(&home, NULL, NULL);
  struct loaded loaded = fake_loaded(false);
  struct worker *worker = worker_new_resident(0, NULL, NULL, NULL);
  struct lane *lane = open_lane(worker, &loaded);
  static struct rig_task rigs[3];
  for (int i = 0; i < 3; i++) send_number(worker, &rigs[i], &loaded, lane, i);
  atomic_store(&rigs[0].task.gone, true);
  rigs[1].task.deadline_us = clock_us() - 1;
  while (worker_turn(worker)) {
  }
  EXPECT_INT(rigs[0].task.err.code, E_CANCELLED);
  EXPECT_INT(rigs[1].task.err.code, E_DEADLINE_EXCEEDED);
  EXPECT_INT(rigs[2].task.err.code, OK);
  EXPECT_INT(n_ran, 1);
  EXPECT_INT(ran[0], 2);
  EXPECT_INT(rigs[1].task.infer_ns, rigs[1].task.began_ns);
  (void)mailbox_take(&home);
  close_lane(worker, lane);
  worker_free(worker);
}

TEST(what_is_dead_in_a_lane_without_a_turn_goes_home)
{
  mailbox_init(&home, NULL, NULL);
  struct loaded loaded = fake_loaded(false);
  struct worker *worker = worker_new_resident(0, NULL, NULL, NULL);
  struct lane *busy = open_lane(worker, &loaded), *other = open_lane(worker, &loaded);
  static struct rig_task rigs[8];
  for (int i = 0; i < 8; i++) {
    send_number(worker, &rigs[i], &loaded, i == 7 ? other : busy, i);
    rigs[i].task.class = i == 7 ? CLASS_SHADOW : CLASS_INTERACTIVE; /* leftovers alone */
  }
  rigs[7].task.deadline_us = clock_us() - 1;
  while (worker_turn(worker)) {
  }
  struct mail *mail = mailbox_take(&home); /* after one run, not after all that go before it */
  EXPECT(mail == &rigs[0].task.mail);
  EXPECT(mail && mail->next == &rigs[7].task.mail);
  EXPECT_INT(rigs[7].task.err.code, E_DEADLINE_EXCEEDED);
  EXPECT_INT(n_ran, 7);
  close_lane(worker, busy);
  close_lane(worker, other);
  worker_free(worker);
}

static struct err run_one(struct loaded *loaded)
{
  static struct rig_task rig;
  int number = 7;
  rig_task_init(&rig, loaded, NULL, &home);
  rig_input(&rig, 0, DT_INT32, (struct shape){1, {1}}, &number, 0);
  rig_run(loaded, &rig);
  return rig.task.err;
}

TEST(answers_that_break_the_contract_are_refused)
{
  struct loaded loaded = fake_loaded(false);
  answer_dtype = DT_FP32;
  struct err err = run_one(&loaded);
  EXPECT_INT(err.code, E_BAD_MODEL_OUTPUT);
  EXPECT_STR(err.text,
             "the model answered \"x\" as FP32, it declares INT32: push a version that "
             "keeps its contract");
  answer_dtype = DT_NONE;
  answer_shape = (struct shape){2, {1, 1}};
  err = run_one(&loaded);
  EXPECT_INT(err.code, E_BAD_MODEL_OUTPUT);
  EXPECT(strstr(err.text, "with shape [1,1], it declares [1]"));
  answer_shape = (struct shape){0};
  answer_code = E_MODEL_FAILED;
  EXPECT_INT(run_one(&loaded).code, E_MODEL_FAILED);
  answer_code = OK;
  EXPECT_INT(run_one(&loaded).code, OK);
}

TEST(a_lane_without_a_seat_says_why)
{
  mailbox_init(&home, NULL, NULL);
  struct loaded loaded = fake_loaded(false);
  sit_code = E_OUT_OF_MEMORY;
  struct worker *worker = worker_new_resident(3, NULL, NULL, NULL);
  struct letter_lane letter = {.mail.kind = LETTER_LANE_OPEN, .home = &home, .loaded = &loaded};
  mail_send(worker_mailbox(worker), &letter.mail);
  EXPECT(worker_turn(worker));
  EXPECT(mailbox_take(&home) == &letter.mail);
  EXPECT(letter.lane == NULL);
  EXPECT_INT(letter.err.code, E_OUT_OF_MEMORY);
  worker_free(worker);
}

TEST(closing_a_lane_with_tasks_in_it_is_a_bug)
{
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    must(freopen("/dev/null", "w", stderr) != NULL);
    mailbox_init(&home, NULL, NULL);
    struct loaded loaded = fake_loaded(false);
    struct worker *worker = worker_new_resident(0, NULL, NULL, NULL);
    struct lane *lane = open_lane(worker, &loaded);
    static struct rig_task rig;
    struct letter_lane letter = {.mail.kind = LETTER_LANE_CLOSE, .home = &home, .lane = lane};
    send_number(worker, &rig, &loaded, lane, 1);
    mail_send(worker_mailbox(worker), &letter.mail);
    worker_turn(worker);
    _exit(0);
  }
  int status = 0;
  EXPECT(child > 0 && waitpid(child, &status, 0) == child);
  EXPECT(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

/* ---- on threads */

TEST(a_worker_thread_answers_and_stops)
{
  struct rig_worker worker;
  struct loaded loaded = fake_loaded(false);
  rig_worker_init(&worker, &home, &loaded);
  static struct rig_task rigs[16];
  for (int round = 0; round < 2000; round++) {
    for (int i = 0; i < 16; i++) send_number(worker.worker, &rigs[i], &loaded, worker.lane, i);
    for (int got = 0; got < 16;)
      for (struct mail *m = mailbox_wait(&home, INT64_MAX); m; m = m->next, got++)
        EXPECT(m == &rigs[got].task.mail);
  }
  EXPECT_INT(n_ran, 32000);
  rig_worker_deinit(&worker);
}

TEST(a_slow_run_is_stopped_at_its_deadline)
{
  mailbox_init(&home, NULL, NULL);
  struct watch *watch = watch_new();
  struct loaded loaded = fake_loaded(true);
  struct worker *worker = worker_new_resident(0, watch, NULL, NULL);
  struct lane *lane = open_lane(worker, &loaded);
  static struct rig_task rigs[2];
  for (int i = 0; i < 2; i++) {
    send_number(worker, &rigs[i], &loaded, lane, i);
    rigs[i].task.deadline_us = clock_us() + 700000; /* it is begun before, however slowly */
    while (worker_turn(worker)) {
    }
  }
  for (int i = 0; i < 2; i++) {
    struct task *task = &rigs[i].task;
    EXPECT_INT(task->err.code, E_DEADLINE_EXCEEDED);
    EXPECT(strstr(task->err.text, "still running at the deadline"));
    EXPECT(task->infer_ns / 1000 >= task->deadline_us);
    EXPECT(task->infer_ns - task->input_ns < 1900000000); /* and not when it was done */
  }
  EXPECT_INT(n_ran, 2);
  EXPECT_INT(n_sat, 2); /* the first seat was spent */
  EXPECT_INT(atomic_load(&cancels), 2);
  (void)mailbox_take(&home);
  close_lane(worker, lane);
  EXPECT_INT(n_left, 2);
  worker_free(worker);
  watch_free(watch);
}

TEST(the_watch_leaves_runs_in_time_alone)
{
  mailbox_init(&home, NULL, NULL);
  struct watch *watch = watch_new();
  struct loaded loaded = fake_loaded(false);
  struct worker *worker = worker_new_resident(0, watch, NULL, NULL);
  struct lane *lane = open_lane(worker, &loaded);
  static struct rig_task rig;
  for (int i = 0; i < 20000; i++) {
    send_number(worker, &rig, &loaded, lane, 1);
    rig.task.deadline_us = clock_us() + 10000000;
    EXPECT(worker_turn(worker));
    EXPECT_INT(rig.task.err.code, OK);
    (void)mailbox_take(&home);
  }
  EXPECT_INT(n_sat, 1);
  EXPECT_INT(atomic_load(&cancels), 0);
  close_lane(worker, lane);
  worker_free(worker);
  watch_free(watch);
}

static _Atomic int64_t storm_run, storm_heard;

/* ---- runs that nobody waits for */

static void *leave_soon(void *arg)
{
  struct task *task = arg;
  struct timespec rest = {.tv_nsec = 30000000};
  nanosleep(&rest, NULL);
  atomic_store_explicit(&task->gone, true, memory_order_relaxed);
  return NULL;
}

TEST(a_run_that_nobody_waits_for_is_stopped)
{
  mailbox_init(&home, NULL, NULL);
  struct watch *watch = watch_new();
  struct loaded loaded = fake_loaded(true); /* 2 s */
  struct worker *worker = worker_new_resident(0, watch, NULL, NULL);
  struct lane *lane = open_lane(worker, &loaded);
  static struct rig_task rigs[2];
  pthread_t leaver;
  for (int i = 0; i < 2; i++) {
    send_number(worker, &rigs[i], &loaded, lane, i);
    rigs[i].task.deadline_us = clock_us() + 10000000;
    atomic_store(&rigs[i].task.gone, false);
  }
  pthread_create(&leaver, NULL, leave_soon, &rigs[0].task);
  while (worker_turn(worker)) {
  }
  pthread_join(leaver, NULL);
  EXPECT_INT(rigs[0].task.err.code, E_CANCELLED);
  EXPECT(strstr(rigs[0].task.err.text, "was stopped"));
  EXPECT_INT(rigs[1].task.err.code, OK); /* and that who waited behind it got its whole run */
  EXPECT(rigs[0].task.infer_ns - rigs[0].task.input_ns < 1900000000);
  EXPECT_INT(n_sat, 2); /* the first seat was spent */
  EXPECT_INT(atomic_load(&cancels), 1);
  (void)mailbox_take(&home);
  close_lane(worker, lane);
  worker_free(worker);
  watch_free(watch);
}

/* A batch is stopped when its last member has left, and not before; looks fall around the ends of
 * runs, whose members are memory of the next one's by then. */
struct members {
  _Atomic bool gone[2];
  _Atomic int64_t looks;
};

static bool members_gone(void *arg)
{
  struct members *members = arg;
  atomic_fetch_add(&members->looks, 1);
  return atomic_load(&members->gone[0]) && atomic_load(&members->gone[1]);
}

static void members_end(void *arg)
{
  (void)arg;
  atomic_store(&storm_heard, atomic_load(&storm_run));
}

TEST(a_batch_is_stopped_when_its_last_member_left)
{
  struct watch *watch = watch_new();
  struct watched watched;
  struct members members = {0};
  int stopped = 0;
  watch_join(watch, &watched, members_end, members_gone, &members);
  int64_t until_us = clock_us() + 600000, last_us = until_us + 10000000;
  for (int64_t run = 1; clock_us() < (stopped > 3 ? until_us : last_us); run++) {
    bool all = run % 3 == 0, one = run % 3 == 1;
    atomic_store(&storm_run, run);
    atomic_store(&storm_heard, 0);
    atomic_store(&members.gone[0], all || one);
    atomic_store(&members.gone[1], all);
    int64_t began_us = clock_us();
    watch_begin(watch, &watched, began_us + 10000000);
    int64_t most_us = all ? 2000000 : run % 4 ? 300 : 12000; /* longer than from look to look */
    while (clock_us() < began_us + most_us && !atomic_load(&storm_heard)) {
    }
    bool ended = watch_end(&watched);
    EXPECT(ended == all);
    EXPECT(atomic_load(&storm_heard) == (ended ? run : 0));
    stopped += ended;
  }
  EXPECT(stopped > 3);
  EXPECT(atomic_load(&members.looks) > stopped);
  watch_leave(watch, &watched);
  watch_free(watch);
}

/* Deadlines that fall right around the ends of runs: whatever the watch does, a run that was not
 * stopped itself must never hear a cancel meant for the one before. */
static void storm_end(void *arg)
{
  (void)arg;
  atomic_store(&storm_heard, atomic_load(&storm_run));
}

TEST(a_cancel_never_hits_the_next_run)
{
  struct watch *watch = watch_new();
  struct watched watched;
  int stopped = 0;
  watch_join(watch, &watched, storm_end, NULL, NULL);
  /* where a core is long away, until one was stopped at all */
  int64_t until_us = clock_us() + 400000, last_us = until_us + 10000000;
  for (int64_t run = 1; clock_us() < (stopped ? until_us : last_us); run++) {
    atomic_store(&storm_run, run);
    atomic_store(&storm_heard, 0);
    int64_t began_us = clock_us();
    watch_begin(watch, &watched, began_us + 20 + run % 60);
    int64_t most_us = stopped ? 60 : 60 + run; /* the watch may be later than that to its core */
    while (clock_us() < began_us + most_us && !atomic_load(&storm_heard)) {
    }
    bool ended = watch_end(&watched);
    int64_t heard = atomic_load(&storm_heard);
    EXPECT(heard == (ended ? run : 0));
    stopped += ended;
    if (test_failures) break;
  }
  EXPECT(stopped > 0);
  watch_leave(watch, &watched);
  watch_free(watch);
}

TEST(a_resting_watch_is_woken)
{
  struct watch *watch = watch_new();
  struct watched watched;
  watch_join(watch, &watched, storm_end, NULL, NULL);
  sem_t nap;
  sem_init(&nap, 0, 0);
  struct timespec rest = {.tv_nsec = (WATCH_REST_US + 100000) * 1000L};
  nanosleep(&rest, NULL); /* long enough for it to lie down */
  atomic_store(&storm_run, 5);
  atomic_store(&storm_heard, 0);
  int64_t began_us = clock_us();
  watch_begin(watch, &watched, began_us + 10000);
  while (clock_us() < began_us + 2000000 && !atomic_load(&storm_heard)) {
  }
  EXPECT(watch_end(&watched));
  EXPECT_INT(atomic_load(&storm_heard), 5);
  watch_leave(watch, &watched);
  watch_free(watch);
  sem_destroy(&nap);
}

/* ---- what a run costs */

static bool spins;

static enum code idle_run(void *seat, struct task *task, struct err *err)
{
  (void)seat, (void)err;
  int64_t until_ns = clock_thread_ns() + 30000000;
  while (spins && clock_thread_ns() < until_ns) {
  }
  if (!spins) usleep(30000);
  task->outputs[0] = task->inputs[0];
  return OK;
}

static int64_t cost_of(struct loaded *loaded, bool asked, bool spinning)
{
  struct worker *worker = worker_new(0, NULL);
  struct lane *lane = open_lane(worker, loaded);
  struct rig_task rig;
  spins = spinning;
  rig_task_init(&rig, loaded, lane, &home);
  rig_input(&rig, 0, DT_INT32, (struct shape){1, {1}}, &numbers[1], 0);
  rig.task.costs = asked;
  mail_send(worker_mailbox(worker), &rig.task.mail);
  EXPECT(worker_turn(worker));
  EXPECT(mailbox_take(&home) == &rig.task.mail);
  EXPECT_INT(rig.task.err.code, OK);
  EXPECT(rig.task.infer_ns - rig.task.input_ns >= 29000000);
  int64_t cpu_ns = rig.task.cpu_ns;
  rig_task_deinit(&rig);
  close_lane(worker, lane);
  worker_free(worker);
  return cpu_ns;
}

TEST(a_run_costs_what_its_thread_spent_and_not_what_it_waited)
{
  struct loaded loaded = fake_loaded(false);
  struct engine engine = fake;
  engine.run = idle_run;
  engine.cancel = NULL;
  loaded.engine = &engine;
  int64_t slept = cost_of(&loaded, true, false), spun = cost_of(&loaded, true, true);
  EXPECT(slept >= 0 && slept < 10000000);
  EXPECT(spun >= 30000000 && spun < 60000000);
  EXPECT_INT(cost_of(&loaded, false, true), -1);
  loaded.spread = true; /* threads of its own: nobody knows */
  EXPECT_INT(cost_of(&loaded, true, true), -1);
}
