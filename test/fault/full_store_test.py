#!/usr/bin/env python3
"""full_store_test.py - no inode is left for files, or no byte: uploads of both kinds are answered
507, nothing half is left under a digest, what serves serves on, and with room all goes on.

Runs in a mount namespace of its own, on file systems in memory.
SPDX-License-Identifier: MIT
"""
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from disks import main_with_disks, small_disk
from models import linear, want
from slipway import Daemon, cases, expect_eq


def full(reply):
    expect_eq(reply.status, 507, reply)
    expect_eq(reply.json()["code"], "STORAGE_FULL", reply)


def push(d, value, plain):
    data = linear([[0]], [value])["model.json"]
    if plain:
        sent = d.ask("PUT", "/api/v1/blobs", data)
    else:
        sent = d.ask("POST", "/api/v1/uploads", data)
    if sent.status != 201:
        return sent
    return d.post("/api/v1/models/m/versions",
                  {"files": [{"name": "model.json", "sha256": sent.json()["sha256"]}]})


def whole(data):
    """Every object is what its name says."""
    for root, _, names in os.walk(os.path.join(data, "objects")):
        for name in names:
            with open(os.path.join(root, name), "rb") as file:
                expect_eq(hashlib.sha256(file.read()).hexdigest(), name)


@cases([("inodes", "nr_inodes=200"), ("bytes", "size=8m")])
def a_full_store_answers(limit):
    """[ST-111]"""
    with small_disk(limit) as data, Daemon(data=data) as d:
        want(push(d, 7, True), 201, "push")
        want(push(d, 8, False), 201, "push, the other way")
        want(d.post("/api/v1/models/m/deploy", {"version": 1, "wait": True}), 200, "deploy")
        half = d.ask("POST", "/api/v1/uploads", b"half", {"upload-complete": "?0"})
        expect_eq(half.status, 201, half)
        junk, n = os.path.join(data, "junk"), 0
        os.mkdir(junk)
        try:
            while True:
                with open(os.path.join(junk, str(n)), "wb") as file:
                    if limit.startswith("size"):
                        file.write(b"x" * 4096)
                n += 1
        except OSError:
            pass
        full(push(d, 9, True))
        full(push(d, 9, False))
        expect_eq(d.get("/v2/models/m/ready").status, 200)
        expect_eq(len(d.get("/api/v1/models/m/versions").json()["versions"]), 2)
        whole(data)
        for name in os.listdir(junk):
            os.unlink(os.path.join(junk, name))
        want(push(d, 9, True), 201, "push with room again")
        want(push(d, 10, False), 201, "push with room again, the other way")
        done = d.ask("PATCH", half.headers["location"], b"whole",
                     {"upload-offset": "4", "upload-complete": "?1"})
        expect_eq(done.json()["sha256"], hashlib.sha256(b"halfwhole").hexdigest(), done)
        expect_eq(d.post("/api/v1/storage/collect", {}).json()["collect"]["missing"], 0)
        whole(data)


main_with_disks()
