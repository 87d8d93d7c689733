/* args.h - flags and words of a command line, read from a table.
 * Thread: main (own).
 *
 *   --name VALUE   --name=VALUE   -n VALUE   --switch   -s   --   ends the flags
 *
 * Every command also takes --json, --url, --tenant and --help. A flag that is not known is refused
 * with the nearest one that is.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/buf.h"
#include "base/err.h"

enum opt_kind {
  OPT_SWITCH, /* given or not */
  OPT_TEXT,   /* a value, as it came */
  OPT_COUNT,  /* a whole number, 1 to 2^32-1 */
  OPT_LATER,  /* known, but not built yet: refused in so many words */
};

/* A table of these ends with an entry whose name is NULL. */
struct opt {
  const char *name; /* without dashes */
  char letter;      /* 0: none */
  enum opt_kind kind;
  const char *value; /* what help calls its value; NULL for switches */
  const char *help;
};

enum { ARGS_WORDS_MAX = 4, ARGS_OPTS_MAX = 32 };

struct args {
  const struct opt *opts;
  const char *words[ARGS_WORDS_MAX];
  uint32_t n_words;
  const char *values[ARGS_OPTS_MAX]; /* by the place in opts; a given switch is "" */
  uint64_t counts[ARGS_OPTS_MAX];
  const char *url, *tenant;
  bool json, help;
};

/* Reads argv[0..argc). E_INVALID_ARGUMENT, E_NOT_IMPLEMENTED. With --help nothing is judged. */
CHECKED enum code args_read(struct args *args, const struct opt *opts, uint32_t words_min,
                            uint32_t words_max, int argc, char **argv, struct err *err);
/* NULL when not given. The name must be in the table. */
const char *args_text(const struct args *args, const char *name);
bool args_given(const struct args *args, const char *name);
uint64_t args_count(const struct args *args, const char *name); /* 0 when not given */
/* One line per flag, the common ones last. */
void args_help(const struct opt *opts, struct buf *to);

/* "digits@3" -> "digits", "3"; "digits@champion" -> "digits", "champion"; without @ ref is empty.
 * E_BAD_NAME, E_BAD_VERSION. */
enum { MODEL_WORD_MAX = 256, REF_WORD_MAX = 64 };
CHECKED enum code model_word_read(const char *word, char model[MODEL_WORD_MAX],
                                  char ref[REF_WORD_MAX], struct err *err);
/* The number that a ref is; 0: it is an alias, or empty. */
uint32_t ref_number(const char *ref);

/* How many single-letter changes make one of the other; both are cut at 32 bytes. */
uint32_t edit_distance(const char *a, const char *b);
/* Calls it near enough to be meant: at most two changes, and fewer than the word is long. */
bool edit_is_near(const char *word, const char *candidate);

#endif
