/* asset.c - answers the loop gives by itself: alive, ready. They need no call, so they are
 * given even when every call is taken.
 * Thread: its loop.
 * "/" answers JSON to everybody until there is a dashboard to show.
 * SPDX-License-Identifier: MIT */
#include "net/loop_int.h"

static const char *ready_text(enum serve_state state)
{
  switch (state) {
    case SERVE_READY: return "{\"ready\":true}\n";
    case SERVE_DRAINING: return "{\"ready\":false,\"error\":\"the server is shutting down\"}\n";
    case SERVE_STARTING: return "{\"ready\":false,\"error\":\"the server is starting\"}\n";
    case SERVE_WAITING: break;
  }
  return "{\"ready\":false,\"error\":\"a model that should serve does not yet\"}\n";
}

void asset_answer(struct conn *conn, const struct route *route)
{
  struct loop *loop = conn->loop;
  enum serve_state state = SERVE_READY;
  const char *text = "{\"status\":\"alive\"}\n";
  request_unread(conn);
  if (route->kind == ROUTE_LIVE) text = "{\"live\":true}\n";
  if (route->kind == ROUTE_READY) {
    state = serve_state(loop->serve);
    text = ready_text(state);
  }
  struct slice body = slice_str(text);
  struct answer answer = {
      .status = state == SERVE_READY ? 200 : 503,
      .content_type = "application/json",
      .retry_after_s = state == SERVE_READY ? 0 : 1,
      .parts = &body,
      .n_parts = 1,
      .bytes = body.len,
  };
  send_answer(conn, &answer, SEND_COPY);
}
