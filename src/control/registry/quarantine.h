/* quarantine.h - a version whose runs have to be ended, again and again, is not run any more: it
 * leaves memory, and who asks for it is told why (503 QUARANTINED).
 * Thread: control.
 *
 * It takes QUARANTINE_STRIKES runs in QUARANTINE_US that were ended or outgrew their memory
 * (serve/record.c says which of them may be the version's own doing), with no answer between them:
 * one pulse in which it answered anything at all clears it. Memory counts only against a version
 * that has never run: inputs say how large an answer is, and the limit refuses it before it hurts.
 * A version of a running release is left to the release. Crashes are counted over restarts
 * (src/crashes.h).
 * It is an event, so it outlives a restart. A person lifts it (VERSION_CLEARED), or deploys another
 * version.
 * Source: robustness rules, section 6 and rows MF-109, MF-116.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_REGISTRY_QUARANTINE_H
#define CONTROL_REGISTRY_QUARANTINE_H

#include "world/letters.h"

struct control;
struct placed;

enum { QUARANTINE_STRIKES = 3 };
#define QUARANTINE_US (INT64_C(10) * 60 * 1000000)

/* Of crashes: src/crashes.c counts them. */
#define QUARANTINE_CRASHED                                                                  \
  "the server died 3 times within 10 minutes while it ran; deploy another version, or lift " \
  "it when the cause is gone"

/* What one loop counted of it in a pulse. */
void quarantine_look(struct control *control, struct placed *placed,
                     const struct version_tally *slot);
void quarantine_home(struct letter_command *command);

#endif
