/* edit.c - files in, changed files out.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "flag/edit.h"

/* Checks a tree as a whole file and writes it down. */
static enum code file_out(const struct value *file, struct arena *scratch, struct arena *arena,
                          struct slice *to, struct err *err)
{
  struct flags flags;
  struct json_out out;
  if (flags_make(file, scratch, &flags, err) || flags_check(&flags, err)) return err->code;
  json_out_init(&out, scratch, 64 << 10);
  value_write(&out, file);
  if (out.len > FLAG_FILE_MAX)
    return fail(err, E_LIMIT_EXCEEDED, "the flag file has %zu bytes, at most %d are kept", out.len,
                FLAG_FILE_MAX);
  *to = arena_copy(arena, json_out_lend(&out));
  if (out.full || !to->at) return fail(err, E_OUT_OF_MEMORY, "the flags take too much memory");
  return OK;
}

static bool member_set(struct value *map, struct slice key, const struct value *member,
                       struct arena *arena)
{
  struct value_list list = {0};
  struct value copy;
  bool there = false, fits = true;
  for (const struct value *old = map->first; old && fits; old = old->next) {
    bool this_one = slice_eq(old->key, key);
    there = there || this_one;
    if (this_one && !member) continue;
    copy = this_one ? *member : *old;
    copy.key = old->key;
    fits = value_list_add(&list, arena, &copy);
  }
  if (fits && !there && member) {
    copy = *member;
    copy.key = key;
    fits = value_list_add(&list, arena, &copy);
  }
  map->first = list.first;
  map->n = list.n;
  return fits;
}

static enum code not_found(struct slice key, struct err *err)
{
  return fail(err, E_NOT_FOUND, "there is no flag '%.*s'; 'slipway flag list' shows all",
              SLICE_ARG(key));
}

/* The file, and the flags in it; a file that is not there yet has none. */
static enum code file_in(struct slice file, struct arena *scratch, struct value *tree,
                         struct value *flags, struct err *err)
{
  if (!file.len) file = SLICE("{\"flags\":{}}");
  if (value_read(file, VALUE_AS_WRITTEN, scratch, tree, err)) return err->code;
  const struct value *had = value_get(tree, SLICE("flags"));
  *flags = had ? *had : (struct value){.kind = VALUE_MAP};
  return OK;
}

/* With the flag replaced, added, or (flag NULL) left out. */
static enum code file_with(struct value *tree, struct value *flags, struct slice key,
                           const struct value *flag, struct arena *scratch, struct arena *arena,
                           struct slice *to, struct err *err)
{
  if (member_set(flags, key, flag, scratch) && member_set(tree, SLICE("flags"), flags, scratch))
    return file_out(tree, scratch, arena, to, err);
  return fail(err, E_OUT_OF_MEMORY, "the flags take too much memory");
}

enum code flags_put(struct slice file, struct slice key, struct slice definition,
                    struct arena *arena, struct slice *to, struct err *err)
{
  struct arena scratch;
  struct value tree, flags, flag;
  arena_init(&scratch, FLAG_MEMORY_MAX, NULL);
  enum code code = file_in(file, &scratch, &tree, &flags, err);
  if (!code) code = value_read(definition, VALUE_AS_WRITTEN, &scratch, &flag, err);
  if (!code) code = file_with(&tree, &flags, key, &flag, &scratch, arena, to, err);
  arena_deinit(&scratch);
  return code;
}

enum code flags_drop(struct slice file, struct slice key, struct arena *arena, struct slice *to,
                     struct err *err)
{
  struct arena scratch;
  struct value tree, flags;
  arena_init(&scratch, FLAG_MEMORY_MAX, NULL);
  enum code code = file_in(file, &scratch, &tree, &flags, err);
  if (!code && !value_get(&flags, key)) code = not_found(key, err);
  if (!code) code = file_with(&tree, &flags, key, NULL, &scratch, arena, to, err);
  arena_deinit(&scratch);
  return code;
}

enum code flags_disable(struct slice file, struct slice key, struct arena *arena, struct slice *to,
                        struct err *err)
{
  struct arena scratch;
  struct value tree, flags, off = value_of_text(SLICE("DISABLED"));
  arena_init(&scratch, FLAG_MEMORY_MAX, NULL);
  enum code code = file_in(file, &scratch, &tree, &flags, err);
  const struct value *had = code ? NULL : value_get(&flags, key);
  if (!code && !had) code = not_found(key, err);
  if (!code) {
    struct value flag = *had;
    if (!member_set(&flag, SLICE("state"), &off, &scratch))
      code = fail(err, E_OUT_OF_MEMORY, "the flags take too much memory");
    else
      code = file_with(&tree, &flags, key, &flag, &scratch, arena, to, err);
  }
  arena_deinit(&scratch);
  return code;
}

enum code flags_take(struct slice text, bool yaml, struct arena *arena, struct slice *to,
                     struct err *err)
{
  struct arena scratch;
  struct value tree = VALUE_OF_NULL;
  arena_init(&scratch, FLAG_MEMORY_MAX, NULL);
  enum code code = yaml ? value_read_yaml(text, &scratch, &tree, err)
                        : value_read(text, VALUE_AS_WRITTEN, &scratch, &tree, err);
  if (!code) code = file_out(&tree, &scratch, arena, to, err);
  arena_deinit(&scratch);
  return code;
}
