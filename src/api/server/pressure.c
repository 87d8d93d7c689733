/* pressure.c - memory and what else runs short, told to people.
 * Thread: desk.
 * SPDX-License-Identifier: MIT */
#include "api/server/pressure_int.h"

#include <string.h>

#include "base/buf.h"

enum { TEXT_MAX = 2048 };

static const char *const advices[SOURCES] = {
    [SOURCE_MEMORY] = "rest or remove models (model list shows what each holds), lower the quota "
                      "resident_bytes of whose they are, or raise --memory-budget",
    [SOURCE_STALL] = "the machine itself is out of memory: look what else runs on it",
    [SOURCE_LAG] = "requests hold up a network thread: slow_turns in the log says which stage; "
                   "more --loops share it",
    [SOURCE_FILES] = "raise ulimit -n, or lower --connections-max",
};

static json_t *text_of(struct buf *buf)
{
  json_t *text = json_stringn(buf->at, buf->len);
  buf_deinit(buf);
  return text;
}

/* ---- the budget */

/* "of --memory-budget" */
static const char *origin_of(const struct pressure_readings *readings)
{
  if (strcmp(readings->memory_from, "option") == 0) return "as --memory-budget says";
  if (strcmp(readings->memory_from, "cgroup") == 0) return "as the cgroup's limit allows";
  return "all memory of the machine";
}

json_t *budget_text(const struct pressure_readings *readings, uint64_t limits, uint64_t machine,
                    bool *good)
{
  struct buf buf;
  bool known = readings && readings->memory_from;
  uint64_t max = known ? readings->memory_max : machine;
  *good = limits <= max;
  buf_init(&buf, TEXT_MAX);
  buf_print(&buf, "limits add up to %llu MiB beside models, ", (unsigned long long)(limits >> 20));
  if (!known)
    buf_print(&buf, "the machine has %llu MiB", (unsigned long long)(machine >> 20));
  else
    buf_print(&buf, "the process may take %llu MiB, %s, and takes %llu",
              (unsigned long long)(max >> 20), origin_of(readings),
              (unsigned long long)(readings->memory_used >> 20));
  if (!*good) buf_add(&buf, SLICE("; lower --memory-max"));
  return text_of(&buf);
}

/* ---- pressure */

static enum pressure_source worst_of(const struct pressure_readings *readings)
{
  enum pressure_source worst = SOURCE_MEMORY;
  for (int i = 0; i < SOURCES; i++)
    if (readings->percent[i] > readings->percent[worst]) worst = (enum pressure_source)i;
  return worst;
}

static void actions_add(struct buf *buf, uint32_t actions)
{
  const char *between = "";
  for (int i = 0; i < ACTIONS; i++) {
    if (!(actions & ACTION_BIT(i)) || i == ACTION_ALERT) continue;
    buf_print(buf, "%s%s (%s)", between, action_name((enum pressure_action)i),
              action_text((enum pressure_action)i));
    between = ", ";
  }
  if (!*between) buf_add(buf, SLICE("nothing is given up yet"));
}

json_t *pressure_text(const struct pressure_readings *readings, uint32_t actions, bool *good)
{
  struct buf buf;
  *good = actions == 0;
  buf_init(&buf, TEXT_MAX);
  buf_add(&buf, *good ? SLICE("nothing is short") : SLICE("something is short: "));
  if (!*good) actions_add(&buf, actions);
  for (int i = 0; readings && i < SOURCES; i++)
    buf_print(&buf, "%s%s %u %%", i ? ", " : *good ? ": " : ". Of where it hurts: ",
              source_name((enum pressure_source)i), readings->percent[i]);
  if (!*good && readings) buf_print(&buf, ". To do: %s", advices[worst_of(readings)]);
  return text_of(&buf);
}
