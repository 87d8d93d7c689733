/* registry_bench.c - a data directory of one tenant with many models, and a model `many` with many
 * versions, made in seconds instead of through the API; nothing is deployed.
 *   build/release/registry_bench DIRECTORY MODELS VERSIONS
 * Written by the ledger itself, so it is what a daemon would have left. bench/lists.py runs it.
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
  event.tenant = SLICE("default");
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

static void model(const char *name, long versions, const struct event_file *file)
{
  add((struct event){.kind = EVENT_MODEL_CREATED, .model = slice_str(name)});
  for (long i = 1; i <= versions; i++)
    add((struct event){.kind = EVENT_VERSION_PUSHED,
                       .model = slice_str(name),
                       .version = (uint32_t)i,
                       .files = file,
                       .n_files = 1});
}

int main(int argc, char **argv)
{
  struct datadir dir;
  char name[64];
  if (argc < 4) return fprintf(stderr, "registry_bench DIRECTORY MODELS VERSIONS\n"), 2;
  long models = strtol(argv[2], NULL, 10), versions = strtol(argv[3], NULL, 10);
  check(datadir_open(&dir, argv[1], &err));
  check(ledger_open(&ledger, &dir, NULL, &err));
  struct event_file file = file_put(&dir, "{\"engine\":\"linear\",\"weights\":[[0]],\"bias\":[1]}");
  add((struct event){.kind = EVENT_TENANT_CREATED});
  model("many", versions, &file);
  for (long i = 0; i < models; i++) {
    snprintf(name, sizeof name, "model-%06ld", i);
    model(name, 1, &file);
  }
  if (in_group) check(ledger_group_commit(ledger, &err));
  ledger_close(ledger);
  datadir_close(&dir);
  return 0;
}
