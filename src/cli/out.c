/* out.c - printing.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

enum { TABLE_BYTES_MAX = 64 << 20 };

/* ---- text ---- */

/* U+202A..202E and U+2066..2069 turn what follows them around. */
static bool turns_text(const char *at, size_t n)
{
  unsigned char a = (unsigned char)at[0], b = n == 3 ? (unsigned char)at[1] : 0;
  unsigned char c = n == 3 ? (unsigned char)at[2] : 0;
  return a == 0xe2 &&
         ((b == 0x80 && c >= 0xaa && c <= 0xae) || (b == 0x81 && c >= 0xa6 && c <= 0xa9));
}

/* C0, DEL, C1 and what is no UTF-8 could drive a terminal. */
static void text_tame(char *text)
{
  struct slice rest = slice_str(text);
  while (rest.len) {
    size_t n = utf8_len(rest);
    char *at = text + (rest.at - text);
    bool c1 = n == 2 && (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0;
    if (n == 0 || c1 || turns_text(at, n) || (unsigned char)*at < 0x20 || *at == 0x7f)
      for (size_t i = 0; i < (n ? n : 1); i++) at[i] = '?';
    rest = slice_from(rest, n ? n : 1);
  }
}

static size_t text_width(const char *text)
{
  size_t width = 0;
  for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
  return width;
}

void out_text(struct slice text)
{
  struct arena arena;
  arena_init(&arena, TABLE_BYTES_MAX, NULL);
  struct slice copy = arena_copy(&arena, text);
  if (copy.at) {
    text_tame((char *)(uintptr_t)copy.at);
    fwrite(copy.at, 1, copy.len, stdout);
  }
  arena_deinit(&arena);
}

void out_json(const json_t *value)
{
  json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
  putchar('\n');
}

bool out_is_terminal(void) { return isatty(STDOUT_FILENO) == 1; }

void out_state(const char *state)
{
  const char *colour = "";
  const char *wish = getenv("NO_COLOR");
  if (out_is_terminal() && !(wish && wish[0])) {
    if (strcmp(state, "READY") == 0) colour = "\033[32m";
    if (strcmp(state, "FAILED") == 0) colour = "\033[31m";
    if (strcmp(state, "LOADING") == 0) colour = "\033[33m";
  }
  printf("%s%s%s", colour, state, colour[0] ? "\033[0m" : "");
}

/* ---- numbers ---- */

const char *out_bytes(uint64_t bytes, char to[OUT_NUMBER_MAX])
{
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = (double)bytes;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) value /= 1024, unit++;
  snprintf(to, OUT_NUMBER_MAX, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return to;
}

const char *out_us(uint64_t us, char to[OUT_NUMBER_MAX])
{
  if (us < 1000)
    snprintf(to, OUT_NUMBER_MAX, "%u us", (unsigned)us);
  else if (us < 1000000)
    snprintf(to, OUT_NUMBER_MAX, "%.1f ms", (double)us / 1e3);
  else
    snprintf(to, OUT_NUMBER_MAX, "%.1f s", (double)us / 1e6);
  return to;
}

const char *out_seconds(uint64_t seconds, char to[OUT_NUMBER_MAX])
{
  unsigned long long s = seconds;
  if (s < 60)
    snprintf(to, OUT_NUMBER_MAX, "%llu s", s);
  else if (s < 3600)
    snprintf(to, OUT_NUMBER_MAX, "%llu min", s / 60);
  else if (s < 86400)
    snprintf(to, OUT_NUMBER_MAX, "%llu h %llu min", s / 3600, s % 3600 / 60);
  else
    snprintf(to, OUT_NUMBER_MAX, "%llu d %llu h", s / 86400, s % 86400 / 3600);
  return to;
}

const char *out_time(const json_t *iso, char to[OUT_NUMBER_MAX])
{
  const char *text = json_string_value(iso);
  if (!text || strlen(text) < 19)
    snprintf(to, OUT_NUMBER_MAX, "-");
  else {
    snprintf(to, OUT_NUMBER_MAX, "%.19s", text);
    to[10] = ' ';
  }
  return to;
}

/* ---- JSON ---- */

const char *get_str(const json_t *object, const char *key)
{
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

const char *get_who(const json_t *event)
{
  const char *who = get_str(event, "who"), *person = get_str(event, "person");
  if (strcmp(who, "slipway") == 0 || !person[0]) return who; /* it names whose release it was */
  return person;
}

uint64_t get_u64(const json_t *object, const char *key)
{
  json_int_t value = json_integer_value(json_object_get(object, key));
  return value > 0 ? (uint64_t)value : 0;
}

/* ---- tables ---- */

void table_init(struct table *table, const char *const *heads)
{
  *table = (struct table){.cap = 64};
  arena_init(&table->arena, TABLE_BYTES_MAX, NULL);
  table->cells = arena_get(&table->arena, table->cap * sizeof *table->cells);
  must(table->cells != NULL);
  for (; heads[table->n_columns]; table->n_columns++) {
    const char *head = heads[table->n_columns];
    must(table->n_columns < OUT_COLUMNS_MAX);
    table->right[table->n_columns] = head[0] == '>';
    table->heads[table->n_columns] = head + (head[0] == '>');
  }
}

void table_deinit(struct table *table) { arena_deinit(&table->arena); }

static void cell_put(struct table *table, const char *text)
{
  struct slice copy = arena_copy(&table->arena, slice_str(text));
  if (table->n_cells == table->cap) {
    size_t bytes = table->cap * sizeof *table->cells;
    table->cells = arena_grow(&table->arena, table->cells, bytes, 2 * bytes);
    table->cap *= 2;
  }
  must(copy.at != NULL && table->cells != NULL); /* answers are capped far below */
  text_tame((char *)(uintptr_t)copy.at);
  table->cells[table->n_cells++] = copy.at;
}

void table_add(struct table *table, const char *fmt, ...)
{
  char text[2048];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  cell_put(table, text);
}

void table_add_json(struct table *table, const json_t *value)
{
  if (json_is_string(value))
    cell_put(table, json_string_value(value));
  else if (json_is_integer(value))
    table_add(table, "%lld", (long long)json_integer_value(value));
  else if (json_is_real(value))
    table_add(table, "%.6g", json_real_value(value));
  else if (json_is_boolean(value))
    cell_put(table, json_is_true(value) ? "yes" : "no");
  else
    cell_put(table, "-");
}

enum { WRAP_LEAST = 26 }; /* no column is made narrower than this */

/* Columns that fit: COLUMNS, else the terminal's; without one lines stay whole, for grep. */
static size_t line_width(void)
{
  const char *wish = getenv("COLUMNS");
  long columns = wish ? strtol(wish, NULL, 10) : 0;
  struct winsize size;
  if (columns > 0) return (size_t)columns;
  if (out_is_terminal() && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return SIZE_MAX;
}

/* Takes from the widest columns of text what the line has too much. */
static void widths_fit(const struct table *table, size_t *widths)
{
  size_t limit = line_width(), all = 2 * (size_t)(table->n_columns - 1);
  for (uint32_t c = 0; c < table->n_columns; c++) all += widths[c];
  while (all > limit) {
    uint32_t widest = 0;
    for (uint32_t c = 0; c < table->n_columns; c++)
      if (!table->right[c] && (table->right[widest] || widths[c] > widths[widest])) widest = c;
    if (table->right[widest] || widths[widest] <= WRAP_LEAST) return;
    widths[widest]--, all--;
  }
}

/* Bytes of text that go on a line this wide: whole words where there are any. */
static size_t fitting(const char *text, size_t width)
{
  size_t at = 0, columns = 0, space = 0;
  for (; text[at]; at++) {
    bool begins = ((unsigned char)text[at] & 0xc0) != 0x80;
    if (begins && columns == width) break;
    if (begins) columns++;
    if (text[at] == ' ') space = at;
  }
  return text[at] && text[at] != ' ' && space ? space : at;
}

/* On one line of its column. */
static void cell_print(const struct table *table, uint32_t column, struct slice text,
                       const size_t *widths)
{
  size_t width = 0;
  char state[64];
  bool last = column + 1 == table->n_columns;
  for (size_t i = 0; i < text.len; i++) width += ((unsigned char)text.at[i] & 0xc0) != 0x80;
  int pad = (int)(widths[column] - width);
  if (table->right[column]) printf("%*s", pad, "");
  if (strcmp(table->heads[column], "STATE") == 0 && slice_to_str(text, state, sizeof state))
    out_state(state);
  else
    fwrite(text.at, 1, text.len, stdout);
  if (!table->right[column] && !last) printf("%*s", pad, "");
  fputs(last ? "\n" : "  ", stdout);
}

/* A row, on as many lines as its longest cell needs. */
static void row_print(const struct table *table, const char *const *cells, const size_t *widths)
{
  const char *rest[OUT_COLUMNS_MAX];
  bool more = true;
  for (uint32_t c = 0; c < table->n_columns; c++) rest[c] = cells[c];
  while (more) {
    more = false;
    for (uint32_t c = 0; c < table->n_columns; c++) {
      size_t n = fitting(rest[c], widths[c]);
      cell_print(table, c, slice_of(rest[c], n), widths);
      rest[c] += n;
      while (n && *rest[c] == ' ') rest[c]++;
      more = more || *rest[c];
    }
  }
}

void table_print(const struct table *table)
{
  size_t widths[OUT_COLUMNS_MAX] = {0};
  uint32_t n = table->n_columns;
  must(table->n_cells % n == 0);
  for (uint32_t c = 0; c < n; c++) widths[c] = text_width(table->heads[c]);
  for (size_t i = 0; i < table->n_cells; i++) {
    size_t width = text_width(table->cells[i]);
    if (width > widths[i % n]) widths[i % n] = width;
  }
  widths_fit(table, widths);
  row_print(table, table->heads, widths);
  for (size_t i = 0; i < table->n_cells; i += n) row_print(table, table->cells + i, widths);
}
