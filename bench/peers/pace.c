/* pace.c - the load of `slipway bench` (cli/load) on any server that takes the path and the body:
 * at drawn distances that do not wait for answers, or from so many connections; several at once.
 *   pace URL PATH BODY SECONDS SOURCE...     SOURCE: r<requests/s>[@key] or c<connections>[@key]
 * Prints a line a source: answered with 200, all others, p50, p99, p999 in us from being due.
 * Thread: main; `seen` runs on the load's.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/load/load.h"
#include "stat/sketch.h"

enum { SOURCES = 4, WARM_US = 300000 };

static char body[1 << 20];
static struct sketch us[SOURCES];
static unsigned long good[SOURCES], bad[SOURCES];

static void seen(void *arg, const struct load_answer *answer)
{
  (void)arg;
  if (answer->due_us - answer->begun_us < WARM_US) return;
  if (answer->status != 200) {
    bad[answer->source]++;
    return;
  }
  good[answer->source]++;
  sketch_add(&us[answer->source], (uint64_t)answer->took_us);
}

int main(int argc, char **argv)
{
  if (argc < 6 || argc > 5 + SOURCES) return 2;
  FILE *file = fopen(argv[3], "rb");
  if (!file) return 2;
  struct load_body one = {.text = {body, fread(body, 1, sizeof body, file)}};
  struct load_source sources[SOURCES] = {0};
  uint32_t n = (uint32_t)argc - 5;
  for (uint32_t i = 0; i < n; i++) {
    char *text = argv[5 + i], *key = strchr(text, '@');
    sources[i] = (struct load_source){.path = argv[2], .bodies = &one, .n_bodies = 1,
                                      .poisson = true, .bearer = key ? key + 1 : NULL};
    if (*text == 'r')
      sources[i].rate = strtod(text + 1, NULL);
    else
      sources[i].connections = (uint32_t)strtoul(text + 1, NULL, 10);
  }
  struct load_opts opts = {.url = argv[1], .sources = sources, .n_sources = n, .seed = 7,
                           .for_us = (int64_t)(strtod(argv[4], NULL) * 1e6) + WARM_US};
  struct load *load;
  struct err err = {.code = OK};
  if (load_start(&load, &opts, seen, NULL, &err) != OK) {
    fprintf(stderr, "pace: %s\n", err.text);
    return 1;
  }
  while (!load_ended(load)) usleep(10000);
  load_stop(load);
  for (uint32_t i = 0; i < n; i++)
    printf("%lu %lu %lu %lu %lu\n", good[i], bad[i], (unsigned long)sketch_quantile(&us[i], 0.5),
           (unsigned long)sketch_quantile(&us[i], 0.99),
           (unsigned long)sketch_quantile(&us[i], 0.999));
  return 0;
}
