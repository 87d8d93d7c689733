/* cgroup_test.c - limits from files of the kernel, and from files that no kernel wrote.
 * SPDX-License-Identifier: MIT */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "cgroup.h"

static char root[64];
static struct cgroup group;

static void file_put(const char *path, const char *text, size_t len)
{
  char full[512];
  int n = snprintf(full, sizeof full, "%s%s", root, path);
  must(n > 0 && (size_t)n < sizeof full);
  for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
    *at = '\0';
    (void)mkdir(full, 0700);
    *at = '/';
  }
  FILE *file = fopen(full, "we");
  must(file && fwrite(text, 1, len, file) == len && fclose(file) == 0);
}

static void put(const char *path, const char *text) { file_put(path, text, strlen(text)); }

/* An empty machine whose process is where `own` says. */
static void fresh(const char *own)
{
  snprintf(root, sizeof root, "/tmp/slipway-cgroup-XXXXXX");
  must(mkdtemp(root) != NULL);
  put("/proc/self/cgroup", own);
}

static uint64_t limit(void)
{
  cgroup_find(&group, root);
  return cgroup_limit(&group);
}

TEST(the_least_limit_on_the_way_up_counts)
{
  fresh("12:cpuset:/\n0::/pod/box\n");
  put("/sys/fs/cgroup/pod/box/memory.max", "max\n");
  EXPECT_INT(limit(), 0);
  put("/sys/fs/cgroup/pod/memory.max", "1073741824\n");
  put("/sys/fs/cgroup/pod/memory.current", "700000000\n");
  put("/sys/fs/cgroup/pod/memory.stat", "anon 1\nfile 2\ninactive_file 200000000\nactive_file 3\n");
  EXPECT_INT(limit(), 1073741824);
  EXPECT_INT(cgroup_used(&group), 500000000);
  put("/sys/fs/cgroup/pod/box/memory.max", "536870912");
  put("/sys/fs/cgroup/pod/box/memory.current", "42");
  EXPECT_INT(limit(), 536870912);
  EXPECT_INT(cgroup_used(&group), 42); /* there is no memory.stat */
  put("/sys/fs/cgroup/pod/box/memory.max", "4294967296\n");
  EXPECT_INT(limit(), 1073741824);
}

TEST(version_1_has_other_names)
{
  fresh("4:hugetlb,memory:/a/b\n1:name=systemd:/memory\n0::/\n");
  put("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "268435456\n");
  put("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1000\n");
  put("/sys/fs/cgroup/memory/a/memory.stat", "inactive_file 900\ntotal_inactive_file 400\n");
  EXPECT_INT(limit(), 268435456);
  EXPECT(group.v1);
  EXPECT_INT(cgroup_used(&group), 600);
}

TEST(a_container_sees_its_own_group_as_the_root)
{
  fresh("0::/../../somewhere/else\n");
  put("/sys/fs/cgroup/memory.max", "1000000\n");
  EXPECT_INT(limit(), 1000000);
  fresh("9:memory:/docker/0123\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n");
  EXPECT_INT(limit(), 2000000);
}

TEST(what_no_kernel_writes_is_no_limit)
{
  static const char *const bad[] = {
      "", "\n", " ", "max", "-1\n", "+5\n", "0x10\n", "1e9\n", "12x\n", "1.5\n",
      "18446744073709551616\n", "99999999999999999999999999999999\n", "\xff\xfe\n"};
  fresh("0::/\n");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    put("/sys/fs/cgroup/memory.max", bad[i]);
    put("/sys/fs/cgroup/memory.current", bad[i]);
    if (limit()) printf("%s\n", bad[i]);
    EXPECT_INT(limit(), 0);
    EXPECT_INT(cgroup_used(&group), 0);
  }
  char many[3 * KERNEL_TEXT_MAX];
  memset(many, '7', sizeof many);
  file_put("/sys/fs/cgroup/memory.max", many, sizeof many);
  EXPECT_INT(limit(), 0);
  file_put("/sys/fs/cgroup/memory.max", "\0" "5000", 5);
  EXPECT_INT(limit(), 0);
  put("/sys/fs/cgroup/memory.max", "18446744073709551615\n");
  EXPECT(limit() == UINT64_MAX);
  put("/sys/fs/cgroup/memory.max", "100\n");
  put("/sys/fs/cgroup/memory.current", "50\n");
  put("/sys/fs/cgroup/memory.stat", "inactive_file 51\n"); /* of another moment */
  EXPECT_INT(limit(), 100);
  EXPECT_INT(cgroup_used(&group), 50);
}

TEST(where_the_process_is_may_be_nonsense)
{
  static const char *const bad[] = {"",          "0",      "0:",          "0::",        "::::\n",
                                    "\n\n\n",    "0::x\n", "4:memory\n",  "4:memory:",  "4:mem:/\n",
                                    "4:memoryx:/\n"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    fresh(bad[i]);
    put("/sys/fs/cgroup/memory.max", "100\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "100\n");
    if (limit()) printf("%s\n", bad[i]);
    EXPECT_INT(limit(), 0);
    EXPECT_INT(cgroup_used(&group), 0);
  }
  char deep[KERNEL_TEXT_MAX * 2] = "0::";
  for (size_t i = 3; i < sizeof deep - 1; i++) deep[i] = i % 2 ? '/' : 'a';
  fresh(deep);
  put("/sys/fs/cgroup/memory.max", "100\n");
  EXPECT_INT(limit(), 0); /* longer than a path may be */
}

TEST(the_budget_leaves_the_kernel_some_room)
{
  const char *from;
  const uint64_t mib = 1 << 20, gib = 1 << 30;
  EXPECT_INT(budget_choose(5 * mib, 8 * gib, gib, &from), 5 * mib);
  EXPECT_STR(from, "option");
  EXPECT_INT(budget_choose(0, 8 * gib, gib, &from), gib - 64 * mib);
  EXPECT_STR(from, "cgroup");
  EXPECT_INT(budget_choose(0, 128 * gib, 64 * gib, &from), 64 * gib - 256 * mib);
  EXPECT_INT(budget_choose(0, 0, gib, &from), gib - 64 * mib); /* the machine's is not known */
  EXPECT_STR(from, "cgroup");
  EXPECT_INT(budget_choose(0, 8 * gib, 8 * gib, &from), 8 * gib);
  EXPECT_STR(from, "machine");
  EXPECT_INT(budget_choose(0, 8 * gib, INT64_MAX, &from), 8 * gib);
  EXPECT_INT(budget_choose(0, 8 * gib, 0, &from), 8 * gib);
  EXPECT_INT(budget_choose(0, 8 * gib, 1, &from), 1);
}
