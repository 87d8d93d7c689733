/* media.c - in which form a request comes and its answer may go.
 * Thread: its loop.
 * Content-Type decides nothing: clients label JSON as octet-stream, as a form, or not at all.
 * Refused is only what we would certainly misread.
 * Source: the wire contract, sections 1 and 5.
 * SPDX-License-Identifier: MIT */
#include "serve/stages_int.h"

static bool starts_nocase(struct slice s, struct slice prefix)
{
  return s.len >= prefix.len && slice_eq_nocase(slice_of(s.at, prefix.len), prefix);
}

/* The value of "charset=" among a media type's parameters, without quotes; at NULL: none. */
static struct slice charset_of(struct slice type)
{
  for (size_t i = 0; i < type.len; i++) {
    if (type.at[i] != ';') continue;
    struct slice rest = slice_from(type, i + 1);
    while (rest.len && (rest.at[0] == ' ' || rest.at[0] == '\t')) rest = slice_from(rest, 1);
    if (!starts_nocase(rest, SLICE("charset="))) continue;
    rest = slice_from(rest, 8);
    if (!rest.len) return SLICE("");
    if (rest.at[0] == '"') rest = slice_from(rest, 1);
    size_t n = 0;
    while (n < rest.len && rest.at[n] != ';' && rest.at[n] != ' ' && rest.at[n] != '"') n++;
    return n ? slice_of(rest.at, n) : SLICE("");
  }
  return SLICE_NONE;
}

static enum code type_check(struct slice type, struct err *err)
{
  if (starts_nocase(type, SLICE("multipart/")))
    return fail(err, E_UNSUPPORTED_MEDIA,
                "content type multipart is not read here; send the request as the body itself");
  struct slice charset = charset_of(type);
  if (!charset.at || slice_eq_nocase(charset, SLICE("utf-8")) ||
      slice_eq_nocase(charset, SLICE("us-ascii")))
    return OK;
  return fail(err, E_UNSUPPORTED_MEDIA, "charset \"%.*s\" is not read here; send UTF-8",
              SLICE_ARG(charset));
}

/* x-slipway-deadline-ms: how long the client is going to wait. */
static enum code deadline_read(struct slice text, int64_t *us, struct err *err)
{
  enum { DAY_MS = 24 * 60 * 60 * 1000 };
  uint64_t ms;
  if (!text_read_u64(text, DAY_MS, &ms) || ms < 1)
    return fail(err, E_INVALID_ARGUMENT,
                "x-slipway-deadline-ms is \"%.*s\"; it must be a whole number from 1 to %d",
                SLICE_ARG(text), DAY_MS);
  *us = (int64_t)ms * 1000;
  return OK;
}

/* x-slipway-class: who waits rather than another. */
static enum code class_read(struct slice text, enum task_class *class, struct err *err)
{
  *class = slice_eq_nocase(text, SLICE("batch")) ? CLASS_BATCH : CLASS_INTERACTIVE;
  if (*class == CLASS_BATCH || slice_eq_nocase(text, SLICE("interactive"))) return OK;
  return fail(err, E_INVALID_ARGUMENT,
              "x-slipway-class is \"%.*s\"; it must be interactive or batch", SLICE_ARG(text));
}

enum step media_stage(struct call *call)
{
  const struct http_head *head = call->came.head;
  struct slice type = http_head_get(head, FIELD_CONTENT_TYPE);
  struct slice deadline = http_head_get(head, FIELD_DEADLINE_MS);
  struct slice accept = http_head_get(head, FIELD_ACCEPT_ENCODING);
  if (type.len && type_check(type, &call->err)) return STEP_REPLY;
  if (zip_coding_read(http_head_get(head, FIELD_CONTENT_ENCODING), &call->coding, &call->err)) {
    call->answer.accept_encoding = "gzip, deflate";
    return STEP_REPLY;
  }
  if (deadline.at && deadline_read(deadline, &call->asked_us, &call->err)) return STEP_REPLY;
  struct slice class = http_head_get(head, FIELD_CLASS);
  if (class.at && class_read(class, &call->class, &call->err)) return STEP_REPLY;
  call->answer_coding = accept.len ? zip_choose(accept) : ZIP_IDENTITY;
  return STEP_NEXT;
}
