/* bench_report_test.c - what is counted of a load, and the words it is told in.
 * SPDX-License-Identifier: MIT */
#include "cli/bench/report.h"

#include "base/mem.h"
#include "test.h"

static void seen(struct report *report, uint32_t source, int64_t due_us, int64_t took_us,
                 int status, const char *body)
{
  struct load_answer answer = {.source = source,
                               .begun_us = 1000000,
                               .due_us = 1000000 + due_us,
                               .took_us = took_us,
                               .late_us = 20,
                               .status = status,
                               .version = status > 0 ? 3 : 0,
                               .tries = 1,
                               .body = slice_str(body)};
  report_seen(report, &answer);
}

/* A second of 1,000 requests of 1 ms, then a stall of a second: who was due in it waited for its
 * end; and a refusal. */
static struct report *stalled(void)
{
  struct report *report = report_new(1, true);
  report->sources[0].name = "digits";
  report->sources[0].deadline_us = 50000;
  report->sources[0].span_us = 2000000;
  report->seconds = 2;
  for (int i = 0; i < 1000; i++) seen(report, 0, i * 1000, 1000, 200, "{}");
  for (int i = 0; i < 1000; i++) seen(report, 0, 1000000 + i * 1000, 1000000 - i * 1000, 200, "{}");
  seen(report, 0, 1999000, 300, 503, "{\"error\":\"full\",\"code\":\"OVERLOADED\"}");
  seen(report, 0, 1999000, 300, LOAD_LOST, "");
  seen(report, 0, 1999000, 2000000, LOAD_UNSENT, "");
  return report;
}

TEST(a_stall_is_in_the_percentiles_of_all_who_were_due_in_it)
{
  struct report *report = stalled();
  struct report_source *source = &report->sources[0];
  EXPECT_INT(source->due, 2003);
  EXPECT_INT(source->ok, 2000);
  /* Of the stalled only the last 51 were answered within 50 ms. */
  EXPECT_INT(source->good, 1050);
  uint64_t p75 = sketch_quantile(&source->ok_us, 0.75);
  EXPECT(p75 > 490000 && p75 < 515000);
  EXPECT(sketch_quantile(&source->ok_us, 0.99) > 960000);
  EXPECT(sketch_quantile(&source->ok_us, 0.4) < 1100);
  EXPECT_INT(source->seconds[0]->due, 1000);
  EXPECT_INT(source->seconds[0]->good, 1000);
  EXPECT_INT(source->seconds[1]->ok, 1000);
  EXPECT_INT(source->seconds[1]->good, 50);
  EXPECT_INT(source->by_status[503], 1);
  EXPECT_INT(source->lost, 1);
  EXPECT_INT(source->unsent, 1);
  EXPECT_STR(source->codes[0].name, "OVERLOADED");
  report_free(report);
}

TEST(a_report_for_people_is_these_words)
{
  struct report *report = stalled();
  struct buf text;
  buf_init(&text, 1 << 16);
  report_print(report, &text);
  buf_add(&text, slice_of("", 1));
  char golden[8192] = "";
  FILE *file = fopen("test/golden/cli/bench.txt", "re");
  if (getenv("UPDATE") && (file = fopen("test/golden/cli/bench.txt", "we"))) {
    fputs(text.at, file);
    fclose(file);
    file = fopen("test/golden/cli/bench.txt", "re");
  }
  EXPECT(file != NULL);
  if (file) golden[fread(golden, 1, sizeof golden - 1, file)] = '\0', fclose(file);
  EXPECT_STR(text.at, golden);
  buf_deinit(&text);
  report_free(report);
}

static int64_t get(const json_t *object, const char *name)
{
  return json_integer_value(json_object_get(object, name));
}

TEST(a_report_for_programs_has_every_end_and_every_second)
{
  struct report *report = stalled();
  json_t *json = report_json(report);
  EXPECT_INT(get(json, "answers"), 2003);
  EXPECT_INT(get(json, "failed"), 3);
  EXPECT_INT(get(json, "good"), 1050);
  EXPECT(json_real_value(json_object_get(json, "goodput")) == 525.0);
  const json_t *by = json_object_get(json, "failed_by_status");
  EXPECT_INT(get(by, "503"), 1);
  EXPECT_INT(get(by, "lost"), 1);
  EXPECT_INT(get(by, "unsent"), 1);
  EXPECT_INT(get(json_object_get(json, "failed_by_code"), "OVERLOADED"), 1);
  const json_t *source = json_array_get(json_object_get(json, "sources"), 0);
  const json_t *seconds = json_object_get(source, "seconds");
  EXPECT_INT(json_array_size(seconds), 2);
  EXPECT_INT(get(json_array_get(seconds, 1), "good"), 50);
  EXPECT(get(json_array_get(seconds, 1), "p50_us") > 490000);
  EXPECT_INT(get(json_object_get(json, "other"), "count"), 3);
  json_decref(json);
  report_free(report);
}

TEST(sources_are_told_apart_and_added_up)
{
  struct report *report = report_new(2, false);
  report->sources[0].name = "light", report->sources[1].name = "heavy";
  report->seconds = 1;
  report->sources[0].span_us = report->sources[1].span_us = 1000000;
  for (int i = 0; i < 10; i++) seen(report, 0, i, 100, 200, "{}");
  for (int i = 0; i < 5; i++)
    seen(report, 1, i, 90000, 429, "{\"code\":\"RATE_LIMITED\",\"error\":\"\"}");
  struct report_source *sum = grab(sizeof *sum);
  report_sum(report, sum);
  EXPECT_INT(sum->due, 15);
  EXPECT_INT(sum->ok, 10);
  EXPECT_INT(sum->by_status[429], 5);
  EXPECT_INT(sum->codes[0].n, 5);
  EXPECT_INT(sketch_quantile(&sum->ok_us, 1), 101);
  ungrab(sum);
  report_free(report);
}

/* Each time in one line, the lines in order, however wide they lie. */
TEST(a_picture_shows_every_time_once)
{
  struct sketch us = {0};
  struct buf text;
  for (uint64_t v = 1; v < 100000000; v = v * 3 / 2 + 1) sketch_add(&us, v);
  sketch_add(&us, UINT64_MAX);
  buf_init(&text, 1 << 16);
  report_picture(&us, &text);
  buf_add(&text, slice_of("", 1));
  double sum = 0;
  int lines = 0;
  for (const char *at = text.at; (at = strstr(at, " %")); at++, lines++) {
    const char *begin = at;
    while (begin > text.at && begin[-1] != ' ') begin--;
    sum += strtod(begin, NULL);
  }
  EXPECT(lines <= 30 && lines > 5);
  EXPECT(fabs(sum - 100) < 0.5);
  buf_reset(&text);
  memset(&us, 0, sizeof us);
  report_picture(&us, &text);
  EXPECT_INT(text.len, 0);
  buf_deinit(&text);
}

