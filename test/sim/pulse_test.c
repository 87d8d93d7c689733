/* pulse_test.c - many models in release: what one pulse costs control, from the last tally
 * home to the last letter sent; and how long a verdict takes to a world without the candidate.
 * MODELS=1000 plays a thousand.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/control_int.h"
#include "town.c"
#include "town_lives.c"

static const char plan[] =
    "{\"strategy\":\"canary\",\"steps\":[{\"canary\":{\"traffic\":\"50%\",\"for\":\"1h\"}}],"
    "\"gates\":{\"memory\":\"off\",\"latency\":\"off\"}}";

enum { PULSES = 25 };

static struct town town;

static int64_t longest_us; /* of control's turns; on a core: others on the machine do not count */

static int64_t turn_us(void)
{
  int64_t began_us = clock_thread_ns() / 1000;
  control_turn(town.control, town.now_us, 1700000000000 + town.now_us / 1000);
  int64_t took_us = clock_thread_ns() / 1000 - began_us;
  if (took_us > longest_us) longest_us = took_us;
  return took_us;
}

/* Everybody but control handles what there is; control takes turns until nobody has anything. */
static void everybody(void)
{
  for (bool any = true; any;) {
    any = scribe_step(&town) || desk_step(&town);
    for (uint32_t i = 0; i < TOWN_JOBS; i++) any = job_step(&town, i) || any;
    for (uint32_t i = 0; i < TOWN_WORKERS; i++) any = owner_step(&town, &town.workers[i]) || any;
    for (uint32_t i = 0; i < TOWN_LOOPS; i++) {
      any = owner_step(&town, &town.residents[i]) || any;
      any = loop_letter(&town, i) || any;
    }
    turn_us();
    any = any || town.control->runs.n_untold;
  }
}

static void ask(enum command_kind kind, struct slice name, uint32_t version,
                const struct event_fact *facts, uint32_t n)
{
  static const struct event_file file = {.name = SLICE("model.onnx"), .bytes = 1};
  struct event event = {.tenant = SLICE("default"),
                        .model = name,
                        .actor = SLICE("ann"),
                        .version = version,
                        .facts = facts,
                        .n_facts = n,
                        .files = &file,
                        .n_files = kind == COMMAND_PUSH};
  town_command(&town, kind, &event);
}

static void second(void)
{
  town.now_us += 1000000;
  everybody();
}

/* Each arm of each model answers `n` requests on each loop; those of bad candidates fail. */
static void traffic(uint32_t n, bool bad)
{
  for (uint32_t i = 0; i < TOWN_LOOPS; i++) {
    const struct world *world = newest(&town.loop[i])->letter->world;
    const struct tenant *tenant = world_tenant(world, SLICE("default"));
    for (uint32_t m = 0; m < tenant->n_models; m++) {
      const struct model *model = tenant_model(tenant, m);
      for (uint32_t a = 0; a < model->n_arms; a++) {
        if (!model->release) continue;
        struct arm_tally *arm = tally_arm(town.loop[i].tally, model->arms[a].version->slot);
        if (!arm) continue;
        arm->requests += n;
        if (bad && a == 0) arm->errors += n;
        for (uint32_t k = 0; k < n && !(bad && a == 0); k++)
          sketch32_add(&arm->total_us, 1000 + 37 * k);
        town.loop[i].tally->releases[model->release->slot].touched = true;
        town.loop[i].tally->releases[model->release->slot].assigned[a] += n;
      }
    }
  }
}

/* One pulse: tallies go out, come home, are judged. Returns what control's two turns took. */
static int64_t pulse(void)
{
  town.now_us += 1000000;
  int64_t out_us = turn_us();
  for (uint32_t i = 0; i < TOWN_LOOPS; i++)
    while (loop_letter(&town, i)) {
    }
  int64_t took_us = turn_us();
  everybody();
  return out_us + took_us;
}

static uint32_t weights_of(bool zero)
{
  uint32_t n = 0;
  const struct world *world = newest(&town.loop[0])->letter->world;
  const struct tenant *tenant = world_tenant(world, SLICE("default"));
  for (uint32_t m = 0; m < tenant->n_models; m++)
    n += tenant_model(tenant, m)->release && (tenant_model(tenant, m)->arms[0].weight == 0) == zero;
  return n;
}

/* Records of it in the ledger. */
static uint32_t rolled_back(void)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < town.n_events; i++)
    n += slice_eq(event_fact(&town.ledger[i], "state"), SLICE("rolled_back"));
  return n;
}

TEST(a_pulse_with_many_releases_is_short)
{
  uint32_t models = getenv("MODELS") ? (uint32_t)strtoul(getenv("MODELS"), NULL, 10) : 200;
  struct event_fact facts[] = {{SLICE("person"), SLICE("ann")}, {SLICE("plan"), slice_str(plan)}};
  int64_t most = 0, sum = 0;
  log_level_set(LOG_ERROR + 1);
  town_begin(&town, 1);
  town.disk_full = town.load_fails = town.open_fails = 0;
  town_start(&town);
  for (int i = 0; i < 3; i++) second();
  struct arena texts;
  arena_init(&texts, 8 << 20, NULL);
  for (uint32_t m = 0; m < models; m++) {
    struct slice name = slice_str(arena_print(&texts, "m%04u", m));
    for (int i = 0; i < 2; i++) ask(COMMAND_PUSH, name, 0, NULL, 0), everybody();
    ask(COMMAND_DEPLOY, name, 1, NULL, 0);
    everybody();
    ask(COMMAND_RELEASE, name, 2, facts, 2);
    everybody();
  }
  for (int i = 0; i < 5; i++) second();
  EXPECT_INT(weights_of(false), models);
  for (int i = 0; i < PULSES; i++) {
    traffic(20, false);
    int64_t took = pulse();
    sum += took;
    if (took > most) most = took;
  }
  printf("%u releases: a pulse takes %" PRId64 " us on average, %" PRId64 " us at most\n", models,
         sum / PULSES, most);
  int looks = 0;
  EXPECT((sum / PULSES < 50000 && most < 100000) || getenv("SLOW"));
  longest_us = 0;
  for (most = 0; weights_of(false) && looks < 10; looks++) {
    traffic(40, true);
    most = pulse();
  }
  printf("all of them harmed: after %d looks, %" PRId64
         " us for the turn that judges and publishes, "
         "%" PRId64 " us for the longest of those that record and tell\n",
         looks, most, longest_us);
  EXPECT_INT(weights_of(false), 0);
  EXPECT(longest_us < 100000 || getenv("SLOW"));
  EXPECT_INT(rolled_back(), models);
  town_stop(&town);
  town_end(&town);
  arena_deinit(&texts);
}
