"""Small ONNX files, and ways to break them: the material of the fuzz test."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Mutation = Callable[[onnx.ModelProto, random.Random], object]


def _model(
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    shape: list[object],
    opset: int = 17,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def conv_net() -> onnx.ModelProto:
    """Convolution, BatchNorm, padded pooling, a skip, flatten, dense."""
    rng = np.random.default_rng(0)
    weights = {
        "a.weight": rng.normal(size=(4, 3, 3, 3)),
        "b.weight": rng.normal(size=(4, 1, 3, 3)),
        **{f"bn.{name}": rng.uniform(0.5, 1, 4) for name in ("scale", "bias", "mean", "var")},
        "fc.weight": rng.normal(size=(5, 4 * 5 * 6)),
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "a.weight"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", ["a", *(f"bn.{n}" for n in ("scale", "bias", "mean", "var"))],
             ["n"], epsilon=1e-3),
        node("Relu", ["n"], ["r"]),
        node("Conv", ["r", "b.weight"], ["b"], group=4, pads=[1, 1, 1, 1]),
        node("Add", ["b", "r"], ["s"]),
        node("MaxPool", ["s"], ["p"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "fc.weight"], ["y"], transB=1),
    ]  # fmt: skip
    return _model(nodes, {k: v.astype(np.float32) for k, v in weights.items()}, ["n", 3, 10, 12])


def shape_net() -> onnx.ModelProto:
    """Attention with its shape arithmetic, layer norm written out, GELU written out."""
    rng = np.random.default_rng(1)
    weights: dict[str, np.ndarray] = {
        f"{name}.weight": rng.normal(size=(8, 8)).astype(np.float32) for name in "qkvo"
    }
    weights |= {
        "zero": np.array(0, np.int64), "one": np.array([0], np.int64),
        "tail": np.array([-1, 2, 4], np.int64), "back": np.array([-1, 8], np.int64),
        "scale": np.array(0.5, np.float32), "half": np.array(0.5, np.float32),
        "root": np.array(1.41421356, np.float32), "unit": np.array(1, np.float32),
        "two": np.array(2, np.float32), "eps": np.array(1e-5, np.float32),
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("ReduceMean", ["x"], ["mu"], axes=[-1]), node("Sub", ["x", "mu"], ["d"]),
        node("Pow", ["d", "two"], ["d2"]), node("ReduceMean", ["d2"], ["v2"], axes=[-1]),
        node("Add", ["v2", "eps"], ["ve"]), node("Sqrt", ["ve"], ["sd"]),
        node("Div", ["d", "sd"], ["h"]),
        node("Shape", ["h"], ["sh"]), node("Gather", ["sh", "one"], ["bn"]),
        node("Concat", ["bn", "tail"], ["to"], axis=0),
        node("Concat", ["bn", "back"], ["home"], axis=0),
    ]  # fmt: skip
    for name in "qkv":
        nodes += [
            node("MatMul", ["h", f"{name}.weight"], [name]),
            node("Reshape", [name, "to"], [f"{name}4"]),
            node("Transpose", [f"{name}4"], [f"{name}t"],
                 perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]),
        ]  # fmt: skip
    nodes += [
        node("MatMul", ["qt", "kt"], ["qk"]), node("Mul", ["qk", "scale"], ["qs"]),
        node("Softmax", ["qs"], ["p"], axis=-1), node("MatMul", ["p", "vt"], ["c"]),
        node("Transpose", ["c"], ["ct"], perm=[0, 2, 1, 3]),
        node("Reshape", ["ct", "home"], ["cm"]),
        node("MatMul", ["cm", "o.weight"], ["o"]), node("Add", ["o", "x"], ["s"]),
        node("Div", ["s", "root"], ["g1"]), node("Erf", ["g1"], ["g2"]),
        node("Add", ["g2", "unit"], ["g3"]), node("Mul", ["s", "g3"], ["g4"]),
        node("Mul", ["g4", "half"], ["y"]),
    ]  # fmt: skip
    return _model(nodes, weights, ["n", 5, 8])


def lstm_net() -> onnx.ModelProto:
    """A bidirectional LSTM between transposes, its last answer sliced out."""
    rng = np.random.default_rng(2)
    weights: dict[str, np.ndarray] = {
        "w": rng.normal(size=(2, 12, 4)).astype(np.float32),
        "r": rng.normal(size=(2, 12, 3)).astype(np.float32),
        "b": rng.normal(size=(2, 24)).astype(np.float32),
        "start": np.array([-1]), "end": np.array([2**31]), "axis": np.array([1]),
        "shape": np.array([0, 0, -1]),
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node(
            "LSTM", ["t", "w", "r", "b"], ["h", "", "c"], hidden_size=3, direction="bidirectional"
        ),
        node("Transpose", ["h"], ["ht"], perm=[2, 0, 1, 3]),
        node("Reshape", ["ht", "shape"], ["hr"]),
        node("Slice", ["hr", "start", "end", "axis"], ["y"]),
    ]
    return _model(nodes, weights, ["n", 7, 4])


def mixed_net() -> onnx.ModelProto:
    """Resize, transposed convolution, pad, split, concat, a local function, an If."""
    rng = np.random.default_rng(3)
    weights: dict[str, np.ndarray] = {
        "up.weight": rng.normal(size=(3, 4, 2, 2)).astype(np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32), "pads": np.array([0, 0, 1, 0, 0, 0, 0, 2]),
        "sizes": np.array([1, 3]), "flag": np.array(True), "value": np.array(0.5, np.float32),
    }  # fmt: skip
    node = helper.make_node
    out = [helper.make_tensor_value_info("z", FLOAT, None)]
    yes = helper.make_graph([node("Neg", ["k"], ["z"])], "yes", [], out)
    no = helper.make_graph([node("Abs", ["k"], ["z"])], "no", [], out)
    nodes = [
        node("ConvTranspose", ["x", "up.weight"], ["u"], strides=[2, 2]),
        node("Pad", ["u", "pads", "value"], ["p"]),
        node("Split", ["p", "sizes"], ["s1", "s2"], axis=1),
        node("Concat", ["s2", "s1"], ["k0"], axis=1),
        node("Resize", ["k0", "", "scales"], ["k1"], mode="linear",
             coordinate_transformation_mode="half_pixel"),
        node("twice", ["k1"], ["k"], domain="own"),
        node("If", ["flag"], ["i"], then_branch=yes, else_branch=no),
        node("GlobalAveragePool", ["i"], ["y"]),
    ]  # fmt: skip
    model = _model(nodes, weights, ["n", 3, 4, 5])
    inner = [node("Sigmoid", ["a"], ["b"]), node("Mul", ["a", "b"], ["c"])]
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "twice", ["a"], ["c"], inner, opset))
    model.opset_import.append(helper.make_opsetid("own", 1))
    return model


def seeds(shared: Path | None) -> list[bytes]:
    """The unbroken files, real ones too where they are at hand."""
    made = [net().SerializeToString() for net in (conv_net, shape_net, lstm_net, mixed_net)]
    real = sorted((shared / "weights" / "onnx").glob("ultraface*slim*.onnx")) if shared else []
    return [*made, *(path.read_bytes() for path in real)]


_ODD = (0, 1, -1, 2, 3, 7, -2, 31, 1000, 2**31 - 1, 2**31, -(2**31), 2**62, -(2**63))
_OPS = (
    "Relu", "Conv", "MatMul", "Reshape", "Transpose", "Concat", "Softmax", "Gemm", "LSTM", "Add",
    "Resize", "Gather", "Slice", "Shape", "Expand", "Tile", "Range", "ConstantOfShape", "TopK",
    "NonZero", "Loop", "Where", "Pad", "Split", "Squeeze", "Einsum", "MaxPool", "Nonsense",
)  # fmt: skip


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    """A few bits turned."""
    broken = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 20))):
        # Half of them near the start or end, where the structure is; weights are in the middle.
        edge = rng.random() < 0.5
        place = rng.randrange(min(len(broken), 3000)) * rng.choice((1, -1)) if edge else 0
        broken[place if edge else rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def cut_or_splice(content: bytes, rng: random.Random) -> bytes:
    """Cut short, or a stretch of it removed, repeated or replaced by noise."""
    start, length = rng.randrange(len(content)), rng.choice((1, 5, 50, 1000))
    stretch = content[start : start + length]
    middle = rng.choice((b"", stretch * 2, stretch * 300, rng.randbytes(length)))
    return rng.choice((content[:start], content[:start] + middle + content[start + length :]))


def _node(model: onnx.ModelProto, rng: random.Random) -> onnx.NodeProto:
    return rng.choice(list(model.graph.node))


def _tensor(model: onnx.ModelProto, rng: random.Random) -> onnx.TensorProto:
    return rng.choice(list(model.graph.initializer))


def change_weight_dims(model: onnx.ModelProto, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    if len(tensor.dims):
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_ODD)


def reshape_weight(model: onnx.ModelProto, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    dims = list(tensor.dims)
    rng.shuffle(dims)
    del tensor.dims[:]
    tensor.dims.extend(dims if rng.random() < 0.7 else [int(np.prod(dims))])


def resize_weight(model: onnx.ModelProto, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    shape = [rng.choice((0, 1, 2, 3, 5, 8)) for _ in range(rng.randrange(6))]
    kind = rng.choice(
        (np.float32, np.float32, np.int64, np.float16, np.float64, np.bool_, np.uint8)
    )
    tensor.CopyFrom(numpy_helper.from_array(np.ones(shape, kind), tensor.name))


def odd_numbers_in_weight(model: onnx.ModelProto, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    values = numpy_helper.to_array(tensor).copy()
    if values.size:
        odd = rng.choice(_ODD) if values.dtype.kind in "iu" else rng.choice((np.nan, np.inf, 1e38))
        values.flat[rng.randrange(values.size)] = odd
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def change_input(model: onnx.ModelProto, rng: random.Random) -> None:
    kind = model.graph.input[0].type.tensor_type
    if rng.random() < 0.3:
        kind.elem_type = rng.randrange(30)
    elif rng.random() < 0.3:
        kind.ClearField("shape")
    elif len(kind.shape.dim):
        dim = rng.choice(list(kind.shape.dim))
        if rng.random() < 0.5:
            dim.dim_param = "n"
        else:
            dim.dim_value = rng.choice(_ODD)


def change_attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    nodes = [node for node in model.graph.node if len(node.attribute)]
    attribute = rng.choice(list(rng.choice(nodes).attribute))
    if len(attribute.ints):
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(_ODD)
    elif attribute.HasField("i"):
        attribute.i = rng.choice(_ODD)
    elif attribute.HasField("f"):
        attribute.f = rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e38))
    elif attribute.HasField("s"):
        attribute.s = rng.choice((b"", b"cubic", b"\xff\xfe", b"reflect", b"nearest", b"forward"))


def swap_attributes(model: onnx.ModelProto, rng: random.Random) -> None:
    nodes = [node for node in model.graph.node if len(node.attribute)]
    one, other = rng.choice(nodes), rng.choice(nodes)
    kept = [onnx.AttributeProto.FromString(a.SerializeToString()) for a in one.attribute]
    theirs = [onnx.AttributeProto.FromString(a.SerializeToString()) for a in other.attribute]
    del one.attribute[:], other.attribute[:]
    one.attribute.extend(theirs)
    other.attribute.extend(kept)


def change_list_length(model: onnx.ModelProto, rng: random.Random) -> None:
    nodes = [n for n in model.graph.node if any(len(a.ints) for a in n.attribute)]
    if nodes:
        attribute = rng.choice([a for a in rng.choice(nodes).attribute if len(a.ints)])
        if rng.random() < 0.5:
            attribute.ints.pop()
        else:
            attribute.ints.extend([rng.choice((0, 1, 2))] * rng.choice((1, 2, 100_000)))


def change_operator(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    node.op_type = rng.choice(_OPS)
    if rng.random() < 0.6:
        del node.attribute[:]


def rewire(model: onnx.ModelProto, rng: random.Random) -> None:
    """Another value into a node: often of another shape, sometimes from behind it: a cycle."""
    made = [name for node in model.graph.node for name in node.output if name]
    made += [tensor.name for tensor in model.graph.initializer] + ["x", "", "nowhere"]
    node = _node(model, rng)
    if len(node.input):
        node.input[rng.randrange(len(node.input))] = rng.choice(made)


def drop(model: onnx.ModelProto, rng: random.Random) -> None:
    items = rng.choice((model.graph.node, model.graph.initializer, model.opset_import))
    del items[rng.randrange(len(items))]


def repeat(model: onnx.ModelProto, rng: random.Random) -> None:
    items = rng.choice((model.graph.node, model.graph.initializer, model.graph.input))
    items.append(rng.choice(list(items)))


def change_versions(model: onnx.ModelProto, rng: random.Random) -> None:
    model.opset_import[0].version = rng.choice((0, 1, 6, 9, 11, 13, 18, 22, 24, 25, 10**9))
    if rng.random() < 0.3:
        model.ir_version = rng.choice((0, 1, 3, 4, 99))


def external_data(model: onnx.ModelProto, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    place = rng.choice(
        ("../../etc/passwd", "/etc/passwd", "weights.bin", ".", "", "a/../../b", "\0")
    )
    tensor.external_data.add(key="location", value=place)
    tensor.external_data.add(key="length", value=rng.choice(("4", "-4", "x", str(10**20))))


def nest(model: onnx.ModelProto, rng: random.Random) -> None:
    """Ifs within Ifs, up to as deep as protobuf allows."""
    last = model.graph.node[-1]
    name, last.output[0] = last.output[0], "before"
    out = [helper.make_tensor_value_info("z", FLOAT, None)]
    leaf = helper.make_graph([helper.make_node("Neg", ["before"], ["z"])], "leaf", [], out)
    body = leaf
    for _ in range(rng.choice((2, 10, 11, 12, 28))):
        node = helper.make_node("If", ["yes"], ["z"], then_branch=body, else_branch=leaf)
        body = helper.make_graph([node], "body", [], out)
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(body.node[0])
    model.graph.node[-1].output[0] = name


def blow_up(model: onnx.ModelProto, rng: random.Random) -> None:
    """A node that asks for an enormous tensor."""
    last = model.graph.node[-1]
    name = last.output[0]
    last.output[0] = "before"
    size = rng.choice((10**6, 10**9, 2**40))
    kind = rng.randrange(4)
    dims = numpy_helper.from_array(np.array([size, 100], np.int64), "huge")
    if kind == 0:
        node = helper.make_node("ConstantOfShape", ["huge"], [name])
    elif kind == 1:
        node = helper.make_node("Expand", ["before", "huge"], [name])
    elif kind == 2:
        dims = numpy_helper.from_array(np.array(size, np.int64), "huge")
        model.graph.initializer.append(numpy_helper.from_array(np.array(0), "low"))
        model.graph.initializer.append(numpy_helper.from_array(np.array(1), "step"))
        node = helper.make_node("Range", ["low", "huge", "step"], [name])
    else:
        dims = numpy_helper.from_array(np.array([size] * 3, np.int64), "huge")
        node = helper.make_node("Tile", ["before", "huge"], [name])
    model.graph.initializer.append(dims)
    model.graph.node.append(node)


def recursive_function(model: onnx.ModelProto, rng: random.Random) -> None:
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    name = rng.choice(("twice", "f"))
    inner = [helper.make_node(name, ["a"], ["b"], domain="own")]
    model.functions.append(helper.make_function("own", "f", ["a"], ["b"], inner, opset))
    _node(model, rng).domain = "own"


def rename(model: onnx.ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    odd = rng.choice(("a/b", "..", "x" * 5000, "\u202e", " ", "CON", "conv:0", "a" * 300))
    if rng.random() < 0.5:
        node.name = odd
    else:
        tensor = _tensor(model, rng)
        old, tensor.name = tensor.name, odd
        for other in model.graph.node:
            for place, name in enumerate(other.input):
                if name == old:
                    other.input[place] = odd


MUTATIONS: tuple[Mutation, ...] = (
    change_weight_dims, reshape_weight, resize_weight, odd_numbers_in_weight, change_input,
    change_attribute, change_attribute, swap_attributes, change_list_length, change_operator,
    rewire, rewire, drop, repeat, change_versions, external_data, nest, blow_up,
    recursive_function, rename,
)  # fmt: skip


def mutated(seed: int, files: list[bytes]) -> tuple[str, bytes]:
    """What was done, and the broken file; the same for the same seed."""
    rng = random.Random(seed)
    content = files[seed % len(files)]
    if seed % 4 == 0:
        how = rng.choice((flip_bits, flip_bits, cut_or_splice))
        return how.__name__, how(content, rng)
    model = onnx.ModelProto.FromString(content)
    done = []
    for change in rng.choices(MUTATIONS, k=rng.choice((1, 1, 1, 2, 3))):
        try:
            change(model, rng)
        except (IndexError, ValueError, KeyError, TypeError, OverflowError):
            continue  # an earlier change took away what this one needs
        done.append(change.__name__)
    return "+".join(done) or "nothing", model.SerializeToString()
