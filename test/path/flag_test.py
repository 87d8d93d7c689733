#!/usr/bin/env python3
"""flag_test.py - feature flags through the running daemon: each line of the OFREP contract, and the
control plane of flags.

SPDX-License-Identifier: MIT
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from flags import ON_OFF, bulk, flag, put, single  # noqa: E402
from slipway import (Daemon, cases, expect, expect_eq, expect_in, main, test,  # noqa: E402
                     wait_for)

def answers(reply, status, want):
    expect_eq((reply.status, reply.json()), (status, want), reply)
    expect_eq(reply.headers["content-type"], "application/json")


def refused(reply, status, key, code):
    got = reply.json()
    expect_eq((reply.status, got.get("errorCode")), (status, code), reply)
    expect_eq(set(got), {"key", "errorCode", "errorDetails"} if key else
              {"errorCode", "errorDetails"})
    if key:
        expect_eq(got["key"], key)
    expect(isinstance(got["errorDetails"], str) and got["errorDetails"])


@test
def each_reason_is_answered_as_the_table_says():
    with Daemon() as d:
        put(d, "off", flag(state="DISABLED"))
        put(d, "plain", ON_OFF)
        put(d, "rule", flag(targeting={"if": [{"var": "x"}, "on"]}))
        put(d, "nil", {"state": "ENABLED", "variants": {"a": "x"}, "defaultVariant": None})
        put(d, "half", flag(targeting={"fractional": [["on", 1], ["off", 1]]}))
        answers(single(d, "off"), 200, {"key": "off", "reason": "DISABLED"})
        answers(single(d, "plain"), 200,
                {"key": "plain", "reason": "STATIC", "variant": "off", "value": False})
        answers(single(d, "rule", {"x": 1}), 200,
                {"key": "rule", "reason": "TARGETING_MATCH", "variant": "on", "value": True})
        answers(single(d, "rule"), 200,
                {"key": "rule", "reason": "DEFAULT", "variant": "off", "value": False})
        answers(single(d, "nil"), 200, {"key": "nil", "reason": "DEFAULT"})
        expect_eq(single(d, "half", {"targetingKey": "u"}).json()["reason"], "TARGETING_MATCH")


@test
def values_keep_their_type_and_numbers_their_form():
    with Daemon() as d:
        put(d, "b", ON_OFF)
        reply = d.ask("PUT", "/api/v1/flags/n", b'{"state":"ENABLED","variants":{"f":1.0,"i":1,'
                      b'"e":12345678901234567890,"s":1.50},"targeting":{"var":"v"}}')
        expect_eq(reply.status, 200, reply)
        put(d, "s", {"state": "ENABLED", "variants": {"a": "gr\u00fcn"}, "defaultVariant": "a"})
        put(d, "o", {"state": "ENABLED", "variants": {"a": {"x": [1, {"y": None}]}},
                     "defaultVariant": "a"})
        for v, text in (("f", b'"value":1.0}'), ("i", b'"value":1}'), ("s", b'"value":1.50}'),
                        ("e", b'"value":12345678901234567890}')):
            expect_in(text, single(d, "n", {"v": v}).body)
        expect_eq(single(d, "s").json()["value"], "gr\u00fcn")
        expect_eq(single(d, "o").json()["value"], {"x": [1, {"y": None}]})


@test
def metadata_of_the_file_and_of_the_flag_come_along():
    with Daemon() as d:
        file = {"flags": {"a": flag(metadata={"team": "search", "n": 1.5}), "b": ON_OFF},
                "metadata": {"team": "all", "live": True}}
        expect_eq(d.ask("PUT", "/api/v1/flags", json.dumps(file).encode()).status, 200)
        expect_eq(single(d, "a").json()["metadata"], {"live": True, "team": "search", "n": 1.5})
        expect_eq(single(d, "b").json()["metadata"], {"team": "all", "live": True})
        expect_eq(bulk(d).json()["metadata"], {"team": "all", "live": True})


@test
def errors_are_the_protocols_own():
    with Daemon() as d:
        put(d, "half", flag(targeting={"fractional": [["on", 1], ["off", 1]]}))
        put(d, "ghost", flag(targeting={"var": "v"}))
        refused(single(d, "nope"), 404, "nope", "FLAG_NOT_FOUND")
        refused(single(d, "half"), 400, "half", "TARGETING_KEY_MISSING")
        refused(single(d, "half", {"targetingKey": ""}), 400, "half", "TARGETING_KEY_MISSING")
        refused(single(d, "ghost", {"v": "casper"}), 400, "ghost", "GENERAL")
        refused(single(d, "ghost", {"v": [1]}), 400, "ghost", "GENERAL")


BODIES = [("not JSON", b"{", "PARSE_ERROR"),
          ("a key twice", b'{"context":{"a":1,"a":2}}', "PARSE_ERROR"),
          ("not UTF-8", b'{"context":{"a":"\xff"}}', "PARSE_ERROR"),
          ("a list", b"[]", "INVALID_CONTEXT"),
          ("a context that is a text", b'{"context":"u1"}', "INVALID_CONTEXT"),
          ("a key that is a number", b'{"context":{"targetingKey":7}}', "INVALID_CONTEXT"),
          ("33 levels", b'{"context":' + b'{"a":' * 33 + b"1" + b"}" * 34, "INVALID_CONTEXT"),
          ("70 levels", b'{"context":' + b'{"a":' * 70 + b"1" + b"}" * 71, "INVALID_CONTEXT"),
          ("over 64 KiB", b'{"context":{"a":"' + b"x" * (64 << 10) + b'"}}', "INVALID_CONTEXT"),
          ("over 1 MiB", b'{"context":{"a":"' + b"x" * (1 << 20) + b'"}}', "INVALID_CONTEXT")]


@cases(BODIES)
def a_bad_body_is_refused_by_both(body, code):
    with Daemon() as d:
        put(d, "f", ON_OFF)
        refused(single(d, "f", body=body), 400, "f", code)
        refused(bulk(d, body=body), 400, None, code)
        expect_eq(single(d, "f").status, 200)


@test
def a_context_may_be_left_out_and_the_rest_is_not_looked_at():
    with Daemon() as d:
        put(d, "f", ON_OFF)
        for body in (b"", b"{}", b'{"context":null}', b'{"context":{},"more":[1]}',
                     b'{"context":' + b'{"a":' * 31 + b"1" + b"}" * 32):
            expect_eq(single(d, "f", body=body).status, 200, body)
        expect_eq(single(d, "f", body=b'{"context":{"a":"' + b"x" * 65000 + b'"}}').status, 200)


@test
def the_key_in_the_path_is_decoded_once():
    with Daemon() as d:
        for key in ("a b", "100%41", "gr\u00fcn", "a:b", "x.y", "q?=&#+"):
            put(d, key, ON_OFF)
            answers(single(d, key), 200,
                    {"key": key, "reason": "STATIC", "variant": "off", "value": False})
        refused(single(d, "100A"), 404, "100A", "FLAG_NOT_FOUND")
        refused(d.ask("POST", "/ofrep/v1/evaluate/flags/a/b", b"{}"), 404, "a/b", "FLAG_NOT_FOUND")
        expect_eq(d.ask("POST", "/ofrep/v1/evaluate/flags/a%2Fb", b"{}").status, 400)
        expect_eq(d.ask("GET", "/ofrep/v1/evaluate/flags/x.y").status, 405)


@test
def what_flagd_injects_is_there_and_cannot_be_forged():
    with Daemon() as d:
        put(d, "k", {"state": "ENABLED", "variants": {"k": 1, "x": 2},
                     "targeting": {"var": "$flagd.flagKey"}})
        put(d, "t", flag(targeting={"if": [{">": [{"var": "$flagd.timestamp"}, 1700000000]},
                                           "on", "off"]}))
        forged = {"$flagd": {"flagKey": "x", "timestamp": 1}}
        expect_eq(single(d, "k", forged).json()["variant"], "k")
        expect_eq(single(d, "t", forged).json()["variant"], "on")


@test
def bulk_answers_every_flag_in_place():
    with Daemon() as d:
        expect_eq(bulk(d).json()["flags"], [])
        put(d, "b", flag(targeting={"fractional": [["on", 1], ["off", 1]]}))
        put(d, "a", ON_OFF)
        put(d, "c", flag(state="DISABLED"))
        got = bulk(d).json()
        expect_eq([(f["key"], f.get("errorCode"), f.get("reason")) for f in got["flags"]],
                  [("a", None, "STATIC"), ("b", "TARGETING_KEY_MISSING", None),
                   ("c", None, "DISABLED")])
        expect_eq(got["eventStreams"], [{"type": "sse", "inactivityDelaySec": 120,
                                         "endpoint": {"requestUri": "/ofrep/v1/events"}}])
        expect_eq(bulk(d, query="?flagConfigEtag=x&flagConfigLastModified=1").status, 200)


@test
def an_etag_stands_for_flags_and_context_and_gives_304():
    with Daemon() as d:
        put(d, "a", ON_OFF)
        first = bulk(d, {"targetingKey": "u", "n": {"x": 1, "y": [1, 2]}})
        etag = first.headers["etag"]
        expect(etag.startswith('"') and etag.endswith('"'), etag)
        same = {"n": {"y": [1, 2], "x": 1}, "targetingKey": "u"}
        for value in (etag, 'W/"x", ' + etag, "W/" + etag):
            again = bulk(d, same, {"If-None-Match": value})
            expect_eq((again.status, again.body, again.headers["etag"]), (304, b"", etag), value)
        expect_eq(bulk(d, same, {"If-None-Match": '"x"'}).status, 200)
        other = bulk(d, {"targetingKey": "v"}, {"If-None-Match": etag})
        expect(other.status == 200 and other.headers["etag"] != etag)
        put(d, "a", flag(defaultVariant="on"))
        changed = bulk(d, same, {"If-None-Match": etag})
        expect(changed.status == 200 and changed.headers["etag"] != etag)
        d.stop()
        d.start()
        expect_eq(bulk(d, same).headers["etag"], changed.headers["etag"])


@test
def a_flag_that_looks_at_the_clock_makes_bulk_uncacheable():
    with Daemon() as d:
        put(d, "t", flag(targeting={"if": [{">": [{"var": "$flagd.timestamp"}, 5]}, "on"]}))
        reply = bulk(d)
        expect("etag" not in reply.headers, reply.headers)
        expect_eq(bulk(d, headers={"If-None-Match": '"x"'}).status, 200)
        expect_eq(bulk(d, headers={"If-None-Match": "*"}).status, 200)


@test
def a_rule_that_runs_away_ends_in_an_error():
    with Daemon() as d:
        put(d, "slow", flag(targeting={"map": [{"var": "l"}, {"map": [list(range(500)), {
            "+": [{"var": ""}, 1]}]}]}))
        both = {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}
        put(d, "wide", flag(targeting={"reduce": [{"var": "l"}, both, "ab"]}))
        put(d, "f", ON_OFF)
        for key in ("slow", "wide"):
            reply = single(d, key, {"l": [1] * 2000})
            refused(reply, 400, key, "GENERAL")
            expect_in("takes too m", reply.json()["errorDetails"])
        got = bulk(d, {"l": [1] * 2000}).json()["flags"]
        expect_eq([f.get("errorCode") for f in got], [None, "GENERAL", "GENERAL"])
        expect_eq(single(d, "f").status, 200)


# --- the control plane --------------------------------------------------------------------------

@test
def flags_are_set_shown_removed_and_remembered():
    with Daemon() as d:
        put(d, "a", ON_OFF)
        put(d, "b", flag(state="DISABLED"))
        seq = put(d, "a", flag(defaultVariant="on"))["seq"]
        expect_eq(put(d, "a", flag(defaultVariant="on"))["seq"], seq, "said twice, done once")
        expect_eq(d.get("/api/v1/flags/a").json(),
                  {"seq": seq, "key": "a", "definition": flag(defaultVariant="on")})
        expect_eq(d.get("/api/v1/flags/x").status, 404)
        d.stop()
        d.start()
        expect_eq(d.get("/api/v1/flags").json()["file"],
                  {"flags": {"a": flag(defaultVariant="on"), "b": flag(state="DISABLED")}})
        expect_eq(single(d, "a").json()["variant"], "on")
        expect_eq(d.ask("DELETE", "/api/v1/flags/a?note=gone").status, 200)
        expect_eq(d.ask("DELETE", "/api/v1/flags/a").status, 404)
        refused(single(d, "a"), 404, "a", "FLAG_NOT_FOUND")
        events = d.get("/api/v1/flag-history").json()["events"]
        expect_eq([(e["what"], e["flag"], e["who"]) for e in events],
                  [("flag_removed", "a", "anonymous"), ("flags_set", "a", "anonymous"),
                   ("flags_set", "b", "anonymous"), ("flags_set", "a", "anonymous")])
        expect_eq(events[0]["note"], "gone")
        older = d.get("/api/v1/flag-history?limit=1&before=%d" % events[1]["seq"]).json()
        expect_eq([e["flag"] for e in older["events"]], ["b"])


@test
def a_change_that_was_answered_survives_kill():
    with Daemon() as d:
        for i in range(5):
            put(d, "a", flag(defaultVariant="on" if i % 2 else "off", metadata={"n": i}))
            d.kill()
            d.start()
            expect_eq(single(d, "a").json()["metadata"], {"n": i})


@test
def a_whole_file_is_set_in_one_step_json_or_yaml():
    yaml = (b"flags:\n  a:\n    state: ENABLED\n    variants: {on: true, off: false}\n"
            b"    defaultVariant: off\n    targeting: {if: [{$ref: tester}, on]}\n"
            b"$evaluators:\n  tester: {in: [{var: who}, [ann, bob]]}\n")
    with Daemon() as d:
        put(d, "old", ON_OFF)
        reply = d.ask("PUT", "/api/v1/flags", yaml, {"Content-Type": "application/yaml"})
        expect_eq(reply.status, 200, reply)
        expect_eq(single(d, "a", {"who": "bob"}).json()["variant"], "on")
        expect_eq(single(d, "a", {"who": "eve"}).json()["variant"], "off")
        expect_eq(single(d, "old").status, 404)
        put(d, "b", flag(targeting={"if": [{"$ref": "tester"}, "on"]}))
        expect_eq(single(d, "b", {"who": "ann"}).json()["variant"], "on")
        file = d.get("/api/v1/flags").json()["file"]
        expect_eq(d.ask("PUT", "/api/v1/flags", json.dumps(file).encode()).status, 200)


@cases([("an unknown operator", {"targeting": {"nope": 1}}, "there is no operator"),
        ("a misspelt member", {"targetting": {}}, "no member 'targetting'"),
        ("a weight below zero", {"targeting": {"fractional": [["on", -1]]}}, "weight"),
        ("weights over the total", {"targeting": {"fractional": [["on", 2147483647], ["off"]]}},
         "add up to"),
        ("an evaluator that is not there", {"targeting": {"$ref": "x"}}, "$evaluators has no 'x'"),
        ("a default that is no variant", {"defaultVariant": "maybe"}, "none of the variants"),
        ("two types", {"variants": {"on": True, "off": 0}}, "one type"),
        ("a state in lower case", {"state": "enabled"}, "ENABLED")])
def a_flag_that_cannot_work_changes_nothing(more, why):
    with Daemon() as d:
        put(d, "a", ON_OFF)
        reply = put(d, "a", flag(**more), 400)
        expect_in(why, reply["error"])
        expect_eq(d.get("/api/v1/flags/a").json()["definition"], ON_OFF)
        whole = d.ask("PUT", "/api/v1/flags", json.dumps({"flags": {"a": flag(**more)}}).encode())
        expect_eq(whole.status, 400)
        expect_in(why, whole.json()["error"])


@test
def evaluations_are_counted_by_flag_variant_and_reason():
    with Daemon() as d:
        put(d, "a", ON_OFF)
        for _ in range(3):
            single(d, "a")
        bulk(d)
        text = d.get("/metrics").body.decode()
        name = 'slipway_flag_evaluations_total{flag="a",variant="off",reason="STATIC",asked="%s"} %d'
        expect_in(name % ("single", 3), text)
        expect_in(name % ("bulk", 1), text)


# --- a flag as an experiment --------------------------------------------------------------------

def results(d, key, query=""):
    reply = d.get("/api/v1/flag-results/%s%s" % (key, query))
    expect_eq(reply.status, 200, reply)
    return {v.pop("variant"): v for v in reply.json()["variants"]}


def tell(d, items, status=202):
    reply = d.post("/api/v1/feedback", items)
    expect_eq(reply.status, status, reply)
    return reply.json()


@test
def protocol_71_whoever_got_a_variant_by_lot_is_an_exposure_once():
    with Daemon() as d:
        put(d, "x", flag(targeting={"if": [{"var": "tester"}, "on", {
            "fractional": [["on", 1], ["off", 1]]}]}))
        got = {}
        for i in range(40):
            for _ in range(2):
                got["u%d" % i] = single(d, "x", {"targetingKey": "u%d" % i}).json()["variant"]
        long = "k" * 300
        got[long] = single(d, "x", {"targetingKey": long}).json()["variant"]
        single(d, "x", {"targetingKey": "t", "tester": True})  # chosen by a rule: no lot
        bulk(d, {"targetingKey": "b"})                         # asked for everything
        wait_for(lambda: sum(v["exposures"] for v in results(d, "x").values()) == 41, 5, "rows")
        for name in ("on", "off"):
            expect_eq(results(d, "x")[name]["exposures"], list(got.values()).count(name))
        told = tell(d, {"flag": "x", "targetingKey": "u1", "outcome": True})
        expect_eq((told["joined"], told["items"][0]["model"]), (1, "flag:x"))
        expect_eq(tell(d, {"flag": "x", "targetingKey": long, "outcome": 0.5})["joined"], 1)
        expect_eq(tell(d, {"flag": "x", "targetingKey": "t", "outcome": 1})["pending"], 1)
        expect_eq(tell(d, {"flag": "x", "targetingKey": "u1", "outcome": True})["same"], 1)
        expect_eq(results(d, "x")[got["u1"]]["outcomes"], 1 + (got["u1"] == got[long]))
        d.stop()
        d.start()
        expect_eq(sum(v["exposures"] for v in results(d, "x").values()), 41)


@test
def results_tell_a_clear_difference_and_no_other():
    with Daemon() as d:
        put(d, "x", flag(targeting={"fractional": [["on", 1], ["off", 1]]}))
        put(d, "same", flag(targeting={"fractional": [["on", 1], ["off", 1]]}))
        items = []
        with d.conn() as c:
            for i in range(600):
                body = json.dumps({"context": {"targetingKey": "u%d" % i}}).encode()
                for key in ("x", "same"):
                    reply = c.ask("POST", "/ofrep/v1/evaluate/flags/" + key, body)
                    on = reply.json()["variant"] == "on"
                    value = float(i % 10 < (7 if on and key == "x" else 3))
                    items.append({"flag": key, "targetingKey": "u%d" % i, "outcome": value})
        for i in range(0, len(items), 1000):
            tell(d, {"items": items[i:i + 1000]})
        wait_for(lambda: sum(v["exposures"] for v in results(d, "x").values()) == 600, 5, "rows")
        x, same = results(d, "x"), results(d, "same")
        expect_eq((x["on"]["verdict"], same["on"]["verdict"]), ("higher", "not clear of zero"))
        expect(0 < x["on"]["lower"] < x["on"]["difference"] < x["on"]["upper"] < 1, x)
        expect(abs(x["off"]["mean"] - 0.3) < 0.1 and "verdict" not in x["off"], x)
        expect_eq(results(d, "x", "?maturity_s=1000")["on"]["exposures"], 0)


@cases([("no key", {"flag": "x", "outcome": 1}, "targetingKey"),
        ("a key that is a number", {"flag": "x", "targetingKey": 5, "outcome": 1}, "targetingKey"),
        ("both names", {"flag": "x", "model": "m", "targetingKey": "u", "outcome": 1}, "flag"),
        ("another flag", {"flag": "y", "targetingKey": "u", "outcome": 1}, "flag"),
        ("no outcome", {"flag": "x", "targetingKey": "u"}, "outcome"),
        ("a list", {"flag": "x", "targetingKey": "u", "outcome": [1]}, "outcome")])
def feedback_of_a_flag_that_cannot_be_names_the_member(item, field):
    with Daemon() as d:
        put(d, "x", ON_OFF)
        reply = d.post("/api/v1/feedback", item)
        expect(reply.status in (400, 404), reply)
        expect_eq(reply.json()["details"]["field"], field)
        expect_eq(d.get("/api/v1/flag-results/y").status, 404)
        expect_eq(d.get("/api/v1/flag-results/x?cap=-1").status, 400)


# --- the command line ---------------------------------------------------------------------------

def said(d, *args, rc=0, input=None):
    done = d.cli("flag", *args, input=input)
    expect_eq(done.returncode, rc, args, done.stdout, done.stderr)
    return done.stdout if rc == 0 else done.stderr


@test
def the_command_line_makes_flips_shows_and_removes_a_flag():
    with Daemon() as d:
        expect_in("no flags", said(d, "list"))
        expect_eq(said(d, "set", "new ranker", "on", "--note", "let us see"),
                  "flag new ranker is set\n")
        expect_eq(single(d, "new ranker").json()["value"], True)
        said(d, "set", "new ranker", "off")
        expect_eq(single(d, "new ranker").json()["value"], False)
        said(d, "set", "new ranker", "--disable")
        expect_eq(single(d, "new ranker").json()["reason"], "DISABLED")
        said(d, "set", "new ranker", "on", "--enable")
        expect_eq(json.loads(said(d, "get", "new ranker")), flag(defaultVariant="on"))
        expect_eq([line.split() for line in said(d, "list").splitlines()],
                  [["KEY", "STATE", "TYPE", "DEFAULT", "VARIANTS", "RULES"],
                   ["new", "ranker", "ENABLED", "boolean", "on", "2", "-"]])
        expect_eq(json.loads(said(d, "list", "--json"))["file"]["flags"],
                  {"new ranker": flag(defaultVariant="on")})
        expect_eq(said(d, "remove", "new ranker", "--note", "gone & done"),
                  "flag new ranker is removed\n")
        events = d.get("/api/v1/flag-history").json()["events"]
        expect_eq((events[0]["note"], events[-1]["note"]), ("gone & done", "let us see"))
        expect_in("there is no flag", said(d, "remove", "new ranker", rc=4))
        expect_in("gone & done", said(d, "history"))
        put(d, "x", flag(targeting={"fractional": [["on", 1], ["off", 1]]}))
        expect_eq([line.split()[:4] for line in said(d, "results", "x").splitlines()],
                  [["VARIANT", "EXPOSURES", "OUTCOMES", "MEAN"], ["on", "0", "0", "-"],
                   ["off", "0", "0", "-"]])


@test
def the_command_line_takes_files():
    with Daemon() as d:
        one = json.dumps(flag(targeting={"if": [{"var": "x"}, "on"]}))
        said(d, "set", "a", "--file", "-", input=one)
        expect_in("rules", d.cli("flag", "set", "a", "on").stderr)
        path = os.path.join(d.data, "flags.yaml")
        with open(path, "w") as f:
            f.write("flags:\n  b:\n    state: ENABLED\n    variants: {x: 1.0, y: 2}\n"
                    "    defaultVariant: x\n")
        said(d, "set", "--file", path)
        expect_in(b'"value":1.0}', single(d, "b").body)
        expect_eq(single(d, "a").status, 404)
        with open(path, "w") as f:
            f.write("state: ENABLED\nvariants: {on: yes}\n")
        said(d, "set", "c", "--file", path)
        expect_eq(json.loads(said(d, "get", "c"))["variants"], {"on": "yes"})
        whole = said(d, "get")
        said(d, "set", "--file", "-", input=whole)
        expect_eq(said(d, "get"), whole)


@cases([("no action", [], 2, "flag"), ("another word", ["flip"], 2, "none of set, get"),
        ("nothing to set", ["set", "a"], 2, "say what to set"),
        ("both switches", ["set", "a", "--enable", "--disable"], 2, "do not go together"),
        ("a file and a variant", ["set", "a", "on", "--file", "x"], 2, "says it all"),
        ("no such file", ["set", "a", "--file", "/nowhere"], 4, "cannot open"),
        ("no such flag", ["get", "a"], 4, "there is no flag"),
        ("a new flag with a strange variant", ["set", "a", "blue"], 4, "on or off"),
        ("too many words", ["list", "a"], 2, "too many words"),
        ("which one", ["remove"], 2, "say which flag")])
def a_command_that_cannot_be_says_why(args, rc, why):
    with Daemon() as d:
        expect_in(why, said(d, *args, rc=rc))
        expect_eq(d.get("/api/v1/flags").json(), {"seq": 0, "file": {"flags": {}}})


@test
def a_variant_that_is_none_is_refused_by_the_server():
    with Daemon() as d:
        said(d, "set", "a", "on")
        expect_in("none of the variants", said(d, "set", "a", "blue", rc=2))
        expect_eq(d.ask("PUT", "/api/v1/flags?format=xml", b"{}").status, 400)
        reply = d.ask("PUT", "/api/v1/flags?format=json", b"flags: {}",
                      {"content-type": "application/yaml"})
        expect_eq((reply.status, reply.json()["details"]["field"]), (400, "format"))


if __name__ == "__main__":
    main()
