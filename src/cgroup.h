/* cgroup.h - the memory limit this process lives under, by files of the kernel, and the budget that
 * follows from it. What cannot be read, or is not what the kernel writes, counts as not there.
 * Thread: main.
 *
 * Counted is the group with the least limit from the own one up to the mount's root, of version 2,
 * else of version 1's memory controller. In a container whose files show only its own group the
 * path in /proc does not lie below the mount: then the root of the mount is that group.
 * Source: the kernel's cgroup-v2.rst and cgroup-v1/memory.rst.
 * SPDX-License-Identifier: MIT */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>
#include <stdint.h>

enum { KERNEL_TEXT_MAX = 8192 };

/* The beginning of a small file as a string; false: it cannot be read. */
bool kernel_text(const char *path, char to[KERNEL_TEXT_MAX]);
/* What stands behind `key`, which begins a line; NULL: there is no such line. */
const char *kernel_behind(const char *text, const char *key);
/* Digits and then white space or the end; false: something else, or more than 64 bits. */
bool kernel_number(const char *text, uint64_t *to);
uint64_t kernel_number_behind(const char *text, const char *key); /* 0: none */

struct cgroup {
  char folder[512]; /* empty: none that can be read */
  bool v1;
};

/* root: stands before /proc and /sys; "" but in tests. */
void cgroup_find(struct cgroup *cgroup, const char *root);
bool cgroup_text(const struct cgroup *cgroup, const char *name, char to[KERNEL_TEXT_MAX]);
uint64_t cgroup_limit(const struct cgroup *cgroup); /* 0: none */
/* Without inactive pages of files, which the kernel takes back first. 0: not known. */
uint64_t cgroup_used(const struct cgroup *cgroup);

#define BUDGET_MARGIN_MAX (UINT64_C(256) << 20)
enum { BUDGET_MARGIN_PART = 16 };
/* What was said, else the cgroup's limit where it is below the machine's memory, less a sixteenth
 * (256 MiB at most) for what the kernel holds for us, else the machine's memory. *from: "option",
 * "cgroup" or "machine". */
uint64_t budget_choose(uint64_t said, uint64_t machine, uint64_t limit, const char **from);

#endif
