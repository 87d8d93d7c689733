/* desk_test.c - a desk answers what it can, waits for what it cannot without being held, and gives
 * back everything at the end.
 * SPDX-License-Identifier: MIT */
#include "api/ask_int.h"
#include "api_fixture.h"
#include "version_table.h"

TEST(before_the_first_world_the_server_is_starting)
{
  struct fx fx;
  fx_start(&fx);
  FX_EXPECT_CODE(&fx, "GET", "/v2", NULL, 503, "NOT_READY");
  fx_stop(&fx);
}

TEST(server_metadata_lists_what_works)
{
  struct fx fx;
  int status;
  fx_begin(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/v2", NULL, &status);
  EXPECT_INT(status, 200);
  fx_expect_tree(json_object_get(tree, "name"), "\"slipway\"");
  fx_expect_tree(json_object_get(tree, "version"), "\"9.9.9\"");
  EXPECT_INT(json_array_size(json_object_get(tree, "extensions")), 8);
  json_decref(tree);
  fx_stop(&fx);
}

TEST(routes_that_are_not_built_say_so)
{
  struct fx fx;
  fx_begin(&fx);
  FX_EXPECT_CODE(&fx, "POST", "/v2/models/digits/generate", "{}", 501, "NOT_IMPLEMENTED");
  FX_EXPECT_CODE(&fx, "POST", "/v2/systemsharedmemory/region/a/register", "{}", 501,
                 "NOT_IMPLEMENTED");
  FX_EXPECT_CODE(&fx, "GET", "/v2/logging", NULL, 501, "NOT_IMPLEMENTED");
  FX_EXPECT_CODE(&fx, "POST", "/v2/repository/other/index", NULL, 501, "NOT_IMPLEMENTED");
  FX_EXPECT_CODE(&fx, "POST", "/v1/models/digits:explain", "{}", 501, "NOT_IMPLEMENTED");
  fx_stop(&fx);
}

TEST(errors_have_the_form_every_client_reads)
{
  struct fx fx;
  int status;
  fx_begin(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/v2/models/nope", NULL, &status);
  EXPECT_INT(status, 404);
  fx_expect_tree(tree,
                 "{\"error\":\"model 'nope' is not known; 'slipway push' makes one\","
                 "\"code\":\"MODEL_NOT_FOUND\",\"request_id\":\"req-1\",\"details\":{}}");
  json_decref(tree);
  fx_stop(&fx);
}

TEST(a_version_in_a_path_is_a_number_as_it_is_for_inference)
{
  static const char *const routes[] = {"/v2/models/digits/versions/%s",
                                       "/v2/models/digits/versions/%s/ready",
                                       "/v2/models/digits/versions/%s/config"};
  char path[128];
  struct fx fx;
  fx_begin(&fx);
  for (size_t r = 0; r < sizeof routes / sizeof *routes; r++) {
    for (size_t i = 0; i < VERSION_ROWS; i++) {
      const struct version_row *row = &version_rows[i];
      snprintf(path, sizeof path, routes[r], row->text);
      FX_EXPECT_CODE(&fx, "GET", path, NULL, row->status, row->code ? row->code : "(none)");
    }
  }
  fx_stop(&fx);
}

TEST(versions_are_numbers_that_are_loaded)
{
  struct fx fx;
  fx_begin(&fx);
  FX_EXPECT_CODE(&fx, "GET", "/v2/models/digits/versions/1", NULL, 404, "VERSION_NOT_FOUND");
  FX_EXPECT_CODE(&fx, "GET", "/v2/models/digits/versions/1/ready", NULL, 503, "NOT_READY");
  FX_EXPECT_CODE(&fx, "GET", "/v2/models/broken/ready", NULL, 503, "NOT_READY");
  FX_EXPECT_CODE(&fx, "GET", "/v2/models/broken/config", NULL, 503, "NOT_READY");
  FX_EXPECT_CODE(&fx, "GET", "/v1/models/broken", NULL, 503, "NOT_READY");
  fx_stop(&fx);
}

TEST(a_deploy_passes_control_s_answer_on)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "POST", "/api/v1/models/digits/deploy",
                                   "{\"version\":3,\"strategy\":\"now\",\"wait\":true}");
  ask->headers[ASK_IDEMPOTENCY_KEY] = SLICE("key-1");
  fx_post(&fx, ask);
  struct letter_command *command = fx_command(&fx);
  EXPECT_INT(command->kind, COMMAND_DEPLOY);
  EXPECT(command->wait);
  EXPECT_INT(command->event.version, 3);
  EXPECT(slice_eq(command->event.model, SLICE("digits")));
  EXPECT(slice_eq(command->event.tenant, SLICE("default")));
  EXPECT(slice_eq(command->event.actor, SLICE("anonymous")));
  EXPECT(slice_eq(command->event.idempotency, SLICE("key-1")));
  command->version = 3;
  command->seq = 17;
  fx_command_home(command, OK, "");
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  EXPECT_STR(text, "{\"model\":\"digits\",\"version\":3,\"state\":\"READY\",\"seq\":17}");
  fx_stop(&fx);
}

TEST(a_slow_deploy_does_not_hold_the_desk)
{
  struct fx fx;
  const char *text;
  int status;
  fx_begin(&fx);
  struct letter_ask *slow = fx_send(&fx, "POST", "/api/v1/models/digits/deploy",
                                    "{\"wait\":true,\"strategy\":\"now\"}");
  fx_post(&fx, slow);
  struct letter_command *command = fx_command(&fx);
  json_decref(fx_ask(&fx, "GET", "/v2/models", NULL, &status)); /* answered meanwhile */
  EXPECT_INT(status, 200);
  fx_command_home(command, E_MODEL_LOAD_FAILED, "node 7 has an unknown operator");
  EXPECT_INT(fx_answer(&fx, slow, &text), 422);
  EXPECT(strstr(text, "node 7 has an unknown operator") != NULL);
  fx_stop(&fx);
}

TEST(deploys_are_read_strictly)
{
  static const char *const path = "/api/v1/models/digits/deploy";
  struct fx fx;
  fx_begin(&fx);
  FX_EXPECT_CODE(&fx, "POST", path, "{\"strategy\":\"yolo\"}", 400, "INVALID_ARGUMENT");
  FX_EXPECT_CODE(&fx, "POST", path, "{\"version\":0}", 400, "VALUE_OUT_OF_RANGE");
  FX_EXPECT_CODE(&fx, "POST", path, "{\"version\":\"3\"}", 400, "WRONG_TYPE");
  FX_EXPECT_CODE(&fx, "POST", path, "{\"version\":3.5}", 400, "WRONG_TYPE");
  FX_EXPECT_CODE(&fx, "POST", path, "{\"version\":99999999999999999999}", 400,
                 "VALUE_OUT_OF_RANGE");
  FX_EXPECT_CODE(&fx, "POST", path, "{\"vresion\":3}", 400, "INVALID_ARGUMENT");
  FX_EXPECT_CODE(&fx, "POST", path, "{\"version\":3,\"version\":2}", 400, "DUPLICATE_KEY");
  FX_EXPECT_CODE(&fx, "POST", path, "[]", 400, "WRONG_TYPE");
  FX_EXPECT_CODE(&fx, "POST", path, "{} x", 400, "BAD_JSON");
  FX_EXPECT_CODE(&fx, "POST", path, "{\"a\":NaN}", 400, "BAD_JSON");
  FX_EXPECT_CODE(&fx, "POST", path, "{\"\xff\":1}", 400, "BAD_JSON");
  fx_stop(&fx);
}

TEST(what_is_wrong_with_json_is_said_in_our_words)
{
  static const struct {
    const char *text, *want;
    enum code code;
  } cases[] = {
      {"{\"a\":\"\\u0000\"}", ": \\u0000 has no place in a text", E_BAD_JSON},
      {"{\"\\u0000\":1}", ": \\u0000 has no place in a text", E_BAD_JSON},
      {"{\"a\":1,\"a\":2}", ": an object has the same member twice", E_DUPLICATE_KEY},
      {"{\"a\":99999999999999999999}", ": a number is too large", E_VALUE_OUT_OF_RANGE},
      {"{\"a\":1e999}", ": a number is too large", E_VALUE_OUT_OF_RANGE},
      {"{\"\xff\":1}", ": a text is not UTF-8", E_BAD_JSON},
      {"{\"a\":", ": it ends too early", E_BAD_JSON},
      {"{} x", ": something follows its end", E_BAD_JSON},
      {"{\"a\" 1}", ": something else stands where a value, ',', ':' or a bracket belongs",
       E_BAD_JSON},
      {"{\"secret\\q\":1}", ": something else stands where a value, ',', ':' or a bracket belongs",
       E_BAD_JSON},
  };
  json_start();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct err err = {0};
    EXPECT(json_parse(slice_str(cases[i].text), &err) == NULL);
    EXPECT_INT(err.code, cases[i].code);
    EXPECT(slice_starts(slice_str(err.text), SLICE("the JSON is not valid at line 1, column ")));
    const char *colon = strchr(err.text, ':');
    EXPECT_STR(colon ? colon : err.text, cases[i].want);
  }
}

TEST(deep_json_is_counted_not_followed)
{
  enum { DEPTH = 100000 };
  struct fx fx;
  char *body = grab(DEPTH + 1);
  memset(body, '[', DEPTH);
  body[DEPTH] = '\0';
  fx_begin(&fx);
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/models/digits/deploy", body, 400, "JSON_TOO_DEEP");
  ungrab(body);
  fx_stop(&fx);
}

TEST(a_whole_number_may_be_written_with_a_point)
{
  static const struct {
    const char *text;
    int64_t whole;
    bool good;
  } rows[] = {{"3", 3, true},     {"3.0", 3, true},   {"-3e2", -300, true}, {"0.5", 0, false},
              {"1e300", 0, false}, {"\"3\"", 0, false}, {"true", 0, false},   {"null", 0, false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct err err;
    int64_t value = 0;
    json_t *json = json_parse(slice_str(rows[i].text), &err);
    EXPECT(json && json_whole(json, &value) == rows[i].good);
    EXPECT_INT(value, rows[i].whole);
    json_decref(json);
  }
}

TEST(an_idempotency_key_is_checked)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "POST", "/api/v1/models/digits/rollback", "{}");
  ask->headers[ASK_IDEMPOTENCY_KEY] = SLICE("two words");
  fx_post(&fx, ask);
  EXPECT_INT(fx_answer(&fx, ask, &text), 400);
  ask = fx_send(&fx, "POST", "/api/v1/models/digits/rollback", "{}");
  ask->headers[ASK_IDEMPOTENCY_KEY] = SLICE(""); /* said, and nothing */
  fx_post(&fx, ask);
  EXPECT_INT(fx_answer(&fx, ask, &text), 400);
  ask = fx_send(&fx, "PUT", "/api/v1/blobs", NULL);
  ask->headers[ASK_IDEMPOTENCY_KEY] = SLICE("two words");
  fx_post(&fx, ask);
  EXPECT_INT(fx_answer(&fx, ask, &text), 400);
  fx_stop(&fx);
}

TEST(foreign_pages_change_nothing)
{
  static const struct {
    const char *method, *path, *host, *origin;
    bool loopback;
    int status;
  } rows[] = {
      {"POST", "/api/v1/models/digits/deploy", "evil.example", "", true, 403},
      {"POST", "/api/v1/models/digits/deploy", "127.0.0.1.evil.example", "", true, 403},
      {"POST", "/api/v1/models/digits/deploy", "localhost:8080", "http://evil.example", true, 403},
      {"POST", "/api/v1/models/digits/deploy", "localhost:8080", "null", true, 403},
      {"POST", "/api/v1/models/digits/deploy", "evil.example", "http://evil.example", true, 403},
      {"POST", "/v2/repository/models/digits/load", "evil:80", "http://evil:80", true, 403},
      {"POST", "/api/v1/models/digits/deploy", "localhost:8080", "http://localhost:8080", true, 0},
      {"POST", "/api/v1/models/digits/deploy", "[::1]:8080", "", true, 0},
      {"POST", "/api/v1/models/digits/deploy", "MODELS.corp", "", true, 0},
      {"POST", "/api/v1/models/digits/deploy", "any.example", "", false, 0},
      {"POST", "/v2/repository/models/digits/load", "any.example", "", true, 0},
      {"GET", "/v2/models", "evil.example", "http://evil.example", true, 200},
  };
  struct fx fx;
  fx_begin(&fx);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *text;
    const char *body = strcmp(rows[i].method, "POST") == 0 ? "{\"strategy\":\"now\"}" : NULL;
    struct letter_ask *ask = fx_send(&fx, rows[i].method, rows[i].path, body);
    ask->headers[ASK_HOST] = slice_str(rows[i].host);
    ask->headers[ASK_ORIGIN] = slice_str(rows[i].origin);
    ask->loopback = rows[i].loopback;
    fx_post(&fx, ask);
    if (!rows[i].status) fx_command_home(fx_command(&fx), E_CONFLICT, "passed the guard");
    int status = fx_answer(&fx, ask, &text);
    if (status != (rows[i].status ? rows[i].status : 409)) printf("row %zu: %s\n", i, text);
    EXPECT_INT(status, rows[i].status ? rows[i].status : 409);
  }
  fx_stop(&fx);
}

TEST(history_pages_backwards)
{
  struct fx fx;
  int status;
  fx_begin(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/api/v1/models/digits/history?limit=2", NULL, &status);
  EXPECT_INT(status, 200);
  const json_t *events = json_object_get(tree, "events");
  EXPECT_INT(json_array_size(events), 2);
  fx_expect_tree(json_object_get(json_array_get(events, 0), "what"), "\"version_deployed\"");
  fx_expect_tree(json_object_get(json_array_get(events, 1), "note"), "\"first\"");
  fx_expect_tree(json_object_get(tree, "before"), "2");
  json_decref(tree);
  tree = fx_ask(&fx, "GET", "/api/v1/models/digits/history?limit=2&before=2", NULL, &status);
  EXPECT_INT(json_array_size(json_object_get(tree, "events")), 1);
  EXPECT(json_is_null(json_object_get(tree, "before")));
  json_decref(tree);
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/models/digits/history?limit=-1", NULL, 400,
                 "VALUE_OUT_OF_RANGE");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/models/digits/history?limit=0", NULL, 400,
                 "VALUE_OUT_OF_RANGE");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/models/digits/history?limit=1000000000", NULL, 400,
                 "VALUE_OUT_OF_RANGE");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/models/nope/history", NULL, 404, "MODEL_NOT_FOUND");
  fx_stop(&fx);
}

TEST(a_newer_world_sends_the_older_lease_home_at_once)
{
  struct fx fx;
  int status;
  fx_begin(&fx);
  json_decref(fx_ask(&fx, "GET", "/v2/models", NULL, &status));
  struct letter_world newer = {.mail = {.kind = LETTER_WORLD}, .world = fx_world(2)};
  mail_send(desk_mailbox(fx.desk), &newer.mail);
  struct mail *mail = fx_take(&fx.control);
  EXPECT(mail == &fx.lease.mail && mail->kind == LETTER_WORLD_HOME);
  world_free((struct world *)(uintptr_t)fx.lease.world);
  fx.lease.world = NULL;
  json_decref(fx_ask(&fx, "GET", "/v2/models", NULL, &status));
  EXPECT_INT(status, 200);
  fx_stop(&fx);
  mail = mailbox_take(&fx.control);
  world_free((struct world *)(uintptr_t)newer.world);
}

TEST(with_the_last_world_nothing_goes_to_control)
{
  struct world_plan plan = {.draining = true};
  struct fx fx;
  fx_begin(&fx);
  struct letter_world last = {.mail = {.kind = LETTER_WORLD}, .world = world_build(&plan, 2)};
  mail_send(desk_mailbox(fx.desk), &last.mail);
  EXPECT(fx_take(&fx.control) == &fx.lease.mail);
  world_free((struct world *)(uintptr_t)fx.lease.world);
  fx.lease.world = NULL;
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/models/digits/rollback", "{}", 503, "DRAINING");
  FX_EXPECT_CODE(&fx, "GET", "/v2/models/stats", NULL, 503, "DRAINING");
  FX_EXPECT_CODE(&fx, "GET", "/metrics", NULL, 503, "DRAINING");
  fx_stop(&fx);
  struct mail *mail = mailbox_take(&fx.control);
  EXPECT(mail == &last.mail);
  world_free((struct world *)(uintptr_t)last.world);
}

TEST(stopping_waits_for_its_own_letters_and_refuses_new_work)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "POST", "/api/v1/models/digits/rollback", "{}");
  fx_post(&fx, ask);
  struct letter_command *command = fx_command(&fx);
  struct letter_note stop = {.mail = {.kind = LETTER_STOP}};
  mail_send(desk_mailbox(fx.desk), &stop.mail);
  struct letter_ask *late = fx_send(&fx, "GET", "/v2", NULL);
  fx_post(&fx, late);
  EXPECT_INT(fx_answer(&fx, late, &text), 503);
  EXPECT(strstr(text, "DRAINING") != NULL);
  EXPECT_INT(late->reply.retry_after_s, 1);
  fx_command_home(command, OK, "");
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  fx_stop(&fx); /* its own STOP stays unread; the thread is gone */
}
