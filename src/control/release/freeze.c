/* freeze.c - reading weekly times and comparing them with now.
 * Thread: control. Pure.
 * SPDX-License-Identifier: MIT */
#include "control/release/freeze.h"

/* --- reading ---------------------------------------------------------------------------------- */

static void blanks_skip(struct slice *text)
{
  while (text->len && text->at[0] == ' ') *text = slice_from(*text, 1);
}

static bool sign_skip(struct slice *text, char sign)
{
  blanks_skip(text);
  if (!text->len || text->at[0] != sign) return false;
  *text = slice_from(*text, 1);
  return true;
}

static bool day_read(struct slice *text, int *day)
{
  static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  blanks_skip(text);
  for (int i = 0; i < 7 && text->len >= 3; i++)
    if (slice_eq_nocase(slice_of(text->at, 3), slice_str(names[i]))) {
      *day = i;
      *text = slice_from(*text, 3);
      return true;
    }
  return false;
}

static bool digits_read(struct slice *text, int max, int *value)
{
  if (text->len < 2 || text->at[0] < '0' || text->at[0] > '9' || text->at[1] < '0' ||
      text->at[1] > '9')
    return false;
  *value = 10 * (text->at[0] - '0') + (text->at[1] - '0');
  *text = slice_from(*text, 2);
  return *value <= max;
}

static bool time_read(struct slice *text, int *minutes)
{
  int hour, minute;
  blanks_skip(text);
  if (!digits_read(text, 24, &hour) || !sign_skip(text, ':') || !digits_read(text, 59, &minute))
    return false;
  *minutes = 60 * hour + minute;
  return *minutes <= 24 * 60;
}

static bool moment_read(struct slice *text, int *minutes)
{
  int day, time;
  if (!day_read(text, &day) || !time_read(text, &time)) return false;
  *minutes = (day * 24 * 60 + time) % WEEK_MINUTES;
  return true;
}

static bool zone_read(struct slice *text, int *zone)
{
  *zone = 0;
  blanks_skip(text);
  if (!text->len || sign_skip(text, 'Z')) return true;
  bool west = text->at[0] == '-';
  if (!sign_skip(text, west ? '-' : '+') || !time_read(text, zone)) return false;
  if (west) *zone = -*zone;
  return *zone >= -14 * 60 && *zone <= 14 * 60;
}

enum code weekly_read(struct slice text, struct weekly *weekly, struct err *err)
{
  struct slice left = text;
  *weekly = (struct weekly){0};
  do {
    int from, until;
    if (weekly->n == WEEKLY_RANGES_MAX)
      return fail(err, E_INVALID_ARGUMENT, "more than %d weekly ranges", WEEKLY_RANGES_MAX);
    if (!moment_read(&left, &from) || !sign_skip(&left, '-') || !moment_read(&left, &until) ||
        from == until)
      goto bad;
    weekly->ranges[weekly->n].from = from;
    weekly->ranges[weekly->n++].until = until;
  } while (sign_skip(&left, ','));
  if (!zone_read(&left, &weekly->zone)) goto bad;
  blanks_skip(&left);
  if (!left.len) return OK;
bad:
  return fail(err, E_INVALID_ARGUMENT,
              "'%.*s' is no weekly time; write it like fri 16:00-mon 08:00 +01:00",
              SLICE_ARG(text));
}

/* --- asking ----------------------------------------------------------------------------------- */

bool weekly_holds(const struct weekly *weekly, int64_t wall_ms)
{
  int64_t minutes = wall_ms / 60000 + weekly->zone + 3 * 24 * 60; /* 1970 began on a Thursday */
  int now = (int)(((minutes % WEEK_MINUTES) + WEEK_MINUTES) % WEEK_MINUTES);
  for (uint32_t i = 0; i < weekly->n; i++) {
    int from = weekly->ranges[i].from, until = weekly->ranges[i].until;
    if (from < until ? now >= from && now < until : now >= from || now < until) return true;
  }
  return false;
}

bool freeze_holds(const struct catalog_freeze *freeze, int64_t wall_ms)
{
  struct weekly weekly;
  struct err err;
  if (freeze->from_ms && wall_ms < freeze->from_ms) return false;
  if (freeze->until_ms && wall_ms >= freeze->until_ms) return false;
  if (!freeze->weekly.len) return true;
  return weekly_read(freeze->weekly, &weekly, &err) != OK || weekly_holds(&weekly, wall_ms);
}

const struct catalog_freeze *freeze_of(const struct catalog *catalog,
                                       const struct catalog_model *model, int64_t wall_ms)
{
  for (uint32_t i = 0; i < catalog->n_freezes; i++) {
    const struct catalog_freeze *freeze = &catalog->freezes[i];
    bool mine = freeze->scope == FREEZE_SYSTEM ||
                (freeze->tenant == model->tenant &&
                 (freeze->scope == FREEZE_TENANT || slice_eq(freeze->model, model->name)));
    if (mine && freeze_holds(freeze, wall_ms)) return freeze;
  }
  return NULL;
}
