/* run.c - starts a load, says how far it is, waits for its end.
 * Thread: main (own); answers are counted on the load's thread, main reads two atomics while it
 * runs and the rest once it is joined.
 * SPDX-License-Identifier: MIT */
#include "cli/bench/run.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
  (void)signal;
  interrupted = 1;
}

static void interrupt_catch(void)
{
  struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

bool bench_interrupted(void) { return interrupted; }

static void progress_tell(const struct report *report, int64_t now_us, int64_t for_us)
{
  uint64_t due = atomic_load(&report->due), ok = atomic_load(&report->ok);
  fprintf(stderr, "\r%3.0f of %.0f s: %llu requests, %llu failed ", (double)now_us / 1e6,
          (double)for_us / 1e6, (unsigned long long)due, (unsigned long long)(due - ok));
}

enum code bench_run(const struct sources *sources, const struct run_opts *opts,
                    struct report **report, struct err *err)
{
  struct load *load;
  struct load_opts load_opts = {.url = sources->settings.url,
                                .sources = sources->list,
                                .n_sources = sources->n,
                                .for_us = opts->for_us,
                                .seed = opts->seed};
  struct report *made = *report = report_new(sources->n, opts->each_second);
  for (uint32_t i = 0; i < sources->n; i++) {
    made->sources[i].name = sources->names[i];
    made->sources[i].deadline_us = sources->deadline_us[i];
  }
  int64_t began_us = clock_us(), told_us = began_us + 1000000;
  if (load_start(&load, &load_opts, report_seen, made, err) != OK) {
    report_free(made);
    *report = NULL;
    return err->code;
  }
  interrupt_catch();
  bool tells = !opts->quiet && isatty(STDERR_FILENO) == 1, told = false;
  while (!load_ended(load) && !interrupted) {
    poll(NULL, 0, 20);
    if (!tells || clock_us() < told_us + 1000000) continue;
    told_us = clock_us();
    progress_tell(made, told_us - began_us, opts->for_us);
    told = true;
  }
  if (told) fprintf(stderr, "\r%60s\r", "");
  int64_t took_us = clock_us() - began_us;
  load_stop(load);
  if (took_us > opts->for_us) took_us = opts->for_us;
  made->seconds = (double)took_us / 1e6;
  for (uint32_t i = 0; i < sources->n; i++) {
    struct report_source *source = &made->sources[i];
    int64_t span_us = took_us - sources->list[i].from_us, own_us = sources->list[i].for_us;
    source->span_us = own_us && own_us < span_us ? own_us : span_us > 0 ? span_us : 1;
  }
  return OK;
}
