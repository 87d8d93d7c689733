/* blob_test.c - bytes with holders: the last one frees, from whatever thread.
 * SPDX-License-Identifier: MIT */
#include "base/blob.h"

#include "base/thread.h"
#include "test.h"

TEST(a_blob_lives_until_its_last_holder_drops_it)
{
  struct blob *blob = blob_copy(SLICE("hello"));
  EXPECT(blob_share(blob) == blob);
  EXPECT_INT(blob->holders, 2);
  blob_drop(blob);
  EXPECT(slice_eq(blob_lend(blob), SLICE("hello")));
  blob_drop(blob);
  blob_drop(NULL);
}

TEST(empty_and_shortened)
{
  struct blob *blob = blob_copy(SLICE_NONE);
  EXPECT_INT(blob_lend(blob).len, 0);
  EXPECT_INT(blob_lend(NULL).len, 0);
  blob_drop(blob);
  blob = blob_new(100);
  memcpy(blob->bytes, "abc", 3);
  blob->len = 3;
  EXPECT(slice_eq(blob_lend(blob), SLICE("abc")));
  blob_drop(blob);
}

static void share_and_drop(void *arg)
{
  struct blob *blob = arg;
  for (int i = 0; i < 20000; i++) {
    blob_share(blob);
    if (blob->bytes[0] != 's') blob->bytes[1] = '!'; /* a read that TSan may judge */
    blob_drop(blob);
  }
  blob_drop(blob);
}

TEST(four_threads_share_one)
{
  struct thread threads[4];
  struct blob *blob = blob_copy(SLICE("shared"));
  for (int i = 0; i < 4; i++) {
    blob_share(blob);
    thread_start(&threads[i], "holder", THREAD_STACK_PARSER, share_and_drop, blob);
  }
  for (int i = 0; i < 4; i++) thread_join(&threads[i]);
  EXPECT_INT(blob->holders, 1);
  EXPECT(slice_eq(blob_lend(blob), SLICE("shared")));
  blob_drop(blob);
}
