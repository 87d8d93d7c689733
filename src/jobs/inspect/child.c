/* child.c - the steps of the process that looks at a model.
 * Thread: job; main of a process of its own.
 * SPDX-License-Identifier: MIT */
#include "jobs/inspect/child.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/debug.h"
#include "base/io/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "infer/loaded.h"
#include "infer/onnx/ort.h"
#include "jobs/folder.h"
#include "jobs/inspect/probe.h"
#include "jobs/inspect/report.h"
#include "jobs/inspect/rules.h"
#include "jobs/inspect/sandbox.h"

enum { NO_MEMORY_TRY = 16 << 20, PROC_TEXT_MAX = 4096 };

struct child {
  struct request *request;
  struct event_file files[EVENT_FILES_MAX];
  int fds[EVENT_FILES_MAX];
  int statm_fd, status_fd;
  struct watch *watch;
  struct sandbox sandbox;
  uint64_t rss_before;
  struct report report;
};

/* ---- saying */

static void say(const void *bytes, size_t len)
{
  if (!fd_write(REPORT_FD, slice_of(bytes, len))) _exit(1); /* nobody listens */
}

static char probe_text[32];

static void stage_say(enum load_stage stage)
{
  char byte = (char)(STAGE_FIRST + stage);
  say(&byte, 1);
  if (probe_text[0]) probe_run(slice_str(probe_text), stage);
}

/* Whoever finds no memory gives up by SIGABRT (base/mem.c, the C++ library): then there is none. */
static void abort_came(int number)
{
  (void)number;
  void *at = mmap(NULL, NO_MEMORY_TRY, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) say(&(char){STAGE_NO_MEMORY}, 1);
}

static void err_report(struct report *report, const struct err *err)
{
  report->code = err->code;
  snprintf(report->text, sizeof report->text, "%s", err->text);
  snprintf(report->field, sizeof report->field, "%s", err->field);
}

/* ---- measuring */

/* Resident bytes now, and the most they have been; 0 without /proc. */
static uint64_t rss_now(const struct child *child)
{
  char text[PROC_TEXT_MAX];
  uint64_t pages;
  ssize_t n = child->statm_fd < 0 ? -1 : pread(child->statm_fd, text, sizeof text, 0);
  const char *first = n > 0 ? memchr(text, ' ', (size_t)n) : NULL;
  const char *end = first ? memchr(first + 1, ' ', (size_t)(text + n - first - 1)) : NULL;
  if (!end ||
      !text_read_u64(slice_of(first + 1, (size_t)(end - first - 1)), UINT64_MAX >> 20, &pages))
    return 0;
  return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Not getrusage's: that begins with what the parent had. */
static uint64_t rss_peak(const struct child *child)
{
  char text[PROC_TEXT_MAX + 1];
  ssize_t n = child->status_fd < 0 ? -1 : pread(child->status_fd, text, PROC_TEXT_MAX, 0);
  if (n <= 0) return 0;
  text[n] = '\0';
  const char *line = strstr(text, "VmHWM:");
  return line ? strtoull(line + 6, NULL, 10) << 10 : 0;
}

static void memory_measure(struct child *child, const struct loaded *loaded)
{
  struct report *report = &child->report;
  uint64_t inside = 0;
  uint64_t own = loaded->engine->bytes ? loaded->engine->bytes(loaded->model, &inside) : 0;
  malloc_trim(0);
  uint64_t now = rss_now(child), peak = rss_peak(child), before = child->rss_before;
  report->memory_bytes = now > before && now - before > own ? now - before : own;
  report->memory_peak_bytes = peak > before && peak - before > inside ? peak - before : inside;
  if (report->memory_peak_bytes < report->memory_bytes)
    report->memory_peak_bytes = report->memory_bytes;
}

/* ---- before the walls */

static bool request_read(struct child *child)
{
  struct request *request = child->request;
  ssize_t n = fd_read(REQUEST_FD, request, sizeof *request);
  if (n != (ssize_t)sizeof *request || request->n_files > EVENT_FILES_MAX) return false;
  for (uint32_t i = 0; i < request->n_files; i++) {
    struct request_file *file = &request->files[i];
    child->files[i] = (struct event_file){slice_str(file->name), file->bytes, file->digest};
    child->fds[i] = FILES_FD + (int)i;
  }
  return true;
}

/* What has to be opened while it can. A library that is not there is for the engine to say. */
static void libraries_open(const struct request *request)
{
  const struct ort *ort;
  struct err err;
  (void)sha256_of(SLICE("")); /* OpenSSL reads its configuration */
  for (uint32_t i = 0; i < request->n_files; i++)
    if (slice_ends(slice_str(request->files[i].name), SLICE(".onnx"))) {
      (void)!ort_get(&ort, &err);
      return;
    }
}

static void first_to_go(void)
{
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t n = write(fd, "1000", 4); /* of all on this machine, when memory runs out */
  (void)n;
  close(fd);
}

static void watch_start(void *child) { ((struct child *)child)->watch = watch_new(); }

static void walls_build(struct child *child)
{
  struct sigaction action = {.sa_handler = abort_came, .sa_flags = (int)SA_RESETHAND};
  uint64_t bytes = 0, machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
  for (uint32_t i = 0; i < child->request->n_files; i++) bytes += child->request->files[i].bytes;
  child->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  child->status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  first_to_go();
  sigaction(SIGABRT, &action, NULL);
  child->sandbox =
      (struct sandbox){.memory_bytes = rules_memory(bytes, child->request->memory_spare),
                       .memory_bytes_max = machine,
                       .cpu_s = (uint64_t)(child->request->time_us / 1000000) + 1,
                       .statm_fd = child->statm_fd,
                       .threads = watch_start,
                       .arg = child};
  if (child->sandbox.memory_bytes_max < child->sandbox.memory_bytes)
    child->sandbox.memory_bytes_max = child->sandbox.memory_bytes;
  sandbox_enter(&child->sandbox);
  child->report.walls = child->sandbox.walls;
  child->report.landlock_abi = child->sandbox.landlock_abi;
}

/* ---- behind them */

static void model_look(struct child *child, struct err *err)
{
  const struct request *request = child->request;
  struct report *report = &child->report;
  struct folder folder;
  struct letter_load letter = {.engine = slice_str(request->engine)};
  int64_t began_us = clock_us();
  child->rss_before = rss_now(child);
  stage_say(LOAD_READS);
  if (folder_read_fds(&folder, child->fds, child->files, request->n_files, err) != OK) return;
  struct slice text = request->probe ? folder_file(&folder, SLICE("probe.txt")) : SLICE_NONE;
  if (text.len && slice_to_str(text, probe_text, sizeof probe_text))
    probe_run(slice_str(probe_text), LOAD_READS);
  folder.config.threads = 1;
  if (folder.config.memory_max > child->sandbox.memory_bytes)
    sandbox_memory(&child->sandbox, folder.config.memory_max);
  struct loaded *loaded = loaded_new();
  arena_init(&letter.arena, RULES_ARENA_MAX, NULL);
  enum code code = load_make(&letter, &folder, loaded, child->watch, stage_say, err);
  folder_deinit(&folder);
  if (code != OK) return;
  report->load_us = clock_us() - began_us;
  report->run_ns = letter.run_ns;
  report->n_golden = letter.n_golden;
  memory_measure(child, loaded);
  snprintf(report->engine, sizeof report->engine, "%s", loaded->engine->name);
  rules_stamp(loaded->engine, report->stamp);
}

int child_main(void)
{
  static struct child child;
  struct err err = {.code = OK};
  (void)!debug_start(getenv("SLIPWAY_DEBUG"));
  child.request = grab_zero(1, sizeof *child.request);
  prctl(PR_SET_NAME, CHILD_WORD, 0, 0, 0);
  if (!request_read(&child)) _exit(2);
  libraries_open(child.request);
  walls_build(&child);
  if (child.request->n_files) {
    model_look(&child, &err);
  } else {
    if (!sandbox_holds()) child.report.walls = 0;
    snprintf(child.report.engine, sizeof child.report.engine, "none");
    snprintf(child.report.stamp, sizeof child.report.stamp, "none");
  }
  if (err.code != OK) err_report(&child.report, &err);
  say(&(char){REPORT_NEXT}, 1);
  say(&child.report, sizeof child.report);
  _exit(0); /* nothing is tidied up: it goes with the process */
}
