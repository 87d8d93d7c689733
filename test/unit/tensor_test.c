/* tensor_test.c - datatypes, shapes and BYTES in their wire form.
 * SPDX-License-Identifier: MIT */
#include "base/tensor.h"

#include "test.h"

TEST(datatypes_by_name_and_back)
{
  for (int i = DT_NONE + 1; i < DT_COUNT; i++) {
    enum dtype dtype = (enum dtype)i;
    EXPECT_INT(dtype_named(slice_str(dtype_name(dtype))), dtype);
    EXPECT(strncmp(dtype_config(dtype), "TYPE_", 5) == 0);
    EXPECT(dtype_width(dtype) <= 8);
  }
  EXPECT_INT(DT_COUNT - 1, 14);
  EXPECT_INT(dtype_named(SLICE("fp32")), DT_NONE);
  EXPECT_INT(dtype_named(SLICE("FP3")), DT_NONE);
  EXPECT_INT(dtype_named(SLICE("NONE")), DT_NONE);
  EXPECT_INT(dtype_named(SLICE_NONE), DT_NONE);
  EXPECT_INT(dtype_width(DT_INT64), 8);
  EXPECT_INT(dtype_width(DT_BF16), 2);
  EXPECT_INT(dtype_width(DT_BYTES), 0);
  EXPECT(dtype_json(DT_FP32) && !dtype_json(DT_FP16) && !dtype_json(DT_BF16));
  EXPECT_STR(dtype_config(DT_BYTES), "TYPE_STRING");
}

static bool counts(uint32_t rank, const int64_t *dims, uint64_t *count)
{
  struct shape shape = {.rank = rank};
  for (uint32_t i = 0; i < rank; i++) shape.dims[i] = dims[i];
  return shape_count(&shape, count);
}

TEST(elements_of_a_shape)
{
  uint64_t count = 99;
  EXPECT(counts(0, NULL, &count) && count == 1);
  EXPECT(counts(3, (int64_t[]){2, 3, 4}, &count) && count == 24);
  EXPECT(counts(2, (int64_t[]){0, 7}, &count) && count == 0);
  EXPECT(counts(1, (int64_t[]){TENSOR_DIM_MAX}, &count) && count == (uint64_t)TENSOR_DIM_MAX);
  EXPECT(!counts(1, (int64_t[]){-1}, &count));
  EXPECT(!counts(1, (int64_t[]){TENSOR_DIM_MAX + 1}, &count));
  EXPECT(!counts(3, (int64_t[]){TENSOR_DIM_MAX, TENSOR_DIM_MAX, TENSOR_DIM_MAX}, &count));
  EXPECT(!counts(4, (int64_t[]){0, TENSOR_DIM_MAX, TENSOR_DIM_MAX, TENSOR_DIM_MAX}, &count));
}

TEST(shapes_as_text)
{
  char text[SHAPE_TEXT_MAX];
  struct shape shape = {.rank = 3, .dims = {2, -1, 4}};
  EXPECT_STR(shape_text(&shape, text, sizeof text), "[2,-1,4]");
  shape.rank = 0;
  EXPECT_STR(shape_text(&shape, text, sizeof text), "[]");
  shape.rank = 8;
  for (int i = 0; i < 8; i++) shape.dims[i] = TENSOR_DIM_MAX;
  shape_text(&shape, text, sizeof text);
  EXPECT(text[strlen(text) - 1] == ']');
  EXPECT(strlen(text) < sizeof text);
  char small[8];
  EXPECT(strlen(shape_text(&shape, small, sizeof small)) < sizeof small);
}

TEST(bytes_elements_are_walked)
{
  static const char data[] = "\3\0\0\0abc\0\0\0\0\1\0\0\0z";
  struct tensor tensor = {.dtype = DT_BYTES, .count = 3, .data = (void *)(uintptr_t)data,
                          .bytes = sizeof data - 1};
  struct err err;
  EXPECT_INT(tensor_bytes_check(tensor.data, tensor.bytes, 3, &err), OK);
  size_t at = 0;
  EXPECT(slice_eq(tensor_bytes_next(&tensor, &at), SLICE("abc")));
  EXPECT(slice_eq(tensor_bytes_next(&tensor, &at), SLICE("")));
  EXPECT(slice_eq(tensor_bytes_next(&tensor, &at), SLICE("z")));
  EXPECT_INT(at, tensor.bytes);
  EXPECT_CRASH(tensor_bytes_next(&tensor, &at));
}

TEST(bytes_elements_that_do_not_add_up_are_refused)
{
  static const char data[] = "\3\0\0\0abc\0\0\0\0\1\0\0\0z";
  struct err err;
  for (size_t bytes = 0; bytes < sizeof data - 1; bytes++)
    EXPECT_INT(tensor_bytes_check(data, bytes, 3, &err), E_BAD_SIZE);
  EXPECT_INT(tensor_bytes_check(data, sizeof data - 1, 2, &err), E_BAD_SIZE);
  EXPECT(strstr(err.text, "left over") != NULL);
  EXPECT_INT(tensor_bytes_check(data, sizeof data - 1, 4, &err), E_BAD_SIZE);
  EXPECT(strstr(err.text, "element 3") != NULL);
  EXPECT_INT(tensor_bytes_check("\xff\xff\xff\xff", 4, 1, &err), E_BAD_SIZE);
  EXPECT(strstr(err.text, "element 0") != NULL);
  EXPECT_INT(tensor_bytes_check(NULL, 0, 0, &err), OK);
  EXPECT_INT(tensor_bytes_check(NULL, 0, UINT64_MAX, &err), E_BAD_SIZE);
}
