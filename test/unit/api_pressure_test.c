/* api_pressure_test.c - the doctor's lines on memory and pressure.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "api/server/pressure_int.h"

#include "test.h"

enum { MIB = 1 << 20 };

static void expect_text(json_t *text, const char *want)
{
  EXPECT_STR(json_string_value(text), want);
  json_decref(text);
}

TEST(the_budget_is_told_with_whose_word_it_is)
{
  bool good;
  struct pressure_readings at = {.memory_used = 300 * MIB, .memory_max = 1024ull * MIB};
  at.memory_from = "cgroup";
  expect_text(budget_text(&at, 256 * MIB, 0, &good),
              "limits add up to 256 MiB beside models, the process may take 1024 MiB, as the "
              "cgroup's limit allows, and takes 300");
  EXPECT(good);
  at.memory_from = "option";
  expect_text(budget_text(&at, 1025ull * MIB, 0, &good),
              "limits add up to 1025 MiB beside models, the process may take 1024 MiB, as "
              "--memory-budget says, and takes 300; lower --memory-max");
  EXPECT(!good);
}

TEST(who_may_not_see_the_process_is_told_of_the_machine)
{
  bool good;
  struct pressure_readings unread = {0};
  const char *want = "limits add up to 256 MiB beside models, the machine has 8192 MiB";
  expect_text(budget_text(NULL, 256 * MIB, 8192ull * MIB, &good), want);
  EXPECT(good);
  expect_text(budget_text(&unread, 256 * MIB, 8192ull * MIB, &good), want);
}

TEST(pressure_names_its_sources_and_what_helps)
{
  bool good;
  struct pressure_readings at = {.percent = {12, 0, 3, 91}};
  uint32_t actions = ACTION_BIT(ACTION_ALERT) | ACTION_BIT(ACTION_NO_BATCH);
  expect_text(pressure_text(&at, 0, &good),
              "nothing is short: memory 12 %, stall 0 %, lag 3 %, files 91 %");
  EXPECT(good);
  expect_text(pressure_text(&at, actions, &good),
              "something is short: no_batch (requests of class batch are refused). Of where it hurts: "
              "memory 12 %, stall 0 %, lag 3 %, files 91 %. To do: raise ulimit -n, or "
              "lower --connections-max");
  EXPECT(!good);
  expect_text(pressure_text(NULL, actions, &good),
              "something is short: no_batch (requests of class batch are refused)");
  expect_text(pressure_text(NULL, ACTION_BIT(ACTION_ALERT), &good),
              "something is short: nothing is given up yet");
}

TEST(all_actions_at_once_fit)
{
  bool good;
  struct pressure_readings at = {.percent = {100, 100, 100, 100}};
  json_t *text = pressure_text(&at, UINT32_MAX, &good);
  EXPECT(strstr(json_string_value(text), "are reset). Of where it hurts: memory 100 %") != NULL);
  EXPECT(strstr(json_string_value(text), "--memory-budget") != NULL);
  json_decref(text);
}
