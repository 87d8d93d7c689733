/* registry_bench.c - a data directory of one tenant with many models, and a model `many` with many
 * versions; nothing is deployed. bench/lists.py runs it.
 *   build/release/registry_bench DIRECTORY MODELS VERSIONS
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include "ledger_fill.h"

int main(int argc, char **argv)
{
  struct fill fill;
  char name[64];
  if (argc < 4) return fprintf(stderr, "registry_bench DIRECTORY MODELS VERSIONS\n"), 2;
  long models = strtol(argv[2], NULL, 10), versions = strtol(argv[3], NULL, 10);
  fill_begin(&fill, argv[1]);
  struct event_file file = fill_file(&fill);
  fill_tenant(&fill, "default");
  fill_model(&fill, "default", "many", versions, &file);
  for (long i = 0; i < models; i++) {
    snprintf(name, sizeof name, "model-%06ld", i);
    fill_model(&fill, "default", name, 1, &file);
  }
  fill_end(&fill);
  return 0;
}
