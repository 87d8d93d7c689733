/* job_test.c - models into memory and out of it: by files in a store of their own, on a job thread.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "infer/loaded.h"
#include "infer_rig.h"
#include "jobs/folder.h"
#include "jobs/job.h"
#include "jobs/load.h"
#include "onnx_proto.h"
#include "ort_here.h"

static char store[] = "/tmp/slipway-job-test-XXXXXX";
static int objects_fd = -1;
static struct watch *watch;
static struct arena texts;

static void object_path(const struct digest *digest, char path[128])
{
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(digest, hex);
  snprintf(path, 128, "%s/%.2s", store, hex);
  mkdir(path, 0700);
  snprintf(path, 128, "%s/%.2s/%s", store, hex, hex);
}

static struct event_file put(const char *name, struct slice bytes)
{
  struct event_file file = {slice_str(name), bytes.len, sha256_of(bytes)};
  char path[128];
  if (objects_fd < 0) {
    must(mkdtemp(store) != NULL);
    objects_fd = open(store, O_RDONLY | O_DIRECTORY);
    watch = watch_new();
    arena_init(&texts, 256 << 20, NULL);
  }
  object_path(&file.digest, path);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  must(fd >= 0 && write(fd, bytes.at ? bytes.at : "", bytes.len) == (ssize_t)bytes.len);
  close(fd);
  return file;
}

static struct event_file put_text(const char *name, const char *text)
{
  return put(name, slice_str(text));
}

static struct event_file put_file(const char *name, const char *path)
{
  put_text("x", "x"); /* makes the store */
  struct slice bytes = proto_file(path, &texts);
  EXPECT(bytes.len > 0);
  return put(name, bytes);
}

static struct letter_load letter_of(const struct event_file *files, uint32_t n)
{
  struct letter_load letter = {.mail.kind = LETTER_LOAD,
                               .tenant = SLICE("default"),
                               .model = SLICE("m"),
                               .version = 1,
                               .files = files,
                               .n_files = n,
                               .objects_fd = objects_fd};
  arena_init(&letter.arena, 1 << 20, NULL);
  return letter;
}

static void unload(struct letter_load *letter)
{
  struct letter_unload unload = {.loaded = letter->loaded};
  if (letter->loaded) unload_run(&unload);
  arena_deinit(&letter->arena);
}

static struct err load_err(const struct event_file *files, uint32_t n)
{
  struct letter_load letter = letter_of(files, n);
  load_run(&letter, watch);
  unload(&letter);
  return letter.err;
}

#define LINEAR "{\"engine\":\"linear\",\"weights\":[[1,2],[3,4],[-1,0]]}"

TEST(a_linear_model_is_loaded_with_its_settings)
{
  struct event_file files[] = {
      put_text("model.json", LINEAR),
      put_text("slipway.yaml",
               "engine: linear\nlabels: [a, b, c]\n"
               "batch: {rows_max: 64, delay_us_max: 300, preferred: [8, 32]}\nruns_on: worker\n"
               "cache: {ttl: 60s, bytes_max: 64MiB}\n"
               "limits: {deadline: 500ms, memory: 2GiB, instances: 3, fallback: stable}\n"),
      put_text(
          "golden.jsonl",
          "{\"request\":{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,2],"
          "\"data\":[1,1]}]},\"response\":{\"outputs\":[{\"name\":\"output\",\"datatype\":"
          "\"FP32\",\"shape\":[1,3],\"data\":[3,7,-1]}]}}\n\n")};
  struct letter_load letter = letter_of(files, 3);
  load_run(&letter, watch);
  EXPECT_STR(letter.err.code ? letter.err.text : "", "");
  EXPECT(letter.loaded != NULL);
  EXPECT(slice_eq(letter.engine_used, SLICE("linear")));
  EXPECT(slice_eq(letter.platform, SLICE("slipway_linear")));
  EXPECT_INT(letter.deadline_us, 500000);
  EXPECT_INT(letter.instances, 3);
  EXPECT(letter.fallback);
  EXPECT_INT(letter.batch.rows_max, 64);
  EXPECT(letter.batch.delay_fixed);
  EXPECT_INT(letter.batch.delay_us_max, 300);
  EXPECT_INT(letter.batch.n_preferred, 2);
  EXPECT_INT(letter.batch.preferred[1], 32);
  EXPECT_INT(letter.runs_on, RUNS_ON_WORKER);
  EXPECT_INT(memcmp(&letter.loaded->batch, &letter.batch, sizeof letter.batch), 0);
  EXPECT_INT(letter.loaded->deadline_us, 500000);
  EXPECT_INT(letter.cache_ttl_us, 60000000);
  EXPECT_INT(letter.cache_bytes_max, 64 << 20);
  EXPECT(letter.run_ns > 0 && letter.load_us > 0 && letter.memory_bytes > 0);
  EXPECT(letter.contract.batches);
  EXPECT_INT(letter.contract.outputs[0].n_labels, 3);
  EXPECT(slice_eq(letter.contract.outputs[0].labels[2], SLICE("c")));
  unload(&letter);
}

TEST(the_engine_is_chosen_or_refused)
{
  struct event_file json = put_text("model.json", LINEAR), other = put_text("a.txt", "hello");
  struct letter_load letter = letter_of(&json, 1);
  letter.engine = SLICE("echo");
  load_run(&letter, watch);
  EXPECT_INT(letter.err.code, E_MODEL_REJECTED);
  letter.engine = SLICE("xgboost");
  load_run(&letter, watch);
  EXPECT_INT(letter.err.code, E_BAD_CONFIG);
  EXPECT(strstr(letter.err.text, "there is no engine \"xgboost\": there are onnx, linear, echo"));
  arena_deinit(&letter.arena);
  struct err err = load_err(&other, 1);
  EXPECT_INT(err.code, E_MODEL_REJECTED);
  EXPECT(strstr(err.text, "no engine knows these files"));
  err = load_err(NULL, 0);
  EXPECT_INT(err.code, E_MODEL_REJECTED);
}

TEST(files_that_changed_on_disk_are_refused)
{
  struct event_file file = put_text("model.json", LINEAR), missing = file, longer = file;
  char path[128];
  object_path(&file.digest, path);
  longer.bytes++;
  EXPECT_INT(load_err(&longer, 1).code, E_ARTIFACT_CORRUPT);
  missing.digest.at[5] ^= 1;
  EXPECT_INT(load_err(&missing, 1).code, E_ARTIFACT_CORRUPT);
  int fd = open(path, O_WRONLY);
  EXPECT(pwrite(fd, "!", 1, 3) == 1);
  close(fd);
  struct err err = load_err(&file, 1);
  EXPECT_INT(err.code, E_ARTIFACT_CORRUPT);
  EXPECT(strstr(err.text, "\"model.json\"") && !strstr(err.text, "tmp"));
  /* A link, even to the right bytes, is not the object. */
  unlink(path);
  char other[160];
  snprintf(other, sizeof other, "%s/other", store);
  fd = open(other, O_WRONLY | O_CREAT, 0600);
  EXPECT(write(fd, LINEAR, sizeof LINEAR - 1) == sizeof LINEAR - 1);
  close(fd);
  EXPECT(symlink(other, path) == 0);
  EXPECT_INT(load_err(&file, 1).code, E_ARTIFACT_CORRUPT);
  unlink(path);
  unlink(other);
  EXPECT(mkfifo(path, 0600) == 0); /* nobody will ever write into it */
  EXPECT_INT(load_err(&file, 1).code, E_ARTIFACT_CORRUPT);
  unlink(path);
}

static struct err yaml_err(const char *text)
{
  struct event_file files[] = {put_text("model.json", LINEAR), put_text("slipway.yaml", text)};
  return load_err(files, 2);
}

TEST(slipway_yaml_errors_have_line_and_column)
{
  static const struct {
    const char *text, *part;
  } cases[] = {
      {"", "slipway.yaml: "},
      {"engin: linear\n", "line 1, column 1"},
      {"engine: [a]\n", "line 1, column 9"},
      {"- engine\n", "slipway.yaml: line 1"},
      {"labels: 3\n", "class names"},
      {"labels: []\n", "class names"},
      {"labels: [a, {b: c}, d]\n", "line 1"},
      {"labels: [a, b]\n", "there are 2 labels"},
      {"limits: {memory: 3 lemons}\n", "line 1, column 18"},
      {"limits:\n  deadline: 1\n", "line 2"},
      {"limits: {instances: 0}\n", "line 1"},
      {"limits: {threads: 65}\n", "line 1"},
      {"limits: {color: red}\n", "color"},
      {"limits: {fallback: 2}\n", "line 1, column 20"},
      {"limits: {fallback: [stable]}\n", "line 1"},
      {"batch: {rows_max: 0}\n", "line 1"},
      {"batch: {rows_max: 1048577}\n", "line 1, column 19"},
      {"batch: {rows_max: 1.5}\n", "line 1, column 19"},
      {"batch: {delay_us_max: soon}\n", "line 1"},
      {"batch: {delay_us_max: -1}\n", "line 1"},
      {"batch: {delay_us_max: 1000001}\n", "line 1"},
      {"batch: {delay_us_max: [auto]}\n", "line 1"},
      {"batch: {rows: 8}\n", "'batch.rows'; there are rows_max, delay_us_max, preferred"},
      {"batch: off\n", "'batch' is not a map: batch: {rows_max: 64}"},
      {"batch: [8]\n", "line 1"},
      {"batch: {preferred: 8}\n", "a list of 1 to 8 sizes"},
      {"batch: {preferred: []}\n", "a list of 1 to 8 sizes"},
      {"batch: {preferred: [2,3,4,5,6,7,8,9,10]}\n", "a list of 1 to 8 sizes"},
      {"batch: {preferred: [8, 8]}\n", "line 1, column 24"},
      {"batch: {preferred: [1]}\n", "line 1, column 21"},
      {"batch: {rows_max: 16, preferred: [8, 32]}\n", "line 1, column 38"},
      {"batch: {preferred: [65]}\n", "line 1, column 21"},
      {"runs_on: moon\n", "auto, loop or worker"},
      {"runs_on: [loop]\n", "line 1"},
      {"cache: {ttl: 5 parsecs}\n", "line 1"},
      {"cache: {bytes: 1}\n", "bytes"},
      {"cache: {bytes_max: 0}\n", "line 1, column 20"},
      {"cache: {ttl: 367d}\n", "line 1, column 14"},
      {"cache: {bytes_max: 1MiB}\n", "'cache' has no ttl"},
      {"cache: always\n", "never"},
      {"cache: [1]\n", "never"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct err err = yaml_err(cases[i].text);
    EXPECT_INT(err.code, E_BAD_CONFIG);
    EXPECT(strstr(err.text, cases[i].part) && strstr(err.text, "slipway.yaml: "));
    if (!strstr(err.text, cases[i].part)) printf("  %s: %s\n", cases[i].text, err.text);
  }
  EXPECT_INT(yaml_err("engine: linear\n").code, OK);
  EXPECT_INT(yaml_err("# nothing said\nlimits: {}\nbatch: {}\nruns_on:\n").code, OK);
  EXPECT_INT(yaml_err("batch: {delay_us_max: auto, preferred: [64]}\nruns_on: auto\n").code, OK);
  EXPECT_INT(yaml_err("cache: never\n").code, OK);
  EXPECT_INT(yaml_err("cache: {}\n").code, OK);
}

/* ---- golden */

TEST(a_model_in_memory_is_checked_against_its_examples_again)
{
  const char *example =
      "{\"request\":{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,2],"
      "\"data\":[1,1]}]},\"response\":{\"outputs\":[{\"name\":\"output\",\"datatype\":"
      "\"FP32\",\"shape\":[1,3],\"data\":[%d,7,-1]}]}}\n";
  char right[400], wrong[400];
  snprintf(right, sizeof right, example, 3);
  snprintf(wrong, sizeof wrong, example, 9);
  struct event_file files[] = {put_text("model.json", LINEAR), put_text("golden.jsonl", right)};
  struct event_file other = put_text("golden.jsonl", wrong);
  struct letter_load letter = letter_of(files, 2);
  load_run(&letter, watch);
  EXPECT_STR(letter.err.text, "");
  if (letter.loaded) {
    struct letter_check check = {
        .loaded = letter.loaded, .file = &files[1], .objects_fd = objects_fd};
    check_run(&check, watch);
    EXPECT_INT(check.err.code, OK);
    EXPECT_INT(check.n, 1);
    check.file = &other;
    check_run(&check, watch);
    EXPECT_INT(check.err.code, E_GOLDEN_FAILED);
    check.file = &(struct event_file){.name = SLICE("golden.jsonl"), .bytes = 3};
    check_run(&check, watch);
    EXPECT(check.err.code != OK && check.err.code != E_GOLDEN_FAILED);
  }
  unload(&letter);
}

static struct err golden_err(const char *text)
{
  struct event_file files[] = {put_text("model.json",
                                        "{\"engine\":\"echo\",\"inputs\":["
                                        "{\"name\":\"f\",\"datatype\":\"FP32\",\"shape\":[-1]},"
                                        "{\"name\":\"i\",\"datatype\":\"INT8\",\"shape\":[-1]},"
                                        "{\"name\":\"u\",\"datatype\":\"UINT64\",\"shape\":[-1]},"
                                        "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[-1]}]}"),
                               put_text("golden.jsonl", text)};
  return load_err(files, 2);
}

#define ASK                                                                                   \
  "{\"request\":{\"inputs\":["                                                                \
  "{\"name\":\"f\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1.5,\"NaN\"]},"              \
  "{\"name\":\"i\",\"datatype\":\"INT8\",\"shape\":[2],\"data\":[-3,4]},"                     \
  "{\"name\":\"u\",\"datatype\":\"UINT64\",\"shape\":[2],\"data\":[1,18446744073709551615]}," \
  "{\"name\":\"s\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[\"one\",\"two\"]}]},"       \
  "\"response\":"
#define WANT(name, type, data)                                    \
  ASK "{\"outputs\":[{\"name\":\"" name "\",\"datatype\":\"" type \
      "\",\"shape\":[2],\"data\":" data "}]}"

TEST(golden_examples_are_compared)
{
  static const struct {
    const char *text, *part;
  } cases[] = {
      {WANT("f", "FP32", "[1.5,\"NaN\"]") "}", NULL},
      {WANT("f", "FP32", "[1.500001,\"NaN\"]") "}\r\n", NULL},
      {WANT("f", "FP32", "[1.6,\"NaN\"]") ",\"tolerance\":0.1}", NULL},
      {WANT("i", "INT8", "[-3,4]") "}\n\n" WANT("s", "BYTES", "[\"one\",\"two\"]") "}", NULL},
      {WANT("f", "FP32", "[1.6,\"NaN\"]") "}",
       "golden.jsonl line 1: output \"f\"[0] is 1.5, expected 1.6"},
      {WANT("f", "FP32", "[1.5,2]") "}", "output \"f\"[1] is nan, expected 2"},
      {WANT("f", "FP32", "[1.5,\"NaN\"]") "}\n" WANT("i", "INT8", "[-3,-4]") "}",
       "golden.jsonl line 2: output \"i\"[1] is 4, expected -4"},
      {WANT("i", "INT8", "[-1,4]") "}", "\"i\"[0] is -3, expected -1"},
      {WANT("u", "UINT64", "[1,2]") "}", "\"u\"[1] is 18446744073709551615, expected 2"},
      {WANT("s", "BYTES", "[\"one\",\"too\"]") "}", "\"s\"[1] is \"two\", expected \"too\""},
      {WANT("i", "INT16", "[-3,4]") "}", "output \"i\" is INT8[2], expected INT16[2]"},
      {WANT("x", "INT8", "[-3,4]") "}", "the model has no output \"x\""},
      {"{", "line 1: "},
      {"\n\n[]", "line 3: "},
      {"{\"request\":{}}", "line 1: "},
      {ASK "{}}", "the response has no \"outputs\""},
      {WANT("i", "INT8", "[-3,4]") ",\"tolerance\":-1}", "tolerance"},
      {WANT("i", "INT8", "[-3,4]") ",\"color\":1}", "color"},
      {"{\"request\":{\"inputs\":[]},\"response\":{\"outputs\":[]}}", "line 1: "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct err err = golden_err(cases[i].text);
    EXPECT_INT(err.code, cases[i].part ? E_GOLDEN_FAILED : OK);
    if (err.code) EXPECT(strncmp(err.field, "golden.jsonl:", 13) == 0);
    bool right = !cases[i].part || strstr(err.text, cases[i].part);
    EXPECT(right);
    if (!right || (err.code && !cases[i].part)) printf("  case %zu: %s\n", i, err.text);
  }
}

/* ---- onnx, through the thread */

static struct mailbox home;

TEST(the_thread_loads_serves_and_unloads)
{
  if (!ort_here()) return;
  mailbox_init_bell(&home);
  struct job *job = job_new();
  struct thread thread;
  thread_start(&thread, "job", THREAD_STACK_ENGINE, job_main, job);
  struct event_file file = put_file("model.onnx", "bench/models/mlp.onnx");
  struct letter_load load = letter_of(&file, 1);
  load.home = &home;
  mail_send(job_mailbox(job), &load.mail);
  EXPECT(mailbox_wait(&home, INT64_MAX) == &load.mail);
  EXPECT_INT(load.mail.kind, LETTER_LOAD_HOME);
  EXPECT_STR(load.err.code ? load.err.text : "", "");
  EXPECT(slice_eq(load.platform, SLICE("onnxruntime_onnx")));
  EXPECT(load.contract.batches && load.run_ns > 0);
  EXPECT(load.memory_bytes > 5000 * sizeof(float) && load.memory_bytes < 1 << 20);
  struct letter_unload unload = {.mail.kind = LETTER_UNLOAD, .home = &home, .loaded = load.loaded};
  struct letter_note stop = {.mail.kind = LETTER_STOP};
  mail_send(job_mailbox(job), &unload.mail);
  mail_send(job_mailbox(job), &stop.mail);
  thread_join(&thread);
  EXPECT(mailbox_take(&home) == &unload.mail);
  EXPECT_INT(unload.mail.kind, LETTER_UNLOAD_HOME);
  job_free(job);
  arena_deinit(&load.arena);
}

TEST(a_batch_that_is_none_is_found_out)
{
  struct loaded loaded;
  struct err err;
  if (!ort_here()) return;
  struct event_file file = put_file("model.onnx", "test/data/onnx/doubles.onnx");
  struct slice bytes = proto_file("test/data/onnx/doubles.onnx", &texts);
  EXPECT_INT(rig_open("onnx", "model.onnx", bytes, &loaded, &err), OK);
  EXPECT(loaded.contract.batches); /* so its shapes say */
  rig_close(&loaded);
  struct letter_load letter = letter_of(&file, 1);
  load_run(&letter, watch);
  EXPECT_INT(letter.err.code, OK);
  EXPECT(!letter.contract.batches && !letter.loaded->contract.batches);
  EXPECT(letter.run_ns > 0);
  unload(&letter);
}

TEST(a_model_that_refuses_zeros_is_loaded_all_the_same)
{
  if (!ort_here()) return;
  struct event_file file = put_file("model.onnx", "test/data/onnx/fails.onnx");
  struct letter_load letter = letter_of(&file, 1);
  load_run(&letter, watch);
  EXPECT_INT(letter.err.code, OK);
  EXPECT_INT(letter.run_ns, 0);
  unload(&letter);
}

TEST(what_our_walk_refuses_never_reaches_an_engine)
{
  struct event_file pickle = put_text("model.onnx", "\x80\x04\x95 a pickle");
  struct err err = load_err(&pickle, 1);
  EXPECT_INT(err.code, E_MODEL_REJECTED);
  EXPECT(strstr(err.text, "pickle"));
  struct event_file empty = put("model.onnx", SLICE_NONE);
  EXPECT_INT(load_err(&empty, 1).code, E_MODEL_REJECTED);
}

static size_t rss_kib(void)
{
  FILE *file = fopen("/proc/self/statm", "r");
  long pages[2] = {0, 0};
  EXPECT(file && fscanf(file, "%ld %ld", &pages[0], &pages[1]) == 2);
  if (file) fclose(file);
  return (size_t)pages[1] * 4;
}

static size_t n_entries(const char *path)
{
  DIR *dir = opendir(path);
  size_t n = 0;
  while (dir && readdir(dir)) n++;
  if (dir) closedir(dir);
  return n;
}

TEST(a_storm_of_loads_leaves_nothing_behind)
{
  if (!ort_here()) return;
  struct event_file good = put_file("model.onnx", "bench/models/mlp.onnx"), bad = good, half;
  struct slice bytes = proto_file("bench/models/mlp.onnx", &texts);
  half = put("model.onnx", slice_of(bytes.at, bytes.len / 2));
  bad.digest.at[0] ^= 1;
  size_t heap = 0, rss = 0, fds = 0, threads = 0;
  for (int i = 0; i < 200; i++) {
    struct letter_load letter = letter_of(&good, 1);
    load_run(&letter, watch);
    EXPECT_INT(letter.err.code, OK);
    unload(&letter);
    EXPECT_INT(load_err(&bad, 1).code, E_ARTIFACT_CORRUPT);
    EXPECT_INT(load_err(&half, 1).code, E_MODEL_REJECTED);
    if (i != 20) continue;
    heap = mallinfo2().uordblks;
    rss = rss_kib();
    fds = n_entries("/proc/self/fd");
    threads = n_entries("/proc/self/task");
  }
  EXPECT(mallinfo2().uordblks <= heap + (64 << 10));
  EXPECT_INT(n_entries("/proc/self/fd"), fds);
  EXPECT_INT(n_entries("/proc/self/task"), threads);
  printf("600 loads: heap %zu -> %zu bytes, resident %zu -> %zu KiB\n", heap,
         (size_t)mallinfo2().uordblks, rss, rss_kib());
}

TEST(the_store_is_tidied)
{
  DIR *dir = opendir(store);
  for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
    char path[400];
    if (e->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", store, e->d_name);
    DIR *sub = opendir(path);
    for (struct dirent *f = sub ? readdir(sub) : NULL; f; f = readdir(sub))
      if (f->d_name[0] != '.') unlinkat(dirfd(sub), f->d_name, 0);
    if (sub) closedir(sub);
    rmdir(path);
  }
  if (dir) closedir(dir);
  EXPECT(rmdir(store) == 0);
  close(objects_fd);
  watch_free(watch);
  arena_deinit(&texts);
}
