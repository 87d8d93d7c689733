/* yaml_fuzz.c - any bytes as a configuration: a tree whose every value reads or complains.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>

#include "wire/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void node_read(const struct yaml *node)
{
  static const char *const words[] = {"listen", "off", NULL};
  struct err err = {0};
  struct slice text;
  bool yes;
  int64_t i = 0, us = 0;
  uint64_t bytes = 0;
  double number = 0;
  int word;
  must(node->line > 0 && node->column > 0);
  if (yaml_int(node, -5, 1000, &i, &err) == OK) must(i >= -5 && i <= 1000);
  if (yaml_duration(node, 0, 1000000, &us, &err) == OK) must(us >= 0 && us <= 1000000);
  if (yaml_bytes(node, 0, 1 << 20, &bytes, &err) == OK) must(bytes <= 1 << 20);
  if (yaml_number(node, 0, 1, &number, &err) == OK) must(number >= 0 && number <= 1);
  (void)!yaml_string(node, &text, &err);
  (void)!yaml_bool(node, &yes, &err);
  (void)!yaml_word(node, words, &word, &err);
  (void)!yaml_keys_check(node, words, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct arena arena;
  struct err err = {0};
  const struct yaml *root, *node;
  arena_init(&arena, 16 << 20, NULL);
  if (yaml_parse(slice_of((const char *)data, size), &arena, &root, &err)) {
    must(err.code == E_BAD_CONFIG && slice_starts(slice_str(err.text), SLICE("line ")));
    must(root == NULL);
  } else {
    uint32_t depth = 1;
    for (node = root; node;) { /* depth first, without recursion */
      node_read(node);
      must(depth <= YAML_DEPTH_MAX + 1);
      if (node->first) {
        node = node->first, depth++;
        continue;
      }
      while (node && !node->next) node = node->parent, depth--;
      if (node) node = node->next;
    }
  }
  arena_deinit(&arena);
  return 0;
}
