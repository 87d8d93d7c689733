/* yaml.h - small configuration documents as a read-only tree; every complaint has line and column.
 * Thread: any. Nodes and texts lie in the arena; libyaml's scanner has buffers of its own (heap),
 * so this is for boot, the CLI and desks, never for the request path.
 *
 * Less than YAML, on purpose: one document, at most 1 MiB, 16 deep, 16,384 nodes; maps, lists and
 * scalars only. No anchors, aliases, tags, merge keys or directives; a key twice in one map, a
 * BOM, a tab as indentation, a byte that is not UTF-8 are errors. Only `true` and `false` are
 * booleans (not yes, on). A missing value, `~` and `null` are the null node. Quoted scalars are
 * strings and nothing else.
 * Errors: E_BAD_CONFIG, text "line 3, column 7: ...", err->field the dotted key where known.
 * Source: YAML 1.1 through libyaml 0.2.5; the robustness rules CF-101, CF-103.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_YAML_H
#define WIRE_YAML_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum { YAML_BYTES_MAX = 1 << 20, YAML_DEPTH_MAX = 16, YAML_NODES_MAX = 16384 };

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
  enum yaml_kind kind;
  bool quoted;             /* a scalar in quotes or a block scalar */
  uint32_t line, column;   /* of the value, from 1 */
  uint32_t key_line, key_column; /* of the key, when in a map */
  struct slice key;        /* in a map: this member's key */
  struct slice text;       /* scalar: its value */
  const struct yaml *first; /* map, list: members in document order, linked by next */
  const struct yaml *next;
  const struct yaml *parent;
  uint32_t n;              /* members */
};

/* The tree of one document. An empty document (or only comments) is an error: CF-101. */
CHECKED enum code yaml_parse(struct slice text, struct arena *arena, const struct yaml **root,
                             struct err *err);

/* The member of a map with this key; NULL when absent or when map is NULL or no map. A null member
 * counts as present. */
const struct yaml *yaml_get(const struct yaml *map, const char *key);
/* The same along "a.b.c". */
const struct yaml *yaml_path(const struct yaml *map, const char *dotted);

/* Fails on a member of map whose key is not in `allowed` (NULL-terminated), naming it, its place
 * and the nearest allowed key. map must be a map (or NULL: OK). */
CHECKED enum code yaml_keys_check(const struct yaml *map, const char *const *allowed,
                                  struct err *err);

/* Typed reading. A NULL or null node leaves *to as it is (its default) and is OK. */
CHECKED enum code yaml_string(const struct yaml *node, struct slice *to, struct err *err);
CHECKED enum code yaml_bool(const struct yaml *node, bool *to, struct err *err);
/* Decimal digits with an optional '-'; nothing else (no 1e3, 10x, 0x10, 1_000). */
CHECKED enum code yaml_int(const struct yaml *node, int64_t min, int64_t max, int64_t *to,
                           struct err *err);
/* A finite decimal number. */
CHECKED enum code yaml_number(const struct yaml *node, double min, double max, double *to,
                              struct err *err);
/* Whole number and unit: us, ms, s, m, h, d ("500ms", "10m"); to microseconds. A bare 0 is fine. */
CHECKED enum code yaml_duration(const struct yaml *node, int64_t min_us, int64_t max_us,
                                int64_t *to_us, struct err *err);
/* Whole number and unit: none or B, KiB, MiB, GiB, TiB ("64MiB"). */
CHECKED enum code yaml_bytes(const struct yaml *node, uint64_t min, uint64_t max, uint64_t *to,
                             struct err *err);
/* One of the words (NULL-terminated); *to is its index. */
CHECKED enum code yaml_word(const struct yaml *node, const char *const *words, int *to,
                            struct err *err);

/* E_BAD_CONFIG at the node's place: "line 3, column 7: 'serve.listen' ...". */
enum code yaml_fail(struct err *err, const struct yaml *node, const char *fmt, ...) PRINTF(3, 4);

/* The text readers behind yaml_duration and yaml_bytes, for options and environment variables. */
bool yaml_duration_read(struct slice text, int64_t *us);
bool yaml_bytes_read(struct slice text, uint64_t *bytes);

#endif
