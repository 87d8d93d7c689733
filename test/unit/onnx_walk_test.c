/* onnx_walk_test.c - the ONNX walk: rows MF-101 to MF-111, on models written field by field here.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "wire/onnx_walk.h"

#include <glob.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

/* ---- a protobuf writer: messages nest by slices in one arena ---- */

static struct arena pen;

static struct slice join(struct slice a, struct slice b)
{
  char *at = arena_get(&pen, a.len + b.len + 1);
  if (a.len) memcpy(at, a.at, a.len);
  if (b.len) memcpy(at + a.len, b.at, b.len);
  return slice_of(at, a.len + b.len);
}

static struct slice varint(uint64_t v)
{
  char *at = arena_get(&pen, 10);
  size_t n = 0;
  for (; v >= 0x80; v >>= 7) at[n++] = (char)(v | 0x80);
  at[n++] = (char)v;
  return slice_of(at, n);
}

static struct slice num(uint32_t field, uint64_t v) { return join(varint(field << 3), varint(v)); }
static struct slice len_of(uint32_t field, struct slice v)
{
  return join(join(varint(field << 3 | 2), varint(v.len)), v);
}
static struct slice str(uint32_t field, const char *v) { return len_of(field, slice_str(v)); }

/* All parts, one after the other; ended by a slice with at NULL. */
#define MSG(...) msg((const struct slice[]){__VA_ARGS__, SLICE_NONE})
static struct slice msg(const struct slice *parts)
{
  struct slice all = {"", 0};
  for (; parts->at; parts++) all = join(all, *parts);
  return all;
}

static struct slice zeros(size_t n) { return slice_of(arena_zero(&pen, n + 1, 1), n); }

enum { FLOAT = 1, INT64 = 7, STRING = 8 };

/* A float tensor of n elements, data in raw_data. */
static struct slice floats(const char *name, uint64_t n)
{
  return MSG(num(1, n), num(2, FLOAT), str(8, name), len_of(9, zeros(n * 4)));
}
static struct slice outside(const char *location)
{
  return MSG(num(1, 1), num(2, FLOAT), str(8, "w"), num(14, 1),
             len_of(13, MSG(str(1, "location"), str(2, location))));
}
static struct slice node(const char *op, const char *in, const char *out, struct slice more)
{
  return MSG(str(1, in), str(2, out), str(4, op), more.at ? more : slice_of("", 0));
}
static struct slice attr(uint32_t field, struct slice v)
{
  return len_of(5, MSG(str(1, "value"), len_of(field, v)));
}
static struct slice value(const char *name) { return str(1, name); }
static struct slice sparse(struct slice values, struct slice indices)
{
  return MSG(len_of(1, values), len_of(2, indices), num(3, 8));
}
static struct slice indices(uint64_t n)
{
  return MSG(num(1, n), num(2, INT64), len_of(9, zeros(n * 8)));
}
static struct slice opset(const char *domain, uint64_t version)
{
  return len_of(8, MSG(str(1, domain), num(2, version)));
}
static struct slice model(struct slice graph, struct slice more)
{
  return MSG(num(1, 8), str(2, "test"), opset("", 17), len_of(7, graph),
             more.at ? more : slice_of("", 0));
}
static struct slice graph(struct slice more)
{
  return MSG(len_of(11, value("x")), len_of(12, value("x")), more.at ? more : slice_of("", 0));
}

/* ---- */

static struct onnx_summary sum;
static struct err err;

static enum code walk_with(struct slice bytes, const struct onnx_limits *limits)
{
  struct arena scratch;
  arena_init(&scratch, 64 << 20, NULL);
  err = (struct err){0};
  char *exact = grab(bytes.len ? bytes.len : 1); /* the sanitizers see a byte too far */
  if (bytes.len) memcpy(exact, bytes.at, bytes.len);
  enum code code = onnx_walk(slice_of(exact, bytes.len), limits, &scratch, &sum, &err);
  EXPECT((code == OK) == (err.text[0] == '\0'));
  ungrab(exact);
  arena_deinit(&scratch);
  return code;
}
static enum code walk(struct slice bytes) { return walk_with(bytes, NULL); }

/* The walk says no, with this in its text. */
static bool refused(struct slice bytes, enum code code, const char *text)
{
  enum code got = walk(bytes);
  if (got == code && strstr(err.text, text)) return true;
  printf("got %s \"%s\" @ %s, expected %s \"%s\"\n", code_name(got), err.text, err.field,
         code_name(code), text);
  return false;
}

static void begin(void)
{
  arena_deinit(&pen);
  arena_init(&pen, 256 << 20, NULL);
}

TEST(onnx_a_small_model)
{
  begin();
  struct slice g =
      MSG(len_of(1, node("Relu", "x", "h", SLICE_NONE)),
          len_of(1, node("Add", "h", "y", str(1, "w"))), str(2, "tiny"), len_of(5, floats("w", 4)),
          len_of(11, value("x")), len_of(11, value("w")), len_of(12, value("y")));
  struct slice m = model(g, MSG(str(3, "1.2"), num(5, 9), str(4, "org")));
  EXPECT_INT(walk(m), OK);
  EXPECT_INT(sum.ir_version, 8);
  EXPECT_INT(sum.n_nodes, 2);
  EXPECT_INT(sum.n_tensors, 1);
  EXPECT_INT(sum.weight_bytes, 16);
  EXPECT_INT(sum.n_inputs, 1); /* w has an initializer */
  EXPECT_INT(sum.n_outputs, 1);
  EXPECT_INT(sum.n_opsets, 1);
  EXPECT_INT(sum.opsets[0].version, 17);
  EXPECT_INT(sum.model_version, 9);
  EXPECT_INT(sum.depth, 1);
}

/* Each row puts one tensor somewhere; all of them must be found, wherever they are. */
static struct slice hidden(int place, struct slice t)
{
  struct slice inner = MSG(len_of(5, t), len_of(12, value("w")));
  switch (place) {
    case 0: return model(graph(len_of(5, t)), SLICE_NONE);
    case 1: return model(graph(len_of(15, sparse(t, indices(1)))), SLICE_NONE);
    case 2: return model(graph(len_of(1, node("Constant", "x", "c", attr(5, t)))), SLICE_NONE);
    case 3: return model(graph(len_of(1, node("Foo", "x", "c", attr(10, t)))), SLICE_NONE);
    case 4:
      return model(graph(len_of(1, node("Constant", "x", "c", attr(22, sparse(t, indices(1)))))),
                   SLICE_NONE);
    case 5:
      return model(graph(len_of(1, node("Foo", "x", "c", attr(23, sparse(t, indices(1)))))),
                   SLICE_NONE);
    case 6: return model(graph(len_of(1, node("If", "x", "c", attr(6, inner)))), SLICE_NONE);
    case 7: return model(graph(len_of(1, node("If", "x", "c", attr(11, inner)))), SLICE_NONE);
    case 8:
      return model(
          graph(len_of(1, node("If", "x", "c",
                               attr(6, MSG(len_of(1, node("If", "x", "w", attr(6, inner)))))))),
          SLICE_NONE);
    case 9: /* a function's node */
      return model(graph(SLICE_NONE),
                   len_of(25, MSG(str(1, "F"), str(10, "own"), str(4, "a"), str(5, "b"),
                                  len_of(7, node("Constant", "a", "b", attr(5, t))))));
    case 10: /* a function's default attribute */
      return model(graph(SLICE_NONE), len_of(25, MSG(str(1, "F"), str(10, "own"),
                                                     len_of(11, MSG(str(1, "d"), len_of(5, t))))));
    case 11: return model(graph(SLICE_NONE), len_of(20, len_of(1, inner)));
    case 12: return model(graph(SLICE_NONE), len_of(20, len_of(2, inner)));
    case 13: { /* the indices of a sparse tensor */
      struct slice i = MSG(num(1, 1), num(2, INT64), str(8, "w"), num(14, 1));
      bool foul = slice_ends(t, SLICE("data.bin"));
      return model(graph(len_of(15, sparse(foul ? floats("v", 1) : t, foul ? i : indices(1)))),
                   SLICE_NONE);
    }
    default: return SLICE_NONE;
  }
}

TEST(onnx_mf_102_every_tensor_is_visited)
{
  begin();
  static const int counts[] = {1, 2, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 1, 2};
  for (int place = 0; place < 14; place++) {
    EXPECT_INT(walk(hidden(place, floats("w", 1))), OK);
    EXPECT_INT(sum.n_tensors, counts[place]);
    EXPECT(refused(hidden(place, outside("data.bin")), E_EXTERNAL_DATA_FORBIDDEN, "'w'"));
    if (place != 13)
      EXPECT(refused(hidden(place, MSG(num(1, 2), num(2, FLOAT), str(8, "w"), len_of(9, zeros(4)))),
                     E_MODEL_REJECTED, "declares 2 elements of FLOAT, 8 bytes, but has 4"));
  }
  EXPECT_INT(walk(hidden(8, floats("w", 1))), OK);
  EXPECT_INT(sum.depth, 3);
  EXPECT_INT(sum.n_graphs, 3);
  walk(hidden(8, outside("x")));
  EXPECT_STR(err.field, "graph.node[0].attribute[0].graph.node[0].attribute[0].graph");
  walk(hidden(9, outside("x")));
  EXPECT_STR(err.field, "functions[0].node[0].attribute[0]");
}

TEST(onnx_mf_101_external_data_is_refused_whatever_it_says)
{
  begin();
  static const char *const rows[] = {"../../x",     "a/../../x", "/etc/passwd",
                                     "a\\b",        "C:\\x",     "file:///x",
                                     "weights.bin", "",          "*/_ORT_MEM_ADDR_/*"};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    EXPECT(refused(hidden(0, outside(rows[i])), E_EXTERNAL_DATA_FORBIDDEN, "another file"));
  /* MF-103: entries without the location mark, the mark without entries, unknown marks */
  struct slice entry = len_of(13, MSG(str(1, "offset"), str(2, "-1")));
  EXPECT(refused(hidden(0, join(floats("w", 1), entry)), E_EXTERNAL_DATA_FORBIDDEN, "'w'"));
  EXPECT(refused(hidden(0, join(floats("w", 1), num(14, 1))), E_EXTERNAL_DATA_FORBIDDEN, "'w'"));
  EXPECT(refused(hidden(0, join(floats("w", 1), num(14, 7))), E_EXTERNAL_DATA_FORBIDDEN, "'w'"));
  EXPECT(refused(hidden(0, join(floats("w", 1), MSG(num(14, 0), num(14, 1)))), E_MODEL_REJECTED,
                 "damaged")); /* said twice: two readings */
  EXPECT_INT(walk(hidden(0, join(floats("w", 1), num(14, 0)))), OK);
}

/* dims, type, then data in one field of the given wire form */
static struct slice typed(uint64_t n, uint64_t type, uint32_t field, struct slice packed)
{
  return MSG(num(1, n), num(2, type), str(8, "w"), len_of(field, packed));
}

TEST(onnx_mf_106_bytes_are_as_many_as_declared)
{
  begin();
  static const struct {
    uint64_t type, bits;
    uint32_t field;
    unsigned width, per, of;
  } rows[] = {
      {1, 32, 4, 4, 1, 1},  {2, 8, 5, 1, 1, 1},     {3, 8, 5, 1, 1, 1},    {4, 16, 5, 1, 1, 1},
      {5, 16, 5, 1, 1, 1},  {6, 32, 5, 1, 1, 1},    {7, 64, 7, 1, 1, 1},   {9, 8, 5, 1, 1, 1},
      {10, 16, 5, 1, 1, 1}, {11, 64, 10, 8, 1, 1},  {12, 32, 11, 1, 1, 1}, {13, 64, 11, 1, 1, 1},
      {14, 64, 4, 4, 2, 1}, {15, 128, 10, 8, 2, 1}, {16, 16, 5, 1, 1, 1},  {17, 8, 5, 1, 1, 1},
      {18, 8, 5, 1, 1, 1},  {19, 8, 5, 1, 1, 1},    {20, 8, 5, 1, 1, 1},   {21, 4, 5, 1, 1, 2},
      {22, 4, 5, 1, 1, 2},  {23, 4, 5, 1, 1, 2},    {24, 8, 5, 1, 1, 1},   {25, 2, 5, 1, 1, 4},
      {26, 2, 5, 1, 1, 4},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (uint64_t n = 1; n < 6; n++) {
      size_t raw = (size_t)((n * rows[i].bits + 7) / 8);
      size_t entries = (size_t)((n * rows[i].per + rows[i].of - 1) / rows[i].of);
      EXPECT_INT(walk(hidden(0, typed(n, rows[i].type, 9, zeros(raw)))), OK);
      EXPECT_INT(sum.weight_bytes, raw);
      EXPECT_INT(walk(hidden(0, typed(n, rows[i].type, 9, zeros(raw + 1)))), E_MODEL_REJECTED);
      EXPECT_INT(walk(hidden(0, typed(n, rows[i].type, 9, zeros(raw - 1)))), E_MODEL_REJECTED);
      struct slice data = zeros(entries * rows[i].width);
      EXPECT_INT(walk(hidden(0, typed(n, rows[i].type, rows[i].field, data))), OK);
      data = zeros((entries + 1) * rows[i].width);
      EXPECT_INT(walk(hidden(0, typed(n, rows[i].type, rows[i].field, data))), E_MODEL_REJECTED);
      EXPECT_INT(walk(hidden(0, typed(n, rows[i].type, rows[i].field == 4 ? 5 : 4, zeros(4 * n)))),
                 E_MODEL_REJECTED);
    }
  EXPECT(refused(hidden(0, MSG(num(1, 1u << 20), num(1, 1u << 20), num(2, FLOAT), str(8, "w"),
                               len_of(9, zeros(4)))),
                 E_MODEL_REJECTED, "1099511627776 elements"));
  EXPECT(refused(hidden(0, MSG(num(1, 1ull << 40), num(1, 1ull << 40), num(2, FLOAT), str(8, "w"),
                               len_of(9, zeros(0)))),
                 E_MODEL_REJECTED, "more elements than"));
  EXPECT(refused(hidden(0, MSG(num(1, (uint64_t)-1), num(2, FLOAT), str(8, "w"))), E_MODEL_REJECTED,
                 "damaged"));
  EXPECT(refused(hidden(0, typed(1, 0, 9, zeros(4))), E_MODEL_REJECTED, "data type 0"));
  EXPECT(refused(hidden(0, typed(1, 99, 9, zeros(4))), E_MODEL_REJECTED, "data type 99"));
  EXPECT(
      refused(hidden(0, typed(1, STRING, 9, zeros(4))), E_MODEL_REJECTED, "strings in raw_data"));
  EXPECT_INT(walk(hidden(0, typed(1, STRING, 6, zeros(4)))), OK);
  EXPECT(refused(hidden(0, typed(2, STRING, 6, zeros(4))), E_MODEL_REJECTED, "declares 2"));
  EXPECT(refused(hidden(0, join(floats("w", 1), len_of(4, zeros(4)))), E_MODEL_REJECTED,
                 "float_data and in raw_data"));
  EXPECT(
      refused(hidden(0, join(floats("w", 1), len_of(9, zeros(4)))), E_MODEL_REJECTED, "damaged"));
  EXPECT(refused(hidden(0, join(floats("w", 1), num(2, 7))), E_MODEL_REJECTED, "damaged"));
  EXPECT(
      refused(hidden(0, join(floats("w", 1), len_of(3, zeros(0)))), E_MODEL_REJECTED, "segments"));
  EXPECT_INT(walk(hidden(0, MSG(num(1, 0), num(1, 1ull << 62), num(2, FLOAT), str(8, "w")))), OK);
  EXPECT_INT(walk(hidden(0, MSG(num(2, FLOAT), str(8, "w"), len_of(9, zeros(4))))),
             OK); /* scalar */
  EXPECT_INT(walk(hidden(0, MSG(len_of(1, MSG(varint(2), varint(300))), num(2, FLOAT), str(8, "w"),
                                len_of(9, zeros(2400))))),
             OK); /* packed dims */
  /* sparse tensors whose parts do not agree */
  EXPECT_INT(walk(hidden(1, floats("w", 2))), E_MODEL_REJECTED);
  EXPECT_INT(walk(model(graph(len_of(15, sparse(floats("w", 9), indices(9)))), SLICE_NONE)),
             E_MODEL_REJECTED);
}

TEST(onnx_mf_107_names_and_order)
{
  begin();
  EXPECT(
      refused(model(graph(MSG(len_of(5, floats("w", 1)), len_of(5, floats("w", 1)))), SLICE_NONE),
              E_MODEL_REJECTED, "'w' is defined twice"));
  EXPECT(refused(model(graph(MSG(len_of(1, node("A", "x", "y", SLICE_NONE)),
                                 len_of(1, node("B", "x", "y", SLICE_NONE)))),
                       SLICE_NONE),
                 E_MODEL_REJECTED, "'y' is defined twice"));
  EXPECT(refused(model(graph(len_of(1, node("A", "x", "x", SLICE_NONE))), SLICE_NONE),
                 E_MODEL_REJECTED, "'x' is defined twice"));
  EXPECT(refused(model(graph(len_of(11, value("x"))), SLICE_NONE), E_MODEL_REJECTED, "twice"));
  EXPECT(refused(model(graph(len_of(1, node("A", "nowhere", "y", SLICE_NONE))), SLICE_NONE),
                 E_MODEL_REJECTED, "'nowhere' is defined nowhere"));
  EXPECT(refused(model(graph(len_of(12, value("z"))), SLICE_NONE), E_MODEL_REJECTED,
                 "made by no node"));
  EXPECT(refused(model(graph(MSG(len_of(1, node("A", "b", "a", SLICE_NONE)),
                                 len_of(1, node("B", "a", "b", SLICE_NONE)))),
                       SLICE_NONE),
                 E_MODEL_REJECTED, "in a cycle or not in order"));
  EXPECT(refused(model(graph(len_of(1, node("A", "a", "a", SLICE_NONE))), SLICE_NONE),
                 E_MODEL_REJECTED, "in a cycle"));
  /* an inner graph sees what came before it outside, not what comes after */
  struct slice sees = MSG(len_of(1, node("A", "h", "i", SLICE_NONE)), len_of(12, value("i")));
  struct slice first = len_of(1, node("A", "x", "h", SLICE_NONE));
  struct slice branch = len_of(1, node("If", "x", "c", attr(6, sees)));
  EXPECT_INT(walk(model(graph(MSG(first, branch)), SLICE_NONE)), OK);
  EXPECT(refused(model(graph(MSG(branch, first)), SLICE_NONE), E_MODEL_REJECTED, "'h' is defined"));
  EXPECT_INT(walk(model(graph(MSG(len_of(1, node("A", "x", "", str(1, ""))))), SLICE_NONE)), OK);
  EXPECT(refused(model(graph(len_of(1, node("", "x", "y", SLICE_NONE))), SLICE_NONE),
                 E_MODEL_REJECTED, "without an operator"));
  EXPECT(refused(model(graph(len_of(5, floats("", 1))), SLICE_NONE), E_MODEL_REJECTED,
                 "without a name"));
}

TEST(onnx_mf_107_limits)
{
  begin();
  struct slice nodes = SLICE("");
  for (int i = 0; i < 10; i++) {
    char name[8];
    snprintf(name, sizeof name, "n%d", i);
    nodes = join(nodes, len_of(1, node("A", "x", name, SLICE_NONE)));
  }
  struct slice m = model(graph(nodes), SLICE_NONE);
  EXPECT_INT(walk_with(m, &(struct onnx_limits){.nodes_max = 10}), OK);
  EXPECT_INT(walk_with(m, &(struct onnx_limits){.nodes_max = 9}), E_MODEL_REJECTED);
  EXPECT_INT(walk_with(m, &(struct onnx_limits){.bytes_max = m.len - 1}), E_MODEL_REJECTED);
  EXPECT_INT(walk_with(m, &(struct onnx_limits){.bytes_max = m.len}), OK);
  m = hidden(2, floats("w", 1));
  EXPECT_INT(walk_with(m, &(struct onnx_limits){.attributes_max = 1, .tensors_max = 1}), OK);
  struct slice pair = MSG(attr(5, floats("w", 1)), attr(5, floats("v", 1)));
  m = model(graph(len_of(1, node("C", "x", "c", pair))), SLICE_NONE);
  EXPECT_INT(walk_with(m, &(struct onnx_limits){.attributes_max = 1}), E_MODEL_REJECTED);
  EXPECT_INT(walk_with(m, &(struct onnx_limits){.tensors_max = 1}), E_MODEL_REJECTED);
  for (int depth = 14; depth < 18; depth++) { /* graphs inside graphs */
    struct slice g = MSG(len_of(5, floats("w", 1)), len_of(12, value("w")));
    for (int i = 1; i < depth; i++)
      g = MSG(len_of(1, node("If", "", "w", attr(6, g))), len_of(12, value("w")));
    EXPECT_INT(walk(model(g, SLICE_NONE)), depth <= 16 ? OK : E_MODEL_REJECTED);
    if (depth <= 16) EXPECT_INT(sum.depth, depth);
  }
  struct onnx_limits shallow = {.depth_max = 1};
  EXPECT_INT(walk_with(hidden(6, floats("w", 1)), &shallow), E_MODEL_REJECTED);
  struct arena small;
  m = model(graph(nodes), SLICE_NONE);
  arena_init(&small, 100, NULL);
  EXPECT_INT(onnx_walk(m, NULL, &small, &sum, &err), E_OUT_OF_MEMORY);
  arena_deinit(&small);
}

static struct slice call(const char *op, const char *in, const char *out)
{
  return node(op, in, out, str(7, "own"));
}
static struct slice function(const char *name, struct slice nodes)
{
  return len_of(25, MSG(str(1, name), str(10, "own"), str(4, "a"), str(5, "b"), nodes));
}

TEST(onnx_functions)
{
  begin();
  struct slice f = function("F", len_of(7, node("Relu", "a", "b", SLICE_NONE)));
  struct slice g = function("G", len_of(7, call("F", "a", "b")));
  struct slice main_g = graph(len_of(1, call("G", "x", "y")));
  EXPECT_INT(walk(model(main_g, MSG(f, g))), OK);
  EXPECT_INT(sum.n_functions, 2);
  EXPECT_INT(sum.n_nodes, 3);
  EXPECT_INT(walk(model(main_g, MSG(g, f))), OK);
  EXPECT(refused(model(main_g, g), E_MODEL_REJECTED, "operator 'F' is of the domain 'own'"));
  EXPECT(refused(model(main_g, MSG(f, g, f)), E_MODEL_REJECTED, "'F' is defined twice"));
  EXPECT(refused(model(main_g, MSG(g, function("F", len_of(7, call("G", "a", "b"))))),
                 E_MODEL_REJECTED, "calls itself"));
  EXPECT(refused(model(main_g, function("G", len_of(7, call("G", "a", "b")))), E_MODEL_REJECTED,
                 "calls itself"));
  EXPECT(refused(model(main_g, function("G", len_of(7, node("Relu", "x", "b", SLICE_NONE)))),
                 E_MODEL_REJECTED, "'x' is defined nowhere")); /* a body sees its own inputs only */
  EXPECT(refused(model(main_g, function("G", len_of(7, node("Relu", "a", "c", SLICE_NONE)))),
                 E_MODEL_REJECTED, "function output 'b'"));
  /* each calls the one before twice: 2^n nodes when written out */
  for (int n = 5; n < 40; n += 15) {
    struct slice all = function("F0", len_of(7, node("Relu", "a", "b", SLICE_NONE)));
    char names[41][8];
    for (int i = 1; i <= n; i++) {
      char last[8];
      snprintf(last, sizeof last, "F%d", i - 1);
      snprintf(names[i], sizeof names[i], "F%d", i);
      all = MSG(all, function(names[i], MSG(len_of(7, call(last, "a", "t")),
                                            len_of(7, call(last, "t", "b")))));
    }
    EXPECT_INT(walk(model(graph(len_of(1, call(names[n], "x", "y"))), all)),
               n < 15 ? OK : E_MODEL_REJECTED);
  }
  struct onnx_limits few = {.nodes_max = 6, .depth_max = 16};
  struct slice twice =
      function("G", MSG(len_of(7, call("F", "a", "t")), len_of(7, call("F", "t", "b"))));
  struct slice two = graph(MSG(len_of(1, call("G", "x", "y")), len_of(1, call("G", "y", "z"))));
  EXPECT_INT(walk_with(model(two, MSG(f, twice)), &few), E_MODEL_REJECTED);
  few.nodes_max = 8;
  EXPECT_INT(walk_with(model(two, MSG(f, twice)), &few), OK);
}

TEST(onnx_mf_108_domains)
{
  begin();
  static const char *const fine[] = {
      "", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft"};
  for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
    EXPECT_INT(walk(model(graph(len_of(1, node("A", "x", "y", str(7, fine[i])))), SLICE_NONE)), OK);
  struct slice odd = model(graph(len_of(1, node("PyOp", "x", "y", str(7, "pyop")))), SLICE_NONE);
  EXPECT(refused(odd, E_MODEL_REJECTED, "operator 'PyOp' is of the domain 'pyop'"));
  EXPECT_STR(err.field, "graph.node[0]");
  struct slice listed[] = {SLICE("pyop")};
  EXPECT_INT(walk_with(odd, &(struct onnx_limits){.domains = listed, .n_domains = 1}), OK);
  odd = model(graph(len_of(1, node("EPContext", "x", "y", str(7, "com.microsoft")))), SLICE_NONE);
  EXPECT(refused(odd, E_MODEL_REJECTED, "EPContext"));
}

TEST(onnx_versions)
{
  begin();
  struct slice g = len_of(7, graph(SLICE_NONE));
  EXPECT(refused(MSG(opset("", 17), g), E_MODEL_REJECTED, "IR version is 0"));
  EXPECT(refused(MSG(num(1, 99), opset("", 17), g), E_MODEL_REJECTED, "IR version is 99"));
  EXPECT(
      refused(MSG(num(1, (uint64_t)-1), opset("", 17), g), E_MODEL_REJECTED, "IR version is -1"));
  EXPECT(refused(MSG(num(1, 8), g), E_MODEL_REJECTED, "no operator set"));
  EXPECT_INT(walk(MSG(num(1, 2), g)), OK); /* before IR 3 there were none */
  EXPECT(refused(MSG(num(1, 8), opset("", 0), g), E_MODEL_REJECTED, "version 0"));
  EXPECT(refused(MSG(num(1, 8), opset("", 65), g), E_MODEL_REJECTED, "version 65"));
  EXPECT(refused(MSG(num(1, 8), opset("", 9), opset("", 10), g), E_MODEL_REJECTED, "twice"));
  EXPECT(refused(MSG(num(1, 8), opset("", 9)), E_MODEL_REJECTED, "holds no graph"));
  EXPECT(refused(MSG(num(1, 8), opset("", 9), g, g), E_MODEL_REJECTED, "no proper graph"));
}

TEST(onnx_mf_111_disguises)
{
  static const struct {
    struct slice bytes;
    const char *want;
  } rows[] = {
      {{"\x80\x04\x95\x0b\0\0\0", 7}, "a Python pickle"},
      {{"\x80\x02}q\0.", 6}, "a Python pickle"},
      {{"PK\x03\x04....", 8}, "a zip archive"},
      {{"\x89HDF\r\n\x1a\n....", 12}, "HDF5"},
      {{"GGUF....", 8}, "GGUF"},
      {{"....TFL3", 8}, "TensorFlow Lite"},
      {{"\x40\0\0\0\0\0\0\0{\"a\":1}", 15}, "safetensors"},
      {{"\x1f\x8b\x08\0", 4}, "gzip"},
      {{"\x93NUMPY", 6}, "NumPy"},
      {{"\x7f"
        "ELF",
        4},
       "program"},
      {{"{\"learner\":{}}", 14}, "JSON"},
      {{"<!DOCTYPE html>", 15}, "HTML"},
      {{"tree\nversion=v4\n", 16}, "LightGBM"},
      {{"version https://git-lfs.github.com/spec/v1\n", 43}, "Git LFS"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    EXPECT(refused(rows[i].bytes, E_MODEL_REJECTED, rows[i].want));
  begin();
  EXPECT(refused(MSG(num(1, 1), len_of(2, zeros(400))), E_MODEL_REJECTED, "SavedModel"));
  EXPECT(refused(SLICE_NONE, E_MODEL_REJECTED, "empty"));
  EXPECT(refused(SLICE("hello world"), E_MODEL_REJECTED, "damaged"));
  EXPECT(onnx_disguise(model(graph(SLICE_NONE), SLICE_NONE)) == NULL);
}

/* A model with everything in it, for mutation. */
static struct slice zoo(void)
{
  struct slice inner = MSG(len_of(1, node("Neg", "x", "i", SLICE_NONE)), len_of(5, floats("k", 2)),
                           len_of(12, value("i")));
  struct slice g =
      MSG(len_of(1, node("Relu", "x", "h", SLICE_NONE)),
          len_of(1, node("If", "h", "y", MSG(attr(6, inner), attr(5, floats("t", 3))))),
          str(2, "zoo"), len_of(5, floats("w", 4)),
          len_of(5, MSG(num(1, 3), num(2, 22), str(8, "i4"), len_of(5, zeros(2)))),
          len_of(11, value("x")), len_of(12, value("y")), len_of(13, value("h")),
          len_of(15, sparse(floats("s", 2), indices(2))));
  return model(g, MSG(function("F", len_of(7, node("Relu", "a", "b", SLICE_NONE))),
                      len_of(20, len_of(1, MSG(len_of(5, floats("q", 1))))),
                      len_of(14, MSG(str(1, "k"), str(2, "v")))));
}

TEST(onnx_mf_105_damage_never_crashes)
{
  begin();
  struct slice m = zoo();
  EXPECT_INT(walk(m), OK);
  EXPECT_INT(sum.n_tensors, 7);
  char *copy = grab(m.len);
  memcpy(copy, m.at, m.len);
  for (size_t cut = 0; cut < m.len; cut++) walk(slice_of(copy, cut));
  for (size_t bit = 0; bit < m.len * 8; bit++) {
    copy[bit / 8] ^= (char)(1 << bit % 8);
    walk(slice_of(copy, m.len));
    copy[bit / 8] ^= (char)(1 << bit % 8);
  }
  struct rand rand;
  rand_seed(&rand, 11);
  for (int i = 0; i < 20000; i++) {
    memcpy(copy, m.at, m.len);
    for (int k = 0; k < 4; k++) {
      uint64_t r = rand_u64(&rand);
      copy[r % m.len] = (char)(r >> 40);
    }
    enum code code = walk(slice_of(copy, m.len));
    EXPECT(code == OK || code == E_MODEL_REJECTED || code == E_EXTERNAL_DATA_FORBIDDEN);
  }
  ungrab(copy);
}

/* A model cut off anywhere is never taken. */
TEST(onnx_mf_105_truncated_at_every_byte)
{
  begin();
  struct slice g = MSG(
      len_of(1, node("Relu", "x", "h", SLICE_NONE)), len_of(1, node("Add", "h", "y", str(1, "w"))),
      str(2, "tiny"), len_of(5, floats("w", 1500)), len_of(11, value("x")), len_of(12, value("y")));
  struct slice m = MSG(num(1, 8), opset("", 17), len_of(7, g));
  EXPECT_INT(walk(m), OK);
  for (size_t cut = 0; cut < m.len; cut++) EXPECT_INT(walk(slice_of(m.at, cut)), E_MODEL_REJECTED);
}

/* All models of Debian's libonnx-testdata, where it is installed. */
TEST(onnx_takes_every_conformance_model)
{
  glob_t found;
  if (glob("/usr/share/libonnx-testdata/data/*/*/model.onnx", 0, NULL, &found)) {
    printf("onnx_takes_every_conformance_model: libonnx-testdata is not installed, skipped\n");
    return;
  }
  static char bytes[8 << 20];
  size_t taken = 0;
  for (size_t i = 0; i < found.gl_pathc; i++) {
    FILE *f = fopen(found.gl_pathv[i], "rb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f) fclose(f);
    struct arena scratch;
    arena_init(&scratch, 64 << 20, NULL);
    if (onnx_walk(slice_of(bytes, n), NULL, &scratch, &sum, &err))
      printf("%s: %s\n", found.gl_pathv[i], err.text);
    else
      taken++;
    arena_deinit(&scratch);
  }
  EXPECT_INT(taken, found.gl_pathc);
  EXPECT(taken > 1000);
  globfree(&found);
}
