/* metrics_int.h - counters as Prometheus text. Room-internal.
 * Thread: desk; pure: everything it says is handed in.
 * Source: Prometheus text exposition format 0.0.4; section 10 of the wire contract for nv_* names.
 * SPDX-License-Identifier: MIT */
#ifndef API_METRICS_INT_H
#define API_METRICS_INT_H

#include <jansson.h>

#include "api/process_int.h"
#include "base/buf.h"
#include "world/letters.h"

/* Models whose running release is told in one scrape. */
enum { METRICS_RELEASES_MAX = 100 };
/* What one scrape may cost: versions past the cap are added up as model="__other__". */
enum { METRICS_SERIES_MAX = 2000, METRICS_SERIES_EACH = 74, METRICS_BYTES_MAX = 8 << 20 };
/* Tenants whose cost is told, of the whole server; what the others cost is one sum. */
enum { METRICS_TENANTS_MAX = 1000 };
/* Models whose own limits are told, and what all limits cost: three series each. */
enum { METRICS_QUOTA_MODELS = 8, METRICS_QUOTA_SERIES = 3 * QUOTAS * (1 + METRICS_QUOTA_MODELS) };
enum { METRICS_ROWS_MAX = (METRICS_SERIES_MAX - METRICS_QUOTA_SERIES) / METRICS_SERIES_EACH };

struct metrics_view {
  const char *version; /* of slipway */
  const struct world *world;
  const struct tenant *tenant; /* whose series; NULL: none */
  const struct stats *stats;
  bool server; /* the process's own families, too: sums over all tenants */
  const struct process_facts *facts;
  double cpu_utilization; /* of the machine since the last scrape, 0 to 1 */
  uint64_t log_dropped;
  const json_t *releases;        /* of the tenant's models that are in one: as control tells them */
  const uint64_t *release_moves; /* by the state moved into, ROLLOUT_STATES; NULL: not known */
};

/* Each model and version with counters has its series; buf->full when it was too much. */
void metrics_write(struct buf *to, const struct metrics_view *view);
/* The families of releases alone (release/metrics.c). */
void release_metrics_write(struct buf *to, const struct metrics_view *view);
/* The tenant's limits and their use (tenant/quota.c). */
void quota_metrics_write(struct buf *to, const struct metrics_view *view);
void metrics_head(struct buf *to, const char *name, const char *type, const char *help);
/* A label's value with its quotes: backslash, quote and line feed escaped. */
void metrics_label(struct buf *to, struct slice value);

#endif
