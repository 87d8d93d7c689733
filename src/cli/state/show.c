/* show.c - a plan as lines: + what is made, ~ what changes, - what goes.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "cli/state/state.h"

enum { TEXT_SHOWN = 60, DIGEST_SHOWN = 12 };

static void text_print(const json_t *value)
{
  struct slice text = slice_of(json_string_value(value), json_string_length(value));
  bool cut = text.len > TEXT_SHOWN;
  while (cut && text.len > TEXT_SHOWN - 3) text.len--;
  while (cut && text.len && ((unsigned char)text.at[text.len] & 0xc0) == 0x80) text.len--;
  out_text(text);
  if (cut) printf("...");
}

static void values_print(const json_t *change)
{
  const json_t *from = json_object_get(change, "from"), *to = json_object_get(change, "to");
  printf(": ");
  if (json_is_string(from)) text_print(from);
  if (json_is_string(from) && json_is_string(to)) printf(" -> ");
  if (json_is_string(to)) text_print(to);
}

static void change_print(const json_t *change)
{
  const char *what = get_str(change, "what"), *model = get_str(change, "model");
  const char *name = get_str(change, "name");
  char bytes[OUT_NUMBER_MAX];
  if (strcmp(what, "model") == 0 || strcmp(what, "tenant") == 0) {
    printf("%s ", what);
    out_text(slice_str(*model ? model : name));
    return;
  }
  if (*model) {
    out_text(slice_str(model));
    putchar(' ');
  }
  if (strcmp(what, "version") == 0) {
    printf("version %s: %s, digest %.*s", name, out_bytes(get_u64(change, "bytes"), bytes),
           DIGEST_SHOWN, get_str(change, "to"));
    return;
  }
  bool deploy = strcmp(what, "deploy") == 0;
  printf("%s", deploy ? "serves version" : strcmp(what, "release") == 0 ? "is released" : what);
  if (*name) {
    putchar(' ');
    out_text(slice_str(name));
  }
  values_print(change);
}

size_t changes_print(const json_t *plan)
{
  const json_t *change;
  const char *wish = getenv("NO_COLOR");
  bool colours = out_is_terminal() && !(wish && wish[0]);
  size_t i, n = 0;
  printf("tenant ");
  out_text(slice_str(get_str(plan, "tenant")));
  putchar('\n');
  json_array_foreach(json_object_get(plan, "changes"), i, change)
  {
    char op = get_str(change, "op")[0];
    const char *colour = op == '+' ? "\033[32m" : op == '-' ? "\033[31m" : "\033[33m";
    printf("  %s%c ", colours ? colour : "", op);
    change_print(change);
    printf("%s\n", colours ? "\033[0m" : "");
    n++;
  }
  if (!n) printf("  as declared\n");
  return n;
}
