#!/usr/bin/env python3
# run: release
"""complexity_test.py - inputs made to be slow: a byte of the worst costs the daemon no more than
ten times a byte of the normal. Measured in processor time of the process, so that a busy machine
is no excuse and no help.
SPDX-License-Identifier: MIT
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from hostile import cpu_seconds
from models import Shared, echo, serve, spec
from slipway import cases, expect, main, test

BYTES = 512 << 10
CPU_S = 0.15  # measured for at least so long: a process's clock ticks a hundred times a second
INFER = "/v2/models/x/infer"
FLAG = "/api/v1/flags/f"
shared = Shared()


def prepared():
    d = shared()
    if not hasattr(prepared, "done"):
        serve(d, "x", echo([spec("x", "FP32", (-1, -1))]))
        serve(d, "b", echo([spec("x", "BYTES", (-1, -1))]))
        prepared.done = True
    return d


def repeated(unit, room=BYTES):
    return unit * (room // len(unit))


def tensor(element, datatype="FP32", room=BYTES):
    """A request whose data is this element over and over."""
    n = room // (len(element) + 1)
    return ('{"inputs":[{"name":"x","shape":[1,%d],"datatype":"%s","data":[%s]}]}'
            % (n, datatype, ",".join([element] * n))).encode()


def flag(**more):
    return json.dumps(dict({"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"},
                           **more)).encode()


NORMAL = {INFER: tensor("0.8414709848"),
          FLAG: flag(metadata={"k%d" % i: "v%d" % i for i in range(200)})}
WORST = [
    ("digits of a number", INFER, tensor("0." + "1234567890" * 70)),
    ("numbers between two floats", INFER, tensor("1.00000005960464477539062500000000000000001")),
    ("numbers next to nothing", INFER, tensor("1.1754943508222875079687365372222456778186e-38")),
    ("exponents", INFER, tensor("1e-0000000000000000000000000000000000000038")),
    ("blanks", INFER, tensor(" " * 60 + "1" + " " * 60)),
    ("escapes", "/v2/models/b/infer", tensor('"' + "\\u00e9" * 40 + '"', "BYTES")),
    ("surrogates", "/v2/models/b/infer", tensor('"' + "\\ud83d\\ude00" * 20 + '"', "BYTES")),
    ("empty strings", "/v2/models/b/infer", tensor('""', "BYTES")),
    ("brackets", INFER, b'{"inputs":' + b"[" * BYTES),
    ("objects", INFER, b'{"parameters":' + b'{"a":' * (BYTES // 5)),
    ("parameters", INFER, json.dumps({"parameters": {"p%06d" % i: i for i in range(25000)},
                                      "inputs": []}).encode()),
    ("one name over and over", INFER, b'{"id":"a",' + repeated(b'"id":"a",') + b'"inputs":[]}'),
    ("many inputs", INFER, json.dumps({"inputs": [
        {"name": "n%06d" % i, "shape": [1, 1], "datatype": "FP32", "data": [1]}
        for i in range(7000)]}).encode()),
    ("many outputs", INFER, json.dumps({"outputs": [{"name": "n%06d" % i} for i in range(20000)],
                                        "inputs": []}).encode()),
    ("UTF-8 that is none at its end", INFER,
     b'{"id":"' + "\u00e9".encode() * (BYTES // 2) + b'\xff"}'),
    ("a flag's members", FLAG, flag(metadata={"%07d" % i: "" for i in range(30000)})),
    ("a flag's brackets", FLAG, b'{"variants":' + b"[" * (256 << 10)),
    ("a flag's rule", FLAG, flag(targeting={"if": [{"==": [1, 1]}, "on"] * 8000})),
    ("a flag's variants", FLAG, flag(variants={"v%06d" % i: True for i in range(15000)})),
]


def cost(d, path, body):
    """Seconds of the process per byte, and how it answered."""
    began, sent, replies = cpu_seconds(d.proc.pid), 0, set()
    method, fields = "PUT" if path == FLAG else "POST", {"content-type": "application/json"}
    while cpu_seconds(d.proc.pid) - began < CPU_S and sent < 400 * BYTES:
        with d.conn(60) as c:
            try:
                r = c.ask(method, path, body, fields)
                replies.add(r.status)
            except (BrokenPipeError, ConnectionResetError):
                replies.add(413)
        sent += len(body)
    return (cpu_seconds(d.proc.pid) - began) / sent, replies


def normal(path, costs={}):
    """Of a byte that is wanted, on the same route."""
    if path not in costs:
        costs[path], said = cost(prepared(), path, NORMAL[path])
        expect(said == {200}, "the normal one was answered %s" % said)
    return costs[path]


@cases(WORST)
def CP_104_the_worst_byte_costs_at_most_ten_normal_ones(path, body):
    d = prepared()
    usual = normal(FLAG if path == FLAG else INFER)
    worst, said = cost(d, path, body)
    expect(worst <= 10 * usual, "a byte costs %.1f ns, a normal one %.1f ns; answered %s"
           % (1e9 * worst, 1e9 * usual, said))


@test
def the_shared_daemon_ends_in_good_order():
    shared.end()


main()
