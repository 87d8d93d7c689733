/* write.c - a wish as the request's body, and the server's complaints as places in the files.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/state/state.h"

/* --- YAML as JSON ----------------------------------------------------------------------------- */

static size_t digits(struct slice text, size_t at)
{
  size_t n = 0;
  while (at + n < text.len && text.at[at + n] >= '0' && text.at[at + n] <= '9') n++;
  return n;
}

/* As JSON has them: no plus, no leading zero, digits on both sides of a point. */
static bool is_number(struct slice text)
{
  size_t at = text.len && text.at[0] == '-' ? 1 : 0, n = digits(text, at);
  if (!n || (n > 1 && text.at[at] == '0')) return false;
  at += n;
  if (at < text.len && text.at[at] == '.') {
    n = digits(text, at + 1);
    if (!n) return false;
    at += 1 + n;
  }
  if (at < text.len && (text.at[at] | 0x20) == 'e') {
    at++;
    at += at < text.len && (text.at[at] == '+' || text.at[at] == '-');
    n = digits(text, at);
    if (!n) return false;
    at += n;
  }
  return at == text.len;
}

enum as { AS_TYPED, AS_TEXT };

static void scalar_write(struct json_out *out, const struct yaml *node, enum as as)
{
  bool plain = !node->quoted && as == AS_TYPED;
  if (node->kind == YAML_NULL)
    json_out_null(out);
  else if (plain && (slice_eq(node->text, SLICE("true")) || slice_eq(node->text, SLICE("false"))))
    json_out_bool(out, node->text.len == 4);
  else if (plain && is_number(node->text))
    json_out_value(out, node->text);
  else
    json_out_str(out, node->text);
}

static void node_write_as(struct json_out *out, const struct yaml *root, enum as as)
{
  const struct yaml *node = root;
  for (;;) {
    bool map = node->kind == YAML_MAP, list = node->kind == YAML_LIST;
    if (node != root && node->parent->kind == YAML_MAP) json_out_key_of(out, node->key);
    if (!map && !list) scalar_write(out, node, as);
    if (map || list) {
      json_out_open(out, map ? '{' : '[');
      if (node->first) {
        node = node->first;
        continue;
      }
      json_out_close(out, map ? '}' : ']');
    }
    while (node != root && !node->next) {
      node = node->parent;
      json_out_close(out, node->kind == YAML_MAP ? '}' : ']');
    }
    if (node == root) return;
    node = node->next;
  }
}

void node_write(struct json_out *out, const struct yaml *node)
{
  node_write_as(out, node, AS_TYPED);
}

/* --- one model -------------------------------------------------------------------------------- */

static void files_write(struct json_out *out, const struct model_files *files)
{
  json_out_key(out, "files");
  json_out_open(out, '[');
  for (uint32_t i = 0; i < files->n; i++) {
    json_out_open(out, '{');
    json_out_key(out, "name");
    json_out_str(out, slice_str(files->at[i].name));
    json_out_key(out, "sha256");
    json_out_str(out, slice_str(files->at[i].sha256));
    json_out_key_u64(out, "bytes", files->at[i].bytes);
    json_out_close(out, '}');
  }
  json_out_close(out, ']');
}

/* A list of names: all of the version that the entry means. */
static void aliases_write(struct json_out *out, const struct yaml *node)
{
  json_out_key(out, "aliases");
  if (node->kind != YAML_LIST) {
    node_write(out, node);
    return;
  }
  json_out_open(out, '{');
  for (const struct yaml *name = node->first; name; name = name->next) {
    json_out_key_of(out, name->text);
    json_out_str(out, SLICE("this"));
  }
  json_out_close(out, '}');
}

static void member_write(struct json_out *out, const struct item *model, const struct yaml *member)
{
  static const char *const typed[] = {"version", "quotas", NULL};
  enum as as = AS_TEXT;
  for (size_t i = 0; typed[i]; i++)
    if (slice_eq(member->key, slice_str(typed[i]))) as = AS_TYPED;
  if (slice_eq(member->key, SLICE("path"))) {
    files_write(out, &model->files);
    return;
  }
  if (slice_eq(member->key, SLICE("aliases"))) {
    aliases_write(out, member);
    return;
  }
  if (slice_eq(member->key, SLICE("deploy")) && member->kind == YAML_MAP)
    member = yaml_get(member, "strategy");
  if (!member) return;
  bool deploy = slice_eq(member->key, SLICE("strategy"));
  json_out_key_of(out, deploy ? SLICE("deploy") : member->key);
  node_write_as(out, member, as);
}

static void models_write(struct json_out *out, const struct items *models)
{
  json_out_key(out, "models");
  json_out_open(out, '{');
  for (uint32_t i = 0; i < models->n; i++) {
    const struct item *model = &models->at[i];
    json_out_key_of(out, model->node->key);
    json_out_open(out, '{');
    for (const struct yaml *member = model->node->first; member; member = member->next)
      member_write(out, model, member);
    json_out_close(out, '}');
  }
  json_out_close(out, '}');
}

static void flags_write(struct json_out *out, const struct items *flags)
{
  json_out_key(out, "flags");
  json_out_open(out, '{');
  for (uint32_t i = 0; i < flags->n; i++) {
    json_out_key_of(out, flags->at[i].node->key);
    node_write(out, flags->at[i].node);
  }
  json_out_close(out, '}');
}

enum code wish_write(const struct wish *wish, struct arena *arena, bool whole, bool prune,
                     const char *plan, struct slice *body, struct err *err)
{
  struct json_out out;
  json_out_init(&out, arena, 4096);
  json_out_open(&out, '{');
  json_out_key(&out, "tenant");
  json_out_str(&out, wish->tenant);
  if (prune) json_out_key(&out, "prune");
  if (prune) json_out_bool(&out, true);
  if (plan) json_out_key(&out, "plan");
  if (plan) json_out_str(&out, slice_str(plan));
  if (wish->about.node) {
    json_out_key(&out, "about");
    node_write_as(&out, wish->about.node, AS_TEXT);
  }
  if (wish->quotas.node) {
    json_out_key(&out, "quotas");
    node_write(&out, wish->quotas.node);
  }
  if (whole && wish->models.said) models_write(&out, &wish->models);
  if (whole && wish->flags.said) flags_write(&out, &wish->flags);
  json_out_close(&out, '}');
  *body = json_out_lend(&out);
  if (!out.full && body->len <= REQUEST_BYTES_MAX) return OK;
  return fail(err, E_BODY_TOO_LARGE,
              "what is declared of tenant '%.*s' takes %zu bytes as one request, at most %d; plan "
              "and apply its models in parts, without --prune",
              SLICE_ARG(wish->tenant), body->len, REQUEST_BYTES_MAX);
}

/* --- places ----------------------------------------------------------------------------------- */

/* Whether the field begins with that name: how much of it; 0: no. */
static size_t begins(const char *field, struct slice name)
{
  if (strncmp(field, name.at ? name.at : "", name.len) != 0) return 0;
  char next = field[name.len];
  return next == '\0' || next == '.' || next == '[' ? name.len : 0;
}

/* As deep as the field leads. */
static const struct yaml *node_at(const struct yaml *node, const char *field)
{
  for (;;) {
    const struct yaml *found = NULL;
    size_t most = 0;
    field += *field == '.';
    if (!*field || node->kind != YAML_MAP) return node;
    for (const struct yaml *member = node->first; member; member = member->next) {
      size_t len = begins(field, member->key);
      if (slice_eq(member->key, SLICE("path"))) len = begins(field, SLICE("files"));
      if (len > most) found = member, most = len;
    }
    if (!found) return node;
    node = found;
    field += most;
  }
}

static const struct item *item_at(const struct items *items, const char *field, size_t *len)
{
  const struct item *found = NULL;
  *len = 0;
  for (uint32_t i = 0; i < items->n; i++) {
    size_t n = begins(field, items->at[i].node->key);
    if (n > *len) found = &items->at[i], *len = n;
  }
  return found;
}

void wish_place(const struct wish *wish, struct err *err)
{
  const struct item *item = NULL;
  const char *field = err->field;
  char text[ERR_TEXT_MAX];
  size_t len = 0;
  if (strncmp(field, "models.", 7) == 0)
    item = item_at(&wish->models, field += 7, &len);
  else if (strncmp(field, "flags.", 6) == 0)
    item = item_at(&wish->flags, field += 6, &len);
  else if (begins(field, SLICE("quotas")))
    item = &wish->quotas, len = 6;
  else if (begins(field, SLICE("about")))
    item = &wish->about, len = 5;
  else if (begins(field, SLICE("tenant")))
    item = &wish->head, len = 6;
  if ((!item || !item->node) && wish->head.node && field[0]) { /* of what no file mentions */
    snprintf(text, sizeof text, "%s", err->text);
    fail(err, err->code, "tenant %.*s: %s", SLICE_ARG(wish->tenant), text);
  }
  if (!item || !item->node) return;
  const struct yaml *node = node_at(item->node, field + len);
  snprintf(text, sizeof text, "%s", err->text);
  fail(err, err->code, "%.100s:%u:%u: %s", item->doc->path, node->key_line, node->key_column, text);
}

const struct item *wish_model(const struct wish *wish, const char *name)
{
  for (uint32_t i = 0; i < wish->models.n; i++)
    if (slice_eq(wish->models.at[i].node->key, slice_str(name))) return &wish->models.at[i];
  return NULL;
}

void wish_release(const struct item *model, struct arena *arena, struct slice *strategy,
                  struct slice *plan)
{
  const struct yaml *deploy = yaml_get(model->node, "deploy");
  const struct yaml *word = deploy && deploy->kind == YAML_MAP ? yaml_get(deploy, "strategy")
                                                               : deploy;
  const struct yaml *file = yaml_get(deploy, "plan");
  *strategy = word ? word->text : SLICE_NONE;
  *plan = SLICE_NONE;
  if (!file) return;
  bool absolute = file->text.len && file->text.at[0] == '/';
  char *path = arena_print(arena, "%s%.*s", absolute ? "" : model->doc->folder,
                           (int)file->text.len, file->text.at ? file->text.at : "");
  must(path);
  *plan = slice_str(path);
}
