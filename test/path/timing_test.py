#!/usr/bin/env python3
# run: release
"""timing_test.py - what is another's takes as long as what is not there, a wrong key as long as any
other wrong key. Two requests in random order on one connection, N of each in 40 rounds; in a round
their times are ranked together (Mann-Whitney), so that a slow machine is as slow to both, and the
rounds are held against each other (Student's t). A test that could not see a difference would be
none: the last one plants one, and wants it found.

N is 5,000; TIMING=100000 asks as often as the robustness rules say (make timing).
SPDX-License-Identifier: MIT
"""
import math
import os
import random
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import Daemon, SANITIZED, expect, expect_eq, main, request, skip, test  # noqa: E402
import models  # noqa: E402
from tenants import auth, tenant  # noqa: E402

N = int(os.environ.get("TIMING", "5000"))
ROUNDS = 40
Z = 5.0  # of t, 39 degrees of freedom: by chance once in 80,000 comparisons


def times(d, first, second, n):
    """n of each, in an order nobody can guess: two lists of nanoseconds."""
    chance = random.Random()
    order = [0] * n + [1] * n
    chance.shuffle(order)
    asks, took = (first, second), ([], [])
    with d.conn() as c:
        sock, clock = c.sock, time.perf_counter_ns
        for i in range(400):  # caches, branch predictors, the allocator
            sock.sendall(asks[i & 1])
            sock.recv(65536)
        for which in order:
            ask = asks[which]
            began = clock()
            sock.sendall(ask)
            got = sock.recv(65536)
            took[which].append(clock() - began)
        expect(got.endswith(b"\n") or got.endswith(b"}"), got[-80:])
    return took


def rank_z(a, b):
    """How many standard deviations the ranks of a are from those of b; ties share theirs."""
    both = sorted([(t, 0) for t in a] + [(t, 1) for t in b])
    total, i, ties = 0.0, 0, 0
    while i < len(both):
        k = i
        while k < len(both) and both[k][0] == both[i][0]:
            k += 1
        total += (i + k + 1) / 2 * sum(1 for t in both[i:k] if t[1] == 0)
        ties += (k - i) ** 3 - (k - i)
        i = k
    n, m = len(a), len(b)
    mean = n * (n + m + 1) / 2
    every = n + m
    spread = math.sqrt(n * m / 12 * ((every + 1) - ties / (every * (every - 1))))
    return (total - mean) / spread


def median(values):
    return sorted(values)[len(values) // 2]


def compare(d, what, first, second, n=None):
    a, b, zs = [], [], []
    for i in range(ROUNDS):
        # Where its bytes lie in this program, and which list it fills, shows in 10^5 samples of one
        # and the same request. So each takes both places, in fresh bytes, and what is held against
        # chance is how the rounds agree, not how many samples there are.
        one, other = (ask(i) if callable(ask) else ask for ask in (first, second))
        pair = [bytes(bytearray(ask)) for ask in ((one, other), (other, one))[i % 2]]
        took = times(d, *pair, n=(n or N) // ROUNDS)
        a += took[i % 2]
        b += took[1 - i % 2]
        zs.append(rank_z(took[i % 2], took[1 - i % 2]))
    mean = sum(zs) / ROUNDS
    spread = math.sqrt(sum((z - mean) ** 2 for z in zs) / (ROUNDS - 1))
    z = mean / (spread / math.sqrt(ROUNDS))
    if os.environ.get("TIMING"):
        print("%-44s t %+5.2f  medians %6.1f and %6.1f us" %
              (what, z, median(a) / 1e3, median(b) / 1e3), flush=True)
    return z


def equal(d, what, first, second):
    """Once more where chance was against it: a difference that is there shows again, the same way."""
    z = compare(d, what, first, second)
    again = compare(d, what, first, second) if abs(z) >= Z else 0
    expect(abs(again) < Z or z * again < 0, "%s: the times differ, t = %.1f" % (what, again))


def infer(model):
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}


@test
def TN_101_TN_106_anothers_object_takes_as_long_as_one_that_is_not_there():
    """[TN-101] [TN-106]"""
    if SANITIZED:
        skip("instrumented code has times of its own")
    with Daemon("--keys-only", "--loops", "1") as d:
        ann, bob = tenant(d, "acme"), auth(tenant(d, "bank"), **{"x-request-id": "same"})

        class Ann:
            @staticmethod
            def ask(method, path, body=None, headers=None):
                return d.ask(method, path, body, dict(auth(ann), **(headers or {})))

            @staticmethod
            def post(path, body=None, headers=None):
                return d.post(path, body, dict(auth(ann), **(headers or {})))
        models.serve(Ann, "fraud", models.linear([[1, 0]], [5]))
        key = Ann.post("/api/v1/keys", {"role": "viewer", "person": "eve"}).json()["id"]
        rows = [("GET", "/v2/models/%s", None, "fraud", "freud"),
                ("POST", "/v2/models/%s/infer", infer("x"), "fraud", "freud"),
                ("POST", "/v1/models/%s:predict", {"instances": [[1, 2]]}, "fraud", "freud"),
                ("GET", "/api/v1/models/%s", None, "fraud", "freud"),
                ("GET", "/api/v1/models/%s/history", None, "fraud", "freud"),
                ("GET", "/api/v1/models/%s/feedback/req-1", None, "fraud", "freud"),
                ("POST", "/api/v1/models/%s/deploy", {"version": 1}, "fraud", "freud"),
                ("GET", "/api/v1/tenants/%s", None, "acme", "acne"),
                ("DELETE", "/api/v1/tenants/%s", None, "acme", "acne"),
                ("DELETE", "/api/v1/keys/%s", None, key, key[::-1])]
        for method, path, body, first, second in rows:
            asks = [request(method, path % name, body, bob) for name in (first, second)]
            equal(d, "%s %s" % (method, path), *asks)


def with_crc(key):
    return key[:-8] + "%08x" % zlib.crc32(key[:-9].encode())


@test
def AU_102_a_wrong_key_takes_as_long_whatever_is_wrong_with_it():
    """[AU-102] Each round has keys of its own: how far an id has to be looked for in a table is its
    own chance, which tells of no other."""
    if SANITIZED:
        skip("instrumented code has times of its own")
    with Daemon("--keys-only", "--loops", "1") as d:
        first = tenant(d, "acme")
        body = {"role": "viewer", "person": "eve"}
        made = [d.post("/api/v1/keys", body, auth(first)).json() for _ in range(2 * ROUNDS)]
        goods, revoked = ([m["key"] for m in made[k::2]] for k in (0, 1))
        for m in made[1::2]:
            d.ask("DELETE", "/api/v1/keys/" + m["id"], None, auth(first))
        chance = random.Random(102)
        unknowns = ["slw_" + "".join(chance.choices("0123456789abcdefghjkmnpqrstvwxyz", k=12)) +
                    good[16:] for good in goods]

        def asks(keys):
            return lambda i: request("GET", "/api/v1/models", None, auth(keys[i]))

        def changed(key):
            return key[:30] + ("0" if key[30] != "0" else "1") + key[31:]

        base = [with_crc(key) for key in unknowns]  # as good as a key, but that nobody has it
        wrongs = {"one character changed": [changed(key) for key in goods],
                  "a secret that is not its own": [with_crc(changed(key)) for key in goods],
                  "a bad checksum": [key[:-1] + ("0" if key[-1] != "0" else "1") for key in goods],
                  "cut and filled": [key[:-9] + "_00000000" for key in goods],
                  "no key at all": ["slw_" + "a" * (len(key) - 4) for key in goods],
                  "revoked": revoked}
        for what, wrong in wrongs.items():
            expect_eq([len(key) for key in wrong], [len(key) for key in base])
            equal(d, "key: " + what, asks(base), asks(wrong))


@test
def a_difference_that_is_there_is_found():
    if SANITIZED:
        skip("instrumented code has times of its own")
    with Daemon("--loops", "1") as d:
        models.serve(d, "fraud", models.linear([[1, 0]], [5]))
        asks = [request("GET", "/v2/models/" + name) for name in ("fraud", "freud")]
        what, n = "a model that is there, and one that is not", max(N // 2, 2000)
        expect(any(abs(compare(d, what, *asks, n=n)) > Z for _ in range(3)), "it was not seen")


main()
