/* onnx_data_test.c - the onnx engine against the models and expected answers of libonnx-testdata.
 * A selection here; SLIPWAY_ONNX_DATA=all runs every model and prints a line for each that is not
 * right (`make conformance` does it through the daemon).
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <dirent.h>

#include "infer_rig.h"
#include "onnx_proto.h"
#include "ort_here.h"

#define DATA "/usr/share/libonnx-testdata/data/"
enum { SETS_MAX = 16 };

static double half_value(uint16_t bits)
{
  int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double value = exponent == 0    ? ldexp(mantissa, -24)
                 : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                  : ldexp(mantissa + 1024, exponent - 25);
  return bits & 0x8000 ? -value : value;
}

static double value_at(const struct tensor *t, uint64_t i)
{
  const char *p = (const char *)t->data + i * dtype_width(t->dtype);
  float f;
  double d;
  uint16_t h;
  if (t->dtype == DT_FP32) return memcpy(&f, p, 4), (double)f;
  if (t->dtype == DT_FP64) return memcpy(&d, p, 8), d;
  memcpy(&h, p, 2);
  if (t->dtype == DT_FP16) return half_value(h);
  uint32_t bits = (uint32_t)h << 16;
  return memcpy(&f, &bits, 4), (double)f;
}

static bool same(const struct tensor *got, const struct tensor *want)
{
  if (got->dtype != want->dtype || got->shape.rank != want->shape.rank) return false;
  for (uint32_t i = 0; i < got->shape.rank; i++)
    if (got->shape.dims[i] != want->shape.dims[i]) return false;
  if (got->dtype != DT_FP32 && got->dtype != DT_FP64 && got->dtype != DT_FP16 &&
      got->dtype != DT_BF16)
    return got->bytes == want->bytes &&
           (got->bytes == 0 || memcmp(got->data, want->data, got->bytes) == 0);
  for (uint64_t i = 0; i < got->count; i++) {
    double a = value_at(got, i), b = value_at(want, i);
    if (isnan(a) && isnan(b)) continue;
    if (a != b && !(fabs(a - b) <= 1e-5 + 1e-3 * fabs(b))) return false;
  }
  return true;
}

/* "" when all answers of a data set are right, else what is not. */
static const char *set_run(struct loaded *loaded, struct lane *lane, const char *dir, int set,
                           struct arena *arena)
{
  static char why[512];
  char path[512];
  struct rig_task rig;
  const struct contract *contract = &loaded->contract;
  rig_task_init(&rig, loaded, lane, NULL);
  why[0] = '\0';
  for (uint32_t i = 0; i < contract->n_inputs; i++) {
    snprintf(path, sizeof path, "%s/test_data_set_%d/input_%u.pb", dir, set, i);
    struct slice bytes = proto_file(path, arena);
    if (!bytes.at) break;
    struct tensor t;
    uint32_t at = i;
    if (!proto_tensor(bytes, arena, &t)) return "input is not a tensor";
    spec_find(contract->inputs, contract->n_inputs, t.name, &at);
    rig.inputs[at] = t;
  }
  for (uint32_t i = 0; i < contract->n_inputs; i++)
    if (rig.inputs[i].dtype == DT_NONE && !contract->inputs[i].optional) return "input is missing";
  int64_t now_ns = clock_ns();
  lane_push(lane, &rig.task);
  lane_run(lane, &now_ns);
  if (rig.task.err.code != OK) snprintf(why, sizeof why, "%s", rig.task.err.text);
  for (uint32_t i = 0; i < contract->n_outputs && !why[0]; i++) {
    struct tensor want;
    snprintf(path, sizeof path, "%s/test_data_set_%d/output_%u.pb", dir, set, i);
    struct slice bytes = proto_file(path, arena);
    if (!bytes.at) continue;
    if (!proto_tensor(bytes, arena, &want))
      snprintf(why, sizeof why, "output is not a tensor");
    else if (!same(&rig.outputs[i], &want)) {
      char a[SHAPE_TEXT_MAX], b[SHAPE_TEXT_MAX];
      snprintf(why, sizeof why, "output %u differs: %s %s, expected %s %s", i,
               dtype_name(rig.outputs[i].dtype), shape_text(&rig.outputs[i].shape, a, sizeof a),
               dtype_name(want.dtype), shape_text(&want.shape, b, sizeof b));
    }
  }
  rig_task_deinit(&rig);
  return why;
}

static const char *model_run(const char *dir)
{
  static struct err err;
  static char kept[512];
  char path[512];
  const char *why = "";
  struct loaded loaded;
  struct arena arena;
  arena_init(&arena, 2000u << 20, NULL);
  snprintf(path, sizeof path, "%s/model.onnx", dir);
  if (rig_open("onnx", "model.onnx", proto_file(path, &arena), &loaded, &err) != OK) {
    arena_deinit(&arena);
    return err.text;
  }
  struct lane *lane = lane_new(&loaded, NULL, NULL, &err);
  for (int set = 0; set < SETS_MAX && !*why; set++) {
    snprintf(path, sizeof path, "%s/test_data_set_%d", dir, set);
    DIR *there = opendir(path);
    if (!there) continue;
    closedir(there);
    /* Plain, remembered and, where small, bound. */
    for (int again = 0; again < 5 && !*why; again++) why = set_run(&loaded, lane, dir, set, &arena);
  }
  snprintf(kept, sizeof kept, "%s", why);
  lane_free(lane);
  rig_close(&loaded);
  arena_deinit(&arena);
  return kept;
}

static bool here(void)
{
  DIR *data = opendir(DATA);
  if (data) closedir(data);
  if (!data) printf("skipped: libonnx-testdata is not installed\n");
  return data && ort_here();
}

static void folder_run(const char *folder, uint32_t every, uint32_t *right, uint32_t *all)
{
  char path[512];
  struct dirent **entries;
  snprintf(path, sizeof path, DATA "%s", folder);
  int n = scandir(path, &entries, NULL, alphasort);
  for (int i = 0; i < n; i++) {
    snprintf(path, sizeof path, DATA "%s/%s", folder, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.' && (uint32_t)i % every == 0) {
      const char *why = model_run(path);
      ++*all;
      if (!*why)
        ++*right;
      else if (every == 1)
        printf("%s: %s\n", path + sizeof DATA - 1, why);
    }
    free(entries[i]);
  }
  if (n >= 0) free(entries);
}

TEST(chosen_models_answer_right)
{
  static const char *const chosen[] = {
      "node/test_abs",
      "node/test_add_bcast",
      "node/test_and_bcast3v1d",
      "node/test_argmax_keepdims_random",
      "node/test_cast_FLOAT_to_FLOAT16",
      "node/test_cast_STRING_to_FLOAT",
      "node/test_concat_2d_axis_0",
      "node/test_constantofshape_int_shape_zero",
      "node/test_einsum_sum",
      "node/test_gru_defaults",
      "node/test_lstm_defaults",
      "node/test_isnan",
      "node/test_nonzero_example",
      "node/test_qlinearmatmul_2D",
      "node/test_reduce_sum_keepdims_example",
      "node/test_scan_sum",
      "node/test_split_zero_size_splits",
      "node/test_strnormalizer_nostopwords_nochangecase",
      "node/test_tfidfvectorizer_tf_only_bigrams_skip0",
      "node/test_top_k",
      "node/test_where_example",
      "simple/test_sign_model",
      "simple/test_single_relu_model",
      "simple/test_expand_shape_model1",
      "pytorch-operator/test_operator_concat2",
      "pytorch-converted/test_Conv2d",
  };
  if (!here()) return;
  for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
    char path[256];
    snprintf(path, sizeof path, DATA "%s", chosen[i]);
    const char *why = model_run(path);
    EXPECT_STR(why, "");
    if (*why) printf("  in %s\n", chosen[i]);
  }
}

TEST(all_models_when_asked)
{
  const char *asked = getenv("SLIPWAY_ONNX_DATA");
  uint32_t right = 0, all = 0;
  static const char *const folders[] = {"node", "simple", "pytorch-converted", "pytorch-operator",
                                        "real"};
  if (!asked || strcmp(asked, "all") != 0 || !here()) return;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    folder_run(folders[i], 1, &right, &all);
  printf("%u of %u models answer right\n", right, all);
  EXPECT(right >= 959);
}
