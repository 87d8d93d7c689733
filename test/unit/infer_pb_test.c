/* infer_pb_test.c - ModelInferRequest and ModelInferResponse: the bytes of other people's protobuf,
 * every datatype both ways, and what must be refused.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/infer/infer_pb.h"

#include "test.h"
#include "wire/pb.h"

/* Written by tritonclient 2.73.0 (a request of its client; the others by its descriptors) with
 * protobuf 6.33.6, SerializeToString(deterministic=True). */
static const char of_tritonclient[] =
    "\012\003mlp\022\0013\032\004id-1\042\020\012\006colour\022\006\032\004blue\042\013\012\005d"
    "ebug\022\002\010\001\042\021\012\004half\022\011!\000\000\000\000\000\000\340\077\042\023"
    "\012\004less\022\013\020\375\377\377\377\377\377\377\377\377\001\042\016\012\010priority"
    "\022\002(\002\042\022\012\014sequence_end\022\002\010\000\042\021\012\013sequence_id\022"
    "\002\020\007\042\024\012\016sequence_start\022\002\010\001\042\016\012\007timeout\022\003"
    "\020\210'*\015\012\001x\022\004FP32\032\002\002\003*\022\012\005names\022\005BYTES\032\002"
    "\002\0012\003\012\001y2\031\012\001z\022\024\012\016classification\022\002\020\003:\030\000"
    "\000\000\000\000\000\200\077\000\000\000@\000\000@@\000\000\200@\000\000\240@:\012\002\000"
    "\000\000ab\000\000\000\000";
static const char of_int8[] =
    "\012\001m*\034\012\001x\022\004INT8\032\001\003*\016\022\014\200\377\377\377\377\377\377"
    "\377\377\001\000\177";
static const char of_uint64[] =
    "\012\001m*\035\012\001x\022\006UINT64\032\001\002*\015*\013\000\377\377\377\377\377\377\377"
    "\377\377\001";
static const char of_fp64[] =
    "\012\001m* \012\001x\022\004FP64\032\001\002*\022:\020\000\000\000\000\000\000\340\077\234u"
    "\000\210<\3447\376";
static const char of_bytes[] =
    "\012\001m*\030\012\001x\022\005BYTES\032\001\003*\011B\001aB\000B\002\377\000";
static const char of_bool[] =
    "\012\001m*\023\012\001x\022\004BOOL\032\001\003*\005\012\003\001\000\001";
static const char response[] =
    "\012\003mlp\022\0013\032\004id-1\042\016\012\010queue_us\022\002\020\014\042\023\012\004les"
    "s\022\013\020\375\377\377\377\377\377\377\377\377\001\042\021\012\004half\022\011!\000\000"
    "\000\000\000\000\340\077\042\017\012\003arm\022\010\032\006stable\042\013\012\005cache\022"
    "\002\010\001*\015\012\001y\022\004FP32\032\002\001\002*\020\012\004none\022\005INT64\032"
    "\001\0002\010\000\000\200\077\000\000\000@2\000";

#define GOLDEN(text) slice_of(text, sizeof text - 1)

static struct arena arena;
static struct infer_request request;
static struct infer_pb_target target;
static struct err err;

static enum code read_in(struct slice message)
{
  arena_deinit(&arena);
  arena_init(&arena, 1 << 20, NULL);
  err = (struct err){0};
  return infer_pb_read(&arena, message, &target, &request, &err);
}

/* ---- messages made here */

static char made[4096];

struct piece {
  uint32_t number;
  struct slice bytes;
};

/* A message of these pieces, which are embedded messages or texts. It lies in `made`, behind those
 * that were made before it. */
static size_t made_len;

static struct slice message_of(const struct piece *pieces, size_t n)
{
  char *start = made + made_len, *to = start;
  for (size_t i = 0; i < n; i++) to = pb_put_bytes(to, pieces[i].number, pieces[i].bytes);
  made_len = (size_t)(to - made);
  return slice_of(start, (size_t)(to - start));
}
#define MESSAGE(...)                        \
  message_of((struct piece[]){__VA_ARGS__}, \
             sizeof((struct piece[]){__VA_ARGS__}) / sizeof(struct piece))

/* An input "x". contents len 0: none. */
static struct slice input_of(const char *dtype, struct slice shape, struct slice contents)
{
  struct piece pieces[] = {{1, SLICE("x")}, {2, slice_str(dtype)}, {3, shape}, {5, contents}};
  return message_of(pieces, contents.at ? 4 : 3);
}

static enum code read_typed(const char *dtype, struct slice shape, struct slice contents)
{
  made_len = 0;
  struct slice input = input_of(dtype, shape, contents);
  return read_in(MESSAGE({1, SLICE("m")}, {5, input}));
}

static enum code read_raw(const char *dtype, struct slice shape, struct slice raw)
{
  made_len = 0;
  struct slice input = input_of(dtype, shape, SLICE_NONE);
  return read_in(MESSAGE({1, SLICE("m")}, {5, input}, {7, raw}));
}

static void expect_data(const void *want, size_t bytes)
{
  EXPECT_INT(request.n_inputs, 1);
  EXPECT_INT(request.inputs[0].bytes, bytes);
  EXPECT(bytes == request.inputs[0].bytes && memcmp(request.inputs[0].data, want, bytes) == 0);
}

/* ---- requests */

TEST(a_request_of_tritonclient)
{
  EXPECT_INT(read_in(GOLDEN(of_tritonclient)), OK);
  EXPECT(slice_eq(target.model_name, SLICE("mlp")) && slice_eq(target.model_version, SLICE("3")));
  EXPECT(slice_eq(request.id, SLICE("id-1")));
  EXPECT(request.sequence_start && !request.sequence_end && request.sequence_number == 7);
  EXPECT(request.priority == 2 && request.timeout_us == 5000 && request.binary_data_output);
  EXPECT_INT(request.n_others, 4);
  static const struct infer_param others[] = {{SLICE("colour"), SLICE("blue"), INFER_PARAM_STRING},
                                              {SLICE("debug"), SLICE("true"), INFER_PARAM_BOOL},
                                              {SLICE("half"), SLICE("0.5"), INFER_PARAM_NUMBER},
                                              {SLICE("less"), SLICE("-3"), INFER_PARAM_NUMBER}};
  for (uint32_t i = 0; i < 4 && i < request.n_others; i++)
    EXPECT(slice_eq(request.others[i].key, others[i].key) &&
           slice_eq(request.others[i].value, others[i].value) &&
           request.others[i].kind == others[i].kind);
  EXPECT_INT(request.n_inputs, 2);
  const struct tensor *x = &request.inputs[0], *names = &request.inputs[1];
  EXPECT(slice_eq(x->name, SLICE("x")) && x->dtype == DT_FP32 && x->count == 6);
  EXPECT(x->shape.rank == 2 && x->shape.dims[0] == 2 && x->shape.dims[1] == 3);
  EXPECT(memcmp(x->data, (float[]){0, 1, 2, 3, 4, 5}, 24) == 0);
  EXPECT(names->dtype == DT_BYTES && names->count == 2 && names->bytes == 10);
  EXPECT_INT(request.n_outputs, 2);
  EXPECT(request.outputs[0].form == INFER_BINARY && request.outputs[0].classification == 0);
  EXPECT(slice_eq(request.outputs[1].name, SLICE("z")) && request.outputs[1].classification == 3);
}

TEST(typed_values_of_other_peoples_protobuf)
{
  EXPECT_INT(read_in(GOLDEN(of_int8)), OK);
  expect_data((int8_t[]){-128, 0, 127}, 3);
  EXPECT_INT(read_in(GOLDEN(of_uint64)), OK);
  expect_data((uint64_t[]){0, UINT64_MAX}, 16);
  EXPECT_INT(read_in(GOLDEN(of_fp64)), OK);
  expect_data((double[]){0.5, -1e300}, 16);
  EXPECT_INT(read_in(GOLDEN(of_bytes)), OK);
  expect_data("\1\0\0\0a\0\0\0\0\2\0\0\0\xff\0", 15);
  EXPECT_INT(read_in(GOLDEN(of_bool)), OK);
  expect_data("\1\0\1", 3);
}

TEST(numbers_come_packed_and_one_by_one)
{
  struct slice three = SLICE("\3");
  EXPECT_INT(read_typed("INT32", three, SLICE("\x10\1\x10\2\x10\3")), OK);
  expect_data((int32_t[]){1, 2, 3}, 12);
  EXPECT_INT(read_typed("INT32", three, SLICE("\x12\2\1\2\x10\3")), OK);
  expect_data((int32_t[]){1, 2, 3}, 12);
  EXPECT_INT(read_typed("FP32", SLICE("\2"), SLICE("\x35\0\0\x80\x3f\x35\0\0\0\x40")), OK);
  expect_data((float[]){1, 2}, 8);
  /* A negative int32 as ten bytes, and as the five that hold its low 32 bits. */
  EXPECT_INT(
      read_typed("INT32", SLICE("\2"),
                 SLICE("\x12\x0f\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\xfe\xff\xff\xff\x0f")),
      OK);
  expect_data((int32_t[]){-1, -2}, 8);
}

TEST(contents_given_twice_are_joined)
{
  made_len = 0;
  struct slice input = MESSAGE({1, SLICE("x")}, {5, SLICE("\x1a\1\1")}, {2, SLICE("INT64")},
                               {3, SLICE("\2")}, {5, SLICE("\x1a\1\2")});
  EXPECT_INT(read_in(MESSAGE({5, input})), OK);
  expect_data((int64_t[]){1, 2}, 16);
}

TEST(raw_values_are_views_where_they_are_aligned)
{
  EXPECT_INT(read_raw("FP32", SLICE("\2"), SLICE("\0\0\x80\x3f\0\0\0\x40")), OK);
  expect_data((float[]){1, 2}, 8);
  const char *data = request.inputs[0].data;
  bool view = data >= made && data < made + sizeof made;
  EXPECT(((uintptr_t)(made + made_len - 8) % 4 == 0) == view);
  EXPECT_INT(read_raw("UINT8", SLICE("\2"), SLICE("ab")), OK);
  EXPECT((char *)request.inputs[0].data == made + made_len - 2);
  EXPECT_INT(read_raw("BF16", SLICE("\1"), SLICE("ab")), OK);
  EXPECT_INT(read_raw("FP32", SLICE("\0"), SLICE("")), OK);
  EXPECT(request.inputs[0].count == 0 && !request.inputs[0].data);
  EXPECT_INT(read_typed("FP32", SLICE("\0"), SLICE_NONE), OK); /* typed, and none */
}

TEST(unknown_fields_are_skipped)
{
  made_len = 0;
  struct slice input = MESSAGE({1, SLICE("x")}, {2, SLICE("UINT8")}, {3, SLICE("\1")},
                               {9, SLICE("later")}, {5, SLICE("\x22\1\7\x4a\1z")});
  EXPECT_INT(read_in(MESSAGE({5, input}, {99, SLICE("later")})), OK);
  expect_data("\7", 1);
}

/* ---- what is refused */

static void expect_refused(enum code got, enum code want, const char *field)
{
  EXPECT_INT(got, want);
  EXPECT_STR(err.field, field);
  EXPECT(err.text[0]);
}

/* GR-105, GR-106. */
TEST(values_against_datatype_and_shape)
{
  struct slice one = SLICE("\1");
  expect_refused(read_typed("INT8", one, SLICE("\x10\x80\1")), E_VALUE_OUT_OF_RANGE, "inputs[0]");
  expect_refused(read_typed("UINT16", one, SLICE("\x20\x80\x80\4")), E_VALUE_OUT_OF_RANGE,
                 "inputs[0]");
  expect_refused(read_typed("UINT8", one, SLICE("\x10\1")), E_WRONG_TYPE, "inputs[0]");
  expect_refused(read_typed("FP16", one, SLICE("\x35zzzz")), E_BAD_DATATYPE, "inputs[0]");
  expect_refused(read_typed("INT32", one, SLICE("\x10\1\x10\2")), E_BAD_SIZE, "inputs[0]");
  expect_refused(read_typed("INT32", one, SLICE_NONE), E_BAD_SIZE, "inputs[0]");
  expect_refused(read_typed("FP32", one, SLICE("\x32\5zzzzz")), E_INVALID_ARGUMENT, "inputs[0]");
  expect_refused(read_typed("INT32", one, SLICE("\x12\1\x80")), E_INVALID_ARGUMENT, "inputs[0]");
  expect_refused(read_typed("WHAT", one, SLICE_NONE), E_BAD_DATATYPE, "inputs[0]");
  expect_refused(read_typed("INT8", SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), SLICE_NONE),
                 E_BAD_SHAPE, "inputs[0]");
  expect_refused(read_typed("INT8", SLICE("\1\1\1\1\1\1\1\1\1"), SLICE_NONE), E_BAD_SHAPE,
                 "inputs[0]");
  expect_refused(read_raw("FP32", one, SLICE("abc")), E_BAD_SIZE, "raw_input_contents[0]");
  expect_refused(read_raw("BOOL", one, SLICE("\2")), E_VALUE_OUT_OF_RANGE, "raw_input_contents[0]");
}

TEST(raw_and_typed_are_not_mixed)
{
  made_len = 0;
  struct slice typed = input_of("UINT8", SLICE("\1"), SLICE("\x20\1"));
  expect_refused(read_in(MESSAGE({5, typed}, {7, SLICE("a")})), E_INVALID_ARGUMENT, "");
  made_len = 0;
  struct slice input = input_of("UINT8", SLICE("\1"), SLICE_NONE);
  expect_refused(read_in(MESSAGE({5, input}, {7, SLICE("a")}, {7, SLICE("b")})), E_BAD_SIZE, "");
}

TEST(names_and_lists)
{
  made_len = 0;
  struct slice input = input_of("UINT8", SLICE("\1"), SLICE("\x20\1"));
  struct slice nameless = MESSAGE({2, SLICE("UINT8")});
  struct slice output = MESSAGE({1, SLICE("y")});
  expect_refused(read_in(MESSAGE({5, input}, {5, input})), E_INVALID_ARGUMENT, "inputs[1]");
  expect_refused(read_in(MESSAGE({5, nameless})), E_BAD_NAME, "inputs[0]");
  expect_refused(read_in(MESSAGE({6, output}, {6, output})), E_INVALID_ARGUMENT, "outputs[1]");
  expect_refused(read_in(MESSAGE({6, SLICE_NONE})), E_BAD_NAME, "outputs[0]");
  expect_refused(read_in(MESSAGE({1, SLICE("\xff")})), E_INVALID_ARGUMENT, "");
  expect_refused(read_in(SLICE("\x08\1")), E_INVALID_ARGUMENT, ""); /* a name as a number */
  static char many[2 * (TENSORS_MAX + 1)];
  for (size_t i = 0; i < sizeof many; i += 2) many[i] = 0x3a;
  expect_refused(read_in(slice_of(many, sizeof many)), E_INVALID_ARGUMENT, "");
}

TEST(parameters_that_are_refused)
{
  made_len = 0;
  struct slice shared = MESSAGE({1, SLICE("shared_memory_region")}, {2, SLICE("\x1a\1x")});
  struct slice less = MESSAGE({1, SLICE("priority")}, {2, SLICE("\x10\xff\xff\xff\xff\xff\xff\xff"
                                                                "\xff\xff\1")});
  struct slice none = MESSAGE({1, SLICE("a")}, {2, SLICE("")});
  struct slice input = MESSAGE({1, SLICE("x")}, {4, shared});
  expect_refused(read_in(MESSAGE({4, shared})), E_RESERVED_PARAMETER,
                 "parameters.shared_memory_region");
  expect_refused(read_in(MESSAGE({4, less})), E_VALUE_OUT_OF_RANGE, "parameters.priority");
  expect_refused(read_in(MESSAGE({4, none})), E_WRONG_TYPE, "parameters");
  expect_refused(read_in(MESSAGE({5, input})), E_RESERVED_PARAMETER, "inputs[0]");
}

TEST(no_cut_of_a_request_is_read_as_whole)
{
  for (size_t cut = 0; cut < sizeof of_tritonclient - 1; cut++)
    EXPECT(read_in(slice_of(of_tritonclient, cut)) != OK || request.n_inputs == 0);
}

/* ---- answers */

static struct slice joined(const struct infer_pb_body *body)
{
  char *whole = arena_get(&arena, body->bytes + 64), *to = whole;
  for (uint32_t i = 0; i < body->n_parts; i++) {
    memcpy(to, body->parts[i].at, body->parts[i].len);
    to += body->parts[i].len;
  }
  return slice_of(whole, (size_t)(to - whole));
}

TEST(an_answer_as_other_peoples_protobuf_writes_it)
{
  static float two[] = {1, 2};
  struct tensor y = {SLICE("y"), DT_FP32, {2, {1, 2}}, 2, two, 8};
  struct tensor none = {SLICE("none"), DT_INT64, {1, {0}}, 0, NULL, 0};
  struct infer_output outputs[] = {{.tensor = &y}, {.tensor = &none}};
  struct infer_answer answer = {
      .model_name = SLICE("mlp"),
      .model_version = SLICE("3"),
      .id = SLICE("id-1"),
      .parameters = SLICE("{\"queue_us\":12,\"less\":-3,\"half\":0.5,\"arm\":\"stable\","
                          "\"cache\":true}"),
      .outputs = outputs,
      .n_outputs = 2,
  };
  struct infer_pb_body body;
  arena_deinit(&arena);
  arena_init(&arena, 1 << 20, NULL);
  for (size_t front = 0; front <= 5; front += 5) {
    EXPECT_INT(infer_pb_write(&arena, &answer, front, &body, &err), OK);
    EXPECT_INT(body.bytes, sizeof response - 1);
    struct slice whole = joined(&body);
    EXPECT(slice_eq(slice_from(whole, front), GOLDEN(response)));
    EXPECT(body.n_parts == 3 && body.parts[1].at == (char *)two);
  }
}

TEST(an_answer_of_nothing_and_one_without_memory)
{
  struct infer_answer answer = {.model_name = SLICE("m")};
  struct infer_pb_body body;
  arena_deinit(&arena);
  arena_init(&arena, 1 << 20, NULL);
  EXPECT_INT(infer_pb_write(&arena, &answer, 5, &body, &err), OK);
  EXPECT(body.n_parts == 1 && body.bytes == 3 && body.parts[0].len == 8);
  arena_deinit(&arena);
  arena_init(&arena, 0, NULL);
  EXPECT_INT(infer_pb_write(&arena, &answer, 5, &body, &err), E_OUT_OF_MEMORY);
}

TEST(classes_are_strings)
{
  static float three[] = {0.25f, 0.5f, 0.125f};
  static const struct slice labels[] = {SLICE("a"), SLICE("b"), SLICE("c")};
  struct tensor y = {SLICE("y"), DT_FP32, {2, {1, 3}}, 3, three, 12};
  struct infer_output output = {&y, INFER_BINARY, 1, labels, 3};
  struct infer_answer answer = {.outputs = &output, .n_outputs = 1};
  struct infer_pb_body body;
  arena_deinit(&arena);
  arena_init(&arena, 1 << 20, NULL);
  EXPECT_INT(infer_pb_write(&arena, &answer, 0, &body, &err), OK);
  EXPECT(body.n_parts == 2 && slice_eq(body.parts[1], SLICE("\7\0\0\0"
                                                            "0.5:1:b")));
}
