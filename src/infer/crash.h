/* crash.h - who was running when the process died of a signal: one line in a file, written by the
 * signal's handler, so that the next start knows (src/crashes.h).
 * Thread: crash_watch: main, once, before others start; crash_enter: any, of its own thread.
 * SPDX-License-Identifier: MIT */
#ifndef INFER_CRASH_H
#define INFER_CRASH_H

/* SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT append "UNIX_MS who\n" to fd, where somebody is
 * entered, and then do what they did before: the process ends all the same. */
void crash_watch(int fd);
/* From now on this thread runs what is called so; lent; NULL or "": nothing of anybody's. */
void crash_enter(const char *who);

#endif
