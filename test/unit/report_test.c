/* report_test.c - what the daemon believes of a process that ran a stranger's model.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "jobs/inspect/report.h"

static struct report good(void)
{
  return (struct report){.code = OK,
                         .walls = WALL_SECCOMP | WALL_PRIVILEGES,
                         .landlock_abi = 7,
                         .n_golden = 3,
                         .memory_bytes = 1000,
                         .memory_peak_bytes = 2000,
                         .load_us = 10,
                         .run_ns = 20,
                         .engine = "onnx",
                         .stamp = "1 onnx/1.28.0"};
}

static struct inspected found;
static uint32_t walls, abi;
static struct err err;

static bool reads(const char *stages, const struct report *report, size_t len)
{
  struct report_in in;
  report_in_init(&in);
  report_in_add(&in, slice_str(stages));
  report_in_add(&in, slice_of((const char *)report, len));
  return report_read(&in, &found, &walls, &abi, &err);
}

static bool takes(struct report report) { return reads("abcdeR", &report, sizeof report); }

TEST(a_good_report_is_read)
{
  struct report report = good();
  EXPECT(takes(report));
  EXPECT_INT(err.code, OK);
  EXPECT_STR(found.engine, "onnx");
  EXPECT_STR(found.stamp, "1 onnx/1.28.0");
  EXPECT(found.memory_bytes == 1000 && found.memory_peak_bytes == 2000);
  EXPECT(found.load_us == 10 && found.run_ns == 20 && found.n_golden == 3);
  EXPECT(walls == (WALL_SECCOMP | WALL_PRIVILEGES) && abi == 7);
}

TEST(a_refusal_is_read_and_cleaned)
{
  struct report report = good();
  report.code = E_GOLDEN_FAILED;
  snprintf(report.text, sizeof report.text, "line 1\x1b[31m");
  snprintf(report.field, sizeof report.field, "golden.jsonl:1");
  EXPECT(takes(report));
  EXPECT_INT(err.code, E_GOLDEN_FAILED);
  EXPECT(!strchr(err.text, 0x1b));
  EXPECT_STR(err.field, "golden.jsonl:1");
  report.text[0] = 0;
  EXPECT(!takes(report)); /* without a reason */
}

TEST(what_no_child_of_ours_says_is_not_believed)
{
  struct report report = good();
  EXPECT(!reads("abcde", &report, sizeof report));
  EXPECT(!reads("abcdeR", &report, sizeof report - 1));
  EXPECT(!reads("xR", &report, sizeof report));
  static const enum code codes[] = {E_INTERNAL, E_UNAUTHENTICATED, E_DRAINING, CODE_COUNT,
                                    (enum code)1000000};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    report = good();
    report.code = codes[i];
    snprintf(report.text, sizeof report.text, "no");
    EXPECT(!takes(report));
  }
  report = good();
  report.memory_bytes = UINT64_MAX;
  EXPECT(!takes(report));
  report = good();
  report.load_us = -1;
  EXPECT(!takes(report));
  report = good();
  report.run_ns = INT64_MAX;
  EXPECT(!takes(report));
  report = good();
  report.walls = 1 << 10;
  EXPECT(!takes(report));
  report = good();
  memset(report.engine, 'a', sizeof report.engine);
  EXPECT(!takes(report));
  report = good();
  snprintf(report.stamp, sizeof report.stamp, "1 \"x\"");
  EXPECT(!takes(report));
  report = good();
  report.code = E_MODEL_REJECTED;
  memset(report.text, 'a', sizeof report.text);
  EXPECT(!takes(report));
}

TEST(too_many_words_or_bytes_are_astray)
{
  struct report_in in;
  struct report report = good();
  report_in_init(&in);
  for (int i = 0; i < 2 * STAGES_MAX; i++) report_in_add(&in, SLICE("a"));
  EXPECT(in.astray);
  report_in_init(&in);
  report_in_add(&in, SLICE("R"));
  report_in_add(&in, slice_of((const char *)&report, sizeof report));
  EXPECT(!in.astray);
  report_in_add(&in, SLICE("x"));
  EXPECT(in.astray);
  EXPECT(!report_read(&in, &found, &walls, &abi, &err));
}

TEST(the_last_stage_is_known)
{
  struct report_in in;
  report_in_init(&in);
  EXPECT_STR(stage_text(in.stage), "while it was read");
  report_in_add(&in, SLICE("abc"));
  EXPECT_STR(stage_text(in.stage), "while it was loaded");
  report_in_add(&in, SLICE("m"));
  EXPECT(in.no_memory);
}
