"""flags.py - what tests of feature flags share. Standard library only.
SPDX-License-Identifier: MIT
"""
import json
import urllib.parse

from slipway import expect_eq

ON_OFF = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}


def flag(**more):
    return dict(ON_OFF, **more)


def put(d, key, definition, status=200):
    reply = d.ask("PUT", "/api/v1/flags/" + urllib.parse.quote(key, safe=""),
                  json.dumps(definition).encode())
    expect_eq(reply.status, status, reply)
    return reply.json()


def single(d, key, context=None, body=None):
    body = json.dumps({"context": context or {}}).encode() if body is None else body
    return d.ask("POST", "/ofrep/v1/evaluate/flags/" + urllib.parse.quote(key, safe=""), body)


def bulk(d, context=None, headers=None, body=None, query=""):
    body = json.dumps({"context": context or {}}).encode() if body is None else body
    return d.ask("POST", "/ofrep/v1/evaluate/flags" + query, body, headers or {})
