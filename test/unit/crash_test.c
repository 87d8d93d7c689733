/* crash_test.c - SIGKILL at random moments: what was acknowledged is there afterwards, the chain
 * holds, no object is half there, and opening again takes less than two seconds.
 * Thread: main.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/rand.h"
#include "store.h"
#include "store/artifact.h"

enum { ROUNDS = 25, OBJECT_BYTES = 20000 };

/* Content that depends on its number only. */
static void object_fill(char *bytes, uint32_t number)
{
  struct rand rand;
  rand_seed(&rand, number);
  for (int i = 0; i < OBJECT_BYTES; i += 8) {
    uint64_t word = rand_u64(&rand);
    memcpy(bytes + i, &word, 8);
  }
}

static struct digest object_digest(uint32_t number)
{
  static char bytes[OBJECT_BYTES];
  object_fill(bytes, number);
  return sha256_of(slice_of(bytes, sizeof bytes));
}

/* The child: pushes versions one after the other, and says so only after they are durable. */
static void child_push(const char *path, uint32_t from, int answers)
{
  static char bytes[OBJECT_BYTES];
  struct datadir dir;
  struct ledger *ledger;
  struct err err = {0};
  if (datadir_open(&dir, path, &err) || ledger_open(&ledger, &dir, NULL, &err)) _exit(1);
  for (uint32_t number = from;; number++) {
    struct stage *stage;
    struct event_file file = {.name = SLICE("model.onnx")};
    object_fill(bytes, number);
    if (stage_new(&stage, &dir, 0, &err) ||
        stage_add(stage, slice_of(bytes, OBJECT_BYTES / 2), &err) ||
        stage_add(stage, slice_of(bytes + OBJECT_BYTES / 2, OBJECT_BYTES / 2), &err) ||
        stage_commit(stage, &file.digest, &file.bytes, &err))
      _exit(2);
    struct event event = event_made(EVENT_VERSION_PUSHED, "m", number);
    event.files = &file;
    event.n_files = 1;
    if (ledger_append(ledger, &event, 1, &err)) _exit(3);
    if (write(answers, &number, sizeof number) != sizeof number) _exit(4);
    ledger_tidy(ledger);
  }
}

struct found {
  const struct datadir *dir;
  uint32_t newest;
};

static enum code event_found(void *arg, const struct event *event, struct err *err)
{
  struct found *found = arg;
  EXPECT_INT(event->version, found->newest + 1);
  found->newest = event->version;
  struct digest want = object_digest(event->version);
  EXPECT(event->n_files == 1 && memcmp(&event->files[0].digest, &want, sizeof want) == 0);
  EXPECT_INT(artifact_verify(found->dir, &event->files[0].digest, err), OK);
  return OK;
}

/* Everything below objects/ is whole, whether the ledger knows it or not. */
static int objects_check(const struct datadir *dir)
{
  int n = 0;
  DIR *folders = fdopendir(openat(dir->objects_fd, ".", O_RDONLY));
  struct dirent *folder, *object;
  while ((folder = readdir(folders))) {
    if (folder->d_name[0] == '.') continue;
    DIR *objects = fdopendir(openat(dir->objects_fd, folder->d_name, O_RDONLY));
    while ((object = readdir(objects))) {
      struct digest digest;
      struct err err = {0};
      if (object->d_name[0] == '.') continue;
      EXPECT(digest_from_hex(slice_str(object->d_name), &digest));
      EXPECT_INT(artifact_verify(dir, &digest, &err), OK);
      n++;
    }
    closedir(objects);
  }
  closedir(folders);
  return n;
}

TEST(nothing_acknowledged_is_lost)
{
  const char *path = temp_dir();
  struct rand rand;
  uint64_t seed = (uint64_t)clock_ns();
  uint32_t newest = 0, acknowledged_all = 0;
  int failures = test_failures;
  rand_seed(&rand, seed);
  for (int round = 0; round < ROUNDS; round++) {
    int answers[2];
    EXPECT(pipe(answers) == 0);
    pid_t child = fork();
    if (child == 0) {
      close(answers[0]);
      child_push(path, newest + 1, answers[1]);
    }
    close(answers[1]);
    uint32_t acknowledged = newest, number, wait_for = (uint32_t)(rand_u64(&rand) % 8);
    for (uint32_t i = 0; i <= wait_for; i++)
      if (read(answers[0], &number, sizeof number) == sizeof number) acknowledged = number;
    usleep((useconds_t)(rand_u64(&rand) % 4000)); /* somewhere inside the next push */
    kill(child, SIGKILL);
    int status;
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    while (read(answers[0], &number, sizeof number) == sizeof number) acknowledged = number;
    close(answers[0]);

    struct datadir dir;
    struct ledger *ledger;
    struct err err = {0};
    uint64_t bad;
    int64_t began = clock_us();
    EXPECT_INT(datadir_open(&dir, path, &err), OK);
    EXPECT_INT(ledger_open(&ledger, &dir, NULL, &err), OK);
    EXPECT(clock_us() - began < 2000000);
    struct found found = {&dir, 0};
    EXPECT_INT(ledger_replay(ledger, 1, event_found, &found, &err), OK);
    EXPECT_INT(ledger_verify(ledger, &bad, &err), OK);
    EXPECT(found.newest >= acknowledged);
    EXPECT(found.newest <= acknowledged + 1);
    EXPECT(objects_check(&dir) >= (int)found.newest);
    acknowledged_all += acknowledged - newest;
    newest = found.newest;
    ledger_close(ledger);
    datadir_close(&dir);
  }
  EXPECT(acknowledged_all >= ROUNDS);
  if (test_failures != failures) printf("seed %" PRIu64 "\n", seed);
  temp_remove(path);
}
