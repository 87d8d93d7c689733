/* ort_test.c - what is said when ONNX Runtime is missing or something else. Each case in a process
 * of its own: the library is looked for once.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>

#include "infer_rig.h"
#include "infer/onnx/ort.h"

/* The exit status of a child that looks for the library at `path`: 0 when err's text holds part. */
static int said(const char *path, const char *part)
{
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    const struct ort *ort;
    struct err err = {0}, again = {0};
    must(freopen("/dev/null", "w", stderr) != NULL);
    setenv("SLIPWAY_ORT", path, 1);
    enum code code = ort_get(&ort, &err);
    bool same = ort_get(&ort, &again) == code && strcmp(err.text, again.text) == 0;
    _exit(code == E_UNAVAILABLE && same && strstr(err.text, part) && !strchr(err.text, '/') ? 0
                                                                                            : 1);
  }
  int status = 1;
  EXPECT(child > 0 && waitpid(child, &status, 0) == child);
  return status;
}

TEST(a_missing_library_is_said_so)
{
  EXPECT_INT(said("/nowhere/libonnxruntime.so", "ONNX Runtime is not on this machine"), 0);
  EXPECT_INT(said("libjansson.so.4", "is something else"), 0);
}

TEST(an_onnx_model_without_the_library_is_refused_not_fatal)
{
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    struct loaded loaded;
    struct err err;
    must(freopen("/dev/null", "w", stderr) != NULL);
    setenv("SLIPWAY_ORT", "/nowhere", 1);
    _exit(rig_open("onnx", "model.onnx", SLICE("x"), &loaded, &err) == E_UNAVAILABLE ? 0 : 1);
  }
  int status = 1;
  EXPECT(child > 0 && waitpid(child, &status, 0) == child);
  EXPECT_INT(status, 0);
}

/* Last: from here on the library is in this process. */
TEST(the_pinned_library_is_taken)
{
  const struct ort *ort;
  struct err err;
  if (ort_get(&ort, &err) != OK) {
    printf("skipped: %s\n", err.text);
    return;
  }
  EXPECT_STR(getenv("ORT_DISABLE_TELEMETRY"), "1");
  EXPECT(ort->version[0] == '1');
  /* Every slot is there. */
#define SLOT(index, name, result, parameters) EXPECT(ort->name != NULL);
#include "infer/onnx/ort.def"
#undef SLOT
}
