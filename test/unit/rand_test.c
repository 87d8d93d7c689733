/* rand_test.c - the generators give the published numbers; chance is even and repeatable.
 * Expected values: the reference programs of splitmix64 and xoshiro256** by S. Vigna.
 * SPDX-License-Identifier: MIT */
#include "base/rand.h"

#include "test.h"

TEST(the_stream_is_xoshiro256starstar)
{
  static const uint64_t want[] = {11520u, 0u, 1509978240u, 1215971899390074240u,
                                  1216172134540287360u, 607988272756665600u,
                                  16172922978634559625u, 8476171486693032832u};
  struct rand rand = {{1, 2, 3, 4}};
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) EXPECT(rand_u64(&rand) == want[i]);
}

TEST(seeds_go_through_splitmix64)
{
  struct rand rand;
  rand_seed(&rand, 1234567);
  EXPECT(rand.s[0] == 6457827717110365317u);
  EXPECT(rand.s[1] == 3203168211198807973u);
  EXPECT(rand.s[2] == 9817491932198370423u);
  EXPECT(rand.s[3] == 4593380528125082431u);
}

TEST(one_seed_one_stream)
{
  struct rand a, b, c;
  rand_seed(&a, 5), rand_seed(&b, 5), rand_seed(&c, 6);
  int same = 0;
  for (int i = 0; i < 100; i++) {
    uint64_t x = rand_u64(&a);
    EXPECT(x == rand_u64(&b));
    same += x == rand_u64(&c);
  }
  EXPECT_INT(same, 0);
}

TEST(the_unit_interval_is_filled_evenly)
{
  struct rand rand;
  int tenths[10] = {0};
  double sum = 0;
  rand_seed(&rand, 1);
  for (int i = 0; i < 100000; i++) {
    double u = rand_unit(&rand);
    EXPECT(u >= 0 && u < 1);
    tenths[(int)(u * 10)]++;
    sum += u;
  }
  EXPECT(fabs(sum / 100000 - 0.5) < 0.005);
  for (int i = 0; i < 10; i++) EXPECT(abs(tenths[i] - 10000) < 500);
}

TEST(secrets_differ)
{
  unsigned char a[64] = {0}, b[64] = {0}, zero[64] = {0};
  rand_secret(a, sizeof a);
  rand_secret(b, sizeof b);
  EXPECT(memcmp(a, b, sizeof a) != 0 && memcmp(a, zero, sizeof a) != 0);
  rand_secret(a, 0);
}
