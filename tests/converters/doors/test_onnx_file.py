from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters import ReadError, TooLargeError, UnsafeFileError, compare
from converters.doors.onnx_file import check_runnable

GROUP = bytes([15 << 3 | 3, 15 << 3 | 4])  # begin and end of one that parsers skip


def model(*nodes: onnx.NodeProto, weights: tuple[onnx.TensorProto, ...] = ()) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes), "g", [value("x", TensorProto.FLOAT, ["n", 3])],
        [value("y", TensorProto.FLOAT, None)], list(weights),
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def outside() -> onnx.TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    return tensor


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(UnsafeFileError) as caught:
        check_runnable(path)
    return str(caught.value)


def test_file_of_one_piece_is_let_through(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    content = model(helper.make_node("Mul", ["x", "w"], ["y"]), weights=(weight,))
    (tmp_path / "a.onnx").write_bytes(content.SerializeToString())
    check_runnable(tmp_path / "a.onnx")


@pytest.mark.parametrize("hidden", [b"", GROUP, GROUP * 50])
def test_weights_elsewhere_are_refused_even_behind_what_parsers_skip(
    hidden: bytes, tmp_path: Path
) -> None:
    found = model(helper.make_node("Mul", ["x", "w"], ["y"]), weights=(outside(),))
    content = hidden + found.SerializeToString()
    assert onnx.ModelProto.FromString(content).graph.initializer[0].external_data
    assert "another file" in refused(tmp_path / "a.onnx", content)


def test_weights_elsewhere_in_an_attribute_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Constant", [], ["y"], value=outside())
    assert "another file" in refused(tmp_path / "a.onnx", model(node).SerializeToString())


def test_loops_and_constants_of_any_size_are_refused(tmp_path: Path) -> None:
    body = model(helper.make_node("Relu", ["x"], ["y"])).graph
    loop = model(helper.make_node("Loop", ["m", "c", "x"], ["y"], body=body))
    assert "a graph inside a node" in refused(tmp_path / "a.onnx", loop.SerializeToString())
    many = model(helper.make_node("ConstantOfShape", ["x"], ["y"]))
    assert "ConstantOfShape" in refused(tmp_path / "a.onnx", many.SerializeToString())


@pytest.mark.parametrize("content", [b"hello", b"\x80\x04\x95", b"PK\x03\x04"])
def test_no_onnx_file_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(ReadError, match="whole ONNX file"):
        check_runnable(tmp_path / "a.onnx")


def test_functions_are_refused(tmp_path: Path) -> None:
    """A runtime puts them in place, however many that makes."""
    found = model(helper.make_node("f", ["x"], ["y"], domain="own"))
    opset = [helper.make_opsetid("", 17)]
    body = [helper.make_node("Relu", ["a"], ["b"])]
    found.functions.append(helper.make_function("own", "f", ["a"], ["b"], body, opset))
    assert "functions of its own" in refused(tmp_path / "a.onnx", found.SerializeToString())


def test_comparing_computes_nothing_of_gigabytes() -> None:
    """A runtime would make the 64 GB that a hundred bytes ask for."""
    shape = numpy_helper.from_array(np.array([2**17, 2**17], np.int64), "s")
    found = model(
        helper.make_node("ConstantOfShape", ["s"], ["c"]),
        helper.make_node("ReduceSum", ["c"], ["k"]),
        helper.make_node("Add", ["x", "k"], ["y"]),
        weights=(shape,),
    )
    with pytest.raises(TooLargeError, match=r"got a result.*shape \(131072, 131072\)"):
        compare(found, lambda x: x)
