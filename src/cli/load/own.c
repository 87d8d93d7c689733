/* own.c - serve as a child process.
 * Thread: main (own).
 * SPDX-License-Identifier: MIT */
#include "cli/load/own.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { OWN_READY_US = 10000000 };

static int unlink_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void)st;
  (void)type;
  (void)ftw;
  return remove(path);
}

/* Another may take it before we do; then the server says so. */
static unsigned port_free(void)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 ||
      getsockname(fd, (struct sockaddr *)&at, &len) != 0)
    at.sin_port = 0;
  if (fd >= 0) close(fd);
  return ntohs(at.sin_port);
}

enum code own_start(struct own *own, const char *what, const char *listen, struct err *err)
{
  *own = (struct own){0};
  if (listen)
    snprintf(own->listen, sizeof own->listen, "%s", listen);
  else
    snprintf(own->listen, sizeof own->listen, "127.0.0.1:%u", port_free());
  snprintf(own->url, sizeof own->url, "http://%s", own->listen);
  snprintf(own->data, sizeof own->data, "/tmp/slipway-%s-XXXXXX", what);
  if (!mkdtemp(own->data)) {
    own->data[0] = '\0';
    return fail(err, E_UNAVAILABLE, "cannot make a folder for the server: %s", strerror(errno));
  }
  own->pid = fork();
  if (own->pid < 0) {
    own->pid = 0;
    return fail(err, E_UNAVAILABLE, "cannot start the server");
  }
  if (own->pid == 0) {
    char log[96];
    setpgid(0, 0); /* Ctrl-C is ours, we tell it */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    snprintf(log, sizeof log, "%s/serve.err", own->data);
    if (!freopen(log, "w", stderr) || !freopen("/dev/null", "w", stdout)) _exit(70);
    execl("/proc/self/exe", "slipway", "serve", "--data", own->data, "--listen", own->listen,
          (char *)NULL);
    _exit(70);
  }
  return OK;
}

/* Why it ended: the last line it wrote. */
static void words_read(const struct own *own, char *line, size_t cap)
{
  char path[96], next[512];
  snprintf(line, cap, "it said nothing");
  snprintf(path, sizeof path, "%s/serve.err", own->data);
  FILE *file = fopen(path, "re");
  while (file && fgets(next, sizeof next, file))
    if (strncmp(next, "slipway: ", 9) == 0)
      snprintf(line, cap, "%.*s", (int)strcspn(next + 9, "\n"), next + 9);
  if (file) fclose(file);
}

enum code own_await(struct own *own, struct client *client, struct err *err)
{
  int64_t until = clock_us() + OWN_READY_US;
  for (;;) {
    struct answer answer;
    enum code code = client_call(client, "GET", "/readyz", SLICE_NONE, 1, &answer, err);
    answer_free(&answer);
    if (code == OK) return err->code = OK;
    if (waitpid(own->pid, NULL, WNOHANG) == own->pid) {
      char words[512];
      own->pid = 0;
      words_read(own, words, sizeof words);
      return fail(err, E_UNAVAILABLE, "the server ended: %s", words);
    }
    if (clock_us() > until) return fail(err, E_UNAVAILABLE, "the server was not ready in 10 s");
    poll(NULL, 0, 10);
  }
}

void own_end(struct own *own)
{
  if (own->pid > 0) {
    kill(own->pid, SIGTERM);
    waitpid(own->pid, NULL, 0);
  }
  if (own->data[0]) nftw(own->data, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
  *own = (struct own){0};
}
