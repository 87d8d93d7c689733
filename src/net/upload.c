/* upload.c - a body streamed to a desk in chunks (CHUNK, CHUNK_HOME), at most UPLOAD_CHUNKS_MAX
 * of them on their way; past that the connection is not read, so the client feels
 * the disk's pace.
 * Thread: its loop.
 * SPDX-License-Identifier: MIT */
#include "net/errand_int.h"

static struct errand_chunk *chunk_free(struct errand *errand)
{
  for (int i = 0; i < UPLOAD_CHUNKS_MAX; i++)
    if (!errand->chunks[i].out && &errand->chunks[i] != errand->filling) return &errand->chunks[i];
  return NULL;
}

static void chunk_send(struct errand *errand, struct errand_chunk *chunk, bool last, bool abort)
{
  struct letter_chunk *letter = &chunk->letter;
  if (chunk == errand->filling) errand->filling = NULL;
  chunk->out = true;
  errand->n_out++;
  errand->last = errand->last || last || abort;
  letter->mail.kind = LETTER_CHUNK;
  letter->ask = &errand->letter;
  letter->last = last;
  letter->abort = abort;
  mail_send(errand->desk, &letter->mail);
}

/* The chunk that takes the next bytes; crashes when there is none: upload_has_room was not
 * asked. */
static struct errand_chunk *chunk_fill(struct errand *errand)
{
  if (errand->filling) return errand->filling;
  struct errand_chunk *chunk = chunk_free(errand);
  size_t bytes = UPLOAD_CHUNK_BYTES;
  must(chunk != NULL);
  chunk->letter.bytes = blocks_get_beyond(&errand->loop->blocks, &bytes);
  must(chunk->letter.bytes && bytes == UPLOAD_CHUNK_BYTES);
  chunk->letter.len = 0;
  errand->filling = chunk;
  return chunk;
}

bool upload_has_room(const struct errand *errand)
{
  size_t room = errand->filling ? UPLOAD_CHUNK_BYTES - errand->filling->letter.len : 0;
  uint32_t here = UPLOAD_CHUNKS_MAX - errand->n_out - (errand->filling ? 1 : 0);
  return room + (size_t)here * UPLOAD_CHUNK_BYTES > READ_BYTES;
}

void upload_add(struct errand *errand, struct slice piece)
{
  while (piece.len) {
    struct errand_chunk *chunk = chunk_fill(errand);
    struct letter_chunk *letter = &chunk->letter;
    size_t n = UPLOAD_CHUNK_BYTES - letter->len;
    if (n > piece.len) n = piece.len;
    memcpy(letter->bytes + letter->len, piece.at, n);
    letter->len += (uint32_t)n;
    piece = slice_from(piece, n);
    if (letter->len == UPLOAD_CHUNK_BYTES) chunk_send(errand, chunk, false, false);
  }
}

void upload_last(struct errand *errand) { chunk_send(errand, chunk_fill(errand), true, false); }

void upload_abort(struct errand *errand)
{
  struct errand_chunk *chunk = errand->filling ? errand->filling : chunk_free(errand);
  errand->abort_due = chunk == NULL;
  if (!chunk) return;
  if (chunk != errand->filling) chunk->letter.bytes = NULL;
  chunk->letter.len = 0;
  chunk_send(errand, chunk, false, true);
}

void errand_chunk_home(struct mail *mail)
{
  struct errand_chunk *chunk = (struct errand_chunk *)LETTER_OF(mail, struct letter_chunk);
  struct errand *errand = (struct errand *)chunk->letter.ask;
  struct conn *conn = errand->client;
  must(chunk->out && errand->n_out > 0);
  chunk->out = false;
  errand->n_out--;
  if (chunk->letter.bytes)
    blocks_put(&errand->loop->blocks, chunk->letter.bytes, UPLOAD_CHUNK_BYTES);
  chunk->letter.bytes = NULL;
  if (errand->abort_due && !errand->home) {
    upload_abort(errand);
    return;
  }
  if (!conn) {
    errand_release(errand);
    return;
  }
  if (conn->state != CONN_BUSY || errand->last || !upload_has_room(errand)) return;
  conn->state = CONN_BODY;
  conn->since_us = loop_now(errand->loop);
  conn->left = 0;
  conn_go(conn);
}
_Static_assert(offsetof(struct errand_chunk, letter) == 0, "a chunk is its letter");
