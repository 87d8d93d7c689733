/* metrics_int.h - counters as Prometheus text. Room-internal.
 * Thread: desk; pure: everything it says is handed in.
 * Source: Prometheus text exposition format 0.0.4; section 10 of the wire contract for nv_* names.
 * SPDX-License-Identifier: MIT */
#ifndef API_METRICS_INT_H
#define API_METRICS_INT_H

#include "api/process_int.h"
#include "base/buf.h"
#include "world/letters.h"

/* What one scrape may cost: versions past the cap are added up as model="__other__". */
enum { METRICS_SERIES_MAX = 2000, METRICS_SERIES_EACH = 72, METRICS_BYTES_MAX = 8 << 20 };
enum { METRICS_ROWS_MAX = METRICS_SERIES_MAX / METRICS_SERIES_EACH };

struct metrics_view {
  const char *version; /* of slipway */
  const struct world *world;
  const struct tenant *tenant; /* whose series; NULL: none */
  const struct stats *stats;
  const struct process_facts *facts;
  double cpu_utilization; /* of the machine since the last scrape, 0 to 1 */
  uint64_t log_dropped;
};

/* Each model and version with counters has its series; buf->full when it was too much. */
void metrics_write(struct buf *to, const struct metrics_view *view);
/* A label's value with its quotes: backslash, quote and line feed escaped. */
void metrics_label(struct buf *to, struct slice value);

#endif
