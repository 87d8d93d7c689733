/* control_flag_test.c - commands about flags: what they come to, and what a fold keeps.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "control/flag.h"

#include "test.h"

#define ON_OFF(value)                                                \
  "{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false}," \
  "\"defaultVariant\":\"" value "\"}"

#define OFF                                                           \
  "{\"state\":\"DISABLED\",\"variants\":{\"on\":true,\"off\":false}," \
  "\"defaultVariant\":\"on\"}"

static int64_t now_ms;
static const unsigned char hash_key[16] = {7};
static struct catalog *catalog;
static struct decision decision;
static struct arena arena;

static void begin(void)
{
  struct err err;
  catalog = catalog_new(hash_key);
  arena_init(&arena, 4 << 20, NULL);
  struct event event = {.kind = EVENT_TENANT_CREATED, .seq = 1, .tenant = SLICE("default")};
  EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
}

static void end(void)
{
  catalog_free(catalog);
  arena_deinit(&arena);
}

static const struct catalog_tenant *tenant(void)
{
  return catalog_tenant(catalog, SLICE("default"));
}

/* Decides, and folds what was decided; the code. */
static enum code does(enum command_kind kind, const char *flag, const char *name, const char *value)
{
  struct event_fact facts[2];
  uint32_t n = 0;
  if (value) facts[n++] = (struct event_fact){slice_str(name), slice_str(value)};
  if (flag) facts[n++] = (struct event_fact){SLICE("flag"), slice_str(flag)};
  struct letter_command command = {.kind = kind, .arena = &arena};
  command.event = (struct event){.tenant = SLICE("default"),
                                 .actor = SLICE("ann"),
                                 .note = SLICE("why"),
                                 .wall_ms = now_ms,
                                 .facts = facts,
                                 .n_facts = n};
  struct err err;
  command_decide(catalog, &command, &decision);
  if (decision.kind != DECISION_APPEND) return decision.err.code;
  EXPECT_INT(decision.n_events, 1);
  struct event event = decision.events[0];
  event.seq = catalog->seq + 1;
  event.wall_ms = 1000 * (int64_t)event.seq;
  EXPECT(slice_eq(event.actor, SLICE("ann")) && slice_eq(event.note, SLICE("why")));
  EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
  return OK;
}

static enum code set(const char *flag, const char *definition)
{
  return does(COMMAND_FLAG_SET, flag, "definition", definition);
}

static void file_is(const char *text) { EXPECT(slice_eq(tenant()->flags, slice_str(text))); }

TEST(flags_are_added_replaced_and_removed)
{
  begin();
  EXPECT_INT(set("a", ON_OFF("on")), OK);
  file_is("{\"flags\":{\"a\":" ON_OFF("on") "}}");
  EXPECT(tenant()->flags_seq == 2 && tenant()->flags_ms == 2000);
  EXPECT_INT(set("b", " " ON_OFF("off") "\n"), OK);
  EXPECT_INT(set("a", ON_OFF("off")), OK);
  file_is("{\"flags\":{\"a\":" ON_OFF("off") ",\"b\":" ON_OFF("off") "}}");
  EXPECT_INT(decision.events[0].kind, EVENT_FLAGS_SET);
  EXPECT(slice_eq(event_fact(&decision.events[0], "flag"), SLICE("a")));
  EXPECT_INT(does(COMMAND_FLAG_REMOVE, "a", NULL, NULL), OK);
  EXPECT_INT(decision.events[0].kind, EVENT_FLAG_REMOVED);
  file_is("{\"flags\":{\"b\":" ON_OFF("off") "}}");
  EXPECT(tenant()->flags_seq == 5);
  end();
}

TEST(what_is_true_already_is_answered_without_an_event)
{
  begin();
  EXPECT_INT(set("a", ON_OFF("on")), OK);
  EXPECT_INT(set("a", ON_OFF("on")), OK);
  EXPECT(decision.kind == DECISION_ANSWER && decision.seq == 2 && catalog->seq == 2);
  end();
}

TEST(what_cannot_be_changes_nothing)
{
  begin();
  EXPECT_INT(set("a", ON_OFF("on")), OK);
  struct digest before = catalog_digest(catalog);
  EXPECT_INT(set("a", ON_OFF("maybe")), E_INVALID_ARGUMENT);
  EXPECT_INT(set("a", "{"), E_BAD_JSON);
  EXPECT_INT(set("a", ""), E_BAD_JSON);
  EXPECT_INT(set("a", NULL), E_BAD_JSON);
  EXPECT_INT(set("a/b", ON_OFF("on")), E_INVALID_ARGUMENT);
  EXPECT_INT(set(NULL, ON_OFF("on")), E_INVALID_ARGUMENT);
  EXPECT_INT(does(COMMAND_FLAG_REMOVE, "x", NULL, NULL), E_NOT_FOUND);
  EXPECT_INT(does(COMMAND_FLAG_REMOVE, NULL, NULL, NULL), E_NOT_FOUND);
  struct digest after = catalog_digest(catalog);
  EXPECT(memcmp(&before, &after, sizeof before) == 0);
  EXPECT_INT(does(COMMAND_FLAG_REMOVE, "a", NULL, NULL), OK);
  file_is("{\"flags\":{}}");
  end();
}

TEST(a_whole_file_replaces_what_was_there)
{
  static const char file[] = "{\"flags\":{\"z\":" ON_OFF("on") "},\"metadata\":{\"n\":1}}";
  begin();
  EXPECT_INT(set("a", ON_OFF("on")), OK);
  EXPECT_INT(does(COMMAND_FLAG_SET, NULL, "flags", file), OK);
  file_is(file);
  EXPECT_INT(set("a", ON_OFF("on")), OK); /* the rest of the file stays */
  file_is("{\"flags\":{\"z\":" ON_OFF("on") ",\"a\":" ON_OFF("on") "},\"metadata\":{\"n\":1}}");
  end();
}

TEST(flags_count_in_the_catalog_s_digest)
{
  begin();
  EXPECT_INT(set("a", ON_OFF("on")), OK);
  struct digest one = catalog_digest(catalog);
  end();
  begin();
  EXPECT_INT(set("a", ON_OFF("off")), OK);
  struct digest other = catalog_digest(catalog);
  EXPECT(memcmp(&one, &other, sizeof one) != 0);
  end();
}

TEST(an_event_without_a_file_does_not_fit)
{
  struct err err;
  begin();
  struct event event = {.kind = EVENT_FLAGS_SET, .seq = 2, .tenant = SLICE("default")};
  EXPECT_INT(catalog_apply(catalog, &event, &err), E_INTERNAL);
  event.tenant = SLICE("nobody");
  EXPECT_INT(catalog_apply(catalog, &event, &err), E_INTERNAL);
  EXPECT_INT(catalog->seq, 1);
  end();
}

TEST(a_file_has_a_limit)
{
  static char text[300 << 10], definition[400 << 10];
  begin();
  memset(text, 'x', sizeof text - 1);
  snprintf(definition, sizeof definition, "{\"state\":\"ENABLED\",\"variants\":{\"a\":\"%s\"}}",
           text);
  EXPECT_INT(set("a", definition), OK);
  EXPECT_INT(set("b", definition), E_LIMIT_EXCEEDED);
  EXPECT_INT(set("b", ON_OFF("on")), OK);
  end();
}

static void freeze(const char *scope, const char *until_ms)
{
  struct err err;
  struct event_fact facts[] = {{SLICE("scope"), slice_str(scope)},
                               {SLICE("until_ms"), slice_str(until_ms)},
                               {SLICE("why"), SLICE("the holidays")}};
  struct event event = {.kind = EVENT_FREEZE_SET,
                        .seq = catalog->seq + 1,
                        .tenant = SLICE("default"),
                        .actor = SLICE("ann"),
                        .facts = facts,
                        .n_facts = 3};
  EXPECT_INT(catalog_apply(catalog, &event, &err), OK);
}

TEST(in_a_freeze_a_flag_may_only_be_disabled)
{
  begin();
  EXPECT_INT(set("a", ON_OFF("on")), OK);
  now_ms = 5000;
  freeze("tenant", "9000");
  EXPECT_INT(set("a", ON_OFF("off")), E_CONFLICT);
  EXPECT_STR(decision.err.text,
             "flags are frozen until 1970-01-01T00:00:09.000Z (the holidays); "
             "one may only be disabled");
  EXPECT_INT(set("b", ON_OFF("on")), E_CONFLICT);
  EXPECT_INT(does(COMMAND_FLAG_REMOVE, "a", NULL, NULL), E_CONFLICT);
  EXPECT_INT(does(COMMAND_FLAG_SET, NULL, "flags", "{\"flags\":{}}"), E_CONFLICT);
  EXPECT_INT(set("a", ON_OFF("on")), OK); /* true already */
  EXPECT_INT(set("a", OFF), OK);
  file_is("{\"flags\":{\"a\":" OFF "}}");
  EXPECT_INT(set("a", ON_OFF("on")), E_CONFLICT); /* and not enabled again */
  now_ms = 9000;
  EXPECT_INT(set("a", ON_OFF("on")), OK);
  freeze("system", "");
  EXPECT_INT(set("a", ON_OFF("off")), E_CONFLICT);
  now_ms = 0;
  end();
}
