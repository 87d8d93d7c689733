/* fd_test.c - whole reads and writes, over pipes that hand out what they like.
 * SPDX-License-Identifier: MIT */
#include "base/io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "test.h"

static void *in_pieces(void *arg)
{
  int fd = *(int *)arg;
  for (const char *at = "abcdefghij"; *at; at++) {
    EXPECT_INT(write(fd, at, 1), 1);
    usleep(500);
  }
  close(fd);
  return NULL;
}

TEST(a_pipe_that_gives_a_byte_at_a_time_is_read_to_its_end)
{
  int ends[2];
  char to[32] = "";
  pthread_t thread;
  EXPECT_INT(pipe(ends), 0);
  EXPECT_INT(pthread_create(&thread, NULL, in_pieces, &ends[1]), 0);
  EXPECT_INT(fd_read(ends[0], to, 4), 4);
  EXPECT_STR(to, "abcd");
  EXPECT_INT(fd_read(ends[0], to, sizeof to - 1), 6);
  EXPECT_STR(to, "efghij");
  pthread_join(thread, NULL);
  EXPECT_INT(fd_read(ends[0], to, 1), 0);
  close(ends[0]);
}

static void *slow_reader(void *arg)
{
  static char bytes[4096];
  size_t *seen = arg;
  for (ssize_t n; (n = read((int)seen[0], bytes, sizeof bytes)) > 0;) seen[1] += (size_t)n;
  return NULL;
}

TEST(a_pipe_that_takes_some_is_written_to_the_end)
{
  static char bytes[1 << 20];
  int ends[2];
  pthread_t thread;
  EXPECT_INT(pipe(ends), 0);
  size_t seen[2] = {(size_t)ends[0], 0};
  EXPECT_INT(pthread_create(&thread, NULL, slow_reader, seen), 0);
  EXPECT(fd_write(ends[1], slice_of(bytes, sizeof bytes)));
  close(ends[1]);
  pthread_join(thread, NULL);
  EXPECT_INT(seen[1], sizeof bytes);
  close(ends[0]);
}

TEST(places_of_a_file_are_read_and_written_where_they_are)
{
  char to[8] = "";
  int fd = memfd_create("fd_test", 0);
  EXPECT(fd_write_at(fd, SLICE("world"), 3));
  EXPECT(fd_write(fd, SLICE("hel")));
  EXPECT_INT(fd_read_at(fd, to, 4, 2), 4);
  EXPECT_STR(to, "lwor");
  EXPECT_INT(fd_read(fd, to, 2), 2); /* still where the write ended */
  EXPECT(memcmp(to, "wo", 2) == 0);
  EXPECT_INT(fd_read_at(fd, to, 8, 6), 2);
  EXPECT_INT(fd_read_at(fd, to, 8, 100), 0);
  close(fd);
}

TEST(a_lock_that_another_has_is_told_from_one_that_cannot_be)
{
  char name[] = "/tmp/fd_test_XXXXXX";
  int one = mkstemp(name), other = open(name, O_RDWR);
  EXPECT(fd_lock(one, LOCK_EX | LOCK_NB));
  EXPECT(!fd_lock(other, LOCK_EX | LOCK_NB));
  EXPECT_INT(errno, EWOULDBLOCK);
  EXPECT(fd_lock(one, LOCK_UN) && fd_lock(other, LOCK_EX));
  EXPECT(!fd_lock(-1, LOCK_EX));
  EXPECT_INT(errno, EBADF);
  close(one), close(other);
  unlink(name);
}

TEST(what_cannot_be_says_why)
{
  char to[8];
  EXPECT_INT(fd_read(-1, to, 8), -1);
  EXPECT_INT(errno, EBADF);
  EXPECT(!fd_write(-1, SLICE("x")));
  EXPECT_INT(errno, EBADF);
  EXPECT(fd_write(-1, SLICE("")));
}
