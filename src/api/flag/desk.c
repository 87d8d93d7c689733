/* desk.c - files made ready, and counts.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/flag/desk_int.h"
#include "api/metrics_int.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

enum { ROW_TEXTS_MAX = 2 << 20 };

struct flag_desk *flag_desk_of(struct desk *desk)
{
  struct flag_desk *flags = desk->flags;
  if (flags) return flags;
  desk->flags = flags = grab_zero(1, sizeof *flags);
  flags->rows = grab_zero(FLAG_ROWS_MAX, sizeof *flags->rows);
  arena_init(&flags->context, FLAG_WORK_MAX, NULL);
  arena_init(&flags->work, FLAG_WORK_MAX, NULL);
  arena_init(&flags->out, FLAG_WORK_MAX, NULL);
  arena_init(&flags->texts, ROW_TEXTS_MAX, NULL);
  rand_secret(flags->hash_key, sizeof flags->hash_key);
  return flags;
}

void flag_desk_free(struct flag_desk *flags)
{
  if (!flags) return;
  for (int i = 0; i < FLAG_SETS_MAX; i++)
    if (flags->sets[i].tenant.at) arena_deinit(&flags->sets[i].arena);
  arena_deinit(&flags->context);
  arena_deinit(&flags->work);
  arena_deinit(&flags->out);
  arena_deinit(&flags->texts);
  exposures_free(flags->exposures);
  ungrab(flags->rows);
  ungrab(flags);
}

void flag_limits_list(struct limits *to, uint32_t n_desks)
{
  const uint64_t sets = (uint64_t)FLAG_SETS_MAX * FLAG_MEMORY_MAX;
  limit_add(to, (struct limit){"flag files ready at one desk", FLAG_SETS_MAX, "", n_desks * sets,
                               NULL, NULL});
  limit_add(to, (struct limit){"one flag evaluation", FLAG_WORK_MAX, "bytes",
                               n_desks * (3 * (uint64_t)FLAG_WORK_MAX + ROW_TEXTS_MAX +
                                          FLAG_ROWS_MAX * sizeof(struct flag_row)),
                               NULL, NULL});
}

/* --- files ------------------------------------------------------------------------------------ */

static struct flag_set *set_place(struct flag_desk *desk, struct slice tenant)
{
  struct flag_set *place = &desk->sets[0];
  for (int i = 0; i < FLAG_SETS_MAX; i++) {
    struct flag_set *set = &desk->sets[i];
    if (set->tenant.at && slice_eq(set->tenant, tenant)) return set;
    if (set->used < place->used) place = set;
  }
  return place;
}

/* The world that holds the text may be gone before the set: the set has a copy. */
static enum code set_make(struct flag_set *set, const struct tenant *tenant, struct err *err)
{
  if (set->tenant.at) arena_deinit(&set->arena);
  arena_init(&set->arena, FLAG_MEMORY_MAX + (size_t)FLAG_FILE_MAX * 2, NULL);
  set->tenant = arena_copy(&set->arena, tenant->name);
  set->seq = tenant->flags_seq;
  struct slice text = arena_copy(&set->arena, tenant->flags);
  must(set->tenant.at && text.at);
  if (flags_read(text, &set->arena, &set->flags, err) == OK) return OK;
  log_event(LOG_ERROR, "flags_unreadable", "tenant", log_slice(tenant->name), "why", err->text,
            NULL);
  arena_deinit(&set->arena);
  *set = (struct flag_set){.seq = 0};
  return err->code;
}

const struct flags *flag_set_of(struct ask *ask)
{
  static const struct flags none;
  struct flag_desk *desk = flag_desk_of(ask->desk);
  const struct tenant *tenant = ask->tenant;
  if (!tenant || !tenant->flags.len) return &none;
  struct flag_set *set = set_place(desk, tenant->name);
  bool there = set->tenant.at && slice_eq(set->tenant, tenant->name);
  set->used = ++desk->clock;
  if (there && set->seq == tenant->flags_seq) return &set->flags;
  if (set_make(set, tenant, &ask->err) != OK) {
    fail(&ask->err, E_INTERNAL, "the flags cannot be read; the log says why");
    return NULL;
  }
  set->used = desk->clock;
  return &set->flags;
}

/* --- counts ----------------------------------------------------------------------------------- */

static bool row_is(const struct flag_row *row, const struct flag_row *like)
{
  return slice_eq(row->tenant, like->tenant) && slice_eq(row->flag, like->flag) &&
         slice_eq(row->variant, like->variant) && row->reason == like->reason &&
         row->error == like->error;
}

/* The row, made where it is new; NULL when there is no room for one more. */
static struct flag_row *row_find(struct flag_desk *desk, const struct flag_row *like)
{
  uint64_t hash = siphash(desk->hash_key, like->tenant) * 31 +
                  siphash(desk->hash_key, like->flag) * 7 + siphash(desk->hash_key, like->variant) +
                  (uint64_t)like->reason + 8 * (uint64_t)like->error;
  uint32_t at = (uint32_t)hash & (FLAG_ROWS_MAX - 1);
  for (; desk->rows[at].tenant.at; at = (at + 1) & (FLAG_ROWS_MAX - 1))
    if (row_is(&desk->rows[at], like)) return &desk->rows[at];
  if (desk->n_rows >= FLAG_ROWS_MAX / 2) return NULL;
  struct flag_row row = *like;
  row.tenant = arena_copy(&desk->texts, like->tenant);
  row.flag = arena_copy(&desk->texts, like->flag);
  row.variant = arena_copy(&desk->texts, like->variant);
  if (!row.tenant.at || !row.flag.at || !row.variant.at) return NULL;
  desk->n_rows++;
  desk->rows[at] = row;
  return &desk->rows[at];
}

void flag_exposed(struct ask *ask, const struct flag *flag, const struct flag_result *result,
                  struct slice key, bool bulk)
{
  struct flag_desk *desk = flag_desk_of(ask->desk);
  struct flag_row like = {.tenant = ask->letter->tenant,
                          .flag = flag->key,
                          .variant = result->variant,
                          .reason = result->reason,
                          .error = result->error};
  if (!bulk && result->drawn && !result->error) exposure_note(ask, flag, result, key);
  struct flag_row *row = row_find(desk, &like);
  if (!row)
    desk->rows_left_out++;
  else if (bulk)
    row->bulk++;
  else
    row->single++;
}

static void count_write(struct buf *to, const struct flag_row *row, const char *asked,
                        uint64_t count)
{
  if (!count) return;
  buf_print(to, "slipway_flag_evaluations_total{flag=");
  metrics_label(to, row->flag);
  buf_print(to, ",variant=");
  metrics_label(to, row->variant);
  buf_print(to, ",reason=\"%s\",asked=\"%s\"} %llu\n",
            row->error ? flag_error_name(row->error) : flag_reason_name(row->reason), asked,
            (unsigned long long)count);
}

void flag_metrics_write(const struct desk *desk, struct slice tenant, struct buf *to)
{
  const struct flag_desk *flags = desk->flags;
  if (!flags) return;
  buf_print(to,
            "# HELP slipway_flag_evaluations_total flags evaluated\n"
            "# TYPE slipway_flag_evaluations_total counter\n");
  for (uint32_t i = 0; i < FLAG_ROWS_MAX; i++) {
    const struct flag_row *row = &flags->rows[i];
    if (!row->tenant.at || !slice_eq(row->tenant, tenant)) continue;
    count_write(to, row, "single", row->single);
    count_write(to, row, "bulk", row->bulk);
  }
  buf_print(to,
            "# HELP slipway_flag_evaluations_left_out_total evaluations of flags past the %d rows "
            "that are counted\n# TYPE slipway_flag_evaluations_left_out_total counter\n"
            "slipway_flag_evaluations_left_out_total %llu\n"
            "# HELP slipway_flag_exposures_missed_total exposures that found no room\n"
            "# TYPE slipway_flag_exposures_missed_total counter\n"
            "slipway_flag_exposures_missed_total %llu\n",
            FLAG_ROWS_MAX / 2, (unsigned long long)flags->rows_left_out,
            (unsigned long long)exposures_missed(flags));
}
