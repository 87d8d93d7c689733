/* detector_test.c - the golden sequences, where harm began, episodes, caps and tempering.
 * SPDX-License-Identifier: MIT */
#include "stat/detector.h"

#include "base/rand.h"
#include "golden/figures.h"
#include "near.h"

static void looks(struct detector *detector, const struct detector_limits *limits, double m,
                  const struct figure_looks *f)
{
  struct count_step step;
  count_step_set(&step, COUNT_HARM, f->s, m);
  for (unsigned i = 0; i < f->repeat; i++) detector_step(detector, limits, &step, f->n_c, f->n_b);
}

TEST(golden_detectors)
{
  for (size_t i = 0; i < FIGURES(figures_detector); i++) {
    const struct figure_detector *f = &figures_detector[i];
    struct detector_limits limits = {f->phi, f->cap};
    struct detector detector;
    detector_init(&detector, f->restarts);
    for (int j = 0; j < 2; j++) looks(&detector, &limits, f->m, &f->looks[j]);
    EXPECT_NEAR(detector_log_plain(&detector), f->plain, 1e-12);
    EXPECT_NEAR(detector_log_restarted(&detector), f->restarted, 1e-12);
    EXPECT_NEAR(detector_log_e(&detector), f->log_e, 1e-12);
  }
}

TEST(before_the_first_look_it_is_no_evidence)
{
  struct detector detector;
  detector_init(&detector, 60);
  EXPECT_NEAR(detector_log_e(&detector), -log(2), 0);
  EXPECT_INT(detector_first_bad(&detector, NULL), 0);
  EXPECT_CRASH(detector_init(&detector, 0));
}

TEST(starts_declared_for_a_horizon)
{
  EXPECT_INT(detector_restarts(0), 60);
  EXPECT_INT(detector_restarts(3600), 60);
  EXPECT_INT(detector_restarts(3601), 61);
  EXPECT_INT(detector_restarts(86400), 1440);
  EXPECT(detector_restarts(UINT64_MAX) > 1000000);
}

/* Clean minutes, then trouble: the very look is named, wherever the starts lie. */
TEST(the_first_bad_look_is_where_the_trouble_began)
{
  struct detector_limits limits = {1, 4};
  static const unsigned clean[] = {0, 60, 600, 605, 655}, first[] = {0, 60, 600, 605, 655};
  for (int i = 0; i < 5; i++) {
    struct detector detector;
    detector_init(&detector, 60);
    looks(&detector, &limits, 0.25, &(struct figure_looks){clean[i], 0, 60, 0.05});
    looks(&detector, &limits, 0.25, &(struct figure_looks){90, 6, 60, 0.05});
    EXPECT_INT(detector_first_bad(&detector, NULL), first[i]);
  }
}

TEST(the_first_bad_look_has_the_callers_time)
{
  struct detector_limits limits = {1, 4};
  struct count_step step;
  struct detector detector;
  uint64_t at = 1;
  detector_init(&detector, 60);
  count_step_set(&step, COUNT_HARM, 0.05, 0.25);
  for (uint64_t i = 0; i < 100; i++) {
    detector.at = 5000 + 1000 * i;
    detector_step(&detector, &limits, &step, i == 20 || i >= 37 ? 6 : 0, 20);
  }
  EXPECT_INT(detector_first_bad(&detector, &at), 37); /* one bad look before it is forgiven */
  EXPECT_INT(at, 42000);
}

TEST(the_share_is_of_the_requests_since_the_last_start_but_one)
{
  struct detector_limits limits = {1, 4};
  struct count_step step;
  struct detector detector;
  detector_init(&detector, 60);
  EXPECT(m_is_nan(detector_share(&detector)));
  count_step_set(&step, COUNT_HARM, 0.05, 0.25);
  for (uint64_t i = 0; i < 180; i++) {
    detector.asked = 50;
    detector_step(&detector, &limits, &step, i >= 60 ? 6 : 0, 20);
    if (i == 119) EXPECT(detector_share(&detector) == 0.06);
  }
  EXPECT(detector_share(&detector) == 0.12);
}

TEST(a_release_that_outlives_its_starts_opens_an_episode)
{
  struct detector_limits limits = {1, 4};
  struct detector detector, fresh;
  detector_init(&detector, 2), detector_init(&fresh, 2);
  looks(&detector, &limits, 0.25, &(struct figure_looks){120, 5, 20, 0.05});
  EXPECT_INT(detector.episodes, 1);
  double full = detector_log_e(&detector);
  looks(&detector, &limits, 0.25, &(struct figure_looks){10, 0, 20, 0.05});
  looks(&fresh, &limits, 0.25, &(struct figure_looks){10, 0, 20, 0.05});
  EXPECT_INT(detector.episodes, 2);
  EXPECT_INT(detector.looks, 130);
  EXPECT(detector_first_bad(&detector, NULL) >= 120);
  EXPECT(full > 0);
  EXPECT_BITS(detector_log_e(&detector), detector_log_e(&fresh));
}

TEST(tempering_and_caps_only_lower_the_evidence_of_harm)
{
  double last = INFINITY;
  for (double phi = 0.5; phi < 5; phi += 0.5) {
    struct detector_limits limits = {phi, 4};
    struct detector detector;
    detector_init(&detector, 60);
    looks(&detector, &limits, 0.25, &(struct figure_looks){30, 4, 19, 0.05});
    double now = detector_log_e(&detector);
    EXPECT(phi <= 1 ? now == last || last == INFINITY : now < last);
    last = now;
  }
  for (double cap = 4; cap > 0.1; cap /= 2) {
    struct detector_limits limits = {1, cap};
    struct detector detector;
    detector_init(&detector, 60);
    looks(&detector, &limits, 0.25, &(struct figure_looks){30, 60, 40, 0.05});
    EXPECT(detector_log_plain(&detector) <= 30 * cap + 1e-9);
  }
}

TEST(the_pass_side_sums_without_restarts)
{
  struct detector_limits none = {1, 0}, limits = {2, 4};
  struct detector_pass pass = {0}, tempered = {0};
  struct count_step step;
  count_step_set(&step, COUNT_PASS, 0.05, 0.25);
  EXPECT(detector_pass_log_e(&pass) == 0);
  for (int i = 0; i < 100; i++) {
    detector_pass_step(&pass, &none, &step, 1, 20);
    detector_pass_step(&tempered, &limits, &step, 1, 20);
  }
  EXPECT_NEAR(detector_pass_log_e(&pass), count_log_e(&step, 100, 2000), 1e-9);
  EXPECT(detector_pass_log_e(&tempered) < detector_pass_log_e(&pass));
  EXPECT(detector_pass_log_e(&tempered) > 0);
}

TEST(nan_shows_and_millions_of_nats_stay_finite)
{
  struct detector_limits limits = {1, 4}, none = {1, 0};
  struct detector detector;
  struct count_step step;
  count_step_set(&step, COUNT_HARM, NAN, 0.25);
  detector_init(&detector, 60);
  detector_step(&detector, &limits, &step, 1, 1);
  EXPECT(isnan(detector_log_e(&detector)));
  count_step_set(&step, COUNT_HARM, 0.01, 0.25);
  for (uint64_t harm = 0; harm < 2; harm++) {
    detector_init(&detector, 60);
    for (int i = 0; i < 200; i++) detector_step(&detector, &none, &step, harm * 100000, 100000);
    double log_e = detector_log_e(&detector);
    EXPECT(isfinite(log_e) && (harm ? log_e > 1e6 : log_e < 0));
  }
}

/* Any split of a look's requests over loops is the same counts, so the same bits; and the same
 * looks replayed are the same bits. */
TEST(replay_gives_the_same_bits)
{
  struct detector_limits limits = {1.7, 4};
  struct detector once, again;
  for (int run = 0; run < 2; run++) {
    struct rand rand;
    struct count_step step;
    rand_seed(&rand, 13);
    detector_init(run ? &again : &once, 60);
    for (int i = 0; i < 500; i++) {
      uint64_t n_c = rand_u64(&rand) % 4, n_b = rand_u64(&rand) % 40;
      count_step_set(&step, COUNT_HARM, rand_unit(&rand), 0.25);
      detector_step(run ? &again : &once, &limits, &step, n_c, n_b);
    }
  }
  EXPECT(memcmp(&once, &again, sizeof once) == 0);
}

/* RO-114: an hour at the margin, a look a second: the detector fires in at most a of the runs. */
TEST(an_hour_at_the_margin_rarely_fires)
{
  enum { RUNS = 400, LOOKS = 3600 };
  struct detector_limits limits = {1, 4};
  struct count_step step;
  struct rand rand;
  int fired = 0;
  double th = 1.25 * 0.05 / (1.25 * 0.05 + 0.95);
  rand_seed(&rand, 14);
  count_step_set(&step, COUNT_HARM, 0.05, 0.25);
  for (int run = 0; run < RUNS; run++) {
    struct detector detector;
    bool bad = false;
    detector_init(&detector, 60);
    for (int look = 0; look < LOOKS && !bad; look++) {
      uint64_t n_c = 0, n = rand_u64(&rand) % 5;
      for (uint64_t i = 0; i < n; i++) n_c += rand_unit(&rand) < th;
      detector_step(&detector, &limits, &step, n_c, n - n_c);
      bad = look % 4 == 3 && detector_log_e(&detector) >= log(20);
    }
    fired += bad;
  }
  printf("%d of %d hours\n", fired, RUNS);
  EXPECT(fired <= RUNS / 20 + 13); /* three standard deviations above a = 0.05 */
}
