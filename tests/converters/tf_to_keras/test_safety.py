"""Graphs that are programs: what may be in one, and what a user may let through by name."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework import op_def_registry

import converters
from converters import ConversionError, ReadError, UnsafeFileError, UnsupportedError
from converters.cli import DONE, WRONG_INPUT, main
from converters.tf_to_keras.graphs.source.growth import check_growth
from converters.tf_to_keras.graphs.source.read import read_graph_def, read_saved_model
from converters.tf_to_keras.graphs.source.safety import calculates

PICTURE = tf.TensorSpec((None, 8, 8, 3), tf.float32, name="x")


@pytest.mark.parametrize(
    "op",
    ["Conv2D", "FusedBatchNormV3", "GatherNd", "TensorScatterUpdate", "ScatterNd", "MatrixDiagV3",
     "DecodeJpeg", "DecodeImage", "StringJoin", "While", "StatefulPartitionedCall", "VarHandleOp",
     "HashTableV2", "LookupTableFindV2", "RandomUniform", "TensorArrayReadV3", "CheckNumerics"],
)  # fmt: skip
def test_what_networks_are_made_of_is_let_through(op: str) -> None:
    assert calculates(op_def_registry.get(op))


@pytest.mark.parametrize(
    "op",
    ["ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc", "Abort",
     "GenerateVocabRemapping", "LoadAndRemapMatrix", "ImmutableConst", "DecodeProtoV2", "SaveV2",
     "RestoreV2", "InitializeTableFromTextFileV2", "PrintV2", "DebugIdentityV2", "TFRecordDataset",
     "SnapshotNestedDatasetReader", "RemoteCall", "CollectiveReduceV2", "SqlDataset", "Copy",
     "TPUPartitionedCall", "QueueDequeueV2", "SummaryWriter", "FileSystemSetConfiguration"],
)  # fmt: skip
def test_what_reaches_further_is_not(op: str) -> None:
    definition = op_def_registry.get(op)
    assert definition is not None
    assert not calculates(definition)


@pytest.fixture(scope="module")
def two_signatures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel that answers by calculation; a second signature of it reads a file."""
    folder = tmp_path_factory.mktemp("saved") / "net"
    module = tf.Module()
    weight = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    module.weight = tf.Variable(weight, name="weight")
    module.answer = tf.function(
        lambda x: {"y": tf.reduce_mean(x, [1, 2]) @ module.weight}, input_signature=[PICTURE]
    )
    module.other = tf.function(
        lambda x: {"y": tf.strings.length(tf.io.read_file(x))},
        input_signature=[tf.TensorSpec((), tf.string)],
    )
    signatures = {"serving_default": module.answer, "other": module.other}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def test_operators_pass_for_those_who_insist_by_name(two_signatures: Path) -> None:
    with pytest.raises(UnsafeFileError, match=r"ReadFile.*allow_ops=\('ReadFile',\)"):
        converters.tf_to_keras(two_signatures)
    with pytest.raises(UnsafeFileError, match="ReadFile"):
        converters.tf_to_keras(two_signatures, allow_ops=("WriteFile",))
    model = converters.tf_to_keras(two_signatures, allow_ops=("ReadFile",))
    assert converters.compare(two_signatures, model, allow_ops=("ReadFile",)).passed
    with pytest.raises(UnsafeFileError, match="ReadFile"):
        converters.compare(two_signatures, model)


def test_the_command_line_insists_too(two_signatures: Path, tmp_path: Path) -> None:
    words = [str(two_signatures), str(tmp_path / "net.keras")]
    assert main(words) == WRONG_INPUT
    assert main([*words, "--allow-op", "ReadFile"]) == DONE
    assert (tmp_path / "net.keras").is_file()


def test_a_file_without_operators_takes_no_such_word(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x08\x08")
    with pytest.raises(ConversionError, match="Expected allow_ops for a SavedModel"):
        converters.convert(tmp_path / "a.onnx", tmp_path / "b.keras", allow_ops=("ReadFile",))


def edited(source: Path, target: Path, edit: Callable[[Any], None]) -> Path:
    folder = shutil.copytree(source, target)
    message = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    edit(message.meta_graphs[0])
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder


def saving(graph: Any) -> str:
    """The function that writes checkpoints, which a SavedModel keeps for its saver."""
    functions = graph.graph_def.library.function
    return next(f.signature.name for f in functions if any(n.op == "SaveV2" for n in f.node_def))


def test_function_of_the_saver_may_be_called_by_nobody_else(
    two_signatures: Path, tmp_path: Path
) -> None:
    def from_a_function(graph: Any) -> None:
        functions = graph.graph_def.library.function
        # Of a signature: the one that restores belongs to the saver too.
        other = next(f for f in functions if any(n.op == "ReadFile" for n in f.node_def))
        call = other.node_def.add(name="also", op="StatefulPartitionedCall")
        call.attr["f"].func.name = saving(graph)

    def by_its_name(graph: Any) -> None:
        graph.graph_def.node.add(name="also", op=saving(graph))

    def from_an_object(graph: Any) -> None:
        graph.object_graph_def.nodes[0].bare_concrete_function.concrete_function_name = saving(
            graph
        )

    for number, edit in enumerate((from_a_function, by_its_name, from_an_object)):
        folder = edited(two_signatures, tmp_path / str(number), edit)
        with pytest.raises(UnsafeFileError, match="SaveV2"):
            read_saved_model(folder, allow_ops=("ReadFile",))


@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret", "a/../../b", "..\\secret"])
def test_asset_outside_the_folder_is_refused(
    name: str, two_signatures: Path, tmp_path: Path
) -> None:
    folder = edited(
        two_signatures, tmp_path / "net", lambda graph: graph.asset_file_def.add(filename=name)
    )
    with pytest.raises(UnsafeFileError, match="assets"):
        read_saved_model(folder, allow_ops=("ReadFile",))


def test_small_file_does_not_become_a_large_graph(tmp_path: Path) -> None:
    graph = GraphDef()
    for number in range(30):
        function = graph.library.function.add()
        function.signature.name = f"f{number}"
        for place in range(2):
            node = function.node_def.add(name=f"n{place}", op="PartitionedCall")
            node.attr["f"].func.name = f"f{number - 1}"
    graph.node.add(name="start", op="f29")
    with pytest.raises(UnsupportedError, match="at most 500,000 nodes"):
        check_growth(graph, "it")
    graph.library.function[0].node_def[0].attr["f"].func.name = "f29"
    with pytest.raises(ReadError, match="calls itself"):
        check_growth(graph, "it")


@pytest.mark.parametrize("sizes", [(2**17, 2**17), (2**62, 2**62), (-1, 4)])
def test_constant_of_one_number_has_no_shape_of_terabytes(sizes: tuple[int, int]) -> None:
    graph = GraphDef()
    tensor = graph.node.add(name="c", op="Const").attr["value"].tensor
    tensor.dtype = 1
    tensor.float_val.append(1)
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    with pytest.raises(ReadError, match="Expected constants"):
        check_growth(graph, "it")


def test_millions_of_empty_nodes_are_counted_before_they_are_parsed(tmp_path: Path) -> None:
    (tmp_path / "a.pb").write_bytes(b"\x0a\x00" * 600_000)
    with pytest.raises(UnsupportedError, match="at most 500,000 nodes"):
        read_graph_def(tmp_path / "a.pb")
