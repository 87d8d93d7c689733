/* net_malloc_test.c - a warm request path never reaches the heap: not through grab, not through
 * malloc, not by mapping blocks. The whole process is counted, its worker thread too.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "net_rig.h"
#include "stat/assign.h"

/* Everybody's malloc in this program is counted (glibc's own stays behind it). Sanitizers bring
 * their own malloc: there only grabs are counted. */
static _Atomic uint64_t mallocs;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t n, size_t each);
extern void *__libc_realloc(void *old, size_t bytes);
void *malloc(size_t bytes)
{
  atomic_fetch_add(&mallocs, 1);
  return __libc_malloc(bytes);
}
void *calloc(size_t n, size_t each)
{
  atomic_fetch_add(&mallocs, 1);
  return __libc_calloc(n, each);
}
void *realloc(void *old, size_t bytes)
{
  atomic_fetch_add(&mallocs, 1);
  return __libc_realloc(old, bytes);
}
void *mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
  atomic_fetch_add(&mallocs, 1);
  return (void *)syscall(SYS_mmap, at, bytes, prot, flags, fd, offset);
}
#define COUNTS_MALLOC 1
#else
#define COUNTS_MALLOC 0
#endif

static struct rig rig;
enum { CLIENTS = 8 };
static struct client clients[CLIENTS];
static char text[300 << 10];
static size_t text_len;

static void rounds(int n)
{
  for (int i = 0; i < n; i++) {
    for (int c = 0; c < CLIENTS; c++) client_send(&clients[c], text, text_len);
    for (int c = 0; c < CLIENTS; c++) EXPECT_INT(client_read(&clients[c]), 200);
  }
}

/* Warms up, then expects n rounds without one allocation. */
static void expect_none(const char *what, int n)
{
  rounds(50);
  uint64_t grabs = grab_count(), heaps = atomic_load(&mallocs);
  rounds(n);
  if (grab_count() != grabs || atomic_load(&mallocs) != heaps) printf("%s allocates\n", what);
  EXPECT_INT(grab_count() - grabs, 0);
  EXPECT_INT(atomic_load(&mallocs) - heaps, 0);
}

/* All clients in work at once: as many blocks as they can ever need together are there afterwards,
 * however the machine's stalls bunch their requests later. The C library reads its time zone at the
 * first date it prints; a log line about a stall may be that. */
static void high_water(void)
{
  char now[25];
  clock_text(0, now);
  text_len = rig_post(text, sizeof text, "/v2/models/slow/infer", "", INFER1);
  rounds(1);
}

TEST(the_counter_counts)
{
  uint64_t before = atomic_load(&mallocs);
  void *volatile p = malloc(10); /* or the compiler sees through it */
  free(p);
  p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(p, 4096);
  EXPECT_INT(atomic_load(&mallocs) - before, COUNTS_MALLOC ? 2 : 0);
}

TEST(warm_requests_do_not_allocate)
{
  rig_up(&rig);
  for (int c = 0; c < CLIENTS; c++) client_open(&clients[c], &rig);
  high_water();
  text_len = rig_post(text, sizeof text, "/v2/models/digits/infer", "", INFER16);
  expect_none("a resident", 10000 / CLIENTS);
  text_len = rig_post(text, sizeof text, "/v2/models/hop/infer", "", INFER16);
  expect_none("a hop", 1000 / CLIENTS);
  text_len = rig_post(text, sizeof text, "/v1/models/big:predict", "", "{\"instances\":[1,2,3]}");
  expect_none("v1", 1000 / CLIENTS);
  text_len = rig_post(text, sizeof text, "/v2/models/nobody/infer", "", INFER16);
  for (int c = 0; c < CLIENTS; c++) client_send(&clients[c], text, text_len);
  for (int c = 0; c < CLIENTS; c++) EXPECT_INT(client_read(&clients[c]), 404);
  text_len = (size_t)sprintf(text, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  expect_none("health", 1000 / CLIENTS);
  for (int c = 0; c < CLIENTS; c++) client_close(&clients[c]);
  rig_down(&rig);
}

TEST(warm_large_requests_do_not_allocate)
{
  static char body[280 << 10];
  size_t n = (size_t)sprintf(
      body, "{\"inputs\":[{\"name\":\"x\",\"shape\":[40000],\"datatype\":\"FP32\",\"data\":[1");
  for (int i = 1; i < 40000; i++) n += (size_t)sprintf(body + n, ",%d", i);
  sprintf(body + n, "]}]}");
  rig_up(&rig);
  for (int c = 0; c < CLIENTS; c++) client_open(&clients[c], &rig);
  text_len = rig_post(text, sizeof text, "/v2/models/big/infer", "", body);
  expect_none("280 KiB of JSON", 5);
  text_len = rig_post(text, sizeof text, "/v2/models/big/infer", "Accept-Encoding: gzip\r\n", body);
  expect_none("a compressed answer", 2);
  for (int c = 0; c < CLIENTS; c++) client_close(&clients[c]);
  rig_down(&rig);
}

/* A request of a user whom half of the traffic gives to that side. */
static void user_make(bool candidate)
{
  char field[32];
  int user = 0, len = 0;
  do len = snprintf(field, sizeof field, "u-%d", user++);
  while (assign_is_candidate(assign_hash(SLICE("rig/17"), slice_of(field, (size_t)len)),
                             WEIGHT_WHOLE / 2) != candidate);
  snprintf(field, sizeof field, "x-user: u-%d\r\n", user - 1);
  text_len = rig_post(text, sizeof text, "/v2/models/big/infer", field, INFER1);
}

/* Half of the requests to a candidate by header, segments, and a shadow: first one so slow that as
 * many as may wait do, so that later on there are blocks for them all; then one on the loop. */
TEST(warm_requests_in_a_release_do_not_allocate)
{
  static const char *const shadows[] = {"slow", "big"};
  rig_start(&rig, 1, NULL);
  rig.release = (struct rig_release){.model = "big",
                                     .shadow = true,
                                     .split = {.number = 17,
                                               .seed = SLICE("rig/17"),
                                               .sticky = STICKY_HEADER,
                                               .sticky_name = SLICE("x-user"),
                                               .segments = {SLICE("header:x-user")},
                                               .n_segments = 1,
                                               .shadow_weight = WEIGHT_WHOLE,
                                               .unjudged_max = UINT32_MAX}};
  for (int c = 0; c < 2; c++) {
    rig.release.candidate = shadows[c];
    rig.release.weight = c ? WEIGHT_WHOLE / 2 : 0;
    rig.release.split.number = 17 + (uint32_t)c;
    rig_publish(&rig, RIG_MODELS);
    if (c) usleep(1500000); /* what waits of the first release is given up */
    for (int i = 0; i < CLIENTS && c == 0; i++) client_open(&clients[i], &rig);
    if (c == 0) high_water();
    user_make(true);
    expect_none(c ? "a canary with a resident shadow" : "a slow shadow", 1000 / CLIENTS);
    user_make(false);
    expect_none("the other arm", 1000 / CLIENTS);
  }
  rig_pulse(&rig);
  EXPECT(rig.release_sum.shadow_dropped > 100);
  EXPECT(rig.release_sum.pairs + rig.release_sum.repeats > 0);
  EXPECT(rig.candidate_sum.requests > 100 && rig.stable_sum.requests > 100);
  for (int c = 0; c < CLIENTS; c++) client_close(&clients[c]);
  rig_down(&rig);
}
