/* echo_test.c - the echo engine: every datatype there and back, and what model.json may not say.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "infer_rig.h"

static struct err refused(const char *json)
{
  struct loaded loaded;
  struct err err;
  enum code code = rig_open("echo", "model.json", slice_str(json), &loaded, &err);
  if (code == OK) rig_close(&loaded);
  return err;
}

TEST(echo_answers_every_datatype_with_a_view_of_its_input)
{
  for (enum dtype dtype = DT_BOOL; dtype < DT_COUNT; dtype++) {
    char json[256], data[64] = "\2\0\0\0ab\1\0\0\0c";
    struct loaded loaded;
    struct err err;
    snprintf(
        json, sizeof json,
        "{\"engine\":\"echo\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"%s\",\"shape\":[-1]}]}",
        dtype_name(dtype));
    EXPECT_INT(rig_open("echo", "model.json", slice_str(json), &loaded, &err), OK);
    EXPECT(loaded.contract.batches);
    EXPECT_INT(loaded.contract.n_outputs, 1);
    struct rig_task rig;
    rig_task_init(&rig, &loaded, NULL, NULL);
    rig_input(&rig, 0, dtype, (struct shape){1, {2}}, data, 11);
    EXPECT_INT(rig_run(&loaded, &rig), OK);
    EXPECT(rig.outputs[0].data == data);
    EXPECT_INT(rig.outputs[0].dtype, dtype);
    EXPECT_INT(rig.outputs[0].bytes, dtype == DT_BYTES ? 11 : 2 * dtype_width(dtype));
    rig_task_deinit(&rig);
    rig_close(&loaded);
  }
}

TEST(echo_answers_only_what_is_wanted)
{
  struct loaded loaded;
  struct err err;
  EXPECT_INT(rig_open("echo", "model.json",
                      SLICE("{\"inputs\":[{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[]},"
                            "{\"name\":\"b\",\"datatype\":\"INT8\",\"shape\":[2,-1]}],"
                            "\"outputs\":[{\"name\":\"p\",\"datatype\":\"INT8\",\"shape\":[]},"
                            "{\"name\":\"q\",\"datatype\":\"INT8\",\"shape\":[2,-1]}]}"),
                      &loaded, &err),
             OK);
  EXPECT(!loaded.contract.batches);
  char a = 3;
  struct rig_task rig;
  rig_task_init(&rig, &loaded, NULL, NULL);
  rig_input(&rig, 0, DT_INT8, (struct shape){0}, &a, 0);
  rig_input(&rig, 1, DT_INT8, (struct shape){2, {2, 0}}, NULL, 0);
  rig.task.wanted = 2;
  EXPECT_INT(rig_run(&loaded, &rig), OK);
  EXPECT_INT(rig.outputs[0].dtype, DT_NONE);
  EXPECT_INT(rig.outputs[1].count, 0);
  EXPECT_INT(rig.outputs[1].shape.rank, 2);
  EXPECT(slice_eq(rig.outputs[1].name, SLICE("q")));
  rig_task_deinit(&rig);
  rig_close(&loaded);
}

TEST(an_echo_that_lies_about_its_output_is_caught)
{
  struct loaded loaded;
  struct err err;
  EXPECT_INT(rig_open("echo", "model.json",
                      SLICE("{\"inputs\":[{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[1]}],"
                            "\"outputs\":[{\"name\":\"p\",\"datatype\":\"INT8\",\"shape\":[2]}]}"),
                      &loaded, &err),
             OK);
  char a = 3;
  struct rig_task rig;
  rig_task_init(&rig, &loaded, NULL, NULL);
  rig_input(&rig, 0, DT_INT8, (struct shape){1, {1}}, &a, 0);
  EXPECT_INT(rig_run(&loaded, &rig), E_BAD_MODEL_OUTPUT);
  rig_task_deinit(&rig);
  rig_close(&loaded);
}

TEST(a_delayed_echo_is_stopped_at_its_deadline)
{
  struct loaded loaded;
  struct err err;
  EXPECT_INT(rig_open("echo", "model.json",
                      SLICE("{\"delay_us\":5000000,\"inputs\":"
                            "[{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[1]}]}"),
                      &loaded, &err),
             OK);
  struct watch *watch = watch_new();
  struct lane *lane = lane_new(&loaded, watch, NULL, &err);
  char a = 3;
  struct rig_task rig;
  rig_task_init(&rig, &loaded, lane, NULL);
  rig_input(&rig, 0, DT_INT8, (struct shape){1, {1}}, &a, 0);
  rig.task.deadline_us = clock_us() + 20000;
  lane_push(lane, &rig.task);
  int64_t began_us = clock_us(), now_ns = began_us * 1000;
  lane_run(lane, &now_ns);
  EXPECT_INT(rig.task.err.code, E_DEADLINE_EXCEEDED);
  EXPECT(clock_us() - began_us < 1000000);
  lane_free(lane);
  watch_free(watch);
  rig_task_deinit(&rig);
  rig_close(&loaded);
}

TEST(a_busy_echo_takes_its_time_on_a_core_for_each_row)
{
  struct loaded loaded;
  struct err err;
  EXPECT_INT(rig_open("echo", "model.json",
                      SLICE("{\"busy_us\":2000,\"inputs\":"
                            "[{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[-1]}]}"),
                      &loaded, &err),
             OK);
  char rows[3] = {1, 2, 3};
  struct rig_task rig;
  rig_task_init(&rig, &loaded, NULL, NULL);
  rig_input(&rig, 0, DT_INT8, (struct shape){1, {3}}, rows, 0);
  rig.task.rows = 3;
  int64_t before_ns = clock_thread_ns();
  EXPECT_INT(rig_run(&loaded, &rig), OK);
  int64_t took_ns = clock_thread_ns() - before_ns;
  EXPECT(took_ns >= 6000000 && took_ns < 12000000);
  rig_task_deinit(&rig);
  rig_close(&loaded);
}

TEST(model_json_errors_name_the_place)
{
  static const struct {
    const char *json, *part;
  } cases[] = {
      {"{", "line 1, column 1"},
      {"[]", "not a JSON object"},
      {"{\"engine\":\"linear\"}", "not \"echo\""},
      {"{\"inputs\":[],\"inputs\":[]}", "unique keys"},
      {"{\"inputs\":[],\"color\":1}", "member \"color\""},
      {"{\"inputs\":[]}", "\"inputs\" in model.json is not an array of 1 to 64"},
      {"{\"inputs\":[{\"datatype\":\"INT8\",\"shape\":[]}]}",
       "inputs[0] in model.json has no name"},
      {"{\"inputs\":[{\"name\":\"a\",\"datatype\":\"int8\",\"shape\":[]}]}", "no datatype"},
      {"{\"inputs\":[{\"name\":\"a\",\"datatype\":\"INT8\"}]}",
       "inputs[0] in model.json.shape is not"},
      {"{\"inputs\":[{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[-2]}]}", "shape[0] is not"},
      {"{\"inputs\":[{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[1],\"size\":2}]}",
       "\"size\""},
      {"{\"inputs\":[{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[]},"
       "{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[]}]}",
       "name of inputs[0]"},
      {"{\"inputs\":[{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[]}],\"delay_us\":-1}",
       "delay_us"},
      {"{\"inputs\":[{\"name\":\"a\",\"datatype\":\"INT8\",\"shape\":[]}],\"busy_us\":\"1\"}",
       "busy_us"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct err err = refused(cases[i].json);
    EXPECT_INT(err.code, E_MODEL_REJECTED);
    EXPECT(strstr(err.text, cases[i].part));
    if (!strstr(err.text, cases[i].part)) printf("  %s: %s\n", cases[i].json, err.text);
  }
}

TEST(engines_are_found_by_name_and_by_files)
{
  struct model_file echo = {SLICE("model.json"), SLICE("{\"engine\":\"echo\"}")};
  struct model_file linear = {SLICE("model.json"), SLICE("{\"engine\":\"linear\"}")};
  struct model_file other = {SLICE("model.txt"), SLICE("{\"engine\":\"linear\"}")};
  EXPECT(engine_guess(&(struct model_source){.files = &echo, .n_files = 1}) ==
         engine_named(SLICE("echo")));
  EXPECT(engine_guess(&(struct model_source){.files = &linear, .n_files = 1}) ==
         engine_named(SLICE("linear")));
  EXPECT(engine_guess(&(struct model_source){.files = &other, .n_files = 1}) == NULL);
  EXPECT(engine_named(SLICE("nothing")) == NULL);
  for (size_t i = 0; i < engine_count(); i++)
    EXPECT(engine_named(slice_str(engine_at(i)->name)) == engine_at(i));
}
