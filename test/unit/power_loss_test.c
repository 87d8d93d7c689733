/* power_loss_test.c - the power goes out at any moment: a disk whose writes stay in a cache until a
 * sync drops some of them, in any order, torn in the middle. What COMMIT had said yes to is there
 * afterwards. The same with synchronous=NORMAL loses changes: that proves that the test bites.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <fcntl.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "base/rand.h"
#include "store.h"
#include "store/ledger_int.h"

/* --- a disk with a volatile cache ------------------------------------------------------------- */

enum { SECTOR = 512, WRITES_MAX = 1 << 14 };

/* A write that no sync has covered: what stood there before. */
struct unsynced {
  char path[256];
  sqlite3_int64 at;
  int n, was_n; /* was_n: how much of it was in the file */
  char *was;
};

struct cached_file {
  sqlite3_file base;
  char path[256];
  sqlite3_file *real;
};

static struct unsynced cache[WRITES_MAX];
static uint32_t n_cache;
static sqlite3_vfs cached_vfs, *base_vfs;
static sqlite3_io_methods methods;

#define FILE_OF(f) ((struct cached_file *)(f))
#define REAL(f) (FILE_OF(f)->real)

static int cached_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
  sqlite3_int64 size = 0;
  must(n_cache < WRITES_MAX);
  struct unsynced *one = &cache[n_cache++];
  REAL(f)->pMethods->xFileSize(REAL(f), &size);
  *one = (struct unsynced){.at = at, .n = n, .was = grab((size_t)n)};
  snprintf(one->path, sizeof one->path, "%s", FILE_OF(f)->path);
  one->was_n = at >= size ? 0 : at + n > size ? (int)(size - at) : n;
  if (one->was_n) REAL(f)->pMethods->xRead(REAL(f), one->was, one->was_n, at);
  return REAL(f)->pMethods->xWrite(REAL(f), from, n, at);
}

static int cached_sync(sqlite3_file *f, int flags)
{
  uint32_t left = 0;
  (void)flags;
  for (uint32_t i = 0; i < n_cache; i++) {
    if (strcmp(cache[i].path, FILE_OF(f)->path) == 0)
      ungrab(cache[i].was);
    else
      cache[left++] = cache[i];
  }
  n_cache = left;
  return SQLITE_OK;
}

/* The rest goes through to the real file. */
#define THROUGH(name, params, call)                      \
  static int cached_##name params { return REAL(f)->pMethods->call; }
THROUGH(close, (sqlite3_file * f), xClose(REAL(f)))
THROUGH(read, (sqlite3_file * f, void *to, int n, sqlite3_int64 at), xRead(REAL(f), to, n, at))
THROUGH(truncate, (sqlite3_file * f, sqlite3_int64 n), xTruncate(REAL(f), n))
THROUGH(size, (sqlite3_file * f, sqlite3_int64 *n), xFileSize(REAL(f), n))
THROUGH(lock, (sqlite3_file * f, int how), xLock(REAL(f), how))
THROUGH(unlock, (sqlite3_file * f, int how), xUnlock(REAL(f), how))
THROUGH(reserved, (sqlite3_file * f, int *out), xCheckReservedLock(REAL(f), out))
THROUGH(control, (sqlite3_file * f, int op, void *arg), xFileControl(REAL(f), op, arg))
THROUGH(sector, (sqlite3_file * f), xSectorSize(REAL(f)))
/* A disk that promises nothing: no atomic, no ordered, no safe appending writes. */
static int cached_traits(sqlite3_file *f)
{
  (void)f;
  return 0;
}
THROUGH(shm_map, (sqlite3_file * f, int page, int n, int extend, void volatile **at),
        xShmMap(REAL(f), page, n, extend, at))
THROUGH(shm_lock, (sqlite3_file * f, int at, int n, int flags), xShmLock(REAL(f), at, n, flags))
THROUGH(shm_unmap, (sqlite3_file * f, int drop), xShmUnmap(REAL(f), drop))
static void cached_barrier(sqlite3_file *f) { REAL(f)->pMethods->xShmBarrier(REAL(f)); }

static int cached_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
  struct cached_file *file = FILE_OF(f);
  (void)vfs;
  file->real = (sqlite3_file *)(file + 1);
  snprintf(file->path, sizeof file->path, "%s", name ? name : "");
  int rc = base_vfs->xOpen(base_vfs, name, file->real, flags, out);
  f->pMethods = file->real->pMethods ? &methods : NULL;
  return rc;
}

static void disk_start(void)
{
  n_cache = 0;
  if (base_vfs) return;
  methods = (sqlite3_io_methods){
      2,           cached_close,  cached_read,     cached_write,  cached_truncate, cached_sync,
      cached_size, cached_lock,   cached_unlock,   cached_reserved, cached_control, cached_sector,
      cached_traits, cached_shm_map, cached_shm_lock, cached_barrier, cached_shm_unmap, NULL, NULL};
  base_vfs = sqlite3_vfs_find(NULL);
  cached_vfs = *base_vfs;
  cached_vfs.zName = "volatile";
  cached_vfs.szOsFile = (int)sizeof(struct cached_file) + base_vfs->szOsFile;
  cached_vfs.xOpen = cached_open;
  sqlite3_vfs_register(&cached_vfs, 0);
}

/* Of what no sync covered some sectors are as before: newest write first, so that an older one that
 * made it to the disk is what a lost newer one leaves. */
static void power_off(struct rand *rand)
{
  for (uint32_t i = n_cache; i-- > 0;) {
    struct unsynced *one = &cache[i];
    int fd = open(one->path, O_WRONLY | O_CLOEXEC);
    bool all = rand_u64(rand) % 3 == 0, none = !all && rand_u64(rand) % 3 == 0;
    for (int at = 0; fd >= 0 && at < one->n && !none; at += SECTOR) {
      static const char zeros[SECTOR];
      int n = one->n - at < SECTOR ? one->n - at : SECTOR;
      if (!all && rand_u64(rand) % 2) continue;
      int kept = one->was_n - at < 0 ? 0 : one->was_n - at < n ? one->was_n - at : n;
      bool wrote = pwrite(fd, one->was + at, (size_t)kept, one->at + at) == kept &&
                   pwrite(fd, zeros, (size_t)(n - kept), one->at + at + kept) == n - kept;
      must(wrote);
    }
    if (fd >= 0) close(fd);
    ungrab(one->was);
  }
  n_cache = 0;
}

/* --- lives ------------------------------------------------------------------------------------ */

static struct err err;

/* Copies what a power cut leaves, since this process still holds the real files. */
static void copy_file(const char *from, const char *to, const char *name)
{
  char path[512];
  char *bytes = grab(16 << 20);
  snprintf(path, sizeof path, "%s/%s", from, name);
  int in = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = in < 0 ? -1 : read(in, bytes, 16 << 20);
  if (in >= 0) close(in);
  snprintf(path, sizeof path, "%s/%s", to, name);
  int out = n < 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out >= 0) must(write(out, bytes, (size_t)n) == n);
  if (out >= 0) close(out);
  ungrab(bytes);
}

static void fill(struct ledger *ledger, struct rand *rand, const char *synchronous)
{
  if (synchronous) EXPECT_INT(sql_run(ledger_db(ledger), synchronous, &err), OK);
  uint32_t groups = 1 + (uint32_t)(rand_u64(rand) % 40);
  for (uint32_t i = 0; i < groups; i++) {
    EXPECT_INT(ledger_group_begin(ledger, &err), OK);
    for (uint64_t k = 1 + rand_u64(rand) % 5; k > 0; k--) {
      struct event event = event_made(EVENT_MODEL_CREATED, "m", 0);
      EXPECT_INT(ledger_group_add(ledger, &event, 1, &err), OK);
    }
    EXPECT_INT(ledger_group_commit(ledger, &err), OK);
    if (rand_u64(rand) % 4 == 0) {
      int rc = sqlite3_wal_checkpoint_v2(ledger_db(ledger), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                         NULL);
      EXPECT_INT(rc, SQLITE_OK);
    }
  }
}

/* Whether everything that was acknowledged is there after the cut, and the chain holds. */
static bool survives(uint64_t seed, const char *synchronous)
{
  struct rand rand;
  struct datadir dir, after;
  struct ledger *ledger, *left;
  char from[64], to[64];
  rand_seed(&rand, seed);
  disk_start();
  snprintf(from, sizeof from, "%s", temp_dir());
  snprintf(to, sizeof to, "%s", temp_dir());
  EXPECT_INT(datadir_open(&dir, from, &err), OK);
  const struct ledger_opts opts = {.vfs = "volatile"};
  EXPECT_INT(ledger_open(&ledger, &dir, &opts, &err), OK);
  fill(ledger, &rand, synchronous);
  uint64_t said = ledger_last_seq(ledger);
  power_off(&rand);
  copy_file(from, to, "ledger.db");
  copy_file(from, to, "ledger.db-wal"); /* not -shm: that is memory; not head: it may be older */
  uint64_t bad = 1;
  EXPECT_INT(datadir_open(&after, to, &err), OK);
  bool whole = ledger_open(&left, &after, NULL, &err) == OK;
  if (whole) {
    whole = ledger_last_seq(left) == said && ledger_verify(left, &bad, &err) == OK;
    ledger_close(left);
  }
  datadir_close(&after);
  sqlite3_db_config(ledger_db(ledger), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  ledger_close(ledger);
  for (uint32_t i = 0; i < n_cache; i++) ungrab(cache[i].was);
  n_cache = 0;
  datadir_close(&dir);
  temp_remove(from);
  temp_remove(to);
  return whole;
}

/* ST-102 */
TEST(what_was_acknowledged_survives_a_power_cut)
{
  for (uint64_t seed = 1; seed <= 120; seed++)
    if (!survives(seed, NULL)) {
      fprintf(stderr, "seed %llu lost something: %s\n", (unsigned long long)seed, err.text);
      EXPECT(!"nothing is lost");
    }
}

TEST(with_less_syncing_it_does_not_and_this_test_sees_it)
{
  uint32_t lost = 0;
  for (uint64_t seed = 1; seed <= 120; seed++) lost += !survives(seed, "PRAGMA synchronous=NORMAL");
  fprintf(stderr, "synchronous=NORMAL: %u of 120 cuts lost acknowledged changes\n", lost);
  EXPECT(lost > 20);
}
