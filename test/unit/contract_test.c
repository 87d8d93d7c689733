/* contract_test.c - copies are deep; tensors that do not fit are told both shapes.
 * SPDX-License-Identifier: MIT */
#include "base/contract.h"

#include "test.h"

TEST(a_copy_stands_alone)
{
  struct arena arena;
  char name[] = "pixels", label[] = "seven";
  struct slice labels[1] = {slice_str(label)};
  struct tensor_spec in = {.name = slice_str(name), .dtype = DT_FP32,
                           .shape = {.rank = 2, .dims = {-1, 64}}};
  struct tensor_spec out = {.name = slice_str(name), .dtype = DT_INT64, .labels = labels,
                            .n_labels = 1};
  struct contract from = {.inputs = &in, .outputs = &out, .n_inputs = 1, .n_outputs = 1,
                          .batches = true}, to;
  arena_init(&arena, 64 << 10, NULL);
  EXPECT(contract_copy(&arena, &from, &to));
  memset(name, '?', 6), memset(label, '?', 5);
  in.shape.dims[1] = 0;
  EXPECT(to.batches && to.n_inputs == 1 && to.n_outputs == 1);
  EXPECT(slice_eq(to.inputs[0].name, SLICE("pixels")));
  EXPECT_INT(to.inputs[0].shape.dims[1], 64);
  EXPECT(slice_eq(to.outputs[0].labels[0], SLICE("seven")));
  EXPECT(to.inputs[0].labels == NULL);
  struct contract none = {0};
  EXPECT(contract_copy(&arena, &none, &to));
  arena_deinit(&arena);
}

TEST(a_copy_stops_at_the_cap)
{
  struct tensor_spec specs[16] = {{.name = SLICE("x")}};
  struct contract from = {.inputs = specs, .n_inputs = 16}, to;
  for (size_t max = 0; max <= 4096; max += 64) {
    struct arena arena;
    arena_init(&arena, max, NULL);
    bool copied = contract_copy(&arena, &from, &to);
    EXPECT(arena_held(&arena) <= max);
    EXPECT(!copied || slice_eq(to.inputs[0].name, SLICE("x")));
    if (max < sizeof specs) EXPECT(!copied);
    if (max == 4096) EXPECT(copied);
    arena_deinit(&arena);
  }
}

TEST(specs_are_found_by_name)
{
  struct tensor_spec specs[2] = {{.name = SLICE("a")}, {.name = SLICE("b")}};
  uint32_t index = 9;
  EXPECT(spec_find(specs, 2, SLICE("b"), &index) == &specs[1] && index == 1);
  EXPECT(!spec_find(specs, 2, SLICE("c"), &index));
  EXPECT(!spec_find(NULL, 0, SLICE("a"), &index));
}

TEST(what_fits_and_what_does_not)
{
  struct tensor_spec spec = {.name = SLICE("x"), .dtype = DT_FP32,
                             .shape = {.rank = 2, .dims = {-1, 4}}};
  struct tensor tensor = {.dtype = DT_FP32, .shape = {.rank = 2, .dims = {7, 4}}};
  struct err err;
  EXPECT_INT(spec_fits(&spec, &tensor, &err), OK);
  tensor.shape.dims[1] = 5;
  EXPECT_INT(spec_fits(&spec, &tensor, &err), E_BAD_SHAPE);
  EXPECT_STR(err.text, "tensor \"x\" has shape [7,5], the model wants [-1,4]");
  tensor.shape.rank = 1;
  EXPECT_INT(spec_fits(&spec, &tensor, &err), E_BAD_SHAPE);
  spec.rank_free = true;
  EXPECT_INT(spec_fits(&spec, &tensor, &err), OK);
  tensor.dtype = DT_INT8;
  EXPECT_INT(spec_fits(&spec, &tensor, &err), E_BAD_DATATYPE);
  EXPECT_STR(err.text, "tensor \"x\" is INT8, the model wants FP32");
}
