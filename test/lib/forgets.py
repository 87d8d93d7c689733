"""forgets.py - a daemon on a disk that forgets: after cut() its data directory has of files what
was synced, by way of test/fault/forgets.c, and nothing else. Standard library only.

The cruellest disk there may be: no byte, no name and no folder lasts that nobody synced. SQLite's
files and the log are left alone.
SPDX-License-Identifier: MIT
"""
import os
import shutil
import tempfile

from preload import preload, preload_or_skip
from slipway import Daemon

ALONE = ("ledger.db", "outcomes.db", "log", "lock", "scrub", "reserve", "crashes")


class Forgetful(Daemon):
    """deaf: a folder ("held") of which the disk forgets what was synced, too."""

    def __init__(self, *args, deaf=None, **kw):
        preload_or_skip()
        self.folder = tempfile.mkdtemp(prefix="slipway-forgets-")
        super().__init__(*args, **kw)
        self.data = os.path.realpath(self.data)
        library = preload("forgets", self.folder)
        self.diary, self.kept = (os.path.join(self.folder, n) for n in ("diary", "kept"))
        os.mkdir(self.kept)
        self.env = dict(self.env, LD_PRELOAD=library, FORGETS_LOG=self.diary,
                        FORGETS_ROOT=self.data, FORGETS_KEEP=self.kept)
        if deaf:
            self.env["FORGETS_DEAF"] = deaf

    def cut(self):
        """The power goes. How many names and files were lost."""
        self.kill()
        names, dirty = {}, set()  # what is not durable: names with what they stood for; bytes
        with open(self.diary) as f:
            for line in f:
                letter, path, more, old = line.split()
                where = more if letter == "R" else path
                if os.path.relpath(path, self.data).startswith(ALONE):
                    continue
                if letter == "S":
                    dirty.discard(path)
                    for name in [n for n in names if os.path.dirname(n) == path]:
                        del names[name]
                elif letter == "W":
                    dirty.add(path)
                else:
                    names.setdefault(where, old)
                    if letter == "R":
                        names.pop(path, None)
                        dirty.discard(where)
                        if path in dirty:
                            dirty.remove(path)
                            dirty.add(where)
        lost = 0
        for path in dirty:
            if os.path.isfile(path) and path not in names:
                os.truncate(path, 0)
                lost += 1
        for path, old in names.items():
            lost += os.path.lexists(path)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.remove(path)
            if old != "-" and os.path.isdir(os.path.dirname(path)):
                shutil.copyfile(os.path.join(self.kept, old), path, follow_symlinks=False)
        os.remove(self.diary)
        return lost
