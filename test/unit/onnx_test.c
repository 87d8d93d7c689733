/* onnx_test.c - the onnx engine against small models of our own (test/data/onnx, made by
 * bench/models/make_models.py). Skipped, saying so, where ONNX Runtime is not installed.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <malloc.h>

#include "base/thread.h"
#include "infer_rig.h"
#include "onnx_proto.h"
#include "ort_here.h"

static struct arena files;

static struct slice file(const char *name)
{
  char path[256];
  if (!files.max) arena_init(&files, 256 << 20, NULL);
  snprintf(path, sizeof path, "test/data/onnx/%s.onnx", name);
  struct slice bytes = proto_file(path, &files);
  EXPECT(bytes.len > 0);
  return bytes;
}

static enum code open_model(const char *name, struct loaded *loaded, struct err *err)
{
  enum code code = rig_open("onnx", "model.onnx", file(name), loaded, err);
  if (code != OK) printf("%s: %s\n", name, err->text);
  return code;
}

TEST(every_datatype_goes_through_unchanged)
{
  struct loaded loaded;
  struct err err;
  if (!ort_here() || open_model("identities", &loaded, &err) != OK) return;
  EXPECT_INT(loaded.contract.n_inputs, 14);
  EXPECT(loaded.contract.batches); /* all call their dimension "n" */
  static char data[14][64];
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  for (int round = 0; round < 12; round++) { /* plain, wrapped, bound; another shape now and then */
    uint32_t n = round % 6 == 2 ? 0 : 3;
    struct rig_task rig;
    rig_task_init(&rig, &loaded, lane, NULL);
    for (uint32_t i = 0; i < 14; i++) {
      const struct tensor_spec *spec = &loaded.contract.inputs[i];
      EXPECT_STR(dtype_name(spec->dtype), spec->name.at + 3);
      for (size_t b = 0; b < 64; b++) data[i][b] = (char)((b * 7 + i + (size_t)round) & 127);
      if (spec->dtype == DT_BOOL) memcpy(data[i], "\1\0\1", 3);
      if (spec->dtype == DT_BYTES) memcpy(data[i], "\3\0\0\0a\0c\0\0\0\0\1\0\0\0\xff", 16);
      rig_input(&rig, i, spec->dtype, (struct shape){1, {n}}, n ? data[i] : NULL, n ? 16 : 0);
    }
    int64_t now_ns = clock_ns();
    lane_push(lane, &rig.task);
    lane_run(lane, &now_ns);
    EXPECT_INT(rig.task.err.code, OK);
    for (uint32_t i = 0; i < 14 && rig.task.err.code == OK; i++) {
      struct tensor *in = &rig.inputs[i], *out = &rig.outputs[i];
      EXPECT_INT(out->dtype, in->dtype);
      EXPECT_INT(out->bytes, in->bytes);
      EXPECT_INT(out->count, n);
      EXPECT(out->data != in->data || n == 0);
      EXPECT(n == 0 || memcmp(out->data, in->data, in->bytes) == 0);
    }
    rig_task_deinit(&rig);
  }
  lane_free(lane);
  rig_close(&loaded);
}

/* The same lane, many shapes and subsets: bound, wrapped and plain runs must agree. */
TEST(forms_never_mix_up_requests)
{
  struct loaded loaded;
  struct err err;
  if (!ort_here() || open_model("identities", &loaded, &err) != OK) return;
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  static float x[20000];
  static char strings[8];
  for (int round = 0; round < 200; round++) {
    struct rig_task rig;
    int64_t n = (int64_t[]){1, 2, 1, 9000, 3, 4, 5, 1, 9000, 9000}[round % 10];
    rig_task_init(&rig, &loaded, lane, NULL);
    for (uint32_t i = 0; i < 14; i++) {
      bool floats = loaded.contract.inputs[i].dtype == DT_FP32;
      rig_input(&rig, i, loaded.contract.inputs[i].dtype, (struct shape){1, {floats ? n : 1}},
                floats ? (void *)x : (void *)strings, 4);
    }
    uint32_t at;
    const struct tensor_spec *spec = spec_find(loaded.contract.outputs, 14, SLICE("out_FP32"), &at);
    EXPECT(spec != NULL);
    rig.task.wanted = UINT64_C(1) << at | (round % 3 == 0 ? 1 : 0);
    for (int64_t k = 0; k < n; k++) x[k] = (float)(round * 10000 + k);
    int64_t now_ns = clock_ns();
    lane_push(lane, &rig.task);
    lane_run(lane, &now_ns);
    EXPECT_INT(rig.task.err.code, OK);
    EXPECT_INT(rig.outputs[at].count, n);
    EXPECT(memcmp(rig.outputs[at].data, x, (size_t)n * sizeof *x) == 0);
    EXPECT_INT(rig.outputs[(at + 1) % 14].dtype, DT_NONE);
    rig_task_deinit(&rig);
    if (test_failures) break;
  }
  lane_free(lane);
  rig_close(&loaded);
}

TEST(an_input_with_a_default_may_be_left_out)
{
  struct loaded loaded;
  struct err err;
  if (!ort_here() || open_model("default_input", &loaded, &err) != OK) return;
  EXPECT_INT(loaded.contract.n_inputs, 2);
  EXPECT(!loaded.contract.inputs[0].optional && loaded.contract.inputs[1].optional);
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  for (int round = 0; round < 6; round++) {
    float x[] = {1, (float)round}, bias[] = {-1, -2};
    struct rig_task rig;
    rig_task_init(&rig, &loaded, lane, NULL);
    rig_input(&rig, 0, DT_FP32, (struct shape){1, {2}}, x, 0);
    if (round & 1) rig_input(&rig, 1, DT_FP32, (struct shape){1, {2}}, bias, 0);
    int64_t now_ns = clock_ns();
    lane_push(lane, &rig.task);
    lane_run(lane, &now_ns);
    EXPECT_INT(rig.task.err.code, OK);
    const float *y = rig.outputs[0].data;
    EXPECT(y[0] == (round & 1 ? 0 : 11) && y[1] == (float)round + (round & 1 ? -2 : 20));
    rig_task_deinit(&rig);
  }
  lane_free(lane);
  rig_close(&loaded);
}

TEST(outputs_whose_shape_depends_on_values)
{
  struct loaded loaded;
  struct err err;
  if (!ort_here() || open_model("two_outputs", &loaded, &err) != OK) return;
  EXPECT_INT(loaded.contract.outputs[0].shape.rank, 0);
  EXPECT(!loaded.contract.outputs[0].rank_free);
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  for (int round = 0; round < 40; round++) {
    float x[3] = {(float)(round & 1), (float)(round & 2), (float)(round & 4)};
    int64_t n = (round & 1) + (round >> 1 & 1) + (round >> 2 & 1);
    struct rig_task rig;
    rig_task_init(&rig, &loaded, lane, NULL);
    rig_input(&rig, 0, DT_FP32, (struct shape){1, {3}}, x, 0);
    int64_t now_ns = clock_ns();
    lane_push(lane, &rig.task);
    lane_run(lane, &now_ns);
    EXPECT_INT(rig.task.err.code, OK);
    EXPECT_INT(rig.outputs[0].shape.rank, 0);
    EXPECT(*(float *)rig.outputs[0].data == x[0] + x[1] + x[2]);
    EXPECT_INT(rig.outputs[1].shape.rank, 2);
    EXPECT_INT(rig.outputs[1].shape.dims[1], n);
    const int64_t *found = rig.outputs[1].data;
    for (int64_t i = 0, at = 0; i < 3; i++)
      if (x[i] != 0) EXPECT(found[at++] == i);
    rig_task_deinit(&rig);
  }
  lane_free(lane);
  rig_close(&loaded);
}

TEST(outputs_that_are_inputs_or_constants)
{
  struct loaded loaded;
  struct err err;
  if (!ort_here() || open_model("passthrough", &loaded, &err) != OK) return;
  EXPECT_INT(loaded.contract.n_outputs, 3);
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  for (int round = 0; round < 6; round++) {
    float x[] = {(float)round, 2};
    struct rig_task rig;
    rig_task_init(&rig, &loaded, lane, NULL);
    rig_input(&rig, 0, DT_FP32, (struct shape){1, {2}}, x, 0);
    rig.task.wanted = round < 3 ? 7 : 4 + (round & 1);
    int64_t now_ns = clock_ns();
    lane_push(lane, &rig.task);
    lane_run(lane, &now_ns);
    EXPECT_INT(rig.task.err.code, OK);
    const float *y = rig.outputs[0].data, *same = rig.outputs[1].data, *k = rig.outputs[2].data;
    if (rig.task.wanted & 1) EXPECT(y[0] == -(float)round && y[1] == -2);
    if (rig.task.wanted & 2) EXPECT(same[0] == (float)round && same[1] == 2);
    if (rig.task.wanted & 4) EXPECT(k[0] == 3 && k[1] == 4);
    rig_task_deinit(&rig);
  }
  lane_free(lane);
  rig_close(&loaded);
}

static struct err refused(struct slice bytes, uint64_t memory_max)
{
  struct loaded loaded;
  struct err err;
  struct model_file model = {SLICE("any.onnx"), bytes};
  struct model_config config = {.memory_max = memory_max};
  struct model_source source = {&model, 1, &config, NULL, 0};
  if (rig_open_files(engine_named(SLICE("onnx")), &source, &loaded, &err) == OK) rig_close(&loaded);
  EXPECT(!strstr(err.text, "onnxruntime") && !strstr(err.text, "/") && !strstr(err.text, "0x"));
  return err;
}

TEST(bad_files_are_refused_in_our_words)
{
  if (!ort_here()) return;
  struct err err = refused(SLICE("hello"), 0);
  EXPECT_INT(err.code, E_MODEL_REJECTED);
  EXPECT_STR(err.text, "the file is not an ONNX model: export it again");
  err = refused(file("unknown_op"), 0);
  EXPECT_INT(err.code, E_MODEL_REJECTED);
  EXPECT(strstr(err.text, "operator \"Frobnicate\""));
  err = refused(file("sequence"), 0);
  EXPECT_INT(err.code, E_MODEL_REJECTED);
  EXPECT(strstr(err.text, "output \"y\" is a sequence: only tensors are served"));
  struct slice mlp = proto_file("bench/models/mlp.onnx", &files);
  for (size_t len = 0; len < mlp.len; len += 997)
    EXPECT(refused(slice_of(mlp.at, len), 0).code != OK);
  err = refused(mlp, 4096);
  EXPECT_INT(err.code, E_MODEL_LOAD_FAILED);
  EXPECT(strstr(err.text, "needs more memory than its limit"));
}

static uint64_t shape_steady, shape_peak; /* of the last run_shape */

static enum code run_shape(struct loaded *loaded, struct lane *lane, int64_t *dims, int64_t rank,
                           struct err *err)
{
  struct rig_task rig;
  rig_task_init(&rig, loaded, lane, NULL);
  rig_input(&rig, 0, DT_INT64, (struct shape){1, {rank}}, dims, 0);
  int64_t now_ns = clock_ns();
  lane_push(lane, &rig.task);
  lane_run(lane, &now_ns);
  *err = rig.task.err;
  shape_steady = rig.task.model_bytes;
  shape_peak = rig.task.peak_bytes;
  rig_task_deinit(&rig);
  return err->code;
}

TEST(memory_past_the_limit_is_refused_and_given_back)
{
  struct loaded loaded;
  struct err err;
  struct model_file model = {SLICE("model.onnx"), file("expand")};
  struct model_config config = {.memory_max = 1 << 20};
  struct model_source source = {&model, 1, &config, NULL, 0};
  if (!ort_here()) return;
  EXPECT_INT(rig_open_files(engine_named(SLICE("onnx")), &source, &loaded, &err), OK);
  EXPECT(loaded.contract.outputs[0].rank_free);
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  uint64_t peak, before = loaded.engine->bytes(loaded.model, &peak);
  for (int round = 0; round < 5; round++) {
    EXPECT_INT(run_shape(&loaded, lane, (int64_t[]){1024, 1024}, 2, &err), E_OUT_OF_MEMORY);
    EXPECT(strstr(err.text, "limit of 1 MiB: send fewer rows or raise limits.memory"));
    EXPECT_INT(run_shape(&loaded, lane, (int64_t[]){8, 4, 2}, 3, &err), OK);
    EXPECT_INT(run_shape(&loaded, lane, (int64_t[]){INT64_C(1) << 40, 4}, 2, &err),
               E_OUT_OF_MEMORY);
    EXPECT_INT(run_shape(&loaded, lane, (int64_t[]){-1, 4}, 2, &err), E_MODEL_FAILED);
    EXPECT(strstr(err.text, "node \"make\" (operator ConstantOfShape)"));
  }
  EXPECT_INT(loaded.engine->bytes(loaded.model, &peak), before);
  EXPECT_INT(loaded.engine->bytes(loaded.model, &peak), before);
  EXPECT_INT(peak, before); /* since it was asked last nothing ran */
  EXPECT_INT(run_shape(&loaded, lane, (int64_t[]){64, 64, 16}, 3, &err), OK);
  EXPECT_INT(shape_steady, before);
  EXPECT(shape_peak >= before + 64 * 64 * 16 * sizeof(float)); /* the run's own, given back since */
  lane_free(lane);
  rig_close(&loaded);
}

TEST(a_failing_node_is_named_and_the_next_run_is_fine)
{
  struct loaded loaded;
  struct err err;
  if (!ort_here() || open_model("fails", &loaded, &err) != OK) return;
  static float x[9];
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  for (int round = 0; round < 8; round++) {
    struct rig_task rig;
    rig_task_init(&rig, &loaded, lane, NULL);
    rig_input(&rig, 0, DT_FP32, (struct shape){1, {round & 1 ? 6 : 5}}, x, 0);
    int64_t now_ns = clock_ns();
    lane_push(lane, &rig.task);
    lane_run(lane, &now_ns);
    EXPECT_INT(rig.task.err.code, round & 1 ? OK : E_MODEL_FAILED);
    if (!(round & 1)) EXPECT(strstr(rig.task.err.text, "node \"fold\" (operator Reshape)"));
    rig_task_deinit(&rig);
  }
  lane_free(lane);
  rig_close(&loaded);
}

static enum code run_loop(struct loaded *loaded, struct lane *lane, int64_t n, int64_t limit_us,
                          float *y)
{
  struct rig_task rig;
  float x = 8;
  rig_task_init(&rig, loaded, lane, NULL);
  rig_input(&rig, 0, DT_INT64, (struct shape){0}, &n, 0);
  rig_input(&rig, 1, DT_FP32, (struct shape){0}, &x, 0);
  if (limit_us) rig.task.deadline_us = clock_us() + limit_us;
  int64_t now_ns = clock_ns();
  lane_push(lane, &rig.task);
  lane_run(lane, &now_ns);
  if (rig.task.err.code == OK) *y = *(float *)rig.outputs[0].data;
  rig_task_deinit(&rig);
  return rig.task.err.code;
}

TEST(an_endless_loop_is_stopped_at_the_deadline)
{
  struct loaded loaded;
  struct err err;
  float y = 0;
  if (!ort_here() || open_model("loop", &loaded, &err) != OK) return;
  struct watch *watch = watch_new();
  struct lane *lane = lane_new(&loaded, watch, NULL, &err);
  for (int round = 0; round < 3; round++) {
    EXPECT_INT(run_loop(&loaded, lane, 3, 10000000, &y), OK);
    EXPECT(y == 2.75f); /* 8 -> 5 -> 3.5 -> 2.75 */
    int64_t began_us = clock_us();
    EXPECT_INT(run_loop(&loaded, lane, INT64_C(1) << 62, 50000, &y), E_DEADLINE_EXCEEDED);
    int64_t took_us = clock_us() - began_us;
    EXPECT(took_us >= 50000 && took_us < 1000000);
  }
  lane_free(lane);
  watch_free(watch);
  rig_close(&loaded);
}

TEST(a_load_that_takes_too_long_is_stopped)
{
  struct loaded loaded;
  struct err err;
  struct model_file model = {SLICE("model.onnx"), file("slow_load")};
  struct model_config config = {0};
  if (!ort_here()) return;
  struct watch *watch = watch_new();
  struct model_source source = {&model, 1, &config, watch, clock_us() + 20000};
  EXPECT_INT(rig_open_files(engine_named(SLICE("onnx")), &source, &loaded, &err),
             E_MODEL_LOAD_FAILED);
  if (err.code == OK) rig_close(&loaded);
  EXPECT(strstr(err.text, "took too long and was stopped"));
  watch_free(watch);
}

/* One session, two lanes on two threads. */
static struct loaded shared;
static void lane_main(void *arg)
{
  int *wrong = arg;
  struct err err;
  struct lane *lane = lane_new(&shared, NULL, NULL, &err);
  for (int i = 0; i < 3000; i++) {
    float y = 0;
    if (run_loop(&shared, lane, 1 + i % 2, 0, &y) != OK || y != (i % 2 ? 3.5f : 5.0f)) ++*wrong;
  }
  lane_free(lane);
}

TEST(two_lanes_run_one_session_at_once)
{
  struct err err;
  int wrong[2] = {0};
  struct thread threads[2];
  if (!ort_here() || open_model("loop", &shared, &err) != OK) return;
  for (int i = 0; i < 2; i++)
    thread_start(&threads[i], "lane", THREAD_STACK_ENGINE, lane_main, &wrong[i]);
  for (int i = 0; i < 2; i++) thread_join(&threads[i]);
  EXPECT_INT(wrong[0] + wrong[1], 0);
  rig_close(&shared);
}

TEST(loading_and_closing_leaves_nothing_behind)
{
  struct loaded loaded;
  struct err err;
  if (!ort_here()) return;
  struct slice mlp = proto_file("bench/models/mlp.onnx", &files);
  size_t after_warm = 0;
  for (int i = 0; i < 120; i++) {
    EXPECT_INT(rig_open("onnx", "model.onnx", mlp, &loaded, &err), OK);
    uint64_t peak;
    if (i == 0) EXPECT(loaded.engine->bytes(loaded.model, &peak) > 16 * 64 * 4);
    rig_close(&loaded);
    EXPECT_INT(rig_open("onnx", "model.onnx", slice_of(mlp.at, mlp.len / 2), &loaded, &err),
               E_MODEL_REJECTED);
    if (i == 20) after_warm = mallinfo2().uordblks;
  }
  EXPECT(mallinfo2().uordblks < after_warm + 64 * 1024);
  printf("heap after 20 and 120 loads: %zu and %zu bytes\n", after_warm,
         (size_t)mallinfo2().uordblks);
}
