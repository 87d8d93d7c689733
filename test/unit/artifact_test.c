/* artifact_test.c - content in, content out; nothing visible before its commit; rot is noticed.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store.h"
#include "store/artifact.h"

static int staged(const struct datadir *dir)
{
  int n = 0;
  DIR *list = fdopendir(openat(dir->staging_fd, ".", O_RDONLY));
  struct dirent *entry;
  while ((entry = readdir(list))) n += entry->d_name[0] != '.';
  closedir(list);
  return n;
}

static enum code put(const struct datadir *dir, const char *text, struct digest *digest)
{
  struct stage *stage;
  struct err err = {0};
  uint64_t bytes;
  if (stage_new(&stage, dir, 0, &err)) return err.code;
  size_t half = strlen(text) / 2;
  EXPECT_INT(stage_add(stage, slice_of(text, half), &err), OK);
  EXPECT_INT(stage_add(stage, slice_str(text + half), &err), OK);
  enum code code = stage_commit(stage, digest, &bytes, &err);
  EXPECT(code || bytes == strlen(text));
  return code;
}

TEST(an_object_is_found_by_its_content)
{
  const char *temp = temp_dir();
  struct datadir dir;
  struct err err = {0};
  struct digest digest, want = sha256_of(SLICE("hello world"));
  uint64_t bytes = 0;
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(artifact_size(&dir, &want, &bytes, &err), E_NOT_FOUND);
  EXPECT_INT(put(&dir, "hello world", &digest), OK);
  EXPECT(memcmp(&digest, &want, sizeof want) == 0);
  EXPECT_INT(artifact_size(&dir, &digest, &bytes, &err), OK);
  EXPECT_INT(bytes, 11);
  EXPECT_INT(put(&dir, "hello world", &digest), OK); /* again */
  EXPECT_INT(put(&dir, "", &digest), OK);
  EXPECT_INT(artifact_size(&dir, &digest, &bytes, &err), OK);
  EXPECT_INT(bytes, 0);
  EXPECT_INT(staged(&dir), 0);
  int fd;
  char text[16] = "";
  EXPECT_INT(artifact_open(&dir, &want, &fd, &err), OK);
  EXPECT(read(fd, text, sizeof text) == 11 && memcmp(text, "hello world", 11) == 0);
  EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  close(fd);
  datadir_close(&dir);
  temp_remove(temp);
}

TEST(nothing_is_there_before_the_commit_or_after_an_abort)
{
  const char *temp = temp_dir();
  struct datadir dir;
  struct err err = {0};
  struct stage *stage;
  struct digest digest = sha256_of(SLICE("abc"));
  uint64_t bytes;
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(stage_new(&stage, &dir, 0, &err), OK);
  EXPECT_INT(stage_add(stage, SLICE("abc"), &err), OK);
  EXPECT_INT(artifact_size(&dir, &digest, &bytes, &err), E_NOT_FOUND);
  EXPECT_INT(staged(&dir), 1);
  stage_abort(stage);
  stage_abort(NULL);
  EXPECT_INT(artifact_size(&dir, &digest, &bytes, &err), E_NOT_FOUND);
  EXPECT_INT(staged(&dir), 0);
  datadir_close(&dir);
  temp_remove(temp);
}

TEST(a_file_over_its_limit_is_refused)
{
  const char *temp = temp_dir();
  struct datadir dir;
  struct err err = {0};
  struct stage *stage;
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(stage_new(&stage, &dir, 4, &err), OK);
  EXPECT_INT(stage_add(stage, SLICE("abcd"), &err), OK);
  EXPECT_INT(stage_add(stage, SLICE("e"), &err), E_BODY_TOO_LARGE);
  stage_abort(stage);
  EXPECT_INT(staged(&dir), 0);
  datadir_close(&dir);
  temp_remove(temp);
}

TEST(bit_rot_is_noticed_and_healed_by_a_new_push)
{
  const char *temp = temp_dir();
  struct datadir dir;
  struct err err = {0};
  struct digest digest;
  char hex[SHA256_HEX_LEN + 1], path[SHA256_HEX_LEN + 8];
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  EXPECT_INT(put(&dir, "some weights", &digest), OK);
  EXPECT_INT(artifact_verify(&dir, &digest, &err), OK);
  digest_hex(&digest, hex);
  snprintf(path, sizeof path, "%.2s/%s", hex, hex);
  int fd = openat(dir.objects_fd, path, O_WRONLY);
  EXPECT(pwrite(fd, "S", 1, 0) == 1);
  close(fd);
  EXPECT_INT(artifact_verify(&dir, &digest, &err), E_ARTIFACT_CORRUPT);
  EXPECT_INT(put(&dir, "some weights", &digest), OK);
  EXPECT_INT(artifact_verify(&dir, &digest, &err), OK);
  datadir_close(&dir);
  temp_remove(temp);
}

TEST(a_link_in_place_of_an_object_is_refused)
{
  const char *temp = temp_dir();
  struct datadir dir;
  struct err err = {0};
  struct digest digest = sha256_of(SLICE("abc")), made;
  char hex[SHA256_HEX_LEN + 1], path[SHA256_HEX_LEN + 8];
  int fd;
  EXPECT_INT(datadir_open(&dir, temp, &err), OK);
  digest_hex(&digest, hex);
  snprintf(path, sizeof path, "%.2s", hex);
  EXPECT(symlinkat("/tmp", dir.objects_fd, path) == 0);
  EXPECT_INT(artifact_open(&dir, &digest, &fd, &err), E_DENIED);
  EXPECT_INT(put(&dir, "abc", &made), E_DENIED);
  EXPECT_INT(staged(&dir), 0);
  EXPECT(unlinkat(dir.objects_fd, path, 0) == 0 && mkdirat(dir.objects_fd, path, 0700) == 0);
  snprintf(path, sizeof path, "%.2s/%s", hex, hex);
  EXPECT(symlinkat("/etc/passwd", dir.objects_fd, path) == 0);
  EXPECT_INT(artifact_open(&dir, &digest, &fd, &err), E_DENIED);
  datadir_close(&dir);
  temp_remove(temp);
}
