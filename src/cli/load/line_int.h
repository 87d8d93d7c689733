/* line_int.h - one connection of a load: opened, written, and what comes back read.
 * Thread: the load's own.
 * SPDX-License-Identifier: MIT */
#ifndef CLI_LOAD_LINE_INT_H
#define CLI_LOAD_LINE_INT_H

#include <netdb.h>

#include "base/buf.h"
#include "base/list.h"
#include "cli/load/load.h"

struct line {
  struct link link; /* of its source: idle, busy or resting */
  uint32_t source;
  int fd; /* -1: to be opened */
  bool waits_out;
  uint32_t tries;
  int64_t due_us, sent_us, again_us; /* again_us: not opened before this */
  struct slice out;                  /* what is being sent */
  size_t sent;
  struct buf in;
};

/* Opens it without waiting; false: none is to be had. */
bool line_open(struct line *line, int poll, const struct addrinfo *to);
void line_close(struct line *line);
/* Sends what it can of line->out; false: lost. */
bool line_write(struct line *line, int poll);

enum line_read { LINE_MORE, LINE_WHOLE, LINE_LAST, LINE_LOST }; /* LAST: whole, and then closed */
/* Reads what is there, by way of `bytes`. The answer's body is valid until the next read. */
enum line_read line_read(struct line *line, char *bytes, size_t cap, struct load_answer *answer);

#endif
