/* storm_test.c - two loops call models as fast as they can while control switches all of them as
 * fast as it can: versions load, open lanes, serve, close and unload under the calls. No call
 * fails, no answer is another's, every world built is freed, every call is counted once. Run under
 * TSan it also proves that letters are the only thing threads share.
 *
 * Everything but the loops, the commander and the scribe (memory only: the disk would be the brake)
 * is the real thing. CALLS=n changes how many calls each of the two storms makes.
 * Thread: main, and those it starts.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <ftw.h>
#include <sched.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "control/control.h"
#include "infer/watch.h"
#include "infer/worker.h"
#include "jobs/job.h"
#include "store/artifact.h"

enum {
  LOOPS = 2,
  WORKERS = 2,
  MODELS = 6,
  VERSIONS = 3,
  IN_FLIGHT = 48,
  FLOATS = 4,
  SWITCHES_MIN = 300
};

static const char model_json[] =
    "{\"engine\": \"echo\", \"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [-1, "
    "4]}]}";

/* --- a loop ----------------------------------------------------------------------------------- */

struct lease {
  struct letter_world *letter;
  uint32_t calls;
  struct lease *next;
};

struct call {
  struct task task;
  struct tensor input, output;
  struct arena scratch;
  float data[FLOATS];
  struct lease *lease;
  uint32_t slot;
  struct call *next_free;
};

struct loop {
  uint32_t number;
  struct thread thread;
  struct mailbox box;
  struct worker *resident;
  struct lease *newest;
  struct tally *tally;
  struct rand rand;
  struct call calls[IN_FLIGHT], *free;
  uint64_t calls_wanted, begun, ended, failed, wrong;
  bool open;     /* every model has answered once: from now on each always must */
  uint64_t gaps; /* models found without a version that answers */
  uint32_t in_flight;
  bool stopping, told; /* told: that it has made the calls wanted; it goes on until DRAIN */
  struct letter_note note, *drain;
};

static struct post post;
static struct loop loops[LOOPS];
static struct worker *workers[WORKERS];
static struct control *control;
static struct job *job;
static struct watch *watch;
static struct datadir dir;
static struct mailbox scribe_box, keeper_box;
static struct mailbox *loop_boxes[LOOPS], *resident_boxes[LOOPS], *worker_boxes[WORKERS],
    *job_boxes[1];

static void lease_end(struct lease *lease)
{
  lease->letter->mail.kind = LETTER_WORLD_HOME;
  mail_send(post.control, &lease->letter->mail);
  ungrab(lease);
}

static void world_take(struct loop *loop, struct letter_world *letter)
{
  struct lease *lease = grab_zero(1, sizeof *lease), *old = loop->newest;
  lease->letter = letter;
  loop->newest = lease;
  must(loop->tally && loop->tally->n_slots >= world_slots(letter->world));
  if (old && !old->calls) lease_end(old);
  const struct tenant *tenant = world_tenant(letter->world, SLICE("default"));
  bool all = tenant && tenant->n_models == MODELS;
  for (uint32_t i = 0; all && i < MODELS; i++) all = tenant_model(tenant, i)->stable != NULL;
  loop->open = loop->open || all;
}

static bool call_begin(struct loop *loop)
{
  struct call *call = loop->free;
  if (!loop->newest || !call) return false;
  const struct world *world = loop->newest->letter->world;
  const struct tenant *tenant = world_tenant(world, SLICE("default"));
  if (!tenant || !tenant->n_models) return false;
  uint32_t at = (uint32_t)(rand_u64(&loop->rand) % tenant->n_models);
  const struct model *model = tenant_model(tenant, at);
  if (!model->stable) {
    loop->gaps += loop->open;
    return false;
  }
  const struct version *version = model->stable;
  uint32_t seat =
      version->resident ? loop->number : (uint32_t)(rand_u64(&loop->rand) % version->n_seats);
  loop->free = call->next_free;
  for (int i = 0; i < FLOATS; i++) call->data[i] = (float)(loop->begun + (uint64_t)i);
  call->input = (struct tensor){.name = SLICE("x"),
                                .dtype = DT_FP32,
                                .shape = {2, {1, FLOATS}},
                                .count = FLOATS,
                                .data = call->data,
                                .bytes = sizeof call->data};
  call->output = (struct tensor){0};
  call->lease = loop->newest;
  call->lease->calls++;
  call->slot = version->slot;
  arena_reset(&call->scratch);
  call->task = (struct task){.mail.kind = LETTER_TASK,
                             .home = &loop->box,
                             .lane = version->seats[seat].lane,
                             .contract = &version->contract,
                             .inputs = &call->input,
                             .wanted = 1,
                             .rows = 1,
                             .deadline_us = clock_us() + 60000000,
                             .outputs = &call->output,
                             .scratch = &call->scratch};
  loop->begun++;
  loop->in_flight++;
  mail_send(version->seats[seat].owner, &call->task.mail); /* from here on it is the owner's */
  return true;
}

static void call_end(struct loop *loop, struct call *call)
{
  struct version_tally *slot = tally_slot(loop->tally, call->slot);
  if (call->task.err.code != OK) {
    loop->failed++;
    slot->fail.count++;
  } else {
    slot->success.count++;
    loop->wrong += call->output.bytes != sizeof call->data ||
                   memcmp(call->output.data, call->data, sizeof call->data) != 0;
  }
  struct lease *lease = call->lease;
  if (--lease->calls == 0 && lease != loop->newest) lease_end(lease);
  loop->ended++;
  loop->in_flight--;
  call->next_free = loop->free;
  loop->free = call;
}

static void loop_letter(struct loop *loop, struct mail *mail)
{
  if (mail->kind == LETTER_ANSWER) {
    struct task *task = LETTER_OF(mail, struct task);
    call_end(loop, (struct call *)(void *)task);
  } else if (mail->kind == LETTER_WORLD) {
    world_take(loop, LETTER_OF(mail, struct letter_world));
  } else if (mail->kind == LETTER_TALLY) {
    struct letter_tally *letter = LETTER_OF(mail, struct letter_tally);
    struct tally *full = loop->tally;
    loop->tally = letter->tally;
    letter->tally = full;
    mail->kind = LETTER_TALLY_HOME;
    mail_send(post.control, mail);
  } else if (mail->kind == LETTER_DRAIN) {
    loop->drain = LETTER_OF(mail, struct letter_note);
  } else {
    must(mail->kind == LETTER_STOP);
    loop->stopping = true;
  }
}

static void loop_main(void *arg)
{
  struct loop *loop = arg;
  bool drained = false;
  while (!loop->stopping) {
    bool busy = worker_turn(loop->resident);
    for (struct mail *mail = mailbox_take(&loop->box), *next; mail; mail = next) {
      next = mail->next;
      loop_letter(loop, mail);
      busy = true;
    }
    while (!loop->drain && call_begin(loop)) busy = true;
    if (!loop->told && loop->ended >= loop->calls_wanted) {
      loop->told = true;
      mail_send(&keeper_box, &loop->note.mail);
    }
    if (loop->drain && !drained && !loop->in_flight) {
      drained = true;
      loop->drain->mail.kind = LETTER_DRAIN_HOME;
      mail_send(&keeper_box, &loop->drain->mail);
    }
    if (!busy) sched_yield();
  }
  must(!loop->in_flight);
  lease_end(loop->newest);
  loop->newest = NULL;
}

/* --- the scribe, in memory -------------------------------------------------------------------- */

static void scribe_main_fake(void *arg)
{
  uint64_t seq = 0;
  (void)arg;
  for (;;)
    for (struct mail *mail = mailbox_wait(&scribe_box, INT64_MAX), *next; mail; mail = next) {
      next = mail->next;
      if (mail->kind == LETTER_STOP) return;
      struct letter_append *letter = LETTER_OF(mail, struct letter_append);
      for (uint32_t i = 0; i < letter->n_events; i++) letter->events[i].seq = ++seq;
      mail->kind = LETTER_APPEND_HOME;
      mail_send(letter->home, mail);
    }
}

/* --- the commander ---------------------------------------------------------------------------- */

struct order {
  struct letter_command letter;
  char name[8];
  struct event_file file;
};

static struct order orders[MODELS];
static uint64_t answered, refused;

static void order_send(struct order *order, enum command_kind kind, uint32_t version)
{
  order->letter = (struct letter_command){
      .mail.kind = LETTER_COMMAND, .home = &keeper_box, .kind = kind, .wait = true};
  order->letter.event = (struct event){.tenant = SLICE("default"),
                                       .model = slice_str(order->name),
                                       .version = version,
                                       .actor = SLICE("storm"),
                                       .files = &order->file,
                                       .n_files = kind == COMMAND_PUSH};
  mail_send(post.control, &order->letter.mail);
}

/* Waits for all orders to come home; those that fail are counted. */
static void orders_wait(int out)
{
  while (out)
    for (struct mail *mail = mailbox_wait(&keeper_box, INT64_MAX); mail; mail = mail->next) {
      struct letter_command *letter = LETTER_OF(mail, struct letter_command);
      EXPECT_INT(letter->err.code, OK);
      if (letter->err.code) printf("%s\n", letter->err.text);
      out--;
    }
}

static void models_push(const struct digest *digest)
{
  for (int v = 0; v < VERSIONS; v++) {
    for (int m = 0; m < MODELS; m++) {
      struct order *order = &orders[m];
      snprintf(order->name, sizeof order->name, "m%d", m);
      order->file = (struct event_file){
          .name = SLICE("model.json"), .bytes = sizeof model_json - 1, .digest = *digest};
      order_send(order, COMMAND_PUSH, 0);
    }
    orders_wait(MODELS);
  }
  for (int m = 0; m < MODELS; m++) order_send(&orders[m], COMMAND_DEPLOY, 1);
  orders_wait(MODELS);
}

/* Every model is switched again as soon as its last switch is answered, until all loops have made
 * their calls and enough has been switched. */
static void command(struct rand *rand)
{
  int loops_busy = LOOPS, out = 0;
  for (int m = 0; m < MODELS; m++, out++) order_send(&orders[m], COMMAND_DEPLOY, 2);
  while (out)
    for (struct mail *mail = mailbox_wait(&keeper_box, INT64_MAX), *next; mail; mail = next) {
      next = mail->next;
      if (mail->kind != LETTER_COMMAND_HOME) { /* a loop that is through */
        loops_busy--;
        continue;
      }
      struct order *order = (struct order *)(void *)LETTER_OF(mail, struct letter_command);
      out--;
      answered++;
      refused += order->letter.err.code != OK && order->letter.err.code != E_CONFLICT;
      if (!loops_busy && answered >= SWITCHES_MIN) continue;
      uint64_t die = rand_u64(rand);
      order_send(order, die % 5 == 0 ? COMMAND_ROLLBACK : COMMAND_DEPLOY,
                 die % 5 == 0 ? 0 : (uint32_t)(1 + die / 5 % VERSIONS));
      out++;
    }
  for (int out_loops = LOOPS + loops_busy, i = 0; out_loops; i = LOOPS) {
    static struct letter_note notes[LOOPS];
    for (; i < LOOPS; i++) {
      notes[i] = (struct letter_note){.mail.kind = LETTER_DRAIN};
      mail_send(&loops[i].box, &notes[i].mail);
    }
    for (struct mail *mail = mailbox_wait(&keeper_box, INT64_MAX); mail; mail = mail->next)
      out_loops--;
  }
}

/* --- the storm -------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

static struct digest object_put(void)
{
  struct stage *stage;
  struct err err = {0};
  struct digest digest;
  uint64_t bytes;
  must(stage_new(&stage, &dir, 0, &err) == OK);
  must(stage_add(stage, slice_str(model_json), &err) == OK);
  must(stage_commit(stage, &digest, &bytes, &err) == OK);
  return digest;
}

static void loop_init(struct loop *loop, uint32_t number, uint64_t calls)
{
  *loop = (struct loop){.number = number, .calls_wanted = calls};
  mailbox_init_bell(&loop->box);
  rand_seed(&loop->rand, 77 + number);
  loop->resident = worker_new_resident(WORKERS + number, watch, NULL, NULL);
  for (int i = 0; i < IN_FLIGHT; i++) {
    arena_init(&loop->calls[i].scratch, 1 << 20, NULL);
    loop->calls[i].next_free = loop->free;
    loop->free = &loop->calls[i];
  }
  loop_boxes[number] = &loop->box;
  resident_boxes[number] = worker_mailbox(loop->resident);
}

static void stop(struct mailbox *box, struct thread *thread)
{
  struct letter_note note = {.mail.kind = LETTER_STOP};
  mail_send(box, &note.mail);
  thread_join(thread);
}

static uint64_t counted(void)
{
  struct letter_stats letter = {.mail.kind = LETTER_STATS, .home = &keeper_box};
  uint64_t sum = 0;
  mail_send(post.control, &letter.mail);
  must(mailbox_wait(&keeper_box, INT64_MAX) == &letter.mail);
  const struct tally *tally = letter.stats.tally;
  for (uint32_t i = 0; i < tally->n_slots; i++)
    sum += tally->slots[i].success.count + tally->slots[i].fail.count;
  tally_free(letter.stats.tally);
  return sum;
}

static struct thread control_thread, scribe_thread, job_thread, worker_threads[WORKERS];

static void threads_start(int64_t resident_ns, uint64_t calls)
{
  struct control_opts opts = {
      .objects_fd = dir.objects_fd, .instances = 2, .resident_ns = resident_ns, .pulse_us = 20000};
  mailbox_init_bell(&scribe_box);
  mailbox_init_bell(&keeper_box);
  watch = watch_new();
  post = (struct post){.scribe = &scribe_box,
                       .keeper = &keeper_box,
                       .loops = loop_boxes,
                       .workers = worker_boxes,
                       .jobs = job_boxes,
                       .residents = resident_boxes,
                       .n_loops = LOOPS,
                       .n_workers = WORKERS,
                       .n_jobs = 1};
  control = control_new(&opts, &post);
  post.control = control_mailbox(control);
  job = job_new();
  job_boxes[0] = job_mailbox(job);
  for (uint32_t i = 0; i < WORKERS; i++)
    worker_boxes[i] = worker_mailbox(workers[i] = worker_new(i, watch));
  for (uint32_t i = 0; i < LOOPS; i++) loop_init(&loops[i], i, calls / LOOPS);
  thread_start(&scribe_thread, "scribe", THREAD_STACK_PARSER, scribe_main_fake, NULL);
  thread_start(&job_thread, "job", THREAD_STACK_ENGINE, job_main, job);
  for (uint32_t i = 0; i < WORKERS; i++)
    thread_start(&worker_threads[i], "worker", THREAD_STACK_ENGINE, worker_main, workers[i]);
  for (uint32_t i = 0; i < LOOPS; i++)
    thread_start(&loops[i].thread, "loop", THREAD_STACK_PARSER, loop_main, &loops[i]);
  thread_start(&control_thread, "control", THREAD_STACK_ENGINE, control_main, control);
}

static void threads_stop(void) /* in the daemon's order */
{
  stop(post.control, &control_thread);
  for (uint32_t i = 0; i < LOOPS; i++) stop(&loops[i].box, &loops[i].thread);
  for (uint32_t i = 0; i < WORKERS; i++) stop(worker_boxes[i], &worker_threads[i]);
  stop(job_boxes[0], &job_thread);
  stop(&scribe_box, &scribe_thread);
  control_free(control);
}

static void all_free(void)
{
  for (uint32_t i = 0; i < LOOPS; i++) {
    worker_free(loops[i].resident);
    tally_free(loops[i].tally);
    for (int k = 0; k < IN_FLIGHT; k++) arena_deinit(&loops[i].calls[k].scratch);
    mailbox_deinit(&loops[i].box);
  }
  for (uint32_t i = 0; i < WORKERS; i++) worker_free(workers[i]);
  job_free(job);
  watch_free(watch);
  mailbox_deinit(&scribe_box);
  mailbox_deinit(&keeper_box);
}

static void storm(const char *name, int64_t resident_ns)
{
  const char *text = getenv("CALLS");
  uint64_t calls = text ? strtoull(text, NULL, 10) : 600000;
  uint64_t built = world_count_built(), freed = world_count_freed();
  char path[] = "/tmp/slipway-storm-XXXXXX";
  struct err err = {0};
  struct rand rand;
  log_level_set(LOG_ERROR);
  must(mkdtemp(path) && datadir_open(&dir, path, &err) == OK);
  struct digest digest = object_put();
  threads_start(resident_ns, calls);
  int64_t began = clock_us();
  rand_seed(&rand, 5);
  answered = refused = 0;
  models_push(&digest);
  command(&rand);
  double seconds = (double)(clock_us() - began) / 1e6;
  uint64_t sum = counted(), failed = 0, wrong = 0, gaps = 0, ended = 0;
  threads_stop();
  for (uint32_t i = 0; i < LOOPS; i++) {
    failed += loops[i].failed;
    wrong += loops[i].wrong;
    gaps += loops[i].gaps;
    ended += loops[i].ended;
  }
  built = world_count_built() - built;
  printf("%s: %" PRIu64 " calls in %.1f s, %" PRIu64 " worlds, %" PRIu64 " switches\n", name, ended,
         seconds, built, answered);
  EXPECT(ended >= calls / LOOPS * LOOPS);
  EXPECT(answered >= SWITCHES_MIN);
  EXPECT_INT(sum, ended);
  EXPECT_INT(failed, 0); /* not one, whatever was switched under it */
  EXPECT_INT(wrong, 0);
  EXPECT_INT(gaps, 0);
  EXPECT_INT(refused, 0);
  EXPECT_INT(world_count_freed() - freed, built);
  all_free();
  datadir_close(&dir);
  nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TEST(lanes_on_workers) { storm("on workers", -1); }
TEST(lanes_on_the_loops) { storm("on the loops", 1000000000); }
