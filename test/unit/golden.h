/* golden.h - a golden ledger, row by row. The files never change; each row is read as it was
 * written, and would be written the same today, or its hash would not hold.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef UNIT_GOLDEN_H
#define UNIT_GOLDEN_H

#include "base/buf.h"
#include "store/codec.h"

/* A file of test/golden. The caller closes it; NULL (and a failure) when it is not there. */
static inline FILE *golden_open(const char *name)
{
  char path[512];
  const char *here = __FILE__, *end = strstr(here, "test/unit/");
  snprintf(path, sizeof path, "%.*stest/golden/%s", (int)(end - here), here, name);
  FILE *file = fopen(path, "re");
  EXPECT(file != NULL);
  return file;
}

/* The next row; what the event points to lies in the arena. False: there is none. */
static inline bool golden_next(FILE *file, struct arena *arena, struct event *event)
{
  static char line[1 << 16];
  struct buf body, again;
  struct err err;
  if (!file || !fgets(line, sizeof line, file)) return false;
  struct slice text = slice_of(line, strcspn(line, "\n"));
  EXPECT_INT(event_line_read(arena, text, event, &err), OK);
  buf_init(&body, EVENT_LINE_MAX);
  buf_init(&again, EVENT_LINE_MAX);
  event_body_write(&body, event);
  event_line_write(&again, event, EVENT_ENCODING, buf_lend(&body));
  EXPECT(slice_eq(buf_lend(&again), text));
  buf_deinit(&body);
  buf_deinit(&again);
  return true;
}

#endif
