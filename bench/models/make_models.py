#!/usr/bin/env python3
"""make_models.py - writes the small .onnx files that benchmarks and tests use.

No library is needed: an ONNX file is a protobuf message, and the few fields used here are written
by hand (field numbers from onnx.proto). Output is the same bytes on every machine.

  bench/models/make_models.py        rewrites bench/models/*.onnx and test/data/onnx/*.onnx
"""
import os
import struct

FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, STRING, BOOL = 1, 2, 3, 4, 5, 6, 7, 8, 9
FLOAT16, DOUBLE, UINT32, UINT64, BFLOAT16 = 10, 11, 12, 13, 16


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def num(field, n):
    return varint(field << 3) + varint(n)


def sub(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor_type(elem, dims):
    shape = b""
    for d in dims or []:
        shape += sub(1, sub(2, d) if isinstance(d, str) else b"" if d is None else num(1, d))
    return sub(1, num(1, elem) + (b"" if dims is None else sub(2, shape)))


def value(name, type_proto):
    return sub(1, name) + sub(2, type_proto)


def tensor(name, elem, dims, raw):
    return b"".join(num(1, d) for d in dims) + num(2, elem) + sub(8, name) + sub(9, raw)


def attr_i(name, i):
    return sub(1, name) + num(3, i) + num(20, 2)


def attr_g(name, g):
    return sub(1, name) + sub(6, g) + num(20, 5)


def attr_t(name, t):
    return sub(1, name) + sub(5, t) + num(20, 4)


def attr_s(name, s):
    return sub(1, name) + sub(4, s) + num(20, 3)


def attr_ints(name, ints):
    return sub(1, name) + b"".join(num(8, i) for i in ints) + num(20, 7)


def node(op, inputs, outputs, *attrs, name="", domain=""):
    return (b"".join(sub(1, i) for i in inputs) + b"".join(sub(2, o) for o in outputs) +
            (sub(3, name) if name else b"") + sub(4, op) + b"".join(sub(5, a) for a in attrs) +
            (sub(7, domain) if domain else b""))


def graph(name, nodes, inputs, outputs, inits=()):
    return (b"".join(sub(1, n) for n in nodes) + sub(2, name) + b"".join(sub(5, t) for t in inits) +
            b"".join(sub(11, i) for i in inputs) + b"".join(sub(12, o) for o in outputs))


def model(g, opset=17, ir=8, domains=()):
    return (num(1, ir) + sub(2, "slipway") + sub(7, g) + sub(8, num(2, opset)) +
            b"".join(sub(8, sub(1, d) + num(2, 1)) for d in domains))


class Chance:
    """A fixed stream of weights in (-scale, scale)."""

    def __init__(self, seed):
        self.state = seed

    def floats(self, n, scale):
        out = []
        for _ in range(n):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            out.append(((self.state >> 40) / (1 << 24) * 2 - 1) * scale)
        return struct.pack(f"<{n}f", *out)


def mlp(sizes):
    chance, nodes, inits, last = Chance(17), [], [], "x"
    for k, (a, b) in enumerate(zip(sizes, sizes[1:])):
        end = k == len(sizes) - 2
        inits += [tensor(f"w{k}", FLOAT, [a, b], chance.floats(a * b, (3 / a) ** 0.5)),
                  tensor(f"b{k}", FLOAT, [b], chance.floats(b, 0.1))]
        nodes.append(node("Gemm", [last, f"w{k}", f"b{k}"], ["y" if end else f"h{k}"],
                          name=f"fc{k}"))
        last = f"h{k}"
        if not end:
            nodes.append(node("Relu", [last], [f"r{k}"], name=f"relu{k}"))
            last = f"r{k}"
    return model(graph("mlp", nodes, [value("x", tensor_type(FLOAT, ["rows", sizes[0]]))],
                       [value("y", tensor_type(FLOAT, ["rows", sizes[-1]]))], inits))


def identities():
    """One input and one output of every datatype the protocol shares with ONNX."""
    types = dict(BOOL=BOOL, UINT8=UINT8, UINT16=UINT16, UINT32=UINT32, UINT64=UINT64, INT8=INT8,
                 INT16=INT16, INT32=INT32, INT64=INT64, FP16=FLOAT16, FP32=FLOAT, FP64=DOUBLE,
                 BYTES=STRING, BF16=BFLOAT16)
    nodes, ins, outs = [], [], []
    for name, elem in types.items():
        nodes.append(node("Identity", ["in_" + name], ["out_" + name]))
        ins.append(value("in_" + name, tensor_type(elem, ["n"])))
        outs.append(value("out_" + name, tensor_type(elem, ["n"])))
    return model(graph("identities", nodes, ins, outs))


def loop():
    """n times y = y * a + 1: runs as long as it is told to."""
    body = graph("body", [node("Mul", ["acc", "a"], ["t"], name="body_mul"),
                          node("Add", ["t", "one"], ["acc_out"], name="body_add"),
                          node("Identity", ["cond"], ["cond_out"])],
                 [value("i", tensor_type(INT64, [])), value("cond", tensor_type(BOOL, [])),
                  value("acc", tensor_type(FLOAT, []))],
                 [value("cond_out", tensor_type(BOOL, [])),
                  value("acc_out", tensor_type(FLOAT, []))])
    scalar = lambda name, elem, fmt, v: tensor(name, elem, [], struct.pack("<" + fmt, v))
    return model(graph("loop", [node("Loop", ["n", "yes", "x"], ["y"], attr_g("body", body),
                                     name="spin")],
                       [value("n", tensor_type(INT64, [])), value("x", tensor_type(FLOAT, []))],
                       [value("y", tensor_type(FLOAT, []))],
                       [scalar("yes", BOOL, "?", True), scalar("a", FLOAT, "f", 0.5),
                        scalar("one", FLOAT, "f", 1.0)]))


def default_input():
    """y = x + bias, where bias may be left out of a request."""
    return model(graph("default_input", [node("Add", ["x", "bias"], ["y"])],
                       [value("x", tensor_type(FLOAT, [2])),
                        value("bias", tensor_type(FLOAT, [2]))],
                       [value("y", tensor_type(FLOAT, [2]))],
                       [tensor("bias", FLOAT, [2], struct.pack("<2f", 10, 20))]))


def expand():
    """A small request for a large answer: y has as many ones as `shape` says."""
    one = tensor("", FLOAT, [1], struct.pack("<f", 1))
    return model(graph("expand", [node("ConstantOfShape", ["shape"], ["y"], attr_t("value", one),
                                       name="make")],
                       [value("shape", tensor_type(INT64, ["rank"]))],
                       [value("y", tensor_type(FLOAT, None))]))


def two_outputs():
    """sum and pick: outputs of different ranks; `found` has as many columns as x has non-zeros."""
    return model(graph("two_outputs", [node("ReduceSum", ["x"], ["sum"], attr_i("keepdims", 0)),
                                       node("NonZero", ["x"], ["found"], name="seek")],
                       [value("x", tensor_type(FLOAT, ["n"]))],
                       [value("sum", tensor_type(FLOAT, [])),
                        value("found", tensor_type(INT64, [1, "m"]))]))


def sequence():
    return model(graph("sequence", [node("SequenceConstruct", ["x", "x"], ["y"])],
                       [value("x", tensor_type(FLOAT, [1]))],
                       [value("y", sub(4, sub(1, tensor_type(FLOAT, [1]))))]))


def unknown_op():
    return model(graph("unknown_op", [node("Frobnicate", ["x"], ["y"], name="odd one")],
                       [value("x", tensor_type(FLOAT, [1]))],
                       [value("y", tensor_type(FLOAT, [1]))]))


def fails():
    """A reshape that only fits six values: the rest fails when it is run."""
    return model(graph("fails", [node("Reshape", ["x", "to"], ["y"], name="fold")],
                       [value("x", tensor_type(FLOAT, ["n"]))],
                       [value("y", tensor_type(FLOAT, [2, 3]))],
                       [tensor("to", INT64, [2], struct.pack("<2q", 2, 3))]))


def doubles():
    """Dimension 0 looks like a batch, but two rows come back for one."""
    return model(graph("doubles", [node("Concat", ["x", "x"], ["y"], attr_i("axis", 0))],
                       [value("x", tensor_type(FLOAT, [None, 2]))],
                       [value("y", tensor_type(FLOAT, [None, 2]))]))


def slow_load():
    """A small file that takes a while to load: everything but the last node is folded then."""
    names = ["c%d" % i for i in range(65)]
    nodes = [node("Expand", ["one", "many"], [names[0]])]
    nodes += [node("Cos", [a], [b]) for a, b in zip(names, names[1:])]
    nodes += [node("ReduceSum", [names[-1]], ["sum"], attr_i("keepdims", 0)),
              node("Add", ["x", "sum"], ["y"])]
    return model(graph("slow_load", nodes, [value("x", tensor_type(FLOAT, []))],
                       [value("y", tensor_type(FLOAT, []))],
                       [tensor("one", FLOAT, [1], struct.pack("<f", 1)),
                        tensor("many", INT64, [1], struct.pack("<q", 1 << 20))]))


def passthrough():
    """Outputs without a node behind them: one is the input, one a constant."""
    return model(graph("passthrough", [node("Neg", ["x"], ["y"])],
                       [value("x", tensor_type(FLOAT, [2]))],
                       [value("y", tensor_type(FLOAT, [2])), value("x", tensor_type(FLOAT, [2])),
                        value("k", tensor_type(FLOAT, [2]))],
                       [tensor("k", FLOAT, [2], struct.pack("<2f", 3, 4))]))


def main():
    bench = os.path.dirname(os.path.abspath(__file__))
    data = os.path.join(bench, "..", "..", "test", "data", "onnx")
    files = {os.path.join(bench, "mlp.onnx"): mlp([16, 64, 64, 4])}
    for make in (identities, loop, default_input, expand, two_outputs, sequence, unknown_op, fails,
                 passthrough, doubles, slow_load):
        files[os.path.join(data, make.__name__ + ".onnx")] = make()
    for path, content in files.items():
        with open(path, "wb") as f:
            f.write(content)


if __name__ == "__main__":
    main()
