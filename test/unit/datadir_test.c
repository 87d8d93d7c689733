/* datadir_test.c - one owner, no links, nothing half made, nothing left open for children.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store.h"
#include "store/artifact.h"

TEST(it_is_made_with_its_parents_and_private)
{
  char path[128];
  const char *temp = temp_dir();
  snprintf(path, sizeof path, "%s/a/b/data", temp);
  struct datadir dir;
  struct err err = {0};
  EXPECT_INT(datadir_open(&dir, path, &err), OK);
  struct stat st;
  EXPECT(fstat(dir.fd, &st) == 0 && (st.st_mode & 0777) == 0700);
  EXPECT(fstatat(dir.fd, "objects", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode));
  int fds[] = {dir.fd, dir.lock_fd, dir.objects_fd, dir.staging_fd};
  for (int i = 0; i < 4; i++) EXPECT(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
  datadir_close(&dir);
  datadir_close(&dir); /* twice is fine */
  EXPECT_INT(datadir_open(&dir, path, &err), OK);
  datadir_close(&dir);
  temp_remove(temp);
}

TEST(a_second_daemon_is_refused_until_the_first_is_gone)
{
  const char *temp = temp_dir();
  struct datadir one, two;
  struct err err = {0};
  char want[ERR_TEXT_MAX];
  EXPECT_INT(datadir_open(&one, temp, &err), OK);
  EXPECT_INT(datadir_open(&two, temp, &err), E_CONFLICT);
  snprintf(
      want, sizeof want,
      "another slipway, process %d uses this data directory; stop it or choose another with --data",
      (int)getpid());
  EXPECT_STR(err.text, want);
  EXPECT_INT(two.fd, -1);
  datadir_close(&one);
  EXPECT_INT(datadir_open(&two, temp, &err), OK);
  datadir_close(&two);
  temp_remove(temp);
}

TEST(planted_links_are_refused)
{
  static const char *const places[] = {"objects", "staging", "lock"};
  for (int i = 0; i < 3; i++) {
    const char *temp = temp_dir();
    struct datadir dir;
    struct err err = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/%s", temp, places[i]);
    EXPECT(symlink("/tmp", path) == 0);
    EXPECT_INT(datadir_open(&dir, temp, &err), E_DENIED);
    EXPECT(!strstr(err.text, temp));
    temp_remove(temp);
  }
  static const char *const files[] = {"ledger.db", "ledger.db-wal", "ledger.db-shm"};
  for (int i = 0; i < 3; i++) {
    const char *temp = temp_dir();
    struct datadir dir;
    struct ledger *ledger;
    struct err err = {0};
    EXPECT_INT(datadir_open(&dir, temp, &err), OK);
    EXPECT(symlinkat("/tmp/slipway-planted", dir.fd, files[i]) == 0);
    EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), E_DENIED);
    EXPECT(access("/tmp/slipway-planted", F_OK) != 0);
    datadir_close(&dir);
    temp_remove(temp);
  }
}

TEST(places_that_cannot_be_are_named_errors)
{
  struct datadir dir;
  struct err err = {0};
  EXPECT_INT(datadir_open(&dir, "", &err), E_INVALID_ARGUMENT);
  EXPECT_INT(datadir_open(&dir, "/dev/null/x", &err), E_DENIED);
  EXPECT_INT(datadir_open(&dir, "/proc/slipway", &err), E_UNAVAILABLE);
  EXPECT_INT(fail_errno(&err, EDQUOT, "x"), E_STORAGE_FULL);
  EXPECT_INT(fail_errno(&err, EROFS, "x"), E_DENIED);
  EXPECT_INT(fail_errno(&err, EMFILE, "x"), E_UNAVAILABLE);
}

TEST(staging_is_swept_at_start)
{
  const char *temp = temp_dir();
  struct datadir dir;
  struct err err = {0};
  struct stage *stage;
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(stage_new(&stage, &dir, 0, &err), OK);
  EXPECT_INT(stage_add(stage, SLICE("half of it"), &err), OK);
  int left = openat(dir.staging_fd, "stranger", O_CREAT | O_WRONLY, 0600);
  close(left);
  datadir_close(&dir);
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT(faccessat(dir.staging_fd, "stranger", F_OK, 0) != 0);
  stage_abort(stage);
  datadir_close(&dir);
  temp_remove(temp);
}
