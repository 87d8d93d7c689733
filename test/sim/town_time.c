/* town_time.c - the town in real time: turns of 50 ms, a steady rate of requests, one model "m" of
 * which version 2 is released. A loop may be silent: it answers and does not report. Included after
 * town_lives.c.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "town.h"

#include "base/log.h"
#include "control/control_int.h"

enum { TURN_MS = 50, SECOND_TURNS = 1000 / TURN_MS, RATE = 100 };

#define TIME_GATES                                                                    \
  "\"gates\":{\"errors\":{\"floor\":\"20%\"},\"latency\":\"off\",\"memory\":\"off\"," \
  "\"prediction\":\"off\",\"sample_ratio\":\"off\",\"cost\":\"off\"}"

static struct town town;
static bool silent[TOWN_LOOPS];

static void loop_count(uint32_t at, uint32_t n, bool bad)
{
  struct town_loop *loop = &town.loop[at];
  struct town_lease *lease = newest(loop);
  const struct tenant *tenant = lease ? world_tenant(lease->letter->world, SLICE("default")) : NULL;
  for (uint32_t m = 0; tenant && m < tenant->n_models; m++) {
    const struct model *model = tenant_model(tenant, m);
    for (uint32_t a = 0; a < model->n_arms && model->release; a++) {
      uint32_t share = n * (model->arms[a].weight / (WEIGHT_WHOLE / 100)) / 100;
      struct arm_tally *arm = tally_arm(loop->tally, model->arms[a].version->slot);
      if (!arm || !share) continue;
      arm->requests += share;
      if (bad && a == 0) arm->errors += share;
      for (uint32_t k = 0; k < share && !(bad && a == 0); k++)
        sketch32_add(&arm->total_us, 1000 + 37 * k);
      loop->tally->releases[model->release->slot].touched = true;
      loop->tally->releases[model->release->slot].assigned[a] += share;
    }
  }
}

static void everybody(void)
{
  for (bool any = true; any;) {
    any = scribe_step(&town) || desk_step(&town);
    for (uint32_t i = 0; i < TOWN_JOBS; i++) any = job_step(&town, i) || any;
    for (uint32_t i = 0; i < TOWN_WORKERS; i++) any = owner_step(&town, &town.workers[i]) || any;
    for (uint32_t i = 0; i < TOWN_LOOPS; i++) {
      if (silent[i]) continue;
      any = owner_step(&town, &town.residents[i]) || any;
      any = loop_letter(&town, i) || any;
    }
    control_turn(town.control, town.now_us, 1700000000000 + town.now_us / 1000);
  }
}

/* RATE requests a second on each loop, silent ones as well: they answer and do not report. */
static void seconds(uint32_t n, bool bad)
{
  for (uint32_t i = 0; i < n * SECOND_TURNS; i++) {
    town.now_us += TURN_MS * 1000;
    for (uint32_t at = 0; at < TOWN_LOOPS && i % 10 == 0; at++)
      if (town.loop[at].tally) loop_count(at, RATE * 10 / SECOND_TURNS, bad);
    everybody();
  }
}

static void ask(enum command_kind kind, uint32_t version, const struct event_fact *facts,
                uint32_t n)
{
  static const struct event_file file = {.name = SLICE("model.onnx"), .bytes = 1};
  struct event event = {.tenant = SLICE("default"),
                        .model = SLICE("m"),
                        .actor = SLICE("ann"),
                        .version = version,
                        .facts = facts,
                        .n_facts = n,
                        .files = &file,
                        .n_files = kind == COMMAND_PUSH};
  town_command(&town, kind, &event);
  everybody();
}

/* NULL: it is over. */
static struct run *the_run(void)
{
  const struct catalog *catalog = control_catalog(town.control);
  const struct catalog_tenant *tenant = catalog_tenant(catalog, SLICE("default"));
  return run_of(&town.control->runs, catalog_model(tenant, SLICE("m")));
}

static void begin(const char *plan)
{
  struct event_fact facts[] = {{SLICE("person"), SLICE("ann")}, {SLICE("plan"), slice_str(plan)}};
  log_level_set(LOG_ERROR + 1);
  memset(silent, 0, sizeof silent);
  town_begin(&town, 1);
  town.disk_full = town.load_fails = town.open_fails = 0;
  town_start(&town);
  seconds(2, false);
  for (int i = 0; i < 2; i++) ask(COMMAND_PUSH, 0, NULL, 0);
  ask(COMMAND_DEPLOY, 1, NULL, 0);
  seconds(1, false);
  ask(COMMAND_RELEASE, 2, facts, 2);
  seconds(2, false);
  EXPECT_INT(the_run()->now.state, ROLLOUT_RUNNING);
  EXPECT_INT(the_run()->now.step, 0);
}

static void end(void)
{
  memset(silent, 0, sizeof silent);
  everybody();
  town_stop(&town);
  town_end(&town);
}
