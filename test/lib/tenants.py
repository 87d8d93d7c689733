"""tenants.py - several people at one daemon: keys, tenants, and a daemon as one of them sees it.
SPDX-License-Identifier: MIT
"""
import os

from slipway import expect_eq


def auth(key, **more):
    """The headers of whoever has the key."""
    return dict({"authorization": "Bearer " + key}, **more)


def operator(d):
    """The key that the daemon made at its first start."""
    with open(os.path.join(d.data, "admin.key")) as f:
        return f.read().strip()


def headers_of(who):
    return auth(who) if isinstance(who, str) else dict(who or {})


def tenant(d, name, **more):
    """A new tenant; the key of its admin."""
    reply = d.post("/api/v1/tenants", dict(name=name, **more), auth(operator(d)))
    expect_eq(reply.status, 201, reply)
    return reply.json()["key"]


def key_add(d, role, person=None, by=None, **more):
    """What the daemon says of a new key: "key", "id". by: somebody's key or headers, else the
    operator's."""
    reply = d.post("/api/v1/keys", dict(role=role, person=person or role, **more),
                   headers_of(by or operator(d)))
    expect_eq(reply.status, 201, reply)
    return reply.json()


class As:
    """A daemon as somebody sees it: who is a key, or headers."""

    def __init__(self, d, who):
        self.d, self.headers = d, headers_of(who)

    def ask(self, method, path, body=None, headers=None):
        return self.d.ask(method, path, body, dict(self.headers, **(headers or {})))

    def post(self, path, body=None, headers=None):
        return self.ask("POST", path, b"" if body is None else body, headers)

    def get(self, path, headers=None):
        return self.ask("GET", path, None, headers)
