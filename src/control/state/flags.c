/* flags.c - the flag file, flag by flag.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "control/flag.h"
#include "control/state/state_int.h"
#include "flag/edit.h"

/* The tenant's file twice: as it was written, to write it again, and sorted, to compare. */
struct file {
  struct value written, sorted, wanted;
};

static bool file_read(struct diff *diff, struct file *file)
{
  struct slice text = diff->tenant ? diff->tenant->flags : SLICE_NONE;
  file->written = file->sorted = VALUE_OF_NULL;
  return value_read(diff->state->flags, VALUE_SORTED, &diff->scratch, &file->wanted, diff->err) ==
             OK &&
         (!text.len ||
          (value_read(text, VALUE_AS_WRITTEN, &diff->scratch, &file->written, diff->err) == OK &&
           value_read(text, VALUE_SORTED, &diff->scratch, &file->sorted, diff->err) == OK));
}

static bool text_of(struct diff *diff, const struct value *flag, struct slice *text)
{
  struct json_out out;
  *text = SLICE_NONE;
  if (!flag) return true;
  json_out_init(&out, &diff->scratch, 256);
  value_write(&out, flag);
  *text = json_out_lend(&out);
  return out.full ? diff_full(diff) : true;
}

/* Both in byte order. */
static bool edits_add(struct diff *diff, const struct file *file, uint32_t *n)
{
  const struct value *map = value_get(&file->sorted, SLICE("flags"));
  const struct value *a = map ? map->first : NULL, *b = file->wanted.first;
  while (a || b) {
    int order = !a ? 1 : !b ? -1 : slice_order(a->key, b->key);
    const struct value *old = order <= 0 ? a : NULL, *new = order >= 0 ? b : NULL;
    struct slice from, to;
    if (old) a = a->next;
    if (new) b = b->next;
    if (!new && !diff->state->prune) continue;
    if (!text_of(diff, old, &from) || !text_of(diff, new, &to)) return false;
    if (old && new && slice_eq(from, to)) continue;
    if (!diff_edit(diff, "flag", SLICE_NONE, (old ? old : new)->key, from, to)) return false;
    (*n)++;
  }
  return true;
}

static void flag_put(struct json_out *out, const struct value *flag)
{
  json_out_key_of(out, flag->key);
  value_write(out, flag);
}

/* What is there, in its order and by the declaration's words, then what is new. */
static void flags_put_all(struct diff *diff, const struct file *file, struct json_out *out)
{
  const struct value *old = value_get(&file->written, SLICE("flags"));
  json_out_key(out, "flags");
  json_out_open(out, '{');
  for (const struct value *flag = old ? old->first : NULL; flag; flag = flag->next) {
    const struct value *want = value_get(&file->wanted, flag->key);
    if (want || !diff->state->prune) flag_put(out, want ? want : flag);
  }
  for (const struct value *flag = file->wanted.first; flag; flag = flag->next)
    if (!old || !value_get(old, flag->key)) flag_put(out, flag);
  json_out_close(out, '}');
}

/* The first flag that is wrong in the same words when it stands alone. */
static void flag_blame(struct diff *diff, const struct file *file)
{
  fail_at(diff->err, "flags");
  for (const struct value *flag = file->wanted.first; flag; flag = flag->next) {
    struct json_out out;
    struct slice ignored;
    struct err alone = {.code = OK};
    json_out_init(&out, &diff->scratch, 256);
    json_out_open(&out, '{');
    json_out_key(&out, "flags");
    json_out_open(&out, '{');
    flag_put(&out, flag);
    json_out_close(&out, '}');
    json_out_close(&out, '}');
    if (out.full) return;
    if (flags_take(json_out_lend(&out), false, &diff->scratch, &ignored, &alone) == OK ||
        strcmp(alone.text, diff->err->text) != 0)
      continue;
    fail_at(diff->err, "flags.%.*s", SLICE_ARG(flag->key));
    return;
  }
}

static bool file_write(struct diff *diff, const struct file *file, struct slice *text)
{
  struct json_out out;
  bool has = value_get(&file->written, SLICE("flags")) != NULL;
  json_out_init(&out, &diff->scratch, 4096);
  json_out_open(&out, '{');
  if (!has) flags_put_all(diff, file, &out);
  for (const struct value *member = file->written.first; member; member = member->next) {
    if (slice_eq(member->key, SLICE("flags"))) {
      flags_put_all(diff, file, &out);
      continue;
    }
    json_out_key_of(&out, member->key);
    value_write(&out, member);
  }
  json_out_close(&out, '}');
  if (out.full) return diff_full(diff);
  struct slice whole = json_out_lend(&out);
  if (flags_take(whole, false, &diff->scratch, text, diff->err) == OK) return true;
  flag_blame(diff, file);
  return false;
}

bool diff_flags(struct diff *diff)
{
  struct file file;
  struct slice next;
  uint32_t n = 0;
  arena_reset(&diff->scratch);
  if (!file_read(diff, &file) || !edits_add(diff, &file, &n)) return false;
  if (!n) return true;
  if (!file_write(diff, &file, &next)) return false;
  if (diff->tenant && flags_frozen(diff->catalog, diff->tenant, diff->command, next, diff->err)) {
    fail_at(diff->err, "flags");
    return false;
  }
  struct event *event = diff_event(diff, EVENT_FLAGS_SET, SLICE_NONE);
  return event && diff_keep(diff, &next) && diff_fact(diff, event, "flags", next);
}
