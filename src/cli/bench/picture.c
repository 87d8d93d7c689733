/* picture.c - a report as people read it.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/bench/report.h"
#include "cli/out.h"

enum { PICTURE_ROWS_MAX = 24, PICTURE_WIDTH = 40 };

/* How many times lie in [from, to), both edges of sketches. */
static uint64_t between(const struct sketch *us, uint64_t from, uint64_t to)
{
  return us->count - sketch_above(us, to) - sketch_below(us, from);
}

/* The next edge of the scale: 1, 1.5, 2, 3, 4, 6, 8... which are edges of sketches from 2 us on. */
static uint64_t scale_next(uint64_t edge)
{
  return edge < 2 ? edge + 1 : (edge & (edge - 1)) == 0 ? edge + edge / 2 : edge / 3 * 4;
}

void report_picture(const struct sketch *us, struct buf *to)
{
  uint64_t first = 0, last = 0, most = 0, next, steps = 0;
  char edge[OUT_NUMBER_MAX];
  for (uint64_t at = 0; at < (uint64_t)1 << SKETCH_TOP; at = next) {
    next = scale_next(at);
    uint64_t n = between(us, at, next);
    if (n && !last) first = at;
    if (n) last = next;
    if (last) steps++;
    if (last && !n && !sketch_above(us, next)) break;
  }
  if (!last) return;
  bool wide = steps > PICTURE_ROWS_MAX; /* then whole octaves */
  if (wide && (first & (first - 1)) != 0) first = first / 3 * 2;
  for (uint64_t at = first; at < last; at = next) {
    next = scale_next(at);
    if (wide && at > 1) next = scale_next(next);
    if (between(us, at, next) > most) most = between(us, at, next);
  }
  for (uint64_t at = first; at < last; at = next) {
    next = scale_next(at);
    if (wide && at > 1) next = scale_next(next);
    uint64_t n = between(us, at, next);
    int cells = (int)(n * PICTURE_WIDTH / most);
    if (n && !cells) cells = 1;
    buf_print(to, "  below %9s %6.2f %%%s%.*s\n", out_us(next, edge),
              100.0 * (double)n / (double)us->count, n ? " " : "", cells,
              "########################################");
  }
  uint64_t rest = sketch_above(us, (uint64_t)1 << SKETCH_TOP);
  if (rest)
    buf_print(to, "  above            %6.2f %%\n", 100.0 * (double)rest / (double)us->count);
}

static void quantiles_print(const struct sketch *us, struct buf *to)
{
  static const double qs[] = {0.5, 0.9, 0.99, 0.999};
  static const char *const names[] = {"p50", "p90", "p99", "p99.9"};
  char text[OUT_NUMBER_MAX];
  for (int i = 0; i < 4; i++)
    buf_print(to, "%s%s %s", i ? ", " : "", names[i], out_us(sketch_quantile(us, qs[i]), text));
}

static void ends_print(const struct report_source *source, struct buf *to)
{
  const char *between_them = "failed: ";
  for (int i = 1; i < REPORT_STATUSES; i++) {
    if (!source->by_status[i] || i == 200) continue;
    buf_print(to, "%s%llu with status %d", between_them, (unsigned long long)source->by_status[i],
              i);
    between_them = ", ";
  }
  const struct {
    const char *words;
    uint64_t n;
  } ends[] = {{"lost their connection", source->lost},
              {"had no answer in time", source->timed_out},
              {"never found a free connection", source->unsent}};
  for (int i = 0; i < 3; i++) {
    if (!ends[i].n) continue;
    buf_print(to, "%s%llu %s", between_them, (unsigned long long)ends[i].n, ends[i].words);
    between_them = ", ";
  }
  if (source->due == source->ok) return;
  for (uint32_t i = 0; i < REPORT_CODES_MAX && source->codes[i].n; i++)
    buf_print(to, "%s%s %llu", i ? ", " : " (", source->codes[i].name,
              (unsigned long long)source->codes[i].n);
  buf_print(to, "%s; they took ", source->codes[0].n ? ")" : "");
  quantiles_print(&source->other_us, to);
  buf_print(to, "\n");
}

static void source_print(const struct report_source *source, struct buf *to)
{
  char text[OUT_NUMBER_MAX];
  double seconds = (double)source->span_us / 1e6;
  buf_print(to, "%s: %llu requests, %llu answered 200 (%.0f/s), %llu failed", source->name,
            (unsigned long long)source->due, (unsigned long long)source->ok,
            (double)source->ok / seconds, (unsigned long long)(source->due - source->ok));
  if (source->deadline_us)
    buf_print(to, "; goodput %.0f/s: 200 within %s", (double)source->good / seconds,
              out_us((uint64_t)source->deadline_us, text));
  if (source->cached) buf_print(to, "; %llu from the cache", (unsigned long long)source->cached);
  if (source->retried) buf_print(to, "; %llu retries", (unsigned long long)source->retried);
  buf_print(to, "\n");
  if (source->ok) {
    quantiles_print(&source->ok_us, to);
    buf_print(to, " of what was answered 200\n");
  }
  ends_print(source, to);
}

void report_print(const struct report *report, struct buf *to)
{
  struct report_source *sum = grab(sizeof *sum);
  char text[OUT_NUMBER_MAX];
  report_sum(report, sum);
  for (uint32_t i = 0; report->n_sources > 1 && i < report->n_sources; i++)
    source_print(&report->sources[i], to);
  source_print(sum, to);
  for (uint32_t i = 0; i < REPORT_CODES_MAX && sum->codes[i].n; i++)
    if (sum->codes[i].said[0])
      buf_print(to, "  the first %s: %s\n", sum->codes[i].name, sum->codes[i].said);
  buf_print(to, "slowest %s\n", out_us((uint64_t)sum->worst_us, text));
  uint64_t late_us = sketch_quantile(&sum->late_us, 0.99),
           p99_us = sketch_quantile(&sum->ok_us, 0.99);
  if (late_us > 1000 && late_us > p99_us / 4)
    buf_print(to,
              "careful: 1 %% of the requests were sent %s or more after they were due, for want "
              "of a core or of connections here; the times hold that\n",
              out_us(late_us, text));
  report_picture(&sum->ok_us, to);
  ungrab(sum);
}
