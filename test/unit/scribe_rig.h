/* scribe_rig.h - a scribe that the test turns, over a ledger of its own on a file system that fails
 * on demand (faultfs.h).
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef UNIT_SCRIBE_RIG_H
#define UNIT_SCRIBE_RIG_H

#include "faultfs.h"
#include "store.h"
#include "store/scribe.h"

static struct datadir dir;
static const char *temp;
static struct err err;
static struct mailbox home; /* where letters go back to */
static struct ledger *ledger;
static struct scribe *scribe;

static void begin(void)
{
  static const struct ledger_opts faulty = {.vfs = "fault"};
  temp = temp_dir();
  fault_start();
  mailbox_init_bell(&home);
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(ledger_open(&ledger, &dir, &faulty, &err), OK);
  scribe = scribe_new(ledger, NULL);
}

static void end(void)
{
  scribe_free(scribe);
  ledger_close(ledger);
  datadir_close(&dir);
  mailbox_deinit(&home);
  temp_remove(temp);
}

/* The scribe's next turn answers this letter, and nothing else comes home. */
__attribute__((unused)) static void turn_with(struct mail *letter)
{
  mail_send(scribe_mailbox(scribe), letter);
  scribe_turn(scribe);
  EXPECT(mailbox_take(&home) == letter);
}

#endif
