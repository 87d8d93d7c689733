/* reply.c - hiredis' reader, kept from taking memory for what a stranger says.
 * Thread: its loop.
 * The reader calls a function for each reply that is whole, with its text where it lies in the
 * reader's own buffer. Ours take what they need from there and keep nothing. An array ends the line
 * at its first byte, however deep or long it says it is.
 * SPDX-License-Identifier: MIT */
#include "serve/far/far_int.h"

static void *on_text(const redisReadTask *task, char *text, size_t len)
{
  far_reply(task->privdata, task->type, slice_of(text, len));
  return task->privdata; /* anything but NULL */
}

static void *on_array(const redisReadTask *task, int n)
{
  (void)task, (void)n;
  return NULL; /* the reader stops with an error */
}

static void *on_integer(const redisReadTask *task, long long value)
{
  (void)value;
  far_reply(task->privdata, task->type, SLICE_NONE);
  return task->privdata;
}

static void *on_nil(const redisReadTask *task)
{
  far_reply(task->privdata, REDIS_REPLY_NIL, SLICE_NONE);
  return task->privdata;
}

static void on_free(void *object) { (void)object; }

redisReader *far_reader(struct far *far)
{
  static redisReplyObjectFunctions functions = {on_text, on_array, on_integer, on_nil, on_free};
  redisReader *reader = redisReaderCreateWithFunctions(&functions);
  if (reader) reader->privdata = far;
  return reader;
}

void far_read(struct far *far, struct slice bytes)
{
  redisReader *reader = far->reader;
  void *reply = NULL;
  if (redisReaderFeed(reader, bytes.at, bytes.len) != REDIS_OK) {
    far->broken = "no memory for a reply";
    return;
  }
  do {
    reply = NULL;
    if (redisReaderGetReply(reader, &reply) != REDIS_OK && !far->broken)
      far->broken = "a reply that is none";
  } while (reply && !far->broken);
  if (far->broken) return;
  size_t unread = reader->len - reader->pos;
  bool begun = unread || (reader->ridx >= 0 && reader->rstack[0].type >= 0);
  if (begun && !far->n_sent) far->broken = "a reply that nobody asked for";
  else if (unread > FAR_VALUE_MAX) far->broken = "a reply without an end";
}
