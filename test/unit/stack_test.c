/* stack_test.c - ME-104: what parses a model's files needs no more than 256 KiB of stack, whatever
 * is in them: every input of the fuzzers' corpora, and the deepest model there can be.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <dirent.h>

#include "base/thread.h"
#include "jobs/folder.h"
#include "onnx_proto.h"
#include "wire/onnx_walk.h"
#include "wire/yaml.h"

static struct arena bytes;

typedef void (*file_fn)(struct slice bytes);

static int files_each(const char *folder, file_fn fn)
{
  char path[512];
  int n = 0;
  DIR *dir = opendir(folder);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    arena_reset(&bytes);
    fn(proto_file(path, &bytes));
    n++;
  }
  if (dir) closedir(dir);
  return n;
}

static void walk(struct slice model)
{
  struct onnx_limits limits = {0};
  struct onnx_summary summary;
  struct arena scratch;
  struct err err;
  arena_init(&scratch, 256 << 20, NULL);
  (void)!onnx_walk(model, &limits, &scratch, &summary, &err);
  arena_deinit(&scratch);
}

static void config(struct slice text)
{
  struct model_config settings;
  struct arena arena;
  struct err err;
  arena_init(&arena, 64 << 20, NULL);
  (void)!folder_config(text, &arena, &settings, &err);
  arena_deinit(&arena);
}

/* A field of bytes inside a field of bytes, and so on: what recursion would follow down. */
static void nested(file_fn fn, unsigned char key, int depth)
{
  size_t len = 0, size = (size_t)depth * 6;
  unsigned char *at = arena_get(&bytes, size);
  for (int i = 0; i < depth; i++) { /* from the inside out, written from the end */
    unsigned char head[6];
    size_t n = 0;
    head[n++] = key;
    for (size_t rest = len;; rest >>= 7) {
      head[n++] = (unsigned char)((rest & 127) | (rest > 127 ? 128 : 0));
      if (rest <= 127) break;
    }
    len += n;
    memcpy(at + size - len, head, n);
  }
  fn(slice_of((const char *)at + size - len, len));
}

static int n_models, n_configs;

static void all(void *unused)
{
  (void)unused;
  n_models = files_each("test/fuzz/corpus/onnx", walk) + files_each("test/data/onnx", walk);
  n_configs = files_each("test/fuzz/corpus/yaml", config);
  static const unsigned char keys[] = {0x3a, 0x0a, 0x2a, 0x32, 0x1a, 0x5a};
  for (size_t i = 0; i < sizeof keys; i++) {
    arena_reset(&bytes);
    nested(walk, keys[i], 100000);
  }
  static char deep[200000];
  memset(deep, '[', sizeof deep);
  config(slice_of(deep, sizeof deep));
}

TEST(ME_104_small_stacks_are_enough)
{
  struct thread thread;
  arena_init(&bytes, 64 << 20, NULL);
  size_t stack = THREAD_STACK_PARSER;
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  stack *= 4; /* instrumented frames are larger */
#endif
  thread_start(&thread, "parser", stack, all, NULL);
  thread_join(&thread);
  arena_deinit(&bytes);
  EXPECT(n_models > 10);
  EXPECT(n_configs > 3);
}
