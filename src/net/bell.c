/* bell.c - an eventfd, and whether it was written to.
 * Thread: bell_ring: any; its loop.
 * SPDX-License-Identifier: MIT */
#include "net/bell.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"

void bell_init(struct bell *bell)
{
  bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  must(bell->fd >= 0);
  atomic_init(&bell->rung, false);
}

void bell_deinit(struct bell *bell) { must(close(bell->fd) == 0); }

/* Both exchanges release and acquire: a ring that finds the mark set is seen by the one that takes
 * it away, with all that came before that ring. */
void bell_ring(struct bell *bell)
{
  if (atomic_exchange_explicit(&bell->rung, true, memory_order_acq_rel)) return;
  must(eventfd_write(bell->fd, 1) == 0);
}

void bell_heard(struct bell *bell)
{
  eventfd_t times;
  must(eventfd_read(bell->fd, &times) == 0 || errno == EAGAIN);
  (void)atomic_exchange_explicit(&bell->rung, false, memory_order_acq_rel);
}

bool bell_wait(struct bell *bell, int64_t us)
{
  struct pollfd fd = {.fd = bell->fd, .events = POLLIN};
  struct timespec left = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
  return ppoll(&fd, 1, &left, NULL) == 1;
}
