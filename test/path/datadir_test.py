#!/usr/bin/env python3
"""datadir_test.py - the data directory at a running daemon, named after the rows of the robustness
rules: a second daemon, a log that is gone, a sector of zeros, a newer schema, no standard streams.

SPDX-License-Identifier: MIT
"""
import os
import shutil
import signal
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import Daemon, Failed, expect, expect_eq, expect_in, main, test, wait_for

FLAG = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}


def flags(d, n):
    for i in range(n):
        expect_eq(d.ask("PUT", "/api/v1/flags/f%d" % i, FLAG).status, 200)


def refused(data, says, code=7):
    d = Daemon(data=data, ready=False)
    try:
        d.start()
        expect_eq(d.proc.wait(10), code, d.stderr())
        expect_in(says, d.stderr())
    finally:
        d.clean()


def left_by(how, n=30):
    """A data directory with n flags, ended like that."""
    data = tempfile.mkdtemp(prefix="slipway-storage-")
    d = Daemon(data=data)
    d.start()
    flags(d, n)
    d.kill(how)
    d.clean()
    return data


def answers(d):
    try:
        return d.get("/readyz").status == 200
    except (OSError, Failed):
        return False


@test
def st_105_a_sector_of_zeros():
    data = left_by(signal.SIGTERM)
    try:
        path = os.path.join(data, "ledger.db")
        size = os.path.getsize(path)
        with open(path, "rb") as f:
            whole = f.read()
        silent = []
        for at in range(0, size, 512):
            if whole[at:at + 512] == bytes(512):
                continue
            with open(path, "wb") as f:
                f.write(whole[:at] + bytes(512) + whole[at + 512:])
            d = Daemon(data=data, ready=False)
            d.start()
            wait_for(lambda: d.proc.poll() is not None or answers(d), 10)
            if d.proc.poll() is None:
                silent.append(at)
                d.kill()
            else:
                expect_eq(d.proc.returncode, 7, d.stderr()[-300:])
            d.clean()
        expect(not silent, "not found: sectors at %s" % silent)
    finally:
        shutil.rmtree(data, ignore_errors=True)


@test
def st_105_a_sector_from_before():
    """One that was right some changes ago: the start is refused, or nothing is missing."""
    data, n = left_by(signal.SIGTERM), 60
    try:
        path = os.path.join(data, "ledger.db")
        with open(path, "rb") as f:
            before = f.read()
        with Daemon(data=data) as d:
            flags(d, n)
        with open(path, "rb") as f:
            whole = f.read()
        stale = [at for at in range(0, min(len(before), len(whole)), 512)
                 if before[at:at + 512] != whole[at:at + 512]]
        expect(len(stale) > 3, "%d sectors differ" % len(stale))
        refusals = 0
        for at in stale:
            with open(path, "wb") as f:
                f.write(whole[:at] + before[at:at + 512] + whole[at + 512:])
            d = Daemon(data=data, ready=False)
            d.start()
            wait_for(lambda: d.proc.poll() is not None or answers(d), 10)
            if d.proc.poll() is None:
                for i in range(n):
                    expect_eq(d.get("/api/v1/flags/f%d" % i).status, 200,
                              "the sector at %d is from before, and a flag is gone" % at)
                d.kill()
            else:
                expect_eq(d.proc.returncode, 7, d.stderr()[-300:])
                refusals += 1
            d.clean()
        expect(refusals > 0, "no start was refused")
    finally:
        shutil.rmtree(data, ignore_errors=True)


@test
def st_106_the_log_is_gone():
    data = left_by(signal.SIGKILL)
    try:
        os.unlink(os.path.join(data, "ledger.db-wal"))
        refused(data, "were acknowledged and are not in the ledger")
        with Daemon("--accept-ledger-loss", data=data) as d:
            flags(d, 1)
    finally:
        shutil.rmtree(data, ignore_errors=True)


@test
def st_107_a_second_daemon_exits_with_a_reason():
    with Daemon() as d:
        refused(d.data, "another slipway, process %d uses this data directory" % d.proc.pid, 6)
        expect_eq(d.get("/healthz").status, 200)


@test
def st_114_standard_streams_that_are_closed():
    data = tempfile.mkdtemp(prefix="slipway-storage-")
    try:
        d = Daemon(data=data, wrap=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
        d.start()
        flags(d, 3)
        fds = "/proc/%d/fd/" % d.proc.pid
        for fd in "012":
            expect_in("/dev/null", os.readlink(fds + fd))
        d.kill(signal.SIGTERM)
        d.clean()
        with Daemon(data=data) as d:
            expect_eq(d.get("/api/v1/flags/f2").status, 200)
    finally:
        shutil.rmtree(data, ignore_errors=True)


@test
def cf_106_a_newer_schema():
    data = left_by(signal.SIGTERM, 1)
    try:
        db = sqlite3.connect(os.path.join(data, "ledger.db"))
        db.execute("PRAGMA user_version = 99")
        db.execute("UPDATE meta SET value = '7.1.0' WHERE key = 'needs_slipway'")
        db.commit()
        db.close()
        refused(data, "needs slipway 7.1.0 or newer")
    finally:
        shutil.rmtree(data, ignore_errors=True)


main()
