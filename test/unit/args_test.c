/* args_test.c - flags are read as their table says; what is wrong is said with the nearest word.
 * SPDX-License-Identifier: MIT */
#include "cli/args.h"

#include "cli/out.h"
#include "test.h"

static const struct opt opts[] = {
    {"note", 'n', OPT_TEXT, "TEXT", "a text"},   {"limit", 0, OPT_COUNT, "N", "a number"},
    {"wait", 'w', OPT_SWITCH, NULL, "a switch"}, {"plan", 0, OPT_LATER, "FILE", "some day"},
    {NULL, 0, OPT_SWITCH, NULL, NULL},
};

/* Reads up to eight words; NULL ends them. */
static enum code read_words(struct args *args, struct err *err, uint32_t min, uint32_t max,
                            const char *const *words)
{
  char *argv[8];
  int argc = 0;
  for (; words[argc]; argc++) argv[argc] = (char *)(uintptr_t)words[argc];
  return args_read(args, opts, min, max, argc, argv, err);
}

#define READ(min, max, ...) \
  read_words(&args, &err, min, max, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

TEST(flags_come_in_every_form)
{
  struct args args;
  struct err err;
  EXPECT_INT(READ(1, 2, "model", "--note", "a b", "--limit=7", "-w", "path"), OK);
  EXPECT_INT(args.n_words, 2);
  EXPECT_STR(args.words[0], "model");
  EXPECT_STR(args.words[1], "path");
  EXPECT_STR(args_text(&args, "note"), "a b");
  EXPECT_INT(args_count(&args, "limit"), 7);
  EXPECT(args_given(&args, "wait"));
  EXPECT(!args.json && !args.help && !args.url);
  EXPECT_INT(READ(0, 1, "-n", "x", "--json", "--url", "http://a"), OK);
  EXPECT(args.json && !args_given(&args, "wait") && !args_given(&args, "limit"));
  EXPECT_STR(args.url, "http://a");
}

TEST(two_dashes_end_the_flags_and_one_is_a_word)
{
  struct args args;
  struct err err;
  EXPECT_INT(READ(0, 3, "-", "--", "--note"), OK);
  EXPECT_INT(args.n_words, 2);
  EXPECT_STR(args.words[0], "-");
  EXPECT_STR(args.words[1], "--note");
  EXPECT_INT(READ(0, 1, "--", "--help"), OK);
  EXPECT(!args.help);
}

TEST(a_value_may_look_like_a_flag)
{
  struct args args;
  struct err err;
  EXPECT_INT(READ(0, 0, "--note", "-w"), OK);
  EXPECT_STR(args_text(&args, "note"), "-w");
  EXPECT(!args_given(&args, "wait"));
  EXPECT_INT(READ(0, 0, "--note="), OK);
  EXPECT_STR(args_text(&args, "note"), "");
}

TEST(what_is_wrong_is_said)
{
  static const struct {
    const char *words[4];
    const char *text;
    enum code code;
  } rows[] = {
      {{"--nte", "x"}, "there is no flag '--nte'; did you mean '--note'?", E_INVALID_ARGUMENT},
      {{"--jason"}, "there is no flag '--jason'; did you mean '--json'?", E_INVALID_ARGUMENT},
      {{"--zebra"}, "there is no flag '--zebra'", E_INVALID_ARGUMENT},
      {{"-z"}, "there is no flag '-z'", E_INVALID_ARGUMENT},
      {{"-wn"}, "there is no flag '-wn'", E_INVALID_ARGUMENT},
      {{"--note"}, "'--note' needs a value", E_INVALID_ARGUMENT},
      {{"--wait=yes"}, "'--wait' takes no value", E_INVALID_ARGUMENT},
      {{"--limit", "0"}, "'--limit' takes a whole number from 1 on, not '0'", E_INVALID_ARGUMENT},
      {{"--limit", "1e3"},
       "'--limit' takes a whole number from 1 on, not '1e3'",
       E_INVALID_ARGUMENT},
      {{"--limit", "-1"}, "'--limit' takes a whole number from 1 on, not '-1'", E_INVALID_ARGUMENT},
      {{"--limit", "4294967296"},
       "'--limit' takes a whole number from 1 on, not '4294967296'",
       E_INVALID_ARGUMENT},
      {{"--plan", "x"}, "'--plan' is not built yet", E_NOT_IMPLEMENTED},
      {{"a", "b"}, "'b' is one word too many", E_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct args args;
    struct err err;
    EXPECT_INT(read_words(&args, &err, 0, 1, rows[i].words), rows[i].code);
    EXPECT_STR(err.text, rows[i].text);
  }
  struct args args;
  struct err err;
  EXPECT_INT(READ(2, 2, "a"), E_INVALID_ARGUMENT);
  EXPECT_STR(err.text, "something is missing after 'a'");
  EXPECT_INT(READ(2, 2, "a", "--nope", "--help"), OK); /* help judges nothing */
  EXPECT(args.help);
}

TEST(distances_are_those_of_levenshtein)
{
  EXPECT_INT(edit_distance("kitten", "sitting"), 3);
  EXPECT_INT(edit_distance("", "abc"), 3);
  EXPECT_INT(edit_distance("status", "status"), 0);
  EXPECT_INT(edit_distance("stauts", "status"), 2);
  EXPECT(edit_is_near("stauts", "status"));
  EXPECT(!edit_is_near("x", "ab"));
  EXPECT(!edit_is_near("deploy", "doctor"));
}

TEST(sizes_and_times_are_short)
{
  char text[OUT_NUMBER_MAX];
  EXPECT_STR(out_bytes(0, text), "0 B");
  EXPECT_STR(out_bytes(1023, text), "1023 B");
  EXPECT_STR(out_bytes(1536, text), "1.5 KiB");
  EXPECT_STR(out_bytes(UINT64_C(300) << 20, text), "300 MiB");
  EXPECT_STR(out_bytes(UINT64_MAX, text), "16.0 EiB");
  EXPECT_STR(out_us(999, text), "999 us");
  EXPECT_STR(out_us(1500, text), "1.5 ms");
  EXPECT_STR(out_us(2500000, text), "2.5 s");
  EXPECT_STR(out_seconds(59, text), "59 s");
  EXPECT_STR(out_seconds(3599, text), "59 min");
  EXPECT_STR(out_seconds(90061, text), "1 d 1 h");
}
