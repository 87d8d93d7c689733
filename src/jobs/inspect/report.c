/* report.c - reading what a child says.
 * Thread: job. Pure.
 * SPDX-License-Identifier: MIT */
#include "jobs/inspect/report.h"

#include <string.h>

#define BYTES_MAX (UINT64_C(1) << 48)
#define US_MAX    INT64_C(3600000000)
enum { GOLDEN_MAX = 1 << 30, WALLS_ALL = (WALL_MEMORY << 1) - 1, ABI_MAX = 1000 };

const char *stage_text(enum load_stage stage)
{
  static const char *const texts[LOAD_STAGES] = {
      [LOAD_READS] = "while it was read",
      [LOAD_WALKS] = "while its graph was looked through",
      [LOAD_OPENS] = "while it was loaded",
      [LOAD_EXAMPLES] = "while its golden examples ran",
      [LOAD_WARMS] = "in its first runs, with zeros",
  };
  return texts[stage];
}

void report_in_init(struct report_in *in) { *in = (struct report_in){.stage = LOAD_READS}; }

static void stage_came(struct report_in *in, char byte)
{
  if (++in->n_stages > STAGES_MAX)
    in->astray = true;
  else if (byte == REPORT_NEXT)
    in->begun = true;
  else if (byte == STAGE_NO_MEMORY)
    in->no_memory = true;
  else if (byte >= STAGE_FIRST && byte < STAGE_FIRST + LOAD_STAGES)
    in->stage = (enum load_stage)(byte - STAGE_FIRST);
  else
    in->astray = true;
}

void report_in_add(struct report_in *in, struct slice bytes)
{
  size_t i = 0;
  for (; i < bytes.len && !in->begun && !in->astray; i++) stage_came(in, bytes.at[i]);
  size_t n = bytes.len - i, left = sizeof in->report - in->len;
  if (n > left) in->astray = true;
  if (in->astray || n == 0) return;
  memcpy((char *)&in->report + in->len, bytes.at + i, n);
  in->len += n;
}

/* Which errors a look at a model can end with; an exploit does not get to choose others. */
static bool code_is_ours(uint32_t code)
{
  switch (code) {
    case OK:
    case E_MODEL_REJECTED:
    case E_EXTERNAL_DATA_FORBIDDEN:
    case E_MODEL_LOAD_FAILED:
    case E_GOLDEN_FAILED:
    case E_BAD_CONFIG:
    case E_ARTIFACT_CORRUPT:
    case E_UNAVAILABLE:
    case E_LIMIT_EXCEEDED:
    case E_DEADLINE_EXCEEDED: return true;
    default: return false;
  }
}

static bool word_is_ours(const char word[INSPECT_WORD_MAX])
{
  for (size_t i = 0; i < INSPECT_WORD_MAX; i++) {
    char c = word[i];
    if (!c) return i > 0;
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr(" ./_-", c))) return false;
  }
  return false;
}

static bool numbers_are_ours(const struct report *report)
{
  return report->walls <= WALLS_ALL && report->landlock_abi <= ABI_MAX &&
         report->n_golden <= GOLDEN_MAX && report->memory_bytes <= BYTES_MAX &&
         report->memory_peak_bytes <= BYTES_MAX && report->load_us >= 0 &&
         report->load_us <= US_MAX && report->run_ns >= 0 && report->run_ns <= US_MAX * 1000;
}

bool report_read(const struct report_in *in, struct inspected *found, uint32_t *walls,
                 uint32_t *landlock_abi, struct err *err)
{
  const struct report *report = &in->report;
  if (in->astray || !in->begun || in->len != sizeof *report) return false;
  if (!code_is_ours(report->code) || !numbers_are_ours(report)) return false;
  *walls = report->walls;
  *landlock_abi = report->landlock_abi;
  *found = (struct inspected){.memory_bytes = report->memory_bytes,
                              .memory_peak_bytes = report->memory_peak_bytes,
                              .load_us = report->load_us,
                              .run_ns = report->run_ns,
                              .n_golden = report->n_golden};
  *err = (struct err){.code = OK};
  if (report->code == OK) {
    if (!word_is_ours(report->engine) || !word_is_ours(report->stamp)) return false;
    memcpy(found->engine, report->engine, sizeof found->engine);
    memcpy(found->stamp, report->stamp, sizeof found->stamp);
    return true;
  }
  if (!memchr(report->text, 0, sizeof report->text) ||
      !memchr(report->field, 0, sizeof report->field) || !report->text[0])
    return false;
  fail(err, (enum code)report->code, "%s", report->text);
  if (report->field[0]) fail_at(err, "%s", report->field);
  return true;
}
