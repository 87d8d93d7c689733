/* example_engine_test.c - the toy engine of examples/engine does what its page says.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "infer_rig.h"

/* Not one of ours: compiled in as its reader would, next to the others. */
#include "../examples/engine/upper.c"

TEST(the_toy_engine_answers_in_capitals)
{
  struct loaded loaded;
  struct err err;
  struct model_file file = {SLICE("model.json"), SLICE("{\"engine\": \"upper\"}\n")};
  struct model_config config = {0};
  struct model_source source = {&file, 1, &config, NULL, 0};
  EXPECT(engine_upper.claims(&source));
  EXPECT_INT(rig_open_files(&engine_upper, &source, &loaded, &err), OK);
  char text[] = "\7\0\0\0harbour\2\0\0\0a!\0\0\0\0";
  struct rig_task rig;
  rig_task_init(&rig, &loaded, NULL, NULL);
  rig_input(&rig, 0, DT_BYTES, (struct shape){1, {3}}, text, sizeof text - 1);
  EXPECT_INT(rig_run(&loaded, &rig), OK);
  EXPECT_INT(rig.outputs[0].bytes, sizeof text - 1);
  EXPECT(memcmp(rig.outputs[0].data, "\7\0\0\0HARBOUR\2\0\0\0A!\0\0\0\0", sizeof text - 1) == 0);
  EXPECT(memcmp(text, "\7\0\0\0harbour", 11) == 0);
  rig_input(&rig, 0, DT_BYTES, (struct shape){1, {0}}, NULL, 0);
  EXPECT_INT(rig_run(&loaded, &rig), OK);
  EXPECT_INT(rig.outputs[0].count, 0);
  rig_task_deinit(&rig);
  rig_close(&loaded);
}

TEST(the_toy_engine_refuses_other_files)
{
  struct loaded loaded;
  struct err err;
  struct model_file file = {SLICE("model.json"), SLICE("{\"engine\": \"upper\", \"size\": 3}")};
  struct model_config config = {0};
  struct model_source source = {&file, 1, &config, NULL, 0};
  EXPECT_INT(rig_open_files(&engine_upper, &source, &loaded, &err), E_MODEL_REJECTED);
  EXPECT(strstr(err.text, "\"size\""));
  file.bytes = SLICE("{\"engine\": \"echo\"}");
  EXPECT(!engine_upper.claims(&source));
}
