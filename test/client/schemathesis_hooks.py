"""schemathesis_hooks.py - what Schemathesis is told of slipway: two of its checks with the refusals
beside them that no schema can announce. Loaded by Schemathesis (SCHEMATHESIS_HOOKS), printed by
schemathesis_test.py.
SPDX-License-Identifier: MIT
"""
import json
import re

import schemathesis
from schemathesis.specs.openapi import checks

# Well-formed requests that are refused all the same: (status, code, field or text, why). A pattern
# of the field or the text must be found in the answer.
REFUSED = [
    (412, "PRECONDITION_FAILED", r"^If-Match$", "an ETag of a state that nobody has seen"),
    (400, "INVALID_ARGUMENT", r"^page$", "a page token is sealed: what was made up is none"),
    (400, "INVALID_ARGUMENT", r"(^|\.)files\[\d+\]", "the files of a version must have been uploaded"),
    (400, "BAD_NAME", r"(^|\.)files$", "two files of one name"),
    (400, "BAD_SIZE", r"(^|\.)files\[\d+\]", "a file's size is that of what was uploaded"),
    (400, "INVALID_ARGUMENT", r"^sha256$|digest that was said", "the bytes are not those of the digest"),
    (400, "BAD_SIZE", r"bytes", "the bytes are more or fewer than Upload-Length"),
    (400, "INVALID_ARGUMENT", r"^cidrs$", "whether an address is one takes a parser"),
    (400, "BAD_CONFIG", r"^plan", "a plan is a language of its own, with rules between its parts"),
    (400, "INVALID_ARGUMENT", r"^plan|^strategy$", "a plan that says another strategy than the request"),
    (400, None, r"^(inputs|instances|outputs)|input \"", "what fits a model is in its metadata, not here"),
    (400, None, r"^parameters", "what a load takes is JSON and base64 inside texts"),
    (400, None, r"^(definition|variants|defaultVariant|targeting|metadata|\$evaluators|flag)\b|^flag '|\$evaluators|[Rr]ule|targeting",
     "targeting is a language of its own; a default is one of the variants"),
    (400, "INVALID_ARGUMENT", r"^(scope|weekly)$", "a freeze names a model where its scope is one"),
    (400, "VALUE_OUT_OF_RANGE", r"^(until|at|items\[\d+\]\.at|\[\d+\]\.at)$", "times that lie in the wrong half"),
    (400, "INVALID_ARGUMENT", r"^(until|from|at|time)$", "a day of a month that has none, a leap second"),
    (400, "BAD_NAME", r"device|word of the server|reads as a version", "a handful of names that are something else"),
    (400, "INVALID_ARGUMENT", r"told twice", "two items of one request id"),
    (400, "BAD_CONFIG", r"^line \d+, column \d+", "YAML: keys are plain texts, and what JSON may hold not all is"),
    (400, "VALUE_OUT_OF_RANGE", r"a number is too large", "whole numbers beyond 64 bits, wherever they are"),
    (400, "VALUE_OUT_OF_RANGE", r"(^|\.)quotas\.", "limits are written as whole numbers, not as 1e3 or 1.0"),
    (400, "INVALID_ARGUMENT", r"^format$", "a format that is not the one of the Content-Type"),
    (429, None, r"", "a quota that an earlier request of this run has set"),
]

# What is 5xx and no failure: (status, code, of what, why).
SERVER_SAYS = [
    (501, "NOT_IMPLEMENTED", r"", "routes that say they are not built, and loads with what we cannot change"),
    (503, "NOT_READY", r"/v[12]/models/", "the protocols' word for a model that serves nothing"),
]


def answer_of(response):
    try:
        tree = json.loads(response.content)
    except ValueError:
        return "", "", ""
    if not isinstance(tree, dict):
        return "", "", ""
    details = tree.get("details") or {}
    return tree.get("code", ""), details.get("field", ""), str(tree.get("error", ""))


def is_expected(response):
    code, field, text = answer_of(response)
    return any(response.status_code == status and want in (None, code) and
               (re.search(pattern, field) or re.search(pattern, text))
               for status, want, pattern, _ in REFUSED)


@schemathesis.check
def valid_is_taken(ctx, response, case):
    """positive_data_acceptance, but for REFUSED."""
    if is_expected(response):
        return None
    return checks.positive_data_acceptance(ctx, response, case)


@schemathesis.check
def server_is_sound(ctx, response, case):
    """not_a_server_error, but for SERVER_SAYS."""
    code, _, _ = answer_of(response)
    path = case.operation.path
    if any(response.status_code == status and code == want and re.search(pattern, path)
           for status, want, pattern, _ in SERVER_SAYS):
        return None
    if response.status_code >= 500:
        raise AssertionError("%d %s" % (response.status_code, response.content[:300]))
    return None
