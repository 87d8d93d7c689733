/* block_test.c - the seven golden series, widths, skipped blocks and full rooms.
 * SPDX-License-Identifier: MIT */
#include "stat/block.h"

#include "base/rand.h"
#include "golden/figures.h"
#include "near.h"
#include "stat/mean.h"

TEST(golden_widths)
{
  for (size_t i = 0; i < FIGURES(figures_width); i++) {
    const struct figure_width *f = &figures_width[i];
    EXPECT_NEAR(mean_width_one_sided(f->n, f->alpha, f->n_star), f->width, 1e-12);
  }
}

/* Each block in ten looks of uneven parts. */
static void feed(struct block_row *row, const struct block_sums *block)
{
  uint64_t left[4] = {block->x_c, block->n_c, block->x_b, block->n_b};
  for (unsigned look = 0; look < BLOCK_LOOKS; look++) {
    uint64_t part[4];
    for (int k = 0; k < 4; k++) {
      part[k] = look == BLOCK_LOOKS - 1 ? left[k] : left[k] / (2 + look);
      left[k] -= part[k];
    }
    bool closed = block_look(row, &(struct block_sums){part[0], part[1], part[2], part[3]});
    EXPECT(closed == (look == BLOCK_LOOKS - 1));
  }
}

TEST(golden_series)
{
  for (size_t i = 0; i < FIGURES(figures_block); i++) {
    const struct figure_block *f = &figures_block[i];
    double room[64];
    struct block_row row;
    block_init(&row, f->m, room, 64);
    for (unsigned j = 0; j < f->n; j++) feed(&row, &f->blocks[j]);
    EXPECT_INT(row.n, f->n);
    struct block_bounds at = block_judge(&row, f->a_harm, f->a_pass);
    EXPECT_NEAR(at.mean, f->mean, 1e-13);
    EXPECT_NEAR(at.sd, f->sd, 1e-13);
    EXPECT_NEAR(at.lower, f->lower, 1e-13);
    EXPECT_NEAR(at.upper, f->upper, 1e-13);
    EXPECT_INT(at.says, f->says);
  }
}

TEST(eleven_blocks_say_nothing_and_neither_do_equal_ones)
{
  double d[60];
  for (int i = 0; i < 60; i++) d[i] = 0.5 + i % 2 * 0.001;
  struct block_bounds at = block_bounds_of(d, BLOCK_MIN - 1, 0.00075, 0.05);
  EXPECT(at.says == BLOCK_INCONCLUSIVE && isnan(at.mean));
  EXPECT_INT(block_bounds_of(d, BLOCK_MIN, 0.00075, 0.05).says, BLOCK_HARM);
  for (int i = 0; i < 60; i++) d[i] = 0.5;
  at = block_bounds_of(d, 60, 0.00075, 0.05);
  EXPECT(at.says == BLOCK_INCONCLUSIVE && at.sd == 0 && at.mean == 0.5);
}

TEST(a_block_without_an_arm_is_skipped_and_noted)
{
  double room[BLOCK_MIN];
  struct block_row row;
  block_init(&row, 0.25, room, BLOCK_MIN);
  feed(&row, &(struct block_sums){0, 0, 3, 500});
  feed(&row, &(struct block_sums){1, 20, 0, 0});
  feed(&row, &(struct block_sums){2, 100, 3, 100});
  EXPECT_INT(row.skipped, 2);
  EXPECT_INT(row.n, 1);
  EXPECT_NEAR(room[0], 0.02 - 1.25 * 0.03, 1e-15);
  EXPECT(isnan(block_difference(&(struct block_sums){1, 1, 0, 0}, 0)));
}

TEST(a_full_room_begins_an_episode)
{
  double room[BLOCK_MIN];
  struct block_row row;
  block_init(&row, 0, room, BLOCK_MIN);
  for (uint64_t i = 0; i < BLOCK_MIN; i++) feed(&row, &(struct block_sums){60 + i, 100, 1, 100});
  EXPECT_INT(row.episodes, 1);
  EXPECT_INT(block_judge(&row, 0.00075, 0.05).says, BLOCK_HARM);
  feed(&row, &(struct block_sums){1, 100, 1, 100});
  EXPECT(row.episodes == 2 && row.n == 1);
  EXPECT_INT(block_judge(&row, 0.00075, 0.05).says, BLOCK_INCONCLUSIVE);
  EXPECT_CRASH(block_init(&row, 0, room, BLOCK_MIN - 1));
}

/* Bursts within blocks do not fool it: at most a of 500 runs of 360 blocks at the margin. */
TEST(bursty_hours_at_the_margin_rarely_fire)
{
  enum { RUNS = 500, BLOCKS = 360 };
  struct rand rand;
  int fired = 0;
  rand_seed(&rand, 15);
  for (int run = 0; run < RUNS; run++) {
    double d[BLOCKS];
    bool bad = false;
    for (size_t n = 0; n < BLOCKS && !bad; n++) {
      double c = rand_unit(&rand) < 0.3 ? 12 : 2, b = rand_unit(&rand) < 0.3 ? 9.6 : 1.6;
      d[n] = c + rand_unit(&rand) - 1.25 * (b + rand_unit(&rand) * 0.8);
      bad = block_bounds_of(d, n + 1, 0.01, 0.05).says == BLOCK_HARM;
    }
    fired += bad;
  }
  printf("%d of %d hours\n", fired, RUNS);
  EXPECT(fired <= RUNS / 100 + 7);
}
