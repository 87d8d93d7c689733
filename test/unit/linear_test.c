/* linear_test.c - the linear engine against values computed by hand.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "infer_rig.h"

#define W "\"weights\":[[1,2,3],[-1,0.5,0]],\"bias\":[0.5,-2]"

static bool near(float got, double want) { return fabs((double)got - want) < 1e-6; }

static const float *answer(const char *json, float *x, int64_t rows, struct rig_task *rig,
                           struct loaded *loaded)
{
  struct err err;
  EXPECT_INT(rig_open("linear", "model.json", slice_str(json), loaded, &err), OK);
  rig_task_init(rig, loaded, NULL, NULL);
  rig->task.rows = (uint32_t)rows;
  rig_input(rig, 0, DT_FP32, (struct shape){2, {rows, 3}}, x, 0);
  EXPECT_INT(rig_run(loaded, rig), OK);
  EXPECT_INT(rig->outputs[0].shape.dims[0], rows);
  EXPECT_INT(rig->outputs[0].shape.dims[1], 2);
  return rig->outputs[0].data;
}

TEST(linear_is_x_times_w_plus_b)
{
  float x[] = {1, 1, 1, 2, -4, 0.5f};
  struct rig_task rig;
  struct loaded loaded;
  const float *y = answer("{" W "}", x, 2, &rig, &loaded);
  EXPECT(near(y[0], 6.5) && near(y[1], -2.5)); /* 1+2+3+.5; -1+.5-2 */
  EXPECT(near(y[2], -4) && near(y[3], -6));    /* 2-8+1.5+.5; -2-2-2 */
  EXPECT(loaded.contract.batches);
  EXPECT(loaded.engine->bytes(loaded.model, &(uint64_t){0}) > 8 * sizeof(float));
  rig_task_deinit(&rig);
  rig_close(&loaded);
}

TEST(linear_with_sigmoid_and_softmax)
{
  float x[] = {1, 1, 1};
  struct rig_task rig;
  struct loaded loaded;
  const float *y = answer("{" W ",\"activation\":\"sigmoid\"}", x, 1, &rig, &loaded);
  EXPECT(near(y[0], 1 / (1 + exp(-6.5))) && near(y[1], 1 / (1 + exp(2.5))));
  rig_task_deinit(&rig);
  rig_close(&loaded);
  y = answer("{" W ",\"activation\":\"softmax\",\"labels\":[\"ham\",\"spam\"],\"output\":\"p\"}", x,
             1, &rig, &loaded);
  EXPECT(near(y[0], exp(6.5) / (exp(6.5) + exp(-2.5))) && near(y[0] + y[1], 1));
  EXPECT(slice_eq(loaded.contract.outputs[0].labels[1], SLICE("spam")));
  EXPECT(slice_eq(rig.outputs[0].name, SLICE("p")));
  rig_task_deinit(&rig);
  rig_close(&loaded);
}

TEST(linear_takes_no_rows_and_refuses_past_the_cap)
{
  struct rig_task rig;
  struct loaded loaded;
  answer("{" W "}", NULL, 0, &rig, &loaded);
  EXPECT_INT(rig.outputs[0].bytes, 0);
  static float x[3 << 12];
  arena_deinit(&rig.scratch);
  arena_init(&rig.scratch, 16 << 10, NULL);
  rig_input(&rig, 0, DT_FP32, (struct shape){2, {1 << 12, 3}}, x, 0);
  EXPECT_INT(rig_run(&loaded, &rig), E_OUT_OF_MEMORY);
  rig_task_deinit(&rig);
  rig_close(&loaded);
}

TEST(linear_refuses_what_is_not_a_matrix)
{
  static const struct {
    const char *json, *part;
  } cases[] = {
      {"{}", "not an array of rows"},
      {"{\"weights\":[]}", "not an array of rows"},
      {"{\"weights\":[[]]}", "not an array of rows"},
      {"{\"weights\":[[1,2],[3]]}", "weights[1] in model.json is not an array of 2"},
      {"{\"weights\":[[1,\"2\"]]}", "weights[0][1] in model.json is not a number"},
      {"{\"weights\":[[1,1e39]]}", "weights[0][1] in model.json is not a number"},
      {"{\"weights\":[[1]],\"bias\":[1,2]}", "bias in model.json is not an array of 1"},
      {"{\"weights\":[[1]],\"bias\":[true]}", "bias[0]"},
      {"{\"weights\":[[1]],\"activation\":\"relu\"}", "activation"},
      {"{\"weights\":[[1]],\"activation\":3}", "activation"},
      {"{\"weights\":[[1]],\"labels\":[\"a\",\"b\"]}", "2 labels for 1 outputs"},
      {"{\"weights\":[[1]],\"labels\":[1]}", "labels[0]"},
      {"{\"weights\":[[1]],\"labels\":[]}", "labels"},
      {"{\"weights\":[[1]],\"input\":\"\"}", "\"input\" in model.json is not a name"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct loaded loaded;
    struct err err;
    EXPECT_INT(rig_open("linear", "model.json", slice_str(cases[i].json), &loaded, &err),
               E_MODEL_REJECTED);
    EXPECT(strstr(err.text, cases[i].part));
    if (!strstr(err.text, cases[i].part)) printf("  %s: %s\n", cases[i].json, err.text);
  }
}
