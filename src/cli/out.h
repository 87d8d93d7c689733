/* out.h - what commands print: tables, sizes, times; never a control byte of somebody else's.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <jansson.h>

#include "base/arena.h"

enum { OUT_COLUMNS_MAX = 12 };

/* Cells are kept until the table is printed; each column is as wide as its widest cell. */
struct table {
  struct arena arena;
  const char **cells; /* in the arena */
  size_t n_cells, cap;
  uint32_t n_columns;
  const char *heads[OUT_COLUMNS_MAX];
  bool right[OUT_COLUMNS_MAX];
};

/* Heads beginning with '>' are of columns set flush right. The list ends with NULL. */
void table_init(struct table *table, const char *const *heads);
void table_deinit(struct table *table);
/* The next cell, row by row. Control bytes become '?'. */
void table_add(struct table *table, const char *fmt, ...) PRINTF(2, 3);
/* A JSON value as a cell: strings as they are, null as "-". */
void table_add_json(struct table *table, const json_t *value);
/* Folds the widest columns of text so that a line fits COLUMNS, else the terminal. */
void table_print(const struct table *table);

/* Text of a server or a person, control bytes replaced by '?'. */
void out_text(struct slice text);
/* A whole JSON value on one line. */
void out_json(const json_t *value);

enum { OUT_NUMBER_MAX = 32 };
/* "1.2 MiB", "340 us", "3 h 12 min"; each returns `to`. */
const char *out_bytes(uint64_t bytes, char to[OUT_NUMBER_MAX]);
const char *out_us(uint64_t us, char to[OUT_NUMBER_MAX]);
const char *out_seconds(uint64_t seconds, char to[OUT_NUMBER_MAX]);
/* "2026-01-31 23:59:59" of an ISO time; "-" for others. */
const char *out_time(const json_t *iso, char to[OUT_NUMBER_MAX]);

/* A state in its colour where stdout is a terminal that wants any (NO_COLOR). */
void out_state(const char *state);
bool out_is_terminal(void);

/* Members of objects; "" and 0 where there is none. */
const char *get_str(const json_t *object, const char *key);
uint64_t get_u64(const json_t *object, const char *key);
/* Who did it: the person whose key it was, where an event names one; else what "who" says. */
const char *get_who(const json_t *event);

#endif
