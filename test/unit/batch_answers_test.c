/* batch_answers_test.c - real engines: the answers of any batch are those of runs alone.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/rand.h"
#include "infer_rig.h"

enum { TASKS = 64 };

static struct mailbox home;
static struct rig_task rigs[TASKS];

static bool same(const struct tensor *a, const struct tensor *b)
{
  if (a->dtype != b->dtype || a->count != b->count || a->bytes != b->bytes ||
      a->shape.rank != b->shape.rank)
    return false;
  for (uint32_t i = 0; i < a->shape.rank; i++)
    if (a->shape.dims[i] != b->shape.dims[i]) return false;
  return a->bytes == 0 || memcmp(a->data, b->data, a->bytes) == 0;
}

/* Random bytes that every datatype can hold. */
static size_t bytes_draw(struct rand *rand, enum dtype dtype, uint64_t count, char *to, size_t room)
{
  size_t at = 0;
  if (dtype == DT_FP32) {
    for (uint64_t i = 0; i < count; i++) ((float *)(void *)to)[i] = (float)rand_unit(rand) - 0.5f;
    return 4 * count;
  }
  if (dtype != DT_BYTES) {
    for (at = 0; at < count * dtype_width(dtype); at++) to[at] = (char)(rand_u64(rand) & 1);
    return at;
  }
  for (uint64_t i = 0; i < count; i++) {
    uint32_t len = (uint32_t)(rand_u64(rand) % 9);
    must(at + 4 + len <= room);
    memcpy(to + at, &len, 4);
    for (uint32_t k = 0; k < len; k++) to[at + 4 + k] = (char)('a' + rand_u64(rand) % 26);
    at += 4 + len;
  }
  return at;
}

static void property(const char *engine, const char *json, uint64_t seed, int rounds)
{
  struct loaded loaded;
  struct err err;
  struct rand rand;
  static char drawn[TASKS][2][1024] __attribute__((aligned(16)));
  static struct rig_task alone;
  must(rig_open(engine, "model.json", slice_str(json), &loaded, &err) == OK);
  EXPECT(loaded.engine->exact);
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  must(lane);
  rand_seed(&rand, seed);
  int shared = 0;
  for (int round = 0; round < rounds && !test_failures; round++) {
    int n = 2 + (int)(rand_u64(&rand) % 14);
    uint64_t all = (UINT64_C(1) << loaded.contract.n_outputs) - 1;
    for (int i = 0; i < n; i++) {
      struct rig_task *rig = &rigs[i];
      rig_task_init(rig, &loaded, lane, &home);
      rig->task.rows = 1 + (uint32_t)(rand_u64(&rand) % 4);
      rig->task.wanted = rand_u64(&rand) & 1 ? all : 1;
      for (uint32_t k = 0; k < loaded.contract.n_inputs; k++) {
        const struct tensor_spec *spec = &loaded.contract.inputs[k];
        struct shape shape = spec->shape;
        uint64_t count;
        shape.dims[0] = rig->task.rows;
        for (uint32_t d = 1; d < shape.rank; d++)
          if (shape.dims[d] < 0) shape.dims[d] = 1 + (int64_t)(rand_u64(&rand) & 1);
        must(shape_count(&shape, &count));
        size_t bytes = bytes_draw(&rand, spec->dtype, count, drawn[i][k], sizeof drawn[i][k]);
        rig_input(rig, k, spec->dtype, shape, drawn[i][k], bytes);
      }
      lane_push(lane, &rig->task);
    }
    rig_run_all(lane, clock_ns());
    for (int i = 0; i < n; i++) {
      rig_task_init(&alone, &loaded, NULL, &home);
      memcpy(alone.inputs, rigs[i].inputs, sizeof alone.inputs);
      alone.task.rows = rigs[i].task.rows;
      alone.task.wanted = rigs[i].task.wanted;
      EXPECT_INT(rig_run(&loaded, &alone), OK);
      EXPECT_INT(rigs[i].task.err.code, OK);
      for (uint32_t k = 0; k < loaded.contract.n_outputs; k++)
        if (alone.task.wanted >> k & 1) EXPECT(same(&alone.outputs[k], &rigs[i].outputs[k]));
      shared += rigs[i].task.batch_rows > rigs[i].task.rows;
      rig_task_deinit(&alone);
    }
    for (int i = 0; i < n; i++) rig_task_deinit(&rigs[i]);
  }
  EXPECT(shared > rounds);
  lane_free(lane);
  rig_close(&loaded);
}

TEST(answers_of_linear_are_the_same_bits_in_any_batch)
{
  property("linear",
           "{\"engine\":\"linear\",\"weights\":[[0.5,-1,2,0.25],[3,4,-0.5,1],[-1,0.1,0.3,7]],"
           "\"activation\":\"softmax\"}",
           1, 400);
}

TEST(answers_of_echo_are_the_same_bits_in_any_batch_of_any_datatype)
{
  static const char *const dtypes[] = {"BOOL",  "UINT8", "UINT16", "UINT32", "UINT64",
                                       "INT8",  "INT16", "INT32",  "INT64",  "FP16",
                                       "FP32",  "FP64",  "BYTES",  "BF16"};
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
    char json[256];
    snprintf(json, sizeof json,
             "{\"engine\":\"echo\",\"inputs\":["
             "{\"name\":\"a\",\"datatype\":\"%s\",\"shape\":[-1,-1]},"
             "{\"name\":\"b\",\"datatype\":\"BYTES\",\"shape\":[-1,2,-1]}]}",
             dtypes[i]);
    property("echo", json, 100 + i, 60);
  }
}
