/* glossary.c - the tables of judge as people read them.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/release/glossary.h"

#include <stdio.h>

#include "cli/out.h"
#include "judge/step.h"

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
  json_t *states = states_json(), *whys = whys_json();
  json_t *all = json_pack("{sO,sO}", "states", states, "whys", whys);
  if (json) {
    out_json(all);
  } else {
    words_print(states, "STATE", "state");
    putchar('\n');
    words_print(whys, "WHY", "why");
    puts("\nas in \"rolled_back (gate)\"; 'slipway release show MODEL/N' lists a release's moves");
  }
  json_decref(all);
  json_decref(states);
  json_decref(whys);
}
