/* control_bench.c - what a change of the control plane costs: written alone and in groups, read
 * back at start, and laid out as a world.
 *   make build/release/control_bench && build/release/control_bench [DIRECTORY]
 * The directory decides which disk is measured; default /tmp. Prints the median of a few rounds.
 * Thread: own process.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/catalog.h"
#include "store/artifact.h"
#include "store/ledger.h"
#include "world/world.h"

static struct err err;

static void check(enum code code)
{
  if (code == OK) return;
  fprintf(stderr, "%s\n", err.text);
  exit(1);
}

static int compare(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

static int64_t median(int64_t *values, int n)
{
  qsort(values, (size_t)n, sizeof *values, compare);
  return values[n / 2];
}

static struct event pushed(uint32_t version)
{
  static struct event_file file = {.name = SLICE("model.onnx"), .bytes = 123456};
  if (version == 1) file.digest = sha256_of(SLICE("x"));
  return (struct event){.kind = EVENT_VERSION_PUSHED,
                        .wall_ms = 1700000000000,
                        .actor = SLICE("anonymous"),
                        .tenant = SLICE("default"),
                        .model = SLICE("digits"),
                        .version = version,
                        .note = SLICE("a note"),
                        .files = &file,
                        .n_files = 1};
}

static int64_t fsync_us(const struct datadir *dir)
{
  enum { ROUNDS = 51 };
  int64_t took[ROUNDS];
  int fd = openat(dir->fd, "probe", O_CREAT | O_WRONLY, 0600);
  for (int i = 0; i < ROUNDS; i++) {
    int64_t began = clock_us();
    if (pwrite(fd, "x", 1, i) != 1 || fdatasync(fd) != 0) exit(1);
    took[i] = clock_us() - began;
  }
  close(fd);
  return median(took, ROUNDS);
}

static void groups(struct ledger *ledger, uint32_t each, uint32_t *version)
{
  enum { ROUNDS = 51 };
  int64_t took[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    int64_t began = clock_us();
    check(ledger_group_begin(ledger, &err));
    for (uint32_t k = 0; k < each; k++) {
      struct event event = pushed(++*version);
      check(ledger_group_add(ledger, &event, 1, &err));
    }
    check(ledger_group_commit(ledger, &err));
    took[i] = clock_us() - began;
    ledger_tidy(ledger);
  }
  int64_t us = median(took, ROUNDS);
  printf("  %4u to a commit          %8" PRId64 " us, %8.0f changes/s\n", each, us,
         1e6 * each / (double)us);
}

static enum code fold(void *arg, const struct event *event, struct err *why)
{
  struct event at = *event;
  struct catalog *catalog = arg;
  at.version = (uint32_t)event->seq; /* the bench's ledger has pushes only */
  at.seq = catalog->seq + 1;
  return catalog_apply(catalog, &at, why);
}

static void reading(const struct datadir *dir)
{
  static const unsigned char key[16] = {1};
  struct catalog *catalog = catalog_new(key);
  struct event first = {.seq = 1, .kind = EVENT_TENANT_CREATED, .tenant = SLICE("default")};
  struct event second = {
      .seq = 2, .kind = EVENT_MODEL_CREATED, .tenant = SLICE("default"), .model = SLICE("digits")};
  check(catalog_apply(catalog, &first, &err));
  check(catalog_apply(catalog, &second, &err));
  struct ledger *ledger;
  uint64_t bad;
  int64_t began = clock_us();
  check(ledger_open(&ledger, dir, NULL, &err));
  int64_t opened = clock_us();
  check(ledger_replay(ledger, 1, fold, catalog, &err));
  int64_t folded = clock_us();
  check(ledger_verify(ledger, &bad, &err));
  int64_t verified = clock_us();
  double n = (double)ledger_last_seq(ledger);
  printf("start with %.0f events\n  open and quick check      %8.1f ms\n", n,
         (double)(opened - began) / 1e3);
  printf("  replay, chain, fold       %8.1f ms, %8.0f events/s\n", (double)(folded - opened) / 1e3,
         1e6 * n / (double)(folded - opened));
  printf("  verify all chains         %8.1f ms, %8.0f events/s\n",
         (double)(verified - folded) / 1e3, 1e6 * n / (double)(verified - folded));
  ledger_close(ledger);
  catalog_free(catalog);
}

static void worlds(uint32_t n)
{
  enum { ROUNDS = 21 };
  static const struct tensor_spec specs[2] = {
      {.name = SLICE("input"), .dtype = DT_FP32, .shape = {2, {-1, 16}}},
      {.name = SLICE("output"), .dtype = DT_FP32, .shape = {2, {-1, 4}}}};
  static struct seat seat;
  struct model *models = grab_zero(n, sizeof *models);
  struct version version = {.number = 1,
                            .state = VERSION_READY,
                            .engine = SLICE("onnx"),
                            .platform = SLICE("onnxruntime_onnx"),
                            .seats = &seat,
                            .n_seats = 1,
                            .contract = {specs, specs + 1, 1, 1, true}};
  char *names = grab((size_t)n * 16);
  for (uint32_t i = 0; i < n; i++) {
    snprintf(names + i * 16, 16, "model-%08u", i);
    models[i] = (struct model){.name = slice_str(names + i * 16),
                               .planned = &version,
                               .n_versions = 1};
    model_serve(&models[i], &version);
  }
  struct tenant tenant = {.name = SLICE("default"), .planned = models, .n_models = n};
  struct world_plan plan = {.tenants = &tenant, .n_tenants = 1};
  int64_t took[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    int64_t began = clock_ns();
    world_free(world_build(&plan, 1));
    took[i] = clock_ns() - began;
  }
  printf("  world of %6u models     %8.1f us\n", n, (double)median(took, ROUNDS) / 1e3);
  ungrab(models);
  ungrab(names);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

int main(int argc, char **argv)
{
  char path[256];
  struct datadir dir;
  struct ledger *ledger;
  uint32_t version = 0;
  snprintf(path, sizeof path, "%s/slipway-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
  if (!mkdtemp(path)) return 1;
  check(datadir_open(&dir, path, &err));
  check(ledger_open(&ledger, &dir, NULL, &err));
  printf("writing (fdatasync of one byte here: %" PRId64 " us)\n", fsync_us(&dir));
  groups(ledger, 1, &version);
  groups(ledger, 32, &version);
  groups(ledger, 256, &version);
  while (version < 100000) {
    check(ledger_group_begin(ledger, &err));
    for (int i = 0; i < 1000; i++) {
      struct event event = pushed(++version);
      check(ledger_group_add(ledger, &event, 1, &err));
    }
    check(ledger_group_commit(ledger, &err));
    ledger_tidy(ledger);
  }
  ledger_close(ledger);
  reading(&dir);
  datadir_close(&dir);
  nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  printf("publishing\n");
  for (uint32_t n = 10; n <= 10000; n *= 10) worlds(n);
  return 0;
}
