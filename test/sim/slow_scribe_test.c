/* slow_scribe_test.c - the scribe takes seconds for a change: who waits behind it is refused and
 * nothing of theirs is done, but for what protects.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "town.c"
#include "town_lives.c"
#include "town_time.c"

static const char long_one[] =
    "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"20%\",\"for\":\"1h\"}}]"
    "," TIME_GATES "}";

/* Everybody but the scribe, for so long. */
static void unwritten(uint32_t ms)
{
  for (uint32_t i = 0; i < ms / TURN_MS; i++) {
    town.now_us += TURN_MS * 1000;
    for (bool any = true; any;) {
      any = desk_step(&town);
      for (uint32_t at = 0; at < TOWN_LOOPS; at++) {
        any = owner_step(&town, &town.residents[at]) || any;
        any = loop_letter(&town, at) || any;
      }
      control_turn(town.control, town.now_us, 1700000000000 + town.now_us / 1000);
    }
  }
}

static void send(enum command_kind kind, const struct event_fact *facts, uint32_t n)
{
  static const struct event_file file = {.name = SLICE("model.onnx"), .bytes = 1};
  struct event event = {.tenant = SLICE("default"),
                        .model = SLICE("m"),
                        .actor = SLICE("ann"),
                        .version = kind == COMMAND_VERSION_QUARANTINE ? 2 : 0,
                        .reason = kind == COMMAND_VERSION_QUARANTINE ? SLICE("loops") : SLICE_NONE,
                        .facts = facts,
                        .n_facts = n,
                        .files = &file,
                        .n_files = kind == COMMAND_PUSH};
  town_command(&town, kind, &event);
}

static const struct catalog_model *the_model(void)
{
  const struct catalog *catalog = control_catalog(town.control);
  return catalog_model(catalog_tenant(catalog, SLICE("default")), SLICE("m"));
}

static uint32_t versions(void) { return the_model()->n_versions; }

/* ST-113 */
TEST(who_waits_behind_a_slow_write_is_refused_after_two_seconds)
{
  struct event_fact abort[] = {{SLICE("person"), SLICE("ann")}, {SLICE("word"), SLICE("abort")}};
  begin(long_one);
  uint32_t before = versions();
  uint64_t refused = town.refused;
  for (int i = 0; i < 5; i++) send(COMMAND_PUSH, NULL, 0);
  unwritten(1800);
  EXPECT_INT(town.commands_out, 5);
  EXPECT_INT(town.refused, refused);
  send(COMMAND_SAY, abort, 2);
  send(COMMAND_VERSION_QUARANTINE, NULL, 0);
  unwritten(1400);
  EXPECT_INT(town.commands_out, 3); /* the one with the scribe, and what protects */
  EXPECT_INT(town.refused, refused + 4);
  send(COMMAND_PUSH, NULL, 0);
  unwritten(2 * TURN_MS);
  EXPECT_INT(town.refused, refused + 5); /* who comes now hears of it at once */
  everybody();
  seconds(1, false);
  EXPECT_INT(town.commands_out, 0);
  EXPECT_INT(town.refused, refused + 5);
  EXPECT_INT(versions(), before + 1);
  EXPECT(!the_run() || the_run()->now.state == ROLLOUT_ABORTED);
  EXPECT(catalog_version(the_model(), 2)->quarantined != 0);
  ask(COMMAND_PUSH, 0, NULL, 0); /* all is well again */
  EXPECT_INT(versions(), before + 2);
  town_check(&town);
  end();
}
