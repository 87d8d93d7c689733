/* sandbox.c - putting the walls up.
 * Thread: job; of a process of its own.
 * SPDX-License-Identifier: MIT */
#include "jobs/inspect/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"

/* Sanitizers reserve terabytes of address space: no limit of it can be had then. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define MEMORY_LIMITED false
#else
#define MEMORY_LIMITED true
#endif
#define BASE_GUESS (UINT64_C(1) << 30) /* of address space, where there is no /proc to ask */

/* ---- Landlock: newer members than the system's header may know (linux/landlock.h) */

struct landlock_handled {
  uint64_t fs, net, scoped;
};
#define FS_ABI_1    UINT64_C(0x1fff) /* execute to make_sym */
#define FS_REFER    UINT64_C(0x2000)
#define FS_TRUNCATE UINT64_C(0x4000)
#define FS_IOCTL    UINT64_C(0x8000)
#define NET_TCP     UINT64_C(0x3) /* bind, connect */
#define SCOPE_ALL   UINT64_C(0x3) /* abstract sockets, signals */

static long landlock_create(const struct landlock_handled *handled, size_t size, uint32_t flags)
{
  return syscall(SYS_landlock_create_ruleset, handled, size, flags);
}

/* A rule set that handles everything and allows nothing. */
static void landlock_enter(struct sandbox *sandbox)
{
  long abi = landlock_create(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return;
  struct landlock_handled handled = {.fs = FS_ABI_1};
  size_t size = sizeof handled.fs;
  if (abi >= 2) handled.fs |= FS_REFER;
  if (abi >= 3) handled.fs |= FS_TRUNCATE;
  if (abi >= 5) handled.fs |= FS_IOCTL;
  if (abi >= 4) handled.net = NET_TCP, size = offsetof(struct landlock_handled, scoped);
  if (abi >= 6) handled.scoped = SCOPE_ALL, size = sizeof handled;
  int rules = (int)landlock_create(&handled, size, 0);
  if (rules < 0) return;
  if (syscall(SYS_landlock_restrict_self, rules, 0) == 0) {
    sandbox->walls |= WALL_LANDLOCK;
    sandbox->landlock_abi = (uint32_t)abi;
  }
  close(rules);
}

/* ---- privileges and limits */

static void privileges_drop(struct sandbox *sandbox)
{
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
  bool dropped = syscall(SYS_capset, &head, none) == 0;
  bool fixed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (dropped && fixed) sandbox->walls |= WALL_PRIVILEGES;
}

static void limit_set(__rlimit_resource_t which, uint64_t soft, uint64_t hard)
{
  struct rlimit now, limit = {soft, hard};
  if (getrlimit(which, &now) != 0) return;
  if (limit.rlim_max > now.rlim_max) limit.rlim_max = now.rlim_max;
  if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  setrlimit(which, &limit);
}

/* The first number of statm: pages of address space. */
static uint64_t space_now(int statm_fd)
{
  char text[32];
  uint64_t pages;
  ssize_t n = statm_fd < 0 ? -1 : pread(statm_fd, text, sizeof text, 0);
  const char *end = n > 0 ? memchr(text, ' ', (size_t)n) : NULL;
  if (!end || !text_read_u64(slice_of(text, (size_t)(end - text)), UINT64_MAX >> 20, &pages))
    return BASE_GUESS;
  return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limits_set(struct sandbox *sandbox)
{
  limit_set(RLIMIT_CORE, 0, 0);
  limit_set(RLIMIT_FSIZE, 0, 0);
  limit_set(RLIMIT_NOFILE, 0, 0);
  limit_set(RLIMIT_NPROC, 0, 0);
  limit_set(RLIMIT_MEMLOCK, 0, 0);
  limit_set(RLIMIT_CPU, sandbox->cpu_s, sandbox->cpu_s + 1);
  sandbox->base_bytes = space_now(sandbox->statm_fd);
  if (!MEMORY_LIMITED || !sandbox->memory_bytes) return;
  limit_set(RLIMIT_AS, sandbox->base_bytes + sandbox->memory_bytes,
            sandbox->base_bytes + sandbox->memory_bytes_max);
  sandbox->walls |= WALL_MEMORY;
}

void sandbox_memory(struct sandbox *sandbox, uint64_t bytes)
{
  if (bytes > sandbox->memory_bytes_max) bytes = sandbox->memory_bytes_max;
  sandbox->memory_bytes = bytes;
  if (sandbox->walls & WALL_MEMORY)
    limit_set(RLIMIT_AS, sandbox->base_bytes + bytes,
              sandbox->base_bytes + sandbox->memory_bytes_max);
}

/* ---- system calls */

/* Everything that reading open files, having memory and computing needs. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(pread64),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(membarrier),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* Nothing that goes wrong by itself calls these: whoever does is not to get a second try. */
static const int fatal[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(bpf),
    SCMP_SYS(mount),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(keyctl),
};

static bool rules_add(scmp_filter_ctx filter)
{
  const struct scmp_arg_cmp plain_map = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  const struct scmp_arg_cmp to_self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
  const struct scmp_arg_cmp limits[] = {SCMP_A0(SCMP_CMP_EQ, 0, 0),
                                        SCMP_A1(SCMP_CMP_EQ, RLIMIT_AS, 0)};
  bool good = true;
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
    good = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0 && good;
  for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
    good = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, fatal[i], 0) == 0 && good;
  good = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &plain_map) == 0 && good;
  good = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &plain_map) == 0 &&
         good;
  /* to end itself */
  good = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &to_self) == 0 && good;
  good =
      seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, limits) == 0 && good;
  return good;
}

static void seccomp_enter(struct sandbox *sandbox)
{
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (!filter) return;
  if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
      seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
      rules_add(filter) && seccomp_load(filter) == 0)
    sandbox->walls |= WALL_SECCOMP;
  seccomp_release(filter);
}

void sandbox_enter(struct sandbox *sandbox)
{
  sandbox->walls = sandbox->landlock_abi = 0;
  privileges_drop(sandbox);
  landlock_enter(sandbox);
  if (sandbox->threads) sandbox->threads(sandbox->arg);
  limits_set(sandbox);
  seccomp_enter(sandbox);
}

bool sandbox_holds(void)
{
  int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int sock = socket(AF_INET, SOCK_STREAM, 0);
  int sent = kill(getppid(), 0);
  return fd < 0 && sock < 0 && sent < 0;
}
