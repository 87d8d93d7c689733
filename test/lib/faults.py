"""faults.py - a daemon whose system calls come back short, interrupted, refused or late, by way of
test/fault/faults.c. Standard library only.

    with Faulty() as d:
        with d.faults(halve=READ | WRITE):
            ...
        d.faulted > 0
SPDX-License-Identifier: MIT
"""
import contextlib
import mmap
import os
import shutil
import struct
import tempfile

from preload import preload, preload_or_skip
from slipway import Daemon, Failed, wait_for

OPEN, READ, WRITE, SYNC, PLACE, CUT, WAIT = (1 << i for i in range(7))
KILL = 0xffff  # in place of an errno: the process is killed at that call
FIELDS = ("halve", "interrupt", "refuse", "error", "from", "many", "delay_ms", "seen", "done",
          "turn")


class Faulty(Daemon):
    """A daemon with the library loaded, and nothing wrong yet. faults=dict(...): from its first
    call on."""

    def __init__(self, *args, faults=None, **kw):
        preload_or_skip()
        self.folder = tempfile.mkdtemp(prefix="slipway-faults-")
        super().__init__(*args, **kw)
        self.data = os.path.realpath(self.data)
        library, page = preload("faults", self.folder), os.path.join(self.folder, "page")
        with open(page, "wb") as f:
            f.write(bytes(4096))
        with open(page, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 4096)
        self.env = dict(self.env, LD_PRELOAD=library, FAULTS_PAGE=page, FAULTS_ROOT=self.data)
        self.set(**(faults or {}))

    def set(self, **fields):
        """These faults and no others from now on; counting begins anew."""
        fields = {"from": fields.pop("first", 1), "many": 1 << 30, **fields}
        self.page[:4 * len(FIELDS)] = struct.pack("%dI" % len(FIELDS),
                                                  *(fields.pop(name, 0) for name in FIELDS))
        assert not fields, fields

    def count(self, field):
        return struct.unpack_from("I", self.page, 4 * FIELDS.index(field))[0]

    @contextlib.contextmanager
    def faults(self, **fields):
        """first: the call that is the first to be refused; many: how many are."""
        self.set(**fields)
        try:
            yield self
        finally:
            self.faulted = self.count("done")
            self.set()

    def try_start(self):
        """Whether it became ready; else it has ended."""
        def settled():
            if self.proc.poll() is not None:
                return True
            try:
                return self.get("/readyz").status == 200
            except (OSError, Failed):
                return False
        self.ready = False
        self.start()
        self.ready = True
        wait_for(settled, 20, "an end or readiness")
        return self.proc.poll() is None

    def clean(self):
        super().clean()
        shutil.rmtree(self.folder, ignore_errors=True)
