#!/usr/bin/env python3
"""registry_kill_test.py - SIGKILL in the middle of descriptions, aliases, pushes, removals, uploads
and collections: what was acknowledged is there, what was not is there whole or not at all, every
file that a version needs is there, and an upload goes on from where its offset says.

SEED=n repeats a run.
SPDX-License-Identifier: MIT
"""
import hashlib
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from slipway import Daemon, Failed, expect, expect_eq, main, test  # noqa: E402

ROUNDS = 10
CUT = (OSError, ValueError, AttributeError, Failed)  # killed under its hands
SEED = int(os.environ.get("SEED", "0")) or int(time.time())


def model(n):
    return json.dumps({"engine": "linear", "weights": [[n, 1]]}).encode()


class Story:
    """What a client did, what it was told, and what it may not know of."""

    def __init__(self):
        self.tag = self.alias = 0
        self.pending = {}  # what was asked last and not answered
        self.versions, self.removed, self.n = set(), set(), 0


def live(d, story, stop):
    try:
        with d.conn(5) as c:
            while not stop.is_set():
                step(c, story)
    except CUT:
        pass


def step(c, story):
    story.n += 1
    story.pending = {"tag": story.n}
    reply = c.ask("PATCH", "/api/v1/models/m", {"tags": {"n": str(story.n)}})
    if reply.status != 200:
        return
    story.tag, story.pending = story.n, {}
    sent = c.ask("PUT", "/api/v1/blobs", model(story.n))
    if sent.status != 201:
        return
    story.pending = {"push": True}
    made = c.ask("POST", "/api/v1/models/m/versions",
                 {"files": [{"name": "model.json", "sha256": sent.json()["sha256"]}]})
    if made.status != 201:
        return
    version = made.json()["version"]
    story.versions.add(version)
    story.pending = {"alias": version}
    if c.ask("PUT", "/api/v1/models/m/aliases/a", {"version": version}).status != 200:
        return
    story.alias, story.pending = version, {}
    gone = min(story.versions - {version}, default=0)
    if story.n % 2 and gone:
        story.pending = {"remove": gone}
        if c.ask("DELETE", "/api/v1/models/m/versions/%d" % gone).status == 200:
            story.versions.discard(gone)
            story.removed.add(gone)
        story.pending = {}
    if story.n % 5 == 0:
        c.ask("POST", "/api/v1/storage/collect", {})


def check(d, story):
    shown = d.get("/api/v1/models/m").json()
    pending = story.pending
    expect(int(shown["tags"]["n"]) in {story.tag, pending.get("tag", story.tag)}, shown, pending)
    expect(shown["aliases"].get("a", 0) in {story.alias, pending.get("alias", story.alias)}, shown)
    there = {v["version"] for v in
             d.get("/api/v1/models/m/versions?limit=1000").json()["versions"]}
    lost = story.versions - there - {pending.get("remove")}
    expect(not lost, "lost", lost, pending)
    expect(not there & story.removed, "back", there & story.removed)
    expect(len(there - story.versions) <= (1 if pending.get("push") else 0), there, story.versions)
    expect_eq(d.post("/api/v1/storage/collect", {}).json()["collect"]["missing"], 0)
    for version in there:
        for file in d.get("/api/v1/models/m/versions/%d" % version).json()["files"]:
            name = file["sha256"]
            with open(os.path.join(d.data, "objects", name[:2], name), "rb") as stored:
                expect_eq(hashlib.sha256(stored.read()).hexdigest(), name)
    story.tag, story.alias = int(shown["tags"]["n"]), shown["aliases"].get("a", 0)
    story.removed |= story.versions - there
    story.versions, story.pending = there, {}


@test
def nothing_acknowledged_is_lost():
    chance, story = random.Random(SEED), Story()
    print("SEED=%d" % SEED)
    with Daemon("--uploads-keep", "1s") as d:
        d.post("/api/v1/models", {"name": "m", "tags": {"n": "0"}})
        for _ in range(ROUNDS):
            stop = threading.Event()
            thread = threading.Thread(target=live, args=(d, story, stop))
            thread.start()
            time.sleep(chance.uniform(0.1, 1.5))
            d.kill()
            stop.set()
            thread.join()
            d.start()
            check(d, story)
        expect(story.n > ROUNDS and story.alias, story.n, story.alias)


@test
def an_upload_goes_on_after_a_kill():
    chance, data = random.Random(SEED), os.urandom(24 << 20)
    with Daemon() as d:
        where = d.ask("POST", "/api/v1/uploads", b"", {"upload-complete": "?0"}).headers["location"]
        offset = acknowledged = 0
        for _ in range(6):
            end = min(offset + (4 << 20), len(data) - 1)

            def send():
                nonlocal acknowledged
                try:
                    for at in range(offset, end, 256 << 10):
                        upto = min(at + (256 << 10), end)
                        reply = d.ask("PATCH", where, data[at:upto], {"upload-offset": str(at)})
                        if reply.status != 200:
                            return
                        acknowledged = upto
                except CUT:
                    pass

            thread = threading.Thread(target=send)
            thread.start()
            time.sleep(chance.uniform(0.01, 0.1))
            d.kill()
            thread.join()
            d.start()
            offset = d.get(where).json()["offset"]
            expect(offset >= acknowledged, offset, acknowledged)
        done = d.ask("PATCH", where, data[offset:],
                     {"upload-offset": str(offset), "upload-complete": "?1"})
        expect_eq(done.json()["sha256"], hashlib.sha256(data).hexdigest(), done)


main()
