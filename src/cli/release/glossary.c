/* glossary.c - the tables of judge as people read them.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/release/glossary.h"

#include <stdio.h>

#include "cli/out.h"
#include "judge/step.h"

struct word {
  const char *name, *meaning;
};

static const struct word verdicts[] = {
#define VERDICT(name, id, text) {#name, text},
#include "judge/verdicts.def"
#undef VERDICT
    {NULL, NULL},
};

static const struct word gate_states[] = {
#define STATE(name, id, text) {#name, text},
#include "judge/gate_states.def"
#undef STATE
    {NULL, NULL},
};

static const struct word reasons[] = {
#define REASON(name, id, text) {#name, text},
#include "judge/reasons.def"
#undef REASON
    {NULL, NULL},
};

static const struct word lanes[] = {
#define LANE(name, id, text) {#name, text},
#include "judge/lanes.def"
#undef LANE
    {NULL, NULL},
};

static json_t *words_json(const struct word *words, const char *key)
{
  json_t *list = json_array();
  for (; words->name; words++)
    json_array_append_new(list, json_pack("{ss,ss}", key, words->name, "meaning", words->meaning));
  return list;
}

static json_t *states_json(void)
{
  static const char *const charges[] = {"as_it_was", "candidate", "stable"};
  json_t *list = json_array();
  for (int i = 0; i < ROLLOUT_STATES; i++) {
    const struct state_facts *state = state_facts((enum rollout_state)i);
    json_array_append_new(list, json_pack("{ss,ss,sb,sb,ss}", "state", state->name, "in_charge",
                                          charges[state->charge], "splits", (int)state->splits,
                                          "ends", (int)state->ends, "meaning", state->meaning));
  }
  return list;
}

static json_t *whys_json(void)
{
  json_t *list = json_array();
  for (int i = 0; i < WHY_COUNT; i++) {
    const struct why_facts *why = why_facts((enum rollout_why)i);
    json_array_append_new(list, json_pack("{ss,ss}", "why", why->name, "meaning", why->meaning));
  }
  return list;
}

static void words_print(const json_t *list, const char *head, const char *key)
{
  const char *heads[] = {head, "MEANING", NULL};
  struct table table;
  size_t i;
  const json_t *row;
  table_init(&table, heads);
  json_array_foreach((json_t *)(uintptr_t)list, i, row)
  {
    table_add(&table, "%s", get_str(row, key));
    table_add(&table, "%s", get_str(row, "meaning"));
  }
  table_print(&table);
  table_deinit(&table);
}

void glossary_print(bool json)
{
  struct {
    const char *key, *head, *of;
    json_t *list;
  } parts[] = {{"states", "STATE", "state", states_json()},
               {"whys", "WHY", "why", whys_json()},
               {"verdicts", "VERDICT", "verdict", words_json(verdicts, "verdict")},
               {"gate_states", "GATE", "gate_state", words_json(gate_states, "gate_state")},
               {"reasons", "NO DATA", "reason", words_json(reasons, "reason")},
               {"lanes", "LANE", "lane", words_json(lanes, "lane")}};
  json_t *all = json_object();
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    json_object_set_new(all, parts[i].key, parts[i].list);
    if (json) continue;
    words_print(parts[i].list, parts[i].head, parts[i].of);
    putchar('\n');
  }
  if (json)
    out_json(all);
  else
    puts(
        "states and whys as in \"rolled_back (gate)\"; 'slipway release show MODEL/N' lists a "
        "release's moves");
  json_decref(all);
}
