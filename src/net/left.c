/* left.c - whether a client that will send no more is still there while its call is in work.
 * Thread: its loop.
 *
 * A client that closed and one that only shut its sending side look the same from here: both get a
 * FIN out. So the connection is asked: "100 Continue" is an interim answer that every HTTP/1.1
 * client reads over. What is sent to a socket that is closed comes back as a reset, and then the
 * call is left: what waits in a lane is not run, what runs is stopped. A client that reads on gets
 * its answer.
 * Clients of HTTP/1.0 may not be sent that: these are believed to be there. Whoever sent more ahead
 * is asked, too: the interim answer is of the request that is in work.
 * Source: RFC 9110, section 15.2; robustness rule H1-118; overload rules, section 2.
 * SPDX-License-Identifier: MIT */
#include <poll.h>

#include "net/loop_int.h"

enum { LOOK_MS = 5, LOOKS_MAX = 400 };

static bool conn_is_reset(const struct conn *conn)
{
  uv_os_fd_t fd;
  if (uv_fileno((const uv_handle_t *)&conn->tcp, &fd) != 0) return true;
  struct pollfd look = {.fd = fd};
  return poll(&look, 1, 0) == 1 && look.revents & (POLLERR | POLLHUP);
}

static void leaving_look(struct conn *conn)
{
  bool waits = conn->state == CONN_BUSY && conn->call;
  if (waits && conn_is_reset(conn)) {
    conn_close(conn);
  } else if (!waits || ++conn->looks == LOOKS_MAX) {
    list_remove(&conn->leaving);
  }
}

static void on_look(uv_timer_t *timer)
{
  struct loop *loop = timer->data;
  struct link *link = loop->leaving.next;
  while (link != &loop->leaving) {
    struct conn *conn = LIST_OF(link, struct conn, leaving);
    link = link->next;
    leaving_look(conn);
  }
  if (list_empty(&loop->leaving)) uv_timer_stop(timer);
}

void left_ask(struct conn *conn)
{
  struct loop *loop = conn->loop;
  if (!conn->call || conn->h1.head.minor < 1 || conn->again.next) return;
  send_continue(conn);
  if (conn->state == CONN_CLOSED || conn->leaving.next) return;
  conn->looks = 0;
  list_push_back(&loop->leaving, &conn->leaving);
  if (!uv_is_active((uv_handle_t *)&loop->look))
    uv_timer_start(&loop->look, on_look, LOOK_MS, LOOK_MS);
}
