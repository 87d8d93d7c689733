/* decide.h - what commands about releases and freezes come to, seen from the catalog alone.
 * Thread: control. Pure: texts of the events lie in the command's arena.
 * command->event.wall_ms is now (intake says so), for freezes.
 * SPDX-License-Identifier: MIT */
#ifndef CONTROL_RELEASE_DECIDE_H
#define CONTROL_RELEASE_DECIDE_H

#include "control/command.h"
#include "control/release/freeze.h"

/* COMMAND_RELEASE: the plan is read, checked and written again as its one text; STARTED, and before
 * it MOVED of the one it takes the place of. */
void release_decide(const struct catalog *catalog, struct catalog_model *model,
                    const struct letter_command *command, struct decision *decision);
void freeze_decide(const struct catalog *catalog, const struct catalog_tenant *tenant,
                   const struct letter_command *command, struct decision *decision);
/* COMMAND_SAY: DECISION_SAY, or an answer where no release can hear it. */
void say_decide(struct catalog_model *model, const struct letter_command *command,
                struct decision *decision);
/* Whether a freeze holds that DEPLOY up: err says until when. */
bool deploy_frozen(const struct catalog *catalog, const struct catalog_model *model,
                   const struct letter_command *command, struct err *err);
/* DEPLOY, RETIRE, ROLLBACK of a model whose release runs, or in a freeze. True: decided here. */
bool switch_decide_held(const struct catalog *catalog, struct catalog_model *model,
                        const struct letter_command *command, struct decision *decision);

/* The event that says where a release is now; false when the arena is too small. verdict, edges may
 * be empty. */
bool release_moved(struct arena *arena, const struct catalog_model *model,
                   const struct rollout *rollout, uint64_t looks, struct slice verdict,
                   struct slice edges, struct event *event);

#endif
