/* report.h - what became of a load's requests, counted as they end, told at its end.
 * Thread: main (own) tells it once the load's thread, which counts, is joined.
 *
 * Times are from when a request was due. `ok` are answers 200; `good` those of them inside the
 * deadline, all where there is none; `other` every other end, with the time it took to learn of it.
 * `late` is what the generator itself took from due to sent: where it is large, it measured itself.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include <jansson.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "cli/load/load.h"
#include "stat/sketch.h"

enum { REPORT_VERSIONS_MAX = 8, REPORT_CODES_MAX = 24, REPORT_SECONDS_MAX = 3600 };
enum { REPORT_STATUSES = 600, REPORT_CODE_LEN = 32, REPORT_SAID_LEN = 160 };

struct report_version { /* what one version answered, as candidate or as stable */
  uint32_t version;
  bool candidate;
  uint64_t failed;
  int64_t first_us, last_us; /* clock_us: when its first and last requests were due */
  struct sketch us;          /* of all its answers */
};

struct report_second { /* requests that were due in one second */
  uint32_t due, ok, good;
  struct sketch32 us; /* of ok */
};

struct report_source {
  const char *name;
  int64_t deadline_us; /* 0: none */
  int64_t span_us;     /* how long it had requests due */
  uint64_t due, ok, good, retried, cached;
  uint64_t lost, timed_out, unsent; /* ends without a status */
  uint64_t by_status[REPORT_STATUSES];
  struct {
    char name[REPORT_CODE_LEN];
    char said[REPORT_SAID_LEN]; /* the text of the first */
    uint64_t n;
  } codes[REPORT_CODES_MAX]; /* of error bodies */
  struct sketch ok_us, other_us, late_us;
  int64_t worst_us;
  struct report_second **seconds; /* REPORT_SECONDS_MAX; NULL: not asked for */
};

struct report {
  struct report_source *sources;
  uint32_t n_sources;
  struct report_version versions[REPORT_VERSIONS_MAX];
  uint32_t n_versions;
  _Atomic uint64_t due, ok; /* for whoever watches while it runs */
  char title[256];
  double seconds;
};

struct report *report_new(uint32_t n_sources, bool each_second);
void report_free(struct report *report);
/* A load_seen. */
void report_seen(void *report, const struct load_answer *answer);
/* Everything of all sources in one. */
void report_sum(const struct report *report, struct report_source *sum);

json_t *report_json(const struct report *report);
/* For people: text without a table of versions, which is in `out`. */
void report_print(const struct report *report, struct buf *to);
/* How times lie: a line for each half octave, or octave where that were more than 24 lines. */
void report_picture(const struct sketch *us, struct buf *to);

#endif
