/* card.c - a card and a patch make the next card.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "control/registry/card.h"

#include "base/text.h"
#include "flag/value.h"


enum member_kind { MEMBER_TEXT, MEMBER_NUMBER, MEMBER_TAGS };

/* In byte order: the order of a card. */
static const struct member {
  const char *name;
  enum member_kind kind;
  size_t bytes_max;
  enum { OF_BOTH, OF_MODELS, OF_VERSIONS } of;
} members[] = {
    {"data", MEMBER_TEXT, CARD_LINE_MAX, OF_VERSIONS},
    {"description", MEMBER_TEXT, CARD_TEXT_MAX, OF_BOTH},
    {"hold", MEMBER_TEXT, CARD_LINE_MAX, OF_BOTH},
    {"parent", MEMBER_NUMBER, 0, OF_VERSIONS},
    {"pin", MEMBER_TEXT, CARD_LINE_MAX, OF_MODELS},
    {"run", MEMBER_TEXT, CARD_LINE_MAX, OF_VERSIONS},
    {"tags", MEMBER_TAGS, 0, OF_BOTH},
};
enum { MEMBERS = sizeof members / sizeof *members };

static enum code wrong(const struct member *member, enum code code, const char *what,
                       struct err *err)
{
  fail(err, code, "member '%s' is not %s", member->name, what);
  return fail_at(err, "%s", member->name);
}

static const struct member *member_named(struct slice name, enum card_of of)
{
  const int other = of == CARD_OF_VERSION ? OF_MODELS : OF_VERSIONS;
  for (size_t i = 0; i < MEMBERS; i++)
    if (slice_eq(name, slice_str(members[i].name)))
      return (int)members[i].of == other ? NULL : &members[i];
  return NULL;
}

static enum code tag_check(const struct value *tag, struct err *err)
{
  if (!tag->key.len || tag->key.len > TAG_KEY_MAX)
    fail(err, E_INVALID_ARGUMENT, "the name of a tag has 1 to %d bytes, not %zu", TAG_KEY_MAX,
         tag->key.len);
  else if (tag->kind != VALUE_STRING && tag->kind != VALUE_NULL)
    fail(err, E_WRONG_TYPE, "tag '%.*s' is not a string", SLICE_ARG(tag->key));
  else if (tag->text.len > TAG_VALUE_MAX)
    fail(err, E_INVALID_ARGUMENT, "tag '%.*s' has %zu bytes, at most %d are kept",
         SLICE_ARG(tag->key), tag->text.len, TAG_VALUE_MAX);
  else
    return OK;
  return fail_at(err, "tags");
}

static enum code member_check(const struct member *member, const struct value *value,
                              struct err *err)
{
  uint64_t number;
  if (value->kind == VALUE_NULL) return OK;
  if (member->kind == MEMBER_TEXT) {
    if (value->kind != VALUE_STRING) return wrong(member, E_WRONG_TYPE, "a string", err);
    if (value->text.len <= member->bytes_max) return OK;
    fail(err, E_INVALID_ARGUMENT, "member '%s' has %zu bytes, at most %zu are kept", member->name,
         value->text.len, member->bytes_max);
    return fail_at(err, "%s", member->name);
  }
  if (member->kind == MEMBER_NUMBER) {
    if (value->kind != VALUE_NUMBER) return wrong(member, E_WRONG_TYPE, "a number", err);
    if (text_read_u64(value->text, UINT32_MAX, &number) && number) return OK;
    return wrong(member, E_VALUE_OUT_OF_RANGE, "the number of a version", err);
  }
  if (value->kind != VALUE_MAP) return wrong(member, E_WRONG_TYPE, "an object of tags", err);
  for (const struct value *tag = value->first; tag; tag = tag->next)
    if (tag_check(tag, err)) return err->code;
  return OK;
}

static enum code patch_check(const struct value *patch, enum card_of of, struct err *err)
{
  if (patch->kind != VALUE_MAP) return fail(err, E_WRONG_TYPE, "the body is not a JSON object");
  for (const struct value *value = patch->first; value; value = value->next) {
    const struct member *member = member_named(value->key, of);
    if (!member) {
      fail(err, E_INVALID_ARGUMENT, "there is no member '%.*s' in this request",
           SLICE_ARG(value->key));
      return fail_at(err, "%.*s", SLICE_ARG(value->key));
    }
    if (member_check(member, value, err)) return err->code;
  }
  return OK;
}

/* Both in byte order: merged as one goes. Returns how many are left. */
static uint32_t tags_write(struct json_out *out, const struct value *old, const struct value *patch)
{
  const struct value *a = old ? old->first : NULL, *b = patch ? patch->first : NULL;
  uint32_t n = 0;
  while (a || b) {
    int order = !a ? 1 : !b ? -1 : slice_order(a->key, b->key);
    const struct value *tag = order < 0 ? a : b;
    if (order <= 0) a = a->next;
    if (order >= 0) b = b->next;
    if (tag->kind != VALUE_STRING) continue;
    if (n++ == 0) {
      json_out_key(out, "tags");
      json_out_open(out, '{');
    }
    json_out_key_of(out, tag->key);
    json_out_str(out, tag->text);
  }
  if (n) json_out_close(out, '}');
  return n;
}

static const struct value *value_of(const struct value *card, const struct value *patch,
                                const char *name)
{
  const struct value *value = value_get(patch, slice_str(name));
  if (!value) value = value_get(card, slice_str(name));
  bool empty = !value || value->kind == VALUE_NULL ||
               (value->kind == VALUE_STRING && value->text.len == 0);
  return empty ? NULL : value;
}

static enum code card_write(const struct value *card, const struct value *patch,
                            struct json_out *out, struct err *err)
{
  uint32_t n_tags = 0, n = 0;
  json_out_open(out, '{');
  for (size_t i = 0; i < MEMBERS; i++) {
    const struct value *value = value_of(card, patch, members[i].name);
    if (members[i].kind == MEMBER_TAGS) {
      const struct value *change = value_get(patch, SLICE("tags"));
      bool gone = change && change->kind == VALUE_NULL;
      n_tags = tags_write(out, gone ? NULL : value_get(card, SLICE("tags")), gone ? NULL : change);
      n += n_tags > 0;
    } else if (value) {
      json_out_key(out, members[i].name);
      value_write(out, value);
      n++;
    }
  }
  json_out_close(out, '}');
  if (!n) out->len = 0;
  if (out->full) return fail(err, E_OUT_OF_MEMORY, "the card takes too much memory");
  if (n_tags > TAGS_MAX) {
    fail(err, E_LIMIT_EXCEEDED, "there would be %u tags, at most %d are kept", n_tags, TAGS_MAX);
    return fail_at(err, "tags");
  }
  if (out->len <= CARD_BYTES_MAX) return OK;
  return fail(err, E_LIMIT_EXCEEDED, "description and tags have %zu bytes, at most %d are kept",
              out->len, CARD_BYTES_MAX);
}

static struct slice text_of(const struct value *card, const struct value *patch, const char *name)
{
  const struct value *value = value_of(card, patch, name);
  return value ? value->text : SLICE_NONE;
}

enum code card_patch(struct slice card, struct slice patch, enum card_of of, struct arena *arena,
                     struct slice *to, struct card_said *said, struct err *err)
{
  struct value old = VALUE_OF_NULL, change;
  struct json_out out;
  uint64_t number = 0;
  *to = SLICE_NONE;
  *said = (struct card_said){0};
  if ((card.len && value_read(card, VALUE_SORTED, arena, &old, err)) ||
      value_read(patch, VALUE_SORTED, arena, &change, err) || patch_check(&change, of, err))
    return err->code;
  if (text_read_u64(text_of(&old, &change, "parent"), UINT32_MAX, &number))
    said->parent = (uint32_t)number;
  said->hold = text_of(&old, &change, "hold");
  said->pin = text_of(&old, &change, "pin");
  json_out_init(&out, arena, 512);
  if (card_write(&old, &change, &out, err)) return err->code;
  if (out.len) *to = json_out_lend(&out);
  return OK;
}
