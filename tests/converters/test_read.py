"""Reading is safe: what is damaged, hostile or absurd is refused before anything is done."""

import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.errors import ReadError, UnsafeFileError, UnsupportedError
from converters.onnx_to_keras.read import limits, read
from converters.onnx_to_keras.read.wire import check_wire

FLOAT = TensorProto.FLOAT
_W = {"w": np.arange(3, dtype=np.float32)}


def small(*nodes: onnx.NodeProto, weights: dict[str, np.ndarray] | None = None) -> onnx.ModelProto:
    """x (n, 3) → y through these nodes."""
    graph = helper.make_graph(
        list(nodes) or [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [
            numpy_helper.from_array(value, name)
            for name, value in (_W if weights is None else weights).items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def external(folder: Path, location: str, **entries: int) -> Path:
    """A model file whose weight 'w' says that it is at `location`."""
    model = small()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_path_bytes_and_model_read_the_same(tmp_path: Path) -> None:
    model = small()
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    for source in (model, model.SerializeToString(), tmp_path / "m.onnx", str(tmp_path / "m.onnx")):
        assert read(source) == model


def test_real_files_are_read(shared_data: Path) -> None:
    for path in sorted((shared_data / "weights" / "onnx").glob("*.onnx")):
        assert len(read(path).graph.node) > 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "without a graph"),
        (b"PK\x03\x04" + bytes(60), "zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5"),
        (bytes(range(256)), "none"),
    ],
)
def test_other_files_are_told_by_what_they_are(content: bytes, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read(content)


def test_every_truncation_is_told() -> None:
    content = small().SerializeToString()
    for end in range(len(content)):
        with pytest.raises(ReadError):
            read(content[:end])


def test_missing_file_folder_and_pipe_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    for name in ("none.onnx", "pipe.onnx", "."):
        with pytest.raises(ReadError):
            read(tmp_path / name)
    with pytest.raises(ReadError, match="ModelProto"):
        read(3)  # type: ignore[arg-type]


def test_weights_beside_the_model_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(4) + np.array([5, 6, 7], "<f4").tobytes())
    model = read(external(tmp_path, "w.bin", offset=4, length=12))
    tensor = model.graph.initializer[0]
    assert numpy_helper.to_array(tensor).tolist() == [5, 6, 7]
    assert not tensor.external_data
    assert tensor.data_location == TensorProto.DEFAULT


@pytest.mark.parametrize(
    "location",
    ["../secret.bin", "/etc/passwd", "a/../../secret.bin", "link.bin", "linked/secret.bin", "",
     "..\\secret.bin", "folder", "pipe", "w\0.bin"],
)  # fmt: skip
def test_external_data_outside_the_folder_is_unsafe(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    home = tmp_path / "home"
    (home / "folder").mkdir(parents=True)
    (home / "link.bin").symlink_to(tmp_path / "secret.bin")
    (home / "linked").symlink_to(tmp_path)
    os.mkfifo(home / "pipe")
    with pytest.raises(UnsafeFileError):
        read(external(home, location))


def test_hard_link_to_a_file_of_elsewhere_is_unsafe(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    home = tmp_path / "home"
    home.mkdir()
    (home / "w.bin").hardlink_to(tmp_path / "secret.bin")
    with pytest.raises(UnsafeFileError, match=r"2 names.*copy the file"):
        read(external(home, "w.bin"))


def test_network_deeper_than_any_is_refused_at_once() -> None:
    names = ["x", *(f"v{number}" for number in range(6_000)), "y"]
    nodes = [helper.make_node("Relu", [one], [after]) for one, after in pairwise(names)]
    with pytest.raises(UnsupportedError, match="6,001"):
        read(small(*nodes))


def test_what_parsers_skip_does_not_hide_how_much_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "STRUCTURE_BYTES", 100)
    monkeypatch.setattr(limits, "MESSAGES", 1000)
    group = bytes([15 << 3 | 3, 15 << 3 | 4])  # its begin and its end
    opsets = b"\x42\x00" * 2000
    assert len(onnx.ModelProto.FromString(group + opsets).opset_import) == 2000
    with pytest.raises(ReadError, match="fields"):
        check_wire(group + opsets)


@pytest.mark.parametrize(
    "entries",
    [{"offset": 8}, {"length": 13}, {"length": 4}, {"offset": -1}, {"offset": 10**18},
     {"length": 10**30}],
)  # fmt: skip
def test_span_beyond_the_file_is_told(tmp_path: Path, entries: dict[str, int]) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(12))
    with pytest.raises(ReadError):
        read(external(tmp_path, "w.bin", **entries))


def test_external_data_without_a_folder_is_told(tmp_path: Path) -> None:
    path = external(tmp_path, "w.bin")
    with pytest.raises(ReadError, match="path"):
        read(path.read_bytes())
    with pytest.raises(ReadError, match="not there"):
        read(path)


def _with(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    model = small()
    change(model)
    return model


def _weight(**fields: object) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        for name, value in fields.items():
            if isinstance(value, list):
                tensor.ClearField(name)  # type: ignore[arg-type]
                getattr(tensor, name).extend(value)
            else:
                setattr(tensor, name, value)

    return change


DAMAGED: dict[str, Callable[[onnx.ModelProto], object]] = {
    "shape larger than its bytes": _weight(dims=[4]),
    "shape of 10**18": _weight(dims=[10**9, 10**9]),
    "negative shape": _weight(dims=[-3]),
    "kind without a name": _weight(data_type=99),
    "values stored twice": _weight(float_data=[1.0, 2.0, 3.0]),
    "values in another field": _weight(raw_data=b"", int64_data=[1, 2, 3]),
    "name of a megabyte": _weight(name="w" * 2**20),
    "name that is no text": lambda m: m.ParseFromString(
        m.SerializeToString().replace(b"\x01w", b"\x01\xff")
    ),
    "newer opset": lambda m: setattr(m.opset_import[0], "version", 99),
    "two opsets": lambda m: m.opset_import.add(version=16),
    "no opset": lambda m: m.ClearField("opset_import"),
    "newer format": lambda m: setattr(m, "ir_version", 1000),
    "no graph": lambda m: m.ClearField("graph"),
    "no outputs": lambda m: m.graph.ClearField("output"),
    "output of nobody": lambda m: setattr(m.graph.output[0], "name", "z"),
    "input of nobody": lambda m: m.graph.node[0].input.__setitem__(0, "z"),
    "value made twice": lambda m: m.graph.node.append(m.graph.node[0]),
    "input twice": lambda m: m.graph.input.append(m.graph.input[0]),
    "needs itself": lambda m: m.graph.node[0].input.__setitem__(0, "y"),
    "too few inputs": lambda m: m.graph.node[0].input.pop(),
    "too many outputs": lambda m: m.graph.node[0].output.append("z"),
    "unknown attribute": lambda m: m.graph.node[0].attribute.append(
        helper.make_attribute("colour", 3)
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_is_told(damage: str) -> None:
    with pytest.raises(ReadError, match=r"Expected (?s:.*)[Gg]ot "):
        read(_with(DAMAGED[damage]))


def test_attribute_of_another_kind_names_the_node() -> None:
    node = helper.make_node("Concat", ["x", "x"], ["y"], name="joint", axis="left")
    with pytest.raises(ReadError, match=r"Concat 'joint'.*'axis' is of another kind"):
        read(small(node))


def test_unsorted_nodes_are_put_in_order_and_the_given_model_stays() -> None:
    model = small(
        helper.make_node("Relu", ["b"], ["y"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Add", ["x", "w"], ["a"]),
    )
    before = model.SerializeToString()
    assert [node.op_type for node in read(model).graph.node] == ["Add", "Neg", "Relu"]
    assert model.SerializeToString() == before


def test_cycle_names_its_nodes() -> None:
    model = small(
        helper.make_node("Add", ["x", "b"], ["a"], name="first"),
        helper.make_node("Neg", ["a"], ["b"], name="second"),
        helper.make_node("Relu", ["b"], ["y"]),
    )
    with pytest.raises(ReadError, match="cycles, got 'first', 'second'"):
        read(model)


def _nested(depth: int) -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["z"])], "b", [],
        [helper.make_tensor_value_info("z", FLOAT, None)],
    )  # fmt: skip
    for level in range(depth):
        node = helper.make_node("If", ["c"], [f"z{level}"], then_branch=body, else_branch=body)
        out = [helper.make_tensor_value_info(f"z{level}", FLOAT, None)]
        body = helper.make_graph([node], "b", [], out)
    model = small(weights={"c": np.array(True)})
    model.graph.node[0].CopyFrom(body.node[0])
    model.graph.node[0].output[0] = "y"
    return model


def test_subgraphs_may_use_what_is_around_them_but_not_too_deep() -> None:
    assert read(_nested(3)).graph.node[0].op_type == "If"
    model = small()
    inner = model.graph
    for _ in range(60):  # 2 ** depth copies would not end: one branch only
        node = inner.node.add(op_type="If", input=["c"], output=["d"])
        node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH)
        inner = node.attribute[0].g
    with pytest.raises(ReadError, match="deep"):
        read(model)


def test_cycle_through_a_subgraph_is_found() -> None:
    model = _nested(1)
    model.graph.node[0].attribute[0].g.node[0].input[0] = "y"
    with pytest.raises(ReadError, match="cycles"):
        read(model)


def _function(name: str, *calls: str) -> onnx.FunctionProto:
    names = ["a", *(f"v{i}" for i in range(len(calls)))]
    nodes = [
        helper.make_node(call, [names[i]], [names[i + 1]], domain="" if call == "Neg" else "own")
        for i, call in enumerate(calls)
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], [names[-1]], nodes, opsets)


def _with_functions(*functions: onnx.FunctionProto) -> onnx.ModelProto:
    model = small(
        helper.make_node("Add", ["x", "w"], ["s"]),
        helper.make_node(functions[-1].name, ["s"], ["y"], domain="own"),
        weights={"w": np.arange(300, dtype=np.float32).reshape(100, 3)},
    )
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.functions.extend(functions)
    return model


def test_functions_are_put_in_place_with_the_weights_kept() -> None:
    model = read(_with_functions(_function("twice", "Neg", "Neg"), _function("f", "twice", "Neg")))
    assert [node.op_type for node in model.graph.node] == ["Add", "Neg", "Neg", "Neg"]
    assert numpy_helper.to_array(model.graph.initializer[0])[99, 2] == 299


def test_functions_that_grow_or_never_end_are_refused_at_once() -> None:
    tower = [_function("f0", "Neg")]
    tower += [_function(f"f{i}", *[f"f{i - 1}"] * 10) for i in range(1, 40)]
    start = time.monotonic()
    with pytest.raises(ReadError, match="at most"):
        read(_with_functions(*tower))
    with pytest.raises(ReadError, match="calls itself"):
        read(_with_functions(_function("a", "b"), _function("b", "a")))
    assert time.monotonic() - start < 2


def test_sparse_weights_become_dense() -> None:
    for places in ([1, 5], [[0, 1], [1, 2]]):
        model = small(weights={})
        values = numpy_helper.from_array(np.array([3, 4], np.float32), "w")
        indices = numpy_helper.from_array(np.array(places, np.int64))
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2, 3]))
        dense = numpy_helper.to_array(read(model).graph.initializer[0])
        assert dense.tolist() == [[0, 3, 0], [0, 0, 4]]
        model.graph.sparse_initializer[0].dims[0] = 10**10
        with pytest.raises(ReadError):
            read(model)


def test_absurd_amount_of_messages_is_refused_before_parsing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MESSAGES", 100_000)
    nodes = b"\x0a\x00" * 3_000_000  # half a gigabyte once parsed
    start = time.monotonic()
    with pytest.raises(ReadError, match="fields"):
        read(b"\x3a" + _varint(len(nodes)) + nodes)
    assert time.monotonic() - start < 10


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def test_weights_are_not_counted_as_structure() -> None:
    big = small(weights={"w": np.zeros((limits.STRUCTURE_BYTES // 2, 3), np.float32)})
    start = time.monotonic()
    assert len(read(big.SerializeToString()).graph.initializer) == 1
    assert time.monotonic() - start < 3
