/* chain.h - the ledger as a file that proves itself: written by the server, checked by anybody.
 * Thread: any, pure.
 *
 *   {"audit":1,"tenant":"acme"}                                   null: of all tenants together
 *   {"hash":"<64 hex>","prev":"<64 hex>","row":{canonical row}}   one per event, in order
 *   {"end":{"hash":"<64 hex>","rows":N,"seq":S}}                  or {"more":SEQ}: it goes on there
 *
 *   hash = SHA-256(prev || canonical row), prev the hash of the row before; zeros before the first
 *
 * so a row that was changed, added, removed or moved breaks the chain where it was. A file that was
 * cut and given a new end, or written anew from some row on, does not: for that there are
 * checkpoints, kept elsewhere, a line each, signed with Ed25519:
 *
 *   {"checkpoint":{"at_ms":M,"hash":"<64 hex>","key":"<64 hex>","seq":S,"tenant":"acme"},
 *    "sign":"<base64>"}                                           one line; signed: the inner
 *    object
 *
 * "when this was signed, the newest row of that chain was S and its hash this".
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_AUDIT_CHAIN_H
#define WIRE_AUDIT_CHAIN_H

#include "base/buf.h"
#include "base/hash.h"

enum { CHAIN_TENANT_MAX = 256, CHECKPOINT_LINE_MAX = 2048 };

struct chain_row {
  uint64_t seq;
  struct digest prev, hash;
  struct slice canonical;
};

/* --- writing ---------------------------------------------------------------------------------- */

/* tenant: at NULL: all. Each ends with a line feed. */
void chain_begin_write(struct buf *buf, struct slice tenant);
void chain_row_write(struct buf *buf, const struct chain_row *row);
void chain_end_write(struct buf *buf, uint64_t rows, const struct chain_row *last);
void chain_more_write(struct buf *buf, uint64_t seq);

/* --- checking --------------------------------------------------------------------------------- */

struct checkpoint {
  int64_t at_ms;
  uint64_t seq;
  struct digest hash, key;         /* key: the public one */
  bool all;                        /* of all tenants together, else of: */
  char tenant[CHAIN_TENANT_MAX];
};

/* A line without its line feed. E_BAD_JSON: it is none; E_CHAIN_BROKEN: its signature does not hold
 * for the key it names. Whether that key is to be believed is the caller's to know. */
CHECKED enum code checkpoint_read(struct slice line, struct checkpoint *checkpoint,
                                  struct err *err);

struct chain_check {
  struct checkpoint *checkpoints; /* of this chain, ascending by seq; lent */
  uint32_t n_checkpoints;
  /* after each line: */
  bool begun, ended, all;
  bool whole; /* the first row is the chain's first */
  char tenant[CHAIN_TENANT_MAX];
  uint64_t line, rows, first_seq, seq; /* seq: the newest row's; 0: none yet */
  struct digest hash;
  uint64_t unsure;     /* the first row after the newest checkpoint that agreed */
  uint32_t met;        /* checkpoints that a row has been held against, or that lie before them */
  uint32_t agreed;     /* of these, those that agreed */
  uint64_t agreed_seq; /* the newest one's row; 0: none */
};

/* The next line, without its line feed. E_CHAIN_BROKEN names the first row that is wrong: by its
 * line, and by its number where it has one. */
CHECKED enum code chain_check_line(struct chain_check *check, struct slice line, struct err *err);
/* After the last one. E_CHAIN_BROKEN: the end is missing, or a checkpoint knows of more. */
CHECKED enum code chain_check_end(struct chain_check *check, struct err *err);

#endif
