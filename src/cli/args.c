/* args.c - one parser for all commands.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/args.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct opt common[] = {
    {"json", 0, OPT_SWITCH, NULL, "print JSON"},
    {"url", 0, OPT_TEXT, "URL", "where slipway is; else SLIPWAY_URL, else http://127.0.0.1:8080"},
    {"tenant", 0, OPT_TEXT, "NAME", "an operator: act in this tenant; else SLIPWAY_TENANT"},
    {"help", 'h', OPT_SWITCH, NULL, "print this"},
    {NULL, 0, OPT_SWITCH, NULL, NULL},
};

/* ---- nearest words ---- */

enum { EDIT_MAX = 32 };

uint32_t edit_distance(const char *a, const char *b)
{
  size_t n = strnlen(a, EDIT_MAX), m = strnlen(b, EDIT_MAX);
  uint32_t row[EDIT_MAX + 1];
  for (size_t j = 0; j <= m; j++) row[j] = (uint32_t)j;
  for (size_t i = 1; i <= n; i++) {
    uint32_t diagonal = row[0];
    row[0] = (uint32_t)i;
    for (size_t j = 1; j <= m; j++) {
      uint32_t change = diagonal + (a[i - 1] != b[j - 1]);
      uint32_t least = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
      diagonal = row[j];
      row[j] = change < least ? change : least;
    }
  }
  return row[m];
}

bool edit_is_near(const char *word, const char *candidate)
{
  uint32_t distance = edit_distance(word, candidate);
  return distance <= 2 && distance < strlen(word);
}

/* ---- reading ---- */

static const struct opt *opt_find(const struct opt *opts, const char *name, size_t len)
{
  for (; opts->name; opts++)
    if (strlen(opts->name) == len && memcmp(opts->name, name, len) == 0) return opts;
  return NULL;
}

static const struct opt *opt_letter(const struct opt *opts, char letter)
{
  for (; opts->name; opts++)
    if (opts->letter && opts->letter == letter) return opts;
  return NULL;
}

static enum code opt_unknown(const struct opt *opts, const char *flag, struct err *err)
{
  const struct opt *tables[] = {opts, common};
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(flag + strspn(flag, "-"), "="),
           flag + strspn(flag, "-"));
  if (strcmp(name, "key") == 0)
    return fail(err, E_INVALID_ARGUMENT,
                "there is no flag '--key', as others see a command's words; export SLIPWAY_KEY, or "
                "say: slipway login URL --key-file FILE");
  for (int t = 0; t < 2; t++)
    for (const struct opt *opt = tables[t]; opt->name; opt++)
      if (edit_is_near(name, opt->name))
        return fail(err, E_INVALID_ARGUMENT, "there is no flag '%s'; did you mean '--%s'?", flag,
                    opt->name);
  return fail(err, E_INVALID_ARGUMENT, "there is no flag '%s'", flag);
}

static bool count_read(const char *text, uint64_t *value)
{
  return text_read_u64(slice_str(text), UINT32_MAX, value) && *value >= 1;
}

static enum code opt_set(struct args *args, const struct opt *opt, const char *value,
                         struct err *err)
{
  if (opt == &common[0])
    args->json = true;
  else if (opt == &common[1])
    args->url = value;
  else if (opt == &common[2])
    args->tenant = value;
  else if (opt == &common[3])
    args->help = true;
  else {
    size_t at = (size_t)(opt - args->opts);
    must(at < ARGS_OPTS_MAX);
    args->values[at] = value;
    if (opt->kind == OPT_COUNT && !count_read(value, &args->counts[at]))
      return fail(err, E_INVALID_ARGUMENT, "'--%s' takes a whole number from 1 on, not '%s'",
                  opt->name, value);
  }
  return OK;
}

/* argv[*i] is a flag; moves *i to the last word it used. */
static enum code flag_read(struct args *args, int argc, char **argv, int *i, struct err *err)
{
  const char *flag = argv[*i], *value = NULL;
  const struct opt *opt;
  if (flag[1] == '-') {
    size_t len = strcspn(flag + 2, "=");
    if (flag[2 + len] == '=') value = flag + 3 + len;
    opt = opt_find(args->opts, flag + 2, len);
    if (!opt) opt = opt_find(common, flag + 2, len);
  } else {
    opt = flag[2] ? NULL : opt_letter(args->opts, flag[1]);
    if (!opt && !flag[2]) opt = opt_letter(common, flag[1]);
  }
  if (!opt) return opt_unknown(args->opts, flag, err);
  if (opt->kind == OPT_LATER)
    return fail(err, E_NOT_IMPLEMENTED, "'--%s' is not built yet", opt->name);
  if (opt->kind == OPT_SWITCH) {
    if (value) return fail(err, E_INVALID_ARGUMENT, "'--%s' takes no value", opt->name);
    return opt_set(args, opt, "", err);
  }
  if (!value && *i + 1 < argc) value = argv[++*i];
  if (!value) return fail(err, E_INVALID_ARGUMENT, "'--%s' needs a value", opt->name);
  return opt_set(args, opt, value, err);
}

enum code args_read(struct args *args, const struct opt *opts, uint32_t words_min,
                    uint32_t words_max, int argc, char **argv, struct err *err)
{
  bool flags = true;
  *args = (struct args){.opts = opts};
  for (int i = 0; i < argc; i++)
    if (strcmp(argv[i], "--") == 0)
      break;
    else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
      args->help = true;
    else if (strcmp(argv[i], "--json") == 0)
      args->json = true; /* errors before it are JSON, too */
  if (args->help) return OK;
  for (int i = 0; i < argc; i++) {
    if (flags && strcmp(argv[i], "--") == 0)
      flags = false;
    else if (flags && argv[i][0] == '-' && argv[i][1]) {
      if (flag_read(args, argc, argv, &i, err)) return err->code;
    } else if (args->n_words < words_max) {
      args->words[args->n_words++] = argv[i];
    } else {
      return fail(err, E_INVALID_ARGUMENT, "'%s' is one word too many", argv[i]);
    }
  }
  if (args->n_words < words_min)
    return fail(err, E_INVALID_ARGUMENT, args->n_words ? "something is missing after '%s'" : "%s",
                args->n_words ? args->words[args->n_words - 1] : "something is missing");
  return OK;
}

static size_t opt_place(const struct args *args, const char *name)
{
  const struct opt *opt = opt_find(args->opts, name, strlen(name));
  must(opt != NULL);
  return (size_t)(opt - args->opts);
}

const char *args_text(const struct args *args, const char *name)
{
  return args->values[opt_place(args, name)];
}

bool args_given(const struct args *args, const char *name) { return args_text(args, name) != NULL; }

uint64_t args_count(const struct args *args, const char *name)
{
  return args->counts[opt_place(args, name)];
}

void args_help(const struct opt *opts, struct buf *to)
{
  const struct opt *tables[] = {opts, common};
  for (int t = 0; t < 2; t++)
    for (const struct opt *opt = tables[t]; opt->name; opt++) {
      char flag[64], letter[8] = "";
      if (opt->letter) snprintf(letter, sizeof letter, "-%c, ", opt->letter);
      snprintf(flag, sizeof flag, "%s--%s%s%s", letter, opt->name, opt->value ? " " : "",
               opt->value ? opt->value : "");
      buf_print(to, "  %-22s %s%s\n", flag, opt->help,
                opt->kind == OPT_LATER ? " (not built yet)" : "");
    }
}

/* What an alias looks like; whether there is one is the server's to say. */
static bool ref_is_alias(const char *ref)
{
  bool number = ref[0] == 'v' && ref[1];
  if (ref[0] < 'a' || ref[0] > 'z' || strcmp(ref, "latest") == 0) return false;
  for (const char *at = ref + 1; *at; at++) {
    bool digit = *at >= '0' && *at <= '9';
    if (!digit && !(*at >= 'a' && *at <= 'z') && !strchr("._-", *at)) return false;
    number = number && digit;
  }
  return !number;
}

enum code model_word_read(const char *word, char model[MODEL_WORD_MAX], char ref[REF_WORD_MAX],
                          struct err *err)
{
  const char *at = strchr(word, '@');
  size_t len = at ? (size_t)(at - word) : strlen(word);
  uint64_t number = 0;
  ref[0] = '\0';
  if (!slice_to_str(slice_of(word, len), model, MODEL_WORD_MAX))
    return fail(err, E_BAD_NAME, "'%.64s...' is too long for a model's name", word);
  if (!at) return OK;
  bool fits = slice_to_str(slice_str(at + 1), ref, REF_WORD_MAX);
  bool plain = text_read_u64(slice_str(at + 1), UINT32_MAX, &number) && number > 0;
  if (fits && (plain || ref_is_alias(ref))) return OK;
  return fail(err, E_BAD_VERSION,
              "'%.32s' is not a version; versions are numbers like 3, or aliases like champion",
              at + 1);
}

uint32_t ref_number(const char *ref)
{
  uint64_t number = 0;
  return text_read_u64(slice_str(ref), UINT32_MAX, &number) ? (uint32_t)number : 0;
}
