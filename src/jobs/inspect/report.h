/* report.h - what parent and child of an inspection say to each other.
 *
 *   parent --struct request, a file in memory at descriptor 0--> child
 *   parent <--stages, one byte each; then REPORT_NEXT and a struct report; then the end-- child
 *
 * The child runs what a stranger wrote, so the parent takes nothing it says at its word:
 * report_read looks at every member. Both are the same program, so a struct is its own format.
 * Thread: job. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef JOBS_INSPECT_REPORT_H
#define JOBS_INSPECT_REPORT_H

#include "jobs/load.h"

enum {
  REQUEST_FD = 0,
  REPORT_FD = 3,
  FILES_FD = 4, /* and on: one per file */
  REPORT_NEXT = 'R',
  STAGE_FIRST = 'a', /* plus enum load_stage */
  STAGE_NO_MEMORY = 'm',
  STAGES_MAX = 64, /* bytes before REPORT_NEXT; a child that says more has gone astray */
};

struct request_file {
  char name[EVENT_FILE_NAME_MAX + 8];
  uint64_t bytes;
  struct digest digest;
};

struct request {
  uint32_t n_files; /* 0: put up the walls, try them, report */
  int64_t time_us;
  uint64_t memory_spare; /* beside three times the files */
  bool probe;            /* obey a file called probe.txt: inspect/probe.h */
  char engine[EVENT_TEXT_MAX + 1];
  struct request_file files[EVENT_FILES_MAX];
};

struct report {
  uint32_t code, walls, landlock_abi, n_golden;
  uint64_t memory_bytes, memory_peak_bytes;
  int64_t load_us, run_ns;
  char engine[INSPECT_WORD_MAX], stamp[INSPECT_WORD_MAX];
  char text[ERR_TEXT_MAX], field[ERR_FIELD_MAX];
};

/* What came from the child so far. */
struct report_in {
  uint32_t n_stages;
  enum load_stage stage; /* the last one begun */
  bool no_memory;        /* it found that it could have no more */
  bool astray;           /* it said what a child of ours does not say */
  bool begun;
  size_t len;
  struct report report;
};

void report_in_init(struct report_in *in);
void report_in_add(struct report_in *in, struct slice bytes);
/* The whole report and nothing behind it. False: there is none that can be believed. err is what
 * the child found, cleaned; found is meaningful where err->code is OK. */
bool report_read(const struct report_in *in, struct inspected *found, uint32_t *walls,
                 uint32_t *landlock_abi, struct err *err);
/* "while it was loaded" */
const char *stage_text(enum load_stage stage);

#endif
