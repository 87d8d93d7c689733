/* agree_test.c - the golden counts, rounding, merging, and the bound at the limit.
 * SPDX-License-Identifier: MIT */
#include "stat/agree.h"

#include "base/rand.h"
#include "golden/figures.h"
#include "near.h"

TEST(golden_agreement)
{
  for (size_t i = 0; i < FIGURES(figures_agree); i++) {
    const struct figure_agree *f = &figures_agree[i];
    struct agree agree;
    memcpy(agree.at, f->at, sizeof agree.at);
    EXPECT_NEAR(agree_log_e(&agree, f->q, COUNT_HARM), f->harm, 1e-12);
    EXPECT_NEAR(agree_log_e(&agree, f->q, COUNT_PASS), f->pass, 1e-12);
  }
}

TEST(disagreement_is_rounded_to_the_nearest_part)
{
  EXPECT_INT(agree_part(0), 0);
  EXPECT_INT(agree_part(1), 64);
  EXPECT_INT(agree_part(1 / 128.0), 1);
  EXPECT_INT(agree_part(0.0078), 0);
  EXPECT_INT(agree_part(0.5), 32);
  EXPECT_INT(agree_part(0.9999), 64);
  EXPECT_INT(agree_part(-1), 0);
  EXPECT_INT(agree_part(1e300), 64);
  EXPECT_INT(agree_part(NAN), 64);
  for (uint32_t j = 0; j <= 64; j++) EXPECT_INT(agree_part(j / 64.0), j);
}

TEST(any_order_and_any_split_is_the_same)
{
  struct agree whole = {0}, merged = {0}, pair = {0};
  struct agree32 loops[3] = {0};
  struct rand rand;
  rand_seed(&rand, 17);
  for (int i = 0; i < 3000; i++) {
    double x = rand_unit(&rand) < 0.9 ? 0 : rand_unit(&rand);
    agree_add(&whole, x);
    agree32_add(&loops[rand_u64(&rand) % 3], x);
  }
  for (int i = 3; i-- > 0;) agree_merge32(&merged, &loops[i]);
  EXPECT(memcmp(&whole, &merged, sizeof whole) == 0);
  EXPECT_BITS(agree_log_e(&whole, 0.02, COUNT_HARM), agree_log_e(&merged, 0.02, COUNT_HARM));
  agree_merge(&pair, &whole), agree_merge(&pair, &merged);
  EXPECT_INT(agree_pairs(&pair), 6000);
  EXPECT_NEAR(agree_mean(&pair), agree_mean(&whole), 0);
}

TEST(limits_and_nothing_at_all)
{
  struct agree none = {0};
  EXPECT(isnan(agree_mean(&none)));
  EXPECT(isnan(agree_log_e(&none, 0, COUNT_HARM)) && isnan(agree_log_e(&none, 0.7, COUNT_HARM)));
  EXPECT(isnan(agree_log_e(&none, NAN, COUNT_PASS)));
  EXPECT(agree_log_e(&none, 0.02, COUNT_HARM) == 0 && agree_log_e(&none, 0.69, COUNT_PASS) == 0);
  none.at[64] = UINT64_C(1) << 40;
  EXPECT(agree_log_e(&none, 0.02, COUNT_HARM) > 1e12);
  EXPECT(agree_log_e(&none, 0.02, COUNT_PASS) < -1e11);
}

/* Every factor is positive and fair at the limit: for x of 0 and 1 with mean q the mean is 1. */
TEST(a_bet_is_fair_at_the_limit)
{
  for (double q = 0.001; q < 0.7; q += 0.0317)
    for (int side = 0; side < 2; side++) {
      struct agree no = {0}, yes = {0};
      no.at[0] = yes.at[64] = 1;
      double lost = exp(agree_log_e(&no, q, (enum count_side)side));
      double won = exp(agree_log_e(&yes, q, (enum count_side)side));
      EXPECT(lost > 0 && won > 0);
      EXPECT_NEAR(q * won + (1 - q) * lost, 1, 1e-12);
    }
}

/* At the limit 100 runs of 20,000 pairs, looked at each 50, stop in at most a few. */
TEST(at_the_limit_it_rarely_fires_and_beyond_it_soon)
{
  struct rand rand;
  int fired = 0;
  double pairs = 0;
  rand_seed(&rand, 18);
  for (int bad = 0; bad < 2; bad++)
    for (int run = 0; run < 100; run++) {
      struct agree agree = {0};
      for (int n = 1; n <= 20000; n++) {
        agree_add(&agree, rand_unit(&rand) < (bad ? 0.1 : 0.02));
        if (n % 50 || agree_log_e(&agree, 0.02, COUNT_HARM) < log(100)) continue;
        if (bad)
          pairs += n;
        else
          fired++;
        break;
      }
    }
  printf("%d of 100 at the limit; a true 10 %% takes %.0f pairs on average\n", fired, pairs / 100);
  EXPECT(fired <= 4);
  EXPECT(pairs / 100 < 200);
}
