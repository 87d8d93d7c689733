/* report.c - counters and sketches of a load.
 * Thread: the load's, then main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/bench/report.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct report *report_new(uint32_t n_sources, bool each_second)
{
  struct report *report = grab_zero(1, sizeof *report);
  report->sources = grab_zero(n_sources, sizeof *report->sources);
  report->n_sources = n_sources;
  for (uint32_t i = 0; each_second && i < n_sources; i++)
    report->sources[i].seconds = grab_zero(REPORT_SECONDS_MAX, sizeof(struct report_second *));
  return report;
}

void report_free(struct report *report)
{
  if (!report) return;
  for (uint32_t i = 0; i < report->n_sources; i++) {
    struct report_second **seconds = report->sources[i].seconds;
    for (uint32_t s = 0; seconds && s < REPORT_SECONDS_MAX; s++) ungrab(seconds[s]);
    ungrab(seconds);
  }
  ungrab(report->sources);
  ungrab(report);
}

/* --- counting --------------------------------------------------------------------------------- */

/* The "error" of such a body, as far as there is room. */
static void said_keep(char to[REPORT_SAID_LEN], struct slice body)
{
  struct slice key = SLICE("\"error\":\"");
  const char *at = memmem(body.at, body.len, key.at, key.len), *end = body.at + body.len;
  size_t n = 0;
  for (at = at ? at + key.len : end; at < end && *at != '"' && n < REPORT_SAID_LEN - 1; at++) {
    if (*at == '\\' && at + 1 < end) at++;
    to[n++] = *at;
  }
  to[n] = '\0';
}

/* The "code" of an error body of ours; others have none. */
static void code_count(struct report_source *source, struct slice body)
{
  struct slice key = SLICE("\"code\":\"");
  const char *at = memmem(body.at, body.len, key.at, key.len);
  if (!at) return;
  at += key.len;
  const char *end = memchr(at, '"', (size_t)(body.at + body.len - at));
  if (!end || end - at >= REPORT_CODE_LEN) return;
  struct slice code = slice_of(at, (size_t)(end - at));
  for (size_t i = 0; i < code.len; i++)
    if ((code.at[i] < 'A' || code.at[i] > 'Z') && code.at[i] != '_') return;
  for (uint32_t i = 0; i < REPORT_CODES_MAX; i++) {
    if (!source->codes[i].n) memcpy(source->codes[i].name, code.at, code.len);
    if (!slice_eq(slice_str(source->codes[i].name), code)) continue;
    if (source->codes[i].n++ == 0) said_keep(source->codes[i].said, body);
    return;
  }
}

static void version_count(struct report *report, const struct load_answer *answer)
{
  uint32_t at = 0;
  while (at < report->n_versions && (report->versions[at].version != answer->version ||
                                     report->versions[at].candidate != answer->candidate))
    at++;
  if (at == REPORT_VERSIONS_MAX) return;
  struct report_version *row = &report->versions[at];
  if (at == report->n_versions) report->n_versions++;
  row->version = answer->version;
  row->candidate = answer->candidate;
  row->failed += answer->status != 200;
  if (!row->first_us) row->first_us = answer->due_us;
  if (answer->due_us > row->last_us) row->last_us = answer->due_us;
  sketch_add(&row->us, (uint64_t)answer->took_us);
}

static void second_count(struct report_source *source, const struct load_answer *answer, bool good)
{
  int64_t at = (answer->due_us - answer->begun_us) / 1000000;
  if (!source->seconds || at < 0 || at >= REPORT_SECONDS_MAX) return;
  if (!source->seconds[at]) source->seconds[at] = grab_zero(1, sizeof(struct report_second));
  struct report_second *second = source->seconds[at];
  second->due++;
  second->good += good;
  if (answer->status != 200) return;
  second->ok++;
  sketch32_add(&second->us, (uint64_t)answer->took_us);
}

void report_seen(void *arg, const struct load_answer *answer)
{
  struct report *report = arg;
  struct report_source *source = &report->sources[answer->source];
  bool ok = answer->status == 200;
  bool good = ok && (!source->deadline_us || answer->took_us <= source->deadline_us);
  source->due++;
  source->ok += ok;
  source->good += good;
  source->retried += answer->tries > 1 ? answer->tries - 1 : 0;
  source->cached += answer->cached;
  source->lost += answer->status == LOAD_LOST;
  source->timed_out += answer->status == LOAD_TIMED_OUT;
  source->unsent += answer->status == LOAD_UNSENT;
  if (answer->status > 0 && answer->status < REPORT_STATUSES) source->by_status[answer->status]++;
  if (!ok && answer->status > 0) code_count(source, answer->body);
  sketch_add(ok ? &source->ok_us : &source->other_us, (uint64_t)answer->took_us);
  sketch_add(&source->late_us, (uint64_t)(answer->late_us > 0 ? answer->late_us : 0));
  if (answer->took_us > source->worst_us) source->worst_us = answer->took_us;
  version_count(report, answer);
  second_count(source, answer, good);
  atomic_fetch_add_explicit(&report->due, 1, memory_order_relaxed);
  if (ok) atomic_fetch_add_explicit(&report->ok, 1, memory_order_relaxed);
}

static void codes_add(struct report_source *into, const struct report_source *from)
{
  for (uint32_t i = 0; i < REPORT_CODES_MAX && from->codes[i].n; i++)
    for (uint32_t k = 0; k < REPORT_CODES_MAX; k++) {
      if (!into->codes[k].n) into->codes[k] = from->codes[i], into->codes[k].n = 0;
      if (strcmp(into->codes[k].name, from->codes[i].name) != 0) continue;
      into->codes[k].n += from->codes[i].n;
      break;
    }
}

void report_sum(const struct report *report, struct report_source *sum)
{
  *sum = (struct report_source){.name = report->n_sources == 1 ? report->sources[0].name : "all"};
  for (uint32_t i = 0; i < report->n_sources; i++) {
    const struct report_source *source = &report->sources[i];
    sum->due += source->due, sum->ok += source->ok, sum->good += source->good;
    sum->retried += source->retried, sum->cached += source->cached;
    sum->lost += source->lost, sum->timed_out += source->timed_out, sum->unsent += source->unsent;
    for (uint32_t s = 0; s < REPORT_STATUSES; s++) sum->by_status[s] += source->by_status[s];
    codes_add(sum, source);
    sketch_merge(&sum->ok_us, &source->ok_us);
    sketch_merge(&sum->other_us, &source->other_us);
    sketch_merge(&sum->late_us, &source->late_us);
    if (source->worst_us > sum->worst_us) sum->worst_us = source->worst_us;
    if (source->deadline_us > sum->deadline_us) sum->deadline_us = source->deadline_us;
  }
  sum->span_us = (int64_t)(report->seconds * 1e6);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *quantiles_json(const struct sketch *us)
{
  return json_pack("{sI,sI,sI,sI,sI}", "count", (json_int_t)us->count, "p50_us",
                   (json_int_t)sketch_quantile(us, 0.5), "p90_us",
                   (json_int_t)sketch_quantile(us, 0.9), "p99_us",
                   (json_int_t)sketch_quantile(us, 0.99), "p999_us",
                   (json_int_t)sketch_quantile(us, 0.999));
}

static json_t *statuses_json(const struct report_source *source)
{
  json_t *by = json_object();
  char status[16];
  for (int i = 1; i < REPORT_STATUSES; i++) {
    if (!source->by_status[i] || i == 200) continue;
    snprintf(status, sizeof status, "%d", i);
    json_object_set_new(by, status, json_integer((json_int_t)source->by_status[i]));
  }
  const struct {
    const char *name;
    uint64_t n;
  } ends[] = {{"lost", source->lost}, {"timed_out", source->timed_out}, {"unsent", source->unsent}};
  for (int i = 0; i < 3; i++)
    if (ends[i].n) json_object_set_new(by, ends[i].name, json_integer((json_int_t)ends[i].n));
  return by;
}

static json_t *codes_json(const struct report_source *source)
{
  json_t *by = json_object();
  for (uint32_t i = 0; i < REPORT_CODES_MAX && source->codes[i].n; i++)
    json_object_set_new(by, source->codes[i].name, json_integer((json_int_t)source->codes[i].n));
  return by;
}

static json_t *seconds_json(const struct report_source *source)
{
  json_t *all = json_array();
  for (uint32_t s = 0; s < REPORT_SECONDS_MAX; s++) {
    const struct report_second *second = source->seconds[s];
    if (!second) continue;
    struct sketch us = {0};
    sketch_merge32(&us, &second->us);
    json_array_append_new(
        all, json_pack("{sI,sI,sI,sI,sI,sI}", "second", (json_int_t)s, "due",
                       (json_int_t)second->due, "ok", (json_int_t)second->ok, "good",
                       (json_int_t)second->good, "p50_us", (json_int_t)sketch_quantile(&us, 0.5),
                       "p99_us", (json_int_t)sketch_quantile(&us, 0.99)));
  }
  return all;
}

static json_t *source_json(const struct report_source *source)
{
  double seconds = (double)source->span_us / 1e6;
  json_t *json = json_pack(
      "{ss,sI,sI,sI,sI,sI,sI,sf,sf,sI,so,so,so,so,so}", "name", source->name, "due",
      (json_int_t)source->due, "ok_count", (json_int_t)source->ok, "good", (json_int_t)source->good,
      "failed", (json_int_t)(source->due - source->ok), "retried", (json_int_t)source->retried,
      "cached", (json_int_t)source->cached, "ok_rate", (double)source->ok / seconds, "goodput",
      (double)source->good / seconds, "deadline_us", (json_int_t)source->deadline_us, "ok",
      quantiles_json(&source->ok_us), "other", quantiles_json(&source->other_us), "late",
      quantiles_json(&source->late_us), "failed_by_status", statuses_json(source), "failed_by_code",
      codes_json(source));
  if (source->seconds) json_object_set_new(json, "seconds", seconds_json(source));
  return json;
}

static json_t *version_json(const struct report_version *row)
{
  int64_t wall_ms = clock_wall_ms() - clock_us() / 1000;
  json_t *json = quantiles_json(&row->us);
  json_object_del(json, "count");
  json_object_update_new(
      json,
      json_pack("{sI,sb,sI,sI,sI,sI}", "version", (json_int_t)row->version, "candidate",
                (int)row->candidate, "answers", (json_int_t)row->us.count, "failed",
                (json_int_t)row->failed, "first_ms", (json_int_t)(wall_ms + row->first_us / 1000),
                "last_ms", (json_int_t)(wall_ms + row->last_us / 1000)));
  return json;
}

json_t *report_json(const struct report *report)
{
  struct report_source *sum = grab(sizeof *sum);
  report_sum(report, sum);
  json_t *all = source_json(sum), *rows = json_array(), *sources = json_array();
  for (uint32_t i = 0; i < report->n_versions; i++)
    json_array_append_new(rows, version_json(&report->versions[i]));
  for (uint32_t i = 0; i < report->n_sources; i++)
    json_array_append_new(sources, source_json(&report->sources[i]));
  json_object_del(all, "name");
  json_object_update_new(
      all, json_pack("{sI,sf,sf,sI,so,so}", "answers", (json_int_t)sum->due, "rate",
                     (double)sum->due / report->seconds, "for_s", report->seconds, "max_us",
                     (json_int_t)sum->worst_us, "versions", rows, "sources", sources));
  ungrab(sum);
  return all;
}
