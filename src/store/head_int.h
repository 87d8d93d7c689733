/* head_int.h - DATA/head: the newest change that was acknowledged, kept beside the ledger.
 * Thread: scribe (main before it starts). Inside the store room only.
 *
 * A chain of hashes cannot see that its tail is missing, and SQLite drops a write-ahead log whose
 * checksums fail without a word. So each commit leaves its last sequence number and hash here, too,
 * after it is durable and without a sync of its own: after a power cut the head may be older than
 * the ledger, which is fine, and never newer. A ledger that ends before its head has lost changes.
 *
 * The file is two records, written in turn, so that a torn write leaves the other one; little
 * endian, each in a sector of its own: "SLPWHEAD", seq (8 bytes), hash (32), SipHash of these (8).
 * Source: robustness rules ST-105, ST-106.
 * SPDX-License-Identifier: MIT */
#ifndef STORE_HEAD_INT_H
#define STORE_HEAD_INT_H

#include "base/err.h"
#include "base/hash.h"

struct head {
  int fd;        /* -1: not open */
  uint32_t turn; /* which record is next */
  uint64_t seq;  /* of the newest record; 0: none */
  struct digest hash;
  bool junk; /* the file is there and neither record can be read */
};

/* Opens or makes DATA/head and reads it. Errors: fail_errno's. */
CHECKED enum code head_open(struct head *head, int dir_fd, struct err *err);
void head_close(struct head *head);
/* After the commit of seq. A failure is logged: it costs protection, not the change. */
void head_write(struct head *head, uint64_t seq, const struct digest *hash);
/* Forgets what was there, durably, and writes this one. */
CHECKED enum code head_reset(struct head *head, uint64_t seq, const struct digest *hash,
                             struct err *err);

#endif
