/* reading_test.c - labels, scores and rankings out of outputs of every kind.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "serve/shadow/reading.h"

static struct tensor_spec specs[3];
static struct tensor outputs[3];
static struct contract contract = {.outputs = specs, .batches = true};
static struct reader reader;

static void output(uint32_t i, enum dtype dtype, uint64_t count, const void *data, size_t bytes)
{
  specs[i].dtype = dtype;
  outputs[i] = (struct tensor){
      .dtype = dtype, .count = count, .data = (void *)(uintptr_t)data, .bytes = bytes};
  contract.n_outputs = i + 1;
}
#define OUTPUT(i, dtype, array) \
  output(i, dtype, sizeof(array) / sizeof(array)[0], array, sizeof(array))

static struct reading read_row(uint64_t rows, uint64_t row, uint64_t wanted)
{
  struct reading reading = {0};
  reader_init(&reader, &contract, outputs, wanted, rows);
  reader_read(&reader, row, &reading);
  return reading;
}

TEST(a_classifier_says_its_label_and_how_sure_it_is)
{
  static const int64_t labels[] = {7, -3};
  static const float sure[] = {0.1f, 0.9f, 0.6f, 0.4f};
  OUTPUT(0, DT_INT64, labels);
  OUTPUT(1, DT_FP32, sure);
  struct reading a = read_row(2, 0, 3), b = read_row(2, 1, 3);
  EXPECT(a.has_label && !a.named && a.label == 7 && a.has_score && a.score == 0.9f);
  EXPECT(b.label == -3 && b.score == 0.6f);
  EXPECT(!reading_labels_equal(&a, &b) && reading_labels_equal(&a, &a));
  a = read_row(2, 0, 2); /* the label was not asked for: the argmax */
  b = read_row(2, 1, 2);
  EXPECT(a.has_label && a.label == 1 && b.label == 0);
  a = read_row(2, 0, 1);
  EXPECT(a.label == 7 && !a.has_score);
}

TEST(a_regressor_has_a_score_alone)
{
  static const double values[] = {1.5, -2.5};
  OUTPUT(0, DT_FP64, values);
  struct reading a = read_row(2, 1, 1);
  EXPECT(!a.has_label && a.has_score && a.score == -2.5);
  EXPECT(!reading_labels_equal(&a, &a)); /* no label is like no other */
}

TEST(labels_may_be_text_or_small_numbers)
{
  static const char words[] = "\3\0\0\0ham\4\0\0\0spam";
  static const uint8_t flags[] = {0, 1};
  output(0, DT_BYTES, 2, words, sizeof words - 1);
  struct reading a = read_row(2, 1, 1), b = read_row(2, 0, 1);
  EXPECT(a.named && slice_eq(a.text, SLICE("spam")) && !a.has_score);
  EXPECT(!reading_labels_equal(&a, &b) && reading_labels_equal(&a, &a));
  OUTPUT(0, DT_BOOL, flags);
  b = read_row(2, 1, 1);
  EXPECT(b.has_label && b.label == 1);
  EXPECT(!reading_labels_equal(&a, &b));
}

TEST(half_floats_and_what_is_no_number)
{
  static const uint16_t halves[] = {0x3c00, 0xc100, 0x7bff, 0x0001}; /* 1 -2.5 65504 2^-24 */
  static const uint16_t brains[] = {0x3f80, 0xc020};                 /* 1 -2.5 */
  static const float odd[] = {NAN, -INFINITY, 2};
  OUTPUT(0, DT_FP16, halves);
  EXPECT(read_row(4, 0, 1).score == 1 && read_row(4, 1, 1).score == -2.5);
  EXPECT(read_row(4, 2, 1).score == 65504 && read_row(4, 3, 1).score == 1.0 / (1 << 24));
  EXPECT_INT(read_row(1, 0, 1).label, 2);
  OUTPUT(0, DT_BF16, brains);
  EXPECT(read_row(2, 0, 1).score == 1 && read_row(2, 1, 1).score == -2.5);
  OUTPUT(0, DT_FP32, odd);
  EXPECT_INT(read_row(1, 0, 1).label, 2);
}

TEST(what_cannot_be_read_is_left_out)
{
  static const float ragged[] = {1, 2, 3};
  static const char words[] = "\1\0\0\0a\1\0\0\0b";
  OUTPUT(0, DT_FP32, ragged);
  struct reading a = read_row(2, 0, 1); /* three values in two rows */
  EXPECT(!a.has_label && !a.has_score);
  output(0, DT_BYTES, 2, words, sizeof words - 1);
  EXPECT(!read_row(1, 0, 1).has_label); /* several words a row */
  output(0, DT_FP32, 0, NULL, 0);
  EXPECT(!read_row(0, 0, 1).has_label);
  outputs[0].dtype = DT_NONE;
  EXPECT(!read_row(1, 0, 1).has_score);
}

TEST(rankings_are_apart_by_what_they_do_not_share)
{
  static const float a[] = {5, 4, 3, 2, 1}, b[] = {5, 1, 4, 3, 2};
  static const int64_t list[] = {10, 20, 30}, other[] = {30, 10, 99};
  struct reader one, two;
  OUTPUT(0, DT_FP32, a);
  reader_init(&one, &contract, outputs, 1, 1);
  OUTPUT(0, DT_FP32, b);
  reader_init(&two, &contract, outputs, 1, 1);
  /* reader keeps the tensor's place, not its content: read the first through its own */
  struct tensor first = outputs[0], second = outputs[0];
  first.data = (void *)(uintptr_t)a;
  one.rank = &first;
  two.rank = &second;
  EXPECT(reader_apart(&one, &two, 0, 1) == 0);
  EXPECT(reader_apart(&one, &two, 0, 2) == 0.5);
  EXPECT(reader_apart(&one, &two, 0, 3) == 1 - 2.0 / 3);
  EXPECT(reader_apart(&one, &two, 0, 5) == 0);
  EXPECT(reader_apart(&one, &two, 0, 99) == 0); /* all there is */
  EXPECT(reader_apart(&one, &two, 0, 0) == 1);
  first = second = (struct tensor){.dtype = DT_INT64, .count = 3};
  first.data = (void *)(uintptr_t)list;
  second.data = (void *)(uintptr_t)other;
  EXPECT(reader_apart(&one, &two, 0, 3) == 1 - 2.0 / 3);
  EXPECT(reader_apart(&one, &two, 0, 1) == 1);
  two.rank = NULL;
  EXPECT(reader_apart(&one, &two, 0, 1) == 1);
}
