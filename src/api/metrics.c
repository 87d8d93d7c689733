/* metrics.c - GET /metrics: tables of families, each with how to read its value.
 * Thread: desk.
 * All samples of a family stand together, as the format wants; so families are the outer loop and
 * versions the inner one. A scrape within METRICS_FRESH_US of the last one gets the same text.
 * SPDX-License-Identifier: MIT */
#include "api/metrics_int.h"

#include <stdio.h>

#include "api/flag/desk_int.h"
#include "api/release/release_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { METRICS_FRESH_US = 100000, LABELS_MAX = 256 };
/* Histogram edges: powers of two of microseconds, 32 us to 17 s; every one or every second one. */
enum { EDGE_FIRST = 5, EDGE_LAST = 24 };

/* One version's series. */
struct series {
  char labels[LABELS_MAX];       /* model="digits",version="3" */
  const struct model *model;     /* NULL for __other__ */
  const struct version *version; /* NULL for __other__ */
  struct version_tally tally;    /* a copy: __other__ is a sum */
};

struct series_list {
  struct series *all;
  uint32_t n;
  uint32_t left_out; /* versions summed into __other__ */
};

void metrics_label(struct buf *to, struct slice value)
{
  buf_add(to, SLICE("\""));
  for (size_t i = 0; i < value.len; i++) {
    char c = value.at[i];
    if (c == '\n')
      buf_add(to, SLICE("\\n"));
    else if (c == '"' || c == '\\')
      buf_print(to, "\\%c", c);
    else
      buf_add(to, slice_of(&c, 1));
  }
  buf_add(to, SLICE("\""));
}

/* ---- which series there are ---- */

static void labels_write(struct series *series, struct slice model, const char *version)
{
  struct buf buf;
  buf_init(&buf, LABELS_MAX - 1);
  buf_add(&buf, SLICE("model="));
  metrics_label(&buf, model);
  buf_print(&buf, ",version=\"%s\"", version);
  must(!buf.full && slice_to_str(buf_lend(&buf), series->labels, LABELS_MAX));
  buf_deinit(&buf);
}

static void series_add(struct series_list *list, const struct metrics_view *view,
                       const struct model *model, const struct version *version)
{
  const struct version_tally *tally = stats_slot(view->stats, version->slot);
  if (list->n < METRICS_ROWS_MAX) {
    struct series *series = &list->all[list->n++];
    char number[16];
    snprintf(number, sizeof number, "%u", version->number);
    labels_write(series, model->name, number);
    series->model = model;
    series->version = version;
    series->tally = *tally;
    return;
  }
  struct series *other = &list->all[METRICS_ROWS_MAX];
  if (list->left_out++ == 0) labels_write(other, SLICE("__other__"), "");
  version_tally_merge(&other->tally, tally);
}

/* What serves comes first, so that a cap takes the series nobody looks at. */
static void series_collect(struct series_list *list, const struct metrics_view *view)
{
  const struct tenant *tenant = view->tenant;
  for (int pass = 0; tenant && pass < 2; pass++)
    for (uint32_t i = 0; i < tenant->n_models; i++) {
      const struct model *model = tenant_model(tenant, i);
      for (uint32_t v = 0; v < model->n_versions; v++) {
        const struct version *version = model_version_at(model, v);
        bool counts = version->state == VERSION_READY || version->slot != SLOT_NONE;
        if (counts && (version == model->stable) == (pass == 0))
          series_add(list, view, model, version);
      }
    }
  if (list->left_out) list->n++;
}

/* ---- families of versions ---- */

static double success_count(const struct series *s) { return (double)s->tally.success.count; }
static double rows_count(const struct series *s) { return (double)s->tally.rows; }
static double runs_count(const struct series *s) { return (double)s->tally.runs; }
static double success_us(const struct series *s) { return (double)(s->tally.success.ns / 1000); }
static double queue_us(const struct series *s) { return (double)(s->tally.queue.ns / 1000); }
static double input_us(const struct series *s) { return (double)(s->tally.input.ns / 1000); }
static double infer_us(const struct series *s) { return (double)(s->tally.infer.ns / 1000); }
static double output_us(const struct series *s) { return (double)(s->tally.output.ns / 1000); }
static double hits(const struct series *s) { return (double)s->tally.cache_hit.count; }
static double misses(const struct series *s) { return (double)s->tally.cache_miss.count; }
static double hit_us(const struct series *s) { return (double)(s->tally.cache_hit.ns / 1000); }
static double miss_us(const struct series *s) { return (double)(s->tally.cache_miss.ns / 1000); }

static double load_seconds(const struct series *s)
{
  return s->version && s->version->state == VERSION_READY ? (double)s->version->load_us / 1e6 : 0;
}

static double memory_bytes(const struct series *s)
{
  return s->version && s->version->state == VERSION_READY ? (double)s->version->memory_bytes : 0;
}

static double breaker(const struct series *s)
{
  if (!s->version || s->version->breaker == BREAKER_CLOSED) return 0;
  return s->version->breaker == BREAKER_OPEN ? 2 : 1;
}

/* Tasks that are out: in a lane, or on a seat. */
static double in_flight(const struct series *s)
{
  return (double)(int64_t)(s->tally.lent - s->tally.returned);
}

static double limit(const struct series *s) { return (double)s->tally.limit; }
static double batch_delay_us(const struct series *s) { return s->tally.delay_us; }

static double serves(const struct series *s)
{
  return s->model && s->model->stable == s->version ? 1 : 0;
}

static const struct {
  const char *name, *type, *help;
  double (*value)(const struct series *series);
} version_families[] = {
    {"nv_inference_request_success", "counter", "requests answered", success_count},
    {"nv_inference_count", "counter", "rows inferred, without cache hits", rows_count},
    {"nv_inference_exec_count", "counter", "batches run, without cache hits", runs_count},
    {"nv_inference_request_duration_us", "counter", "time of answered requests", success_us},
    {"nv_inference_queue_duration_us", "counter", "time in queues", queue_us},
    {"nv_inference_compute_input_duration_us", "counter", "time preparing inputs", input_us},
    {"nv_inference_compute_infer_duration_us", "counter", "time in the engine", infer_us},
    {"nv_inference_compute_output_duration_us", "counter", "time fetching outputs", output_us},
    {"nv_model_load_duration_secs", "gauge", "how long the load took", load_seconds},
    {"nv_cache_num_hits_per_model", "counter", "answers from the cache", hits},
    {"nv_cache_num_misses_per_model", "counter", "look-ups that found nothing", misses},
    {"nv_cache_hit_duration_per_model", "counter", "time of cache hits, us", hit_us},
    {"nv_cache_miss_duration_per_model", "counter", "time of look-ups and inserts, us", miss_us},
    {"slipway_cache_hits", "counter", "answers that another request's run had made", hits},
    {"slipway_cache_misses", "counter", "look-ups in the cache that found nothing", misses},
    {"slipway_model_memory_bytes", "gauge", "measured memory of the loaded model", memory_bytes},
    {"slipway_breaker_state", "gauge", "of the circuit breaker: 0 closed, 1 half open, 2 open",
     breaker},
    {"slipway_inflight", "gauge", "requests that wait for a lane or run", in_flight},
    {"slipway_limit", "gauge", "how many of them there may be, as loops found out", limit},
    {"slipway_batch_rows_sum", "counter", "rows of all batches: over _count, of one", rows_count},
    {"slipway_batch_rows_count", "counter", "batches", runs_count},
    {"slipway_batch_delay_us", "gauge", "how long requests now wait for others to share a run with",
     batch_delay_us},
    {"slipway_model_serves", "gauge", "1 where this version answers", serves},
};

static const struct {
  const char *name, *help;
  size_t at; /* of the hist in a version_tally */
  int step;  /* edges: every one, or every second one */
} version_hists[] = {
    {"slipway_request_duration_seconds", "from a whole request to its answer",
     offsetof(struct version_tally, total_us), 1},
    {"slipway_queue_seconds", "waiting for a lane",
     offsetof(struct version_tally, queue_us), 2},
    {"slipway_infer_duration_seconds", "in the engine", offsetof(struct version_tally, infer_us),
     2},
};

void metrics_head(struct buf *to, const char *name, const char *type, const char *help)
{
  buf_print(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void hist_write(struct buf *to, const char *name, const char *labels,
                       const struct hist *hist, int step)
{
  for (int power = EDGE_FIRST; power <= EDGE_LAST; power += step)
    buf_print(to, "%s_bucket{%s,le=\"%.9g\"} %llu\n", name, labels,
              (double)(UINT64_C(1) << power) / 1e6,
              (unsigned long long)hist_below(hist, UINT64_C(1) << power));
  buf_print(to, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, labels, (unsigned long long)hist->count);
  buf_print(to, "%s_sum{%s} %.6f\n", name, labels, (double)hist->sum / 1e6);
  buf_print(to, "%s_count{%s} %llu\n", name, labels, (unsigned long long)hist->count);
}

static void failures_write(struct buf *to, const struct series_list *list)
{
  static const char *const reasons[] = {
      [FAIL_REJECTED] = "REJECTED",
      [FAIL_CANCELLED] = "CANCELED",
      [FAIL_BACKEND] = "BACKEND",
      [FAIL_OTHER] = "OTHER",
  };
  metrics_head(to, "nv_inference_request_failure", "counter", "requests not answered, by reason");
  for (uint32_t i = 0; i < list->n; i++)
    for (int r = 0; r < FAIL_REASONS; r++)
      buf_print(to, "nv_inference_request_failure{%s,reason=\"%s\"} %llu\n", list->all[i].labels,
                reasons[r], (unsigned long long)list->all[i].tally.failed[r]);
}

static void sheds_write(struct buf *to, const struct series_list *list)
{
  static const char *const reasons[] = {[SHED_OVERLOADED] = "OVERLOADED",
                                        [SHED_UNREACHABLE] = "DEADLINE_UNREACHABLE",
                                        [SHED_CAPACITY] = "NO_CAPACITY"};
  static const char *const stages[] = {
      [MISSED_SUBMIT] = "submit", [MISSED_QUEUE] = "queue", [MISSED_RUN] = "run"};
  metrics_head(to, "slipway_refusals_total", "counter", "requests turned away, by reason");
  for (uint32_t i = 0; i < list->n; i++)
    for (int r = 0; r < SHEDS; r++)
      buf_print(to, "slipway_refusals_total{%s,reason=\"%s\"} %llu\n", list->all[i].labels,
                reasons[r], (unsigned long long)list->all[i].tally.shed[r]);
  metrics_head(to, "slipway_deadline_missed_total", "counter",
               "deadlines that passed: before a lane, in its queue, or in a run");
  for (uint32_t i = 0; i < list->n; i++)
    for (int s = 0; s < MISSED_STAGES; s++)
      buf_print(to, "slipway_deadline_missed_total{%s,stage=\"%s\"} %llu\n",
                list->all[i].labels, stages[s],
                (unsigned long long)list->all[i].tally.missed[s]);
}

static void versions_write(struct buf *to, const struct series_list *list)
{
  for (size_t f = 0; f < sizeof version_families / sizeof *version_families; f++) {
    metrics_head(to, version_families[f].name, version_families[f].type, version_families[f].help);
    for (uint32_t i = 0; i < list->n; i++)
      buf_print(to, "%s{%s} %.15g\n", version_families[f].name, list->all[i].labels,
                version_families[f].value(&list->all[i]));
  }
  failures_write(to, list);
  sheds_write(to, list);
  for (size_t f = 0; f < sizeof version_hists / sizeof *version_hists; f++) {
    metrics_head(to, version_hists[f].name, "histogram", version_hists[f].help);
    for (uint32_t i = 0; i < list->n; i++) {
      const void *hist = (const char *)&list->all[i].tally + version_hists[f].at;
      hist_write(to, version_hists[f].name, list->all[i].labels, hist, version_hists[f].step);
    }
  }
}

/* ---- families of the process ---- */

static void one_write(struct buf *to, const char *name, const char *type, const char *help,
                      double value)
{
  metrics_head(to, name, type, help);
  buf_print(to, "%s %.15g\n", name, value);
}

/* The cache's second level, in Redis: all tenants'. */
static void far_write(struct buf *to, const struct far_tally *far)
{
  one_write(to, "slipway_cache_shared_hits", "counter", "answers that Redis had",
            (double)far->hits);
  one_write(to, "slipway_cache_shared_misses", "counter", "look-ups in Redis that found nothing",
            (double)far->misses);
  one_write(to, "slipway_cache_shared_forged", "counter",
            "values in Redis that nobody with the secret made, or not for this question",
            (double)far->forged);
  one_write(to, "slipway_cache_shared_errors", "counter",
            "look-ups that ended in an error, or without an answer in time", (double)far->errors);
  one_write(to, "slipway_cache_shared_bypassed", "counter",
            "look-ups that were not made, because Redis is left alone just then",
            (double)far->bypassed);
  metrics_head(to, "slipway_cache_shared_fills", "counter",
               "answers for Redis to keep: sent, of them refused; left: not sent");
  buf_print(to, "slipway_cache_shared_fills{state=\"sent\"} %llu\n",
            (unsigned long long)far->fills);
  buf_print(to, "slipway_cache_shared_fills{state=\"refused\"} %llu\n",
            (unsigned long long)far->fills_failed);
  buf_print(to, "slipway_cache_shared_fills{state=\"left\"} %llu\n",
            (unsigned long long)far->fills_left);
  one_write(to, "slipway_cache_shared_failures", "counter",
            "times a network thread began to leave Redis alone", (double)far->failures);
  one_write(to, "slipway_cache_shared_lines", "gauge", "network threads whose Redis answers",
            (double)far->lines);
}

static void loops_write(struct buf *to, const struct tally *tally)
{
  one_write(to, "slipway_requests_total", "counter", "requests read", (double)tally->requests);
  one_write(to, "slipway_connections_total", "counter", "connections accepted",
            (double)tally->connections);
  one_write(to, "slipway_received_bytes_total", "counter", "bytes read", (double)tally->bytes_in);
  one_write(to, "slipway_sent_bytes_total", "counter", "bytes written", (double)tally->bytes_out);
  one_write(to, "slipway_slow_turns_total", "counter", "loop turns over their budget",
            (double)tally->slow_turns);
  far_write(to, &tally->far);
  metrics_head(to, "slipway_responses_total", "counter", "answers by class of status");
  for (int i = 1; i <= 5; i++)
    buf_print(to, "slipway_responses_total{class=\"%dxx\"} %llu\n", i,
              (unsigned long long)tally->by_status[i]);
  metrics_head(to, "slipway_refused_total", "counter", "answers by error code");
  for (int code = 1; code < CODE_COUNT; code++)
    buf_print(to, "slipway_refused_total{code=\"%s\"} %llu\n", code_name((enum code)code),
              (unsigned long long)tally->refused[code]);
}

static void pressure_write(struct buf *to, const struct pressure *pressure)
{
  metrics_head(to, "slipway_pressure", "gauge", "percent of where it hurts, by source");
  for (int i = 0; i < SOURCES; i++)
    buf_print(to, "slipway_pressure{source=\"%s\"} %u\n", source_name((enum pressure_source)i),
              pressure->last.percent[i]);
  metrics_head(to, "slipway_pressure_action", "gauge", "1 while this is done about it");
  for (int i = 0; i < ACTIONS; i++)
    buf_print(to, "slipway_pressure_action{action=\"%s\"} %d\n",
              action_name((enum pressure_action)i), (pressure->actions & ACTION_BIT(i)) != 0);
}

static void process_write(struct buf *to, const struct metrics_view *view)
{
  const struct process_facts *facts = view->facts;
  const struct stats *stats = view->stats;
  metrics_head(to, "slipway_build_info", "gauge", "which slipway this is");
  buf_print(to, "slipway_build_info{version=");
  metrics_label(to, slice_str(view->version));
  buf_print(to, "} 1\n");
  one_write(to, "slipway_ready", "gauge", "1 when every model that should serve does",
            world_ready(view->world));
  one_write(to, "slipway_uptime_seconds", "gauge", "since start", (double)stats->uptime_us / 1e6);
  one_write(to, "slipway_loops", "gauge", "network threads", stats->loops);
  one_write(to, "slipway_loops_silent", "gauge", "network threads that did not report in time",
            stats->loops_silent);
  one_write(to, "slipway_world_serial", "gauge", "number of the newest world",
            (double)stats->world_serial);
  one_write(to, "slipway_worlds_built_total", "counter", "worlds published",
            (double)stats->worlds_built);
  one_write(to, "slipway_worlds_freed_total", "counter", "worlds nobody reads any more",
            (double)stats->worlds_freed);
  one_write(to, "slipway_models_loading", "gauge", "loads in progress",
            (double)stats->models_loading);
  one_write(to, "nv_inference_pending_request_count", "gauge",
            "requests waiting in lanes, all models", (double)stats->lanes_pending);
  one_write(to, "slipway_log_dropped_total", "counter", "log lines dropped",
            (double)view->log_dropped);
  metrics_head(to, "slipway_predictions_total", "counter",
             "answers to be held against their outcomes, by what became of them");
  buf_print(to, "slipway_predictions_total{state=\"kept\"} %llu\n",
            (unsigned long long)stats->predictions_kept);
  buf_print(to, "slipway_predictions_total{state=\"dropped\"} %llu\n",
            (unsigned long long)stats->predictions_dropped);
  buf_print(to, "slipway_predictions_total{state=\"missed\"} %llu\n",
            (unsigned long long)(stats->tally ? stats->tally->predictions_missed : 0));
  if (stats->tally) loops_write(to, stats->tally);
  pressure_write(to, &stats->pressure);
  one_write(to, "nv_cpu_utilization", "gauge", "of the machine, 0 to 1", view->cpu_utilization);
  one_write(to, "nv_cpu_memory_total_bytes", "gauge", "of the machine",
            (double)facts->memory_total);
  one_write(to, "nv_cpu_memory_used_bytes", "gauge", "of the machine",
            (double)(facts->memory_total - facts->memory_available));
  one_write(to, "process_resident_memory_bytes", "gauge", "of this process",
            (double)facts->resident_bytes);
  one_write(to, "process_cpu_seconds_total", "counter", "user and system", facts->cpu_seconds);
  one_write(to, "process_start_time_seconds", "gauge", "Unix time", facts->start_seconds);
  one_write(to, "process_threads", "gauge", "threads", (double)facts->threads);
  one_write(to, "process_open_fds", "gauge", "descriptors open", (double)facts->fds_open);
  one_write(to, "process_max_fds", "gauge", "descriptors allowed", (double)facts->fds_max);
}

static double now(const _Atomic uint64_t *value)
{
  return (double)atomic_load_explicit(value, memory_order_relaxed);
}

/* What the tenant's models keep (serve/cache). */
static void cache_write(struct buf *to, const struct meter *meter)
{
  one_write(to, "slipway_cache_bytes", "gauge", "kept by the tenant's models",
            now(&meter->cache_bytes));
  one_write(to, "slipway_cache_evictions", "counter", "kept answers that had to make room",
            now(&meter->cache_evictions));
  one_write(to, "slipway_cache_key_mismatch", "counter",
            "entries with the hash of another request's key: a miss each",
            now(&meter->cache_mismatches));
}

static uint64_t ran_ns(const struct tenant *tenant)
{
  return tenant->meter ? atomic_load_explicit(&tenant->meter->ran_ns, memory_order_relaxed) : 0;
}

static void cost_write(struct buf *to, struct slice tenant, uint64_t ns)
{
  buf_add(to, SLICE("slipway_tenant_cost_seconds_total{tenant="));
  metrics_label(to, tenant);
  buf_print(to, "} %.9f\n", (double)ns / 1e9);
}

/* Who looks after the server sees what each tenant costs it; others, their own. */
static void costs_write(struct buf *to, const struct metrics_view *view)
{
  uint32_t n = view->server && view->world ? world_tenants(view->world) : 0;
  uint64_t others_ns = 0;
  if (!n && !view->tenant) return;
  metrics_head(to, "slipway_tenant_cost_seconds_total", "counter",
               "workers' time that the tenant's requests took, measured");
  if (!n) cost_write(to, view->tenant->name, ran_ns(view->tenant));
  for (uint32_t i = 0; i < n; i++) {
    const struct tenant *tenant = world_tenant_at(view->world, i);
    if (i < METRICS_TENANTS_MAX)
      cost_write(to, tenant->name, ran_ns(tenant));
    else
      others_ns += ran_ns(tenant);
  }
  if (n > METRICS_TENANTS_MAX) cost_write(to, SLICE("__other__"), others_ns);
}

void metrics_write(struct buf *to, const struct metrics_view *view)
{
  struct series_list list = {.all = grab_zero(METRICS_ROWS_MAX + 1, sizeof *list.all)};
  series_collect(&list, view);
  if (view->server) process_write(to, view);
  one_write(to, "slipway_series_left_out", "gauge", "versions summed into model=\"__other__\"",
            list.left_out);
  if (view->tenant && view->tenant->meter) cache_write(to, view->tenant->meter);
  costs_write(to, view);
  versions_write(to, &list);
  quota_metrics_write(to, view);
  release_metrics_write(to, view);
  ungrab(list.all);
}

/* ---- the handler ---- */

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static bool cache_is_fresh(const struct ask *ask)
{
  const struct desk *desk = ask->desk;
  return desk->metrics && clock_us() - desk->metrics_us <= METRICS_FRESH_US &&
         desk->metrics_server == ask_sees_server(ask) &&
         slice_eq(ask->letter->tenant, slice_str(desk->metrics_tenant));
}

static double cpu_utilization(struct desk *desk, const struct process_facts *facts)
{
  uint64_t all = facts->cpu_all - desk->cpu_all, busy = facts->cpu_busy - desk->cpu_busy;
  desk->cpu_all = facts->cpu_all;
  desk->cpu_busy = facts->cpu_busy;
  return all && busy <= all ? (double)busy / (double)all : 0;
}

static void array_free(void *array) { json_decref(array); }

static enum desk_step metrics_finish(struct ask *ask, const struct stats *stats)
{
  struct desk *desk = ask->desk;
  if (cache_is_fresh(ask)) return ask_text(ask, 200, METRICS_TYPE, blob_share(desk->metrics));
  struct process_facts facts;
  struct buf buf;
  process_read(&facts);
  int64_t start_ms = clock_wall_ms() - stats->uptime_us / 1000;
  buf_init(&buf, METRICS_BYTES_MAX);
  metrics_write(&buf, &(struct metrics_view){.version = desk->opts->version,
                                             .world = ask->world,
                                             .tenant = ask->tenant,
                                             .stats = stats,
                                             .server = ask_sees_server(ask),
                                             .facts = &facts,
                                             .cpu_utilization = cpu_utilization(desk, &facts),
                                             .log_dropped = log_dropped(),
                                             .releases = ask->state,
                                             .release_moves = release_moves_count(ask, start_ms)});
  flag_metrics_write(desk, ask->letter->tenant, &buf);
  must(!buf.full);
  blob_drop(desk->metrics);
  desk->metrics = blob_copy(buf_lend(&buf));
  buf_deinit(&buf);
  desk->metrics_us = clock_us();
  desk->metrics_server = ask_sees_server(ask);
  if (!slice_to_str(ask->letter->tenant, desk->metrics_tenant, sizeof desk->metrics_tenant))
    desk->metrics_us = 0; /* a name too long to compare is not cached */
  return ask_text(ask, 200, METRICS_TYPE, blob_share(desk->metrics));
}

static enum desk_step metrics_release(struct ask *ask, struct letter_release *letter)
{
  struct err err;
  json_t *release = letter->err.code == OK ? json_parse(blob_lend(letter->json), &err) : NULL;
  if (release) json_array_append_new(ask->state, release);
  return ask->letters_out ? DESK_LATER : metrics_finish(ask, &ask->desk->stats_last);
}

/* Models in release first tell how they stand. */
static enum desk_step metrics_then(struct ask *ask, const struct stats *stats)
{
  struct slice names[METRICS_RELEASES_MAX];
  uint32_t n = 0;
  const struct tenant *tenant = ask->tenant;
  for (uint32_t i = 0; tenant && i < tenant->n_models && n < METRICS_RELEASES_MAX; i++) {
    const struct model *model = tenant_model(tenant, i);
    if (model->release) names[n++] = arena_copy(&ask->arena, model->name);
  }
  if (!n) return metrics_finish(ask, stats);
  ask->state = json_array();
  ask->state_free = array_free;
  return release_ask(ask, names, n, metrics_release);
}

enum desk_step metrics_text(struct ask *ask)
{
  if (cache_is_fresh(ask)) return ask_text(ask, 200, METRICS_TYPE, blob_share(ask->desk->metrics));
  return stats_recent(ask, metrics_then);
}
