/* feature_test.c - which numbers of a request are its features, and what they are called.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "world/feature.h"

#include "test.h"

static const struct tensor_spec specs[] = {
    {.name = SLICE("text"), .dtype = DT_BYTES, .shape = {2, {-1, 1}}},
    {.name = SLICE("age"), .dtype = DT_INT32, .shape = {2, {-1, 1}}},
    {.name = SLICE("image"), .dtype = DT_FP32, .shape = {3, {-1, 9, 9}}},
    {.name = SLICE("loose"), .dtype = DT_FP32, .shape = {2, {-1, -1}}},
    {.name = SLICE("x"), .dtype = DT_FP32, .shape = {3, {-1, 2, 3}}},
    {.name = SLICE("y"), .dtype = DT_FP64, .shape = {2, {-1, 4}}, .optional = true},
};
static const struct contract contract = {.inputs = specs, .n_inputs = 6, .batches = true};

TEST(small_inputs_of_numbers_have_features)
{
  const int32_t age[] = {41, 17};
  const float x[] = {0.5f, 1, 2, 3, 4, 5, 99, 99, 99, 99, 99, 99};
  const double y[] = {-7, 1, 1, 1, 1, 1, 1, 1};
  struct tensor inputs[6] = {0};
  float row[DRIFT_FEATURES];
  inputs[1] = (struct tensor){
      .dtype = DT_INT32, .count = 2, .data = (void *)(uintptr_t)age, .bytes = sizeof age};
  inputs[4] = (struct tensor){
      .dtype = DT_FP32, .count = 12, .data = (void *)(uintptr_t)x, .bytes = sizeof x};
  EXPECT_INT(features_count(&contract), 8);
  EXPECT_INT(features_read(&contract, inputs, row), 8); /* y is left out */
  EXPECT(row[0] == 41 && row[1] == 0.5f && row[6] == 5 && row[7] != row[7]);
  inputs[5] = (struct tensor){
      .dtype = DT_FP64, .count = 8, .data = (void *)(uintptr_t)y, .bytes = sizeof y};
  EXPECT_INT(features_read(&contract, inputs, row), 8);
  EXPECT(row[7] == -7);
}

TEST(what_is_absent_is_no_number)
{
  const int32_t age[] = {41};
  struct tensor inputs[6] = {0};
  float row[DRIFT_FEATURES];
  for (int i = 0; i < DRIFT_FEATURES; i++) row[i] = 7; /* of the request before */
  inputs[1] = (struct tensor){
      .dtype = DT_INT32, .count = 1, .data = (void *)(uintptr_t)age, .bytes = sizeof age};
  EXPECT_INT(features_read(&contract, inputs, row), 8);
  EXPECT(row[0] == 41);
  for (int i = 1; i < DRIFT_FEATURES; i++) EXPECT(row[i] != row[i]);
  const struct contract one = {.inputs = &specs[1], .n_inputs = 1, .batches = true};
  for (int i = 0; i < DRIFT_FEATURES; i++) row[i] = 7;
  EXPECT_INT(features_read(&one, &inputs[1], row), 1);
  EXPECT(row[0] == 41 && DRIFT_FEATURES > 1);
  for (int i = 1; i < DRIFT_FEATURES; i++) EXPECT(row[i] != row[i]);
  inputs[1].count = 0;
  EXPECT_INT(features_read(&one, &inputs[1], row), 1);
  EXPECT(row[0] != row[0]);
}

TEST(features_have_names)
{
  char name[FEATURE_NAME_MAX];
  const struct tensor_spec odd = {
      .name = SLICE("a very long name of an input\n"), .dtype = DT_FP32, .shape = {1, {64}}};
  const struct tensor_spec bad = {.name = SLICE("\x01\xff"), .dtype = DT_BOOL, .shape = {1, {1}}};
  const struct contract one = {.inputs = &odd, .n_inputs = 1};
  const struct contract two = {.inputs = &bad, .n_inputs = 1};
  feature_name(&contract, 0, name);
  EXPECT_STR(name, "age");
  feature_name(&contract, 3, name);
  EXPECT_STR(name, "x[2]");
  feature_name(&contract, 7, name);
  EXPECT_STR(name, "y[0]");
  feature_name(&one, 7, name);
  EXPECT_STR(name, "a very long name o[7]");
  feature_name(&two, 0, name);
  EXPECT_STR(name, "??");
  EXPECT_INT(features_count(&two), 1);
}
