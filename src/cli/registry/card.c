/* card.c - flags to members of a patch.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/registry/card.h"

#include "base/text.h"

static bool member_set(json_t *body, const char *key, struct slice text)
{
  return json_object_set_new(body, key, text.len ? json_stringn(text.at, text.len) : json_null()) ==
         0;
}

/* "team=fraud,tier=". Values hold no comma; the API takes any. */
static enum code tags_read(const char *list, json_t *body, struct err *err)
{
  json_t *tags = json_object();
  struct slice rest = slice_str(list);
  json_object_set_new(body, "tags", tags);
  while (rest.len) {
    const char *comma = memchr(rest.at, ',', rest.len);
    struct slice one = slice_of(rest.at, comma ? (size_t)(comma - rest.at) : rest.len);
    const char *is = one.len ? memchr(one.at, '=', one.len) : NULL;
    char key[160];
    rest = slice_from(rest, comma ? one.len + 1 : one.len);
    if (!is || is == one.at || !slice_to_str(slice_of(one.at, (size_t)(is - one.at)), key, 160))
      return fail(err, E_INVALID_ARGUMENT, "'%.64s' is no list of tags like team=fraud,tier=1",
                  list);
    if (!member_set(tags, key, slice_from(one, (size_t)(is + 1 - one.at))))
      return fail(err, E_INVALID_ARGUMENT, "a tag is not UTF-8");
  }
  return OK;
}

enum code card_flags(const struct args *args, bool lineage, json_t *body, struct err *err)
{
  static const char *const names[] = {"description", "run", "data"};
  uint64_t parent;
  for (size_t i = 0; i < (lineage ? 3 : 1); i++) {
    const char *text = args_text(args, names[i]);
    if (text && !member_set(body, names[i], slice_str(text)))
      return fail(err, E_INVALID_ARGUMENT, "--%s is not UTF-8", names[i]);
  }
  const char *tags = args_text(args, "tags"), *from = lineage ? args_text(args, "parent") : NULL;
  if (tags && tags_read(tags, body, err)) return err->code;
  if (!from) return OK;
  if (from[0] && !text_read_u64(slice_str(from), UINT32_MAX, &parent))
    return fail(err, E_INVALID_ARGUMENT, "'%.32s' is not the number of a version", from);
  json_object_set_new(body, "parent", from[0] ? json_integer((json_int_t)parent) : json_null());
  return OK;
}
