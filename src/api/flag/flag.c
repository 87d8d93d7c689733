/* flag.c - the control plane of flags: the file, one flag of it, set and removed.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/flag/desk_int.h"
#include "api/handlers_int.h"
#include "api/page.h"

enum { HISTORY_DEADLINE_US = 2000000 };

static struct json_out out_open(struct ask *ask)
{
  struct flag_desk *desk = flag_desk_of(ask->desk);
  struct json_out out;
  arena_reset(&desk->out);
  json_out_init(&out, &desk->out, 4096);
  json_out_open(&out, '{');
  json_out_key_u64(&out, "seq", ask->tenant ? ask->tenant->flags_seq : 0);
  return out;
}

static enum desk_step out_close(struct ask *ask, struct json_out *out)
{
  json_out_close(out, '}');
  must(!out->full);
  return ask_text(ask, 200, "application/json", blob_copy(json_out_lend(out)));
}

static struct slice file_of(const struct ask *ask)
{
  if (ask->tenant && ask->tenant->flags.len) return ask->tenant->flags;
  return SLICE("{\"flags\":{}}");
}

enum desk_step flag_file(struct ask *ask)
{
  struct json_out out = out_open(ask);
  json_out_key(&out, "file");
  json_out_value(&out, file_of(ask));
  return out_close(ask, &out);
}

enum desk_step flag_show(struct ask *ask)
{
  struct slice key = ask->letter->params[0];
  struct arena arena;
  struct value file = VALUE_OF_NULL;
  arena_init(&arena, FLAG_MEMORY_MAX, NULL);
  enum code code = value_read(file_of(ask), VALUE_AS_WRITTEN, &arena, &file, &ask->err);
  const struct value *flag = value_get(value_get(&file, SLICE("flags")), key);
  if (!code && !flag)
    code = fail(&ask->err, E_NOT_FOUND, "there is no flag '%.*s'; 'slipway flag list' shows all",
                SLICE_ARG(key));
  if (code) {
    arena_deinit(&arena);
    return ask_fail(ask);
  }
  struct json_out out = out_open(ask);
  struct value definition = *flag;
  definition.next = NULL;
  json_out_key(&out, "key");
  json_out_str(&out, key);
  json_out_key(&out, "definition");
  value_write(&out, &definition);
  arena_deinit(&arena);
  return out_close(ask, &out);
}

/* --- changing --------------------------------------------------------------------------------- */

static enum desk_step changed(struct ask *ask)
{
  if (ask->command.err.code != OK) {
    ask->err = ask->command.err;
    return ask_fail(ask);
  }
  return ask_json(ask, 200, json_pack("{so}", "seq", json_u64(ask->command.seq)));
}

static enum desk_step flags_command(struct ask *ask, enum command_kind kind,
                                    struct event_fact *facts, uint32_t n)
{
  struct slice note;
  if (!ask_query(ask, "note", &note)) return ask_fail(ask);
  struct event_fact *kept = arena_zero(&ask->arena, n, sizeof *kept);
  must(kept);
  memcpy(kept, facts, n * sizeof *kept);
  ask->command.kind = kind;
  ask->command.event =
      (struct event){.kind = kind == COMMAND_FLAG_SET ? EVENT_FLAGS_SET : EVENT_FLAG_REMOVED,
                     .note = note,
                     .facts = kept,
                     .n_facts = n};
  return ask_command(ask, changed);
}

static bool type_is_yaml(struct slice type)
{
  static const char *const types[] = {"application/yaml", "application/x-yaml", "text/yaml"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (type.len >= strlen(types[i]) &&
        slice_eq_nocase(slice_of(type.at, strlen(types[i])), slice_str(types[i])))
      return true;
  return false;
}

/* By ?format=yaml or the body's type. */
static bool is_yaml(struct ask *ask, bool *yaml)
{
  struct slice format, type = ask->letter->headers[ASK_CONTENT_TYPE];
  *yaml = false;
  if (!ask_query(ask, "format", &format)) return false;
  if (format.at && !slice_eq(format, SLICE("yaml")) && !slice_eq(format, SLICE("json"))) {
    fail(&ask->err, E_INVALID_ARGUMENT, "?format= is '%.*s', neither json nor yaml",
         SLICE_ARG(format));
    fail_at(&ask->err, "format");
    return false;
  }
  *yaml = format.at ? slice_eq(format, SLICE("yaml")) : type_is_yaml(type);
  if (*yaml || !type_is_yaml(type)) return true;
  fail(&ask->err, E_INVALID_ARGUMENT, "?format= says '%.*s', the Content-Type '%.*s'",
       SLICE_ARG(format), SLICE_ARG(type));
  fail_at(&ask->err, "format");
  return false;
}

enum desk_step flag_file_set(struct ask *ask)
{
  struct slice file;
  bool yaml;
  if (!is_yaml(ask, &yaml)) return ask_fail(ask);
  if (flags_take(ask->letter->body, yaml, &ask->arena, &file, &ask->err)) return ask_fail(ask);
  return flags_command(ask, COMMAND_FLAG_SET, &(struct event_fact){SLICE("flags"), file}, 1);
}

static bool definition_of_yaml(struct ask *ask, struct slice *definition)
{
  struct arena arena;
  struct value value = VALUE_OF_NULL;
  struct json_out out;
  arena_init(&arena, FLAG_MEMORY_MAX, NULL);
  enum code code = value_read_yaml(*definition, &arena, &value, &ask->err);
  json_out_init(&out, &ask->arena, ask->letter->body.len);
  if (!code) value_write(&out, &value);
  if (!code && out.full) code = fail(&ask->err, E_LIMIT_EXCEEDED, "the flag is too long");
  arena_deinit(&arena);
  *definition = json_out_lend(&out);
  return code == OK;
}

enum desk_step flag_set(struct ask *ask)
{
  struct slice definition = ask->letter->body;
  bool yaml;
  if (!is_yaml(ask, &yaml)) return ask_fail(ask);
  if (yaml && !definition_of_yaml(ask, &definition)) return ask_fail(ask);
  if (!definition.len) {
    fail(&ask->err, E_BAD_JSON, "the body is empty; it is the flag's definition");
    return ask_fail(ask);
  }
  struct event_fact facts[] = {{SLICE("definition"), definition},
                               {SLICE("flag"), ask->letter->params[0]}};
  return flags_command(ask, COMMAND_FLAG_SET, facts, 2);
}

enum desk_step flag_remove(struct ask *ask)
{
  return flags_command(ask, COMMAND_FLAG_REMOVE,
                       &(struct event_fact){SLICE("flag"), ask->letter->params[0]}, 1);
}

/* --- looking back ----------------------------------------------------------------------------- */

static enum code event_met(void *page, const struct event *event, const struct digest *hash,
                           struct err *err)
{
  (void)err;
  struct slice key = event_fact(event, "flag");
  json_t *tree = json_pack("{so,so,ss,so,so}", "seq", json_u64(event->seq), "at",
                           json_time(event->wall_ms), "what", event_name(event->kind), "who",
                           json_slice(event->actor), "hash", json_digest(hash));
  must(tree);
  if (key.len) json_object_set_new(tree, "flag", json_slice(key));
  if (event->note.len) json_object_set_new(tree, "note", json_slice(event->note));
  page_events_add(page, event, tree);
  return OK;
}

enum desk_step flag_history(struct ask *ask)
{
  struct page_events page;
  struct history *history = ask_history(ask);
  if (!history || !page_events_begin(ask, HISTORY_DEADLINE_US, &page)) return ask_fail(ask);
  enum code code = history_flags(history, &page.range, event_met, &page, &ask->err);
  return page_events_end(ask, &page, code, json_object());
}
