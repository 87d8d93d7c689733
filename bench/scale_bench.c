/* scale_bench.c - a data directory of many tenants, each with one model, pushed and deployed;
 * tenant `default` has MODELS of its own beside digits-0. bench/scale.py and changes.py run it.
 *   build/release/scale_bench DIRECTORY TENANTS MODELS [EVENTS]
 * EVENTS: as many freezes set and lifted behind that, so that there is history. Prints the number
 * of the last event.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include "ledger_fill.h"

static void deployed(struct fill *fill, const char *tenant, const char *name,
                     const struct event_file *file)
{
  fill_model(fill, tenant, name, 1, file);
  fill_add(fill, (struct event){.kind = EVENT_VERSION_DEPLOYED,
                                .tenant = slice_str(tenant),
                                .model = slice_str(name),
                                .version = 1});
}

static void history(struct fill *fill, long n)
{
  static const struct event_fact scope = {SLICE("scope"), SLICE("model")};
  for (long i = 0; i < n; i++)
    fill_add(fill, (struct event){.kind = i % 2 ? EVENT_FREEZE_LIFTED : EVENT_FREEZE_SET,
                                  .tenant = SLICE("default"),
                                  .model = SLICE("digits-0"),
                                  .facts = &scope,
                                  .n_facts = 1});
}

int main(int argc, char **argv)
{
  struct fill fill;
  char name[64];
  if (argc < 4) return fprintf(stderr, "scale_bench DIRECTORY TENANTS MODELS [EVENTS]\n"), 2;
  long tenants = strtol(argv[2], NULL, 10), models = strtol(argv[3], NULL, 10);
  fill_begin(&fill, argv[1]);
  struct event_file file = fill_file(&fill);
  fill_tenant(&fill, "default");
  deployed(&fill, "default", "digits-0", &file);
  for (long i = 0; i < models; i++) {
    snprintf(name, sizeof name, "model-%ld", i);
    deployed(&fill, "default", name, &file);
  }
  for (long i = 1; i < tenants; i++) {
    snprintf(name, sizeof name, "tenant-%05ld", i);
    fill_tenant(&fill, name);
    deployed(&fill, name, "m", &file);
  }
  if (argc > 4) history(&fill, strtol(argv[4], NULL, 10));
  printf("%llu\n", (unsigned long long)fill_end(&fill));
  return 0;
}
