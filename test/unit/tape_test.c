/* tape_test.c - recorded traffic is read, and played as it was or against itself.
 * SPDX-License-Identifier: MIT */
#include "sim/tape.h"

#include "base/buf.h"
#include "test.h"

static const char *refused(const char *text)
{
  static struct err err;
  struct tape tape;
  err = (struct err){0};
  enum code code = tape_read(&tape, slice_str(text), &err);
  tape_free(&tape);
  return code == OK ? "taken" : err.text;
}

TEST(what_is_no_recording_is_refused_with_its_line)
{
  EXPECT(strstr(refused(""), "at least"));
  EXPECT(strstr(refused("t,arm,latency_us,error\n1,stable,5,0\n"), "at least"));
  EXPECT(strstr(refused("1,stable,5,0\n2,blue,5,0\n"), "line 2: arm"));
  EXPECT(strstr(refused("1,stable,5,0\nx,stable,5,0\n"), "line 2: t"));
  EXPECT(strstr(refused("1,stable,-5,0\n"), "line 1: latency"));
  EXPECT(strstr(refused("1,stable,5,2\n"), "line 1: error"));
  EXPECT(strstr(refused("1,stable,5\n"), "line 1: error"));
  EXPECT(strstr(refused("1,stable,5,0,9\n"), "line 1: there are more"));
  EXPECT(strstr(refused("0,stable,5,0\n1e18,stable,5,0\n"), "90 days"));
}

/* Ten requests a second for so long, one in ten of them an error; from `from` on two more by the
 * candidate, both slow. */
static void record(struct tape *tape, int seconds, int from)
{
  struct buf buf;
  struct err err;
  buf_init(&buf, 64 << 20);
  buf_print(&buf, "t,arm,latency_us,error\r\n# a remark\n\n");
  for (int s = seconds - 1; s >= 0; s--) { /* order does not matter */
    for (int i = 0; i < 10; i++)
      buf_print(&buf, "%d.%d,stable,%d,%d\n", 1000 + s, i, 1000 + 100 * i, i == 9);
    for (int i = 0; i < 2 && s >= from; i++)
      buf_print(&buf, "%d.5,candidate,%d,0\n", 1000 + s, 500000);
  }
  EXPECT(tape_read(tape, buf_lend(&buf), &err) == OK);
  buf_deinit(&buf);
}

static struct model model;
static struct crowd crowd;
static struct slow slow = {.us = {1024, 1536, 0, 0}, .used = {true, true}, .rows = 2};

static void play(const struct tape *tape, const char *text)
{
  static struct past past;
  struct scenario scenario;
  memset(&past, 0, sizeof past);
  EXPECT(scenario_read(&scenario, slice_str(text), NULL) == OK);
  model_make(&model, &scenario, 0.001);
  crowd_init(&crowd, &model, 10, 1, 1);
  crowd_play(&crowd, tape);
  crowd_history(&crowd, &past);
  crowd_cut(&crowd, &slow);
  EXPECT_INT(past.closed, tape->history / 10);
}

TEST(with_a_candidate_it_is_played_as_it_was)
{
  struct tape tape;
  struct crowd_seen seen[CROWD_ARMS];
  static struct sketch sketch;
  const double part[CROWD_ARMS] = {0.1, 0.9};
  record(&tape, 600, 300);
  EXPECT(tape.has_candidate && tape.history == 300 && tape.seconds == 600);
  EXPECT_INT(tape.rows, 6600);
  EXPECT(fabs(tape.share - 2.0 / 12) < 1e-12);
  play(&tape, "null");
  for (int s = 0; s < 300; s++) {
    crowd_second(&crowd, part, seen);
    EXPECT(seen[0].requests == 2 && seen[0].slow[0] == 2 && seen[0].errors == 0);
    EXPECT(seen[1].requests == 10 && seen[1].errors == 1 && seen[1].slow[1] == 3);
  }
  crowd_drain(&crowd, ARM_STABLE, &sketch);
  EXPECT_INT(sketch.count, 2700);
  crowd_drain(&crowd, ARM_STABLE, &sketch);
  EXPECT_INT(sketch.count, 2700);
  tape_free(&tape);
}

TEST(without_one_it_is_split_by_chance)
{
  struct tape tape;
  struct crowd_seen seen[CROWD_ARMS];
  const double part[CROWD_ARMS] = {0.3, 0.7};
  double n[CROWD_ARMS] = {0}, errors[CROWD_ARMS] = {0}, late[CROWD_ARMS] = {0};
  record(&tape, 4000, 5000);
  EXPECT(!tape.has_candidate && tape.history == CROWD_HISTORY_S);
  EXPECT(fabs(tape.error_rate - 0.1) < 1e-12);
  play(&tape, "uniform:2+onset:1000");
  for (int s = 0; s < 2000; s++) {
    crowd_second(&crowd, part, seen);
    for (int arm = 0; arm < CROWD_ARMS; arm++) {
      n[arm] += (double)seen[arm].requests;
      errors[arm] += (double)seen[arm].errors;
      if (s < 1000) late[arm] += (double)seen[arm].slow[1];
    }
    if (s >= 1000 && seen[0].timed) EXPECT(seen[0].slow[1] == seen[0].timed);
  }
  EXPECT(fabs(n[0] - 6000) < 4.5 * sqrt(20000 * 0.3 * 0.7));
  EXPECT(fabs(n[1] - 14000) < 4.5 * sqrt(20000 * 0.3 * 0.7));
  EXPECT(fabs(errors[0] - 600) < 4.5 * sqrt(600));
  EXPECT(fabs(errors[1] - 1400) < 4.5 * sqrt(1400));
  EXPECT(fabs(late[0] - 900) < 4.5 * sqrt(900));
  EXPECT(fabs(late[1] - 2100) < 4.5 * sqrt(2100));
  tape_free(&tape);
}
