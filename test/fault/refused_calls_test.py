#!/usr/bin/env python3
"""refused_calls_test.py - the system says no: quota used up, no descriptor left, read-only, a link,
no right. At every n-th call: a change is refused by name or done, never in half; a start says why
it cannot be, and the next one finds everything.
SPDX-License-Identifier: MIT
"""
import errno
import hashlib
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from faults import CUT, OPEN, PLACE, READ, SYNC, WRITE, Faulty
from hostile import check_error
from models import linear, serve, want
from slipway import cases, expect, expect_eq, main

FLAG = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
ASKED = {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [0]}]}
KINDS = [("EDQUOT", WRITE | CUT), ("EMFILE", OPEN), ("ELOOP", OPEN),
         ("EACCES", OPEN | PLACE), ("EROFS", OPEN | PLACE | CUT), ("EIO", READ)]
# A change whose write or sync meets EIO ends the process: io_error_test.py.
STARTS = KINDS + [("EIO", SYNC), ("EIO", WRITE | CUT)]
N_MAX = 120


def no(reply):
    """The answer is a refusal with a name and a reason; which."""
    code = reply.json()["code"]
    check_error(reply, reply.status, code)
    expect(reply.status in (403, 422, 503, 507), reply)
    return code


class Changes:
    """What was tried, and what was said to it."""

    def __init__(self, d):
        self.d, self.flags, self.models, self.codes = d, {}, {}, set()

    def said(self, reply, good):
        if reply.status not in good:
            self.codes.add(no(reply))
        return reply.status in good

    def make(self, n):
        self.flags["f%d" % n] = self.said(self.d.ask("PUT", "/api/v1/flags/f%d" % n, FLAG), (200,))
        data = linear([[0]], [n])["model.json"]
        blob = self.d.ask("PUT", "/api/v1/blobs", data)
        if self.said(blob, (201,)):
            files = {"files": [{"name": "model.json", "sha256": blob.json()["sha256"]}]}
            name = "m%d" % n
            self.models[name] = self.said(
                self.d.post("/api/v1/models/%s/versions" % name, files), (201,))
            if self.models[name]:
                self.said(self.d.post("/api/v1/models/%s/deploy" % name,
                                      {"strategy": "now", "wait": True}), (200,))
        self.uploaded = self.said(self.upload(n), (201,))

    def upload(self, n):
        data = b"some bytes of %d" % n
        return self.d.ask("POST", "/api/v1/uploads?sha256=" + hashlib.sha256(data).hexdigest(),
                          data, {"upload-length": str(len(data))})

    def upload_again(self, n):
        """An upload that was refused comes to an end where it was, once it may."""
        if self.uploaded:
            return
        r = self.upload(n)
        if r.status == 201:
            return
        expect_eq(r.status, 409, r)
        where = "/api/v1/uploads/" + r.json()["error"].split()[-1]
        at = int(self.d.get(where).headers["upload-offset"])
        r = self.d.ask("PATCH", where, (b"some bytes of %d" % n)[at:],
                       {"upload-offset": str(at), "upload-complete": "?1"})
        expect(r.status in (200, 201), r)

    def check(self):
        """What was acknowledged is there, what was refused is not."""
        for flag, done in self.flags.items():
            expect_eq(self.d.get("/api/v1/flags/" + flag).status, 200 if done else 404, flag)
        for model, done in self.models.items():
            r = self.d.get("/api/v1/models/" + model)
            expect_eq(r.status, 200 if done else 404, model)


def leftovers(d):
    return os.listdir(os.path.join(d.data, "staging"))


@cases([(name, name, kinds) for name, kinds in KINDS])
def ST_103_changes_are_refused_by_name_or_done(name, kinds):
    data = tempfile.mkdtemp(prefix="slipway-refused-")
    d = Faulty(data=data, seconds=20)
    try:
        d.start()
        serve(d, "m", linear([[0]], [1]))
        changes = Changes(d)
        for n in list(range(1, 24)) + list(range(24, N_MAX, 8)):
            with d.faults(refuse=kinds, error=getattr(errno, name), first=n):
                changes.make(n)
                expect_eq(d.post("/v2/models/m/infer", ASKED).status, 200, "who serves serves")
            changes.upload_again(n)
            if not d.faulted:
                break
        expect(changes.codes, "nobody was refused")
        expect_eq(leftovers(d), [], "left of what was refused")
        changes.check()
        changes.make(N_MAX)
        expect(changes.flags["f%d" % N_MAX] and changes.models["m%d" % N_MAX], "all is well again")
        d.kill()
        d.start()
        changes.check()
        d.stop()
    finally:
        d.clean()
        shutil.rmtree(data, ignore_errors=True)


@cases([("%s of %d" % (name, kinds), name, kinds) for name, kinds in STARTS])
def ST_103_a_start_says_why_and_loses_nothing(name, kinds):
    data = tempfile.mkdtemp(prefix="slipway-refused-")
    d = Faulty(data=data, seconds=20)
    try:
        d.start()
        serve(d, "m", linear([[0]], [1]))
        d.kill()
        refused = 0
        for n in list(range(1, 16)) + list(range(16, N_MAX, 6)):
            d.set(refuse=kinds, error=getattr(errno, name), first=n)
            before = len(d.stderr())
            if not d.try_start():
                refused += 1
                said = d.stderr()[before:]
                expect(d.proc.returncode in (3, 5, 6, 7, 70), d.proc.returncode, said)
                expect("slipway: " in said, "%s at call %d: it says nothing: %s" % (name, n, said))
            else:
                d.kill()
            if not d.count("done"):
                break
        expect(refused, "every start was well")
        d.set()
        d.start()
        want(d.post("/v2/models/m/infer", ASKED), 200, "infer")
        d.stop()
    finally:
        d.clean()
        shutil.rmtree(data, ignore_errors=True)


main()
