/* fault_test.c - the words of faults, and that a sick model is sick as they say.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "infer/fault.h"
#include "infer_rig.h"

static struct fault fault_of(const char *text)
{
  struct fault fault;
  struct err err = {0};
  EXPECT_INT(fault_read(slice_str(text), &fault, &err), OK);
  return fault;
}

TEST(each_fault_is_read)
{
  struct fault fault = fault_of("slow x2.5 @30s");
  EXPECT(fault.kind == FAULT_SLOW && fault.factor > 2.49 && fault.factor < 2.51);
  EXPECT_INT(fault.after_us, 30000000);
  fault = fault_of("slow 5ms");
  EXPECT(fault.kind == FAULT_SLOW && fault.add_ns == 5000000 && fault.after_us == 0);
  fault = fault_of("errors 10%@1m");
  EXPECT(fault.kind == FAULT_ERRORS && fault.share > 0.099 && fault.share < 0.101);
  EXPECT_INT(fault.after_us, 60000000);
  EXPECT(fault_of("  crash ").kind == FAULT_CRASH);
  EXPECT_INT(fault_of("leak 1MiB").bytes, 1 << 20);
  EXPECT(fault_of("wrong 100%").share == 1);
}

TEST(what_is_no_fault_is_refused)
{
  static const char *const bad[] = {"",          "slow",       "slow 2",      "slow x0.5",
                                    "slow x",    "errors 10",  "errors 101%", "errors -1%",
                                    "crash now", "leak 1GiB",  "leak",        "slow x2 @",
                                    "slow x2 30s", "slowx2",   "errors nan%", "slow xinf",
                                    "leak 9999999999MiB", "slow x2 @30s @30s"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct fault fault;
    struct err err = {0};
    EXPECT_INT(fault_read(slice_str(bad[i]), &fault, &err), E_INVALID_ARGUMENT);
    EXPECT(fault.kind == FAULT_NONE);
  }
}

static const char echo_json[] =
    "{\"engine\": \"echo\", \"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [-1, "
    "3]}], \"outputs\": [{\"name\": \"y\", \"datatype\": \"FP32\", \"shape\": [-1, 3]}]}";

/* How many of 1,000 runs fail, and how many answer something else than was asked. */
static void runs_count(const char *text, int *failed, int *other, int64_t *took_ns,
                       uint64_t *bytes)
{
  struct loaded loaded;
  struct err err;
  struct fault fault = fault_of(text);
  float x[3] = {1, 2, 3};
  int64_t began_ns = clock_ns();
  EXPECT_INT(rig_open("echo", "model.json", slice_str(echo_json), &loaded, &err), OK);
  fault_wrap(&loaded, &fault);
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  *failed = *other = 0;
  for (int i = 0; i < 1000; i++) {
    struct rig_task rig;
    rig_task_init(&rig, &loaded, lane, NULL);
    rig_input(&rig, 0, DT_FP32, (struct shape){.rank = 2, .dims = {1, 3}}, x, 0);
    lane_push(lane, &rig.task);
    int64_t now_ns = clock_ns();
    struct task *task = lane_run(lane, &now_ns);
    if (task->err.code != OK)
      (*failed)++;
    else
      *other += ((const float *)task->outputs[0].data)[0] != 1;
    *bytes = task->model_bytes;
    rig_task_deinit(&rig);
  }
  EXPECT(x[0] == 1 && x[2] == 3); /* the caller's inputs are not what is spoiled */
  lane_free(lane);
  rig_close(&loaded);
  *took_ns = clock_ns() - began_ns;
}

TEST(a_sick_model_is_as_sick_as_it_was_told)
{
  int failed, other;
  int64_t ns;
  uint64_t bytes = 0;
  runs_count("errors 10%", &failed, &other, &ns, &bytes);
  EXPECT(failed > 60 && failed < 140 && other == 0);
  runs_count("wrong 50%", &failed, &other, &ns, &bytes);
  EXPECT(failed == 0 && other > 400 && other < 600);
  runs_count("crash", &failed, &other, &ns, &bytes);
  EXPECT_INT(failed, 1000);
  runs_count("crash @1m", &failed, &other, &ns, &bytes);
  EXPECT(failed == 0 && other == 0);
  runs_count("slow 100us", &failed, &other, &ns, &bytes);
  EXPECT(failed == 0 && other == 0 && ns >= 100000000);
  runs_count("leak 1KiB", &failed, &other, &ns, &bytes);
  EXPECT(bytes >= 1000 * 1024 && bytes < 1100 * 1024);
}

TEST(a_slow_copy_is_placed_as_the_slow_model_it_is)
{
  struct fault fault = fault_of("slow x3");
  EXPECT_INT(fault_run_ns(&fault, 20000), 60000);
  fault = fault_of("errors 5%");
  EXPECT_INT(fault_run_ns(&fault, 20000), 20000);
}
