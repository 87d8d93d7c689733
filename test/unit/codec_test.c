/* codec_test.c - events are written in one way, read back equal, and damage is named.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/rand.h"
#include "store/codec.h"

static const char line_1[] =
    "{\"actor\":\"ann\",\"body\":{\"code\":\"MODEL_REJECTED\",\"engine\":\"onnx\",\"files\":[{"
    "\"bytes\":3,"
    "\"digest\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
    "\"name\":\"model.onnx\"}],\"note\":\"a "
    "\\\"b\\\"\\n\xc3\xa9\",\"reason\":\"why\",\"version\":7},"
    "\"encoding\":1,\"idempotency\":\"k-1\",\"kind\":\"version_pushed\",\"model\":\"m\",\"seq\":9,"
    "\"tenant\":\"default\",\"wall_ms\":1700000000123}";

static struct event event_full(void)
{
  static struct event_file file = {.name = SLICE("model.onnx"), .bytes = 3};
  file.digest = sha256_of(SLICE("abc"));
  return (struct event){.seq = 9,
                        .wall_ms = 1700000000123,
                        .kind = EVENT_VERSION_PUSHED,
                        .actor = SLICE("ann"),
                        .tenant = SLICE("default"),
                        .model = SLICE("m"),
                        .version = 7,
                        .engine = SLICE("onnx"),
                        .note = SLICE("a \"b\"\n\xc3\xa9"),
                        .reason = SLICE("why"),
                        .code = E_MODEL_REJECTED,
                        .files = &file,
                        .n_files = 1,
                        .idempotency = SLICE("k-1")};
}

static void line_make(struct buf *line, const struct event *event)
{
  struct buf body;
  buf_init(&body, EVENT_LINE_MAX);
  event_body_write(&body, event);
  event_line_write(line, event, EVENT_ENCODING, buf_lend(&body));
  buf_deinit(&body);
}

TEST(the_canonical_line_is_this_one)
{
  struct buf line;
  struct event event = event_full();
  buf_init(&line, EVENT_LINE_MAX);
  line_make(&line, &event);
  buf_add(&line, slice_of("", 1));
  EXPECT_STR(line.at, line_1);
  buf_deinit(&line);
}

static const char line_2[] =
    "{\"actor\":\"ann\",\"body\":{\"facts\":{\"plan\":\"{\\\"steps\\\":[]}\",\"stable\":\"1\"},"
    "\"release\":3,\"version\":2},\"encoding\":1,\"idempotency\":\"\",\"kind\":\"release_started\","
    "\"model\":\"m\",\"seq\":10,\"tenant\":\"default\",\"wall_ms\":1700000000124}";

TEST(facts_stand_in_order_and_read_back)
{
  static const struct event_fact facts[] = {{SLICE("plan"), SLICE("{\"steps\":[]}")},
                                            {SLICE("stable"), SLICE("1")}};
  struct event back, event = {.seq = 10,
                              .wall_ms = 1700000000124,
                              .kind = EVENT_RELEASE_STARTED,
                              .actor = SLICE("ann"),
                              .tenant = SLICE("default"),
                              .model = SLICE("m"),
                              .version = 2,
                              .release = 3,
                              .facts = facts,
                              .n_facts = 2};
  struct err err = {0};
  struct arena arena;
  struct buf line;
  arena_init(&arena, EVENT_LINE_MAX, NULL);
  buf_init(&line, EVENT_LINE_MAX);
  EXPECT_INT(event_check(&event, &err), OK);
  line_make(&line, &event);
  EXPECT(slice_eq(buf_lend(&line), slice_str(line_2)));
  EXPECT_INT(event_line_read(&arena, buf_lend(&line), &back, &err), OK);
  EXPECT_INT(back.release, 3);
  EXPECT_INT(back.n_facts, 2);
  EXPECT(slice_eq(event_fact(&back, "plan"), facts[0].value));
  EXPECT_INT(event_fact_int(&back, "stable", -1), 1);
  EXPECT_INT(event_fact_int(&back, "plan", -1), -1);
  EXPECT(event_fact(&back, "seed").at == NULL);
  buf_deinit(&line);
  arena_deinit(&arena);
}

TEST(facts_out_of_order_or_too_long_are_refused)
{
  static char long_text[EVENT_FACT_MAX + 1];
  memset(long_text, 'x', sizeof long_text);
  struct event_fact facts[] = {{SLICE("stable"), SLICE("1")}, {SLICE("plan"), SLICE("{}")}};
  struct event event = {.kind = EVENT_RELEASE_STARTED, .facts = facts, .n_facts = 2};
  struct err err = {0};
  EXPECT_INT(event_check(&event, &err), E_INVALID_ARGUMENT);
  facts[0].name = facts[1].name;
  EXPECT_INT(event_check(&event, &err), E_INVALID_ARGUMENT);
  facts[1] = (struct event_fact){SLICE("stable"), slice_of(long_text, sizeof long_text)};
  EXPECT_INT(event_check(&event, &err), E_INVALID_ARGUMENT);
}

TEST(a_line_reads_back_equal)
{
  struct arena arena;
  struct event event;
  struct err err;
  struct buf line;
  arena_init(&arena, 1 << 20, NULL);
  buf_init(&line, EVENT_LINE_MAX);
  EXPECT_INT(event_line_read(&arena, slice_str(line_1), &event, &err), OK);
  EXPECT_INT(event.seq, 9);
  EXPECT_INT(event.version, 7);
  EXPECT_INT(event.code, E_MODEL_REJECTED);
  EXPECT_INT(event.n_files, 1);
  EXPECT(slice_eq(event.idempotency, SLICE("k-1")));
  line_make(&line, &event);
  EXPECT(slice_eq(buf_lend(&line), slice_str(line_1)));
  buf_deinit(&line);
  arena_deinit(&arena);
}

TEST(damaged_lines_are_refused_and_never_crash)
{
  struct arena arena;
  struct event event;
  struct err err;
  struct rand rand;
  char text[sizeof line_1];
  arena_init(&arena, 1 << 20, NULL);
  const char *bad[] = {"", "[]", "{}", "{\"body\":{}}", "nul", "{\"a\":1}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    EXPECT_INT(event_line_read(&arena, slice_str(bad[i]), &event, &err), E_BAD_JSON);
  rand_seed(&rand, 11);
  int refused = 0;
  for (int i = 0; i < 5000; i++) {
    memcpy(text, line_1, sizeof text);
    text[rand_u64(&rand) % (sizeof text - 1)] = (char)rand_u64(&rand);
    arena_reset(&arena);
    refused += event_line_read(&arena, slice_of(text, sizeof text - 1), &event, &err) != OK;
  }
  EXPECT(refused > 1000 && refused < 5000); /* a changed letter inside a text is still a text */
  arena_deinit(&arena);
}

TEST(what_no_row_can_hold_is_refused)
{
  struct err err;
  struct event event = event_full();
  EXPECT_INT(event_check(&event, &err), OK);
  event.note = SLICE("\xff");
  EXPECT_INT(event_check(&event, &err), E_INVALID_ARGUMENT);
  EXPECT_STR(err.text, "the note is not UTF-8");
  event = event_full();
  event.kind = EVENT_KINDS;
  EXPECT_INT(event_check(&event, &err), E_INVALID_ARGUMENT);
  event = event_full();
  char note[NOTE_MAX + 1];
  memset(note, 'x', sizeof note);
  event.note = slice_of(note, sizeof note);
  EXPECT_INT(event_check(&event, &err), E_INVALID_ARGUMENT);
}

TEST(texts_have_the_lengths_that_control_lets_in)
{
  char text[EVENT_TEXT_MAX + 1];
  struct event_file file = {.name = slice_of(text, EVENT_FILE_NAME_MAX), .bytes = 1};
  struct err err;
  memset(text, 'x', sizeof text);
  for (size_t len = EVENT_TEXT_MAX; len <= EVENT_TEXT_MAX + 1; len++) {
    enum code want = len > EVENT_TEXT_MAX ? E_INVALID_ARGUMENT : OK;
    struct event event = event_full();
    event.actor = slice_of(text, len);
    EXPECT_INT(event_check(&event, &err), want);
    event = event_full();
    event.engine = slice_of(text, len);
    EXPECT_INT(event_check(&event, &err), want);
    event = event_full();
    event.idempotency = slice_of(text, len);
    EXPECT_INT(event_check(&event, &err), want);
  }
  struct event event = event_full();
  event.files = &file;
  event.n_files = 1;
  EXPECT_INT(event_check(&event, &err), OK);
  file.name.len++;
  EXPECT_INT(event_check(&event, &err), E_INVALID_ARGUMENT);
}
