/* ask.c - the control plane's requests, carried to a desk and back (ASK, ASK_HOME).
 * Thread: its loop.
 * Desks guard Host and Origin (api/guard.c); here are the limits of the wire. Who asks and whether
 * they may was settled before (request.c).
 * SPDX-License-Identifier: MIT */
#include "net/errand_int.h"

enum { ERRAND_EXTRA = 1 << 20 };

static const enum http_field_id header_fields[ASK_HEADERS_MAX] = {
    [ASK_ACCEPT] = FIELD_ACCEPT,
    [ASK_CONTENT_TYPE] = FIELD_CONTENT_TYPE,
    [ASK_HOST] = FIELD_HOST,
    [ASK_ORIGIN] = FIELD_ORIGIN,
    [ASK_IF_NONE_MATCH] = FIELD_IF_NONE_MATCH,
    [ASK_IF_MATCH] = FIELD_IF_MATCH,
    [ASK_IDEMPOTENCY_KEY] = FIELD_IDEMPOTENCY_KEY,
    [ASK_UPLOAD_OFFSET] = FIELD_UPLOAD_OFFSET,
    [ASK_UPLOAD_COMPLETE] = FIELD_UPLOAD_COMPLETE,
    [ASK_UPLOAD_LENGTH] = FIELD_UPLOAD_LENGTH,
};

void errand_release(struct errand *errand)
{
  struct loop *loop = errand->loop;
  if ((errand->sent && !errand->home) || errand->n_out || errand->client) return;
  if (errand->filling) {
    blocks_put(&loop->blocks, errand->filling->letter.bytes, UPLOAD_CHUNK_BYTES);
    errand->filling = NULL;
  }
  blob_drop(errand->letter.reply.body);
  arena_deinit(&errand->arena);
  budget_give(&loop->bodies, errand->counted);
  take_asked(errand->meter);
  loop->n_asks--;
  pool_put(&loop->asks, errand);
}

static void errand_refuse(struct conn *conn, const struct err *err)
{
  struct err why = *err;
  struct errand *errand = conn->errand;
  request_unread(conn);
  conn->errand = NULL;
  send_error(conn, &why, NULL);
  if (!errand) return;
  errand->client = NULL;
  errand_release(errand);
}

/* A world's names do not outlive it, an errand may. */
static bool who_keep(struct errand *errand, const struct who *who)
{
  struct letter_ask *letter = &errand->letter;
  letter->role = who->role;
  letter->tenant = arena_copy(&errand->arena, who->tenant_name);
  letter->actor = arena_copy(&errand->arena, who->actor);
  letter->person = arena_copy(&errand->arena, who->person);
  return letter->tenant.at && letter->actor.at && letter->person.at;
}

static bool letter_fill(struct errand *errand, const struct conn *conn, const struct route *route,
                        const struct url *url, const struct slice *params, const struct who *who)
{
  const struct http_head *head = &conn->h1.head;
  errand->letter = (struct letter_ask){
      .mail = {.kind = LETTER_ASK},
      .home = &conn->loop->box,
      .loop = conn->loop->number,
      .route = route->id,
      .method = head->verb,
      .path = url->path,
      .query = url->query,
      .request_id = slice_of(errand->id, conn->id_len),
      .peer = slice_of(errand->peer, address_text(&conn->address, errand->peer)),
      .loopback = conn->loopback,
      .upload_bytes = head->chunked ? UINT64_MAX : head->content_length,
  };
  memcpy(errand->id, conn->id, conn->id_len);
  for (int i = 0; i < PARAMS_MAX; i++) errand->letter.params[i] = params[i];
  for (int i = 0; i < ASK_HEADERS_MAX; i++)
    errand->letter.headers[i] = http_head_get(head, header_fields[i]);
  return who_keep(errand, who);
}

static struct errand *errand_make(struct conn *conn, const struct route *route,
                                  const struct who *who)
{
  struct loop *loop = conn->loop;
  struct errand *errand = pool_get(&loop->asks);
  if (!errand) return NULL;
  *errand = (struct errand){.loop = loop, .client = conn, .arena = conn->arena};
  errand->upload = route->kind == ROUTE_UPLOAD;
  errand->arena.max = ERRAND_EXTRA + (errand->upload ? 0 : 3 * route->body_max);
  uint32_t desk = who->tenant ? who->tenant->slot : 0;
  if (route->kind != ROUTE_HOME) desk = loop->next_desk++;
  errand->desk = loop->post->desks[desk % loop->post->n_desks];
  arena_init(&conn->arena, ARENA_HEAD_MAX, &loop->blocks.source);
  conn->errand = errand;
  loop->n_asks++;
  return errand;
}

static void errand_send(struct errand *errand)
{
  errand->sent = true;
  mail_send(errand->desk, &errand->letter.mail);
}

void errand_begin(struct conn *conn, const struct route *route, const struct url *url,
                  const struct slice *params, const struct who *who)
{
  const struct http_head *head = &conn->h1.head;
  struct err *err = &conn->loop->err;
  struct slice coding = http_head_get(head, FIELD_CONTENT_ENCODING);
  if (coding.len && !slice_eq_nocase(coding, SLICE("identity"))) {
    fail(err, E_UNSUPPORTED_MEDIA,
         "only inference requests may be compressed; send the body plain");
    errand_refuse(conn, err);
    return;
  }
  if (h1_body_limit(&conn->h1, route->body_max, err)) {
    errand_refuse(conn, err);
    return;
  }
  /* An operator who looks after a tenant does not take from what that one has. */
  const struct tenant *tenant = who->acts ? NULL : who->tenant;
  if (tenant && serve_ask(conn->loop->serve, tenant, route->verb == VERB_invoke, err)) {
    errand_refuse(conn, err);
    return;
  }
  struct errand *errand = errand_make(conn, route, who);
  if (!errand) {
    if (tenant) take_asked(tenant->meter);
    fail(err, E_NO_CAPACITY, "too many requests are in work at once; retry in a moment");
    errand_refuse(conn, err);
    return;
  }
  errand->meter = tenant ? tenant->meter : NULL;
  if (!letter_fill(errand, conn, route, url, params, who)) {
    fail(err, E_OUT_OF_MEMORY, "there is no memory for this request; retry in a moment");
    errand_refuse(conn, err);
    return;
  }
  uint64_t bytes = head->chunked ? BODY_UNKNOWN : head->content_length;
  if (errand->upload) {
    errand_send(errand);
  } else if (body_init(&errand->body, &errand->arena, bytes, 0, err)) {
    errand_refuse(conn, err);
    return;
  }
  conn->state = CONN_BODY;
  if (head->expect_continue && conn->in.len == 0) send_continue(conn);
}

static enum code body_take(struct errand *errand, struct slice piece, struct err *err)
{
  if (budget_take(&errand->loop->bodies, piece.len, err)) return err->code;
  errand->counted += piece.len;
  return body_add(&errand->body, &errand->arena, piece, err);
}

void errand_body(struct conn *conn, struct slice piece)
{
  struct errand *errand = conn->errand;
  struct err *err = &conn->loop->err;
  if (errand->upload) {
    upload_add(errand, piece);
    if (!upload_has_room(errand)) conn->state = CONN_BUSY; /* until a chunk comes home */
  } else if (body_take(errand, piece, err)) {
    errand_refuse(conn, err);
  }
}

void errand_done(struct conn *conn)
{
  struct errand *errand = conn->errand;
  conn->state = CONN_BUSY;
  if (errand->upload) {
    upload_last(errand);
    return;
  }
  errand->letter.body = body_lend(&errand->body);
  errand_send(errand);
}

void errand_left(struct conn *conn)
{
  struct errand *errand = conn->errand;
  conn->errand = NULL;
  errand->client = NULL;
  if (errand->upload && !errand->home && !errand->last) upload_abort(errand);
  errand_release(errand);
}

void errand_home(struct mail *mail)
{
  struct errand *errand = (struct errand *)LETTER_OF(mail, struct letter_ask);
  struct conn *conn = errand->client;
  errand->home = true;
  if (!conn) {
    errand_release(errand);
    return;
  }
  struct ask_reply *reply = &errand->letter.reply;
  struct slice body = blob_lend(reply->body);
  must(reply->status >= 200 && reply->status < 600);
  struct answer answer = {
      .status = reply->status,
      .content_type = reply->content_type,
      .retry_after_s = reply->retry_after_s,
      .allow = slice_str(reply->allow),
      .etag = slice_str(reply->etag),
      .fields = slice_str(reply->fields),
      .parts = &body,
      .n_parts = 1,
      .bytes = body.len,
  };
  conn->errand = NULL;
  conn->blob = reply->body;
  reply->body = NULL;
  send_answer(conn, &answer, SEND_BLOB);
  errand->client = NULL;
  errand_release(errand);
  conn_go(conn);
}
_Static_assert(offsetof(struct errand, letter) == 0, "an errand is its letter");
