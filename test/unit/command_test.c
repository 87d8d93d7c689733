/* command_test.c - what commands come to: events, a switch, or an answer with its code.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "control/command.h"

static const unsigned char hash_key[16] = {4};
static struct catalog *catalog;
static struct event_file file = {.name = SLICE("model.onnx"), .bytes = 10};
static struct decision decision;

static void add(struct event event)
{
  struct err err;
  event.seq = catalog->seq + 1;
  event.tenant = SLICE("default");
  EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
}

/* Model m: versions 1 to 3, 2 serves, 1 to go back to; one push had key "p", one deploy "d". */
static void begin(void)
{
  catalog = catalog_new(hash_key);
  add((struct event){.kind = EVENT_TENANT_CREATED});
  add((struct event){.kind = EVENT_MODEL_CREATED, .model = SLICE("m")});
  for (uint32_t i = 1; i <= 3; i++)
    add((struct event){.kind = EVENT_VERSION_PUSHED,
                       .model = SLICE("m"),
                       .version = i,
                       .files = &file,
                       .n_files = 1,
                       .note = SLICE("n"),
                       .idempotency = i == 3 ? SLICE("p") : SLICE_NONE});
  add((struct event){.kind = EVENT_VERSION_DEPLOYED, .model = SLICE("m"), .version = 1});
  add((struct event){.kind = EVENT_VERSION_DEPLOYED,
                     .model = SLICE("m"),
                     .version = 2,
                     .idempotency = SLICE("d")});
}

static struct letter_command wish(enum command_kind kind, const char *model, uint32_t version,
                                  const char *key)
{
  struct letter_command command = {.kind = kind};
  command.event = (struct event){.tenant = SLICE("default"),
                                 .model = slice_str(model),
                                 .version = version,
                                 .actor = SLICE("ann"),
                                 .idempotency = slice_str(key)};
  if (kind != COMMAND_PUSH) return command;
  command.event.files = &file;
  command.event.n_files = 1;
  command.event.note = SLICE("n");
  return command;
}

static enum code decide(struct letter_command command)
{
  command_decide(catalog, &command, &decision);
  return decision.err.code;
}

TEST(a_push_makes_the_next_version_and_the_model_when_it_is_new)
{
  begin();
  EXPECT_INT(decide(wish(COMMAND_PUSH, "m", 0, "")), OK);
  EXPECT_INT(decision.kind, DECISION_APPEND);
  EXPECT_INT(decision.n_events, 1);
  EXPECT_INT(decision.events[0].version, 4);
  EXPECT_INT(decide(wish(COMMAND_PUSH, "new", 0, "k")), OK);
  EXPECT_INT(decision.n_events, 2);
  EXPECT_INT(decision.events[0].kind, EVENT_MODEL_CREATED);
  EXPECT_INT(decision.events[0].idempotency.len, 0); /* the key belongs to the push */
  EXPECT_INT(decision.events[1].kind, EVENT_VERSION_PUSHED);
  EXPECT_INT(decision.events[1].version, 1);
  EXPECT(slice_eq(decision.events[1].idempotency, SLICE("k")));
  catalog_free(catalog);
}

TEST(bad_pushes_are_refused)
{
  begin();
  EXPECT_INT(decide(wish(COMMAND_PUSH, "a/b", 0, "")), E_BAD_NAME);
  EXPECT_INT(decide(wish(COMMAND_PUSH, "M", 0, "")), E_CONFLICT);
  struct letter_command command = wish(COMMAND_PUSH, "m", 0, "");
  command.event.n_files = 0;
  EXPECT_INT(decide(command), E_INVALID_ARGUMENT);
  struct event_file twins[2] = {file, file};
  command.event.files = twins;
  command.event.n_files = 2;
  EXPECT_INT(decide(command), E_INVALID_ARGUMENT);
  const char *names[] = {"", ".", "..", "a/b", "/etc/passwd", "\xff"};
  for (int i = 0; i < 6; i++) {
    twins[1].name = slice_str(names[i]);
    EXPECT_INT(decide(command), E_INVALID_ARGUMENT);
  }
  command = wish(COMMAND_PUSH, "m", 0, "");
  command.event.note = SLICE("\xff");
  EXPECT_INT(decide(command), E_INVALID_ARGUMENT);
  static char note[NOTE_MAX + 1];
  memset(note, 'x', sizeof note);
  command.event.note = slice_of(note, sizeof note);
  EXPECT_INT(decide(command), E_INVALID_ARGUMENT);
  command = wish(COMMAND_PUSH, "m", 0, "");
  twins[0].name = slice_of(note, EVENT_FILE_NAME_MAX);
  command.event.files = twins;
  EXPECT_INT(decide(command), OK);
  twins[0].name.len++;
  EXPECT_INT(decide(command), E_INVALID_ARGUMENT);
  command.event.tenant = SLICE("ghost");
  EXPECT_INT(decide(command), E_NOT_FOUND);
  catalog_free(catalog);
}

TEST(a_deploy_switches_to_the_newest_or_the_named)
{
  begin();
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "m", 0, "")), OK);
  EXPECT_INT(decision.kind, DECISION_SWITCH);
  EXPECT_INT(decision.version, 3);
  EXPECT_INT(decision.effect, EVENT_VERSION_DEPLOYED);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "m", 1, "")), OK);
  EXPECT_INT(decision.version, 1);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "m", 2, "")), OK); /* serves already */
  EXPECT_INT(decision.effect, EVENT_NONE);
  EXPECT_INT(decision.seq, 7);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "m", 4, "")), E_VERSION_NOT_FOUND);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "M", 1, "")), E_MODEL_NOT_FOUND);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "nobody", 0, "")), E_MODEL_NOT_FOUND);
  catalog_free(catalog);
}

TEST(a_rollback_goes_to_the_one_before_or_the_named)
{
  begin();
  EXPECT_INT(decide(wish(COMMAND_ROLLBACK, "m", 0, "")), OK);
  EXPECT_INT(decision.version, 1);
  EXPECT_INT(decision.effect, EVENT_ROLLED_BACK);
  EXPECT_INT(decide(wish(COMMAND_ROLLBACK, "m", 3, "")), OK);
  EXPECT_INT(decision.version, 3);
  add((struct event){.kind = EVENT_ROLLED_BACK, .model = SLICE("m"), .version = 1});
  EXPECT_INT(decide(wish(COMMAND_ROLLBACK, "m", 0, "")), E_CONFLICT);
  EXPECT_STR(decision.err.text, "model 'm' has no version to go back to; name one with --to");
  EXPECT_INT(decide(wish(COMMAND_ROLLBACK, "m", 9, "")), E_VERSION_NOT_FOUND);
  EXPECT_STR(decision.err.text, "model 'm' has no version 9; 'slipway status m' lists them");
  catalog_free(catalog);
}

TEST(a_retire_is_for_what_serves)
{
  begin();
  EXPECT_INT(decide(wish(COMMAND_RETIRE, "m", 0, "")), OK);
  EXPECT_INT(decision.kind, DECISION_APPEND);
  EXPECT_INT(decision.events[0].version, 2);
  EXPECT_INT(decide(wish(COMMAND_RETIRE, "m", 1, "")), OK); /* does not serve: true already */
  EXPECT_INT(decision.kind, DECISION_ANSWER);
  EXPECT_INT(decide(wish(COMMAND_RETIRE, "m", 9, "")), E_VERSION_NOT_FOUND);
  add((struct event){.kind = EVENT_VERSION_RETIRED, .model = SLICE("m"), .version = 2});
  EXPECT_INT(decide(wish(COMMAND_RETIRE, "m", 0, "")), OK);
  EXPECT_INT(decision.kind, DECISION_ANSWER);
  catalog_free(catalog);
}

TEST(a_used_key_gets_the_first_answer_or_a_conflict)
{
  begin();
  EXPECT_INT(decide(wish(COMMAND_PUSH, "m", 0, "p")), OK);
  EXPECT_INT(decision.kind, DECISION_ANSWER);
  EXPECT_INT(decision.version, 3);
  EXPECT_INT(decision.seq, 5);
  EXPECT_INT(decide(wish(COMMAND_PUSH, "other", 0, "p")), E_IDEMPOTENCY_MISMATCH);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "m", 0, "p")), E_IDEMPOTENCY_MISMATCH);
  struct letter_command command = wish(COMMAND_PUSH, "m", 0, "p");
  command.event.note = SLICE("another body");
  EXPECT_INT(decide(command), E_IDEMPOTENCY_MISMATCH);
  struct event_file changed = file;
  changed.digest = sha256_of(SLICE("x"));
  command = wish(COMMAND_PUSH, "m", 0, "p");
  command.event.files = &changed;
  EXPECT_INT(decide(command), E_IDEMPOTENCY_MISMATCH);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "m", 0, "d")), OK);
  EXPECT_INT(decision.kind, DECISION_ANSWER);
  EXPECT_INT(decision.version, 2);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "m", 2, "d")), OK);
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "m", 3, "d")), E_IDEMPOTENCY_MISMATCH);
  EXPECT_INT(decide(wish(COMMAND_ROLLBACK, "m", 2, "d")), E_IDEMPOTENCY_MISMATCH);
  catalog_free(catalog);
}

TEST(a_refusal_is_replayed_with_its_reason)
{
  begin();
  add((struct event){.kind = EVENT_VERSION_REFUSED,
                     .model = SLICE("m"),
                     .version = 3,
                     .code = E_GOLDEN_FAILED,
                     .reason = SLICE("row 3 differs"),
                     .idempotency = SLICE("r")});
  EXPECT_INT(decide(wish(COMMAND_DEPLOY, "m", 3, "r")), E_GOLDEN_FAILED);
  EXPECT_STR(decision.err.text, "row 3 differs");
  EXPECT_INT(decision.version, 3);
  catalog_free(catalog);
}

TEST(the_same_wish_is_recognised)
{
  struct letter_command a = wish(COMMAND_DEPLOY, "m", 0, ""), b = wish(COMMAND_DEPLOY, "m", 3, "");
  struct letter_command c = wish(COMMAND_DEPLOY, "m", 2, ""), d = wish(COMMAND_DEPLOY, "n", 0, "");
  struct letter_command e = wish(COMMAND_ROLLBACK, "m", 3, "");
  EXPECT(command_same(&a, &b) && command_same(&b, &a));
  EXPECT(!command_same(&b, &c) && !command_same(&a, &d) && !command_same(&b, &e));
}
