#!/usr/bin/env python3
"""backup_test.py - a backup taken while changes are made, restored, is a server with every change
that had been acknowledged before it; one that is not what was written is refused.

SPDX-License-Identifier: MIT
"""
import atexit
import io
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from models import linear, serve, want
from slipway import BIN, Daemon, cases, expect, expect_eq, expect_in, main, skip, test, wait_for
from tenants import auth, operator

BODY = {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}
FLAG = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}


def folder():
    made = tempfile.mkdtemp(prefix="slipway-backup-")
    atexit.register(shutil.rmtree, made, True)
    return made


def slipway(*args):
    return subprocess.run([BIN, *args], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def made():
    """A backup of a server with a model, once."""
    if not hasattr(made, "file"):
        made.file = os.path.join(folder(), "b.tar")
        with Daemon() as d:
            serve(d, "m", linear([[0]], [7]))
            expect_eq(slipway("backup", made.file, "--data", d.data).returncode, 0)
    return made.file


@test
def taken_while_changes_are_made():
    where = folder()
    path, again = os.path.join(where, "b.tar"), os.path.join(where, "again")
    with Daemon() as d:
        serve(d, "m", linear([[0]], [7]))
        said, stop = [], threading.Event()

        def change():
            while not stop.is_set():
                name = "f%d" % len(said)
                want(d.ask("PUT", "/api/v1/flags/" + name, FLAG), 200, "flag")
                said.append(name)

        thread = threading.Thread(target=change)
        thread.start()
        while len(said) < 20:
            stop.wait(0.01)
        before = len(said)
        out = slipway("backup", path, "--data", d.data)
        stop.set()
        thread.join()
        expect_eq(out.returncode, 0, out.stderr)
        expect_in("MiB/s", out.stdout)
        expect_eq(os.stat(path).st_mode & 0o777, 0o600)
        said_key = auth(operator(d))
    expect_eq(slipway("restore", path, "--verify").returncode, 0)
    out = slipway("restore", path, "--data", again)
    expect_eq(out.returncode, 0, out.stderr)
    with Daemon("--keys-only", data=again) as d:  # the key of before still opens it
        for name in said[:before]:
            expect_eq(d.get("/api/v1/flags/" + name, said_key).status, 200, name)
        reply = want(d.post("/v2/models/m/infer", BODY, said_key), 200, "predict")
        expect_eq(reply["outputs"][0]["data"], [7.0])
    expect_eq(slipway("restore", path, "--data", again).returncode, 6)
    expect_eq(sorted(os.listdir(where)), ["again", "b.tar"], "left over")


def reject(data):
    """That file is no backup, says both, and leaves nothing that starts."""
    where = folder()
    path, again = os.path.join(where, "b.tar"), os.path.join(where, "again")
    with open(path, "wb") as f:
        f.write(data)
    for args in (("--verify",), ("--data", again)):
        out = slipway("restore", path, *args)
        expect_eq(out.returncode, 8, out.stderr)
        expect_in("not what was written", out.stderr)
    expect(not os.path.exists(os.path.join(again, "ledger.db")), "half a ledger")
    expect(not os.path.exists(os.path.join(where, "escaped")))


def tell(d, name):
    want(d.post("/api/v1/feedback", {"model": "m", "items": [{"request_id": name, "outcome": 1}]}),
         202, "feedback")


def found(d, name):
    return d.get("/api/v1/models/m/feedback/" + name)


@test
def outcomes_come_back():
    """What was predicted before the backup can be told of afterwards, and what was told is there."""
    where = folder()
    path, again = os.path.join(where, "b.tar"), os.path.join(where, "again")
    model = dict(linear([[0]], [7]), **{"slipway.yaml": b"feedback: {window: 1h}\n"})
    with Daemon() as d:
        serve(d, "m", model)
        for name in ("told", "open"):
            want(d.ask("POST", "/v2/models/m/infer", BODY, {"x-request-id": name}), 200, name)
        tell(d, "told")
        wait_for(lambda: found(d, "told").status == 200 and found(d, "open").status == 200)
        expect_eq(slipway("backup", path, "--data", d.data).returncode, 0)
        before = [found(d, name).json() for name in ("told", "open")]
    expect_in("outcomes.db", tarfile.open(path).getnames())
    expect_eq(slipway("restore", path, "--data", again).returncode, 0)
    with Daemon(data=again) as d:
        expect_eq([found(d, name).json() for name in ("told", "open")], before)
        tell(d, "open")
        expect(found(d, "open").json() != before[1], before)


@test
def what_is_left_without_a_ledger_is_not_restored_over():
    """Refused before anything is touched, each time: who moved a damaged ledger away still has the
    keys, the outcomes and the objects of after the backup."""
    with Daemon() as d:
        serve(d, "m", linear([[0]], [8]))
        d.stop()
        os.unlink(os.path.join(d.data, "ledger.db"))

        def there():
            return sorted((p, f) for p, _, names in os.walk(d.data) for f in names)
        before = there()
        for _ in range(2):
            out = slipway("restore", made(), "--data", d.data)
            expect_eq((out.returncode, there()), (6, before), out.stderr)
            expect_in("restore into an empty folder", out.stderr)
        for name in os.listdir(d.data):
            if os.path.isfile(os.path.join(d.data, name)):
                os.unlink(os.path.join(d.data, name))
        out = slipway("restore", made(), "--data", d.data)
        expect_eq(out.returncode, 6, out.stderr)
        expect_in("there are objects", out.stderr)
        shutil.rmtree(d.data)
        expect_eq(slipway("restore", made(), "--data", d.data).returncode, 0)
        d.start()


@test
def a_restore_that_was_cut_off_is_not_started():
    """SIGKILL at each write, sync, rename and unlink: the folder is whole, or says that it is not;
    and the same restore begins anew."""
    if not shutil.which("strace"):
        skip("no strace here")
    for call in ("write", "fsync,fdatasync", "pwrite64", "unlinkat,unlink", "openat"):
        n, killed, step = 1, True, 5 if call == "openat" else 1
        while killed:
            again = os.path.join(folder(), "again")
            command = [BIN, "restore", made(), "--data", again]
            out = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                                  "inject=%s:signal=KILL:when=%d" % (call, n)] + command,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
            killed = out.returncode in (-9, 137)  # a sanitizer looks for leaks with ptrace, too
            expect(killed or out.returncode == 0, "%s %d: %s" % (call, n, out.stderr))
            whole = os.path.exists(os.path.join(again, "ledger.db")) and \
                not os.path.exists(os.path.join(again, "restoring"))
            expect(whole or killed, "%s %d: %s" % (call, n, out.stderr))
            if not whole:
                if os.path.exists(os.path.join(again, "restoring")):
                    started = slipway("serve", "--data", again, "--listen", "127.0.0.1:0")
                    expect_eq(started.returncode, 6, started.stderr)
                    expect_in("cut off", started.stderr)
                out = subprocess.run(command, stderr=subprocess.PIPE, text=True,
                                     stdout=subprocess.DEVNULL)
                expect_eq(out.returncode, 0, "%s %d: %s" % (call, n, out.stderr))
            n += step
        expect(n > 1, call)
        with Daemon(data=again) as d:
            expect_eq(want(d.post("/v2/models/m/infer", BODY), 200, "predict")["outputs"][0]["data"],
                      [7.0])


@test
def damage_is_found():
    with open(made(), "rb") as f:
        whole = f.read()
    rnd = random.Random(3)
    with tarfile.open(made()) as tar:
        spans = [(m.name, m.offset_data, m.size) for m in tar]
    expect_eq(spans[0][0], "ledger.db")
    for name, at, size in spans:  # a byte of each member
        data = bytearray(whole)
        data[at + rnd.randrange(size)] ^= 0x10
        reject(bytes(data))
    for cut in (0, 100, 600, len(whole) // 2, len(whole) - 1100):
        reject(whole[:cut])


@cases([("up", "../escaped"), ("absolute", "/tmp/escaped"), ("deep", "objects/../../escaped"),
        ("strange", "slipway.yaml"), ("no_object", "objects/ab/" + "cd" * 32)])
def MF_113_a_name_of_its_own(name):
    out = io.BytesIO()
    with tarfile.open(made()) as tar, tarfile.open(fileobj=out, mode="w",
                                                   format=tarfile.USTAR_FORMAT) as to:
        info = tarfile.TarInfo(name)
        info.size = 4
        to.addfile(info, io.BytesIO(b"evil"))
        for member in tar:
            to.addfile(member, tar.extractfile(member))
    reject(out.getvalue())


KINDS = [("link", tarfile.SYMTYPE), ("hard_link", tarfile.LNKTYPE), ("device", tarfile.CHRTYPE),
         ("disk", tarfile.BLKTYPE), ("pipe", tarfile.FIFOTYPE), ("folder", tarfile.DIRTYPE),
         ("sparse", tarfile.GNUTYPE_SPARSE), ("long_name", tarfile.GNUTYPE_LONGNAME)]


@cases([(name + where, kind, where == "_first") for name, kind in KINDS
        for where in ("_first", "_last")])
def MF_113_only_plain_files_are_members(kind, first):
    """Before the members of a backup, so that a file could go through it, and behind them."""
    out = io.BytesIO()
    with tarfile.open(made()) as tar, tarfile.open(fileobj=out, mode="w",
                                                   format=tarfile.USTAR_FORMAT) as to:
        info = tarfile.TarInfo("objects" if first else "pepper")
        info.type, info.linkname = kind, "/etc"
        if first:
            to.addfile(info)
        for member in tar:
            to.addfile(member, tar.extractfile(member))
        if not first:
            to.addfile(info)
    reject(out.getvalue())


@test
def MF_113_members_come_once_and_end_where_they_say():
    with open(made(), "rb") as f:
        whole = f.read()
    with tarfile.open(made()) as tar:
        member = tar.getmembers()[0]
    one = whole[:member.offset_data + (member.size + 511) // 512 * 512]
    reject(one + whole)
    huge = bytearray(whole)
    huge[124:136] = b"77777777777\0"  # 8 GiB
    head = bytes(huge[:148]) + b" " * 8 + bytes(huge[156:512])
    huge[148:156] = b"%06o\0 " % sum(head)
    reject(bytes(huge))
    reject(whole[:512] * 100000)


@test
def what_cannot_be_is_said():
    where = folder()
    for args, code in ((("backup",), 2), (("backup", where + "/b", "--data", where), 4),
                       (("backup", where + "/b", "--data", where + "/no"), 4),
                       (("restore", where + "/no", "--data", where + "/x"), 4),
                       (("restore", made()), 2), (("backup", "a", "b"), 2),
                       (("backup", "/nonexistent/b", "--data", where), 4)):
        out = slipway(*args)
        expect_eq(out.returncode, code, "%s: %s" % (args, out.stderr))
    with Daemon() as d:
        out = slipway("restore", made(), "--data", d.data)
        expect_eq(out.returncode, 6, out.stderr)
        expect_in("another slipway", out.stderr)


main()
