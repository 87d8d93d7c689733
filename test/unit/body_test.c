/* body_test.c - request bodies: received in place, or grown until the cap.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include "serve/body.h"

TEST(a_body_is_received_in_place)
{
  struct arena arena;
  struct body body;
  struct err err;
  arena_init(&arena, 1 << 20, NULL);
  for (uint64_t json = 0; json < 20; json++) {
    EXPECT_INT(body_init(&body, &arena, 100, json, &err), OK);
    EXPECT_INT((uintptr_t)(body.at + json) % 8, 0);
  }
  char *at = body.at;
  memcpy(at, "hello", 5); /* read straight into its place */
  EXPECT_INT(body_add(&body, &arena, slice_of(at, 5), &err), OK);
  EXPECT_INT(body_add(&body, &arena, SLICE(" world"), &err), OK);
  EXPECT(body.at == at && slice_eq(body_lend(&body), SLICE("hello world")));
  EXPECT_INT(body_init(&body, &arena, (uint64_t)1 << 40, 0, &err), E_OUT_OF_MEMORY);
  EXPECT_INT(body_init(&body, &arena, UINT64_MAX - 1, 0, &err), E_OUT_OF_MEMORY);
  arena_deinit(&arena);
}

TEST(a_chunked_body_grows_until_the_cap)
{
  struct arena arena;
  struct body body;
  struct err err;
  static char piece[1000];
  size_t taken = 0;
  arena_init(&arena, 1 << 20, NULL);
  EXPECT_INT(body_init(&body, &arena, BODY_UNKNOWN, 0, &err), OK);
  for (;; taken += sizeof piece) {
    memset(piece, (int)(taken / 1000 % 251), sizeof piece);
    if (body_add(&body, &arena, slice_of(piece, sizeof piece), &err)) break;
  }
  EXPECT(taken >= 200000 && err.code == E_OUT_OF_MEMORY);
  EXPECT_INT(body.len, taken);
  for (size_t i = 0; i < body.len; i += 1000) EXPECT_INT((unsigned char)body.at[i], i / 1000 % 251);
  arena_deinit(&arena);
}
