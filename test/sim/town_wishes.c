/* town_wishes.c - what people in the town ask for: releases, words on them, freezes. Included by
 * town.c.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "town.h"

#define TOWN_GATES                                                                    \
  "\"gates\":{\"errors\":{\"floor\":\"20%\"},\"latency\":\"off\",\"memory\":\"off\"," \
  "\"prediction\":\"off\",\"sample_ratio\":\"off\",\"cost\":\"off\"}"

static const char *const names[] = {"a", "b", "c", "A", "digits", "bad/name"};

static const char *const plans[] = {
    "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"20%\",\"for\":\"3s\","
    "\"requests_min\":5}},{\"canary\":{\"traffic\":\"50%\",\"for\":\"3s\"}}]," TOWN_GATES "}",
    "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"50%\",\"for\":\"4s\","
    "\"approve\":{\"count\":1}}}]," TOWN_GATES "}",
    "{\"strategy\":\"now\"," TOWN_GATES "}",
    "{\"strategy\":\"ab\",\"steps\":[{\"ab\":{\"for\":\"3s\"}}],\"metric\":{\"name\":\"clicks\","
    "\"maturity\":\"1s\"},\"ab\":{\"arms\":[{\"traffic\":\"30%\"},{\"traffic\":\"40%\"},"
    "{\"version\":3,\"traffic\":\"30%\"}],\"users_min\":1,\"weeks_min\":0}," TOWN_GATES "}",
    "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"120%\"}}]}",
};

/* A release, or a word on one, or a freeze. */
static void release_wish(struct town *town, struct wish *wish)
{
  static const char *const words[] = {"promote", "pause", "resume", "approve",
                                      "reject",  "abort", "gallop", "override_freeze"};
  static const char *const people[] = {"ann", "bob", "eve"};
  struct event *event = &wish->letter.event;
  uint32_t n = 0;
  uint64_t die = roll(town, 100);
  event->version = chance(town, 60) ? 0 : 1 + (uint32_t)roll(town, 5);
  if (die < 45) {
    wish->letter.kind = COMMAND_RELEASE;
    wish->facts[n++] = (struct event_fact){SLICE("person"), slice_str(people[roll(town, 3)])};
    wish->facts[n++] = (struct event_fact){SLICE("plan"), slice_str(plans[roll(town, 5)])};
    if (chance(town, 15))
      wish->facts[n++] = (struct event_fact){SLICE("rehearse"), SLICE("errors 50%")};
    if (chance(town, 20)) wish->facts[n++] = (struct event_fact){SLICE("supersede"), SLICE("true")};
  } else if (die < 92) {
    wish->letter.kind = COMMAND_SAY;
    event->version = 0;
    if (chance(town, 30)) wish->facts[n++] = (struct event_fact){SLICE("arm"), SLICE("candidate-2")};
    wish->facts[n++] = (struct event_fact){SLICE("person"), slice_str(people[roll(town, 3)])};
    if (chance(town, 90))
      wish->facts[n++] = (struct event_fact){SLICE("role"), SLICE("approver")};
    wish->facts[n++] = (struct event_fact){SLICE("word"), slice_str(words[roll(town, 8)])};
  } else {
    wish->letter.kind = COMMAND_FREEZE;
    event->version = 0;
    if (die < 97) wish->facts[n++] = (struct event_fact){SLICE("lift"), SLICE("true")};
    wish->facts[n++] = (struct event_fact){SLICE("scope"), SLICE("model")};
  }
  event->facts = wish->facts;
  event->n_facts = n;
}

static uint64_t key_used_at(const struct town *town, struct slice tenant, struct slice key)
{
  for (uint32_t i = 0; i < town->n_events && key.len; i++)
    if (slice_eq(town->ledger[i].idempotency, key) && slice_eq(town->ledger[i].tenant, tenant))
      return i + 1;
  return 0;
}

/* A tenant comes or goes; six names are given once each. */
static void tenant_wish(struct town *town, struct wish *wish)
{
  struct event *event = &wish->letter.event;
  event->model = SLICE_NONE;
  event->version = 0;
  wish->letter.kind = chance(town, 60) ? COMMAND_TENANT_ADD : COMMAND_TENANT_REMOVE;
  if (wish->letter.kind == COMMAND_TENANT_ADD || chance(town, 20)) return;
  wish->facts[0] = (struct event_fact){SLICE("force"), SLICE("true")};
  event->facts = wish->facts;
  event->n_facts = 1;
}

/* A few models as they are to be: versions by their files, aliases, cards; now and then all others
 * gone. */
static void state_wish(struct town *town, struct wish *wish)
{
  static const char *const declared[] = {"a", "b", "c", "digits"};
  static const char *const cards[] = {"", "{\"description\":\"x\"}", "{\"tags\":{\"k\":\"v\"}}",
                                      "{\"tags\":7}"};
  struct state *state = &wish->state;
  struct state_model *models = arena_zero(&wish->arena, 4, sizeof *models);
  arena_init(&state->arena, STATE_ARENA_MAX, NULL);
  for (uint32_t i = 0; i < 4; i++) {
    struct state_model *want = &models[state->n_models];
    if (chance(town, 50)) continue;
    state->n_models++;
    want->name = slice_str(declared[i]);
    want->card = slice_str(cards[chance(town, 95) ? roll(town, 3) : 3]);
    if (chance(town, 30)) continue;
    struct event_file *file = arena_zero(&wish->arena, 1, sizeof *file);
    struct state_alias *alias = arena_zero(&wish->arena, 1, sizeof *alias);
    *file = (struct event_file){.name = SLICE("model.onnx"), .bytes = roll(town, 3)};
    file->digest = sha256_of(slice_of((char *)&file->bytes, 1));
    struct event event = {.files = file, .n_files = 1};
    want->files = file;
    want->n_files = 1;
    want->digest = event_manifest(&event);
    want->by_digest = want->may_push = true;
    want->deploy = chance(town, 70) ? STATE_DEPLOY_NOW : STATE_DEPLOY_NONE;
    *alias = (struct state_alias){SLICE("best"), 0};
    want->aliases = alias;
    want->n_aliases = want->says_aliases = chance(town, 60);
  }
  state->models = models;
  state->says_models = true;
  state->prune = chance(town, 10);
  state->apply = chance(town, 90);
  state->may_limit = true;
  wish->letter.kind = COMMAND_STATE;
  wish->letter.state = state;
  wish->letter.event.model = SLICE_NONE;
  wish->letter.event.version = 0;
}

static struct slice tenant_of_wish(struct town *town, struct wish *wish)
{
  char name[16];
  if (!town->tenants) return chance(town, 98) ? SLICE("default") : SLICE("ghost");
  if (chance(town, 30)) return SLICE("default");
  snprintf(name, sizeof name, "t%d", (int)roll(town, 6));
  return arena_copy(&wish->arena, slice_str(name));
}

static struct wish *wish_new(struct town *town)
{
  struct wish *wish = grab_zero(1, sizeof *wish);
  arena_init(&wish->arena, 8 << 20, NULL);
  wish->letter.mail.kind = LETTER_COMMAND;
  wish->letter.home = &town->desk.box;
  wish->letter.desk_state = wish;
  wish->letter.arena = &wish->arena;
  wish->letter.wait = true;
  return wish;
}

static void wish_send(struct town *town, struct wish *wish)
{
  town->commands_out++;
  list_push_back(&town->wishes, &wish->link);
  mail_send(control_mailbox(town->control), &wish->letter.mail);
}

void town_command(struct town *town, enum command_kind kind, const struct event *event)
{
  struct wish *wish = wish_new(town);
  wish->letter.kind = kind;
  wish->letter.event = *event;
  wish_send(town, wish);
}
