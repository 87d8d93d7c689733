/* asset.c - answers the loop gives by itself: alive, ready. They need no call, so they are
 * given even when every call is taken.
 * Thread: its loop.
 * "/" answers JSON to everybody until there is a dashboard to show.
 * SPDX-License-Identifier: MIT */
#include "net/loop_int.h"

enum asset_kind { ASSET_ALIVE, ASSET_LIVE, ASSET_READY };

static enum asset_kind asset_of(const char *pattern)
{
  if (strcmp(pattern, "/v2/health/live") == 0) return ASSET_LIVE;
  if (strcmp(pattern, "/v2/health/ready") == 0 || strcmp(pattern, "/readyz") == 0)
    return ASSET_READY;
  return ASSET_ALIVE;
}

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
  bool ready = true;
  const char *text = "{\"status\":\"alive\"}\n";
  request_unread(conn);
  switch (asset_of(route->pattern)) {
    case ASSET_ALIVE: break;
    case ASSET_LIVE: text = "{\"live\":true}\n"; break;
    case ASSET_READY:
      ready = serve_state(loop->serve) == SERVE_READY;
      text = ready_text(serve_state(loop->serve));
  }
  struct slice body = slice_str(text);
  struct answer answer = {
      .status = ready ? 200 : 503,
      .content_type = "application/json",
      .retry_after_s = ready ? 0 : 1,
      .parts = &body,
      .n_parts = 1,
      .bytes = body.len,
  };
  send_answer(conn, &answer, SEND_COPY);
}
