/* scale_bench.c - a data directory of many tenants, made in seconds instead of through the API:
 * each with one model, pushed and deployed; tenant `default` has MODELS of its own beside digits-0.
 *   build/release/scale_bench DIRECTORY TENANTS MODELS [EVENTS]
 * EVENTS: as many freezes set and lifted behind that, so that there is history. Written by the
 * ledger itself, so it is what a daemon would have left. bench/scale.py and changes.py run it.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "store/artifact.h"
#include "store/ledger.h"

static struct err err;
static struct ledger *ledger;
static uint32_t in_group;

static void check(enum code code)
{
  if (code == OK) return;
  fprintf(stderr, "%s\n", err.text);
  exit(1);
}

static void add(struct event event)
{
  event.wall_ms = 1760000000000;
  event.actor = SLICE("bench");
  if (!in_group) check(ledger_group_begin(ledger, &err));
  check(ledger_group_add(ledger, &event, 1, &err));
  if (++in_group < 1000) return;
  check(ledger_group_commit(ledger, &err));
  ledger_tidy(ledger);
  in_group = 0;
}

static struct event_file file_put(const struct datadir *dir, const char *text)
{
  struct event_file file = {.name = SLICE("model.json")};
  struct stage *stage;
  check(stage_new(&stage, dir, 0, &err));
  check(stage_add(stage, slice_str(text), &err));
  check(stage_commit(stage, &file.digest, &file.bytes, &err));
  return file;
}

static void model(const char *tenant, const char *name, const struct event_file *file)
{
  struct event event = {
      .kind = EVENT_MODEL_CREATED, .tenant = slice_str(tenant), .model = slice_str(name)};
  add(event);
  event.kind = EVENT_VERSION_PUSHED;
  event.version = 1;
  event.files = file;
  event.n_files = 1;
  add(event);
  event.kind = EVENT_VERSION_DEPLOYED;
  event.files = NULL;
  event.n_files = 0;
  add(event);
}

static void history(long n)
{
  static const struct event_fact scope = {SLICE("scope"), SLICE("model")};
  for (long i = 0; i < n; i++)
    add((struct event){.kind = i % 2 ? EVENT_FREEZE_LIFTED : EVENT_FREEZE_SET,
                       .tenant = SLICE("default"),
                       .model = SLICE("digits-0"),
                       .facts = &scope,
                       .n_facts = 1});
}

int main(int argc, char **argv)
{
  struct datadir dir;
  char name[64];
  if (argc < 4) return fprintf(stderr, "scale_bench DIRECTORY TENANTS MODELS [EVENTS]\n"), 2;
  long tenants = strtol(argv[2], NULL, 10), models = strtol(argv[3], NULL, 10);
  check(datadir_open(&dir, argv[1], &err));
  check(ledger_open(&ledger, &dir, NULL, &err));
  struct event_file file =
      file_put(&dir, "{\"engine\":\"linear\",\"weights\":[[0]],\"bias\":[1]}");
  add((struct event){.kind = EVENT_TENANT_CREATED, .tenant = SLICE("default")});
  model("default", "digits-0", &file);
  for (long i = 0; i < models; i++) {
    snprintf(name, sizeof name, "model-%ld", i);
    model("default", name, &file);
  }
  for (long i = 1; i < tenants; i++) {
    snprintf(name, sizeof name, "tenant-%05ld", i);
    add((struct event){.kind = EVENT_TENANT_CREATED, .tenant = slice_str(name)});
    model(name, "m", &file);
  }
  if (argc > 4) history(strtol(argv[4], NULL, 10));
  if (in_group) check(ledger_group_commit(ledger, &err));
  printf("%llu\n", (unsigned long long)ledger_last_seq(ledger));
  ledger_close(ledger);
  datadir_close(&dir);
  return 0;
}
