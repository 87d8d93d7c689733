/* source.h - who asks what, how often: the sources of a load, from flags or from a file of a mix.
 * Thread: main (own).
 *
 * A mix is a JSON array of objects, one a source; the flags of `slipway bench` are one of them:
 *   model         "digits", "digits@3"; required
 *   name          what the report calls it [the model]
 *   rate          requests a second (open loop); else closed loop
 *   poisson       true: drawn distances; else even ones
 *   concurrency   connections: at most (open loop), or all busy (closed loop)
 *   deadline_ms   goes along as x-slipway-deadline-ms; what comes later is not good
 *   timeout_ms    when the client gives up [a second after the deadline, else 30 s]
 *   retries       of what is not answered 200, at once
 *   key, key_file whose key; tenant: whom an operator acts for
 *   head          {"x-name": "value"} more lines of the head
 *   parameters    of each request, where bodies are made up
 *   rows, binary, unique   how bodies are made up
 *   input         a file of bodies, one a line
 *   from_s, for_s when it begins, how long it lasts
 * SPDX-License-Identifier: MIT */
#ifndef CLI_BENCH_SOURCE_H
#define CLI_BENCH_SOURCE_H

#include "base/arena.h"
#include "cli/bench/body.h"
#include "cli/client.h"

struct sources {
  struct arena arena; /* their texts */
  struct settings settings;
  struct load_source list[LOAD_SOURCES_MAX];
  struct bodies bodies[LOAD_SOURCES_MAX];
  const char *names[LOAD_SOURCES_MAX];
  int64_t deadline_us[LOAD_SOURCES_MAX];
  uint32_t n;
};

CHECKED enum code sources_init(struct sources *sources, const struct cli *cli, struct err *err);
void sources_deinit(struct sources *sources);
/* Asks the server about the model. An error of a file's row names it: "sources[2].rate". */
CHECKED enum code source_add(struct sources *sources, const json_t *row, struct err *err);
/* All rows of a file. */
CHECKED enum code sources_read(struct sources *sources, const char *path, struct err *err);

#endif
