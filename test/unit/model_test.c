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

/* Numbers and names that ledgers, stored predictions and clients know. */
TEST(an_arm_has_one_number_and_one_name)
{
  static const char *const names[ARMS_MAX] = {"candidate",   "stable",      "candidate-2",
                                              "candidate-3", "candidate-4", "candidate-5",
                                              "candidate-6", "candidate-7"};
  uint32_t arm;
  EXPECT_INT(ARM_CANDIDATE, 0);
  EXPECT_INT(ARM_STABLE, 1);
  for (uint32_t i = 0; i < ARMS_MAX; i++) {
    EXPECT_STR(arm_name(i), names[i]);
    EXPECT(arm_named(slice_str(names[i]), &arm) && arm == i);
  }
  EXPECT(!arm_named(SLICE("candidate-1"), &arm));
  EXPECT(!arm_named(SLICE("candidate-8"), &arm));
  EXPECT(!arm_named(SLICE_NONE, &arm));
}

/* Stable lies between the candidates, by number: what a stored release of two arms meant, and an
 * appended arm takes nothing from the ones before it but from the end of stable's part. */
TEST(the_lot_goes_by_number)
{
  struct split split = {.seed = SLICE("fraud/17")};
  struct model model = {.n_arms = 2, .release = &split};
  struct slice one = SLICE("user-1"), two = SLICE("user-2"); /* buckets 70069295, 4850544 */
  model.arms[ARM_CANDIDATE].weight = 5000000;
  model.arms[ARM_STABLE].weight = WEIGHT_WHOLE - 5000000;
  EXPECT_INT(model_arm_drawn(&model, one), ARM_STABLE);
  EXPECT_INT(model_arm_drawn(&model, two), ARM_CANDIDATE);
  model.n_arms = 4;
  model.arms[ARM_STABLE].weight = 65000000;
  model.arms[2].weight = 69295; /* [70000000, 70069295) */
  model.arms[3].weight = WEIGHT_WHOLE - 70069295;
  EXPECT_INT(model_arm_drawn(&model, one), 3);
  EXPECT_INT(model_arm_drawn(&model, two), ARM_CANDIDATE);
  model.arms[2].weight++;
  model.arms[3].weight--;
  EXPECT_INT(model_arm_drawn(&model, one), 2);
}
