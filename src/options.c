/* options.c - one table, four sources.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"
#include "wire/yaml.h"

enum option_kind { KIND_TEXT, KIND_COUNT, KIND_BYTES, KIND_TIME, KIND_BOOL, KIND_WORD };

struct option_row {
  const char *name, *fallback, *help;
  enum option_kind kind;
  enum { TAKES_START, TAKES_LIVE } live;
  int64_t min, max;
};

static const struct option_row rows[OPTION_COUNT_ALL] = {
#define OPTION(kind_, when_, name_, fallback_, min_, max_, help_) \
  {.name = #name_, .fallback = fallback_, .help = help_, \
   .kind = KIND_##kind_, .live = TAKES_##when_, .min = min_, .max = max_},
#include "options.def"
#undef OPTION
};

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const sources[] = {"default", "file", "environment", "flag"};

static bool count_read(struct slice text, int64_t *to)
{
  uint64_t value;
  if (!text_read_u64(text, INT64_MAX, &value)) return false;
  *to = (int64_t)value;
  return true;
}

static bool word_read(struct slice text, const char *const *words, int64_t *to)
{
  for (*to = 0; words[*to]; (*to)++)
    if (slice_eq(text, slice_str(words[*to]))) return true;
  return false;
}

static bool number_read(enum option_kind kind, struct slice text, int64_t *to)
{
  static const char *const truth[] = {"false", "true", NULL};
  uint64_t bytes;
  switch (kind) {
    case KIND_TEXT: return true;
    case KIND_COUNT: return count_read(text, to);
    case KIND_TIME: return yaml_duration_read(text, to);
    case KIND_BOOL: return word_read(text, truth, to);
    case KIND_WORD: return word_read(text, levels, to);
    case KIND_BYTES:
      if (!yaml_bytes_read(text, &bytes) || bytes > INT64_MAX) return false;
      *to = (int64_t)bytes;
      return true;
  }
  return false;
}

static const char *kind_example(enum option_kind kind)
{
  static const char *const examples[] = {
      [KIND_TEXT] = "a text",        [KIND_COUNT] = "a whole number like 64",
      [KIND_BYTES] = "a size like 64MiB", [KIND_TIME] = "a time like 500ms or 10s",
      [KIND_BOOL] = "true or false", [KIND_WORD] = "debug, info, warn or error"};
  return examples[kind];
}

/* What is wrong is said without the setting's name: its source puts that before it. */
static enum code option_set(struct options *options, enum option_id id, struct slice text,
                            enum option_source source, struct err *err)
{
  const struct option_row *row = &rows[id];
  struct option_value *value = &options->values[id];
  int64_t number = 0;
  if (!number_read(row->kind, text, &number))
    return fail(err, E_BAD_CONFIG, "is '%.*s', it takes %s", SLICE_ARG(text),
                kind_example(row->kind));
  bool ranged = row->kind != KIND_TEXT && row->kind != KIND_WORD && row->kind != KIND_BOOL;
  if (ranged && (number < row->min || number > row->max))
    return fail(err, E_BAD_CONFIG, "is %.*s, it must lie between %lld and %lld%s", SLICE_ARG(text),
                (long long)row->min, (long long)row->max,
                row->kind == KIND_TIME ? " microseconds" : row->kind == KIND_BYTES ? " bytes" : "");
  if (row->kind == KIND_TEXT && text.len > (size_t)row->max)
    return fail(err, E_BAD_CONFIG, "is longer than %lld bytes", (long long)row->max);
  if (!slice_to_str(text, value->text, sizeof value->text))
    return fail(err, E_BAD_CONFIG, "holds a NUL or is too long");
  value->number = number;
  value->source = source;
  return OK;
}

/* The same from where there are no lines and columns. */
static enum code option_say(struct options *options, enum option_id id, const char *text,
                            enum option_source source, struct err *err)
{
  struct err why;
  if (option_set(options, id, slice_str(text), source, &why) == OK) return OK;
  return fail(err, why.code, "'%s' %s", rows[id].name, why.text);
}

static int option_find(const char *name, size_t len)
{
  for (int i = 0; i < OPTION_COUNT_ALL; i++) {
    if (strlen(rows[i].name) != len) continue;
    size_t k = 0;
    while (k < len && (name[k] == '-' ? '_' : name[k]) == rows[i].name[k]) k++;
    if (k == len) return i;
  }
  return -1;
}

/* ---- the file ---- */

static enum code file_read(const char *path, struct arena *arena, struct slice *text,
                           struct err *err)
{
  FILE *file = fopen(path, "re");
  if (!file)
    return fail(err, E_BAD_CONFIG, "cannot read the configuration file: %s", strerror(errno));
  char *at = arena_get(arena, YAML_BYTES_MAX + 1);
  must(at != NULL);
  *text = slice_of(at, fread(at, 1, YAML_BYTES_MAX + 1, file));
  fclose(file);
  if (text->len > YAML_BYTES_MAX)
    return fail(err, E_BAD_CONFIG, "the configuration file is over 1 MiB");
  return OK;
}

static enum code file_apply(struct options *options, struct arena *arena, struct err *err)
{
  struct slice text;
  const struct yaml *root;
  if (file_read(options->config, arena, &text, err)) return err->code;
  if (yaml_parse(text, arena, &root, err)) return err->code;
  const char *names[OPTION_COUNT_ALL + 1] = {NULL};
  for (int i = 0; i < OPTION_COUNT_ALL; i++) names[i] = rows[i].name;
  if (root->kind != YAML_MAP) return yaml_fail(err, root, "is no map of settings");
  if (yaml_keys_check(root, names, err)) return err->code;
  for (const struct yaml *node = root->first; node; node = node->next) {
    if (node->kind == YAML_NULL) continue;
    int id = option_find(node->key.at, node->key.len);
    must(id >= 0);
    if (node->kind != YAML_SCALAR)
      return yaml_fail(err, node, "takes %s", kind_example(rows[id].kind));
    struct err inner;
    if (option_set(options, (enum option_id)id, node->text, SOURCE_FILE, &inner))
      return yaml_fail(err, node, "%s", inner.text);
  }
  return OK;
}

/* ---- environment and flags ---- */

static enum code environment_apply(struct options *options, struct err *err)
{
  for (int i = 0; i < OPTION_COUNT_ALL; i++) {
    char name[64] = "SLIPWAY_";
    size_t at = strlen(name);
    for (const char *c = rows[i].name; *c && at + 1 < sizeof name; c++)
      name[at++] = (char)toupper((unsigned char)*c);
    name[at] = '\0';
    const char *value = getenv(name);
    if (value && option_say(options, (enum option_id)i, value, SOURCE_ENVIRONMENT, err))
      return err->code;
  }
  return OK;
}

/* One flag at argv[*i], `--name value` or `--name=value`; moves *i to the last word it used. */
static enum code flag_apply(struct options *options, int argc, char **argv, int *i,
                            struct err *err)
{
  const char *flag = argv[*i];
  if (strncmp(flag, "--", 2) != 0)
    return fail(err, E_INVALID_ARGUMENT, "'%s' is not a flag; see 'slipway help serve'", flag);
  const char *equals = strchr(flag, '=');
  size_t len = equals ? (size_t)(equals - flag) - 2 : strlen(flag) - 2;
  int id = option_find(flag + 2, len);
  if (id < 0)
    return fail(err, E_INVALID_ARGUMENT, "unknown flag '%s'; see 'slipway help serve'", flag);
  const char *value = equals ? equals + 1 : NULL;
  if (!value && rows[id].kind == KIND_BOOL) value = "true";
  if (!value && *i + 1 < argc) value = argv[++*i];
  if (!value) return fail(err, E_INVALID_ARGUMENT, "flag '%s' needs a value", flag);
  return option_say(options, (enum option_id)id, value, SOURCE_FLAG, err);
}

static enum code flags_apply(struct options *options, int argc, char **argv, struct err *err)
{
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "--print-config") == 0) options->print_config = true;
    else if (strcmp(argv[i], "--check") == 0) options->check = true;
    else if (strcmp(argv[i], "--config") == 0) i++;
    else if (flag_apply(options, argc, argv, &i, err)) return err->code;
  }
  return OK;
}

static enum code config_path_find(struct options *options, int argc, char **argv, struct err *err)
{
  const char *path = getenv("SLIPWAY_CONFIG");
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "--config") != 0) continue;
    if (i + 1 == argc) return fail(err, E_INVALID_ARGUMENT, "flag '--config' needs a file");
    path = argv[i + 1];
  }
  if (path && !slice_to_str(slice_str(path), options->config, sizeof options->config))
    return fail(err, E_INVALID_ARGUMENT, "the path after '--config' is too long");
  return OK;
}

/* Settings that are each right and cannot be meant together. */
static enum code options_agree(const struct options *options, struct err *err)
{
  static const struct {
    enum option_id least, most;
  } pairs[] = {{OPTION_body_max, OPTION_bodies_max},
               {OPTION_bodies_max, OPTION_memory_max},
               {OPTION_deadline, OPTION_deadline_max}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    const struct option_value *least = &options->values[pairs[i].least];
    const struct option_value *most = &options->values[pairs[i].most];
    bool said = least->source != SOURCE_DEFAULT || most->source != SOURCE_DEFAULT;
    if (said && most->number && least->number > most->number)
      return fail(err, E_BAD_CONFIG, "'%s' is %s and '%s' is %s: the first must fit in the second",
                  rows[pairs[i].least].name, least->text, rows[pairs[i].most].name, most->text);
  }
  if (option_number(options, OPTION_anonymous) && option_number(options, OPTION_keys_only))
    return fail(err, E_BAD_CONFIG, "'anonymous' and 'keys_only' say the opposite of each other");
  return OK;
}

enum code options_read(struct options *options, int argc, char **argv, struct err *err)
{
  memset(options, 0, sizeof *options);
  for (int i = 0; i < OPTION_COUNT_ALL; i++)
    if (option_say(options, (enum option_id)i, rows[i].fallback, SOURCE_DEFAULT, err))
      return err->code;
  if (config_path_find(options, argc, argv, err)) return err->code;
  if (options->config[0]) {
    struct arena arena;
    arena_init(&arena, 16 << 20, NULL);
    enum code code = file_apply(options, &arena, err);
    arena_deinit(&arena);
    if (code) return code;
  }
  if (environment_apply(options, err)) return err->code;
  if (flags_apply(options, argc, argv, err)) return err->code;
  return options_agree(options, err);
}

void options_take(struct options *options, const struct options *fresh)
{
  for (int i = 0; i < OPTION_COUNT_ALL; i++)
    if (rows[i].live) options->values[i] = fresh->values[i];
}

void options_changes_log(const struct options *old, const struct options *fresh)
{
  for (int i = 0; i < OPTION_COUNT_ALL; i++) {
    if (strcmp(old->values[i].text, fresh->values[i].text) == 0) continue;
    log_event(rows[i].live ? LOG_INFO : LOG_WARN,
              rows[i].live ? "setting_changed" : "setting_needs_restart", "setting", rows[i].name,
              NULL);
  }
}

int64_t option_number(const struct options *options, enum option_id id)
{
  return options->values[id].number;
}

const char *option_text(const struct options *options, enum option_id id)
{
  return options->values[id].text;
}

void options_print(const struct options *options, struct buf *to)
{
  for (int i = 0; i < OPTION_COUNT_ALL; i++) {
    const struct option_value *value = &options->values[i];
    buf_print(to, "%s: ", rows[i].name);
    bool secret = i == OPTION_webhook && value->text[0]; /* chats' URLs are keys */
    if (secret) buf_add(to, SLICE("\"***\""));
    else if (rows[i].kind == KIND_TEXT) buf_json(to, slice_str(value->text));
    else buf_add(to, slice_str(value->text));
    buf_print(to, "  # %s%s\n", sources[value->source], rows[i].live ? ", reread at SIGHUP" : "");
  }
}

void options_help(struct buf *to)
{
  for (int i = 0; i < OPTION_COUNT_ALL; i++) {
    char flag[40] = "--";
    for (size_t k = 0; rows[i].name[k] && k + 3 < sizeof flag; k++)
      flag[k + 2] = rows[i].name[k] == '_' ? '-' : rows[i].name[k];
    buf_print(to, "  %-32s %s [%s]%s\n", flag, rows[i].help,
              rows[i].fallback[0] ? rows[i].fallback : "-", rows[i].live ? " *" : "");
  }
}
