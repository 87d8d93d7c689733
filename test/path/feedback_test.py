#!/usr/bin/env python3
"""feedback_test.py - how predictions turned out: told over the API and the command line, durable
when acknowledged, refused whole with the field named.
SPDX-License-Identifier: MIT
"""
import atexit
import json
import os
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import linear, serve, want  # noqa: E402
from slipway import Daemon, cases, expect, expect_eq, expect_in, main, test, wait_for  # noqa: E402

URL = "/api/v1/feedback"


def tell(d, *items, model="m"):
    return want(d.post(URL, {"model": model, "items": list(items)}), 202, "feedback")


def states(reply):
    return [i["state"] for i in reply["items"]]


def rows(d, text, *args):
    db = sqlite3.connect("file:%s/outcomes.db?mode=ro" % d.data, uri=True)
    try:
        return db.execute(text, args).fetchall()
    finally:
        db.close()


def told(d):
    return rows(d, "SELECT count(*) FROM outcomes")[0][0]


@test
def an_outcome_waits_for_its_prediction_and_is_told_once():
    with Daemon() as d:
        serve(d, "m", linear([[1]], [0]))
        single = want(d.post(URL, {"model": "m", "request_id": "r-1", "outcome": 1}), 202, "one")
        expect_eq(single["items"], [{"model": "m", "request_id": "r-1", "state": "pending"}])
        expect_eq((single["pending"], single["joined"]), (1, 0))
        again = tell(d, {"request_id": "r-1", "outcome": 1.0}, {"request_id": "r-2", "outcome": "x"})
        expect_eq(states(again), ["same", "pending"])
        other = want(d.post(URL, [{"model": "m", "request_id": "r-1", "outcome": 0}]), 202, "list")
        expect_eq(states(other), ["replaced"])
        expect_eq(rows(d, "SELECT outcome FROM outcomes_before"), [("1",)])
        old = time.time() - 2 * 86400
        expect_eq(states(tell(d, {"request_id": "r-3", "outcome": 1, "at": old})), ["unknown"])
        expect_eq(told(d), 2)


@test
def outcomes_are_numbers_texts_truths_and_objects():
    with Daemon() as d:
        serve(d, "m", linear([[1]], [0]))
        values = [1.5, "spam", True, {"value": 3, "label": "ham", "b": [1], "a": {}}, {"note": "x"}]
        tell(d, *[{"request_id": "r-%d" % i, "outcome": v, "weight": i,
                   "at": "2026-01-01T00:00:00Z" if i == 99 else time.time()}
                  for i, v in enumerate(values)])
        got = rows(d, "SELECT outcome, value, label IS NULL, weight FROM outcomes ORDER BY request")
        expect_eq([json.loads(r[0]) for r in got], values)
        expect_eq([r[1:] for r in got], [(1.5, 1, 0), (None, 0, 1), (1, 0, 2), (3, 0, 3),
                                         (None, 1, 4)])
        expect_eq(got[3][0], '{"a":{},"b":[1],"label":"ham","value":3}')
        # The same object in another order is the same outcome.
        same = tell(d, {"request_id": "r-3", "weight": 3,
                        "outcome": {"label": "ham", "a": {}, "b": [1], "value": 3}})
        expect_eq(states(same), ["same"])


GOOD = {"request_id": "good", "outcome": 1}
LONG = "x" * 65


def item(**more):
    return {"model": "m", "items": [GOOD, dict({"request_id": "r", "outcome": 1}, **more)]}


def without(key):
    whole = {"model": "m", "request_id": "r", "outcome": 1}
    del whole[key]
    return whole


@cases([
    ("no body", b"", 400, "BAD_JSON", None),
    ("not JSON", b"{", 400, "BAD_JSON", None),
    ("NaN", b'{"model":"m","request_id":"r","outcome":NaN}', 400, "BAD_JSON", None),
    ("infinity", b'{"model":"m","request_id":"r","outcome":1e999}', 400, "VALUE_OUT_OF_RANGE",
     None),
    ("a member twice", b'{"model":"m","model":"m","request_id":"r","outcome":1}', 400,
     "DUPLICATE_KEY", None),
    ("a text", '"x"', 400, "WRONG_TYPE", None),
    ("an empty list", [], 400, "INVALID_ARGUMENT", None),
    ("items is no list", {"model": "m", "items": {}}, 400, "WRONG_TYPE", "items"),
    ("too many", {"model": "m", "items": [{"request_id": "r%d" % i, "outcome": 1}
                                          for i in range(1001)]}, 400, "INVALID_ARGUMENT", "items"),
    ("items and more", {"model": "m", "items": [GOOD], "outcome": 1}, 400, "INVALID_ARGUMENT",
     "outcome"),
    ("an item is no object", {"model": "m", "items": [GOOD, 7]}, 400, "WRONG_TYPE", "items[1]"),
    ("no model", without("model"), 400, "INVALID_ARGUMENT", "model"),
    ("no request id", without("request_id"), 400, "INVALID_ARGUMENT", "request_id"),
    ("no outcome", without("outcome"), 400, "INVALID_ARGUMENT", "outcome"),
    ("unknown model", item(model="other"), 404, "MODEL_NOT_FOUND", "items[1].model"),
    ("unknown member", item(label=1), 400, "INVALID_ARGUMENT", "items[1].label"),
    ("empty id", item(request_id=""), 400, "INVALID_ARGUMENT", "items[1].request_id"),
    ("id is a number", item(request_id=7), 400, "WRONG_TYPE", "items[1].request_id"),
    ("long id", item(request_id=LONG), 400, "INVALID_ARGUMENT", "items[1].request_id"),
    ("twice in one batch", item(request_id="good"), 400, "INVALID_ARGUMENT", "items[1].request_id"),
    ("outcome null", item(outcome=None), 400, "WRONG_TYPE", "items[1].outcome"),
    ("outcome list", item(outcome=[1]), 400, "WRONG_TYPE", "items[1].outcome"),
    ("value is a text", item(outcome={"value": "x"}), 400, "WRONG_TYPE",
     "items[1].outcome.value"),
    ("long outcome", item(outcome="y" * 4097), 400, "INVALID_ARGUMENT", "items[1].outcome"),
    ("negative weight", item(weight=-1), 400, "VALUE_OUT_OF_RANGE", "items[1].weight"),
    ("weight is a text", item(weight="1"), 400, "WRONG_TYPE", "items[1].weight"),
    ("at is no time", item(at="yesterday"), 400, "INVALID_ARGUMENT", "items[1].at"),
    ("at is null", item(at=None), 400, "WRONG_TYPE", "items[1].at"),
    ("at is negative", item(at=-1), 400, "VALUE_OUT_OF_RANGE", "items[1].at"),
    ("at in the future", item(at=time.time() + 3600), 400, "VALUE_OUT_OF_RANGE", "items[1].at"),
    ("at before the window", item(at=time.time() - 31 * 86400), 400, "VALUE_OUT_OF_RANGE",
     "items[1].at"),
    ("at before the window, in a list", [dict(GOOD, model="m", at=1)], 400, "VALUE_OUT_OF_RANGE",
     "[0].at"),
    ("at before the window, alone", dict(GOOD, model="m", at=1), 400, "VALUE_OUT_OF_RANGE", "at"),
])
def bad_feedback_changes_nothing(body, status, code, field):
    d = daemon()
    body = body.encode() if isinstance(body, str) else body
    before = told(d)
    reply = d.post(URL, body) if not isinstance(body, bytes) else d.ask(
        "POST", URL, body, {"content-type": "application/json"})
    got = reply.json()
    expect_eq((reply.status, got["code"], got["details"].get("field")), (status, code, field), got)
    expect_eq(told(d), before)


SHARED = []


def daemon():
    """One daemon for all rows of bad input."""
    if not SHARED:
        SHARED.append(Daemon().__enter__())
        atexit.register(SHARED[0].kill)
        serve(SHARED[0], "m", linear([[1]], [0]))
        tell(SHARED[0], {"request_id": "before", "outcome": 1})
    return SHARED[0]


@test
def the_daemon_of_all_bad_input_is_well():
    d = daemon()
    expect_eq(states(tell(d, {"request_id": "before", "outcome": 1})), ["same"])
    atexit.unregister(d.kill)
    d.__exit__(None, None, None)


@test
def what_was_acknowledged_is_there_after_a_kill():
    with Daemon() as d:
        serve(d, "m", linear([[1]], [0]))
        acknowledged = []
        for i in range(40):
            tell(d, {"request_id": "r-%d" % i, "outcome": i})
            acknowledged.append("r-%d" % i)
        d.kill()
        d.start()
        wait_for(d.is_ready)
        kept = {r[0] for r in rows(d, "SELECT request FROM outcomes")}
        expect(kept >= set(acknowledged), "lost: %s" % (set(acknowledged) - kept))
        expect_eq(states(tell(d, {"request_id": "r-0", "outcome": 0})), ["same"])


@test
def the_command_line_tells_one_and_many():
    with Daemon() as d, tempfile.TemporaryDirectory() as folder:
        serve(d, "m", linear([[1]], [0]))
        one = d.cli("feedback", "m", "--request", "a", "--outcome", "0.5")
        expect_eq((one.returncode, one.stdout), (0, "1 outcome told: 1 pending\n"), one.stderr)
        lines = os.path.join(folder, "lines.jsonl")
        with open(lines, "w") as f:
            for i in range(2500):
                f.write(json.dumps({"request_id": "j%d" % i, "outcome": {"value": i}}) + "\n")
        many = d.cli("feedback", "m", "--file", lines)
        expect_eq((many.returncode, many.stdout), (0, "2500 outcomes told: 2500 pending\n"),
                  many.stderr)
        table = os.path.join(folder, "table.csv")
        with open(table, "w") as f:
            f.write("when,request_id,outcome,weight\r\n"
                    'x,a,0.5,\r\n,"j1","say ""no"", twice",2\r\n\r\n,b,true,1\r\n')
        got = json.loads(d.cli("feedback", "m", "--file", table, "--json").stdout)
        expect_eq(got, {"told": 3, "joined": 0, "pending": 1, "unknown": 0, "same": 1,
                        "replaced": 1})
        expect_eq(rows(d, "SELECT outcome, weight FROM outcomes WHERE request = 'j1'"),
                  [('"say \\"no\\", twice"', 2.0)])
        for text, why in (("nothing here\n1\n", "does not name the columns"),
                          ("request_id,outcome\na\n", "line 2 has 1 cells"),
                          ('{"request_id":"a","outcome":1}\n[]\n', "line 2 is no JSON object")):
            with open(table, "w") as f:
                f.write(text)
            bad = d.cli("feedback", "m", "--file", table)
            expect_eq(bad.returncode, 2)
            expect_in(why, bad.stderr)
        expect_eq(d.cli("feedback", "m", "--request", "a").returncode, 2)
        expect_eq(d.cli("feedback", "nobody", "--request", "a", "--outcome", "1").returncode, 4)


main()
