/* reading.h - what an answer says, row by row: its label and its score. One reading for prediction
 * shift, for the comparison of a shadow's answers, and for what is kept of predictions.
 * Thread: any, pure.
 *
 * Outputs are taken in the order of the contract; those not asked for are not there.
 *
 *   label   the first output of whole numbers, booleans or strings with one value a row;
 *           else the place of the largest of the first floats with several values a row
 *   score   the first floats with one value a row; else the largest of the floats with several
 *   rank    the first output with several values a row: floats are ranked by value, whole numbers
 *           are a ranking already
 *
 * So a classifier's label is what it says, or its argmax, and its score is how sure it is; a
 * regressor has a score and no label.
 * SPDX-License-Identifier: MIT */
#ifndef SERVE_SHADOW_READING_H
#define SERVE_SHADOW_READING_H

#include "base/contract.h"

/* Where to look, for one contract and one set of outputs. Pointers are NULL for what is missing. */
struct reader {
  const struct tensor *label, *score, *floats, *rank; /* floats: several a row */
  uint64_t rows;
};

struct reading {
  bool has_label, has_score;
  bool named;        /* the label is `text`; else `label` */
  int64_t label;     /* of UINT64: the same bits */
  struct slice text; /* a view of the tensor */
  double score;
};

/* outputs: n_outputs of the contract, those not in wanted are not looked at. rows: of the task. */
void reader_init(struct reader *reader, const struct contract *contract,
                 const struct tensor *outputs, uint64_t wanted, uint64_t rows);
/* row below reader->rows. Strings: walks to the row, so reading all rows of very many is slow. */
void reader_read(const struct reader *reader, uint64_t row, struct reading *reading);

bool reading_labels_equal(const struct reading *a, const struct reading *b);

/* The share of the first k of a's ranking that is not among b's first k, in [0, 1]; 1 where one of
 * them ranks nothing. k is at most RANKS_MAX, and cut to what both have. */
enum { RANKS_MAX = 64 };
double reader_apart(const struct reader *a, const struct reader *b, uint64_t row, uint32_t k);

#endif
