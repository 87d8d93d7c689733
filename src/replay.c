/* replay.c - from the ledger into control.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "replay.h"

#include "base/log.h"
#include "store/held.h"
#include "store/journal.h"
#include "store/outbox.h"
#include "store/snapshot.h"

/* What was folded before is taken over, if it is still there and good; the rest is folded now. */
static enum code events_replay(const struct datadir *dir, struct ledger *ledger,
                               struct control *control, struct err *err)
{
  struct err why;
  struct blob *bytes;
  uint64_t seq = 0;
  enum code code = snapshot_find(dir, ledger, control_form(), &seq, &bytes, &why);
  if (!code) code = control_restore(control, blob_lend(bytes), &why);
  blob_drop(bytes);
  if (code) seq = 0;
  if (code && code != E_NOT_FOUND)
    log_event(LOG_WARN, "snapshot_not_used", "reason", why.text, "events",
              log_num((int64_t)ledger_last_seq(ledger)), NULL);
  uint64_t proved = 1;
  if (seq && ledger_prove(ledger, seq, &proved, err)) return err->code;
  if (proved > 1)
    log_event(LOG_INFO, "old_events_not_checked", "before", log_num((int64_t)proved), "reason",
              "slipway audit verify checks them all", NULL);
  return ledger_replay(ledger, seq + 1, control_apply, control, err);
}

/* What the judge had seen of each release that runs. */
static enum code looks_replay(struct ledger *ledger, struct control *control, struct err *err)
{
  struct journal_row of;
  uint32_t at = 0;
  while (control_release_at(control, &at, &of))
    if (journal_read(ledger, &of, control_look, control, err)) return err->code;
  return OK;
}

/* Files that no version names: the folders say, and no event does. */
static void uploads_count(const struct datadir *dir, struct control *control)
{
  struct control_stock of;
  uint32_t at = 0;
  while (control_stock_at(control, &at, &of)) {
    held_count(dir, of.name, of.meter, control_stock_names, &of);
    control_stock_done(&of);
  }
}

enum code replay_all(const struct datadir *dir, struct ledger *ledger, struct control *control,
                     struct err *err)
{
  if (events_replay(dir, ledger, control, err) || looks_replay(ledger, control, err))
    return err->code;
  uploads_count(dir, control);
  return outbox_read(ledger, control_owed, control, err);
}
