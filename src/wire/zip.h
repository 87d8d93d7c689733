/* zip.h - gzip and deflate bodies, in both directions, within limits.
 * Thread: any, pure. zlib's own memory comes from the arena too: about 48 KiB for zip_inflate,
 * about 200 KiB for zip_deflate.
 *
 * `deflate` means zlib-wrapped (RFC 9110 section 8.4.1.2); a raw deflate stream is refused.
 * A body that inflates past its limit is refused before memory of that size is taken.
 * Source: RFC 1950, 1952; the robustness rules, section 3 (decompressed: at most the body limit and
 * 20:1 past 64 KiB); the wire contract, section 5.
 * SPDX-License-Identifier: MIT */
#ifndef WIRE_ZIP_H
#define WIRE_ZIP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum zip_coding { ZIP_IDENTITY, ZIP_GZIP, ZIP_DEFLATE };

enum { ZIP_RATIO_MAX = 20, ZIP_RATIO_FREE = 64 << 10, ZIP_ANSWER_MIN = 1 << 10 };

/* "gzip", "deflate", "identity": for Content-Encoding fields. */
const char *zip_coding_name(enum zip_coding coding);

/* Reads a Content-Encoding value; an absent field (at NULL) or an empty one is identity. Unknown or
 * several codings: E_UNSUPPORTED_MEDIA (answer with Accept-Encoding: gzip, deflate). */
CHECKED enum code zip_coding_read(struct slice value, enum zip_coding *coding, struct err *err);

/* The coding for an answer by an Accept-Encoding value: the highest q among gzip, deflate and
 * identity, the first on a tie; never one that was not named. Absent, unreadable: identity. */
enum zip_coding zip_choose(struct slice accept);

/* The whole body `in`, decoded, in the arena. ZIP_IDENTITY gives `in` itself.
 *   E_BODY_TOO_LARGE  over body_max, or over 20:1 past 64 KiB
 *   E_BAD_REQUEST     truncated, damaged, wrong checksum, bytes after the end, preset dictionary
 *   E_OUT_OF_MEMORY   the arena's cap */
CHECKED enum code zip_inflate(enum zip_coding coding, struct slice in, size_t body_max,
                              struct arena *arena, struct slice *out, struct err *err);

/* The parts, one after the other, coded, in the arena. *out is SLICE_NONE with OK when coding does
 * not make them smaller (send them as they are). Level 1: answers are waited for. */
CHECKED enum code zip_deflate(enum zip_coding coding, const struct slice *parts, uint32_t n_parts,
                              struct arena *arena, struct slice *out, struct err *err);

#endif
