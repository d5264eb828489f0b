"""ONNX files that read others, ask for more memory than there is, or never end."""

import itertools
import os
from pathlib import Path

import numpy as np

from tests.torture.zoo.den import Den, beast

ONNX = "onnx"
CHAIN = 10_000


def _model(nodes, weights=(), *, functions=(), shape=("n", 3, 16, 16)):  # type: ignore[no-untyped-def]
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        list(weights),
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    if functions:
        opsets.append(helper.make_opsetid("own", 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))


def _save(model, path: Path) -> None:  # type: ignore[no-untyped-def]
    path.write_bytes(model.SerializeToString())


def stealing(path: Path, location: str) -> None:
    """A convolution whose weight is said to be in another file."""
    from onnx import TensorProto, helper

    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 3, 3, 3])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(4 * 108))):
        tensor.external_data.add(key=key, value=value)
    _save(_model([helper.make_node("Conv", ["x", "w"], ["y"])], [tensor]), path)


@beast("upwards.onnx", ONNX, "outside it")
def _upwards(den: Den) -> None:
    stealing(den.path, f"../{den.secret.name}")


@beast("absolute.onnx", ONNX, "outside it")
def _absolute(den: Den) -> None:
    stealing(den.path, str(den.secret))


@beast("symlinked.onnx", ONNX, "outside it")
def _symlinked(den: Den) -> None:
    link = den.folder / "weights.bin"
    link.unlink(missing_ok=True)
    link.symlink_to(den.secret)
    stealing(den.path, link.name)


@beast("hard_linked.onnx", ONNX, "2 names")
def _hard_linked(den: Den) -> None:
    link = den.folder / "weights.bin"
    link.unlink(missing_ok=True)
    link.hardlink_to(den.secret)
    stealing(den.path, link.name)


@beast("pipe.onnx", ONNX, "regular file")
def _pipe(den: Den) -> None:
    link = den.folder / "weights.bin"
    link.unlink(missing_ok=True)
    os.mkfifo(link)
    stealing(den.path, link.name)


@beast("constant_of_64_gb.onnx", ONNX, "shape")
def _constant(den: Den) -> None:
    from onnx import helper, numpy_helper

    shape = numpy_helper.from_array(np.array([2**17, 2**17], np.int64), "s")
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["c"]),
        helper.make_node("ReduceSum", ["c"], ["k"]),
        helper.make_node("Add", ["x", "k"], ["y"]),
    ]
    _save(_model(nodes, [shape]), den.path)


@beast("expand_to_64_gb.onnx", ONNX, "at most .* numbers")
def _expand(den: Den) -> None:
    from onnx import helper, numpy_helper

    shape = numpy_helper.from_array(np.array([1, 3, 2**15, 2**15], np.int64), "s")
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Expand", ["p", "s"], ["e"]),
        helper.make_node("GlobalAveragePool", ["e"], ["y"]),
    ]
    _save(_model(nodes, [shape]), den.path)


@beast("deep_chain.onnx", ONNX, "follow one another")
def _chain(den: Den) -> None:
    from onnx import helper

    names = ["x", *(f"v{number}" for number in range(CHAIN - 1)), "y"]
    nodes = [
        helper.make_node("Relu" if place % 2 else "Sigmoid", [one], [after])
        for place, (one, after) in enumerate(itertools.pairwise(names))
    ]
    _save(_model(nodes), den.path)


@beast("nested_graphs.onnx", ONNX, "ONNX")
def _nested(den: Den) -> None:
    """10,000 graphs inside one another, put together on the wire: onnx itself refuses to."""
    inner = b""
    for _ in range(CHAIN):
        attribute = _field(6, inner)  # a graph
        node = _field(5, attribute)
        inner = _field(1, node)
    model = b"\x08\x08" + _field(7, inner) + _field(8, b"\x10\x11")
    den.path.write_bytes(model)


def _field(number: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


@beast("cycle.onnx", ONNX, "without cycles")
def _cycle(den: Den) -> None:
    from onnx import helper

    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    _save(_model(nodes), den.path)


@beast("laughs.onnx", ONNX, "at most .* nodes")
def _laughs(den: Den) -> None:
    """Functions that each call the one before ten times, twelve of them."""
    from onnx import helper

    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = [helper.make_function("own", "f0", ["a"], ["b"],
                                      [helper.make_node("Relu", ["a"], ["b"])], opset)]  # fmt: skip
    for number in range(1, 12):
        names = ["a", *(f"t{place}" for place in range(9)), "b"]
        body = [
            helper.make_node(f"f{number - 1}", [one], [after], domain="own")
            for one, after in itertools.pairwise(names)
        ]
        functions.append(helper.make_function("own", f"f{number}", ["a"], ["b"], body, opset))
    node = helper.make_node("f11", ["x"], ["y"], domain="own")
    _save(_model([node], functions=functions), den.path)


@beast("endless_function.onnx", ONNX, "calls itself")
def _endless(den: Den) -> None:
    from onnx import helper

    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    body = [helper.make_node("f", ["a"], ["b"], domain="own")]
    function = helper.make_function("own", "f", ["a"], ["b"], body, opset)
    node = helper.make_node("f", ["x"], ["y"], domain="own")
    _save(_model([node], functions=[function]), den.path)


@beast("empty_messages.onnx", ONNX, "fields")
def _empty(den: Den) -> None:
    """Twenty million bytes that would be eight thousand million once parsed."""
    unknown = bytes([15 << 3 | 3, 15 << 3 | 4])  # a group, which parsers skip
    graph = unknown + b"\x0a\x00" * 10_000_000
    den.path.write_bytes(b"\x08\x08" + _field(7, graph) + _field(8, b"\x10\x11"))


@beast("deep_metadata.onnx", ONNX, "", refused=False)
def _metadata(den: Den) -> None:
    from onnx import helper

    pooled = helper.make_node("GlobalAveragePool", ["x"], ["p"])
    model = _model([pooled, helper.make_node("Flatten", ["p"], ["y"])])
    for key in ("converters.parameters", "names", "mean"):
        model.metadata_props.add(key=key, value="[" * 200_000)
    _save(model, den.path)
