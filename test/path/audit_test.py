#!/usr/bin/env python3
"""audit_test.py - the ledger out of a running daemon, and a file held against itself.

SPDX-License-Identifier: MIT
"""
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import linear, serve
from slipway import BIN, Daemon, expect, expect_eq, expect_in, main, test
from tenants import auth, key_add


def folder():
    made = tempfile.mkdtemp(prefix="slipway-audit-")
    atexit.register(shutil.rmtree, made, True)
    return made


def slipway(*args):
    """Without a server, and without a home that could name one."""
    return subprocess.run([BIN, *args], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})


def busy(d, n=12):
    serve(d, "m", linear([[0]], [1]))
    for i in range(n):
        expect_eq(d.ask("PUT", "/api/v1/flags/f%d" % i,
                        {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
                        ).status, 200)


def key_of(d, role):
    return auth(key_add(d, role, "p-" + role)["key"])


@test
def exported_and_verified_without_the_server():
    with Daemon() as d:
        busy(d)
        path = os.path.join(folder(), "ledger.jsonl")
        out = d.cli("audit", "export", path)
        expect_eq(out.returncode, 0, out.stderr)
        whole = d.cli("audit", "export", path + ".all", "--all")
        expect_eq(whole.returncode, 0, whole.stderr)
        part = d.cli("audit", "export", path + ".part", "--from", "5")
        expect_eq(part.returncode, 0, part.stderr)
    for name, says in ((path, "of tenant default, 1 to"), (path + ".all", "of all tenants"),
                       (path + ".part", "events before 5 are not in this file")):
        out = slipway("audit", "verify", name)
        expect_eq(out.returncode, 0, out.stderr)
        expect_in(says, out.stdout)
        expect_in("without checkpoints", out.stdout)
    got = json.loads(slipway("audit", "verify", path, "--json").stdout)
    expect_eq((got["holds"], got["whole"], got["checkpoints"]), (True, True, 0))


@test
def pages_are_files_and_join():
    with Daemon() as d:
        busy(d)
        rows, at, pages = [], 1, 0
        while at:
            reply = d.get("/api/v1/audit?limit=4&from=%d" % at)
            expect_eq(reply.status, 200, reply)
            lines = reply.body.decode().splitlines()
            last = json.loads(lines[-1])
            rows += lines[1:-1]
            at, pages = last.get("more"), pages + 1
        expect(pages > 3, pages)
        one = d.get("/api/v1/audit?limit=10000").body.decode().splitlines()
        expect_eq(rows, one[1:-1])
        expect_eq(json.loads(one[-1])["end"]["rows"], len(rows))


@test
def who_may_read_it():
    with Daemon("--keys-only") as d:
        auditor, viewer, admin = key_of(d, "auditor"), key_of(d, "viewer"), key_of(d, "operator")
        expect_eq(d.get("/api/v1/audit").status, 401)
        expect_eq(d.get("/api/v1/audit", viewer).status, 403)
        expect_eq(d.get("/api/v1/audit", auditor).status, 200)
        expect_eq(d.get("/api/v1/audit?tenants=all", auditor).status, 403)
        expect_eq(d.get("/api/v1/audit?tenants=all", admin).status, 200)
        expect_eq(d.get("/api/v1/audit/key", viewer).status, 403)
        expect_eq(len(d.get("/api/v1/audit/key", auditor).json()["key"]), 64)
        for query in ("limit=0", "limit=10001", "limit=-1", "from=0", "from=x", "tenants=acme"):
            expect_eq(d.get("/api/v1/audit?" + query, admin).status, 400, query)
        expect_in(b'{"more":', d.get("/api/v1/audit?limit=1", auditor).body)
        none = d.get("/api/v1/audit?from=999999", auditor).body.decode().splitlines()
        expect_eq(json.loads(none[-1])["end"]["rows"], 0)


@test
def a_refused_export_leaves_the_one_before():
    where = folder()
    path = os.path.join(where, "ledger.jsonl")
    with Daemon() as d:
        busy(d)
        env = dict(os.environ, SLIPWAY_URL=d.url(), HOME=d.data)
        env["SLIPWAY_KEY"] = key_add(d, "invoker", "shop")["key"]
        for name in ("ledger.jsonl", "new.jsonl"):
            expect_eq(d.cli("audit", "export", path).returncode, 0)
            with open(path) as f:
                before = f.read()
            out = subprocess.run([BIN, "audit", "export", os.path.join(where, name)], text=True,
                                 env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            expect_eq(out.returncode, 3, out)
            expect_eq(os.listdir(where), ["ledger.jsonl"], "nothing half done is left")
            with open(path) as f:
                expect_eq(f.read(), before)
        os.symlink(path, path + ".link")
        expect_eq(d.cli("audit", "export", path + ".link").returncode, 0)
        expect(os.path.islink(path + ".link"), "a link is written through")
        expect_eq(d.cli("audit", "export", os.devnull).returncode, 0)
        expect_eq(d.cli("audit", "export", os.path.join(where, "no", "x")).returncode, 2)


@test
def checkpoints_know_what_a_file_cannot():
    where = folder()
    path, signed = os.path.join(where, "ledger.jsonl"), os.path.join(where, "signed.jsonl")
    with Daemon("--audit-checkpoint", signed) as d:
        busy(d)
        key = d.cli("audit", "key").stdout.strip()
        expect_eq(d.cli("audit", "export", path).returncode, 0)
    out = slipway("audit", "verify", path, "--checkpoint", signed, "--key", key)
    expect_eq(out.returncode, 0, out.stderr)
    expect_in("signed checkpoints agree", out.stdout)
    expect_in("signed with " + key, out.stdout)
    out = slipway("audit", "verify", path, "--checkpoint", signed, "--key", "ab" * 32)
    expect_eq(out.returncode, 8, out)
    expect_in("another key", out.stderr)

    with open(path) as f:
        lines = f.read().splitlines()
    last = json.loads(lines[-3])
    cut = lines[:-2] + [json.dumps({"end": {"hash": last["hash"], "rows": len(lines) - 3,
                                            "seq": last["row"]["seq"]}}, separators=(",", ":"))]
    with open(path + ".cut", "w") as f:
        f.write("\n".join(cut) + "\n")
    expect_eq(slipway("audit", "verify", path + ".cut").returncode, 0)
    out = slipway("audit", "verify", path + ".cut", "--checkpoint", signed)
    expect_eq(out.returncode, 8, out)
    expect_in("was cut: it ends with event %d" % last["row"]["seq"], out.stderr)


@test
def a_changed_row_is_named():
    where = folder()
    path = os.path.join(where, "ledger.jsonl")
    with Daemon() as d:
        busy(d)
        expect_eq(d.cli("audit", "export", path).returncode, 0)
    with open(path) as f:
        lines = f.read().splitlines()
    for at in range(1, len(lines) - 1):
        changed = list(lines)
        changed[at] = changed[at].replace('"wall_ms":1', '"wall_ms":2')
        with open(path, "w") as f:
            f.write("\n".join(changed))
        out = slipway("audit", "verify", path)
        expect_eq(out.returncode, 8, out)
        expect_in("line %d, event %d, is not what its hash says" % (at + 1, at), out.stderr)
    for text, code in (("", 2), ("hello\n", 2), ("\x00" * 100, 2)):
        with open(path, "w") as f:
            f.write(text)
        expect_eq(slipway("audit", "verify", path).returncode, code, repr(text))
    expect_eq(slipway("audit", "verify", path + ".missing").returncode, 4)
    expect_eq(slipway("audit", "verify").returncode, 2)
    expect_eq(slipway("audit", "erase", path).returncode, 2)


@test
def a_checkpoint_file_that_cannot_be_written_is_refused_at_start():
    d = Daemon("--audit-checkpoint", "/nonexistent/signed", ready=False)
    try:
        d.start()
        expect_eq(d.proc.wait(10), 7, d.stderr())
        expect_in("checkpoints", d.stderr())
    finally:
        d.clean()


main()
