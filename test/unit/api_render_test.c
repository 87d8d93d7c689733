/* api_render_test.c - what a world and its counters look like from outside.
 * SPDX-License-Identifier: MIT */
#include "api/render_int.h"
#include "api_fixture.h"

#include <unistd.h>

static void get_expect(struct fx *fx, const char *path, const char *want)
{
  int status;
  json_t *tree = fx_ask(fx, "GET", path, NULL, &status);
  EXPECT_INT(status, 200);
  fx_expect_tree(tree, want);
  json_decref(tree);
}

TEST(metadata_holds_the_batch_dimension)
{
  struct fx fx;
  fx_begin(&fx);
  get_expect(&fx, "/v2/models/digits",
             "{\"name\":\"digits\",\"versions\":[\"2\"],\"platform\":\"onnxruntime_onnx\","
             "\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,64]}],"
             "\"outputs\":[{\"name\":\"label\",\"datatype\":\"INT64\",\"shape\":[-1]},"
             "{\"name\":\"p\",\"datatype\":\"FP32\",\"shape\":[-1,2]}]}");
  get_expect(&fx, "/v2/models/digits/versions/2/ready", "{\"name\":\"digits\",\"ready\":true}");
  get_expect(&fx, "/v2/models", "{\"models\":[\"digits\",\"wine\"]}");
  get_expect(&fx, "/v1/models", "{\"models\":[\"digits\",\"wine\"]}");
  get_expect(
      &fx, "/v1/models/digits",
      "{\"name\":\"digits\",\"ready\":true,\"model_version_status\":[{\"version\":\"2\","
      "\"state\":\"AVAILABLE\",\"status\":{\"error_code\":\"OK\",\"error_message\":\"\"}}]}");
  fx_stop(&fx);
}

TEST(config_leaves_the_batch_dimension_out)
{
  struct fx fx;
  fx_begin(&fx);
  get_expect(
      &fx, "/v2/models/digits/config",
      "{\"name\":\"digits\",\"platform\":\"onnxruntime_onnx\",\"backend\":\"onnx\","
      "\"version_policy\":{\"specific\":{\"versions\":[2]}},\"max_batch_size\":1024,"
      "\"input\":[{\"name\":\"x\",\"data_type\":\"TYPE_FP32\",\"format\":\"FORMAT_NONE\","
      "\"dims\":[64],\"optional\":false}],"
      "\"output\":[{\"name\":\"label\",\"data_type\":\"TYPE_INT64\",\"dims\":[]},"
      "{\"name\":\"p\",\"data_type\":\"TYPE_FP32\",\"dims\":[2]}],"
      "\"instance_group\":[{\"name\":\"digits_0\",\"kind\":\"KIND_CPU\",\"count\":2}],"
      "\"dynamic_batching\":{\"preferred_batch_size\":[]},"
      "\"model_transaction_policy\":{\"decoupled\":false},\"response_cache\":{\"enable\":false},"
      "\"parameters\":{}}");
  get_expect(
      &fx, "/v2/models/wine/versions/1/config",
      "{\"name\":\"wine\",\"platform\":\"echo\",\"backend\":\"echo\","
      "\"version_policy\":{\"specific\":{\"versions\":[1]}},\"max_batch_size\":0,"
      "\"input\":[{\"name\":\"text\",\"data_type\":\"TYPE_STRING\",\"format\":\"FORMAT_NONE\","
      "\"dims\":[3],\"optional\":false},{\"name\":\"hint\",\"data_type\":\"TYPE_BF16\","
      "\"format\":\"FORMAT_NONE\",\"dims\":[-1],\"optional\":true}],"
      "\"output\":[{\"name\":\"text\",\"data_type\":\"TYPE_STRING\",\"dims\":[3]}],"
      "\"instance_group\":[{\"name\":\"wine_0\",\"kind\":\"KIND_CPU\",\"count\":1}],"
      "\"model_transaction_policy\":{\"decoupled\":false},\"response_cache\":{\"enable\":false},"
      "\"parameters\":{}}");
  fx_stop(&fx);
}

TEST(the_index_tells_every_version)
{
  struct fx fx;
  int status;
  fx_begin(&fx);
  json_t *tree = fx_ask(&fx, "POST", "/v2/repository/index", "", &status);
  fx_expect_tree(
      tree,
      "[{\"name\":\"broken\",\"version\":\"1\",\"state\":\"UNAVAILABLE\",\"reason\":\"no such "
      "op\"},"
      "{\"name\":\"digits\",\"version\":\"1\",\"state\":\"UNAVAILABLE\",\"reason\":\"unloaded\"},"
      "{\"name\":\"digits\",\"version\":\"2\",\"state\":\"READY\",\"reason\":\"\"},"
      "{\"name\":\"digits\",\"version\":\"3\",\"state\":\"UNAVAILABLE\","
      "\"reason\":\"golden example 2 differs\"},"
      "{\"name\":\"wine\",\"version\":\"1\",\"state\":\"READY\",\"reason\":\"\"}]");
  json_decref(tree);
  tree = fx_ask(&fx, "POST", "/v2/repository/index", "{\"ready\":true}", &status);
  EXPECT_INT(json_array_size(tree), 2);
  json_decref(tree);
  fx_stop(&fx);
}

TEST(statistics_come_from_one_fresh_snapshot)
{
  static const char *const zero = "{\"count\":0,\"ns\":0}";
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "GET", "/v2/models/digits/stats", NULL);
  fx_post(&fx, ask);
  fx_stats_home(&fx);
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  json_t *tree = json_loads(text, 0, NULL);
  const json_t *list = json_object_get(tree, "model_stats");
  EXPECT_INT(json_array_size(list), 2); /* version 3 never served */
  const json_t *two = json_array_get(list, 1);
  fx_expect_tree(json_object_get(two, "version"), "\"2\"");
  fx_expect_tree(json_object_get(two, "inference_count"), "64");
  fx_expect_tree(json_object_get(two, "execution_count"), "4");
  fx_expect_tree(json_object_get(two, "last_inference"), "1700000000123");
  fx_expect_tree(json_object_get(two, "memory_usage"),
                 "[{\"type\":\"CPU\",\"id\":0,\"byte_size\":4096}]");
  fx_expect_tree(json_object_get(two, "batch_stats"),
                 "[{\"batch_size\":16,\"compute_input\":{\"count\":0,\"ns\":0},\"compute_infer\":"
                 "{\"count\":4,\"ns\":3000000},\"compute_output\":{\"count\":0,\"ns\":0}}]");
  const json_t *spans = json_object_get(two, "inference_stats");
  EXPECT_INT(json_object_size(spans), 8);
  fx_expect_tree(json_object_get(spans, "success"), "{\"count\":10,\"ns\":5000000}");
  fx_expect_tree(json_object_get(spans, "cache_hit"), "{\"count\":2,\"ns\":4000}");
  fx_expect_tree(json_object_get(spans, "cache_miss"), zero);
  json_decref(tree);
  FX_EXPECT_CODE(&fx, "GET", "/v2/models/nope/stats", NULL, 404, "MODEL_NOT_FOUND");
  FX_EXPECT_CODE(&fx, "GET", "/v2/models/digits/versions/1/stats", NULL, 404, "VERSION_NOT_FOUND");
  fx_stop(&fx);
}

TEST(a_refused_newest_version_is_told_beside_the_one_that_serves)
{
  struct fx fx;
  int status;
  fx_begin(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/api/v1/models/digits", NULL, &status);
  fx_expect_tree(json_object_get(tree, "serving"), "2");
  fx_expect_tree(json_object_get(tree, "previous"), "1");
  fx_expect_tree(json_object_get(tree, "state"), "\"READY\"");
  fx_expect_tree(json_object_get(tree, "refused"),
                 "{\"version\":3,\"reason\":\"golden example 2 differs\"}");
  EXPECT_INT(json_array_size(json_object_get(tree, "newest_versions")), 3);
  json_decref(tree);
  tree = fx_ask(&fx, "GET", "/api/v1/models/broken", NULL, &status);
  fx_expect_tree(json_object_get(tree, "state"), "\"FAILED\"");
  fx_expect_tree(json_object_get(tree, "reason"), "\"no such op\"");
  fx_expect_tree(json_object_get(tree, "serving"), "null");
  json_decref(tree);
  fx_stop(&fx);
}

TEST(lists_are_paged)
{
  struct fx fx;
  int status;
  char path[600];
  fx_begin(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/api/v1/models?limit=2", NULL, &status);
  EXPECT_INT(json_array_size(json_object_get(tree, "models")), 2);
  snprintf(path, sizeof path, "/api/v1/models?limit=2&page=%s",
           json_string_value(json_object_get(tree, "next")));
  json_decref(tree);
  tree = fx_ask(&fx, "GET", path, NULL, &status);
  EXPECT_INT(status, 200);
  EXPECT_INT(json_array_size(json_object_get(tree, "models")), 1);
  EXPECT(json_is_null(json_object_get(tree, "next")));
  json_decref(tree);
  tree = fx_ask(&fx, "GET", "/api/v1/models/digits/versions?limit=2", NULL, &status);
  EXPECT_INT(json_array_size(json_object_get(tree, "versions")), 2);
  const char *next = json_string_value(json_object_get(tree, "next"));
  snprintf(path, sizeof path, "/api/v1/models/digits/versions?page=%s", next);
  snprintf(path, sizeof path, "/api/v1/models?page=%s", next); /* another list's */
  FX_EXPECT_CODE(&fx, "GET", path, NULL, 400, "INVALID_ARGUMENT");
  snprintf(path, sizeof path, "/api/v1/models/digits/versions?x=1&page=%s", next);
  FX_EXPECT_CODE(&fx, "GET", path, NULL, 400, "INVALID_ARGUMENT");
  snprintf(path, sizeof path, "/api/v1/models/digits/versions?page=%s", next);
  json_decref(tree);
  tree = fx_ask(&fx, "GET", path, NULL, &status);
  EXPECT_INT(json_array_size(json_object_get(tree, "versions")), 1);
  EXPECT(json_is_null(json_object_get(tree, "next")));
  json_decref(tree);
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/models?limit=-1", NULL, 400, "VALUE_OUT_OF_RANGE");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/models?limit=0", NULL, 400, "VALUE_OUT_OF_RANGE");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/models/digits/versions?page=%zz", NULL, 400, "BAD_REQUEST");
  fx_stop(&fx);
}

TEST(status_adds_what_was_answered)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "GET", "/api/v1/status?model=digits", NULL);
  fx_post(&fx, ask);
  fx_stats_home(&fx);
  fx_release_home(&fx, NULL);
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  json_t *tree = json_loads(text, 0, NULL);
  const json_t *model = json_array_get(json_object_get(tree, "models"), 0);
  fx_expect_tree(json_object_get(model, "requests"), "11");
  fx_expect_tree(json_object_get(model, "failures"), "1");
  EXPECT(json_integer_value(json_object_get(json_object_get(model, "latency_us"), "p50")) >= 500);
  const json_t *server = json_object_get(tree, "server");
  fx_expect_tree(json_object_get(server, "ready"), "true");
  fx_expect_tree(json_object_get(server, "requests"), "12");
  EXPECT(json_integer_value(json_object_get(server, "resident_bytes")) > 0);
  EXPECT(json_object_get(model, "release") == NULL);
  json_decref(tree);
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/status?model=nope", NULL, 404, "MODEL_NOT_FOUND");
  fx_stop(&fx);
}

TEST(doctor_adds_limits_up)
{
  struct fx fx;
  const char *text;
  int status;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "GET", "/api/v1/doctor", NULL);
  fx_post(&fx, ask);
  fx_stats_home(&fx);
  status = fx_answer(&fx, ask, &text);
  EXPECT_INT(status, 200);
  json_t *tree = json_loads(text, 0, NULL);
  EXPECT_INT(json_array_size(json_object_get(tree, "limits")), 2);
  EXPECT_INT(json_integer_value(json_object_get(tree, "limits_memory_bytes")), 64 << 20);
  fx_expect_tree(json_object_get(tree, "limits_leave_out"), "[\"models\"]");
  EXPECT(json_array_size(json_object_get(tree, "checks")) >= 5);
  json_decref(tree);
  fx_stop(&fx);
}

TEST(openapi_holds_every_route)
{
  uint32_t n;
  const struct route *rows = routes_all(&n);
  struct fx fx;
  int status;
  fx_begin(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/api/v1/openapi.json", NULL, &status);
  const json_t *paths = json_object_get(tree, "paths");
  size_t operations = 0;
  const char *key;
  json_t *item;
  json_object_foreach((json_t *)(uintptr_t)paths, key, item) operations += json_object_size(item);
  EXPECT_INT(operations, n);
  for (uint32_t i = 0; i < n; i++) {
    char path[256], verb[16];
    size_t k = 0;
    for (const char *c = rows[i].pattern; *c; c++)
      if (*c != '*') path[k++] = *c;
    path[k] = '\0';
    snprintf(verb, sizeof verb, "%s", http_method_name(rows[i].method));
    for (char *c = verb; *c; c++) *c = (char)(*c | 0x20);
    const json_t *operation = json_object_get(json_object_get(paths, path), verb);
    EXPECT_STR(json_string_value(json_object_get(operation, "summary")), rows[i].help);
    EXPECT(json_is_object(json_object_get(operation, "responses")));
  }
  json_decref(tree);
  fx_stop(&fx);
}

TEST(the_log_is_read_by_offset_and_by_tenant)
{
  static const char lines[] =
      "{\"event\":\"start\"}\n"
      "{\"event\":\"deploy\",\"tenant\":\"default\",\"model\":\"digits\"}\n"
      "{\"event\":\"deploy\",\"tenant\":\"other\",\"model\":\"secret\"}\n"
      "not json\n"
      "{\"event\":\"cut";
  char path[] = "/tmp/slipway-log-XXXXXX", target[64];
  int fd = mkstemp(path), status;
  must(fd >= 0 && write(fd, lines, sizeof lines - 1) == (ssize_t)(sizeof lines - 1));
  struct fx fx;
  fx_start(&fx);
  fx.opts.log_path = path;
  fx_world_send(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/api/v1/logs", NULL, &status);
  EXPECT_INT(status, 200);
  EXPECT_INT(json_array_size(json_object_get(tree, "lines")), 2);
  long long next = json_integer_value(json_object_get(tree, "next"));
  EXPECT_INT(next, strrchr(lines, '\n') + 1 - lines);
  json_decref(tree);
  tree = fx_ask(&fx, "GET", "/api/v1/logs?model=digits", NULL, &status);
  EXPECT_INT(json_array_size(json_object_get(tree, "lines")), 1);
  json_decref(tree);
  tree = fx_ask(&fx, "GET", "/api/v1/logs?model=secret", NULL, &status);
  EXPECT_INT(json_array_size(json_object_get(tree, "lines")), 0);
  json_decref(tree);
  must(write(fd, "\"}\n", 3) == 3);
  snprintf(target, sizeof target, "/api/v1/logs?after=%lld", next);
  tree = fx_ask(&fx, "GET", target, NULL, &status);
  fx_expect_tree(json_object_get(tree, "lines"), "[{\"event\":\"cut\"}]");
  json_decref(tree);
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/logs?after=-1", NULL, 400, "VALUE_OUT_OF_RANGE");
  close(fd);
  unlink(path);
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/logs", NULL, 503, "UNAVAILABLE");
  fx_stop(&fx);
}
