/* model_test.c - what a model may be called, and its arms.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "world/model.h"

static enum code check(const char *name)
{
  struct err err = {0};
  enum code code = model_name_check(slice_str(name), &err);
  EXPECT(code == OK || (code == E_BAD_NAME && err.code == code && err.text[0]));
  return code;
}

TEST(good_names_pass)
{
  const char *good[] = {
      "a",           "A1",    "digits",
      "fraud-2.1_x", "con1x", "comx",
      "com12",       "lpt",   "0123456789012345678901234567890123456789012345678901234567890ab"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) EXPECT_INT(check(good[i]), OK);
}

TEST(bad_names_are_refused)
{
  const char *bad[] = {"",
                       ".",
                       "..",
                       "a..b",
                       "-a",
                       "a-",
                       "_a",
                       "a.",
                       ".a",
                       "a/b",
                       "a b",
                       "a\\b",
                       "\xc3\xa9",
                       "a\x01"
                       "b",
                       "con",
                       "CON",
                       "nul.onnx",
                       "Com1",
                       "lpt9",
                       "aux.x.y",
                       "a%2fb",
                       "a:b",
                       "01234567890123456789012345678901234567890123456789012345678901abc"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT_INT(check(bad[i]), E_BAD_NAME);
  struct err err;
  EXPECT_INT(model_name_check(slice_of("a\0b", 3), &err), E_BAD_NAME);
}

TEST(an_arm_has_one_name_for_headers_and_flags)
{
  struct model model = {.n_arms = 1};
  EXPECT_STR(model_arm_name(&model, 0), "stable");
  model.n_arms = 2;
  EXPECT_STR(model_arm_name(&model, 0), "candidate");
  EXPECT_STR(model_arm_name(&model, 1), "stable");
  model.n_arms = ARMS_MAX;
  EXPECT_STR(model_arm_name(&model, 0), "candidate-1");
  EXPECT_STR(model_arm_name(&model, ARMS_MAX - 2), "candidate-7");
  EXPECT_STR(model_arm_name(&model, ARMS_MAX - 1), "stable");
}
