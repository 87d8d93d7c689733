/* clock.c - the only file that reads the time.
 * Thread: any.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

int64_t clock_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_thread_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_us(void) { return clock_ns() / 1000; }

int64_t clock_wall_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void clock_text(int64_t wall_ms, char to[25])
{
  time_t seconds = (time_t)(wall_ms / 1000);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  char day[20] = "";
  strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(to, 25, "%s.%03dZ", day, (int)(wall_ms % 1000));
}

/* Eats exactly n digits. */
static bool digits_read(struct slice *text, size_t n, int min, int max, int *value)
{
  int sum = 0;
  if (text->len < n) return false;
  for (size_t i = 0; i < n; i++) {
    if (text->at[i] < '0' || text->at[i] > '9') return false;
    sum = 10 * sum + (text->at[i] - '0');
  }
  if (sum < min || sum > max) return false;
  *value = sum;
  *text = slice_from(*text, n);
  return true;
}

static bool sign_read(struct slice *text, const char *signs)
{
  if (!text->len || !strchr(signs, text->at[0])) return false;
  *text = slice_from(*text, 1);
  return true;
}

static int days_of(int year, int month)
{
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && leap);
}

static bool zone_read(struct slice *text, int *minutes)
{
  int hour, minute, minus = text->len && text->at[0] == '-';
  *minutes = 0;
  if (!text->len || sign_read(text, "Z")) return true;
  if (!sign_read(text, "+-") || !digits_read(text, 2, 0, 14, &hour) || !sign_read(text, ":") ||
      !digits_read(text, 2, 0, 59, &minute))
    return false;
  *minutes = (minus ? -1 : 1) * (60 * hour + minute);
  return true;
}

bool clock_read(struct slice text, int64_t *wall_ms)
{
  struct tm tm = {0};
  int year, month, digit, ms = 0, zone = 0;
  if (!digits_read(&text, 4, 1970, 9999, &year) || !sign_read(&text, "-") ||
      !digits_read(&text, 2, 1, 12, &month) || !sign_read(&text, "-") ||
      !digits_read(&text, 2, 1, days_of(year, month), &tm.tm_mday))
    return false;
  if (sign_read(&text, "T ")) {
    if (!digits_read(&text, 2, 0, 23, &tm.tm_hour) || !sign_read(&text, ":") ||
        !digits_read(&text, 2, 0, 59, &tm.tm_min))
      return false;
    if (sign_read(&text, ":") && !digits_read(&text, 2, 0, 59, &tm.tm_sec)) return false;
    if (sign_read(&text, ".")) {
      int scale = 100;
      if (!digits_read(&text, 1, 0, 9, &digit)) return false;
      do ms += scale * digit, scale /= 10;
      while (digits_read(&text, 1, 0, 9, &digit));
    }
    if (!zone_read(&text, &zone)) return false;
  }
  if (text.len) return false;
  tm.tm_year = year - 1900;
  tm.tm_mon = month - 1;
  *wall_ms = ((int64_t)timegm(&tm) - 60 * zone) * 1000 + ms;
  return true;
}
