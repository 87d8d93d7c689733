/* request.c - one request of a connection: its head to a route, its body to a call or an ask,
 * and the answer that comes of it.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "net/loop_int.h"
#include "serve/quota/meter.h"

/* --- refusing -------------------------------------------------------------------------------- */

bool request_skippable(const struct conn *conn)
{
  const struct http_head *head = &conn->h1.head;
  /* A client that waits for "100 Continue" and gets an answer may or may not send its body. */
  return !conn->h1.close && !head->chunked && !head->expect_continue &&
         head->content_length <= SKIP_MAX;
}

void request_unread(struct conn *conn)
{
  struct err ignored;
  if (!conn->whole && h1_body_limit(&conn->h1, SKIP_MAX, &ignored)) conn->keep = false;
}

static void request_refuse(struct conn *conn, const struct err *err)
{
  request_unread(conn);
  send_error(conn, err, NULL);
}

void request_bad(struct conn *conn, const struct err *err)
{
  struct err why = *err;
  conn->keep = false;
  if (conn->state == CONN_READY) { /* the head never became whole: no id, no method */
    conn->id_len = serve_request_id(conn->loop->serve, SLICE_NONE, conn->id);
    conn->bodyless = conn->whole = false;
    serve_count_request(conn->loop->serve);
  }
  if (conn->state == CONN_SKIP) { /* answered long ago */
    conn_close(conn);
    return;
  }
  if (conn->call || conn->errand) request_left(conn);
  if (conn->state != CONN_CLOSED) send_error(conn, &why, NULL);
}

void request_slow(struct conn *conn)
{
  struct err err;
  if (conn->state == CONN_READY)
    fail(&err, E_REQUEST_TIMEOUT, "the request head did not arrive in time");
  else
    fail(&err, E_REQUEST_TIMEOUT, "the request body arrives too slowly; send at least 1 KiB/s");
  request_bad(conn, &err);
}

/* --- inference ------------------------------------------------------------------------------- */

/* Sends the answer of a call and lets go of it, as far as it has come home. */
static void call_answer(struct conn *conn, struct call *call)
{
  struct loop *loop = conn->loop;
  bool gone = call->state == CALL_GONE;
  send_answer(conn, &call->answer, gone ? SEND_COPY : SEND_CALL);
  conn->call = NULL;
  if (gone) return; /* its task is still out */
  path_end(call);
  pool_put(&loop->calls, call);
}

static void call_step(struct conn *conn, struct call *call, enum step step)
{
  if (step == STEP_REPLY)
    call_answer(conn, call);
  else
    conn->state = call->state == CALL_BODY ? CONN_BODY : CONN_BUSY;
}

static void infer_begin(struct conn *conn, const struct route *route, const struct slice *params,
                        const struct who *who)
{
  struct loop *loop = conn->loop;
  struct err *err = &loop->err;
  uint64_t body_max = loop->limits.body_max;
  if (route->body_max < body_max) body_max = route->body_max;
  if (h1_body_limit(&conn->h1, body_max, err)) {
    request_refuse(conn, err);
    return;
  }
  struct call *call = pool_get(&loop->calls);
  if (!call) {
    fail(err, E_NO_CAPACITY, "too many requests are in work at once; retry in a moment");
    request_refuse(conn, err);
    return;
  }
  conn->call = call;
  struct call_came came = {
      .client = conn,
      .head = &conn->h1.head,
      .tenant = who->tenant,
      .model_name = params[0],
      .version_text = params[1], /* at is NULL where the pattern has none */
      .request_id = slice_of(conn->id, conn->id_len),
      .v1 = route->kind == ROUTE_INFER_V1,
      .body_max = body_max,
  };
  struct arena head = conn->arena;
  arena_init(&conn->arena, ARENA_HEAD_MAX, &loop->blocks.source);
  loop_now(loop); /* the call begins at this turn's time */
  call_step(conn, call, path_begin(loop->serve, call, &came, &head));
  if (conn->state != CONN_BODY) return;
  conn->since_us = call->began_us;
  conn->left = 0;
  if (conn->h1.head.expect_continue && conn->in.len == 0) send_continue(conn);
}

/* What a call waited for is here. */
static void call_on(struct loop *loop, struct call *call)
{
  struct conn *conn = call->client;
  if (call->state == CALL_GONE) {
    path_gone_home(call);
    path_end(call);
    pool_put(&loop->calls, call);
    return;
  }
  call_step(conn, call, path_resume(call));
  conn_go(conn);
}

void call_home(struct loop *loop, struct mail *answer)
{
  struct shadow *shadow = shadow_of_task(loop->serve, answer);
  if (shadow) {
    shadow_home(shadow);
    return;
  }
  struct call *call = call_of_task(answer);
  call_on(loop, call);
}

void call_landed(struct loop *loop, struct mail *landed)
{
  call_on(loop, call_of_flight(landed));
}

static void call_late(struct call *call, void *client)
{
  struct conn *conn = client;
  call_answer(conn, call);
  conn_go(conn);
}

void calls_woken(struct loop *loop)
{
  struct call *call;
  while ((call = serve_woken(loop->serve, loop_now(loop)))) {
    struct conn *conn = call->client;
    call_step(conn, call, path_resume(call));
    conn_go(conn);
  }
}

bool calls_asked(struct loop *loop)
{
  struct far_ask *ask;
  bool any = false;
  for (; (ask = far_told(loop->far.far)); any = true) call_on(loop, call_of_ask(ask));
  return any;
}

void calls_late(struct loop *loop)
{
  calls_woken(loop);
  serve_late(loop->serve, loop_now(loop), call_late);
}

/* --- events ---------------------------------------------------------------------------------- */

static void route_missing(struct conn *conn, uint32_t allow)
{
  struct err *err = &conn->loop->err;
  char text[ROUTE_ALLOW_MAX + 1];
  struct slice target = conn->h1.head.target;
  request_unread(conn);
  if (!allow) {
    fail(err, E_NOT_FOUND, "there is nothing at \"%.*s\"; GET /api/v1/openapi.json lists what is",
         SLICE_ARG(target));
    send_error(conn, err, NULL);
    return;
  }
  text[route_allow_text(allow, text)] = '\0';
  struct slice verb = conn->h1.head.verb;
  fail(err, E_METHOD_NOT_ALLOWED, "\"%.*s\" takes %s, not %.*s", SLICE_ARG(target), text,
       SLICE_ARG(verb));
  send_error(conn, err, text);
}

/* A connection is its tenant's from the first request with a key of that tenant's on. Who needs no
 * key is not counted on this machine, as its address is not. */
static enum code conn_join(struct conn *conn, const struct who *who, struct err *err)
{
  struct loop *loop = conn->loop;
  const struct tenant *tenant = who->tenant;
  if (!tenant || who->acts || tenant->meter == conn->meter) return OK;
  if (conn->meter) meter_level_give(&conn->meter->connections);
  conn->meter = NULL;
  bool said = tenant->quotas && tenant->quotas->said[QUOTA_connections];
  if (!tenant->meter || (!who->key && conn->loopback && !said)) return OK;
  if (take_connection(&tenant->allow, loop_now(loop), err)) {
    conn->keep = false;
    return err->code;
  }
  conn->meter = tenant->meter;
  return OK;
}

/* Who asks, whom for, and whether they may: the one place where a request is let through. */
static enum code request_may(struct conn *conn, const struct url *url, const struct route *route,
                             struct who *who)
{
  struct loop *loop = conn->loop;
  struct err *err = &loop->err;
  struct slice ticket = SLICE_NONE, tenant = http_head_get(&conn->h1.head, FIELD_TENANT);
  struct who_asks asks = {.world = serve_newest(loop->serve), .head = &conn->h1.head};
  asks.wall_ms = (loop_now(loop) + loop->wall_us) / 1000;
  memcpy(asks.peer.at, conn->address.at, sizeof asks.peer.at);
  if (route->kind == ROUTE_STREAM_FLAGS) ticket = url_query_get(url->query, SLICE("ticket"));
  if (ticket.at ? who_of_ticket(&loop->opts.who, &asks, ticket, who, err)
                : who_of(&loop->opts.who, &asks, who, err))
    return err->code;
  if (tenant.at && who_acts(asks.world, tenant, who, err)) return err->code;
  return who_may(who, route->verb, route->resource, err);
}

static void request_route(struct conn *conn, const struct url *url)
{
  struct slice params[ROUTE_PARAMS_MAX];
  struct loop *loop = conn->loop;
  uint32_t allow = 0;
  enum http_method method = conn->h1.head.method;
  const struct route *route = route_match(loop->opts.routes, method, url, params, &allow);
  if (!route) {
    route_missing(conn, allow);
    return;
  }
  struct who who;
  if (request_may(conn, url, route, &who) || conn_join(conn, &who, &loop->err)) {
    request_refuse(conn, &loop->err);
    return;
  }
  switch (route->kind) {
    case ROUTE_INFER_V1:
    case ROUTE_INFER_V2: infer_begin(conn, route, params, &who); break;
    case ROUTE_ALIVE:
    case ROUTE_LIVE:
    case ROUTE_READY: asset_answer(conn, route); break;
    case ROUTE_STREAM_FLAGS: stream_open(conn, route, &who); break;
    case ROUTE_ASK:
    case ROUTE_HOME:
    case ROUTE_UPLOAD: errand_begin(conn, route, url, params, &who); break;
  }
}

void request_head(struct conn *conn)
{
  struct loop *loop = conn->loop;
  const struct http_head *head = &conn->h1.head;
  struct url url;
  serve_count_request(loop->serve);
  conn->whole = !head->chunked && head->content_length == 0;
  conn->bodyless = head->method == METHOD_HEAD;
  conn->keep = head->keep_alive && !conn->h1.close &&
               !serve_presses(loop->serve, ACTION_NO_KEEP_ALIVE);
  conn->id_len = serve_request_id(loop->serve, http_head_get(head, FIELD_X_REQUEST_ID), conn->id);
  conn->since_us = loop_now(loop);
  conn->left = 0;
  if (head->method == METHOD_CONNECT) { /* its target is no path */
    route_missing(conn,
                  1u << METHOD_GET | 1u << METHOD_HEAD | 1u << METHOD_POST | 1u << METHOD_PUT);
    return;
  }
  if (url_parse(head->target, &conn->arena, &url, &loop->err))
    request_refuse(conn, &loop->err);
  else
    request_route(conn, &url);
}

void request_body(struct conn *conn, struct slice piece)
{
  if (conn->state == CONN_SKIP) return;
  if (conn->errand) {
    errand_body(conn, piece);
    return;
  }
  call_step(conn, conn->call, path_body(conn->call, piece));
}

void request_done(struct conn *conn)
{
  conn->whole = true;
  if (conn->state == CONN_SKIP) {
    conn_sent(conn); /* the answer went before */
  } else if (conn->errand) {
    errand_done(conn);
  } else {
    call_step(conn, conn->call, path_resume(conn->call));
  }
}

void request_left(struct conn *conn)
{
  struct call *call = conn->call;
  conn->call = NULL;
  if (conn->errand) errand_left(conn);
  if (!call || call->state == CALL_DONE || call->state == CALL_GONE) return; /* in call_answer */
  serve_count_left(conn->loop->serve);
  if (!path_leave(call)) return;
  path_end(call);
  pool_put(&conn->loop->calls, call);
}
