/* api_release_test.c - releases at the desk: what is refused before control is asked, what control
 * is told, how what the ledger knows is told.
 * SPDX-License-Identifier: MIT */
#include "api/ask_int.h"
#include "api_fixture.h"

static const char deploy_path[] = "/api/v1/models/digits/deploy";

/* Posts and lets control see the stats question first. */
static struct letter_command *begin(struct fx *fx, const char *body, struct letter_ask **ask)
{
  *ask = fx_send(fx, "POST", deploy_path, body);
  (*ask)->role = ROLE_DEPLOYER;
  (*ask)->person = SLICE("ann");
  fx_post(fx, *ask);
  fx_stats_home(fx);
  return fx_command(fx);
}

static void expect_fact(const struct event *event, const char *name, const char *want)
{
  struct slice value = event_fact(event, name);
  char text[256] = "";
  (void)slice_to_str(value, text, sizeof text);
  EXPECT_STR(text, want);
}

static json_t *finish(struct fx *fx, struct letter_ask *ask, struct letter_command *command,
                      int want_status)
{
  const char *text;
  command->version = 3;
  command->release = 17;
  command->seq = 21;
  fx_command_home(command, OK, "");
  EXPECT_INT(fx_answer(fx, ask, &text), want_status);
  json_t *tree = json_loads(text, 0, NULL);
  EXPECT(tree != NULL);
  return tree;
}

TEST(a_release_begins_with_a_plan_a_forecast_and_who_asked)
{
  struct fx fx;
  struct letter_ask *ask;
  fx_begin(&fx);
  struct letter_command *command =
      begin(&fx, "{\"version\":3,\"strategy\":\"canary\",\"supersede\":true,\"note\":\"why\"}", &ask);
  const struct event *event = &command->event;
  EXPECT_INT(command->kind, COMMAND_RELEASE);
  EXPECT_INT(event->version, 3);
  EXPECT(slice_eq(event->model, SLICE("digits")));
  EXPECT(slice_eq(event->note, SLICE("why")));
  expect_fact(event, "person", "ann");
  expect_fact(event, "role", "deployer");
  expect_fact(event, "supersede", "true");
  for (uint32_t i = 1; i < event->n_facts; i++)
    EXPECT(slice_order(event->facts[i - 1].name, event->facts[i].name) < 0);
  EXPECT(slice_starts(event_fact(event, "plan"), SLICE("{\"strategy\":\"canary\"")));
  json_t *tree = finish(&fx, ask, command, 202);
  fx_expect_tree(json_object_get(tree, "release"), "17");
  fx_expect_tree(json_object_get(tree, "version"), "3");
  fx_expect_tree(json_object_get(tree, "stable"), "2");
  fx_expect_tree(json_object_get(tree, "state"), "\"pending\"");
  EXPECT_INT(json_array_size(json_object_get(json_object_get(tree, "plan"), "steps")), 3);
  EXPECT_INT(json_string_length(json_object_get(tree, "spec_hash")), 64);
  EXPECT_INT(json_array_size(json_object_get(tree, "forecast")), 3);
  json_decref(tree);
  fx_stop(&fx);
}

TEST(nothing_said_means_the_default_canary_where_something_serves)
{
  struct fx fx;
  struct letter_ask *ask;
  fx_begin(&fx);
  struct letter_command *command = begin(&fx, "{}", &ask);
  EXPECT_INT(command->kind, COMMAND_RELEASE);
  EXPECT(strstr(event_fact(&command->event, "plan").at, "\"canary\"") != NULL);
  json_decref(finish(&fx, ask, command, 202));
  fx_stop(&fx);
}

TEST(a_first_version_answers_at_once)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask =
      fx_send(&fx, "POST", "/api/v1/models/broken/deploy", "{\"strategy\":\"canary\"}");
  fx_post(&fx, ask);
  struct letter_command *command = fx_command(&fx);
  EXPECT_INT(command->kind, COMMAND_DEPLOY);
  fx_command_home(command, OK, "");
  EXPECT_INT(fx_answer(&fx, ask, &text), 202);
  EXPECT(strstr(text, "\"LOADING\"") != NULL);
  EXPECT(strstr(text, "nothing served before") != NULL);
  fx_stop(&fx);
}

TEST(a_plan_that_cannot_be_is_refused_with_its_key_and_nothing_is_asked)
{
  static const struct {
    const char *body, *field, *says;
  } rows[] = {
      {"{\"plan\":\"strategy: canary\\nsteps:\\n  - canary: {traffic: 150%}\\n\"}",
       "plan.steps[0].canary.traffic", "line 3"},
      {"{\"plan\":\"strategy: canary\\ngates:\\n  erorrs: {margin: 1.25}\\n\"}", "plan.gates.erorrs",
       "line 3"},
      {"{\"strategy\":\"canary\",\"plan\":\"steps:\\n  - canary: {traffic: 5%, for: -10m}\\n\"}",
       "plan.steps[0].canary.for", "line 2"},
      {"{\"plan\":{\"strategy\":\"ab\",\"ab\":{\"arms\":[{\"name\":\"a\",\"traffic\":\"90%\"},"
       "{\"name\":\"b\",\"traffic\":\"20%\"}]}}}",
       "plan.ab.arms", NULL},
      {"{\"strategy\":\"shadow\",\"plan\":\"strategy: canary\\n\"}", "strategy", "shadow"},
      {"{\"plan\":7}", "plan", "string"},
      {"{\"plan\":\"\"}", "plan", NULL},
      {"{\"rehearse\":\"explode\"}", "rehearse", "explode"},
      {"{\"strategy\":\"yolo\"}", "strategy", "canary"},
  };
  struct fx fx;
  fx_begin(&fx);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int status;
    json_t *tree = fx_ask(&fx, "POST", deploy_path, rows[i].body, &status);
    const char *text = json_string_value(json_object_get(tree, "error"));
    const char *field =
        json_string_value(json_object_get(json_object_get(tree, "details"), "field"));
    EXPECT_INT(status, 400);
    if (!field || strcmp(field, rows[i].field) != 0) printf("row %zu: %s\n", i, text);
    EXPECT_STR(field ? field : "", rows[i].field);
    if (rows[i].says) EXPECT(text && strstr(text, rows[i].says) != NULL);
    json_decref(tree);
  }
  fx_stop(&fx);
}

TEST(a_place_is_told_in_the_client_s_own_text_only)
{
  struct fx fx;
  int status;
  fx_begin(&fx);
  json_t *tree = fx_ask(&fx, "POST", deploy_path,
                        "{\"plan\":{\"strategy\":\"canary\",\"gates\":{\"erorrs\":{}}}}", &status);
  EXPECT_INT(status, 400);
  EXPECT(strstr(json_string_value(json_object_get(tree, "error")), "line ") == NULL);
  json_decref(tree);
  fx_stop(&fx);
}

TEST(the_strategy_of_the_request_completes_a_plan_without_moving_its_lines)
{
  struct fx fx;
  struct letter_ask *ask;
  fx_begin(&fx);
  struct letter_command *command =
      begin(&fx, "{\"strategy\":\"shadow\",\"plan\":\"harm_budget: 7\"}", &ask);
  struct slice plan = event_fact(&command->event, "plan");
  EXPECT(strstr(plan.at, "\"shadow\"") != NULL);
  EXPECT(strstr(plan.at, "\"harm_budget\":7") != NULL);
  json_decref(finish(&fx, ask, command, 202));
  command = begin(&fx, "{\"strategy\":\"shadow\",\"plan\":\"{\\\"harm_budget\\\":8}\"}", &ask);
  EXPECT(strstr(event_fact(&command->event, "plan").at, "\"harm_budget\":8") != NULL);
  json_decref(finish(&fx, ask, command, 202));
  fx_stop(&fx);
}

TEST(a_rehearsal_goes_along_as_a_fact)
{
  struct fx fx;
  struct letter_ask *ask;
  fx_begin(&fx);
  struct letter_command *command = begin(&fx, "{\"rehearse\":\"slow x2 @30s\"}", &ask);
  EXPECT_INT(command->kind, COMMAND_RELEASE);
  expect_fact(&command->event, "rehearse", "slow x2 @30s");
  json_decref(finish(&fx, ask, command, 202));
  fx_stop(&fx);
}

TEST(words_go_to_control_with_who_says_them)
{
  static const char *const words[] = {"promote", "pause",  "resume",         "approve",
                                      "reject",  "abort", "override_freeze"};
  struct fx fx;
  fx_begin(&fx);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    char path[96];
    const char *text;
    snprintf(path, sizeof path, "/api/v1/models/digits/release/%s", words[i]);
    struct letter_ask *ask =
        fx_send(&fx, "POST", path, "{\"why\":\"seen\",\"release\":17,\"step\":1}");
    ask->role = ROLE_APPROVER;
    ask->person = SLICE("bob");
    fx_post(&fx, ask);
    struct letter_command *command = fx_command(&fx);
    EXPECT_INT(command->kind, COMMAND_SAY);
    EXPECT_INT(command->event.release, 17);
    expect_fact(&command->event, "word", words[i]);
    expect_fact(&command->event, "person", "bob");
    expect_fact(&command->event, "role", "approver");
    expect_fact(&command->event, "step", "1");
    EXPECT(slice_eq(command->event.note, SLICE("seen")));
    json_t *tree = finish(&fx, ask, command, 200);
    fx_expect_tree(json_object_get(tree, "release"), "17");
    json_decref(tree);
    (void)text;
  }
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/models/nope/release/abort", NULL, 404, "MODEL_NOT_FOUND");
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/models/digits/release/abort", "{\"because\":1}", 400,
                 "INVALID_ARGUMENT");
  fx_stop(&fx);
}

TEST(a_word_that_control_refuses_says_why)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "POST", "/api/v1/models/digits/release/promote", NULL);
  fx_post(&fx, ask);
  fx_command_home(fx_command(&fx), E_CONFLICT, "no release is running");
  EXPECT_INT(fx_answer(&fx, ask, &text), 409);
  EXPECT(strstr(text, "no release is running") != NULL);
  fx_stop(&fx);
}

TEST(the_running_release_is_told_in_control_s_words)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "GET", "/api/v1/models/digits/release", NULL);
  fx_post(&fx, ask);
  fx_release_home(&fx, "{\"release\":17}");
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  EXPECT_STR(text, "{\"release\":17}");
  ask = fx_send(&fx, "GET", "/api/v1/models/digits/release", NULL);
  fx_post(&fx, ask);
  fx_release_home(&fx, NULL);
  EXPECT_INT(fx_answer(&fx, ask, &text), 404);
  fx_stop(&fx);
}

TEST(status_of_a_model_holds_its_release)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  struct letter_ask *ask = fx_send(&fx, "GET", "/api/v1/status?model=digits", NULL);
  fx_post(&fx, ask);
  fx_stats_home(&fx);
  fx_release_home(&fx, "{\"release\":17,\"state\":\"running\"}");
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  json_t *tree = json_loads(text, 0, NULL);
  const json_t *model = json_array_get(json_object_get(tree, "models"), 0);
  fx_expect_tree(json_object_get(model, "release"), "{\"release\":17,\"state\":\"running\"}");
  json_decref(tree);
  fx_stop(&fx);
}

/* ---- the ledger ---- */

#define FACT(n, v) {.name = SLICE(n), .value = SLICE(v)}

static const struct event_fact started_facts[] = {
    FACT("plan", "{\"strategy\":\"canary\",\"steps\":[]}"), FACT("stable", "2")};
static const struct event_fact running_facts[] = {FACT("elapsed_ms", "0"), FACT("state", "running"),
                                                  FACT("step", "0"), FACT("why", "begun")};
static const struct event_fact lost_facts[] = {
    FACT("elapsed_ms", "9000"), FACT("state", "rolled_back"), FACT("step", "1"),
    FACT("verdict", "{\"verdict\":\"harm\",\"look\":8,\"sentence\":\"errors 4.1x\",\"gates\":[]}"), FACT("why", "gate")};
static const struct event_fact approved_facts[] = {FACT("person", "bob"), FACT("step", "0")};
static const struct event_fact freeze_facts[] = {FACT("scope", "tenant"), FACT("why", "month end")};
static const struct event_fact model_freeze_facts[] = {
    FACT("scope", "model"), FACT("until_ms", "4102444800000"), FACT("why", "x")};
static const struct event_fact old_freeze_facts[] = {
    FACT("scope", "system"), FACT("until_ms", "1000"), FACT("why", "past")};

#define EVENT(n, k, m, r, f)                                                                 \
  {.seq = (n), .wall_ms = 1700000000000 + 1000 * (n), .kind = (k), .actor = SLICE("ann"),    \
   .tenant = SLICE("default"), .model = SLICE(m), .version = 3, .release = (r), .facts = (f), \
   .n_facts = sizeof(f) / sizeof *(f)}

static const struct event ledger[] = {
    EVENT(1, EVENT_RELEASE_STARTED, "digits", 1, started_facts),
    EVENT(2, EVENT_RELEASE_APPROVED, "digits", 1, approved_facts),
    EVENT(3, EVENT_RELEASE_MOVED, "digits", 1, running_facts),
    EVENT(4, EVENT_RELEASE_STARTED, "wine", 1, started_facts),
    EVENT(5, EVENT_RELEASE_MOVED, "digits", 1, lost_facts),
    EVENT(6, EVENT_RELEASE_STARTED, "digits", 2, started_facts),
    EVENT(7, EVENT_RELEASE_MOVED, "wine", 1, running_facts),
    EVENT(8, EVENT_FREEZE_SET, "", 0, freeze_facts),
    EVENT(9, EVENT_FREEZE_SET, "digits", 0, model_freeze_facts),
    EVENT(10, EVENT_FREEZE_SET, "", 0, old_freeze_facts),
};

static void ledger_begin(struct fx *fx)
{
  fx_events = ledger;
  fx_n_events = sizeof ledger / sizeof *ledger;
  fx_begin(fx);
}

static void ledger_stop(struct fx *fx)
{
  fx_stop(fx);
  fx_events = NULL;
}

/* "model/number state" of each row, in order. */
static void expect_rows(struct fx *fx, const char *target, const char *want, const char *before)
{
  int status;
  char got[256] = "";
  size_t i;
  json_t *row;
  json_t *tree = fx_ask(fx, "GET", target, NULL, &status);
  EXPECT_INT(status, 200);
  json_array_foreach(json_object_get(tree, "releases"), i, row)
  {
    size_t len = strlen(got);
    snprintf(got + len, sizeof got - len, "%s/%lld %s, ",
             json_string_value(json_object_get(row, "model")),
             (long long)json_integer_value(json_object_get(row, "release")),
             json_string_value(json_object_get(row, "state")));
  }
  EXPECT_STR(got, want);
  fx_expect_tree(json_object_get(tree, "before"), before);
  json_decref(tree);
}

TEST(releases_are_listed_newest_first_each_as_it_stands)
{
  struct fx fx;
  ledger_begin(&fx);
  expect_rows(&fx, "/api/v1/releases",
              "digits/2 pending, wine/1 running, digits/1 rolled_back, ", "null");
  expect_rows(&fx, "/api/v1/releases?model=digits", "digits/2 pending, digits/1 rolled_back, ",
              "null");
  expect_rows(&fx, "/api/v1/releases?state=rolled_back", "digits/1 rolled_back, ", "null");
  expect_rows(&fx, "/api/v1/releases?limit=2", "digits/2 pending, wine/1 running, ", "4");
  /* Its move came after the page's edge; the row says so all the same. */
  expect_rows(&fx, "/api/v1/releases?limit=2&before=4", "digits/1 rolled_back, ", "null");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/releases?state=gone", NULL, 400, "INVALID_ARGUMENT");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/releases?limit=0", NULL, 400, "VALUE_OUT_OF_RANGE");
  ledger_stop(&fx);
}

TEST(one_release_is_told_from_its_start_to_its_end)
{
  struct fx fx;
  int status;
  ledger_begin(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/api/v1/releases/digits/1", NULL, &status);
  EXPECT_INT(status, 200);
  fx_expect_tree(json_object_get(tree, "state"), "\"rolled_back\"");
  fx_expect_tree(json_object_get(tree, "strategy"), "\"canary\"");
  fx_expect_tree(json_object_get(tree, "stable"), "2");
  fx_expect_tree(json_object_get(tree, "verdict"), "\"harm\"");
  fx_expect_tree(json_object_get(tree, "sentence"), "\"errors 4.1x\"");
  const json_t *moves = json_object_get(tree, "moves");
  EXPECT_INT(json_array_size(moves), 2);
  fx_expect_tree(json_object_get(json_array_get(moves, 0), "state"), "\"running\"");
  fx_expect_tree(json_object_get(json_object_get(json_array_get(moves, 1), "verdict"), "look"),
                 "8");
  EXPECT_INT(json_array_size(json_object_get(tree, "approvals")), 1);
  json_decref(tree);
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/releases/digits/9", NULL, 404, "NOT_FOUND");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/releases/digits/x", NULL, 400, "INVALID_ARGUMENT");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/releases/nope/1", NULL, 404, "MODEL_NOT_FOUND");
  ledger_stop(&fx);
}

TEST(freezes_that_stand_are_listed_and_those_over_are_not)
{
  struct fx fx;
  int status;
  ledger_begin(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/api/v1/freezes", NULL, &status);
  const json_t *list = json_object_get(tree, "freezes");
  EXPECT_INT(json_array_size(list), 2);
  fx_expect_tree(json_object_get(json_array_get(list, 0), "model"), "\"digits\"");
  fx_expect_tree(json_object_get(json_array_get(list, 0), "until"),
                 "\"2100-01-01T00:00:00.000Z\"");
  fx_expect_tree(json_object_get(json_array_get(list, 1), "why"), "\"month end\"");
  json_decref(tree);
  ledger_stop(&fx);
}

TEST(freezes_are_checked_and_sent)
{
  struct fx fx;
  const char *text;
  fx_begin(&fx);
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/freezes", "{}", 400, "INVALID_ARGUMENT");
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/freezes", "{\"until\":\"yesterday\"}", 400,
                 "INVALID_ARGUMENT");
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/freezes", "{\"until\":\"2001-01-01\"}", 400,
                 "VALUE_OUT_OF_RANGE");
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/freezes", "{\"now\":true,\"model\":\"nope\"}", 404,
                 "MODEL_NOT_FOUND");
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/freezes", "{\"now\":true,\"scope\":\"galaxy\"}", 400,
                 "INVALID_ARGUMENT");
  FX_EXPECT_CODE(&fx, "POST", "/api/v1/freezes", "{\"now\":true,\"scope\":\"system\"}", 403,
                 "DENIED");
  struct letter_ask *ask = fx_send(&fx, "POST", "/api/v1/freezes",
                                   "{\"until\":\"2100-01-01\",\"model\":\"digits\"}");
  fx_post(&fx, ask);
  struct letter_command *command = fx_command(&fx);
  EXPECT_INT(command->kind, COMMAND_FREEZE);
  expect_fact(&command->event, "scope", "model");
  expect_fact(&command->event, "until_ms", "4102444800000");
  json_decref(finish(&fx, ask, command, 200));
  ask = fx_send(&fx, "DELETE", "/api/v1/freezes?model=digits&why=done", NULL);
  fx_post(&fx, ask);
  command = fx_command(&fx);
  expect_fact(&command->event, "lift", "true");
  expect_fact(&command->event, "why", "done");
  fx_command_home(command, OK, "");
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  fx_stop(&fx);
}

TEST(looks_are_told_in_hex_page_by_page_or_line_by_line)
{
  struct fx fx;
  const char *text;
  int status;
  fx_begin(&fx);
  json_t *tree = fx_ask(&fx, "GET", "/api/v1/releases/digits/1/looks", NULL, &status);
  fx_expect_tree(tree, "{\"release\":1,\"from\":0,\"looks\":[{\"look\":0,\"hex\":\"0a00\"},"
                       "{\"look\":1,\"hex\":\"0a01\"},{\"look\":2,\"hex\":\"0a02\"}],"
                       "\"next\":null}");
  json_decref(tree);
  tree = fx_ask(&fx, "GET", "/api/v1/releases/digits/1/looks?from=1&limit=1", NULL, &status);
  fx_expect_tree(json_object_get(tree, "next"), "2");
  json_decref(tree);
  struct letter_ask *ask =
      fx_send(&fx, "GET", "/api/v1/releases/digits/1/looks?from=1&lines=1", NULL);
  fx_post(&fx, ask);
  EXPECT_INT(fx_answer(&fx, ask, &text), 200);
  EXPECT_STR(text, "{\"look\":1,\"hex\":\"0a01\"}\n{\"look\":2,\"hex\":\"0a02\"}\n");
  EXPECT_STR(ask->reply.content_type, "application/x-ndjson");
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/releases/digits/0/looks", NULL, 400, "INVALID_ARGUMENT");
  fx_stop(&fx);
}

/* ---- who answered when ---- */

#undef EVENT
#define EVENT(n, k, v, r, f)                                                                    \
  {.seq = (n), .wall_ms = 1700000000000 + 1000 * (n), .kind = (k), .actor = SLICE("ann"),       \
   .tenant = SLICE("default"), .model = SLICE("digits"), .version = (v), .release = (r),        \
   .facts = (f), .n_facts = sizeof(f) / sizeof *(f)}

static const struct event_fact plan_facts[] = {
    FACT("plan", "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"5%\"}}]}"),
    FACT("stable", "2")};
static const struct event_fact won_facts[] = {FACT("state", "completed"), FACT("step", "1")};
static const struct event_fact no_facts[] = {FACT("state", "")};

static const struct event past[] = {
    EVENT(1, EVENT_VERSION_PUSHED, 1, 0, no_facts),
    EVENT(2, EVENT_VERSION_DEPLOYED, 2, 0, no_facts),
    EVENT(3, EVENT_RELEASE_STARTED, 3, 1, plan_facts),
    EVENT(4, EVENT_RELEASE_MOVED, 3, 1, running_facts),
    EVENT(5, EVENT_RELEASE_MOVED, 3, 1, won_facts),
    EVENT(6, EVENT_ROLLED_BACK, 2, 0, no_facts),
    EVENT(7, EVENT_VERSION_RETIRED, 2, 0, no_facts),
};

TEST(who_answered_at_a_time_is_read_from_the_ledger)
{
  static const struct {
    int second;
    const char *serving, *state;
  } rows[] = {{1, "null", NULL},          {2, "2", NULL},        {3, "2", "\"pending\""},
              {4, "2", "\"running\""}, {5, "3", "\"completed\""}, {6, "2", NULL},
              {7, "null", NULL}};
  struct fx fx;
  fx_events = past;
  fx_n_events = sizeof past / sizeof *past;
  fx_begin(&fx);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char target[96];
    int status;
    snprintf(target, sizeof target, "/api/v1/models/digits/history?at=2023-11-14T22:13:%02dZ",
             20 + rows[i].second);
    json_t *tree = fx_ask(&fx, "GET", target, NULL, &status);
    EXPECT_INT(status, 200);
    fx_expect_tree(json_object_get(tree, "serving"), rows[i].serving);
    const json_t *release = json_object_get(tree, "release");
    if (rows[i].state) fx_expect_tree(json_object_get(release, "state"), rows[i].state);
    if (!rows[i].state) EXPECT(json_is_null(release));
    if (rows[i].second == 4) fx_expect_tree(json_object_get(release, "traffic"), "\"5%\"");
    json_decref(tree);
  }
  FX_EXPECT_CODE(&fx, "GET", "/api/v1/models/digits/history?at=yesterday", NULL, 400,
                 "INVALID_ARGUMENT");
  fx_stop(&fx);
  fx_events = NULL;
}
