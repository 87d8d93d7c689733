/* notation.c - schemas from the short notation of schema_int.h.
 * Thread: desk.
 * The reader goes down by recursion: into our own constants, which are at most a few levels deep.
 * SPDX-License-Identifier: MIT */
#include "api/schema/schema_int.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct reader {
  const char *at;
};

static json_t *type_read(struct reader *in);

static void blanks(struct reader *in)
{
  while (*in->at == ' ') in->at++;
}

static bool takes(struct reader *in, const char *text)
{
  blanks(in);
  size_t n = strlen(text);
  if (strncmp(in->at, text, n) != 0) return false;
  in->at += n;
  return true;
}

static size_t word_len(const char *at)
{
  size_t n = 0;
  while (isalnum((unsigned char)at[n]) || at[n] == '_' || at[n] == '-' || at[n] == '$') n++;
  return n;
}

/* "1..5", "..64", "0..": what is missing is not said. Numbers may have a point. */
static void bounds_read(struct reader *in, const char *end, json_t *to, const char *least,
                        const char *most)
{
  char *next;
  blanks(in);
  for (int i = 0; i < 2; i++) {
    const char *key = i ? most : least;
    if (*in->at == '-' || isdigit((unsigned char)*in->at)) {
      json_int_t whole = strtoll(in->at, &next, 10);
      if (next[0] == '.' && next[1] != '.')
        json_object_set_new(to, key, json_real(strtod(in->at, &next)));
      else
        json_object_set_new(to, key, json_integer(whole));
      in->at = next;
    }
    if (!i) must(takes(in, ".."));
  }
  must(takes(in, end));
}

/* ---- bases ---- */

static const struct base {
  const char *name, *json, *least, *most;
} bases[] = {
    {"text", "{\"type\":\"string\"}", "minLength", "maxLength"},
    {"int", "{\"type\":\"integer\"}", "minimum", "maximum"},
    {"number", "{\"type\":\"number\"}", "minimum", "maximum"},
    {"above", "{\"type\":\"number\"}", "exclusiveMinimum", "maximum"},
    {"bool", "{\"type\":\"boolean\"}", NULL, NULL},
    {"null", "{\"type\":\"null\"}", NULL, NULL},
    {"time", "{\"type\":\"string\",\"format\":\"date-time\"}", NULL, NULL},
    {"uri", "{\"type\":\"string\",\"format\":\"uri-reference\"}", NULL, NULL},
    {"bytes", "{\"type\":\"string\",\"format\":\"binary\"}", NULL, NULL},
    {"yes", "{\"enum\":[true]}", NULL, NULL},
    {"object", "{\"type\":\"object\"}", "minProperties", "maxProperties"},
    {"any", "{}", NULL, NULL},
};

static json_t *literal(const char *json)
{
  json_error_t error;
  json_t *tree = json_loads(json, 0, &error);
  must(tree != NULL);
  return tree;
}

static json_t *name_read(struct reader *in)
{
  size_t n = word_len(in->at);
  must(n > 0);
  const char *word = in->at;
  in->at += n;
  for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
    if (strlen(bases[i].name) != n || memcmp(bases[i].name, word, n) != 0) continue;
    json_t *tree = literal(bases[i].json);
    if (bases[i].least && takes(in, "(")) bounds_read(in, ")", tree, bases[i].least, bases[i].most);
    return tree;
  }
  return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%.*s", (int)n, word));
}

/* 'this' */
static json_t *text_read(struct reader *in)
{
  const char *end = strchr(in->at, '\'');
  must(end != NULL);
  json_t *tree = json_pack("{s[s%]}", "enum", in->at, (size_t)(end - in->at));
  in->at = end + 1;
  return tree;
}

/* ---- objects ---- */

static void members_read(struct reader *in,
                         void (*fn)(void *arg, const char *name, bool required, json_t *schema),
                         void *arg)
{
  char name[64];
  do {
    blanks(in);
    if (*in->at == '.' || *in->at == '*') return;
    if (takes(in, "+")) {
      size_t len = word_len(in->at);
      struct reader other = {schema_type_notation(in->at, len)};
      in->at += len;
      must(takes(&other, "{"));
      members_read(&other, fn, arg);
      continue;
    }
    size_t n = word_len(in->at);
    must(n > 0 && n < sizeof name);
    memcpy(name, in->at, n);
    name[n] = '\0';
    in->at += n;
    bool required = !takes(in, "?");
    must(takes(in, ":"));
    fn(arg, name, required, type_read(in));
  } while (takes(in, ","));
}

/* What is said later holds: of a spread type's members one may be said anew. */
static void member_add(void *arg, const char *name, bool required, json_t *schema)
{
  json_t *tree = arg, *properties = json_object_get(tree, "properties");
  json_object_set_new(properties, name, schema);
  if (!required) return;
  json_t *list = json_object_get(tree, "required"), *one;
  size_t i;
  json_array_foreach(list, i, one) if (strcmp(json_string_value(one), name) == 0) return;
  if (!list) json_object_set_new(tree, "required", list = json_array());
  json_array_append_new(list, json_string(name));
}

static json_t *object_read(struct reader *in)
{
  json_t *tree = json_pack("{ss,s{}}", "type", "object", "properties");
  if (takes(in, "(")) bounds_read(in, ")", tree, "minProperties", "maxProperties");
  if (!takes(in, "}")) {
    members_read(in, member_add, tree);
    if (takes(in, "*")) {
      if (word_len(in->at)) json_object_set_new(tree, "propertyNames", name_read(in));
      must(takes(in, ":"));
      json_object_set_new(tree, "additionalProperties", type_read(in));
    } else if (takes(in, "...")) {
      json_object_set_new(tree, "additionalProperties", json_true());
    }
    must(takes(in, "}"));
  }
  if (!json_object_get(tree, "additionalProperties"))
    json_object_set_new(tree, "additionalProperties", json_false());
  return tree;
}

/* ---- types ---- */

static json_t *part_read(struct reader *in)
{
  json_t *tree;
  blanks(in);
  if (takes(in, "{")) {
    tree = object_read(in);
  } else if (takes(in, "(")) {
    tree = type_read(in);
    must(takes(in, ")"));
  } else {
    tree = takes(in, "'") ? text_read(in) : name_read(in);
  }
  while (*in->at == '[') {
    in->at++;
    tree = json_pack("{ss,so}", "type", "array", "items", tree);
    if (!takes(in, "]")) bounds_read(in, "]", tree, "minItems", "maxItems");
  }
  return tree;
}

/* Texts of a choice become one enum. */
static json_t *type_read(struct reader *in)
{
  json_t *list = json_array(), *texts = NULL;
  do {
    json_t *part = part_read(in), *said = json_object_get(part, "enum");
    if (said && texts) {
      json_array_extend(texts, said);
      json_decref(part);
      continue;
    }
    if (said) texts = said;
    json_array_append_new(list, part);
  } while (takes(in, "|"));
  json_t *only = json_array_size(list) == 1 ? json_incref(json_array_get(list, 0)) : NULL;
  if (!only) return json_pack("{so}", "anyOf", list);
  json_decref(list);
  return only;
}

json_t *schema_of(const char *notation)
{
  struct reader in = {notation};
  json_t *tree = type_read(&in);
  must(*in.at == '\0');
  return tree;
}

void schema_members(const char *members,
                    void (*fn)(void *arg, const char *name, bool required, json_t *schema),
                    void *arg)
{
  struct reader in = {members};
  members_read(&in, fn, arg);
  must(*in.at == '\0');
}
