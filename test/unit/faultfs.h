/* faultfs.h - a SQLite file system that fails on demand: the n-th sync, or every write while
 * "full".
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#ifndef UNIT_FAULTFS_H
#define UNIT_FAULTFS_H

#include <sqlite3.h>

struct fault_file {
  sqlite3_file base, *real; /* the real one follows in memory */
};

static int fault_sync_in = -1;      /* fail the n-th sync from now; -1: none */
static int fault_sync_count;        /* syncs seen */
static bool (*fault_is_full)(void); /* asked at each write; NULL: never */

#define REAL(f) (((struct fault_file *)(f))->real)
static int fault_close(sqlite3_file *f)
{
  return REAL(f)->pMethods ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
}
static int fault_file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
  return REAL(f)->pMethods->xRead(REAL(f), to, n, at);
}
static int fault_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
  if (fault_is_full && fault_is_full()) return SQLITE_FULL;
  return REAL(f)->pMethods->xWrite(REAL(f), from, n, at);
}
static int fault_truncate(sqlite3_file *f, sqlite3_int64 n)
{
  return REAL(f)->pMethods->xTruncate(REAL(f), n);
}
static int fault_sync(sqlite3_file *f, int flags)
{
  fault_sync_count++;
  if (fault_sync_in >= 0 && fault_sync_in-- == 0) return SQLITE_IOERR_FSYNC;
  return REAL(f)->pMethods->xSync(REAL(f), flags);
}
static int fault_size(sqlite3_file *f, sqlite3_int64 *n)
{
  return REAL(f)->pMethods->xFileSize(REAL(f), n);
}
static int fault_lock(sqlite3_file *f, int how) { return REAL(f)->pMethods->xLock(REAL(f), how); }
static int fault_unlock(sqlite3_file *f, int how)
{
  return REAL(f)->pMethods->xUnlock(REAL(f), how);
}
static int fault_reserved(sqlite3_file *f, int *out)
{
  return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}
static int fault_control(sqlite3_file *f, int op, void *arg)
{
  return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}
static int fault_sector(sqlite3_file *f) { return REAL(f)->pMethods->xSectorSize(REAL(f)); }
static int fault_traits(sqlite3_file *f)
{
  return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}
static int fault_shm_map(sqlite3_file *f, int page, int n, int extend, void volatile **at)
{
  return REAL(f)->pMethods->xShmMap(REAL(f), page, n, extend, at);
}
static int fault_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
  return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}
static void fault_shm_barrier(sqlite3_file *f) { REAL(f)->pMethods->xShmBarrier(REAL(f)); }
static int fault_shm_unmap(sqlite3_file *f, int drop)
{
  return REAL(f)->pMethods->xShmUnmap(REAL(f), drop);
}

static const sqlite3_io_methods fault_methods = {2,
                                                 fault_close,
                                                 fault_file_read,
                                                 fault_write,
                                                 fault_truncate,
                                                 fault_sync,
                                                 fault_size,
                                                 fault_lock,
                                                 fault_unlock,
                                                 fault_reserved,
                                                 fault_control,
                                                 fault_sector,
                                                 fault_traits,
                                                 fault_shm_map,
                                                 fault_shm_lock,
                                                 fault_shm_barrier,
                                                 fault_shm_unmap,
                                                 NULL,
                                                 NULL};

static sqlite3_vfs fault_vfs, *fault_base;

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
  (void)vfs;
  struct fault_file *file = (struct fault_file *)f;
  file->real = (sqlite3_file *)(file + 1);
  int rc = fault_base->xOpen(fault_base, name, file->real, flags, out);
  f->pMethods = file->real->pMethods ? &fault_methods : NULL;
  return rc;
}

static void fault_start(void)
{
  fault_sync_in = -1;
  fault_sync_count = 0;
  fault_is_full = NULL;
  if (fault_base) return;
  fault_base = sqlite3_vfs_find(NULL);
  fault_vfs = *fault_base;
  fault_vfs.zName = "fault";
  fault_vfs.szOsFile = (int)sizeof(struct fault_file) + fault_base->szOsFile;
  fault_vfs.xOpen = fault_open;
  sqlite3_vfs_register(&fault_vfs, 0);
}

#endif
