#!/usr/bin/env python3
"""upload_test.py - files on their way in: resumed, raced, swept, and whose they are.

Names in brackets are rows of the robustness catalogue.
SPDX-License-Identifier: MIT
"""
import concurrent.futures
import hashlib
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import Daemon, expect, expect_eq, expect_in, main, test, wait_for  # noqa: E402
from tenants import auth, operator, tenant  # noqa: E402

MODEL = json.dumps({"engine": "linear", "weights": [[2, 1]]}).encode()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def is_error(reply, status, code, field=None):
    expect_eq(reply.status, status, reply)
    expect_eq(reply.json()["code"], code, reply)
    if field is not None:
        expect_eq(reply.json()["details"].get("field", ""), field, reply)


def version(d, model, data, headers=None):
    return d.post("/api/v1/models/%s/versions" % model,
                  {"files": [{"name": "model.json", "sha256": digest(data)}]}, headers)


def begin(d, data=None, body=b"", headers=None, **said):
    path = "/api/v1/uploads" + ("?sha256=" + digest(data) if data is not None else "")
    more = {"upload-complete": "?0"}
    if data is not None:
        more["upload-length"] = str(len(data))
    return d.ask("POST", path, body, dict(more, **(headers or {})))


def append(d, where, offset, body, last=False, headers=None):
    return d.ask("PATCH", where, body, dict({"upload-offset": str(offset),
                                             "upload-complete": "?1" if last else "?0"},
                                            **(headers or {})))


@test
def an_upload_goes_on_where_it_was():
    data = MODEL + b" " * (3_000_001 - len(MODEL))
    with Daemon() as d:
        made = begin(d, data)
        expect_eq(made.status, 201, made)
        where = made.headers["location"]
        expect_eq(made.headers["upload-offset"], "0")
        first = append(d, where, 0, data[:1_000_000])
        expect_eq((first.status, first.headers["upload-offset"]), (200, "1000000"), first)
        d.stop()
        d.start()  # uploads outlive the process
        head = d.ask("HEAD", where)
        expect_eq((head.status, head.headers["upload-offset"]), (200, "1000000"))
        expect_eq(head.headers["upload-complete"], "?0")
        wrong = append(d, where, 999_999, b"x")
        is_error(wrong, 409, "CONFLICT", "Upload-Offset")
        expect_eq(wrong.headers["upload-offset"], "1000000")
        is_error(append(d, where, 1_000_001, b"x"), 409, "CONFLICT", "Upload-Offset")
        is_error(version(d, "m", data), 400, "INVALID_ARGUMENT")  # nothing before its end
        again = begin(d, data)  # a client that lost the Location
        expect_eq((again.headers["location"], again.headers["upload-offset"]), (where, "1000000"))
        done = append(d, where, 1_000_000, data[1_000_000:], last=True)
        expect_eq(done.status, 201, done)
        expect_eq((done.json()["sha256"], done.json()["bytes"]), (digest(data), len(data)))
        is_error(d.ask("GET", where), 404, "NOT_FOUND")
        expect_eq(version(d, "m", data).status, 201)


@test
def a_client_that_goes_away_leaves_what_it_sent():
    data = os.urandom(2_000_000)
    with Daemon() as d:
        where = begin(d, data).headers["location"]
        with socket.create_connection(("127.0.0.1", d.port)) as s:
            s.sendall(("PATCH %s HTTP/1.1\r\nHost: localhost\r\nUpload-Offset: 0\r\n"
                       "Upload-Complete: ?1\r\nContent-Length: %d\r\n\r\n"
                       % (where, len(data))).encode() + data[:1_500_000])
            time.sleep(0.3)
        wait_for(lambda: d.get(where).status == 200, 5, "the lock to be free")
        offset = d.get(where).json()["offset"]
        expect(0 < offset <= 1_500_000, offset)
        done = append(d, where, offset, data[offset:], last=True)
        expect_eq(done.json()["sha256"], digest(data), done)


@test
def one_writes_at_a_time():
    with Daemon() as d:
        where = begin(d).headers["location"]
        with socket.create_connection(("127.0.0.1", d.port)) as s:
            s.sendall(("PATCH %s HTTP/1.1\r\nHost: localhost\r\nUpload-Offset: 0\r\n"
                       "Content-Length: 100000\r\n\r\n" % where).encode() + b"x" * 70000)
            wait_for(lambda: d.get(where).status == 409, 5, "the other to have it")
            is_error(append(d, where, 0, b"y"), 409, "CONFLICT")
            is_error(d.ask("DELETE", where), 409, "CONFLICT")
        wait_for(lambda: d.get(where).status == 200, 5, "the lock to be free")
        expect_eq(d.ask("DELETE", where).status, 200)
        is_error(d.get(where), 404, "NOT_FOUND")
    # Many uploads of the same bytes at once, and of others.
    files = [os.urandom(100_000) for _ in range(4)] * 4
    with Daemon() as d:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda data: d.ask("POST", "/api/v1/uploads", data), files))
        expect_eq([r.status for r in got], [201] * 16)
        expect_eq([r.json()["sha256"] for r in got], [digest(f) for f in files])


@test
def bad_uploads_are_refused():
    data = b"0123456789"
    with Daemon() as d:
        for headers in [{"upload-complete": "yes"}, {"upload-complete": "1"},
                        {"upload-length": "-1"}, {"upload-length": "x"}]:
            is_error(d.ask("POST", "/api/v1/uploads", b"", headers), 400, "INVALID_ARGUMENT")
        is_error(d.ask("POST", "/api/v1/uploads", b"", {"upload-length": str(3 << 30)}), 413,
                 "BODY_TOO_LARGE")
        is_error(d.ask("POST", "/api/v1/uploads?sha256=zz", b""), 400, "INVALID_ARGUMENT", "sha256")
        for method, path in (("POST", "/api/v1/uploads"), ("PUT", "/api/v1/blobs")):
            for once in ("", "two words", "x" * 256):
                is_error(d.ask(method, path, data, {"idempotency-key": once}), 400,
                         "INVALID_ARGUMENT")
        where = begin(d, data).headers["location"]
        is_error(d.ask("PATCH", where, b"x"), 400, "INVALID_ARGUMENT", "Upload-Offset")
        is_error(append(d, where, "x", b"x"), 400, "INVALID_ARGUMENT", "Upload-Offset")
        is_error(append(d, where, 0, data + b"!"), 400, "BAD_SIZE")
        offset = d.get(where).json()["offset"]
        is_error(append(d, where, offset, b"", last=True), 400, "BAD_SIZE")
        d.ask("DELETE", where)
        where = begin(d, data).headers["location"]
        is_error(append(d, where, 0, b"9876543210", last=True), 400, "INVALID_ARGUMENT")
        is_error(d.get(where), 404, "NOT_FOUND")  # what it holds is no use to anybody
        for bad in ["x", "0" * 32, "0" * 33, "Z" * 32]:
            reply = d.get("/api/v1/uploads/" + bad)
            expect_eq(reply.status, 404, bad, reply)
        open_ones = [begin(d, None).headers["location"] for _ in range(16)]
        is_error(begin(d), 429, "LIMIT_EXCEEDED")
        d.ask("DELETE", open_ones[0])
        expect_eq(begin(d).status, 201)


@test
def the_same_key_with_other_bytes():
    """[RG-104]"""
    with Daemon() as d:
        key = {"idempotency-key": "k1"}
        expect_eq(d.ask("PUT", "/api/v1/blobs", b"one", key).status, 201)
        expect_eq(d.ask("PUT", "/api/v1/blobs", b"one", key).status, 201)
        is_error(d.ask("PUT", "/api/v1/blobs", b"two", key), 409, "IDEMPOTENCY_MISMATCH")
        key = {"idempotency-key": "k2"}
        expect_eq(begin(d, b"three", headers=key).status, 201)
        is_error(begin(d, b"four!", headers=key), 409, "IDEMPOTENCY_MISMATCH")
        key = {"idempotency-key": "k3"}
        made = d.ask("PUT", "/api/v1/blobs", MODEL)
        files = [dict(made.json(), name="model.json")]
        expect_eq(d.post("/api/v1/models/m/versions", {"files": files}, key).status, 201)
        again = d.post("/api/v1/models/m/versions", {"files": files}, key)
        expect_eq((again.status, again.json()["version"]), (201, 1))
        is_error(d.post("/api/v1/models/m/versions", {"files": files, "tags": {"a": "b"}}, key),
                 409, "IDEMPOTENCY_MISMATCH")


@test
def bytes_are_named_by_who_had_them():
    """[TN-101] [RG-111]: a digest alone gets nobody another tenant's bytes, nor tells of them."""
    with Daemon("--keys-only") as d:
        top, other = auth(operator(d)), auth(tenant(d, "other"))
        mine = MODEL + b"   "
        expect_eq(d.ask("PUT", "/api/v1/blobs", mine, top).status, 201)
        theirs = version(d, "m", mine, other)
        nobodys = version(d, "m", MODEL + b"    ", other)
        expect_eq(theirs.status, 400, theirs)
        strip = lambda r: {k: v for k, v in r.json().items() if k != "request_id"}  # noqa: E731
        expect_eq(strip(theirs), strip(nobodys))
        expect_eq(version(d, "m", mine, top).status, 201)
        is_error(version(d, "m", mine, other), 400, "INVALID_ARGUMENT")
        where = begin(d, mine, headers=top).headers["location"]
        for method in ["GET", "DELETE"]:
            is_error(d.ask(method, where, None, other), 404, "NOT_FOUND")
        is_error(append(d, where, 0, b"x", headers=other), 404, "NOT_FOUND")
        expect(begin(d, mine, headers=other).headers["location"] != where)
        # An upload of what another has costs the same and says the same.
        expect_eq(d.ask("PUT", "/api/v1/blobs", mine, other).status, 201)
        expect_eq(version(d, "m", mine, other).status, 201)


@test
def links_in_the_data_directory_are_not_followed():
    """[ST-112]"""
    with Daemon() as d:
        expect_eq(d.ask("PUT", "/api/v1/blobs", b"one").status, 201)
        held = os.path.join(d.data, "held")
        folder = os.path.join(held, os.listdir(held)[0])
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
        os.symlink("/tmp", folder)
        reply = d.ask("PUT", "/api/v1/blobs", b"two")
        expect_eq(reply.status, 403, reply)
        expect_in("symbolic link", reply.json()["error"])
        expect(not os.path.exists(os.path.join("/tmp", digest(b"two"))))


main()
