/* inspect_test.c - a model's first look, in a process of its own: what it finds, what hostile files
 * cost, and what the walls refuse. The process is this test started again.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/debug.h"
#include "base/mem.h"
#include "jobs/inspect/child.h"
#include "jobs/inspect/rules.h"
#include "jobs/inspect/spawn.h"
#include "onnx_proto.h"

/* Before the tests' own main. */
__attribute__((constructor(101))) static void child_instead(int argc, char **argv)
{
  if (argc == 2 && strcmp(argv[1], CHILD_WORD) == 0) _exit(child_main());
}

static char store[] = "/tmp/slipway-inspect-test-XXXXXX";
static int objects_fd = -1;
static struct arena texts;

static void store_make(void)
{
  if (objects_fd >= 0) return;
  setenv("SLIPWAY_DEBUG", "probe", 1);
  must(debug_start("probe"));
  spawn_ready();
  must(mkdtemp(store) != NULL);
  objects_fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  arena_init(&texts, 256 << 20, NULL);
}

static struct event_file put(const char *name, struct slice bytes)
{
  struct event_file file = {slice_str(name), bytes.len, sha256_of(bytes)};
  char hex[SHA256_HEX_LEN + 1], path[160];
  store_make();
  digest_hex(&file.digest, hex);
  snprintf(path, sizeof path, "%s/%.2s", store, hex);
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/%.2s/%s", store, hex, hex);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  must(fd >= 0 && write(fd, bytes.at ? bytes.at : "", bytes.len) == (ssize_t)bytes.len);
  close(fd);
  return file;
}

#define ECHO_JSON                                                             \
  "{\"engine\":\"echo\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\"," \
  "\"shape\":[-1,2]}]}"

static struct inspected found;
static uint32_t walls, abi;

static struct err look(const struct event_file *files, uint32_t n, int64_t time_us)
{
  struct err err = {.code = OK};
  struct spawn_wish wish = {.objects_fd = objects_fd,
                            .files = files,
                            .n_files = n,
                            .time_us = time_us,
                            .memory_spare = 64 << 20};
  spawn_wait(&wish, &found, &walls, &abi, &err);
  return err;
}

static struct err probe(const char *word)
{
  struct event_file files[] = {put("model.json", slice_str(ECHO_JSON)),
                               put("probe.txt", slice_str(word))};
  return look(files, 2, 2000000);
}

static int fds_open(void)
{
  int n = 0;
  DIR *dir = opendir("/proc/self/fd");
  while (readdir(dir)) n++;
  closedir(dir);
  return n;
}

TEST(a_good_model_is_measured)
{
  struct event_file file = put("model.json", slice_str(ECHO_JSON));
  int before = fds_open();
  struct err err = look(&file, 1, 0);
  EXPECT_STR(err.code ? err.text : "", "");
  EXPECT_STR(found.engine, "echo");
  EXPECT_STR(found.stamp, "1 echo");
  EXPECT(rules_stamp_holds(slice_str(found.stamp)));
  EXPECT(found.load_us > 0 && found.run_ns > 0);
  EXPECT(found.memory_peak_bytes >= found.memory_bytes);
  EXPECT_INT(fds_open(), before);
  EXPECT(waitpid(-1, NULL, WNOHANG) < 0); /* none is left */
}

TEST(the_walls_stand)
{
  struct err err = {.code = OK};
  store_make();
  err = look(NULL, 0, 0);
  EXPECT_STR(err.code ? err.text : "", "");
  printf("walls %#x, landlock %u\n", walls, abi);
  EXPECT(walls & WALL_SECCOMP);
  EXPECT(walls & WALL_PRIVILEGES);
}

static bool says(const struct err *err, const char *text)
{
  if (strstr(err->text, text)) return true;
  printf("\"%s\" does not say \"%s\"\n", err->text, text);
  return false;
}

/* A sanitizer's runtime catches the signal itself. */
static bool crashed(const struct err *err, const char *name)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  (void)name; /* its report may want what the walls refuse, and end it in another way */
  return err->code == E_MODEL_LOAD_FAILED;
#else
  return err->code == E_MODEL_LOAD_FAILED && says(err, name);
#endif
}

TEST(a_crash_is_told_with_its_stage)
{
  struct err err = probe("segv");
  EXPECT(crashed(&err, "crashed with SIGSEGV while it was read"));
  err = probe("abort");
  EXPECT(crashed(&err, "crashed with SIGABRT"));
  err = probe("segv opens");
  EXPECT(crashed(&err, "crashed with SIGSEGV while it was loaded"));
  err = probe("segv warms");
  EXPECT(crashed(&err, "crashed with SIGSEGV in its first runs"));
  err = probe("quit");
  EXPECT_INT(err.code, E_MODEL_LOAD_FAILED);
  EXPECT(says(&err, "ended its process with status 0 while it was read"));
}

TEST(what_takes_too_long_or_too_much_is_stopped)
{
  int64_t began_us = clock_us();
  struct err err = probe("loop");
  EXPECT_INT(err.code, E_MODEL_LOAD_FAILED);
  EXPECT(says(&err, "took more than 2 s"));
  err = probe("sleep");
  EXPECT(says(&err, "took more than 2 s"));
  EXPECT(clock_us() - began_us < 8000000);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
  err = probe("hog");
  EXPECT(says(&err, "needs more than 64 MiB"));
#endif
}

/* What would work outside must not work inside: a deed that does ends with status PROBE_DONE. */
TEST(the_walls_refuse)
{
  static const char *const deeds[] = {"read", "self", "write", "stat", "connect", "unix", "clone", "fork",
                                      "kill", "kill-all", "code", "limit", "fds"};
  for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
    struct err err = probe(deeds[i]);
    if (err.code) printf("%s: %s\n", deeds[i], err.text);
    EXPECT_INT(err.code, OK);
  }
}

TEST(what_no_accident_calls_is_the_end)
{
  static const char *const deeds[] = {"exec", "ptrace"};
  for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
    struct err err = probe(deeds[i]);
    EXPECT_INT(err.code, E_MODEL_LOAD_FAILED);
    EXPECT(says(&err, "tried"));
  }
}

TEST(a_liar_is_not_believed)
{
  struct err err = probe("lie");
  EXPECT_INT(err.code, E_MODEL_LOAD_FAILED);
  EXPECT(says(&err, "said what it should not"));
}

TEST(nothing_is_left_of_any)
{
  int before = fds_open();
  static const char *const deeds[] = {"segv", "quit", "lie", "exec"};
  for (int i = 0; i < 40; i++) {
    struct err err = probe(deeds[i % 4]);
    EXPECT(err.code == E_MODEL_LOAD_FAILED);
  }
  EXPECT_INT(fds_open(), before);
  EXPECT(waitpid(-1, NULL, WNOHANG) < 0);
}

TEST(files_that_changed_or_went_are_told)
{
  struct event_file file = put("model.json", slice_str(ECHO_JSON));
  struct event_file other = file;
  other.bytes++;
  EXPECT_INT(look(&other, 1, 0).code, E_ARTIFACT_CORRUPT);
  other = file;
  other.digest.at[0] ^= 1;
  EXPECT_INT(look(&other, 1, 0).code, E_ARTIFACT_CORRUPT);
  char hex[SHA256_HEX_LEN + 1], path[160];
  digest_hex(&file.digest, hex);
  snprintf(path, sizeof path, "%s/%.2s/%s", store, hex, hex);
  FILE *f = fopen(path, "r+");
  fputc('[', f);
  fclose(f);
  EXPECT_INT(look(&file, 1, 0).code, E_ARTIFACT_CORRUPT);
}

TEST(as_many_files_as_a_version_can_have)
{
  static struct event_file files[EVENT_FILES_MAX];
  static char names[EVENT_FILES_MAX][16];
  for (int i = 0; i < EVENT_FILES_MAX; i++) {
    snprintf(names[i], sizeof names[i], "f%d", i);
    files[i] = i ? put(names[i], slice_str(names[i])) : put("model.json", slice_str(ECHO_JSON));
  }
  struct err err = look(files, EVENT_FILES_MAX, 0);
  EXPECT_STR(err.code ? err.text : "", "");
}

TEST(stamps_hold_for_the_same_rules_and_engine)
{
  char stamp[INSPECT_WORD_MAX];
  rules_stamp(engine_named(SLICE("linear")), stamp);
  EXPECT_STR(stamp, "1 linear");
  EXPECT(rules_stamp_holds(slice_str(stamp)));
  EXPECT(!rules_stamp_holds(SLICE("")));
  EXPECT(!rules_stamp_holds(SLICE("0 linear")));
  EXPECT(!rules_stamp_holds(SLICE("1 linear/2")));
  EXPECT(!rules_stamp_holds(SLICE("1 nobody")));
  EXPECT(!rules_stamp_holds(SLICE("1 onnx/1.0.0")));
}

static struct err onnx_look(const char *path)
{
  store_make();
  struct event_file file = put("model.onnx", proto_file(path, &texts));
  return look(&file, 1, 0);
}

TEST(onnx_models_run_behind_the_walls)
{
  struct err err = onnx_look("test/data/onnx/doubles.onnx");
  if (err.code == E_UNAVAILABLE) {
    printf("skipped: %s\n", err.text);
    return;
  }
  EXPECT_STR(err.code ? err.text : "", "");
  EXPECT(strncmp(found.stamp, "1 onnx/1.", 9) == 0);
  int64_t began = clock_us();
  err = onnx_look("examples/digits/model/model.onnx");
  EXPECT_STR(err.code ? err.text : "", "");
  printf("digits: %lld us in all, load %lld us, run %lld ns, memory %llu, peak %llu\n",
         (long long)(clock_us() - began), (long long)found.load_us, (long long)found.run_ns,
         (unsigned long long)found.memory_bytes, (unsigned long long)found.memory_peak_bytes);
  err = onnx_look("test/data/onnx/unknown_op.onnx");
  printf("%d %s\n", err.code, err.text);
}
