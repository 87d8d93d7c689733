/* inspector_test.c - the thread that has models looked at, and the job that does before it loads.
 * The process that looks is this test started again.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/debug.h"
#include "base/mem.h"
#include "base/thread.h"
#include "jobs/inspect/child.h"
#include "jobs/inspect/inspector.h"
#include "jobs/inspect/rules.h"
#include "jobs/inspect/spawn.h"
#include "jobs/job.h"

__attribute__((constructor(101))) static void child_instead(int argc, char **argv)
{
  if (argc == 2 && strcmp(argv[1], CHILD_WORD) == 0) _exit(child_main());
}

static char store[] = "/tmp/slipway-inspector-test-XXXXXX";
static struct inspector_opts opts = {.objects_fd = -1, .time_us = 2000000,
                                     .memory_spare = 64 << 20};

static struct event_file put(const char *name, const char *text)
{
  struct event_file file = {slice_str(name), strlen(text), sha256_of(slice_str(text))};
  char hex[SHA256_HEX_LEN + 1], path[160];
  if (opts.objects_fd < 0) {
    setenv("SLIPWAY_DEBUG", "probe", 1);
    must(debug_start("probe") && mkdtemp(store));
    opts.objects_fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  digest_hex(&file.digest, hex);
  snprintf(path, sizeof path, "%s/%.2s", store, hex);
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/%.2s/%s", store, hex, hex);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
  return file;
}

#define ECHO_JSON                                                             \
  "{\"engine\":\"echo\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\"," \
  "\"shape\":[-1,2]}]}"

struct rig {
  struct inspector *inspector;
  struct thread thread;
  struct mailbox home;
  struct event_file files[2];
};

static void rig_init(struct rig *rig, const char *probe)
{
  rig->files[0] = put("model.json", ECHO_JSON);
  rig->files[1] = put("probe.txt", probe);
  rig->inspector = inspector_new(&opts);
  mailbox_init_bell(&rig->home);
  thread_start(&rig->thread, "inspector", THREAD_STACK_ENGINE, inspector_main, rig->inspector);
}

static void ask(struct rig *rig, struct letter_inspect *letter, const char *tenant)
{
  bool fresh = letter->fresh;
  *letter = (struct letter_inspect){.mail.kind = LETTER_INSPECT,
                                    .home = &rig->home,
                                    .tenant = slice_str(tenant),
                                    .files = rig->files,
                                    .n_files = 2,
                                    .fresh = fresh};
  mail_send(inspector_mailbox(rig->inspector), &letter->mail);
}

/* Waits until n letters are home. */
static void come_home(struct rig *rig, int n)
{
  int64_t until_us = clock_us() + 20000000;
  while (n > 0 && clock_us() < until_us)
    for (struct mail *mail = mailbox_wait(&rig->home, until_us); mail; mail = mail->next) {
      EXPECT(mail->kind == LETTER_INSPECT_HOME || mail->kind == LETTER_DRAIN_HOME);
      n--;
    }
  EXPECT_INT(n, 0);
}

static void note_send(struct rig *rig, struct letter_note *note, uint32_t kind)
{
  *note = (struct letter_note){.mail.kind = kind, .home = &rig->home};
  mail_send(inspector_mailbox(rig->inspector), &note->mail);
}

static void rig_deinit(struct rig *rig)
{
  struct letter_note stop;
  note_send(rig, &stop, LETTER_STOP);
  thread_join(&rig->thread);
  inspector_free(rig->inspector);
  mailbox_deinit(&rig->home);
  EXPECT(waitpid(-1, NULL, WNOHANG) < 0);
}

TEST(a_letter_comes_home_with_what_was_found)
{
  struct rig rig;
  struct letter_inspect letter = {0};
  rig_init(&rig, "nothing");
  ask(&rig, &letter, "acme");
  come_home(&rig, 1);
  EXPECT_STR(letter.err.code ? letter.err.text : "", "");
  EXPECT_STR(letter.found.engine, "echo");
  EXPECT(letter.walls & WALL_SECCOMP);
  rig_deinit(&rig);
}

/* The second answer is from memory; another tenant's is not, nor one that wants a fresh look. */
TEST(what_was_found_good_is_remembered_per_tenant)
{
  struct rig rig;
  struct letter_inspect first = {0}, second = {0}, other = {0}, fresh = {.fresh = true};
  rig_init(&rig, "remembered");
  ask(&rig, &first, "acme");
  come_home(&rig, 1);
  ask(&rig, &second, "acme");
  come_home(&rig, 1);
  EXPECT(second.found.load_us == first.found.load_us && second.walls == 0);
  ask(&rig, &other, "globex");
  come_home(&rig, 1);
  EXPECT(other.walls != 0);
  ask(&rig, &fresh, "acme");
  come_home(&rig, 1);
  EXPECT(fresh.walls != 0);
  rig_deinit(&rig);
}

TEST(what_was_refused_is_looked_at_again)
{
  struct rig rig;
  struct letter_inspect letter = {0};
  rig_init(&rig, "quit");
  for (int i = 0; i < 2; i++) {
    ask(&rig, &letter, "acme");
    come_home(&rig, 1);
    EXPECT_INT(letter.err.code, E_MODEL_LOAD_FAILED);
  }
  rig_deinit(&rig);
}

TEST(one_look_of_a_tenant_at_a_time_and_others_do_not_wait)
{
  struct rig rig;
  static struct letter_inspect slow[3], quick;
  rig_init(&rig, "sleep");
  for (int i = 0; i < 3; i++) ask(&rig, &slow[i], "slow");
  struct rig *same = &rig; /* the same files would sleep, too */
  struct event_file good[2] = {rig.files[0], put("probe.txt", "no")};
  int64_t began_us = clock_us();
  quick = (struct letter_inspect){.mail.kind = LETTER_INSPECT,
                                  .home = &same->home,
                                  .tenant = SLICE("quick"),
                                  .files = good,
                                  .n_files = 2};
  mail_send(inspector_mailbox(rig.inspector), &quick.mail);
  come_home(&rig, 1);
  EXPECT_INT(quick.err.code, OK);
  EXPECT(clock_us() - began_us < 1900000);
  come_home(&rig, 3);
  EXPECT(clock_us() - began_us > 5500000); /* three times two seconds, one after the other */
  for (int i = 0; i < 3; i++) EXPECT_INT(slow[i].err.code, E_MODEL_LOAD_FAILED);
  rig_deinit(&rig);
}

TEST(looks_that_need_much_memory_go_one_after_the_other)
{
  struct rig rig;
  struct letter_inspect one = {0}, other = {0};
  uint64_t before = opts.memory_spare;
  opts.memory_spare = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 3;
  rig_init(&rig, "sleep");
  int64_t began_us = clock_us();
  ask(&rig, &one, "acme");
  ask(&rig, &other, "globex");
  come_home(&rig, 2);
  EXPECT(clock_us() - began_us >= 4000000);
  EXPECT_INT(other.err.code, E_MODEL_LOAD_FAILED);
  rig_deinit(&rig);
  opts.memory_spare = before;
}

TEST(too_many_that_wait_are_refused)
{
  struct rig rig;
  static struct letter_inspect letters[INSPECT_TENANT_WAITING + 8];
  enum { N = INSPECT_TENANT_WAITING + 8 };
  int limited = 0, stopped = 0;
  rig_init(&rig, "sleep");
  for (int i = 0; i < N; i++) ask(&rig, &letters[i], "flood");
  struct letter_note drain;
  struct timespec a_while = {0, 200000000};
  nanosleep(&a_while, NULL);
  note_send(&rig, &drain, LETTER_DRAIN);
  come_home(&rig, N + 1);
  for (int i = 0; i < N; i++) {
    limited += letters[i].err.code == E_LIMIT_EXCEEDED;
    stopped += letters[i].err.code == E_DRAINING;
  }
  EXPECT(limited >= 7 && limited + stopped == N);
  rig_deinit(&rig);
}

TEST(a_drain_ends_what_runs_and_refuses_what_comes)
{
  struct rig rig;
  struct letter_inspect running = {0}, later = {0};
  struct letter_note drain;
  rig_init(&rig, "sleep");
  ask(&rig, &running, "acme");
  struct timespec a_while = {0, 100000000};
  nanosleep(&a_while, NULL);
  int64_t began_us = clock_us();
  note_send(&rig, &drain, LETTER_DRAIN);
  come_home(&rig, 2);
  EXPECT(clock_us() - began_us < 1000000);
  EXPECT_INT(running.err.code, E_DRAINING);
  ask(&rig, &later, "acme");
  come_home(&rig, 1);
  EXPECT_INT(later.err.code, E_DRAINING);
  rig_deinit(&rig);
}

/* ---- a job that finds a version from before there were looks */

static struct err job_load(struct job *job, const struct event_file *files, const char *stamp)
{
  struct mailbox home;
  struct letter_note stop = {.mail.kind = LETTER_STOP};
  struct letter_unload unload = {.mail.kind = LETTER_UNLOAD, .home = &home};
  struct letter_load letter = {.mail.kind = LETTER_LOAD,
                               .home = &home,
                               .tenant = SLICE("default"),
                               .model = SLICE("m"),
                               .version = 1,
                               .files = files,
                               .n_files = 2,
                               .inspected = slice_str(stamp),
                               .objects_fd = opts.objects_fd};
  mailbox_init_bell(&home);
  arena_init(&letter.arena, 1 << 20, NULL);
  struct thread thread;
  thread_start(&thread, "job", THREAD_STACK_ENGINE, job_main, job);
  mail_send(job_mailbox(job), &letter.mail);
  mailbox_wait(&home, INT64_MAX);
  unload.loaded = letter.loaded;
  if (letter.loaded) {
    mail_send(job_mailbox(job), &unload.mail);
    mailbox_wait(&home, INT64_MAX);
  }
  mail_send(job_mailbox(job), &stop.mail);
  thread_join(&thread);
  arena_deinit(&letter.arena);
  mailbox_deinit(&home);
  return letter.err;
}

TEST(a_version_nobody_looked_at_is_before_it_is_loaded)
{
  struct event_file evil[2] = {put("model.json", ECHO_JSON), put("probe.txt", "quit")};
  struct event_file good[2] = {evil[0], put("probe.txt", "no")};
  spawn_ready();
  static const struct {
    const char *stamp;
    enum code evil;
  } rows[] = {{"", E_MODEL_LOAD_FAILED}, {"0 echo", E_MODEL_LOAD_FAILED}, {"1 echo", OK}};
  for (size_t i = 0; i < 3; i++) {
    struct job *job = job_new();
    job_inspects(job, &opts);
    EXPECT_INT(job_load(job, evil, rows[i].stamp).code, rows[i].evil);
    job_free(job);
    job = job_new();
    job_inspects(job, &opts);
    EXPECT_INT(job_load(job, good, rows[i].stamp).code, OK);
    job_free(job);
  }
}

TEST(walls_that_are_required_are_there)
{
  struct err err = {.code = OK};
  EXPECT_INT(inspector_walls(&err), OK);
}
