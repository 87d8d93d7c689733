/* explain.h - a verdict in words: one JSON object for the API, the ledger and webhooks, one
 * sentence for people and the log.
 * Thread: any, pure; texts lie in the caller's arena.
 *
 * The object, all keys always there (null where they do not apply):
 *   {"verdict":"harm", "rule":"errors: rolled back", "step":1, "look":412, "step_s":18.0,
 *    "step_requests":900, "step_users":870, "harmed":31.5, "harm_budget":500, "spec_hash":"...",
 *    "needs":[{"what":"time","have":..,"want":..,"met":false}], "sentence":"...",
 *    "gates":[{"gate":"errors", "state":"harm", "act":"rollback", "lane":"restarted",
 *      "arm":"candidate", "row":null, "effect":{"kind":"ratio","value":4,"lower":2,"upper":7},
 *      "log_e":7.31, "bar":7.195, "e_value":1495.2, "p":0.00067, "pass":{"log_e":..,"bar":..},
 *      "blocks":{"lower":..,"upper":..,"n":..}, "counts":{"candidate":[x,n],"stable":[x,n]},
 *      "threshold_us":20480, "segment":null, "first_bad_s":395, "fired_s":412, "episodes":1,
 *      "reason":null, "missing":"...", "decides_in_s":null, "text":"errors 4.1x stable's ..."}],
 *    "sample_request_ids":[...]}
 * An A/B test says also:
 *    "winner":"candidate-2", "closed":[a gate as above for each arm that harm put out],
 *    "metric_differences":[{"arm":"candidate-2", "value":.04, "lower":.01, "upper":.07}]
 * Source: release-features 5.
 * SPDX-License-Identifier: MIT */
#ifndef JUDGE_EXPLAIN_H
#define JUDGE_EXPLAIN_H

#include "judge/step.h"
#include "wire/json.h"

enum { EXPLAIN_TEXT_MAX = 1024, EXPLAIN_SAMPLES_MAX = 16 };

struct explain_input {
  const struct trial *trial;
  const struct verdict *verdict;
  const struct digest *spec;    /* NULL: left null */
  const struct slice *segments; /* their names, in the order of looks; NULL: numbers are shown */
  uint32_t n_samples;           /* request ids that show the harm, at most EXPLAIN_SAMPLES_MAX */
  const struct slice *samples;
};

/* Writes the object as the next value of out. */
void verdict_json(const struct explain_input *input, struct json_out *out);
/* One line, without a full stop: "rolled back: errors 4.1x stable's [2.2, 7.5] (log_e 7.3 over 7.2
 * by restarted, 37 of 900 against 171 of 17100), from second 395, seen at 412". Returns its length;
 * always fits, ends with a NUL. */
size_t verdict_sentence(const struct trial *trial, const struct verdict *verdict,
                        char to[EXPLAIN_TEXT_MAX]);
/* The same of one gate: "errors 4.1x stable's [2.2, 7.5]". */
size_t gate_sentence(const struct trial *trial, const struct gate_result *result,
                     char to[EXPLAIN_TEXT_MAX]);
/* "nobody has won yet: candidate has outcomes of 431 users, and needs 10000; about 5 days more at
 * this rate". */
size_t unwon_sentence(const struct trial *trial, const struct unwon *unwon,
                      char to[EXPLAIN_TEXT_MAX]);
/* What it lacks to pass: "proof of being no worse: log_e 1.20 of 3.00, about 90 s at this rate". */
size_t gate_missing(const struct trial *trial, const struct gate_result *result,
                    char to[EXPLAIN_TEXT_MAX]);
/* Seconds until the gate passes if evidence goes on as in this step so far; NaN: cannot say. */
double gate_decides_in_s(const struct trial *trial, const struct gate_result *result);

#endif
