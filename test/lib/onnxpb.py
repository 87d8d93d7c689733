"""onnxpb.py - writes ONNX files by hand, field by field: also those that no library would write.
Standard library only. Field numbers: onnx.proto. SPDX-License-Identifier: MIT
"""
import struct

FLOAT, UINT8, INT32, INT64, STRING, BOOL, DOUBLE = 1, 2, 6, 7, 8, 9, 11
EXTERNAL = 1


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """An int travels as varint, text and bytes with their length, a list as one field each."""
    if value is None:
        return b""
    if isinstance(value, (list, tuple)):
        return b"".join(field(number, v) for v in value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name, dims, data=None, dtype=FLOAT, external=None):
    """data: raw bytes; external: a dict of what external_data says."""
    body = field(1, list(dims)) + field(2, dtype) + field(8, name) + field(9, data)
    if external is not None:
        rows = [field(1, k) + field(2, str(v)) for k, v in external.items()]
        body += field(13, rows) + field(14, EXTERNAL)
    return body


def floats(name, dims, values):
    return tensor(name, dims, struct.pack("<%df" % len(values), *values))


def int64s(name, dims, values):
    return tensor(name, dims, struct.pack("<%dq" % len(values), *values), INT64)


def sparse(values, indices, dims):
    return field(1, values) + field(2, indices) + field(3, list(dims))


def attribute(name, t=None, g=None, i=None, s=None, ts=None, gs=None, sparse_tensor=None):
    kind = {"i": 2, "s": 3, "t": 4, "g": 5, "ts": 9, "gs": 10, "sparse": 11}
    which = ("t" if t is not None else "g" if g is not None else "i" if i is not None else
             "s" if s is not None else "ts" if ts is not None else "gs"
             if gs is not None else "sparse")
    return (field(1, name) + field(3, i) + field(4, s) + field(5, t) + field(6, g) + field(10, ts) +
            field(11, gs) + field(22, sparse_tensor) + field(20, kind[which]))


def node(op, inputs, outputs, attributes=(), domain=None, name=None):
    return (field(1, list(inputs)) + field(2, list(outputs)) + field(3, name) + field(4, op) +
            field(5, list(attributes)) + field(7, domain))


def value(name, dims=(None, 2), dtype=FLOAT):
    """dims: None is any, a str a named one."""
    rows = [field(2, d) if isinstance(d, str) else b"" if d is None else field(1, d) for d in dims]
    shape = b"".join(field(1, r) for r in rows)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, shape)))


def graph(nodes, inputs=(), outputs=(), initializers=(), sparse_initializers=(), name="g"):
    return (field(1, list(nodes)) + field(2, name) + field(5, list(initializers)) +
            field(11, list(inputs)) + field(12, list(outputs)) +
            field(15, list(sparse_initializers)))


def opset(version, domain=""):
    return field(1, domain) + field(2, version)


def model(body, opsets=None, ir=8, functions=(), training=(), more=b""):
    return (field(1, ir) + field(2, "test") + field(7, body) + field(8, opsets or [opset(17)]) +
            field(20, list(training)) + field(25, list(functions)) + more)


def add_model(initializer=None, extra_nodes=(), **more):
    """y = x + w, which works, with a place for things that do not."""
    w = initializer if initializer is not None else floats("w", [2], [1, 2])
    return model(graph([node("Add", ["x", "w"], ["y"]), *extra_nodes], [value("x")], [value("y")],
                       [w]),
                 **more)
