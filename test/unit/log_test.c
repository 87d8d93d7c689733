/* log_test.c - a log line is one JSON object whatever is logged; floods are bounded and counted.
 * SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/thread.h"
#include "test.h"

static char written[4 << 20];
static size_t written_len;

static int file_open(void)
{
  char name[] = "/tmp/slipway-log-XXXXXX";
  int fd = mkstemp(name);
  unlink(name);
  return fd;
}

static void file_read(int fd)
{
  ssize_t n = pread(fd, written, sizeof written - 1, 0);
  written_len = n > 0 ? (size_t)n : 0;
  written[written_len] = '\0';
  close(fd);
}

/* Writes what waits and leaves it in `written`; returns the number of lines. */
static int pump(void)
{
  int fds[2] = {-1, file_open()};
  log_pump(fds, 2);
  file_read(fds[1]);
  int lines = 0;
  for (char *c = written; *c; c++) lines += *c == '\n';
  return lines;
}

static json_t *line_json(const char *line)
{
  json_error_t error;
  size_t len = strcspn(line, "\n");
  json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
  if (!json) printf("not JSON: %.*s (%s)\n", (int)len, line, error.text);
  return json;
}

static const char *member(json_t *json, const char *key)
{
  const char *value = json_string_value(json_object_get(json, key));
  return value ? value : "(none)";
}

TEST(before_the_first_pump_lines_go_to_stderr)
{
  int keep = dup(STDERR_FILENO), file = file_open();
  dup2(file, STDERR_FILENO);
  log_event(LOG_INFO, "early_bird", "worm", "yes", NULL);
  dup2(keep, STDERR_FILENO);
  close(keep);
  file_read(file);
  json_t *json = line_json(written);
  EXPECT_STR(member(json, "event"), "early_bird");
  EXPECT_STR(member(json, "worm"), "yes");
  json_decref(json);
  EXPECT_INT(pump(), 0);
}

TEST(a_line_is_one_json_object)
{
  log_event(LOG_WARN, "model_ready", "model", "digits", "version", log_num(-3), "none", NULL,
            "note", log_slice(SLICE("two words")), NULL);
  EXPECT_INT(pump(), 1);
  EXPECT(written_len > 0 && written[written_len - 1] == '\n');
  json_t *json = line_json(written);
  EXPECT_INT(json_object_size(json), 6);
  EXPECT_INT(strlen(member(json, "ts")), 24);
  EXPECT_STR(member(json, "level"), "warn");
  EXPECT_STR(member(json, "event"), "model_ready");
  EXPECT_STR(member(json, "model"), "digits");
  EXPECT(json_is_integer(json_object_get(json, "version")));
  EXPECT_INT(json_integer_value(json_object_get(json, "version")), -3);
  EXPECT_STR(member(json, "note"), "two words");
  json_decref(json);
}

TEST(every_byte_is_escaped)
{
  char all[256];
  for (int i = 0; i < 255; i++) all[i] = (char)(i + 1);
  all[255] = '\0';
  log_event(LOG_INFO, "every_byte", "ascii", log_slice(slice_of(all, 127)), "rest", all + 127,
            "text", "a\"b\\c\n\x1b[31m\xc3\xa9", "nul", log_slice(slice_of("a\0b", 3)), NULL);
  EXPECT_INT(pump(), 1);
  for (size_t i = 0; i + 1 < written_len; i++)
    EXPECT((unsigned char)written[i] >= 0x20 && written[i] != 0x7f);
  json_t *json = line_json(written);
  EXPECT(strncmp(member(json, "ascii"), all, 127) == 0);
  EXPECT(strncmp(member(json, "rest"), "\xef\xbf\xbd\xef\xbf\xbd", 6) == 0);
  EXPECT_STR(member(json, "text"), "a\"b\\c\n\x1b[31m\xc3\xa9");
  EXPECT_STR(member(json, "nul"), "a?b");
  json_decref(json);
}

TEST(long_values_are_cut_between_characters)
{
  char value[600];
  memset(value, 'x', sizeof value);
  memcpy(value + 254, "\xe2\x82\xac", 3); /* a euro sign across byte 256 */
  value[599] = '\0';
  log_event(LOG_INFO, "long_value", "plain", value, "sliced",
            log_slice(slice_of(value, sizeof value)), NULL);
  EXPECT_INT(pump(), 1);
  json_t *json = line_json(written);
  EXPECT_INT(strlen(member(json, "plain")), 254);
  EXPECT_INT(strlen(member(json, "sliced")), 254);
  json_decref(json);
}

TEST(a_line_never_outgrows_its_room)
{
  char nasty[300];
  memset(nasty, 1, sizeof nasty);
  nasty[299] = '\0';
  log_event(LOG_INFO, "nasty", "a", nasty, "b", nasty, "c", nasty, "d", log_num(INT64_MIN), "e",
            nasty, "f", "fits?", NULL);
  EXPECT_INT(pump(), 1);
  EXPECT(written_len <= LOG_LINE_MAX);
  json_t *json = line_json(written);
  EXPECT_INT(strlen(member(json, "a")), 256);
  json_decref(json);
}

TEST(every_length_of_the_last_value_gives_json)
{
  char value[2][257];
  memset(value, 'y', sizeof value);
  for (int n = 0; n <= 256; n++) { /* six values of 256 and a seventh that grows past the end */
    char name[16];
    snprintf(name, sizeof name, "fill_%d", n / LOG_BURST);
    value[0][256] = value[1][n] = '\0';
    log_event(LOG_INFO, name, "a", value[0], "b", value[0], "c", value[0], "d", value[0], "e",
              value[0], "f", value[0], "g", value[0], "h", value[1], NULL);
    value[1][n] = 'y';
    EXPECT_INT(pump(), 1);
    EXPECT(written_len <= LOG_LINE_MAX);
    json_decref(line_json(written));
  }
}

TEST(levels_below_the_minimum_are_silent)
{
  log_event(LOG_DEBUG, "quiet", NULL);
  EXPECT_INT(pump(), 0);
  log_level_set(LOG_DEBUG);
  log_event(LOG_DEBUG, "quiet", NULL);
  EXPECT_INT(pump(), 1);
  log_level_set(LOG_INFO);
}

/* Waits for the start of a second, so that a burst falls into one. */
static int64_t second_begin(void)
{
  struct timespec t;
  do clock_gettime(CLOCK_MONOTONIC, &t);
  while (t.tv_nsec > 300000000);
  return t.tv_sec;
}

TEST(an_event_has_so_many_lines_a_second)
{
  int64_t second = second_begin();
  for (int i = 0; i < LOG_BURST + 15; i++) log_event(LOG_ERROR, "noisy", NULL);
  log_event(LOG_INFO, "another", NULL);
  EXPECT_INT(pump(), LOG_BURST + 1);
  while (second_begin() == second) continue;
  log_event(LOG_ERROR, "noisy", NULL);
  log_event(LOG_ERROR, "noisy", NULL);
  EXPECT_INT(pump(), 2);
  json_t *first = line_json(written), *then = line_json(strchr(written, '\n') + 1);
  EXPECT_INT(json_integer_value(json_object_get(first, "suppressed")), 15);
  EXPECT(!json_object_get(then, "suppressed"));
  json_decref(first), json_decref(then);
}

TEST(lines_in_flight_are_bounded_and_the_lost_ones_counted)
{
  char name[16];
  uint64_t before = log_dropped();
  second_begin();
  for (int i = 0; i < LOG_WAITING_MAX + 100; i++) { /* 20 lines to a name: nothing is suppressed */
    snprintf(name, sizeof name, "e%d", i / LOG_BURST);
    log_event(LOG_INFO, name, NULL);
  }
  EXPECT_INT(log_dropped() - before, 100);
  EXPECT_INT(pump(), LOG_WAITING_MAX);
  log_event(LOG_INFO, "afterwards", NULL);
  EXPECT_INT(pump(), 1);
  json_t *json = line_json(written);
  EXPECT_INT(json_integer_value(json_object_get(json, "dropped")), 100);
  json_decref(json);
  log_event(LOG_INFO, "afterwards", NULL);
  pump();
  EXPECT(!strstr(written, "dropped"));
}

static _Atomic int wakes;
static void woken(void) { atomic_fetch_add(&wakes, 1); }

TEST(the_first_waiting_line_wakes_the_main_thread)
{
  log_wake_set(woken);
  log_event(LOG_INFO, "wake_a", NULL);
  log_event(LOG_INFO, "wake_b", NULL);
  EXPECT_INT(atomic_load(&wakes), 1);
  EXPECT_INT(pump(), 2);
  log_event(LOG_INFO, "wake_c", NULL);
  EXPECT_INT(atomic_load(&wakes), 2);
  pump();
  log_wake_set(NULL);
}

enum { WRITERS = 4, LINES_EACH = 20000, STORM_NAMES = 100 };
static _Atomic int writers_done;

static void storm_main(void *arg)
{
  char name[16], who[4] = {(char)('a' + *(int *)arg), '\0'};
  for (int i = 0; i < LINES_EACH; i++) {
    snprintf(name, sizeof name, "s%s%d", who, i % STORM_NAMES);
    log_event(LOG_INFO, name, "who", who, "i", log_num(i), NULL);
  }
  atomic_fetch_add(&writers_done, 1);
}

/* Four threads log while the main thread pumps: every line comes out whole, and every call is
 * either a line, or suppressed, or dropped. */
TEST(a_storm_loses_nothing_uncounted)
{
  struct thread threads[WRITERS];
  int numbers[WRITERS], fds[1] = {file_open()};
  uint64_t dropped_before = log_dropped();
  for (int i = 0; i < WRITERS; i++) {
    numbers[i] = i;
    thread_start(&threads[i], "storm", THREAD_STACK_PARSER, storm_main, &numbers[i]);
  }
  while (atomic_load(&writers_done) < WRITERS) log_pump(fds, 1);
  for (int i = 0; i < WRITERS; i++) thread_join(&threads[i]);
  int64_t second = second_begin();
  while (second_begin() == second) continue;
  /* asks each name for what it still holds back */
  for (int i = 0; i < WRITERS * STORM_NAMES; i++) {
    char name[16];
    snprintf(name, sizeof name, "s%c%d", 'a' + i / STORM_NAMES, i % STORM_NAMES);
    log_event(LOG_INFO, name, "who", (char[]){name[1], '\0'}, NULL);
  }
  log_pump(fds, 1);
  file_read(fds[0]);
  uint64_t lines = 0, suppressed = 0;
  for (char *line = written; *line; line = strchr(line, '\n') + 1) {
    json_t *json = line_json(line);
    EXPECT(json != NULL);
    EXPECT_STR(member(json, "level"), "info");
    EXPECT(member(json, "event")[1] == member(json, "who")[0]);
    suppressed += (uint64_t)json_integer_value(json_object_get(json, "suppressed"));
    json_decref(json);
    lines++;
  }
  EXPECT_INT(lines + suppressed + log_dropped() - dropped_before,
             WRITERS * (LINES_EACH + STORM_NAMES));
}
