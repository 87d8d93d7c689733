/* event_test.c - events' names, copies, and the identity of a version.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "world/event.h"

TEST(every_kind_has_a_name_and_comes_back)
{
  for (int kind = EVENT_NONE + 1; kind < EVENT_KINDS; kind++)
    EXPECT_INT(event_named(slice_str(event_name((enum event_kind)kind))), kind);
  EXPECT_INT(event_named(SLICE("none")), EVENT_NONE);
  EXPECT_INT(event_named(SLICE("version_pushe")), EVENT_NONE);
  EXPECT_INT(event_named(SLICE_NONE), EVENT_NONE);
}

TEST(the_manifest_does_not_depend_on_the_order_of_files)
{
  struct event_file files[2] = {{SLICE("model.onnx"), 10, sha256_of(SLICE("a"))},
                                {SLICE("golden.jsonl"), 20, sha256_of(SLICE("b"))}};
  struct event_file swapped[2] = {files[1], files[0]};
  struct event one = {.files = files, .n_files = 2}, two = {.files = swapped, .n_files = 2};
  struct digest a = event_manifest(&one), b = event_manifest(&two);
  EXPECT(memcmp(&a, &b, sizeof a) == 0);
  swapped[0].bytes++;
  b = event_manifest(&two);
  EXPECT(memcmp(&a, &b, sizeof a) != 0);
  swapped[0].bytes--;
  swapped[0].name = SLICE("golden.json");
  b = event_manifest(&two);
  EXPECT(memcmp(&a, &b, sizeof a) != 0);
  /* What `sha256sum` says of the two lines, for ever. */
  char hex[SHA256_HEX_LEN + 1];
  digest_hex(&a, hex);
  EXPECT_STR(hex, "6d7d356f0ab3db1646d00c41017cc1b647a113657d580fce39b106c28c6bb6d2");
}

TEST(a_copy_stands_alone)
{
  char name[] = "m1", file[] = "model.onnx";
  struct event_file files[1] = {{slice_str(file), 3, sha256_of(SLICE("abc"))}};
  struct event from = {.seq = 4,
                       .kind = EVENT_VERSION_PUSHED,
                       .tenant = SLICE("default"),
                       .model = slice_str(name),
                       .version = 2,
                       .files = files,
                       .n_files = 1};
  struct event to;
  struct arena arena;
  arena_init(&arena, 1 << 16, NULL);
  EXPECT(event_copy(&arena, &from, &to));
  memset(name, 'x', 2), memset(file, 'x', 5), memset(files, 0, sizeof files);
  EXPECT(slice_eq(to.model, SLICE("m1")) && slice_eq(to.files[0].name, SLICE("model.onnx")));
  EXPECT_INT(to.files[0].bytes, 3);
  EXPECT_INT(to.seq, 4);
  EXPECT(to.note.at == NULL && to.note.len == 0);
  arena_deinit(&arena);
  arena_init(&arena, 64, NULL);
  EXPECT(!event_copy(&arena, &from, &to)); /* past the cap */
  arena_deinit(&arena);
}
