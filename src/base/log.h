/* log.h - one event, one JSON line. Never blocks, never holds payloads, keys or raw client bytes.
 * Thread: any may log; the main thread writes (log_pump).
 *
 *   log_event(LOG_INFO, "model_ready", "model", "digits", "version", "3", NULL);
 *
 * prints
 * {"ts":"2026-01-31T23:59:59.123Z","level":"info","event":"model_ready","model":"digits",...}
 *
 * Each call formats into a line of its own and mails it to the writer; past LOG_WAITING_MAX lines
 * in flight lines are dropped and counted, and the count is the next line's "dropped" member. Every
 * event name may log LOG_BURST lines a second; more are counted into "suppressed".
 * SPDX-License-Identifier: MIT */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/limit.h"
#include "base/slice.h"

enum { LOG_LINE_MAX = 2048, LOG_WAITING_MAX = 4096, LOG_BURST = 20 };

/* Pairs of key and value strings, ended by NULL. A value may be NULL (member left out).
 * Values are escaped and cut at 256 bytes. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
/* Values for log_event, in rings of 16 thread-local buffers: use at once. What log_num returns
 * becomes a JSON number, everything else a string. */
const char *log_num(int64_t value);
const char *log_slice(struct slice value);

void log_level_set(enum log_level min); /* before threads start; default LOG_INFO */
/* Main thread: writes all waiting lines to `fds` (each may be -1). Until the first pump lines go to
 * stderr directly. */
void log_pump(const int *fds, int n_fds);
/* Called (any thread) when a line starts waiting: wakes the main thread. */
void log_wake_set(void (*wake)(void));
uint64_t log_dropped(void);
void log_limits_list(struct limits *to);

#endif
