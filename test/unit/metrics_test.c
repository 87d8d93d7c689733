/* metrics_test.c - /metrics keeps to the exposition format, whatever is in it, and to its cap.
 * The checker below reads the format as promtool does, strictly: every sample's family was
 * announced by HELP and TYPE, families stand together, no series comes twice, labels are quoted
 * right, values are numbers, histograms add up.
 * SPDX-License-Identifier: MIT */
#include "api/ask_int.h"
#include "api/metrics_int.h"

#include "api_fixture.h"

/* ---- a checker of the format */

struct checker {
  char family[128], type[16];
  char seen[256][128]; /* families closed or open */
  int n_seen;
  char series[8192][160];
  int n_series;
  double bucket_last;
  char bucket_labels[256];
};

static bool name_char(char c, bool first)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
         (!first && c >= '0' && c <= '9');
}

static bool family_is(const struct checker *k, const char *name)
{
  size_t len = strlen(k->family);
  if (strncmp(name, k->family, len) != 0) return false;
  if (!name[len]) return strcmp(k->type, "histogram") != 0;
  return strcmp(k->type, "histogram") == 0 &&
         (!strcmp(name + len, "_bucket") || !strcmp(name + len, "_sum") ||
          !strcmp(name + len, "_count"));
}

/* NULL when the label set at *at is right; moves *at after it. */
static const char *labels_check(const char **at)
{
  const char *c = *at + 1;
  while (*c != '}') {
    if (!name_char(*c, true)) return "label name";
    while (name_char(*c, false)) c++;
    if (*c++ != '=' || *c++ != '"') return "label value is not quoted";
    for (; *c != '"'; c++) {
      if (!*c) return "label value has no end";
      if (*c == '\\' && *++c != 'n' && *c != '"' && *c != '\\') return "bad escape";
    }
    c++;
    if (*c == ',')
      c++;
    else if (*c != '}')
      return "labels are not parted by commas";
  }
  *at = c + 1;
  return NULL;
}

static const char *sample_check(struct checker *k, const char *line)
{
  char name[128], *end;
  size_t n = 0;
  const char *at = line;
  while (name_char(*at, n == 0) && n + 1 < sizeof name) name[n++] = *at++;
  name[n] = '\0';
  if (!n) return "no metric name";
  if (!family_is(k, name)) return "sample outside its family";
  const char *labels = at;
  if (*at == '{') {
    const char *wrong = labels_check(&at);
    if (wrong) return wrong;
  }
  snprintf(k->series[k->n_series], sizeof k->series[0], "%.*s", (int)(at - line), line);
  for (int i = 0; i < k->n_series; i++)
    if (strcmp(k->series[i], k->series[k->n_series]) == 0) return "series comes twice";
  k->n_series++;
  if (*at++ != ' ') return "no space before the value";
  double value = strtod(at, &end);
  if (end == at || *end) return "value is not a number";
  if (strcmp(k->type, "counter") == 0 && !(value >= 0)) return "counter below zero";
  if (strstr(name, "_bucket")) {
    const char *le = strstr(labels, ",le=");
    if (!le) return "bucket without le";
    bool same = strncmp(k->bucket_labels, labels, (size_t)(le - labels)) == 0;
    if (same && value < k->bucket_last) return "buckets do not grow";
    snprintf(k->bucket_labels, sizeof k->bucket_labels, "%.*s", (int)(le - labels), labels);
    k->bucket_last = value;
  } else if (strstr(name, "_count") && strcmp(k->type, "histogram") == 0) {
    if (value != k->bucket_last) return "+Inf is not the count";
    k->bucket_labels[0] = '\0';
  }
  return NULL;
}

static const char *line_check(struct checker *k, const char *line)
{
  char name[128];
  if (strncmp(line, "# HELP ", 7) == 0) {
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line + 7, " "), line + 7);
    for (int i = 0; i < k->n_seen; i++)
      if (strcmp(k->seen[i], name) == 0) return "family comes twice";
    snprintf(k->seen[k->n_seen++], sizeof k->seen[0], "%s", name);
    snprintf(k->family, sizeof k->family, "%s", name);
    k->type[0] = '\0';
    return line[7 + strlen(name)] == ' ' ? NULL : "HELP without text";
  }
  if (strncmp(line, "# TYPE ", 7) == 0) {
    size_t len = strlen(k->family);
    if (strncmp(line + 7, k->family, len) != 0 || line[7 + len] != ' ') return "TYPE of another";
    snprintf(k->type, sizeof k->type, "%s", line + 8 + len);
    if (strcmp(k->type, "counter") && strcmp(k->type, "gauge") && strcmp(k->type, "histogram"))
      return "unknown type";
    return NULL;
  }
  return k->type[0] ? sample_check(k, line) : "sample before TYPE";
}

/* How many series; -1 (and a line on stdout) when the text breaks the format. */
static int format_check(const char *text)
{
  struct checker *k = grab_zero(1, sizeof *k);
  const char *wrong = NULL;
  int lines = 0;
  while (*text && !wrong) {
    char line[1024];
    size_t len = strcspn(text, "\n");
    if (text[len] != '\n' || len >= sizeof line) wrong = "last line has no end";
    snprintf(line, sizeof line, "%.*s", (int)len, text);
    lines++;
    if (!wrong) wrong = line_check(k, line);
    if (wrong) printf("line %d: %s: %s\n", lines, wrong, line);
    text += len + 1;
  }
  int n = wrong ? -1 : k->n_series;
  ungrab(k);
  return n;
}

TEST(the_checker_bites)
{
  EXPECT_INT(format_check("# HELP a b\n# TYPE a gauge\na{x=\"1\"} 2\n"), 1);
  printf("(the next lines are the checker's own test)\n");
  EXPECT_INT(format_check("a 1\n"), -1);
  EXPECT_INT(format_check("# HELP a b\n# TYPE a gauge\na{x=\"1\n\"} 2\n"), -1);
  EXPECT_INT(format_check("# HELP a b\n# TYPE a gauge\na 1\na 2\n"), -1);
  EXPECT_INT(format_check("# HELP a b\n# TYPE a gauge\nb 1\n"), -1);
  EXPECT_INT(format_check("# HELP a b\n# TYPE a gauge\na one\n"), -1);
  EXPECT_INT(format_check("# HELP a b\n# TYPE a histogram\na_bucket{m=\"1\",le=\"1\"} 2\n"
                          "a_bucket{m=\"1\",le=\"+Inf\"} 1\n"),
             -1);
}

TEST(label_values_are_escaped)
{
  struct buf buf;
  buf_init(&buf, 256);
  metrics_label(&buf, SLICE("a\"b\\c\nd"));
  buf_add(&buf, SLICE("\0"));
  EXPECT_STR(buf.at, "\"a\\\"b\\\\c\\nd\"");
  buf_deinit(&buf);
}

/* The value of a series; -1 when there is none. */
static double value_of(const char *text, const char *series)
{
  for (const char *at = text; (at = strstr(at, series)); at++)
    if ((at == text || at[-1] == '\n') && at[strlen(series)] == ' ')
      return strtod(at + strlen(series) + 1, NULL);
  return -1;
}

TEST(metrics_say_what_was_counted)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "GET", "/metrics", NULL);
  fx_post(&fx, ask);
  fx_stats_home(&fx);
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  EXPECT_STR(ask->reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT(format_check(text) > 100);
#define DIGITS "{model=\"digits\",version=\"2\"}"
  EXPECT(value_of(text, "nv_inference_request_success" DIGITS) == 10);
  EXPECT(value_of(text, "nv_inference_count" DIGITS) == 64);
  EXPECT(value_of(text, "nv_inference_exec_count" DIGITS) == 4);
  EXPECT(value_of(text, "nv_inference_request_duration_us" DIGITS) == 5000);
  EXPECT(value_of(text, "nv_inference_compute_infer_duration_us" DIGITS) == 3000);
  EXPECT(value_of(text, "nv_cache_num_hits_per_model" DIGITS) == 2);
  EXPECT(value_of(text, "nv_model_load_duration_secs" DIGITS) == 1.5);
  EXPECT(value_of(text,
                  "nv_inference_request_failure{model=\"digits\",version=\"2\","
                  "reason=\"BACKEND\"}") == 1);
  EXPECT(value_of(text, "slipway_request_duration_seconds_count" DIGITS) == 10);
  EXPECT(value_of(text,
                  "slipway_request_duration_seconds_bucket{model=\"digits\",version=\"2\","
                  "le=\"0.000256\"}") == 2);
  EXPECT(fabs(value_of(text, "slipway_request_duration_seconds_sum" DIGITS) - 0.0055) < 1e-9);
  EXPECT(value_of(text, "slipway_refused_total{code=\"BAD_JSON\"}") == 1);
  EXPECT(value_of(text, "slipway_responses_total{class=\"2xx\"}") == 11);
  EXPECT(value_of(text, "slipway_requests_total") == 12);
  EXPECT(value_of(text, "slipway_worlds_built_total") == 3);
  EXPECT(value_of(text, "process_resident_memory_bytes") > 0);
  EXPECT(value_of(text, "slipway_model_serves" DIGITS) == 1);
  EXPECT(value_of(text, "slipway_model_serves{model=\"digits\",version=\"1\"}") == 0);
  fx_stop(&fx);
}

TEST(scrapes_in_a_storm_cost_one_pulse)
{
  enum { STORM = 50 };
  struct fx fx;
  struct letter_ask *asks[STORM];
  fx_begin(&fx);
  for (int i = 0; i < STORM; i++) {
    asks[i] = fx_send(&fx, "GET", "/metrics", NULL);
    fx_post(&fx, asks[i]);
  }
  fx_stats_home(&fx); /* takes exactly one letter */
  int answered = 0;
  while (answered < STORM) {
    struct mail *mail = mailbox_wait(&fx.home, clock_us() + FX_WAIT_US);
    if (!mail) break;
    for (; mail; mail = mail->next) answered++;
  }
  EXPECT_INT(answered, STORM);
  EXPECT(mailbox_empty(&fx.control));
  for (int i = 0; i < STORM; i++) {
    EXPECT_INT(asks[i]->reply.status, 200);
    blob_drop(asks[i]->reply.body);
  }
  fx_stop(&fx);
}

TEST(too_many_versions_are_summed)
{
  enum { N = 200 };
  static struct version versions[N];
  static struct model model;
  struct stats stats = {.tally = tally_new(N, 0, 0)};
  for (uint32_t i = 0; i < N; i++) {
    versions[i] = (struct version){.number = i + 1, .slot = i};
    tally_slot(stats.tally, i)->success.count = 1;
  }
  model = (struct model){
      .name = SLICE("many"), .planned = versions, .n_versions = N, .stable = &versions[N - 1]};
  struct tenant tenant = {.name = SLICE("default"), .planned = &model, .n_models = 1};
  struct world_plan plan = {.n_slots = N};
  struct world *world = world_build(&plan, 1);
  struct process_facts facts = {.memory_total = 1};
  struct buf buf;
  buf_init(&buf, METRICS_BYTES_MAX);
  metrics_write(
      &buf,
      &(struct metrics_view){.version = "1", .world = world, .tenant = &tenant, .server = true,
                             .stats = &stats, .facts = &facts});
  EXPECT(!buf.full);
  buf_add(&buf, slice_of("", 1));
  int series = format_check(buf.at);
  EXPECT(series > METRICS_SERIES_MAX / 2 && series < METRICS_SERIES_MAX + 200);
  EXPECT(value_of(buf.at, "nv_inference_request_success{model=\"__other__\",version=\"\"}") ==
         N - METRICS_ROWS_MAX);
  EXPECT(value_of(buf.at, "slipway_model_serves{model=\"many\",version=\"200\"}") == 1);
  EXPECT(value_of(buf.at, "slipway_series_left_out") == N - METRICS_ROWS_MAX);
  buf_deinit(&buf);
  tally_free(stats.tally);
  world_free(world);
}

TEST(the_cost_of_many_tenants_is_summed)
{
  enum { N = METRICS_TENANTS_MAX + 2 };
  static struct tenant tenants[N];
  static struct meter meters[N];
  static char names[N][16];
  struct stats stats = {.tally = tally_new(1, 0, 0)};
  struct process_facts facts = {.memory_total = 1};
  struct buf buf;
  for (uint32_t i = 0; i < N; i++) {
    snprintf(names[i], sizeof names[i], "t%05u", i);
    tenants[i] = (struct tenant){.name = slice_str(names[i]), .slot = i, .meter = &meters[i]};
    meters[i].ran_ns = 1000000000;
  }
  struct world_plan plan = {.tenants = tenants, .n_tenants = N};
  struct world *world = world_build(&plan, 1);
  buf_init(&buf, METRICS_BYTES_MAX);
  metrics_write(&buf, &(struct metrics_view){.version = "1", .world = world, .server = true,
                                             .stats = &stats, .facts = &facts});
  EXPECT(!buf.full);
  buf_add(&buf, slice_of("", 1));
  EXPECT(format_check(buf.at) > METRICS_TENANTS_MAX);
#define COST "slipway_tenant_cost_seconds_total"
  EXPECT(value_of(buf.at, COST "{tenant=\"t00000\"}") == 1);
  EXPECT(value_of(buf.at, COST "{tenant=\"__other__\"}") == 2);
  buf_deinit(&buf);
  tally_free(stats.tally);
  world_free(world);
}

TEST(releases_have_weight_state_and_evidence)
{
  static const char text[] =
      "[{\"model\":\"a\\\"b\",\"release\":17,\"state\":\"running\",\"step\":1,\"weight\":0.05,"
      "\"copied\":0,\"keyless\":3,\"unjudged\":0,"
      "\"shadow\":{\"pairs\":900,\"disagreements\":4,\"dropped\":1},"
      "\"verdict\":{\"harmed\":2.5,\"gates\":["
      "{\"gate\":\"errors\",\"state\":\"inconclusive\",\"log_e\":-1.5,\"bar\":7.2,"
      "\"pass\":{\"log_e\":1,\"bar\":3},\"reason\":null},"
      "{\"gate\":\"latency\",\"state\":\"no_data\",\"log_e\":null,\"bar\":null,"
      "\"pass\":{\"log_e\":null,\"bar\":null},\"reason\":\"no_stable_requests\"},"
      "{\"gate\":\"metric\",\"state\":\"idle\"}]}},"
      "{\"model\":\"late\",\"release\":1,\"state\":\"completed\",\"step\":3,\"weight\":1,"
      "\"copied\":0,\"shadow\":null,\"verdict\":null}]";
  const uint64_t moves[MOVES_STATES] = {[1] = 5, [6] = 2};
  struct metrics_view view = {.releases = json_loads(text, 0, NULL), .release_moves = moves};
  struct buf buf;
  must(view.releases != NULL);
  buf_init(&buf, METRICS_BYTES_MAX);
  release_metrics_write(&buf, &view);
  buf_add(&buf, slice_of("", 1));
  EXPECT(!buf.full);
  EXPECT(format_check(buf.at) > 0);
  const struct {
    const char *series;
    double value;
  } rows[] = {
      {"slipway_release_weight{model=\"a\\\"b\",release=\"17\"}", 0.05},
      {"slipway_release_weight{model=\"late\",release=\"1\"}", 1},
      {"slipway_release_state{model=\"late\",release=\"1\",state=\"completed\"}", 1},
      {"slipway_release_state{model=\"late\",release=\"1\",state=\"running\"}", 0},
      {"slipway_release_harmed{model=\"a\\\"b\",release=\"17\"}", 2.5},
      {"slipway_release_shadow_disagreements_total{model=\"a\\\"b\",release=\"17\"}", 4},
      {"slipway_release_gate_log_e{model=\"a\\\"b\",release=\"17\",gate=\"errors\"}", -1.5},
      {"slipway_release_gate_bar{model=\"a\\\"b\",release=\"17\",gate=\"errors\"}", 7.2},
      {"slipway_release_no_data{model=\"a\\\"b\",release=\"17\",gate=\"latency\",reason="
       "\"no_stable_requests\"}",
       1},
      {"slipway_release_moves_total{state=\"running\"}", 5},
      {"slipway_release_moves_total{state=\"rolled_back\"}", 2},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    EXPECT(value_of(buf.at, rows[i].series) == rows[i].value);
  EXPECT(strstr(buf.at, "gate=\"metric\"") == NULL);
  json_decref((json_t *)(uintptr_t)view.releases);
  buf_deinit(&buf);
}
