/* options.h - the settings of `slipway serve`, each with where it came from.
 * Thread: main, at start; constant afterwards.
 * SPDX-License-Identifier: MIT */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "base/buf.h"
#include "base/err.h"

enum option_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

enum { OPTION_TEXT_MAX = 1024 };

enum option_id {
#define OPTION(kind, when, name, fallback, min, max, help) OPTION_##name,
#include "options.def"
#undef OPTION
  OPTION_COUNT_ALL
};

struct option_value {
  int64_t number; /* count, bytes, microseconds, 0 or 1, index of a word */
  char text[OPTION_TEXT_MAX];
  enum option_source source;
};

struct options {
  struct option_value values[OPTION_COUNT_ALL];
  bool print_config, check; /* serve --print-config, serve --check */
  char config[OPTION_TEXT_MAX]; /* --config FILE or SLIPWAY_CONFIG; empty: none */
};

/* Reads defaults, the file, the environment and flags (argv[0] is the first flag), in that order of
 * rising precedence. E_BAD_CONFIG or E_INVALID_ARGUMENT name the setting, and for the file the line
 * and column. */
CHECKED enum code options_read(struct options *options, int argc, char **argv, struct err *err);
/* SIGHUP: the LIVE rows of a fresh reading are taken over. Changes are logged one by one; those of
 * other rows as ones that need a restart. */
void options_take(struct options *options, const struct options *fresh);
void options_changes_log(const struct options *old, const struct options *fresh);
int64_t option_number(const struct options *options, enum option_id id);
const char *option_text(const struct options *options, enum option_id id);
/* The whole configuration as YAML, each line with its source as a comment. */
void options_print(const struct options *options, struct buf *to);
/* What `slipway help serve` shows below its usage: every flag with default and meaning. */
void options_help(struct buf *to);

#endif
