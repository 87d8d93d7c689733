/* trial.c - closed loop, halving, memory in between.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/bench/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/bench/knee.h"
#include "cli/bench/run.h"
#include "cli/out.h"

enum { TRIAL_WIDTH = 40, TRIAL_FAILED_PER = 1000 };

uint64_t trial_resident(struct client *client)
{
  struct answer answer = {0};
  struct err err;
  uint64_t bytes = 0;
  if (client_call(client, "GET", "/api/v1/status", SLICE_NONE, 0, &answer, &err) == OK)
    bytes = get_u64(json_object_get(answer.json, "server"), "resident_bytes");
  answer_free(&answer);
  return bytes;
}

/* rate 0: the closed loop. */
static enum code rate_try(struct sources *sources, double rate, struct trial_found *found,
                          struct err *err)
{
  struct run_opts run = {.for_us = found->opts.try_us, .seed = found->n_tries, .quiet = true};
  struct report *report;
  sources->list[0].rate = rate;
  sources->list[0].poisson = rate > 0;
  sources->list[0].connections = 0; /* as many as load.h says of either loop */
  if (bench_run(sources, &run, &report, err) != OK) return err->code;
  const struct report_source *got = &report->sources[0];
  struct trial_try *try = &found->tries[found->n_tries];
  *try = (struct trial_try){.rate = rate,
                            .answered = (double)got->ok / report->seconds,
                            .p50_us = sketch_quantile(&got->ok_us, 0.5),
                            .p99_us = sketch_quantile(&got->ok_us, 0.99),
                            .failed = got->due - got->ok,
                            .due = got->due};
  try->met = got->ok && try->p99_us <= (uint64_t)found->opts.objective_us &&
             try->failed * TRIAL_FAILED_PER <= try->due;
  found->n_tries++;
  report_free(report);
  if (bench_interrupted()) return fail(err, E_CANCELLED, "the load test was interrupted");
  return OK;
}

static void try_tell(const struct trial_try *try)
{
  char p99[OUT_NUMBER_MAX];
  if (isatty(STDERR_FILENO) != 1) return;
  if (try->rate > 0)
    fprintf(stderr, "  %.0f/s: p99 %s, %llu of %llu failed\n", try->rate, out_us(try->p99_us, p99),
            (unsigned long long)try->failed, (unsigned long long)try->due);
  else
    fprintf(stderr, "  capacity %.0f/s\n", try->answered);
}

enum code trial_load(const struct cli *cli, const char *word, struct client *client,
                     const struct trial_opts *opts, struct trial_found *found, struct err *err)
{
  struct sources *sources = grab_zero(1, sizeof *sources);
  /* All requests are alike: kept answers would be measured in place of the model. */
  json_t *row = json_pack("{ss,s{ss}}", "model", word, "head", "Cache-Control", "no-store");
  struct knee knee = {0};
  found->opts = *opts;
  found->loaded_bytes = trial_resident(client);
  if (sources_init(sources, cli, err) != OK || source_add(sources, row, err) != OK ||
      rate_try(sources, 0, found, err) != OK)
    goto out;
  try_tell(&found->tries[0]);
  if (found->tries[0].answered <= 0) {
    (void)!fail(err, E_UNAVAILABLE, "the model answered nothing of the load test");
    goto out;
  }
  for (knee_init(&knee, found->tries[0].answered); knee.next > 0;) {
    if (found->n_tries == TRIAL_TRIES_MAX || rate_try(sources, knee.next, found, err) != OK) break;
    const struct trial_try *last = &found->tries[found->n_tries - 1];
    try_tell(last);
    knee_tell(&knee, last->met);
    uint64_t bytes = trial_resident(client);
    if (bytes > found->most_bytes) found->most_bytes = bytes;
  }
  found->knee = knee.good;
out:
  json_decref(row);
  sources_deinit(sources);
  ungrab(sources);
  return err->code;
}

json_t *trial_json(const struct trial_found *found)
{
  json_t *tries = json_array();
  for (uint32_t i = 1; i < found->n_tries; i++) {
    const struct trial_try *try = &found->tries[i];
    json_array_append_new(
        tries,
        json_pack("{sf,sf,sI,sI,sI,sI,sb}", "rate", try->rate, "answered", try->answered, "p50_us",
                  (json_int_t)try->p50_us, "p99_us", (json_int_t)try->p99_us, "due",
                  (json_int_t)try->due, "failed", (json_int_t)try->failed, "met", (int)try->met));
  }
  json_t *memory =
      json_pack("{sI,sI,sI}", "idle_bytes", (json_int_t)found->idle_bytes, "loaded_bytes",
                (json_int_t)found->loaded_bytes, "most_bytes", (json_int_t)found->most_bytes);
  return json_pack("{sI,sf,so,so,so}", "objective_us", (json_int_t)found->opts.objective_us,
                   "capacity", found->tries[0].answered, "knee",
                   found->knee > 0 ? json_real(found->knee) : json_null(), "tries", tries, "memory",
                   memory);
}

static int by_rate(const void *a, const void *b)
{
  double left = ((const struct trial_try *)a)->rate, right = ((const struct trial_try *)b)->rate;
  return (left > right) - (left < right);
}

/* A line a rate; its bar is as long as its p99, half way is the objective. */
static void curve_print(const struct trial_found *found, struct buf *to)
{
  struct trial_try tries[TRIAL_TRIES_MAX];
  char p50[OUT_NUMBER_MAX], p99[OUT_NUMBER_MAX];
  uint64_t most_us = 2 * (uint64_t)found->opts.objective_us;
  uint32_t n = found->n_tries - 1;
  memcpy(tries, found->tries + 1, n * sizeof *tries);
  qsort(tries, n, sizeof *tries, by_rate);
  for (uint32_t i = 0; i < n; i++) {
    uint64_t us = tries[i].p99_us < most_us ? tries[i].p99_us : most_us;
    int cells = (int)(us * TRIAL_WIDTH / most_us);
    buf_print(to, "  %8.0f/s  p50 %8s  p99 %8s  %.*s%s", tries[i].rate,
              out_us(tries[i].p50_us, p50), out_us(tries[i].p99_us, p99), cells ? cells : 1,
              "########################################", tries[i].met ? "" : " too slow");
    if (tries[i].failed)
      buf_print(to, ", %llu of %llu failed", (unsigned long long)tries[i].failed,
                (unsigned long long)tries[i].due);
    buf_print(to, "\n");
  }
}

void trial_print(const struct trial_found *found, struct buf *to)
{
  char text[OUT_NUMBER_MAX], more[OUT_NUMBER_MAX], most[OUT_NUMBER_MAX];
  buf_print(to,
            "capacity %.0f requests/s, %d connections as fast as they can; then rates, a "
            "miss tried once more:\n",
            found->tries[0].answered, LOAD_CONNECTIONS_CLOSED);
  curve_print(found, to);
  if (found->knee > 0)
    buf_print(to, "knee %.0f requests/s: the highest rate tried whose p99 is within %s\n",
              found->knee, out_us((uint64_t)found->opts.objective_us, text));
  else
    buf_print(to,
              "no knee: not even a tenth of the capacity has a p99 within %s; allow more with "
              "--objective, or look what else this machine does\n",
              out_us((uint64_t)found->opts.objective_us, text));
  if (found->most_bytes && found->idle_bytes)
    buf_print(to, "memory of the process: %s without the model, %s with it, %s under load\n",
              out_bytes(found->idle_bytes, text), out_bytes(found->loaded_bytes, more),
              out_bytes(found->most_bytes, most));
  else if (found->most_bytes)
    buf_print(to, "memory of the process: %s before, %s under load\n",
              out_bytes(found->loaded_bytes, more), out_bytes(found->most_bytes, most));
}
