/* head.c - reading and writing DATA/head.
 * Thread: scribe (main before it starts).
 * SPDX-License-Identifier: MIT */
#include "store/head_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/log.h"
#include "store/datadir.h"

enum { RECORDS = 2, RECORD_STEP = 512 };

struct record {
  char magic[8];
  uint64_t seq;
  struct digest hash;
  uint64_t sum;
};
_Static_assert(sizeof(struct record) == 56, "no padding in what is written");

/* Against torn writes and worn disks, not against people: the key is known. */
static uint64_t record_sum(const struct record *record)
{
  static const unsigned char key[16] = "slipway's head.";
  return siphash(key, slice_of((const char *)record, offsetof(struct record, sum)));
}

static const struct record blank;

/* The newest record that holds; the other one's place is written next. */
static void records_read(struct head *head)
{
  for (uint32_t i = 0; i < RECORDS; i++) {
    struct record record = {.seq = 0};
    ssize_t n = fd_read_at(head->fd, &record, sizeof record, (off_t)i * RECORD_STEP);
    if (n <= 0 || memcmp(&record, &blank, sizeof record) == 0) continue;
    if (n != (ssize_t)sizeof record || memcmp(record.magic, "SLPWHEAD", 8) != 0 ||
        record.sum != record_sum(&record)) {
      head->junk = true;
    } else if (record.seq > head->seq) {
      head->seq = record.seq;
      head->hash = record.hash;
      head->turn = i + 1;
    }
  }
  if (head->seq) head->junk = false;
}

enum code head_open(struct head *head, int dir_fd, struct err *err)
{
  struct stat st;
  *head = (struct head){.fd = -1};
  head->fd = openat(dir_fd, "head", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (head->fd < 0) return fail_errno(err, errno, "the ledger's head");
  if (fstat(head->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    head_close(head);
    return fail_errno(err, ELOOP, "the ledger's head");
  }
  records_read(head);
  return OK;
}

void head_close(struct head *head)
{
  if (head->fd >= 0) close(head->fd);
  head->fd = -1;
}

static bool record_write(struct head *head, uint64_t seq, const struct digest *hash)
{
  struct record record = {.magic = "SLPWHEAD", .seq = seq, .hash = *hash};
  record.sum = record_sum(&record);
  off_t at = (off_t)(head->turn++ % RECORDS) * RECORD_STEP;
  return fd_write_at(head->fd, slice_of((const char *)&record, sizeof record), at);
}

void head_write(struct head *head, uint64_t seq, const struct digest *hash)
{
  if (!record_write(head, seq, hash))
    log_event(LOG_WARN, "head_not_written", "seq", log_num((int64_t)seq), NULL);
  head->seq = seq;
  head->hash = *hash;
}

enum code head_reset(struct head *head, uint64_t seq, const struct digest *hash, struct err *err)
{
  if (ftruncate(head->fd, 0) != 0 || (seq && !record_write(head, seq, hash)) ||
      fsync(head->fd) != 0)
    return fail_errno(err, errno, "the ledger's head");
  head->seq = seq;
  head->hash = *hash;
  head->junk = false;
  return OK;
}
