/* read.c - files and folders as wishes, tenant by tenant.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/quota.h"
#include "cli/file.h"
#include "cli/state/state.h"

enum { PATH_SHOWN = 100 };

/* "line 3, column 7: x" of the reader as "FILE:3:7: x". */
static enum code doc_fail(const struct doc *doc, struct err *err)
{
  char text[ERR_TEXT_MAX], place[40] = "";
  const char *rest = err->text;
  size_t n = 0;
  if (strncmp(rest, "line ", 5) == 0) {
    for (rest += 5; *rest && *rest != ':' && n + 2 < sizeof place; rest++)
      if ((*rest >= '0' && *rest <= '9') || *rest == ',') place[n++] = *rest == ',' ? ':' : *rest;
    rest += *rest == ':';
    rest += *rest == ' ';
  }
  snprintf(text, sizeof text, "%s", rest);
  place[n] = '\0';
  return fail(err, err->code, "%.*s%s%s: %s", PATH_SHOWN, doc->path, n ? ":" : "", place, text);
}

static enum code node_fail(const struct doc *doc, const struct yaml *node, struct err *err,
                           const char *text)
{
  unsigned line = node->key_line ? node->key_line : node->line;
  unsigned column = node->key_line ? node->key_column : node->column;
  return fail(err, E_BAD_CONFIG, "%.*s:%u:%u: %s", PATH_SHOWN, doc->path, line, column, text);
}

/* --- files ------------------------------------------------------------------------------------ */

static enum code text_parse(struct declaration *to, struct doc *doc, struct slice text,
                            struct err *err)
{
  if (yaml_parse(text, &to->arena, &doc->root, err)) return doc_fail(doc, err);
  if (doc->root->kind == YAML_MAP) return OK;
  return node_fail(doc, doc->root, err, "a declaration is a map: models, flags, quotas, ...");
}

static enum code doc_parse(struct declaration *to, struct doc *doc, struct err *err)
{
  struct buf text;
  FILE *file = fopen(doc->path, "rbe");
  if (!file)
    return fail(err, E_NOT_FOUND, "cannot read '%.*s': %s", PATH_SHOWN, doc->path, strerror(errno));
  buf_init(&text, YAML_BYTES_MAX + 1);
  bool bad = !file_drain(file, &text);
  struct slice copy = arena_copy(&to->arena, buf_lend(&text));
  bool full = text.full;
  buf_deinit(&text);
  if (bad) return fail(err, E_NOT_FOUND, "cannot read '%.*s'", PATH_SHOWN, doc->path);
  if (full || copy.len > YAML_BYTES_MAX)
    return fail(err, E_LIMIT_EXCEEDED, "%.*s: longer than %d MiB, the most one file may be",
                PATH_SHOWN, doc->path, YAML_BYTES_MAX >> 20);
  if (!copy.at) return fail(err, E_LIMIT_EXCEEDED, "the declaration is too large");
  return text_parse(to, doc, copy, err);
}

static const char *folder_of(struct declaration *to, const char *path)
{
  const char *slash = strrchr(path, '/');
  return arena_print(&to->arena, "%.*s", slash ? (int)(slash + 1 - path) : 0, path);
}

static enum code doc_add(struct declaration *to, const char *path, struct err *err)
{
  if (to->n_docs == DOCS_MAX)
    return fail(err, E_LIMIT_EXCEEDED, "there are more than %d files", DOCS_MAX);
  struct doc *doc = &to->docs[to->n_docs++];
  *doc = (struct doc){.path = path, .folder = folder_of(to, path)};
  must(doc->folder);
  return OK;
}

static bool is_yaml(const char *name)
{
  struct slice text = slice_str(name);
  return name[0] != '.' && (slice_ends(text, SLICE(".yaml")) || slice_ends(text, SLICE(".yml")));
}

static int path_order(const void *a, const void *b)
{
  return strcmp(((const struct doc *)a)->path, ((const struct doc *)b)->path);
}

static enum code docs_find(struct declaration *to, const char *path, struct err *err)
{
  struct stat st;
  if (stat(path, &st) != 0)
    return fail(err, E_NOT_FOUND, "cannot read '%.*s': %s", PATH_SHOWN, path, strerror(errno));
  if (!S_ISDIR(st.st_mode)) return doc_add(to, path, err);
  DIR *dir = opendir(path);
  if (!dir)
    return fail(err, E_NOT_FOUND, "cannot read '%.*s': %s", PATH_SHOWN, path, strerror(errno));
  err->code = OK;
  for (const struct dirent *entry; err->code == OK && (entry = readdir(dir));) {
    if (!is_yaml(entry->d_name)) continue;
    bool slash = path[0] && path[strlen(path) - 1] == '/';
    char *name = arena_print(&to->arena, "%s%s%s", path, slash ? "" : "/", entry->d_name);
    must(name);
    if (doc_add(to, name, err)) break;
  }
  closedir(dir);
  if (err->code) return err->code;
  if (!to->n_docs)
    return fail(err, E_NOT_FOUND, "'%.*s' holds no .yaml file", PATH_SHOWN, path);
  qsort(to->docs, to->n_docs, sizeof *to->docs, path_order);
  return OK;
}

/* --- wishes ----------------------------------------------------------------------------------- */

static struct wish *wish_of(struct declaration *to, struct slice tenant)
{
  for (uint32_t i = 0; i < to->n_wishes; i++)
    if (slice_eq(to->wishes[i].tenant, tenant)) return &to->wishes[i];
  struct wish *wish = &to->wishes[to->n_wishes++];
  *wish = (struct wish){.tenant = tenant};
  return wish;
}

static enum code twice(const struct doc *doc, const struct yaml *node, const struct item *first,
                       struct err *err)
{
  return fail(err, E_DUPLICATE_KEY, "%.*s:%u:%u: '%.*s' stands in %.*s, line %u, already",
              PATH_SHOWN, doc->path, node->key_line, node->key_column, SLICE_ARG(node->key),
              PATH_SHOWN, first->doc->path, first->node->key_line);
}

static enum code item_set(struct item *item, const struct doc *doc, const struct yaml *node,
                          struct err *err)
{
  if (!node) return OK;
  if (item->node) return twice(doc, node, item, err);
  item->doc = doc;
  item->node = node;
  return OK;
}

static enum code item_add(struct items *items, const struct doc *doc, const struct yaml *node,
                          struct err *err)
{
  for (uint32_t i = 0; i < items->n; i++)
    if (slice_eq(items->at[i].node->key, node->key)) return twice(doc, node, &items->at[i], err);
  if (items->n == items->cap) {
    items->cap = items->cap ? items->cap * 2 : 16;
    items->at = grab_more(items->at, items->cap * sizeof *items->at);
  }
  items->at[items->n++] = (struct item){.doc = doc, .node = node};
  return OK;
}

static enum code section_add(struct items *items, const struct doc *doc, const struct yaml *section,
                             struct err *err)
{
  if (!section) return OK;
  items->said = true;
  if (section->kind == YAML_NULL) return OK; /* "models:" and nothing: there are none */
  if (section->kind != YAML_MAP) return node_fail(doc, section, err, "a map of names is due here");
  for (const struct yaml *node = section->first; node; node = node->next)
    if (item_add(items, doc, node, err)) return err->code;
  return OK;
}

/* --- one model -------------------------------------------------------------------------------- */

static enum code files_find(struct declaration *to, struct item *item, const struct yaml *path,
                            struct err *err)
{
  struct slice text = SLICE_NONE;
  if (yaml_string(path, &text, err)) return doc_fail(item->doc, err);
  bool absolute = text.len && text.at[0] == '/';
  item->files.path = arena_print(&to->arena, "%s%.*s", absolute ? "" : item->doc->folder,
                                 (int)text.len, text.at ? text.at : "");
  if (!text.len || !item->files.path || text.len >= FILE_PATH_MAX)
    return node_fail(item->doc, path, err, "a file or a folder is due here");
  if (model_files_read(&item->files, err) == OK) return OK;
  char why[ERR_TEXT_MAX];
  snprintf(why, sizeof why, "%s", err->text);
  return node_fail(item->doc, path, err, why);
}

/* A name of no limit; the server judges the rest. */
static enum code quotas_check(const struct doc *doc, const struct yaml *node, struct err *err)
{
  const char *names[QUOTAS + 1] = {NULL};
  for (int id = 0; id < QUOTAS; id++) names[id] = quota_row((enum quota_id)id)->name;
  if (!node || node->kind != YAML_MAP || yaml_keys_check(node, names, err) == OK) return OK;
  return doc_fail(doc, err);
}

static enum code aliases_check(const struct doc *doc, const struct yaml *node, struct err *err)
{
  if (!node || node->kind != YAML_LIST) return OK;
  for (const struct yaml *name = node->first; name; name = name->next) {
    if (name->kind == YAML_MAP || name->kind == YAML_LIST)
      return node_fail(doc, name, err,
                       "a list of aliases has names only; of other versions it is a map: aliases: "
                       "{champion: this, last-good: 3}");
    for (const struct yaml *before = node->first; before != name; before = before->next)
      if (slice_eq(before->text, name->text))
        return node_fail(doc, name, err, "this alias is in the list twice");
  }
  return OK;
}

static enum code model_check(struct declaration *to, struct item *item, struct err *err)
{
  static const char *const members[] = {"path",    "digest", "version", "engine", "note",
                                        "description", "tags",   "hold",    "pin",    "quotas",
                                        "aliases", "deploy", NULL};
  static const char *const deploys[] = {"strategy", "plan", NULL};
  const struct yaml *node = item->node;
  if (node->kind == YAML_NULL) return OK; /* "fraud:" and nothing: it is to be there */
  if (node->kind != YAML_MAP)
    return node_fail(item->doc, node, err, "a model's entry is a map: path, tags, aliases, ...");
  if (yaml_keys_check(node, members, err)) return doc_fail(item->doc, err);
  if (aliases_check(item->doc, yaml_get(node, "aliases"), err)) return err->code;
  if (quotas_check(item->doc, yaml_get(node, "quotas"), err)) return err->code;
  const struct yaml *deploy = yaml_get(node, "deploy"), *path = yaml_get(node, "path");
  if (deploy && deploy->kind == YAML_MAP && yaml_keys_check(deploy, deploys, err))
    return doc_fail(item->doc, err);
  if (deploy && deploy->kind == YAML_MAP && !yaml_get(deploy, "strategy"))
    return node_fail(item->doc, deploy, err, "a plan goes with a strategy: canary, ab, ...");
  return path ? files_find(to, item, path, err) : OK;
}

/* --- flags ------------------------------------------------------------------------------------ */

/* A file of the flagd format: what it says under `flags`. */
static enum code flag_file(struct declaration *to, struct wish *wish, const struct doc *by,
                           const struct yaml *node, struct err *err)
{
  struct doc *doc = arena_zero(&to->arena, 1, sizeof *doc);
  must(doc);
  *doc = (struct doc){.folder = by->folder};
  doc->path = arena_print(&to->arena, "%s%.*s", by->folder, (int)node->text.len, node->text.at);
  must(doc->path);
  if (doc_parse(to, doc, err)) return err->code;
  for (const struct yaml *member = doc->root->first; member; member = member->next)
    if (!slice_eq(member->key, SLICE("flags")) && !slice_eq(member->key, SLICE("$schema")))
      return node_fail(doc, member, err,
                       "only 'flags' can be declared; set the rest with: slipway flag set --file");
  return section_add(&wish->flags, doc, yaml_get(doc->root, "flags"), err);
}

static enum code doc_take(struct declaration *to, const struct doc *doc, struct slice own,
                          struct err *err)
{
  static const char *const members[] = {"tenant", "about", "quotas", "models", "flags", NULL};
  const struct yaml *root = doc->root, *flags = yaml_get(root, "flags");
  struct slice tenant = own;
  if (yaml_keys_check(root, members, err) || yaml_string(yaml_get(root, "tenant"), &tenant, err))
    return doc_fail(doc, err);
  if (quotas_check(doc, yaml_get(root, "quotas"), err)) return err->code;
  struct wish *wish = wish_of(to, tenant);
  if (!wish->head.node) wish->head = (struct item){.doc = doc, .node = yaml_get(root, "tenant")};
  if (item_set(&wish->about, doc, yaml_get(root, "about"), err) ||
      item_set(&wish->quotas, doc, yaml_get(root, "quotas"), err) ||
      section_add(&wish->models, doc, yaml_get(root, "models"), err))
    return err->code;
  if (flags && flags->kind == YAML_SCALAR) return flag_file(to, wish, doc, flags, err);
  return section_add(&wish->flags, doc, flags, err);
}

/* --- all -------------------------------------------------------------------------------------- */

static void declaration_init(struct declaration *to)
{
  *to = (struct declaration){.n_docs = 0};
  arena_init(&to->arena, DECLARATION_BYTES_MAX, NULL);
  to->docs = grab_zero(DOCS_MAX, sizeof *to->docs);
  to->wishes = grab_zero(DOCS_MAX, sizeof *to->wishes);
}

enum code declaration_read_text(struct declaration *to, struct slice text, const char *name,
                                struct err *err)
{
  declaration_init(to);
  if (doc_add(to, name, err) || text_parse(to, &to->docs[0], text, err) ||
      doc_take(to, &to->docs[0], SLICE_NONE, err))
    return err->code;
  for (uint32_t k = 0; k < to->wishes[0].models.n; k++)
    if (model_check(to, &to->wishes[0].models.at[k], err)) return err->code;
  return OK;
}

enum code declaration_read(struct declaration *to, const char *path, struct slice own,
                           struct err *err)
{
  declaration_init(to);
  if (docs_find(to, path, err)) return err->code;
  for (uint32_t i = 0; i < to->n_docs; i++)
    if (doc_parse(to, &to->docs[i], err) || doc_take(to, &to->docs[i], own, err)) return err->code;
  for (uint32_t i = 0; i < to->n_wishes; i++)
    for (uint32_t k = 0; k < to->wishes[i].models.n; k++)
      if (model_check(to, &to->wishes[i].models.at[k], err)) return err->code;
  return OK;
}

enum code declaration_hash(struct declaration *to, struct err *err)
{
  for (uint32_t i = 0; i < to->n_wishes; i++)
    for (uint32_t k = 0; k < to->wishes[i].models.n; k++)
      if (model_files_hash(&to->wishes[i].models.at[k].files, err)) return err->code;
  return OK;
}

void declaration_deinit(struct declaration *to)
{
  for (uint32_t i = 0; i < to->n_wishes; i++) {
    struct wish *wish = &to->wishes[i];
    for (uint32_t k = 0; k < wish->models.n; k++) model_files_deinit(&wish->models.at[k].files);
    ungrab(wish->models.at);
    ungrab(wish->flags.at);
  }
  ungrab(to->docs);
  ungrab(to->wishes);
  arena_deinit(&to->arena);
}
